"""Let the search find the words of the book, and show them, without the TeX of its formulas.

Sphinx would index TeX commands as words, and would fetch each page found to cut an excerpt from it:
megabytes from a server, and nothing at all from a folder opened without one. Here the index and
the excerpts come from the same plain text, in which a formula of the line is Unicode.
"""

import json
import re
import unicodedata
import xml.etree.ElementTree as ElementTree
from html import unescape
from pathlib import Path

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.builders.html import StandaloneHTMLBuilder

ELLIPSIS = "…"
# How the parts of a MathML element are written in a line.
LINE = {"msub": "{}_{}", "msup": "{}^{}", "msubsup": "{}_{}^{}", "mfrac": "{}/{}", "munder": "{}_{}",
        "munderover": "{}_{}^{}"}
ACCENTS = {"ˆ": "\u0302", "˜": "\u0303", "~": "\u0303", "ˉ": "\u0304", "¯": "\u0304", "˙": "\u0307",
           "¨": "\u0308"}


def formula_text(tex, macros):
    r"""A formula as Unicode, ``\hat w^2`` as ŵ^2; an ellipsis where that cannot be done."""
    tex = re.sub(r"\\[dt]frac(?![a-zA-Z])", r"\\frac", _expand(tex, macros))
    tex = re.sub(r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}", tex)  # \frac12 is a half
    tex = re.sub(r"(?<=\d),(?=\d)", ", ", tex)  # 1,2 are two numbers
    try:
        mathml = ElementTree.fromstring(tex2mathml(tex).replace("&ApplyFunction;", "&#x2061;"))
    except (MathError, ElementTree.ParseError):
        return ELLIPSIS
    return unicodedata.normalize("NFC", _line(mathml).replace("\u2061", " "))


def _expand(tex, macros):
    for name, macro in macros.items():
        body, arguments = (macro, 0) if isinstance(macro, str) else macro
        pattern = rf"\\{name}(?![a-zA-Z])" + r"\s*\{((?:[^{}]|\{[^{}]*\})*)\}" * arguments
        tex = re.sub(pattern, lambda found: re.sub(r"#(\d)", lambda n: found[int(n[1])], body), tex)
    return tex


def _line(element):
    tag = element.tag.rpartition("}")[2]
    parts = [_line(child) for child in element]
    if tag == "mover" and len(parts) == 2:
        return parts[0] + ACCENTS.get(parts[1], "")
    if tag in LINE:
        return LINE[tag].format(*map(_bracketed, parts))
    if tag == "msqrt":
        return f"√({''.join(parts)})"
    text = (element.text or "").strip("\n") if tag == "mtext" else (element.text or "").strip()
    return f" {text} " if text in tuple("=≤≥<>≈∼→⟶≪≫≠∈+") else text + "".join(parts)


def _bracketed(part):
    part = part.strip()
    letters = [letter for letter in part if not unicodedata.combining(letter)]
    return part if len(letters) < 2 or part.isalnum() else f"({part})"


def plain_text(doctree, title, macros):
    """A copy of a page whose formulas and embedded HTML are plain words, under its numbered title."""
    page = doctree.deepcopy()
    for node in list(page.findall(nodes.math)):
        node.replace_self(nodes.Text(formula_text(node.astext(), macros)))
    for node in list(page.findall(nodes.math_block)):
        node.replace_self(nodes.paragraph("", ELLIPSIS))
    for node in list(page.findall(nodes.raw)):
        node.replace_self(nodes.paragraph("", _words_of_html(node.astext())))
    for node in list(page.findall(nodes.literal_block)):  # labels of a plot are TeX as well
        node.children = [nodes.Text(re.sub(r"\$[^$\n]*\$", ELLIPSIS, node.astext()))]
    for node in page.findall(nodes.title):  # a theorem's is " (its name)"
        node.children = [nodes.Text(node.astext().strip().removeprefix("(").removesuffix(")"))]
    if heading := next(page.findall(nodes.title), None):
        heading.children = [nodes.Text(title)]
    return page


def _words_of_html(html):
    text = re.sub(r"<(script|style)\b.*?</\1>|<[^<]+?>", " ", html, flags=re.DOTALL | re.IGNORECASE)
    return re.sub(r"\\\(.*?\\\)|\\\[.*?\\\]|\$[^$\n]*\$", ELLIPSIS, unescape(text), flags=re.DOTALL)


def _prose(page):
    """The words of a page in one line, without its headings and its code."""
    blocks = [node.astext() for node in page.findall(nodes.TextElement)
              if not isinstance(node.parent, nodes.TextElement)
              and not isinstance(node, (nodes.title, nodes.comment, nodes.FixedTextElement))]
    return " ".join(" ".join(blocks).split())


def index_plain_text(index_page):
    def index(self, pagename, doctree, title):
        macros = (self.config.mathjax3_config or {}).get("tex", {}).get("macros", {})
        title = unescape(re.sub(r"<[^>]+>", "", title))
        title = re.sub(r"\\\((.*?)\\\)", lambda tex: formula_text(tex[1], macros), title)
        page = plain_text(doctree, title, macros)
        self.__dict__.setdefault("search_texts", {})[pagename] = _prose(page)
        index_page(self, pagename, page, title)
    return index


def write_texts(app, exception):
    if exception is None and app.builder.format == "html":
        texts = json.dumps(getattr(app.builder, "search_texts", {}), ensure_ascii=False)
        target = Path(app.outdir) / "_static" / "search_texts.js"
        target.write_text(f"Search.texts = {texts};\n", encoding="utf-8")


def load_on_search_page(app, pagename, templatename, context, doctree):
    if pagename == "search":
        for script in ("search_texts.js", "search.js"):
            app.add_js_file(script, loading_method="defer")


def setup(app):
    StandaloneHTMLBuilder.index_page = index_plain_text(StandaloneHTMLBuilder.index_page)
    app.connect("html-page-context", load_on_search_page)
    app.connect("build-finished", write_texts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
