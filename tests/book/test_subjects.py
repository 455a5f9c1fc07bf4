"""The index of subjects: every term, every theorem, in the order of the alphabet."""

import re

import pytest
from parsing import parse


@pytest.fixture(scope="module")
def index(site):
    """{subject: its line} as the page shows it."""
    lines = parse(site / "book" / "subjects.html").select(".index-entries li")
    return {line.get_text().split(":")[0].strip(): line for line in lines}


def test_every_term_of_the_glossary_is_in_the_index(index, site):
    for entry in parse(site / "book" / "glossary.html").select("dl.glossary dd"):
        term = entry.find_previous_siblings("dt")
        first = re.sub(r"\s*#$", "", term[-1].get_text().strip()) if len(term) == 1 else None
        if first:
            assert "glossary" in index[first].get_text()


def test_every_theorem_with_a_title_is_in_the_index(index, site):
    known = {subject.casefold() for subject in index}
    count = 0
    for path in (site / "chapters").glob("*.html"):
        for title in parse(path).select(".proof > .admonition-title"):
            if match := re.fullmatch(r"\w+ [\d.]+ \((.*)\)", " ".join(title.get_text().split())):
                count += 1
                assert match[1].casefold() in known, match[1]
    assert count > 12


def test_a_term_leads_to_its_first_use_in_each_chapter(index, site):
    for path in (site / "chapters").glob("*.html"):
        for link in parse(path).select("a.first-use[id]"):
            places = parse(site / "book" / "subjects.html").select(f"a[href='../chapters/{path.name}#{link['id']}']")
            assert len(places) == 1 and places[0].get_text() == f"chapter {int(path.name[:2])}"


def test_the_index_is_in_alphabetical_order(index):
    subjects = [subject.casefold().removeprefix("the ") for subject in index]
    assert subjects == sorted(subjects) and len(subjects) > 80


def test_the_index_is_reached_from_every_page(site):
    for path in [site / "book" / "index.html", *(site / "chapters").glob("*.html")]:
        assert parse(path).select_one("nav a[href$='subjects.html']"), path.name
