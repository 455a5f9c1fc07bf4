"""Square loss."""

import numpy as np

from deepdyn_np.errors import expect, numeric_array


class Square:
    """``l(f, y) = 1/2 ||f - y||^2``: with the factor 1/2, without 1/C.

    Notes
    -----
    Derived in chapter 01_hand_derived_gradients.
    """

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

    def gradient(self, F, Y):
        """``f - y``, shape (..., n, C)."""
        return F - Y

    def hessian_product(self, F, Y, V):
        """``V``: the second derivative is the identity."""
        return V
