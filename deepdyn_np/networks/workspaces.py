"""The buffers of an objective: a workspace for each shape of its arguments."""

import numpy as np

from deepdyn_np.networks.hessian_workspace import HessianWorkspace
from deepdyn_np.networks.workspace import Workspace


class Workspaces:
    """Derivatives of functions of a network's outputs, each in a workspace that nobody else is using.

    A call takes an idle workspace of the right shape, or makes one, and gives it back: threads may
    share the objective that owns this.
    """

    def __init__(self, net):
        self.net, self.idle = net, {}

    def __reduce__(self):
        return Workspaces, (self.net,)  # a copy has no use for the buffers

    def gradient(self, theta, X, Y, derivative, batch=None, out=None):
        """Derivative with respect to ``theta`` of a function of the outputs, shape (..., p).

        Parameters
        ----------
        theta : ndarray, shape (..., p)
        X, Y : ndarray, shape (..., n, d) and (..., n, C)
        derivative : callable
            ``derivative(F, Y, out=None)`` is the function's derivative with respect to the outputs
            ``F``, shape (..., n, C). It may be called several times, each for a part of the ensemble.
        batch : ndarray, shape (b,), optional
            Rows of X and Y to use, from 0 on, unchecked.
        out : ndarray, shape (..., p), optional
            Where to write the result; C-contiguous.
        """
        rows = X.shape[-2] if batch is None else len(batch)
        idle = self._idle(Workspace, theta, X, Y, rows)
        if idle is None:
            return self._plain(theta, X, Y, derivative, batch, out)
        work = idle.pop() if idle else Workspace(self.net, theta.shape[:-1], rows, theta.dtype)
        if batch is not None:
            X, Y = work.take(X, Y, batch)
        out = np.empty(theta.shape, theta.dtype) if out is None else out
        work.run((theta, out), X, Y, derivative)
        idle.append(work)
        return out

    def hvp(self, theta, v, X, Y, derivative, hessian):
        """Second derivative along ``v``, shape (..., p).

        Parameters
        ----------
        theta, X, Y, derivative
            Those of `gradient`.
        v : ndarray, shape (..., p)
        hessian : callable
            ``hessian(F, Y, change)`` maps a change of the outputs to the change of the derivative.
        """
        idle, same = self._idle(HessianWorkspace, theta, X, Y, X.shape[-2]), v.dtype == theta.dtype
        if idle is None or not same or v.shape != theta.shape:
            features = self.net.forward(theta, X)
            return self.net.hvp(theta, features, v, derivative(features.F, Y),
                                lambda change: hessian(features.F, Y, change))
        work = idle.pop() if idle else HessianWorkspace(self.net, theta.shape[:-1], X.shape[-2], theta.dtype)
        out = np.empty(theta.shape, theta.dtype)
        work.run((theta, v, out), X, Y, derivative, hessian)
        idle.append(work)
        return out

    def _idle(self, kind, theta, X, Y, rows):
        """Idle workspaces for these shapes; ``None`` where the result has not the type and the ensemble of
        ``theta``, or something is not plain."""
        key = kind, theta.shape, theta.dtype, X.shape, rows
        if key not in self.idle:
            data = [A for A in (X, Y) if A.dtype.kind != "b"]
            fits = (theta.dtype.kind == "f" and theta.dtype == np.result_type(theta, *data)
                    and theta.size > 0 and theta.shape[-1:] == (self.net.size,)
                    and {X.shape[:-2], Y.shape[:-2]} <= {(), theta.shape[:-1]})
            self.idle[key] = [] if fits else None
        return self.idle[key]

    def _plain(self, theta, X, Y, derivative, batch, out):
        if batch is not None:
            X, Y = X[..., batch, :], Y[..., batch, :]
        features = self.net.forward(theta, X)
        gradient = self.net.backward(theta, features, derivative(features.F, Y))
        if out is None:
            return gradient
        out[...] = gradient
        return out
