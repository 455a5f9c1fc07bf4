"""Theory and experiment against each other: the checks of chapter 2 that the chapter does not print."""

import sys

import numpy as np
import pytest

import deepdyn_np as dd
from deepdyn_np.theory.gradient_flow_and_time import (
    clock_correction,
    heavy_ball_factors,
    quadratic_gd,
    quadratic_heavy_ball,
    quadratic_step_error,
    sgd_stationary_covariance,
    stability_limit,
)
from deepdyn_np.theory.max_margin import orthogonal_margins
from deepdyn_np.theory.svm import hard_margin_svm

NORMS = np.array([1, 1.7, 0.6, 1.2])


def problem(Z):
    return dd.Objective(dd.MLP([Z.shape[1], 1]), dd.losses.exponential, Z, np.ones(len(Z)))


def least_squares(seed, n=30, d=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    y = X @ rng.normal(size=d) + rng.normal(size=n)
    objective = dd.Objective(dd.MLP([d, 1]), dd.losses.square, X, y)
    return objective, X.T @ X / n, np.linalg.lstsq(X, y)[0], rng.normal(size=d)


def test_orthogonal_margins_at_a_time_of_ten_to_the_ten_thousand():
    rng = np.random.default_rng(1)
    Z, w0 = dd.data.orthogonal_rows(NORMS, rng), rng.normal(size=4)
    flow = dd.log_loss_flow(problem(Z), w0, 23026, rtol=1e-11, at=[23026])
    predicted = orthogonal_margins(Z @ w0, NORMS, flow.log_t)
    np.testing.assert_allclose(flow.theta @ Z.T, predicted, rtol=0, atol=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_the_rules_are_their_closed_forms(seed):
    objective, A, w_star, w0 = least_squares(seed)
    k = np.array([1, 2, 17, 60])
    gd = dd.run(dd.gd(objective, 0.2), w0, 60, at=k).theta
    np.testing.assert_allclose(gd, quadratic_gd(A, w_star, w0, 0.2, k), atol=1e-12)
    for beta in (0.3, 0.8):
        heavy = dd.run(dd.heavy_ball(objective, 0.1, beta), w0, 60, at=k).theta
        np.testing.assert_allclose(heavy, quadratic_heavy_ball(A, w_star, w0, 0.1, beta, k), atol=1e-10)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.8])
def test_the_step_error_is_that_of_the_rule(seed, beta):
    objective, A, w_star, w0 = least_squares(seed)
    flow = dd.gradient_flow(objective, w0, 2.0, rtol=1e-12, atol=1e-13, at=[2.0]).final
    limit = []
    for k in (2000, 4000):
        rule = dd.heavy_ball(objective, 2 / k * (1 - beta), beta)
        limit.append((dd.run(rule, w0, k, at=[k]).final - flow) * k / 2)
    predicted = quadratic_step_error(A, w_star, w0, 2.0, beta)
    np.testing.assert_allclose(2 * limit[1] - limit[0], predicted, atol=2e-4 * (1 + np.abs(w0).max()))


def test_drift_of_the_balance_for_three_momenta():
    """The ratio to gradient descent at the same time per step is (1 + beta) / (1 - beta), to order h."""
    r = np.random.default_rng(0)
    X, y = r.standard_normal((20, 8)), np.sign(r.standard_normal(20))
    widths = (8, 6, 5, 4, 1)
    net = dd.MLP(widths, "linear")
    theta0 = net.join([r.standard_normal((b, a)) / np.sqrt(a) for a, b in zip(widths, widths[1:])])
    objective = dd.Objective(net, dd.losses.logistic, X, y)

    def drift(beta, h):
        out = dd.run(dd.heavy_ball(objective, h * (1 - beta), beta), theta0, round(4 / h), at=[round(4 / h)])
        pairs = zip(dd.measures.imbalance(net, out.final), dd.measures.imbalance(net, theta0))
        return np.sqrt(sum(np.sum((a - b) ** 2) for a, b in pairs))

    for beta in (0.3, 0.5, 0.9):
        off = [drift(beta, h) / drift(0.0, h) / heavy_ball_factors(beta)[0] - 1 for h in (0.005, 0.0025)]
        assert abs(off[1]) < 0.01 and off[1] / off[0] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("seed", [0, 1])
def test_stationary_covariance_with_correlated_inputs(seed):
    rng = np.random.default_rng(seed)
    n, replicas = 1000, 300
    X = rng.normal(size=(n, 2)) @ rng.uniform(0.3, 1, (2, 2))
    X += [[0.5, -0.3]]
    y = X @ [1, 2] + rng.standard_t(8, size=n)
    order = rng.permuted(np.tile(np.arange(n), (replicas, 1)), axis=1)
    objective = dd.Objective(dd.MLP([2, 1]), dd.losses.square, X[order], y[order])
    w = np.linalg.lstsq(X, y)[0]
    rule = dd.sgd(objective, 0.2, 4, rng, replacement=True)
    delta = dd.run(rule, np.tile(w, (replicas, 1)), 8000, at=range(1000, 8001, 10)).theta - w
    V = np.einsum("trj,trk->jk", delta, delta) / (delta.shape[0] * replicas)
    predicted = sgd_stationary_covariance(X, y, 0.2, 4)
    root = np.linalg.cholesky(predicted)
    whitened = np.linalg.solve(root, np.linalg.solve(root, V).T)
    np.testing.assert_allclose(whitened, np.eye(2), atol=0.06)


@pytest.mark.parametrize("n, d, seed", [(40, 10, 1), (30, 60, 3)])
def test_explicit_steps_stay_at_the_stability_limit(n, d, seed):
    Z = dd.data.gaussian_separable(n, d, np.random.default_rng(seed), shift=0.5)
    fastest = np.linalg.norm(np.sqrt(hard_margin_svm(Z).alpha)[:, None] * Z, 2) ** 2
    flow = dd.log_loss_flow(problem(Z), np.zeros(d), 2000, rtol=1e-6)
    late = np.diff(flow.Lambda)[flow.Lambda[1:] > 1000]
    limit = stability_limit([1, 1, 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 600]) / fastest
    assert late.mean() == pytest.approx(limit, rel=0.03)


@pytest.mark.parametrize("pair", [(0, 1), (3, 8)])
def test_the_residual_equation_on_digits_at_ten_to_the_four_million(pair):
    X, y = dd.data.digits().pair(*pair)
    Z = y[:, None] * X
    exact = hard_margin_svm(Z)
    far = dd.log_loss_flow(problem(Z), np.zeros(64), 1e7, "rosenbrock", rtol=1e-7, at=[1e7])
    residual = far.final - far.log_t[0] * exact.w
    weights = (np.exp(-Z @ residual) / len(Z))[exact.support]
    np.testing.assert_allclose(weights, exact.alpha[exact.support], rtol=1e-4)


@pytest.mark.parametrize("atol_K, kept", [(1e-14, True), (1e-8, False)])
def test_the_clock_of_a_deep_network_needs_a_relative_tolerance(atol_K, kept, monkeypatch):
    """K falls like a power of Lambda: an absolute tolerance of 1e-8 ruins log t."""
    monkeypatch.setattr(sys.modules["deepdyn_np.dynamics.log_loss_flow"], "ATOL_K", atol_K)
    net, Z = dd.MLP([2, 3, 3, 3, 1], "linear"), dd.data.data_b()
    objective = dd.Objective(net, dd.losses.exponential, Z, np.ones(len(Z)))
    start = 0.5 * np.random.default_rng(4).normal(size=net.size)
    flow = dd.log_loss_flow(objective, start, 2000, at=[2000])
    g = objective.Lambda_and_gradient(flow.final)[1]
    lag = (np.exp(flow.log_t - flow.Lambda) * (g @ g) - 1) * flow.Lambda
    error = abs(lag[0] - clock_correction(4))
    assert error < 5e-3 if kept else error > 1
