r"""What gradient descent on separable data converges to, and how fast.

Conventions of every function: rows :math:`z_i=y_ix_i`; margins :math:`m=Zw`; *mean* loss
:math:`\hat L=\frac1n\sum_ie^{-m_i}` (the logistic loss has the same limits); gradient flow
:math:`\dot w=-\nabla\hat L`; :math:`\hat w=Z^\top\alpha` and the support set
:math:`S=\{i:\alpha_i>0\}` from `svm.hard_margin_svm`, :math:`\gamma=1/\|\hat w\|`. A paper's sum
loss is the same flow with time :math:`t/n` and step :math:`\eta/n`.
"""

from dataclasses import dataclass

import numpy as np

from deepdyn_np.errors import expect, matrix, numeric_array, positive
from deepdyn_np.theory.exponential_sums import minimize_exponential_sum
from deepdyn_np.theory.svm import ON_MARGIN, hard_margin_svm, margin_rows


def residual_limit(Z, eta=1.0, *, n=None, solution=None):
    r"""The limit of :math:`w(t)-\hat w\log t` on the span of the support vectors.

    .. math:: \frac\eta ne^{-z_i\cdot\tilde w}=\alpha_i\qquad(i\in S)

    Gradient flow (``eta=1``) and gradient descent with step ``eta`` (t counts steps) obey
    :math:`w(t)=\hat w\log t+\tilde w+o(1)` on span(S), from every :math:`w_0`. There
    :math:`\tilde w` minimises the strictly convex
    :math:`\Phi(r)=\frac\eta n\sum_Se^{-z_i\cdot r}+\hat w\cdot r`, whose Hessian at the minimiser
    is :math:`A=\sum\alpha_iz_iz_i^\top`. Orthogonally to span(S) the residual also converges, but
    to a vector that depends on :math:`w_0` and on the other points: no formula here gives it.
    If the support vectors span the data, only the part of :math:`w_0` orthogonal to all data
    remains there.

    Parameters
    ----------
    Z : ndarray, shape (n, d)
        Rows :math:`z_i=y_ix_i`.
    eta : float, optional
        Step size of gradient descent; 1 for gradient flow, or if the clock is
        :math:`\log(\eta t)`.
    n : int, optional
        The number of samples the loss is averaged over; default the number of rows. Needed for
        `svm.multiclass_margin_rows`, which makes n (C - 1) rows of n samples.
    solution : HardMargin, optional
        ``hard_margin_svm(Z)`` if it is already known.

    Returns
    -------
    w_tilde : ndarray, shape (d,)
        :math:`\tilde w`, in span(S).
    P_S : ndarray, shape (d, d)
        Orthogonal projector onto span(S): compare ``P_S @ (w - w_hat * log_t)`` to ``w_tilde``.

    Raises
    ------
    NotSeparableError
        See `svm.hard_margin_svm`.
    ValueError
        Bad arguments; or degenerate data, where a row on the margin has dual 0 in every dual
        solution: then the residual grows like :math:`\log\log t` and has no limit.

    Notes
    -----
    D. Soudry, E. Hoffer, M. Shpigel Nacson, S. Gunasekar, N. Srebro, *The Implicit Bias of
    Gradient Descent on Separable Data*, JMLR 19 (2018), arXiv:1710.10345 (sum convention).

    Derived in chapter 03_max_margin.
    """
    Z, solution, _ = _solve(Z, solution)
    expect(np.ndim(positive("eta", eta)) == 0, "eta", "one step size", f"shape {np.shape(eta)}")
    n = len(Z) if n is None else positive("n", n)
    basis = _support_basis(Z, solution.support)
    coordinates = np.linalg.lstsq(Z[solution.support] @ basis,
                                  -np.log(n * solution.alpha[solution.support] / eta))[0]
    return basis @ coordinates, basis @ basis.T


@dataclass(frozen=True, eq=False)
class AsymptoticConstants:
    r"""The constants of convergence to the maximum margin, see `asymptotic_constants`.

    Attributes
    ----------
    gamma : float
        Maximum margin; :math:`t\hat L\to\gamma^{-2}`.
    q : ndarray, shape (n,)
        Limit of the softmax weights of the rows, :math:`q_i=\alpha_i/\sum_j\alpha_j`.
    H : float
        Entropy :math:`-\sum q_i\log q_i`.
    H_inf : float
        Min-entropy :math:`-\log\max q_i`.
    C : float
        Constant of the margin, :math:`\gamma(H-H_\infty)`.
    D : float
        Constant of the direction on span(S), :math:`\gamma\|P_{\hat w^\perp}\tilde w\|`.
    spanning : bool
        Whether the support vectors span the data, so that D is the whole constant.
    lambda_min : float
        Smallest nonzero eigenvalue of :math:`A=\sum\alpha_iz_iz_i^\top`; at most 1.
    zeta_min : float
        Smallest excess :math:`\hat w\cdot z_i-1` off the support; inf if all rows are in S.

    Notes
    -----
    Derived in chapter 03_max_margin.
    """

    gamma: float
    q: np.ndarray
    H: float
    H_inf: float
    C: float
    D: float
    spanning: bool
    lambda_min: float
    zeta_min: float


def asymptotic_constants(Z, *, solution=None):
    r"""How fast gradient flow on separable data approaches the maximum margin.

    .. math::
        t\hat L&\to\gamma^{-2},\\
        \Big(\gamma-\frac{\min_im_i}{\|w\|}\Big)\log t&\to C=\gamma\,[H(q)-H_\infty(q)],\\
        \Big\|\frac w{\|w\|}-\gamma\hat w\Big\|\log t&\to D=\gamma\|P_{\hat w^\perp}\tilde w\|,\\
        \|w-\hat w\log t-\tilde w\|&=t^{-\min(\lambda_{\min},\,\zeta_{\min})+o(1)}.

    C never depends on :math:`w_0`. D is the whole constant only if the support vectors span the
    data (``spanning``) and :math:`w_0` lies in their span; in general it is the part on span(S):
    the measured constant obeys
    :math:`D_{\rm full}^2=D^2+\gamma^2\|(I-P_S)\lim(w-\hat w\log t)\|^2`, and the limit there
    depends on :math:`w_0`. The last law is the generic one (special :math:`w_0` can be faster);
    the laws in :math:`1/\log t` set in only at
    :math:`\log t\gg1/\min(\lambda_{\min},\zeta_{\min})`. C = 0 iff all positive duals are equal;
    if moreover the support vectors span the data, the margin converges polynomially in t.

    None of the constants depends on the 1/n of the mean or on the step size; gradient descent
    with step :math:`\eta` has the same with :math:`\log\eta t`.

    Parameters
    ----------
    Z : ndarray, shape (n, d)
        Rows :math:`z_i=y_ix_i`, or `svm.multiclass_margin_rows`.
    solution : HardMargin, optional
        ``hard_margin_svm(Z)`` if it is already known.

    Returns
    -------
    AsymptoticConstants

    Raises
    ------
    NotSeparableError
        See `svm.hard_margin_svm`.
    ValueError
        Bad arguments or degenerate data, see `residual_limit`.

    Notes
    -----
    The setting: D. Soudry, E. Hoffer, M. Shpigel Nacson, S. Gunasekar, N. Srebro, *The Implicit
    Bias of Gradient Descent on Separable Data*, JMLR 19 (2018). C, D and the exponent are derived
    in this book.

    Derived in chapter 03_max_margin.
    """
    Z, solution, excess = _solve(Z, solution)
    w, alpha, gamma, support = solution.w, solution.alpha, solution.gamma, solution.support
    q = alpha / alpha.sum()
    H = float(-np.sum(q[support] * np.log(q[support])))
    H_inf = float(-np.log(q.max()))
    w_tilde, _ = residual_limit(Z, solution=solution)
    sigma = np.linalg.svd(np.sqrt(alpha[support])[:, None] * Z[support], compute_uv=False)
    rank = _support_basis(Z, support).shape[1]
    return AsymptoticConstants(
        gamma=gamma, q=q, H=H, H_inf=H_inf, C=gamma * (H - H_inf),
        D=float(gamma * np.linalg.norm(w_tilde - gamma**2 * (w @ w_tilde) * w)),
        spanning=bool(rank == np.linalg.matrix_rank(Z)),
        lambda_min=float(sigma[rank - 1]**2),
        zeta_min=float(np.delete(excess, support).min(initial=np.inf)))


def _solve(Z, solution):
    """The checked rows, their SVM, and the excess Z @ w - 1; refuses degenerate data."""
    Z = margin_rows(Z)
    if solution is None:
        solution = hard_margin_svm(Z)
    expect(solution.alpha.shape == Z.shape[:1] and solution.w.shape == Z.shape[1:], "solution",
           "the hard_margin_svm of these rows Z", f"one of {len(solution.alpha)} rows in "
           f"dimension {len(solution.w)} for Z of shape {Z.shape}")
    excess = Z @ solution.w - 1
    idle = np.flatnonzero((solution.alpha == 0) & (excess <= ON_MARGIN))
    expect(idle.size == 0, "Z", "rows on the margin with positive duals",
           f"row {idle[0] if idle.size else ''} on the margin with dual 0",
           "On such degenerate data w - w_hat * log(t) grows like log(log(t)), without a limit.")
    return Z, solution, excess


def _support_basis(Z, support):
    """Orthonormal basis of span(S), one vector a column."""
    _, sigma, Vt = np.linalg.svd(Z[support], full_matrices=False)
    return Vt[sigma > max(Z.shape) * np.finfo(float).eps * sigma[0]].T


def preconditioned_direction(Z, P):
    r"""The limit direction of the preconditioned flow :math:`\dot w=-P\nabla\hat L`.

    .. math:: \lim\frac w{\|w\|}=\frac{P^{1/2}\hat v}{\|P^{1/2}\hat v\|},\qquad
              \hat v=\mathrm{SVM}(ZP^{1/2})

    since :math:`v=P^{-1/2}w` follows the plain flow on the rows :math:`P^{1/2}z_i`. It maximises
    the margin relative to :math:`\sqrt{w^\top P^{-1}w}` instead of :math:`\|w\|`. If d
    independent support vectors fix :math:`\hat w` in d dimensions, the direction stays the same
    exactly as long as :math:`P^{-1}\hat w` is a non-negative combination of them.

    Parameters
    ----------
    Z : ndarray, shape (n, d)
        Rows :math:`z_i=y_ix_i`.
    P : ndarray, shape (d, d)
        Symmetric positive definite.

    Returns
    -------
    ndarray, shape (d,)
        A unit vector.

    Raises
    ------
    NotSeparableError
        See `svm.hard_margin_svm`.
    ValueError
        Wrong shapes, or P is not symmetric positive definite.

    Notes
    -----
    Derived in chapter 03_max_margin.
    """
    Z = margin_rows(Z)
    P = matrix("P", P, "a positive definite metric")
    d = Z.shape[1]
    expect(P.shape == (d, d), "P", f"shape ({d}, {d})", f"shape {P.shape}",
           "A diagonal metric is np.diag(...).")
    values, vectors = np.linalg.eigh(P)
    expect(np.allclose(P, P.T) and values[0] > 0, "P", "a symmetric positive definite matrix",
           f"smallest eigenvalue {values[0]:.3g}, asymmetry {abs(P - P.T).max():.3g}")
    root = vectors * np.sqrt(values) @ vectors.T
    w = root @ hard_margin_svm(Z @ root).w
    return w / np.linalg.norm(w)


def orthogonal_margins(m0, norms, log_t, loss="exponential"):
    r"""Margins of gradient flow on orthogonal rows, in closed form at any time.

    If :math:`z_i\cdot z_j=0` the margins decouple,
    :math:`\dot m_i=-\frac{\|z_i\|^2}n\ell'(m_i)`, and

    .. math::
        \text{exponential:}\quad&m_i=\log\big(e^{m_i(0)}+\|z_i\|^2t/n\big),\\
        \text{logistic:}\quad&m_i+e^{m_i}=m_i(0)+e^{m_i(0)}+\|z_i\|^2t/n.

    Both are evaluated in the log domain, so :math:`t=10^{1000000}` is as good as t = 1. The
    logistic equation (Wright's omega function) is solved by Newton's method.

    Parameters
    ----------
    m0 : ndarray, shape (..., n)
        Margins at t = 0.
    norms : ndarray, shape (n,)
        Lengths :math:`\|z_i\|`; n is also the number of samples in the mean.
    log_t : float or ndarray, shape (...)
        Natural logarithm of the time; ``-inf`` is t = 0.
    loss : {"exponential", "logistic"}, optional
        Which loss is averaged.

    Returns
    -------
    ndarray, shape (..., n)
        The margins; the axes of ``log_t`` broadcast against the leading axes of ``m0``.

    Raises
    ------
    ValueError
        A length that is not above 0, an unknown loss, nan, shapes that do not fit.

    Notes
    -----
    Derived in chapter 02_gradient_flow_and_time.
    """
    m0 = numeric_array("m0", m0)
    norms = numeric_array("norms", positive("norms", norms))
    log_t = np.asarray(log_t, dtype=float)
    expect(not (np.isnan(log_t) | (log_t == np.inf)).any(), "log_t",
           "logarithms of times", "nan or inf",
           "Pass the logarithm itself: the log of 10**1000 is 1000 * log(10).")
    expect(norms.ndim == 1 and m0.shape[-1:] == norms.shape, "norms",
           "shape (n,), the lengths of the n rows", f"shape {norms.shape} for m0 of {m0.shape}")
    expect(loss in ("exponential", "logistic"), "loss", "'exponential' or 'logistic'", repr(loss))
    log_push = 2 * np.log(norms) - np.log(len(norms)) + log_t[..., None]
    if loss == "exponential":
        return np.logaddexp(m0, log_push)
    return _logistic_margins(*np.broadcast_arrays(m0, log_push))


def _logistic_margins(m0, log_push):
    """Solve m + e^m = m0 + e^m0 + e^log_push, whichever of the terms would overflow."""
    below, above = np.minimum(m0, 0.0), np.maximum(m0, 0.0)
    target = below + np.exp(below) + np.exp(np.minimum(log_push, 700.0))
    log_target = np.where(log_push < 700, np.log(np.maximum(target, 1.0)), log_push)
    log_target = np.where(m0 > 0, np.logaddexp(above + np.log1p(above * np.exp(-above)), log_push),
                          log_target)
    # A target below 1 may be negative; above 1 it may overflow, but its logarithm does not.
    # Newton's method starts right of the root; 8 steps are enough, from wherever (tested).
    small = np.minimum(target, 1.0)
    m_small, m_large = small, log_target
    for _ in range(8):
        m_small = m_small - (m_small + np.exp(m_small) - small) / (1 + np.exp(m_small))
        decay = np.exp(-m_large)
        error = m_large + np.log1p(m_large * decay) - log_target
        m_large = m_large - error * (1 + m_large * decay) / (1 + decay)
    return np.where((m0 > 0) | (target > 1), m_large, m_small)


def regularization_path(Z, log_inv_lambda):
    r"""Minimisers of the mean exponential loss with weight decay, down to vanishing decay.

    .. math:: w(\lambda)=\arg\min_w\frac1n\sum_ie^{-z_i\cdot w}+\frac\lambda2\|w\|^2

    As :math:`\lambda\to0` on separable data the direction converges to the maximum margin, with
    the same entropy constant as gradient flow:
    :math:`(\gamma-\min m/\|w\|)\min m\to C` of `asymptotic_constants`.
    The factor :math:`1/\lambda` is taken into the exponent,
    :math:`\frac1ne^{\log(1/\lambda)-m_i}`, where nothing under- or overflows; Newton's method
    follows the path from large to small :math:`\lambda`, each step predicted by the tangent
    :math:`dw/d\log(1/\lambda)`. As the path becomes straight the steps grow geometrically:
    :math:`\log(1/\lambda)=10^6` costs about twenty.

    Parameters
    ----------
    Z : ndarray, shape (n, d)
        Rows :math:`z_i=y_ix_i`; need not be separable.
    log_inv_lambda : float or ndarray, shape (...)
        :math:`\log(1/\lambda)`, natural logarithm, in any order, up to 1e6.

    Returns
    -------
    ndarray, shape (..., d)
        w for every value.

    Raises
    ------
    ValueError
        Not one real matrix; nan or inf; values above 1e6, where rounding errors of the exponents
        become visible.

    Notes
    -----
    S. Rosset, J. Zhu, T. Hastie, *Margin Maximizing Loss Functions*, NeurIPS 2003.

    Derived in chapter 03_max_margin.
    """
    Z = margin_rows(Z)
    wanted = numeric_array("log_inv_lambda", log_inv_lambda)
    expect((wanted <= 1e6).all(), "log_inv_lambda", "values up to 1e6", f"{wanted.max():.3g}",
           "Pass log(1 / lambda), not 1 / lambda.")
    n, d = Z.shape
    path = np.empty((wanted.size, d))
    w, at = np.zeros(d), None
    for k in np.argsort(wanted, axis=None):
        for level in _levels(at, wanted.flat[k]):
            w = w if at is None else w + (level - at) * tangent
            w, push = minimize_exponential_sum(Z, level - np.log(n), 0.0, 1.0, w)
            R = np.linalg.qr(np.vstack([np.sqrt(push)[:, None] * Z, np.eye(d)]), mode="r")
            tangent = np.linalg.solve(R, np.linalg.solve(R.T, Z.T @ push))
            at = level
        path[k] = w
    return path.reshape(wanted.shape + (d,))


def _levels(start, end):
    """Levels of log(1/lambda) from ``start`` (None: from 0) to ``end``, growing geometrically."""
    if start is None:
        start = min(end, 0.0)
        yield start
    while start < end:
        start = min(end, start + 1 + abs(start) / 2)
        yield start


def degenerate_invariant(a, b):
    r"""The conserved quantity of the smallest degenerate data set.

    .. math:: I=b+e^b-a

    For rows (1, 0) and (1, 1) and w = (a, b) the flow of the mean exponential loss is
    :math:`\dot a=\frac12e^{-a}(1+e^{-b})`, :math:`\dot b=\frac12e^{-a-b}`, hence
    :math:`db/da=1/(1+e^b)`. The second row lies on the margin with dual 0, so
    :math:`b=\log\log t+o(1)` is unbounded and the direction error is of the order
    :math:`\log\log t/\log t` instead of :math:`1/\log t`.

    Parameters
    ----------
    a, b : float or ndarray
        First and second weight; they broadcast.

    Returns
    -------
    float or ndarray
        I.

    Notes
    -----
    Derived in chapter 03_max_margin.
    """
    a, b = numeric_array("a", a), numeric_array("b", b)
    return b + np.exp(b) - a


def scalar_gd_expansion(t, c):
    r"""Gradient descent on one exponential: :math:`e^{m_t}` up to a bounded term.

    .. math:: m_{t+1}=m_t+ce^{-m_t}\ \Rightarrow\ E_t=e^{m_t}=ct+\frac c2\log t+O(1)

    since :math:`E_{t+1}=E_te^{c/E_t}=E_t+c+\frac{c^2}{2E_t}+\dots`. So
    :math:`m_t=\log(ct)+\frac{\log t}{2t}+O(1/t)`: the discretisation error of gradient descent
    against the flow (:math:`E=ct+E_0`) dies out. The bounded term depends on :math:`m_0`;
    compare differences of :math:`E_t`.

    Parameters
    ----------
    t : int or ndarray
        Number of steps, above 0.
    c : float
        :math:`c=\eta\|z\|^2` (n = 1), above 0.

    Returns
    -------
    float or ndarray
        :math:`ct+\frac c2\log t`.

    Raises
    ------
    ValueError
        t or c not above 0.

    Notes
    -----
    Derived in chapter 03_max_margin.
    """
    positive("c", c)
    t = numeric_array("t", positive("t", t))
    return c * t + c / 2 * np.log(t)
