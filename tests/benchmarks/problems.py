"""The workloads of the book, as data that every contender trains on."""

from dataclasses import dataclass

import numpy as np

import deepdyn_np as dd

PRECISIONS = ("float64", "float32")


@dataclass(frozen=True)
class Problem:
    """A network, its data and how it is trained: heavy ball on all samples, or on given batches.

    ``Y`` is -1 or +1, shape (n, 1), for the logistic loss, else one-hot, shape (n, C).
    ``batches`` is ``None`` or sample numbers, shape (steps, b).
    """

    name: str
    net: dd.MLP
    loss: str
    X: np.ndarray
    Y: np.ndarray
    theta0: np.ndarray
    steps: int
    eta: float = 0.01
    beta: float = 0.0
    lam: float = 0.0
    batches: np.ndarray | None = None

    @property
    def objective(self):
        y = self.Y[:, 0] if self.loss == "logistic" else self.Y
        return dd.Objective(self.net, getattr(dd.losses, self.loss), self.X, y, self.lam)

    @property
    def rows(self):
        """Samples in a step."""
        return len(self.X) if self.batches is None else self.batches.shape[1]


def random_problem(name, widths, n, dtype, steps, members=(), batch=None, scale=np.sqrt(2)):
    """Gaussian inputs with random labels, the same for each contender."""
    rng, net, C = np.random.default_rng(0), dd.MLP(widths), widths[-1]
    X = rng.standard_normal((n, widths[0]))
    Y = rng.choice([-1.0, 1.0], size=(n, 1)) if C == 1 else np.eye(C)[rng.integers(C, size=n)]
    batches = None if batch is None else rng.integers(n, size=(steps, batch))
    return Problem(name, net, "logistic" if C == 1 else "cross_entropy", X.astype(dtype), Y.astype(dtype),
                   net.init(rng, scale, size=members).astype(dtype), steps, batches=batches)


def training(dtype):
    """The five workloads of a training step; ``steps`` is how many make one measurement."""
    return [
        random_problem("tiny", (2, 50, 1), 100, dtype, 400),
        random_problem("small", (20, 50, 50, 1), 100, dtype, 100),
        random_problem("digits", (64, 128, 128, 10), 1000, dtype, 20),
        random_problem("MNIST batch", (784, 256, 256, 10), 5000, dtype, 20, batch=128),
        random_problem("ensemble", (2, 50, 1), 100, dtype, 40, members=(64,)),
    ]


def collapse(dtype):
    """The run on handwritten digits of chapter 19: 300 images, 2000 steps to neural collapse."""
    data, net = dd.data.digits(), dd.MLP((64, 64, 64, 64, 10))
    chosen = np.concatenate([np.flatnonzero(data.y == c)[:30] for c in range(10)])
    X = data.X[chosen] - data.X[chosen].mean(axis=0)
    theta0 = net.init(np.random.default_rng(0), np.sqrt(2))
    return Problem("neural collapse", net, "centered_square", X.astype(dtype),
                   np.eye(10)[data.y[chosen]].astype(dtype), theta0.astype(dtype), 2000, 0.1, 0.9, 0.001)
