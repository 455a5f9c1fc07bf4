r"""Balance of the layers: what training conserves, and how fast the steps of an algorithm break it.

For matrices :math:`A_1..A_L` that can be multiplied, the *imbalance* is the quadratic map

.. math:: D_k(A)=A_{k+1}^\top A_{k+1}-A_kA_k^\top ,\qquad k=1..L-1 .

A gradient is orthogonal to the weights in the bilinear form of this map: for all entries if the
network is linear, on the diagonal if it is ReLU. Everything below follows from that.
"""

import numpy as np

from deepdyn_np.errors import expect, generator, matrix, numeric_array, positive, whole_number


def layer_imbalance(A):
    r"""The imbalance :math:`D_k(A)=A_{k+1}^\top A_{k+1}-A_kA_k^\top` of a list of matrices.

    Parameters
    ----------
    A : sequence of ndarray, shapes (..., d_k, d_{k-1})
        Weights, gradients or velocities of layers 1..L.

    Returns
    -------
    list of ndarray, shapes (..., d_k, d_k)
        ``L - 1`` symmetric matrices.

    Raises
    ------
    ValueError
        If neighbouring matrices cannot be multiplied.

    Notes
    -----
    Gradient flow conserves it: Du, Hu and Lee (2018). Derived in chapter 10_balance.
    """
    A = _layers("A", A)
    return [after.mT @ after - before @ before.mT for before, after in zip(A, A[1:])]


def one_step(W, G, eta, lam=0.0):
    r"""The imbalance after one step of (S)GD with weight decay, exactly.

    .. math:: D_k(W^+)=(1-\eta\lambda)^2D_k(W)+\eta^2D_k(G)

    Parameters
    ----------
    W, G : sequence of ndarray, shapes (..., d_k, d_{k-1})
        Layers before the step, and the gradient that the step used: over its batch, without the
        decay term.
    eta : float
        Step size, above 0.
    lam : float
        Weight decay, at least 0.

    Returns
    -------
    list of ndarray, shapes (..., d_k, d_k)
        All entries hold for linear networks, the diagonal for ReLU and leaky ReLU.

    Raises
    ------
    ValueError
        If the shapes of ``W`` and ``G`` differ, ``eta`` is not positive or ``lam`` is negative.

    Notes
    -----
    For small steps without decay this is the conservation law of Du, Hu and Lee (2018). Derived in
    chapter 10_balance.
    """
    W, G = _layers("W", W), _layers("G", G)
    _same_shapes("G", G, "W", W)
    eta, lam = positive("eta", eta), _not_negative("lam", lam)
    before, added = layer_imbalance(W), layer_imbalance(G)
    return [(1 - eta * lam) ** 2 * D + eta**2 * Q for D, Q in zip(before, added)]


def heavy_ball_step(W, v, v_next, D_before, beta):
    r"""The imbalance after one step of the heavy ball without decay, exactly.

    .. math:: D_{t+1}=D_t+\beta(D_t-D_{t-1})+D(v_{t+1})+\beta D(v_t)

    Parameters
    ----------
    W : sequence of ndarray, shapes (..., d_k, d_{k-1})
        Layers :math:`W_t` before the step.
    v, v_next : sequence of ndarray, as ``W``
        Velocities :math:`v_t=W_t-W_{t-1}` and :math:`v_{t+1}=W_{t+1}-W_t`.
    D_before : sequence of ndarray, shapes (..., d_k, d_k)
        Imbalance of :math:`W_{t-1}`.
    beta : float
        Momentum, from 0 to below 1.

    Returns
    -------
    list of ndarray, shapes (..., d_k, d_k)
        All entries hold for linear networks, the diagonal for ReLU and leaky ReLU.

    Raises
    ------
    ValueError
        If the shapes of the velocities differ from those of ``W``, those of ``D_before`` from
        those of the imbalance, or ``beta`` is outside [0, 1).

    Notes
    -----
    For :math:`W_{t+1}=W_t+v_{t+1}`, :math:`v_{t+1}=\beta v_t-\eta G_t`, with any batches.
    Derived in chapter 10_balance.
    """
    W, v, v_next = _layers("W", W), _layers("v", v), _layers("v_next", v_next)
    _same_shapes("v", v, "W", W), _same_shapes("v_next", v_next, "W", W)
    now, beta = layer_imbalance(W), _momentum(beta)
    D_before = [numeric_array(f"D_before[{k}]", D) for k, D in enumerate(D_before)]
    _same_shapes("D_before", D_before, "the imbalance of W", now)
    lists = now, layer_imbalance(v), layer_imbalance(v_next), D_before
    return [D + beta * (D - last) + Q_next + beta * Q
            for D, Q, Q_next, last in zip(*lists, strict=True)]


def decay_factor(lam, t):
    r"""Factor of the imbalance under gradient flow with weight decay: :math:`e^{-2\lambda t}`.

    Parameters
    ----------
    lam, t : float or ndarray
        Decay, at least 0, and time; shapes broadcast.

    Returns
    -------
    float or ndarray
        Shape of ``lam`` and ``t`` broadcast.

    Raises
    ------
    ValueError
        If ``lam`` is negative.

    Notes
    -----
    Derived in chapter 10_balance.
    """
    return np.exp(-2 * _not_negative("lam", lam) * numeric_array("t", t))


def decay_factor_gd(eta, lam, steps):
    r"""Factor of the initial imbalance after ``steps`` steps of GD: :math:`(1-\eta\lambda)^{2N}`.

    The rest of the imbalance is a sum of terms :math:`\eta^2D(G_t)`; see `one_step`.

    Parameters
    ----------
    eta, lam : float or ndarray
        Step size, above 0, and decay, at least 0; shapes broadcast.
    steps : int or ndarray
        Numbers of steps, at least 0; the shape broadcasts too.

    Returns
    -------
    float or ndarray
        Shape of the three arguments broadcast.

    Raises
    ------
    ValueError
        If ``eta`` is not positive, ``lam`` is negative or ``steps`` are not whole numbers from 0 on.

    Notes
    -----
    Derived in chapter 10_balance.
    """
    N = _not_negative("steps", steps)
    expect(bool((N == np.round(N)).all()), "steps", "whole numbers", steps)
    return (1 - np.asarray(positive("eta", eta)) * _not_negative("lam", lam)) ** (2 * N)


def heavy_ball_ratio(beta, same="effective step"):
    r"""Drift of the imbalance under the heavy ball over that under GD, to leading order.

    .. math:: \frac{1+\beta}{1-\beta}\ \text{ at the same }\frac\eta{1-\beta},\qquad
              \frac{1+\beta}{(1-\beta)^2}\ \text{ at the same }\eta

    Full batches, small steps, equal time :math:`T=\frac{\eta}{1-\beta}\cdot\text{steps}`.

    Parameters
    ----------
    beta : float or ndarray
        Momentum, from 0 to below 1.
    same : {"effective step", "step"}
        What the two runs share.

    Returns
    -------
    float or ndarray
        Shape of ``beta``.

    Raises
    ------
    ValueError
        If ``beta`` is outside [0, 1) or ``same`` is not one of the two.

    Notes
    -----
    Derived in chapter 10_balance.
    """
    beta = _momentum(beta)
    expect(same in ("effective step", "step"), "same", "'effective step' or 'step'", repr(same))
    return (1 + beta) / (1 - beta) ** (1 if same == "effective step" else 2)


def noisy_heavy_ball_drift(sgd_drift, gd_drift, beta):
    r"""Mean drift under the heavy ball with random batches, to leading order.

    .. math:: \mathbb E\,\Delta D_{\rm HB}=\mathbb E\,\Delta D_{\rm SGD}
              +\frac{2\beta}{1-\beta}\,\Delta D_{\rm GD}

    All three at the same effective step and time. Momentum multiplies what the mean gradient
    contributes by :math:`\frac{1+\beta}{1-\beta}`, and leaves what independent noise contributes.

    Parameters
    ----------
    sgd_drift, gd_drift : ndarray, shape (...)
        Mean drift of SGD over its batches, and drift of GD.
    beta : float
        Momentum.

    Returns
    -------
    ndarray, shape (...)

    Notes
    -----
    For batches drawn independently. Derived in chapter 10_balance.
    """
    return np.asarray(sgd_drift) + (heavy_ball_ratio(beta) - 1) * np.asarray(gd_drift)


# --- the scalar network f = w_2 w_1 x --------------------------------------------------------------


def scalar_net_imbalance(D0, r, eta):
    r"""Imbalance of the scalar net :math:`w_2w_1` after each of T steps of (S)GD, exactly.

    .. math:: D_t=D_0\prod_{s<t}(1-\eta^2r_s^2),\qquad D=w_2^2-w_1^2

    Parameters
    ----------
    D0 : float or ndarray, shape (...)
        Imbalance at the start.
    r : ndarray, shape (T, ...)
        Derivative of each step's loss with respect to the product :math:`w_2w_1`.
    eta : float
        Step size.

    Returns
    -------
    ndarray, shape (T + 1, ...)
        The first row is ``D0``.

    Notes
    -----
    Derived in chapter 10_balance.
    """
    factors = 1 - (eta * numeric_array("r", r)) ** 2
    return D0 * np.concatenate([np.ones_like(factors[:1]), np.cumprod(factors, axis=0)])


def scalar_net_limit(w, y):
    r"""Where gradient flow takes the scalar net: the point with :math:`w_2w_1=y` on its hyperbola.

    .. math:: w_1^2=\tfrac12\big(\sqrt{D^2+4y^2}-D\big),\qquad
              w_2^2=\tfrac12\big(\sqrt{D^2+4y^2}+D\big),\qquad D=w_2^2-w_1^2

    Parameters
    ----------
    w : ndarray, shape (..., 2)
        Start :math:`(w_1,w_2)` with :math:`w_1+w_2>0`.
    y : float
        Target of the square loss :math:`\frac12(w_2w_1-y)^2`, above 0.

    Returns
    -------
    ndarray, shape (..., 2)

    Raises
    ------
    ValueError
        If ``y`` or :math:`w_1+w_2` is not positive: the flow then ends elsewhere.

    Notes
    -----
    Derived in chapter 10_balance.
    """
    w, y = numeric_array("w", w), positive("y", y)
    expect(w.shape[-1:] == (2,), "w", "shape (..., 2): w_1 and w_2", f"shape {w.shape}")
    expect(bool((w.sum(axis=-1) > 0).all()), "w", "w_1 + w_2 > 0", w,
           "From the other side the flow ends at the opposite point.")
    D = w[..., 1] ** 2 - w[..., 0] ** 2
    root = np.hypot(D, 2 * y)
    return np.sqrt(np.stack([root - D, root + D], axis=-1) / 2)


def label_noise_rate(eta, sigma, sharpness=0.0):
    r"""Rate per step at which label noise shrinks the imbalance of the scalar net.

    .. math:: -\frac1t\log\frac{|D_t|}{|D_0|}\simeq\eta^2\,\mathbb E\,r^2,\qquad
              \mathbb E\,r^2=\frac{2\sigma^2}{2-\eta s}

    near the minimum, where :math:`r=w_2w_1-y-\varepsilon` fluctuates with the labels' noise
    :math:`\varepsilon` and the lag of the product behind it.

    Parameters
    ----------
    eta, sigma : float or ndarray
        Step size, above 0, and standard deviation of the label noise, at least 0.
    sharpness : float or ndarray
        :math:`s=w_1^2+w_2^2`, the largest Hessian eigenvalue at the minimum; 0 neglects the lag
        and leaves :math:`\mathbb E\,r^2=\sigma^2`.

    Returns
    -------
    float or ndarray
        Shape of the three arguments broadcast.

    Raises
    ------
    ValueError
        If ``eta`` is not positive, ``sigma`` or ``sharpness`` is negative, or
        :math:`\eta s\ge2`: the product does not settle.

    Notes
    -----
    Leading order in the noise. Derived in chapter 10_balance.
    """
    eta, sigma = np.asarray(positive("eta", eta)), _not_negative("sigma", sigma)
    lag = _not_negative("sharpness", sharpness) * eta
    expect(bool((lag < 2).all()), "sharpness", "eta * sharpness below 2", lag,
           "With a larger step the scalar net does not settle at the minimum.")
    return eta**2 * 2 * sigma**2 / (2 - lag)


# --- balanced deep linear networks -----------------------------------------------------------------


def balanced_factorisation(A, L, rng):
    r"""Random matrices with :math:`W_L\cdots W_1=A` and imbalance 0.

    .. math:: W_k=Q_k\,S^{1/L}\,Q_{k-1}^\top,\qquad A=Q_L\,S\,Q_0^\top

    with the singular value decomposition of A and random orthogonal :math:`Q_1..Q_{L-1}`. The
    hidden widths are the smaller side of A. All factors have the nonzero singular values
    :math:`S^{1/L}`.

    Parameters
    ----------
    A : ndarray, shape (m, n)
        The product.
    L : int
        Number of layers.
    rng : numpy.random.Generator
        Draws the rotations.

    Returns
    -------
    list of ndarray
        :math:`W_1..W_L`.

    Notes
    -----
    Derived in chapter 10_balance.
    """
    A = matrix("A", A, "one row per output")
    expect(A.ndim == 2, "A", "a single matrix, shape (m, n)", f"shape {A.shape}")
    whole_number("L", L, 1), generator("rng", rng)
    left, s, right = np.linalg.svd(A, full_matrices=False)
    width = len(s)
    inner = [np.linalg.qr(rng.standard_normal((width, width)))[0] for _ in range(L - 1)]
    frames = [right.T, *inner, left]
    root = s ** (1 / L)
    return [after * root @ before.T for before, after in zip(frames, frames[1:])]


def end_to_end_terms(W, grad, L):
    r"""The L layers' contributions to the velocity of a balanced product, as a list.

    .. math:: -(WW^\top)^{\frac{L-j}L}\,\nabla_W\hat L\,(W^\top W)^{\frac{j-1}L},\qquad j=1..L

    Parameters
    ----------
    W : ndarray, shape (..., m, n)
        The product :math:`W_L\cdots W_1` of a network of imbalance 0.
    grad : ndarray, shape (..., m, n)
        Gradient of the loss with respect to the product.
    L : int
        Number of layers.

    Returns
    -------
    list of ndarray, shapes (..., m, n)
        Entry j - 1 is what the motion of layer j adds. The power 0 is the identity.

    Raises
    ------
    ValueError
        If the shapes of ``W`` and ``grad`` differ.

    Notes
    -----
    Derived in chapter 10_balance.
    """
    W, grad = matrix("W", W, "one row per output"), matrix("grad", grad, "one row per output")
    expect(W.shape == grad.shape, "grad", f"shape {W.shape}, that of W", f"shape {grad.shape}")
    whole_number("L", L, 1)
    left, s, right = np.linalg.svd(W, full_matrices=False)
    s = s[..., None, :]

    def power(frame, exponent):
        """``frame diag(s)^(2 exponent) frame^T``: a power of W W^T or of W^T W."""
        return frame * s ** (2 * exponent) @ frame.mT if exponent else np.eye(frame.shape[-2])

    return [-power(left, (L - j) / L) @ grad @ power(right.mT, (j - 1) / L) for j in range(1, L + 1)]


def end_to_end_velocity(W, grad, L):
    r"""Velocity of the product of a balanced deep linear network under gradient flow.

    .. math:: \dot W=-\sum_{j=1}^L(WW^\top)^{\frac{L-j}L}\,\nabla_W\hat L\,(W^\top W)^{\frac{j-1}L}

    Parameters
    ----------
    W, grad : ndarray, shape (..., m, n)
        As in `end_to_end_terms`, whose sum this is.
    L : int
        Number of layers.

    Returns
    -------
    ndarray, shape (..., m, n)

    Notes
    -----
    Due to Arora, Cohen and Hazan (2018). Derived in chapter 10_balance.
    """
    return sum(end_to_end_terms(W, grad, L))


def _layers(name, A):
    """The list ``A`` as float arrays whose neighbours can be multiplied."""
    A = [matrix(f"{name}[{k}]", a, "one row per output") for k, a in enumerate(A)]
    for k, (before, after) in enumerate(zip(A, A[1:])):
        expect(after.shape[-1] == before.shape[-2], f"{name}[{k + 1}]",
               f"{before.shape[-2]} columns, one per row of {name}[{k}]", f"shape {after.shape}",
               "Layers are (fan_out, fan_in), listed from the input on.")
    return A


def _same_shapes(name, arrays, other, expected):
    """Raise unless ``arrays`` are as many as ``expected``, shape by shape."""
    shapes = [a.shape for a in arrays]
    expect(shapes == [a.shape for a in expected], name, f"the shapes of {other}", shapes)


def _momentum(beta):
    """``beta`` as an array of numbers from 0 to below 1."""
    beta = numeric_array("beta", beta)
    expect(bool(((beta >= 0) & (beta < 1)).all()), "beta", "numbers with 0 <= beta < 1", beta)
    return beta


def _not_negative(name, value):
    """``value`` as an array of numbers that are at least 0."""
    array = numeric_array(name, value)
    expect(bool((array >= 0).all()), name, "numbers from 0 on", value)
    return array
