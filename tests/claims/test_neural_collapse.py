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
    assert none.nc1 < decay.nc1 / 2  # the order that a bias would give is reversed
    assert none.nc3 > 10 * decay.nc3


def relu_on_orthonormal_inputs(counts, hidden, lam):
    y = np.repeat(np.arange(len(counts)), counts)
    net = dd.MLP([len(y), *hidden, len(counts)])
    return dd.Objective(net, dd.losses.square, np.eye(len(y)), np.eye(len(counts))[y], lam), y


def test_a_relu_network_of_two_layers_ends_in_the_orthogonal_frame():
    objective, y = relu_on_orthonormal_inputs([6] * 4, [32], 0.02)
    theta0 = objective.net.init(np.random.default_rng(0), np.sqrt(2), size=3)
    theta = dd.run(dd.heavy_ball(objective, 0.2, 0.9), theta0, 8000, at=[8000]).final
    features = objective.net.forward(theta, objective.X)
    outputs = class_means(features.F, y, 4)
    np.testing.assert_allclose(outputs.diagonal(axis1=1, axis2=2), 0.80404082, atol=1e-5)
    np.testing.assert_allclose(outputs * (1 - np.eye(4)), 0, atol=1e-3)
    W = objective.net.layers(theta)[-1]
    uncentred = neural_collapse(features.H[-2], W, features.F, y, center=False)
    assert uncentred.nc1.max() < 1e-12 and uncentred.nc3.max() < 1e-5


def test_three_layers_are_bistable_and_both_ends_occur():
    counts = np.array([12, 8, 3, 1])
    objective, y = relu_on_orthonormal_inputs(counts, [32, 32], 0.03)
    theta0 = objective.net.init(np.random.default_rng(0), np.sqrt(2), size=4)
    theta = dd.run(dd.heavy_ball(objective, 0.2, 0.9), theta0, 4000, at=[4000]).final
    outputs = class_means(objective.net(theta, objective.X), y, 4).diagonal(axis1=1, axis2=2)
    root = theory.deep_unconstrained_features(counts, 0.03, 3).root / np.sqrt(counts)
    np.testing.assert_allclose(root, [0.85528694, 0.80663389, 0.58647493, 0], atol=1e-8)
    np.testing.assert_allclose(outputs[:, [0, 1, 3]], np.broadcast_to(root[[0, 1, 3]], (4, 3)), atol=1e-5)
    lives = outputs[:, 2] > 0.3
    assert lives.any() and not lives.all()
    np.testing.assert_allclose(outputs[:, 2], np.where(lives, root[2], 0), atol=1e-5)
    value = objective.value(theta)
    assert value[lives].max() < value[~lives].min() - 0.005


@pytest.mark.parametrize("per_class, width", [(30, 64), (50, 128)])
def test_digits_collapse_to_nine_large_singular_values_and_a_small_one(per_class, width):
    """The wider network is the one that the chapter has no time for."""
    data = dd.data.digits()
    chosen = np.concatenate([np.flatnonzero(data.y == c)[:per_class] for c in range(10)])
    X, y = data.X[chosen] - data.X[chosen].mean(axis=0), data.y[chosen]
    net = dd.MLP([64, width, width, width, 10])
    objective = dd.Objective(net, dd.losses.centered_square, X, np.eye(10)[y], 0.001)
    theta0 = net.init(np.random.default_rng(0), np.sqrt(2))
    theta = dd.run(dd.heavy_ball(objective, 0.1, 0.9), theta0, 2000, at=[2000]).final
    features, W = net.forward(theta, X), net.layers(theta)[-1]
    found = neural_collapse(features.H[-2], W, features.F, y)
    assert found.angle < 0.08 and found.nc1 < 0.01 and found.nc3 < 0.15
    s = np.linalg.svd(W, compute_uv=False)
    assert s[8] > 0.9 and s[0] < 2 * s[8] and s[9] < 0.2  # nine of one size, one small


def test_without_decay_a_large_start_does_not_collapse():
    y = np.repeat(np.arange(4), 10)
    objective = dd.Objective(dd.MLP([40, 7, 4], "linear"), dd.losses.square, np.sqrt(40) * np.eye(40), np.eye(4)[y])
    net, found = objective.net, {}
    for size in (1.0, 0.1):
        theta0 = net.init(np.random.default_rng(0), [size, size * np.sqrt(7)], size=3)
        theta = dd.run(dd.gd(objective, 0.05), theta0, 2000, at=[2000]).final
        features = net.forward(theta, objective.X)
        assert objective.value(theta).max() < 1e-12
        found[size] = neural_collapse(features.H[-2], net.layers(theta)[-1], features.F, y, center=False)
    assert found[1.0].nc1.min() > 0.1 and found[1.0].nc3.min() > 0.1
    assert found[0.1].nc1.max() < 1e-3 and found[0.1].nc3.max() < 1e-2


@pytest.mark.parametrize("name, wrong", [
    ("the other half of the convention", lambda c, a: theory.unconstrained_features(c, 2 * a, 2 * a)),
    ("n forgotten", lambda c, a: theory.unconstrained_features(c, a / 11, a / 11)),
    ("bias assumed", lambda c, a: theory.unconstrained_features(c, a, a, bias=True)),
])
def test_wrong_constants_are_noticed(name, wrong):
    counts, lam = [5, 4, 2], 0.04
    right, other = theory.unconstrained_features(counts, lam, lam), wrong(counts, lam)
    assert np.abs(right.outputs - other.outputs).max() > 0.05, name
