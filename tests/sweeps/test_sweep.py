"""Sweeps: the same numbers wherever the points run, and no finished point ever lost."""

import _thread
import copy
import doctest
import functools
import importlib
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import few

import deepdyn_np as dd
from deepdyn_np.sweeps import workers
from deepdyn_np.sweeps.grid import generator

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # of fork

GRID = {"eta": [0.1, 0.2, 0.4], "B": (1, 8)}


def draws(eta, B, rng):
    return {"product": eta * B, "noise": rng.normal(size=3), "whole": B, "process": os.getpid()}


@pytest.fixture
def cores(monkeypatch):
    """Let the sweep believe that it has three cores."""
    monkeypatch.setattr(workers, "_cores", lambda: 3)


def quietly(function, grid, executor=None, **options):
    return dd.sweep(function, grid, executor, progress=False, **options)


# --- the same numbers everywhere ------------------------------------------------------------------


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module that a worker process can import."""
    (tmp_path / "experiments.py").write_text("def noise(eta, B, rng):\n    return rng.normal(size=3) * eta * B\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("experiments")
    del sys.modules["experiments"]


def test_the_executor_and_the_number_of_workers_do_not_change_a_number(module, monkeypatch):
    found = {}
    for cores in (1, 2, 4):
        monkeypatch.setattr(workers, "_cores", lambda: cores)
        found[cores] = quietly(module.noise, GRID).value
    for start in ("fork", "spawn", "forkserver"):
        with ProcessPoolExecutor(2, get_context(start)) as pool:
            found[start] = quietly(module.noise, GRID, pool).value
    with ThreadPoolExecutor(4) as pool:
        found["threads"] = quietly(module.noise, GRID, pool).value
    monkeypatch.setattr(workers, "START", "spawn")
    found["the default of macOS and Windows"] = quietly(module.noise, GRID).value
    for where, value in found.items():
        np.testing.assert_array_equal(value, found[1], err_msg=str(where))
    assert len(np.unique(found[1])) == 18


@given(st.permutations(range(3)), st.integers(1, 3), st.booleans(), st.integers(0, 2**80))
@few(20)
def test_a_point_keeps_its_numbers_in_every_grid_that_contains_it(order, size, turned, seed):
    whole = quietly(draws, GRID, ThreadPoolExecutor(1), seed=seed)
    chosen = order[:size]
    part = {"eta": np.array(GRID["eta"])[chosen], "B": [8.0, 1.0]}
    found = quietly(draws, dict(reversed(part.items())) if turned else part, ThreadPoolExecutor(1), seed=seed)
    noise = found.noise.swapaxes(0, 1) if turned else found.noise
    np.testing.assert_array_equal(noise, whole.noise[chosen][:, ::-1])


def test_a_fixed_value_is_a_point_of_the_axis_that_it_becomes():
    fixed, axis = quietly(draws, {"eta": 0.2, "B": [1, 8]}), quietly(draws, GRID)
    assert fixed.product.shape == (2,) and list(fixed.axes) == ["B"]
    np.testing.assert_array_equal(fixed.noise, axis.noise[1])
    assert quietly(draws, {"eta": 0.2, "B": 1}).product.shape == ()


def test_the_seeds_of_points_of_sweeps_and_of_children_differ():
    def three(trial, rng):
        return [rng.random(), *(child.random() for child in rng.spawn(2))]

    found = [quietly(three, {"trial": range(50)}, seed=seed).value for seed in (0, 1)]
    assert len(np.unique(found)) == 300
    assert generator(0, {"a": 1}).random() != generator(0, {"b": 1}).random()


def test_the_default_runs_in_processes_of_its_own_and_forks_any_function(cores):
    scale = 3
    assert os.getpid() not in quietly(draws, GRID).process
    np.testing.assert_array_equal(quietly(lambda eta: scale * eta, {"eta": [1, 2, 3]}).value, [3, 6, 9])


def test_a_single_core_or_point_needs_no_process(cores, monkeypatch):
    assert quietly(draws, {"eta": 1, "B": 1}).process == os.getpid()
    monkeypatch.setattr(workers, "_cores", lambda: 1)
    assert (quietly(draws, GRID).process == os.getpid()).all()


def test_a_worker_uses_one_blas_thread(cores):
    threadpoolctl = pytest.importorskip("threadpoolctl")

    def threads(trial):
        large = np.ones((300, 300))
        return max(pool["num_threads"] for pool in threadpoolctl.threadpool_info()
                   if pool["user_api"] == "blas" and "numpy" in pool["filepath"]) + 0 * (large @ large)[0, 0]

    with threadpoolctl.threadpool_limits(2, "blas"):
        assert threads(0) == 2
        assert (quietly(threads, {"trial": range(3)}).value == 1).all()


# --- what comes back ------------------------------------------------------------------------------


def test_results_are_arrays_over_the_axes():
    found = quietly(draws, GRID)
    np.testing.assert_allclose(found.product, np.outer(GRID["eta"], GRID["B"]))
    assert found.noise.shape == (3, 2, 3) and found.whole.dtype.kind == "i" and found.done.all()
    assert found.eta.tolist() == GRID["eta"] and found.B.tolist() == [1, 8]
    assert [point["eta"] * point["B"] for point in found.points] == found.product.ravel().tolist()
    assert repr(found) == "<Sweep over eta (3) x B (2): product, noise, whole, process>"


def test_values_reach_the_function_as_they_are():
    def kind(loss, widths, flag, none):
        return [loss == "square", isinstance(widths, tuple), flag is True, none is None]

    grid = {"loss": ["square", "logistic"], "widths": [(2, 3, 1), (2, 5, 1)], "flag": True, "none": [None, 1.5]}
    found = quietly(kind, grid)
    assert found.value[0, :, 0].all() and not found.value[1, 0, 1].any(where=[True, False, False, True])
    assert found.widths.tolist() == [(2, 3, 1), (2, 5, 1)] and found.value.shape == (2, 2, 2, 4)


def test_results_of_different_shapes_become_an_array_of_arrays():
    found = quietly(lambda n: {"spectrum": np.arange(n), "n2": n**2}, {"n": [1, 3]})
    assert [len(spectrum) for spectrum in found.spectrum] == [1, 3] and found.n2.tolist() == [1, 9]


def test_a_name_that_one_point_does_not_return_is_nan_there():
    found = quietly(lambda n: {"always": n} | ({"sometimes": [n, n]} if n else {}), {"n": [0, 1]})
    np.testing.assert_array_equal(found.sometimes, [[np.nan, np.nan], [1, 1]])
    assert found.always.dtype.kind == "i"


def test_a_missing_name_says_what_there_is():
    with pytest.raises(AttributeError, match=r"<Sweep over eta \(3\).*> has no 'rank'"):
        quietly(draws, GRID).rank


def test_a_sweep_survives_copy_and_pickle():
    found = quietly(draws, GRID)
    for other in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        np.testing.assert_array_equal(other.noise, found.noise)


def test_the_example_of_the_docstring():
    example = doctest.DocTestFinder().find(dd.sweep, globs={"dd": dd, "np": np})[0]
    assert len(example.examples) > 3 and doctest.DocTestRunner().run(example).failed == 0


# --- failing points -------------------------------------------------------------------------------


def inverse(n):
    if n == 0:
        raise dd.NotSeparableError("no inverse", certificate=[1])  # cannot be pickled
    return 1 / n


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor])
def test_points_that_fail_are_told_at_the_end_and_the_others_kept(cores, executor):
    executor = executor and executor(2)
    with pytest.raises(dd.SweepError, match=r"1 of 3 points failed.*\.sweep.*At n=0:\n\n(?s:.*)no inverse") as caught:
        quietly(inverse, {"n": [0, 1, 2]}, executor)
    np.testing.assert_array_equal(caught.value.sweep.value, [np.nan, 1, 0.5])
    assert caught.value.sweep.done.tolist() == [False, True, True]
    (point, traceback), = caught.value.failures
    assert point == {"n": 0} and "test_sweep.py" in traceback and "NotSeparableError" in traceback


def test_if_all_points_fail_there_is_an_empty_sweep(cores):
    with pytest.raises(dd.SweepError, match="2 of 2") as caught:
        quietly(lambda n: 1 / 0, {"n": [0, 1]})
    assert caught.value.sweep.columns == {} and not caught.value.sweep.done.any()
    assert "nothing yet" in repr(caught.value.sweep)


@pytest.mark.parametrize("result, message", [
    ("text", "function: expected numbers .* as 'value', got str"),
    (None, "function: expected numbers"),
    ([[1], [1, 2]], "inhomogeneous"),
    ({"n": 1}, "results under names of their own, got 'n'"),
    ({"done": 1}, "results under names of their own, got 'done'"),
    ({"file": 1}, "results under names of their own, got 'file'"),
    ({1: 1}, "results under names of their own, got 1"),
])
def test_a_result_that_is_no_number_is_a_failure(result, message):
    with pytest.raises(dd.SweepError, match=message):
        quietly(lambda n: result, {"n": [0]})


def test_a_worker_that_dies_takes_no_finished_point_with_it(tmp_path, cores):
    def dies(n):
        if n == 7:
            time.sleep(0.5)
            os.kill(os.getpid(), signal.SIGKILL)
        return n

    with pytest.raises(dd.SweepError, match="A worker process died. Was it out of memory") as caught:
        quietly(dies, {"n": range(8)}, save=tmp_path / "runs")
    assert caught.value.sweep.value[:7].tolist() == list(range(7)) and not caught.value.sweep.done[7]
    assert len(list((tmp_path / "runs").glob("*.npz"))) == 7


def test_workers_that_have_died_before_all_points_are_submitted_leave_the_others():
    class Dying(ThreadPoolExecutor):
        def submit(self, function, *arguments):
            if arguments[-1]["n"] > 1:
                raise BrokenExecutor
            return super().submit(function, *arguments)

    with pytest.raises(dd.SweepError, match="2 of 4 points failed.*At n=") as caught, Dying(1) as executor:
        quietly(lambda n: n, {"n": range(4)}, executor)
    assert caught.value.sweep.done.tolist() == [True, True, False, False]


# --- saving and resuming --------------------------------------------------------------------------


class Counted:
    """An experiment that remembers which points it computed."""

    def __init__(self):
        self.computed = []

    def run(self, n, rng):
        self.computed.append(n)
        return {"square": n**2, "noise": rng.normal(size=2).astype(np.float32), "even": n % 2 == 0}


def again(folder, grid, **options):
    """What a sweep of this grid finds, and which points it had to compute."""
    counted = Counted()
    with ThreadPoolExecutor(1) as pool:
        return quietly(counted.run, grid, pool, save=folder, **options), counted.computed


def test_a_saved_sweep_computes_only_what_is_new(tmp_path):
    folder = tmp_path / "runs" / "phase"
    first, computed = again(folder, {"n": [0, 1, 2]})
    assert computed == [0, 1, 2] and len(list(folder.glob("*.npz"))) == 3
    second, computed = again(str(folder), {"n": [0.0, 1.0, 2.0]})
    assert computed == []
    for name, column in first.columns.items():
        np.testing.assert_array_equal(second.columns[name], column)
        assert second.columns[name].dtype == column.dtype
    larger, computed = again(folder, {"n": [5, 2, 1]})
    assert computed == [5] and larger.square.tolist() == [25, 4, 1]
    np.testing.assert_array_equal(larger.noise, again(tmp_path / "fresh", {"n": [5, 2, 1]})[0].noise)


def _cut(file):
    file.write_bytes(file.read_bytes()[:100])


def _flip(file):
    content = bytearray(file.read_bytes())
    content[content.index(b"NUMPY") + 120] ^= 1  # a bit of the numbers
    file.write_bytes(content)


def _pickled(file):
    np.savez(file, square=np.array({"a": 1}, dtype=object))


@pytest.mark.parametrize("damage", [
    _cut, _flip, _pickled, lambda file: file.write_bytes(b""), lambda file: file.write_text("text"),
    lambda file: file.unlink(), lambda file: file.rename(file.with_suffix(".part"))],
    ids=["cut off", "a flipped bit", "a pickle", "empty", "no npz", "deleted", "not renamed"])
def test_a_damaged_point_is_computed_again(tmp_path, damage):
    whole, _ = again(tmp_path, {"n": range(4)})
    second = [file for file in tmp_path.glob("*.npz") if np.load(file)["square"] == 4][0]
    damage(second)
    found, computed = again(tmp_path, {"n": range(4)})
    assert computed == [2] and sorted(path.suffix for path in tmp_path.iterdir()) == [".json"] + [".npz"] * 4
    np.testing.assert_array_equal(found.noise, whole.noise)
    assert again(tmp_path, {"n": range(4)})[1] == []


def test_a_failing_point_is_not_saved(tmp_path):
    with pytest.raises(dd.SweepError):
        quietly(inverse, {"n": [0, 1, 2]}, save=tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_the_folder_of_another_sweep_is_refused(tmp_path):
    def rank(n):
        return n

    quietly(rank, {"n": [1]}, save=tmp_path)

    def norm(n):
        return n

    def refused(function, grid, message, **options):
        with pytest.raises(ValueError, match=f"save: expected the folder of a sweep with {message}.*delete this one"):
            quietly(function, grid, save=tmp_path, **options)

    refused(norm, {"n": [1]}, "function .*norm, got .* with .*rank")
    refused(rank, {"n": [1]}, "seed 1, got .* with 0", seed=1)
    name, rank = rank.__qualname__, lambda n, B=1: n
    rank.__qualname__ = name
    refused(rank, {"n": [1], "B": 3}, r"parameters \['B', 'n'\], got .* with \['n'\]")
    refused(rank, {"n": [1]}, "this text of the function, got .* with another")
    assert len(list(tmp_path.glob("*.npz"))) == 1
    assert "return n" in json.loads((tmp_path / "sweep.json").read_text())["source"]


SCRIPT = """
    import os, sys, time
    import deepdyn_np as dd
    from deepdyn_np.sweeps import workers

    workers._cores = lambda: 2

    def slow(n, rng):
        with open({log!r}, "a") as log:
            log.write(f"{{n}} {{os.getpid()}}\\n")
        if n >= 3 and os.path.exists({block!r}):
            time.sleep(60)
        return rng.random(3)

    print(dd.sweep(slow, {{"n": range(8)}}, save={save!r}, progress=False).value.sum())
"""


@pytest.fixture
def script(tmp_path):
    """A script that sweeps over eight points and, while ``block`` exists, hangs from the fourth on."""
    paths = {name: str(tmp_path / name) for name in ("log", "block", "save")}
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT).format(**paths))
    (tmp_path / "block").touch()
    (tmp_path / "log").touch()
    return tmp_path


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "took too long"
        time.sleep(0.02)


def running(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_sweep_that_is_killed_or_interrupted_resumes(script, stop):
    command = [sys.executable, str(script / "script.py")]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    begun = lambda: [line.split() for line in (script / "log").read_text().splitlines()]  # noqa: E731
    until(lambda: len(list((script / "save").glob("*.npz"))) == 3 and len(begun()) == 5)
    if stop == signal.SIGKILL:
        first.kill()  # the process alone: its workers have to notice
    else:
        os.killpg(first.pid, stop)  # what Ctrl-C does, in a terminal and in Jupyter
    errors = first.communicate(timeout=20)[1]
    until(lambda: not any(running(pid) for _, pid in begun()))
    if stop == signal.SIGINT:
        assert errors.count("KeyboardInterrupt") == errors.count("Traceback") == 1 and "Process" not in errors

    (script / "block").unlink()
    before = len(begun())
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert sorted(int(n) for n, _ in begun()[before:]) == [3, 4, 5, 6, 7]
    fresh = quietly(lambda n, rng: rng.random(3), {"n": range(8)}).value.sum()
    assert float(second.stdout) == pytest.approx(fresh, rel=1e-15)


def test_an_interrupt_cancels_what_has_not_begun():
    computed = []

    def interrupts(n):
        computed.append(n)
        time.sleep(0.3)  # until all points are submitted
        if n == 0:
            _thread.interrupt_main()
        return n

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(KeyboardInterrupt):
            quietly(interrupts, {"n": range(20)}, pool)
    assert len(computed) < 4


# --- functions that a worker cannot import --------------------------------------------------------


def test_a_process_pool_refuses_a_function_that_cannot_be_pickled():
    with ProcessPoolExecutor(1) as pool:
        with pytest.raises(ValueError, match="function: .*worker process can import, got .*<lambda>. Put it in a "
                                             "module, or pass executor=concurrent.futures.ThreadPoolExecutor"):
            quietly(lambda n: n, {"n": [1]}, pool)


def test_where_workers_cannot_import_the_function_the_points_run_here(cores, monkeypatch, capsys):
    monkeypatch.setattr(workers, "START", "spawn")
    assert (dd.sweep(lambda n: os.getpid(), {"n": [1, 2]}).value == os.getpid()).all()
    assert "cannot import" in capsys.readouterr().err


IN_A_NOTEBOOK = """
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
import deepdyn_np as dd
from deepdyn_np.sweeps import workers

def square(n):
    return n**2

print(dd.sweep(square, {"n": [2, 3]}, progress=False).value)
workers.START = "spawn"
print(dd.sweep(square, {"n": [2, 3]}, progress=False).value)
try:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        dd.sweep(square, {"n": [2, 3]}, pool, progress=False)
except dd.SweepError as error:
    print(error)
"""


def test_a_function_of_a_notebook():
    """A notebook is a __main__ without a file, and so is a program given on the command line."""
    done = subprocess.run([sys.executable, "-c", IN_A_NOTEBOOK], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("[4 9]\n[4 9]\n2 of 2 points failed")
    assert re.search("as one defined in a notebook .*Put it in a module, or pass executor=", done.stdout)


# --- progress -------------------------------------------------------------------------------------


def test_progress_is_told_on_the_error_stream_unless_unwanted(capsys, tmp_path):
    quietly(draws, GRID)
    assert capsys.readouterr() == ("", "")
    with pytest.raises(dd.SweepError):
        dd.sweep(inverse, {"n": [0, 1]}, save=tmp_path)
    out, err = capsys.readouterr()
    assert out == "" and re.search(r"failed at n=0: .*NotSeparableError: no inverse\n.*sweep 100 % \(2 points", err)
    assert err.endswith("s)\n")


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize("call, message", [
    (lambda: dd.sweep(3, GRID), "function: .*without calling it"),
    (lambda: dd.sweep(np.exp, {"x": [1]}), "grid: expected the parameters of exp, got x. 'x' parameter is positional"),
    (lambda: dd.sweep(max, {"x": [1]}), "grid: expected the parameters of max, got x. no signature"),
    (lambda: dd.sweep(draws, [0.1, 0.2]), "grid: expected a dict"),
    (lambda: dd.sweep(draws, {}), "grid: expected a dict"),
    (lambda: dd.sweep(draws, {1: [2]}), "grid: expected names"),
    (lambda: dd.sweep(draws, GRID | {"rng": [1]}), "grid: expected names .* other than rng"),
    (lambda: dd.sweep(draws, {"eta": [1]}), "grid: expected the parameters of draws, got eta. missing a required argument: 'B'"),
    (lambda: dd.sweep(draws, GRID | {"lam": [1]}), "grid: .*unexpected keyword argument 'lam'"),
    (lambda: dd.sweep(draws, GRID | {"B": []}), "grid: expected at least one value of B"),
    (lambda: dd.sweep(draws, GRID | {"B": [1, 1.0]}), "grid: expected different values of B.*trial"),
    (lambda: dd.sweep(draws, GRID | {"B": [dd.losses.square]}), "grid: .*look up the object"),
    (lambda: dd.sweep(draws, GRID | {"B": dd.losses.square}), "grid: .*look up the object"),
    (lambda: dd.sweep(draws, GRID | {"B": np.eye(2)}), "grid: expected numbers"),
    (lambda: dd.sweep(draws, GRID | {"B": (n for n in range(3))}), "grid: expected numbers"),
    (lambda: dd.sweep(draws, GRID, 4), "executor: expected a concurrent.futures.Executor"),
    (lambda: dd.sweep(draws, GRID, ThreadPoolExecutor), "executor: .*an instance"),
    (lambda: dd.sweep(draws, GRID, seed=-1), "seed: "),
    (lambda: dd.sweep(draws, GRID, seed=None), "seed: "),
    (lambda: dd.sweep(draws, GRID, save=3), "save: expected the path"),
    (lambda: dd.sweep(functools.partial(draws, eta=1), {"B": [1]}, save="x"), "save: .*text can be read.*into the grid"),
])
def test_bad_input_names_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
