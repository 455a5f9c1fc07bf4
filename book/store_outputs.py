"""Execute the chapters in fresh kernels and store their outputs in place.

    .venv/bin/python book/store_outputs.py                          # what `make notebooks` runs
    .venv/bin/python book/store_outputs.py chapters/03_max_margin.ipynb

The stored form is the same whoever runs it: kernel python3, no times, no editor's marks. A slider
player keeps its poster only; all its frames are in the built book. A failing chapter keeps
the outputs that it had.
"""

import argparse
import os
import sys
from pathlib import Path

import nbformat

from execute import execute_all

ROOT = Path(__file__).resolve().parents[1]
EDITOR_MARKS = ("execution", "collapsed", "scrolled", "jupyter", "ExecuteTime", "trusted", "editable", "slideshow")


def normalise(notebook):
    """Bring an executed notebook, in place, into the form that is committed."""
    notebook.metadata = nbformat.from_dict({
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"}})
    for cell in notebook.cells:
        for mark in EDITOR_MARKS:
            cell.metadata.pop(mark, None)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "ddn-player" in data.get("text/html", ""):
                del data["text/html"]
                data["text/plain"] = "slider player"  # else an address in memory, another one each run
                # the stored output now differs from the one a run gives
                cell.metadata["tags"] = sorted({*cell.metadata.get("tags", []), "nbval-ignore-output"})


def main():
    parser = argparse.ArgumentParser(description="Execute the chapters and store their outputs in place.")
    parser.add_argument("chapters", nargs="*", type=Path, help="notebooks; without any, all chapters")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="chapters executed at a time")
    arguments = parser.parse_args()

    paths = [path.resolve() for path in arguments.chapters] or sorted((ROOT / "chapters").glob("*.ipynb"))
    failed = []
    for done in execute_all(paths, arguments.jobs):
        if done.error:
            failed.append(done.path.stem)
            continue
        normalise(done.notebook)
        nbformat.validate(done.notebook)
        nbformat.write(done.notebook, done.path)
    if failed:
        sys.exit(f"Not stored: {', '.join(failed)} (see above).")


if __name__ == "__main__":
    main()
