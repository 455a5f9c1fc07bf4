"""Closed forms of flows and their discretisations, against matrix exponentials and recursions."""

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from deepdyn_np.theory.gradient_flow_and_time import (
    clock_constant,
    clock_correction,
    heavy_ball_factors,
    kink_error_rms,
    quadratic_dopri_error,
    quadratic_flow,
    quadratic_gd,
    quadratic_heavy_ball,
    quadratic_step_error,
    scalar_step_error,
    sde_stationary_covariance,
    sgd_stationary_covariance,
    stability_limit,
)

seeds = st.integers(0, 2**32 - 1)


def problem(seed, d=None):
    """A symmetric positive definite A with rates below 2, a minimiser and a start."""
    rng = np.random.default_rng(seed)
    d = d or rng.integers(1, 6)
    Q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    A = Q * rng.uniform(0.1, 2, d) @ Q.T
    return (A + A.T) / 2, rng.normal(size=d), rng.normal(size=d)


# --- the quadratic --------------------------------------------------------------------------------


@given(seeds)
def test_the_flow_is_the_matrix_exponential(seed):
    A, w_star, w0 = problem(seed)
    t = np.array([[0.0, 0.3], [2.0, 10.0]])
    w = quadratic_flow(A, w_star, w0, t)
    assert w.shape == (2, 2, len(w0))
    for i in np.ndindex(2, 2):
        expected = w_star + scipy.linalg.expm(-t[i] * A) @ (w0 - w_star)
        np.testing.assert_allclose(w[i], expected, atol=1e-12)


@given(seeds, st.floats(0.01, 1.2), st.floats(0, 0.95), st.integers(0, 30))
def test_descent_and_heavy_ball_are_their_recursions(seed, eta, beta, steps):
    A, w_star, w0 = problem(seed)
    plain, heavy, velocity = w0, w0, 0 * w0
    for _ in range(steps):
        plain = plain - eta * A @ (plain - w_star)
        velocity = beta * velocity - eta * A @ (heavy - w_star)
        heavy = heavy + velocity
    scale = 1 + np.abs(plain).max()
    np.testing.assert_allclose(quadratic_gd(A, w_star, w0, eta, steps), plain, atol=1e-10 * scale)
    try:
        closed = quadratic_heavy_ball(A, w_star, w0, eta, beta, steps)
    except ValueError as error:
        assert "double root" in str(error)
        return
    # near a double root the closed form divides two small numbers
    np.testing.assert_allclose(closed, heavy, atol=1e-6 * (1 + np.abs(heavy).max()))


@pytest.mark.parametrize("beta", [0, 0.3, 0.8])
@given(seeds)
def test_the_step_error_is_the_limit_of_the_closed_forms(beta, seed):
    """By Richardson extrapolation of (iterate - flow) / h, an error of order h^2."""
    A, w_star, w0 = problem(seed)
    t, limit = 1.5, []
    for k in (20_000, 40_000):
        h = t / k
        iterate = quadratic_heavy_ball(A, w_star, w0, h * (1 - beta), beta, k)
        limit.append((iterate - quadratic_flow(A, w_star, w0, t)) / h)
    predicted = quadratic_step_error(A, w_star, w0, t, beta)
    np.testing.assert_allclose(2 * limit[1] - limit[0], predicted, atol=1e-5 * (1 + np.abs(w0 - w_star).max()))


def test_heavy_ball_factors_and_mass():
    gain, delay = heavy_ball_factors(0.9)
    assert gain == pytest.approx(19) and delay == pytest.approx(9)
    eta = 0.01  # M = eta / 2 (1 + beta) / (1 - beta)^2
    assert eta / (1 - 0.9) / 2 * gain == pytest.approx(eta / 2 * 1.9 / 0.01)


@given(seeds)
def test_dormand_prince_error_is_that_of_its_tableau(seed):
    """The stability polynomial of scipy's tableau, mode by mode, in extended precision."""
    RK = scipy.integrate.RK45
    rng = np.random.default_rng(seed)
    rate, t, h = rng.uniform(0.3, 1.5), 2.0, np.longdouble(2.0) ** -8
    K = []
    for a, in zip(RK.A):
        K.append(1 - h * rate * sum((c * k for c, k in zip(a, K)), np.longdouble(0)))
    factor = 1 - h * rate * sum(b * k for b, k in zip(RK.B, K))
    # h^5 of the error; the coefficients of the tableau are double, their roundings cancel to 1e-16
    error = factor ** round(t / float(h)) - np.exp(-np.longdouble(rate) * t)
    predicted = quadratic_dopri_error([[rate]], np.zeros(1), np.ones(1), t)[0]
    assert float(error / h**5) == pytest.approx(predicted, rel=0.05, abs=1e-3 * np.exp(-rate * t))


# --- one dimension, kinks, stability ---------------------------------------------------------------


@pytest.mark.parametrize("v, m0", [(lambda m: np.exp(-m), -0.3), (lambda m: 1 / (1 + np.exp(m)), 0.2),
                                   (lambda m: -np.tanh(m), 1.5), (lambda m: m**2, 0.4)])
def test_scalar_error_against_euler(v, m0):
    t, limit = 1.0, []
    m = scipy.integrate.solve_ivp(lambda t, m: v(m), (0, t), [m0], "DOP853", rtol=1e-13, atol=1e-14).y[0, -1]
    for k in (1000, 2000):
        x = m0
        for _ in range(k):
            x = x + t / k * v(x)
        limit.append((x - m) * k / t)
    assert scalar_step_error(v(m), v(m0)) == pytest.approx(2 * limit[1] - limit[0], rel=1e-4)


@given(st.lists(st.floats(0.01, 0.99), min_size=0, max_size=6), seeds)
def test_kink_error_is_the_integral(nodes, seed):
    c = np.r_[0, np.sort(nodes)]
    b = np.random.default_rng(seed).normal(size=c.size)
    b[0] += 1 - b.sum()
    s = (np.arange(200_000) + 0.5) / 200_000
    B = np.cumsum(b)[np.searchsorted(c, s, side="left") - 1]
    expected = np.sqrt(np.mean((B - s) ** 2))
    assert kink_error_rms(c, b) == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert kink_error_rms([0], [1]) == pytest.approx(3**-0.5)


def test_stability_limits():
    """Euler, the classical method, Dormand-Prince: inside |P| < 1, at the limit 1, beyond > 1."""
    for p, value in (([1, 1], 2), ([1, 1, 1 / 2], 2), ([1, 1, 1 / 2, 1 / 6], 2.5127),
                     ([1, 1, 1 / 2, 1 / 6, 1 / 24], 2.7853),
                     ([1, 1, 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 600], 3.3066)):
        limit = stability_limit(p)
        assert limit == pytest.approx(value, abs=1e-4)
        P = np.polynomial.Polynomial(p)
        inside = abs(P(-np.linspace(1e-3, limit * (1 - 1e-6), 2000)))
        assert (inside < 1).all() and abs(P(-limit)) == pytest.approx(1) and abs(P(-1.001 * limit)) > 1


# --- SGD -------------------------------------------------------------------------------------------


def least_squares(seed, n=30, d=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * rng.uniform(0.3, 1, d)
    return X, X @ rng.normal(size=d) + rng.normal(size=n)


@given(seeds)
def test_sgd_covariance_is_the_fixed_point_of_the_second_moment(seed):
    """Iterate the second moment over every pair of a batch of two, drawn with replacement."""
    X, y = least_squares(seed, n=6, d=2)
    eta, w = 0.1, np.linalg.lstsq(X, y)[0]
    steps = [(np.eye(2) - eta * (np.outer(X[i], X[i]) + np.outer(X[j], X[j])) / 2,
              -eta * (X[i] * (X[i] @ w - y[i]) + X[j] * (X[j] @ w - y[j])) / 2)
             for i in range(6) for j in range(6)]
    V = sgd_stationary_covariance(X, y, eta, 2)
    moved = np.mean([M @ V @ M.T + np.outer(c, c) for M, c in steps], axis=0)
    np.testing.assert_allclose(moved, V, atol=1e-12 * (1 + abs(V).max()))
    np.testing.assert_allclose(V, V.T, atol=1e-12 * (1 + abs(V).max()))
    assert np.linalg.eigvalsh(V)[0] > 0


@given(seeds, st.integers(1, 10))
def test_small_steps_are_a_diffusion(seed, batch_size):
    X, y = least_squares(seed)
    V = sde_stationary_covariance(X, y, 1e-6, batch_size)
    np.testing.assert_allclose(sgd_stationary_covariance(X, y, 1e-6, batch_size), V, rtol=1e-4,
                               atol=1e-5 * np.trace(V))
    A, w = X.T @ X / 30, np.linalg.lstsq(X, y)[0]
    C = np.mean([np.outer(x, x) * (x @ w - t) ** 2 for x, t in zip(X, y)], axis=0)
    expected = scipy.linalg.solve_continuous_lyapunov(A, 1e-6 / batch_size * C)
    np.testing.assert_allclose(V, expected, rtol=1e-8, atol=1e-12 * np.trace(V))


@given(st.floats(0.2, 2), st.floats(0.01, 0.4), st.integers(1, 20), seeds)
def test_constant_input_has_the_scalar_formula(x, eta, batch_size, seed):
    y = np.random.default_rng(seed).normal(size=50)
    lam, sigma2 = x**2, x**2 * y.var()
    V = sgd_stationary_covariance(np.full((50, 1), x), y, eta, batch_size)
    assert V[0, 0] == pytest.approx(eta * sigma2 / (batch_size * lam * (2 - eta * lam)), rel=1e-9)


# --- the clock -------------------------------------------------------------------------------------


@given(st.floats(0.01, 20), st.floats(0.1, 10))
def test_the_clock_solves_its_equation(elapsed, speed):
    solution = scipy.integrate.solve_ivp(lambda x, K: speed**-2 - K, (0, elapsed), [0.0],
                                         rtol=1e-10, atol=1e-13).y[0, -1]
    assert clock_constant(elapsed, speed) == pytest.approx(solution, rel=1e-7, abs=1e-8)


def test_the_clock_is_that_of_one_row():
    """m = log(e^m0 + z^2 t), Lambda = m: t L = t / (e^m0 + z^2 t)."""
    z, m0, t = 1.7, -0.4, np.array([0.1, 1, 1e3, 1e9])
    m = np.log(np.exp(m0) + z**2 * t)
    np.testing.assert_allclose(clock_constant(m - m0, z), t * np.exp(-m), rtol=1e-12)


def test_clock_corrections():
    assert [clock_correction(L) for L in (1, 2, 3, 4, 5)] == pytest.approx([0, 1, 4 / 3, 1.5, 1.6])


# --- bad input -------------------------------------------------------------------------------------

A2, w2 = np.eye(2), np.ones(2)
X2, y2 = np.array([[1.0, 0], [0, 1], [1, 1]]), np.array([1.0, 2, 0])


@pytest.mark.parametrize("call, message", [
    (lambda: quadratic_flow([[1.0, 2], [0, 1]], w2, w2, 1), "A: expected a symmetric matrix"),
    (lambda: quadratic_flow(X2, w2, w2, 1), "A: expected a symmetric"),
    (lambda: quadratic_flow(A2, w2, np.ones(3), 1), r"w0: expected shape \(2,\)"),
    (lambda: quadratic_gd(A2, np.array([np.nan, 0]), w2, 0.1, 1), "w_star: expected finite"),
    (lambda: quadratic_heavy_ball([[1.0]], [0.0], [1.0], (1 - 0.5**0.5) ** 2, 0.5, 1), "eta: .*double root"),
    (lambda: heavy_ball_factors(1.0), "beta: expected a number with 0 <= beta < 1"),
    (lambda: heavy_ball_factors(-0.1), "beta: "),
    (lambda: quadratic_step_error(A2, w2, w2, 1, 1.5), "beta: "),
    (lambda: scalar_step_error(1.0, -1.0), "velocity: expected the sign"),
    (lambda: scalar_step_error(0.0, 1.0), "velocity: "),
    (lambda: kink_error_rms([0, 0.5], [1.0]), "weights: expected one weight"),
    (lambda: kink_error_rms([0, 0.5], [1.0, 1.0]), "weights: expected weights with the sum 1"),
    (lambda: kink_error_rms([0.5, 0], [0.5, 0.5]), "nodes: "),
    (lambda: kink_error_rms([0, 1.5], [0.5, 0.5]), "nodes: "),
    (lambda: stability_limit([1 / 2, 1, 1]), "coefficients: .*highest power first"),
    (lambda: stability_limit([1.0]), "coefficients: "),
    (lambda: sgd_stationary_covariance(X2, y2[:2], 0.1, 1), r"y: expected shape \(3,\)"),
    (lambda: sgd_stationary_covariance(X2[:1], y2[:1], 0.1, 1), "X: expected rank 2"),
    (lambda: sgd_stationary_covariance(X2, y2, -0.1, 1), "eta: "),
    (lambda: sgd_stationary_covariance(X2, y2, 5.0, 1), "eta: expected a step size with a stationary state"),
    (lambda: sgd_stationary_covariance(X2, y2, 0.1, 0), "batch_size: "),
    (lambda: sde_stationary_covariance(X2, y2, 0.1, 1.5), "batch_size: "),
    (lambda: clock_constant(-1.0, 1.0), "elapsed: expected numbers, at least 0"),
    (lambda: clock_constant(1.0, 0.0), "speed: expected a number above 0"),
    (lambda: clock_correction(0), "depth: "),
])
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
