"""No solution of an assignment, no hidden test and no marker is in a student's notebook or in the book."""

import html
import json
import re
from pathlib import Path

import nbformat
import pytest

from deepdyn_np.classroom.release import solution_lines

ROOT = Path(__file__).resolve().parents[2]
MASTERS = sorted((ROOT / "book" / "assignments").glob("*/*.ipynb"))
MARKERS = {"###BEGINSOLUTION", "###ENDSOLUTION", "###BEGINHIDDENTESTS", "###ENDHIDDENTESTS"}
TEXT = {".html", ".ipynb", ".js", ".json", ".md", ".txt", ".py", ".inv", ".xml"}


def squeezed(text):
    """``text`` without blanks: what a page breaks into lines is found all the same."""
    return re.sub(r"\s+", "", text)


def secrets():
    """The lines that no student may see, squeezed; without the short ones, and those of the chapters' own code."""
    chapters = "".join(shown(path) for path in (ROOT / "chapters").glob("*.ipynb"))
    lines = {squeezed(line) for master in MASTERS for line in solution_lines(master)}
    return {line for line in lines if len(line) >= 20 and line not in chapters}


def shown(path):
    """What a reader of the file can read, squeezed: the cells of a notebook, a page without its tags."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    if path.suffix == ".html":
        text = html.unescape(re.sub(r"<[^>]*>", "", text))
    return squeezed(text)


def leaks(folder):
    """Pairs of a file below ``folder`` and a secret or a marker that it shows."""
    wanted = secrets() | MARKERS
    return [(path.name, line) for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix in TEXT
            for text in [shown(path)] for line in wanted if line in text]


def test_the_masters_have_secrets():
    assert len(MASTERS) >= 2 and len(secrets()) > 100


def test_student_versions_show_no_solution():
    student_versions = ROOT / "chapters" / "assignments"
    assert {path.name for path in student_versions.glob("*.ipynb")} == {path.name for path in MASTERS}
    assert leaks(student_versions) == []


def test_the_book_shows_no_solution(site):
    # the page for instructors says what the markers are, and the search knows its text
    files = ("instructors.html", "instructors.md", "search_texts.js")
    assert set(leaks(site)) <= {(file, marker) for file in files for marker in MARKERS}


@pytest.mark.parametrize("kind", ["page", "notebook", "search index"])
def test_a_leak_is_found(tmp_path, kind):
    secret = "Ddot = (Ddot @ W[k] + D @ V[k]) * slope"
    assert squeezed(secret) in secrets()
    if kind == "page":
        page = f"<pre><span>{html.escape(secret).replace(' @', '</span> <span>@')}</span></pre>"
        (tmp_path / "page.html").write_text(page)
    elif kind == "notebook":
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1\n" + secret)])
        nbformat.write(notebook, tmp_path / "notebook.ipynb")
    else:
        (tmp_path / "searchindex.js").write_text(f'Search.setIndex({{"text": "{secret}"}})')
    assert {line for _, line in leaks(tmp_path)} == {squeezed(secret)}
