"""Non-negative least squares: the engine under the exact support vector machine."""

import numpy as np

from deepdyn_np.errors import expect, matrix, numeric_array

EPS = np.finfo(float).eps


def nnls(A, b):
    r"""Least squares with non-negative coefficients, to rounding.

    .. math:: \min_{x\ge0}\|Ax-b\|

    by the active-set method of Lawson and Hanson. The *passive* columns carry a positive
    coefficient. In turn, the column along which the residual falls fastest becomes passive, the
    least-squares problem of the passive columns is solved, and whenever a coefficient would turn
    negative the step ends at the boundary and that column leaves. The end is the KKT point
    :math:`x\ge0`, :math:`g=A^\top(Ax-b)\ge0`, :math:`x\cdot g=0`. It is reached, because the
    residual falls strictly from one passive set to the next.

    A column that enters with a non-positive coefficient (because it depends on the passive ones,
    as a duplicate does) is put aside until the residual has visibly fallen; otherwise rounding
    noise would let it enter and leave for ever.

    Parameters
    ----------
    A : ndarray, shape (m, n)
        The columns to combine.
    b : ndarray, shape (m,)
        The target.

    Returns
    -------
    ndarray, shape (n,)
        The coefficients x, exactly 0 outside the passive set. Where the minimiser is not unique
        (dependent columns) this one uses independent columns.

    Raises
    ------
    ValueError
        Wrong shapes, complex numbers, nan or inf.
    RuntimeError
        No optimum after 10 (n + 1) column changes.

    Notes
    -----
    C. L. Lawson and R. J. Hanson, *Solving Least Squares Problems*, 1974, ch. 23.

    Derived in chapter 03_max_margin.
    """
    A = matrix("A", A, "a matrix of n columns to combine")
    b = numeric_array("b", b)
    expect(A.ndim == 2 and A.dtype.kind == "f", "A", "one real matrix of shape (m, n)",
           f"shape {A.shape}, dtype {A.dtype}")
    expect(b.shape == A.shape[:1] and b.dtype.kind == "f", "b",
           f"a real vector of shape ({A.shape[0]},), one entry per row of A",
           f"shape {b.shape}, dtype {b.dtype}")
    n = A.shape[1]
    noise = 4 * EPS * np.linalg.norm(A, axis=0) * np.linalg.norm(b)
    x = np.zeros(n)
    passive = np.zeros(0, dtype=int)
    Qt, R = np.zeros((0, len(A))), np.zeros((0, 0))  # A[:, passive] = Qt.T @ R
    aside = np.zeros(n, dtype=bool)
    lowest = np.inf
    for _ in range(10 * (n + 1)):
        residual = b - A[:, passive] @ x[passive]
        height = np.linalg.norm(residual)
        if height < lowest * (1 - 8 * EPS):
            lowest = height
            aside[:] = False
        aside[passive] = True
        descent = np.where(aside, 0.0, A.T @ residual - noise)
        j = int(np.argmax(descent))
        if descent[j] <= 0:
            return x
        aside[j] = True
        grown = _append_column(Qt, R, A[:, j])
        if grown is None:
            continue  # it depends on the passive columns
        s = _back_substitute(grown[1], grown[0] @ b)
        if s[-1] <= 0:
            continue  # its descent was rounding noise
        Qt, R = grown
        passive = np.append(passive, j)
        while (s <= 0).any():
            old, fraction = x[passive], np.full(len(s), np.inf)
            fraction[s <= 0] = old[s <= 0] / (old - s)[s <= 0]
            old += fraction.min() * (s - old)
            leaves = (fraction == fraction.min()) | (old <= 0)
            x[passive] = np.where(leaves, 0.0, old)
            for k in np.flatnonzero(leaves)[::-1]:
                Qt, R = _remove_column(Qt, R, k)
            passive = passive[~leaves]
            s = _back_substitute(R, Qt @ b)
        x[passive] = s
    raise RuntimeError(
        f"nnls: no optimum after {10 * (n + 1)} column changes. A may have columns that are "
        "dependent up to rounding, or of very different lengths: drop or rescale them.")


# The QR factorisation follows the passive set by updates of a few matrix-vector products each:
# no BLAS threads to wait for, and several times faster than factorising anew.


def _append_column(Qt, R, a):
    """The factorisation with the column ``a`` at the end; None if it depends on the others."""
    q, along = a, np.zeros(len(R))
    for _ in range(2):  # the second pass removes what rounding left of the first
        coefficients = Qt @ q
        q, along = q - coefficients @ Qt, along + coefficients
    height = np.linalg.norm(q)
    if height <= len(a) * EPS * np.linalg.norm(a):
        return None
    grown = np.zeros((len(R) + 1, len(R) + 1))
    grown[:-1, :-1], grown[:-1, -1], grown[-1, -1] = R, along, height
    return np.vstack([Qt, q / height]), grown


def _remove_column(Qt, R, k):
    """The factorisation without column k: rotations in planes (i, i+1) make R triangular again."""
    Qt, R = Qt.copy(), np.delete(R, k, axis=1)
    for i in range(k, R.shape[1]):
        c, s = R[i:i + 2, i] / np.linalg.norm(R[i:i + 2, i])
        rotation = np.array([[c, s], [-s, c]])
        R[i:i + 2, i:] = rotation @ R[i:i + 2, i:]
        Qt[i:i + 2] = rotation @ Qt[i:i + 2]
    return Qt[:-1], R[:-1]


def _back_substitute(R, c):
    """Solve R s = c, R upper triangular."""
    s = np.zeros(len(c))
    for i in reversed(range(len(c))):
        s[i] = (c[i] - R[i, i + 1:] @ s[i + 1:]) / R[i, i]
    return s
