"""Where each weight lives in ``theta``: the one bridge between the flat array and the layers."""

from functools import cache

import numpy as np

from deepdyn_np.errors import expect, fail, numeric_array


@cache
def parameter_count(widths, bias):
    """Number of parameters p of a network with these widths."""
    return sum(d_out * (d_in + bias) for d_in, d_out in zip(widths, widths[1:]))


def split(theta, widths, bias):
    """The pairs ``(W_k, b_k)``, views into ``theta``; ``b_k`` is ``None`` without biases."""
    if theta.ndim == 0 or theta.shape[-1] != parameter_count(widths, bias):
        fail("theta", f"shape (..., {parameter_count(widths, bias)}) for widths {widths}",
             f"shape {theta.shape}", "Was it made for another network?")
    pairs, start = [], 0
    for d_in, d_out in zip(widths, widths[1:]):
        end = start + d_out * d_in
        W = theta[..., start:end].reshape(*theta.shape[:-1], d_out, d_in)
        b = theta[..., end : end + d_out] if bias else None
        pairs.append((W, b))
        start = end + d_out * bias
    return pairs


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
