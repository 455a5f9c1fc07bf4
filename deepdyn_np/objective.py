"""Network + loss + data: a function of ``theta`` with value, gradient and HVP."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from deepdyn_np.errors import expect, matrix, numeric_array
from deepdyn_np.losses.log_domain import log_mean_exp
from deepdyn_np.networks import MLP


@dataclass(frozen=True)
class Objective:
    """The training objective ``L(theta) = 1/n sum_i l(f(x_i), y_i) + lam/2 ||theta||^2``.

    Parameters
    ----------
    net : MLP
        The network f.
    loss : object
        One of ``dd.losses``: ``exponential``, ``logistic``, ``cross_entropy``, ``square``.
    X : ndarray, shape (n, d) or (..., n, d)
        Inputs, one sample per row; leading axes are data sets of an ensemble.
    y : ndarray
        Targets, as the loss wants them: labels -1, +1 of shape (..., n) for ``exponential`` and
        ``logistic``; integers of shape (..., n) or one-hot rows for ``cross_entropy``; numbers of
        shape (..., n, C) for ``square``.
    lam : float or ndarray, shape (...)
        Weight decay, at least 0; an array gives each member of an ensemble its own.

    Notes
    -----
    Every method takes ``theta`` of shape (..., p); leading axes are an ensemble. ``batch`` is an
    array of sample numbers, shape (b,) or (..., b) with one batch per member; the mean is then
    over the batch. Derived in chapter 01_hand_derived_gradients.
    """

    net: MLP
    loss: object
    X: np.ndarray
    y: np.ndarray
    lam: float | np.ndarray = 0.0

    def __post_init__(self):
        expect(isinstance(self.net, MLP), "net", "a dd.MLP", type(self.net).__name__)
        expect(hasattr(self.loss, "hessian_product"), "loss", "one of dd.losses",
               repr(self.loss), "Pass the object, dd.losses.logistic, not its name.")
        X = matrix("X", self.X)
        expect(X.shape[-1] == self.net.widths[0], "X", f"{self.net.widths[0]} columns, the "
               "network's inputs", f"shape {X.shape}", "Is X transposed?")
        lam = numeric_array("lam", self.lam)
        expect(bool((lam >= 0).all()), "lam", "numbers, at least 0", self.lam)
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "lam", lam if lam.ndim else float(lam))
        self.targets  # a wrong y is reported here, not at the first step

    @property
    def n(self):
        """Number of samples."""
        return self.X.shape[-2]

    @cached_property
    def targets(self):
        """The checked targets in the shape that ``loss`` works with."""
        return self.loss.targets(self.y, self.n, self.net.widths[-1])

    def value(self, theta, batch=None):
        """``L(theta)``, shape (...)."""
        X, Y = self._samples(batch)
        F = self.net.forward(self._checked(theta), X).F
        return np.mean(self.loss.values(F, Y), axis=-1) + self._decay(theta)

    def gradient(self, theta, batch=None):
        """``dL/dtheta``, shape (..., p)."""
        theta = self._checked(theta)
        X, Y = self._samples(batch)
        features = self.net.forward(theta, X)
        return self._backward(theta, features, Y)

    def value_and_gradient(self, theta, batch=None):
        """``(L(theta), dL/dtheta)`` from one forward and one backward pass."""
        theta = self._checked(theta)
        X, Y = self._samples(batch)
        features = self.net.forward(theta, X)
        value = np.mean(self.loss.values(features.F, Y), axis=-1) + self._decay(theta)
        return value, self._backward(theta, features, Y)

    def hvp(self, theta, v, batch=None):
        """Hessian-vector product ``d^2L/dtheta^2 v``, shape (..., p), without forming the Hessian."""
        theta, v = self._checked(theta), self._checked(v, "v")
        expect(v.shape[-1:] == (self.net.size,), "v", f"shape (..., {self.net.size}), that of theta",
               f"shape {v.shape}")
        X, Y = self._samples(batch)
        n = X.shape[-2]
        features = self.net.forward(theta, X)
        product = self.net.hvp(
            theta, features, v,
            dF=self.loss.gradient(features.F, Y) / n,
            loss_hessian=lambda change: self.loss.hessian_product(features.F, Y, change) / n,
        )
        return product + self._per_parameter * v if self._has_decay else product

    # --- the log domain -------------------------------------------------------------------------

    def Lambda(self, theta):
        """The log-loss ``Lambda = -log L(theta)``, shape (...), exact when ``L`` underflows."""
        return self._Lambda(self.net.forward(self._checked(theta), self.X).F)

    def Lambda_and_gradient(self, theta):
        """``(Lambda, dLambda/dtheta)``; the gradient is ``-dL/dtheta / L``, which never vanishes.

        Raises
        ------
        ValueError
            If there is weight decay or the loss is ``square``: their minimum has no tail to follow.
        """
        theta = self._checked(theta)
        features = self.net.forward(theta, self.X)
        Lambda = self._Lambda(features.F)
        dF = -self.loss.log_gradient(features.F, self.targets)
        return Lambda, self.net.backward(theta, features, dF)

    def _Lambda(self, F):
        expect(hasattr(self.loss, "log_values"), "loss",
               "exponential, logistic or cross_entropy for the log-loss Lambda", repr(self.loss),
               "Only losses with an infimum of 0 at infinity have a tail to follow.")
        expect(not self._has_decay, "lam", "0 for the log-loss Lambda = -log L", self.lam,
               "With decay L has a positive minimum.")
        return -log_mean_exp(self.loss.log_values(F, self.targets))

    # --- inside ---------------------------------------------------------------------------------

    def _samples(self, batch):
        if batch is None:
            return self.X, self.targets
        batch = np.asarray(batch)
        return _rows(self.X, batch), _rows(self.targets, batch)

    def _backward(self, theta, features, Y):
        dF = self.loss.gradient(features.F, Y) / features.F.shape[-2]
        gradient = self.net.backward(theta, features, dF)
        return gradient + self._per_parameter * theta if self._has_decay else gradient

    def _decay(self, theta):
        return self.lam / 2 * np.vecdot(theta, theta) if self._has_decay else 0.0

    @cached_property
    def _has_decay(self):
        return bool(np.any(self.lam))

    @cached_property
    def _per_parameter(self):
        """``lam`` in a shape that broadcasts against theta."""
        return np.asarray(self.lam)[..., None] if np.ndim(self.lam) else self.lam

    def _checked(self, theta, name="theta"):
        """One pass over theta: a nan or inf anywhere makes the sum nan or inf."""
        theta = np.asarray(theta)
        ready = theta.dtype.kind in "fc" and np.isfinite(theta.sum())
        return theta if ready else numeric_array(name, theta)


def _rows(A, batch):
    """Rows ``batch``, shape (b,) or (..., b), of ``A``, shape (n, d) or (..., n, d)."""
    if A.ndim == 2 or batch.ndim == 1:
        return A[..., batch, :]
    return np.take_along_axis(A, batch[..., None], axis=-2)
