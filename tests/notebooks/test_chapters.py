"""The stored chapters: executed, complete, readable, and self-contained.

`violations` holds the rules. They are tried on every chapter, and, one by one, on a small chapter
that breaks exactly one of them: a rule that lets its own violation pass would be no rule.
nbval executes the chapters and compares the outputs; that it notices a stale one is tested here.
"""

import ast
import copy
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book"))

from claims import of_chapter  # noqa: E402

CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
TEMPLATE = ROOT / "book" / "template" / "NN_slug.ipynb"

MAX_BYTES = 500_000
MAX_LINES = 25  # of a code cell; aim at 15
MIN_ALT = 40  # letters
ALLOWED_IMPORTS = {"numpy", "matplotlib", "deepdyn_np"}
CHECKS = {"check", "check_below", "check_slope"}
ABSOLUTE_PATH = re.compile(r"(?<![\w.~:/])/(home|Users|root|tmp|var|usr|opt|mnt|work|private)/|[A-Za-z]:\\\\?Users")
URL = re.compile(r"https?://|ftp://|file://")


def violations(notebook):
    """The rules that a chapter breaks, as sentences; empty if it keeps all."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = (_of_notebook(notebook, code) + _of_opening(notebook.cells[0].source) + _of_exercises(prose)
             + of_chapter("chapter", notebook)[1])
    if not re.search(r"^:::\{admonition\} Convention\n:class: note$", prose, re.MULTILINE):
        found.append("no note says which convention holds")
    for number, cell in enumerate(code, 1):
        found += [f"code cell {number}: {fault}" for fault in _of_code(cell) + _of_outputs(cell)]
    return found


def _of_notebook(notebook, code):
    found = []
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("the kernelspec is not python3")
    counts = [cell.execution_count for cell in code]
    if counts != list(range(1, len(code) + 1)):
        found.append(f"not executed once, in order, from a fresh kernel: execution counts {counts}")
    size = len(nbformat.writes(notebook).encode())
    if size > MAX_BYTES:
        found.append(f"the file has {size} bytes, more than {MAX_BYTES}")
    calls = {call for cell in code for call in _calls(cell.source)}
    if not calls & CHECKS:
        found.append("no check meets a prediction")
    if "control" not in calls:
        found.append("no control breaks an assumption")
    return found


def _of_opening(opening):
    """The first cell says what is needed and what will be gained; the page adds the run time."""
    found = [f"the opening has no **{words}**" for words in ("Question.", "Answer of this chapter.", "You need")
             if f"**{words}**" not in opening]
    _, able, list_ = opening.partition("**You will be able to**\n\n")
    if not able or not 2 <= len(re.findall("^- ", list_, re.MULTILINE)) <= 4 or not list_.startswith("- "):
        found.append("the opening does not end in two to four things the reader will be able to do")
    return found


def _of_exercises(prose):
    # the label of an exercise is an option in its body; a solution names it in its title
    exercises = re.findall(r"^[:`]{3,}\{exercise(?:-start)?\}.*\n(?:\s*:\w+:.*\n)*?\s*:label:\s*(\S+)", prose, re.MULTILINE)
    directives = re.findall(r"^[:`]{3,}\{exercise(?:-start)?\}", prose, re.MULTILINE)
    solved = set(re.findall(r"^[:`]{3,}\{solution(?:-start)?\}\s*(\S+)", prose, re.MULTILINE))
    found = [] if len(exercises) == len(directives) else ["an exercise has no label"]
    return (found + [f"exercise {label} has no solution" for label in exercises if label not in solved]
            + _of_open_solutions(prose))


def _of_open_solutions(prose):
    """A solution that spans cells is closed before the next exercise; else the book folds that away."""
    found, opened = [], None
    for kind, label in re.findall(r"^:{3,}\{(exercise|solution-start|solution-end)\}[ \t]*(\S*)", prose, re.MULTILINE):
        if opened and kind != "solution-end":
            found.append(f"the solution of {opened} is not closed before the next {kind}")
        if not opened and kind == "solution-end":
            found.append("a solution-end without a solution-start")
        opened = label if kind == "solution-start" else None
    return found + ([f"the solution of {opened} is not closed"] if opened else [])


def _of_code(cell):
    found = []
    lines = len(cell.source.splitlines())
    if lines > MAX_LINES:
        found.append(f"{lines} lines, more than {MAX_LINES}")
    try:
        tree = ast.parse(cell.source)
    except SyntaxError:
        return found + ["is not plain Python (magics and shell commands are not used)"]
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    foreign = {name for name in imported if name.split(".")[0] not in ALLOWED_IMPORTS}
    if foreign:
        found.append(f"imports {', '.join(sorted(foreign))}")
    if URL.search(cell.source):
        found.append("names a network address")
    if ABSOLUTE_PATH.search(cell.source):
        found.append("names an absolute path")
    return found


def _of_outputs(cell):
    found = []
    for output in cell.outputs:
        data = output.get("data", {})
        text = output.get("text", "") + "".join(part for kind, part in data.items() if kind.startswith("text/"))
        if output.output_type == "error":
            found.append(f"stores the error {output.ename}")
        if output.get("name") == "stderr":
            found.append("wrote to stderr")
        if ABSOLUTE_PATH.search(text):
            found.append("an output shows an absolute path")
        if "ddn-player" in data.get("text/html", ""):
            found.append("stores all frames of a player, not its poster")
        if "image/png" in data:
            figure = cell.metadata.get("mystnb", {}).get("figure", {})
            wanted = {"mystnb.figure.caption": figure.get("caption"), "mystnb.figure.name": figure.get("name"),
                      "mystnb.image.alt": cell.metadata.get("mystnb", {}).get("image", {}).get("alt")}
            missing = [f"a figure without {name}" for name, value in wanted.items() if not (value or "").strip()]
            found += missing or _of_alt(*list(wanted.values())[::2])
    return found


def _of_alt(caption, alt):
    """A caption says what to look at; the alt text tells a reader who cannot what is there."""
    if len(alt) < MIN_ALT or not alt.rstrip().endswith("."):
        return [f"an alt text that is no sentence of {MIN_ALT} letters: {alt}"]
    return ["an alt text that repeats the caption"] if alt.strip(" .") in caption else []


def _calls(source):
    """Names of the functions that a cell calls."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


@pytest.mark.parametrize("path", [*CHAPTERS, TEMPLATE], ids=lambda path: path.stem)
def test_chapter_keeps_the_rules(path):
    assert violations(nbformat.read(path, as_version=4)) == []


def test_every_chapter_is_in_the_table_of_contents():
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
    listed = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    assert [name for name in listed if name.startswith("chapters/")] == [f"chapters/{p.stem}" for p in CHAPTERS]
    assert len(CHAPTERS) > 0


# --- the rules on a chapter that breaks one of them --------------------------------------------

OPENING = ("# Title\n\n**Question.** Why?\n\n**Answer of this chapter.** Therefore.\n\n**You need** sums.\n\n"
           "**You will be able to**\n\n- derive it;\n- break it.")
CONVENTION = ":::{admonition} Convention\n:class: note\n\nLosses are means.\n:::\n"
EXERCISE = ":::{exercise} Norms\n:label: ex-norms\n\nCompute it.\n:::\n"
SOLUTION = ":::{solution} ex-norms\n:class: dropdown\n\nOne.\n:::\n"
PNG = "iVBORw0KGgo="
LINE = "holds  a/b    measured 2.2e-16   predicted 1         error 2.2e-16 <= 1e-12\n"
CONTROL = "fails  a/b    measured 2         predicted 1         error 1.0e+00  > 1e-12\n       control: the order\n"


def lawful():
    """A small chapter that keeps every rule."""
    plot = new_code_cell("plt.plot([1, 2])", execution_count=2, outputs=[
        new_output("display_data", {"image/png": PNG, "text/plain": "<Figure>"})])
    plot.metadata["mystnb"] = {"figure": {"name": "fig-line", "caption": "A line."},
                               "image": {"alt": "A straight line rises from 1 on the left to 2 on the right."}}
    return new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        cells=[new_markdown_cell(OPENING),
               new_markdown_cell("A paper is at https://doi.org/10.1000/1.\n\n" + CONVENTION),
               new_code_cell("import numpy as np\nimport matplotlib.pyplot as plt\nfrom deepdyn_np import check, control",
                             execution_count=1),
               plot,
               new_code_cell("check('a/b', 1, 1)\ncontrol('a/b', 2, 1)", execution_count=3,
                             metadata={"claims": {"a/b": "It is $1$."}},
                             outputs=[new_output("stream", name="stdout", text=LINE + CONTROL)]),
               new_markdown_cell(EXERCISE + "\n" + SOLUTION)])


def code(notebook, number):
    return [cell for cell in notebook.cells if cell.cell_type == "code"][number - 1]


def set_source(source, number=1):
    return lambda notebook: code(notebook, number).update(source=source)


def add_output(output, number=1):
    return lambda notebook: code(notebook, number).outputs.append(output)


BROKEN = {
    "an R kernel": (lambda nb: nb.metadata.kernelspec.update(name="ir"), "kernelspec is not python3"),
    "a cell that was not executed": (lambda nb: code(nb, 3).update(execution_count=None), "not executed once, in order"),
    "cells executed out of order": (lambda nb: code(nb, 1).update(execution_count=7), "not executed once, in order"),
    "a stored error": (add_output(new_output("error", ename="ValueError", evalue="", traceback=[])), "error ValueError"),
    "a warning": (add_output(new_output("stream", name="stderr", text="careful")), "wrote to stderr"),
    "a long cell": (set_source("\n".join("x = 1" for _ in range(26))), "26 lines"),
    "a figure without a caption": (lambda nb: code(nb, 2).metadata.mystnb.figure.update(caption=" "), "figure.caption"),
    "a figure without a name": (lambda nb: code(nb, 2).metadata.mystnb.figure.pop("name"), "figure.name"),
    "a figure without an alt text": (lambda nb: code(nb, 2).metadata.mystnb.pop("image"), "image.alt"),
    "an alt text that says little": (lambda nb: code(nb, 2).metadata.mystnb.image.update(alt="A line."), "no sentence"),
    "an alt text without an end": (lambda nb: code(nb, 2).metadata.mystnb.image.update(alt="w, " * 20), "no sentence"),
    "an alt text that is the caption": (
        lambda nb: code(nb, 2).metadata.mystnb.figure.update(caption=code(nb, 2).metadata.mystnb.image.alt),
        "repeats the caption"),
    "a foreign package": (set_source("import scipy.linalg"), "imports scipy.linalg"),
    "a foreign package, from": (set_source("def f():\n    from urllib.request import urlopen"), "imports urllib.request"),
    "a shell command": (set_source("!pip install torch"), "not plain Python"),
    "a network address": (set_source("np.genfromtxt('https://example.org/a.csv')"), "network address"),
    "an absolute path": (set_source("np.load('/home/ann/data.npz')"), "names an absolute path"),
    "a path in an output": (add_output(new_output("stream", name="stdout", text="saved to /tmp/x/fig.png")),
                            "shows an absolute path"),
    "a large file": (add_output(new_output("stream", name="stdout", text="x" * MAX_BYTES)), "more than 500000"),
    "a player with all its frames": (add_output(new_output("display_data", {"text/html": "<div class='ddn-player'>"})),
                                     "all frames of a player"),
    "no check": (lambda nb: code(nb, 3).update(source="control('a/b', 2, 1)", outputs=[], metadata={}), "no check"),
    "no control": (set_source("check('a/b', 1, 1)", 3), "no control"),
    "a claim without a statement": (lambda nb: code(nb, 3).update(metadata={}), "a/b has 0 statements"),
    "a claim with two statements": (lambda nb: code(nb, 3).metadata.claims.update({"a/*": "."}), "a/b has 2 statements"),
    "a statement alone": (lambda nb: code(nb, 3).metadata.claims.update({"a/c": "."}), "a/c belongs to no check"),
    "a claim checked twice": (add_output(new_output("stream", name="stdout", text=LINE), 3), "a/b is checked twice"),
    "a control without its check": (
        add_output(new_output("stream", name="stdout", text=CONTROL.replace("a/b", "a/c")), 3), "a/c belongs to no check"),
    "a check that cannot be read": (add_output(new_output("stream", name="stdout", text="holds  a/c\n"), 3), "read as one"),
    "an opening without needs": (lambda nb: nb.cells[0].update(source=OPENING.replace("You need", "Needed")),
                                 "no **You need**"),
    "an opening without gains": (lambda nb: nb.cells[0].update(source=OPENING.replace("- break it.", "")),
                                 "two to four things"),
    "no convention": (lambda nb: nb.cells[1].update(source="Losses are means."), "which convention"),
    "an exercise without a solution": (lambda nb: nb.cells[-1].update(source=EXERCISE), "ex-norms has no solution"),
    "a solution that is not closed": (
        lambda nb: nb.cells[-1].update(source=EXERCISE + "\n:::{solution-start} ex-norms\n:::\nIt is 1."), "not closed"),
    "a solution closed twice": (
        lambda nb: nb.cells[-1].update(source=EXERCISE + "\n:::{solution} ex-norms\nIt is 1.\n:::\n\n:::{solution-end}\n:::"),
        "without a solution-start"),
    "an exercise without a label": (lambda nb: nb.cells[-1].update(source=":::{exercise}\nProve it.\n:::"), "no label"),
}


def test_the_lawful_chapter_breaks_no_rule():
    assert violations(lawful()) == []


@pytest.mark.parametrize("breaks, message", BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_reported(breaks, message):
    notebook = copy.deepcopy(lawful())
    breaks(notebook)
    found = violations(notebook)
    assert len(found) == 1 and message in found[0]


def test_a_stale_output_fails_nbval(tmp_path):
    """The comparison of outputs is on: a chapter that stores another output than it prints fails."""
    printed_and_stored = {
        "fresh": (LINE, LINE),
        "rounding": (LINE, LINE.replace("2.2e-16", "4.4e-16")),
        "stale": (LINE, LINE.replace("predicted 1 ", "predicted 2 ")),
        "loosened": (LINE, LINE.replace("1e-12", "1e-01")),
    }
    for name, (printed, stored) in printed_and_stored.items():
        cell = new_code_cell(f"print({printed!r}, end='')", execution_count=1,
                             outputs=[new_output("stream", name="stdout", text=stored)])
        nbformat.write(new_notebook(cells=[cell], metadata=lawful().metadata), tmp_path / f"{name}.ipynb")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"),
         "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "2 failed, 2 passed" in result.stdout
    for name in ("stale", "loosened"):
        assert re.search(rf"FAILED .*{name}\.ipynb", result.stdout)
