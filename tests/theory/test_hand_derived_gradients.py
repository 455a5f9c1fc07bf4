"""Predicted errors of difference quotients, against quotients of functions known exactly.

Exact truncation comes from rational arithmetic, rounding from quotients in double and single
precision, the derivatives of the scalar networks from polynomials and from the complex step.
"""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepdyn_np.theory.hand_derived_gradients import (
    best_central,
    best_one_sided,
    central_error,
    complex_step_error,
    kink_error,
    one_sided_error,
    product_derivatives,
    product_gradient,
    product_hessian,
    rounding_rms,
    tanh_euler_ratios,
)

seeds = st.integers(0, 2**32 - 1)
depths = st.integers(1, 6)
positives = st.floats(1e-6, 1e6)


def product(w, x):
    """The network itself, one product after the other."""
    for k in range(w.shape[-1]):
        x = x * w[..., k]
    return x


def tanh_network(w, x):
    for k in range(w.shape[-1] - 1):
        x = np.tanh(x * w[..., k])
    return x * w[..., -1]


def gradient_by_complex_step(f, w):
    L = w.shape[-1]
    return np.stack([f(w + 1e-20j * np.eye(L)[k]).imag / 1e-20 for k in range(L)], axis=-1)


# --- errors of the quotients ----------------------------------------------------------------------


@given(st.lists(st.integers(-9, 9), min_size=5, max_size=5), st.integers(1, 12))
def test_truncation_is_exact_for_quartics(coefficients, halvings):
    """In rational arithmetic there is no rounding: central differences of a quartic err by h^2/6 f'''."""
    c, h = [Fraction(a) for a in coefficients], Fraction(1, 2**halvings)
    phi = lambda t: sum(a * t**j for j, a in enumerate(c))
    central = (phi(h) - phi(-h)) / (2 * h) - c[1]
    assert central_error(float(h), float(6 * c[3]), 0) == pytest.approx(abs(float(central)), rel=1e-12)
    one_sided = (phi(h) - phi(0)) / h - c[1]
    largest_curvature = sum(abs(a) * j * (j - 1) * h ** (j - 2) for j, a in enumerate(c) if j >= 2)
    assert abs(float(one_sided)) <= one_sided_error(float(h), float(largest_curvature), 0) * (1 + 1e-12)


@given(st.integers(1, 9), st.integers(1, 12))
def test_one_sided_truncation_is_exact_for_quadratics(c, halvings):
    h = 2.0**-halvings
    assert one_sided_error(h, 2 * c, 0) == pytest.approx(c * h, rel=1e-14)


@given(st.floats(0.1, 3), st.floats(1e-9, 1e-6))
def test_bounds_hold_with_adversarial_noise(a, noise):
    """Values of sin pushed to the worst side by exactly the noise stay within the bounds."""
    h = np.geomspace(1e-6, 0.5, 40)
    worst_central = (np.sin(a + h) + noise - np.sin(a - h) + noise) / (2 * h) - np.cos(a)
    worst_other = (np.sin(a + h) - noise - np.sin(a - h) - noise) / (2 * h) - np.cos(a)
    bound = central_error(h, 1, noise) + 1e-9 * noise / h + 1e-15 / h
    assert (np.maximum(abs(worst_central), abs(worst_other)) <= bound).all()
    worst = (np.sin(a + h) + noise - np.sin(a) + noise) / h - np.cos(a)
    assert (abs(worst) <= one_sided_error(h, 1, noise) + 1e-15 / h).all()


@given(positives, st.floats(1e-18, 1e-6))
def test_best_steps_minimise(derivative, noise):
    """No step of a fine grid beats the best one, and its neighbours do not reach it."""
    for best, error in ((best_central, central_error), (best_one_sided, one_sided_error)):
        h, lowest = best(derivative, noise)
        assert error(h, derivative, noise) == pytest.approx(lowest, rel=1e-12)
        others = error(h * np.geomspace(1e-3, 1e3, 601), derivative, noise)
        assert others.min() >= lowest * (1 - 1e-12)
        assert min(error(h * 0.9, derivative, noise), error(h * 1.1, derivative, noise)) > lowest * 1.001


def test_exponents():
    """The best errors scale as u^(2/3) and u^(1/2)."""
    assert best_central(1, 8e-12)[1] / best_central(1, 1e-12)[1] == pytest.approx(4)
    assert best_one_sided(1, 4e-12)[1] / best_one_sided(1, 1e-12)[1] == pytest.approx(2)


@given(st.floats(-1, 1), st.floats(1e-3, 0.1))
def test_complex_step_of_the_exponential(a, h):
    """Im exp(a + ih)/h = exp(a) sin(h)/h, and |f'''| <= exp(a) on the segment."""
    error = abs(np.exp(a + 1j * h).imag / h - np.exp(a))
    noise = 4 * np.finfo(float).eps * np.exp(a)
    assert error <= complex_step_error(h, np.exp(a), noise)
    assert complex_step_error(h, np.exp(a), noise) == pytest.approx(error, rel=h**2)
    assert abs(np.exp(a + 1e-20j).imag / 1e-20 - np.exp(a)) <= complex_step_error(1e-20, np.exp(a), noise)


# --- the rounding model -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype, exact", [(np.float32, np.float64), (np.float64, np.longdouble)])
@pytest.mark.parametrize("factors", [2, 5, 9])
def test_rounding_of_products(dtype, exact, factors):
    """Products of N + 1 factors take N roundings; log-uniform factors make leading digits lawful."""
    if np.finfo(exact).eps >= np.finfo(dtype).eps:
        pytest.skip("no wider arithmetic on this machine")
    rng = np.random.default_rng(factors)
    a = np.exp2(rng.uniform(-1, 1, (100_000, factors))).astype(dtype)
    value, reference = a[:, 0], a[:, 0].astype(exact)
    for k in range(1, factors):
        value, reference = value * a[:, k], reference * a[:, k]
    relative = np.sqrt(np.mean(((value - reference) / reference).astype(float) ** 2))
    assert relative == pytest.approx(rounding_rms(1, factors - 1, dtype), rel=0.02)


@pytest.mark.parametrize("depth", [2, 3, 6])
@pytest.mark.parametrize("dtype, steps", [(np.float64, (1e-11, 1e-8)), (np.float32, (1e-5, 1e-4))])
def test_rounding_branch_of_the_central_difference(depth, dtype, steps):
    """Opposite roundings of w + hv and w - hv count four times, the 2 L products once."""
    rng = np.random.default_rng(depth)
    w = (2 ** rng.uniform(-1, 1, (20_000, depth)) * rng.choice([-1, 1], (20_000, depth))).astype(dtype)
    v, x = rng.normal(size=w.shape).astype(dtype), dtype(0.7)
    exact = product_derivatives(w, v, float(x))
    for h in map(dtype, steps):
        quotient = (product(w + h * v, x) - product(w - h * v, x)).astype(float) / (2 * float(h))
        third = exact[:, 3] if depth >= 3 else 0
        error = quotient - exact[:, 1] - float(h) ** 2 / 6 * third
        relative = np.sqrt(np.mean((error / exact[:, 0]) ** 2))
        assert relative * 2 * float(h) == pytest.approx(rounding_rms(1, 6 * depth, dtype), rel=0.02)


# --- kinks ------------------------------------------------------------------------------------------


@given(seeds, st.integers(1, 8))
def test_kinks_of_a_piecewise_linear_function(seed, kinks):
    rng = np.random.default_rng(seed)
    a, c = rng.uniform(-1, 1, kinks), rng.normal(size=kinks)
    slope = rng.normal()
    ramp = lambda t: slope * t + np.sum(c * np.where(a > 0, np.maximum(t - a, 0), np.maximum(a - t, 0)))
    for h in (0.05, 0.4, 1.5):
        central = (ramp(h) - ramp(-h)) / (2 * h)
        assert central - slope == pytest.approx(kink_error(h, a, c), abs=1e-12)
    h = np.array([[0.05], [0.4]])
    np.testing.assert_array_equal(kink_error(h, a, c), [[kink_error(t, a, c)] for t in h[:, 0]])
    assert kink_error(np.abs(a).min(), a, c) == 0


# --- closed forms -----------------------------------------------------------------------------------


@given(seeds, depths)
def test_product_gradient_and_hessian(seed, L):
    rng = np.random.default_rng(seed)
    w, x = rng.normal(size=(3, L)), rng.normal(size=3)
    gradient, hessian = product_gradient(w, x), product_hessian(w, x)
    f = product(w, x)
    np.testing.assert_allclose(gradient, f[:, None] / w, rtol=1e-10)
    np.testing.assert_allclose(gradient, gradient_by_complex_step(lambda u: product(u, x), w), rtol=1e-12)
    others = lambda u: np.stack([product(np.delete(u, k, -1), x) for k in range(L)], axis=-1)
    np.testing.assert_allclose(hessian, gradient_by_complex_step(others, w), rtol=1e-12)
    assert (np.diagonal(hessian, axis1=-2, axis2=-1) == 0).all()
    np.testing.assert_allclose((hessian @ w[..., None])[..., 0], (L - 1) * gradient, rtol=1e-10)


@given(seeds, depths)
def test_product_derivatives_are_those_of_the_polynomial(seed, L):
    rng = np.random.default_rng(seed)
    w, v, x = rng.normal(size=(2, L)), rng.normal(size=(2, L)), rng.normal()
    derivatives = product_derivatives(w, v, x)
    assert derivatives.shape == (2, L + 1)
    for member in range(2):
        polynomial = np.polynomial.Polynomial([x])
        for k in range(L):
            polynomial *= np.polynomial.Polynomial([w[member, k], v[member, k]])
        expected = [polynomial.deriv(j)(0) if j else polynomial(0) for j in range(L + 1)]
        np.testing.assert_allclose(derivatives[member], expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(derivatives[:, 1], np.vecdot(product_gradient(w, x), v), rtol=1e-9, atol=1e-12)
    if L > 1:
        bend = np.einsum("mj,mjk,mk->m", v, product_hessian(w, x), v)
        np.testing.assert_allclose(derivatives[:, 2], bend, rtol=1e-9, atol=1e-12)


def test_vanishing_weights_are_allowed():
    np.testing.assert_array_equal(product_gradient([0.0, 2, 3], 1.0), [6, 0, 0])
    np.testing.assert_array_equal(product_hessian([0.0, 2, 3], 1.0), [[0, 3, 2], [3, 0, 0], [2, 0, 0]])


@given(seeds, depths)
def test_tanh_euler_ratios(seed, L):
    rng = np.random.default_rng(seed)
    w = rng.choice([-1, 1], (2, L)) * rng.uniform(0.3, 2, (2, L))
    x = rng.uniform(0.5, 2, 2)
    ratios = tanh_euler_ratios(w, x)
    gradient = gradient_by_complex_step(lambda u: tanh_network(u, x), w)
    np.testing.assert_allclose(ratios, w * gradient / tanh_network(w, x)[:, None], rtol=1e-11)
    assert (ratios[:, -1] == 1).all() and (ratios[:, :-1] < 1).all()


def test_small_weights_make_tanh_homogeneous():
    """The defect is (2/3) z^2 to leading order, for one hidden unit."""
    z = 1e-3
    assert 1 - tanh_euler_ratios([z, 1.0], 1.0)[0] == pytest.approx(2 / 3 * z**2, rel=1e-5)


def test_saturated_tanh_does_not_overflow():
    """Where sinh(2z) is not a number any more the ratio is 4 z exp(-2z), at last 0."""
    with np.errstate(over="raise", invalid="raise"):
        np.testing.assert_array_equal(tanh_euler_ratios([-400.0, 1.0], [1.0, 1e300])[:, 0], 0)
        ratio = tanh_euler_ratios([300.0, 1.0], 1.0)[0]
    assert ratio == pytest.approx(1200 * np.exp(-600), rel=1e-12)


# --- bad input --------------------------------------------------------------------------------------


@pytest.mark.parametrize("call, argument", [
    (lambda: central_error(0, 1, 1), "h"),
    (lambda: one_sided_error([1e-3, -1e-3], 1, 1), "h"),
    (lambda: complex_step_error(np.nan, 1, 1), "h"),
    (lambda: kink_error(0.0, [1.0], [1.0]), "h"),
    (lambda: kink_error(0.1, [1.0, 2.0], [1.0]), "jump"),
    (lambda: kink_error(0.1, [np.inf], [1.0]), "distance"),
    (lambda: kink_error(0.1, [0.5, 0.0], [1.0, 1.0]), "distance"),
    (lambda: best_central(0, 1e-16), "third"),
    (lambda: best_central(1, 0), "noise"),
    (lambda: best_one_sided(0, 1e-16), "second"),
    (lambda: best_one_sided(1, -1e-16), "noise"),
    (lambda: rounding_rms(1, 0), "roundings"),
    (lambda: product_gradient([1.0, np.nan]), "w"),
    (lambda: product_hessian(["a", "b"]), "w"),
    (lambda: product_derivatives([1.0, 2], [1.0, 2, 3]), "v"),
    (lambda: tanh_euler_ratios([1.0, 0], 1.0), "w"),
    (lambda: tanh_euler_ratios([1.0, 1], 0.0), "x"),
])
def test_bad_input_names_the_argument(call, argument):
    with pytest.raises(ValueError, match=rf"^{argument}: expected"):
        call()
