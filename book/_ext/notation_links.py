"""Link the table of symbols and the entries of the package with each other.

Every row of a table on the notation page that names something of the package gets an anchor. The
entry of that name ends with a link back to the row, and so does the entry of a function that has
an argument called like the row's code, `eta` or `theta`. Single letters are left out of the
second rule: `m` may be a margin or a number of steps.
"""

from dataclasses import dataclass

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

PAGE = "book/notation"


@dataclass
class Row:
    """A row of the notation page: its anchor, its label (formulas or words), and what it names."""

    anchor: str
    label: list
    package: list  # full names, ``deepdyn_np.measures.imbalance``
    code: list  # as in the code, ``eta`` or ``W[k-1]``; empty where the label is words

    @property
    def arguments(self):
        """Names of arguments that are this symbol wherever they occur."""
        return {name for name in self.code if name.isidentifier() and len(name) > 1}

    @property
    def title(self):
        """For those who hear a link and cannot see its formula."""
        return "Notation: " + (", ".join(self.code) or "".join(part.astext() for part in self.label))

    @property
    def symbols(self):
        """The TeX of the symbols, without what defines them: ``D_k`` of ``D_k=...``."""
        return [part.astext().split("=")[0] for part in self.label if isinstance(part, nodes.math)]


def read_rows(app, doctree):
    if app.env.docname != PAGE:
        return
    for row in doctree.findall(nodes.row):
        package = [ref["reftarget"] for ref in row.findall(addnodes.pending_xref) if ref["refdomain"] == "py"]
        if not package:
            continue
        first, second = row.children[:2]
        code = [literal.astext() for literal in second.findall(nodes.literal)]
        anchor = nodes.make_id("notation " + " ".join(code or [first.astext()]))
        row["ids"].append(anchor)
        label = [part.deepcopy() for part in first[0].children]
        app.env.notation[anchor] = Row(anchor, label, package, code)


class LinkToNotation(SphinxPostTransform):
    """End the entry of a function, class or method with links to its symbols."""

    default_priority = 510

    def run(self):
        for entry in self.document.findall(addnodes.desc):
            signature, content = entry[0], entry[-1]
            arguments = {name[0].astext() for name in signature.findall(addnodes.desc_parameter)}
            rows = [row for row in self.env.notation.values()
                    if set(signature["ids"]) & set(row.package) or arguments & row.arguments]
            if rows:
                members = next((i for i, child in enumerate(content) if _is_member(child)), len(content))
                content.insert(members, self._links(rows))

    def _links(self, rows):
        uri = self.app.builder.get_relative_uri(self.env.docname, PAGE)
        line = nodes.paragraph("", "", nodes.Text("Notation: "), classes=["notation"])
        for row in rows:
            for part in row.label:
                if part.astext().strip(" ,"):
                    part = nodes.reference("", "", part, internal=True, refuri=f"{uri}#{row.anchor}", reftitle=row.title)
                line.append(part.deepcopy())
            line.append(nodes.Text("; "))
        line[-1] = nodes.Text(".")
        return line


def _is_member(node):
    return isinstance(node, addnodes.desc) or (isinstance(node, addnodes.index) and node["entries"])


def start(app):
    app.env.notation = {}  # the book is always read from scratch


def setup(app):
    app.set_html_assets_policy("always")  # a page whose only formulas are these links needs MathJax, too
    app.connect("builder-inited", start)
    app.connect("doctree-read", read_rows)
    app.add_post_transform(LinkToNotation)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
