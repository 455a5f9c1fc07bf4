"""What the theorem predicts: closed forms and exact solvers.

This wing imports numpy only, never the experiment wing, and the experiment never imports this
one: a check whose two sides share code proves nothing.
"""

from deepdyn_np.theory import (
    balance,
    gradient_flow_and_time,
    hand_derived_gradients,
    low_rank_bias,
    max_margin,
    neural_collapse,
    svm,
)

__all__ = [
    "balance",
    "gradient_flow_and_time",
    "hand_derived_gradients",
    "low_rank_bias",
    "max_margin",
    "neural_collapse",
    "svm",
]
