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
from elements import html, link
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
    return html("dl", *(html("div", html("dt", label), html("dd", f"{number}")) for number, label in shown),
                classes=["claims-totals"])


def _summary(chapters):
    head = html("tr", *(html("th", name, scope="col") for name in ("Chapter", "Claims", "Controls", "Without control")))
    rows = [html("tr", html("th", link(f"#{_section(chapter['chapter'])}", _name(chapter)), scope="row"),
                 *(html("td", f"{chapter[count]}", classes=["number"])
                   for count in ("checks", "controls", "without_control"))) for chapter in chapters]
    return html("div", html("table", html("caption", "Claims and controls of each chapter"),
                            html("thead", head), html("tbody", *rows), classes=["records"]), classes=["records-box"])


def _toolbar(records):
    """Search and filters; they need JavaScript, which shows them."""
    options = [html("option", _name(chapter), value=chapter["chapter"]) for chapter in records["chapters"]]
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
    section += nodes.title("", _name(chapter))
    section += nodes.paragraph("", "", nodes.Text(f"{_counted(chapter)}. "),
                               link(f"../chapters/{name}.html", "Read the chapter."))
    head = html("tr", *(html("th", column, scope="col", role="columnheader", data_column=column.lower())
                        for column in COLUMNS), role="row")
    section += html(
        "table", html("caption", f"Claims of chapter {_name(chapter)}"), html("thead", head, role="rowgroup"),
        html("tbody", *map(_row, claims), role="rowgroup"),
        role="table", classes=["records", "claims"], data_chapter=name)
    return section


def _row(claim):
    share = {"value": "", "bound": "at most ", "exponent": "exponent "}[claim["kind"]]
    fit = f" (fit ± {claim['uncertainty']:.0e})" if claim["uncertainty"] is not None else ""
    among = f"worst of {claim['entries']}" if claim["entries"] > 1 else ""
    controls = html("ul", *map(_control, claim["controls"])) if claim["controls"] else _mark("no control", "missing")
    address = claim["link"].partition("#")[2]
    return html(
        "tr",
        html("th", html("span", *_with_formulas(claim["statement"]), classes=["statement"]), " ",
             link(claim["link"], nodes.literal("", claim["claim"])), scope="row", role="rowheader"),
        _cell("Measured", _shown(claim["measured"]) + fit, among, value=claim["measured"]),
        _cell("Predicted", share + _shown(claim["predicted"]), value=claim["predicted"]),
        _cell("Error", f"{claim['error']:.1e}" if claim["error"] else "0", value=claim["error"]),
        _cell("Tolerance", _shown(claim["tolerance"]), value=claim["tolerance"]),
        html("td", _mark(claim["verdict"], "holds"), role="cell", data_label="Verdict", data_value=claim["verdict"]),
        html("td", controls, role="cell", data_label="Controls", data_value=len(claim["controls"])),
        ids=[address], role="row", data_claim=claim["claim"], data_chapter=claim["chapter"],
        data_controls=len(claim["controls"]))


def _cell(label, text, note="", *, value):
    notes = [html("small", note)] if note else []
    return html("td", text, *notes, role="cell", classes=["number"], data_label=label, data_value=value)


def _control(control):
    found = f": measured {_shown(control['measured'])}, predicted {_shown(control['predicted'])}, " \
            f"error {control['error']:.1e}: it "
    return html("li", link(control["link"], control["breaks"]), found, _mark(control["verdict"], "fails"))


def _mark(word, kind):
    """A word whose sign repeats it, so that nothing depends on a colour."""
    sign = {"holds": "✓", "fails": "✗", "missing": "○"}[kind]
    return html("span", html("span", sign, aria_hidden="true"), f" {word}", classes=["mark", kind])


def _with_formulas(statement):
    """Text and inline formulas of a statement, which has them between dollar signs."""
    parts = statement.split("$")
    return [nodes.math(part, part) if index % 2 else nodes.Text(part) for index, part in enumerate(parts) if part]


def _shown(number):
    return number if isinstance(number, str) else f"{number:.5g}"


def _counted(counts):
    without = f"; {counts['without_control']} without a control" if counts["without_control"] else ""
    return f"{counts['checks']} claims checked, {counts['controls']} controls{without}"


def _name(chapter):
    number = re.match(r"\d+", chapter["chapter"])
    return f"{int(number[0])}. {chapter['title']}" if number else chapter["title"]


def _section(chapter):
    return "claims-" + chapter.replace("_", "-")


def link_outputs(app, doctree, docname):
    """Make each printed check of a chapter a target and a link to its row, and end with a summary."""
    folder, _, chapter = docname.partition("/")
    if folder != "chapters" or PAGE not in app.env.all_docs:
        return
    records, page = load(app, "claims.json"), app.builder.get_relative_uri(docname, PAGE)
    counts = next(counts for counts in records["chapters"] if counts["chapter"] == chapter)
    addresses = {claim["claim"]: [record["link"].partition("#")[2] for record in (claim, *claim["controls"])]
                 for claim in records["claims"] if claim["chapter"] == chapter}
    printed = {name: iter([own]) for name, (own, *_) in addresses.items()}
    broken = {name: iter(rest) for name, (_, *rest) in addresses.items()}
    for block in list(doctree.findall(nodes.literal_block)):
        if {"output", "stream"} <= set(block["classes"]):
            _link_lines(block, {"holds": printed, "fails": broken}, page)
    if counts["checks"]:
        target = f"{page}#{_section(chapter)}"
        next(doctree.findall(nodes.section)).append(nodes.paragraph(
            "", "", nodes.Text(f"{_counted(counts)}: "), link(target, "the claims of this chapter"), nodes.Text("."),
            classes=["claims-of-chapter"]))


def _link_lines(block, targets, page):
    """Write the lines of an output anew, with its checks and controls as targets."""
    lines, found = [], False
    for line in block.astext().splitlines(keepends=True):
        verdict, *rest = line.split(maxsplit=2)[:2] or [""]
        of_claim = targets.get(verdict, {}).get(rest[0]) if rest else None
        if of_claim is None or not line.startswith(f"{verdict}  "):
            lines.append(nodes.Text(line))
            continue
        found, claim = True, rest[0]
        before, after = line.split(claim, 1)
        anchor = next(of_claim)
        own = anchor if verdict == "holds" else anchor.replace("control", "claim", 1).rpartition("-")[0]
        lines.append(html("span", before, link(f"{page}#{own}", claim), after, ids=[anchor], classes=["claim-line"]))
    if found:
        pre = html("pre", *lines)
        block.replace_self(html("div", html("div", pre, classes=["highlight"]), classes=["output", "stream"]))


def copy_records(app, exception):
    if exception is None and PAGE in app.env.all_docs and app.builder.format == "html":
        shutil.copyfile(Path(app.outdir).parent / "claims.json", Path(app.outdir) / f"{PAGE}.json")


def setup(app):
    app.setup_extension("elements")
    app.add_directive("claims", Claims)
    app.connect("doctree-resolved", link_outputs)
    app.connect("build-finished", copy_records)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
