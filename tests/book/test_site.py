"""The built book: whole without a network, no dead link, every name of the package documented."""

import importlib
import os
import pkgutil
import re
import shutil
import subprocess
from urllib.parse import unquote, urlsplit

import pytest
from sphinx.util.inventory import InventoryFile

import deepdyn_np

# What a browser loads by itself when it opens a page; an <a href> waits for a click.
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src",
         "audio": "src", "embed": "src", "object": "data"}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


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


def test_every_picture_says_what_is_seen(pages):
    silent = [(page.path.name, attributes.get("src", "")[:60]) for page in pages for _, attributes in page.of("img")
              if not attributes.get("alt", "").strip() or attributes["alt"].endswith((".png", ".svg"))]
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


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed, so no page can be opened in a browser")
def test_formulas_are_drawn_in_a_browser_without_network(site, tmp_path):
    chapters = sorted((site / "chapters").glob("*.html"))
    assert chapters
    for chapter in chapters:
        formulas = len(re.findall(r'class="(?:amsmath )?math notranslate', chapter.read_text(encoding="utf-8")))
        dom = _open(chapter, tmp_path)
        assert dom.count("<mjx-container") >= formulas > 0
        assert "<mjx-merror" not in dom and "MathJax failed" not in dom
        # what MathJax has not replaced still shows its TeX delimiters
        assert not re.search(r'<span class="math notranslate nohighlight">\\\(', dom)


def _open(page, profile):
    """The page as headless Chromium sees it when no host name resolves."""
    result = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}", "--virtual-time-budget=30000",
         "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=180, env={**os.environ, "HOME": str(profile)})
    assert result.returncode == 0, result.stderr
    return result.stdout
