"""Buffers: the gradient in them is the plain one, they are never shared, and steps make no new arrays."""

import pickle
import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from oracles import ACTIVATIONS, LOSSES, close, few, random_problem, seeds

import deepdyn_np as dd
from deepdyn_np.networks import workspace

ALL_LOSSES = {**LOSSES, "centered_square": dd.losses.centered_square}
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
every_loss = pytest.mark.parametrize("loss", ALL_LOSSES)
ensembles = pytest.mark.parametrize("size, own_data", [((), False), ((5,), False), ((2, 3), True)])


def plain_gradient(objective, theta, batch=slice(None)):
    """Nothing but the text: forward, the loss, backward, with a new array for each result."""
    X, Y = objective.X[..., batch, :], objective.targets[..., batch, :]
    features = objective.net.forward(theta, X)
    dF = objective.loss.gradient(features.F, Y) / X.shape[-2]
    gradient = objective.net.backward(theta, features, dF)
    return gradient + objective.lam * theta if objective.lam else gradient


def plain_hvp(objective, theta, v, batch=slice(None)):
    X, Y = objective.X[..., batch, :], objective.targets[..., batch, :]
    features, loss, n = objective.net.forward(theta, X), objective.loss, X.shape[-2]
    product = objective.net.hvp(theta, features, v, loss.gradient(features.F, Y) / n,
                                lambda change: loss.hessian_product(features.F, Y, change) / n)
    return product + objective.lam * v if objective.lam else product


def problem(seed, loss, activation, size=(), own_data=False, lam=0.3):
    """Depth 1 to 4 in turn, with and without biases; the number of outputs that the loss takes."""
    rng = np.random.default_rng(seed)
    name = "square" if loss == "centered_square" else loss
    objective, theta = random_problem(rng, name, activation, seed % 4 + 1, bool(seed % 3 == 0), size, lam, own_data)
    if loss == "centered_square":
        objective = dd.Objective(objective.net, dd.losses.centered_square, objective.X, objective.y, lam)
    return objective, theta


@every_loss
@every_activation
@ensembles
@given(seed=seeds)
@few(8)
def test_the_gradient_in_buffers_is_the_plain_one(loss, activation, size, own_data, seed):
    objective, theta = problem(seed, loss, activation, size, own_data)
    rng, out = np.random.default_rng(seed), np.full_like(theta, np.nan)
    batch = rng.integers(objective.n, size=3)
    for shift in (0, 0.1):  # the second time in used buffers
        close(objective.gradient(theta + shift), plain_gradient(objective, theta + shift))
        assert objective.gradient(theta + shift, out=out) is out
        close(out, plain_gradient(objective, theta + shift))
        objective.gradient(theta + shift, batch, out=out)
        close(out, plain_gradient(objective, theta + shift, batch))
        close(objective.gradient(theta + shift, batch), out)


@every_loss
@every_activation
@ensembles
@given(seed=seeds)
@few(8)
def test_the_hessian_vector_product_in_buffers_is_the_plain_one(loss, activation, size, own_data, seed):
    objective, theta = problem(seed, loss, activation, size, own_data)
    rng = np.random.default_rng(seed)
    batch = rng.integers(objective.n, size=3)
    for _ in range(2):  # the second time in used buffers
        v = rng.normal(size=theta.shape)
        close(objective.hvp(theta, v), plain_hvp(objective, theta, v))
        close(objective.hvp(theta, v, batch), plain_hvp(objective, theta, v, batch))
        objective.gradient(theta)


@pytest.mark.parametrize("size, members", [((7,), 3), ((7,), 1), ((2, 4), 5), ((4,), 2)])
@pytest.mark.parametrize("own_data", [False, True])
@pytest.mark.parametrize("loss", ["logistic", "cross_entropy"])
def test_an_ensemble_goes_through_in_parts(loss, own_data, size, members, monkeypatch):
    objective, theta = problem(5, loss, "relu", size, own_data, lam=0.0)
    one = workspace.Workspace.BUFFERS * objective.n * sum(objective.net.widths[1:]) * 8
    monkeypatch.setattr(workspace, "CACHE", members * one)
    value, gradient = objective.value_and_gradient(theta)
    close(gradient, plain_gradient(objective, theta))
    np.testing.assert_allclose(value, objective.value(theta), rtol=1e-13)
    Lambda, slope = objective.Lambda_and_gradient(theta)
    np.testing.assert_allclose(Lambda, -np.log(value), rtol=1e-12)
    close(slope, -gradient / value[..., None])
    parts = {w.part for idle in objective._workspaces.idle.values() for w in idle}
    assert max(parts) < theta[..., 0].size
    v = np.random.default_rng(0).normal(size=theta.shape)
    close(objective.hvp(theta, v), plain_hvp(objective, theta, v))
    close(objective.hvp(theta, v[..., ::-1]), plain_hvp(objective, theta, v[..., ::-1]))


@given(seed=seeds)
@few(20)
def test_two_layers_with_one_output_take_the_short_way(seed):
    """Widths on both sides of the condition, with and without biases, single and in an ensemble."""
    rng = np.random.default_rng(seed)
    d, h, size = *rng.integers(1, 6, size=2), ((), (3,))[seed % 2]
    net = dd.MLP([int(d), int(h), 1], ACTIVATIONS[seed % 4], bias=bool(seed % 3))
    theta, X = net.init(rng, size=size), rng.normal(size=(7, d))
    theta += 0.1 * rng.normal(size=theta.shape)
    objective = dd.Objective(net, dd.losses.logistic, X, rng.choice([-1.0, 1.0], size=7))
    close(objective.gradient(theta), plain_gradient(objective, theta))
    [work] = [w for idle in objective._workspaces.idle.values() for w in idle]
    assert work.rank_one == (d <= h)


@pytest.mark.parametrize("dtypes", [("f4", "f4", "f4"), ("f4", "f8", "f8"), ("f8", "f4", "f4"), ("f4", "f4", "f8"),
                                    ("c16", "f8", "f8")])
def test_precision_is_that_of_the_plain_gradient(dtypes):
    objective, theta = problem(2, "square", "tanh", lam=0.0)
    X, y = objective.X.astype(dtypes[1]), objective.y.astype(dtypes[2])
    objective = dd.Objective(objective.net, objective.loss, X, y)
    theta = theta.astype(dtypes[0])
    expected = plain_gradient(objective, theta)
    got = objective.gradient(theta)
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=1e-4 if got.dtype == "f4" else 1e-12, atol=1e-6)


def test_a_result_is_not_overwritten_by_the_next():
    objective, theta = problem(3, "logistic", "relu")
    first = objective.gradient(theta)
    kept = first.copy()
    objective.gradient(theta + 1)
    np.testing.assert_array_equal(first, kept)


def test_threads_share_an_objective_but_no_buffer():
    net, rng = dd.MLP([30, 60, 60, 3]), np.random.default_rng(0)
    objective = dd.Objective(net, dd.losses.cross_entropy, rng.normal(size=(200, 30)), rng.integers(3, size=200))
    thetas = net.init(rng, size=4)
    expected, bent, wrong = objective.gradient(thetas), objective.hvp(thetas, thetas), []

    def work(k):
        for _ in range(60):
            for got, right in ((objective.gradient(thetas[k]), expected[k]),
                               (objective.hvp(thetas[k], thetas[k]), bent[k])):
                if not np.allclose(got, right, rtol=1e-10, atol=1e-14):
                    wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert not wrong


def test_a_copy_carries_no_buffers():
    net = dd.MLP([5, 300, 1])
    objective = dd.Objective(net, dd.losses.logistic, np.ones((50, 5)), np.ones(50))
    theta = net.init(np.random.default_rng(0))
    before = len(pickle.dumps(objective))
    gradient = objective.gradient(theta)
    stored = pickle.dumps(objective)
    assert len(stored) < before + 2000
    np.testing.assert_array_equal(pickle.loads(stored).gradient(theta), gradient)


# --- what a step allocates ------------------------------------------------------------------------

LARGE = {
    "digits": ((64, 128, 128, 10), 1000, None, ()),
    "batches": ((784, 256, 256, 10), 1000, 128, ()),
    "ensemble": ((2, 50, 1), 100, None, (64,)),
}
RULES = {"gd": dd.gd, "heavy_ball": lambda objective, eta: dd.heavy_ball(objective, eta, 0.9),
         "adam": dd.adam, "normalized_gd": dd.normalized_gd}


def large_problem(name, lam=0.0):
    widths, n, _, members = LARGE[name]
    rng, net, C = np.random.default_rng(0), dd.MLP(widths), widths[-1]
    y = rng.choice([-1.0, 1.0], size=n) if C == 1 else rng.integers(C, size=n)
    loss = dd.losses.logistic if C == 1 else dd.losses.cross_entropy
    return dd.Objective(net, loss, rng.normal(size=(n, widths[0])), y, lam), net.init(rng, size=members)


@pytest.mark.parametrize("rule, lam, name", [
    *[(rule, lam, name) for name in LARGE for rule, lam in
      (("gd", 0), ("gd", 0.01), ("heavy_ball", 0.01), ("adam", 0.01))],
    ("normalized_gd", 0, "ensemble"),
])
def test_a_step_allocates_less_than_100_kB(rule, lam, name):
    objective, theta0 = large_problem(name, lam)
    batch = LARGE[name][2]
    peaks, base = [], 0

    def eta(t):  # is asked for once a step
        nonlocal base
        peaks.append(tracemalloc.get_traced_memory()[1] - base)
        tracemalloc.reset_peak()
        base = tracemalloc.get_traced_memory()[0]
        return 0.01

    stochastic = batch is not None and rule == "gd"
    rule = dd.sgd(objective, eta, batch, np.random.default_rng(1)) if stochastic else RULES[rule](objective, eta)
    tracemalloc.start()
    try:
        dd.run(rule, theta0, 8, at=[0])
    finally:
        tracemalloc.stop()
    assert max(peaks[4:]) < 100_000 < max(peaks), peaks  # the first steps make the buffers


@pytest.mark.parametrize("name", ["digits", "ensemble"])
def test_a_hessian_vector_product_allocates_little_beside_its_result(name):
    objective, theta = large_problem(name)
    tracemalloc.start()
    try:
        objective.hvp(theta, theta)
        first, before = tracemalloc.get_traced_memory()[1], tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        objective.hvp(theta, theta)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    outputs = 8 * objective.n * objective.net.widths[-1]  # the loss makes a few arrays of the outputs' size
    assert peak < theta.nbytes + 6 * outputs + 100_000 < first


def test_the_layers_of_an_array_are_remembered_and_stay_views():
    objective, theta = problem(2, "logistic", "relu")
    out = np.empty_like(theta)
    for k in range(8):  # more arrays than are remembered, and an old one changed in place
        objective.gradient(theta + k, out=np.empty_like(theta))
        objective.gradient(theta, out=out)
        close(out, plain_gradient(objective, theta))
        theta += 0.1
