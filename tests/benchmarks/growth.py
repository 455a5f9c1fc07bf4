"""How the cost of a step grows, and that of log-loss time: exponents of log-log fits, and a figure."""

import time

import numpy as np
from problems import random_problem

import deepdyn_np as dd

POINTS = 15  # rounds over which each point's time is a median


def growth():
    """Rows {what, unit, expected, exponent, error, x, y}; times in microseconds, else counts."""
    cases = {
        "samples n": (1, [(n, (64, 64, 64, 10), n, ()) for n in (500, 1000, 2000, 4000, 8000)]),
        "width d": (2, [(d, (d, d, d, 10), 128, ()) for d in (128, 256, 512, 1024)]),
        "depth L": (1, [(L, (64, *[64] * (L - 1), 10), 256, ()) for L in (4, 8, 16, 32)]),
        "replicas": (1, [(R, (2, 50, 1), 100, (R,)) for R in (32, 64, 128, 256, 512)]),
    }
    rows = []
    for what, (expected, sizes) in cases.items():
        x = [size for size, *_ in sizes]
        rows.append(row(what, "microseconds per step", expected, x, times(sizes)))
    rows.append(row("samples n, linear network", "microseconds per step", 0, *linear()))
    return rows + flows()


def row(what, unit, expected, x, y):
    slope, error = dd.fit_slope(np.array(x, float), np.array(y, float))
    return {"what": what, "unit": unit, "expected": expected, "exponent": float(slope), "error": float(error),
            "x": [float(a) for a in x], "y": [float(a) for a in y]}


def times(sizes):
    steps = []
    for _, widths, n, members in sizes:
        problem = random_problem("", widths, n, "float64", 1, members)
        steps.append(stepper(problem.objective, problem.theta0))
    return medians(steps)


def linear():
    """A deep linear network with the square loss, whose step does not see n."""
    x, steps, rng = [500, 1000, 2000, 4000, 8000], [], np.random.default_rng(0)
    net = dd.MLP((20, 50, 50, 5), "linear")
    for n in x:
        X = rng.standard_normal((n, 20))
        steps.append(stepper(dd.Objective(net, dd.losses.square, X, X[:, :5]), net.init(rng)))
    return x, medians(steps)


def stepper(objective, theta0):
    """One step of gradient descent, back and forth between two arrays."""
    rule, arrays = dd.gd(objective, 1e-6), [theta0.copy(), theta0.copy()]

    def step():
        rule.step(arrays[0], None, 0, (arrays[1], None))

    return step


def medians(steps):
    """Microseconds of each, in interleaved rounds of at least a few milliseconds."""
    counts = []
    for step in steps:
        step()
        start = time.process_time()
        step()
        counts.append(max(1, int(4e-3 / (time.process_time() - start))))
    found = [[] for _ in steps]
    for _ in range(POINTS):
        for step, count, seconds in zip(steps, counts, found):
            start = time.process_time()
            for _ in range(count):
                step()
            seconds.append(1e6 * (time.process_time() - start) / count)
    return [float(np.median(seconds)) for seconds in found]


def flows():
    """Steps to a log-loss Lambda: like Lambda for an explicit method, like its logarithm otherwise."""
    rows = dd.data.gaussian_separable(40, 10, np.random.default_rng(1), shift=0.5)
    line = dd.Objective(dd.MLP([10, 1]), dd.losses.exponential, rows, np.ones(40))
    explicit, implicit = [400, 800, 1600, 3200], [1e2, 1e3, 1e4, 1e5, 1e6, 1e7]
    steps = [dd.log_loss_flow(line, np.zeros(10), end, at=[end]).cost["steps"] for end in explicit]
    found = [row("log-loss Lambda, Dormand-Prince", "steps", 1, explicit, steps)]
    steps = [dd.log_loss_flow(line, np.zeros(10), end, "rosenbrock", rtol=1e-6, at=[end]).cost["steps"]
             for end in implicit]
    return [*found, row("log-loss Lambda, Rosenbrock", "steps", 0, implicit, steps)]


def figure(rows, path):
    """The rows as two panels, written to ``path`` as SVG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams["svg.hashsalt"] = "speed"
    dd.figures.style()
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4.8))
    for ax, unit, relative in ((left, "microseconds per step", True), (right, "steps", False)):
        for marker, r in zip("osD^v", [r for r in rows if r["unit"] == unit]):
            x, y = np.array(r["x"]), np.array(r["y"])
            ax.loglog(x / x[0] if relative else x, y / y[0] if relative else y, marker=marker,
                      label=f"{r['what']}: {r['exponent']:.2f}")
        ax.legend(title="exponent", loc="upper center", bbox_to_anchor=(0.5, -0.18))
    left.set(xlabel="size, relative to the smallest", ylabel="time of a step, relative")
    right.set(xlabel=r"log-loss $\Lambda$", ylabel="steps of the flow")
    fig.savefig(path, metadata={"Date": None}, facecolor="white")
    plt.close(fig)
