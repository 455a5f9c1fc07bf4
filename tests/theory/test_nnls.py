"""Non-negative least squares against scipy, its KKT conditions, and data that make it cycle."""

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from deepdyn_np.theory.svm import nnls

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 30)


def kkt_violation(A, b, x):
    """How far x is from optimal: x >= 0, g >= 0, x * g = 0 for the gradient g."""
    g = A.T @ (A @ x - b)
    scale = np.linalg.norm(A, axis=0).max() * np.linalg.norm(b) + 1e-300
    return max(-x.min(), -g.min() / scale, abs(x * g).max() / (scale * (1 + x.max())))


@given(seeds, sizes, sizes)
@settings(deadline=None)
def test_agrees_with_scipy(seed, m, n):
    rng = np.random.default_rng(seed)
    A, b = rng.normal(size=(m, n)), rng.normal(size=m)
    x, (expected, height) = nnls(A, b), scipy.optimize.nnls(A, b)
    assert kkt_violation(A, b, x) < 1e-12
    assert np.linalg.norm(A @ x - b) == pytest.approx(height, abs=1e-10)
    if m >= n:  # the minimiser is unique
        np.testing.assert_allclose(x, expected, rtol=1e-8, atol=1e-10)


@given(seeds, st.integers(1, 8), sizes)
@settings(deadline=None, max_examples=300)
def test_small_integers_with_ties_and_duplicates(seed, m, n):
    rng = np.random.default_rng(seed)
    A, b = rng.integers(-2, 3, size=(m, n)).astype(float), rng.integers(-3, 4, size=m) * 1.0
    x = nnls(A, b)
    assert kkt_violation(A, b, x) < 1e-12
    assert np.linalg.matrix_rank(A[:, x > 0]) == (x > 0).sum()


@pytest.mark.parametrize("copies", [2, 5])
@pytest.mark.parametrize("jitter", [0.0, 1e-16, 1e-14, 1e-12, 1e-8])
def test_duplicated_columns_do_not_cycle(copies, jitter):
    rng = np.random.default_rng(0)
    A, b = rng.normal(size=(20, 12)), rng.normal(size=20)
    many = np.tile(A, copies) * (1 + jitter * rng.normal(size=(20, 12 * copies)))
    height = np.linalg.norm(A @ nnls(A, b) - b)
    assert np.linalg.norm(many @ nnls(many, b) - b) == pytest.approx(height, abs=1e-6)
    assert kkt_violation(many, b, nnls(many, b)) < 1e-12


def test_columns_that_depend_on_a_full_passive_set_are_refused():
    for seed in range(200):  # the residual is 0 up to rounding, and noise asks for more columns
        rng = np.random.default_rng(seed)
        m = rng.integers(1, 15)
        A, b = rng.normal(size=(m, 3 * m)), rng.normal(size=m)
        x = nnls(A, b)
        assert kkt_violation(A, b, x) < 1e-12
        assert np.linalg.matrix_rank(A[:, x > 0]) == (x > 0).sum()


def test_exact_fit_and_nothing_to_fit():
    A = np.eye(3)
    np.testing.assert_array_equal(nnls(A, [1, 2, 3]), [1, 2, 3])
    np.testing.assert_array_equal(nnls(A, [-1, 2, -3]), [0, 2, 0])
    np.testing.assert_array_equal(nnls(A, np.zeros(3)), np.zeros(3))
    np.testing.assert_array_equal(nnls(np.zeros((3, 2)), np.ones(3)), np.zeros(2))


@pytest.mark.parametrize("A, b, message", [
    (np.ones(3), np.ones(3), "A: expected"),
    (np.ones((2, 3, 4)), np.ones(3), "A: expected one real matrix"),
    (np.ones((3, 2)) * 1j, np.ones(3), "A: expected one real matrix"),
    (np.full((3, 2), np.nan), np.ones(3), "A: expected finite"),
    (np.ones((3, 2)), np.ones(2), r"b: expected a real vector of shape \(3,\)"),
    (np.ones((3, 2)), [1, np.inf, 1], "b: expected finite"),
    (np.ones((0, 2)), np.ones(0), "A: expected a non-empty"),
])
def test_bad_input(A, b, message):
    with pytest.raises(ValueError, match=message):
        nnls(A, b)
