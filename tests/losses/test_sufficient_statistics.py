"""Few samples with the same moments: loss, gradient and Hessian of a linear network on both agree."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import close, few, seeds

import deepdyn_np as dd
from deepdyn_np.losses.sufficient_statistics import sample_count, same_moments


@given(seed=seeds, leading=st.sampled_from([(), (3,), (2, 2)]))
@few(30)
def test_means_and_second_moments_are_the_same(seed, leading):
    rng = np.random.default_rng(seed)
    d, C, n = rng.integers(1, 6), rng.integers(1, 4), rng.integers(12, 60)
    X = rng.normal(size=(*leading, n, d)) * rng.uniform(0.1, 10, size=d) + rng.normal(size=d)
    Y = rng.normal(size=(*leading, n, C)) + X[..., :1]
    few_X, few_Y = same_moments(X, Y)
    assert few_X.shape == (*leading, d + C + 1, d) and few_Y.shape == (*leading, d + C + 1, C)

    def moments(X, Y):
        M = np.concatenate([np.ones((*X.shape[:-1], 1)), X, Y], axis=-1)
        return M.mT @ M / M.shape[-2]

    np.testing.assert_allclose(moments(few_X, few_Y), moments(X, Y), rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("loss", [dd.losses.square, dd.losses.centered_square], ids=repr)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("size, own_data", [((), False), ((3,), False), ((2, 2), True)])
@given(seed=seeds)
@few(8)
def test_a_linear_network_does_not_see_the_difference(loss, bias, size, own_data, seed):
    rng = np.random.default_rng(seed)
    widths = rng.integers(2, 5, size=seed % 3 + 2).tolist()
    net, n = dd.MLP(widths, "linear" if len(widths) > 2 else "relu", bias), 40
    theta, v = net.init(rng, size=size) + 0.1 * rng.normal(size=(*size, net.size)), rng.normal(size=net.size)
    X = rng.normal(size=(*(size if own_data else ()), n, widths[0])) + 0.5
    y = rng.normal(size=(*(size if own_data else ()), n, widths[-1]))
    objective = dd.Objective(net, loss, X, y, lam=0.2)
    assert objective._all[0].shape[-2] == sample_count(X, y) < n == objective.n
    every = np.arange(n)  # a batch is always taken from the samples themselves
    for name, arguments in [("value", ()), ("gradient", ()), ("hvp", (np.broadcast_to(v, theta.shape),))]:
        got, plain = (getattr(objective, name)(theta, *arguments, batch=b) for b in (None, every))
        close(np.atleast_1d(got), np.atleast_1d(plain))


def test_only_where_it_is_exact_and_pays():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 2)), rng.choice([-1.0, 1.0], size=30)
    for net, loss in [(dd.MLP([2, 3, 1]), dd.losses.square), (dd.MLP([2, 1]), dd.losses.logistic)]:
        assert dd.Objective(net, loss, X, y)._all[0] is X
    assert dd.Objective(dd.MLP([2, 1]), dd.losses.square, X[:4], y[:4])._all[0].shape == (4, 2)
    assert dd.Objective(dd.MLP([2, 1]), dd.losses.square, X, y)._all[0].shape == (4, 2)


def test_the_cost_of_a_step_does_not_depend_on_the_samples():
    net = dd.MLP([3, 8, 2], "linear")
    theta = net.init(np.random.default_rng(1))
    rows = set()
    for n in (50, 5000):
        X = np.random.default_rng(0).normal(size=(n, 3))
        objective = dd.Objective(net, dd.losses.square, X, X[:, :2])
        objective.gradient(theta)
        rows |= {key[-1] for key in objective._workspaces.idle}
    assert rows == {6}
