"""The claims page says what the chapters printed: no more, no less, and readable without JavaScript."""

import json
import math
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook, new_output
from oracles import few

from deepdyn_np.checks import Record, check_slope, control

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book"))

from claims import ClaimsError, anchor, collect, of_chapter, printed  # noqa: E402

CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
finite = st.floats(-1e300, 1e300)
numbers = finite | st.sampled_from([0.0, -0.0, 1e-3, 1e5, math.inf, -math.inf])


# --- reading what a cell printed ----------------------------------------------------------------


@given(kind=st.sampled_from(["check", "control"]), claim=st.from_regex(r"[a-z-]{1,20}/[\w.-]{1,60}", fullmatch=True),
       measured=numbers, predicted=finite, error=numbers,
       tolerance=st.floats(0, 1e9), entries=st.integers(1, 10**7))
@few(200)
def test_whatever_a_record_prints_is_read_back(kind, claim, measured, predicted, error, tolerance, entries):
    record = Record(kind, claim, measured, predicted, error, tolerance, entries, "the norm of w, error 3 > 2")
    if record.holds != (kind == "check"):  # checks that fail and controls that hold raise, and print nothing
        return
    [read], faults = printed(f"text before\n{record.line}\nand after\n")
    words = record.line.split("\n")[0].removeprefix(f"{'holds' if record.holds else 'fails'}  {claim}").split()
    assert faults == []
    for name in ("measured", "predicted", "error"):
        assert float(read[name]) == float(words[words.index(name) + 1])
        assert float(read[name]) == pytest.approx(getattr(record, name), rel=0.051, abs=1e-320)
    assert read["tolerance"] == float(words[words.index("<=" if record.holds else ">") + 1])
    assert (read["claim"], read["entries"]) == (claim, entries)
    assert read.get("breaks") == (None if kind == "check" else "the norm of w, error 3 > 2")
    json.dumps(read, allow_nan=False)


def test_the_uncertainty_of_a_fit_is_read(capsys):
    check_slope("a/b", [1, 2, 4], [1.0, 2.001, 4], 1, atol=0.1)
    check_slope("a/c", [1, 2, 4], [1.0, 2, 4], 1, atol=0.1)
    records, faults = printed(capsys.readouterr().out)
    assert faults == [] and [record["claim"] for record in records] == ["a/b", "a/c"]
    assert 1e-5 < records[0]["uncertainty"] < 1e-3 and records[1]["uncertainty"] < 1e-12


def test_a_control_is_read_with_what_it_broke(capsys):
    control("a/b", [5.0, 1.0], 1.0, rtol=0.1, breaks="biases: f(0) = 1")
    [record], faults = printed(capsys.readouterr().out)
    assert faults == [] and record["breaks"] == "biases: f(0) = 1" and record["entries"] == 2
    assert (record["measured"], record["error"], record["verdict"]) == (5, 4, "fails")


HOLDS = "holds  a/b                             measured 1        predicted 1        error 0.0e+00 <= 0.1"
FAILS = "fails  a/b                             measured 2        predicted 1        error 1.0e+00  > 0.1"
BROKEN = "       control: the order"


@pytest.mark.parametrize("text", [
    HOLDS.replace(" predicted 1 ", " "), HOLDS.replace("error", "off"), HOLDS.replace("0.1", ""), HOLDS + " [3",
    HOLDS + " [3] and more", HOLDS.replace("a/b", "ab"), HOLDS.replace("a/b", "a / b"), HOLDS.replace("<=", " >"),
    HOLDS.replace("measured 1", "measured one"), FAILS, f"{FAILS}\n\n{BROKEN}", f"{HOLDS}\n{BROKEN}",
    f"{FAILS.replace(' > ', '<= ')}\n{BROKEN}"])
def test_what_looks_like_a_check_and_is_none_is_a_fault(text):
    assert printed(text)[1] != []


@pytest.mark.parametrize("text", ["", "holds", "333 steps\nit holds  a/b\n  fails", "W: [(6, 4)]\nwithholds  a/b"])
def test_other_output_is_let_alone(text):
    assert printed(text) == ([], [])


# --- from lines to claims -----------------------------------------------------------------------


def chapter(*cells):
    """A notebook of cells, each given by its code, what it printed and the statements in its metadata."""
    return new_notebook(cells=[
        new_code_cell(source, metadata={"claims": statements},
                      outputs=[new_output("stream", name="stdout", text=part) for part in re.findall("(?s).{1,40}", text)])
        for source, text, statements in cells])


def line(claim, verdict="holds"):
    return (HOLDS if verdict == "holds" else f"{FAILS}\n{BROKEN}").replace("a/b", claim) + "\n"


def test_a_claim_has_its_statement_its_kind_and_its_controls():
    claims, faults = of_chapter("03_max", chapter(
        ("for n in (1, 2):\n    dd.check_below(f'a/kkt-{n}', 1, n)\ndd.check('a/kkt', 1, 1, rtol=0.1)",
         line("a/kkt-1") + line("a/kkt-2") + "2 steps\n" + line("a/kkt"),
         {"a/kkt-*": "It is at most $n$.", "a/kkt": "It is 1."}),
        ("dd.check_below(f'a/{name}', 1, 2)\ncheck_slope(f'a/law-{name}', x, y, 1, atol=0.1)\ncontrols()",
         line("a/law-3") + line("a/kkt", "fails") + line("a/kkt", "fails").replace("order", "sign"),
         {"a/law-?": "It grows."})))
    assert faults == []
    assert [(claim["claim"], claim["kind"], claim["statement"]) for claim in claims] == [
        ("a/kkt-1", "bound", "It is at most $n$."), ("a/kkt-2", "bound", "It is at most $n$."),
        ("a/kkt", "value", "It is 1."), ("a/law-3", "exponent", "It grows.")]
    assert [[control["breaks"] for control in claim["controls"]] for claim in claims] == [
        [], [], ["the order", "the sign"], []]
    assert claims[2]["link"] == "../chapters/03_max.html#claim-a-kkt"
    assert claims[2]["controls"][1]["link"] == "../chapters/03_max.html#control-a-kkt-2"


CHECK = "dd.check('a/b', 1, 1, rtol=0.1)"


@pytest.mark.parametrize("cells, fault", [
    ([(CHECK, line("a/b"), {})], "a/b has 0 statements"),
    ([(CHECK, line("a/b"), {"a/b": "One.", "a/*": "Two."})], "a/b has 2 statements"),
    ([(CHECK, line("a/b"), {"a/b": "One.", "a/c": "Two."})], "the statement a/c belongs to no check"),
    ([(CHECK, line("a/b") + "fails  here\n", {"a/b": "One."})], "cannot be read as one"),
    ([(CHECK, line("a/b"), {"a/b": "One."})] * 2, "a/b is checked twice"),
    ([("control()", line("a/b", "fails"), {})], "the control a/b belongs to no check"),
    ([("dd.check('a/c', 1, 1, rtol=0.1)", line("a/b"), {"a/b": "One."})], "calls no check of this name"),
])
def test_a_chapter_that_does_not_say_what_it_claims(cells, fault):
    found = of_chapter("03_max", chapter(*cells))[1]
    assert len(found) == 1 and fault in found[0]
    with pytest.raises(ClaimsError, match=f"^03_max: .*{fault}"):
        collect({"03_max": chapter(*cells)})


def test_two_claims_never_share_an_address():
    assert anchor("max-margin/ratio-0.5-B") == "claim-max-margin-ratio-0-5-b"
    one, other = ((f"dd.check('{name}', 1, 1, rtol=0.1)", line(name), {name: "It is."})
                  for name in ("a/b-c", "a-b/c"))
    with pytest.raises(ClaimsError, match="a-b/c would have the address of a/b-c in first"):
        collect({"first": chapter(one), "second": chapter(other)})


# --- the pages of the book ----------------------------------------------------------------------


class Page(HTMLParser):
    """The rows, links and ids of a page as a browser without JavaScript gets them."""

    def __init__(self, path):
        super().__init__()
        self.path, self.ids, self.rows, self.links, self.hidden, self.words = path, set(), {}, [], [], []
        self._row, self._open = None, []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids.add(attributes.get("id"))
        if "hidden" in attributes:
            self.hidden.append(tag)
        if "data-claim" in attributes:
            self._row = self.rows[attributes["data-claim"]] = {
                "id": attributes["id"], "chapter": attributes["data-chapter"], "values": {}, "links": [], "text": ""}
        if "data-value" in attributes:
            self._row["values"][attributes["data-label"]] = attributes["data-value"]
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
            if self._row:
                self._row["links"].append(attributes["href"])

    def handle_endtag(self, tag):
        if tag == "tr":
            self._row = None

    def handle_data(self, data):
        self.words.append(data)
        if self._row:
            self._row["text"] += data

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def records(site):
    return json.loads((site / "book" / "claims.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(site):
    return Page(site / "book" / "claims.html")


def lines_of(path):
    """The names of checks and controls in the stored outputs, without the code that the page is made by."""
    cells = nbformat.read(path, as_version=4).cells
    output = "".join(part.get("text", "") for cell in cells for part in cell.get("outputs", []))
    words = [text.split() for text in output.splitlines()]
    return [word[1] for word in words if word[:1] == ["holds"]], [word[1] for word in words if word[:1] == ["fails"]]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_check_and_control_of_a_chapter_is_listed(path, records, page):
    checks, controls = lines_of(path)
    listed = [claim for claim in records["claims"] if claim["chapter"] == path.stem]
    assert [claim["claim"] for claim in listed] == checks
    assert sorted(claim["claim"] for claim in listed for _ in claim["controls"]) == sorted(controls)
    [counts] = [counts for counts in records["chapters"] if counts["chapter"] == path.stem]
    assert (counts["checks"], counts["controls"]) == (len(checks), len(controls))
    assert counts["without_control"] == len(set(checks) - set(controls))
    assert [name for name, row in page.rows.items() if row["chapter"] == path.stem] == checks


def test_the_totals_are_those_of_all_chapters(records, page):
    checks, controls = zip(*map(lines_of, CHAPTERS))
    checks, controls = sum(checks, []), sum(controls, [])
    totals = records["about"]["totals"]
    assert totals == {"chapters": len(CHAPTERS), "checks": len(checks), "controls": len(controls),
                      "without_control": len(set(checks) - set(controls))}
    assert f"claims, each with a check {len(checks)} controls {len(controls)}" in page.text


def test_the_page_shows_what_the_records_say(records, page):
    for claim in records["claims"]:
        row = page.rows[claim["claim"]]
        for name in ("measured", "predicted", "error", "tolerance", "verdict"):
            assert row["values"][name.capitalize()] == str(claim[name])
        for words in claim["statement"].split("$")[::2]:
            assert words in row["text"].replace("’", "'")
        for formula in claim["statement"].split("$")[1::2]:
            assert rf"\({formula}\)" in row["text"]
        for control in claim["controls"]:
            assert control["breaks"] in row["text"] and control["error"] > control["tolerance"]
        assert ("no control" in row["text"]) == (not claim["controls"])


def test_nothing_but_the_filter_waits_for_javascript(page):
    assert page.hidden == ["form"]


def test_links_lead_to_the_very_output_and_back(site, records, page):
    pages = {claim["chapter"]: Page(site / "chapters" / f"{claim['chapter']}.html") for claim in records["claims"]}
    for name, row in page.rows.items():
        chapter = pages[row["chapter"]]
        for href in row["links"]:
            file, _, target = href.partition("#")
            assert (page.path.parent / file).resolve() == chapter.path and target in chapter.ids
        assert f"../book/claims.html#{row['id']}" in chapter.links
    for href in page.links:
        if href.startswith("#"):
            assert href == "#" or href[1:] in page.ids
    for name, chapter in pages.items():
        for href in chapter.links:
            if "book/claims.html#" in href:
                assert href.partition("#")[2] in page.ids


def test_each_chapter_ends_with_what_it_claims(site, records):
    for counts in records["chapters"]:
        page = Page(site / "chapters" / f"{counts['chapter']}.html")
        assert f"{counts['checks']} claims checked, {counts['controls']} controls" in page.text
        assert f"../book/claims.html#claims-{counts['chapter'].replace('_', '-')}" in page.links


# --- statements ---------------------------------------------------------------------------------


def test_statements_are_short_sentences_with_whole_formulas(records):
    for claim in records["claims"]:
        statement = claim["statement"]
        assert re.match(r"[A-Z$]", statement) and statement.endswith("."), claim["claim"]
        assert statement.count("$") % 2 == 0 and len(statement) <= 280, claim["claim"]
        words = re.sub(r"\$[^$]*\$", "", statement)
        assert "\\" not in words and "`" not in words and "*" not in words, claim["claim"]
