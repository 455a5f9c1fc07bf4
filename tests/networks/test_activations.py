"""The four activations: derivatives, homogeneity, names."""

import numpy as np
import pytest
from hypothesis import given
from oracles import ACTIVATIONS, HOMOGENEOUS, central_difference, few, seeds

import deepdyn_np as dd
from deepdyn_np.networks.activations import activation_named


def away_from_zero(seed):
    z = np.random.default_rng(seed).normal(size=20)
    return z + np.copysign(0.01, z)


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(seed=seeds)
@few(20)
def test_first_and_second_derivative(name, seed):
    s, z = activation_named(name), away_from_zero(seed)
    slope = central_difference(s.function, z, 1.0)
    np.testing.assert_allclose(s.derivative(z) * np.ones(20), slope, rtol=1e-9, atol=1e-10)
    bend = central_difference(lambda a: s.derivative(a) * np.ones(20), z, 1.0)
    second = 0 if s.second_derivative is None else s.second_derivative(z)
    np.testing.assert_allclose(second, bend, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_homogeneous_says_whether_slope_times_z_is_the_value(name):
    s, z = activation_named(name), away_from_zero(0)
    assert s.homogeneous == (name in HOMOGENEOUS)
    assert s.homogeneous == np.allclose(s.derivative(z) * z, s.function(z), rtol=1e-15, atol=0)
    assert s.homogeneous == np.allclose(s.function(3 * z), 3 * s.function(z), rtol=1e-15, atol=0)


@pytest.mark.parametrize("name, left", [("relu", 0.0), ("leaky_relu", 0.01)])
def test_the_derivative_at_the_kink_is_the_left_one(name, left):
    assert activation_named(name).derivative(np.zeros(1))[0] == left


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_is_kept(name, dtype):
    s, Z = activation_named(name), np.ones(3, dtype)
    assert s.function(Z).dtype == (s.derivative(Z) * Z).dtype == dtype


@pytest.mark.parametrize("name", ["ReLU", "sigmoid", "", None])
def test_unknown_name(name):
    with pytest.raises(ValueError, match="activation: expected one of 'linear', 'relu'"):
        dd.MLP([2, 1], activation=name)
