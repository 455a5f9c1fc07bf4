"""Limits and rates of gradient descent on separable data, against routes that share no code.

The oracle of most tests is the flow itself in residual coordinates, integrated by scipy:
with s = log t, r = w - w_hat s and zeta = Z w_hat - 1 (exactly 0 on the margin),
dr/ds = mean_i exp(-s zeta_i - z_i . r) z_i - w_hat, which is exact at every s.
"""

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

from deepdyn_np.data import data_a, data_b, gaussian_separable
from deepdyn_np.errors import NotSeparableError
from deepdyn_np.theory.max_margin import (
    asymptotic_constants,
    degenerate_invariant,
    orthogonal_margins,
    preconditioned_direction,
    regularization_path,
    residual_limit,
    scalar_gd_expansion,
)
from deepdyn_np.theory.svm import hard_margin_svm, multiclass_margin_rows

A, B = data_a(), data_b()
B_COPIES = np.vstack([B, B[[1, 1]]])
NOT_SPANNING = np.array([(2, 0, 0), (0, 2, 0), (3, 3, 1), (4, 1, -2), (2, 5, 0.5)])
ON_A_LINE = np.array([(1, 0), (1, 1), (1, -2), (3, 1)], dtype=float)
EQUAL_DUALS = np.array([(.5, 1.5), (1.5, .5)] * 2 + [(2, 3), (3, 1), (2.5, 2), (1, 3)])
DEGENERATE = np.array([(1, 0), (1, 1)], dtype=float)

seeds = st.integers(0, 2**32 - 1)


def gaussian(n, d, seed, shift):
    return gaussian_separable(n, d, np.random.default_rng(seed), shift)


def slsqp(Z):
    return scipy.optimize.minimize(
        lambda w: w @ w / 2, np.linalg.lstsq(Z, np.ones(len(Z)))[0], jac=lambda w: w,
        constraints={"type": "ineq", "fun": lambda w: Z @ w - 1, "jac": lambda w: Z},
        method="SLSQP", options={"ftol": 1e-16, "maxiter": 1000}).x


def residual_flow(Z, w_hat, s, w0=0.0, n=None, rtol=1e-11):
    """Residuals r at the increasing times ``s``, of the flow that is at w0 at t = 1."""
    zeta = Z @ w_hat - 1
    zeta[abs(zeta) < 1e-7] = 0.0
    n = n or len(Z)

    def velocity(x, r):  # x = log(1 + s), for geometric steps
        s = np.expm1(x)
        return (1 + s) * (Z.T @ np.exp(-s * zeta - Z @ r) / n - w_hat)

    def jacobian(x, r):
        s = np.expm1(x)
        p = np.exp(-s * zeta - Z @ r) / n
        return -(1 + s) * (Z.T * p) @ Z

    x = np.log1p(s)
    result = scipy.integrate.solve_ivp(
        velocity, (0, x[-1]), np.zeros(len(w_hat)) + w0, method="Radau", t_eval=x,
        jac=jacobian, rtol=rtol, atol=1e-12)
    assert result.success
    return result.y.T


def errors_times_s(Z, w_hat, s, r):
    """The margin gap and the direction error at w = w_hat s + r, times s."""
    w = w_hat * s + r
    length, limit = np.linalg.norm(w), np.linalg.norm(w_hat)
    # gamma - min m / |w| and w/|w| - w_hat/|w_hat|, with the large terms taken out by hand
    growth = (2 * s * (w_hat @ r) + r @ r) / (length + s * limit)  # |w| - s |w_hat|
    m = (Z @ w_hat)[:, None] * s + (Z @ r)[:, None]
    i = np.argmin(m)
    gap = (growth / limit - Z[i] @ r - s * (Z[i] @ w_hat - 1)) / length
    direction = (r - w_hat / limit * growth) / length
    return gap * s, np.linalg.norm(direction) * s


# The limit of the residual


@pytest.mark.parametrize("Z, expected", [(A, (0.19005274, -0.14360824)),
                                         (B, (0.26819055, -0.09151637))])
def test_residual_limit_of_data_a_and_b(Z, expected):
    w_tilde, P = residual_limit(Z)
    np.testing.assert_allclose(w_tilde, expected, atol=5e-9)
    np.testing.assert_allclose(P, np.eye(2), atol=1e-14)
    lost_n = residual_limit(Z, n=1)[0]  # exp(-z . w~) = alpha, the factor n forgotten
    error = np.log(len(Z)) * np.linalg.norm([3 / 7, 2 / 7])
    assert np.linalg.norm(lost_n - w_tilde) == pytest.approx(error, rel=1e-12)


@pytest.mark.parametrize("Z", [A, B, B_COPIES, NOT_SPANNING, ON_A_LINE, EQUAL_DUALS,
                               gaussian(40, 10, 1, 0.5), gaussian(100, 20, 2, 0.5),
                               gaussian(30, 60, 3, 0.5)])
@pytest.mark.parametrize("eta", [1.0, 0.2])
def test_residual_limit_row_by_row(Z, eta):
    solution = hard_margin_svm(Z)
    w_tilde, P = residual_limit(Z, eta, solution=solution)
    S = solution.support
    np.testing.assert_allclose(eta / len(Z) * np.exp(-Z[S] @ w_tilde), solution.alpha[S],
                               rtol=1e-9)
    np.testing.assert_allclose(P, P.T, atol=1e-14)
    np.testing.assert_allclose(P @ P, P, atol=1e-13)
    np.testing.assert_allclose(Z[S] @ P, Z[S], atol=1e-12)
    assert np.trace(P) == pytest.approx(np.linalg.matrix_rank(Z[S]))
    np.testing.assert_allclose(P @ w_tilde, w_tilde, atol=1e-12)


@given(seeds, st.integers(3, 25), st.integers(1, 6), st.floats(0.01, 10))
@settings(deadline=None)
def test_residual_limit_minimises_phi(seed, n, d, eta):
    """By scipy, from the margin set of scipy's own solution: no dual is used."""
    Z = gaussian(n, d, seed, 0.5)
    w_hat = slsqp(Z)
    rows = Z[abs(Z @ w_hat - 1) < 1e-7]

    def phi(r):
        p = eta / n * np.exp(-rows @ r)
        return p.sum() + w_hat @ r, w_hat - rows.T @ p

    def hessian(r):
        return (rows.T * (eta / n * np.exp(-rows @ r))) @ rows

    w_tilde, P = residual_limit(Z, eta)
    # A start at a distance, in span(S); the gradient never leaves it.
    start = w_tilde + rows.T @ np.full(len(rows), 0.3) / np.linalg.norm(rows, axis=1).sum()
    found = scipy.optimize.minimize(phi, start, jac=True, hess=hessian, method="trust-exact",
                                    options={"gtol": 1e-10}).x
    scale = 1 + np.linalg.norm(w_tilde)
    value, gradient = phi(w_tilde)
    assert np.linalg.norm(gradient) < 1e-6 * np.linalg.norm(w_hat)
    assert value <= phi(found)[0] + 1e-9 * scale
    assert phi(start)[0] > value


@pytest.mark.parametrize("Z", [A, B, B_COPIES, NOT_SPANNING, ON_A_LINE])
@pytest.mark.parametrize("w0", [0.0, 1.0])
def test_flow_reaches_the_residual_limit(Z, w0):
    w_tilde, P = residual_limit(Z)
    start = w0 * np.arange(1, Z.shape[1] + 1)
    r = residual_flow(Z, slsqp(Z), np.array([100.0, 1000.0]), start)[-1]
    np.testing.assert_allclose(P @ r, w_tilde, atol=1e-8)


def test_off_the_span_the_limit_depends_on_the_start():
    w_tilde, P = residual_limit(NOT_SPANNING)
    np.testing.assert_allclose(w_tilde, [-np.log(5 / 4) / 2] * 2 + [0], atol=1e-14)
    np.testing.assert_allclose(P, np.diag([1, 1, 0]), atol=1e-14)
    w_hat, s = np.array([0.5, 0.5, 0]), np.array([500.0])
    ends = [residual_flow(NOT_SPANNING, w_hat, s, w0)[-1] for w0 in (0.0, np.array([0, 0, 2.0]))]
    assert abs(ends[0][2] - ends[1][2]) > 1
    constants = asymptotic_constants(NOT_SPANNING)
    assert not constants.spanning
    s = np.array([1e6])
    r = residual_flow(NOT_SPANNING, w_hat, s, np.array([0, 0, 2.0]))[-1]
    off_span = constants.gamma * np.linalg.norm(r - P @ r)
    _, measured = errors_times_s(NOT_SPANNING, w_hat, s[0], r)
    assert measured == pytest.approx(np.hypot(constants.D, off_span), rel=1e-5)
    assert measured > 10 * constants.D


def test_gradient_descent_reaches_the_limit_of_its_step():
    eta, w, steps = 0.2, np.zeros(2), 100_000
    for _ in range(steps):
        w = w + eta / 6 * A.T @ np.exp(-A @ w)
    r = w - np.array([3 / 7, 2 / 7]) * np.log(steps)
    assert np.linalg.norm(r - residual_limit(A, eta)[0]) == pytest.approx(3.2e-3, rel=0.1)
    assert np.linalg.norm(r - residual_limit(A)[0]) > 0.5  # the step size forgotten


def test_multiclass_prefactor_is_one_over_the_samples():
    rng = np.random.default_rng(3)
    y = np.arange(12) % 3
    X = rng.normal(size=(12, 4)) + 3 * np.eye(4)[y]
    Z = multiclass_margin_rows(X, y)
    solution = hard_margin_svm(Z)
    S = solution.support
    w_tilde, P = residual_limit(Z, n=12, solution=solution)
    np.testing.assert_allclose(np.exp(-Z[S] @ w_tilde), 12 * solution.alpha[S], rtol=1e-10)
    eigenvalues = np.linalg.eigvalsh((Z.T * solution.alpha) @ Z)
    np.testing.assert_allclose(eigenvalues[-5:], [1, 1.018, 2.418, 7.003, 16.85], rtol=5e-4)

    def cross_entropy_flow(x, r):  # the true loss: softmax, not the sum of exponentials
        s = np.expm1(x)
        F = X @ (solution.w * s + r).reshape(3, 4).T
        log_p = F - scipy.special.logsumexp(F, axis=1, keepdims=True)
        push = np.exp(np.minimum(s + log_p, 700.0)) / 12
        push[range(12), y] = 0
        push[range(12), y] = -push.sum(1)
        return (1 + s) * (-(push.T @ X).ravel() - solution.w)

    end = scipy.integrate.solve_ivp(cross_entropy_flow, (0, np.log1p(600.0)), np.zeros(12),
                                    method="LSODA", rtol=1e-9, atol=1e-10).y[:, -1]
    np.testing.assert_allclose(P @ end, w_tilde, atol=1e-5)
    wrong, _ = residual_limit(Z, solution=solution)  # 1 / (n (C - 1)) as prefactor
    assert np.linalg.norm(wrong - w_tilde) == pytest.approx(np.log(2) / solution.gamma)


# The constants


@pytest.mark.parametrize("Z", [A, B])
def test_constants_of_data_a_and_b(Z):
    c = asymptotic_constants(Z)
    assert c.gamma == pytest.approx(7 / np.sqrt(13), rel=1e-13)
    np.testing.assert_allclose(c.q, [9 / 13, 4 / 13] + [0] * (len(Z) - 2), rtol=1e-13)
    assert c.H - c.H_inf == pytest.approx(4 / 13 * np.log(9 / 4), rel=1e-13)
    assert c.C == pytest.approx(0.48442493, abs=5e-9)
    assert c.D == pytest.approx(0.43665473, abs=5e-9)
    assert c.lambda_min == pytest.approx(36 / 49, rel=1e-13)
    assert c.zeta_min == pytest.approx((Z[2:] @ [3 / 7, 2 / 7]).min() - 1, rel=1e-13)
    assert c.spanning


@pytest.mark.parametrize("Z", [A, B, B_COPIES, ON_A_LINE, gaussian(12, 3, 3, 0.5),
                               gaussian(40, 10, 1, 0.5)])
def test_flow_measures_the_constants(Z):
    c = asymptotic_constants(Z)
    w_hat, s = slsqp(Z), 1e7
    r = residual_flow(Z, w_hat, np.array([s]), rtol=1e-8)[-1]
    gap, direction = errors_times_s(Z, w_hat, s, r)
    off_span = c.gamma * np.linalg.norm(r - residual_limit(Z)[1] @ r)
    assert (off_span < 1e-10) == c.spanning
    assert gap == pytest.approx(c.C, rel=1e-5)
    assert direction == pytest.approx(np.hypot(c.D, off_span), rel=1e-5)
    loss = np.exp(-(Z @ r) - s * np.maximum(Z @ w_hat - 1 - 1e-7, 0)).mean()  # times t
    assert loss * c.gamma**2 == pytest.approx(1, abs=1e-6)


def test_wrong_constants_are_told_apart():
    """The measured gap of B with a row three times refuses the plausible wrong formulas."""
    w_hat, s = np.array([3 / 7, 2 / 7]), 1e7
    r = residual_flow(B_COPIES, w_hat, np.array([s]))[-1]
    gap, _ = errors_times_s(B_COPIES, w_hat, s, r)
    c = asymptotic_constants(B_COPIES)
    assert c.C == pytest.approx(1.14070, abs=5e-6)
    assert gap == pytest.approx(c.C, rel=1e-5)
    wrong = {"dual kept on one row": asymptotic_constants(B).C,
             "entropy alone": c.gamma * c.H,
             "log n": c.gamma * np.log(len(B_COPIES)),
             "base 10": c.C / np.log(10)}
    for name, value in wrong.items():
        assert abs(value / gap - 1) > 0.1, name


@pytest.mark.parametrize("w0", [np.zeros(2), np.array([1.0, -2.0])])
def test_residual_relaxes_with_the_predicted_exponent(w0):
    c = asymptotic_constants(B)
    s = np.linspace(14.7, 26.7, 9)
    r = residual_flow(B, np.array([3 / 7, 2 / 7]), s, w0, rtol=1e-12)
    distance = np.linalg.norm(r - residual_limit(B)[0], axis=1)
    slope = np.polyfit(s, np.log(distance), 1)[0]
    assert slope == pytest.approx(-min(c.lambda_min, c.zeta_min), abs=1e-3)


@given(seeds, st.integers(1, 30), st.integers(1, 12), st.integers(1, 3))
@settings(deadline=None)
def test_constants_of_random_data(seed, n, d, copies):
    Z = np.repeat(gaussian(n, d, seed, 0.5), copies, axis=0)
    solution = hard_margin_svm(Z)
    c = asymptotic_constants(Z, solution=solution)
    values = np.linalg.eigvalsh((Z.T * solution.alpha) @ Z)
    rank = np.linalg.matrix_rank(Z[solution.support])
    assert c.lambda_min == pytest.approx(values[-rank], rel=1e-6, abs=1e-10)
    assert 0 < c.lambda_min <= 1 + 1e-10  # 1 is always an eigenvalue
    assert c.zeta_min > 0
    assert (c.zeta_min == np.inf) == (len(solution.support) == len(Z))
    assert -1e-12 <= c.H - c.H_inf <= np.log(len(Z))
    assert c.q.sum() == pytest.approx(1)
    assert c.spanning == (rank == np.linalg.matrix_rank(Z))
    w, w_tilde = solution.w, residual_limit(Z)[0]
    across = w_tilde - w * (w @ w_tilde) / (w @ w)
    assert c.D == pytest.approx(np.linalg.norm(across) * c.gamma, rel=1e-9, abs=1e-10)


@given(seeds, st.integers(2, 20), st.integers(1, 6), st.floats(1e-3, 1e3))
@settings(deadline=None)
def test_constants_under_a_change_of_scale(seed, n, d, scale):
    Z = gaussian(n, d, seed, 0.5)
    plain, scaled = asymptotic_constants(Z), asymptotic_constants(scale * Z)
    assert scaled.C == pytest.approx(scale * plain.C, rel=1e-9, abs=1e-10 * scale)
    assert scaled.lambda_min == pytest.approx(plain.lambda_min, rel=1e-8)
    # the limit shifts along w_hat only, so the direction does not notice the scale
    assert scaled.D == pytest.approx(plain.D, rel=1e-8, abs=1e-10)


def test_equal_duals_have_no_constants():
    c = asymptotic_constants(EQUAL_DUALS)
    assert c.C == pytest.approx(0, abs=1e-14)
    assert c.D == pytest.approx(0, abs=1e-14)
    assert c.lambda_min == pytest.approx(1 / 4)


# Degenerate data


def test_degenerate_data_are_refused():
    for function in (residual_limit, asymptotic_constants):
        with pytest.raises(ValueError, match=r"row 1 on the margin with dual 0.*log\(log\(t\)\)"):
            function(DEGENERATE)


@given(st.floats(-3, 10), st.floats(-5, 3))
def test_degenerate_invariant_is_conserved(a, b):
    velocity = DEGENERATE.T @ np.exp(-DEGENERATE @ [a, b])
    ahead, behind = (degenerate_invariant(*([a, b] + h * velocity / np.linalg.norm(velocity)))
                     for h in (1e-5, -1e-5))
    assert ahead - behind == pytest.approx(0, abs=1e-12)
    assert degenerate_invariant(a, b + 1e-5) != degenerate_invariant(a, b - 1e-5)


def test_degenerate_residual_grows_like_log_log():
    def velocity(s, w):  # in s = log t, from t = 1
        push = np.exp(s - DEGENERATE @ w) / 2
        return DEGENERATE.T @ push
    s = np.array([0.0, 1e3, 1e4])
    a, b = scipy.integrate.solve_ivp(velocity, (0, s[-1]), [0.2, -0.7], method="LSODA",
                                     t_eval=s, rtol=1e-11, atol=1e-11).y
    np.testing.assert_allclose(degenerate_invariant(a, b), degenerate_invariant(0.2, -0.7),
                               atol=1e-4)  # of terms as large as 1e4
    assert (b[2] - b[1]) / np.diff(np.log(s[1:]))[0] == pytest.approx(1, abs=0.01)
    assert np.ptp(np.exp(b) - a) > 1  # the term b forgotten
    with pytest.raises(ValueError, match="b: expected finite"):
        degenerate_invariant(0, np.nan)


def test_scalar_gradient_descent():
    c, m, t = 0.3, 0.0, np.unique(np.geomspace(1e4, 2e5, 8).astype(int))
    E, k = {}, 0
    for k in range(1, t[-1] + 1):
        m += c * np.exp(-m)
        E[k] = m
    E = np.exp([E[k] for k in t])
    slope = np.polyfit(np.log(t), (E - c * t) / c, 1)[0]
    predicted = np.polyfit(np.log(t), (scalar_gd_expansion(t, c) - c * t) / c, 1)[0]
    assert slope == pytest.approx(predicted, abs=1e-3)
    np.testing.assert_allclose(np.diff(E), np.diff(scalar_gd_expansion(t, c)), atol=2e-4)
    for bad in ({"t": 0, "c": 1.0}, {"t": 5, "c": -1.0}):
        with pytest.raises(ValueError, match="above 0"):
            scalar_gd_expansion(**bad)


# Another geometry

GEOMETRY = np.array([(2, 1, 0), (-1, 2, 1), (5, 3, 1), (4, 6, -2), (2, 7, .5)])
P = np.diag([1.0, 9.0, 4.0])


def test_preconditioned_direction_is_the_margin_of_another_norm():
    w = preconditioned_direction(GEOMETRY, P)
    found = scipy.optimize.minimize(
        lambda v: v @ np.linalg.solve(P, v) / 2, np.ones(3),
        constraints={"type": "ineq", "fun": lambda v: GEOMETRY @ v - 1},
        method="SLSQP", options={"ftol": 1e-15, "maxiter": 1000}).x
    np.testing.assert_allclose(w, found / np.linalg.norm(found), atol=1e-7)
    plain = hard_margin_svm(GEOMETRY)
    assert np.linalg.norm(w - plain.gamma * plain.w) == pytest.approx(0.3365, abs=5e-5)


def test_preconditioned_flow_goes_there():
    def velocity(s, w):
        return P @ GEOMETRY.T @ np.exp(s - GEOMETRY @ w) / 5
    w = scipy.integrate.solve_ivp(velocity, (0, 2000), np.zeros(3), method="LSODA",
                                  rtol=1e-9, atol=1e-9).y[:, -1]
    w /= np.linalg.norm(w)
    assert np.linalg.norm(w - preconditioned_direction(GEOMETRY, P)) < 1e-3


@given(seeds, st.integers(2, 20), st.integers(1, 6))
@settings(deadline=None)
def test_preconditioning_by_the_identity_and_of_fixed_directions(seed, n, d):
    Z, rng = gaussian(n, d, seed, 0.5), np.random.default_rng(seed)
    solution = hard_margin_svm(Z)
    np.testing.assert_allclose(preconditioned_direction(Z, 3 * np.eye(d)),
                               solution.gamma * solution.w, atol=1e-9)
    # the trap: where d rows are on the margin in both metrics the direction is the same
    np.testing.assert_allclose(preconditioned_direction(B, np.diag(rng.uniform(0.8, 1.2, 2))),
                               np.array([3, 2]) / np.sqrt(13), atol=1e-12)


@pytest.mark.parametrize("metric, message", [
    (np.ones(3), "P: expected"), (np.eye(2), r"P: expected shape \(3, 3\)"),
    (-np.eye(3), "positive definite"), (np.ones((3, 3)), "positive definite"),
    (np.eye(3) + np.eye(3, k=1) / 2, "symmetric")])
def test_bad_metric(metric, message):
    with pytest.raises(ValueError, match=message):
        preconditioned_direction(GEOMETRY, metric)


# Orthogonal rows


def orthogonal_rows(seed=1):
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    norms = np.array([1, 1.7, 0.6, 1.2])
    return norms[:, None] * Q, norms, rng.normal(size=4)


@pytest.mark.parametrize("loss, push", [
    ("exponential", lambda m: np.exp(-m)), ("logistic", lambda m: scipy.special.expit(-m))])
def test_orthogonal_margins_are_those_of_the_flow(loss, push):
    Z, norms, w0 = orthogonal_rows()
    t = np.array([1e-3, 1, 30, 1e3, 1e5])
    w = scipy.integrate.solve_ivp(lambda t, w: Z.T @ push(Z @ w) / 4, (0, t[-1]), w0,
                                  method="LSODA", t_eval=t, rtol=1e-10, atol=1e-12).y
    m = orthogonal_margins(Z @ w0, norms, np.log(t), loss)
    np.testing.assert_allclose(m, (Z @ w).T, atol=1e-6)
    np.testing.assert_allclose(orthogonal_margins(Z @ w0, norms, -np.inf, loss), Z @ w0,
                               atol=1e-14)


def test_logistic_margins_are_wrights_omega():
    m0 = np.linspace(-1000, 600, 161)
    log_t = np.concatenate([np.linspace(-60, 600, 100), np.log(np.linspace(900, 1100, 300))])
    norms = np.full(161, np.sqrt(161))
    c = m0 + np.exp(m0) + np.exp(log_t)[:, None]
    x = scipy.special.wrightomega(c)  # x + log x = c, so m = log x = c - x
    expected = np.where(c > 0, np.log(np.maximum(x, 1e-300)), c - x)
    m = orthogonal_margins(m0, norms, log_t, "logistic")
    np.testing.assert_allclose(m, expected, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("loss", ["exponential", "logistic"])
def test_orthogonal_margins_at_ten_to_the_million(loss):
    norms, m0, log_t = np.array([1, 1.7, .6]), np.array([0, -3, 2.0]), 2303.0 * 1000
    expected = 2 * np.log(norms) - np.log(3) + log_t  # the start is long forgotten
    np.testing.assert_allclose(orthogonal_margins(m0, norms, log_t, loss), expected, rtol=1e-15)
    # a start that is as large still counts
    both = orthogonal_margins(expected, norms, log_t, loss)
    np.testing.assert_allclose(both, expected + np.log(2), rtol=1e-15)


def test_orthogonal_margins_broadcast():
    m0, norms = np.zeros((5, 3)), np.ones(3)
    assert orthogonal_margins(m0[0], norms, 1.0).shape == (3,)
    assert orthogonal_margins(m0[0], norms, np.zeros(7)).shape == (7, 3)
    assert orthogonal_margins(m0, norms, np.zeros((7, 1)), "logistic").shape == (7, 5, 3)


@pytest.mark.parametrize("change, message", [
    ({"norms": [1, 0]}, "norms: expected a number above 0"),
    ({"norms": [1, 2, 3]}, "norms: expected shape"),
    ({"m0": [0, np.nan]}, "m0: expected finite"),
    ({"log_t": np.nan}, "log_t"), ({"log_t": np.inf}, "Pass the logarithm itself"),
    ({"loss": "square"}, "loss: expected 'exponential' or 'logistic', got 'square'")])
def test_orthogonal_margins_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        orthogonal_margins(**({"m0": [0, 1], "norms": [1, 2], "log_t": 1.0} | change))


# The regularisation path


@pytest.mark.parametrize("Z", [B, gaussian(30, 5, 0, 0.3),
                               np.random.default_rng(0).normal(size=(60, 3))])
@pytest.mark.parametrize("lam", [10.0, 1.0, 1e-2, 1e-4])
def test_path_against_scipy(Z, lam):
    def objective(w):
        p = np.exp(-Z @ w) / len(Z)
        return p.sum() + lam / 2 * w @ w, -Z.T @ p + lam * w
    w = regularization_path(Z, -np.log(lam))
    expected = scipy.optimize.minimize(objective, np.zeros(Z.shape[1]), jac=True, method="BFGS",
                                       options={"gtol": 1e-12}).x
    np.testing.assert_allclose(w, expected, rtol=1e-5, atol=1e-7)
    assert np.linalg.norm(objective(w)[1]) < 1e-12


@given(seeds, st.integers(1, 30), st.integers(1, 8), st.floats(-20, 1e3))
@settings(deadline=None)
def test_path_is_stationary(seed, n, d, level):
    Z = gaussian(n, d, seed, 0.3)
    w = regularization_path(Z, level)
    back = Z.T @ np.exp(level - np.log(n) - Z @ w)
    np.testing.assert_allclose(w, back, rtol=1e-8, atol=1e-9 * (np.linalg.norm(w) + 1e-300))


def test_path_has_the_entropy_constant():
    c = asymptotic_constants(B)
    log_inv_lambda = np.array([300 * np.log(10), 1e4, 1e6])
    w = regularization_path(B, log_inv_lambda)
    least = (w @ B.T).min(1)
    gap = (c.gamma - least / np.linalg.norm(w, axis=1)) * least
    assert gap[0] == pytest.approx(0.483557, abs=1e-6)
    assert gap[0] == pytest.approx(c.C, abs=2e-3)
    assert gap[2] == pytest.approx(c.C, abs=2e-6)
    assert abs(gap - c.C)[0] > abs(gap - c.C)[1] > abs(gap - c.C)[2]


def test_path_does_not_depend_on_the_way_there():
    Z, levels = gaussian(20, 4, 0, 0.3), np.array([[500.0, -3.0], [7.0, 7.0], [1e5, 60.0]])
    together = regularization_path(Z, levels)
    assert together.shape == (3, 2, 4)
    for index, level in np.ndenumerate(levels):
        np.testing.assert_allclose(together[index], regularization_path(Z, level), rtol=1e-10)


@pytest.mark.parametrize("levels, message", [
    (np.nan, "finite"), (1e7, r"Pass log\(1 / lambda\)"), ("a", "log_inv_lambda: expected num")])
def test_path_bad_input(levels, message):
    with pytest.raises(ValueError, match=message):
        regularization_path(B, levels)


# Bad input of the rest


@pytest.mark.parametrize("function", [residual_limit, asymptotic_constants,
                                      lambda Z, **k: preconditioned_direction(Z, np.eye(2), **k),
                                      lambda Z, **k: regularization_path(Z, 1.0, **k)])
@pytest.mark.parametrize("Z", [[1.0, 2.0], [[1.0, np.inf]], np.ones((2, 2, 2))])
def test_rows_are_checked(function, Z):
    with pytest.raises(ValueError, match="Z: expected"):
        function(Z)


def test_residual_limit_bad_input():
    with pytest.raises(NotSeparableError):
        residual_limit(np.random.default_rng(0).normal(size=(60, 3)))
    with pytest.raises(ValueError, match="eta: expected a number above 0, got -1"):
        residual_limit(B, -1)
    with pytest.raises(ValueError, match="eta: expected one step size"):
        residual_limit(B, np.ones(2))
    with pytest.raises(ValueError, match="n: expected a number above 0"):
        residual_limit(B, n=0)
    with pytest.raises(ValueError, match="solution: expected the hard_margin_svm of these rows"):
        residual_limit(B, solution=hard_margin_svm(A))
