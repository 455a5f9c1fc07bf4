"""Hessian-vector products in buffers that are used again; the text to read is `MLP.hvp`."""

import numpy as np

from deepdyn_np.networks.workspace import Workspace


class HessianWorkspace(Workspace):
    """Buffers for `MLP.hvp`, for what a `Workspace` is for; what has a prime there ends in ``dot`` here."""

    BUFFERS = 6  # for each layer

    def __init__(self, net, leading, n, dtype):
        super().__init__(net, leading, n, dtype)
        self.S, self.Hdot, self.Ddot, self.spare = ([np.empty_like(H) for H in self.H] for _ in range(4))
        self.Fdot, self.F_spare = np.empty_like(self.F), np.empty_like(self.F)
        stack = self.F.shape[:-2]
        self.G_spare = [np.empty((*stack, *shape), dtype) for _, shape, _ in self.places]

    def _pass(self, arrays, X, Y, derivative, hessian):
        parameters, directions, products = map(self._layers, arrays)
        inputs = [X, *self.H]
        self._hidden(parameters, inputs)
        self._outputs(inputs[-1], parameters[-1], self.F)
        self._tangent(parameters, directions, inputs)
        derivative(self.F, Y, out=self.dF)
        D, Ddot = self.dF, hessian(self.F, Y, self.Fdot)
        for k in range(len(parameters) - 1, -1, -1):
            G_W, G_b = products[k]
            self.product(Ddot.mT, inputs[k], out=G_W)
            if G_b is not None:
                np.add.reduce(Ddot, axis=-2, out=G_b)
            if k == 0:
                break
            G_W += self.product(D.mT, self.Hdot[k - 1], out=self.G_spare[k])
            D, Ddot = self._layer_below(k, parameters[k][0], directions[k][0], D, Ddot)

    def _tangent(self, parameters, directions, inputs):
        """``Hdot_k`` of each hidden layer, with the slopes ``S_k``, and ``Fdot``."""
        for k, (S, Hdot) in enumerate(zip(self.S, self.Hdot)):
            S[...] = inputs[k + 1]
            self.activation.slope(S, self.ones[k])
            V, c = directions[k]
            self.product(inputs[k], V.mT, out=Hdot)
            if c is not None:
                Hdot += c[..., None, :]
            if k:
                Hdot += self.product(self.Hdot[k - 1], parameters[k][0].mT, out=self.spare[k])
            Hdot *= S
        self._outputs(inputs[-1], directions[-1], self.Fdot)
        if self.Hdot:
            self._outputs(self.Hdot[-1], (parameters[-1][0], None), self.F_spare)
            self.Fdot += self.F_spare

    def _layer_below(self, k, W, V, D, Ddot):
        """``D_k`` and ``Ddot_k`` from those of layer k + 1, with its matrix ``W`` and direction ``V``."""
        product = self.outer if W.shape[-2] == 1 else self.product
        below, below_dot, spare = self.D[k - 1], self.Ddot[k - 1], self.spare[k - 1]
        product(Ddot, W, out=below_dot)
        below_dot += product(D, V, out=spare)
        below_dot *= self.S[k - 1]
        product(D, W, out=below)
        if self.activation.bend is not None:
            self.activation.bend(self.H[k - 1], self.Hdot[k - 1], spare)
            spare *= below
            below_dot += spare
        below *= self.S[k - 1]
        return below, below_dot
