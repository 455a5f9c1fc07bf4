"""What is measured on a trained network."""

from deepdyn_np.measures.margins import direction_error, margins, normalized_margin
from deepdyn_np.measures.norms import imbalance, layer_norms
from deepdyn_np.measures.spectra import effective_rank, singular_values, spectral_tail, stable_rank

__all__ = [
    "margins",
    "normalized_margin",
    "direction_error",
    "layer_norms",
    "imbalance",
    "singular_values",
    "effective_rank",
    "stable_rank",
    "spectral_tail",
]
