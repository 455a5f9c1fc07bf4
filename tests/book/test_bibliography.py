"""The bibliography: complete, found by the reader, and nothing in it without a use."""

import json
import re
from pathlib import Path

import pytest
from parsing import parse
from pybtex.database import parse_file

ROOT = Path(__file__).resolve().parents[2]
WORKS = parse_file(str(ROOT / "book" / "references.bib")).entries
CHAPTERS = {path.stem: path for path in sorted((ROOT / "chapters").glob("*.ipynb"))}
ROLE = re.compile(r"\{cite:\w+\}`([^`]+)`")
each_work = pytest.mark.parametrize("key", WORKS)


def cited(source):
    return {key.strip() for keys in ROLE.findall(source) for key in keys.split(",")}


def markdown(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


CITED = {slug: cited(markdown(path)) for slug, path in CHAPTERS.items()}


@each_work
def test_a_work_can_be_found(key):
    """By its DOI, its arXiv number or its address; or the entry says why it has none."""
    fields = WORKS[key].fields
    if "doi" in fields:
        assert re.fullmatch(r"10\.\d{4,9}/\S+", fields["doi"])
    if "eprint" in fields:
        assert re.fullmatch(r"\d{4}\.\d{4,5}", fields["eprint"]) and fields["archiveprefix"] == "arXiv"
    found = {"doi", "eprint", "url", "isbn"} & set(fields)
    assert bool(found) != fields.get("annote", "").startswith("no identifier: "), key


@each_work
def test_a_work_has_authors_title_and_year(key):
    work = WORKS[key]
    assert work.persons["author"] and work.fields["title"] and re.fullmatch(r"\d{4}", work.fields["year"])
    # pybtex lowers what stands in no braces: an acronym or a name must stand in them
    assert not re.search(r"(?<![{A-Z])\b(SGD|ReLU|MSE|ODE|III)\b(?!\})", work.fields["title"])


def test_no_work_stands_twice():
    for field in ("doi", "eprint", "title"):
        values = [work.fields[field].casefold() for work in WORKS.values() if field in work.fields]
        assert len(values) == len(set(values)), field


def test_every_citation_has_its_work():
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "book").rglob("*.md")]
    assert set().union(*CITED.values(), *map(cited, pages)) <= set(WORKS)


@each_work
def test_a_work_is_cited_or_meant_for_a_chapter_to_come(key):
    planned = re.findall(r"\d\d_[a-z_]+", WORKS[key].fields.get("keywords", ""))
    assert any(key in keys for keys in CITED.values()) or planned
    assert not set(planned) & set(CHAPTERS), "the chapter exists: cite the work there, or drop the keyword"


def test_the_page_links_to_the_work_and_back_to_the_chapters(site):
    page = parse(site / "book" / "bibliography.html")
    entries = {entry["id"]: entry for entry in page.select(".citation")}
    assert len(entries) == len(WORKS)
    by_link = {link["href"]: entry for entry in entries.values() for link in entry.select("a[href]")}
    for key, work in WORKS.items():
        if "doi" in work.fields:
            assert f"https://doi.org/{work.fields['doi']}" in by_link
        if "eprint" in work.fields:
            entry = by_link[f"https://arxiv.org/abs/{work.fields['eprint']}"]
            for slug in (slug for slug in CHAPTERS if key in CITED[slug]):
                assert entry.select(f".cited-in a[href^='../chapters/{slug}.html#']"), (key, slug)
            if not any(key in keys for keys in CITED.values()):
                assert "(planned)" in entry.select_one(".cited-in").get_text()
