"""Let every test file import the shared oracles, ``from oracles import ...``; one core; one built book."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

# Before numpy is imported: on the small matrices of the tests a second BLAS thread only waits,
# and on a busy machine it waits for long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))
# A shell starts a background job with Ctrl-C ignored, and its children inherit that: some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def site(tmp_path_factory, testrun_uid):
    """The folder of the current sources' pages: `book/build.py` executes only what is not cached.

    Of the workers of a test run the first that asks builds it; the others wait and find it built.
    """
    built = tmp_path_factory.getbasetemp().parent / f"book-{testrun_uid}"
    with open(built.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            build = [sys.executable, ROOT / "book" / "build.py"]
            result = subprocess.run(build, capture_output=True, text=True)
            assert result.returncode == 0, result.stdout + result.stderr
            built.touch()
    return ROOT / "_build" / "html"
