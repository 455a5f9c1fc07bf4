"""Layer norms and imbalance: definitions, and the law that gradient flow conserves the balance."""

import numpy as np
import pytest
from hypothesis import assume, given
from oracles import few, random_net, random_problem, seeds

import deepdyn_np as dd
from deepdyn_np.measures import imbalance, layer_norms


@given(seed=seeds)
@few(20)
def test_layer_norms_are_frobenius_norms_without_the_biases(seed):
    net, theta = random_net(np.random.default_rng(seed), depth=int(seed % 4) + 1, bias=True, size=(2,))
    norms = layer_norms(net, theta)
    for member in range(2):
        expected = [np.sqrt(sum(w**2 for w in W[member].ravel())) for W in net.layers(theta)]
        np.testing.assert_allclose(norms[member], expected, rtol=1e-13)
    for b in net.biases(theta):
        b[...] = 100
    np.testing.assert_array_equal(layer_norms(net, theta), norms)


def test_imbalance_by_hand():
    net = dd.MLP([1, 2, 1])
    theta = net.join([[[1.0], [2.0]], [[3.0, 4.0]]])
    [D] = imbalance(net, theta)
    assert D.tolist() == [[9 - 1, 12 - 2], [12 - 2, 16 - 4]]
    with_bias = dd.MLP([1, 2, 1], bias=True)
    theta = with_bias.join([[[1.0], [2.0]], [[3.0, 4.0]]], [[5.0, 6.0], [7.0]])
    [D] = imbalance(with_bias, theta)
    assert D.tolist() == [[9 - 1 - 25, 12 - 2 - 30], [12 - 2 - 30, 16 - 4 - 36]]
    assert imbalance(dd.MLP([2, 1]), np.ones(2)) == []


@pytest.mark.parametrize("activation", ["linear", "relu", "leaky_relu", "tanh"])
@pytest.mark.parametrize("bias", [False, True])
@given(seed=seeds)
@few(5)
def test_what_gradient_flow_conserves(activation, bias, seed):
    """``dD_k/dt`` at one point: 0 for linear nets, 0 on the diagonal for (leaky) ReLU, not for tanh.

    Differentiating the quadratic D along ``-grad L`` exactly needs only two evaluations.
    """
    objective, theta = random_problem(np.random.default_rng(seed), "square", activation, 3, bias)
    g = objective.gradient(theta)
    net = objective.net
    moves = [(a - b) / 2 for a, b in zip(imbalance(net, theta + g), imbalance(net, theta - g))]
    size, speed = np.linalg.norm(theta), np.linalg.norm(g)
    assume(speed > 0)  # a ReLU network may be dead
    whole = max(np.abs(D).max() for D in moves)
    diagonal = max(np.abs(np.diagonal(D)).max() for D in moves)
    rounding = 4e-15 * (size + speed) ** 2
    if activation == "linear":
        assert whole <= rounding
    elif activation == "tanh":
        assert diagonal > 1e-6 * size * speed
    else:
        assert diagonal <= rounding


def test_imbalance_of_an_ensemble():
    net, theta = random_net(np.random.default_rng(0), depth=3, bias=True, size=(2, 3))
    for k, D in enumerate(imbalance(net, theta)):
        np.testing.assert_allclose(D[1, 2], imbalance(net, theta[1, 2])[k], rtol=1e-13)


@pytest.mark.parametrize("measure", [layer_norms, imbalance])
@pytest.mark.parametrize("theta, message", [
    (np.ones(8), "theta: .*another network"),
    (np.full(9, np.nan), "theta: expected finite"),
    ("text", "theta: "),
])
def test_bad_input_names_the_argument(measure, theta, message):
    with pytest.raises(ValueError, match=message):
        measure(dd.MLP([2, 3, 1]), theta)
