"""Norms of the layers, and how far from balanced they are."""

import numpy as np

from deepdyn_np.errors import numeric_array


def layer_norms(net, theta):
    """Frobenius norms ``rho_k = |W_k|_F`` of the weight matrices, shape (..., L).

    Notes
    -----
    Biases are not counted. Derived in chapter 10_balance.
    """
    layers = net.layers(numeric_array("theta", theta))
    return np.stack([np.linalg.norm(W, axis=(-2, -1)) for W in layers], axis=-1)


def imbalance(net, theta):
    """Imbalance of neighbouring layers: ``D_k = W_{k+1}^T W_{k+1} - W_k W_k^T``, k = 1..L-1.

    Gradient flow keeps ``D_k`` (linear networks), or its diagonal (ReLU and leaky ReLU).
    With biases the rows of ``W_k`` are taken together with ``b_k``: the bias is one more input.

    Returns
    -------
    list of ndarray
        ``L - 1`` arrays of shape (..., d_k, d_k); empty for a linear predictor.

    Notes
    -----
    Derived in chapter 10_balance.
    """
    theta = numeric_array("theta", theta)
    W = net.layers(theta)
    inputs = [np.concatenate([A, b[..., None]], axis=-1) for A, b in zip(W, net.biases(theta))] or W
    return [after.mT @ after - before @ before.mT for before, after in zip(inputs, W[1:])]
