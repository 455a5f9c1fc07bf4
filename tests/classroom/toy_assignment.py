"""A small assignment of three questions, and ways to hand in work for it."""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

QUESTIONS = """
import numpy as np
from deepdyn_np.classroom.questions import Assignment, Function, Mistake, Number, Written, personal_rng

def data(student):
    return {"x": personal_rng(student).normal(size=5)}

def inputs(rng, draw):
    return rng.normal(size=(2 + draw, 3)), rng.normal(size=3)

ASSIGNMENT = Assignment("hw00_toy", "A toy", "01_hand_derived_gradients", (
    Number("mean", 2, "The mean", lambda data: data["x"].mean(),
           mistakes=(Mistake("This is the sum, not the mean.", lambda data: data["x"].sum()),)),
    Function("scores", 3, "The scores", lambda X, w: X @ w, inputs,
             mistakes=(Mistake("The sign is turned.", lambda X, w: -X @ w),)),
    Written("why", 1, "Why?"),
), data)
"""
SETUP = "import hashlib\nimport numpy as np"
DATA = (
    "seed = hashlib.sha256(student.strip().lower().encode()).digest()[:8]\n"
    "x = np.random.default_rng(int.from_bytes(seed, 'big')).normal(size=5)"
)
MEAN = "### BEGIN SOLUTION\nmean = x.mean()\n### END SOLUTION"
SCORES = "def scores(X, w):\n    ### BEGIN SOLUTION\n    return X @ w\n    ### END SOLUTION"
WHY = "Because it is so."


def role(name, points=None, solution=False):
    """nbgrader's metadata of a cell."""
    grade = {} if points is None else {"points": points}
    return {
        "nbgrader": {
            "grade_id": name,
            "grade": points is not None,
            "solution": solution,
            "task": False,
            "locked": not solution,
            "schema_version": 3,
            **grade,
        }
    }


def master():
    """The solved toy, as a notebook."""
    cells = [
        new_markdown_cell("# A toy"),
        new_code_cell(SETUP),
        new_code_cell('student = "ann"'),
        new_code_cell(DATA, metadata=role("data")),
        new_code_cell(MEAN, metadata=role("mean-answer", solution=True)),
        new_code_cell(
            "# graded: mean\n### BEGIN HIDDEN TESTS\nassert np.isclose(mean, x.mean())\n### END HIDDEN TESTS",
            metadata=role("mean", 2),
        ),
        new_code_cell(SCORES, metadata=role("scores-answer", solution=True)),
        new_code_cell(
            "# graded: scores\n### BEGIN HIDDEN TESTS\nassert scores(np.eye(2), np.ones(2))[0] == 1\n"
            "### END HIDDEN TESTS",
            metadata=role("scores", 3),
        ),
        new_markdown_cell(WHY, metadata=role("why", 1, solution=True)),
    ]
    for number, cell in enumerate(cells):
        cell.id = f"toy-{number}"
    return new_notebook(
        cells=cells,
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )


def work(student, *cells, mean="mean = x.mean()", scores="def scores(X, w):\n    return X @ w", claimed=None):
    """A student's notebook as text: the right answers but for what is given, and more cells before them."""
    notebook = master()
    notebook.cells[2].source = f"student = {repr(student) if claimed is None else claimed}"
    notebook.cells[4].source, notebook.cells[6].source = mean, scores
    notebook.cells[4:4] = [new_code_cell(source) for source in cells]
    return nbformat.writes(notebook)


def written(folder, **files):
    """Write ``student="text of a notebook"`` as files into ``folder``, made if need be."""
    folder.mkdir(exist_ok=True)
    for student, text in files.items():
        (folder / f"{student}.ipynb").write_text(text)
    return folder


def running(mark):
    """Process ids whose command line holds ``mark``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            pass
    return found
