"""What the tests measure against: finite differences, the complex step, random problems, scipy.

Nothing here uses a derivative or a solver of the package.
"""

import numpy as np
import scipy.optimize
from hypothesis import assume, settings
from hypothesis import strategies as st

import deepdyn_np as dd

ACTIVATIONS = ("linear", "relu", "leaky_relu", "tanh")
HOMOGENEOUS = ("linear", "relu", "leaky_relu")
LOSSES = {"exponential": dd.losses.exponential, "logistic": dd.losses.logistic,
          "cross_entropy": dd.losses.cross_entropy, "square": dd.losses.square}
WITH_TAIL = ("exponential", "logistic", "cross_entropy")

seeds = st.integers(0, 2**32 - 1)


def few(examples):
    """Hypothesis settings for tests that are repeated over many parameters."""
    return settings(max_examples=examples, deadline=None)


# --- derivatives ------------------------------------------------------------------------------


def central_difference(f, x, u, h=3e-4):
    """``d/ds f(x + s u)`` at 0, to fourth order in h."""
    return (8 * (f(x + h * u) - f(x - h * u)) - (f(x + 2 * h * u) - f(x - 2 * h * u))) / (12 * h)


def second_difference(f, x, u, h=4e-3):
    """``d^2/ds^2 f(x + s u)`` at 0, to fourth order in h."""
    near, far = f(x + h * u) + f(x - h * u), f(x + 2 * h * u) + f(x - 2 * h * u)
    return (16 * near - far - 30 * f(x)) / (12 * h**2)


def complex_step(f, x, u, h=1e-30):
    """``d/ds f(x + s u)`` at 0 for an analytic f: no difference is taken, so nothing cancels."""
    return f(x + 1j * h * u).imag / h


def unit(rng, shape):
    """Random directions of length 1 along the last axis."""
    u = rng.normal(size=shape)
    return u / np.linalg.norm(u, axis=-1, keepdims=True)


def away_from_kinks(net, theta, X, u, h):
    """Drop the example unless the line ``theta + s u``, ``|s| <= 2 h``, stays on one side of each."""
    if net.activation in ("relu", "leaky_relu") and net.depth > 1:
        sides = [[Z > 0 for Z in net.forward(theta + s * h * u, X).Z[:-1]] for s in range(-2, 3)]
        assume(all(np.array_equal(a, b) for side in sides[1:] for a, b in zip(sides[0], side)))


# --- random problems --------------------------------------------------------------------------


def random_widths(rng, depth, outputs=None):
    widths = rng.integers(2, 7, size=depth + 1).tolist()
    return [*widths[:-1], outputs or widths[-1]]


def random_net(rng, activation="tanh", depth=2, bias=False, outputs=None, size=()):
    """A network of random widths and its parameters, biases included."""
    net = dd.MLP(random_widths(rng, depth, outputs), activation, bias)
    theta = net.init(rng, scale=rng.uniform(0.8, 1.6), size=size)
    for b in net.biases(theta):
        b[...] = 0.5 * rng.normal(size=b.shape)
    return net, theta


def random_inputs(rng, shape):
    """Inputs whose rows and columns differ in size, so that a transposed product shows."""
    return rng.normal(size=shape) * rng.uniform(0.3, 2, size=shape) + rng.normal(size=shape[-1])


def random_targets(rng, loss, shape, C):
    if loss == "square":
        return rng.normal(size=(*shape, C))
    if loss == "cross_entropy":
        return rng.integers(C, size=shape)
    return rng.choice([-1.0, 1.0], size=shape)


def random_problem(rng, loss="square", activation="tanh", depth=2, bias=False, size=(), lam=0.0,
                   own_data=False):
    """An objective of random shape and a point; with ``own_data`` each member has its own X, y."""
    outputs = {"square": None, "cross_entropy": int(rng.integers(2, 5))}.get(loss, 1)
    net, theta = random_net(rng, activation, depth, bias, outputs, size)
    n, leading = int(rng.integers(1, 8)), size if own_data else ()
    n += outputs if loss == "cross_entropy" else 0  # n = C labels of n members could be one-hot rows
    X = random_inputs(rng, (*leading, n, net.widths[0]))
    y = random_targets(rng, loss, (*leading, n), net.widths[-1])
    return dd.Objective(net, LOSSES[loss], X, y, lam=lam), theta


# --- the hard margin, by scipy ----------------------------------------------------------------


def hard_margin(Z):
    """``(w_hat, alpha)``: the shortest w with ``Z w >= 1`` and its duals, by scipy's nnls."""
    scale = np.sqrt(np.mean(np.sum(Z**2, axis=1)))
    E = np.vstack([Z.T / scale, np.ones(len(Z))])
    u = scipy.optimize.nnls(E, np.eye(len(E))[-1])[0]
    S, alpha = u > 0, np.zeros(len(Z))
    K = Z[S] @ Z[S].T
    alpha[S] = np.linalg.solve(K, np.ones(len(K)))
    alpha[S] += np.linalg.solve(K, 1 - K @ alpha[S])
    assert alpha.min() >= 0 and (Z @ (Z.T @ alpha)).min() > 1 - 1e-9
    return Z.T @ alpha, alpha


def close(got, expected):
    """Equal to 1e-12 of the length of each row."""
    scale = np.linalg.norm(expected, axis=-1, keepdims=True) + 1e-3
    assert got.shape == expected.shape and got.dtype == expected.dtype
    assert np.all(np.abs(got - expected) <= 1e-12 * scale)
