"""``make bench``: time the package beside PyTorch, JAX, autograd and its own matrix products.

All contenders run in one process on one core with one thread, in turn, round after round, so that
whatever else the machine does hits them alike. Times are processor times of the process, medians
over the rounds; ratios are medians of the ratios within a round. Before anything is timed, all must
have computed the same.
"""

import argparse
import json
import os
import platform
import sys
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import contenders  # noqa: E402  (first: it sets the number of threads)
import numpy as np  # noqa: E402
import report  # noqa: E402
from growth import figure, growth  # noqa: E402
from problems import PRECISIONS, collapse, random_problem, training  # noqa: E402

import deepdyn_np as dd  # noqa: E402

RESULT = HERE.parents[1] / "book" / "benchmarks.json"
FIGURE = HERE.parents[1] / "book" / "_static" / "speed-growth.svg"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--baseline", choices=["write"], help="store the result in book/benchmarks.json")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--workload", help="only this one, for a quick look; nothing is stored")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    result = {"about": about(), "names": report.NAMES, "steps": [], "split": [], "agreement": derivatives()}
    for dtype in PRECISIONS:
        for problem in training(dtype):
            if options.workload in (None, problem.name):
                makers = {**contenders.TRAINERS, **contenders.FLOORS}
                result["steps"].append(measure(problem, makers, "gemm", problem.steps, options.rounds))
                result["split"].append(split(problem, options.rounds))
    if options.workload is None:
        for dtype in PRECISIONS:
            result["steps"] += [hvp(dtype, options.rounds)]
        result["steps"] += [*flows(options.rounds), svm(options.rounds)]
        slow = ("torch compiled", "autograd")
        makers = {k: v for k, v in {**contenders.TRAINERS, **contenders.FLOORS}.items() if k not in slow}
        result["steps"] += [measure(collapse(dtype), makers, "gemm", 1, 4) for dtype in PRECISIONS]
        result["growth"], result["memory"] = growth(), [memory(p) for d in PRECISIONS for p in training(d)]
    result["about"]["load"].append(load())
    result["targets"] = report.verdicts(result["steps"])

    print("\n" + report.table(result["steps"]) + "\n")
    for verdict in result["targets"]:
        print(f"{'met' if verdict['met'] else 'MISSED':6s} {verdict['workload']}, {verdict['precision']}: "
              f"{verdict['ratio']:.2f} times {report.NAMES[verdict['other']]} (target {verdict['limit']:g})")
    for part in result["split"]:
        print(f"{part['workload']}, {part['precision']}: products {part['products']:.0%}, elementwise "
              f"{part['elementwise']:.0%}, calls {part['calls']:.0%} of a step")
    if RESULT.exists() and options.baseline is None:
        lines = report.slowdowns(json.loads(RESULT.read_text()), result)
        print("Slower than the stored baseline by more than 20 %:" if lines else
              "Nothing is slower than the stored baseline by more than 20 %.", *lines, sep="\n  ")
    if options.baseline and options.workload is None:
        RESULT.write_text(json.dumps(rounded(result), indent=1) + "\n")
        figure(result["growth"], FIGURE)
        print(f"Stored in {RESULT.relative_to(HERE.parents[1])}")


# --- timing -------------------------------------------------------------------------------------


def interleaved(functions, rounds):
    """Seconds of each function in each round: {name: list}."""
    seconds = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.process_time()
            function()
            seconds[name].append(time.process_time() - start)
    return seconds


def measure(problem, makers, reference, steps, rounds):
    """A row of the result: every maker's contender on the problem, after they have been compared.

    A long run is compared after a few steps: rounding grows with the steps.
    """
    if problem.steps > 1000:
        early = replace(problem, steps=20)
        agree(problem.name, str(problem.theta0.dtype), {
            name: end for name, make in makers.items() if (end := make(early)(problem.theta0)) is not None})
    ready, missing, ends = {}, {}, {}
    dtype, theta0 = str(problem.theta0.dtype), problem.theta0
    print(f"{problem.name}, {dtype}", file=sys.stderr, flush=True)
    for name, make in makers.items():
        try:
            advance = make(problem)
            ends[name] = advance(theta0)
        except Exception as error:  # a library that cannot: the table says so
            if name in ("ours", "plain", "gemm"):
                raise
            missing[name] = f"{type(error).__name__}: {error}".split("\n")[0][:80]
            continue
        ready[name] = lambda advance=advance: advance(theta0)
    if problem.steps <= 1000:
        agree(problem.name, dtype, {name: end for name, end in ends.items() if end is not None})
    seconds = interleaved(ready, rounds)
    times = {name: report.summary(seconds[name], seconds[reference], steps) for name in ready}
    return {"workload": problem.name, "precision": dtype, "reference": reference, "times": times,
            "missing": missing}


def agree(workload, dtype, ends):
    """All contenders must have computed the same."""
    tolerance = 1e-10 if dtype == "float64" else 1e-3
    for name, end in ends.items():
        error = np.linalg.norm(end - ends["ours"]) / np.linalg.norm(ends["ours"])
        if not error <= tolerance:
            raise SystemExit(f"{workload}, {dtype}: {name} differs from this package by {error:.1e}")


def split(problem, rounds):
    """Where a step goes: products, elementwise operations, and the bare cost of the calls.

    The calls are a step of the same network with all widths and the batch at 2: what is left when
    the arrays have next to no numbers (in place, numpy is slower on 1 than on 2). The products are
    the floor without its own calls.
    """
    net = problem.net
    bare = random_problem("", (*(2,) * net.depth, min(2, net.widths[-1])), 2, problem.theta0.dtype, problem.steps,
                          problem.theta0.shape[:-1], None if problem.batches is None else 2)
    functions = {name: (lambda f=make(p), p=p: f(p.theta0)) for name, make, p in [
        ("step", contenders.ours, problem), ("calls", contenders.ours, bare),
        ("floor", contenders.gemm, problem), ("floor calls", contenders.gemm, bare)]}
    for function in functions.values():
        function()
    seconds = {name: np.median(s) for name, s in interleaved(functions, rounds).items()}
    products = max(seconds["floor"] - seconds["floor calls"], 0) / seconds["step"]
    calls = seconds["calls"] / seconds["step"]
    return {"workload": problem.name, "precision": str(problem.theta0.dtype), "products": products,
            "calls": calls, "elementwise": max(0.0, 1 - products - calls)}


# --- the other workloads --------------------------------------------------------------------------


def hvp(dtype, rounds):
    """Hessian-vector products of the digits network."""
    problem = random_problem("Hessian-vector product", (64, 128, 128, 10), 1000, dtype, 1)
    v = np.random.default_rng(2).standard_normal(problem.theta0.shape).astype(dtype)
    makers = {name: (lambda problem, make=make: make(problem, v)) for name, make in contenders.HVPS.items()}
    return measure(problem, makers, "gemm", 1, rounds)


def flows(rounds):
    """Log-loss flows against scipy's integrators on the same equation with the same tolerances."""
    import scipy.integrate

    rows = dd.data.gaussian_separable(100, 20, np.random.default_rng(2), shift=0.5)
    line = dd.Objective(dd.MLP([20, 1]), dd.losses.exponential, rows, np.ones(100))
    X = np.random.default_rng(0).normal(size=(40, 5))
    deep = dd.Objective(dd.MLP([5, 20, 1], "tanh"), dd.losses.logistic, X, np.sign(X[:, 0]))
    w0, theta0 = np.zeros(20), deep.net.init(np.random.default_rng(1))
    theta0 = dd.run(dd.gd(deep, 0.3), theta0, 300, at=[300]).final

    def scipy_flow(objective, start, end, method):
        def velocity(_, theta):
            g = objective.Lambda_and_gradient(theta)[1]
            return g / (g @ g)

        begin = float(objective.Lambda(start))
        found = scipy.integrate.solve_ivp(velocity, (begin, end), start, method, rtol=1e-8, atol=1e-10)
        return found.y[:, -1]

    cases = {
        "log-loss flow, linear, to 1e4": {
            "ours": lambda: dd.log_loss_flow(line, w0, 1e4, "rosenbrock", rtol=1e-6, at=[1e4]).final,
            "scipy Radau": lambda: scipy_flow(line, w0, 1e4, "Radau"),
            "scipy LSODA": lambda: scipy_flow(line, w0, 1e4, "LSODA")},
        "log-loss flow, tanh network, to 20": {
            "ours": lambda: dd.log_loss_flow(deep, theta0, 20, at=[20]).final,
            "scipy RK45": lambda: scipy_flow(deep, theta0, 20, "RK45")},
    }
    for name, functions in cases.items():
        yield compare(name, functions, list(functions)[1], rounds, 1e-4)


def svm(rounds):
    """Hard-margin support vector machine: 200 points in 20 dimensions."""
    import scipy.optimize
    from sklearn.svm import SVC

    Z = dd.data.gaussian_separable(200, 20, np.random.default_rng(3), shift=0.5)
    X, y = np.vstack([Z, -Z]), np.repeat([1, -1], 200)  # symmetric: the same w, and no offset

    def slsqp():
        found = scipy.optimize.minimize(lambda w: w @ w / 2, np.zeros(20), jac=lambda w: w, method="SLSQP",
                                        constraints={"type": "ineq", "fun": lambda w: Z @ w - 1, "jac": lambda w: Z},
                                        options={"ftol": 1e-12, "maxiter": 1000})
        return found.x

    functions = {"ours": lambda: dd.theory.svm.hard_margin_svm(Z).w,
                 "scikit-learn": lambda: SVC(kernel="linear", C=1e10, tol=1e-6).fit(X, y).coef_[0],
                 "scipy SLSQP": slsqp}
    return compare("hard-margin SVM", functions, "scikit-learn", rounds, 1e-4)


def compare(name, functions, reference, rounds, tolerance):
    """A row of the result for functions that return the same array, to ``tolerance``."""
    print(name, file=sys.stderr, flush=True)
    found = {key: function() for key, function in functions.items()}
    for key, value in found.items():
        error = np.linalg.norm(value - found["ours"]) / np.linalg.norm(found["ours"])
        if not error <= tolerance:
            raise SystemExit(f"{name}: {key} differs from this package by {error:.1e}")
    seconds = interleaved(functions, max(3, rounds // 5))
    times = {key: report.summary(seconds[key], seconds[reference], 1) for key in functions}
    return {"workload": name, "precision": "float64", "reference": reference, "times": times, "missing": {}}


# --- derivatives, memory, environment ---------------------------------------------------------------


def derivatives():
    """Largest relative error of gradients and Hessian-vector products against PyTorch, in float64."""
    worst = {"gradient": 0.0, "hvp": 0.0}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        widths = (*rng.integers(2, 9, size=rng.integers(1, 5)).tolist(), (1, 3)[seed % 2])
        problem = random_problem("", widths, 12, "float64", 1)
        objective, v = problem.objective, rng.standard_normal(problem.theta0.shape)
        loss = contenders._torch_loss(problem)
        torch = contenders.torch
        W = [torch.tensor(w, requires_grad=True) for w in problem.net.layers(problem.theta0)]
        g = torch.autograd.grad(loss(W, torch.from_numpy(problem.X), torch.from_numpy(problem.Y)), W)
        pairs = {"gradient": (objective.gradient(problem.theta0), problem.net.join([a.numpy() for a in g])),
                 "hvp": (objective.hvp(problem.theta0, v), contenders.hvp_torch(problem, v)(problem.theta0))}
        for name, (a, b) in pairs.items():
            worst[name] = max(worst[name], float(np.linalg.norm(a - b) / np.linalg.norm(b)))
    if max(worst.values()) > 1e-10:
        raise SystemExit(f"derivatives differ from PyTorch's by {worst}")
    return worst


def memory(problem):
    """Bytes that a step allocates when it runs, and the buffers that it keeps."""
    tracemalloc.start()
    objective = problem.objective
    rule = dd.gd(objective, 0.01) if problem.batches is None else dd.sgd(
        objective, 0.01, problem.rows, np.random.default_rng(0))
    theta, out = problem.theta0.copy(), np.empty_like(problem.theta0)
    state = rule.start(theta)
    before = tracemalloc.get_traced_memory()[0]
    _, state = rule.step(theta, state, 0, (out, state))
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    rule.step(theta, state, 1, (out, state))
    new = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return {"workload": problem.name, "precision": str(problem.theta0.dtype), "new": new, "buffers": kept}


def about():
    """Where and with what this was measured."""
    import autograd
    import jax
    import scipy
    import sklearn
    import torch

    model = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    blas = np.show_config("dicts")["Build Dependencies"]["blas"]
    openblas = blas.get("openblas configuration", "").split(" ")[:2]
    versions = {m.__name__: m.__version__ for m in (np, scipy, sklearn, torch, jax)}
    versions["autograd"] = getattr(autograd, "__version__", "1.9.1")
    return {"processor": model, "cores": os.cpu_count(), "system": platform.system(),
            "python": platform.python_version(), "blas": " ".join([blas["name"], *openblas[1:]]), "threads": 1,
            "versions": versions, "date": time.strftime("%Y-%m-%d"), "load": [load()]}


def load():
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def rounded(value):
    """Four digits are enough for a table, and keep the file small."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, (float, np.floating)) else value


if __name__ == "__main__":
    main()
