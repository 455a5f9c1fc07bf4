"""The loop that runs any step rule."""

import cmath

import numpy as np

from deepdyn_np.dynamics.rules import Rule
from deepdyn_np.dynamics.trajectory import Recorder
from deepdyn_np.errors import DivergenceError, expect, numeric_array, same_shape, whole_number
from deepdyn_np.progress import Progress


def run(rule, theta0, steps, *, record=None, at=None, progress=False):
    """Run a step rule and keep the rows asked for.

    Parameters
    ----------
    rule : Rule
        For instance ``dd.gd(objective, eta=0.1)``.
    theta0 : ndarray, shape (..., p)
        Start; leading axes are an ensemble. It is not modified.
    steps : int
        Number of steps.
    record : dict of str to callable, optional
        Quantities to record at each row, as functions of ``theta``.
    at : sequence of int, optional
        Step numbers of the rows, within 0..steps. Default: 101 equally spaced ones (every step
        when there are at most 100). `log_spaced` makes rows for a logarithmic axis.
    progress : bool
        Tell on the error stream how far the run has come.

    Returns
    -------
    Trajectory
        With ``theta``, ``step`` and every recorded name.

    Raises
    ------
    DivergenceError
        If ``theta`` leaves the range of floats; its ``trajectory`` has the rows so far and, as
        the last one, the last finite parameters.

    Notes
    -----
    Used from chapter 02_gradient_flow_and_time on.
    """
    expect(isinstance(rule, Rule), "rule", "a step rule such as dd.gd(objective, eta)",
           type(rule).__name__, "dd.gd itself is not a rule: call it with an objective.")
    whole_number("steps", steps, 0)
    theta = numeric_array("theta0", theta0).copy()
    at = np.linspace(0, steps, min(steps, 100) + 1).round() if at is None else (
        np.atleast_1d(numeric_array("at", at)))
    expect(at.size > 0 and bool(((at >= 0) & (at <= steps) & (at == np.round(at))).all()), "at",
           f"step numbers within 0..{steps}", at if at.size < 9 else f"{at.min()}..{at.max()}")
    wanted = set(at.astype(int).tolist())
    recorder, bar, state = Recorder(record), Progress("run", progress), rule.start(theta)
    last, spent = None, ()
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(steps):
            if t in wanted:
                recorder.add(theta, step=t)
            if t > 1 and rule.reuses:  # not the start, which may have another precision
                spent = (last,)
            last = theta, state
            theta, state = rule.step(theta, state, t, *spent)
            if t == 0:
                same_shape("theta0", last[0], theta)
            if not _finite(theta):
                if t not in wanted:
                    recorder.add(last[0], step=t)
                raise DivergenceError(
                    f"theta is no longer finite after step {t + 1} of {steps}: the step size is "
                    "probably too large. The rows so far are in this error's .trajectory.",
                    recorder.trajectory(steps=t + 1))
            if progress:
                bar.show((t + 1) / steps, t + 1)
    if steps in wanted:
        recorder.add(theta, step=steps)
    bar.show(1.0, steps, end=True)
    return recorder.trajectory(steps=steps)


def _finite(theta):
    """One product where it does not overflow; a nan or inf anywhere makes it, and the sum, nan or inf."""
    return cmath.isfinite(np.vdot(theta, theta)) or bool(np.isfinite(theta.sum()))


def log_spaced(steps, count=200):
    """Step numbers 0, 1, ..., ``steps``, at most ``count + 1``, even on a logarithmic axis.

    Used from chapter 02_gradient_flow_and_time on.
    """
    whole_number("steps", steps, 1), whole_number("count", count, 2)
    return np.unique(np.r_[0, np.geomspace(1, steps, count).round()]).astype(int)
