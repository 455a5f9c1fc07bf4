"""Exceptions of the package, and the argument checks that every public function uses.

This file holds no mathematics. It is the one file that both wings, the experiment and the
theory, import, so that bad input reads the same everywhere: the argument's name, what was
expected, what came, and the likely mistake.
"""

import numpy as np


class NotSeparableError(ValueError):
    """No ``w`` has ``Z @ w > 0``, so the maximum margin does not exist.

    Attributes
    ----------
    certificate : ndarray, shape (n,)
        Gordan's certificate: ``u >= 0``, ``u.sum() == 1``, ``Z.T @ u = 0``. The origin is a
        convex combination of the rows of ``Z``, which no separating ``w`` allows.

    Notes
    -----
    Derived in chapter 03_max_margin.
    """

    def __init__(self, message, certificate):
        super().__init__(message)
        self.certificate = certificate


class StoppedEarlyError(RuntimeError):
    """A run that had to stop; what it computed so far is in ``trajectory``."""

    def __init__(self, message, trajectory=None):
        super().__init__(message)
        self.trajectory = trajectory


class DivergenceError(StoppedEarlyError):
    """The parameters left the range of floating-point numbers.

    It can end the runs of every chapter.
    """


class StepLimitError(StoppedEarlyError):
    """The adaptive integrator used up its steps before it reached the end.

    It can end the flows used from chapter 02_gradient_flow_and_time on.
    """


class SweepError(RuntimeError):
    """Points of a sweep failed; the others are in ``sweep``.

    Attributes
    ----------
    sweep : Sweep
        With nan where a point failed.
    failures : list of (dict, str)
        Each point that failed, with its traceback.

    Notes
    -----
    Of `sweep`, used in chapter 17_low_rank_bias.
    """

    def __init__(self, message, sweep=None, failures=()):
        super().__init__(message)
        self.sweep, self.failures = sweep, failures


def expect(condition, argument, expected, got, mistake=""):
    """Raise a ``ValueError`` that names ``argument`` unless ``condition`` holds."""
    if not condition:
        fail(argument, expected, got, mistake)


def fail(argument, expected, got, mistake=""):
    """Raise the ``ValueError`` of `expect`; for inner loops, which test before they format."""
    hint = f" {mistake}" if mistake else ""
    raise ValueError(f"{argument}: expected {expected}, got {got}.{hint}")


def numeric_array(argument, value, expected="numbers"):
    """``value`` as a float (or complex) array without nan or inf."""
    try:
        array = np.asarray(value)
    except ValueError:  # numpy's own message does not say which argument
        array = np.asarray(value, dtype=object)
    if array.dtype.kind in "bui":
        array = array.astype(float)
    expect(array.dtype.kind in "fc", argument, expected, f"an array of dtype {array.dtype}",
           "Is it a ragged list, or text?")
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        expect(False, argument, "finite numbers", f"{array[where]} at index {where}",
               "A nan or inf usually comes from a diverged run or from missing data.")
    return array


def matrix(argument, value, meaning="one sample per row"):
    """``value`` as a finite float array with at least two axes, none of them empty."""
    array = numeric_array(argument, value)
    expect(array.ndim >= 2 and 0 not in array.shape, argument,
           f"a non-empty array of shape (..., n, d), {meaning}", f"shape {array.shape}",
           "A single sample still needs a row: use x[None, :].")
    return array


def signs(argument, value):
    """``value`` as a float array of labels -1 and +1."""
    array = numeric_array(argument, value)
    wrong = array[~np.isin(array, (-1.0, 1.0))]
    expect(wrong.size == 0, argument, "labels -1 and +1",
           f"the value {wrong.flat[0] if wrong.size else ''}",
           "Labels 0 and 1 become -1 and +1 by 2 * y - 1.")
    return array


def positive(argument, value):
    """``value`` as a finite array (or number) whose entries are all above 0."""
    array = numeric_array(argument, value)
    expect(array.dtype.kind == "f" and bool((array > 0).all()), argument, "a number above 0", value)
    return value


def same_shape(argument, value, moved):
    """Raise unless ``value`` has the shape that it is to be moved in, that of the ensemble."""
    expect(np.shape(value) == np.shape(moved), argument,
           f"shape {np.shape(moved)}, that of the ensemble", f"shape {np.shape(value)}",
           "Give each member its start: np.tile(theta0, (members, 1)).")


def positive_number(argument, value):
    """``value``, a single finite number above 0."""
    expect(np.ndim(value) == 0, argument, "a single number above 0", f"shape {np.shape(value)}")
    return positive(argument, value)


def whole_number(argument, value, least, most=None):
    """``value``, an integer from ``least`` on, up to ``most`` if that is given."""
    inside = isinstance(value, (int, np.integer)) and least <= value and (most is None or value <= most)
    expect(inside, argument, f"a whole number, at least {least}" if most is None else
           f"a whole number from {least} to {most}", value)
    return int(value)


def generator(argument, value):
    """``value``, a ``numpy.random.Generator``."""
    expect(isinstance(value, np.random.Generator), argument, "a numpy.random.Generator",
           type(value).__name__, "Make one with np.random.default_rng(seed).")
    return value
