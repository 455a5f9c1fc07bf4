"""The hard-margin support vector machine, solved exactly and certified."""

import warnings
from dataclasses import dataclass

import numpy as np

from deepdyn_np.errors import NotSeparableError, expect, matrix, numeric_array
from deepdyn_np.theory.exponential_sums import minimize_exponential_sum
from deepdyn_np.theory.nnls import nnls

__all__ = ["Certificate", "HardMargin", "hard_margin_svm", "multiclass_margin_rows", "nnls"]

NOT_SEPARABLE = 1e-10  # margin / rms row norm: below, rounding decides
NEARLY_NOT_SEPARABLE = 1e-7  # below, the duals lose digits
ON_MARGIN = 1e-9  # |z_i . w - 1| of a row on the margin
ROUNDING_DUAL = 1e-10  # a dual below this part of the largest one is rounding noise


@dataclass(frozen=True)
class Certificate:
    """How far a pair (w, alpha) is from satisfying the KKT conditions, free of scale.

    The same for ``Z`` and ``c * Z``: margins are in units of the required margin 1, duals in
    units of their sum. All five are 0 for the exact solution, and the conditions are sufficient
    (the problem is convex): five numbers of the size of rounding prove the solution right,
    whoever computed it.

    Attributes
    ----------
    primal : float
        Largest violation of a constraint, ``max(0, 1 - min Z @ w)``.
    dual : float
        Smallest dual, ``min(alpha) / sum(alpha)``: not negative.
    complementarity : float
        ``max |alpha_i (z_i . w - 1)| / sum(alpha)``.
    stationarity : float
        ``|w - Z.T @ alpha| / |w|``.
    gap : float
        Duality gap ``|1/2 |w|^2 - (sum(alpha) - 1/2 |Z.T @ alpha|^2)| / |w|^2``.

    Notes
    -----
    Derived in chapter 03_max_margin.
    """

    primal: float
    dual: float
    complementarity: float
    stationarity: float
    gap: float

    @property
    def worst(self):
        """The largest of the five violations; one number to assert."""
        return max(self.primal, -self.dual, self.complementarity, self.stationarity, self.gap)


@dataclass(frozen=True, eq=False)
class HardMargin:
    """The maximum-margin solution of ``min 1/2 |w|^2  s.t.  Z @ w >= 1``.

    Attributes
    ----------
    w : ndarray, shape (d,)
        The minimiser, unique. Not of unit length: the smallest ``Z @ w`` is 1.
    alpha : ndarray, shape (n,)
        Duals, ``w = Z.T @ alpha``, ``alpha >= 0``, ``alpha.sum() == |w|**2``.
    gamma : float
        The maximum margin ``1 / |w|``: the largest ``min Z @ u`` over unit vectors u.
    support : ndarray of int, shape (k,)
        The k support vectors S, ``alpha[support] > 0``; ascending.
    certificate : Certificate
        The proof that w and alpha are right.

    Notes
    -----
    Derived in chapter 03_max_margin.
    """

    w: np.ndarray
    alpha: np.ndarray
    gamma: float
    support: np.ndarray
    certificate: Certificate


def margin_rows(Z):
    """``Z`` as one real matrix of rows z_i = y_i x_i, or a ``ValueError`` that says what it is.

    Notes
    -----
    The rows are introduced in chapter 03_max_margin.
    """
    Z = matrix("Z", Z, "one row z_i = y_i * x_i per sample")
    expect(Z.ndim == 2 and Z.dtype.kind == "f", "Z",
           "one real matrix of shape (n, d), its rows z_i = y_i * x_i",
           f"shape {Z.shape}, dtype {Z.dtype}", "Ensembles are solved one by one.")
    return Z


def hard_margin_svm(Z):
    r"""The hard-margin support vector machine without bias, exact and certified.

    .. math:: \hat w=\arg\min\{\tfrac12\|w\|^2:Zw\ge1\},\qquad
              \hat w=Z^\top\alpha,\ \alpha\ge0,\qquad \gamma=1/\|\hat w\|

    Least-distance programming: with :math:`E=[Z^\top;\mathbf 1^\top]` and the last unit vector
    :math:`f`, let :math:`u=\arg\min_{u\ge0}\|Eu-f\|` (by `nnls`) and :math:`r=Eu-f`. Then
    :math:`r=0` iff the rows are not separable through the origin; otherwise
    :math:`\hat w=r_{1:d}/\|r\|^2`, :math:`\alpha=u/\|r\|^2`,
    :math:`\gamma=\|r\|/\sqrt{1-\|r\|^2}`. A last step solves :math:`z_i\cdot\hat w=1` on the
    support vectors, which removes the division by :math:`\|r\|^2` from the rounding errors.

    :math:`\hat w` is unique. The duals are if the rows on the margin are independent; otherwise
    (duplicated points, points on a line) this returns the duals of largest entropy
    :math:`-\sum\alpha_i\log\alpha_i`. Identical rows then share their dual equally. These are the
    duals that gradient flow selects, so that the formulas of `max_margin` hold row by row.

    Parameters
    ----------
    Z : ndarray, shape (n, d)
        Rows :math:`z_i=y_ix_i`, labels :math:`y_i=\pm1` multiplied in. For a bias append a column
        of ones to X first. For more than two classes use `multiclass_margin_rows`.

    Returns
    -------
    HardMargin
        ``w``, ``alpha``, ``gamma``, ``support`` and the ``certificate``. No 1/n anywhere: neither
        w nor the duals depend on how the loss is averaged.

    Raises
    ------
    NotSeparableError
        No w has Zw > 0 (margin below 1e-10 of the rms row norm). Carries Gordan's certificate
        ``u >= 0``, ``u.sum() == 1``, ``Z.T @ u = 0``.
    ValueError
        Not one real matrix; nan or inf.

    Warns
    -----
    RuntimeWarning
        The margin is below 1e-7 of the rms row norm; the message tells the certificate.

    Notes
    -----
    C. L. Lawson and R. J. Hanson, *Solving Least Squares Problems*, 1974, ch. 23.

    Derived in chapter 03_max_margin.
    """
    Z = margin_rows(Z)
    n, d = Z.shape
    largest = abs(Z).max() or 1.0
    scale = largest * (np.sqrt(np.mean(np.sum((Z / largest)**2, axis=1))) or 1.0)
    unit = Z / scale
    u = nnls(np.vstack([unit.T, np.ones(n)]), np.append(np.zeros(d), 1.0))
    distance = np.linalg.norm(np.append(unit.T @ u, u.sum() - 1))
    if distance < NOT_SEPARABLE:
        raise NotSeparableError(_not_separable_message(Z), u / u.sum())

    w, support, alpha = _polish(unit, np.flatnonzero(u))
    on_margin = np.flatnonzero(abs(unit @ w - 1) <= ON_MARGIN)
    if np.linalg.matrix_rank(unit[on_margin]) < len(on_margin):
        support, alpha = _largest_entropy(unit, on_margin, w)
    w, alpha = w / scale, alpha / scale**2

    certificate = _certify(Z, w, alpha)
    if distance < NEARLY_NOT_SEPARABLE:
        warnings.warn(f"Z is nearly not separable: its margin is {distance:.1e} of the rms row "
                      f"norm. The certificate's worst number is {certificate.worst:.1e}.",
                      RuntimeWarning, stacklevel=2)
    return HardMargin(w, alpha, float(1 / np.linalg.norm(w)), support, certificate)


def _polish(Z, support):
    """Solution, support and duals from z_i . w = 1 on the support vectors, rid of rounding noise.

    ``w`` comes from the constraints and not from the duals, whose large terms would cancel.
    """
    while True:
        rows = Z[support]
        Q, R = np.linalg.qr(rows.T)
        w = Q @ np.linalg.solve(R.T, np.ones(len(support)))
        w += Q @ np.linalg.solve(R.T, 1 - rows @ w)
        duals = np.linalg.solve(R, Q.T @ w)
        duals += np.linalg.solve(R, Q.T @ (w - rows.T @ duals))
        keep = duals > ROUNDING_DUAL * duals.max()
        if keep.all():
            break
        support = support[keep]
    alpha = np.zeros(len(Z))
    alpha[support] = duals
    return w, support, alpha


def _largest_entropy(Z, on_margin, w):
    """Support and duals of largest entropy; only rows on the margin may carry a dual."""
    while True:
        rows = Z[on_margin]
        _, sigma, Vt = np.linalg.svd(rows, full_matrices=False)
        V = Vt[sigma > max(rows.shape) * np.finfo(float).eps * sigma[0]].T
        equal_duals = V.T @ w * np.log(len(rows) / (w @ w))  # as rows @ w = 1
        _, duals = minimize_exponential_sum(rows @ V, 0.0, V.T @ w, 0.0, equal_duals)
        keep = duals > ROUNDING_DUAL * duals.max()
        if keep.all():
            break
        on_margin = on_margin[keep]  # the others are 0 in every dual solution
    alpha = np.zeros(len(Z))
    alpha[on_margin] = duals
    return on_margin, alpha


def _certify(Z, w, alpha):
    """The `Certificate` of any pair (w, alpha)."""
    total, norm2, back = alpha.sum(), w @ w, Z.T @ alpha
    excess = Z @ w - 1
    return Certificate(
        primal=float(max(0.0, -excess.min())),
        dual=float(alpha.min() / total),
        complementarity=float(abs(alpha * excess).max() / total),
        stationarity=float(np.linalg.norm(w - back) / np.sqrt(norm2)),
        gap=float(abs(norm2 / 2 - (total - back @ back / 2)) / norm2))


def _not_separable_message(Z):
    """What is wrong with ``Z``, and the mistakes that most often cause it."""
    message = (f"Z: expected rows z_i = y_i * x_i with Z @ w > 0 for some w, got {len(Z)} rows "
               "whose convex hull contains the origin (the attribute 'certificate' holds the "
               "weights). Were the labels multiplied in, Z = y[:, None] * X? Do the classes need "
               "a bias (append a column of ones to X)?")
    labels = np.flatnonzero((abs(Z) == 1).all(axis=0) & (abs(Z.sum(axis=0)) < len(Z)))
    if labels.size:
        message += (f" Column {labels[0]} holds only -1 and +1: if these are the labels, take "
                    "them out of X and multiply them in.")
    return message


def multiclass_margin_rows(X, y):
    r"""Rows that turn the multi-class margin into the binary one.

    .. math:: z_{ic}=(e_{y_i}-e_c)\otimes x_i\in\mathbb R^{Cd},\qquad
              z_{ic}\cdot\mathrm{vec}(W)=(w_{y_i}-w_c)\cdot x_i,\qquad c\ne y_i

    so `hard_margin_svm` of these rows is the multi-class SVM
    :math:`\min\|W\|_F:(w_{y_i}-w_c)\cdot x_i\ge1`, and ``w.reshape(C, d)`` is its
    :math:`\hat W`, whose rows sum to 0. There are n(C - 1) rows but n samples: with the mean
    cross-entropy the prefactor of the formulas in `max_margin` stays 1/n.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Inputs.
    y : ndarray of int, shape (n,)
        Labels 0, ..., C-1; every class occurs.

    Returns
    -------
    ndarray, shape (n (C - 1), C d)
        The rows of sample i are contiguous, c ascending without :math:`y_i`.

    Raises
    ------
    ValueError
        Shapes that do not fit, labels that are not 0..C-1, fewer than two classes, a class
        without samples.

    Notes
    -----
    D. Soudry, E. Hoffer, M. Shpigel Nacson, S. Gunasekar, N. Srebro, *The Implicit Bias of
    Gradient Descent on Separable Data*, JMLR 19 (2018).

    Derived in chapter 04_multiclass_margin.
    """
    X = matrix("X", X)
    expect(X.ndim == 2 and X.dtype.kind == "f", "X", "one real matrix of shape (n, d)",
           f"shape {X.shape}, dtype {X.dtype}")
    n, d = X.shape
    y = numeric_array("y", y)
    expect(y.shape == (n,), "y", f"shape ({n},), one label per row of X",
           f"shape {y.shape}", "A one-hot Y becomes labels by Y.argmax(-1).")
    wrong = y[~np.isin(y, np.arange(n))]
    expect(wrong.size == 0, "y", "integer labels 0, ..., C-1 with C <= n",
           f"the value {wrong[0] if wrong.size else ''}",
           "Labels -1 and +1 become 0 and 1 by (y + 1) // 2.")
    y = y.real.astype(int)
    counts = np.bincount(y)
    C = len(counts)
    expect(C >= 2, "y", "at least two classes", "only the label 0")
    expect(counts.all(), "y", f"every class of 0, ..., {C - 1}",
           f"no sample of class {int(np.argmin(counts))}",
           "Renumber the classes: np.unique(y, return_inverse=True)[1].")
    others = np.nonzero(np.arange(C) != y[:, None])[1].reshape(n, C - 1)
    signs = np.eye(C)[y][:, None, :] - np.eye(C)[others]
    return (signs[..., None] * X[:, None, None, :]).reshape(n * (C - 1), C * d)
