"""Losses: value, first and second derivative, and their logarithms where the tail matters.

Every loss is a mean over samples in `deepdyn_np.Objective`; here each sample stands alone.
"""

from deepdyn_np.losses.cross_entropy import CrossEntropy
from deepdyn_np.losses.log_domain import log_mean_exp, log_sum_exp
from deepdyn_np.losses.margin_losses import Exponential, Logistic, MarginLoss
from deepdyn_np.losses.square import CenteredSquare, Square
from deepdyn_np.losses.tails import Polynomial, PolyExponential, poly_exponential, polynomial

exponential = Exponential()
logistic = Logistic()
cross_entropy = CrossEntropy()
square = Square()
centered_square = CenteredSquare()

__all__ = [
    "exponential",
    "logistic",
    "cross_entropy",
    "square",
    "centered_square",
    "poly_exponential",
    "polynomial",
    "MarginLoss",
    "Exponential",
    "Logistic",
    "CrossEntropy",
    "Square",
    "CenteredSquare",
    "PolyExponential",
    "Polynomial",
    "log_sum_exp",
    "log_mean_exp",
]
