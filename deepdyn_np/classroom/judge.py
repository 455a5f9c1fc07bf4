"""Whether an answer is right, and if not, what is wrong with it in words.

No message gives a right value away, so what a student gets back can be worked on and handed in again.
"""

from dataclasses import dataclass

import numpy as np

SINGLE = 1e-4  # relative tolerance, at least, for answers in single precision
FACTORS = {-1: "-1 times", 2: "2 times", 0.5: "1/2 of", -2: "-2 times", -0.5: "-1/2 of"}


@dataclass(frozen=True)
class Verdict:
    """What a question earned: ``kind`` is right, wrong, missing, stopped or by hand."""

    kind: str
    points: float | None
    message: str = ""


def judge_number(question, got, data):
    """The verdict on the value ``got`` of a `questions.Number`, from the student's own ``data``."""
    found = difference(got, question.answer(data), question, exact=False)
    if not found:
        return Verdict("right", question.points)
    return Verdict("wrong", 0, _mistake(question, [((data,), got)]) or found)


def judge_function(question, calls):
    """The verdict on ``calls``, pairs of arguments and returned value of a `questions.Function`."""
    for number, (arguments, got) in enumerate(calls, 1):
        if found := difference(got, question.reference(*arguments()), question):
            shapes = ", ".join(map(_kind, arguments()))
            where = f" (Call {number} of {len(calls)}, with {shapes}.)"
            return Verdict("wrong", 0, _mistake(question, [(a(), got) for a, got in calls]) or found + where)
    return Verdict("right", question.points)


def _mistake(question, calls):
    """The message of the first mistake that explains every call; empty if none does."""
    for mistake in question.mistakes:
        if all(_agrees(mistake, arguments, got, question) for arguments, got in calls):
            return mistake.message
    return ""


def _agrees(mistake, arguments, got, question):
    try:
        with np.errstate(all="ignore"):
            wrong = mistake.answer(*arguments)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return False  # it has no value here, so it is not what the student did
    return not difference(got, wrong, question)


def difference(got, right, question, exact=True):
    """How ``got`` differs from ``right``, in a sentence; empty if they agree.

    Lists, tuples and arrays stand for each other, axes of length 1 do not count, and single
    precision is judged as such. Without ``exact`` the sentence does not tell by how much a number
    is off, from which a student could compute the right one.
    """
    if isinstance(right, dict):
        if not isinstance(got, dict):
            return f"Expected a dict with the keys {', '.join(right)}, got {_kind(got)}."
        if set(got) != set(map(str, right)):
            return f"Expected a dict with the keys {', '.join(right)}, got the keys {', '.join(got)[:200]}."
        return _first(((f"Entry {key!r}", got[key], right[key]) for key in right), question, exact)
    if isinstance(right, str | None):
        same = (
            got == right
            if right is None
            else isinstance(got, str) and got.strip().lower() == right.strip().lower()
        )
        return "" if same else f"Expected {'None' if right is None else 'a certain text'}, got {_kind(got)}."
    if isinstance(right, (list, tuple)) and not _regular(right):
        parts = list(got) if isinstance(got, tuple) or getattr(got, "ndim", 0) else None
        if parts is None or len(parts) != len(right):
            return f"Expected {len(right)} values, got {_kind(got)}."
        return _first(
            ((f"Value {k}", g, r) for k, (g, r) in enumerate(zip(parts, right), 1)), question, exact
        )
    return _array_difference(got, np.asarray(right), question, exact)


def _first(parts, question, exact):
    for label, got, right in parts:
        if found := difference(got, right, question, exact):
            return f"{label}: {found}"
    return ""


def _regular(values):
    """Whether nested sequences make an array of numbers."""
    return _as_numbers(values) is not None


def _as_numbers(value):
    """``value`` as an array of numbers, or None."""
    try:
        array = np.asarray(value)
    except ValueError:  # ragged
        return None
    return array if array.dtype.kind in "biufc" else None


def _array_difference(got, right, question, exact):
    values = _as_numbers(got)
    if values is None:
        return f"Expected {_kind(right)}, got {_kind(got)}."
    if np.squeeze(values).shape != np.squeeze(right).shape:
        turned = values.ndim == right.ndim == 2 and values.T.shape == right.shape
        return f"Expected {_kind(right)}, got {_kind(values)}." + (" Is it transposed?" if turned else "")
    values, right = np.squeeze(values), np.squeeze(right)
    if np.isnan(values).any() and not np.isnan(right).any():
        return (
            "The value is nan."
            if values.ndim == 0
            else f"{np.isnan(values).sum()} of {values.size} values are nan."
        )
    rtol, atol = question.rtol, question.atol
    if values.dtype.kind in "fc" and np.finfo(values.dtype).eps > 1e-10:
        scale = np.abs(right[np.isfinite(right)]).max(initial=0)
        rtol, atol = max(rtol, SINGLE), max(atol, SINGLE * scale)
        values = values.astype(complex if values.dtype.kind == "c" else float)
    values, right = (a.astype(float) if a.dtype.kind in "biu" else a for a in (values, right))
    with np.errstate(all="ignore"):
        if (near := np.isclose(values, right, rtol, atol, equal_nan=True)).all():
            return ""
        for factor, words in FACTORS.items():
            if right.any() and np.allclose(values, factor * right, rtol, atol):
                one = values.ndim == 0
                return (
                    f"The value is {words} the right one."
                    if one
                    else f"All values are {words} the right ones."
                )
    if values.ndim == 0:
        return "The value is not the right one." + (_off(values, right) if exact else "")
    return f"{(~near).sum()} of {near.size} values are not the right ones." + (
        _off(values, right) if exact else ""
    )


def _off(values, right):
    """The size of the largest error: for drawn arguments it helps, and reveals nothing to keep."""
    with np.errstate(all="ignore"):
        error = np.abs(values - right)
        error = error[np.isfinite(error)].max(initial=0)
    largest = np.abs(right[np.isfinite(right)]).max(initial=0)
    return f" The largest error is {error:.2g}, among values up to {largest:.2g}."


def _kind(value):
    """What sort of value this is, in words."""
    if value is None:
        return "None"
    if isinstance(value, str):
        return f"the text {value[:30]!r}"
    if hasattr(value, "expression"):
        return "a function"
    if isinstance(value, dict):
        return f"a dict of {len(value)}"
    if isinstance(value, (list, tuple)) and not _regular(value):
        return f"{len(value)} values"
    array = np.asarray(value)
    return f"an array of shape {array.shape}" if array.ndim else "a number"
