"""What the theorem predicts: closed forms and exact solvers.

This wing imports numpy only, never the experiment wing, and the experiment never imports this
one: a check whose two sides share code proves nothing.
"""

from deepdyn_np.theory import gradient_flow_and_time, hand_derived_gradients, max_margin, svm

__all__ = ["gradient_flow_and_time", "hand_derived_gradients", "max_margin", "svm"]
