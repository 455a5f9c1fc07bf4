"""The executable textbook of deep-network training dynamics, in numpy.

Everything a chapter needs is reached from here: ``import deepdyn_np as dd``. The experiment wing
(`networks`, `losses`, `objective`, `dynamics`, `measures`) trains and measures; the `theory` wing
predicts; they meet in `checks`. `sweep` runs many experiments on every core.
"""

from deepdyn_np import data, figures, losses, measures, theory
from deepdyn_np.checks import CheckFailed, check, check_below, check_slope, control, fit_slope
from deepdyn_np.dynamics import (
    RowSpace,
    Rule,
    Trajectory,
    adam,
    gd,
    gradient_flow,
    heavy_ball,
    log_loss_flow,
    log_spaced,
    normalized_gd,
    run,
    sgd,
)
from deepdyn_np.errors import DivergenceError, NotSeparableError, StepLimitError, SweepError
from deepdyn_np.networks import MLP
from deepdyn_np.objective import Objective
from deepdyn_np.sweeps import Sweep, sweep

__all__ = [
    "MLP",
    "Objective",
    "run",
    "gd",
    "sgd",
    "heavy_ball",
    "normalized_gd",
    "adam",
    "gradient_flow",
    "log_loss_flow",
    "log_spaced",
    "Rule",
    "RowSpace",
    "Trajectory",
    "sweep",
    "Sweep",
    "check",
    "check_below",
    "check_slope",
    "control",
    "fit_slope",
    "CheckFailed",
    "NotSeparableError",
    "DivergenceError",
    "StepLimitError",
    "SweepError",
    "losses",
    "measures",
    "theory",
    "data",
    "figures",
]
