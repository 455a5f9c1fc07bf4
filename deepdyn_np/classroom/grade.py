"""Grade submissions, many at a time, unattended; nothing graded is ever lost.

`grade_submission` grades one, in the process that calls it, with the student's code in a sandbox of
its own. `grade` hands all of them to an executor and writes each result to a journal as it comes.
"""

import hashlib
import multiprocessing
import os
import secrets
import signal
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace

import numpy as np

from deepdyn_np.classroom.assignments import find_assignment, load_assignment
from deepdyn_np.classroom.journal import Journal
from deepdyn_np.classroom.judge import Verdict, judge_function, judge_number
from deepdyn_np.classroom.notebooks import NotANotebookError, read_submission
from deepdyn_np.classroom.progress import Bar
from deepdyn_np.classroom.questions import Function, Number, Written
from deepdyn_np.classroom.release import CODE_STUB, TEXT_STUB
from deepdyn_np.classroom.sandbox import Limits, Sandbox, SandboxError, best_isolation, python_folders
from deepdyn_np.classroom.submissions import collect
from deepdyn_np.errors import expect

STARTS = 4  # of a submission's process: one that a cell or a call ended is started again without it
UNANSWERED = CODE_STUB[1].removeprefix("raise ").removesuffix("()")
GRADER_ERROR = "grader error"  # the beginning of a status; such a result is not kept


@dataclass(frozen=True)
class Task:
    """All that grading one submission needs; it can be sent to another process or machine."""

    student: str
    content: bytes
    assignment: str
    seed: int
    limits: Limits
    isolation: str


def grade_submission(task):
    """The result of one submission, as a dict that JSON can hold, whatever a student wrote."""
    start = time.monotonic()
    assignment = load_assignment(task.assignment)
    result = {"student": task.student, "assignment": assignment.name, "status": "graded", "remarks": []}
    try:
        submission = read_submission(task.content)
        verdicts = _Grading(task, assignment, submission, result["remarks"]).verdicts()
    except NotANotebookError as error:
        result["status"] = f"not graded: {error}"
        verdicts = {question.name: Verdict("missing", 0, "Not graded.") for question in assignment.questions}
    result["seconds"] = round(time.monotonic() - start, 2)
    result["questions"] = {
        question.name: {**vars(verdicts[question.name]), "max": question.points, "title": question.title}
        for question in assignment.questions
    }
    return result


class _Grading:
    """One submission at work: its sandbox, and what is left out of it because it ended an earlier one."""

    def __init__(self, task, assignment, submission, remarks):
        self.task, self.assignment, self.submission, self.remarks = task, assignment, submission, remarks
        self.cells, self.errors, self.starts = list(submission.cells), {}, 0
        self.deadline = time.monotonic() + 1.5 * task.limits.wall
        self.sandbox = self.lost = None

    def verdicts(self):
        """A verdict for each question, by name."""
        try:
            self._start()
            self._compare_ids()
            return {question.name: self._judge(question) for question in self.assignment.questions}
        finally:
            if self.sandbox:
                self.sandbox.close()

    def _start(self):
        """Run the cells in a new process; leave out a cell that ends it, and try again."""
        while not self.lost:
            if self.sandbox:
                self.sandbox.close()
            self.starts += 1
            left = min(self.task.limits.wall, int(self.deadline - time.monotonic()))
            if self.starts > STARTS or left < 1:
                self.lost = (
                    "the notebook used up its time"
                    if left < 1
                    else "the notebook ended its process again and again"
                )
                self.remarks.append(self.lost)
                return
            self.sandbox = Sandbox(self.task.isolation, replace(self.task.limits, wall=left))
            ran = 0
            try:
                for number, error in self.sandbox.run(self.cells):
                    ran += 1
                    if error:
                        self.errors[number] = error
                return
            except SandboxError as error:
                if ran == len(self.cells):
                    self.lost = str(error)
                    return
                number = self.cells.pop(ran)[0]
                self.errors[number] = str(error)
                self.remarks.append(f"cell {number} was left out: {error}")

    def _compare_ids(self):
        kind, claimed = self._ask("value", "student")
        if kind == "value" and not (
            isinstance(claimed, str) and claimed.strip().lower() == self.task.student.strip().lower()
        ):
            self.remarks.append(
                f"the notebook's student id is {str(claimed)[:40]!r}, the file's is {self.task.student!r}; "
                "graded with the data of the file's"
            )

    def _ask(self, method, *arguments):
        """What the sandbox answers; if that ends it, ``("stopped", why)``, and a new one is started."""
        if self.lost:
            return "stopped", self.lost
        try:
            return getattr(self.sandbox, method)(*arguments)
        except SandboxError as error:
            self._start()
            return "stopped", str(error)

    def _judge(self, question):
        if isinstance(question, Written):
            text = self.submission.texts.get(question.name, "").strip()
            if text in ("", *TEXT_STUB):
                return Verdict("missing", 0, "Not answered.")
            return Verdict("by hand", None, text[:20_000])
        if isinstance(question, Number):
            kind, got = self._ask("value", question.name)
            if kind != "value":
                return self._failed(question, kind, got)
            return judge_number(question, got, self.assignment.data(self.task.student))
        calls = []
        for draw in range(question.draws):

            def arguments(draw=draw):
                return question.inputs(_rng(self.task.seed, question.name, draw), draw)

            kind, got = self._ask("call", question.name, arguments())
            if (
                kind != "value"
            ):  # an earlier call may tell more: a transposed matrix stops only where the shapes differ
                earlier = judge_function(question, calls)
                return earlier if earlier.kind == "wrong" else self._failed(question, kind, got)
            calls.append((arguments, got))
        return judge_function(question, calls)

    def _failed(self, question, kind, what):
        if kind == "stopped":
            return Verdict("stopped", 0, f"No answer: {what}.")
        if kind == "error":
            if what.startswith(UNANSWERED):
                return Verdict("missing", 0, "Not answered.")
            return Verdict("wrong", 0, f"The function stopped: {what}.")
        if kind == "odd":
            subject = "The function returns" if isinstance(question, Function) else f"`{question.name}` is"
            return Verdict("wrong", 0, f"{subject} {what}.")
        unanswered = [number for number, error in self.errors.items() if error.startswith(UNANSWERED)]
        follow = tuple(
            f"NameError: name '{other.name}'" for other in self.assignment.questions
        )  # of an unanswered one
        broken = {
            number: error
            for number, error in self.errors.items()
            if number not in unanswered and not error.startswith(follow)
        }
        if unanswered and not broken:
            return Verdict("missing", 0, "Not answered.")
        why = "".join(f" Cell {number} stopped: {error}." for number, error in list(broken.items())[:2])
        return Verdict("missing", 0, f"`{question.name}` is not defined.{why}")


def _rng(seed, name, draw):
    digest = hashlib.sha256(f"{seed}/{name}/{draw}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def grade(
    submissions,
    assignment,
    journal,
    *,
    executor=None,
    jobs=None,
    limits=Limits(),
    isolation=None,
    students=(),
    progress=False,
):
    """Grade all submissions; return the results in the order of the students' ids.

    Parameters
    ----------
    submissions : path
        What `submissions.collect` takes: a folder of notebooks ``<student>.ipynb``, nbgrader's tree, or
        one notebook.
    assignment : str or path
        What `assignments.find_assignment` finds.
    journal : path
        Results are appended to this file as they come. What it already holds, of an unchanged
        submission and unchanged questions, is not graded again.
    executor : concurrent.futures.Executor
        Where the submissions are graded, such as that of a cluster whose machines see the
        assignment's folder under the same path; without one, ``jobs`` processes on this machine.
    limits : Limits
    isolation : str
        ``"full"`` or ``"limits"``; without it, the best that this machine allows.
    students : sequence of str
        The roster; who handed in nothing gets a result that says so.
    progress : bool
        Show a bar on the error stream.

    Returns
    -------
    list of dict

    Raises
    ------
    ValueError
        If there is no such assignment or no submission, or if a student's process could read the
        assignment's folder.
    """
    folder = find_assignment(assignment)
    asked = load_assignment(str(folder))
    _try_references(asked)
    isolation = isolation or best_isolation()[0]
    inside = [place for place in python_folders() if folder.is_relative_to(place)]
    expect(
        not inside,
        "assignment",
        "a folder outside Python's own, which students' processes can read",
        f"{folder}",
        f"Make the virtual environment in a folder of its own, not in {inside[0] if inside else ''}.",
    )
    fingerprint = hashlib.sha256((folder / "questions.py").read_bytes()).hexdigest()
    handed_in = collect(submissions, asked.name)
    with Journal(journal) as book:
        seed = book.seed(default=secrets.randbits(64))
        results, tasks = {}, []
        for student, content in handed_in.items():
            key = hashlib.sha256(fingerprint.encode() + content).hexdigest()
            done = book.find(asked.name, student, key)
            if done:
                results[student] = done
            else:
                tasks.append((key, Task(student, content, str(folder), seed, limits, isolation)))
        own, others = None if executor else _processes(jobs), set(multiprocessing.active_children())
        try:
            futures = {(executor or own).submit(grade_submission, task): (key, task) for key, task in tasks}
            bar = Bar(f"Grading {asked.name}", len(handed_in), len(results), progress)
            for future in as_completed(futures):
                key, task = futures[future]
                try:
                    results[task.student] = {**future.result(), "version": key[:12]}
                except Exception as error:  # a fault of the grader, or of a machine: the others go on
                    why = f"{GRADER_ERROR}: {type(error).__name__}: {error}"
                    results[task.student] = not_graded(asked, task.student, why)
                if not results[task.student]["status"].startswith(GRADER_ERROR):
                    book.write(key, results[task.student])
                bar.advance()
            bar.close()
        except BaseException:  # Ctrl-C above all: end what is under way, now
            if own:
                own.shutdown(wait=False, cancel_futures=True)
                for process in set(multiprocessing.active_children()) - others:
                    process.terminate()
            raise
        if own:
            own.shutdown()
    absent = {
        student: not_graded(asked, student, "no submission") for student in students if student not in results
    }
    return [result for _, result in sorted({**results, **absent}.items())]


def _processes(jobs):
    """Processes of this machine; Ctrl-C is for the one that waits for them."""
    return ProcessPoolExecutor(
        jobs or os.cpu_count(),
        multiprocessing.get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )


def _try_references(assignment):
    """Ask the references once, so that a fault in them is seen before hours of grading."""
    for question in assignment.questions:
        if isinstance(question, Function):
            question.reference(*question.inputs(_rng(0, question.name, 0), 0))
        elif isinstance(question, Number):
            question.answer(assignment.data("a student"))


def not_graded(assignment, student, why):
    """The result of a student whose work could not be graded."""
    return {
        "student": student,
        "assignment": assignment.name,
        "status": why,
        "remarks": [],
        "seconds": 0.0,
        "version": "",
        "questions": {
            question.name: {
                "kind": "missing",
                "points": 0,
                "message": "Not graded.",
                "max": question.points,
                "title": question.title,
            }
            for question in assignment.questions
        },
    }
