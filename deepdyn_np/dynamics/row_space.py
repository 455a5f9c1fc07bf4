"""Training in the coordinates of the data: as many inputs as samples where there are more inputs."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from deepdyn_np.errors import expect, numeric_array
from deepdyn_np.networks import MLP
from deepdyn_np.objective import Objective


@dataclass(frozen=True)
class RowSpace:
    """The same training with ``r = rank(X)`` inputs instead of d.

    With ``X = U S V^T`` the gradient of ``W_1`` is ``D_1^T X = (D_1^T U S) V^T``: it never leaves the
    span of the samples. So the network with inputs ``U S``, shape (n, r), and first layer ``W_1 V``
    is trained like the one with inputs X, by every rule that does not single out coordinates (all
    of this package but `adam`), by gradient flow and in log-loss time; and what ``W_1`` has outside
    that span stays where it was.

    Parameters
    ----------
    problem : Objective
        With one data set, shape (n, d), and no decay, which would shrink what lies outside.

    Attributes
    ----------
    objective : Objective
        The problem in r inputs.

    Notes
    -----
    Singular values below ``1e-12`` of the largest count as 0. Used in chapter 03_max_margin.

    Examples
    --------
    >>> import numpy as np
    >>> import deepdyn_np as dd
    >>> X = np.random.default_rng(0).normal(size=(4, 100))
    >>> problem = dd.Objective(dd.MLP([100, 3, 1]), dd.losses.square, X, np.ones(4))
    >>> space = dd.RowSpace(problem)
    >>> theta0 = problem.net.init(np.random.default_rng(1))
    >>> run = dd.run(dd.gd(space.objective, 0.1), space.project(theta0), 50)
    >>> theta = space.embed(run.final, theta0)
    >>> bool(np.isclose(problem.value(theta), space.objective.value(run.final)))
    True
    """

    problem: Objective

    def __post_init__(self):
        expect(isinstance(self.problem, Objective), "problem", "a dd.Objective", type(self.problem).__name__)
        expect(self.problem.X.ndim == 2, "problem", "one data set, X of shape (n, d)",
               f"X of shape {self.problem.X.shape}")
        expect(not np.any(self.problem.lam), "problem", "an objective without decay", f"lam = {self.problem.lam}",
               "Decay also moves what lies outside the span of the data.")

    @cached_property
    def _factors(self):
        U, S, Vt = np.linalg.svd(self.problem.X, full_matrices=False)
        r = int((S > 1e-12 * S[0]).sum()) or 1
        return U[:, :r] * S[:r], Vt[:r].T

    @cached_property
    def objective(self):
        old, inputs = self.problem.net, self._factors[0]
        net = MLP((inputs.shape[1], *old.widths[1:]), old.activation, old.bias)
        return Objective(net, self.problem.loss, inputs, self.problem.y)

    def project(self, theta):
        """Parameters of the smaller network, shape (..., p'), with ``W_1 V`` for ``W_1``."""
        net = self.problem.net
        first, *rest = net.layers(numeric_array("theta", theta))
        return self.objective.net.join([first @ self._factors[1], *rest], net.biases(theta))

    def embed(self, theta, theta0):
        """Parameters of the problem, shape (..., p): the inverse of `project` for training from theta0.

        Parameters
        ----------
        theta : ndarray, shape (..., p')
            Parameters of the smaller network, for instance every row of a trajectory.
        theta0 : ndarray, shape (..., p)
            The start, whose part outside the span of the data is kept.
        """
        small, V = self.objective.net, self._factors[1]
        start = self.problem.net.layers(numeric_array("theta0", theta0))[0]
        first, *rest = small.layers(numeric_array("theta", theta))
        outside = start - (start @ V) @ V.T
        return self.problem.net.join([outside + first @ V.T, *rest], small.biases(theta))
