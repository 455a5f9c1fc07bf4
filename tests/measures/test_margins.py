"""Margins, the normalised margin, the distance of directions."""

import numpy as np
import pytest
from hypothesis import given
from oracles import HOMOGENEOUS, few, hard_margin, random_inputs, random_net, seeds

import deepdyn_np as dd
from deepdyn_np.measures import direction_error, margins, normalized_margin


@given(seed=seeds)
@few(20)
def test_binary_margins_are_y_times_f(seed):
    rng = np.random.default_rng(seed)
    F, y = rng.normal(size=(2, 5, 1)), rng.choice([-1, 1], size=5)
    expected = [[y[i] * F[k, i, 0] for i in range(5)] for k in range(2)]
    np.testing.assert_array_equal(margins(F, y), expected)


@given(seed=seeds)
@few(20)
def test_multi_class_margins_are_the_lead_over_the_runner_up(seed):
    rng = np.random.default_rng(seed)
    C = int(rng.integers(2, 6))
    F, y = rng.normal(size=(2, 5, C)), rng.integers(C, size=5)
    expected = [[F[k, i, y[i]] - max(np.delete(F[k, i], y[i])) for i in range(5)] for k in range(2)]
    np.testing.assert_allclose(margins(F, y), expected, rtol=1e-15)
    right = np.argmax(F, axis=-1) == y
    np.testing.assert_array_equal(margins(F, y) > 0, right)


@pytest.mark.parametrize("activation", HOMOGENEOUS)
@given(seed=seeds)
@few(10)
def test_the_normalised_margin_ignores_the_scale_of_every_layer(activation, seed):
    rng = np.random.default_rng(seed)
    net, theta = random_net(rng, activation, int(seed % 4) + 1, outputs=1, size=(3,))
    X, y = random_inputs(rng, (5, net.widths[0])), rng.choice([-1, 1], size=5)
    gamma = normalized_margin(net, theta, X, y)
    product = [np.prod([np.sqrt((W[k] ** 2).sum()) for W in net.layers(theta)]) for k in range(3)]
    np.testing.assert_allclose(gamma, (y * net(theta, X)[..., 0]).min(axis=-1) / product, rtol=1e-12)
    for W in net.layers(theta):
        W *= rng.uniform(0.1, 10)
    np.testing.assert_allclose(normalized_margin(net, theta, X, y), gamma, rtol=1e-11)


def test_of_a_linear_predictor_the_hard_margin_is_the_largest():
    Z, rng = dd.data.data_b(), np.random.default_rng(0)
    net, w_hat = dd.MLP([2, 1]), hard_margin(Z)[0]
    best = normalized_margin(net, w_hat, Z, np.ones(5))
    assert best == pytest.approx(7 / np.sqrt(13), rel=1e-12)
    others = normalized_margin(net, rng.normal(size=(1000, 2)), Z, np.ones(5))
    assert others.shape == (1000,) and others.max() < best and others.max() > 0.99 * best


@given(seed=seeds)
@few(20)
def test_direction_error_is_the_chord_of_the_angle(seed):
    rng = np.random.default_rng(seed)
    angle, size = rng.uniform(0, np.pi, size=4), rng.uniform(0.1, 10, size=(4, 1))
    w = size * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    np.testing.assert_allclose(direction_error(w, [3.0, 0.0]), 2 * np.sin(angle / 2), atol=1e-15)
    np.testing.assert_allclose(direction_error(w, 7 * w), 0, atol=1e-15)
    np.testing.assert_allclose(direction_error(w, -w), 2, rtol=1e-15)


net, theta, X, y = dd.MLP([2, 3, 1]), np.ones(9), np.ones((4, 2)), np.ones(4)


@pytest.mark.parametrize("call, message", [
    (lambda: margins(np.ones(4), y), "F: expected a non-empty array"),
    (lambda: margins(np.full((4, 1), np.nan), y), "F: expected finite"),
    (lambda: margins(np.ones((4, 1)), y[1:]), "y: .*4 rows of F"),
    (lambda: margins(np.ones((4, 1)), 0 * y), r"y: expected labels -1 and \+1, got the value 0"),
    (lambda: margins(np.ones((4, 1)), np.nan * y), "y: expected finite"),
    (lambda: margins(np.ones((4, 3)), -y), "y: .*from 0 to 2.*single output"),
    (lambda: margins(np.ones((4, 3)), 3 * y), "y: .*from 0 to 2"),
    (lambda: normalized_margin(dd.MLP([2, 3, 1], "tanh"), theta, X, y), "net: .*homogeneous"),
    (lambda: normalized_margin(dd.MLP([2, 1], bias=True), np.ones(3), X, y), "net: .*homogeneous"),
    (lambda: normalized_margin(net, 0 * theta, X, y), "theta: .*not zero"),
    (lambda: normalized_margin(net, theta[1:], X, y), "theta: .*another network"),
    (lambda: normalized_margin(net, theta * np.inf, X, y), "theta: expected finite"),
    (lambda: normalized_margin(net, theta, X.T, y), "X: .*transposed"),
    (lambda: direction_error([0, 0], [1, 0]), "w: expected a vector with a direction"),
    (lambda: direction_error([1, 0], [0, 0]), "reference: expected a vector with a direction"),
    (lambda: direction_error([1, np.nan], [1, 0]), "w: expected finite"),
    (lambda: direction_error([1, 0], [1, 0, 0]), "reference: expected 2 entries"),
    (lambda: direction_error(1.0, [1, 0]), "w: expected a vector"),
])
def test_bad_input_names_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
