"""Theory and experiment against each other: the claims of chapter 19 that the chapter does not print."""

import numpy as np
import pytest

import deepdyn_np as dd
from deepdyn_np.measures import class_means, neural_collapse, within_class_variability
from deepdyn_np.theory import neural_collapse as theory


def mixture(seed):
    rng = np.random.default_rng(seed)
    means, y = 2 * rng.standard_normal((4, 20)), np.repeat(np.arange(4), 50)
    return (means[y] + rng.standard_normal((200, 20))) / np.sqrt(20), y


@pytest.mark.parametrize("counts, widths, lam", [
    ([3, 7, 2], [9], 0.05), ([5, 5], [3], 0.03), ([4, 1, 6, 2, 3], [6], 0.04)])
def test_linear_networks_on_rotated_orthogonal_inputs_reach_the_predicted_minimum(counts, widths, lam):
    """Any orthogonal inputs will do; their norm s turns lam into lam_H = lam / s^2."""
    n, C, s = sum(counts), len(counts), 1.7
    rng, y = np.random.default_rng(0), np.repeat(np.arange(C), counts)
    X = dd.data.orthogonal_rows(np.full(n, s), rng)
    objective = dd.Objective(dd.MLP([n, *widths, C], "linear"), dd.losses.square, X, np.eye(C)[y], lam)
    theta = dd.run(dd.heavy_ball(objective, 1.0, 0.9), objective.net.init(rng, size=3), 4000, at=[4000]).final
    best = theory.unconstrained_features(counts, lam, lam / s**2)
    np.testing.assert_allclose(class_means(objective.net(theta, X), y, C),
                               np.broadcast_to(best.outputs.T, (3, C, C)), atol=1e-9)
    np.testing.assert_allclose(objective.value(theta), best.value, rtol=1e-9)


def test_no_relu_network_on_orthonormal_inputs_goes_below_the_minimum():
    counts, rng = [5, 4, 2], np.random.default_rng(0)
    y = np.repeat(np.arange(3), counts)
    relu = dd.Objective(dd.MLP([11, 8, 3]), dd.losses.square, np.eye(11), np.eye(3)[y], 0.04)
    path = dd.run(dd.heavy_ball(relu, 0.2, 0.9), relu.net.init(rng, np.sqrt(2), size=20), 3000)
    lowest = theory.unconstrained_features(counts, 0.04, 0.04).value
    values = relu.value(path.theta)
    assert values.min() >= lowest * (1 - 1e-12)
    assert values[-1].min() < lowest * (1 + 1e-3)


def test_gradient_descent_on_a_bias_has_the_minimum_of_the_centred_loss():
    """The bias as a parameter without decay, by alternating exact minimisation: an independent route."""
    counts, lam = np.array([6, 3, 2]), 0.03
    rng, y = np.random.default_rng(1), np.repeat(np.arange(3), counts)
    Y, n = np.eye(3)[y].T, counts.sum()
    W, b = rng.normal(size=(3, 5)), np.zeros(3)
    for _ in range(3000):
        H = np.linalg.solve(W.T @ W + n * lam * np.eye(5), W.T @ (Y - b[:, None]))
        b = (Y - W @ H).mean(axis=1)
        W = np.linalg.solve(H @ H.T + n * lam * np.eye(5), H @ (Y - b[:, None]).T).T
    best = theory.unconstrained_features(counts, lam, lam, bias=True)
    np.testing.assert_allclose(W @ H + b[:, None], best.outputs[:, y], atol=1e-8)
    np.testing.assert_allclose(b, best.b, atol=1e-8)


@pytest.mark.parametrize("loss, center", [(dd.losses.centered_square, True), (dd.losses.square, False)])
def test_the_measures_on_a_mixture_are_stationary_after_2000_steps(loss, center):
    X, y = mixture(2)
    objective = dd.Objective(dd.MLP([20, 64, 64, 64, 4]), loss, X, np.eye(4)[y], 0.002)
    theta0 = objective.net.init(np.random.default_rng(2), np.sqrt(2))
    path = dd.run(dd.heavy_ball(objective, 0.1, 0.9), theta0, 6000, at=[2000, 6000])
    found = []
    for theta in path.theta:
        features = objective.net.forward(theta, X)
        W = objective.net.layers(theta)[-1]
        found.append(neural_collapse(features.H[-2], W, features.F, y, center=center))
        by_layer = [float(within_class_variability(H, y, 4)) for H in features.H[:-1]]
        assert by_layer == sorted(by_layer, reverse=True)
    early, late = found
    assert late.nc1 == pytest.approx(early.nc1, rel=0.05) and late.nc1 < 0.01
    assert late.nc3 < 0.05 and late.nc4 == early.nc4 == 0


def test_without_decay_the_last_layer_can_have_the_smaller_nc1_but_not_the_smaller_nc3():
    X, y = mixture(0)
    net, found = dd.MLP([20, 64, 64, 64, 4]), []
    for lam in (0.002, 0.0):
        objective = dd.Objective(net, dd.losses.square, X, np.eye(4)[y], lam)
        rule = dd.heavy_ball(objective, 0.1, 0.9)
        theta = dd.run(rule, net.init(np.random.default_rng(0), np.sqrt(2)), 2000, at=[2000]).final
        features = net.forward(theta, X)
        found.append(neural_collapse(features.H[-2], net.layers(theta)[-1], features.F, y, center=False))
    decay, none = found
    assert none.nc1 < decay.nc1 / 2
    assert none.nc3 > 10 * decay.nc3


@pytest.mark.parametrize("name, wrong", [
    ("the other half of the convention", lambda c, a: theory.unconstrained_features(c, 2 * a, 2 * a)),
    ("n forgotten", lambda c, a: theory.unconstrained_features(c, a / 11, a / 11)),
    ("bias assumed", lambda c, a: theory.unconstrained_features(c, a, a, bias=True)),
])
def test_wrong_constants_are_noticed(name, wrong):
    counts, lam = [5, 4, 2], 0.04
    right, other = theory.unconstrained_features(counts, lam, lam), wrong(counts, lam)
    assert np.abs(right.outputs - other.outputs).max() > 0.05, name
