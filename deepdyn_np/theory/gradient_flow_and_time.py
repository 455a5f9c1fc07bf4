r"""How far training algorithms are from gradient flow, and what their clocks show.

Conventions: gradient flow :math:`\dot\theta=-\nabla\hat L`; one step of gradient descent with step
:math:`\eta` takes the time :math:`h=\eta`, one step of heavy ball :math:`h=\eta/(1-\beta)`. The
quadratic is :math:`\hat L(w)=\frac12(w-w_\star)^\top A(w-w_\star)`; least squares
:math:`\frac1{2n}\|Xw-y\|^2` has :math:`A=X^\top X/n`.
"""

import numpy as np

from deepdyn_np.errors import expect, matrix, numeric_array, positive, positive_number, whole_number

# --- the quadratic: everything is known, mode by mode ----------------------------------------------


def quadratic_flow(A, w_star, w0, t):
    r"""Gradient flow on a quadratic, in closed form.

    .. math:: w(t)=w_\star+e^{-tA}(w_0-w_\star)

    Parameters
    ----------
    A : ndarray, shape (d, d)
        Symmetric.
    w_star, w0 : ndarray, shape (d,)
        Stationary point and start.
    t : float or ndarray, shape (...)
        Time.

    Returns
    -------
    ndarray, shape (..., d)

    Raises
    ------
    ValueError
        If A is not symmetric, or shapes do not fit.

    Notes
    -----
    Derived in chapter 02_gradient_flow_and_time.
    """
    rates, Q, x0 = _modes(A, w_star, w0)
    return w_star + (np.exp(-rates * _column(t)) * x0) @ Q.T


def quadratic_gd(A, w_star, w0, eta, steps):
    r"""Gradient descent on a quadratic, in closed form.

    .. math:: w_k=w_\star+(I-\eta A)^k(w_0-w_\star)

    Parameters
    ----------
    A, w_star, w0
        As in `quadratic_flow`.
    eta : float or ndarray, shape (...)
        Step size.
    steps : int or ndarray, shape (...)
        The number k of steps; broadcasts with ``eta``.

    Returns
    -------
    ndarray, shape (..., d)

    Raises
    ------
    ValueError
        If A is not symmetric, or shapes do not fit.

    Notes
    -----
    Derived in chapter 02_gradient_flow_and_time.
    """
    rates, Q, x0 = _modes(A, w_star, w0)
    return w_star + ((1 - _column(eta) * rates) ** _column(steps) * x0) @ Q.T


def quadratic_heavy_ball(A, w_star, w0, eta, beta, steps):
    r"""Heavy ball on a quadratic, in closed form, from a start at rest.

    In a mode of rate :math:`\lambda` the recursion is
    :math:`x_{k+1}=(1+\beta-\eta\lambda)x_k-\beta x_{k-1}` with :math:`x_{-1}=x_0`. With the roots
    :math:`z_\pm` of :math:`z^2-(1+\beta-\eta\lambda)z+\beta`,

    .. math:: x_k=\frac{(1-\eta\lambda-z_-)z_+^k-(1-\eta\lambda-z_+)z_-^k}{z_+-z_-}\,x_0

    Parameters
    ----------
    A, w_star, w0
        As in `quadratic_flow`.
    eta, beta : float or ndarray, shape (...)
        Step size and momentum.
    steps : int or ndarray, shape (...)
        The number k of steps.

    Returns
    -------
    ndarray, shape (..., d)

    Raises
    ------
    ValueError
        If A is not symmetric, shapes do not fit, or a mode has a double root (nudge ``eta``).

    Notes
    -----
    Derived in chapter 02_gradient_flow_and_time.
    """
    rates, Q, x0 = _modes(A, w_star, w0)
    eta, beta, steps = _column(eta), _column(beta), _column(steps)
    half = (1 + beta - eta * rates) / 2
    root = np.sqrt(half**2 - beta + 0j)
    expect(bool((abs(root) > 1e-6).all()), "eta", "a step without a double root in any mode",
           "a double root", "Nudge eta: the closed form divides by the distance of the roots.")
    slow, fast = half + root, half - root
    x = ((1 - eta * rates - fast) * slow**steps - (1 - eta * rates - slow) * fast**steps) / (2 * root)
    return w_star + (x.real * x0) @ Q.T


def quadratic_step_error(A, w_star, w0, t, beta=0.0):
    r"""Leading error of gradient descent or heavy ball against gradient flow on a quadratic.

    .. math:: \frac{w_k-w(kh)}h\to\Big[-\frac{1+\beta}{1-\beta}\,\frac t2A^2
              +\frac\beta{1-\beta}A\Big]e^{-tA}(w_0-w_\star),\qquad h=\frac\eta{1-\beta},\ t=kh

    The first term is the modified equation's, the second the delay of a start at rest.

    Parameters
    ----------
    A, w_star, w0, t
        As in `quadratic_flow`.
    beta : float
        Momentum, ``0 <= beta < 1``; 0 is gradient descent.

    Returns
    -------
    ndarray, shape (..., d)
        The error per unit of h.

    Raises
    ------
    ValueError
        If A is not symmetric, shapes do not fit, or beta is not in [0, 1).

    Notes
    -----
    Derived in chapter 02_gradient_flow_and_time.
    """
    rates, Q, x0 = _modes(A, w_star, w0)
    gain, delay = heavy_ball_factors(beta)
    t = _column(t)
    return ((-gain * t / 2 * rates**2 + delay * rates) * np.exp(-rates * t) * x0) @ Q.T


def quadratic_dopri_error(A, w_star, w0, t):
    r"""Leading error of Dormand-Prince with fixed steps h on a quadratic, per unit of :math:`h^5`.

    .. math:: \frac{t}{3600}A^6e^{-tA}(w_0-w_\star)

    On a linear equation one step multiplies a mode by
    :math:`1+z+\dots+\frac{z^5}{120}+\frac{z^6}{600}`, :math:`z=-h\lambda`, which differs from
    :math:`e^z` by :math:`(\frac1{600}-\frac1{720})z^6+O(z^7)`.

    Parameters
    ----------
    A, w_star, w0, t
        As in `quadratic_flow`.

    Returns
    -------
    ndarray, shape (..., d)

    Raises
    ------
    ValueError
        If A is not symmetric, or shapes do not fit.

    Notes
    -----
    J. R. Dormand, P. J. Prince, *A family of embedded Runge-Kutta formulae*, J. Comput. Appl.
    Math. 6 (1980). Derived in chapter 02_gradient_flow_and_time.
    """
    rates, Q, x0 = _modes(A, w_star, w0)
    t = _column(t)
    return (t / 3600 * rates**6 * np.exp(-rates * t) * x0) @ Q.T


def heavy_ball_factors(beta):
    r"""How heavy ball differs from gradient descent with the step h: two factors.

    .. math:: \text{gain}=\frac{1+\beta}{1-\beta},\qquad\text{delay}=\frac\beta{1-\beta}

    Heavy ball follows, to first order in h and after its start, the slow solution of
    :math:`M\ddot\theta+\dot\theta=-\nabla\hat L` with
    :math:`M=\frac h2\cdot\text{gain}=\frac\eta2\frac{1+\beta}{(1-\beta)^2}`, which is the gradient
    flow of :math:`\hat L+\frac M2\|\nabla\hat L\|^2`; the start at rest makes it late by the time
    :math:`h\cdot\text{delay}`.

    Parameters
    ----------
    beta : float
        Momentum, ``0 <= beta < 1``.

    Returns
    -------
    gain, delay : float

    Raises
    ------
    ValueError
        If beta is not in [0, 1).

    Notes
    -----
    Derived in chapter 02_gradient_flow_and_time.
    """
    expect(np.ndim(beta) == 0 and 0 <= beta < 1, "beta", "a number with 0 <= beta < 1", beta)
    return (1 + beta) / (1 - beta), beta / (1 - beta)


# --- one dimension, and one kink -------------------------------------------------------------------


def scalar_step_error(velocity, velocity0):
    r"""Leading error of gradient descent in one dimension, per unit of :math:`\eta`.

    .. math:: e(t)=-\tfrac12\,v(t)\log\frac{v(t)}{v(0)},\qquad \dot m=v(m)

    For every smooth v without a zero on the way. For :math:`v=ce^{-m}` this is
    :math:`\frac12ce^{-m}(m-m_0)`.

    Parameters
    ----------
    velocity, velocity0 : float or ndarray
        The velocity of the flow at the time t and at the start, of one sign.

    Returns
    -------
    float or ndarray

    Raises
    ------
    ValueError
        If the two velocities differ in sign or vanish.

    Notes
    -----
    Derived in chapter 02_gradient_flow_and_time.
    """
    velocity, velocity0 = numeric_array("velocity", velocity), numeric_array("velocity0", velocity0)
    expect(bool((velocity * velocity0 > 0).all()), "velocity", "the sign of velocity0 and no zero",
           "another sign", "A scalar flow never changes the sign of its velocity.")
    return -velocity / 2 * np.log(velocity / velocity0)


def kink_error_rms(nodes, weights):
    r"""Error of a Runge-Kutta step across a kink, root mean square over where the kink lies.

    .. math:: \Big(\int_0^1(B(s)-s)^2ds\Big)^{1/2},\qquad B(s)=\sum_{c_i<s}b_i

    in units of h times the jump of the velocity. The kink is crossed at the fraction s of the
    step; the stages with node :math:`c_i<s` see the velocity before it. Euler: :math:`B=1` and
    the error is :math:`1/\sqrt3`, whatever the order elsewhere.

    Parameters
    ----------
    nodes, weights : ndarray, shape (stages,)
        :math:`c_i`, not decreasing from 0 to at most 1, and :math:`b_i`, which add up to 1.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the nodes decrease or leave [0, 1], or the weights do not add up to 1.

    Notes
    -----
    Derived in chapter 02_gradient_flow_and_time.
    """
    nodes, weights = numeric_array("nodes", nodes), numeric_array("weights", weights)
    expect(nodes.ndim == 1 and nodes.shape == weights.shape, "weights",
           f"one weight for each node, shape {nodes.shape}", f"shape {weights.shape}")
    ordered = (np.diff(nodes) >= 0).all() and nodes[0] == 0 and nodes[-1] <= 1
    expect(bool(ordered), "nodes", "nodes that do not decrease, from 0 to at most 1", nodes)
    expect(np.isclose(weights.sum(), 1), "weights", "weights with the sum 1", weights.sum())
    left, right, B = nodes, np.append(nodes[1:], 1.0), np.cumsum(weights)
    return float(np.sqrt(np.sum((B - left) ** 3 - (B - right) ** 3) / 3))


def stability_limit(coefficients):
    r"""Longest stable step of an explicit method on :math:`\dot x=-x`.

    .. math:: \min\{z>0:\ |P(-z)|=1\},\qquad P(z)=\sum_kp_kz^k

    One step of length h multiplies a mode of rate :math:`\lambda` by :math:`P(-h\lambda)`. On a
    solution that hardly bends, an adaptive integrator takes steps of this length over the fastest
    rate on average. 2 for Euler's method, that is gradient descent; 3.3066 for Dormand-Prince.

    Parameters
    ----------
    coefficients : ndarray, shape (s,)
        :math:`p_0=1,\ p_1=1,\ p_2,\dots`; 1/600 for :math:`p_6` of Dormand-Prince.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the method is not of order 1 at least, or stable for every step.

    Notes
    -----
    Derived in chapter 02_gradient_flow_and_time.
    """
    p = numeric_array("coefficients", coefficients)
    expect(p.ndim == 1 and p.size >= 2 and np.allclose(p[:2], 1), "coefficients",
           "1, 1, ... from the lowest power on", coefficients, "Is the highest power first?")
    p = p * (-1.0) ** np.arange(p.size)
    # P(-z) = 1 has the root 0, which is divided out; P(-z) = -1 has not.
    ends = np.concatenate([np.roots(p[:0:-1]), np.roots((p + np.eye(p.size)[0])[::-1])])
    ends = ends[(abs(ends.imag) < 1e-9 * abs(ends)) & (ends.real > 0)].real
    expect(ends.size > 0, "coefficients", "a method with a stability limit", coefficients)
    return float(ends.min())


# --- stochastic gradient descent on least squares --------------------------------------------------


def sgd_stationary_covariance(X, y, eta, batch_size):
    r"""Covariance of stationary SGD on least squares, exact at every step size.

    Batches of b samples are drawn with replacement. With :math:`A=X^\top X/n`, the residuals
    :math:`r_i` of the minimiser and :math:`\mathbb E` the mean over samples, V solves

    .. math:: AV+VA-\eta\Big[\Big(1-\frac1b\Big)AVA+\frac1b\mathbb E\,xx^\top Vxx^\top\Big]
              =\frac\eta b\,\mathbb E\,r^2xx^\top

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Inputs, of rank d.
    y : ndarray, shape (n,)
        Targets.
    eta : float
        Step size, small enough for a stationary state.
    batch_size : int
        b, from 1 on.

    Returns
    -------
    ndarray, shape (d, d)
        Covariance of :math:`w_k` about the minimiser, after any step.

    Raises
    ------
    ValueError
        Bad arguments; or a step size without a stationary state, where the solution of the
        equation is not a covariance.

    Notes
    -----
    Derived in chapter 02_gradient_flow_and_time.
    """
    X, A, C = _noise(X, y)
    positive_number("eta", eta), whole_number("batch_size", batch_size, 1)
    n, d = X.shape
    eye, pairs = np.eye(d), np.einsum("ni,nj->nij", X, X).reshape(n, d * d)
    fourth = pairs.T @ pairs / n  # takes vec V to the vec of the mean of x x^T V x x^T
    drift = np.kron(A, eye) + np.kron(eye, A)
    kick = (1 - 1 / batch_size) * np.kron(A, A) + fourth / batch_size
    V = np.linalg.solve(drift - eta * kick, eta / batch_size * C.ravel()).reshape(d, d)
    growth = np.linalg.eigvals(np.eye(d * d) - eta * drift + eta**2 * kick)
    expect(abs(growth).max() < 1, "eta", "a step size with a stationary state", eta,
           "The second moment of SGD grows without bound.")
    return V


def sde_stationary_covariance(X, y, eta, batch_size):
    r"""The limit of small steps of `sgd_stationary_covariance`: that of a diffusion.

    .. math:: AV+VA=\frac\eta b\,\mathbb E\,r^2xx^\top

    Parameters
    ----------
    X, y, eta, batch_size
        As in `sgd_stationary_covariance`.

    Returns
    -------
    ndarray, shape (d, d)
        Proportional to ``eta / batch_size``.

    Raises
    ------
    ValueError
        Bad arguments.

    Notes
    -----
    Derived in chapter 02_gradient_flow_and_time.
    """
    _, A, C = _noise(X, y)
    positive_number("eta", eta), whole_number("batch_size", batch_size, 1)
    rates, Q = np.linalg.eigh(A)
    return eta / batch_size * Q @ ((Q.T @ C @ Q) / (rates[:, None] + rates)) @ Q.T


# --- the log-loss clock ----------------------------------------------------------------------------


def clock_constant(elapsed, speed):
    r"""The clock's :math:`K=t\hat L` when :math:`\|\nabla\Lambda\|` is constant.

    .. math:: K=\frac{1-e^{-(\Lambda-\Lambda_0)}}{\|\nabla\Lambda\|^2},\qquad
              \log t=\Lambda+\log K

    In general :math:`K=\int e^{-(\Lambda-u)}\|\nabla\Lambda(u)\|^{-2}du`, an average of
    :math:`\|\nabla\Lambda\|^{-2}` over the last few units of :math:`\Lambda`. So the smallest and
    the largest speed on the way bound K by this function; on separable data the speed tends to
    the margin and :math:`K\to\gamma^{-2}`.

    Parameters
    ----------
    elapsed : float or ndarray
        :math:`\Lambda-\Lambda_0`, at least 0.
    speed : float or ndarray
        :math:`\|\nabla\Lambda\|`, above 0.

    Returns
    -------
    float or ndarray

    Raises
    ------
    ValueError
        A negative ``elapsed``, or a speed that is not above 0.

    Notes
    -----
    Derived in chapter 02_gradient_flow_and_time.
    """
    elapsed = numeric_array("elapsed", elapsed)
    expect(bool((elapsed >= 0).all()), "elapsed", "numbers, at least 0", elapsed.min(initial=0))
    return -np.expm1(-elapsed) / numeric_array("speed", positive("speed", speed)) ** 2


def clock_correction(depth):
    r"""How far the clock lags behind in a homogeneous network of the given depth.

    .. math:: \Lambda\,(t\hat L\|\nabla\Lambda\|^2-1)\to2-\frac2L

    since :math:`t\hat L\|\nabla\Lambda\|^2-1\simeq d\log\|\nabla\Lambda\|^2/d\Lambda` and
    :math:`\|\nabla\Lambda\|\sim\Lambda^{1-1/L}` once the direction has settled.

    Parameters
    ----------
    depth : int
        L, the degree of homogeneity, at least 1.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If depth is not a whole number from 1 on.

    Notes
    -----
    Derived in chapter 02_gradient_flow_and_time.
    """
    return 2 - 2 / whole_number("depth", depth, 1)


# --- inside ----------------------------------------------------------------------------------------


def _modes(A, w_star, w0):
    """Rates, modes (columns) and the start in the modes' coordinates."""
    A = matrix("A", A, "a symmetric matrix")
    w_star, w0 = numeric_array("w_star", w_star), numeric_array("w0", w0)
    expect(A.ndim == 2 and A.shape[0] == A.shape[1] and np.allclose(A, A.T), "A",
           "a symmetric matrix", f"shape {A.shape}", "The A of least squares is X.T @ X / n.")
    for name, w in (("w_star", w_star), ("w0", w0)):
        expect(w.shape == A.shape[:1], name, f"shape {A.shape[:1]}", f"shape {w.shape}")
    rates, Q = np.linalg.eigh(A)
    return rates, Q, (w0 - w_star) @ Q


def _column(value):
    """``value`` with a last axis for the modes."""
    return np.asarray(value)[..., None]


def _noise(X, y):
    """Inputs, A, and the covariance of one sample's gradient at the minimiser."""
    X, y = matrix("X", X), numeric_array("y", y)
    n, d = X.shape
    expect(y.shape == (n,), "y", f"shape ({n},), one target for each row", f"shape {y.shape}")
    expect(np.linalg.matrix_rank(X) == d, "X", f"rank {d}: one minimiser", f"shape {X.shape}",
           "With fewer independent samples than inputs the noise vanishes at the minimum.")
    r = X @ np.linalg.lstsq(X, y)[0] - y
    return X, X.T @ X / n, (X * r[:, None] ** 2).T @ X / n
