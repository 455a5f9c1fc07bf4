"""The file that results are written to as they come, one JSON text a line."""

import json
import os
from pathlib import Path

from deepdyn_np.errors import expect


class Journal:
    """Results by assignment, student and key; a context manager that holds the file open.

    The key tells what was graded. A line that a crash cut short is dropped.
    """

    def __init__(self, path):
        self.path = Path(path)
        self._seed, self._results = None, {}

    def __enter__(self):
        whole = self.path.read_bytes() if self.path.exists() else b""
        end = whole.rfind(b"\n") + 1
        for line in whole[:end].splitlines():
            try:
                entry = json.loads(line)
                if "seed" in entry:
                    self._seed = entry["seed"]
                else:
                    self._results[entry["result"]["assignment"], entry["result"]["student"]] = entry
            except (ValueError, KeyError, TypeError):
                expect(
                    False,
                    "journal",
                    f"a file that the grader wrote, at {self.path}",
                    "another one",
                    "Give another output file.",
                )
        self.file = open(self.path, "ab")
        self.file.truncate(end)
        return self

    def __exit__(self, *_):
        self.file.close()

    def seed(self, default):
        """The seed of all drawn arguments, that of the journal's first use: all are asked the same."""
        if self._seed is None:
            self._seed = default
            self._append({"seed": default})
        return self._seed

    def find(self, assignment, student, key):
        """The result of ``student``, if it has this key."""
        entry = self._results.get((assignment, student))
        return entry["result"] if entry and entry["key"] == key else None

    def results(self):
        """The last result of every student, by assignment and student."""
        return {place: entry["result"] for place, entry in self._results.items()}

    def write(self, key, result):
        """Keep ``result``, safe from a crash that follows."""
        entry = {"key": key, "result": result}
        self._results[result["assignment"], result["student"]] = entry
        self._append(entry)

    def _append(self, entry):
        self.file.write(json.dumps(entry).encode() + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())
