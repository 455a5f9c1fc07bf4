"""The folder of a sweep: what was swept, and one file for each finished point."""

import inspect
import json
import os
import textwrap
from pathlib import Path

import numpy as np

from deepdyn_np.errors import expect
from deepdyn_np.sweeps.workers import name_of


def open_folder(path, function, names, seed):
    """Make the folder of this sweep, or check that the one at ``path`` is of this sweep."""
    expect(isinstance(path, (str, os.PathLike)), "save", "the path of a folder", repr(path))
    folder, description, source = Path(path), Path(path) / "sweep.json", _source(function)
    expect(source, "save", "a function whose text can be read, so that another one would be noticed", repr(function),
           "Define it with def, and put fixed arguments into the grid instead of a functools.partial.")
    sweep = {"function": name_of(function), "parameters": sorted(names), "seed": seed, "source": source}
    if description.exists():
        stored = json.loads(description.read_text(encoding="utf-8"))
        for item, wanted in sweep.items():
            here, there = (("this text of the function", "another") if item == "source" else
                           (f"{item} {wanted}", stored.get(item)))
            expect(stored.get(item) == wanted, "save", f"the folder of a sweep with {here}",
                   f"{folder} with {there}", "Name a new folder, or delete this one to begin anew.")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        _write(description, lambda file: file.write(json.dumps(sweep, indent=1).encode()))
    return folder


def load(path):
    """The columns saved at ``path``; ``None`` if there are none, or they are damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except Exception:  # missing, cut off, not a zip file, a wrong checksum: compute it again
        return None


def store(path, columns):
    """Save ``columns`` at ``path``: all of them or, if the process is killed meanwhile, nothing."""
    _write(path, lambda file: np.savez(file, **columns))


def _write(path, write):
    part = path.with_suffix(".part")
    with open(part, "wb") as file:
        write(file)
    os.replace(part, path)


def _source(function):
    """The text of the function; empty where there is none."""
    try:
        return textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    except (OSError, TypeError):
        return ""
