"""Margins of a trained network."""

import numpy as np

from deepdyn_np.errors import expect, matrix, numeric_array, signs
from deepdyn_np.measures.norms import layer_norms


def margins(F, y):
    """Margins of outputs ``F``: ``m_i = y_i f(x_i)``, or ``f_{y_i} - max_{c != y_i} f_c``.

    Parameters
    ----------
    F : ndarray, shape (..., n, C)
        Outputs. With C = 1 the labels are -1 and +1, otherwise integers 0..C-1.
    y : ndarray, shape (..., n)
        Labels.

    Returns
    -------
    ndarray, shape (..., n)
        Positive where the sample is classified correctly.

    Notes
    -----
    Derived in chapter 03_max_margin.
    """
    F = matrix("F", F)
    n, C = F.shape[-2:]
    expect(np.shape(y)[-1:] == (n,), "y", f"one label for each of the {n} rows of F",
           f"shape {np.shape(y)}")
    if C == 1:
        return signs("y", y) * F[..., 0]
    y = numeric_array("y", y)
    expect(bool(np.isin(y, np.arange(C)).all()), "y", f"integer labels from 0 to {C - 1}",
           f"{np.unique(y)[:6]}", "Labels -1 and +1 go with a single output.")
    right = y[..., None] == np.arange(C)
    return np.sum(F * right, axis=-1) - np.max(np.where(right, -np.inf, F), axis=-1)


def normalized_margin(net, theta, X, y):
    """Smallest margin over the product of the layers' norms, shape (...).

    ``gamma(theta) = min_i m_i / (|W_1|_F ... |W_L|_F)``; for a linear predictor,
    ``min_i m_i / |w|``. It is unchanged when a layer of a homogeneous network is rescaled.

    Parameters
    ----------
    net : MLP
        A homogeneous network (no biases, not tanh).
    theta : ndarray, shape (..., p)
    X : ndarray, shape (..., n, d)
    y : ndarray, shape (..., n)

    Raises
    ------
    ValueError
        If the network is not homogeneous, or a layer is zero: the quotient has no meaning then.

    Notes
    -----
    Derived in chapter 03_max_margin.
    """
    expect(net.degree is not None, "net", "a homogeneous network for a normalised margin",
           f"{net}", "Biases and tanh break f(c theta) = c^L f(theta).")
    rho = np.prod(layer_norms(net, theta), axis=-1)
    expect(bool((rho > 0).all()), "theta", "layers that are not zero", "a layer of norm 0")
    return np.min(margins(net(theta, X), y), axis=-1) / rho


def direction_error(w, reference):
    """Distance of directions ``| w/|w| - v/|v| |`` over the last axis, shape (...).

    Parameters
    ----------
    w : ndarray, shape (..., d)
    reference : ndarray, shape (..., d)
        The vector ``v`` to compare with; any positive multiple gives the same.

    Notes
    -----
    Between 0 and 2; about the angle when small. Derived in chapter 03_max_margin.
    """
    units = []
    for name, vector in (("w", w), ("reference", reference)):
        vector = numeric_array(name, vector)
        expect(vector.ndim >= 1, name, "a vector", "a single number")
        norm = np.linalg.norm(vector, axis=-1, keepdims=True)
        expect(bool((norm > 0).all()), name, "a vector with a direction", "a zero vector")
        units.append(vector / norm)
    expect(units[0].shape[-1] == units[1].shape[-1], "reference",
           f"{units[0].shape[-1]} entries, as many as w", units[1].shape[-1])
    return np.linalg.norm(units[0] - units[1], axis=-1)
