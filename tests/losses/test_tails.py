"""Losses with other tails: against scipy's special functions, quadrature and differences."""

import numpy as np
import pytest
from scipy import integrate, special

import deepdyn_np as dd
from deepdyn_np.losses.tails import log_upper_gamma


@pytest.mark.parametrize("a", [0.2, 1 / 3, 0.5, 1.0, 2.0, 3.3, 4.0])
def test_log_upper_gamma_is_scipys(a):
    x = np.geomspace(1e-3, 400, 60)
    exact = np.log(special.gammaincc(a, x) * special.gamma(a))
    np.testing.assert_allclose(log_upper_gamma(a, x), exact, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("a", [0.2, 0.5, 2.0, 4.0])
def test_log_upper_gamma_keeps_the_tail(a):
    """Gamma(a, x) ~ x^(a-1) e^-x (1 + (a-1)/x + ...) long after it has underflowed."""
    x = np.array([1e6, 1e7])
    np.testing.assert_allclose(log_upper_gamma(a, x) + x - (a - 1) * np.log(x), np.log1p((a - 1) / x),
                               atol=1e-8)


@pytest.mark.parametrize("loss", [dd.losses.poly_exponential(nu) for nu in (0.3, 0.5, 1, 1.5, 3)]
                         + [dd.losses.polynomial(p) for p in (1, 2, 4.5)], ids=repr)
def test_slope_and_curvature_are_derivatives(loss):
    m, h = np.linspace(0.3, 4, 9), 1e-5
    slope = (loss.value(m + h) - loss.value(m - h)) / (2 * h)
    np.testing.assert_allclose(loss.derivative(m), slope, rtol=1e-7)
    curvature = (loss.derivative(m + h) - loss.derivative(m - h)) / (2 * h)
    np.testing.assert_allclose(loss.second_derivative(m), curvature, rtol=1e-7)


@pytest.mark.parametrize("nu", [0.5, 1, 2])
def test_value_is_the_integral_of_the_slope(nu):
    loss = dd.losses.poly_exponential(nu)
    for m in (0.2, 1.0, 3.0):
        area, _ = integrate.quad(lambda u: np.exp(-(u**nu)), m, np.inf)
        np.testing.assert_allclose(loss.value(m), area, rtol=1e-8)


def test_exponent_one_is_the_exponential_loss():
    m = np.array([0.1, 1, 30, 1e7])
    loss = dd.losses.poly_exponential(1)
    np.testing.assert_allclose(loss.log_value(m), dd.losses.exponential.log_value(m), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(loss.weights(m), dd.losses.exponential.weights(m), rtol=1e-12)


def test_a_polynomial_tail_follows_its_exact_solution():
    """Chapter 05: w = ((p + 2) t)^(1/(p+2)) v solves the flow if v minimises Psi; here in 1-D."""
    p = 2.0
    one = dd.Objective(dd.MLP([1, 1]), dd.losses.polynomial(p), [[1.0]], [1.0])
    out = dd.gradient_flow(one, np.array([1.0]), 50.0, rtol=1e-11, at=[10, 50])
    np.testing.assert_allclose(out.theta[:, 0], (1 + (p + 2) * out.t) ** (1 / (p + 2)), rtol=1e-9)


@pytest.mark.parametrize("make", [dd.losses.poly_exponential, dd.losses.polynomial])
def test_bad_input(make):
    for wrong in (0, -1, np.nan, [1, 2]):
        with pytest.raises(ValueError, match="nu|p"):
            make(wrong)
    with pytest.raises(ValueError, match="m: expected positive margins"):
        make(2).value(np.array([1.0, 0.0]))
