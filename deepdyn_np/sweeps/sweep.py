"""One function at every point of a grid."""

import inspect
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from deepdyn_np.errors import SweepError, expect, fail, whole_number
from deepdyn_np.progress import Progress
from deepdyn_np.sweeps.folder import load, open_folder, store
from deepdyn_np.sweeps.grid import digest, generator, label, product
from deepdyn_np.sweeps.workers import check_executor, name_of, outcomes


@dataclass(frozen=True, repr=False)
class Sweep:
    """What a function returned at the points of a grid.

    Attributes
    ----------
    axes : dict of str to ndarray
        The values along each axis, in the order of the axes. Also attributes: ``found.lam``.
    points : list of dict
        The arguments of each call, with the last axis running fastest, as in ``array.ravel()``.
    columns : dict of str to ndarray
        Each name that the function returned, as an array with the axes of the grid first, then
        those of one result. Also attributes: ``found.rank``. If the results differ in shape, an
        array of arrays.
    done : ndarray of bool
        Over the axes of the grid: which points have a result. In the others the columns are nan.

    Notes
    -----
    Used in chapter 17_low_rank_bias.
    """

    axes: dict
    points: list
    columns: dict
    done: np.ndarray

    def __getattr__(self, name):
        for known in (self.__dict__.get("columns", {}), self.__dict__.get("axes", {})):
            if name in known:
                return known[name]
        raise AttributeError(f"{self!r} has no {name!r}" if "axes" in self.__dict__ else name)

    def __repr__(self):
        axes = " x ".join(f"{name} ({len(values)})" for name, values in self.axes.items()) or "one point"
        return f"<Sweep over {axes}: {', '.join(self.columns) or 'nothing yet'}>"


def sweep(function, grid, executor=None, progress=True, *, seed=0, save=None):
    """Run independent experiments, one for each point of a grid, on every core.

    The numbers depend on the function, the point and ``seed`` only: not on the executor, the number of
    workers, the order, or on which other points are in the grid.

    Parameters
    ----------
    function : callable
        The experiment, ``function(**point)``. It returns a number, an array, or a dict of them;
        a number or array alone is called ``value``. If it has a parameter ``rng``, it gets a
        ``numpy.random.Generator`` of its own at each point.
    grid : dict
        ``{parameter: its values}``: an axis for each sequence. A single number or text is the same
        at every point and makes no axis. Values are numbers, texts, ``None`` or tuples of them.
        For repetitions with fresh seeds add an axis, ``{"trial": range(5)}``.
    executor : concurrent.futures.Executor, optional
        Where the points run; for a Dask cluster ``client.get_executor(pure=False)``: a pure one
        may return an earlier failure again. Default: one worker process for each core, with one
        BLAS thread each. See the notes for notebooks.
    progress : bool
        Tell on the error stream how far the sweep has come, and which points fail.
    seed : int
        Another seed gives another sweep.
    save : str or path, optional
        A folder that keeps each point, in a file of its own, as soon as it is finished. Called
        again, also after a crash or with a larger grid, the sweep computes only what the folder
        lacks. A folder of another function, seed or set of parameters is refused; what the
        function calls in turn is not compared.

    Returns
    -------
    Sweep

    Raises
    ------
    SweepError
        After the last point, if points failed. The others are in its ``sweep``, the tracebacks in
        its ``failures``. Where failing is a result, as divergence can be, catch it in the
        function and return nan.

    Notes
    -----
    A point's seed is ``SeedSequence(seed, spawn_key=...)``, a child as ``SeedSequence.spawn`` makes
    them, whose key is a digest of the point in place of a count. More generators for one
    experiment come from ``rng.spawn``.

    On Linux the workers are forked and can run any function. On macOS and Windows they import it,
    which needs a module, or a script with ``if __name__ == "__main__"``; a function of a notebook
    runs there in the notebook's own process, one point after the other. So does everything on a
    single core. Other executors may have other needs: those that pickle, such as
    ``ProcessPoolExecutor``, need a function that can be imported; threads and Dask take any.

    Used in chapter 17_low_rank_bias.

    Examples
    --------
    How far does a random walk get?

    >>> def distance(steps, rng):
    ...     return np.abs(rng.choice([-1, 1], size=(1000, steps)).sum(axis=1)).mean()
    >>> found = dd.sweep(distance, {"steps": [100, 400, 1600]}, progress=False)
    >>> found
    <Sweep over steps (3): value>
    >>> slope, uncertainty = dd.fit_slope(found.steps, found.value)
    >>> bool(abs(slope - 1 / 2) < 0.05)
    True
    """
    expect(callable(function), "function", "a function", repr(function), "Pass it without calling it.")
    axes, points = product(grid)
    takes_rng = _check_parameters(function, points[0])
    check_executor(executor, function)
    seed = whole_number("seed", seed, 0)
    results, files = [None] * len(points), None
    if save is not None:
        folder = open_folder(save, function, grid, seed)
        files = [folder / f"{digest(point)}.npz" for point in points]
        results = [load(file) for file in files]
    tasks = {i: point | ({"rng": generator(seed, point)} if takes_rng else {})
             for i, point in enumerate(points) if results[i] is None}

    failures, bar, ended = [], Progress("sweep", progress, "points"), len(points) - len(tasks)
    with closing(outcomes(executor, function, tasks, bar.tell)) as arriving:
        for i, (columns, failure) in arriving:
            results[i], ended = columns, ended + 1
            if failure:
                failures.append((points[i], failure))
                bar.tell(f"failed at {label(points[i])}: {_last_line(failure)}")
            elif files:
                store(files[i], columns)
            bar.show(ended / len(points), ended)
    bar.show(1.0, ended, end=True)

    found = _collect(axes, points, results)
    if failures:
        point, failure = failures[0]
        raise SweepError(f"{len(failures)} of {len(points)} points failed. The others are in this error's .sweep. "
                         f"At {label(point)}:\n\n{failure}", found, failures)
    return found


def _check_parameters(function, point):
    """Whether ``function`` takes ``rng``; raises unless the grid has the rest of what it takes."""
    try:
        signature = inspect.signature(function)
        takes_rng = "rng" in signature.parameters
        signature.bind(**point, **({"rng": None} if takes_rng else {}))
    except (TypeError, ValueError) as mismatch:  # ValueError: a builtin without a signature
        fail("grid", f"the parameters of {name_of(function)}", ", ".join(point), f"{mismatch}.")
    return takes_rng


def _collect(axes, points, results):
    """The `Sweep` of the results so far, ``None`` where there is none."""
    shape = tuple(len(values) for values in axes.values())
    names = dict.fromkeys(name for columns in results if columns for name in columns)
    columns = {name: _grid_of([None if columns is None else columns.get(name) for columns in results], shape)
               for name in names}
    return Sweep(axes, points, columns, np.array([columns is not None for columns in results]).reshape(shape))


def _grid_of(cells, shape):
    """One array from the results of one name, nan where there is ``None``."""
    shapes = {cell.shape for cell in cells if cell is not None}
    if len(shapes) > 1:
        return np.fromiter((np.array(np.nan) if cell is None else cell for cell in cells), object).reshape(shape)
    blank = np.full(*shapes, np.nan)
    stacked = np.stack([blank if cell is None else cell for cell in cells])
    return stacked.reshape(shape + stacked.shape[1:])


def _last_line(failure):
    return failure.strip().splitlines()[-1]
