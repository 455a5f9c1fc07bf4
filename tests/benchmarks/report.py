"""What a benchmark says: targets and their verdicts, what got slower, tables. Numpy at most.

A result is the dictionary that ``make bench`` writes to ``book/benchmarks.json``:

``about``      where and with what it was measured
``names``      what to call the contenders
``steps``      rows {workload, precision, reference, times}, with a time for each contender:
               {median, low, high} in microseconds per step (or per run) and ``ratio`` to the
               reference, the median over the rounds
``split``      where a step's time goes: {workload, precision, products, elementwise, calls} as
               fractions of the step
``targets``    the verdicts: {workload, precision, other, limit, ratio, met}
``growth``     {what, unit, expected, exponent, error, x, y}
``memory``     {workload, precision, new, buffers} in bytes
``agreement``  largest relative differences between the contenders, and from PyTorch's derivatives
"""

from statistics import median, quantiles

SLOWER = 1.2  # a ratio to the reference that grew by more is reported

#: (workloads, contender to compare with, largest ratio of our time to its)
TARGETS = [
    (("digits", "MNIST batch"), "gemm", 1.2),
    (("tiny", "small"), "gemm", 1.6),
    (("tiny", "small"), "torch", 0.3),
    (("tiny", "small"), "jax jit", 1.0),
    (("ensemble", "tiny", "small"), "jax scan", 1.0),
    (("digits", "MNIST batch"), "torch", 1.25),
    (("digits", "MNIST batch"), "jax jit", 1.25),
    (("digits", "MNIST batch"), "jax scan", 1.25),
]

NAMES = {"ours": "this package", "plain": "plain numpy", "gemm": "matrix products alone",
         "torch": "PyTorch", "torch compiled": "PyTorch, compiled", "torch gemm": "products in PyTorch",
         "jax jit": "JAX, jitted step", "jax scan": "JAX, scan loop", "jax gemm": "products in JAX",
         "autograd": "autograd"}


def summary(seconds, reference, steps):
    """Median and quartiles of the rounds in microseconds, and the median ratio to the reference's."""
    each = [1e6 * s / steps for s in seconds]
    low, _, high = quantiles(each, n=4)
    ratio = median(a / b for a, b in zip(seconds, reference))
    return {"median": median(each), "low": low, "high": high, "ratio": ratio}


def verdicts(rows):
    """Each target with the ratio that was measured, in the order of `TARGETS`."""
    found = []
    for workloads, other, limit in TARGETS:
        for row in rows:
            times = row["times"]
            if row["workload"] in workloads and other in times:
                ratio = times["ours"]["ratio"] / times[other]["ratio"]
                found.append({"workload": row["workload"], "precision": row["precision"], "other": other,
                              "limit": limit, "ratio": ratio, "met": ratio <= limit})
    return found


def slowdowns(baseline, result):
    """Lines that name what takes more than 1.2 times what it took, as ratios to the reference."""
    before = {(row["workload"], row["precision"]): row["times"] for row in baseline["steps"]}
    lines = []
    for row in result["steps"]:
        times = before.get((row["workload"], row["precision"]))
        if times is None or "ours" not in times:
            continue
        was, now = times["ours"]["ratio"], row["times"]["ours"]["ratio"]
        if now > SLOWER * was:
            lines.append(f"{row['workload']}, {row['precision']}: {now:.2f} times "
                         f"{NAMES.get(row['reference'], row['reference'])}, was {was:.2f}")
    return lines


def table(rows):
    """The steps as text, one line for each workload and contender."""
    lines = []
    for row in rows:
        lines.append(f"{row['workload']}, {row['precision']}")
        for name, time in row["times"].items():
            lines.append(f"    {NAMES.get(name, name):24s} {time['median']:12.1f} us   "
                         f"[{time['low']:.1f}, {time['high']:.1f}]   x {time['ratio']:.2f}")
        for name, why in row.get("missing", {}).items():
            lines.append(f"    {NAMES.get(name, name):24s} not available: {why}")
    return "\n".join(lines)
