"""The assignments of the book: the real grader on masters, student versions, wrong and right answers.

`hw01_gradients` and `hw02_max_margin` beside this file hold what students might hand in.
"""

import importlib
import re
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import numpy as np
import pytest

from deepdyn_np.classroom.assignments import load_assignment
from deepdyn_np.classroom.grade import Task, grade_submission
from deepdyn_np.classroom.judge import judge_function
from deepdyn_np.classroom.questions import RELEASED_ID, Function, Number, Written
from deepdyn_np.classroom.release import release
from deepdyn_np.classroom.sandbox import Limits, best_isolation
from deepdyn_np.classroom.worker import decode, encode

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.parent.name for path in (ROOT / "book" / "assignments").glob("*/questions.py"))
SEED = 20
sys.path.insert(0, str(Path(__file__).parent))


def folder(name):
    return ROOT / "book" / "assignments" / name


def master(name):
    return nbformat.read(folder(name) / f"{name}.ipynb", as_version=4)


def questions(name, *kinds):
    return [q for q in load_assignment(str(folder(name))).questions if isinstance(q, kinds or object)]


def cell(notebook, grade_id):
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def of_student(notebook, student):
    """``notebook`` with the student's id in it."""
    for c in notebook.cells:
        c.source = c.source.replace(f'student = "{RELEASED_ID}"', f'student = "{student}"')
    return notebook


def answered(name, student, answers):
    """The master with other ``answers``: a change of the solution, a definition, or an expression for a number.

    The numbers are replaced all at once at the end, so that each expression can use the right ones.
    """
    notebook = of_student(master(name), student)
    numbers = {question.name: answers[question.name] for question in questions(name, Number) if question.name in answers}
    for question in questions(name, Function):
        answer = answers.get(question.name)
        place = cell(notebook, f"{question.name}-answer")
        if isinstance(answer, tuple):
            assert answer[0] in place.source, f"{question.name}: the solution has no {answer[0]!r}"
            place.source = place.source.replace(*answer)
        elif answer:
            place.source = textwrap.dedent(answer)
    if numbers:
        source = f"({', '.join(numbers)},) = ({', '.join(numbers.values())},)"
        notebook.cells.append(nbformat.v4.new_code_cell(handed_in(name).HELPERS + source))
    return notebook


def handed_in(name):
    return importlib.import_module(name)


def graded(name, notebooks):
    """The results of ``notebooks``, a dict by student."""
    isolation = best_isolation()[0]
    tasks = [Task(student, nbformat.writes(notebook).encode(), str(folder(name)), SEED, Limits(), isolation)
             for student, notebook in notebooks.items()]
    with ThreadPoolExecutor(2) as pool:
        return [result["questions"] for result in pool.map(grade_submission, tasks)]


def rounds(table):
    """The answers of ``table`` in turns, each turn with at most one for each question."""
    turns = max(map(len, table.values()))
    return [{question: tuple(answers)[turn] for question, answers in table.items() if turn < len(answers)}
            for turn in range(turns)]


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


# --- masters and student versions ----------------------------------------------------------------


def test_the_master_gets_every_point(name):
    students = ("ada", "Bo.Li@example.org", "00417")
    for result in graded(name, {student: of_student(master(name), student) for student in students}):
        for question in questions(name):
            verdict = result[question.name]
            expected = ("by hand", None) if isinstance(question, Written) else ("right", question.points)
            assert (verdict["kind"], verdict["points"]) == expected, f"{question.name}: {verdict['message']}"


def test_the_untouched_student_version_gets_none(name):
    blank = nbformat.reads(release(folder(name) / f"{name}.ipynb"), as_version=4)
    result, = graded(name, {RELEASED_ID: blank})
    assert {(verdict["kind"], verdict["points"], verdict["message"]) for verdict in result.values()} == {
        ("missing", 0, "Not answered.")}


def test_the_committed_student_version_is_the_released_one(name):
    committed = (ROOT / "chapters" / "assignments" / f"{name}.ipynb").read_bytes()
    assert committed == release(folder(name) / f"{name}.ipynb").encode()


def test_six_to_eight_questions_of_three_kinds_and_their_points_in_the_text(name):
    asked, text = questions(name), cell_texts(name)
    assert 6 <= len(asked) <= 8
    assert {type(question) for question in asked} == {Number, Function, Written}
    for number, question in enumerate(asked, 1):
        assert re.search(rf"^\| {number} `{question.name}` \| [^|]+ \| {question.points} \|$", text, re.MULTILINE)
        assert re.search(rf"^## {number} .* \({question.points} points?\)$", text, re.MULTILINE)
    assert f"**Points** {sum(question.points for question in asked)}." in text


def cell_texts(name):
    return "\n".join(c.source for c in master(name).cells if c.cell_type == "markdown")


def test_the_notebook_needs_numpy_alone(name):
    code = "\n".join(c.source for c in master(name).cells if c.cell_type == "code")
    assert set(re.findall(r"^\s*(?:import|from) (\w+)", code, re.MULTILINE)) == {"hashlib", "numpy"}


# --- wrong and right answers -----------------------------------------------------------------------


def test_each_wrong_answer_is_rejected_with_its_message(name):
    table = handed_in(name).WRONG
    turns = rounds({question: [*answers.values()] for question, answers in table.items()})
    words = rounds({question: [*answers] for question, answers in table.items()})
    students = [f"student{turn}" for turn in range(len(turns))]
    results = graded(name, {student: answered(name, student, answers) for student, answers in zip(students, turns)})
    named = {question.name: set() for question in questions(name, Number, Function)}
    for result, expected in zip(results, words):
        for question, fragment in expected.items():
            verdict = result[question]
            assert verdict["kind"] == "wrong" and verdict["points"] == 0, f"{question}: {fragment}: {verdict}"
            assert fragment in verdict["message"], f"{question}: {verdict['message']!r} instead of {fragment!r}"
            named[question].add(verdict["message"])
    for question in questions(name, Number, Function):
        documented = {mistake.message for mistake in question.mistakes if "as it was released" not in mistake.message}
        assert named[question.name] == documented, question.name


@pytest.mark.parametrize("seed", range(2))
def test_each_mistake_is_told_from_the_others_whatever_is_drawn(name, seed):
    for question in questions(name, Function):
        rng = np.random.default_rng(seed)
        draws = [question.inputs(rng, draw) for draw in range(question.draws)]
        for mistake in question.mistakes:
            calls = [(lambda arguments=arguments: arguments, value) for arguments, value in made(mistake, draws)]
            assert judge_function(question, calls).message == mistake.message


def made(mistake, draws):
    """The pairs of arguments and value until the mistake stops with an error, as it would in a notebook."""
    for arguments in draws:
        try:
            with np.errstate(all="ignore"):
                yield arguments, decode(encode(mistake.answer(*arguments)))
        except ValueError:
            return


def test_numbers_of_the_released_id_are_recognised(name):
    result, = graded(name, {"ada": master(name)})
    for question in questions(name, Number):
        assert "Put your own student id" in result[question.name]["message"]


def test_right_answers_in_another_form_are_accepted(name):
    turns = rounds(handed_in(name).RIGHT)
    assert set(turns[0]) == {question.name for question in questions(name, Number, Function)}
    students = [f"student{turn}" for turn in range(len(turns))]
    results = graded(name, {student: answered(name, student, answers) for student, answers in zip(students, turns)})
    for result, answers in zip(results, turns):
        for question, answer in answers.items():
            assert result[question]["kind"] == "right", f"{question}: {answer}: {result[question]['message']}"


def test_a_broken_answer_leaves_the_others_alone(name):
    """Without the answer of one question, whichever, the others are graded as before."""
    functions = [question.name for question in questions(name, Function)]
    results = graded(name, {f"s{k}": answered(name, f"s{k}", {broken: "1 / 0"}) for k, broken in enumerate(functions)})
    for broken, result in zip(functions, results):
        assert [q for q, verdict in result.items() if verdict["kind"] not in ("right", "by hand")] == [broken]


# --- personal data ---------------------------------------------------------------------------------

IDS = [f"id{number}" for number in range(2000)]


def test_the_notebook_draws_the_data_that_the_grader_draws(name):
    draw = load_assignment(str(folder(name))).data
    for student in ("ada", " Ada ", "Bo.Li@example.org", "żółw"):
        scope = {}
        for c in of_student(master(name), student).cells:
            if c.cell_type == "code" and c.metadata.get("nbgrader", {}).get("grade_id") in (None, "setup", "data"):
                exec(c.source, scope)
        for key, value in draw(student).items():
            np.testing.assert_array_equal(scope[key], value)


def test_numbers_are_well_posed_for_every_id(name):
    """Wrong answers lie 20 tolerances from the right one and apart from each other, for each of 2000 ids."""
    draw, asked = load_assignment(str(folder(name))).data, questions(name, Number)
    for data in map(draw, IDS):
        for question in asked:
            right = np.asarray(question.answer(data))
            wrong = [np.asarray(mistake.answer(data)) for mistake in question.mistakes
                     if "as it was released" not in mistake.message]
            for k, value in enumerate(wrong):
                assert tolerances(question, value, right) > 20, question.mistakes[k].message
                for m in range(k):
                    assert tolerances(question, value, wrong[m]) > 2, (question.name, k, m)


def tolerances(question, value, right):
    """How far ``value`` is from ``right``, in tolerances of the question."""
    return np.max(abs(value - right) / (question.atol + question.rtol * abs(right)))


def test_answers_differ_between_students(name):
    draw = load_assignment(str(folder(name))).data
    for question in questions(name, Number):
        assert len({tuple(np.round(np.ravel(question.answer(draw(student))), 9)) for student in IDS[:200]}) > 20


def test_max_margin_data_have_two_support_vectors_for_every_id():
    draw = load_assignment(str(folder("hw02_max_margin"))).data
    for data in map(draw, IDS):
        Z = data["y"][:, None] * data["X"]
        w = solve_by_pairs(Z)
        pair = np.flatnonzero(np.isclose(Z @ w, 1))
        duals = np.linalg.solve(Z[pair].T, w)
        assert len(pair) == 2 and duals.min() > 0.1 * duals.sum() and set(data["y"][pair]) == {-1, 1}
        assert np.delete(Z @ w, pair).min() > 1.9


def solve_by_pairs(Z):
    """The hard margin in the plane, where two rows are the support vectors."""
    for i, j in zip(*np.triu_indices(len(Z), 1)):
        if abs(np.linalg.det(Z[[i, j]])) > 1e-9:
            w = np.linalg.solve(Z[[i, j]], [1, 1])
            if (Z @ w > 1 - 1e-9).all() and (np.linalg.solve(Z[[i, j]].T, w) > 0).all():
                return w
