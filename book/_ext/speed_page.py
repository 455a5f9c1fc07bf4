"""``{speed} name``: a table of the stored benchmark, ``book/benchmarks.json``, which `make bench` writes."""

import json
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

RESULT = Path(__file__).parents[1] / "benchmarks.json"


def times(result):
    """A table for each workload: a row for each contender, columns for each precision."""
    names = result["names"]
    for workload in dict.fromkeys(row["workload"] for row in result["steps"]):
        rows = [row for row in result["steps"] if row["workload"] == workload]
        reference = names.get(rows[0]["reference"], rows[0]["reference"])
        yield f"**{workload}**, microseconds: median (quartiles), and ratio to {reference}"
        yield ""
        yield from table(["Contender", *(head for row in rows for head in (row["precision"], "ratio"))],
                         [[names.get(key, key), *(cell for row in rows for cell in time_cells(row, key))]
                          for key in dict.fromkeys(key for row in rows for key in (*row["times"], *row["missing"]))])


def time_cells(row, key):
    if key not in row["times"]:
        return "not available", ""
    time = row["times"][key]
    return (f"{number(time['median'])} ({number(time['low'])}–{number(time['high'])})", f"{time['ratio']:.2f}")


def targets(result):
    yield from table(["Workload", "Precision", "Compared with", "Ratio", "Target", "Verdict"],
                     [[t["workload"], t["precision"], result["names"][t["other"]], f"{t['ratio']:.2f}", f"{t['limit']:g}",
                       "met" if t["met"] else "**missed**"] for t in result["targets"]])


def split(result):
    yield from table(["Workload", "Precision", "Matrix products", "Elementwise", "Calls"],
                     [[s["workload"], s["precision"], *(f"{s[part]:.0%}" for part in ("products", "elementwise", "calls"))]
                      for s in result["split"]])


def growth(result):
    yield from table(["Cost against", "Counted in", "Exponent", "Expected"],
                     [[g["what"], g["unit"], f"{g['exponent']:.2f} ± {g['error']:.2f}", f"{g['expected']:g}"]
                      for g in result["growth"]])


def memory(result):
    yield from table(["Workload", "Precision", "New in a step (kB)", "Buffers kept (kB)"],
                     [[m["workload"], m["precision"], f"{m['new'] / 1000:.1f}", f"{m['buffers'] / 1000:.0f}"]
                      for m in result["memory"]])


def about(result):
    found = result["about"]
    rows = [["Processor", f"{found['processor']}, cores: {found['cores']}"], ["System", found["system"]],
            ["Python", found["python"]], ["BLAS of numpy", found["blas"]], ["Threads", found["threads"]],
            *found["versions"].items(), ["Date", found["date"]],
            ["Load of the machine", ", ".join(map(str, found["load"]))],
            *([f"Largest relative difference of the {key} from PyTorch's", f"{value:.0e}"]
              for key, value in result["agreement"].items())]
    yield from table(["What", "Value"], rows)


def table(columns, rows):
    """Lines of a table in Markdown."""
    yield from ("| " + " | ".join(map(str, row)) + " |" for row in (columns, ["---"] * len(columns), *rows))
    yield ""


def number(value):
    """Three digits, and no more precision than there is."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


TABLES = {f.__name__: f for f in (times, targets, split, growth, memory, about)}


class Speed(SphinxDirective):
    required_arguments = 1

    def run(self):
        self.env.note_dependency(str(RESULT))
        lines = list(TABLES[self.arguments[0]](json.loads(RESULT.read_text(encoding="utf-8"))))
        made = nodes.container()
        self.state.nested_parse(StringList(lines, source=str(RESULT)), 0, made)
        return made.children


def setup(app):
    app.add_directive("speed", Speed)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
