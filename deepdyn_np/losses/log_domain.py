"""Sums of exponentials that neither overflow nor underflow."""

from functools import cache

import numpy as np


def log_sum_exp(a, axis=-1, keepdims=False):
    """``log(sum(exp(a)))`` along ``axis``, exact in the log domain.

    The largest entry is taken out of the sum, so the result is right at ``a = -1e7`` as at
    ``a = 1e7``. Entries may be ``-inf``; not all of them.

    Derived in chapter 03_max_margin.
    """
    top = np.max(a, axis=axis, keepdims=True)
    total = top + np.log(np.sum(np.exp(a - top), axis=axis, keepdims=True))
    return total if keepdims else np.squeeze(total, axis=axis)


def log_mean_exp(a, axis=-1):
    """``log(mean(exp(a)))`` along ``axis``, exact in the log domain.

    Derived in chapter 03_max_margin.
    """
    return log_sum_exp(a, axis) - np.log(np.shape(a)[axis])


def exp_over_sum(a, b, axis=-1):
    """``exp(a) / sum(exp(b))`` along ``axis``, to relative rounding at any size of a and b.

    Not the same as ``exp(a - log_sum_exp(b))``: at ``b = 1e7`` that difference is already rounded
    to 1e-9, and weights that should sum to 1 no longer do.
    """
    top = np.max(b, axis=axis, keepdims=True)
    return np.exp(vanishing(a - top, 1e8)) / np.sum(np.exp(b - top), axis=axis, keepdims=True)


def vanishing(a, times=1.0):
    """``a``, or ``-inf`` where ``exp(a)`` is below the smallest normal number, ``times`` a factor.

    A matrix product that meets a subnormal number takes a hundred times as long, and the sample
    that such a weight belongs to no longer counts: its weight becomes 0. A factor leaves room for
    a division.
    """
    least = _least_exponent(a.dtype, times)
    flat = a.ravel(order="K")
    if flat[flat.argmin()].real > least:  # argmin costs a third of min
        return a
    return np.where(a.real <= least, -np.inf, a)


def overflowing(a):
    """``a``, or ``inf`` where ``exp(-a)`` is below the smallest normal number: see `vanishing`."""
    most = -_least_exponent(a.dtype, 1.0)
    flat = a.ravel(order="K")
    if flat[flat.argmax()].real < most:
        return a
    return np.where(a.real >= most, np.inf, a)


@cache
def _least_exponent(dtype, times):
    return float(np.log(np.finfo(dtype).tiny * times))


def log_of_log1p_exp(a):
    """``log(log(1 + exp(a)))``, which is ``a`` to rounding below ``a = -35``.

    Logistic loss and cross-entropy are ``log(1 + exp(a))``; their logarithm must switch to ``a``
    before ``exp(a)`` vanishes beside the 1.
    """
    return np.where(a < -35, a, np.log(np.logaddexp(0, np.maximum(a, -35))))
