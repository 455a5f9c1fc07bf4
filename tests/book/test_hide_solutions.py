"""A book for a class: solutions go from pages, search and downloads, exercises and hints stay."""

import copy
import json
import os
import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from small_book import METADATA, ROOT, Book

sys.path.insert(0, str(ROOT / "book" / "_ext"))

from hide_solutions import without_solutions  # noqa: E402

EXERCISE = ":::{{exercise}}\n:label: ex-{0}\n\nask{0}\n\n*Hint.* hint{0}\n:::\n\n"
CELLS = [
    new_markdown_cell("# A chapter\n\n## Theorem\n\nkept0"),
    new_code_cell("print('kept' + '1')"),
    new_markdown_cell(
        "## Exercises\n\n"
        + EXERCISE.format(1)
        + ":::{solution} ex-1\n:class: dropdown\n\nsecret1\n\n$$secret2$$\n:::"
    ),
    new_code_cell("print('secret' + '3')"),
    new_markdown_cell(EXERCISE.format(2) + ":::{solution-start} ex-2\n:class: dropdown\n:::\n\nsecret4"),
    new_code_cell("print('secret' + '5')"),
    new_markdown_cell(
        "secret6\n\n:::{solution-end}\n:::\n\n"
        + EXERCISE.format(3)
        + ":::{solution} ex-3\nsecret7\n:::\n\nkept2"
    ),
    new_markdown_cell("## Sources\n\nkept3"),
    new_code_cell("print('kept' + '4')"),
]
ASKED = {f"{word}{k}" for word in ("ask", "hint") for k in (1, 2, 3)}


def words(text):
    return set(re.findall(r"(?:secret|kept|ask|hint)\d", re.sub(r"' \+ '", "", text)))


def test_a_notebook_without_its_solutions():
    notebook = json.loads(nbformat.writes(new_notebook(cells=copy.deepcopy(CELLS))))
    left = "\n".join("".join(cell["source"]) for cell in without_solutions(notebook))
    assert words(left) == ASKED | {"kept0", "kept1", "kept2", "kept3", "kept4"}
    assert "{solution" not in left and left.count(":::{exercise}") == 3


@pytest.mark.parametrize("path", sorted((ROOT / "chapters").glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_chapter_keeps_a_solution_or_loses_an_exercise(path):
    before = json.loads(path.read_text())
    text = "\n".join("".join(cell["source"]) for cell in before["cells"])
    after = list(without_solutions(before))
    left = "\n".join("".join(cell["source"]) for cell in after)
    assert "{solution" in text and "{solution" not in left
    assert left.count("{exercise}") == text.count("{exercise}") > 0
    assert "## Sources" in left  # what follows the exercises stays


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A book of one chapter, built by the project's settings, with solutions and without."""
    folder = Book(tmp_path_factory.mktemp("book")).folder
    (folder / "book" / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n  - file: chapters/a\n"
    )
    nbformat.write(new_notebook(cells=CELLS, metadata=METADATA), folder / "chapters" / "a.ipynb")
    pages = {}
    for solutions in ("yes", "no"):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from jupyter_book.cli.main import main; main()",
                "build",
                str(folder),
                "--all",
                "--toc",
                str(folder / "book" / "_toc.yml"),
                "--path-output",
                str(folder / solutions),
                "-W",
                "-n",
                "--keep-going",
                "-q",
            ],
            env={**os.environ, "SOLUTIONS": solutions},
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        pages[solutions] = folder / solutions / "_build" / "html"
    return pages


def test_a_built_book_without_solutions(built):
    files = ["chapters/a.html", "_sources/chapters/a.ipynb", "searchindex.js"]
    for file in files:
        found = {solutions: words((place / file).read_text()) for solutions, place in built.items()}
        hidden = {word for word in found["yes"] if word.startswith("secret")}
        assert hidden and found["yes"] - found["no"] == hidden, file
        assert found["no"] >= ASKED, file
