"""NC1 to NC4: the definitions written out in loops, frames that are known, invariances, bad input."""

import numpy as np
import pytest
from hypothesis import given
from oracles import few, seeds

from deepdyn_np.measures import class_means, neural_collapse, self_duality, within_class_variability


def random_features(seed):
    """Features, last layer, outputs, imbalanced labels in random order, and the shapes."""
    rng = np.random.default_rng(seed)
    C, p = int(rng.integers(2, 6)), int(rng.integers(2, 9))
    y = rng.permutation(np.r_[np.arange(C), rng.integers(C, size=int(rng.integers(5, 30)))])
    H = rng.normal(size=(len(y), p)) + 3 * rng.normal(size=(C, p))[y] + rng.normal(size=p)
    W = rng.normal(size=(C, p))
    return H, W, H @ W.T, y, C


def nc1_by_loops(H, y, C):
    """The definition, one outer product at a time, with scipy-free pseudo-inverse by eigenvalues."""
    mu = [H[y == c].mean(axis=0) for c in range(C)]
    center = sum(mu) / C
    within = sum(np.outer(h - mu[c], h - mu[c]) for h, c in zip(H, y)) / len(H)
    between = sum(np.outer(m - center, m - center) for m in mu) / C
    values, vectors = np.linalg.eigh(between)
    inverse = sum(np.outer(v, v) / x for x, v in zip(values, vectors.T) if x > 1e-8 * values[-1])
    return np.trace(within @ inverse) / C


@given(seed=seeds)
@few(40)
def test_the_four_measures_are_their_definitions(seed):
    H, W, F, y, C = random_features(seed)
    mu = np.array([H[y == c].mean(axis=0) for c in range(C)])
    np.testing.assert_allclose(class_means(H, y, C), mu, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(within_class_variability(H, y, C), nc1_by_loops(H, y, C), rtol=1e-7)
    for center in (False, True):
        found = neural_collapse(H, W, F, y, center=center)
        V = mu - sum(mu) / C if center else mu
        cosines = [V[a] @ V[b] / np.linalg.norm(V[a]) / np.linalg.norm(V[b])
                   for a in range(C) for b in range(C) if a != b]
        lengths = [np.linalg.norm(v) for v in V]
        wanted = -1 / (C - 1) if center else 0
        gap = W / np.linalg.norm(W) - V / np.linalg.norm(V)
        nearest = [np.argmin([np.linalg.norm(h - m) for m in mu]) for h in H]
        expected = [nc1_by_loops(H, y, C), np.std(lengths) / np.mean(lengths), np.std(cosines),
                    np.mean([abs(c - wanted) for c in cosines]), np.sum(gap**2),
                    np.mean([np.argmax(f) != k for f, k in zip(F, nearest)])]
        np.testing.assert_allclose([found.nc1, found.equinorm, found.equiangularity, found.angle,
                                    found.nc3, found.nc4], expected, rtol=1e-7, atol=1e-10)


@given(seed=seeds)
@few(20)
def test_nc1_ignores_shift_scale_rotation_and_unused_dimensions(seed):
    H, *_, y, C = random_features(seed)
    rng, p = np.random.default_rng(seed), H.shape[1]
    Q = np.linalg.qr(rng.normal(size=(p + 3, p)))[0]
    moved = 7e5 * (H @ Q.T) + rng.normal(size=p + 3)
    np.testing.assert_allclose(within_class_variability(moved, y, C),
                               within_class_variability(H, y, C), rtol=1e-6)


@given(seed=seeds)
@few(20)
def test_a_frame_of_points_is_collapsed_only_if_it_is_regular(seed):
    rng = np.random.default_rng(seed)
    C = int(rng.integers(3, 7))
    Q = np.linalg.qr(rng.normal(size=(C + 2, C)))[0]
    y = np.repeat(np.arange(C), 3)
    simplex = (Q - Q.mean(axis=1, keepdims=True)).T  # orthonormal rows minus their mean
    found = neural_collapse(simplex[y], 5 * simplex, simplex[y] @ simplex.T, y)
    assert max(found.nc1, found.equinorm, found.equiangularity, found.angle, found.nc3, found.nc4) < 1e-12
    crooked = simplex.copy()
    crooked[0] *= 2
    found = neural_collapse(crooked[y], simplex, simplex[y] @ simplex.T, y)
    assert min(found.equinorm, found.equiangularity, found.angle, found.nc3) > 1e-2


def test_nc4_counts_disagreement_with_the_nearest_mean_not_with_the_label():
    H = np.array([[0.0], [0.2], [1.0], [0.9]])
    y = np.array([0, 0, 1, 1])
    W = np.array([[-1.0], [1.0]])
    right = np.eye(2)[y]
    assert neural_collapse(H, W, right, y).nc4 == 0
    right[3] = [1, 0]
    assert neural_collapse(H, W, right, y).nc4 == 0.25


def test_an_ensemble_is_measured_member_by_member():
    rng = np.random.default_rng(0)
    y = np.arange(12) % 3
    H, W = rng.normal(size=(2, 3, 12, 5)), rng.normal(size=(2, 3, 3, 5))
    F = H @ W.mT
    whole = neural_collapse(H, W, F, y)
    for a in range(2):
        for b in range(3):
            one = neural_collapse(H[a, b], W[a, b], F[a, b], y)
            for name, value in vars(whole).items():
                np.testing.assert_allclose(value[a, b], getattr(one, name), rtol=1e-12)
    other = np.array([y, y[::-1]])  # labels of its own for each member
    for a in range(2):
        np.testing.assert_allclose(within_class_variability(H[:, 0], other, 3)[a],
                                   within_class_variability(H[a, 0], other[a], 3), rtol=1e-12)


def test_measures_without_a_meaning_are_nan_and_not_a_number_made_of_rounding():
    y = np.arange(8) % 2
    W = np.ones((2, 4))
    for H in (np.zeros((8, 4)), np.full((8, 4), 0.1)):
        assert np.isnan(within_class_variability(H, y, 2))
    found = neural_collapse(np.zeros((8, 4)), W, np.zeros((8, 2)), y)
    assert np.isnan([found.nc1, found.equinorm, found.equiangularity, found.angle, found.nc3]).all()
    assert np.isnan(self_duality(np.zeros((2, 4)), W))
    rng = np.random.default_rng(0)
    mixed = np.array([np.zeros((8, 4)), rng.normal(size=(8, 4))])
    assert np.isnan(within_class_variability(mixed, y, 2)).tolist() == [True, False]


y = np.arange(8) % 2
H, W, F = np.random.default_rng(0).normal(size=(8, 4)), np.ones((2, 4)), np.ones((8, 2))


@pytest.mark.parametrize("arguments, message", [
    ((H, W, F, np.zeros(8)), "y: expected at least one sample of each class, got no sample of class 1"),
    ((H, W, F, y[:5]), "y: expected one label for each of the 8 samples"),
    ((H, W, F, np.eye(2)[y]), "y: expected one label for each of the 8 samples"),
    ((H, W, F, y + 1), "y: expected integer labels from 0 to 1"),
    ((H, W, F[:3], y), r"F: expected shape \(..., 8, 2\)"),
    ((H, W, np.ones((8, 3)), y), r"F: expected shape \(..., 8, 2\)"),
    ((H, np.ones((2, 5)), F, y), "means: expected shape"),
    ((H, np.ones((1, 4)), np.ones((8, 1)), np.zeros(8)), "C: expected a whole number of classes"),
    ((np.full((8, 4), np.nan), W, F, y), "H: expected finite"),
    ((H[0], W, F, y), "H: expected a non-empty array"),
])
def test_bad_input_names_the_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        neural_collapse(*arguments)
