"""Right answers in any form count; wrong ones are told what is wrong, and not what is right."""

from types import SimpleNamespace

import numpy as np
import pytest

from deepdyn_np.classroom.judge import difference, judge_function, judge_number
from deepdyn_np.classroom.questions import Function, Mistake, Number

TOLERANCE = SimpleNamespace(rtol=1e-6, atol=1e-9)
A = np.random.default_rng(0).normal(size=(3, 4))
RAGGED = (A, A[0])


@pytest.mark.parametrize(
    "got, right",
    [
        (A, A),
        (A.tolist(), A),
        (tuple(map(tuple, A)), A),
        (A[:, None], A),
        (A.astype(np.float32), A),
        (A + 0j, A),
        (A * (1 + 1e-8), A),
        (np.asfortranarray(A), A),
        (3, 3.0),
        (np.array([[3.0]]), 3),
        (np.True_, True),
        (1, True),
        (RAGGED, list(RAGGED)),
        ((A, A), np.stack([A, A])),
        (np.stack([A, A]), [A, A]),
        ((1, 2.0), np.array([1.0, 2.0])),
        ({"a": 1, "b": A}, {"b": A, "a": 1.0}),
        (" Yes", "yes"),
        (None, None),
        ([], np.zeros(0)),
        (np.array([np.nan, np.inf]), np.array([np.nan, np.inf])),
    ],
)
def test_the_same_in_another_form_is_right(got, right):
    assert difference(got, right, TOLERANCE) == ""


@pytest.mark.parametrize(
    "got, right, message",
    [
        (A * (1 + 1e-5), A, "12 of 12 values are not the right ones. The largest error is"),
        (A.astype(np.float32) * np.float32(1.001), A, "values are not the right ones"),
        (A.T, A, r"shape (3, 4), got an array of shape (4, 3). Is it transposed?"),
        (A[0], A, "shape (4,)"),
        (2 * A, A, "All values are 2 times the right ones."),
        (-A, A, "All values are -1 times"),
        (0.5, 1.0, "The value is 1/2 of"),
        (A * np.nan, A, "12 of 12 values are nan."),
        (np.nan, 1.0, "The value is nan."),
        (np.inf, 1.0, "not the right one"),
        (None, 1.0, "Expected a number, got None."),
        ("1", 1.0, "got the text '1'"),
        (RAGGED, A, "got 2 values"),
        ((A,), list(RAGGED), "Expected 2 values"),
        ((A, A), list(RAGGED), "Value 2: Expected an array of shape (4,)"),
        (1.0, {"a": 1}, "dict with the keys a, got a number"),
        ({"b": 1}, {"a": 1}, "got the keys b"),
        ({"a": 2.5}, {"a": 1}, "Entry 'a'"),
        ("no", "yes", "a certain text"),
        (1.0, None, "Expected None"),
        ({"a": 1}, 1.0, "got a dict"),
        (np.zeros((10**15, 0)), 1.0, "shape"),
    ],
)
def test_another_value_is_wrong_and_the_message_says_how(got, right, message):
    assert message in difference(got, right, TOLERANCE)


def test_no_message_on_a_number_gives_it_away():
    question = Number("x", 1, "x", answer=lambda data: 0.7324)
    for got in (0.7, 1.0, 3 * 0.7324, np.array([0.7324, 1]), np.nan, "0.7", None, 0.73240001 * 1.01):
        message = judge_number(question, got, {}).message
        assert message and "0.73" not in message and "0.7324" not in message and "error" not in message


CALLS = [(lambda n=n: (np.arange(1.0, n),), n) for n in (3, 5)]


def function(*mistakes, **options):
    return Function("f", 2, "f", lambda x: x.sum(), None, tuple(mistakes), **options)


def calls(answer):
    return [(arguments, answer(*arguments())) for arguments, _ in CALLS]


def test_a_mistake_is_named_only_if_it_explains_every_call():
    one, other = Mistake("product", lambda x: x.prod()), Mistake("mean", lambda x: x.mean())
    assert judge_function(function(one, other), calls(lambda x: x.mean())).message == "mean"
    unlike = calls(lambda x: x.mean() if len(x) == 2 else -7.0)
    message = judge_function(function(one, other), unlike).message
    assert "mean" not in message and "Call 1 of 2, with an array of shape (2,)" in message
    assert judge_function(function(one, other), calls(np.sum)).points == 2


def test_a_mistake_without_a_value_here_is_not_the_one():
    broken = Mistake("broken", lambda x: x[10])
    verdict = judge_function(function(broken), calls(lambda x: 0.0))
    assert verdict.kind == "wrong" and verdict.points == 0 and "broken" not in verdict.message
