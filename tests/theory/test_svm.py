"""The hard-margin SVM: its certificate, three independent solvers, real data, no solution."""

import time
import warnings

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from deepdyn_np.data import data_a, data_b, gaussian_classes, gaussian_separable
from deepdyn_np.errors import NotSeparableError
from deepdyn_np.theory.svm import (
    HardMargin,
    _certify,
    _polish,
    hard_margin_svm,
    multiclass_margin_rows,
)

A, B = data_a(), data_b()

# Margins of Gaussian data (n, d), seed 0, shift 0.3.
GAMMA = {(10, 2): 0.528328853, (30, 5): 0.531043883, (50, 20): 0.531994556,
         (200, 10): 0.343778380, (40, 100): 1.718054477, (500, 30): 0.357567742}
# Support vectors and margins of Gaussian classes (n, d, C).
MULTICLASS = {(12, 4, 3): (5, 0.888644), (30, 20, 4): (31, 1.315526), (60, 30, 5): (64, 1.045068)}

seeds = st.integers(0, 2**32 - 1)


def gaussian(n, d, seed, shift):
    return gaussian_separable(n, d, np.random.default_rng(seed), shift)


def digits(a, b):
    from sklearn.datasets import load_digits
    X, y = load_digits(return_X_y=True)
    rows = (y == a) | (y == b)
    return np.where(y[rows] == a, 1, -1)[:, None] * X[rows] / 16


def slsqp(Z):
    result = scipy.optimize.minimize(
        lambda w: w @ w / 2, np.linalg.lstsq(Z, np.ones(len(Z)))[0], jac=lambda w: w,
        constraints={"type": "ineq", "fun": lambda w: Z @ w - 1, "jac": lambda w: Z},
        method="SLSQP", options={"ftol": 1e-16, "maxiter": 1000})
    return result.x


def distance_programming(Z):
    """The same geometry, but solved by scipy."""
    E = np.vstack([Z.T, np.ones(len(Z))])
    f = np.eye(len(E))[-1]
    r = E @ scipy.optimize.nnls(E, f, maxiter=100 * len(Z))[0] - f
    return r[:-1] / -r[-1]


def relative_distance(w, expected):
    return np.linalg.norm(w - expected) / np.linalg.norm(expected)


def assert_no_margin(error, Z):
    u = error.certificate
    assert u.shape == (len(Z),)
    assert u.min() >= 0
    assert u.sum() == pytest.approx(1, abs=1e-14)
    assert np.linalg.norm(Z.T @ u) <= 1e-14 * np.linalg.norm(Z, axis=1).max()


# Exact solutions


def test_data_b_exactly():
    solution = hard_margin_svm(B)
    assert isinstance(solution, HardMargin)
    np.testing.assert_allclose(solution.w, [3 / 7, 2 / 7], rtol=1e-14)
    np.testing.assert_allclose(solution.alpha, [9 / 49, 4 / 49, 0, 0, 0], rtol=1e-14)
    np.testing.assert_array_equal(solution.support, [0, 1])
    assert solution.gamma == pytest.approx(7 / np.sqrt(13), rel=1e-14)
    np.testing.assert_allclose(B @ solution.w, [1, 1, 20 / 7, 3, 20 / 7], rtol=1e-14)


def test_data_a_has_the_same_solution():
    solution = hard_margin_svm(A)
    np.testing.assert_allclose(solution.w, [3 / 7, 2 / 7], rtol=1e-14)
    np.testing.assert_allclose(solution.alpha[:2], [9 / 49, 4 / 49], rtol=1e-14)
    np.testing.assert_array_equal(solution.alpha[2:], 0)


def test_one_row():
    solution = hard_margin_svm([[3.0, 4.0]])
    np.testing.assert_allclose(solution.w, [3 / 25, 4 / 25], rtol=1e-15)
    assert solution.gamma == pytest.approx(5, rel=1e-15)


# The certificate


@pytest.mark.parametrize("n, d", GAMMA)
def test_certificate_and_margin(n, d):
    solution = hard_margin_svm(gaussian(n, d, 0, 0.3))
    assert solution.certificate.worst <= 1e-12
    assert solution.gamma == pytest.approx(GAMMA[n, d], abs=1e-9)


@pytest.mark.parametrize("w, alpha, expected", [
    # data B has |w_hat|^2 = sum(alpha) = 13/49
    ((3 / 7 - 0.1, 2 / 7), (9, 4, 0, 0, 0), {"primal": 0.3, "complementarity": 0.3 * 4 / 13}),
    ((3 / 7, 2 / 7), (9, 4, -1, 0, 0), {"dual": -1 / 12}),
    ((3 / 7, 2 / 7), (9, 4, 0, 1, 0), {"complementarity": 2 / 14, "stationarity": 1 / 13**0.5}),
    ((6 / 7, 4 / 7), (9, 4, 0, 0, 0), {"stationarity": 1 / 2, "gap": 3 / 8}),
    ((3 / 7, 2 / 7), (0, 1e-9, 0, 0, 0), {"gap": 1 / 2, "stationarity": 1}),
])
def test_each_number_of_the_certificate(w, alpha, expected):
    certificate = _certify(B, np.array(w), np.array(alpha) / 49)
    for name, value in expected.items():
        assert getattr(certificate, name) == pytest.approx(value, rel=1e-6), name
    assert certificate.worst >= max(abs(value) for value in expected.values()) * (1 - 1e-6)


@given(seeds, st.integers(1, 60), st.integers(1, 30), st.floats(0.02, 2))
@settings(deadline=None)
def test_certificate_of_random_data(seed, n, d, shift):
    Z = gaussian(n, d, seed, shift)
    solution = hard_margin_svm(Z)
    assert solution.certificate.worst <= 1e-12
    np.testing.assert_array_equal(solution.support, np.flatnonzero(solution.alpha > 0))
    assert (Z @ solution.w).min() / np.linalg.norm(solution.w) == pytest.approx(solution.gamma)
    assert solution.alpha.sum() == pytest.approx(solution.gamma**-2, rel=1e-12)


# Independent solvers


@pytest.mark.parametrize("n, d", GAMMA)
def test_against_scipy(n, d):
    Z = gaussian(n, d, 0, 0.3)
    w = hard_margin_svm(Z).w
    assert relative_distance(w, distance_programming(Z)) < 1e-10
    assert relative_distance(w, slsqp(Z)) < 1e-10


@pytest.mark.parametrize("n, d", GAMMA)
def test_against_scikit_learn(n, d):
    from sklearn.svm import SVC
    Z = gaussian(n, d, 0, 0.3)
    both = SVC(kernel="linear", C=1e10, tol=1e-12)  # the mirrored points force the bias to 0
    both.fit(np.vstack([Z, -Z]), np.repeat([1, -1], n))
    assert relative_distance(hard_margin_svm(Z).w, both.coef_[0]) < 1e-6


def test_a_little_weight_decay_is_not_the_svm():
    """The tolerance above rejects the plausible wrong solver by eight orders of magnitude."""
    def objective(w):
        p = np.exp(-B @ w) / len(B)
        return p.sum() + 1e-5 / 2 * w @ w, -B.T @ p + 1e-5 * w
    w = scipy.optimize.minimize(objective, np.zeros(2), jac=True, tol=1e-14).x
    expected = hard_margin_svm(B).w
    error = np.linalg.norm(w / np.linalg.norm(w) - expected / np.linalg.norm(expected))
    assert error == pytest.approx(0.0399, abs=1e-4)


# Symmetries


@given(seeds, st.integers(2, 30), st.integers(1, 10), st.integers(-150, 150))
@settings(deadline=None)
def test_scale(seed, n, d, exponent):
    Z, c = gaussian(n, d, seed, 0.5), 10.0**exponent
    small, scaled = hard_margin_svm(Z), hard_margin_svm(c * Z)
    np.testing.assert_allclose(scaled.w * c, small.w, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(scaled.alpha * c * c, small.alpha, rtol=1e-7, atol=1e-10)
    assert scaled.gamma == pytest.approx(c * small.gamma, rel=1e-10)
    assert scaled.certificate.worst < 1e-12


@given(seeds, st.integers(2, 30), st.integers(1, 10))
@settings(deadline=None)
def test_rotation_and_order(seed, n, d):
    Z, rng = gaussian(n, d, seed, 0.5), np.random.default_rng(seed)
    Q, order = np.linalg.qr(rng.normal(size=(d, d)))[0], rng.permutation(n)
    plain, turned = hard_margin_svm(Z), hard_margin_svm(Z[order] @ Q)
    np.testing.assert_allclose(turned.w, plain.w @ Q, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(turned.alpha, plain.alpha[order], rtol=1e-7, atol=1e-9)


# Duals that are not unique


@given(seeds, st.integers(2, 20), st.integers(1, 8), st.integers(2, 4))
@settings(deadline=None)
def test_identical_rows_share_their_dual_equally(seed, n, d, copies):
    Z = gaussian(n, d, seed, 0.5)
    once, many = hard_margin_svm(Z), hard_margin_svm(np.repeat(Z, copies, axis=0))
    np.testing.assert_allclose(many.w, once.w, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(many.alpha, np.repeat(once.alpha, copies) / copies,
                               rtol=1e-7, atol=1e-10)
    assert many.certificate.worst < 1e-12


def test_unequal_copies():
    solution = hard_margin_svm(np.vstack([B, B[[1, 1]]]))
    np.testing.assert_allclose(solution.alpha * 49, [9, 4 / 3, 0, 0, 0, 4 / 3, 4 / 3], rtol=1e-12)
    np.testing.assert_array_equal(solution.support, [0, 1, 5, 6])


def test_points_on_a_line_carry_the_duals_of_largest_entropy():
    np.testing.assert_allclose(hard_margin_svm([[1, 0], [1, 1], [1, -1]]).alpha, 1 / 3, rtol=1e-13)
    solution = hard_margin_svm([[1, 0], [1, 1], [1, -2]])
    # Duals (1 - a - b, a, b) with a = 2 b and largest entropy: alpha_i = exp(-mu - nu x_i).
    b = scipy.optimize.minimize_scalar(
        lambda b: np.sum([p * np.log(p) for p in (1 - 3 * b, 2 * b, b)]),
        bounds=(1e-9, 1 / 3 - 1e-9), method="bounded", options={"xatol": 1e-12}).x
    np.testing.assert_allclose(solution.alpha, [1 - 3 * b, 2 * b, b], atol=1e-7)


@pytest.mark.parametrize("rest", [[(1, 1)], [(1, 1), (1, 2), (1, 3)], [(1, 1), (1, 1), (2, 0)]])
def test_a_margin_point_that_no_dual_can_hold_is_no_support_vector(rest):
    solution = hard_margin_svm(np.array([(1, 0)] + rest, dtype=float))
    np.testing.assert_allclose(solution.w, [1, 0], atol=1e-14)
    np.testing.assert_array_equal(solution.support, [0])
    np.testing.assert_array_equal(solution.alpha[1:], 0)


@given(seeds, st.integers(2, 6))
@settings(deadline=None)
def test_rounding_noise_is_no_support(seed, d):
    """Margin points with dual 0, turned so that their duals come out as plus or minus 1e-16."""
    rng = np.random.default_rng(seed)
    Z = np.eye(d)
    Z[1:, 0] = 1  # (1, 0, ...), (1, 1, 0, ...), (1, 0, 1, 0, ...), ...
    Z = Z @ np.linalg.qr(rng.normal(size=(d, d)))[0]
    _, support, alpha = _polish(Z, np.arange(d))  # all of them proposed
    np.testing.assert_array_equal(support, [0])
    np.testing.assert_allclose(alpha, np.eye(d)[0], atol=1e-14)
    solution = hard_margin_svm(Z)
    np.testing.assert_array_equal(solution.support, [0])
    assert solution.gamma == pytest.approx(1, rel=1e-12)


def test_badly_scaled_features_keep_their_margins():
    for seed in range(40):
        solution = hard_margin_svm(gaussian(40, 15, seed, 0.3) * 10.0**-np.linspace(0, 5, 15))
        assert solution.certificate.primal < 2e-14
        assert solution.certificate.worst < 1e-10


@given(seeds, st.integers(1, 12), st.integers(1, 4))
@settings(deadline=None, max_examples=300)
def test_small_integers(seed, n, d):
    """Ties, duplicates and dependent support vectors, decided by linear programming."""
    Z = np.random.default_rng(seed).integers(-1, 4, size=(n, d)).astype(float)
    separable = scipy.optimize.linprog(np.zeros(d), -Z, -np.ones(n), bounds=(None, None)).success
    if not separable:
        with pytest.raises(NotSeparableError) as info:
            hard_margin_svm(Z)
        assert_no_margin(info.value, Z)
        return
    solution = hard_margin_svm(Z)
    w, alpha, support = solution.w, solution.alpha, solution.support
    assert solution.certificate.worst < 1e-12
    assert relative_distance(w, distance_programming(Z)) < 1e-9
    # Largest entropy: log alpha lies in the span of the support rows' inner products ...
    residual = Z[support] @ np.linalg.pinv(Z[support]) @ np.log(alpha[support])
    np.testing.assert_allclose(residual, np.log(alpha[support]), atol=1e-8)
    # ... and no dual solution at all puts weight on another row.
    margin = np.flatnonzero(abs(Z @ w - 1) < 1e-9)
    for i in np.setdiff1d(margin, support):
        most = scipy.optimize.linprog(-(margin == i).astype(float), A_eq=Z[margin].T, b_eq=w)
        assert -most.fun < 1e-7


# No solution


def test_gaussian_noise_is_not_separable():
    Z = np.random.default_rng(0).normal(size=(60, 3))
    with pytest.raises(NotSeparableError, match="Were the labels multiplied in") as info:
        hard_margin_svm(Z)
    assert_no_margin(info.value, Z)


def test_xor_is_not_separable():
    X = np.array([(1, 1), (1, -1), (-1, 1), (-1, -1)])
    Z = X.prod(1)[:, None] * X
    with pytest.raises(ValueError) as info:
        hard_margin_svm(Z)
    assert_no_margin(info.value, Z)


@pytest.mark.parametrize("Z", [[[0.0, 0.0]], [[1, 2], [0, 0]], [[1, 2], [-1, -2]]])
def test_zero_rows_and_opposite_rows(Z):
    with pytest.raises(NotSeparableError) as info:
        hard_margin_svm(Z)
    assert_no_margin(info.value, np.array(Z, dtype=float))


def test_labels_left_inside_are_pointed_at():
    rng = np.random.default_rng(0)
    y = rng.choice([-1.0, 1.0], size=40)
    X = rng.normal(size=(40, 2))
    with pytest.raises(NotSeparableError, match="Column 2 holds only -1 and"):
        hard_margin_svm(np.column_stack([X, y]))
    with pytest.raises(NotSeparableError, match="Column 0 holds only -1 and"):
        hard_margin_svm(y[:, None])


@pytest.mark.parametrize("margin, outcome", [
    (1e-5, "silent"), (1e-8, "warns"), (2e-10, "warns"), (5e-11, "raises"), (0.0, "raises")])
def test_nearly_not_separable(margin, outcome):
    Z = np.array([[1, margin], [-1, margin]])
    if outcome == "raises":
        with pytest.raises(NotSeparableError):
            hard_margin_svm(Z)
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        solution = hard_margin_svm(Z)
    assert len(caught) == (outcome == "warns")
    assert all("nearly not separable" in str(w.message) for w in caught)
    assert relative_distance(solution.w, [0, 1 / margin]) < 1e-9
    assert solution.gamma == pytest.approx(margin, rel=1e-9)


@pytest.mark.parametrize("Z, message", [
    ([1.0, 2.0], r"Z: expected a non-empty array .* use x\[None, :\]"),
    (np.ones((2, 3, 4)), "Z: expected one real matrix"),
    (np.ones((3, 2)) * 1j, "Z: expected one real matrix"),
    ([[1, np.nan]], "Z: expected finite numbers, got nan"),
    (np.ones((0, 3)), "Z: expected a non-empty"),
    ([["a", "b"]], "Z: expected numbers"),
])
def test_bad_input(Z, message):
    with pytest.raises(ValueError, match=message):
        hard_margin_svm(Z)


# More than two classes


@given(seeds, st.integers(2, 5), st.integers(1, 4))
@settings(deadline=None)
def test_rows_give_the_pairwise_margins(seed, C, d):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.append(np.arange(C), rng.integers(C, size=5)))
    X, W = rng.normal(size=(len(y), d)), rng.normal(size=(C, d))
    rows = multiclass_margin_rows(X, y)
    assert rows.shape == (len(y) * (C - 1), C * d)
    expected = [(W[k] - W[c]) @ x for x, k in zip(X, y) for c in range(C) if c != k]
    np.testing.assert_allclose(rows @ W.ravel(), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("n, d, C", MULTICLASS)
def test_multiclass_svm(n, d, C):
    Z = multiclass_margin_rows(*gaussian_classes(n, d, C, np.random.default_rng(3)))
    solution = hard_margin_svm(Z)
    support_vectors, gamma = MULTICLASS[n, d, C]
    assert len(solution.support) == support_vectors
    assert solution.gamma == pytest.approx(gamma, abs=1e-6)
    assert solution.certificate.worst < 1e-12
    assert relative_distance(solution.w, slsqp(Z)) < 1e-10
    assert abs(solution.w.reshape(C, d).sum(0)).max() < 1e-12


def test_two_classes_are_the_binary_problem():
    rng = np.random.default_rng(5)
    X, y = gaussian(20, 4, 5, 0.5), rng.integers(2, size=20)
    y[:2] = 0, 1
    X = (2 * y - 1)[:, None] * X
    binary = hard_margin_svm((2 * y - 1)[:, None] * X)
    W = hard_margin_svm(multiclass_margin_rows(X, y)).w.reshape(2, 4)
    np.testing.assert_allclose(W[0], -W[1], atol=1e-14)
    np.testing.assert_allclose(W[1] - W[0], binary.w, rtol=1e-10)
    assert np.linalg.norm(W) == pytest.approx(np.linalg.norm(binary.w) / np.sqrt(2))


@pytest.mark.parametrize("y, message", [
    ([0, 1, 3, 0], "no sample of class 2"),
    ([0, 0, 0, 0], "at least two classes"),
    ([-1, 1, 1, -1], r"the value -1.0. Labels -1 and \+1 become 0 and 1"),
    ([0, 1, 0.5, 1], "the value 0.5"),
    ([0, 1, 10**9, 1], "the value 1000000000.0"),
    ([0, 1], r"shape \(4,\)"),
    (np.eye(4), "One-hot|one-hot"),
    ([0, 1, np.nan, 1], "nan"),
])
def test_bad_labels(y, message):
    with pytest.raises(ValueError, match=message):
        multiclass_margin_rows(np.ones((4, 2)), y)


# Real data


@pytest.mark.parametrize("a, b, support_vectors, gamma", [(3, 8, 29, 0.2074404),
                                                          (0, 1, 16, 0.5849450)])
def test_digits(a, b, support_vectors, gamma):
    solution = hard_margin_svm(digits(a, b))
    assert len(solution.support) == support_vectors
    assert solution.gamma == pytest.approx(gamma, abs=1e-7)
    assert solution.certificate.worst < 1e-9


@pytest.mark.parametrize("a, b, support_vectors, gamma", [
    (0, 1, 33, 1.19671), (3, 8, 142, 0.215279), (4, 9, 129, 0.196701)])
def test_mnist_pairs_within_three_seconds_of_one_core(a, b, support_vectors, gamma):
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    from deepdyn_np.data import mnist5k
    mnist = mnist5k()
    rows = (mnist.y == a) | (mnist.y == b)
    Z = np.where(mnist.y[rows] == a, 1, -1)[:, None] * mnist.X[rows]
    assert Z.shape == (1000, 784)
    with threadpool_limits(1):
        start = time.process_time()
        solution = hard_margin_svm(Z)
        assert time.process_time() - start < 3
    assert len(solution.support) == support_vectors
    assert solution.gamma == pytest.approx(gamma, rel=1e-5)
    assert solution.certificate.worst < 1e-10
