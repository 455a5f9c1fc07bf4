"""Small linearly separable data sets, and Gaussian ones of any size.

They come as signed rows ``z_i = y_i x_i``: a predictor without bias sees labels and inputs only
through this product, so that ``Z`` with labels all +1 is the same problem.
"""

import numpy as np

from deepdyn_np.errors import expect, generator, numeric_array, whole_number


def data_a():
    """Data set A, shape (6, 2): two support vectors, the others close behind.

    Used in chapter 03_max_margin.
    """
    return np.array([(1, 2), (3, -1), (2, 3), (4, 1), (2.5, 2.5), (5, 0.5)])


def data_b():
    """Data set B, shape (5, 2): the support vectors of A, the others far behind.

    Exact: ``w_hat = (3/7, 2/7)``, ``alpha = (9/49, 4/49, 0, 0, 0)``, ``gamma = 7/sqrt(13)``.

    Used from chapter 02_gradient_flow_and_time on.
    """
    return np.array([(1, 2), (3, -1), (4, 4), (7, 0), (2, 7)], dtype=float)


def gaussian_separable(n, d, rng, shift=0.0):
    """Signed Gaussian rows that a random direction separates, shape (n, d).

    Draw ``u`` uniform on the unit sphere and ``x_i ~ N(0, I)``, label by ``sign(x_i . u)`` and move
    every signed row by ``shift * u``, so that each has ``z_i . u > shift``.

    Parameters
    ----------
    n, d : int
    rng : numpy.random.Generator
        ``u`` is drawn before the rows.
    shift : float

    Notes
    -----
    Used from chapter 02_gradient_flow_and_time on.
    """
    whole_number("n", n, 1), whole_number("d", d, 1), generator("rng", rng)
    numeric_array("shift", shift)
    u = rng.normal(size=d)
    u /= np.linalg.norm(u)
    X = rng.normal(size=(n, d))
    return np.sign(X @ u)[:, None] * X + shift * u


def gaussian_classes(n, d, C, rng, separation=3.0):
    """C Gaussian classes around ``separation * e_c``: ``X`` of shape (n, d), integer ``y`` (n,).

    Labels go round: ``y_i = i mod C``. Classes overlap unless ``separation`` is large or d > n.
    C is at most d, since each class has a coordinate of its own.

    Meant for chapter 04_multiclass_margin.
    """
    whole_number("n", n, 1), whole_number("d", d, 2), generator("rng", rng)
    whole_number("C", C, 2, d), numeric_array("separation", separation)
    y = np.arange(n) % C
    return rng.normal(size=(n, d)) + separation * np.eye(d)[y], y


def orthogonal_rows(norms, rng):
    """Mutually orthogonal rows with the given norms, shape (n, n), randomly rotated.

    Used from chapter 02_gradient_flow_and_time on.
    """
    norms = numeric_array("norms", norms)
    expect(norms.ndim == 1 and norms.size > 0, "norms", "one norm for each row",
           f"shape {norms.shape}")
    generator("rng", rng)
    Q = np.linalg.qr(rng.normal(size=(norms.size, norms.size)))[0]
    return norms[:, None] * Q
