"""The claims page, its JSON, and the links between a claim and the output that prints it.

``{claims}`` makes the tables of the page from `_build/claims.json`, which `book/build.py` has read off
the executed chapters. In a chapter each printed check becomes a target and a link to its statement,
and the last line says how much the chapter claims.
"""

import json
import re
import shutil
from pathlib import Path

from docutils import nodes
from elements import html, link, table
from sphinx.util.docutils import SphinxDirective

PAGE = "book/claims"
COLUMNS = ("Claim", "Measured", "Predicted", "Error", "Tolerance", "Verdict", "Controls")


def load(app, name):
    """What `book/build.py` has written for the pages of this build."""
    return json.loads((Path(app.outdir).parent / name).read_text(encoding="utf-8"))


class Claims(SphinxDirective):
    def run(self):
        records = load(self.env.app, "claims.json")
        return [_totals(records["about"]["totals"]), _summary(records["chapters"]), _toolbar(records),
                *(_chapter(chapter, [claim for claim in records["claims"] if claim["chapter"] == chapter["chapter"]])
                  for chapter in records["chapters"])]


def _totals(totals):
    shown = ((totals["checks"], "claims, each with a check"), (totals["controls"], "controls"),
             (totals["without_control"], "claims without a control"), (totals["chapters"], "chapters"))
    return html("dl", *(html("div", html("dt", label), html("dd", str(number), classes=["claims-total"]))
                        for number, label in shown), classes=["claims-totals"])


def _summary(chapters):
    rows = [(link(f"#{_section(chapter['chapter'])}", chapter_name(chapter)), chapter["checks"], chapter["controls"],
             chapter["without_control"]) for chapter in chapters]
    return table("Claims and controls of each chapter", ("Chapter", "Claims", "Controls", "Without control"), rows)


def _toolbar(records):
    """Search and filters; they need JavaScript, which shows them."""
    options = [html("option", chapter_name(chapter), value=chapter["chapter"]) for chapter in records["chapters"]]
    return html(
        "form",
        html("label", "Search ", html("input", type="search", name="text", placeholder="margin, heavy ball, ...")),
        html("label", "Chapter ", html("select", html("option", "all", value=""), *options, name="chapter")),
        html("label", html("input", type="checkbox", name="without"), " without control only"),
        html("output", role="status", classes=["claims-shown"]),
        classes=["claims-filter"], hidden="", data_claims_filter="")


def _chapter(chapter, claims):
    name = chapter["chapter"]
    section = nodes.section(ids=[_section(name)], names=[])
    section += nodes.title("", chapter_name(chapter))
    section += nodes.paragraph("", f"{_counted(chapter)}. ", link(f"../chapters/{name}.html", "Read the chapter."))
    head = html("tr", *(html("th", column, scope="col", role="columnheader", data_column=column.lower())
                        for column in COLUMNS), role="row")
    rows = html(
        "table", html("caption", f"Claims of chapter {chapter_name(chapter)}"), html("thead", head, role="rowgroup"),
        html("tbody", *map(_row, claims), role="rowgroup"),
        role="table", classes=["records", "claims"], data_chapter=name)
    section += html("div", rows, classes=["full-width"])  # the theme lets it reach into the margin
    return section


def _row(claim):
    asked = {"value": "", "bound": "at most ", "exponent": "exponent "}[claim["kind"]]
    if claim["uncertainty"] is not None:
        note = f"fit ± {claim['uncertainty']:.0e}"
    else:
        note = f"worst of {claim['entries']}" if claim["entries"] > 1 else ""
    controls = html("ul", *map(_control, claim["controls"])) if claim["controls"] else _mark("no control", "missing")
    return html(
        "tr",
        html("th", nodes.inline("", "", *_with_formulas(claim["statement"]), classes=["statement"]), " ",
             link(claim["link"], nodes.literal("", claim["claim"])), scope="row", role="rowheader"),
        _cell("Measured", _shown(claim["measured"]), note, value=claim["measured"]),
        _cell("Predicted", asked + _shown(claim["predicted"]), value=claim["predicted"]),
        _cell("Error", _shown(claim["error"], ".1e"), value=claim["error"]),
        _cell("Tolerance", _shown(claim["tolerance"]), value=claim["tolerance"]),
        html("td", _mark(claim["verdict"], "holds"), role="cell", data_label="Verdict", data_value=claim["verdict"]),
        html("td", controls, role="cell", data_label="Controls", data_value=len(claim["controls"])),
        ids=[_id(claim)], role="row", data_claim=claim["claim"], data_chapter=claim["chapter"],
        data_controls=len(claim["controls"]))


def _cell(label, text, note="", *, value):
    notes = [html("small", note)] if note else []
    return html("td", text, *notes, role="cell", classes=["number"], data_label=label, data_value=value)


def _control(control):
    numbers = f"measured {_shown(control['measured'])}, predicted {_shown(control['predicted'])}, " \
              f"error {_shown(control['error'], '.1e')}"
    return html("li", link(control["link"], control["breaks"]), " ", _mark(control["verdict"], "fails"), " ",
                html("small", numbers))


def _mark(word, kind):
    """A word whose sign repeats it, so that nothing depends on a colour."""
    sign = {"holds": "✓", "fails": "✗", "missing": "○"}[kind]
    return html("span", html("span", sign, aria_hidden="true"), f" {word}", classes=["verdict", kind])


def _with_formulas(statement):
    """Text and inline formulas of a statement, which has them between dollar signs."""
    parts = statement.split("$")
    return [nodes.math(part, part) if index % 2 else nodes.Text(part) for index, part in enumerate(parts) if part]


def _shown(number, form=".5g"):
    return number if isinstance(number, str) else f"{number:{form}}"  # a string is not finite


def _counted(counts):
    without = f"; {counts['without_control']} without a control" if counts["without_control"] else ""
    return f"{counts['checks']} claims checked, {counts['controls']} controls{without}"


def chapter_name(chapter):
    number = re.match(r"\d+", chapter["chapter"])
    return f"{int(number[0])}. {chapter['title']}" if number else chapter["title"]


def _section(chapter):
    return "claims-" + chapter.replace("_", "-")


def link_outputs(app, doctree, docname):
    """Make each printed check of a chapter a target and a link to its row, and end with a summary."""
    folder, _, name = docname.partition("/")
    if folder != "chapters" or PAGE not in app.env.all_docs:
        return
    records, page = load(app, "claims.json"), app.builder.get_relative_uri(docname, PAGE)
    claims = [claim for claim in records["claims"] if claim["chapter"] == name]
    # what the lines of each claim are to be called, in the order in which they are printed
    ids = {(verdict, claim["claim"]): iter([_id(record) for record in printed]) for claim in claims
           for verdict, printed in (("holds", [claim]), ("fails", claim["controls"]))}
    rows = {claim["claim"]: f"{page}#{_id(claim)}" for claim in claims}
    for block in list(doctree.findall(nodes.literal_block)):
        if {"output", "stream"} <= set(block["classes"]):
            _link_lines(block, ids, rows)
    [counts] = [chapter for chapter in records["chapters"] if chapter["chapter"] == name]
    if claims:
        next(doctree.findall(nodes.section)).append(nodes.paragraph(
            "", f"{_counted(counts)}: ", link(f"{page}#{_section(name)}", "the claims of this chapter"),
            nodes.Text("."), classes=["claims-of-chapter"]))


def _link_lines(block, ids, rows):
    """Write the lines of an output anew, with its checks and controls as targets."""
    lines = [_line(line, ids, rows) for line in block.astext().splitlines(keepends=True)]
    if not all(isinstance(line, nodes.Text) for line in lines):
        pre = html("pre", *lines)
        block.replace_self(html("div", html("div", pre, classes=["highlight"]), classes=["output", "stream"]))


def _line(line, ids, rows):
    verdict, claim, *_ = [*line.split(maxsplit=2), "", ""]
    if not line.startswith(f"{verdict}  ") or (verdict, claim) not in ids:
        return nodes.Text(line)
    before, after = line.split(claim, 1)
    return html("span", before, link(rows[claim], claim), after, classes=["claim-line"],
                ids=[next(ids[verdict, claim])])


def _id(record):
    return record["link"].partition("#")[2]


def copy_records(app, exception):
    if exception is None and PAGE in app.env.all_docs and app.builder.format == "html":
        shutil.copyfile(Path(app.outdir).parent / "claims.json", Path(app.outdir) / f"{PAGE}.json")


def setup(app):
    app.setup_extension("elements")
    app.add_directive("claims", Claims)
    app.connect("doctree-resolved", link_outputs)
    app.connect("build-finished", copy_records)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
