"""Link the first use of every glossary term and every symbol in a chapter.

The chapters carry no markup for it, so that they read as plain text in JupyterLab. A term is found
as a whole word, in any case, in singular or plural; a symbol as a formula that consists of it. Only
running text counts: no heading, caption, table, link or code. Where a chapter gives a letter or a word a second
meaning, the table "Letters with a second meaning" of the notation page says so, and it is not linked.
"""

import re
from dataclasses import dataclass

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

import notation_links

GLOSSARY = "book/glossary"
NOT_PROSE = (nodes.title, nodes.caption, nodes.table, nodes.reference, addnodes.pending_xref, nodes.literal,
             nodes.literal_block, nodes.math_block, nodes.raw, nodes.footnote)


@dataclass
class Term:
    """An entry of the glossary: its anchor there, and all its names, the first of them its title."""

    anchor: str
    names: list

    @property
    def pattern(self):
        forms = "|".join(form for name in self.names for form in _forms(name))
        return re.compile(rf"(?<![\w–-])(?:{forms})(?![\w–-])", re.IGNORECASE)


def _forms(name):
    """Regular expressions of singular and plural; hyphen, dash and the kind of space do not matter."""
    plurals = {"y": name[:-1] + "ies"}.get(name[-1], name + ("es" if name.endswith(("s", "x", "sh", "ch")) else "s"))
    for form in (plurals, name):
        yield r"\s+".join(re.sub("[-–]", "[-–]", re.escape(word).replace(r"\-", "-")) for word in form.split())


def read_glossary(app, doctree):
    if app.env.docname == GLOSSARY:
        for item in doctree.findall(nodes.definition_list_item):
            terms = [term for term in item.findall(nodes.term)]
            app.env.glossary.append(Term(terms[0]["ids"][0], [term.astext() for term in terms]))


def read_second_meanings(app, doctree):
    """The pairs (symbol or word, chapter) of the notation page's table of exceptions."""
    if app.env.docname == notation_links.PAGE:
        for row in doctree.findall(nodes.row):
            for chapter in row.findall(addnodes.pending_xref):
                if chapter["reftype"] == "doc":
                    second = {node.astext() for kind in (nodes.math, nodes.emphasis) for node in row[0].findall(kind)}
                    app.env.second_meanings |= {(each, chapter["reftarget"].strip("/")) for each in second}


def prose(document):
    """The words and the inline formulas of the running text, in order."""
    skipped = set()
    for node in document.findall():
        if node.parent in skipped or isinstance(node, NOT_PROSE) or "cell" in _classes(node):
            skipped.add(node)
        elif isinstance(node, nodes.math):
            skipped.add(node)
            yield node
        elif isinstance(node, nodes.Text):
            yield node


def _classes(node):
    return node["classes"] if isinstance(node, nodes.Element) else ()


def first_terms(env, docname, document):
    """The first use of each glossary term in a chapter: triples of term, text node and match."""
    terms = [term for term in env.glossary if not {(name, docname) for name in term.names} & env.second_meanings]
    patterns = [(term, term.pattern) for term in sorted(terms, key=lambda term: -max(map(len, term.names)))]
    found, taken = {}, {}
    for node in (node for node in prose(document) if isinstance(node, nodes.Text)):
        for term, pattern in patterns:
            for match in pattern.finditer(node):
                # "log-loss time" is not also the first "loss": the longer term comes first
                if all(match.end() <= a or b <= match.start() for a, b in taken.get(id(node), [])):
                    taken.setdefault(id(node), []).append(match.span())
                    if term.anchor not in found:
                        found[term.anchor] = (term, node, match)
    return list(found.values())


class LinkFirstUses(SphinxPostTransform):
    default_priority = 520

    def run(self):
        if self.env.docname.startswith("chapters/"):
            self._link_terms()
            self._link_symbols()

    def _link_terms(self):
        by_node = {}
        for term, node, match in first_terms(self.env, self.env.docname, self.document):
            by_node.setdefault(id(node), (node, []))[1].append((match, term))
        for node, found in by_node.values():
            parts, end = [], 0
            for match, term in sorted(found, key=lambda pair: pair[0].start()):
                link = self._link(GLOSSARY, term.anchor, nodes.Text(match.group()))
                link["ids"] = ["use-" + term.anchor]
                parts += [nodes.Text(node[end:match.start()]), link]
                end = match.end()
            node.parent.replace(node, [*parts, nodes.Text(node[end:])])

    def _link_symbols(self):
        wanted = {symbol: row for row in self.env.notation.values() for symbol in row.symbols
                  if (symbol, self.env.docname) not in self.env.second_meanings}
        for node in [node for node in prose(self.document) if isinstance(node, nodes.math)]:
            if row := wanted.pop(node.astext(), None):
                node.replace_self(self._link(notation_links.PAGE, row.anchor, node.deepcopy(), reftitle=row.title))

    def _link(self, docname, anchor, content, **attributes):
        uri = self.app.builder.get_relative_uri(self.env.docname, docname)
        return nodes.reference("", "", content, internal=True, refuri=f"{uri}#{anchor}", classes=["first-use"],
                               **attributes)


def start(app):
    app.env.glossary, app.env.second_meanings = [], set()  # the book is always read from scratch


def setup(app):
    app.connect("builder-inited", start)
    app.connect("doctree-read", read_glossary)
    app.connect("doctree-read", read_second_meanings)
    app.add_post_transform(LinkFirstUses)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
