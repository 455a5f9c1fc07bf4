"""Find an assignment and load what its grader knows."""

import functools
import types
from pathlib import Path

from deepdyn_np.classroom.questions import Assignment, Function, Number, Written
from deepdyn_np.errors import expect, fail

SHELF = Path("book", "assignments")  # where a bare name is looked up, from the working folder


def find_assignment(name):
    """The folder of the assignment ``name``: a folder, a file in it, or a name in book/assignments."""
    for path in (Path(name), SHELF / name):
        folder = path if path.is_dir() else path.parent
        if path.exists() and (folder / "questions.py").is_file():
            return folder.resolve()
    known = sorted(path.parent.name for path in SHELF.glob("*/questions.py"))
    fail(
        "assignment",
        "a folder with a questions.py, or a name in book/assignments",
        f"{name}",
        f"Known here: {', '.join(known)}." if known else "Run this in the book's own folder, or give a path.",
    )


def load_assignment(folder):
    """The ``ASSIGNMENT`` of the questions.py in ``folder``.

    Raises
    ------
    ValueError
        If there is none, or if two questions have one name.
    """
    file = Path(folder) / "questions.py"
    expect(file.is_file(), "assignment", "a folder with a questions.py", f"{folder}")
    return _load(str(file), file.read_text(encoding="utf-8"))


@functools.lru_cache
def _load(file, source):
    """Run the file once for each state that it was in: a worker of a cluster lives long."""
    module = types.ModuleType(f"questions_of_{Path(file).parent.name}")
    module.__file__ = file
    exec(compile(source, file, "exec"), vars(module))
    assignment = getattr(module, "ASSIGNMENT", None)
    expect(
        isinstance(assignment, Assignment),
        f"{file}",
        "ASSIGNMENT, a questions.Assignment",
        type(assignment).__name__,
    )
    names = [question.name for question in assignment.questions]
    expect(len(set(names)) == len(names), f"{file}", "questions of different names", ", ".join(names))
    for question in assignment.questions:
        expect(
            isinstance(question, (Number, Function, Written)),
            f"{file}",
            "questions of the kinds Number, Function, Written",
            type(question).__name__,
        )
    return assignment


def master_of(folder):
    """The solved master of the assignment in ``folder``."""
    return Path(folder) / f"{Path(folder).name}.ipynb"
