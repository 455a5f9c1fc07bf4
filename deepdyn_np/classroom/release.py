"""From the solved master to the notebook that students get.

The same steps as ``nbgrader generate_assignment``, and the same result but for its checksums:
solutions become a stub, hidden tests go, outputs go, graded cells are locked.
"""

import re

import nbformat

from deepdyn_np.classroom.assignments import find_assignment, load_assignment
from deepdyn_np.classroom.notebooks import read_master
from deepdyn_np.classroom.questions import Written
from deepdyn_np.errors import expect

CODE_STUB = ("# YOUR CODE HERE", "raise NotImplementedError()")
TEXT_STUB = ("YOUR ANSWER HERE",)
REGION = re.compile(r"\b(BEGIN|END) (SOLUTION|HIDDEN TESTS)\b")


def release(master):
    """The students' notebook of the master at the path ``master``, as text.

    Raises
    ------
    ValueError
        If a marker has no partner or stands in the wrong kind of cell, or if the master and its
        questions.py do not name the same questions with the same points.
    """
    notebook = read_master(master)
    _match(notebook, load_assignment(find_assignment(master)))
    for number, cell in enumerate(notebook.cells, 1):
        role = cell.metadata.get("nbgrader", {})
        try:
            cell.source = _strip(cell, role)
        except ValueError as error:
            raise ValueError(f"{master}, cell {number}: {error}") from None
        if role.get("grade") or role.get("solution") or role.get("locked"):
            cell.metadata["deletable"] = False
            if not role.get("solution"):
                cell.metadata["editable"] = False
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    expect(
        not REGION.search("\n".join(cell.source for cell in notebook.cells)),
        "master",
        "every marker removed",
        "one left",
    )
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def solution_lines(master):
    """The lines of a master that no student may see: solutions and hidden tests."""
    for cell in read_master(master).cells:
        role, hidden = cell.metadata.get("nbgrader", {}), False
        whole = role.get("solution") and not REGION.search(cell.source)
        for line in cell.source.split("\n"):
            if mark := REGION.search(line):
                hidden = mark[1] == "BEGIN"
            elif hidden or whole:
                yield line


def _strip(cell, role):
    """The source of ``cell`` without its solutions and hidden tests."""
    stub = CODE_STUB if cell.cell_type == "code" else TEXT_STUB
    lines, inside, stubbed = [], None, False
    for line in cell.source.split("\n"):
        mark = REGION.search(line)
        if mark and mark[1] == "BEGIN":
            expect(inside is None, "marker", f"END {inside}", mark[0], "Regions cannot be nested.")
            inside = mark[2]
            wanted = "solution" if inside == "SOLUTION" else "grade"
            expect(
                role.get(wanted),
                "marker",
                f"{mark[0]} in a cell whose nbgrader metadata say {wanted}",
                "one without",
            )
            if inside == "SOLUTION":
                stubbed = True
                lines += [re.match(r"\s*", line)[0] + part for part in stub]
        elif mark:
            expect(
                inside == mark[2], "marker", f"END {inside}" if inside else "no END before its BEGIN", mark[0]
            )
            inside = None
        elif inside is None:
            lines.append(line)
    expect(inside is None, "marker", f"END {inside} in the same cell", "the end of the cell")
    return "\n".join(lines if stubbed or not role.get("solution") else stub)


def _match(notebook, assignment):
    """Raise unless the graded cells are the questions, with their points and kinds."""
    graded, seen = {}, set()
    for cell in notebook.cells:
        role = cell.metadata.get("nbgrader", {})
        name = role.get("grade_id")
        expect(not role or name not in seen, "master", "grade ids that differ", f"{name} twice")
        seen.add(name)
        if role.get("grade"):
            graded[name] = role.get("points"), bool(role.get("solution"))
    asked = {
        question.name: (question.points, isinstance(question, Written)) for question in assignment.questions
    }
    for name in {**asked, **graded}:
        expect(
            name in graded,
            "master",
            f"a graded cell with the grade id {name}, a question of questions.py",
            "none",
        )
        expect(name in asked, "master", f"questions.py to have the question {name}, a graded cell", "none")
        expect(
            graded[name] == asked[name],
            "master",
            "{} points for {} ({}), as in questions.py".format(
                asked[name][0], name, "written" if asked[name][1] else "tested"
            ),
            "{} ({})".format(graded[name][0], "written" if graded[name][1] else "tested"),
        )
