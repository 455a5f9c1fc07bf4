"""The stored benchmark and what is made of it: schema, verdicts, slowdowns, the page of the book."""

import copy
import json
import re
import sys
from pathlib import Path

import pytest
from benchmarks import report

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
import speed_page  # noqa: E402

WORKLOADS = ("tiny", "small", "digits", "MNIST batch", "ensemble")


@pytest.fixture(scope="module")
def stored():
    return json.loads((ROOT / "book" / "benchmarks.json").read_text())


def test_the_stored_result_has_every_workload_and_contender(stored):
    rows = {(row["workload"], row["precision"]): row for row in stored["steps"]}
    for precision in ("float64", "float32"):
        for workload in WORKLOADS:
            row = rows[workload, precision]
            assert {*row["times"], *row["missing"]} == {*report.NAMES}
            assert row["reference"] == "gemm" and row["times"]["gemm"]["ratio"] == 1
        for workload in ("Hessian-vector product", "neural collapse"):
            assert {"ours", "gemm", "torch"} <= {*rows[workload, precision]["times"]}
    assert {"scikit-learn", "scipy SLSQP"} <= {*rows["hard-margin SVM", "float64"]["times"]}
    assert sum("log-loss flow" in workload for workload, _ in rows) == 2
    for row in stored["steps"]:
        for time in row["times"].values():
            assert 0 < time["low"] <= time["median"] <= time["high"] and time["ratio"] > 0
    assert {g["what"].split()[0] for g in stored["growth"]} == {"samples", "width", "depth", "replicas", "log-loss"}
    assert {"numpy", "torch", "jax"} <= {*stored["about"]["versions"]} and stored["about"]["threads"] == 1
    assert max(stored["agreement"].values()) < 1e-10
    assert all(m["new"] < 100_000 for m in stored["memory"])
    for part in stored["split"]:
        assert part["products"] + part["elementwise"] + part["calls"] == pytest.approx(1, abs=0.2)


def test_the_verdicts_are_those_of_the_stored_times(stored):
    again = report.verdicts(stored["steps"])
    assert len(again) == len(stored["targets"]) == 2 * sum(len(workloads) for workloads, *_ in report.TARGETS)
    for new, old in zip(again, stored["targets"]):
        assert new["ratio"] == pytest.approx(old["ratio"], rel=2e-3)  # stored with four digits
        assert new["met"] == old["met"] or new["ratio"] == pytest.approx(new["limit"], rel=2e-3)


def test_a_planted_slowdown_is_reported_and_nothing_else(stored):
    assert report.slowdowns(stored, stored) == []
    later = copy.deepcopy(stored)
    for row in later["steps"]:
        for time in row["times"].values():
            time["median"] *= 3  # a slower machine: no ratio changes
    assert report.slowdowns(stored, later) == []
    [row] = [r for r in later["steps"] if (r["workload"], r["precision"]) == ("digits", "float32")]
    row["times"]["ours"]["ratio"] *= 1.19
    assert report.slowdowns(stored, later) == []
    row["times"]["ours"]["ratio"] *= 1.1
    [line] = report.slowdowns(stored, later)
    assert line.startswith("digits, float32: ") and "matrix products alone" in line


def test_ratios_are_taken_within_a_round():
    """A machine that halves its speed in the middle moves the medians, not the ratio."""
    ours, floor = [2.0, 2.0, 4.0, 4.0, 4.0], [1.0, 1.0, 2.0, 2.0, 2.0]
    found = report.summary(ours, floor, steps=2)
    assert found["ratio"] == 2 and found["median"] == 2e6 and found["low"] <= found["median"] <= found["high"]


# --- the page -------------------------------------------------------------------------------------


def test_the_page_shows_the_stored_numbers(stored):
    cells = [cell.strip() for line in speed_page.times(stored) for cell in line.split("|")]
    for row in stored["steps"]:
        for time in row["times"].values():
            assert any(cell.startswith(f"{speed_page.number(time['median'])} (") for cell in cells)
            assert f"{time['ratio']:.2f}" in cells
    lines = list(speed_page.targets(stored))
    assert sum("missed" in line for line in lines) == sum(not t["met"] for t in stored["targets"])
    for target, line in zip(stored["targets"], lines[2:]):
        assert target["workload"] in line and f"| {target['ratio']:.2f} |" in line
    for exponent, line in zip(stored["growth"], list(speed_page.growth(stored))[2:]):
        assert f"| {exponent['exponent']:.2f} ±" in line


def test_the_page_asks_for_every_table_and_types_no_time():
    page = (ROOT / "book" / "speed.md").read_text()
    assert set(re.findall(r"^```\{speed\} (\w+)$", page, re.M)) == {*speed_page.TABLES}
    assert not re.findall(r"\d\s*(µs|us|ms|microseconds|seconds)\b", page)
    assert (ROOT / "book" / "_static" / "speed-growth.svg").exists()


@pytest.mark.parametrize("name", speed_page.TABLES)
def test_tables_are_rectangular(stored, name):
    lines = [line for line in speed_page.TABLES[name](stored) if line.startswith("|")]
    blocks = []
    for k, line in enumerate(lines):
        if set(line) <= set("| -") and k:
            blocks.append(k - 1)
    assert blocks and all(line.count("|") >= 3 for line in lines)
    for first, last in zip(blocks, [*blocks[1:], len(lines)]):
        assert len({line.count("|") for line in lines[first:last]}) == 1
