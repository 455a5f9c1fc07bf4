"""Pages of the built book as trees; a chapter takes seconds to parse, so each is parsed once."""

from functools import cache

from bs4 import BeautifulSoup


@cache
def parse(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
