"""The points of a grid: their values, their names, their seeds.

A point is known by its values alone. Its seed and its saved file therefore do not change when the
grid is extended, thinned out or turned around.
"""

import hashlib
import itertools

import numpy as np

from deepdyn_np.errors import expect


def product(grid):
    """``(axes, points)``: the sequences of ``grid``, and its points, the last axis running fastest."""
    expect(isinstance(grid, dict) and bool(grid), "grid", "a dict such as {'lam': [0, 0.1], 'B': [1, 8]}",
           repr(grid))
    names = [name for name in grid if isinstance(name, str)]
    expect(names == list(grid) and "rng" not in grid, "grid", "names of parameters, other than rng", list(grid),
           "A function with the parameter rng gets a generator for each point by itself.")
    axes, choices = {}, []
    for name, values in grid.items():
        if isinstance(values, (list, tuple, range)) or isinstance(values, np.ndarray) and values.ndim:
            expect(len(values) > 0, "grid", f"at least one value of {name}", "none")
            expect(len({_text(name, value) for value in values}) == len(values), "grid",
                   f"different values of {name}", values, "For repetitions add an axis, as in {'trial': range(5)}.")
            axes[name] = _axis(values)
        else:
            values = [values]
            _text(name, *values)
        choices.append(values)
    return axes, [dict(zip(grid, values)) for values in itertools.product(*choices)]


def _axis(values):
    """``values`` as an array of one axis, of tuples too."""
    nested = any(isinstance(value, (list, tuple)) for value in values)
    return np.fromiter(values, object) if nested else np.array(values)


def label(point):
    """``B=8, lam=0.1``, the same text for equal points."""
    return ", ".join(f"{name}={_text(name, value)}" for name, value in point.items())


def digest(point):
    """32 hexadecimal digits that name the point, whatever the order of its parameters."""
    text = label({name: point[name] for name in sorted(point)})
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def generator(seed, point):
    """The point's own generator, a child of ``seed`` that has the point as its key.

    ``SeedSequence.spawn`` numbers its children, so they change their seeds when the grid changes;
    these do not.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(digest(point), 16),)))


def _text(name, value):
    """One text for equal values: 1, 1.0 and np.float32(1) are the same point."""
    if isinstance(value, (tuple, list)):
        return f"({', '.join(_text(name, part) for part in value)})"
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    expect(value is None or isinstance(value, (bool, int, float, str)), "grid",
           f"numbers, texts or tuples of them for {name}", f"{value!r}",
           "Sweep over a name, and let the function look up the object.")
    return repr(value)
