"""Put around a chapter what only the build knows: its run time, its downloads, how to cite it.

In the notebook a chapter opens with what the reader needs and will be able to do. On its page one
line follows: the run time of the last execution, the notebook and, where `make pdf` prints it, the
PDF. The page ends with the citation. The theme's download menu and its links to the next page are
labelled to match.
"""

import json
import os
import re
from html import escape
from pathlib import Path

from docutils import nodes

from publication import read_publication

OPENING_ENDS = "You will be able to"  # the bold words before the last list of the opening
WITH_PDF = bool(os.environ.get("BOOK_WITH_PDF"))  # set by `book/build.py --pdf`, which prints them next
WHOLE_BOOK = "deep_dynamics"
BIBTEX = """@incollection{{{key},
  author    = {{{authors}}},
  title     = {{{{{title}}}}},
  booktitle = {{{{{book}}}}},
{chapter}  year      = {{{year}}},
  note      = {{Version {version}}},
{url}}}"""


class html_only(nodes.General, nodes.Element):
    """Finished HTML of a page; unlike a raw node it is not indexed by the search."""


def add_frame(app, doctree, docname):
    if app.builder.format != "html" or not docname.startswith("chapters/"):
        return
    chapter = next(doctree.findall(nodes.section), None)
    if chapter is None:
        return
    opening = next((p for p in chapter.findall(nodes.paragraph) if p.astext().startswith(OPENING_ENDS)), None)
    if opening is not None:
        opening.parent.insert(opening.parent.index(opening) + 2, html_only(html=_facts(app, docname)))
    chapter.append(html_only(html=_citation(app, docname, chapter.next_node(nodes.title))))


def _facts(app, docname):
    """Run time, symbols and downloads, in one line."""
    def link(page, text):
        if page not in app.env.found_docs:
            return text
        return f'<a href="{app.builder.get_relative_uri(docname, page)}">{text}</a>'

    name, facts = Path(docname).name, []
    run_times = Path(app.outdir).parent / "run_times.json"
    if run_times.exists() and (times := json.loads(run_times.read_text()).get(name)):
        run_time = link("book/run_times", f"{max(1, round(times['cpu_seconds']))} s")
        facts.append(f"Runs in {run_time} on one core.")
    facts.append(f"Symbols are those of the {link('book/notation', 'notation page')}.")
    downloads = f'<a download href="../_sources/{docname}.ipynb">notebook</a>'
    if WITH_PDF:
        downloads += f' or <a href="../pdf/{name}.pdf">PDF</a>'
    facts.append(f'<span class="only-on-screen">Download: {downloads}.</span>')
    return f'<p class="chapter-facts">{" ".join(facts)}</p>\n'


def _citation(app, docname, heading):
    """The citation as text and as BibTeX; an address stands in it once the book is published."""
    book = read_publication(app.srcdir)
    address = book.address(docname)
    number = re.match(r"chapters/0*(\d+)_", docname)
    title = "".join(rf'<span class="math notranslate nohighlight">\({escape(part.astext())}\)</span>'
                    if isinstance(part, nodes.math) else escape(part.astext()) for part in heading)
    tex = "".join(f"${part.astext()}$" if isinstance(part, nodes.math) else part.astext() for part in heading)
    place = f"Chapter {number[1]} of " if number else "In "
    link = f' <a href="{escape(address)}">{escape(address)}</a>' if address else ""
    bibtex = BIBTEX.format(
        key=f"deepdyn{book.year}{re.sub('.*_', '', docname.partition('_')[2]) or Path(docname).name}",
        authors=" and ".join(book.bibtex_authors), title=tex, book=book.title, year=book.year,
        version=book.version, chapter=f"  chapter   = {{{number[1]}}},\n" if number else "",
        url=f"  url       = {{{address}}},\n" if address else "")
    return (f'<div class="how-to-cite"><p><strong>How to cite this chapter.</strong> '
            f'{escape(", ".join(book.authors))} ({book.year}). {title}. '
            f'{place}<em>{escape(book.title)}</em>, version {escape(book.version)}.{link}</p>\n'
            '<details class="only-on-screen"><summary>BibTeX</summary>\n'
            f'<div class="highlight"><pre>{escape(bibtex)}</pre></div></details></div>\n')


def name_parts(app, pagename, templatename, context, doctree):
    """Tell the links to the pages before and after into which other part of the book they lead."""
    parts = {page: part.caption for part in app.env.external_site_map.root.subtrees for page in part.items}
    _, before, after = app.builder.relations.get(pagename) or (None, None, None)
    for link, page in (("prev", before), ("next", after)):
        if context.get(link) and parts.get(page) != parts.get(pagename):
            context[link]["part"] = parts.get(page)


def label_downloads(app, pagename, templatename, context, doctree):
    """Name what the theme's download menu offers, and offer the printed PDFs instead of printing."""
    for group in context.get("header_buttons", []):
        if group.get("label") != "download-buttons":
            continue
        for button in group["buttons"]:
            if button["text"] == ".ipynb":
                button.update(text="Notebook (.ipynb)", tooltip="Download the executed notebook")
            elif button["text"] == ".pdf":
                button.update(text="Print this page", tooltip="Print this page, or save it as PDF")
        if WITH_PDF:
            group["buttons"] = [b for b in group["buttons"] if b["label"] != "download-pdf-button"]
            group["buttons"] += [_pdf_button(context, name, text) for name, text in (
                (Path(pagename).name, "Chapter as PDF"), (WHOLE_BOOK, "Book as PDF"))
                if name == WHOLE_BOOK or pagename.startswith("chapters/")]


def _pdf_button(context, name, text):
    return {"type": "link", "url": context["pathto"](f"pdf/{name}.pdf", 1), "text": text, "tooltip": text,
            "icon": "fas fa-file-pdf", "label": "download-pdf-button"}


def setup(app):
    app.add_node(html_only, html=(lambda writer, node: writer.body.append(node["html"]),
                                  lambda writer, node: None))
    app.connect("doctree-resolved", add_frame)
    app.connect("html-page-context", name_parts)
    app.connect("html-page-context", label_downloads, priority=900)  # after the theme has made its menu
    return {"parallel_read_safe": True, "parallel_write_safe": True}
