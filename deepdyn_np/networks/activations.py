"""Activation functions with the two derivatives that backpropagation and the HVP need.

Each is a record of three functions of the pre-activation ``Z``. At a kink (``Z == 0`` for ReLU
and leaky ReLU) the derivative is the left one, as in every common library.
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
    """

    name: str
    function: Callable
    derivative: Callable
    second_derivative: Callable | None
    homogeneous: bool


def _ones(Z):
    return np.broadcast_to(Z.dtype.type(1), Z.shape)


def _tanh_derivative(Z):
    return 1 - np.tanh(Z) ** 2


def _tanh_second_derivative(Z):
    T = np.tanh(Z)
    return -2 * T * (1 - T**2)


ACTIVATIONS = {
    "linear": Activation("linear", lambda Z: Z, _ones, None, True),
    "relu": Activation("relu", lambda Z: np.maximum(Z, 0), lambda Z: Z > 0, None, True),
    "leaky_relu": Activation(
        "leaky_relu",
        lambda Z: np.maximum(Z, LEAKY_SLOPE * Z),
        lambda Z: np.where(Z > 0, Z.dtype.type(1), Z.dtype.type(LEAKY_SLOPE)),
        None,
        True,
    ),
    "tanh": Activation("tanh", np.tanh, _tanh_derivative, _tanh_second_derivative, False),
}


def activation_named(name):
    """The activation called ``name``; a ``ValueError`` lists the names there are."""
    if name not in ACTIVATIONS:
        fail("activation", f"one of {', '.join(map(repr, ACTIVATIONS))}", repr(name),
             "Names are lower case, with an underscore.")
    return ACTIVATIONS[name]
