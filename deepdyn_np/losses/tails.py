"""Losses with other tails than the exponential: faster, slower, polynomial.

They are defined for positive margins only, where their tail is: start inside the cone ``m > 0``.
"""

import math

import numpy as np

from deepdyn_np.errors import fail, positive_number
from deepdyn_np.losses.margin_losses import MarginLoss


class PolyExponential(MarginLoss):
    """``-l'(m) = exp(-m^nu)`` for ``m > 0``; made by `poly_exponential`.

    Derived in chapter 05_loss_tails.
    """

    def __init__(self, nu):
        self.nu = float(positive_number("nu", nu))

    def __repr__(self):
        return f"losses.poly_exponential({self.nu:g})"

    def log_value(self, m):
        """``log of the integral of exp(-u^nu) over u > m``: ``log(Gamma(1/nu, m^nu) / nu)``."""
        return log_upper_gamma(1 / self.nu, _inside(m) ** self.nu) - math.log(self.nu)

    def log_slope(self, m):
        """``-m^nu``."""
        return -(_inside(m) ** self.nu)

    def log_curvature(self, m):
        """``log(nu m^(nu - 1)) - m^nu``."""
        m = _inside(m)
        return math.log(self.nu) + (self.nu - 1) * np.log(m) - m**self.nu


class Polynomial(MarginLoss):
    """``l(m) = m^-p / p`` for ``m > 0``; made by `polynomial`.

    Derived in chapter 05_loss_tails.
    """

    def __init__(self, p):
        self.p = float(positive_number("p", p))

    def __repr__(self):
        return f"losses.polynomial({self.p:g})"

    def log_value(self, m):
        """``-p log m - log p``."""
        return -self.p * np.log(_inside(m)) - math.log(self.p)

    def log_slope(self, m):
        """``-(p + 1) log m``."""
        return -(self.p + 1) * np.log(_inside(m))

    def log_curvature(self, m):
        """``log(p + 1) - (p + 2) log m``."""
        return math.log(self.p + 1) - (self.p + 2) * np.log(_inside(m))


def poly_exponential(nu):
    """The loss with ``-l'(m) = exp(-m^nu)``, ``m > 0``; ``nu = 1`` is the exponential loss.

    Parameters
    ----------
    nu : float
        Exponent of the tail, above 0.

    Notes
    -----
    Derived in chapter 05_loss_tails.
    """
    return PolyExponential(nu)


def polynomial(p):
    """The loss ``l(m) = m^-p / p``, ``m > 0``.

    Parameters
    ----------
    p : float
        Power of the tail, above 0.

    Notes
    -----
    Derived in chapter 05_loss_tails.
    """
    return Polynomial(p)


def log_upper_gamma(a, x):
    """``log Gamma(a, x)``, the upper incomplete gamma function, for ``a > 0`` and ``x > 0``.

    By the series of the lower function where ``x < a + 1`` and by its continued fraction beyond,
    which keeps the relative accuracy of the tail however large ``x`` is.
    """
    x = np.asarray(x, dtype=float)
    small, large = np.minimum(x, a + 1), np.maximum(x, a + 1)

    term = total = np.ones_like(x) / a
    for k in range(1, 200):
        term = term * small / (a + k)
        total = total + term
    lower = np.exp(a * np.log(small) - small) * total
    below = np.log(np.maximum(math.gamma(a) - lower, np.finfo(float).tiny))

    # Lentz's algorithm; the first denominator is x + 1 - a >= 2, so that none vanishes.
    b = large + 1 - a
    c, d = np.full_like(x, np.inf), 1 / b
    fraction = d
    for k in range(1, 200):
        step = -k * (k - a)
        b = b + 2
        d = 1 / (b + step * d)
        c = b + step / c
        fraction = fraction * c * d
    above = a * np.log(large) - large + np.log(fraction)
    return np.where(x < a + 1, below, above)


def _inside(m):
    m = np.asarray(m, dtype=float)
    if not np.all(m > 0):
        fail("m", "positive margins, where the tail of this loss is defined", f"{np.min(m):.3g}",
             "Start inside the cone: every sample classified correctly.")
    return m
