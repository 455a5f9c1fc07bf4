"""The theory of balance against direct products, difference quotients, scipy's flows and simulations."""

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from deepdyn_np.theory import balance

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=25, deadline=None)


def random_layers(rng, depth, leading=()):
    widths = rng.integers(1, 6, size=depth + 1)
    return [rng.normal(size=(*leading, b, a)) for a, b in zip(widths, widths[1:])]


def linear_gradients(W, X, Y):
    """Gradients of ``|X W^T - Y|^2 / 2n`` in the factors of W: the chain rule, product by product."""
    def chain(factors, size):
        out = np.eye(size)
        for A in factors:
            out = A @ out
        return out

    total = chain(W, X.shape[1])
    outer = (X @ total.T - Y).T @ X / len(X)
    return [chain(W[k + 1:], W[k].shape[0]).T @ outer @ chain(W[:k], X.shape[1]).T
            for k in range(len(W))]


def random_linear_problem(seed):
    rng = np.random.default_rng(seed)
    W = random_layers(rng, int(rng.integers(2, 5)))
    n = int(rng.integers(1, 6))
    return rng, W, rng.normal(size=(n, W[0].shape[1])), rng.normal(size=(n, W[-1].shape[0]))


# --- identities -----------------------------------------------------------------------------------


@given(seed=seeds)
@few
def test_imbalance_entry_by_entry(seed):
    rng = np.random.default_rng(seed)
    A = random_layers(rng, 3, (2,))
    for k, D in enumerate(balance.layer_imbalance(A)):
        for i, j in np.ndindex(D.shape[1:]):
            for member in range(2):
                out = A[k + 1][member, :, i] @ A[k + 1][member, :, j]
                assert D[member, i, j] == pytest.approx(out - A[k][member, i] @ A[k][member, j])


@given(seed=seeds, eta=st.floats(0.001, 1), lam=st.floats(0, 2))
@few
def test_one_step_of_a_linear_network(seed, eta, lam):
    _, W, X, Y = random_linear_problem(seed)
    G = linear_gradients(W, X, Y)
    moved = [w - eta * (g + lam * w) for w, g in zip(W, G)]
    scale = max(np.abs(w).max() for w in [*W, *moved]) ** 2
    for D, predicted in zip(balance.layer_imbalance(moved), balance.one_step(W, G, eta, lam)):
        np.testing.assert_allclose(D, predicted, atol=1e-11 * scale)


@given(seed=seeds, eta=st.floats(0.001, 0.1), beta=st.floats(0, 0.99))
@few
def test_heavy_ball_step_with_new_data_at_each_step(seed, eta, beta):
    rng, W, X, Y = random_linear_problem(seed)
    path, v = [W], [[np.zeros_like(w) for w in W]]
    for _ in range(3):
        G = linear_gradients(path[-1], rng.normal(size=X.shape), Y)
        v.append([beta * a - eta * g for a, g in zip(v[-1], G)])
        path.append([w + a for w, a in zip(path[-1], v[-1])])
    for t in (1, 2):
        predicted = balance.heavy_ball_step(path[t], v[t], v[t + 1],
                                            balance.layer_imbalance(path[t - 1]), beta)
        scale = max(np.abs(w).max() for w in [*path[t], *path[t + 1]]) ** 2
        for D, P in zip(balance.layer_imbalance(path[t + 1]), predicted):
            np.testing.assert_allclose(D, P, atol=1e-11 * scale)


# --- rates ----------------------------------------------------------------------------------------


@given(seed=seeds, lam=st.floats(0.01, 1), t=st.floats(0.1, 2))
@settings(max_examples=8, deadline=None)
def test_decay_factor_against_scipys_flow(seed, lam, t):
    _, W, X, Y = random_linear_problem(seed)
    X, Y = X / np.linalg.norm(X), Y / np.linalg.norm(Y)
    W = [w / np.linalg.norm(w) for w in W]
    ends = np.cumsum([w.size for w in W])[:-1]
    layers = lambda flat: [part.reshape(w.shape) for part, w in zip(np.split(flat, ends), W)]

    def velocity(_, flat):
        return -lam * flat - np.concatenate([g.ravel() for g in linear_gradients(layers(flat), X, Y)])

    start = np.concatenate([w.ravel() for w in W])
    end = scipy.integrate.solve_ivp(velocity, (0, t), start, rtol=1e-11, atol=1e-12).y[:, -1]
    for D, D0 in zip(balance.layer_imbalance(layers(end)), balance.layer_imbalance(W)):
        np.testing.assert_allclose(D, balance.decay_factor(lam, t) * D0, atol=1e-9)


def test_decay_of_steps_tends_to_that_of_the_flow():
    for eta, error in ((1e-2, 3e-2), (1e-3, 3e-3)):
        ratio = balance.decay_factor_gd(eta, 0.7, round(3 / eta)) / balance.decay_factor(0.7, 3)
        assert 0 < 1 - ratio < error
    assert balance.decay_factor_gd(0.5, 1, 3) == pytest.approx(0.5**6)


@given(beta=st.floats(0, 0.95))
@few
def test_heavy_ball_ratio_from_the_recurrence_of_constant_squares(beta):
    """Iterate item 5 with constant D(v) = eta_eff^2: the slope over that of GD, eta_eff^2 a step."""
    D = [0.0, 0.0]
    for _ in range(3000):
        D.append(D[-1] + beta * (D[-1] - D[-2]) + (1 + beta))
    assert D[-1] - D[-2] == pytest.approx(balance.heavy_ball_ratio(beta), rel=1e-9)
    same = balance.heavy_ball_ratio(beta, same="step")
    assert same * (1 - beta) == pytest.approx(balance.heavy_ball_ratio(beta))


def test_pure_noise_is_not_amplified_and_a_constant_gradient_is():
    """The velocity of the recursion, averaged: noise gives eta^2/(1-beta^2), a mean eta_eff^2."""
    rng, beta, eta_eff = np.random.default_rng(0), 0.8, 0.3
    for mean, noise in ((0, 1), (1, 0), (0.5, 1)):
        v = np.zeros(20_000)
        for _ in range(120):
            v = beta * v - (1 - beta) * eta_eff * (mean + noise * rng.normal(size=v.shape))
        drift = (1 + beta) / (1 - beta) * np.mean(v**2)
        gd = (eta_eff * mean) ** 2
        sgd = gd + (eta_eff * noise) ** 2
        assert drift == pytest.approx(balance.noisy_heavy_ball_drift(sgd, gd, beta), rel=0.04)


# --- the scalar network ---------------------------------------------------------------------------


@given(seed=seeds, eta=st.floats(0.01, 0.3))
@few
def test_scalar_product_formula(seed, eta):
    rng = np.random.default_rng(seed)
    w, r, D = rng.normal(size=(4, 2)), rng.normal(size=(30, 4)), []
    for row in [*r, None]:
        D.append(w[:, 1] ** 2 - w[:, 0] ** 2)
        if row is not None:
            w = w - eta * row[:, None] * w[:, ::-1]
    scale = np.abs(w).max() ** 2 + 1
    np.testing.assert_allclose(balance.scalar_net_imbalance(D[0], r, eta), D, atol=1e-11 * scale)


@given(a=st.floats(-2, 3), b=st.floats(-2, 3), y=st.floats(0.2, 4))
@settings(max_examples=15, deadline=None)
def test_scalar_limit_against_scipys_flow(a, b, y):
    if a + b < 0.1:
        a, b = 0.05 - b, 0.05 - a
    velocity = lambda t, w: -(w[0] * w[1] - y) * w[::-1]
    end = scipy.integrate.solve_ivp(velocity, (0, 400), [a, b], rtol=1e-11, atol=1e-12,
                                    method="LSODA").y[:, -1]
    np.testing.assert_allclose(balance.scalar_net_limit([a, b], y), end, rtol=1e-6, atol=1e-7)


def test_label_noise_rate_by_simulation_of_the_lag():
    rng, eta, s, sigma = np.random.default_rng(0), 0.2, 3.0, 0.7
    delta, total = np.zeros(50_000), 0.0
    for t in range(200):
        r = delta - sigma * rng.choice([-1.0, 1.0], size=delta.shape)
        delta = delta - eta * s * r
        total += np.mean(r**2) * (t >= 100)
    assert balance.label_noise_rate(eta, sigma, s) == pytest.approx(eta**2 * total / 100, rel=5e-3)
    assert balance.label_noise_rate(eta, sigma) == pytest.approx(eta**2 * sigma**2)


# --- balanced products ----------------------------------------------------------------------------


@given(seed=seeds, L=st.integers(1, 5), m=st.integers(1, 5), n=st.integers(1, 5))
@few
def test_factors_are_balanced_and_move_as_predicted(seed, L, m, n):
    rng = np.random.default_rng(seed)
    A, X, Y = rng.normal(size=(m, n)), rng.normal(size=(4, n)), rng.normal(size=(4, m))
    W = balance.balanced_factorisation(A, L, rng)
    assert len(W) == L
    for D in balance.layer_imbalance(W):
        np.testing.assert_allclose(D, 0, atol=1e-11)
    for w in W:
        np.testing.assert_allclose(np.linalg.svd(w)[1], np.linalg.svd(A)[1] ** (1 / L), atol=1e-9)
    product = np.linalg.multi_dot(W[::-1]) if L > 1 else W[0]
    np.testing.assert_allclose(product, A, atol=1e-11)
    G, h = linear_gradients(W, X, Y), 1e-5
    step = lambda sign: [w - sign * h * g for w, g in zip(W, G)][::-1]
    ahead, behind = (np.linalg.multi_dot(step(s)) if L > 1 else step(s)[0] for s in (1, -1))
    grad = (X @ A.T - Y).T @ X / 4
    velocity = balance.end_to_end_velocity(A, grad, L)
    np.testing.assert_allclose((ahead - behind) / (2 * h), velocity, rtol=1e-6,
                               atol=1e-6 * np.abs(velocity).max())


@given(seed=seeds)
@few
def test_end_to_end_terms_against_scipys_matrix_power(seed):
    rng = np.random.default_rng(seed)
    W, grad = rng.normal(size=(2, 4, 4)), rng.normal(size=(2, 4, 4))
    terms = balance.end_to_end_terms(W, grad, 3)
    power = scipy.linalg.fractional_matrix_power
    for b in range(2):
        left, right = W[b] @ W[b].T, W[b].T @ W[b]
        for j in (1, 2, 3):
            expected = -power(left, (3 - j) / 3) @ grad[b] @ power(right, (j - 1) / 3)
            np.testing.assert_allclose(terms[j - 1][b], expected.real, rtol=1e-8, atol=1e-8)


def test_two_layers_have_the_square_roots():
    W, grad = np.diag([4.0, 9.0]), np.ones((2, 2))
    expected = -(np.diag([4.0, 9.0]) @ grad + grad @ np.diag([4.0, 9.0]))
    np.testing.assert_allclose(balance.end_to_end_velocity(W, grad, 2), expected, rtol=1e-13)


# --- bad input ------------------------------------------------------------------------------------

a, rng = np.ones((2, 3)), np.random.default_rng(0)
b, D = [a, a.T], [np.zeros((2, 2))]


@pytest.mark.parametrize("call, message", [
    (lambda: balance.layer_imbalance([a, a]), r"A\[1\]: expected 2 columns"),
    (lambda: balance.layer_imbalance([np.ones(3)]), r"A\[0\]: "),
    (lambda: balance.one_step([a], [a.T], 0.1), "G: expected the shapes of W"),
    (lambda: balance.one_step([a], [a, a.T], 0.1), "G: expected the shapes of W"),
    (lambda: balance.one_step([a], [a], 0.0), "eta: "),
    (lambda: balance.one_step([a], [a], 0.1, -1.0), "lam: "),
    (lambda: balance.heavy_ball_step(b, b[:1], b, D, 0.5), "v: expected the shapes of W"),
    (lambda: balance.heavy_ball_step(b, b, [a, a.T[:1]], D, 0.5), "v_next: expected the shapes"),
    (lambda: balance.heavy_ball_step(b, b, b, [], 0.5), "D_before: expected the shapes of the"),
    (lambda: balance.heavy_ball_step(b, b, b, [a], 0.5), "D_before: expected the shapes of the"),
    (lambda: balance.heavy_ball_step(b, b, b, D, 1.0), "beta: "),
    (lambda: balance.decay_factor(-0.1, 1), "lam: "),
    (lambda: balance.decay_factor_gd(0.0, 0.1, 3), "eta: "),
    (lambda: balance.decay_factor_gd(0.1, -0.1, 3), "lam: "),
    (lambda: balance.decay_factor_gd(0.1, 0.1, -3), "steps: "),
    (lambda: balance.decay_factor_gd(0.1, 0.1, 2.5), "steps: expected whole numbers"),
    (lambda: balance.label_noise_rate(-0.1, 1.0), "eta: "),
    (lambda: balance.label_noise_rate(0.1, -1.0), "sigma: "),
    (lambda: balance.label_noise_rate(0.1, 1.0, -1.0), "sharpness: "),
    (lambda: balance.heavy_ball_ratio(1.0), "beta: "),
    (lambda: balance.heavy_ball_ratio(-0.1), "beta: "),
    (lambda: balance.heavy_ball_ratio(0.5, same="eta"), "same: expected 'effective step'"),
    (lambda: balance.noisy_heavy_ball_drift(1.0, 1.0, 2.0), "beta: "),
    (lambda: balance.decay_factor(np.nan, 1), "lam: "),
    (lambda: balance.scalar_net_imbalance(1.0, [np.inf], 0.1), "r: "),
    (lambda: balance.scalar_net_limit([1.0, 2, 3], 1.0), "w: expected shape"),
    (lambda: balance.scalar_net_limit([-1.0, 0.5], 1.0), "w: expected w_1"),
    (lambda: balance.scalar_net_limit([1.0, 0.5], -1.0), "y: "),
    (lambda: balance.label_noise_rate(0.5, 1.0, 4.0), "sharpness: "),
    (lambda: balance.balanced_factorisation(np.ones(3), 2, rng), "A: "),
    (lambda: balance.balanced_factorisation(np.ones((2, 2, 2)), 2, rng), "A: expected a single"),
    (lambda: balance.balanced_factorisation(a, 0, rng), "L: "),
    (lambda: balance.balanced_factorisation(a, 2, 0), "rng: "),
    (lambda: balance.end_to_end_velocity(a, a.T, 2), "grad: expected shape"),
    (lambda: balance.end_to_end_terms(a, a, 1.5), "L: "),
])
def test_bad_input_names_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
