"""Network + loss + data: a function of ``theta`` with value, gradient and HVP.

Each derivative is a line of mathematics around `MLP.forward`, `MLP.backward` and `MLP.hvp`. Gradient and
HVP, which loops call, run the same recursions in the buffers of `Workspaces`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from deepdyn_np.errors import expect, matrix, numeric_array
from deepdyn_np.losses.log_domain import log_mean_exp
from deepdyn_np.losses.sufficient_statistics import same_moments, sample_count
from deepdyn_np.networks import MLP
from deepdyn_np.networks.workspace import add_multiple
from deepdyn_np.networks.workspaces import Workspaces

LARGEST_REDUCTION = 2e9  # operations that a reduction of the data may take: a tenth of a second


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
    over the batch.

    A linear network with the square loss sees the samples through their means and second moments
    alone. Where they are many, `value`, `gradient` and `hvp` use ``d + C + 1`` samples with the
    same moments: the cost of a step does not depend on n.

    Derived in chapter 01_hand_derived_gradients.
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
        Y = self.loss.targets(self.y, self.n, self.net.widths[-1])
        return np.ascontiguousarray(Y.mT).mT  # sums over classes then run over whole rows of memory

    def value(self, theta, batch=None):
        """``L(theta)``, shape (...)."""
        X, Y = self._samples(batch)
        F = self.net.forward(self._checked(theta), X).F
        return np.mean(self.loss.values(F, Y), axis=-1) + self._decay(theta)

    def gradient(self, theta, batch=None, out=None):
        """``dL/dtheta``, shape (..., p).

        ``out``, for loops, is where to write it: a contiguous array of ``theta``'s shape and dtype.
        ``theta`` and ``batch`` (sample numbers from 0 on) are then taken as they are, unchecked.
        """
        theta = self._checked(theta) if out is None else theta
        return self._pull_back(theta, self._mean_derivative, batch, out)

    def value_and_gradient(self, theta, batch=None):
        """``(L(theta), dL/dtheta)`` from one forward and one backward pass."""
        theta, values = self._checked(theta), []

        def derivative(F, Y, out=None):
            values.append(np.mean(self.loss.values(F, Y), axis=-1))
            return self._mean_derivative(F, Y, out)

        gradient = self._pull_back(theta, derivative, batch)
        return _rejoined(values, gradient) + self._decay(theta), gradient

    def hvp(self, theta, v, batch=None):
        """Hessian-vector product ``d^2L/dtheta^2 v``, shape (..., p), without forming the Hessian."""
        theta, v = self._checked(theta), self._checked(v, "v")
        expect(v.shape[-1:] == (self.net.size,), "v", f"shape (..., {self.net.size}), that of theta",
               f"shape {v.shape}")
        product = self._workspaces.hvp(theta, v, *self._samples(batch), self._mean_derivative, self._mean_hessian)
        return product + self._per_parameter * v if self._has_decay else product

    # --- the log domain -------------------------------------------------------------------------

    def Lambda(self, theta):
        """The log-loss ``Lambda = -log L(theta)``, shape (...), exact when ``L`` underflows."""
        return self._Lambda(self.net.forward(self._checked(theta), self.X).F, self.targets)

    def Lambda_and_gradient(self, theta, out=None):
        """``(Lambda, dLambda/dtheta)``; the gradient is ``-dL/dtheta / L``, which never vanishes.

        ``out`` is that of `gradient`.

        Raises
        ------
        ValueError
            If there is weight decay or the loss is ``square``: their minimum has no tail to follow.
        """
        theta, Lambda = self._checked(theta) if out is None else theta, []

        def derivative(F, Y, out=None):
            Lambda.append(self._Lambda(F, Y))
            return np.negative(self.loss.log_gradient(F, Y, out=out), out=out)

        gradient = self._pull_back(theta, derivative, out=out)
        return _rejoined(Lambda, gradient), gradient

    def _Lambda(self, F, Y):
        expect(hasattr(self.loss, "log_values"), "loss",
               "exponential, logistic or cross_entropy for the log-loss Lambda", repr(self.loss),
               "Only losses with an infimum of 0 at infinity have a tail to follow.")
        expect(not self._has_decay, "lam", "0 for the log-loss Lambda = -log L", self.lam,
               "With decay L has a positive minimum.")
        return -log_mean_exp(self.loss.log_values(F, Y))

    # --- inside ---------------------------------------------------------------------------------

    def _samples(self, batch):
        if batch is None:
            return self._all
        batch = np.asarray(batch)
        return _rows(self.X, batch), _rows(self.targets, batch)

    @cached_property
    def _all(self):
        """All samples, or fewer that do as well, for passes without a batch."""
        X, Y = self.X, self.targets
        r, linear = sample_count(X, Y), self.net.depth == 1 or self.net.activation == "linear"
        suffice = linear and getattr(self.loss, "quadratic", False) and X.dtype.kind == Y.dtype.kind == "f"
        if suffice and r < self.n and self.n * r**2 < LARGEST_REDUCTION:
            X, Y = same_moments(X, Y)
        return X, Y

    @cached_property
    def _workspaces(self):
        return Workspaces(self.net)

    def _mean_derivative(self, F, Y, out=None):
        dF = self.loss.gradient(F, Y, out=out)
        dF /= float(F.shape[-2])  # numpy is slower with an int
        return dF

    def _mean_hessian(self, F, Y, change):
        return self.loss.hessian_product(F, Y, change) / F.shape[-2]

    def _pull_back(self, theta, derivative, batch=None, out=None):
        """The gradient of the function of the outputs with this ``derivative(F, Y)``, plus the decay's."""
        if batch is None or out is None or np.ndim(batch) > 1:
            (X, Y), batch = self._samples(batch), None
        else:
            X, Y = self.X, self.targets  # the batch is taken into buffers
        gradient = self._workspaces.gradient(theta, X, Y, derivative, batch, out)
        if not self._has_decay:
            return gradient
        if out is None:
            return gradient + self._per_parameter * theta
        return add_multiple(gradient, self._per_parameter, theta)

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


def _rejoined(parts, gradient):
    """Values that came member by member, in the shape of the gradient's leading axes."""
    return np.concatenate([np.ravel(part) for part in parts]).reshape(gradient.shape[:-1])[()]
