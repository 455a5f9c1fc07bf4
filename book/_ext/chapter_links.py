"""Link the package and the chapters with each other.

The docstrings name chapters by the names of their files, ``03_max_margin``, so that they read well
in a terminal. On the page of a function such a name becomes a link, and the chapter ends with the
list of all that names it. A chapter that is not written yet is named without a link.
"""

import re
from itertools import groupby

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

SLUG = re.compile(r"\b(\d\d)_([a-z]+(?:_[a-z]+)*)\b")


def link_chapters(app, what, name, obj, options, lines):
    """``chapter 03_max_margin`` in a docstring becomes ``chapter 3 (max margin)``, a link."""
    def link(slug):
        chapter = f"chapters/{slug[0]}"
        if chapter not in app.env.found_docs:
            return f"{int(slug[1])} (planned)"
        app.env.named_in.setdefault(chapter, set()).add(name)
        return f":doc:`{int(slug[1])} ({slug[2].replace('_', ' ')}) </{chapter}>`"

    lines[:] = SLUG.sub(link, "\n".join(lines)).split("\n")


class ListOfNames(SphinxPostTransform):
    """Append to a chapter the functions and classes whose docstrings name it."""

    default_priority = 500

    def run(self):
        if names := self.env.named_in.get(self.env.docname):
            box = nodes.admonition("", nodes.title("", "In the package"), classes=["dropdown", "in-the-package"])
            box += [self._page(*page) for page in groupby(sorted(names, key=self._docname), self._docname)]
            next(self.document.findall(nodes.section)).append(box)

    def _docname(self, name):
        return self.env.domaindata["py"]["objects"][name].docname

    def _page(self, docname, names):
        """One line of the list: the page of the package, and what it has for this chapter."""
        line = nodes.paragraph("", "", nodes.strong("", self.env.titles[docname].astext()), nodes.Text(": "))
        for name in sorted(names, key=_short):
            line += [self._link(name), nodes.Text(", ")]
        line[-1] = nodes.Text(".")
        return line

    def _link(self, name):
        target = self.env.domaindata["py"]["objects"][name]
        uri = self.app.builder.get_relative_uri(self.env.docname, target.docname)
        code = nodes.literal("", _short(name), classes=["xref", "py"])
        return nodes.reference("", "", code, internal=True, refuri=f"{uri}#{target.node_id}")


def _short(name):
    return name.rpartition(".")[2]


def start(app):
    app.env.named_in = {}  # the book is always read from scratch


def setup(app):
    app.connect("builder-inited", start)
    app.connect("autodoc-process-docstring", link_chapters, priority=600)  # after numpydoc has set the sections
    app.add_post_transform(ListOfNames)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
