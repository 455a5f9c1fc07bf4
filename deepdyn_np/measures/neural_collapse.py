"""Neural collapse: how close the last hidden layer is to one point per class on a regular frame."""

from dataclasses import dataclass

import numpy as np

from deepdyn_np.errors import expect, matrix, numeric_array

#: Eigenvalues of the between-class covariance below this fraction of the largest count as zero.
RCOND = 1e-8
#: Class means closer together than this, relative to the features, differ by rounding only.
COINCIDE = 1e-13


@dataclass(frozen=True)
class NeuralCollapse:
    """The four measures; each is 0 on a collapsed network, and an array of shape (...).

    Attributes
    ----------
    nc1 : ndarray
        Variability within the classes, `within_class_variability`.
    equinorm, equiangularity, angle : ndarray
        NC2: spread of the lengths of the class means, spread of the cosines between them, and
        distance of these cosines from those of a simplex (or, uncentred, of an orthogonal frame).
    nc3 : ndarray
        Distance of the last layer from the class means, `self_duality`.
    nc4 : ndarray
        Fraction of samples that the network puts into another class than the nearest class mean.

    Notes
    -----
    Derived in chapter 19_neural_collapse.
    """

    nc1: np.ndarray
    equinorm: np.ndarray
    equiangularity: np.ndarray
    angle: np.ndarray
    nc3: np.ndarray
    nc4: np.ndarray


def neural_collapse(H, W, F, y, center=True):
    """The four measures of neural collapse, NC1 to NC4.

    With class means ``mu_c`` and their mean ``mu_G``, each class counting once, NC2 and NC3
    compare the vectors ``mu_c - mu_G`` (``center=True``, for a classifier with bias) or ``mu_c``
    (``center=False``, for one without). NC1 always subtracts the means; NC4 never does.

    Parameters
    ----------
    H : ndarray, shape (..., n, p)
        Features of the last hidden layer.
    W : ndarray, shape (..., C, p)
        Last layer.
    F : ndarray, shape (..., n, C)
        Outputs, with their bias if there is one.
    y : ndarray, shape (..., n)
        Labels 0..C-1; every class needs a sample.
    center : bool
        Whether NC2 and NC3 subtract ``mu_G``.

    Returns
    -------
    NeuralCollapse
        Entries are nan where a measure has no meaning: see the single functions.

    Notes
    -----
    After Papyan, Han and Donoho (2020). Derived in chapter 19_neural_collapse.
    """
    H, W, F = matrix("H", H), matrix("W", W, "one class per row"), matrix("F", F)
    C = W.shape[-2]
    means = class_means(H, y, C)
    expect(F.shape[-2:] == (H.shape[-2], C), "F", f"shape (..., {H.shape[-2]}, {C}): the outputs "
           "that H and W give", f"shape {F.shape}", "Are the outputs those of other samples?")
    frame = means - means.mean(axis=-2, keepdims=True) if center else means
    cosines = _cosines(frame)
    lengths = np.linalg.norm(frame, axis=-1)
    wanted = -1 / (C - 1) if center else 0.0
    nearest = np.argmin(_squared_distances(H, means), axis=-1)
    return NeuralCollapse(
        within_class_variability(H, y, C),
        _quotient(lengths.std(axis=-1), lengths.mean(axis=-1)),
        cosines.std(axis=-1),
        np.abs(cosines - wanted).mean(axis=-1),
        self_duality(W, frame),
        np.mean(np.argmax(F, axis=-1) != nearest, axis=-1),
    )


def class_means(H, y, C):
    """Class means ``mu_c`` of features, shape (..., C, p).

    Parameters
    ----------
    H : ndarray, shape (..., n, p)
    y : ndarray, shape (..., n)
        Labels 0..C-1; every class needs a sample.
    C : int
        Number of classes, at least 2.

    Notes
    -----
    Derived in chapter 19_neural_collapse.
    """
    H = matrix("H", H)
    members = _members(y, H.shape[-2], C)
    return members.mT @ H / members.sum(axis=-2)[..., None]


def within_class_variability(H, y, C):
    """NC1, the within-class in units of the between-class covariance, shape (...).

    ``Tr(S_W S_B^+) / C`` with ``S_W = 1/n sum_i (h_i - mu_{y_i})(h_i - mu_{y_i})^T`` and
    ``S_B = 1/C sum_c (mu_c - mu_G)(mu_c - mu_G)^T``, ``mu_G`` the mean of the class means. The
    pseudo-inverse drops eigenvalues of ``S_B`` below 1e-8 of the largest: the rank of ``S_B`` is
    at most ``C - 1``, and its inverse does not exist.

    Parameters
    ----------
    H : ndarray, shape (..., n, p)
        Features of any layer, or the inputs.
    y : ndarray, shape (..., n)
        Labels 0..C-1; every class needs a sample.
    C : int
        Number of classes.

    Returns
    -------
    ndarray, shape (...)
        nan where all class means coincide, as in a network that weight decay has killed: there is
        no unit to measure in.

    Notes
    -----
    Invariant under scaling, shifts and rotations of the features. Derived in chapter
    19_neural_collapse.
    """
    H = matrix("H", H)
    means = class_means(H, y, C)
    members = _members(y, H.shape[-2], C)
    M = means - means.mean(axis=-2, keepdims=True)
    _, s, Vt = np.linalg.svd(M, full_matrices=False)
    kept = s**2 > RCOND * s[..., :1] ** 2
    within = (H - members @ means) @ Vt.mT
    unit = np.where(kept, s, np.inf)[..., None, :]
    # S_B = V diag(s^2) V^T / C, so the C of the definition cancels
    nc1 = np.sum((within / unit) ** 2, axis=(-2, -1)) / H.shape[-2]
    size = np.abs(H).max(axis=(-2, -1))
    return np.where(s[..., 0] > COINCIDE * size, nc1, np.nan)


def self_duality(W, means):
    """NC3, the squared distance of two normalised matrices ``|| W/|W|_F - M/|M|_F ||_F^2``.

    Parameters
    ----------
    W : ndarray, shape (..., C, p)
        Last layer.
    means : ndarray, shape (..., C, p)
        Class means as rows, centred or not.

    Returns
    -------
    ndarray, shape (...)
        Between 0 and 4; nan where ``W`` or ``means`` is zero.

    Notes
    -----
    Derived in chapter 19_neural_collapse.
    """
    W, means = matrix("W", W, "one class per row"), matrix("means", means, "one class per row")
    expect(W.shape[-2:] == means.shape[-2:], "means", f"shape (..., {W.shape[-2]}, {W.shape[-1]}), "
           "that of W", f"shape {means.shape}", "Both have one row per class.")
    units = [_quotient(A, np.linalg.norm(A, axis=(-2, -1), keepdims=True)) for A in (W, means)]
    return np.sum((units[0] - units[1]) ** 2, axis=(-2, -1))


def _members(y, n, C):
    """One-hot labels, shape (..., n, C), of labels that fit the samples and fill every class."""
    y = numeric_array("y", y)
    expect(isinstance(C, (int, np.integer)) and C >= 2, "C", "a whole number of classes, at least 2", C)
    expect(y.shape[-1:] == (n,), "y", f"one label for each of the {n} samples", f"shape {y.shape}",
           "One-hot rows become labels by Y.argmax(axis=-1).")
    expect(bool(np.isin(y, np.arange(C)).all()), "y", f"integer labels from 0 to {C - 1}",
           f"{np.unique(y)[:6]}", "Is W the last layer, with one row per class?")
    members = (y[..., None] == np.arange(C)).astype(float)
    counts = members.sum(axis=-2)
    expect(bool((counts > 0).all()), "y", "at least one sample of each class",
           f"no sample of class {np.argwhere(counts == 0)[0][-1] if (counts == 0).any() else ''}",
           "A class without samples has no mean: leave it out, or give fewer classes.")
    return members


def _cosines(V):
    """Cosines between different rows, shape (..., C (C - 1)); nan where a row is zero."""
    units = _quotient(V, np.linalg.norm(V, axis=-1, keepdims=True))
    different = ~np.eye(V.shape[-2], dtype=bool)
    return (units @ units.mT)[..., different]


def _squared_distances(H, means):
    """``|h_i - mu_c|^2`` without the part ``|h_i|^2`` that all classes share."""
    return np.vecdot(means, means)[..., None, :] - 2 * H @ means.mT


def _quotient(a, b):
    """``a / b``, nan where ``b`` is 0."""
    return np.divide(a, np.where(b == 0, np.nan, b))
