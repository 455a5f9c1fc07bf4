"""The scores as a table for the instructor, and as Gradescope's results."""

import csv
import io
import json
import os
from pathlib import Path

from deepdyn_np.errors import expect

FIXED = ("total", "max", "seconds", "what failed")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a table program would compute a cell that begins so


def write_scores(path, results):
    """Write the table of ``results`` of one assignment to ``path``; points given by hand are kept.

    A row for each student: status, a column for each question, total, maximum, seconds and what
    failed. The columns of written answers are empty until a person fills them. A written answer
    that was handed in anew loses its points.
    """
    path, names = Path(path), list(results[0]["questions"])
    marks = read_marks(path) if path.exists() else {}
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["student", "assignment", "status", *names, *FIXED, "version"])
    for result in results:
        given = marks.get((result["assignment"], result["student"], result["version"]), {})
        points = [
            given.get(name) if part["kind"] == "by hand" else part["points"]
            for name, part in result["questions"].items()
        ]
        writer.writerow(
            [
                _safe(cell)
                for cell in (
                    result["student"],
                    result["assignment"],
                    result["status"],
                    *("" if value is None else f"{value:g}" for value in points),
                    f"{sum(value for value in points if value is not None):g}",
                    f"{_maximum(result):g}",
                    f"{result['seconds']:.2f}",
                    what_failed(result),
                    result["version"],
                )
            ]
        )
    _replace(path, table.getvalue())


def read_marks(path):
    """Points by question in the table at ``path``, by assignment, student and version of the work."""
    marks = {}
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        head = rows.fieldnames or []
        expect(
            {"student", "assignment", "status", *FIXED, "version"} <= set(head),
            "scores",
            f"a table that the grader wrote, at {path}",
            f"the columns {', '.join(head)[:200]}",
        )
        names = head[3 : head.index("total")]
        for row in rows:
            place = row["assignment"], row["student"].removeprefix("'"), row["version"]
            try:
                marks[place] = {
                    name: float(row[name].replace(",", ".")) for name in names if (row[name] or "").strip()
                }
            except ValueError:
                expect(
                    False,
                    "scores",
                    f"numbers as points of {row['student']}",
                    ", ".join(str(row[name]) for name in names),
                    "Repair the table, then run this again.",
                )
    return marks


def what_failed(result):
    """All that cost points, and all that is remarkable, in one line."""
    lost = [
        f"{name}: {part['message']}"
        for name, part in result["questions"].items()
        if part["kind"] not in ("right", "by hand") and part["message"] != "Not graded."
    ]
    return " | ".join(" ".join(text.split()) for text in [*result["remarks"], *lost])


def write_gradescope(folder, results):
    """Write ``<student>/results.json`` into ``folder`` for each result, in the form that Gradescope reads."""
    for result in results:
        place = Path(folder) / result["student"]
        place.mkdir(parents=True, exist_ok=True)
        _replace(place / "results.json", json.dumps(gradescope(result), indent=1) + "\n")


def gradescope(result):
    """One result as Gradescope's ``results.json``; written answers are left to Gradescope's own rubric."""
    return {
        "execution_time": result["seconds"],
        "output": " ".join([result["status"], *result["remarks"]]),
        "output_format": "text",
        "visibility": "after_published",
        "tests": [
            {
                "name": part["title"],
                "number": str(number),
                "score": part["points"],
                "max_score": part["max"],
                "status": "passed" if part["kind"] == "right" else "failed",
                "output": part["message"],
                "output_format": "text",
            }
            for number, part in enumerate(result["questions"].values(), 1)
            if part["kind"] != "by hand"
        ],
    }


def _maximum(result):
    return sum(part["max"] for part in result["questions"].values())


def _safe(cell):
    return f"'{cell}" if cell.startswith(FORMULA) and not _is_number(cell) else cell


def _is_number(text):
    try:
        return bool(float(text)) or True
    except ValueError:
        return False


def _replace(path, text):
    """Write ``text`` to ``path`` in one step, so that no one finds half a file."""
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8", newline="")
    os.replace(new, path)
