"""Gradient flow with the log-loss as its clock: to t = 10^(4 million) in a second."""

import numpy as np

from deepdyn_np.dynamics.adaptive import accepted_steps, output_points, start
from deepdyn_np.dynamics.dormand_prince import DormandPrince
from deepdyn_np.dynamics.rosenbrock import Rosenbrock
from deepdyn_np.dynamics.trajectory import Recorder
from deepdyn_np.errors import StoppedEarlyError, expect, numeric_array, positive_number, same_shape
from deepdyn_np.progress import Progress

LARGEST_LAMBDA = 1e10  # margins grow like Lambda; beyond, their O(1) differences are rounding
ATOL_K = 1e-14  # K falls like a power of Lambda in deep networks: only its relative error counts


def log_loss_flow(objective, theta0, Lambda_end, method="dopri5", rtol=1e-8, atol=1e-10, *,
                  at=None, record=None, max_steps=100_000, progress=False):
    """Follow ``d theta / dt = -grad L(theta)`` in the clock ``Lambda = -log L``.

    Exactly the same curve as gradient flow, and no quantity that matters over- or underflows:

        ``d theta / d Lambda = g / |g|^2``  with  ``g = grad Lambda``,
        ``d K / d Lambda = 1 / |g|^2 - K``  with  ``K = t L``,  ``K = 0`` at the start,

    and ``log t = Lambda + log K``. When a row is written, ``Lambda`` is computed afresh from its
    ``theta``: the integrator leaves a small constant drift between clock and state.

    Parameters
    ----------
    objective : Objective
        With exponential, logistic or cross-entropy loss, and no decay.
    theta0 : ndarray, shape (..., p)
        Start, not a saddle (there the log-loss is no clock: use `gradient_flow` first). Leading
        axes are an ensemble, which shares its steps; each member has its own ``Lambda``.
    Lambda_end : float
        Where to stop; above the start's ``Lambda`` and at most 1e10, where the differences of
        margins drown in rounding.
    method : {"dopri5", "rosenbrock"}
        ``"dopri5"``: explicit, any network; the steps needed grow like ``Lambda_end``.
        ``"rosenbrock"``: implicit with the exact Jacobian, linear predictors only (a `MLP` with
        one layer); the steps grow with the curve, so that their number is
        ``O(log Lambda_end)``.
    rtol, atol : float
        Error allowed in a step, per parameter: ``atol + rtol |theta|`` (root mean square).
        ``K`` has the relative tolerance alone.
    at : sequence of float, optional
        Increasing values of ``Lambda`` at which to write rows, above the start's. Default: the
        start and the end of every step.
    record : dict of str to callable, optional
        Quantities to record at each row, as functions of ``theta``.
    max_steps : int
        Cap on accepted and rejected steps together.
    progress : bool
        Tell on the error stream how far the flow has come.

    Returns
    -------
    Trajectory
        With ``theta``, ``log_t`` (natural logarithm of the time), ``Lambda`` and every recorded
        name.

    Raises
    ------
    StepLimitError
        If ``max_steps`` is used up, or the loss cannot fall to ``exp(-Lambda_end)``, as on data
        that no network of this kind separates; its ``trajectory`` has the rows so far.

    Notes
    -----
    Losses are means: time runs n times faster than for summed losses. Derived in chapters
    02_gradient_flow_and_time and 03_max_margin.
    """
    theta0 = numeric_array("theta0", theta0)
    positive_number("rtol", rtol), positive_number("atol", atol)
    Lambda0, g = objective.Lambda_and_gradient(theta0)
    same_shape("theta0", theta0, g)
    expect(bool((np.vecdot(g, g) > 1e-20).all()), "theta0", "a start with a nonzero gradient",
           "grad Lambda = 0", "A deep network at 0 is a saddle: leave it by gradient_flow first.")
    begin = float(np.min(Lambda0))
    expect(np.max(Lambda0) < Lambda_end <= LARGEST_LAMBDA, "Lambda_end",
           f"a number above the start's Lambda = {np.max(Lambda0):.6g}, at most 1e10", Lambda_end)
    at = output_points("at", at, np.nextafter(np.max(Lambda0), np.inf), Lambda_end)
    targets = [float(Lambda_end)] if at is None else at.tolist()
    # Members of an ensemble start at different Lambda; each runs at its own constant rate until
    # the first target, so that they all meet there.
    rate = ((targets[0] - Lambda0) / (targets[0] - begin))[..., None]

    def velocity(_, state):
        g = objective.Lambda_and_gradient(state[..., :-1])[1]
        inverse_square = 1 / np.vecdot(g, g)[..., None]
        return rate * np.concatenate([g * inverse_square, inverse_square - state[..., -1:]], axis=-1)

    solver = _solver(method, objective, theta0, lambda: rate)
    bar, recorder = Progress("log-loss flow", progress), Recorder(record)
    atol = np.append(np.full(theta0.shape[-1], float(atol)), ATOL_K)
    state = np.concatenate([theta0, np.zeros((*theta0.shape[:-1], 1))], axis=-1)
    clock = start(velocity, begin, state, targets[0] - begin, solver.order, rtol, atol)

    def write(state):
        theta = state[..., :-1]
        Lambda = objective.Lambda(theta)
        with np.errstate(divide="ignore"):  # t = 0 at the start
            recorder.add(theta, log_t=Lambda + np.log(state[..., -1]), Lambda=Lambda)

    if at is None:
        write(state)
    try:
        for target in targets:
            for _ in accepted_steps(solver, velocity, clock, target, rtol, atol, max_steps):
                bar.show((clock.x - begin) / (Lambda_end - begin), clock.steps)
                if at is None:
                    write(clock.y)
            if at is not None:
                write(clock.y)
            clock.slope, rate = clock.slope / rate, np.ones_like(rate)
    except StoppedEarlyError as error:
        error.trajectory = recorder.trajectory(steps=clock.steps, rejected=clock.rejected)
        raise
    bar.show(1.0, clock.steps, end=True)
    return recorder.trajectory(steps=clock.steps, rejected=clock.rejected)


def _solver(method, objective, theta0, rate):
    expect(method in ("dopri5", "rosenbrock"), "method", "'dopri5' or 'rosenbrock'", repr(method))
    if method == "dopri5":
        return DormandPrince()
    expect(objective.net.depth == 1, "method", "'dopri5' for a network with hidden layers",
           "'rosenbrock'", "The exact Jacobian is implemented for linear predictors only.")
    return Rosenbrock(_linear_jacobian(objective, theta0, rate))


def _linear_jacobian(objective, theta0, rate):
    """Jacobian of the flow of ``(theta, K)`` for a predictor linear in theta.

    With ``J_i = df(x_i)/dtheta`` constant and ``kappa_i = l''_i / sum_j l_j``, the Hessian of
    Lambda is ``A = g g^T - sum_i J_i^T kappa_i J_i``; the rest is the quotient rule.
    """
    p, C = theta0.shape[-1], objective.net.widths[-1]
    rows = objective.net.jacobian(np.zeros_like(theta0), objective.X)
    blocks = rows.reshape(*rows.shape[:-2], objective.n, C, p)

    def jacobian(_, state):
        theta = state[..., :-1]
        g = objective.Lambda_and_gradient(theta)[1]
        F = objective.net.forward(theta, objective.X).F
        bent = objective.loss.log_hessian(F, objective.targets) @ blocks
        A = g[..., :, None] * g[..., None, :] - rows.mT @ bent.reshape(rows.shape)
        square = np.vecdot(g, g)[..., None]
        Ag = (A @ g[..., None])[..., 0]
        M = np.zeros((*theta.shape[:-1], p + 1, p + 1))
        M[..., :-1, :-1] = (A - 2 * g[..., :, None] * (Ag / square)[..., None, :]) / square[..., None]
        M[..., -1, :-1] = -2 * Ag / square**2
        M[..., -1, -1] = -1
        return rate()[..., None] * M

    return jacobian
