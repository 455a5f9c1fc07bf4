"""Singular values of a weight matrix, and three ways to say how low its rank is."""

import numpy as np

from deepdyn_np.errors import expect, matrix, numeric_array


def singular_values(W):
    """Singular values of ``W`` in decreasing order, shape (..., min(d_out, d_in)).

    Parameters
    ----------
    W : ndarray, shape (..., d_out, d_in)
        A weight matrix; leading axes are an ensemble.

    Notes
    -----
    Used from chapter 17_low_rank_bias on.
    """
    return np.linalg.svd(matrix("W", W, "a weight matrix"), compute_uv=False)


def effective_rank(W, threshold):
    """Number of singular values above ``threshold`` times the largest one, shape (...).

    Report it with its threshold: of one matrix it can differ by a factor 2 between 1e-2 and 1e-3.

    Parameters
    ----------
    W : ndarray, shape (..., d_out, d_in)
    threshold : float
        Relative size below which a singular value does not count; between 0 and 1.

    Returns
    -------
    ndarray of int, shape (...)
        At least 1.

    Raises
    ------
    ValueError
        If a matrix is zero, as after a decay that has killed the network: it has no scale to
        compare with, and what is left of its singular values is rounding.

    Notes
    -----
    Derived in chapter 17_low_rank_bias.
    """
    expect(np.ndim(threshold) == 0 and 0 < threshold < 1, "threshold",
           "a number between 0 and 1, relative to the largest singular value", threshold)
    sigma = _of_nonzero(W)
    return np.sum(sigma > threshold * sigma[..., :1], axis=-1)


def stable_rank(W):
    """``|W|_F^2 / |W|_2^2``, shape (...): between 1 and the rank, and needs no threshold.

    Parameters
    ----------
    W : ndarray, shape (..., d_out, d_in)

    Raises
    ------
    ValueError
        If a matrix is zero.

    Notes
    -----
    Derived in chapter 17_low_rank_bias.
    """
    sigma = _of_nonzero(W)
    return np.sum((sigma / sigma[..., :1]) ** 2, axis=-1)


def spectral_tail(W, rank):
    """Relative distance of ``W`` to the matrices of a given rank, shape (...) + shape of ``rank``.

    ``min_{rank Z <= r} |W - Z|_F / |W|_F = sqrt(sum_{i > r} sigma_i^2 / sum_i sigma_i^2)``
    (Eckart and Young).

    Parameters
    ----------
    W : ndarray, shape (..., d_out, d_in)
    rank : int or sequence of int
        r, at least 0; from the smaller dimension on the tail is 0.

    Raises
    ------
    ValueError
        If a matrix is zero, or a rank is negative or not whole.

    Notes
    -----
    Derived in chapter 17_low_rank_bias.
    """
    sigma, r = _of_nonzero(W), numeric_array("rank", rank)
    expect(bool(((r >= 0) & (r == np.round(r))).all()), "rank", "whole numbers, at least 0", rank)
    # from the small end, so that a tail of 1e-15 is not the difference of two sums
    tails = np.cumsum(((sigma / sigma[..., :1]) ** 2)[..., ::-1], axis=-1)[..., ::-1]
    tails = np.sqrt(np.concatenate([tails, np.zeros_like(tails[..., :1])], axis=-1) / tails[..., :1])
    return tails[..., np.minimum(r, sigma.shape[-1]).astype(int)]


def _of_nonzero(W):
    sigma = singular_values(W)
    # A dying network stops at the smallest float, not at 0: 0.75 times it is rounded up to it.
    smallest = np.finfo(sigma.dtype).tiny / np.finfo(sigma.dtype).eps
    expect(bool((sigma[..., 0] > smallest).all()), "W", "a matrix that is not zero",
           f"one of norm {sigma[..., 0].min():.1g}",
           "Rank relative to the largest singular value has no meaning; did decay kill the network?")
    return sigma
