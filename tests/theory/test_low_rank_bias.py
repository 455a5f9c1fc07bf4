"""Low rank: closed forms against plain iterations, brute-force minimisation and scipy."""

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st
from oracles import few, seeds

from deepdyn_np.theory.low_rank_bias import (
    cyclic_spectrum,
    cyclic_tightness,
    guaranteed_rank,
    killing_decay,
    low_rank_bound,
    schatten_penalty,
    shrink_factor,
    shrinkage,
    shrinkage_thresholds,
)

deep = st.integers(3, 7)
decays = st.floats(0.01, 2)


def objective(sigma, s, lam, L):
    return (sigma - s) ** 2 / 2 + lam * L / 2 * sigma ** (2 / L)


# --- mini-batch steps ---------------------------------------------------------------------------


@given(seed=seeds)
@few(30)
def test_the_bound_holds_for_any_matrices_of_rank_B(seed):
    """Random 'gradients' that come from no loss at all: the theorem asks for none."""
    rng = np.random.default_rng(seed)
    B, m, eta, lam = int(rng.integers(1, 4)), int(rng.integers(1, 5)), rng.uniform(0.1, 2), rng.uniform(0.01, 0.4)
    q, W = shrink_factor(eta, lam), [rng.normal(size=(15, 12))]
    for _ in range(m):
        G = rng.normal(size=(15, B)) @ rng.normal(size=(B, 12)) * rng.uniform(0, 0.3)
        W.append(W[-1] - eta * (G + lam * W[-1]))
    sigma = np.linalg.svd(W[-1], compute_uv=False)
    tail = np.sqrt(np.sum(sigma[m * B :] ** 2))
    bound = low_rank_bound(q, m, np.linalg.norm(W[0]) / np.linalg.norm(W[-1]))
    assert tail <= bound * np.linalg.norm(W[-1]) * (1 + 1e-12)


@given(epsilon=st.floats(1e-6, 0.99), q=st.floats(0.3, 0.999), B=st.integers(1, 9))
@few(50)
def test_the_guaranteed_rank_is_the_least_multiple_of_B_with_that_bound(epsilon, q, B):
    m = guaranteed_rank(epsilon, q, B) / B
    assert m == int(m) and low_rank_bound(q, m) <= epsilon * (1 + 1e-9)
    assert low_rank_bound(q, m - 1) > epsilon * (1 - 1e-9)


def test_without_decay_no_rank_is_guaranteed():
    assert shrink_factor(0.3, 0) == 1 and guaranteed_rank(0.1, 1.0, 4) == np.inf
    assert low_rank_bound(1.0, 50) == 1


@given(seed=seeds, B=st.sampled_from([1, 2, 3, 6]), P=st.integers(1, 6))
@few(30)
def test_the_cyclic_spectrum_is_the_fixed_point_of_the_matrix_iteration(seed, B, P):
    """Run the matrix recursion of the model, with random orthonormal targets, to its orbit."""
    rng = np.random.default_rng(seed)
    n, eta, lam = B * P, rng.uniform(0.3, 1), rng.uniform(0.05, 0.9)
    Y, W = np.linalg.qr(rng.normal(size=(n, n)))[0], rng.normal(size=(n, n))
    for t in range(4000):
        S = slice(t % P * B, (t % P + 1) * B)
        G = np.zeros((n, n))
        G[:, S] = (W - Y)[:, S] / B
        W = W - eta * (G + lam * W)
        if t % P == P - 1 and t > 50:
            after = np.linalg.svd(W, compute_uv=False)
            if (1 - eta * lam) ** t < 1e-15:
                break
    np.testing.assert_allclose(after, cyclic_spectrum(n, B, eta, lam), atol=1e-12)


@given(B=st.integers(1, 5), P=st.integers(1, 30), q=st.floats(0.5, 0.99), seed=seeds)
@few(40)
def test_the_tightness_is_the_tail_of_the_spectrum_over_the_bound(B, P, q, seed):
    m, n, eta = seed % (P + 1), B * P, 0.25
    sigma = cyclic_spectrum(n, B, eta, (1 - q) / eta)
    tail = np.sqrt(np.sum(sigma[m * B :] ** 2) / np.sum(sigma**2))
    assert cyclic_tightness(n, B, q, m) * low_rank_bound(q, m) == pytest.approx(tail, rel=1e-7, abs=1e-8)


def test_the_bound_is_attained_with_many_samples():
    ratios = [cyclic_tightness(n, 1, 0.95, 10) for n in (20, 50, 100, 400)]
    assert np.all(np.diff(ratios) > 0) and 1 - ratios[-1] < 1e-15 and ratios[0] < 0.9


def test_the_numbers_of_the_cyclic_model():
    np.testing.assert_allclose(cyclic_tightness(64, 1, 0.95, np.array([5, 10, 20])), [0.9995, 0.9987, 0.9952], atol=5e-5)
    np.testing.assert_allclose(cyclic_tightness(64, 4, 0.95, np.array([5, 10])), [0.9160, 0.7550], atol=5e-5)
    np.testing.assert_allclose(cyclic_spectrum(64, 64, 0.5, 0.1), 0.13514, atol=5e-6)


# --- deep linear networks ------------------------------------------------------------------------


@given(seed=seeds, L=st.integers(1, 5))
@few(30)
def test_no_factorisation_costs_less_than_the_schatten_penalty(seed, L):
    rng = np.random.default_rng(seed)
    widths = rng.integers(2, 6, size=L + 1)
    factors = [rng.normal(size=(b, a)) for a, b in zip(widths, widths[1:])]
    product = factors[0]
    for F in factors[1:]:
        product = F @ product
    sigma = np.linalg.svd(product, compute_uv=False)
    # The product's rank is at most the smallest width; rounding beyond it would cost (1e-16)^(2/L).
    sigma = np.where(sigma > 1e-12 * sigma[0], sigma, 0)
    least = schatten_penalty(sigma, L)
    assert least <= sum(np.sum(F**2) for F in factors) * (1 + 1e-12)
    assert least == pytest.approx(L * np.sum(np.abs(sigma) ** (2 / L)), rel=1e-13)


@given(s=st.floats(0, 4), lam=decays, L=st.integers(1, 7))
@few(60)
def test_the_global_branch_is_the_brute_force_minimum(s, lam, L):
    grid = np.linspace(0, 4, 40_001)
    found = shrinkage(s, lam, L)
    assert objective(found, s, lam, L) <= objective(grid, s, lam, L).min() + 1e-12
    if found:  # a stationary point, to rounding
        assert found - s + lam * found ** (2 / L - 1) == pytest.approx(0, abs=1e-9)


@given(s=st.floats(0.1, 4), lam=decays, L=deep)
@few(60)
def test_both_roots_against_scipy_and_which_is_a_minimum(s, lam, L):
    equation = lambda sigma: sigma ** (1 - 2 / L) * (s - sigma) - lam
    turn = s * (L - 2) / (2 * L - 2)
    upper, lower = shrinkage(s, lam, L, "local"), shrinkage(s, lam, L, "unstable")
    if abs(equation(turn)) < 1e-6:
        return
    if equation(turn) < 0:
        assert upper == 0 and np.isnan(lower)
        return
    assert upper == pytest.approx(scipy.optimize.brentq(equation, turn, s, xtol=1e-15), abs=1e-10)
    assert lower == pytest.approx(scipy.optimize.brentq(equation, 0, turn, xtol=1e-300), rel=1e-8, abs=1e-12)
    h = 1e-4 * min(lower, upper - lower)
    for point, sign in ((upper, 1), (lower, -1)):
        curvature = objective(point + h, s, lam, L) + objective(point - h, s, lam, L) - 2 * objective(point, s, lam, L)
        if abs(curvature) > 1e-13:
            assert np.sign(curvature) == sign


@given(lam=decays, L=deep)
@few(40)
def test_at_the_jump_both_minima_are_equal_and_at_the_saddle_node_the_roots_meet(lam, L):
    law = shrinkage_thresholds(lam, L)
    assert objective(law.height, law.jump, lam, L) == pytest.approx(objective(0, law.jump, lam, L), rel=1e-12)
    assert shrinkage(law.jump * (1 + 1e-9), lam, L) == pytest.approx(law.height, rel=1e-7)
    assert shrinkage(law.jump * (1 - 1e-9), lam, L) == 0
    assert shrinkage(law.jump * (1 - 1e-9), lam, L, "local") == pytest.approx(law.height, rel=1e-7)
    assert law.saddle_node < law.jump
    just = law.saddle_node * (1 + 1e-10)
    assert shrinkage(just, lam, L, "local") == pytest.approx(shrinkage(just, lam, L, "unstable"), rel=1e-3)
    assert shrinkage(law.saddle_node * (1 - 1e-9), lam, L, "local") == 0
    assert killing_decay(law.jump, L) == pytest.approx(lam, rel=1e-12)


def test_the_numbers_of_the_thresholds():
    for lam, L, expected in ((0.1, 3, (0.355656, 0.312046, 0.177828)), (0.3, 4, (1.067068, 0.846932, 0.711379))):
        law = shrinkage_thresholds(lam, L)
        np.testing.assert_allclose([law.jump, law.saddle_node, law.height], expected, atol=1e-6)
    s = [3, 2, 1.5, 1, 0.7, 0.5, 0.3, 0.1]
    np.testing.assert_allclose(shrinkage(s, 0.3, 3), [2.786817, 1.751104, 1.219177, 0.654465, 0, 0, 0, 0], atol=1e-6)
    assert shrinkage(0.5, 0.1, 4, "local") == pytest.approx(0.324436, abs=1e-6) and shrinkage(0.5, 0.1, 4) == 0


@given(s=st.floats(0.05, 5), L=st.integers(2, 7))
@few(40)
def test_a_decay_just_above_the_killing_one_leaves_exactly_zero(s, L):
    lam = killing_decay(s, L)
    assert shrinkage(s, lam * (1 + 1e-9), L) == 0 < shrinkage(s, lam * (1 - 1e-9), L)


def test_a_single_layer_never_dies_and_shallow_networks_have_no_unstable_branch():
    assert killing_decay(2.0, 1) == np.inf and shrinkage(2, 1e6, 1) > 0
    assert killing_decay(2.0, 2) == 2 and np.isnan(shrinkage(2, 0.1, 2, "unstable"))


def test_shapes_broadcast():
    s, lam = np.linspace(0, 3, 7), np.array([[0.1], [0.5]])
    for L in (1, 2, 3, 5):
        both = shrinkage(s, lam, L)
        assert both.shape == (2, 7)
        for i, j in np.ndindex(2, 7):
            assert both[i, j] == pytest.approx(shrinkage(s[j], lam[i, 0], L), rel=1e-13)
    assert schatten_penalty(np.ones((2, 3)), 4).tolist() == [12, 12]


@pytest.mark.parametrize("call, message", [
    (lambda: shrink_factor(0, 0.1), "eta: expected a number above 0"),
    (lambda: shrink_factor(0.1, -1), "lam: expected numbers, at least 0"),
    (lambda: shrink_factor(0.5, 2), "lam: expected a decay below 1 / eta.*past zero"),
    (lambda: low_rank_bound(1.1, 5), r"q: expected numbers in \(0, 1\]"),
    (lambda: low_rank_bound(0, 5), "q: "),
    (lambda: low_rank_bound(0.9, -1), "m: expected whole numbers of steps"),
    (lambda: low_rank_bound(0.9, 2.5), "m: expected whole numbers of steps"),
    (lambda: low_rank_bound(0.9, 5, 0), "growth: "),
    (lambda: guaranteed_rank(1, 0.9, 1), "epsilon: expected a relative error below 1"),
    (lambda: guaranteed_rank(0.1, 0.9, 0), "batch_size: "),
    (lambda: cyclic_spectrum(10, 3, 0.1, 0.1), "batch_size: expected a divisor of n = 10"),
    (lambda: cyclic_spectrum(10, 11, 0.1, 0.1), "batch_size: "),
    (lambda: cyclic_spectrum(4, 1, 3.0, 0.01), "eta: expected a step at which the orbit attracts"),
    (lambda: cyclic_tightness(10, 1, 1.0, 2), "q: expected a number below 1"),
    (lambda: cyclic_tightness(10, 2, 0.9, 6), "m: expected numbers of steps from 0 to 5"),
    (lambda: schatten_penalty([-1.0], 2), "sigma: expected singular values, at least 0"),
    (lambda: schatten_penalty([1.0], 0), "depth: "),
    (lambda: shrinkage(-1, 0.1, 2), "s: expected singular values"),
    (lambda: shrinkage(1, 0, 2), "lam: expected a number above 0"),
    (lambda: shrinkage(1, 0.1, 2.5), "depth: "),
    (lambda: shrinkage(1, 0.1, 3, "best"), "branch: expected global, local or unstable, got best"),
    (lambda: shrinkage(np.nan, 0.1, 3), "s: expected finite"),
    (lambda: shrinkage_thresholds(0.1, 2), "depth: expected a whole number, at least 3"),
    (lambda: killing_decay(0, 3), "s: expected a number above 0"),
])
def test_bad_input_names_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
