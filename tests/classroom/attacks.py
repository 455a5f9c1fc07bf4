"""What a hostile student might hand in; bounded: a few dozen processes, a few hundred megabytes.

Any output that reaches the network goes to an address of this machine.
"""

from pathlib import Path

FORKS = """
import os, time
started = 0
for _ in range(40):
    try:
        child = os.fork()
    except OSError:
        break
    if child == 0:
        time.sleep(30)
        os._exit(0)
    started += 1
got = started
"""

# MARK, found in the command line of a process, tells that it is still there.
DAEMON = """
import os, subprocess, sys, time
sleep = [sys.executable, '-I', '-c', 'import time; time.sleep(60)', 'MARK']
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sleep[0], sleep)
    os._exit(0)
subprocess.Popen(sleep)
time.sleep(1)
got = 1
"""


def written_on_the_line(message):
    """A cell that writes ``message``, an expression for bytes, wherever the grader may listen."""
    return f"""
import os
for number in range(3, 10):
    try:
        os.write(number, {message})
    except OSError:
        pass
"""


CATCH_ALL = """
while True:
    try:
        n = 0
        while True:
            n += 1
    except BaseException:
        pass
"""
BLOCK_SIGNALS = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
while True:
    pass
"""
NO_ALARM = """
import signal
signal.setitimer(signal.ITIMER_REAL, 0)
while True:
    pass
"""
CRASH = "import ctypes\nctypes.string_at(0)"

# A cell before the answers, and what the table says of it; the answers after it are right.
CELLS = {
    "loop": ("while True: pass", ""),
    "stubborn": (BLOCK_SIGNALS, "cell 5 was left out: still running"),
    "forks": (FORKS, ""),
    "daemon": (DAEMON, ""),
    "memory": ("a = [np.ones(2**22) for _ in range(12)]", ""),
    "disk": ("open('a', 'wb').write(b'x' * 2**26)", ""),
    "prints": ("for _ in range(100): print('x' * 2**20)", ""),
    "exits": ("import sys\nsys.exit()", ""),
    "dies": ("import os\nos._exit(0)", "cell 5 was left out: its process exited with code 0"),
    "crashes": (CRASH, "cell 5 was left out: its process crashed"),
    "raises": ("1 / 0", ""),
    "garbage": (
        written_on_the_line(r"""b'{"cell": 9}\n'"""),
        "cell 5 was left out: the answers of its process are garbled",
    ),
}

FORGED = """b'{"id": 3, "points": 3, "kind": "right"}' + bytes([10])"""
PICKLED = Path("/tmp/classroom-test-unpickled")

# The question `scores`, answered by a cheat.
ANSWERS = {
    "monkey": """
np.allclose = np.isclose = np.array_equal = lambda *a, **k: True
class Yes:
    def __eq__(self, other): return True
def scores(X, w): return Yes()
""",
    "evil": """
class Evil:
    def __array__(self, *a, **k):
        while True: pass
    __eq__ = __float__ = __array__
def scores(X, w): return Evil()
""",
    "array": """
class Evil(np.ndarray):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0 * self
def scores(X, w): return np.zeros(len(X)).view(Evil)
""",
    "pickle": f"""
class Evil:
    def __reduce__(self): return __import__('os').system, ('touch {PICKLED}',)
def scores(X, w): return Evil()
""",
    "reader": """
def scores(X, w):
    import glob
    found = [file for top in ('/root', '/work', '/home', '/tmp', '..')
             for file in glob.glob(top + '/**/questions.py', recursive=True)]
    return eval(open(found[0]).read())
""",
    "frames": """
def scores(X, w):
    import gc
    return [thing for thing in gc.get_objects() if 'reference' in dir(thing)][0].reference(X, w)
""",
    "importer": """
def scores(X, w):
    from deepdyn_np.classroom.assignments import load_assignment
    return load_assignment('hw00_toy').questions[1].reference(X, w)
""",
    "forger": f"""
def scores(X, w):
    {written_on_the_line(FORGED).replace(chr(10), chr(10) + "    ")}
    return 0
""",
    "hangs": f"""
def scores(X, w):
    {BLOCK_SIGNALS.replace(chr(10), chr(10) + "    ")}
""",
    "quits": """
def scores(X, w):
    import os
    os._exit(0)
""",
    "huge": "def scores(X, w): return np.zeros(2**22)",
    "deep": """
def scores(X, w):
    a = []
    for _ in range(10**5): a = [a]
    return a
""",
}
