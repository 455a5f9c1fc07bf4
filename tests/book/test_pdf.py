"""The printed book: a chapter goes through Chromium's press and comes out whole."""

import re
import sys

import pytest
from pypdf import PdfReader
from small_book import ROOT

from browser.chromium import CHROMIUM

sys.path.insert(0, str(ROOT / "book"))

from pdf import Press  # noqa: E402


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed, so no page can be printed")
def test_a_chapter_is_printed_whole(site, tmp_path):
    """Title, formulas, solutions and works cited stand in the PDF, and no link leads to this computer."""
    target = tmp_path / "balance.pdf"
    Press(site).print_chapter("chapters/10_balance", target)
    reader = PdfReader(target)
    text = "\n".join(page.extract_text() for page in reader.pages)
    assert reader.metadata.title == "10. Balance: what training conserves"
    assert len(reader.pages) > 10
    for number, page in enumerate(reader.pages, 1):
        assert page.extract_text().startswith(f"10. Balance: what training conserves\n{number}\n")
    assert re.search(r"=\s*a2Dk\(A\)\s*\+\s*2abDk\(A,\s*B\)", text)  # the formula after "One bilinear form"
    assert "Typical wrong answer" in text and "How to cite this chapter" in text and "arXiv:1810.02281" in text
    assert not re.search(r"undefined|Show code|Click to show|\\\(|BibTeX", text)
    assert {"10.1. Setting and theorem", "10.7. Sources"} <= {entry.title for entry in _flat(reader.outline)}
    links = [note.get_object()["/A"]["/URI"] for page in reader.pages for note in page.get("/Annots", [])
             if "/URI" in note.get_object().get("/A", {})]
    assert links and all(link.startswith("https://") for link in links)


def _flat(outline):
    for entry in outline:
        yield from _flat(entry) if isinstance(entry, list) else [entry]
