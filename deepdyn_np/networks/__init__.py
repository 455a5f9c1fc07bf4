"""What is trained: networks with hand-derived forward, backward, Jacobian and HVP."""

from deepdyn_np.networks.mlp import MLP, Features

__all__ = ["MLP", "Features"]
