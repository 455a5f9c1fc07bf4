"""What an assignment asks, and how its answers are judged.

An assignment lives in one folder ``book/assignments/hwNN_slug/``:

``hwNN_slug.ipynb``
    the solved master, in nbgrader's cell format. The cell that tests (or, of a written answer,
    holds) question ``name`` has the grade id ``name`` and the question's points. Its hidden tests
    are for courses that use nbgrader; they need nothing but numpy.
``questions.py``
    defines ``ASSIGNMENT``, an `Assignment`: references, inputs, plausible wrong answers. Only the
    grader reads it. It is never near a student's code.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Code:
    """An argument that is a function: a Python expression in ``np``, such as ``"lambda x: np.sin(x)"``.

    Sent as text, and evaluated on the side that calls. The student's code can read it.
    """

    expression: str

    def value(self):
        """What the expression gives; for the instructor's own expressions only."""
        return eval(self.expression, {"np": np})


@dataclass(frozen=True)
class Mistake:
    """A plausible wrong answer, and the sentence that names it to the student.

    ``answer`` has the signature of the question's own: ``answer(data)`` of a number,
    ``answer(*arguments)`` of a function.
    """

    message: str
    answer: Callable


@dataclass(frozen=True)
class Number:
    """The notebook assigns the variable ``name``: a number or an array.

    ``answer(data)`` is the right one, from the student's own data. The answer counts if
    ``|got - right| <= atol + rtol |right|`` entry by entry.
    """

    name: str
    points: float
    title: str
    answer: Callable
    mistakes: tuple[Mistake, ...] = ()
    rtol: float = 1e-6
    atol: float = 1e-9


@dataclass(frozen=True)
class Function:
    """The notebook defines the function ``name``.

    It is called with ``inputs(rng, draw)``, a tuple of arguments, for draw = 0, 1, ..., ``draws`` - 1,
    and must agree with ``reference(*arguments)`` every time. ``inputs`` should draw other shapes each
    time, and may use ``draw`` to go through the kinds of cases in turn. An argument is a number,
    text, an array, a `Code`, or a tuple, list or dict of such; so is what is returned.
    """

    name: str
    points: float
    title: str
    reference: Callable
    inputs: Callable
    mistakes: tuple[Mistake, ...] = ()
    rtol: float = 1e-6
    atol: float = 1e-9
    draws: int = 5


@dataclass(frozen=True)
class Written:
    """An answer in words, in the Markdown cell whose grade id is ``name``; a person grades it."""

    name: str
    points: float
    title: str


@dataclass(frozen=True)
class Assignment:
    """The questions of one assignment, in the order of the notebook.

    ``name`` is that of the master's file. ``data(student)`` gives the personal data of a student
    as a dict of arrays; the notebook draws the same in a visible cell.
    """

    name: str
    title: str
    chapter: str
    questions: tuple
    data: Callable


RELEASED_ID = "your-student-id"  # what a released notebook has in the place of the student's own


def with_released_id(answer, data):
    """The `Mistake` of a number, ``answer(data(student))``, whose student did not put in the own id."""
    return Mistake(
        "These are the numbers of the id in the notebook as it was released. Put your own student "
        "id into the cell at the top, and run the notebook again.",
        lambda _: answer(data(RELEASED_ID)),
    )


def personal_rng(student):
    """Generator of a student's personal data; the notebooks make the same one from the same id.

    The seed is the first eight bytes of the SHA-256 of the id, in lower case and without blanks
    around it.
    """
    digest = hashlib.sha256(student.strip().lower().encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))
