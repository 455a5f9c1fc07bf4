"""Data: two sets of handwritten digits, and small or Gaussian sets for the theorems."""

from deepdyn_np.data.images import Digits, digits, mnist5k
from deepdyn_np.data.separable import (
    data_a,
    data_b,
    gaussian_classes,
    gaussian_separable,
    orthogonal_rows,
)

__all__ = [
    "mnist5k",
    "digits",
    "Digits",
    "data_a",
    "data_b",
    "gaussian_separable",
    "gaussian_classes",
    "orthogonal_rows",
]
