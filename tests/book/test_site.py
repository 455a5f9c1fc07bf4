"""The files of the built book: whole without a network, no dead link, every name of the package documented."""

import importlib
import json
import pkgutil
import re
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup
from small_book import ROOT
from sphinx.util.inventory import InventoryFile

import deepdyn_np

# What a browser loads by itself when it opens a page; an <a href> waits for a click.
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src",
         "audio": "src", "embed": "src", "object": "data"}


def test_pages_load_nothing_from_elsewhere(pages):
    outside = [(page.path.name, tag, attributes[LOADS[tag]])
               for page in pages for tag, attributes in page.of(*LOADS)
               if urlsplit(attributes.get(LOADS[tag], "")).scheme not in ("", "data")
               or attributes.get(LOADS[tag], "").startswith("//")]
    assert outside == []


def test_style_sheets_load_nothing_from_elsewhere(site):
    loads = re.compile(r"""(?:@import\s+|url\()\s*["']?(?:https?:)?//[^"')\s]+""")
    outside = [(path.name, match) for path in site.rglob("*.css") for match in loads.findall(path.read_text())]
    assert outside == []


def test_inline_scripts_name_no_server(pages):
    inline = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)
    outside = [(page.path.name, script[:80]) for page in pages
               for script in inline.findall(page.path.read_text(encoding="utf-8")) if re.search(r"https?://", script)]
    assert outside == []


def test_mathjax_is_local_and_complete(site, pages):
    chapters = [page for page in pages if page.path.parent.name == "chapters"]
    assert chapters
    for page in chapters:
        sources = [attributes.get("src", "") for _, attributes in page.of("script")]
        assert "../_static/mathjax/tex-chtml.js" in sources
    assert (site / "_static/mathjax/tex-chtml.js").stat().st_size > 1_000_000
    assert len(list((site / "_static/mathjax/output/chtml/fonts/woff-v2").glob("*.woff"))) >= 20


def test_no_link_is_dead(pages):
    dead = []
    for page in pages:
        for tag, attributes in page.of("a", *LOADS):
            target = urlsplit(attributes.get("href" if tag == "a" else LOADS[tag], ""))
            if target.scheme or target.netloc or not target.path:
                continue
            if not (page.path.parent / unquote(target.path)).exists():
                dead.append((page.path.name, tag, target.path))
    assert dead == []


def test_every_link_into_a_page_finds_its_place(pages):
    places = {page.path.resolve(): {attributes["id"] for _, attributes in page.tags if "id" in attributes}
              for page in pages}
    lost = []
    for page in pages:
        for _, attributes in page.of("a"):
            target = urlsplit(attributes.get("href", ""))
            if target.scheme or target.netloc or not target.fragment:
                continue
            path = (page.path.parent / unquote(target.path)).resolve() if target.path else page.path.resolve()
            if path in places and unquote(target.fragment) not in places[path]:
                lost.append((page.path.name, attributes["href"]))
    assert lost == []


def test_every_chapter_opens_with_its_run_time_and_ends_with_its_citation(site):
    times = json.loads((ROOT / "_build" / "run_times.json").read_text())
    for chapter in sorted((site / "chapters").glob("*.html")):
        page, number = BeautifulSoup(chapter.read_text(encoding="utf-8"), "html.parser"), int(chapter.stem[:2])
        facts = page.select_one("ul + .chapter-facts")
        assert f"Runs in {max(1, round(times[chapter.stem]['cpu_seconds']))} s on one core." in facts.text
        assert facts.select_one("a[href='../book/notation.html']")
        title = page.h1.find(string=True, recursive=False)
        cite = page.select_one(".how-to-cite")
        assert f"{title}. Chapter {number} of Deep dynamics" in cite.p.text
        assert f"{{{{{title}}}}}" in cite.pre.text and f"chapter   = {{{number}}}" in cite.pre.text


def test_the_notebook_of_a_chapter_can_be_downloaded_as_stored(site):
    for chapter in sorted((site / "chapters").glob("*.html")):
        page = BeautifulSoup(chapter.read_text(encoding="utf-8"), "html.parser")
        stored = (ROOT / "chapters" / f"{chapter.stem}.ipynb").read_bytes()
        for link in page.select("a[download], a.btn-download-source-button"):
            assert (chapter.parent / link["href"]).read_bytes() == stored
        assert page.select_one("a[download]").text == "notebook"
        assert page.select_one("a.btn-download-source-button").text.strip() == "Notebook (.ipynb)"


def test_links_to_the_next_page_name_the_part(site):
    page = BeautifulSoup((site / "chapters" / "01_hand_derived_gradients.html").read_text(encoding="utf-8"),
                         "html.parser")
    assert page.select_one(".left-prev .prev-next-subtitle").text == "Previous part: Before you start"
    assert page.select_one(".right-next .prev-next-subtitle").text == "Next"


def test_every_picture_says_what_is_seen(pages):
    """In a sentence; the only other pictures are the signs by which Sphinx's index of modules folds."""
    silent = [(page.path.name, attributes.get("alt")) for page in pages for _, attributes in page.of("img")
              if (len(attributes.get("alt", "")) < 40 or not attributes["alt"].endswith("."))
              and attributes.get("class") != "toggler"]
    assert silent == []


def test_every_public_name_is_documented(site):
    """Whatever a module of the package exports by ``__all__`` is on the API page, under some path."""
    with open(site / "objects.inv", "rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, uri: uri)
    documented = {name for kind, names in inventory.items() if kind.startswith("py:") for name in names}
    documented = {id(found) for name in documented if (found := _resolve(name)) is not None}
    missing = []
    for info in pkgutil.walk_packages(deepdyn_np.__path__, "deepdyn_np."):
        module = importlib.import_module(info.name)
        missing += [f"{info.name}.{name}" for name in getattr(module, "__all__", [])
                    if callable(getattr(module, name)) and id(getattr(module, name)) not in documented]
    assert missing == []


def _resolve(dotted):
    """The object of a documented name, such as ``deepdyn_np.losses.square``."""
    found = deepdyn_np
    for name in dotted.split(".")[1:]:
        found = getattr(found, name, None)
    return found
