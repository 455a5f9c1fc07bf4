"""Notebooks as files: masters and the students' own."""

from dataclasses import dataclass

import nbformat
from nbformat.reader import NotJSONError
from nbformat.reader import (
    reads as read_any_version,
)  # without validation: a student's file need not be perfect

from deepdyn_np.errors import fail

LARGEST = 50 * 2**20  # bytes of a submission; figures stored in it can be large
MOST_CELLS = 1000


class NotANotebookError(ValueError):
    """A file that cannot be read as a Jupyter notebook, with the reason."""


@dataclass(frozen=True)
class Submission:
    """What is graded of a notebook: code cells with their numbers, and texts by grade id."""

    cells: list
    texts: dict


def read_master(path):
    """The notebook at ``path``, one of the instructor's own."""
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError) as error:  # nbformat's own error for bad JSON is a ValueError
        fail("master", "a Jupyter notebook", f"{path}", f"{type(error).__name__}: {error}")


def read_submission(content):
    """The submission in the bytes ``content`` of a file, whoever wrote it.

    Raises
    ------
    NotANotebookError
        With the reason in words.
    """
    if len(content) > LARGEST:
        raise NotANotebookError(f"the file is larger than {LARGEST // 2**20} MB")
    if not content.strip():
        raise NotANotebookError("the file is empty, or a link")
    try:
        notebook = nbformat.convert(read_any_version(content.decode("utf-8-sig")), 4)
        cells = [(cell["cell_type"], str(cell["source"]), cell["metadata"]) for cell in notebook["cells"]]
        grade_ids = [str(metadata.get("nbgrader", {}).get("grade_id", "")) for _, _, metadata in cells]
    except (NotJSONError, UnicodeDecodeError):
        raise NotANotebookError("the file is not a notebook: it is not JSON") from None
    except Exception:  # a stranger's file may break the reader in any way
        raise NotANotebookError("the file is not a notebook") from None
    if len(cells) > MOST_CELLS:
        raise NotANotebookError(f"the notebook has more than {MOST_CELLS} cells")
    return Submission(
        [(number, source) for number, (kind, source, _) in enumerate(cells, 1) if kind == "code"],
        {name: source for name, (_, source, _) in zip(grade_ids, cells) if name},
    )
