"""What a student's process can reach, in both kinds of isolation, and that nothing of it is left.

Every attack is bounded: at most a few dozen processes, a few hundred megabytes, addresses of this machine.
"""

import dataclasses
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import numpy as np
import pytest
from attacks import BLOCK_SIGNALS, CATCH_ALL, CRASH, DAEMON, FORKS, NO_ALARM, written_on_the_line
from toy_assignment import running

from deepdyn_np.classroom.questions import Code
from deepdyn_np.classroom.sandbox import Limits, Sandbox, SandboxError, best_isolation

ROOT = Path(__file__).resolve().parents[2]
LIMITS = Limits(wall=40, cpu=10, cell=10)
isolation, why = best_isolation()
linux = sys.platform == "linux"
fully = pytest.mark.skipif(isolation != "full", reason=f"this machine does not isolate fully: {why}")


def run(*cells, limits=LIMITS, isolation=isolation):
    """What went wrong in each cell, and the value of ``got``."""
    with Sandbox(isolation, limits) as sandbox:
        errors = [error for _, error in sandbox.run(list(enumerate(cells, 1)))]
        kind, got = sandbox.value("got")
        return errors, got if kind == "value" else (kind, got)


def test_what_full_isolation_lacks_is_said():
    assert (isolation == "full") == (why == "")


def test_values_and_calls_come_back():
    with Sandbox(isolation, LIMITS) as sandbox:
        source = "import numpy as np\nx = np.arange(3.0)\nlamb = len\n"
        source += "def f(a, g, k): return {'b': g(a) + k, 'c': [1, 'd']}"
        assert list(sandbox.run([(1, source), (2, "1 / 0"), (3, "def g(): raise KeyError('k')")])) == [
            (1, None),
            (2, "ZeroDivisionError: division by zero (cell 2, line 1)"),
            (3, None),
        ]
        np.testing.assert_array_equal(sandbox.value("x")[1], np.arange(3.0))
        kind, got = sandbox.call("f", (np.ones(2), Code("lambda a: 2 * a"), 1))
        assert kind == "value" and got["b"].tolist() == [3, 3] and got["c"] == (1, "d")
        assert sandbox.value("absent") == ("missing", None)
        assert sandbox.call("g", ()) == ("error", "KeyError: 'k' (cell 3, line 1)")
        assert sandbox.value("lamb") == ("odd", "a builtin_function_or_method, not a value")
        assert sandbox.call("x", ())[0] == "error"


def test_matplotlib_works_and_shows_nothing():
    errors, got = run(
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nplt.savefig('a.png')",
        "display(1)\ngot = 1",
        limits=dataclasses.replace(LIMITS, cell=60, wall=90, cpu=60),
    )
    assert errors == [None, None] and got == 1


def test_it_knows_nothing_of_this_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("SECRET", "42")
    (tmp_path / "questions.py").write_text("right = 1")
    tmp_path.chmod(0o755)
    errors, got = run(f"""
import os, sys
def listed(path):
    try: return sorted(os.listdir(path))
    except OSError: return None
try: import deepdyn_np; imported = True
except ImportError: imported = False
got = [sorted(os.environ), os.listdir('.'), listed({str(ROOT / "book")!r}), listed({str(tmp_path)!r}),
       listed('/proc'), imported, os.getuid(), [p for p in sys.path if p in ('', '.')], listed('/etc')]""")
    assert errors == [None]
    environment, here, book, assignment, processes, imported, uid, path, etc = got
    assert environment == (
        "HOME",
        "LANG",
        "MPLBACKEND",
        "MPLCONFIGDIR",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "PATH",
    )
    assert len(here) == 0 and len(path) == 0
    assert book is assignment is processes is None
    assert not imported
    assert etc == ("ld.so.cache",)
    assert uid != 0


def test_it_writes_only_into_its_own_folder():
    places = [sys.prefix, sys.base_prefix, "/usr", str(ROOT), tempfile.gettempdir()]
    errors, got = run(f"""
got = []
for place in {places!r}:
    try: open(place + '/left-behind', 'w'); got.append(place)
    except OSError: pass
open('mine', 'w').write('x')""")
    assert errors == [None] and len(got) == 0
    assert not any(Path(place, "left-behind").exists() for place in places)


def test_it_has_no_network():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        errors, _ = run(
            f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)",
            "import socket\nsocket.create_connection(('localhost', 1), 2)",
        )
        assert all(error for error in errors)
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.accept()


def test_it_cannot_become_another_user_or_signal_others():
    errors, got = run(
        "import os\nos.setuid(0)",
        "import os\nos.setgroups([0])",
        f"import os\nos.kill({os.getpid()}, 9)",
        "import ctypes\ngot = [ctypes.CDLL(None).mount(b'none', b'/usr', b'tmpfs', 0, None)]",
    )
    assert all(
        error and ("PermissionError" in error or "ProcessLookupError" in error) for error in errors[:3]
    ), errors
    assert errors[3] is None and got[0] == -1


def test_a_loop_ends_with_its_cell_and_the_next_cell_runs():
    start = time.monotonic()
    errors, got = run("while True: pass", "got = 1", limits=dataclasses.replace(LIMITS, cell=1))
    assert errors == ["still running after 1 s", None] and got == 1
    assert time.monotonic() - start < 15


CANNOT_GO_ON = {
    "a loop that catches all": (CATCH_ALL, "not to be interrupted"),
    "blocked signals": (BLOCK_SIGNALS, "not to be interrupted"),
    "exit": ("import os\nos._exit(3)", "its process exited with code 3"),
    "segmentation fault": ("import os\nos.kill(os.getpid(), 11)", "crashed"),
    "abort": ("import os\nos.abort()", "signal 6"),
    "null pointer": (CRASH, "crashed"),
    "closed files": ("import os\nos.closerange(0, 100)", "closed the line|its process"),
    "garbage": (written_on_the_line(r"b'not json\n'"), "garbled"),
    "deep garbage": (written_on_the_line(r"b'[' * 20000 + b'\n'"), "garbled"),
    "endless answer": (written_on_the_line("b'x' * 40 * 2**20"), "16 MB"),
}


@pytest.mark.parametrize("cell, message", CANNOT_GO_ON.values(), ids=CANNOT_GO_ON)
def test_what_cannot_go_on_ends_with_a_reason(cell, message):
    start = time.monotonic()
    with pytest.raises(SandboxError, match=message):
        run(cell, limits=dataclasses.replace(LIMITS, cell=2))
    assert time.monotonic() - start < 30


def test_the_limit_of_processor_time_holds_for_what_its_cells_cannot_stop():
    with pytest.raises(SandboxError, match="processor time"):
        run(NO_ALARM, limits=dataclasses.replace(LIMITS, cpu=2, cell=60))


def test_memory_is_limited():
    errors, got = run(
        "import numpy as np\na = [np.ones(2**22) for _ in range(20)]",
        "got = 1",
        limits=dataclasses.replace(LIMITS, memory=512 * 2**20),
    )
    assert "MemoryError" in errors[0] and errors[1] is None and got == 1


def test_the_disk_is_limited_as_a_whole():
    fill = "with open('{}', 'wb') as file:\n    for _ in range(12): file.write(b'x' * 2**20)"
    errors, got = run(
        fill.format("a"),
        fill.format("b"),
        "import os\ngot = [os.path.getsize(f) for f in os.listdir('.')]",
        limits=dataclasses.replace(LIMITS, disk=16 * 2**20),
    )
    assert errors[0] is None and "No space left" in errors[1]
    assert sum(got) <= 16 * 2**20
    errors, _ = run("for k in range(20_000): open(str(k), 'w').close()")
    assert "No space left" in errors[0]


def test_a_hundred_megabytes_of_prints_go_nowhere():
    errors, got = run(
        "for _ in range(100): print('x' * 2**20)\nimport os\nos.system('echo y')\ngot = 1",
        limits=dataclasses.replace(LIMITS, cell=30, wall=40, cpu=30),
    )
    assert errors == [None] and got == 1


def test_processes_are_limited():
    errors, got = run(FORKS)
    assert errors == [None] and got <= LIMITS.processes


def test_nothing_is_left_running():
    mark = uuid.uuid4().hex
    with Sandbox(isolation, LIMITS) as sandbox:
        assert [error for _, error in sandbox.run([(1, DAEMON.replace("MARK", mark))])] == [None]
        assert len(running(mark)) >= 2  # the daemon and the child, so that the test can fail
        folder = Path(sandbox.folder.name)
    assert running(mark) == []
    assert not folder.exists()


def test_a_dead_grader_leaves_nothing_running():
    mark = uuid.uuid4().hex
    cells = [(1, DAEMON.replace("MARK", mark)), (2, BLOCK_SIGNALS)]  # the second never ends by itself
    code = (
        "from deepdyn_np.classroom.sandbox import Limits, Sandbox\n"
        f"sandbox = Sandbox({isolation!r}, Limits(cell=30))\n"
        f"for _ in sandbox.run({cells!r}): print(sandbox.folder.name, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as grader:
        folder = grader.stdout.readline().strip()
        assert folder and len(running(mark)) >= 2
        grader.kill()
    deadline = time.monotonic() + 10
    while (running(mark) or Path(folder).exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running(mark) == [] and not Path(folder).exists()


# --- the same without namespaces, and for an ordinary user --------------------------------------

# In a view of the file system of its own: where a folder above one that is needed is closed to others,
# an open one takes its place, with nothing in it but what is needed.
REACHABLE = """
set -e
user=$1 needed=$2; shift 2
mount -t tmpfs tmpfs /mnt
number=0
for path in $needed; do
    number=$((number + 1)); mkdir /mnt/$number; mount --rbind "$path" /mnt/$number
done
for path in $needed; do
    above=
    for part in $(echo "$path" | tr / ' '); do
        above=$above/$part
        case $(stat -Lc %A "$above" 2> /dev/null) in
            d????????[xt]|"") ;;
            *) mount -t tmpfs -o mode=755 tmpfs "$above"; break ;;
        esac
    done
done
number=0
for path in $needed; do
    number=$((number + 1)); [ -e "$path" ] || { mkdir -p "$path"; mount --rbind /mnt/$number "$path"; }
done
[ "$user" = root ] || exec setpriv --reuid=54321 --regid=54321 --clear-groups "$@"
exec "$@"
"""


def as_user(user, code, *arguments):
    """Run ``code`` as root or as an ordinary user, who can reach the interpreter; what it prints."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "MPLCONFIGDIR": tempfile.gettempdir(),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-c", code, *arguments]
    if os.getuid() == 0:
        needed = " ".join(sorted({sys.base_prefix, sys.prefix, str(ROOT)}))  # a folder before those in it
        command = ["unshare", "--mount", "sh", "-c", REACHABLE, "sh", user, needed, *command]
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


ATTACK = """
import sys, os, time
from deepdyn_np.classroom.sandbox import Limits, Sandbox
isolation, daemon, forks = sys.argv[1:]
with Sandbox(isolation, Limits(wall=30, cpu=20)) as sandbox:
    errors = [e for _, e in sandbox.run([(1, daemon), (2, "import os\\nuid = os.getuid()"), (3, forks)])]
    values = [sandbox.value(name) for name in ("uid", "got")]
print(os.getuid(), *[value for _, value in values], sum(e is not None for e in errors))
"""


@pytest.mark.skipif(not linux, reason="namespaces and orphans that come back are Linux's")
@pytest.mark.parametrize("user", ["root", "ordinary"])
@pytest.mark.parametrize("kind", [pytest.param("full", marks=fully), "limits"])
def test_root_becomes_a_user_that_owns_nothing_and_orphans_die(user, kind):
    if os.getuid() != 0 and user == "root":
        user = "ordinary"  # the test is run by one
    mark = uuid.uuid4().hex
    # without namespaces an ordinary user's processes are counted all together: then it can start none at all
    daemon = DAEMON.replace("MARK", mark) if (user, kind) != ("ordinary", "limits") else "daemon = 1"
    grader, uid, forks, failed = as_user(user, ATTACK, kind, daemon, FORKS)
    assert failed == "0"
    assert running(mark) == []
    assert (uid == grader) == (user == "ordinary") and uid != "0"
    assert int(forks) <= 8


def test_an_ordinary_users_orphans_die_without_namespaces():
    mark = uuid.uuid4().hex
    code = ATTACK.replace("Limits(wall=30, cpu=20)", "Limits(wall=30, cpu=20, processes=5000)")
    assert as_user("ordinary", code, "limits", DAEMON.replace("MARK", mark), "got = 1")[-1] == "0"
    assert running(mark) == []


WRITE = """
import tempfile
from pathlib import Path
from deepdyn_np.classroom import sandbox
from deepdyn_np.classroom.sandbox import Limits, Sandbox
mine, folders = tempfile.mkdtemp(), sandbox.python_folders()
sandbox.python_folders = lambda: [*folders, mine]
with Sandbox("full", Limits()) as box:
    print(*list(box.run([(1, f"open({mine + '/left-behind'!r}, 'w')")])))
print(*Path(mine).iterdir())
Path(mine).rmdir()
"""


@fully
def test_the_users_own_packages_cannot_be_changed():
    """The virtual environment usually belongs to who grades."""
    assert "Read-only file system" in " ".join(as_user("ordinary", WRITE))
