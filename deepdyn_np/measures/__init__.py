"""What is measured on a trained network."""

from deepdyn_np.measures.margins import direction_error, margins, normalized_margin
from deepdyn_np.measures.neural_collapse import (
    NeuralCollapse,
    class_means,
    neural_collapse,
    self_duality,
    within_class_variability,
)
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
    "neural_collapse",
    "NeuralCollapse",
    "class_means",
    "within_class_variability",
    "self_duality",
]
