"""Few samples in the place of many: what the square loss of a linear map sees of its data."""

import numpy as np


def sample_count(X, Y):
    """Number of samples that `same_moments` returns: ``d + C + 1``."""
    return X.shape[-1] + Y.shape[-1] + 1


def same_moments(X, Y):
    """Samples ``(X', Y')``, ``d + C + 1`` of them, with the means and second moments of ``(X, Y)``.

    The mean square loss of ``f(x) = A x + b`` is a quadratic form in ``(A, b)`` whose coefficients
    are these moments (``X^T X``, ``X^T Y`` and the sums), so that loss, gradient and Hessian are
    the same on both. With ``M = [1 X Y] = Q R`` the rows of ``R`` have the moments of those of
    ``M``; a reflection of the rows turns the first column of ``R`` into ones again. No product
    ``X^T X`` is formed, which would square the condition number.

    Parameters
    ----------
    X : ndarray, shape (..., n, d)
    Y : ndarray, shape (..., n, C)
        With n at least ``d + C + 1``.

    Returns
    -------
    tuple of ndarray, shapes (..., d + C + 1, d) and (..., d + C + 1, C)
    """
    leading, dtype = np.broadcast_shapes(X.shape[:-2], Y.shape[:-2]), np.result_type(X, Y)
    n, d, r = X.shape[-2], X.shape[-1], sample_count(X, Y)
    M = np.ones((*leading, n, r))
    M[..., 1 : d + 1], M[..., d + 1 :] = X, Y
    R = np.linalg.qr(M, mode="r") * np.sqrt(r / n)
    u = R[..., :1] - 1
    R -= u * (2 / np.sum(u * u, axis=-2, keepdims=True)) * (u.mT @ R)
    R = R.astype(dtype, copy=False)
    return R[..., 1 : d + 1].copy(), R[..., d + 1 :].copy()
