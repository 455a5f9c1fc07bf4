"""The small assignment of `toy`, in a folder of its own."""

import sys
from pathlib import Path

import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from toy_assignment import QUESTIONS, master  # noqa: E402


@pytest.fixture
def toy(tmp_path):
    """The folder of the toy assignment."""
    folder = tmp_path / "hw00_toy"
    folder.mkdir()
    (folder / "questions.py").write_text(QUESTIONS)
    nbformat.write(master(), folder / "hw00_toy.ipynb")
    return folder
