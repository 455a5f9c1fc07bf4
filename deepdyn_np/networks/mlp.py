"""Fully connected networks whose derivatives are written out by hand.

With ``H_0 = X`` the network computes, layer by layer (rows are samples),

    Z_k = H_{k-1} W_k^T (+ b_k),    H_k = s(Z_k) for k < L,    F = Z_L,

and every derivative below is the chain rule applied to these two lines.
"""

from dataclasses import dataclass

import numpy as np

from deepdyn_np.errors import expect, fail, generator, matrix, numeric_array
from deepdyn_np.networks.activations import activation_named
from deepdyn_np.networks.layout import join, parameter_count, split


@dataclass(frozen=True)
class Features:
    """What a forward pass leaves for the backward passes.

    ``Z[k-1]`` is the pre-activation of layer k and ``H[k]`` its activation, each of shape
    (..., n, d_k). ``H[0]`` is the input, ``F`` the output.

    Derived in chapter 01_hand_derived_gradients.
    """

    Z: tuple
    H: tuple

    @property
    def F(self):
        """Outputs, shape (..., n, C)."""
        return self.Z[-1]


@dataclass(frozen=True)
class MLP:
    """A fully connected network ``f(x) = W_L s(W_{L-1} ... s(W_1 x))``.

    The parameters are one array ``theta`` of shape (..., p), the layers one after the other:
    ``W_1`` row by row, then ``b_1`` if there are biases, then ``W_2``, and so on. ``W_k`` has
    shape (d_k, d_{k-1}): (fan_out, fan_in). Leading axes of ``theta`` are an ensemble of
    networks, which every method treats in one call; ``X`` is shared by the ensemble when it has
    shape (n, d), or carries the same leading axes.

    Parameters
    ----------
    widths : sequence of int
        ``(d_0, d_1, ..., d_L)``: inputs, hidden widths, outputs. Two widths make a linear
        predictor.
    activation : {"relu", "linear", "leaky_relu", "tanh"}
        The nonlinearity ``s`` of the hidden layers; the output layer is linear. Leaky ReLU has
        slope 0.01 on the negative side.
    bias : bool
        Whether each layer adds a vector ``b_k``. Without biases, and with any activation but
        tanh, the network is positively homogeneous of degree 1 in every layer.

    Notes
    -----
    Derived in chapter 01_hand_derived_gradients.

    Examples
    --------
    >>> import numpy as np
    >>> import deepdyn_np as dd
    >>> net = dd.MLP([2, 3, 1])
    >>> theta = net.init(np.random.default_rng(0))
    >>> net(theta, np.ones((5, 2))).shape
    (5, 1)
    """

    widths: tuple
    activation: str = "relu"
    bias: bool = False

    def __post_init__(self):
        widths = tuple(self.widths) if np.iterable(self.widths) else ()
        expect(len(widths) >= 2 and all(isinstance(d, (int, np.integer)) and d >= 1 for d in widths),
               "widths", "at least two whole numbers above 0: (inputs, ..., outputs)", self.widths)
        activation_named(self.activation)
        object.__setattr__(self, "widths", tuple(int(d) for d in widths))

    @property
    def depth(self):
        """Number of layers L."""
        return len(self.widths) - 1

    @property
    def size(self):
        """Number of parameters p."""
        return parameter_count(self.widths, self.bias)

    @property
    def degree(self):
        """Degree of positive homogeneity of ``f`` in ``theta`` (= L), or ``None``."""
        homogeneous = self.depth == 1 or activation_named(self.activation).homogeneous
        return self.depth if homogeneous and not self.bias else None

    # --- parameters ---------------------------------------------------------------------------

    def init(self, rng, scale=1.0, size=()):
        """Draw ``W_k`` with independent entries ``scale * N(0, 1) / sqrt(d_{k-1})``; biases 0.

        Parameters
        ----------
        rng : numpy.random.Generator
            Layers are drawn in the order 1..L.
        scale : float or sequence of L floats
            One number for all layers, or one for each. ``sqrt(2)`` is He's choice for ReLU.
        size : int or tuple of int
            Shape of the ensemble; ``()`` makes a single network.

        Returns
        -------
        ndarray, shape (..., p)
        """
        generator("rng", rng)
        scale = numeric_array("scale", scale)
        expect(scale.shape in ((), (self.depth,)), "scale", f"a number or {self.depth} numbers",
               f"shape {scale.shape}")
        theta = np.zeros((*np.atleast_1d(np.asarray(size, dtype=int)), self.size))
        for W, c in zip(self.layers(theta), np.broadcast_to(scale, self.depth)):
            W[...] = rng.standard_normal(W.shape) * (c / np.sqrt(W.shape[-1]))
        return theta

    def layers(self, theta):
        """The weight matrices as views into ``theta``: a list of (..., d_k, d_{k-1}) arrays."""
        return [W for W, _ in self._split(theta)]

    def biases(self, theta):
        """The bias vectors as views into ``theta``: a list of (..., d_k) arrays, or ``[]``."""
        return [b for _, b in self._split(theta) if b is not None]

    def join(self, W, b=()):
        """The ``theta`` with weight matrices ``W`` and biases ``b``; the inverse of `layers`."""
        return join(W, b, self.widths, self.bias)

    def _split(self, theta):
        return split(np.asarray(theta), self.widths, self.bias)

    # --- forward and backward -----------------------------------------------------------------

    def __call__(self, theta, X):
        """Outputs ``F``, shape (..., n, C), at inputs ``X``, shape (..., n, d)."""
        return self.forward(numeric_array("theta", theta), matrix("X", X)).F

    def forward(self, theta, X):
        """Forward pass that keeps every layer, as `Features`."""
        X = np.asarray(X)
        if X.ndim < 2 or X.shape[-1] != self.widths[0]:
            fail("X", f"shape (..., n, {self.widths[0]}), one sample per row", f"shape {X.shape}",
                 "Is X transposed, or a single sample without its row axis?")
        s = activation_named(self.activation).function
        Z, H = [], [X]
        for W, b in self._split(theta):
            Z.append(_affine(H[-1], W, b))
            H.append(s(Z[-1]) if len(Z) < self.depth else Z[-1])
        return Features(tuple(Z), tuple(H))

    def backward(self, theta, features, dF):
        """Vector-Jacobian product ``sum_i <dF_i, df(x_i)/dtheta>``: backpropagation.

        With ``D_L = dF`` and, for k = L, ..., 1,
        ``G_k = D_k^T H_{k-1}`` and ``D_{k-1} = (D_k W_k) * s'(Z_{k-1})``;
        the gradient of ``b_k`` is the column sum of ``D_k``.

        Parameters
        ----------
        theta : ndarray, shape (..., p)
        features : Features
            From ``forward(theta, X)``.
        dF : ndarray, shape (..., n, C)
            Derivative of a scalar with respect to the outputs. A mean's 1/n belongs in here.

        Returns
        -------
        ndarray, shape (..., p)
        """
        if np.shape(dF)[-2:] != features.F.shape[-2:]:
            n, C = features.F.shape[-2:]
            fail("dF", f"shape (..., {n}, {C}), that of the outputs", f"shape {np.shape(dF)}")
        slope = activation_named(self.activation).derivative
        parameters = self._split(theta)
        gradient = _empty(np.broadcast_shapes(features.F.shape, np.shape(dF))[:-2], self.size,
                          np.asarray(theta), features.F, np.asarray(dF))
        G, D = self._split(gradient), dF
        for k in reversed(range(self.depth)):
            G_W, G_b = G[k]
            np.matmul(D.mT, features.H[k], out=G_W)
            if G_b is not None:
                np.sum(D, axis=-2, out=G_b)
            if k:
                D = (D @ parameters[k][0]) * slope(features.Z[k - 1])
        return gradient

    def jacobian(self, theta, X):
        """Derivatives of every output, shape (..., n * C, p); row ``i * C + c`` is ``df_c(x_i)``.

        The recursion of `backward` started from each unit vector of the outputs, without the sum
        over samples: the block of layer k is the outer product of ``D_k[i]`` and ``H_{k-1}[i]``.
        """
        theta = numeric_array("theta", theta)
        features = self.forward(theta, matrix("X", X))
        slope = activation_named(self.activation).derivative
        parameters = self._split(theta)
        *leading, n, C = features.F.shape
        J = _empty((*leading, n, C), self.size, theta, features.F)
        blocks, D = self._split(J), np.eye(C)
        for k in reversed(range(self.depth)):
            J_W, J_b = blocks[k]
            np.multiply(D[..., None], features.H[k][..., None, None, :], out=J_W)
            if J_b is not None:
                J_b[...] = D
            if k:
                D = D @ parameters[k][0][..., None, :, :]
                D = D * slope(features.Z[k - 1])[..., None, :]
        return J.reshape(*leading, n * C, self.size)

    # --- second order: Pearlmutter's R-operator -------------------------------------------------

    def tangent(self, theta, features, v):
        """Directional derivative of the forward pass when ``theta`` moves along ``v``.

        ``Z'_k = H'_{k-1} W_k^T + H_{k-1} V_k^T`` and ``H'_k = s'(Z_k) * Z'_k`` with ``H'_0 = 0``.
        Returns `Features` of the same shapes; its ``F`` is the Jacobian-vector product ``J v``.
        """
        slope = activation_named(self.activation).derivative
        Zdot, Hdot = [], [None]
        for k, ((W, _), (V, c)) in enumerate(zip(self._split(theta), self._split(v))):
            moved = _affine(features.H[k], V, c)
            Zdot.append(moved if k == 0 else moved + Hdot[k] @ W.mT)
            Hdot.append(Zdot[-1] * slope(features.Z[k]) if k + 1 < self.depth else Zdot[-1])
        return Features(tuple(Zdot), tuple(Hdot))

    def hvp(self, theta, features, v, dF, loss_hessian):
        """Hessian-vector product of a function of the outputs, at the cost of two passes.

        The derivative of `backward` along ``v``: with ``D'_L = loss_hessian(F')``,
        ``G'_k = D'_k^T H_{k-1} + D_k^T H'_{k-1}`` and
        ``D'_{k-1} = (D'_k W_k + D_k V_k) * s'(Z_{k-1}) + (D_k W_k) * s''(Z_{k-1}) * Z'_{k-1}``.

        Parameters
        ----------
        theta, v : ndarray, shape (..., p)
            Point and direction.
        features : Features
            From ``forward(theta, X)``.
        dF : ndarray, shape (..., n, C)
            First derivative of the function with respect to the outputs.
        loss_hessian : callable
            Maps a change ``F'`` of the outputs, shape (..., n, C), to the change of ``dF``.

        Returns
        -------
        ndarray, shape (..., p)
        """
        activation = activation_named(self.activation)
        tangent = self.tangent(theta, features, v)
        D, Ddot = dF, loss_hessian(tangent.F)
        parameters, directions = self._split(theta), self._split(v)
        product = _empty(np.broadcast_shapes(Ddot.shape, np.shape(dF))[:-2], self.size,
                         np.asarray(theta), np.asarray(v), Ddot)
        for k, (G_W, G_b) in reversed(list(enumerate(self._split(product)))):
            np.matmul(Ddot.mT, features.H[k], out=G_W)
            if G_b is not None:
                np.sum(Ddot, axis=-2, out=G_b)
            if k:
                G_W += D.mT @ tangent.H[k]
                (W, _), (V, _), Z = parameters[k], directions[k], features.Z[k - 1]
                DW, slope = D @ W, activation.derivative(Z)
                Ddot = (Ddot @ W + D @ V) * slope
                if activation.second_derivative is not None:
                    Ddot += DW * activation.second_derivative(Z) * tangent.Z[k - 1]
                D = DW * slope
        return product


def _affine(H, W, b):
    """``H W^T + b``, with or without bias."""
    return H @ W.mT if b is None else H @ W.mT + b[..., None, :]


def _empty(leading, size, *operands):
    """An uninitialised array of parameters, in the precision of the operands."""
    return np.empty((*leading, size), np.result_type(*operands))
