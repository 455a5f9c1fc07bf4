"""What depends on where the book is published: nothing leads anywhere until CITATION.cff says where."""

import re
import sys

import pytest
import yaml
from bs4 import BeautifulSoup
from small_book import ROOT, Book

sys.path[:0] = [str(ROOT / "book"), str(ROOT / "book" / "_ext")]

import build  # noqa: E402
import pdf  # noqa: E402
from publication import ConfigError, read_publication  # noqa: E402

REPOSITORY, SITE = "https://github.com/some-body/deep.dynamics", "https://some-body.github.io/deep.dynamics"
TITLE = "Deep dynamics: the executable textbook of deep-network training dynamics"


@pytest.fixture
def book(tmp_path):
    book = Book(tmp_path)
    (tmp_path / "book" / "how_to_run.md").write_text((ROOT / "book" / "how_to_run.md").read_text())
    return book


def publish(book, **entries):
    """Set entries of CITATION.cff, or remove those that are None."""
    path = book.folder / "CITATION.cff"
    cff = yaml.safe_load(path.read_text()) | entries
    path.write_text(yaml.safe_dump({key: value for key, value in cff.items() if value is not None}))


def build_one_chapter(book, *options):
    """Build a book of one chapter and the page on running it; return the two pages."""
    book.write(**{"07_one": ("**You will be able to**\n\n- read it: $x^2$.", "print(1)")})
    book.list("chapters/07_one", "book/how_to_run")
    result = book.build(*options)
    assert result.returncode == 0, result.stdout + result.stderr
    return [BeautifulSoup((book.html / f"{page}.html").read_text(encoding="utf-8"), "html.parser")
            for page in ("chapters/07_one", "book/how_to_run")]


def outside(page):
    return {link["href"] for link in page.select("[href]") if re.match(r"\w+:|//", link["href"])}


def test_a_book_without_an_address_leads_nowhere(book):
    publish(book, **{"repository-code": None, "url": None})
    for page in build_one_chapter(book):
        assert outside(page) == set()
        assert not page.find(string=re.compile("Binder|Colab|Repository|pip install git"))
        assert not page.select("a[href*='pdf/']")
    assert "@incollection{deepdyn2026one," in (book.html / "chapters" / "07_one.html").read_text()


@pytest.mark.skipif(pdf.find_chromium() is None,
                    reason="Chromium is not installed, so no page can be printed")
def test_a_published_book_leads_to_its_repository_and_prints(book):
    publish(book, **{"repository-code": REPOSITORY, "url": SITE})
    chapter, how_to_run = build_one_chapter(book, "--pdf")
    issue = next(link for link in outside(chapter) if "issues/new" in link)
    assert issue.startswith(f"{REPOSITORY}/issues/new?")
    assert outside(chapter) - {issue} == {
        REPOSITORY, f"{SITE}/chapters/07_one.html",
        "https://mybinder.org/v2/gh/some-body/deep.dynamics/main?urlpath=lab/tree/chapters/07_one.ipynb",
        "https://colab.research.google.com/github/some-body/deep.dynamics/blob/main/chapters/07_one.ipynb"}
    assert f"%pip install git+{REPOSITORY}" in [code.text for code in how_to_run.select("code")]
    cite = chapter.select_one(".how-to-cite")
    assert f"Chapter 7 of {TITLE}, version 0.1.0. {SITE}/chapters/07_one.html" in cite.p.text
    assert f"url       = {{{SITE}/chapters/07_one.html}}" in cite.pre.text

    prints = {link["href"] for link in chapter.select("a[href*='pdf/']")}
    assert prints == {"../pdf/07_one.pdf", "../pdf/deep_dynamics.pdf"}
    assert all((book.html / "chapters" / name).stat().st_size > 5000 for name in prints)
    whole = pdf.PdfReader(book.html / "pdf" / "deep_dynamics.pdf")
    assert [entry.title for entry in whole.outline if not isinstance(entry, list)] == [
        TITLE, "A small book", "Chapter 07_one", "How to run it", "Claims", "Run times"]
    contents = whole.pages[0].extract_text().split()
    assert contents[contents.index("07_one") + 1] == str(1 + next(
        number for number, page in enumerate(whole.pages) if "read it" in page.extract_text()))


def test_no_page_links_to_a_pdf_that_was_not_printed(monkeypatch, tmp_path):
    def no_paper(html):
        raise pdf.PrintFailed("no paper")

    (tmp_path / "html").mkdir()
    monkeypatch.setattr(build, "BUILD", tmp_path)
    monkeypatch.setattr(build, "print_book", no_paper)
    with pytest.raises(SystemExit, match="no paper"):
        build.print_pdfs()
    assert not (tmp_path / "html").exists()


@pytest.mark.parametrize("entries", [{"repository-code": "https://github.com/only-owner"},
                                     {"repository-code": "git@github.com:some/body.git"},
                                     {"url": "some-body.github.io"}])
def test_an_address_of_another_form_is_refused(book, entries):
    publish(book, **entries)
    with pytest.raises(ConfigError, match=f"{next(iter(entries))} must"):
        read_publication(book.folder)


def test_a_person_and_a_group_are_cited_by_name(book):
    publish(book, authors=[{"given-names": "Ann", "family-names": "Lee"}, {"name": "The others"}])
    read = read_publication(book.folder)
    assert read.authors == ("Ann Lee", "The others") and read.bibtex_authors == ("Ann Lee", "{The others}")


def test_the_workflow_only_calls_make():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "book.yml").read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert [step["run"] for step in steps if "run" in step] == ["make test", "make book"]
    used = [step["uses"] for step in steps if "uses" in step]
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+\.\d+\.\d+", name) for name in used)
    assert {name.partition("@")[0] for name in used} == {
        "actions/checkout", "actions/setup-python", "actions/upload-pages-artifact", "actions/deploy-pages"}
    assert next(step for step in steps if "upload" in step.get("uses", ""))["with"]["path"] == "_build/html"


def test_binder_gets_the_package_and_the_pinned_versions():
    pins = {re.sub(r"\s*;.*", "", line) for line in (ROOT / "requirements.txt").read_text().splitlines()}
    binder = (ROOT / ".binder" / "requirements.txt").read_text()
    lines = [line for line in binder.splitlines() if line[0] != "#"]
    assert lines[-1] == "." and set(lines[:-1]) <= pins
    assert {re.match(r"\w+", line)[0] for line in lines[:-1]} == {"numpy", "matplotlib"}
    assert (ROOT / ".binder" / "runtime.txt").read_text() == "python-3.12\n"


def test_every_form_for_a_report_is_complete():
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert [form.stem for form in forms] == ["code", "mathematics", "text"]
    for form in forms:
        content = yaml.safe_load(form.read_text())
        assert content["name"] and content["description"] and all(field["id"] for field in content["body"])
