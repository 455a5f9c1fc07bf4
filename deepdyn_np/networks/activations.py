"""Activation functions with the two derivatives that backpropagation and the HVP need.

Each is a record of three functions of the pre-activation ``Z``, and of the same in place, as a
`Workspace` needs them. At a kink (``Z == 0`` for ReLU and leaky ReLU) the derivative is the left
one, as in every common library.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deepdyn_np.errors import fail

LEAKY_SLOPE = 0.01


@dataclass(frozen=True)
class Activation:
    """An elementwise function ``s`` with ``s'`` and ``s''``.

    ``homogeneous`` says that ``s(c z) = c s(z)`` for ``c > 0``, i.e. ``s'(z) z = s(z)``;
    ``second_derivative`` is ``None`` where it vanishes (everywhere but at a kink).

    In place: ``apply(Z, spare, zeros)`` turns ``Z`` into ``H = s(Z)``, with an array of the same
    shape to spare and one of zeros; ``slope(H, ones)`` turns that into ``s'(Z)``. Of two arrays
    numpy takes the maximum twice as fast as of an array and a number. ``bend(H, Hdot, out)`` writes
    ``s''(Z) * Zdot`` for ``Hdot = s'(Z) * Zdot``; ``None`` where it vanishes.
    """

    name: str
    function: Callable
    derivative: Callable
    second_derivative: Callable | None
    homogeneous: bool
    apply: Callable
    slope: Callable
    bend: Callable | None = None


def _ones(Z):
    return np.broadcast_to(Z.dtype.type(1), Z.shape)


def _tanh_derivative(Z):
    return 1 - np.tanh(Z) ** 2


def _tanh_second_derivative(Z):
    T = np.tanh(Z)
    return -2 * T * (1 - T**2)


def _keep(Z, spare, zeros):
    pass


def _fill_with_ones(H, ones):
    H.fill(1)


def _apply_relu(Z, spare, zeros):
    np.maximum(Z, zeros, out=Z)


def _slope_relu(H, ones):
    np.minimum(H, ones, out=H)  # H is 0 or positive; a comparison would have to convert booleans
    np.ceil(H, out=H)


def _apply_leaky_relu(Z, spare, zeros):
    np.multiply(Z, LEAKY_SLOPE, out=spare)
    np.maximum(Z, spare, out=Z)


def _slope_leaky_relu(H, ones):
    np.greater(H, 0, out=H)
    np.maximum(H, LEAKY_SLOPE, out=H)


def _apply_tanh(Z, spare, zeros):
    np.tanh(Z, out=Z)


def _slope_tanh(H, ones):
    np.multiply(H, H, out=H)
    np.subtract(1, H, out=H)


def _bend_tanh(H, Hdot, out):
    np.multiply(H, Hdot, out=out)
    out *= -2


ACTIVATIONS = {
    "linear": Activation("linear", lambda Z: Z, _ones, None, True, _keep, _fill_with_ones),
    "relu": Activation("relu", lambda Z: np.maximum(Z, 0), lambda Z: Z > 0, None, True,
                       _apply_relu, _slope_relu),
    "leaky_relu": Activation(
        "leaky_relu",
        lambda Z: np.maximum(Z, LEAKY_SLOPE * Z),
        lambda Z: np.where(Z > 0, Z.dtype.type(1), Z.dtype.type(LEAKY_SLOPE)),
        None,
        True,
        _apply_leaky_relu,
        _slope_leaky_relu,
    ),
    "tanh": Activation("tanh", np.tanh, _tanh_derivative, _tanh_second_derivative, False,
                       _apply_tanh, _slope_tanh, _bend_tanh),
}


def activation_named(name):
    """The activation called ``name``; a ``ValueError`` lists the names there are."""
    if name not in ACTIVATIONS:
        fail("activation", f"one of {', '.join(map(repr, ACTIVATIONS))}", repr(name),
             "Names are lower case, with an underscore.")
    return ACTIVATIONS[name]
