"""Backpropagation in buffers that are used again: what a training loop runs on.

The recursions are those of `MLP.forward` and `MLP.backward`, which are the text to read. Here each
product is written to memory that is already there (a fresh array of more than 100 kB costs as much
as the arithmetic on it), and a large ensemble goes through in parts that stay in the cache.
"""

import math

import numpy as np

from deepdyn_np.networks.activations import activation_named
from deepdyn_np.networks.layout import layer, places

CACHE = 2**20  # bytes that the buffers of one part may take: the second-level cache of one core


BLOCK = 2**13  # numbers that an elementwise operation treats at a time


class Workspaces:
    """Gradients of functions of a network's outputs, each in a workspace that nobody else is using.

    A call takes an idle `Workspace` of the right shape, or makes one, and gives it back: threads may
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
        key = theta.shape, theta.dtype, X.shape, rows
        if key not in self.idle:
            self.idle[key] = [] if self._fits(theta, X, Y) else None
        idle = self.idle[key]
        if idle is None:
            return self._plain(theta, X, Y, derivative, batch, out)
        work = idle.pop() if idle else Workspace(self.net, theta.shape[:-1], rows, theta.dtype)
        if batch is not None:
            X, Y = work.take(X, Y, batch)
        out = np.empty(theta.shape, theta.dtype) if out is None else out
        work.gradient(theta, X, Y, derivative, out)
        idle.append(work)
        return out

    def _fits(self, theta, X, Y):
        """Whether the result has the type and the ensemble of ``theta``, and both are plain."""
        data = [A for A in (X, Y) if A.dtype.kind != "b"]
        return (theta.dtype.kind == "f" and theta.dtype == np.result_type(theta, *data)
                and theta.size > 0 and theta.shape[-1:] == (self.net.size,)
                and {X.shape[:-2], Y.shape[:-2]} <= {(), theta.shape[:-1]})

    def _plain(self, theta, X, Y, derivative, batch, out):
        if batch is not None:
            X, Y = X[..., batch, :], Y[..., batch, :]
        features = self.net.forward(theta, X)
        gradient = self.net.backward(theta, features, derivative(features.F, Y))
        if out is None:
            return gradient
        out[...] = gradient
        return out


class Workspace:
    """Buffers for the passes of a network over n samples.

    Parameters
    ----------
    net : MLP
    leading : tuple of int
        Shape of the ensemble; ``()`` for a single network.
    n : int
        Number of samples.
    dtype : dtype
        Of the parameters and of the data.
    """

    def __init__(self, net, leading, n, dtype):
        self.places, self.size = places(net.widths, net.bias), net.size
        self.activation = activation_named(net.activation)
        self.members = math.prod(leading) if leading else None
        self.part, self.rest = self.members, None
        if leading:
            one = 2 * n * sum(net.widths[1:]) * np.dtype(dtype).itemsize
            parts = math.ceil(self.members / max(1, CACHE // one))
            self.part = math.ceil(self.members / parts)
            if self.members % self.part:
                self.rest = Workspace(net, (self.members % self.part,), n, dtype)
        stack = (self.part,) if leading and self.part > 1 else ()
        # On two axes `dot` is the faster by a microsecond; one sample's outer product on three is not BLAS.
        self.product = np.matmul if stack else np.dot
        self.outer = np.multiply if stack else np.dot
        self.H = [np.empty((*stack, n, d), dtype) for d in net.widths[1:-1]]
        self.D = [np.empty_like(H) for H in self.H]
        # Classes along the first axis: sums over them run over whole rows.
        self.F = np.empty((*stack, net.widths[-1], n), dtype).mT
        self.dF = np.empty((*stack, net.widths[-1], n), dtype).mT
        self.batch = None
        # Two layers, one output: the hidden layer's D has rank 1 per sample and is never formed.
        self.rank_one = net.depth == 2 and net.widths[2] == 1 and net.widths[0] <= net.widths[1]
        self.weighted = np.empty((*stack, net.widths[0], n), dtype) if self.rank_one else None

    def take(self, X, Y, batch):
        """Rows ``batch`` of the data, in buffers."""
        if self.batch is None:
            n, d, C = len(batch), X.shape[-1], Y.shape[-1]
            self.batch = (np.empty((*X.shape[:-2], n, d), X.dtype),
                          np.empty((*Y.shape[:-2], C, n), Y.dtype))
        rows, targets = self.batch
        # Any other mode would first write to an array of its own.
        np.take(X, batch, axis=-2, out=rows, mode="clip")
        np.take(Y.mT, batch, axis=-1, out=targets, mode="clip")
        return rows, targets.mT

    def gradient(self, theta, X, Y, derivative, out):
        """Write to ``out`` what `Workspaces.gradient` returns."""
        if self.members is None:
            self._pass(theta, X, Y, derivative, out)
            return
        theta, gradient = theta.reshape(-1, self.size), out.reshape(-1, self.size)
        X, Y = (A if A.ndim == 2 else A.reshape(-1, *A.shape[-2:]) for A in (X, Y))
        for start in range(0, self.members, self.part):
            count = min(self.part, self.members - start)
            members = start if count == 1 else slice(start, start + count)
            work = self if count == self.part else self.rest
            work._pass(theta[members], X if X.ndim == 2 else X[members],
                       Y if Y.ndim == 2 else Y[members], derivative, gradient[members])

    def _pass(self, theta, X, Y, derivative, out):
        parameters = [layer(theta, place) for place in self.places]
        inputs = [X, *self.H]
        for (W, b), H, Z, spare in zip(parameters, inputs, self.H, self.D):
            self.product(H, W.mT, out=Z)
            if b is not None:
                Z += b[..., None, :]
            self.activation.apply(Z, spare)
        W, b = parameters[-1]
        self.product(W, inputs[-1].mT, out=self.F.mT)
        if b is not None:
            self.F += b[..., None, :]
        derivative(self.F, Y, out=self.dF)
        D = self.dF
        for k in range(len(parameters) - 1, -1, -1):
            G_W, G_b = layer(out, self.places[k])
            self.product(D.mT, inputs[k], out=G_W)
            if G_b is not None:
                np.add.reduce(D, axis=-2, out=G_b)
            if k == 0:
                break
            W, H = parameters[k][0], inputs[k]
            self.activation.slope(H)
            if self.rank_one:
                self._first_layer(X, W, H, layer(out, self.places[0]))
                break
            (self.outer if W.shape[-2] == 1 else self.product)(D, W, out=self.D[k - 1])
            D = self.D[k - 1]
            D *= H

    def _first_layer(self, X, w, S, gradient):
        """``G_1 = diag(w) S^T diag(dF) X`` for ``D_1 = diag(dF) S diag(w)`` with ``S = s'(Z_1)``."""
        G_W, G_b = gradient
        np.multiply(self.dF.mT, X.mT, out=self.weighted)
        self.product(S.mT, self.weighted.mT, out=G_W)
        G_W *= w.mT
        if G_b is not None:
            np.multiply((self.dF.mT @ S)[..., 0, :], w[..., 0, :], out=G_b)


def add_multiple(out, factor, theta):
    """``out += factor * theta`` without a large temporary array; ``factor`` has shape () or (..., 1)."""
    if np.ndim(factor):
        p = theta.shape[-1]
        factors = np.broadcast_to(factor, (*theta.shape[:-1], 1)).ravel().tolist()
        for row, number, values in zip(out.reshape(-1, p), factors, theta.reshape(-1, p)):
            add_multiple(row, number, values)
        return out
    total, values = out.reshape(-1), theta.reshape(-1)
    for start in range(0, values.size, BLOCK):
        part = slice(start, start + BLOCK)
        total[part] += factor * values[part]
    return out
