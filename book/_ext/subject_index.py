"""The index of subjects: the terms of the glossary, and the theorems and definitions by their titles.

A term leads to its entry and to its first use in each chapter, a theorem to itself. Sphinx's own
index, of names, has neither the number of a chapter nor that of a theorem.
"""

from itertools import groupby

from docutils import nodes
from first_uses import GLOSSARY, first_terms
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from sphinx_proof.nodes import unenumerable_node


class subject_index(nodes.General, nodes.Element):
    """Where the index will stand."""


class SubjectIndex(SphinxDirective):
    def run(self):
        return [subject_index()]


def collect(app, env):
    """All subjects with their places, {subject: [(docname, anchor, label), ...]}, once every page is read."""
    subjects = {term.names[0]: [(GLOSSARY, term.anchor, "glossary")] for term in env.glossary}
    for docname in sorted(name for name in env.found_docs if name.startswith("chapters/")):
        doctree = env.get_doctree(docname)
        for title, anchor, label in _results(env, docname, doctree):
            subjects.setdefault(_known(title, subjects), []).append((docname, anchor, label))
        for term, _, _ in first_terms(env, docname, doctree):
            subjects[term.names[0]].append((docname, "use-" + term.anchor, _chapter(env, docname)))
    env.subjects = subjects


def _results(env, docname, doctree):
    """The theorems and definitions of a chapter that have a title."""
    for node in doctree.findall(lambda node: isinstance(node, nodes.Element) and "realtype" in node):
        if node["title"] and not isinstance(node, unenumerable_node):
            number = env.toc_fignumbers[docname][node["countertype"]][node["ids"][0]]
            title = node[0].astext().strip().removeprefix("(").removesuffix(")")
            yield title, node["ids"][0], f"{node['realtype']} {'.'.join(map(str, number))}"


def _known(title, subjects):
    """The subject that is the title in another case, or else the title: "Imbalance" is "imbalance"."""
    return next((subject for subject in subjects if subject.casefold() == title.casefold()), title)


def _chapter(env, docname):
    number = env.titles[docname].get("secnumber")
    return f"chapter {number[0]}" if number else env.titles[docname].astext()


def _synonyms(glossary):
    """Other names of a term that would stand elsewhere in the alphabet, as (name, term)."""
    for term in glossary:
        yield from ((name, term) for name in term.names[1:] if name[:4].casefold() != term.names[0][:4].casefold())


class FillIndex(SphinxPostTransform):
    default_priority = 530

    def run(self):
        for node in list(self.document.findall(subject_index)):
            lines = [(subject, self._line(subject, places)) for subject, places in self.env.subjects.items()]
            lines += [(name, self._see(name, term)) for name, term in _synonyms(self.env.glossary)]
            letters = groupby(sorted(lines, key=_position), key=lambda line: _position(line)[0].upper())
            node.replace_self([part for letter, group in letters for part in (
                nodes.paragraph("", "", nodes.strong("", letter), classes=["index-letter"]),
                nodes.bullet_list("", *(nodes.list_item("", line) for _, line in group), classes=["index-entries"]))])

    def _line(self, subject, places):
        line = nodes.paragraph("", subject + ": ")
        for docname, anchor, label in places:
            line += [self._link(docname, anchor, label), nodes.Text(", ")]
        line.pop()
        return line

    def _see(self, name, term):
        return nodes.paragraph("", name + ": see ", self._link(GLOSSARY, term.anchor, term.names[0]))

    def _link(self, docname, anchor, label):
        uri = self.app.builder.get_relative_uri(self.env.docname, docname)
        return nodes.reference("", label, internal=True, refuri=f"{uri}#{anchor}")


def _position(line):
    """Where a subject stands in the alphabet; articles do not count."""
    return line[0].casefold().removeprefix("the ")


def setup(app):
    app.add_node(subject_index)
    app.add_directive("subject-index", SubjectIndex)
    app.connect("env-check-consistency", collect)  # after the numbers of theorems
    app.add_post_transform(FillIndex)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
