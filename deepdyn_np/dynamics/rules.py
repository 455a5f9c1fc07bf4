"""Step rules: how one training step moves the parameters.

A rule is a start and a step, both pure functions of what they are given (and of the generator
they draw from). The loop that runs them is `deepdyn_np.run`. In every rule ``eta`` is a number,
an array over the ensemble's leading axes (a different step size for each member), or a function
of the step number ``t = 0, 1, 2, ...``.

The steps here also take ``spent``, arrays that the loop no longer needs, and write their results
there instead of to new memory. Without it they are None, for which numpy makes a new array.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deepdyn_np.errors import (
    expect,
    generator,
    numeric_array,
    positive,
    positive_number,
    whole_number,
)


NOTHING = None, None


def _stateless(theta):
    return None


@dataclass(frozen=True)
class Rule:
    """A training algorithm.

    Attributes
    ----------
    step : callable
        ``step(theta, state, t)`` returns the next ``(theta, state)``.
    start : callable
        ``start(theta)`` returns the state before the first step; ``None`` where there is none.
    reuses : bool
        Whether ``step`` takes a fourth argument ``spent``, a pair (theta, state) of an earlier step
        that it may overwrite with what it returns. The rules of this package do; one of your own
        need not.

    Notes
    -----
    Used from chapter 10_balance on, for rules of a chapter's own.
    """

    step: Callable
    start: Callable = _stateless
    reuses: bool = False


def gd(objective, eta):
    """Gradient descent: ``theta <- theta - eta grad L(theta)``.

    Parameters
    ----------
    objective : Objective
    eta : float, ndarray or callable
        Step size; see the module's text.

    Notes
    -----
    Used from chapter 02_gradient_flow_and_time on.
    """
    eta = _step_size(eta)

    def step(theta, state, t, spent=NOTHING):
        out, _ = spent
        change = np.multiply(eta(t), objective.gradient(theta, out=out), out=out)
        return np.subtract(theta, change, out=out), state

    return Rule(step, reuses=True)


def sgd(objective, eta, batch_size, rng, replacement=False, observe=None):
    """Mini-batch SGD: ``theta <- theta - eta grad L_B(theta)`` with the mean over a batch B.

    Parameters
    ----------
    objective : Objective
    eta : float, ndarray or callable
        Step size; see the module's text.
    batch_size : int
        Samples in a batch, from 1 to n.
    rng : numpy.random.Generator
        Draws the batches. All members of an ensemble see the same batches.
    replacement : bool
        ``False``: every epoch is a fresh permutation, cut into batches; a remainder smaller than
        a batch is left out of that epoch. ``True``: every batch is drawn anew from all samples.
    observe : callable, optional
        ``observe(t, batch, gradient)`` is called at every step, before it is taken, with the
        batch's sample numbers, shape (batch_size,), and the gradient, shape (..., p), decay
        included. Copy what is to be changed.

    Notes
    -----
    Used from chapter 02_gradient_flow_and_time on.
    """
    eta, n = _step_size(eta), objective.n
    whole_number("batch_size", batch_size, 1, n), generator("rng", rng)
    expect(observe is None or callable(observe), "observe", "a function of (t, batch, gradient)",
           type(observe).__name__, "Pass the function itself, without calling it.")
    per_epoch = n // batch_size

    def step(theta, order, t, spent=NOTHING):
        if replacement:
            batch = rng.integers(n, size=batch_size)
        else:
            place = t % per_epoch
            order = rng.permutation(n) if place == 0 else order
            batch = order[place * batch_size : (place + 1) * batch_size]
        out, _ = spent
        if observe is None:
            gradient = objective.gradient(theta, batch, out=out)
        else:  # who may keep it: it gets an array of its own
            gradient = objective.gradient(theta, batch)
            observe(t, batch, gradient)
        change = np.multiply(eta(t), gradient, out=out)
        return np.subtract(theta, change, out=out), order

    return Rule(step, reuses=True)


def heavy_ball(objective, eta, beta):
    """Polyak's momentum: ``theta_{t+1} = theta_t - eta grad L(theta_t) + beta (theta_t - theta_{t-1})``.

    Parameters
    ----------
    objective : Objective
    eta : float, ndarray or callable
        Step size; see the module's text. The effective step is ``eta / (1 - beta)``.
    beta : float
        Momentum, ``0 <= beta < 1``; the first step is a step of GD.

    Notes
    -----
    Used from chapter 02_gradient_flow_and_time on.
    """
    eta = _step_size(eta)
    expect(np.ndim(beta) == 0 and 0 <= beta < 1, "beta", "a number with 0 <= beta < 1", beta,
           "beta multiplies the last displacement.")

    def step(theta, velocity, t, spent=NOTHING):
        out, moved = spent
        push = np.multiply(eta(t), objective.gradient(theta, out=out), out=out)
        moved = np.subtract(np.multiply(beta, velocity, out=moved), push, out=moved)
        return np.add(theta, moved, out=out), moved

    return Rule(step, np.zeros_like, reuses=True)


def adam(objective, eta, beta1=0.9, beta2=0.999, eps=1e-8):
    """Adam: a step per parameter, ``theta <- theta - eta m / (sqrt(v) + eps)``.

    ``m`` and ``v`` are running means of the gradient and of its square, divided by
    ``1 - beta1^t`` and ``1 - beta2^t`` at step t = 1, 2, ... because they start at 0.

    Parameters
    ----------
    objective : Objective
    eta : float, ndarray or callable
        Step size; see the module's text. It is about as far as each parameter moves in a step.
    beta1, beta2 : float
        Memory of the two means, from 0 to below 1.
    eps : float
        Added to the root, above 0.

    Notes
    -----
    D. P. Kingma, J. Ba, *Adam: a method for stochastic optimization* (2015). Weight decay enters
    through the gradient. Used from chapter 10_balance on.
    """
    eta = _step_size(eta)
    for name, beta in (("beta1", beta1), ("beta2", beta2)):
        expect(np.ndim(beta) == 0 and 0 <= beta < 1, name, f"a number with 0 <= {name} < 1", beta)
    positive_number("eps", eps)

    def step(theta, means, t, spent=(None, NOTHING)):
        out, (m, v) = spent
        gradient = objective.gradient(theta, out=out)
        square = np.multiply(1 - beta2, np.square(gradient, out=m), out=m)
        v = np.add(np.multiply(beta2, means[1], out=v), square, out=v)
        share = np.multiply(1 - beta1, gradient, out=out)
        m = np.add(np.multiply(beta1, means[0], out=m), share, out=m)
        root = np.sqrt(np.divide(v, 1 - beta2 ** (t + 1), out=out), out=out)
        change = np.divide(m, np.add(root, eps, out=out), out=out)
        change = np.multiply(eta(t) / (1 - beta1 ** (t + 1)), change, out=out)
        return np.subtract(theta, change, out=out), (m, v)

    return Rule(step, lambda theta: (np.zeros_like(theta), np.zeros_like(theta)), reuses=True)


def normalized_gd(objective, eta):
    """GD with the step divided by the loss: ``theta <- theta + eta grad Lambda(theta)``.

    ``Lambda = -log L``, so the step is ``-eta grad L / L``: it does not fade as the loss does, and
    stays exact when the loss itself has underflowed.

    Parameters
    ----------
    objective : Objective
        With exponential, logistic or cross-entropy loss and no decay.
    eta : float, ndarray or callable
        Step size; see the module's text.

    Notes
    -----
    Derived in chapter 06_normalized_gd.
    """
    eta = _step_size(eta)

    def step(theta, state, t, spent=NOTHING):
        out, _ = spent
        _, slope = objective.Lambda_and_gradient(theta, out=out)
        return np.add(theta, np.multiply(eta(t), slope, out=out), out=out), state

    return Rule(step, reuses=True)


def _step_size(eta):
    """``eta`` as a function of the step number that broadcasts against theta."""
    if callable(eta):
        return eta
    positive("eta", eta)
    eta = numeric_array("eta", eta)[..., None] if np.ndim(eta) else float(eta)
    return lambda t: eta
