"""Give a chapter the number in its file's name: `03_max_margin` is chapter 3, its first theorem 3.1.

Numbers counted along the table of contents would change for every reader who cited one as soon as
a chapter is added before it.
"""

import re

from docutils import nodes
from sphinx_external_toc.collectors import TocTreeCollectorWithStyles


def number_by_file_name(assign_section_numbers):
    def assign(self, env):
        changed = assign_section_numbers(self, env)
        for docname, numbers in env.toc_secnumbers.items():
            if match := re.match(r"chapters/(\d+)_", docname):
                chapter = int(match[1])
                env.toc_secnumbers[docname] = {anchor: n and (chapter, *n[1:]) for anchor, n in numbers.items()}
                for node in [env.titles[docname], *env.tocs[docname].findall(nodes.reference)]:
                    if number := node.get("secnumber"):
                        node["secnumber"] = [chapter, *number[1:]]
        return changed
    return assign


def setup(app):
    # Figures, equations and theorems take the number of their section later: there is nothing else to change.
    TocTreeCollectorWithStyles.assign_section_numbers = number_by_file_name(
        TocTreeCollectorWithStyles.assign_section_numbers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
