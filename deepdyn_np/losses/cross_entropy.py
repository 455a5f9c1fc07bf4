"""Cross-entropy of a softmax over C classes."""

import numpy as np

from deepdyn_np.errors import expect, numeric_array
from deepdyn_np.losses.log_domain import log_of_log1p_exp, log_sum_exp, vanishing


class CrossEntropy:
    """``l(f, y) = -log softmax(f)_y``, written as ``log(1 + exp(M))``.

    ``M = log sum_{c != y} exp(f_c - f_y)`` is minus a soft margin: the loss keeps its relative
    accuracy when the right class has won by any distance.

    Notes
    -----
    Derived in chapter 01_hand_derived_gradients.
    """

    def __repr__(self):
        return "losses.cross_entropy"

    def targets(self, y, n, C):
        """Integer labels (..., n) in 0..C-1, or one-hot rows (..., n, C), as a boolean mask."""
        expect(C >= 2, "net", "at least two outputs for losses.cross_entropy", f"{C}",
               "For one output and labels -1, +1 use dd.losses.logistic.")
        y = numeric_array("y", y)
        if y.ndim >= 2 and y.shape[-2:] == (n, C):
            one_hot = bool(np.isin(y, (0, 1)).all() and (y.sum(-1) == 1).all())
            expect(one_hot, "y", "one-hot rows: a single 1, the rest 0", "other values")
            return y.astype(bool)
        expect(y.ndim >= 1 and y.shape[-1] == n, "y",
               f"one label for each of the {n} rows of X, or one-hot rows of {C} classes",
               f"shape {y.shape}")
        valid = bool(((y == np.floor(y)) & (y >= 0) & (y < C)).all())
        expect(valid, "y", f"integer labels from 0 to {C - 1}", f"{np.unique(y)[:6]}",
               "Labels -1 and +1 belong to the losses of a margin.")
        return y[..., None] == np.arange(C)

    def values(self, F, Y):
        """Loss of each sample, shape (..., n)."""
        return np.logaddexp(0, _soft_margin(F, Y))

    def gradient(self, F, Y, out=None):
        """``softmax(f) - one_hot(y)``, shape (..., n, C); exact also when both nearly cancel.

        A probability below the smallest normal float is 0.
        """
        P = np.subtract(F, F.max(axis=-1, keepdims=True), out=out)
        P = np.exp(vanishing(P), out=out)
        P /= P.sum(axis=-1, keepdims=True)
        np.copyto(P, 0, where=Y)
        np.copyto(P, -P.sum(axis=-1, keepdims=True), where=Y)
        return P

    def hessian_product(self, F, Y, V):
        """``(diag(p) - p p^T) V`` for each sample, shape (..., n, C)."""
        p = np.exp(_log_wrong(F, Y))
        U = V - np.sum(V * Y, axis=-1, keepdims=True)
        return _balanced(p * (U - np.sum(p * U, axis=-1, keepdims=True)), Y)

    def log_values(self, F, Y):
        """Logarithm of each sample's loss, shape (..., n)."""
        return log_of_log1p_exp(_soft_margin(F, Y))

    def log_gradient(self, F, Y, out=None):
        """``gradient`` divided by the sum of all losses, shape (..., n, C)."""
        return _balanced(self._over_total(F, Y, out), Y)

    def log_hessian(self, F, Y):
        """Each sample's second derivative over the sum of all losses, shape (..., n, C, C)."""
        p = np.exp(_log_wrong(F, Y))
        A = self._over_total(F, Y)[..., None] * (np.eye(F.shape[-1]) - p[..., None, :])
        # Rows and columns of a second derivative in the logits sum to 0: this fills class y.
        A = A - Y[..., None] * A.sum(axis=-2, keepdims=True)
        return A - Y[..., None, :] * A.sum(axis=-1, keepdims=True)

    def _over_total(self, F, Y, out=None):
        """Probability of each wrong class over the sum of all losses, 0 at class y."""
        # A loss is its sample's probability of error times a factor that tends to 1. So the sum
        # is over the very numbers that it divides: from logarithms of 1e7 it would carry 1e-9.
        U = _excess(F, Y, out)
        M = log_sum_exp(U)
        U -= np.logaddexp(0, M)[..., None]
        U -= np.max(U, axis=(-2, -1), keepdims=True)
        wrong = np.exp(vanishing(U, 1e8), out=U)
        factor = np.exp(log_of_log1p_exp(M) + np.logaddexp(0, -M))
        wrong /= np.sum(wrong.sum(axis=-1) * factor, axis=-1)[..., None, None]
        return wrong


def _excess(F, Y, out=None):
    """``f_c - f_y``, and ``-inf`` at the class y itself, shape (..., n, C)."""
    U = np.multiply(F, Y, out=out)
    U = np.subtract(F, np.sum(U, axis=-1, keepdims=True), out=out)
    np.copyto(U, -np.inf, where=Y)
    return U


def _soft_margin(F, Y):
    """``M = log sum_{c != y} exp(f_c - f_y)``, shape (..., n)."""
    return log_sum_exp(_excess(F, Y))


def _log_wrong(F, Y):
    """Log-probability of each wrong class, and ``-inf`` at the right one, shape (..., n, C)."""
    U = _excess(F, Y)
    U -= np.logaddexp(0, log_sum_exp(U, keepdims=True))
    return U


def _balanced(wrong, Y):
    """``wrong``, with what makes each row sum to 0 put at class y, where it is 0."""
    np.copyto(wrong, -np.sum(wrong, axis=-1, keepdims=True), where=Y)
    return wrong
