"""Neural collapse under the square loss: exact minimisers of unconstrained-features models.

The problem is ``1/(2n) |W H - Y|_F^2 + lam_W/2 |W|_F^2 + lam_H/2 |H|_F^2`` with ``H`` of shape
(p, n) as free as ``W`` of shape (C, p), one-hot ``Y`` of shape (C, n) and ``n_c`` samples of class
c. It is a network whose inputs are orthogonal rows of norm ``sqrt(lam_W / lam_H)`` and whose layers
all have the decay ``lam_W``.
"""

from dataclasses import dataclass

import numpy as np

from deepdyn_np.errors import expect, numeric_array, positive_number, whole_number


@dataclass(frozen=True)
class Minimizer:
    """Global minimum of the unconstrained-features model.

    Attributes
    ----------
    outputs : ndarray, shape (C, C)
        Column c is the output ``W h + b`` of every sample of class c.
    b : ndarray, shape (C,)
        The bias; zeros where the model has none.
    W_singular, H_singular : ndarray, shape (C,)
        Singular values of ``W`` and of ``H``, in falling order.
    W_gram, mean_gram : ndarray, shape (C, C)
        ``W W^T`` and the Gram matrix of the class means ``mu_c . mu_c'``.
    value : float
        The objective.
    dead : bool
        Whether the decay is so large that ``W = 0`` and ``H = 0``.

    Notes
    -----
    Derived in chapter 19_neural_collapse.
    """

    outputs: np.ndarray
    b: np.ndarray
    W_singular: np.ndarray
    H_singular: np.ndarray
    W_gram: np.ndarray
    mean_gram: np.ndarray
    value: float
    dead: bool


@dataclass(frozen=True)
class DeepMinimizer:
    """Orthogonal configurations of a model with K factors, class by class.

    Attributes
    ----------
    root : ndarray, shape (C,)
        The larger root ``sigma`` of the stationarity equation; 0 where there is none.
    sigma : ndarray, shape (C,)
        ``root`` where it costs less than 0, else 0: the global minimum.
    outputs : ndarray, shape (C,)
        Diagonal ``sigma / sqrt(n_c)`` of the outputs.
    factor : ndarray, shape (C,)
        Singular value ``sigma^(1/K)`` of each of the K factors.
    value : float
        The objective at ``sigma``.
    dead : bool
        Whether ``sigma`` is 0 for every class.

    Notes
    -----
    Derived in chapter 19_neural_collapse.
    """

    root: np.ndarray
    sigma: np.ndarray
    outputs: np.ndarray
    factor: np.ndarray
    value: float
    dead: bool


def unconstrained_features(counts, lam_W, lam_H, bias=False):
    """Global minimum of the unconstrained-features model, by soft thresholding.

    ``Y`` (with a bias: ``Y`` minus its mean over the samples) is reduced to the C x C matrix
    ``A = diag(r) (I - r r^T / n)`` with ``r_c = sqrt(n_c)`` (without bias ``A = diag(r)``); its
    singular values are lowered by ``n sqrt(lam_W lam_H)``, and cut at 0.

    Parameters
    ----------
    counts : sequence of int, length C
        Samples ``n_c`` of each class.
    lam_W, lam_H : float
        Decay of the last layer and of the features, above 0.
    bias : bool
        Whether outputs have a bias without decay.

    Returns
    -------
    Minimizer

    Notes
    -----
    Needs a width of at least C (C - 1 with a bias). Derived in chapter 19_neural_collapse.
    """
    counts = _counts(counts)
    positive_number("lam_W", lam_W), positive_number("lam_H", lam_H)
    n, r = counts.sum(), np.sqrt(counts)
    A = np.diag(r) - (np.outer(counts, r) / n if bias else 0)
    P, s, Qt = np.linalg.svd(A)
    strength = np.sqrt(lam_W * lam_H)
    sigma = np.maximum(s - n * strength, 0)
    fit = (P * sigma) @ Qt
    b = (counts - fit @ r) / n if bias else np.zeros(len(counts))
    ratio = np.sqrt(lam_H / lam_W)
    return Minimizer(
        outputs=fit / r + b[:, None],
        b=b,
        W_singular=np.sqrt(ratio * sigma),
        H_singular=np.sqrt(sigma / ratio),
        W_gram=ratio * (P * sigma) @ P.T,
        mean_gram=(Qt.T * sigma) @ Qt / ratio / np.outer(r, r),
        value=float(np.sum((s - sigma) ** 2) / (2 * n) + strength * sigma.sum()),
        dead=bool((sigma == 0).all()),
    )


def deep_unconstrained_features(counts, lam, K):
    """Orthogonal minimum of ``1/(2n) |W_K ... W_1 - Y|_F^2 + lam/2 sum_k |W_k|_F^2``.

    Class by class ``sigma`` minimises ``(sqrt(n_c) - sigma)^2 / (2n) + lam K/2 sigma^(2/K)``: either
    0 or the larger root of ``sigma^(1 - 2/K) (sqrt(n_c) - sigma) = n lam``.

    Parameters
    ----------
    counts : sequence of int, length C
        Samples of each class.
    lam : float
        Decay of every factor, above 0.
    K : int
        Number of factors, at least 2: the layers of a network with orthonormal inputs.

    Returns
    -------
    DeepMinimizer

    Notes
    -----
    For K >= 3 zero is always a local minimum too. Derived in chapter 19_neural_collapse.
    """
    counts = _counts(counts)
    positive_number("lam", lam), whole_number("K", K, 2)
    n, s = counts.sum(), np.sqrt(counts)
    force = n * lam
    lower = s * (K - 2) / (2 * K - 2)  # where the left side is largest

    def pull(sigma):
        return sigma ** (1 - 2 / K) * (s - sigma)

    def cost(sigma):
        return (s - sigma) ** 2 / (2 * n) + lam * K / 2 * sigma ** (2 / K)

    exists, upper = pull(lower) > force, s.copy()
    for _ in range(60):  # each halves the interval: 2^-60
        middle = (lower + upper) / 2
        inside = pull(middle) > force
        lower, upper = np.where(inside, middle, lower), np.where(inside, upper, middle)
    root = np.where(exists, (lower + upper) / 2, 0.0)
    sigma = np.where(cost(root) < cost(np.zeros_like(s)), root, 0.0)
    return DeepMinimizer(
        root=root,
        sigma=sigma,
        outputs=sigma / s,
        factor=sigma ** (1 / K),
        value=float(cost(sigma).sum()),
        dead=bool((sigma == 0).all()),
    )


def minority_threshold(n, lam_W, lam_H):
    """The class size ``n^2 lam_W lam_H`` up to which a class collapses to output 0 (no bias).

    Notes
    -----
    Derived in chapter 19_neural_collapse.
    """
    positive_number("n", n), positive_number("lam_W", lam_W), positive_number("lam_H", lam_H)
    return float(n) ** 2 * lam_W * lam_H


def killing_decay(counts, bias=False):
    """The decay ``sqrt(lam_W lam_H)`` from which on the minimum is ``W = 0``, ``H = 0``.

    The largest singular value of the (centred) targets over n; ``sqrt(max n_c) / n`` without bias.

    Notes
    -----
    Derived in chapter 19_neural_collapse.
    """
    counts = _counts(counts)
    n, r = counts.sum(), np.sqrt(counts)
    A = np.diag(r) - (np.outer(counts, r) / n if bias else 0)
    return float(np.linalg.norm(A, 2) / n)


def simplex_etf(C, p):
    """Simplex equiangular tight frame: C unit rows in R^p with all cosines ``-1/(C - 1)``.

    Parameters
    ----------
    C : int
        Number of vectors, at least 2.
    p : int
        Dimension, at least ``C - 1``.

    Returns
    -------
    ndarray, shape (C, p)

    Notes
    -----
    Derived in chapter 19_neural_collapse.
    """
    whole_number("C", C, 2), whole_number("p", p, C - 1)
    # An orthonormal basis of the plane orthogonal to (1, ..., 1): coordinates in C - 1 dimensions.
    basis = np.linalg.svd(np.eye(C) - 1 / C)[2][: C - 1]
    return np.sqrt(C / (C - 1)) * np.pad(basis.T, ((0, 0), (0, p - C + 1)))


def orthogonal_frame(C, p):
    """C orthonormal rows in R^p, shape (C, p); ``p`` is at least C.

    Notes
    -----
    Derived in chapter 19_neural_collapse.
    """
    whole_number("C", C, 2), whole_number("p", p, C)
    return np.eye(C, p)


def centered_nc3(C):
    """NC3 with centred means of a bias-free collapsed network, ``2 - 2 sqrt(1 - 1/C)``.

    Notes
    -----
    Derived in chapter 19_neural_collapse.
    """
    whole_number("C", C, 2)
    return 2 - 2 * np.sqrt(1 - 1 / C)


def _counts(counts):
    counts = numeric_array("counts", counts)
    expect(counts.ndim == 1 and counts.size >= 2 and bool((counts >= 1).all())
           and bool((counts == np.round(counts)).all()), "counts",
           "the samples of each class: at least two whole numbers, at least 1", counts,
           "Labels become counts by np.bincount(y).")
    return counts
