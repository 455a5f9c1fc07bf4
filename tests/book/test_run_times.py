"""The run-time page has the numbers of the last build, and every chapter keeps its budget."""

import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = [path.stem for path in sorted((ROOT / "chapters").glob("*.ipynb"))]
MAX_SECONDS, MAX_MB = 60, 1000  # what the page promises


@pytest.fixture(scope="module")
def run_times(site):
    return json.loads((site.parent / "run_times.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def rows(site):
    """The rows of the page's tables, by their first cell."""
    html = (site / "book" / "run_times.html").read_text(encoding="utf-8")
    rows = [[unescape(re.sub(r"<[^>]+>", "", cell)).strip()
             for cell in re.findall(r"<t[dh]\b.*?</t[dh]>", row, re.DOTALL)]
            for row in re.findall(r"<tr\b.*?</tr>", html, re.DOTALL)]
    return {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_keeps_its_budget(chapter, run_times):
    # The time of the processor, not of the clock: it does not depend on what else the machine does.
    assert 0 < run_times[chapter]["cpu_seconds"] <= MAX_SECONDS
    assert 0 < run_times[chapter]["peak_mb"] <= MAX_MB


def test_the_page_shows_every_chapter(run_times, rows, site):
    records = json.loads((site / "book" / "claims.json").read_text(encoding="utf-8"))
    assert set(run_times) == set(CHAPTERS)
    for chapter in records["chapters"]:
        took = run_times[chapter["chapter"]]
        name = f"{int(chapter['chapter'][:2])}. {chapter['title']}"
        assert rows[name] == [f"{took['seconds']:.1f}", f"{took['cpu_seconds']:.1f}", str(took["peak_mb"]),
                              str(took["jobs"]), str(chapter["checks"]), str(chapter["controls"])]
    assert float(rows["All chapters"][0]) == pytest.approx(sum(took["seconds"] for took in run_times.values()))


def test_the_page_names_what_the_chapters_ran_with(rows):
    assert rows["numpy"] == [np.__version__]
    assert re.fullmatch(r"\S+ [\d.]+, threads: 1", rows["BLAS"][0])
    assert re.search(r".+, cores: \d+", rows["Processor"][0])


def test_the_page_promises_what_is_tested(site):
    text = re.sub(r"<[^>]+>", "", (site / "book" / "run_times.html").read_text(encoding="utf-8"))
    assert f"below {MAX_SECONDS} CPU seconds and below {MAX_MB // 1000} GB" in text
