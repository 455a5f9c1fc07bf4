"""The built book and its pages, for every test of this folder."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"


class Page(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.tags = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, {name: value or "" for name, value in attributes}))

    def of(self, *names):
        return [(tag, attributes) for tag, attributes in self.tags if tag in names]


@pytest.fixture(scope="session")
def site():
    """The pages of the current sources: `book/build.py` executes only what is not cached."""
    result = subprocess.run([sys.executable, ROOT / "book" / "build.py"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return HTML


@pytest.fixture(scope="session")
def pages(site):
    pages = [Page(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]
    assert len(pages) > 5
    return pages
