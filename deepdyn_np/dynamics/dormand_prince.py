"""The Dormand-Prince 5(4) pair with its continuous extension.

Seven stages, the last of which is the first of the next step. The fifth-order result is kept, the
embedded fourth-order one only estimates the error. J. R. Dormand, P. J. Prince, *A family of
embedded Runge-Kutta formulae*, J. Comput. Appl. Math. 6 (1980); the continuous extension is the
fourth-order one of Hairer, Norsett & Wanner, *Solving Ordinary Differential Equations I*, II.6.
"""

import numpy as np

from deepdyn_np.dynamics.adaptive import Proposal

C = np.array([0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1])
A = [
    np.array([]),
    np.array([1 / 5]),
    np.array([3 / 40, 9 / 40]),
    np.array([44 / 45, -56 / 15, 32 / 9]),
    np.array([19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729]),
    np.array([9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656]),
    np.array([35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84]),
]
FOURTH = np.array([5179 / 57600, 0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40])
ERROR = np.r_[A[6], 0] - FOURTH
DENSE = np.array([-12715105075 / 11282082432, 0, 87487479700 / 32700410799,
                  -10690763975 / 1880347072, 701980252875 / 199316789632,
                  -1453857185 / 822651844, 69997945 / 29380423])


class DormandPrince:
    """The method for `adaptive.accepted_steps`; ``order`` is that of the kept result."""

    order = 5

    def propose(self, f, x, y, slope, h):
        """One step of length ``h`` from ``(x, y)``, where the slope is known."""
        K = np.empty((7, *y.shape))
        K[0] = slope
        for stage in range(1, 7):
            end = y + h * np.tensordot(A[stage], K[:stage], axes=1)
            K[stage] = f(x + C[stage] * h, end)
        return Proposal(end, K[6], h * np.tensordot(ERROR, K, axes=1), (K,))

    @staticmethod
    def interpolate(fraction, h, y, proposal):
        """The value at ``fraction`` (0..1) of an accepted step, to fourth order."""
        K, (t, u) = proposal.stages[0], (fraction, 1 - fraction)
        rise = proposal.y - y
        bend = h * K[0] - rise
        twist = rise - h * K[6] - bend
        return y + t * (rise + u * (bend + t * (twist + u * h * np.tensordot(DENSE, K, axes=1))))
