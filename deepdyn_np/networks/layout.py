"""Where each weight lives in ``theta``: the one bridge between the flat array and the layers."""

from functools import cache

import numpy as np

from deepdyn_np.errors import expect, fail, numeric_array


@cache
def parameter_count(widths, bias):
    """Number of parameters p of a network with these widths."""
    return sum(d_out * (d_in + bias) for d_in, d_out in zip(widths, widths[1:]))


@cache
def places(widths, bias):
    """For each layer ``(slice of W_k, shape of W_k, slice of b_k)``; the last is ``None`` without biases."""
    layers, start = [], 0
    for d_in, d_out in zip(widths, widths[1:]):
        end = start + d_out * d_in
        layers.append((slice(start, end), (d_out, d_in), slice(end, end + d_out) if bias else None))
        start = end + d_out * bias
    return tuple(layers)


def layer(theta, place):
    """The pair ``(W_k, b_k)`` at one of the `places`, views into ``theta``."""
    weights, shape, biases = place
    if theta.ndim == 1:  # the same; in half the time, and a step asks several times
        return theta[weights].reshape(shape), None if biases is None else theta[biases]
    W = theta[..., weights].reshape(theta.shape[:-1] + shape)
    return W, None if biases is None else theta[..., biases]


def split(theta, widths, bias):
    """The pairs ``(W_k, b_k)``, views into ``theta``; ``b_k`` is ``None`` without biases."""
    if theta.ndim == 0 or theta.shape[-1] != parameter_count(widths, bias):
        fail("theta", f"shape (..., {parameter_count(widths, bias)}) for widths {widths}",
             f"shape {theta.shape}", "Was it made for another network?")
    return [layer(theta, place) for place in places(widths, bias)]


def join(W, b, widths, bias):
    """The ``theta`` whose layers are ``W`` and whose biases are ``b``: the inverse of `split`."""
    depth = len(widths) - 1
    expect(len(W) == depth, "W", f"a list of {depth} weight matrices", f"{len(W)} of them")
    expect(len(b) == depth * bias, "b", f"a list of {depth * bias} bias vectors", f"{len(b)}",
           "A network has biases when, and only when, it is made with bias=True.")
    flat = []
    for k, (d_in, d_out) in enumerate(zip(widths, widths[1:])):
        matrix = numeric_array("W", W[k])
        expect(matrix.shape[-2:] == (d_out, d_in), f"W[{k}]",
               f"shape (..., {d_out}, {d_in})", f"shape {matrix.shape}",
               "Layers are (fan_out, fan_in): is it transposed?")
        flat.append(matrix.reshape(*matrix.shape[:-2], -1))
        if bias:
            vector = numeric_array("b", b[k])
            expect(vector.shape[-1:] == (d_out,), f"b[{k}]", f"shape (..., {d_out})",
                   f"shape {vector.shape}")
            flat.append(vector)
    leading = np.broadcast_shapes(*(part.shape[:-1] for part in flat))
    return np.concatenate([np.broadcast_to(a, (*leading, a.shape[-1])) for a in flat], axis=-1)
