"""Print the built pages: one PDF of each chapter and one of the whole book, without LaTeX.

Headless Chromium prints what the browser shows, in the style of `_static/print.css`. The articles
are taken out of their pages first, so that a link leads to a place in the PDF, to the published
site, or nowhere: never to a file of this computer.
"""

import logging
import re
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple
from html import escape
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup
from pypdf import PdfReader, PdfWriter
from pypdf.generic import NameObject, TextStringObject

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

from chapter_frame import WHOLE_BOOK  # noqa: E402  the pages link to this name
from publication import read_publication  # noqa: E402

BIBLIOGRAPHY = "book/bibliography"
ONLY_ON_SCREEN = "a.headerlink, button, script, summary, .only-on-screen, .ddn-player > div"
HEADINGS = "h1, h2, h3, h4, h5, h6"
BROWSER_SECONDS = 300  # by the page's own clock, which stands still while the browser computes

logging.getLogger("pypdf").setLevel(logging.ERROR)  # it remarks that Chromium miscounts its objects

Part = namedtuple("Part", "caption pages")

DOCUMENT = """<!DOCTYPE html>
<html lang="en" data-theme="light">
<head><meta charset="utf-8"><title>The formulas were not drawn in time</title>
{head}
<style>{running_heads}</style>
<script>
addEventListener("load", () => MathJax.startup.promise.then(() => {{
  const wrong = document.querySelectorAll("mjx-merror").length;
  document.title = wrong ? wrong + " formulas are wrong" : {title!r};
}}));
</script></head>
<body><main class="bd-article-container">{body}</main></body>
</html>"""


class PrintFailed(Exception):
    """A PDF that could not be made, or came out wrong."""


def find_chromium():
    """Path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def print_book(html):
    """Print every chapter of the table of contents, then the whole book, into ``html``/pdf."""
    press, parts = Press(html), read_parts()
    for page in (page for part in parts for page in part.pages if page.startswith("chapters/")):
        press.print_chapter(page, html / "pdf" / f"{Path(page).name}.pdf")
    press.print_parts(parts, html / "pdf" / f"{WHOLE_BOOK}.pdf")


def read_parts():
    """The table of contents; the root page is a part of its own, without a caption."""
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
    parts = toc.get("parts") or [{"chapters": toc.get("chapters", [])}]
    return [Part("", [toc["root"]]),
            *(Part(part.get("caption", ""), [entry["file"] for entry in part["chapters"]]) for part in parts)]


class Press:
    """Prints pages of the built book in the folder ``html``."""

    def __init__(self, html):
        self.chromium = find_chromium()
        if self.chromium is None:
            raise PrintFailed("Chromium prints the PDFs, and none was found.")
        self.html = html
        self.book = read_publication(ROOT)
        self.head = self._head(min(f"chapters/{path.stem}" for path in (html / "chapters").glob("*.html")))

    def print_chapter(self, page, target):
        """Print one chapter, followed by the works that it cites."""
        article = self._article(page)
        cited = {link["href"][1:] for link in article.select(f"a[data-page='{BIBLIOGRAPHY}']")}
        if cited:
            article.append(_element('<h2 class="level-2">References</h2>'))
            works = self._article(BIBLIOGRAPHY).select(".citation")
            article.extend(work for work in works if work["id"] in cited)
        self._print([article], _title(article), target)

    def print_parts(self, parts, target):
        """Print all pages behind a contents, whose page numbers a first, rough print has told."""
        articles = []
        for part in parts:
            first = len(articles)
            articles += [self._article(page, level=2 if part.caption else 1) for page in part.pages]
            if part.caption:
                articles[first].insert(0, _element(f'<h1 class="part">{escape(part.caption)}</h1>'))
        self._print([self._front(articles, {}), *articles], self.book.title, target, rough=True)
        numbers = {name: number + 1 for name, number in _destinations(target).items()}
        self._print([self._front(articles, numbers), *articles], self.book.title, target)

    def _head(self, page):
        """What the head of a page says about style and formulas."""
        head = self._soup(page).head
        kept = head.select("link[rel=stylesheet]") + [
            script for script in head.select("script")
            if "mathjax" in (script.get("src", "") + script.text).lower()]
        for tag, name in ((tag, name) for tag in kept for name in ("href", "src") if name in tag.attrs):
            tag[name] = self._file(page, tag[name])
        return "\n".join(map(str, kept))

    def _soup(self, page):
        return BeautifulSoup((self.html / f"{page}.html").read_text(encoding="utf-8"), "html.parser")

    def _file(self, page, address):
        """The file that a page loads."""
        return (self.html / dirname(page) / unquote(urlsplit(address).path)).resolve().as_uri()

    def _article(self, page, level=1):
        """The article of a page; its headings start at ``level``, and its ids carry the page's name."""
        article = self._soup(page).article
        for element in article.select(ONLY_ON_SCREEN):
            element.decompose()
        for element in article.select("details"):
            element.name = "div"  # what is folded on the screen is open on paper
        for depth in range(5, 0, -1):
            for heading in article.select(f"h{depth}"):
                heading["class"] = f"level-{depth}"
                heading.name = f"h{depth + level - 1}"
        for element in article.select("[id]"):
            element["id"] = _id(page, element["id"])
        for image in article.select("img[src]"):
            if not urlsplit(image["src"]).scheme:
                image["src"] = self._file(page, image["src"])
        for link in article.select("a[href]"):
            if not urlsplit(link["href"]).scheme:
                path, _, anchor = link["href"].partition("#")
                to = normpath(join(dirname(page), unquote(path))).removesuffix(".html") if path else page
                link["href"], link["data-page"] = "#" + _id(to, anchor), to
        article["id"] = _id(page)
        return article

    def _front(self, articles, numbers):
        """Title page and contents; ``numbers`` maps the id of an article to its page."""
        rows = []
        for article in articles:
            part = article.select_one("h1.part")
            rows += [f'<li class="part">{part.decode_contents()}</li>'] if part else []
            rows.append(f'<li><a href="#{article["id"]}">{escape(_title(article))}</a>'
                        f'<span>{numbers.get(article["id"], "")}</span></li>')
        return _element(
            f'<article id="front"><h1 class="level-1">{escape(self.book.title)}</h1>'
            f'<p>{escape(", ".join(self.book.authors))}<br>Version {self.book.version}, {self.book.year}</p>'
            f'<p>{escape(self.book.site or self.book.repository)}</p>'
            f'<ol class="contents">{"".join(rows)}</ol></article>')

    def _print(self, articles, title, target, rough=False):
        known = {element["id"] for article in articles for element in [article, *article.select("[id]")]}
        for link in (link for article in articles for link in article.select("a[data-page]")):
            if link["href"][1:] not in known:
                self._lead_outside(link)
        heads = []
        for number, article in enumerate(articles):
            article["style"] = f"page: article-{number}"
            content = _css_string(_title(article))
            heads.append(f"@page article-{number} {{ @top-left {{ content: {content} }} }}")
        document = DOCUMENT.format(title=title, head=self.head, running_heads="\n".join(heads),
                                   body="\n".join(map(str, articles)))
        option = "--disable-pdf-tagging" if rough else "--generate-pdf-document-outline"
        self._browse(document, target, option)
        _inspect(target, title)
        if not rough:
            _name_bookmarks(target, [_bookmark(h) for article in articles for h in article.select(HEADINGS)])

    def _browse(self, document, target, option):
        target.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "print.html"
            page.write_text(document, encoding="utf-8")
            result = subprocess.run(
                [self.chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}/profile",
                 "--allow-file-access-from-files", f"--virtual-time-budget={1000 * BROWSER_SECONDS}",
                 "--no-pdf-header-footer", option, f"--print-to-pdf={target}", page.as_uri()],
                capture_output=True, text=True)
        if result.returncode != 0 or not target.exists():
            raise PrintFailed(f"Chromium did not print {target.name}:\n{result.stderr}")

    def _lead_outside(self, link):
        """Let a link to what is not printed lead to the published site; without one it is plain text."""
        if self.book.site:
            link["href"] = f"{self.book.site}{link['data-page']}.html"
            del link["data-page"]
        else:
            link.unwrap()


def _element(html):
    return next(BeautifulSoup(html, "html.parser").children)


def _id(page, anchor=""):
    """A name for a place in a page that is unique among all pages."""
    slug = page.replace("/", "-")
    return f"{slug}--{anchor}" if anchor else slug


def _title(article):
    return article.select_one(".level-1").get_text()


def _css_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _inspect(pdf, title):
    """Refuse a PDF that was printed before its formulas were drawn."""
    found = PdfReader(pdf).metadata.title
    if found != title:
        raise PrintFailed(f"{pdf.name}: {found}")


def _name_bookmarks(pdf, titles):
    """Give the bookmarks the words of their headings.

    Chromium leaves out formulas, and repeats words of a heading that moves to the next page.
    """
    writer = PdfWriter(clone_from=pdf)
    bookmarks = list(_below(writer.get_outline_root()))
    if len(bookmarks) != len(titles):
        raise PrintFailed(f"{pdf.name}: {len(bookmarks)} bookmarks for {len(titles)} headings")
    for bookmark, title in zip(bookmarks, titles):
        bookmark[NameObject("/Title")] = TextStringObject(title)
    writer.write(pdf)


def _below(bookmark):
    """All bookmarks under one, in the order of the pages."""
    child = bookmark.get("/First")
    while child is not None:
        child = child.get_object()
        yield child
        yield from _below(child)
        child = child.get("/Next")


def _bookmark(heading):
    return re.sub(r"\\[(),]", "", heading.get_text())


def _destinations(pdf):
    """The page index of every named place that is linked to."""
    reader = PdfReader(pdf)
    return {name.removeprefix("/"): reader.get_destination_page_number(place)
            for name, place in reader.named_destinations.items()}
