"""Spectra against matrices that are built from known singular values, and Eckart and Young."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import few, seeds

from deepdyn_np.measures import effective_rank, singular_values, spectral_tail, stable_rank

shapes = st.tuples(st.integers(1, 7), st.integers(1, 7))


def with_spectrum(rng, shape, sigma):
    """A matrix of this shape with these singular values and random singular vectors."""
    U, V = (np.linalg.qr(rng.normal(size=(k, k)))[0][:, : len(sigma)] for k in shape)
    return (U * sigma) @ V.T


@given(seed=seeds, shape=shapes)
@few(40)
def test_the_measures_of_a_matrix_with_a_known_spectrum(seed, shape):
    rng = np.random.default_rng(seed)
    sigma = np.sort(10.0 ** rng.uniform(-3, 3, size=min(shape)))[::-1]
    W = with_spectrum(rng, shape, sigma)
    np.testing.assert_allclose(singular_values(W), sigma, atol=1e-12 * sigma[0])
    threshold = 10.0 ** rng.uniform(-4, -0.1)
    clear = np.abs(sigma / sigma[0] / threshold - 1).min() > 1e-9
    if clear:
        assert effective_rank(W, threshold) == sum(x > threshold * max(sigma) for x in sigma)
    assert stable_rank(W) == pytest.approx(sum(sigma**2) / sigma[0] ** 2, rel=1e-10)
    assert 1 <= stable_rank(W) <= min(shape) * (1 + 1e-12)
    for r in range(min(shape) + 3):
        expected = np.sqrt(sum(sigma[r:] ** 2) / sum(sigma**2))
        assert spectral_tail(W, r) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(seed=seeds)
@few(20)
def test_the_tail_is_the_distance_to_low_rank_and_no_random_matrix_is_closer(seed):
    rng = np.random.default_rng(seed)
    W, r = rng.normal(size=(6, 5)), int(rng.integers(1, 5))
    U, sigma, Vt = np.linalg.svd(W)
    best = (U[:, :r] * sigma[:r]) @ Vt[:r]
    tail = spectral_tail(W, r)
    assert tail == pytest.approx(np.linalg.norm(W - best) / np.linalg.norm(W), rel=1e-10)
    left = best @ np.linalg.pinv(best) + 0.05 * rng.normal(size=(6, 6))
    nearby = left @ best  # of rank r, near the best one
    assert np.linalg.norm(W - nearby) / np.linalg.norm(W) >= tail


def test_a_tail_far_below_rounding_of_the_whole_is_not_lost():
    assert spectral_tail(np.diag([1, 1e-14, 1e-20]), 2) == pytest.approx(1e-20, rel=1e-12)


def test_ensembles_and_several_ranks():
    W = np.random.default_rng(0).normal(size=(2, 3, 5, 4))
    tails = spectral_tail(W, [0, 2, 9])
    assert tails.shape == (2, 3, 3) and singular_values(W).shape == (2, 3, 4)
    np.testing.assert_array_equal(tails[..., 2], 0)
    np.testing.assert_allclose(tails[..., 0], 1, rtol=1e-15)
    for i in np.ndindex(2, 3):
        assert tails[i][1] == pytest.approx(spectral_tail(W[i], 2), rel=1e-13)
        assert effective_rank(W, 0.3)[i] == effective_rank(W[i], 0.3)
        assert stable_rank(W)[i] == pytest.approx(stable_rank(W[i]), rel=1e-13)


def test_scale_does_not_matter_down_to_tiny_matrices():
    W = np.random.default_rng(1).normal(size=(4, 4))
    for scale in (1e-200, 1e200):
        assert effective_rank(scale * W, 0.1) == effective_rank(W, 0.1)
        assert stable_rank(scale * W) == pytest.approx(stable_rank(W), rel=1e-12)
        assert spectral_tail(scale * W, 1) == pytest.approx(spectral_tail(W, 1), rel=1e-12)


one = np.eye(3)


@pytest.mark.parametrize("call, message", [
    *[(lambda f=f: f(0 * one), "W: expected a matrix that is not zero.*decay kill") for f in (
        stable_rank, lambda W: effective_rank(W, 0.1), lambda W: spectral_tail(W, 1))],
    (lambda: stable_rank(np.stack([one, 0 * one])), "W: expected a matrix that is not zero"),
    (lambda: stable_rank(5e-324 * one), "W: expected a matrix that is not zero, got one of norm 5e-324"),
    (lambda: singular_values(np.ones(3)), "W: expected a non-empty array"),
    (lambda: singular_values(one * np.nan), "W: expected finite"),
    (lambda: effective_rank(one, 0), "threshold: expected a number between 0 and 1"),
    (lambda: effective_rank(one, 1), "threshold: "),
    (lambda: effective_rank(one, [0.1, 0.2]), "threshold: "),
    (lambda: effective_rank(one, np.nan), "threshold: "),
    (lambda: spectral_tail(one, -1), "rank: expected whole numbers"),
    (lambda: spectral_tail(one, 1.5), "rank: expected whole numbers"),
])
def test_bad_input_names_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
