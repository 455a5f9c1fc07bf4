r"""How accurate a numerical derivative can be, and derivatives known in closed form.

A gradient check compares :math:`\langle\nabla L(\theta),v\rangle=\varphi'(0)` with difference
quotients of :math:`\varphi(h)=L(\theta+hv)`. The first half of this file predicts the error of
the quotients; the second half gives networks whose derivatives need no backpropagation.
"""

import numpy as np

from deepdyn_np.errors import expect, numeric_array, positive


def central_error(h, third, noise):
    r"""Bound on the error of the central difference :math:`(\varphi(h)-\varphi(-h))/2h`.

    .. math:: \frac{h^2}6|\varphi'''|+\frac\delta h

    Truncation and rounding. The truncation is exact, not only a bound, if
    :math:`\varphi` is a polynomial of degree 3 or 4 and ``third`` its third derivative at 0.

    Parameters
    ----------
    h : float or ndarray
        Step, above 0.
    third : float or ndarray
        The third derivative, or a bound of it on [-h, h].
    noise : float or ndarray
        :math:`\delta`: each computed value of :math:`\varphi` is off by at most this.

    Returns
    -------
    ndarray
        Shapes broadcast.

    Raises
    ------
    ValueError
        If a step is not positive.

    Notes
    -----
    Derived in chapter 01_hand_derived_gradients.
    """
    h = positive("h", np.asarray(h, float))
    return h**2 / 6 * np.abs(third) + np.asarray(noise) / h


def best_central(third, noise):
    r"""The step that minimises `central_error`, and the error there.

    .. math:: h_*=\Big(\frac{3\delta}{|\varphi'''|}\Big)^{1/3},\qquad
              E_*=\tfrac12h_*^2|\varphi'''|

    Parameters
    ----------
    third, noise : float or ndarray
        As in `central_error`; ``third`` not 0, ``noise`` above 0.

    Returns
    -------
    h, error : ndarray

    Raises
    ------
    ValueError
        If the third derivative or the noise vanishes: there is no best step then.

    Notes
    -----
    Derived in chapter 01_hand_derived_gradients.
    """
    third = positive("third", np.abs(numeric_array("third", third)))
    h = np.cbrt(3 * positive("noise", np.asarray(noise, float)) / third)
    return h, h**2 * third / 2


def one_sided_error(h, second, noise):
    r"""Bound on the error of the one-sided difference :math:`(\varphi(h)-\varphi(0))/h`.

    .. math:: \frac h2|\varphi''|+\frac{2\delta}h

    Parameters
    ----------
    h : float or ndarray
        Step, above 0.
    second : float or ndarray
        The second derivative, or a bound of it on [0, h].
    noise : float or ndarray
        :math:`\delta`: each computed value of :math:`\varphi` is off by at most this.

    Returns
    -------
    ndarray
        Shapes broadcast.

    Raises
    ------
    ValueError
        If a step is not positive.

    Notes
    -----
    Derived in chapter 01_hand_derived_gradients.
    """
    h = positive("h", np.asarray(h, float))
    return h / 2 * np.abs(second) + 2 * np.asarray(noise) / h


def best_one_sided(second, noise):
    r"""The step that minimises `one_sided_error`, and the error there.

    .. math:: h_*=2\sqrt{\delta/|\varphi''|},\qquad E_*=h_*|\varphi''|

    Parameters
    ----------
    second, noise : float or ndarray
        As in `one_sided_error`; ``second`` not 0, ``noise`` above 0.

    Returns
    -------
    h, error : ndarray

    Raises
    ------
    ValueError
        If the second derivative or the noise vanishes: there is no best step then.

    Notes
    -----
    Derived in chapter 01_hand_derived_gradients.
    """
    second = positive("second", np.abs(numeric_array("second", second)))
    h = 2 * np.sqrt(positive("noise", np.asarray(noise, float)) / second)
    return h, h * second


def complex_step_error(h, third, noise):
    r"""Bound on the error of the complex step :math:`\operatorname{Im}\varphi(ih)/h`.

    .. math:: \frac{h^2}6|\varphi'''|+\delta'

    Nothing is subtracted, so the rounding is not divided by h: the step may be 1e-20.

    Parameters
    ----------
    h : float or ndarray
        Step, above 0.
    third : float or ndarray
        The third derivative, or a bound of it on the segment from 0 to ih.
    noise : float or ndarray
        :math:`\delta'`: rounding of the derivative itself, a few units of its last digit.

    Returns
    -------
    ndarray
        Shapes broadcast.

    Raises
    ------
    ValueError
        If a step is not positive.

    Notes
    -----
    For real-analytic :math:`\varphi`. Derived in chapter 01_hand_derived_gradients.
    """
    h = positive("h", np.asarray(h, float))
    return h**2 / 6 * np.abs(third) + np.asarray(noise)


def rounding_rms(value, roundings, dtype=float):
    r"""Root mean square of the rounding error of a product of factors that were rounded too.

    .. math:: \frac{u}{\sqrt{8\ln2}}\sqrt N\,|\varphi|,\qquad u=2^{-53}\ (\text{float64})

    One rounding moves a number :math:`m2^e`, :math:`1\le m<2`, by an amount uniform in
    :math:`\pm u2^e`; leading digits m are distributed like :math:`1/(m\ln2)`, so that
    :math:`\mathbb E\,m^{-2}=3/(8\ln2)`; independent errors add up in squares.

    Parameters
    ----------
    value : float or ndarray
        The value, or its root mean square over an ensemble, if that is independent of the
        leading digits.
    roundings : int
        N: how many operations, each relative to its own result, led to it.
    dtype : dtype
        Precision of the arithmetic.

    Returns
    -------
    ndarray

    Notes
    -----
    A model, not a bound. Derived in chapter 01_hand_derived_gradients.
    """
    unit = np.finfo(dtype).eps / 2
    return unit * np.sqrt(positive("roundings", roundings) / (8 * np.log(2))) * np.abs(value)


def kink_error(h, distance, jump):
    r"""Error of the central difference of a piecewise smooth function, from its kinks alone.

    .. math:: \frac1{2h}\sum_j\operatorname{sign}(a_j)\,c_j\,(h-|a_j|)_+

    A kink at :math:`a_j` raises the slope of :math:`\varphi` by :math:`c_j`. It is invisible to
    every step :math:`h\le|a_j|`; kinks on the two sides of 0 act against each other.

    Parameters
    ----------
    h : float or ndarray, shape (...)
        Step, above 0.
    distance : ndarray, shape (N,)
        The :math:`a_j`, with sign; none of them 0: there :math:`\varphi` has no derivative.
    jump : ndarray, shape (N,)
        The :math:`c_j`.

    Returns
    -------
    ndarray, shape (...)
        With sign: quotient minus derivative.

    Raises
    ------
    ValueError
        If a step is not positive, a distance is 0, or the two lists differ in length.

    Notes
    -----
    Exact for a piecewise linear function. Derived in chapter 01_hand_derived_gradients.
    """
    h = positive("h", np.asarray(h, float))
    distance, jump = numeric_array("distance", distance), numeric_array("jump", jump)
    expect(distance.ndim == 1 and distance.shape == jump.shape, "jump",
           f"one number for each kink, shape {distance.shape}", f"shape {jump.shape}",
           "Flatten both.")
    expect(bool((distance != 0).all()), "distance", "kinks away from 0", "a 0",
           "At a kink there is no derivative to compare with.")
    beyond = np.maximum(h[..., None] - np.abs(distance), 0)
    return np.sum(np.sign(distance) * jump * beyond, axis=-1) / (2 * h)


# --- the scalar network f = w_L ... w_1 x: every derivative is a product ---------------------------


def product_gradient(w, x=1.0):
    r"""Gradient of the scalar linear network :math:`f=w_L\cdots w_1x`.

    .. math:: \frac{\partial f}{\partial w_k}=x\prod_{i\ne k}w_i\ \Big(=\frac f{w_k}\Big)

    Parameters
    ----------
    w : ndarray, shape (..., L)
        One weight per layer; it may be 0.
    x : float or ndarray, shape (...)
        Input.

    Returns
    -------
    ndarray, shape (..., L)

    Notes
    -----
    Derived in chapter 01_hand_derived_gradients.
    """
    w = numeric_array("w", w)
    others = np.where(np.eye(w.shape[-1], dtype=bool), 1, w[..., None, :])
    return np.asarray(x)[..., None] * others.prod(axis=-1)


def product_hessian(w, x=1.0):
    r"""Hessian of the scalar linear network :math:`f=w_L\cdots w_1x`.

    .. math:: \frac{\partial^2f}{\partial w_j\partial w_k}=x\prod_{i\ne j,k}w_i\;
              \Big(=\frac f{w_jw_k}\Big)\quad(j\ne k),\qquad 0\quad(j=k)

    Parameters
    ----------
    w : ndarray, shape (..., L)
        One weight per layer; it may be 0.
    x : float or ndarray, shape (...)
        Input.

    Returns
    -------
    ndarray, shape (..., L, L)

    Notes
    -----
    Derived in chapter 01_hand_derived_gradients.
    """
    w = numeric_array("w", w)
    eye = np.eye(w.shape[-1], dtype=bool)
    others = np.where(eye[:, None] | eye, 1, w[..., None, None, :]).prod(axis=-1)
    return np.asarray(x)[..., None, None] * np.where(eye, 0, others)


def product_derivatives(w, v, x=1.0):
    r"""All derivatives at 0 of :math:`\varphi(h)=f(w+hv)` for :math:`f=w_L\cdots w_1x`.

    .. math:: \varphi^{(j)}(0)=j!\;x\sum_{|S|=j}\ \prod_{k\in S}v_k\prod_{k\notin S}w_k

    :math:`\varphi` is a polynomial of degree L, multiplied out here.

    Parameters
    ----------
    w, v : ndarray, shape (..., L)
        Weights and direction.
    x : float or ndarray, shape (...)
        Input.

    Returns
    -------
    ndarray, shape (..., L + 1)
        Entry j is the j-th derivative, the value for j = 0.

    Raises
    ------
    ValueError
        If the shapes of ``w`` and ``v`` differ.

    Notes
    -----
    Derived in chapter 01_hand_derived_gradients.
    """
    w, v = numeric_array("w", w), numeric_array("v", v)
    expect(w.shape == v.shape and w.ndim >= 1, "v", f"the shape of w, {w.shape}", v.shape)
    depth = w.shape[-1]
    coefficients = np.zeros((*w.shape[:-1], depth + 1))
    coefficients[..., 0] = x
    for k in range(depth):
        raised = v[..., k, None] * coefficients[..., :-1]
        coefficients *= w[..., k, None]
        coefficients[..., 1:] += raised
    factorials = np.cumprod(np.maximum(np.arange(depth + 1), 1))
    return factorials * coefficients


def tanh_euler_ratios(w, x):
    r"""By how much Euler's identity fails in a scalar tanh network, layer by layer.

    For :math:`f=w_L\tanh(w_{L-1}\cdots\tanh(w_1x))` with pre-activations :math:`z_k`,

    .. math:: \frac{w_k}f\frac{\partial f}{\partial w_k}=\prod_{j=k}^{L-1}\frac{2z_j}{\sinh2z_j}

    which is 1 for the last layer and between 0 and 1 for the others
    (a homogeneous activation would have 1 throughout).

    Parameters
    ----------
    w : ndarray, shape (..., L)
        One weight per layer, none of them 0.
    x : float or ndarray, shape (...)
        Input, not 0.

    Returns
    -------
    ndarray, shape (..., L)

    Raises
    ------
    ValueError
        If a weight or the input is 0: f vanishes then, and the ratio has no meaning.

    Notes
    -----
    Derived in chapter 01_hand_derived_gradients.
    """
    w, h = numeric_array("w", w), numeric_array("x", x)
    expect(bool((w != 0).all()), "w", "weights that are not 0", "a 0")
    expect(bool((h != 0).all()), "x", "an input that is not 0", "a 0")
    ratios = np.ones(np.broadcast_shapes(w.shape, (*h.shape, 1)))
    for k in range(w.shape[-1] - 1):
        z = np.abs(w[..., k] * h)
        # sinh itself would overflow for z > 355
        ratios[..., : k + 1] *= (-4 * z * np.exp(-2 * z) / np.expm1(-4 * z))[..., None]
        h = np.tanh(z)
    return ratios
