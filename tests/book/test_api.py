"""The pages of the package: each entry leads to its chapter, and each chapter to its entries."""

import importlib
import inspect
import re
from pathlib import Path

import nbformat
import pytest
from parsing import parse
from sphinx.util.inventory import InventoryFile

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = {path.stem: path for path in sorted((ROOT / "chapters").glob("*.ipynb"))}
SLUG = re.compile(r"\b\d\d_[a-z]+(?:_[a-z]+)*\b")


@pytest.fixture(scope="module")
def entries(site):
    """{full name: (object, its entry on the page)} of every documented function, class and exception."""
    with open(site / "objects.inv", "rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, uri: uri)
    found = {}
    for kind in ("py:function", "py:class", "py:exception"):
        for name, (_, _, uri, _) in inventory.get(kind, {}).items():
            page, anchor = uri.split("#")
            if anchor == name:  # else another name of an object that has its entry elsewhere
                found[name] = find(name), parse(site / page).find(id=name).find_parent("dl")
    assert len(found) > 100
    return found


def find(name):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def text(entry):
    return " ".join(entry.get_text().split())


def test_the_wings_have_pages_of_their_own(entries, site):
    for name in entries:
        on_theory_page = parse(site / "book" / "api" / "theory.html").find(id=name) is not None
        assert on_theory_page == name.startswith("deepdyn_np.theory."), name


def test_every_entry_names_its_chapter(entries):
    silent = [name for name, (item, _) in entries.items()
              if not re.search(r"chapters?\s+\d\d_|every\s+chapter", inspect.getdoc(item))]
    assert silent == []


def test_the_name_of_a_chapter_is_a_link_as_soon_as_the_chapter_exists(entries):
    for name, (item, entry) in entries.items():
        assert not SLUG.search(text(entry)), name
        links = {link["href"] for link in entry.select("a[href*='chapters/']")}
        for slug in SLUG.findall(inspect.getdoc(item)):
            if slug in CHAPTERS:
                assert f"../../chapters/{slug}.html" in links, (name, slug)
            else:
                assert f"{int(slug[:2])} (planned)" in text(entry), (name, slug)


def test_a_chapter_ends_with_the_entries_that_name_it(entries, site):
    for chapter in CHAPTERS:
        box = parse(site / "chapters" / f"{chapter}.html").select(".in-the-package")
        listed = {link["href"].split("#")[1] for link in box[0].select("a")}
        # methods may name a chapter too; they are no entries of their own here
        expected = {name for name, (item, _) in entries.items() if chapter in inspect.getdoc(item)}
        assert expected and expected <= listed and len(box) == 1, chapter


def test_used_from_a_chapter_on_means_its_first_use(entries):
    code = {slug: "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
            for slug, path in CHAPTERS.items()}
    for name, (item, _) in entries.items():
        for slug in re.findall(r"Used from\s+chapter\s+(\w+)\s+on", inspect.getdoc(item)):
            if inspect.isfunction(item):
                users = [chapter for chapter in code if re.search(rf"\b{item.__name__}\(", code[chapter])]
                assert users and users[0] == slug, (name, users)


def test_every_function_shows_its_source(entries, site):
    for name, (item, entry) in entries.items():
        if inspect.isfunction(item):
            link = entry.select_one("dt a:has(.viewcode-link)")
            page, anchor = link["href"].split("#")
            shown = parse((site / "book" / "api" / page).resolve()).find(id=anchor)
            assert f"def {item.__name__}(" in shown.get_text(), name
