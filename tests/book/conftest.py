"""The pages of the built book, for every test of this folder."""

from html.parser import HTMLParser

import pytest


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
def pages(site):
    pages = [Page(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]
    assert len(pages) > 5
    return pages
