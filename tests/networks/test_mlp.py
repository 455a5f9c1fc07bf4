"""The hand-derived passes of the MLP against differences, the complex step and exact identities."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from oracles import (
    ACTIVATIONS,
    HOMOGENEOUS,
    away_from_kinks,
    central_difference,
    complex_step,
    few,
    random_inputs,
    random_net,
    seeds,
    unit,
)

import deepdyn_np as dd
from deepdyn_np.networks.activations import ACTIVATIONS as RECORDS

every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
every_depth = pytest.mark.parametrize("depth", range(1, 6))
with_and_without_bias = pytest.mark.parametrize("bias", [False, True])


def example(seed, activation, depth, bias, size=()):
    rng = np.random.default_rng(seed)
    net, theta = random_net(rng, activation, depth, bias, size=size)
    X = random_inputs(rng, (int(rng.integers(1, 7)), net.widths[0]))
    return rng, net, theta, X


def plain_forward(net, theta, x):
    """One sample through one network, a neuron at a time."""
    s = {"linear": lambda z: z, "relu": lambda z: max(z, 0.0),
         "leaky_relu": lambda z: z if z > 0 else 0.01 * z, "tanh": np.tanh}[net.activation]
    position, h = 0, list(x)
    for k in range(1, net.depth + 1):
        d_in, d_out = net.widths[k - 1], net.widths[k]
        weights = theta[position : position + d_in * d_out]
        position += d_in * d_out
        z = [sum(weights[i * d_in + j] * h[j] for j in range(d_in)) for i in range(d_out)]
        if net.bias:
            z = [z[i] + theta[position + i] for i in range(d_out)]
            position += d_out
        h = [s(a) for a in z] if k < net.depth else z
    assert position == len(theta) == net.size
    return h


# --- forward and layout -----------------------------------------------------------------------


@every_activation
@with_and_without_bias
@given(seed=seeds)
@few(5)
def test_forward_is_the_network_written_neuron_by_neuron(activation, bias, seed):
    rng, net, theta, X = example(seed, activation, int(seed % 5) + 1, bias)
    expected = [plain_forward(net, theta, x) for x in X]
    np.testing.assert_allclose(net(theta, X), expected, rtol=1e-12, atol=1e-13)


@with_and_without_bias
@given(seed=seeds)
@few(10)
def test_layers_are_views_and_join_is_their_inverse(bias, seed):
    rng, net, theta, X = example(seed, "relu", int(seed % 4) + 1, bias, size=(3,))
    W, b = net.layers(theta), net.biases(theta)
    assert [A.shape for A in W] == [(3, o, i) for i, o in zip(net.widths, net.widths[1:])]
    assert len(b) == bias * net.depth and all(np.shares_memory(theta, A) for A in (*W, *b))
    np.testing.assert_array_equal(net.join(W, b), theta)
    W[-1][...] = 7.0
    assert np.sum(theta == 7) == W[-1].size


def test_join_repeats_a_layer_that_the_ensemble_shares():
    net = dd.MLP([2, 3, 1])
    first, second = np.ones((4, 3, 2)), np.arange(3.0)[None]
    assert net.layers(net.join([first, second]))[1].shape == (4, 1, 3)


@given(seed=seeds)
@few(10)
def test_init_has_the_stated_scale_zero_biases_and_its_own_stream(seed):
    net = dd.MLP([400, 300, 2], bias=True)
    theta = net.init(np.random.default_rng(seed), scale=[2.0, 0.5], size=2)
    W = net.layers(theta)
    assert theta.shape == (2, net.size) and all((b == 0).all() for b in net.biases(theta))
    assert np.std(W[0]) == pytest.approx(2 / np.sqrt(400), rel=0.02)
    assert np.std(W[1]) == pytest.approx(0.5 / np.sqrt(300), rel=0.15)
    np.testing.assert_array_equal(net.init(np.random.default_rng(seed), [2.0, 0.5], 2), theta)
    assert dd.MLP([3, 2]).init(np.random.default_rng(seed)).shape == (6,)


# --- first derivatives ------------------------------------------------------------------------


@every_activation
@every_depth
@with_and_without_bias
@given(seed=seeds)
@few(4)
def test_backward_tangent_and_jacobian_against_differences(activation, depth, bias, seed):
    rng, net, theta, X = example(seed, activation, depth, bias)
    u, h = unit(rng, net.size), 3e-4
    away_from_kinks(net, theta, X, u, h)
    features = net.forward(theta, X)
    dF = rng.normal(size=features.F.shape)
    moved = central_difference(lambda a: net(a, X), theta, u, h)
    tangent, J = net.tangent(theta, features, u), net.jacobian(theta, X)
    scale = np.abs(moved).max()
    np.testing.assert_allclose(tangent.F, moved, rtol=0, atol=1e-8 * scale)
    np.testing.assert_allclose(J @ u, moved.ravel(), rtol=0, atol=1e-8 * scale)
    g = net.backward(theta, features, dF)
    assert abs(g @ u - np.sum(dF * moved)) <= 1e-8 * np.linalg.norm(g)


@pytest.mark.parametrize("activation", ["linear", "tanh"])
@every_depth
@with_and_without_bias
@given(seed=seeds)
@few(4)
def test_first_derivatives_against_the_complex_step(activation, depth, bias, seed):
    rng, net, theta, X = example(seed, activation, depth, bias)
    u = unit(rng, net.size)
    moved, features = complex_step(lambda a: net.forward(a, X).F, theta, u), net.forward(theta, X)
    scale = np.abs(moved).max()
    np.testing.assert_allclose(net.tangent(theta, features, u).F, moved, rtol=0, atol=1e-12 * scale)
    dF = rng.normal(size=moved.shape)
    g = net.backward(theta, features, dF)
    assert abs(g @ u - np.sum(dF * moved)) <= 1e-12 * np.linalg.norm(g)


@every_activation
@every_depth
@with_and_without_bias
@given(seed=seeds)
@few(4)
def test_jacobian_backward_and_tangent_are_adjoint(activation, depth, bias, seed):
    """``<dF, J v> = <J^T dF, v>``, for an ensemble too, kinks or not."""
    rng, net, theta, X = example(seed, activation, depth, bias, size=(2, 3))
    features = net.forward(theta, X)
    dF, v = rng.normal(size=features.F.shape), rng.normal(size=theta.shape)
    J, g = net.jacobian(theta, X), net.backward(theta, features, dF)
    assert J.shape == (2, 3, X.shape[0] * net.widths[-1], net.size)
    flat = dF.reshape(2, 3, -1)
    np.testing.assert_allclose((J.mT @ flat[..., None])[..., 0], g, rtol=1e-11, atol=1e-12)
    forward = net.tangent(theta, features, v).F
    np.testing.assert_allclose((J @ v[..., None])[..., 0], forward.reshape(2, 3, -1),
                               rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(np.sum(dF * forward, axis=(-2, -1)), np.vecdot(g, v),
                               rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("activation", HOMOGENEOUS)
@every_depth
@given(seed=seeds)
@few(6)
def test_eulers_identity_holds_in_every_layer(activation, depth, seed):
    """``<W_k, df/dW_k> = f``, since f is homogeneous of degree 1 in each layer."""
    rng, net, theta, X = example(seed, activation, depth, bias=False)
    F, J = net(theta, X), net.jacobian(theta, X)
    scale = np.abs(J * theta).sum(axis=-1).max()  # f itself is a sum of terms of this size
    for k, (W, block) in enumerate(zip(net.layers(theta), net.layers(J))):
        euler = np.sum(W * block, axis=(-2, -1)).reshape(F.shape)
        np.testing.assert_allclose(euler, F, rtol=0, atol=1e-13 * scale, err_msg=f"layer {k + 1}")
    np.testing.assert_allclose(net(1.7 * theta, X), 1.7**depth * F, rtol=0, atol=1e-13 * scale * 20)
    assert net.degree == depth


@pytest.mark.parametrize("activation, bias", [("tanh", False), ("relu", True), ("linear", True)])
def test_biases_and_tanh_break_eulers_identity(activation, bias):
    rng, net, theta, X = example(1, activation, 3, bias)
    F, J = net(theta, X), net.jacobian(theta, X)
    euler = np.sum(net.layers(theta)[0] * net.layers(J)[0], axis=(-2, -1)).reshape(F.shape)
    assert net.degree is None and np.abs(euler - F).max() > 1e-2 * np.abs(F).max()


def test_a_linear_predictor_is_homogeneous_whatever_the_hidden_activation():
    assert dd.MLP([3, 1], "tanh").degree == 1 and dd.MLP([3, 1], bias=True).degree is None


# --- second derivatives -----------------------------------------------------------------------


def gradient_of_half_square(net, theta, X):
    """Gradient of ``|F|^2 / 2``, whose second derivative in the outputs is the identity."""
    features = net.forward(theta, X)
    return net.backward(theta, features, features.F)


def hvp_of_half_square(net, theta, X, v):
    features = net.forward(theta, X)
    return net.hvp(theta, features, v, features.F, lambda change: change)


@every_activation
@every_depth
@with_and_without_bias
@given(seed=seeds)
@few(4)
def test_hvp_is_the_complex_step_of_the_gradient(activation, depth, bias, seed):
    """Exact for the piecewise linear ones as well: the imaginary step crosses no kink."""
    rng, net, theta, X = example(seed, activation, depth, bias)
    u = unit(rng, net.size)
    expected = complex_step(lambda a: gradient_of_half_square(net, a, X), theta, u)
    scale = np.linalg.norm(expected) + np.abs(net(theta, X)).max()
    np.testing.assert_allclose(hvp_of_half_square(net, theta, X, u), expected, rtol=0,
                               atol=1e-12 * scale)


@every_activation
@with_and_without_bias
@given(seed=seeds)
@few(4)
def test_the_whole_hessian_of_a_small_net(activation, bias, seed):
    rng = np.random.default_rng(seed)
    net = dd.MLP([2, 3, 2, 2], activation, bias)
    theta, X = rng.normal(size=net.size), random_inputs(rng, (4, 2))
    basis = np.eye(net.size)
    for e in basis:
        away_from_kinks(net, theta, X, e, 3e-4)
    H = hvp_of_half_square(net, theta, X, basis)  # the directions are an ensemble
    dense = np.array([central_difference(lambda a: gradient_of_half_square(net, a, X), theta, e)
                      for e in basis])
    np.testing.assert_allclose(H, dense, rtol=0, atol=1e-8 * np.abs(dense).max())
    np.testing.assert_allclose(H, H.T, rtol=0, atol=1e-13 * np.abs(H).max())


@every_activation
def test_only_tanh_needs_the_second_derivative(activation, monkeypatch):
    rng, net, theta, X = example(3, activation, 3, False)
    v = unit(rng, net.size)
    full = hvp_of_half_square(net, theta, X, v)
    record = RECORDS[activation]
    without = dataclasses.replace(record, second_derivative=None)
    monkeypatch.setitem(RECORDS, activation, without)
    error = np.linalg.norm(hvp_of_half_square(net, theta, X, v) - full) / np.linalg.norm(full)
    assert error > 1e-2 if activation == "tanh" else error == 0


# --- ensembles and precision ------------------------------------------------------------------


@every_activation
@with_and_without_bias
@pytest.mark.parametrize("own_inputs", [False, True])
def test_an_ensemble_is_its_members_one_by_one(activation, bias, own_inputs):
    rng, net, theta, X = example(5, activation, 3, bias, size=(2, 3))
    X = random_inputs(rng, (2, 3, 4, net.widths[0])) if own_inputs else X
    features, v = net.forward(theta, X), rng.normal(size=theta.shape)
    dF = rng.normal(size=features.F.shape)
    together = (features.F, net.backward(theta, features, dF), net.jacobian(theta, X),
                net.tangent(theta, features, v).F, net.hvp(theta, features, v, dF, np.sin))
    for i in np.ndindex(2, 3):
        one, x = theta[i], X[i] if own_inputs else X
        f = net.forward(one, x)
        alone = (f.F, net.backward(one, f, dF[i]), net.jacobian(one, x),
                 net.tangent(one, f, v[i]).F, net.hvp(one, f, v[i], dF[i], np.sin))
        for a, b in zip(together, alone):
            np.testing.assert_allclose(a[i], b, rtol=1e-12, atol=1e-13)


@every_activation
def test_single_precision_stays_single(activation):
    rng, net, theta, X = example(2, activation, 3, True)
    theta, X = theta.astype(np.float32), X.astype(np.float32)
    features = net.forward(theta, X)
    g = net.backward(theta, features, features.F)
    v = net.hvp(theta, features, theta, features.F, lambda change: change)
    assert features.F.dtype == g.dtype == v.dtype == net(theta, X).dtype == np.float32


# --- bad input --------------------------------------------------------------------------------

net, theta, X = dd.MLP([2, 3, 1]), np.zeros(9), np.ones((4, 2))
NAN, INF = np.full((4, 2), np.nan), np.array([[1.0, np.inf]])


@pytest.mark.parametrize("call, message", [
    (lambda: dd.MLP([3]), "widths: expected at least two whole numbers"),
    (lambda: dd.MLP(3), "widths: expected at least two"),
    (lambda: dd.MLP([3, 0, 1]), "widths"),
    (lambda: dd.MLP([3, 2.5, 1]), "widths"),
    (lambda: net(theta, X.T), r"X: expected shape \(..., n, 2\).*got shape \(2, 4\).*transposed"),
    (lambda: net(theta, X[0]), "X: .*use x"),
    (lambda: net(theta, X[:0]), "X: expected a non-empty array"),
    (lambda: net(theta, NAN), r"X: expected finite numbers, got nan at index \(0, 0\)"),
    (lambda: net(theta, INF), r"X: expected finite numbers, got inf at index \(0, 1\)"),
    (lambda: net(theta, "text"), "X: "),
    (lambda: net(theta, [[1, 2], [3]]), "X: .*ragged"),
    (lambda: net(theta[1:], X), r"theta: expected shape \(..., 9\).*another network"),
    (lambda: net(theta * np.nan, X), "theta: expected finite"),
    (lambda: net(np.float64(3), X), "theta: "),
    (lambda: net.layers(np.zeros(8)), "theta: "),
    (lambda: net.jacobian(theta, X.T), "X: "),
    (lambda: net.jacobian(theta * np.inf, X), "theta: "),
    (lambda: net.forward(theta, X[0]), "X: .*row axis"),
    (lambda: net.backward(theta, net.forward(theta, X), np.ones(4)), r"dF: .*\(..., 4, 1\)"),
    (lambda: net.init(0), "rng: .*default_rng"),
    (lambda: net.init(np.random.default_rng(0), scale=[1, 2, 3]), "scale: .*2 numbers"),
    (lambda: net.init(np.random.default_rng(0), scale=np.nan), "scale: "),
    (lambda: net.join([np.ones((3, 2))]), "W: expected a list of 2"),
    (lambda: net.join([np.ones((2, 3)), np.ones((1, 3))]), r"W\[0\]: .*\(..., 3, 2\).*transposed"),
    (lambda: net.join([np.ones((3, 2)), np.ones((1, 3))], [np.ones(3)]), "b: .*bias=True"),
    (lambda: dd.MLP([2, 1], bias=True).join([np.ones((1, 2))], [np.ones(2)]), r"b\[0\]: "),
])
def test_bad_input_names_the_argument(call, message):
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=message):
        call()
