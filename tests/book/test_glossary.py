"""The glossary, and the links from the first use of its terms in the chapters."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from parsing import parse

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def first_uses():
    """The extension, imported from its file."""
    folder = str(ROOT / "book" / "_ext")
    sys.path.insert(0, folder)
    try:
        yield importlib.import_module("first_uses")
    finally:
        sys.path.remove(folder)


def chapters(site):
    found = sorted((site / "chapters").glob("*.html"))
    assert found
    return found


# --- the built pages ------------------------------------------------------------------------------


def test_the_glossary_is_sorted_and_says_each_term_once(site):
    glossary = parse(site / "book" / "glossary.html").select_one("dl.glossary")
    terms = [term.find(string=True).strip().casefold() for term in glossary.select("dt")]
    assert len(set(terms)) == len(terms) > 60
    heads = [entry.find(string=True).strip().casefold() for entry in glossary.select("dd + dt")]
    assert heads == sorted(heads)


def test_every_chapter_links_the_first_use_of_its_terms(site):
    for path in chapters(site):
        links = parse(path).select("a.first-use[href*='glossary.html#']")
        targets = [link["href"] for link in links]
        assert len(targets) >= 8 and len(targets) == len(set(targets)), path.name
        for link in links:
            assert link["id"] == "use-" + link["href"].split("#")[1]
            assert not link.find_parent(["h1", "h2", "h3", "figcaption", "table", "pre", "code"]), link
            assert link.find_parent("a") is None


def test_only_chapters_are_linked(site):
    for path in (site / "book").glob("*.html"):
        assert not parse(path).select("a.first-use"), path.name


# --- what counts as a use -------------------------------------------------------------------------


def uses(extension, source, names, second_meanings=()):
    """The words that would be linked in a text, as {first name of the term: word}."""
    env = SimpleNamespace(second_meanings=set(second_meanings),
                          glossary=[extension.Term("term-" + group[0], list(group)) for group in names])
    found = extension.first_terms(env, "chapters/03_max_margin", publish_doctree(source))
    return {term.names[0]: match.group() for term, _, match in found}


@pytest.mark.parametrize("word", ["margin", "Margins", "MARGIN"])
def test_case_and_number_do_not_matter(first_uses, word):
    assert uses(first_uses, f"Large {word} are good.", [["margin"]]) == {"margin": word}


@pytest.mark.parametrize("name, word", [("batch", "batches"), ("entropy", "entropies"), ("loss", "losses"),
                                        ("Hessian–vector product", "Hessian-vector products"),
                                        ("log-loss", "log–loss"), ("weight decay", "weight\ndecay")])
def test_plurals_dashes_and_line_ends(first_uses, name, word):
    assert list(uses(first_uses, f"There are {word} here.", [[name]])) == [name]


@pytest.mark.parametrize("text", ["a submargin", "marginal", "margin-based", "max-margin", "``margin``", ":math:`margin`",
                                  "`margin <https://example.org>`_", "::\n\n  margin", "margin\n------\n\nText"])
def test_what_is_no_use(first_uses, text):
    assert uses(first_uses, f"Title\n=====\n\nWords.\n\n{text}\n", [["margin"]]) == {}


def test_a_table_and_a_caption_are_no_prose(first_uses):
    table = "======  ======\nmargin  1\n======  ======\n\n.. figure:: a.png\n\n   The margin.\n"
    assert uses(first_uses, table, [["margin"]]) == {}


def test_the_longest_term_wins_and_leaves_the_next_use_to_the_shorter(first_uses):
    terms = [["loss"], ["log-loss"], ["log-loss time"]]
    assert uses(first_uses, "In log-loss time.", terms) == {"log-loss time": "log-loss time"}
    found = uses(first_uses, "In log-loss time the log-loss is time, and the Loss falls.", terms)
    assert found == {"log-loss time": "log-loss time", "log-loss": "log-loss", "loss": "Loss"}


def test_synonyms_share_one_first_use(first_uses):
    assert uses(first_uses, "SGD is stochastic gradient descent.", [["SGD", "stochastic gradient descent"]]) == {
        "SGD": "SGD"}


def test_a_second_meaning_is_left_alone(first_uses):
    text = "An imbalance."
    assert uses(first_uses, text, [["imbalance"]], [("imbalance", "chapters/19_neural_collapse")])
    assert not uses(first_uses, text, [["imbalance"]], [("imbalance", "chapters/03_max_margin")])


def test_a_code_cell_is_no_prose(first_uses):
    document = publish_doctree("A margin.")
    cell = nodes.container("", *document.children, classes=["cell"])
    document.children = []
    document.append(cell)
    env = SimpleNamespace(second_meanings=set(), glossary=[first_uses.Term("term-margin", ["margin"])])
    assert first_uses.first_terms(env, "chapters/x", document) == []
