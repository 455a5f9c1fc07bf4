"""The build refuses what is broken, and executes only what changed.

A small book of its own, in a temporary folder, goes through the real `book/build.py`, `_config.yml`
and extensions. Each of its chapters leaves a mark whenever it is executed.
"""

import json
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]
METADATA = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
MARK = "with open('runs.txt', 'a') as runs:\n    runs.write('{} ')\n"


class Book:
    """A book of a few chapters in ``folder``, built by the project's own tools."""

    def __init__(self, folder):
        self.folder = folder
        for part in ("_ext", "_static", "_templates"):
            shutil.copytree(ROOT / "book" / part, folder / "book" / part, ignore=shutil.ignore_patterns("__pycache__"))
        for file in ("book/build.py", "book/execute.py", "book/claims.py", "book/environment.py", "book/claims.md",
                     "book/run_times.md", "book/references.bib", "_config.yml", "requirements.txt"):
            shutil.copy(ROOT / file, folder / file)
        (folder / "book" / "index.md").write_text("# A small book\n\nOne formula: $x^2$.\n")
        (folder / "deepdyn_np").mkdir()
        (folder / "chapters").mkdir()
        self.package = folder / "deepdyn_np" / "__init__.py"
        self.package.write_text("ANSWER = 1\n")

    def write(self, **chapters):
        """Make ``chapters`` the chapters of the book: name = (prose, code) or (prose, code, statements)."""
        for path in (self.folder / "chapters").glob("*"):
            path.unlink()
        for name, (prose, code, *statements) in chapters.items():
            cells = [new_markdown_cell(f"# Chapter {name}\n\n{prose}"), new_code_cell(MARK.format(name) + code)]
            cells[1].metadata.update(claims=dict(*statements))
            for index, cell in enumerate(cells):
                cell.id = f"{name}-{index}"  # a chapter written twice is the same chapter
            nbformat.write(new_notebook(cells=cells, metadata=METADATA), self.folder / "chapters" / f"{name}.ipynb")
        files = [f"chapters/{name}" for name in chapters] + ["book/claims", "book/run_times"]
        files = "".join(f"  - file: {file}\n" for file in files)
        (self.folder / "book" / "_toc.yml").write_text(f"format: jb-book\nroot: book/index\nchapters:\n{files}")

    def build(self):
        return subprocess.run([sys.executable, self.folder / "book" / "build.py", "--jobs", "2"], cwd=self.folder,
                              capture_output=True, text=True, timeout=240)

    def executed(self):
        """Names of the chapters executed since the last call."""
        runs = self.folder / "chapters" / "runs.txt"
        names = sorted(runs.read_text().split()) if runs.exists() else []
        runs.unlink(missing_ok=True)
        return names

    def run_times(self):
        return json.loads((self.folder / "_build" / "run_times.json").read_text())

    def text(self, page):
        """A built page without its tags."""
        html = (self.folder / "_build" / "html" / page).read_text()
        return unescape(re.sub(r"<[^>]+>", "", html))

    @property
    def page(self):
        return self.folder / "_build" / "html" / "index.html"


@pytest.fixture
def book(tmp_path):
    return Book(tmp_path)


def test_only_what_changed_is_executed(book):
    book.write(a=("Text.", "print('first')"), b=("Text.", "print('second')"))
    first = book.build()
    assert first.returncode == 0, first.stdout + first.stderr
    assert book.executed() == ["a", "b"]
    assert str(book.page) in first.stdout and book.page.exists()
    assert "first" in (book.folder / "_build" / "html" / "chapters" / "a.html").read_text()
    times = book.run_times()
    assert set(times) == {"a", "b"}
    for took in times.values():
        assert took["seconds"] > 0 and took["cpu_seconds"] > 0 and took["peak_mb"] > 10 and took["jobs"] == 2

    (book.folder / "_build" / "run_times.json").unlink()
    second = book.build()
    assert second.returncode == 0, second.stdout + second.stderr
    assert book.executed() == [] and book.run_times() == times

    book.package.write_text("ANSWER = 2\n")
    third = book.build()
    assert third.returncode == 0, third.stdout + third.stderr
    assert book.executed() == ["a", "b"]


def test_a_failing_chapter_fails_the_build_and_spares_the_others(book):
    book.write(good=("Text.", "print(1)"),
               raising=("Text.", "1 / 0"),
               warning=("Text.", "import numpy as np\nnp.log(np.zeros(1))"))
    book.page.parent.mkdir(parents=True)
    book.page.write_text("the pages of the last build")

    result = book.build()
    assert result.returncode != 0
    assert "Chapter raising failed" in result.stderr and "ZeroDivisionError: division by zero" in result.stderr
    assert "Chapter warning failed" in result.stderr and "RuntimeWarning: divide by zero" in result.stderr
    assert "Chapter good failed" not in result.stderr
    assert not book.page.exists()
    assert book.executed() == ["good", "raising", "warning"]

    assert book.build().returncode != 0
    assert book.executed() == ["raising", "warning"]  # the good one stayed cached


def test_a_file_that_is_no_notebook_fails_the_build(book):
    book.write(good=("Text.", "print(1)"))
    (book.folder / "chapters" / "torn.ipynb").write_text('{"cells": [')
    result = book.build()
    assert result.returncode != 0
    assert "Chapter torn failed" in result.stderr
    assert book.executed() == ["good"]


def test_a_broken_reference_fails_the_build(book):
    book.write(lost=("See {eq}`eq-nowhere` and {prf:ref}`thm-nowhere`.", "print(1)"))
    for _ in range(2):  # the second build reads nothing anew from the first: it must fail as well
        result = book.build()
        assert result.returncode != 0
        assert "eq-nowhere" in result.stderr and "lost" in result.stderr


TOY = """import os
import deepdyn_np as dd
record = dd.check('toy/answer', {answer}, 40, atol=5)
dd.control('toy/answer', 60, 40, atol=5, breaks='no tea')
print(os.environ['OMP_NUM_THREADS'], 'thread')
"""


def test_the_claims_page_is_made_of_what_the_chapters_printed(book):
    for answer in (42, 43):
        book.write(toy=("Text.", TOY.format(answer=answer), {"toy/answer": "The answer is about $40$."}))
        result = book.build()
        assert result.returncode == 0, result.stdout + result.stderr
        [claim] = json.loads((book.folder / "_build" / "html" / "book" / "claims.json").read_text())["claims"]
        assert (claim["measured"], claim["controls"][0]["measured"]) == (answer, 60)
        assert f"The answer is about \\(40\\). toy/answer{answer}40{answer - 40}.0e+00" in book.text("book/claims.html")
        printed = ("holds  toy/answer                      measured %d       predicted 40       error %d.0e+00 <= 5\n"
                   "fails  toy/answer                      measured 60       predicted 40       error 2.0e+01  > 5\n"
                   "       control: no tea\n1 thread\n" % (answer, answer - 40))
        assert printed in book.text("chapters/toy.html")
        assert "1 claims checked, 1 controls" in book.text("chapters/toy.html")


def test_a_claim_without_a_statement_fails_the_build(book):
    book.write(toy=("Text.", TOY.format(answer=42)))
    result = book.build()
    assert result.returncode != 0 and not book.page.exists()
    assert "toy: toy/answer has 0 statements in the metadata of its cell" in result.stderr
