"""A submission at work in a process of its own, asked for nothing but values.

``Sandbox`` starts the process (`launch`), hands it the cells (`worker`) and asks for the values of
names and of calls. Whatever comes back is data from a stranger. An endless loop, a dead process or
nonsense on the line end in ``SandboxError``.
"""

import functools
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from deepdyn_np.classroom import launch, worker

MESSAGE = 16 * 2**20  # bytes; a longer answer is cut off, and with it the conversation
START, GRACE = 15, 2  # seconds for Python to start, and for an answer to be written
GARBLED = "the answers of its process are garbled"
WORKER = Path(worker.__file__).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Limits:
    """What one run of one submission may use.

    ``wall`` and ``cpu`` seconds for all of it, ``cell`` seconds for each cell and each call, ``memory``
    bytes of address space for each process, ``disk`` bytes for its folder, ``processes`` at a time.
    """

    wall: int = 60
    cpu: int = 40
    cell: int = 10
    memory: int = 2**30
    disk: int = 64 * 2**20
    processes: int = 8

    def rlimits(self):
        """The limits as the system knows them, by the names of ``resource``."""
        return {
            "CPU": self.cpu,
            "AS": self.memory,
            "FSIZE": self.disk,
            "NPROC": self.processes,
            "NOFILE": 128,
            "CORE": 0,
        }


class SandboxError(RuntimeError):
    """The submission's process is gone, or no longer answers in the agreed form."""


class Sandbox:
    """One process that ran the ``cells`` of a submission; a context manager.

    Parameters
    ----------
    isolation : str
        ``"full"`` or ``"limits"``, see `launch`; `best_isolation` finds what the machine allows.
    limits : Limits
    """

    def __init__(self, isolation, limits):
        self.limits = limits
        self.folder = tempfile.TemporaryDirectory(prefix="classroom-", ignore_cleanup_errors=True)
        settings = {
            "isolation": isolation,
            "folder": self.folder.name,
            "wall": limits.wall,
            "disk": limits.disk,
            "rlimits": limits.rlimits(),
            "readable": python_folders(),
            "python": sys.executable,
            "worker": WORKER,
        }
        self.deadline = time.monotonic() + limits.wall + 5  # the keeper's comes first
        self.received, self.requests = bytearray(), 0
        self.keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", launch.__file__, json.dumps(settings)],
            cwd="/",
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={"PATH": "/usr/bin:/bin"},
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def run(self, cells):
        """Run ``cells``, pairs of number and source; yield each number, and what went wrong or None."""
        self._send({"cells": cells, "seconds": self.limits.cell})
        if self._receive(START) != {"ready": True}:
            raise SandboxError(GARBLED)
        for index, _ in cells:
            answer = self._receive()
            if answer.get("cell") != index or not isinstance(answer.get("error"), str | None):
                raise SandboxError(GARBLED)
            yield index, answer["error"]

    def value(self, name):
        """The value that the notebook gave to ``name``: see `_ask` for what is returned."""
        return self._ask({"name": name})

    def call(self, name, arguments):
        """What the notebook's function ``name`` returns of ``arguments``."""
        return self._ask({"name": name, "call": [worker.encode(argument) for argument in arguments]})

    def _ask(self, request):
        """``("value", value)``, ``("error", why)``, ``("odd", what it is)`` or ``("missing", None)``."""
        self.requests += 1
        self._send({"id": self.requests, **request})
        answer = self._receive()
        if answer.get("id") != self.requests:
            raise SandboxError(GARBLED)
        if answer.get("missing"):
            return "missing", None
        for kind in ("error", "odd"):
            if isinstance(answer.get(kind), str):
                return kind, answer[kind][:400]
        try:
            return "value", worker.decode(answer.get("value"))
        except (ValueError, TypeError, OverflowError):
            raise SandboxError(GARBLED) from None

    def _send(self, message):
        try:
            data = memoryview(json.dumps(message).encode() + b"\n")
            while data:  # the pipe breaks at the latest when the keeper's time is up
                data = data[self.keeper.stdin.write(data) :]
        except BrokenPipeError:
            raise SandboxError(self.how_it_ended()) from None

    def _receive(self, grace=GRACE):
        pipe = self.keeper.stdout.fileno()
        deadline = time.monotonic() + self.limits.cell + grace
        while b"\n" not in self.received:
            left = min(deadline, self.deadline) - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                raise SandboxError(f"still running after {self.limits.cell} s, and not to be interrupted")
            data = os.read(pipe, 2**16)
            if not data:
                raise SandboxError(self.how_it_ended())
            self.received += data
            if len(self.received) > MESSAGE:
                raise SandboxError("an answer of more than 16 MB")
        line, self.received = self.received.split(b"\n", 1)  # a bytearray: += does not copy what is there
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise SandboxError(GARBLED)
        return answer

    def how_it_ended(self):
        """In words; to be asked when the line is broken."""
        try:
            self.keeper.wait(5)
        except subprocess.TimeoutExpired:  # the process lives, but has closed the line
            return "its process has closed the line"
        report = self.keeper.stderr.read().decode(errors="replace").strip()
        if report.startswith("failed: "):
            raise OSError(report.splitlines()[0].removeprefix("failed: "))
        words = {
            "out of time": f"out of time: {self.limits.wall} s for the whole notebook",
            "killed by signal 9": "its process was killed: out of processor time or memory",
            "killed by signal 24": f"out of processor time: {self.limits.cpu} s for the whole notebook",
            "killed by signal 11": "its process crashed: segmentation fault, or out of memory",
        }
        return words.get(report, f"its process {report}")

    def close(self):
        """End the process and all that it started."""
        if self.keeper.stdin and not self.keeper.stdin.closed:
            self.keeper.stdin.close()  # the keeper's sign to kill
        try:
            self.keeper.wait(10)
        except subprocess.TimeoutExpired:
            self.keeper.kill()
            self.keeper.wait()
        self.keeper.stdout.close()
        self.keeper.stderr.close()
        self.folder.cleanup()


def python_folders():
    """The folders of Python and its packages, which a student's process can read."""
    return sorted({sys.base_prefix, sys.prefix, str(Path(sys.executable).resolve().parent.parent)}, key=len)


@functools.cache
def best_isolation():
    """The isolation that this machine allows, and why it is not the full one, or an empty text.

    Raises
    ------
    OSError
        If no student's process can be started at all, with the reason.
    """
    reasons = []
    for isolation in ("full", "limits") if sys.platform == "linux" else ("limits",):
        try:
            with Sandbox(isolation, Limits()) as sandbox:
                if list(sandbox.run([(0, "import numpy")])) == [(0, None)]:
                    return isolation, "; ".join(reasons) or (
                        "" if isolation == "full" else "this is not Linux"
                    )
                raise OSError("numpy cannot be imported")
        except (OSError, SandboxError) as error:
            reasons.append(str(error))
    raise OSError(f"No student's process can be started here: {'; '.join(reasons)}.")
