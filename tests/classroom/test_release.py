"""From master to students' notebook: nothing secret stays, and a faulty master is refused."""

import re

import nbformat
import pytest
from toy_assignment import MEAN, SCORES, WHY, master

from deepdyn_np.classroom.release import release, solution_lines


def source(text, number):
    return nbformat.reads(text, as_version=4).cells[number].source


def test_solutions_hidden_tests_and_outputs_are_gone(toy):
    notebook = master()
    notebook.cells[5].outputs = [nbformat.v4.new_output("stream", text="secret output")]
    notebook.cells[5].execution_count = 3
    nbformat.write(notebook, toy / "hw00_toy.ipynb")
    text = release(toy / "hw00_toy.ipynb")
    assert source(text, 4) == "# YOUR CODE HERE\nraise NotImplementedError()"
    assert source(text, 6) == "def scores(X, w):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    assert source(text, 7) == "# graded: scores"
    assert source(text, 8) == "YOUR ANSWER HERE"
    assert not re.search('secret|BEGIN|END|mean = x|X @ w|Because|execution_count": 3', text)


def test_the_result_is_the_same_every_time_and_cells_keep_their_ids(toy):
    text = release(toy / "hw00_toy.ipynb")
    assert text == release(toy / "hw00_toy.ipynb")
    cells = nbformat.reads(text, as_version=4).cells
    assert [cell.id for cell in cells] == [cell.id for cell in master().cells]
    assert "editable" not in cells[4].metadata and cells[5].metadata.editable is False


def test_the_secret_lines_are_listed(toy):
    lines = list(solution_lines(toy / "hw00_toy.ipynb"))
    assert lines == [
        "mean = x.mean()",
        "assert np.isclose(mean, x.mean())",
        "    return X @ w",
        "assert scores(np.eye(2), np.ones(2))[0] == 1",
        WHY,
    ]


def change(number, source=None, **role):
    def apply(notebook):
        cell = notebook.cells[number]
        cell.source = cell.source if source is None else source
        cell.metadata.get("nbgrader", {}).update(role)

    return apply


@pytest.mark.parametrize(
    "fault, message",
    [
        (change(4, MEAN.replace("### END SOLUTION", "")), "END SOLUTION in the same cell"),
        (change(4, MEAN.replace("### BEGIN SOLUTION", "")), "no END before its BEGIN"),
        (
            change(4, MEAN.replace("END SOLUTION", "END HIDDEN TESTS")),
            "expected END SOLUTION, got END HIDDEN TESTS",
        ),
        (change(6, SCORES.replace("return", "### BEGIN SOLUTION\n    return")), "cannot be nested"),
        (change(2, MEAN), "metadata say solution"),
        (change(4, "### BEGIN HIDDEN TESTS\n### END HIDDEN TESTS"), "metadata say grade"),
        (change(5, points=5), "2 points for mean (tested), as in questions.py, got 5"),
        (change(5, grade_id="meen"), "grade id mean, a question of questions.py, got none"),
        (change(8, solution=False), "points for why (written)"),
        (change(4, grade_id="data"), "data twice"),
        (lambda notebook: notebook.cells.pop(7), "grade id scores"),
    ],
)
def test_a_faulty_master_is_refused(toy, fault, message):
    notebook = master()
    fault(notebook)
    nbformat.write(notebook, toy / "hw00_toy.ipynb")
    with pytest.raises(ValueError, match=re.escape(message)):
        release(toy / "hw00_toy.ipynb")
