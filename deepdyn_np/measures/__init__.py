"""What is measured on a trained network."""

from deepdyn_np.measures.margins import direction_error, margins, normalized_margin
from deepdyn_np.measures.norms import imbalance, layer_norms

__all__ = ["margins", "normalized_margin", "direction_error", "layer_norms", "imbalance"]
