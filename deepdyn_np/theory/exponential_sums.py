"""Minimising a sum of exponentials by Newton's method, where the exponents may be huge."""

import numpy as np

MAX_STEPS = 500


def minimize_exponential_sum(B, offset, linear, decay, start):
    r"""The minimiser of a sum of exponentials, a linear and a quadratic term.

    .. math:: \psi(c)=\sum_ie^{o_i-b_i\cdot c}+g\cdot c+\frac\kappa2\|c\|^2

    Damped Newton; the change of :math:`\psi` along a step is evaluated with ``expm1``, so that
    it is seen even where :math:`\psi` itself is too large for its last digits to show it.

    Parameters
    ----------
    B : ndarray, shape (n, k)
        Rows b_i. Of rank k if ``decay`` is 0.
    offset : float or ndarray, shape (n,)
        The o_i; may be as large as 1e6, provided that the exponents at ``start`` are below 700.
    linear : float or ndarray, shape (k,)
        g.
    decay : float
        kappa >= 0.
    start : ndarray, shape (k,)
        Where to start.

    Returns
    -------
    c : ndarray, shape (k,)
        The minimiser. If the infimum is only approached at infinity, a point at which
        :math:`\psi` exceeds it by about 1e-12 of the sum of exponentials.
    weights : ndarray, shape (n,)
        The exponentials :math:`e^{o_i-b_i\cdot c}` at ``c``.

    Raises
    ------
    RuntimeError
        No minimiser after 500 Newton steps.

    Notes
    -----
    Finds the regularisation path and the duals that gradient flow selects, both of
    chapter 03_max_margin.
    """
    c = np.array(start, dtype=float)
    identity = np.eye(B.shape[1])
    confirmed = False
    for _ in range(MAX_STEPS):
        weights = np.exp(offset - B @ c)
        gradient = linear - B.T @ weights + decay * c
        # The square root of the Hessian, by QR: forming the Hessian would square its condition.
        R = np.linalg.qr(np.vstack([np.sqrt(weights)[:, None] * B, np.sqrt(decay) * identity]),
                         mode="r")
        step = -np.linalg.solve(R, np.linalg.solve(R.T, gradient))
        change = B @ step
        decrement = -gradient @ step
        converged = (decrement <= 1e-12 * weights.sum()
                     or abs(change).max() <= 1e-12 * (1 + abs(B @ c).max()))
        if converged and confirmed:  # the second time: convergence is quadratic
            return c + step, np.exp(offset - B @ (c + step))
        confirmed = converged
        slope = (linear + decay * c) @ step
        fraction = 1.0
        with np.errstate(over="ignore"):
            while (weights @ np.expm1(-fraction * change) + fraction * slope
                   + decay / 2 * fraction**2 * (step @ step) > -fraction * decrement / 4):
                fraction /= 2
        c = c + fraction * step
    raise RuntimeError(f"minimize_exponential_sum: no minimiser after {MAX_STEPS} Newton steps; "
                       "rescale the rows to length 1 or so.")
