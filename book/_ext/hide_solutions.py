"""Build the book for a class: with SOLUTIONS=no in the environment, exercises keep their hints only.

Solutions go from the pages, from the search index, and from the notebooks that the pages offer for
download. So does the code of the section "Exercises": all of it belongs to solutions.
"""

import json
import os
import re
from pathlib import Path

from docutils import nodes
from sphinx_exercise.nodes import solution_node

SECTION = "Exercises"
BLOCK = re.compile(r"^(:{3,})\{(solution|solution-start|solution-end)\}")


def hide_in_page(app, doctree):
    for node in [*_code_of_exercises(doctree), *doctree.findall(solution_node)]:
        node.parent.remove(node)


def _code_of_exercises(doctree):
    for section in doctree.findall(nodes.section):
        if isinstance(section[0], nodes.title) and section[0].astext() == SECTION:
            yield from [
                node for node in section.findall(nodes.container) if node.get("nb_element") == "cell_code"
            ]


def without_solutions(notebook):
    """The cells of a notebook, given as JSON, that have no part in a solution."""
    exercises = within = False  # the section; a solution that began in a cell before
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "markdown":
            if not exercises:
                yield cell
            continue
        for heading in re.findall(r"^## (.*)$", source, re.MULTILINE):
            exercises = heading.strip() == SECTION
        kept, fence = [], None  # the fence that closes the block we are in
        for line in source.split("\n"):
            if fence:
                fence = None if line.strip() == fence else fence
            elif block := BLOCK.match(line):
                fence, within = block[1], block[2] == "solution-start"
            elif not within:
                kept.append(line)
        if "".join(kept).strip():
            yield {**cell, "source": "\n".join(kept)}


def hide_in_downloads(app, exception):
    for path in [] if exception else Path(app.outdir, "_sources").rglob("*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["cells"] = list(without_solutions(notebook))
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def setup(app):
    if os.environ.get("SOLUTIONS") == "no":
        app.connect("doctree-read", hide_in_page, priority=400)  # before the exercises are counted
        app.connect("build-finished", hide_in_downloads)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
