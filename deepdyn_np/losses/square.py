"""Square loss, plain and with the best output bias."""

import numpy as np

from deepdyn_np.errors import expect, numeric_array


class Square:
    """``l(f, y) = 1/2 ||f - y||^2``: with the factor 1/2, without 1/C.

    Notes
    -----
    Derived in chapter 01_hand_derived_gradients.
    """

    quadratic = True  # in the outputs, so that second moments of the data are all that counts

    def __repr__(self):
        return "losses.square"

    def targets(self, y, n, C):
        """Targets of shape (..., n, C); (..., n) is accepted when there is one output."""
        y = numeric_array("y", y)
        if C == 1 and y.shape[-1:] == (n,) and y.shape[-2:] != (n, 1):
            return y[..., None]
        expect(y.shape[-2:] == (n, C), "y", f"shape (..., {n}, {C}), one target for each output",
               f"shape {y.shape}", "Integer class labels become one-hot rows by np.eye(C)[y].")
        return y

    def values(self, F, Y):
        """Loss of each sample, shape (..., n)."""
        return np.sum((F - Y) ** 2, axis=-1) / 2

    def gradient(self, F, Y, out=None):
        """``f - y``, shape (..., n, C)."""
        return np.subtract(F, Y, out=out)

    def hessian_product(self, F, Y, V):
        """``V``: the second derivative is the identity."""
        return V


class CenteredSquare(Square):
    """The square loss after its best bias: ``min_b`` of the mean of ``1/2 ||f + b - y||^2``.

    The best ``b`` is the mean of ``y - f`` over the samples, so outputs and targets are centred:
    ``l(f, y) = 1/2 ||(f - f_mean) - (y - y_mean)||^2``. An output bias without weight decay, at its
    optimum at every step. In a batch the mean of the outputs is that of the batch.

    Notes
    -----
    Derived in chapter 19_neural_collapse.
    """

    def __repr__(self):
        return "losses.centered_square"

    def targets(self, y, n, C):
        """Targets minus their mean over the samples, shape (..., n, C)."""
        return _centered(super().targets(y, n, C))

    def values(self, F, Y):
        """Loss of each sample, shape (..., n)."""
        return super().values(_centered(F), _centered(Y))

    def gradient(self, F, Y, out=None):
        """``(f - f_mean) - (y - y_mean)``, shape (..., n, C): centring twice is centring once."""
        R = np.subtract(F, Y, out=out)
        return np.subtract(R, R.mean(axis=-2, keepdims=True), out=out)

    def hessian_product(self, F, Y, V):
        """``V`` minus its mean over the samples."""
        return _centered(V)


def _centered(A):
    return A - A.mean(axis=-2, keepdims=True)
