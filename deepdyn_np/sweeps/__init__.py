"""Many independent experiments: a grid of points, the workers that run them, the folder that keeps them."""

from deepdyn_np.sweeps.sweep import Sweep, sweep

__all__ = ["sweep", "Sweep"]
