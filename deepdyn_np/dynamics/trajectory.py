"""What a run returns: its rows, each a snapshot of the parameters with what was recorded there."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Trajectory:
    """Rows of a run, in the order of time.

    Attributes
    ----------
    theta : ndarray, shape (rows, ..., p)
        Parameters at each row.
    columns : dict of str to ndarray
        What else is known at each row; every array has ``rows`` as its first axis. Columns are
        also attributes: ``trajectory.step``, ``trajectory.t``, ``trajectory.log_t``,
        ``trajectory.Lambda``, and each name given to ``record``.
    cost : dict of str to int
        Work done: ``steps`` taken, and for adaptive integrators ``rejected`` ones.

    Notes
    -----
    Used from chapter 02_gradient_flow_and_time on.
    """

    theta: np.ndarray
    columns: dict
    cost: dict = field(default_factory=dict)

    def __getattr__(self, name):
        columns = self.__dict__.get("columns", {})
        if name in columns:
            return columns[name]
        raise AttributeError(f"this Trajectory has theta and {', '.join(columns) or 'no columns'}, "
                             f"not {name!r}; pass record={{{name!r}: function}} to record it")

    def __len__(self):
        return len(self.theta)

    @property
    def final(self):
        """Parameters at the last row, shape (..., p)."""
        return self.theta[-1]


class Recorder:
    """Collects the rows of a run; what it holds when a run stops early is not lost."""

    def __init__(self, record):
        self.record = dict(record or {})
        self.thetas, self.rows = [], []

    def add(self, theta, **columns):
        """Append one row: a copy of ``theta``, the columns, and every recorded quantity of the copy."""
        theta = np.array(theta)
        self.thetas.append(theta)
        self.rows.append(columns | {name: f(theta) for name, f in self.record.items()})

    def trajectory(self, **cost):
        """The rows so far as a `Trajectory`."""
        names = self.rows[0] if self.rows else ()
        columns = {name: np.array([row[name] for row in self.rows]) for name in names}
        return Trajectory(np.array(self.thetas), columns, cost)
