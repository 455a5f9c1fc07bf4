"""Which files were handed in, and by whom."""

from pathlib import Path

from deepdyn_np.errors import expect


def collect(place, assignment):
    """The contents of the submissions at ``place``, by student id.

    ``place`` is one notebook, a folder of files ``<student>.ipynb`` or ``<student>_<assignment>.ipynb``, or
    nbgrader's tree ``<student>/<assignment>/<assignment>.ipynb``. A link gives no content, wherever
    it points.
    """
    place = Path(place)
    expect(place.exists(), "submissions", "a folder or a notebook", f"{place}", "Is the path right?")
    if place.is_file():
        found = {_student(place, assignment): place}
    else:
        found = {}
        for path in sorted(place.iterdir()):
            if path.is_dir() and not path.is_symlink() and (path / assignment).is_dir():
                found[path.name] = _in_tree(path / assignment, assignment)
            elif path.suffix == ".ipynb":
                student = _student(path, assignment)
                expect(
                    student not in found,
                    "submissions",
                    "one file for each student",
                    f"{path.name} and {found[student].name if student in found else ''}",
                )
                found[student] = path
    expect(
        found, "submissions", "files <student>.ipynb, or folders <student>/" + assignment, f"none in {place}"
    )
    return {student: _content(path) for student, path in found.items()}


def _student(path, assignment):
    return path.stem.removesuffix(assignment).rstrip("_- ") if path.stem != assignment else assignment


def _in_tree(folder, assignment):
    """The notebook in a student's folder: that of the assignment's name, or the only one."""
    named, others = folder / f"{assignment}.ipynb", sorted(folder.glob("*.ipynb"))
    return others[0] if not named.exists() and len(others) == 1 else named


def _content(path):
    return b"" if path.is_symlink() or path.parent.is_symlink() or not path.is_file() else path.read_bytes()
