r"""How far weight decay and mini-batches push a weight matrix towards low rank.

Conventions of every function: the loss is a *mean*, decay adds
:math:`\frac\lambda2\|\theta\|^2`, and a step is :math:`W\leftarrow qW-\eta G` with
:math:`q=1-\eta\lambda` and G the gradient of the data term. A paper that writes
:math:`\lambda\|\theta\|^2` has :math:`q=1-2\eta\lambda` with its own :math:`\lambda`, half of ours.
"""

from dataclasses import dataclass

import numpy as np

from deepdyn_np.errors import expect, numeric_array, positive, positive_number, whole_number

# --- mini-batch steps --------------------------------------------------------------------------


def shrink_factor(eta, lam):
    r"""The factor by which one step shrinks what the gradient does not see.

    .. math:: q=1-\eta\lambda

    Parameters
    ----------
    eta, lam : float or ndarray
        Step size, above 0, and decay, at least 0; :math:`\eta\lambda<1`.

    Returns
    -------
    ndarray
        In (0, 1]; 1 without decay. Shapes broadcast.

    Raises
    ------
    ValueError
        If :math:`\eta\lambda\ge1`: the step jumps over the origin and no power of q is a bound.

    Notes
    -----
    Derived in chapter 17_low_rank_bias.
    """
    eta, lam = positive("eta", np.asarray(eta, float)), numeric_array("lam", lam)
    expect(bool((lam >= 0).all()), "lam", "numbers, at least 0", lam)
    expect(bool((eta * lam < 1).all()), "lam", "a decay below 1 / eta", lam,
           "One step would send the weights past zero.")
    return 1 - eta * lam


def low_rank_bound(q, m, growth=1.0):
    r"""Bound on the relative distance of :math:`W_T` to the matrices of rank mB.

    .. math:: \min_{\operatorname{rank}Z\le mB}\frac{\|W_T-Z\|_F}{\|W_T\|_F}
              \le q^m\,\frac{\|W_{T-m}\|_F}{\|W_T\|_F}

    Parameters
    ----------
    q : float or ndarray
        From `shrink_factor`.
    m : int or ndarray
        Number of last steps, a whole number, at least 0.
    growth : float or ndarray
        :math:`\|W_{T-m}\|_F/\|W_T\|_F`; 1 when the norms have settled.

    Returns
    -------
    ndarray
        Shapes broadcast. From 1 on the bound says nothing.

    Raises
    ------
    ValueError
        If a number of steps is negative or not whole, q is not in (0, 1] or a growth not above 0.

    Notes
    -----
    For any loss, data and depth; plain SGD without momentum.
    Galanti, Siegel, Gupte and Poggio, *SGD and Weight Decay Secretly Minimize the Rank of Your
    Neural Network*, arXiv:2206.05794.
    Derived in chapter 17_low_rank_bias.
    """
    q, m = _fraction("q", q), numeric_array("m", m)
    expect(bool(((m >= 0) & (m == np.round(m))).all()), "m", "whole numbers of steps, at least 0", m)
    return q**m * positive("growth", np.asarray(growth, float))


def guaranteed_rank(epsilon, q, batch_size):
    r"""The rank at which `low_rank_bound` promises a relative error :math:`\epsilon`.

    .. math:: B\,\Big\lceil\frac{\ln\epsilon}{\ln q}\Big\rceil\approx\frac{B\ln(1/\epsilon)}{\eta\lambda}

    Parameters
    ----------
    epsilon : float or ndarray
        Relative error, between 0 and 1.
    q : float
        From `shrink_factor`; settled norms are assumed.
    batch_size : int
        B.

    Returns
    -------
    ndarray
        A whole number, possibly larger than the matrix; ``inf`` if q = 1 (no decay): no rank
        is promised then.

    Notes
    -----
    Galanti, Siegel, Gupte and Poggio, *SGD and Weight Decay Secretly Minimize the Rank of Your
    Neural Network*, arXiv:2206.05794.
    Derived in chapter 17_low_rank_bias.
    """
    epsilon, q = _fraction("epsilon", epsilon), _fraction("q", q)
    expect(bool((epsilon < 1).all()), "epsilon", "a relative error below 1", epsilon)
    whole_number("batch_size", batch_size, 1)
    with np.errstate(divide="ignore"):
        return batch_size * np.ceil(np.log(epsilon) / np.where(q < 1, np.log(q), -0.0))


def cyclic_spectrum(n, batch_size, eta, lam):
    r"""Singular values on the periodic orbit of the cyclic model, at the end of an epoch.

    .. math:: \sigma=a\,q^j\ (j=0,\dots,P-1),\ \text{each }B\text{ times},\qquad
              a=\frac e{1-(q-e)q^{P-1}},\qquad e=\frac\eta B,\quad P=\frac nB

    One linear layer, inputs :math:`x_i=e_i`, orthonormal targets, loss
    :math:`\frac12\|Wx_i-y_i\|^2` averaged over the batch; batches of size B in a fixed order.

    Parameters
    ----------
    n : int
        Samples, and the dimension of the inputs.
    batch_size : int
        B, a divisor of n.
    eta, lam : float
        Step size and decay, :math:`\eta\lambda<1`; the orbit attracts if
        :math:`|q-e|q^{P-1}<1`.

    Returns
    -------
    ndarray, shape (n,)
        In decreasing order.

    Raises
    ------
    ValueError
        If the batches do not divide the samples, or the orbit does not attract.

    Notes
    -----
    Derived here, in chapter 17_low_rank_bias.
    """
    q, P = shrink_factor(positive_number("eta", eta), lam), _batches(n, batch_size)
    e = eta / batch_size
    expect(abs(q - e) * q ** (P - 1) < 1, "eta", "a step at which the orbit attracts", eta,
           "The sample's own error grows over an epoch.")
    a = e / (1 - (q - e) * q ** (P - 1))
    return a * q ** (np.arange(n) // batch_size)


def cyclic_tightness(n, batch_size, q, m):
    r"""Tail over bound, at rank mB, on the periodic orbit of the cyclic model.

    .. math:: \sqrt{\frac{1-q^{2(P-m)}}{1-q^{2P}}}\ \longrightarrow\ 1\qquad(P=n/B\to\infty)

    Parameters
    ----------
    n, batch_size : int
        As in `cyclic_spectrum`.
    q : float
        From `shrink_factor`, below 1.
    m : int or ndarray
        From 0 to P.

    Returns
    -------
    ndarray, shape of ``m``

    Notes
    -----
    Derived here, in chapter 17_low_rank_bias.
    """
    P, m, q = _batches(n, batch_size), numeric_array("m", m), _fraction("q", q)
    expect(bool((q < 1).all()), "q", "a number below 1", q, "Without decay the bound is empty.")
    expect(bool(((m >= 0) & (m <= P)).all()), "m", f"numbers of steps from 0 to {P}", m)
    return np.sqrt((1 - q ** (2 * (P - m))) / (1 - q ** (2 * P)))


# --- full-batch deep linear networks -------------------------------------------------------------


def schatten_penalty(sigma, depth):
    r"""The least decay term of a product of matrices with given singular values.

    .. math:: \min\Big\{\sum_{k=1}^L\|W_k\|_F^2:\ W_L\cdots W_1=W\Big\}=L\sum_i\sigma_i(W)^{2/L}

    Parameters
    ----------
    sigma : ndarray, shape (..., r)
        Singular values of the product; the hidden widths are at least its rank.
    depth : int
        L.

    Returns
    -------
    ndarray, shape (...)

    Notes
    -----
    By the inequality of Horn, *On the Singular Values of a Product of Completely Continuous
    Operators*, PNAS 36 (1950).
    Derived in chapter 17_low_rank_bias.
    """
    sigma = _not_negative("sigma", sigma)
    return whole_number("depth", depth, 1) * np.sum(sigma ** (2 / depth), axis=-1)


def shrinkage(s, lam, depth, branch="global"):
    r"""Singular values of a deep linear network trained with decay, from those of the data.

    .. math:: \sigma=\arg\min_{\sigma\ge0}\ \tfrac12(\sigma-s)^2+\tfrac{\lambda L}2\sigma^{2/L}

    :math:`s/(1+\lambda)` for L = 1; :math:`(s-\lambda)_+` for L = 2; for :math:`L\ge3` either 0
    or the larger root of :math:`\sigma^{1-2/L}(s-\sigma)=\lambda`.

    Parameters
    ----------
    s : float or ndarray
        Singular values of :math:`Y^\top X/n` (whitened inputs, :math:`X^\top X=nI`), at least 0.
    lam : float or ndarray
        Decay, above 0.
    depth : int
        L.
    branch : {"global", "local", "unstable"}
        For :math:`L\ge3`. ``global``: the global minimum, which jumps at :math:`s_c`. ``local``:
        the local minimum that is not 0, wherever there is one, that is from :math:`s_{sn}` on.
        ``unstable``: the smaller root, a maximum between the two minima.

    Returns
    -------
    ndarray
        Shapes broadcast. A singular value that decay has killed is exactly 0, so that
        ``np.count_nonzero`` is the rank; where ``unstable`` has no root, nan.

    Notes
    -----
    Derived here, in chapter 17_low_rank_bias.
    """
    s, lam = np.broadcast_arrays(_not_negative("s", s), positive("lam", np.asarray(lam, float)))
    whole_number("depth", depth, 1)
    expect(branch in ("global", "local", "unstable"), "branch", "global, local or unstable", branch)
    if depth <= 2:
        nothing = np.full_like(s, np.nan)
        return nothing if branch == "unstable" else (
            s / (1 + lam) if depth == 1 else np.maximum(s - lam, 0))
    threshold = shrinkage_thresholds(lam, depth)
    alive = s >= (threshold.jump if branch == "global" else threshold.saddle_node)
    turn = s * (depth - 2) / (2 * depth - 2)  # here sigma^(1 - 2/L) (s - sigma) is largest
    low, high = (0 * s, turn) if branch == "unstable" else (turn, s)
    rising = branch == "unstable"
    for _ in range(100):  # halvings: more than there are digits
        middle = (low + high) / 2
        above = middle ** (1 - 2 / depth) * (s - middle) > lam
        low, high = np.where(above == rising, low, middle), np.where(above == rising, middle, high)
    return np.where(alive, (low + high) / 2, np.nan if branch == "unstable" else 0.0)


@dataclass(frozen=True)
class Thresholds:
    """Where the shrinkage curve of a network of depth 3 or more begins, and how it jumps.

    Attributes
    ----------
    saddle_node : ndarray
        The smallest s with a local minimum other than 0.
    jump : ndarray
        The smallest s at which that minimum is the global one.
    height : ndarray
        The singular value at the jump.

    Notes
    -----
    Derived in chapter 17_low_rank_bias.
    """

    saddle_node: np.ndarray
    jump: np.ndarray
    height: np.ndarray


def shrinkage_thresholds(lam, depth):
    r"""The two thresholds of `shrinkage` for :math:`L\ge3`, and the height of the jump.

    .. math:: s_c=\lambda^{\frac L{2L-2}}\frac{L-1}{(L-2)^{\frac{L-2}{2L-2}}},\qquad
              \sigma(s_c)=s_c\frac{L-2}{L-1}

    and :math:`s_{sn}` from :math:`\max_\sigma\sigma^{1-2/L}(s_{sn}-\sigma)=\lambda`.

    Parameters
    ----------
    lam : float or ndarray
        Decay, above 0.
    depth : int
        L, at least 3: a shallower network has no jump.

    Returns
    -------
    Thresholds

    Notes
    -----
    Derived here, in chapter 17_low_rank_bias.
    """
    lam = positive("lam", np.asarray(lam, float))
    L = whole_number("depth", depth, 3)
    power = L / (2 * L - 2)
    jump = lam**power * (L - 1) / (L - 2) ** (1 - power)
    turn = (L - 2) / (2 * L - 2)
    saddle_node = (lam / (turn ** (1 - 2 / L) * (1 - turn))) ** power
    return Thresholds(saddle_node, jump, jump * (L - 2) / (L - 1))


def killing_decay(s, depth):
    r"""The decay above which the global minimum loses a singular value; the inverse of :math:`s_c`.

    .. math:: \lambda_c=\Big(\frac{s}{L-1}\Big)^{\frac{2L-2}L}(L-2)^{\frac{L-2}L}

    with :math:`\lambda_c=s` for L = 2. For the largest s it is the decay that kills the whole
    network.

    Parameters
    ----------
    s : float or ndarray
        Singular values of :math:`Y^\top X/n`, above 0.
    depth : int
        L.

    Returns
    -------
    ndarray, shape of ``s``
        ``inf`` for L = 1: a single layer shrinks and never dies.

    Notes
    -----
    Derived here, in chapter 17_low_rank_bias.
    """
    s = positive("s", np.asarray(s, float))
    L = whole_number("depth", depth, 1)
    if L == 1:
        return np.full_like(s, np.inf)
    return (s / (L - 1)) ** (2 - 2 / L) * (L - 2.0) ** (1 - 2 / L)


def _batches(n, batch_size):
    whole_number("n", n, 1), whole_number("batch_size", batch_size, 1, n)
    expect(n % batch_size == 0, "batch_size", f"a divisor of n = {n}", batch_size,
           "The cyclic model has equal batches.")
    return n // batch_size


def _fraction(name, value):
    value = positive(name, np.asarray(value, float))
    expect(bool((value <= 1).all()), name, "numbers in (0, 1]", value)
    return value


def _not_negative(name, value):
    value = numeric_array(name, value)
    expect(bool((value >= 0).all()), name, "singular values, at least 0", value)
    return value
