"""Whole submissions: points, messages, attacks, and a grader that is stopped and goes on."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest
from attacks import ANSWERS, CELLS, DAEMON, PICKLED
from toy_assignment import QUESTIONS, running, work, written

from deepdyn_np.classroom.grade import grade
from deepdyn_np.classroom.release import release
from deepdyn_np.classroom.sandbox import Limits
from deepdyn_np.classroom.scores import what_failed

LIMITS = Limits(wall=30, cpu=10, cell=2, memory=512 * 2**20, disk=16 * 2**20)


def graded(toy, folder, tmp_path, executor=None, **options):
    """The results of the submissions in ``folder``, by student."""
    with ThreadPoolExecutor(2) as threads:  # the sandbox is a process of its own, whatever asks it
        results = grade(
            folder,
            toy,
            tmp_path / "scores.jsonl",
            executor=executor or threads,
            **{"limits": LIMITS, **options},
        )
    return {result["student"]: result for result in results}


def points(result):
    return [part["points"] for part in result["questions"].values()]


def test_a_right_a_wrong_and_an_untouched_notebook(toy, tmp_path):
    results = graded(
        toy,
        written(
            tmp_path / "in",
            ann=work("ann"),
            ben=work("ben", mean="mean = x.sum()", scores="def scores(X, w): return -X @ w"),
            loops=work(
                "loops",
                mean="mean = [sum(x) / len(x)]",
                scores="def scores(X, w):\n    return [sum(map(float, row * w)) for row in X]",
            ),
            single=work(
                "single",
                mean="mean = np.float32(x.mean())",
                scores="def scores(X, w): return (X @ w[:, None]).astype('f4')",
            ),
            zoe=release(toy / "hw00_toy.ipynb"),
        ),
        tmp_path,
    )
    assert all(result["status"] == "graded" for result in results.values())
    assert [points(results[name]) for name in ("ann", "loops", "single")] == [[2, 3, None]] * 3
    assert results["ann"]["questions"]["why"]["message"] == "Because it is so."
    assert points(results["ben"])[:2] == [0, 0]
    assert results["ben"]["questions"]["mean"]["message"] == "This is the sum, not the mean."
    assert results["ben"]["questions"]["scores"]["message"] == "The sign is turned."
    assert points(results["zoe"]) == [0, 0, 0]
    assert {part["message"] for part in results["zoe"]["questions"].values()} == {"Not answered."}


def test_the_data_are_those_of_the_files_name_whatever_the_notebook_claims(toy, tmp_path):
    copied = work("ann", claimed="'ann'")
    results = graded(
        toy,
        written(
            tmp_path / "in",
            ann=copied,
            copycat=copied,
            Ann2=work("ann2 "),
            nameless=work("x", claimed="None"),
        ),
        tmp_path,
    )
    assert points(results["ann"])[0] == 2 and results["ann"]["remarks"] == []
    assert (
        points(results["Ann2"])[0] == 2 and results["Ann2"]["remarks"] == []
    )  # case and blanks do not count
    assert points(results["copycat"])[:2] == [0, 3]
    assert "student id is 'ann', the file's is 'copycat'" in what_failed(results["copycat"])
    assert "student id is 'None'" in what_failed(results["nameless"])


def test_hostile_notebooks_lose_what_they_broke_and_harm_nobody(toy, tmp_path):
    mark = uuid.uuid4().hex
    hostile = {name: work(name, cell.replace("MARK", mark)) for name, (cell, _) in CELLS.items()}
    start = time.monotonic()
    results = graded(toy, written(tmp_path / "in", ann=work("ann"), zed=work("zed"), **hostile), tmp_path)
    assert time.monotonic() - start < 120
    for name, result in results.items():
        assert result["status"] == "graded"
        assert points(result)[:2] == [2, 3], (name, result)  # the hostile cell is lost, the answers are not
        assert CELLS.get(name, ("", ""))[1] in " ".join(result["remarks"])
        assert result["seconds"] <= LIMITS.wall
    assert results["ann"]["remarks"] == []
    assert running(mark) == []


def test_cheats_earn_nothing_for_their_question_and_lose_no_other(toy, tmp_path):
    cheats = {name: work(name, scores=answer) for name, answer in ANSWERS.items()}
    results = graded(toy, written(tmp_path / "in", ann=work("ann"), **cheats), tmp_path)
    assert points(results.pop("ann"))[:2] == [2, 3]
    for name, result in results.items():
        assert points(result)[:2] == [2, 0], (name, result)
        assert len(result["questions"]["scores"]["message"]) > 10
    assert not PICKLED.exists()


def test_a_notebook_that_never_lets_itself_be_run_ends_too(toy, tmp_path):
    cells = ["import os\nos._exit(1)"] * 8
    results = graded(toy, written(tmp_path / "in", ann=work("ann", *cells), ben=work("ben")), tmp_path)
    assert points(results["ann"])[:2] == [0, 0]
    assert "again and again" in what_failed(results["ann"])
    assert points(results["ben"])[:2] == [2, 3]


def test_files_that_are_no_notebooks_get_a_row(toy, tmp_path):
    folder = written(
        tmp_path / "in",
        ann=work("ann"),
        empty="",
        text="print(1)",
        torn=work("torn")[:500],
        listed="[]",
        other='{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
        deep="[" * 10**5,
    )
    (folder / "binary.ipynb").write_bytes(os.urandom(2000))
    (folder / "thief.ipynb").symlink_to(toy / "hw00_toy.ipynb")
    results = graded(toy, folder, tmp_path, students=["ann", "late"])
    assert points(results.pop("ann"))[:2] == [2, 3]
    assert results.pop("late")["status"] == "no submission"
    assert len(results) == 8
    for name, result in results.items():
        assert result["status"].startswith("not graded: the file is"), (name, result)
        assert points(result) == [0, 0, 0]


def test_nbgraders_tree_is_read(toy, tmp_path):
    for student, file in (("ann", "hw00_toy.ipynb"), ("ben", "my solution.ipynb")):
        place = tmp_path / "submitted" / student / "hw00_toy"
        place.mkdir(parents=True)
        (place / file).write_text(work(student))
    (tmp_path / "submitted" / "cid" / "hw00_toy").mkdir(parents=True)
    results = graded(toy, tmp_path / "submitted", tmp_path)
    assert [points(results[name])[:2] for name in ("ann", "ben", "cid")] == [[2, 3], [2, 3], [0, 0]]
    assert results["cid"]["status"].startswith("not graded")


# --- executors, and the journal ----------------------------------------------------------------


class Here(Executor):
    """Grades in the calling thread, and counts."""

    def __init__(self):
        self.students = []

    def submit(self, function, task):
        self.students.append(task.student)
        future = Future()
        try:
            future.set_result(function(task))
        except Exception as error:
            future.set_exception(error)
        return future


def test_what_is_graded_is_not_graded_again_unless_it_changed(toy, tmp_path):
    folder = written(tmp_path / "in", ann=work("ann"), ben=work("ben"))
    for expected, change in [
        (["ann", "ben"], lambda: None),
        ([], lambda: None),
        (["ben"], lambda: written(folder, ben=work("ben", mean="mean = 0"))),
        (["cid"], lambda: written(folder, cid=work("cid"))),
        (["ann", "ben", "cid"], lambda: (toy / "questions.py").write_text(QUESTIONS + "\n# changed")),
    ]:
        change()
        here = Here()
        results = graded(toy, folder, tmp_path, executor=here)
        assert here.students == expected
    assert points(results["ben"])[0] == 0 and len(results) == 3
    seeds = [entry for entry in map(json.loads, open(tmp_path / "scores.jsonl")) if "seed" in entry]
    assert len(seeds) == 1  # all students are asked the same, also when the grader starts anew


def test_a_line_cut_short_by_a_crash_is_graded_again(toy, tmp_path):
    folder = written(tmp_path / "in", ann=work("ann"), ben=work("ben"))
    graded(toy, folder, tmp_path, executor=Here())
    journal = tmp_path / "scores.jsonl"
    last = json.loads(journal.read_text().splitlines()[-1])["result"]["student"]
    journal.write_bytes(journal.read_bytes()[:-40])
    here = Here()
    assert points(graded(toy, folder, tmp_path, executor=here)[last])[:2] == [2, 3]
    assert here.students == [last]
    graded(toy, folder, tmp_path, executor=here)
    assert here.students == [last]  # the journal is whole again
    journal.write_text("a table, not a journal\n")
    with pytest.raises(ValueError, match="a file that the grader wrote"):
        graded(toy, folder, tmp_path, executor=Here())


def test_a_fault_of_the_grader_is_a_row_and_is_tried_again(toy, tmp_path):
    class Broken(Here):
        def submit(self, function, task):
            def lost(task):
                raise OSError("the machine is gone")

            return super().submit(lost if task.student == "ben" else function, task)

    folder = written(tmp_path / "in", ann=work("ann"), ben=work("ben"))
    results = graded(toy, folder, tmp_path, executor=Broken())
    assert results["ben"]["status"] == "grader error: OSError: the machine is gone"
    here = Here()
    assert graded(toy, folder, tmp_path, executor=here)["ben"]["status"] == "graded"
    assert here.students == ["ben"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_grader_keeps_what_it_has_and_goes_on(toy, tmp_path, how):
    mark = uuid.uuid4().hex
    cell = DAEMON.replace("MARK", mark) + "time.sleep(60)"
    slow = {f"slow{k}": work(f"slow{k}", cell) for k in range(4)}
    folder = written(tmp_path / "in", ann=work("ann"), ben=work("ben"), **slow)
    command = [
        sys.executable,
        "-m",
        "deepdyn_np.classroom",
        "grade",
        str(folder),
        "--assignment",
        str(toy),
        "-o",
        str(tmp_path / "scores.csv"),
        "--jobs",
        "2",
        "--cell",
        "50",
    ]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE) as grader:
        threading.Timer(100, grader.kill).start()
        journal = tmp_path / "scores.jsonl"
        while (
            not (journal.exists() and journal.read_bytes().count(b"\n") == 3 and running(mark))
            and grader.poll() is None
        ):
            time.sleep(0.05)
        os.killpg(grader.pid, how)
        assert grader.wait(30) == (130 if how == signal.SIGINT else -9)
        if how == signal.SIGINT:
            assert b"What was graded is kept" in grader.stderr.read()
    deadline = time.monotonic() + 15
    while running(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running(mark) == []
    here = Here()
    graded(toy, folder, tmp_path, executor=here, limits=dataclasses.replace(LIMITS, cell=1))
    assert here.students == sorted(slow)


def test_errors_of_the_instructor_are_told(toy, tmp_path):
    folder = written(tmp_path / "in", ann=work("ann"))
    with pytest.raises(ValueError, match="submissions: expected a folder or a notebook"):
        graded(toy, tmp_path / "nowhere", tmp_path)
    with pytest.raises(ValueError, match="assignment: expected a folder with a questions.py"):
        graded(tmp_path / "hw99", folder, tmp_path)
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="files <student>.ipynb"):
        graded(toy, tmp_path / "none", tmp_path)
    written(folder, ann_hw00_toy=work("ann"))
    with pytest.raises(ValueError, match="one file for each student"):
        graded(toy, folder, tmp_path)
    (folder / "ann_hw00_toy.ipynb").unlink()
    (toy / "questions.py").write_text(QUESTIONS.replace("X @ w, inputs", "X @ X, inputs"))
    with pytest.raises(ValueError, match="matmul"):
        graded(toy, folder, tmp_path)


def test_an_assignment_among_pythons_own_files_is_refused(toy, tmp_path, monkeypatch):
    monkeypatch.setattr("deepdyn_np.classroom.grade.python_folders", lambda: [str(tmp_path)])
    with pytest.raises(ValueError, match="outside Python's own"):
        graded(toy, written(tmp_path / "in", ann=work("ann")), tmp_path)
