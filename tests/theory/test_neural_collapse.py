"""Minimisers of unconstrained-features models against scipy, explicit factors and the conditions."""

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from oracles import few, seeds

from deepdyn_np.theory import neural_collapse as theory


def random_model(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 9, size=int(rng.integers(2, 5)))
    lam_W, lam_H = np.exp(rng.uniform(-6, -2, size=2))
    return rng, counts, lam_W, lam_H


def energy(W, H, b, Y, lam_W, lam_H):
    n = Y.shape[1]
    fit = W @ H + b[:, None] - Y
    return np.sum(fit**2) / (2 * n) + lam_W / 2 * np.sum(W**2) + lam_H / 2 * np.sum(H**2)


@pytest.mark.parametrize("bias", [False, True])
@given(seed=seeds)
@few(12)
def test_the_minimum_is_what_scipy_finds_and_its_description_fits(bias, seed):
    rng, counts, lam_W, lam_H = random_model(seed)
    C, n = len(counts), counts.sum()
    Y = np.repeat(np.eye(C), counts, axis=1)

    def unpack(x):
        W, H, b = np.split(x, [C * C, C * C + C * n])
        return W.reshape(C, C), H.reshape(C, n), b if bias else np.zeros(C)

    def value_and_gradient(x):
        W, H, b = unpack(x)
        E = (W @ H + b[:, None] - Y) / n
        G = [E @ H.T + lam_W * W, W.T @ E + lam_H * H, E.sum(axis=1) if bias else np.zeros(C)]
        return energy(W, H, b, Y, lam_W, lam_H), np.concatenate([g.ravel() for g in G])

    runs = [scipy.optimize.minimize(value_and_gradient, 0.5 * rng.normal(size=C * C + C * n + C),
                                    jac=True, method="L-BFGS-B",
                                    options={"maxiter": 5000, "maxfun": 9000, "ftol": 1e-16, "gtol": 1e-11})
            for _ in range(3)]
    W, H, b = unpack(min(runs, key=lambda r: r.fun).x)
    best = theory.unconstrained_features(counts, lam_W, lam_H, bias)
    assert best.value == pytest.approx(min(r.fun for r in runs), rel=1e-7)
    members = np.repeat(np.arange(C), counts)
    np.testing.assert_allclose(W @ H + b[:, None], best.outputs[:, members], atol=2e-4)
    np.testing.assert_allclose(W @ W.T, best.W_gram, atol=2e-4 * (1 + best.W_gram.max()))
    mu = np.array([H[:, members == c].mean(axis=1) for c in range(C)])
    np.testing.assert_allclose(mu @ mu.T, best.mean_gram, atol=2e-4 * (1 + best.mean_gram.max()))
    assert best.dead == (lam_W * lam_H >= theory.killing_decay(counts, bias) ** 2)
    if bias:
        np.testing.assert_allclose(b, best.b, atol=2e-4)


@given(seed=seeds)
@few(40)
def test_without_bias_each_class_has_its_own_formula(seed):
    _, counts, lam_W, lam_H = random_model(seed)
    n = counts.sum()
    best = theory.unconstrained_features(counts, lam_W, lam_H)
    tau = n * np.sqrt(lam_W * lam_H)
    np.testing.assert_allclose(best.outputs, np.diag(np.maximum(1 - tau / np.sqrt(counts), 0)), atol=1e-12)
    np.testing.assert_allclose(np.diag(best.W_gram), np.sqrt(lam_H / lam_W) * np.maximum(
        np.sqrt(counts) - tau, 0), rtol=1e-9, atol=1e-12)
    dead = counts <= theory.minority_threshold(n, lam_W, lam_H)
    assert (np.diag(best.outputs) == 0).tolist() == dead.tolist()
    assert best.dead == dead.all()
    np.testing.assert_allclose(sorted(best.W_singular**2), sorted(np.linalg.eigvalsh(best.W_gram)), atol=1e-10)


@given(seed=seeds)
@few(20)
def test_balanced_classes_with_bias_make_a_simplex(seed):
    rng = np.random.default_rng(seed)
    C, N = int(rng.integers(2, 7)), int(rng.integers(1, 20))
    kappa = rng.uniform(0.05, 0.9)
    lam = kappa * np.sqrt(N) / (C * N)
    best = theory.unconstrained_features([N] * C, lam, lam, bias=True)
    centring = np.eye(C) - 1 / C
    np.testing.assert_allclose(best.outputs, (1 - kappa) * centring + 1 / C, atol=1e-12)
    np.testing.assert_allclose(best.b, 1 / C, atol=1e-12)
    np.testing.assert_allclose(best.W_gram, best.W_gram[0, 0] / (1 - 1 / C) * centring, atol=1e-12)


@given(seed=seeds)
@few(60)
def test_deep_minima_are_those_of_a_fine_grid(seed):
    rng, counts, *_ = random_model(seed)
    K, lam = int(rng.integers(2, 6)), np.exp(rng.uniform(-7, -2))
    best, n = theory.deep_unconstrained_features(counts, lam, K), counts.sum()
    total = 0.0
    for c, s in enumerate(np.sqrt(counts)):
        def cost(sigma):
            return (s - sigma) ** 2 / (2 * n) + lam * K / 2 * sigma ** (2 / K)

        grid = np.linspace(0, s, 20_001)
        lowest = grid[np.argmin(cost(grid))]
        total += cost(grid).min()
        assert cost(best.sigma[c]) <= cost(grid).min() + 1e-15
        if abs(cost(0.0) - cost(best.root[c])) > 1e-6:
            assert best.sigma[c] == pytest.approx(lowest, abs=s / 10_000)
        if best.root[c] > 0:
            assert best.root[c] ** (1 - 2 / K) * (s - best.root[c]) == pytest.approx(n * lam, rel=1e-9)
        else:
            assert np.all(grid ** (1 - 2 / K) * (s - grid) <= n * lam * (1 + 1e-9))
    assert best.dead == (best.sigma == 0).all()
    assert best.value == pytest.approx(total, rel=1e-5)
    np.testing.assert_allclose(best.factor**K, best.sigma, atol=1e-12)
    np.testing.assert_allclose(best.outputs * np.sqrt(counts), best.sigma, atol=1e-12)


@given(seed=seeds)
@few(30)
def test_two_factors_are_the_shallow_model(seed):
    _, counts, lam, _ = random_model(seed)
    deep, shallow = theory.deep_unconstrained_features(counts, lam, 2), theory.unconstrained_features(counts, lam, lam)
    np.testing.assert_allclose(deep.outputs, np.diag(shallow.outputs), atol=1e-9)
    assert deep.dead == shallow.dead
    assert deep.value == pytest.approx(shallow.value, rel=1e-12)


def test_numbers_worked_out_by_hand():
    best = theory.unconstrained_features([10] * 4, 5e-3, 5e-4)
    np.testing.assert_allclose(best.W_singular, 0.9899494937, rtol=1e-9)
    np.testing.assert_allclose(best.H_singular, 3.1304951685, rtol=1e-9)
    assert best.value == pytest.approx(0.0198, rel=1e-12)
    with_bias = theory.unconstrained_features([10] * 4, 5e-3, 5e-4, bias=True)
    np.testing.assert_allclose(with_bias.W_singular, [0.9899494937] * 3 + [0], atol=1e-9)
    assert with_bias.value == pytest.approx(0.01485, rel=1e-12)
    for K, sigma in ((2, 3.08227766), (3, 3.10745564), (4, 3.11696453)):
        assert theory.deep_unconstrained_features([10] * 4, 0.002, K).sigma == pytest.approx(sigma, abs=1e-8)
    imbalanced = theory.unconstrained_features([20, 10, 5, 2], 0.08, 0.04).outputs.diagonal()
    np.testing.assert_allclose(imbalanced, [0.53198, 0.33812, 0.06397, 0], atol=1e-5)


@pytest.mark.parametrize("C", [2, 3, 7])
def test_frames(C):
    for p in (C - 1, C, C + 4):
        V = theory.simplex_etf(C, p)
        expected = (C * np.eye(C) - 1) / (C - 1)
        np.testing.assert_allclose(V @ V.T, expected, atol=1e-12)
        assert V.shape == (C, p)
    U = theory.orthogonal_frame(C, C + 2)
    np.testing.assert_allclose(U @ U.T, np.eye(C), atol=0)
    M = U - U.mean(axis=0)
    gap = U / np.linalg.norm(U) - M / np.linalg.norm(M)
    assert theory.centered_nc3(C) == pytest.approx(np.sum(gap**2), rel=1e-12)


@pytest.mark.parametrize("call, message", [
    (lambda: theory.unconstrained_features([3], 1, 1), "counts: expected"),
    (lambda: theory.unconstrained_features([3, 0], 1, 1), "counts: expected"),
    (lambda: theory.unconstrained_features([3, 1.5], 1, 1), "counts: expected"),
    (lambda: theory.unconstrained_features([[3, 1]], 1, 1), "counts: expected"),
    (lambda: theory.unconstrained_features([3, 1], 0, 1), "lam_W: expected"),
    (lambda: theory.unconstrained_features([3, 1], 1, -1), "lam_H: expected"),
    (lambda: theory.deep_unconstrained_features([3, 1], 0.0, 3), "lam: expected"),
    (lambda: theory.deep_unconstrained_features([3, 1], 0.1, 1), "K: expected"),
    (lambda: theory.minority_threshold(-3, 1, 1), "n: expected"),
    (lambda: theory.killing_decay([0, 2]), "counts: expected"),
    (lambda: theory.simplex_etf(1, 3), "C: expected"),
    (lambda: theory.simplex_etf(4, 2), "p: expected"),
    (lambda: theory.orthogonal_frame(4, 3), "p: expected"),
    (lambda: theory.centered_nc3(1), "C: expected"),
])
def test_bad_input_names_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
