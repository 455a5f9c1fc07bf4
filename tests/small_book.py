"""A book of a few small chapters in a temporary folder, built by the project's own tools."""

import json
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]
METADATA = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
MARK = "with open('runs.txt', 'a') as runs:\n    runs.write('{} ')\n"


class Book:
    """A book of a few chapters in ``folder``, with the real `book/build.py`, `_config.yml` and extensions.

    Each of its chapters leaves a mark whenever it is executed.
    """

    def __init__(self, folder):
        self.folder = folder
        for part in ("_ext", "_static", "_templates"):
            shutil.copytree(ROOT / "book" / part, folder / "book" / part,
                            ignore=shutil.ignore_patterns("__pycache__"))
        pages = (ROOT / "book" / name for name in ("claims.md", "run_times.md", "references.bib"))
        for path in [*(ROOT / "book").glob("*.py"), *pages]:
            shutil.copy(path, folder / "book" / path.name)
        for name in ("_config.yml", "requirements.txt", "CITATION.cff"):
            shutil.copy(ROOT / name, folder / name)
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
            cells = [new_markdown_cell(f"# Chapter {name}\n\n{prose}"),
                     new_code_cell(MARK.format(name) + code, metadata={"claims": dict(*statements)})]
            for index, cell in enumerate(cells):
                cell.id = f"{name}-{index}"  # a chapter written twice is the same chapter
            nbformat.write(new_notebook(cells=cells, metadata=METADATA),
                           self.folder / "chapters" / f"{name}.ipynb")
        self.list(*(f"chapters/{name}" for name in chapters))

    def list(self, *pages):
        """Make ``pages``, and those made of the chapters' outputs, the table of contents."""
        files = "".join(f"  - file: {page}\n" for page in [*pages, "book/claims", "book/run_times"])
        toc = f"format: jb-book\nroot: book/index\nchapters:\n{files}"
        (self.folder / "book" / "_toc.yml").write_text(toc)

    def build(self, *options):
        return subprocess.run([sys.executable, self.folder / "book" / "build.py", "--jobs", "2", *options],
                              cwd=self.folder, capture_output=True, text=True, timeout=240)

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
        return unescape(re.sub(r"<[^>]+>", "", (self.html / page).read_text()))

    @property
    def html(self):
        return self.folder / "_build" / "html"

    @property
    def page(self):
        return self.html / "index.html"
