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
KNOWN = 4  # arrays whose layers are remembered: those that a loop hands in by turns


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

    BUFFERS = 2  # for each layer

    def __init__(self, net, leading, n, dtype):
        self.places, self.size = places(net.widths, net.bias), net.size
        self.activation = activation_named(net.activation)
        self.members = math.prod(leading) if leading else None
        self.part, self.rest = self.members, None
        if leading:
            one = self.BUFFERS * n * sum(net.widths[1:]) * np.dtype(dtype).itemsize
            parts = math.ceil(self.members / max(1, CACHE // one))
            self.part = math.ceil(self.members / parts)
            if self.members % self.part:
                self.rest = type(self)(net, (self.members % self.part,), n, dtype)
        stack = (self.part,) if leading and self.part > 1 else ()
        # On two axes `dot` is the faster by a microsecond; one sample's outer product on three is not BLAS.
        self.product = np.matmul if stack else np.dot
        self.outer = np.multiply if stack else np.dot
        self.H = [np.empty((*stack, n, d), dtype) for d in net.widths[1:-1]]
        self.D = [np.empty_like(H) for H in self.H]
        self.zeros, self.ones = (_constants(value, n, net.widths[1:-1], dtype) for value in (0, 1))
        # Classes along the first axis: sums over them run over whole rows.
        self.F = np.empty((*stack, net.widths[-1], n), dtype).mT
        self.dF = np.empty((*stack, net.widths[-1], n), dtype).mT
        # In float32, BLAS takes twice as long for few rows by many columns as for the transpose.
        flipped = dtype == np.float32 and net.widths[-1] > 1 and not stack
        self.rows = np.empty((n, net.widths[-1]), dtype) if flipped else None
        self.batch, self.known = None, []
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

    def run(self, arrays, X, Y, *functions):
        """Do `_pass` for each part of the ensemble; ``arrays`` have shape (..., p), the result is the last."""
        if self.members is None:
            self._pass(arrays, X, Y, *functions)
            return
        arrays = [A.reshape(-1, self.size) for A in arrays]
        X, Y = (A if A.ndim == 2 else A.reshape(-1, *A.shape[-2:]) for A in (X, Y))
        for start in range(0, self.members, self.part):
            count = min(self.part, self.members - start)
            members = start if count == 1 else slice(start, start + count)
            work = self if count == self.part else self.rest
            work._pass([A[members] for A in arrays], X if X.ndim == 2 else X[members],
                       Y if Y.ndim == 2 else Y[members], *functions)

    def _layers(self, theta):
        """The pairs ``(W_k, b_k)``; in a loop the arrays of ``theta`` come back every other step."""
        for array, layers in self.known:
            if array is theta:
                return layers
        layers = [layer(theta, place) for place in self.places]
        self.known = [(theta, layers), *self.known[: KNOWN - 1]]
        return layers

    def _pass(self, arrays, X, Y, derivative):
        parameters, gradient = map(self._layers, arrays)
        inputs = [X, *self.H]
        self._hidden(parameters, inputs)
        self._outputs(inputs[-1], parameters[-1], self.F)
        derivative(self.F, Y, out=self.dF)
        D = self.dF
        for k in range(len(parameters) - 1, -1, -1):
            G_W, G_b = gradient[k]
            self.product(D.mT, inputs[k], out=G_W)
            if G_b is not None:
                np.add.reduce(D, axis=-2, out=G_b)
            if k == 0:
                break
            W, H = parameters[k][0], inputs[k]
            self.activation.slope(H, self.ones[k - 1])
            if self.rank_one:
                self._first_layer(X, W, H, gradient[0])
                break
            (self.outer if W.shape[-2] == 1 else self.product)(D, W, out=self.D[k - 1])
            D = self.D[k - 1]
            D *= H

    def _hidden(self, parameters, inputs):
        """Write the hidden layers, which are ``inputs`` but for the first."""
        for (W, b), H, Z, spare, zeros in zip(parameters, inputs, self.H, self.D, self.zeros):
            self.product(H, W.mT, out=Z)
            if b is not None:
                Z += b[..., None, :]
            self.activation.apply(Z, spare, zeros)

    def _outputs(self, H, parameters, F):
        """Write ``H W^T + b`` to ``F``."""
        W, b = parameters
        if self.rows is None:
            self.product(W, H.mT, out=F.mT)
        else:
            F[...] = self.product(H, W.mT, out=self.rows)
        if b is not None:
            F += b[..., None, :]

    def _first_layer(self, X, w, S, gradient):
        """``G_1 = diag(w) S^T diag(dF) X`` for ``D_1 = diag(dF) S diag(w)`` with ``S = s'(Z_1)``."""
        G_W, G_b = gradient
        np.multiply(self.dF.mT, X.mT, out=self.weighted)
        self.product(S.mT, self.weighted.mT, out=G_W)
        G_W *= w.mT
        if G_b is not None:
            np.multiply((self.dF.mT @ S)[..., 0, :], w[..., 0, :], out=G_b)


def _constants(value, n, widths, dtype):
    """Arrays full of ``value``, shape (n, d) for each d of the ``widths``; they share their memory."""
    flat = np.full(n * max(widths, default=0), value, dtype)
    return [flat[: n * d].reshape(n, d) for d in widths]


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
