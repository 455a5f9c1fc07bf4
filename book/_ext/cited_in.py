"""Say below each work of the bibliography which chapters cite it, or will cite it."""

import re

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform


class CitedIn(SphinxPostTransform):
    default_priority = 540

    def run(self):
        domain = self.env.get_domain("cite")
        entries = {(c.bibliography_key.docname, c.citation_id): c for c in domain.citations}
        for node in self.document.findall(nodes.citation):
            if citation := entries.get((self.env.docname, node["ids"][0])):
                node.append(self._line(citation, domain.citation_refs))

    def _line(self, citation, references):
        line = nodes.paragraph("", "", classes=["cited-in"])
        places = {}  # the first citation in each document
        for reference in references:
            if citation.key in {target.key for target in reference.targets}:
                places.setdefault(reference.docname, reference.citation_ref_id)
        for docname in sorted(places):
            number = self.env.titles[docname].get("secnumber")
            label = f"chapter {number[0]}" if number else self.env.titles[docname].astext()
            uri = f"{self.app.builder.get_relative_uri(self.env.docname, docname)}#{places[docname]}"
            line += [nodes.reference("", label, internal=True, refuri=uri), nodes.Text(", ")]
        planned = [f"chapter {int(number)}" for number in
                   re.findall(r"(\d\d)_\w+", citation.entry.fields.get("keywords", ""))]
        if places:
            line.insert(0, nodes.Text("Cited in "))
            line[-1] = nodes.Text(".")
        if planned:
            line += nodes.Text(f"{' ' if places else ''}Meant for {', '.join(planned)} (planned).")
        return line


def setup(app):
    app.add_post_transform(CitedIn)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
