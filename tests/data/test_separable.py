"""Small exact data sets, and Gaussian ones drawn exactly as documented."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import few, hard_margin, seeds

import deepdyn_np as dd
from deepdyn_np.data import data_a, data_b, gaussian_classes, gaussian_separable, orthogonal_rows


def test_data_b_has_its_margin_in_exact_fractions():
    """KKT: ``Z w >= 1``, ``w = Z^T alpha``, ``alpha >= 0``, ``alpha_i (m_i - 1) = 0``."""
    Z = [[Fraction(v) for v in row] for row in data_b().tolist()]
    w = [Fraction(3, 7), Fraction(2, 7)]
    alpha = [Fraction(9, 49), Fraction(4, 49), 0, 0, 0]
    m = [z[0] * w[0] + z[1] * w[1] for z in Z]
    assert m == [1, 1, Fraction(20, 7), 3, Fraction(20, 7)]
    assert [sum(a * z[j] for a, z in zip(alpha, Z)) for j in range(2)] == w
    assert 1 / (w[0] ** 2 + w[1] ** 2) == Fraction(49, 13)  # gamma squared


def test_data_a_has_the_same_support_vectors_and_others_close_behind():
    (w, alpha), (w_b, alpha_b) = hard_margin(data_a()), hard_margin(data_b())
    np.testing.assert_allclose(w, w_b, rtol=1e-13)
    np.testing.assert_allclose(alpha[:2], alpha_b[:2], rtol=1e-13)
    assert np.partition(data_a() @ w, 2)[2] - 1 == pytest.approx(5 / 7) and not alpha[2:].any()


@pytest.mark.parametrize("n, d, seed, shift", [(40, 10, 1, 0.5), (100, 20, 2, 0.5), (30, 60, 3, 0.0)])
def test_gaussian_rows_are_drawn_in_the_documented_order(n, d, seed, shift):
    rng = np.random.default_rng(seed)
    u = rng.normal(size=d)
    u /= np.linalg.norm(u)
    X = rng.normal(size=(n, d))
    expected = np.sign(X @ u)[:, None] * X + shift * u
    Z = gaussian_separable(n, d, np.random.default_rng(seed), shift)
    np.testing.assert_array_equal(Z, expected)
    assert (Z @ u > shift).all()


@given(seed=seeds, n=st.integers(1, 30), d=st.integers(2, 12))
@few(20)
def test_gaussian_classes_go_round_and_sit_on_the_axes(seed, n, d):
    C = 2 + seed % (d - 1)
    X, y = gaussian_classes(n, d, C, np.random.default_rng(seed), separation=50.0)
    assert X.shape == (n, d) and y.tolist() == [i % C for i in range(n)]
    np.testing.assert_array_equal(np.argmax(X, axis=1), y)
    centred = X - np.random.default_rng(seed).normal(size=(n, d))
    np.testing.assert_allclose(centred, 50 * np.eye(d)[y], atol=1e-12)


@given(seed=seeds, n=st.integers(1, 8))
@few(20)
def test_orthogonal_rows_have_the_norms_and_no_overlap(seed, n):
    rng = np.random.default_rng(seed)
    norms = rng.uniform(0.1, 3, size=n)
    Z = orthogonal_rows(norms, rng)
    np.testing.assert_allclose(Z @ Z.T, np.diag(norms**2), atol=1e-13)


def test_orthogonal_rows_are_rotated_at_random():
    a, b = (orthogonal_rows([1, 2, 3], np.random.default_rng(k)) for k in (0, 1))
    assert np.abs(a - b).max() > 0.1 and np.count_nonzero(a) == 9


rng = np.random.default_rng(0)


@pytest.mark.parametrize("call, message", [
    (lambda: gaussian_separable(0, 2, rng), "n: expected a whole number, at least 1, got 0"),
    (lambda: gaussian_separable(2.5, 2, rng), "n: "),
    (lambda: gaussian_separable(5, -1, rng), "d: "),
    (lambda: gaussian_separable(5, 2, 0), "rng: .*default_rng"),
    (lambda: gaussian_separable(5, 2, rng, np.nan), "shift: "),
    (lambda: gaussian_classes(5, 2, 3, rng), "C: expected a whole number from 2 to 2, got 3"),
    (lambda: gaussian_classes(5, 3, 1, rng), "C: "),
    (lambda: gaussian_classes(-5, 3, 2, rng), "n: "),
    (lambda: gaussian_classes(5, 3, 2, None), "rng: "),
    (lambda: gaussian_classes(5, 3, 2, rng, np.inf), "separation: "),
    (lambda: orthogonal_rows([1, np.nan], rng), "norms: expected finite"),
    (lambda: orthogonal_rows(3.0, rng), "norms: expected one norm for each row"),
    (lambda: orthogonal_rows([], rng), "norms: "),
    (lambda: orthogonal_rows([1.0], 7), "rng: "),
])
def test_bad_input_names_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_make_npz_refuses_what_does_not_fit_a_byte(tmp_path, monkeypatch):
    from deepdyn_np.data import make_npz

    monkeypatch.setattr(make_npz, "FOLDER", tmp_path)
    make_npz.save("ok.npz", pixels=np.array([[0.0, 255.0]]), labels=np.array([9.0]))
    with np.load(tmp_path / "ok.npz") as stored:
        assert stored["pixels"].tolist() == [[0, 255]] and stored["pixels"].dtype == np.uint8
    for pixels in (0.5, 256.0, -1.0):
        with pytest.raises(ValueError, match="pixels are not whole numbers"), np.errstate(invalid="ignore"):
            make_npz.save("bad.npz", pixels=np.array([pixels]), labels=np.array([1.0]))
    assert not (tmp_path / "bad.npz").exists() and dd.data.digits().X.shape == (1797, 64)
