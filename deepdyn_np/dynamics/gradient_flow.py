"""Gradient flow in ordinary time."""

import numpy as np

from deepdyn_np.dynamics.adaptive import accepted_steps, output_points, start
from deepdyn_np.dynamics.dormand_prince import DormandPrince
from deepdyn_np.dynamics.trajectory import Recorder
from deepdyn_np.errors import StoppedEarlyError, expect, numeric_array, positive_number
from deepdyn_np.progress import Progress


def gradient_flow(objective, theta0, t_end, rtol=1e-8, atol=1e-10, *, at=None, dense=False,
                  record=None, max_steps=100_000, progress=False):
    """Solve ``d theta / dt = -grad L(theta)`` by adaptive Dormand-Prince 5(4).

    Parameters
    ----------
    objective : Objective
        Weight decay, if any, is part of the flow.
    theta0 : ndarray, shape (..., p)
        Start; leading axes are an ensemble, which shares the step size of its stiffest member.
    t_end : float
        End time, above 0.
    rtol, atol : float
        Error allowed in a step, per parameter: ``atol + rtol |theta|`` (root mean square).
    at : sequence of float, optional
        Increasing times of the rows, within 0..t_end. Default: 0 and the end of every step.
    dense : bool
        ``False``: steps are cut to land on the times ``at``, which are then as accurate as the
        flow. ``True``: steps keep their length and rows are read off the fourth-order continuous
        extension; cheaper for many rows, such as the points of a smooth curve.
    record : dict of str to callable, optional
        Quantities to record at each row, as functions of ``theta``.
    max_steps : int
        Cap on accepted and rejected steps together.
    progress : bool
        Tell on the error stream how far the flow has come.

    Returns
    -------
    Trajectory
        With ``theta``, ``t`` and every recorded name.

    Raises
    ------
    StepLimitError
        If ``max_steps`` is used up; its ``trajectory`` has the rows so far.

    Notes
    -----
    Derived in chapter 02_gradient_flow_and_time.
    """
    theta0 = numeric_array("theta0", theta0)
    for name, value in (("t_end", t_end), ("rtol", rtol), ("atol", atol)):
        positive_number(name, value)
    at = output_points("at", at, 0.0, t_end)
    expect(not (dense and at is None), "at", "times when dense=True", None)

    def velocity(t, theta):
        return -objective.gradient(theta)

    method, bar = DormandPrince(), Progress("gradient flow", progress)
    clock = start(velocity, 0.0, theta0, t_end, method.order, rtol, atol)
    recorder = Recorder(record)
    if at is None or at[0] == 0:
        recorder.add(theta0, t=0.0)
    targets = [t_end] if dense or at is None else [t for t in at if t > 0]
    try:
        for target in targets:
            steps = accepted_steps(method, velocity, clock, target, rtol, atol, max_steps)
            for t, h, theta, proposal in steps:
                bar.show(clock.x / t_end, clock.steps)
                if dense:
                    for time in at[(at > t) & (at <= clock.x)]:
                        recorder.add(method.interpolate((time - t) / h, h, theta, proposal), t=time)
                elif at is None or clock.x == target:
                    recorder.add(clock.y, t=clock.x)
    except StoppedEarlyError as error:
        error.trajectory = recorder.trajectory(steps=clock.steps, rejected=clock.rejected)
        raise
    bar.show(1.0, clock.steps, end=True)
    return recorder.trajectory(steps=clock.steps, rejected=clock.rejected)
