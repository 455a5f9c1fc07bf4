"""An L-stable Rosenbrock pair of order 2(3) for stiff flows.

The two-stage formula behind ode23s: L. F. Shampine, M. W. Reichelt, *The MATLAB ODE Suite*, SIAM
J. Sci. Comput. 18 (1997). It solves with ``W = I - h d J`` instead of stepping along the slope, so
the step size follows the solution, not the fastest rate of the system.
"""

import numpy as np

from deepdyn_np.dynamics.adaptive import Proposal

D = 1 / (2 + np.sqrt(2))
E32 = 6 + np.sqrt(2)


class Rosenbrock:
    """The method for `adaptive.accepted_steps`.

    Parameters
    ----------
    jacobian : callable
        ``jacobian(x, y)``, shape (..., k, k): the exact derivative of the right-hand side in y.
        The right-hand side must not depend on x.
    """

    order = 3  # of the error estimate; the kept result has order 2

    def __init__(self, jacobian):
        self.jacobian = jacobian

    def propose(self, f, x, y, slope, h):
        """One step of length ``h`` from ``(x, y)``, where the slope is known."""
        W = np.eye(y.shape[-1]) - h * D * self.jacobian(x, y)
        inverse = np.linalg.inv(W)

        def solve(b):
            # One refinement: W's condition grows with h, which late in a flow is enormous.
            k = (inverse @ b[..., None])[..., 0]
            return k + (inverse @ (b - (W @ k[..., None])[..., 0])[..., None])[..., 0]

        k1 = solve(slope)
        middle = f(x + h / 2, y + h / 2 * k1)
        k2 = solve(middle - k1) + k1
        end = y + h * k2
        end_slope = f(x + h, end)
        k3 = solve(end_slope - E32 * (k2 - middle) - 2 * (k1 - slope))
        return Proposal(end, end_slope, h / 6 * (k1 - 2 * k2 + k3))
