"""How it is trained: step rules and the loop that runs them; flows; log-loss time."""

from deepdyn_np.dynamics.gradient_flow import gradient_flow
from deepdyn_np.dynamics.log_loss_flow import log_loss_flow
from deepdyn_np.dynamics.row_space import RowSpace
from deepdyn_np.dynamics.rules import Rule, adam, gd, heavy_ball, normalized_gd, sgd
from deepdyn_np.dynamics.run import log_spaced, run
from deepdyn_np.dynamics.trajectory import Trajectory

__all__ = [
    "run",
    "log_spaced",
    "Rule",
    "gd",
    "sgd",
    "heavy_ball",
    "normalized_gd",
    "adam",
    "gradient_flow",
    "log_loss_flow",
    "RowSpace",
    "Trajectory",
]
