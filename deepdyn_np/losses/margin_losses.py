"""Losses of a margin ``m = y f`` with ``y`` in {-1, +1}: exponential and logistic."""

from abc import ABC, abstractmethod

import numpy as np

from deepdyn_np.errors import expect, signs
from deepdyn_np.losses.log_domain import exp_over_sum, log_of_log1p_exp, overflowing, vanishing


class MarginLoss(ABC):
    """A positive, decreasing, convex function of the margin.

    A subclass gives the three logarithms ``log l``, ``log(-l')`` and ``log l''``; everything else
    follows from them, so that the loss, its derivatives and the sample weights stay exact where
    ``exp(-m)`` has long left the range of floating-point numbers.

    Notes
    -----
    Derived in chapter 01_hand_derived_gradients; the log domain in chapter 03_max_margin.
    """

    @abstractmethod
    def log_value(self, m):
        """``log l(m)``, elementwise."""

    @abstractmethod
    def log_slope(self, m):
        """``log(-l'(m))``, elementwise."""

    @abstractmethod
    def log_curvature(self, m):
        """``log l''(m)``, elementwise."""

    def value(self, m):
        """``l(m)``, elementwise; ``inf`` where it exceeds the range of floats."""
        return _exp(self.log_value(m))

    def derivative(self, m):
        """``l'(m) < 0``, elementwise."""
        return -_exp(self.log_slope(m))

    def second_derivative(self, m):
        """``l''(m)``, elementwise."""
        return _exp(self.log_curvature(m))

    def weights(self, m):
        """Sample weights ``-l'(m_i) / sum_j l(m_j)`` over the last axis, shape (..., n).

        They are the coefficients of ``grad Lambda = sum_i weight_i grad m_i`` with
        ``Lambda = -log(mean l)``. For the exponential loss they are ``softmax(-m)``.
        """
        return exp_over_sum(self.log_slope(m), self.log_value(m))

    # --- the same as functions of the outputs, for Objective ----------------------------------

    def targets(self, y, n, C):
        """Labels of shape (..., n) in {-1, +1}, as a column of shape (..., n, 1)."""
        y = signs("y", y)
        expect(C == 1, "net", f"one output for {self!r}, a loss of the margin y f",
               f"{C} outputs", "For several classes use dd.losses.cross_entropy.")
        if y.ndim >= 2 and y.shape[-2:] == (n, 1):
            return y
        expect(y.ndim >= 1 and y.shape[-1] == n, "y", f"one label for each of the {n} rows of X",
               f"shape {y.shape}")
        return y[..., None]

    def values(self, F, Y):
        """Loss of each sample, shape (..., n)."""
        return self.value((Y * F)[..., 0])

    def gradient(self, F, Y, out=None):
        """Derivative of each sample's loss with respect to its outputs, shape (..., n, 1)."""
        return np.multiply(Y, self.derivative(Y * F), out=out)

    def hessian_product(self, F, Y, V):
        """Second derivative of each sample's loss times a change ``V`` of the outputs."""
        return self.second_derivative(Y * F) * V

    def log_values(self, F, Y):
        """Logarithm of each sample's loss, shape (..., n)."""
        return self.log_value((Y * F)[..., 0])

    def log_gradient(self, F, Y, out=None):
        """``gradient`` divided by the sum of all losses, shape (..., n, 1)."""
        return np.multiply(-Y, self.weights((Y * F)[..., 0])[..., None], out=out)

    def log_hessian(self, F, Y):
        """Each sample's second derivative over the sum of all losses, shape (..., n, 1, 1)."""
        m = (Y * F)[..., 0]
        return exp_over_sum(self.log_curvature(m), self.log_value(m))[..., None, None]


class Exponential(MarginLoss):
    """``l(m) = exp(-m)``.

    Derived in chapter 01_hand_derived_gradients.
    """

    def __repr__(self):
        return "losses.exponential"

    def log_value(self, m):
        """``-m``."""
        return -np.asarray(m)

    log_slope = log_value
    log_curvature = log_value

    def gradient(self, F, Y, out=None):
        """``-y exp(-m)``; 0 where that is below the smallest normal float."""
        with np.errstate(over="ignore"):
            weights = np.exp(vanishing(-Y * F))
        weights *= Y
        return np.negative(weights, out=out)


class Logistic(MarginLoss):
    """``l(m) = log(1 + exp(-m))``.

    Derived in chapter 01_hand_derived_gradients.
    """

    def __repr__(self):
        return "losses.logistic"

    def log_value(self, m):
        """``log log(1 + exp(-m))``."""
        return log_of_log1p_exp(-np.asarray(m))

    def log_slope(self, m):
        """``-log(1 + exp(m))``."""
        return -np.logaddexp(0, m)

    def log_curvature(self, m):
        """``-log(1 + exp(m)) - log(1 + exp(-m))``."""
        return -np.logaddexp(0, m) - np.logaddexp(0, -np.asarray(m))

    def gradient(self, F, Y, out=None):
        """``-y / (1 + exp(m))``; 0 where that is below the smallest normal float."""
        m = np.multiply(Y, F, out=out)
        odds = np.exp(overflowing(m), out=out)
        return np.divide(Y, np.subtract(-1.0, odds, out=out), out=out)


def _exp(a):
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(a)
