"""nbgrader itself takes the masters as they are; run by ``make test-extras``.

Its students' notebook equals ours in the normal form: without the checksum and the type of a cell,
which nbgrader notes for its own grading.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.parent.name for path in (ROOT / "book" / "assignments").glob("*/questions.py"))


def nbgrader(*arguments, course):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it calls alembic by its name
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """An nbgrader course: our masters as its sources, unchanged, and the students' notebooks it made."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "nbgrader_config.py").write_text(
        "c = get_config()\nc.CourseDirectory.course_id = 'book'\nc.ExecutePreprocessor.timeout = 120\n"
    )
    for name in NAMES:
        (folder / "source" / name).mkdir(parents=True)
        shutil.copy(ROOT / "book" / "assignments" / name / f"{name}.ipynb", folder / "source" / name)
        nbgrader("generate_assignment", name, "--create", course=folder)
    return folder


def normal(path):
    """The notebook at ``path`` without what nbgrader notes of a cell when it makes the students' version."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for key in ("checksum", "cell_type"):
            cell.metadata.get("nbgrader", {}).pop(key, None)
    return notebook


@pytest.mark.parametrize("name", NAMES)
def test_its_students_notebook_is_ours(course, name):
    theirs, ours = (
        normal(course / "release" / name / f"{name}.ipynb"),
        normal(ROOT / "chapters" / "assignments" / f"{name}.ipynb"),
    )
    assert theirs == ours


@pytest.mark.parametrize("name", NAMES)
def test_it_validates_the_master_and_not_the_students_notebook(course, name):
    assert "Success" in nbgrader("validate", f"source/{name}/{name}.ipynb", course=course)
    assert "failed" in nbgrader(
        "validate", str(ROOT / "chapters" / "assignments" / f"{name}.ipynb"), course=course
    )


@pytest.mark.parametrize("name", NAMES)
def test_it_grades_the_master_fully_and_the_students_notebook_with_nothing(course, name):
    for student, source in (("right", course / "source" / name), ("empty", course / "release" / name)):
        place = course / "submitted" / student / name
        place.mkdir(parents=True)
        shutil.copy(source / f"{name}.ipynb", place)
    nbgrader("autograde", name, "--create", "--force", course=course)
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        scores = {
            student: {
                grade.cell.name: (grade.auto_score, grade.max_score)
                for grade in book.find_submission_notebook(name, name, student).grades
            }
            for student in ("right", "empty")
        }
    assert scores["right"].keys() == scores["empty"].keys()
    tested = {question for question, (score, _) in scores["right"].items() if score is not None}
    assert len(tested) >= 5
    assert all(scores["right"][question][0] == scores["right"][question][1] for question in tested)
    assert all(not scores["empty"][question][0] for question in tested)
