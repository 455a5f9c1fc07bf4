"""The build refuses what is broken, and executes only what changed, tried on a small book."""

import json
import re
import shutil

import pytest
from small_book import ROOT, Book


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
def test_a_chapter_made_from_the_template_builds(book):
    shutil.copy(ROOT / "book" / "template" / "NN_slug.ipynb", book.folder / "chapters" / "98_slug.ipynb")
    shutil.copy(ROOT / "book" / "bibliography.md", book.folder / "book" / "bibliography.md")
    book.list("chapters/98_slug", "book/bibliography")
    result = book.build()
    assert result.returncode == 0, result.stdout + result.stderr
    page = (book.html / "chapters" / "98_slug.html").read_text(encoding="utf-8")
    assert "98_slug" in result.stdout and "error of gradient descent" in page and "Chapter 98 of" in page
    assert "Runs in" in page
