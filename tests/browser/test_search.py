"""Search finds the words around the formulas, shows them in plain language, and does not know TeX."""

import re
from urllib.parse import quote

import pytest

from browser.rules import FORMULAS

RESULTS = """
return [...document.querySelectorAll("#search-results li")].map(entry => ({
  page: new URL(entry.querySelector("a").href).pathname.split("/").slice(-2).join("/"),
  title: entry.querySelector("a").textContent, excerpt: entry.querySelector(".context")?.textContent ?? ""}));
"""
NOISE = re.compile(r"\\[a-zA-Z]|\$|:::|\{[a-z]+\}`|\{\\"  # TeX, directives and roles of the source
                   r"|\blVert|mathbb|\bfrac\b|operatorname"
                   r"|</?(?:span|div|p|a|mjx)\b")


def search(browser, place, query):
    browser.open(place / f"search.html?q={quote(query)}")
    return browser.run(RESULTS)


@pytest.mark.parametrize("query, page, words", [
    ("residual", "chapters/03_max_margin.html", ["residual"]),
    ("neural collapse", "chapters/19_neural_collapse.html", ["neural", "collapse"]),
    ("imbalance of layers", "chapters/10_balance.html", ["imbalance"]),
    ("Hessian-vector product", "chapters/01_hand_derived_gradients.html", ["Hessian"]),
])
def test_the_chapter_of_a_word_comes_first(browser, place, query, page, words):
    results = search(browser, place, query)
    # the glossary may say first what the word means
    assert next(found["page"] for found in results if found["page"] != "book/glossary.html") == page
    excerpts = " ".join(found["excerpt"] for found in results if found["page"] == page)
    assert all(word.lower() in excerpts.lower() for word in words)
    assert browser.console() == []
    _, failed = browser.traffic()
    assert failed == []


@pytest.mark.parametrize("query", ["gradient", "margin", "rank", "theorem", "step", "norm"])
def test_titles_and_excerpts_are_plain_language(browser, folder, query):
    results = search(browser, folder, query)
    assert len(results) >= 3 and sum(len(found["excerpt"]) > 60 for found in results) >= 3
    noisy = [found for found in results if NOISE.search(found["title"] + found["excerpt"])]
    assert noisy == []


@pytest.mark.parametrize("query", ["lVert", "mathbb", "tfrac", "operatorname"])
def test_no_chapter_is_found_by_its_tex(browser, folder, query):
    assert [found for found in search(browser, folder, query) if found["page"].startswith("chapters/")] == []


def test_commands_of_tex_are_no_words_of_the_index(browser, folder):
    search(browser, folder, "fraction")
    words = set(browser.run("return Object.keys(Search._index.terms)"))
    assert "fraction" in words  # "frac" alone finds this word, and nothing else
    commands = {"frac", "tfrac", "lvert", "rvert", "mathbb", "mathcal", "langl", "quad", "nabla", "operatornam"}
    assert not words & commands


def test_a_place_found_opens_with_its_formulas(browser, served):
    """Sphinx would mark the words in the page, also inside of TeX, which tears the formula."""
    first = search(browser, served, "min")[0]
    browser.run("document.querySelector('#search-results a').click()")
    browser.settle()
    assert browser.driver.current_url.split("#")[0] == served / first["page"]
    assert browser.run(FORMULAS) == [] and served.errors == []


def test_a_word_that_is_nowhere_is_answered(browser, folder):
    assert search(browser, folder, "zeppelin") == []
    assert "No page" in browser.run("return document.querySelector('#search-results').innerText")
