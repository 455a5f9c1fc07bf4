"""The other end of the conversation: runs a submission's cells, and answers what their values are.

Run inside the sandbox, as the text of ``python -c``, so it imports nothing of this package. It reads
requests from its standard input and writes answers to its standard output, one JSON text a line:

=========================================  =======================================================
``{"cells": [...], "seconds": s}``         ``{"ready": true}``, and for each cell
                                           ``{"cell": number, "error": text or null}``
``{"id": k, "name": ...}``                 ``{"id": k, "value": ...}``, or ``{"id": k, "missing": true}``
``{"id": k, "name": ..., "call": [...]}``  the same of what the function returns, or ``"error": text``
=========================================  =======================================================

A value that cannot be sent is answered by ``{"id": k, "odd": what it is}``.

`encode` and `decode` turn values into JSON and back, on both sides. What the grader decodes comes
from a stranger: `decode` makes numbers, texts, tuples, dicts and arrays of numbers, whatever it reads.
"""

import base64
import json
import os
import signal
import sys
import types

import numpy as np

DTYPES = ("|b1", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16")
DEPTH, ITEMS, AXES = 8, 1000, 16


def encode(value, depth=DEPTH):
    """``value`` as JSON; a ``TypeError`` says what cannot be sent."""
    if depth == 0:
        raise TypeError("lists in lists, too deep")
    if value is None or isinstance(value, str):
        return {"text": value}
    if hasattr(value, "expression"):  # `questions.Code`: a function, on its way to the sandbox
        return {"expression": value.expression}
    if isinstance(value, dict):
        return {
            "keys": [str(key) for key in value],
            "items": [encode(item, depth - 1) for item in value.values()],
        }
    if isinstance(value, (list, tuple)) and len(value) <= ITEMS:
        return {"items": [encode(item, depth - 1) for item in value]}
    if callable(value) and not hasattr(value, "__array__"):
        raise TypeError(f"a {type(value).__name__}, not a value")
    array = np.asarray(value)
    if array.dtype == object:  # a Fraction, a Decimal
        try:
            array = array.astype(float)
        except (TypeError, ValueError):
            raise TypeError(
                f"an object of type {type(value).__name__}, not numbers, text, or lists of them"
            ) from None
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(float)
    array = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).reshape(array.shape)
    if array.dtype.str not in DTYPES:
        raise TypeError(f"an array of dtype {array.dtype}, not of numbers")
    return {
        "dtype": array.dtype.str,
        "shape": list(array.shape),
        "data": base64.b64encode(array.tobytes()).decode(),
    }


def decode(message, depth=DEPTH):
    """The value that `encode` sent; a ``ValueError`` if it sent no such thing."""
    if depth == 0 or not isinstance(message, dict):
        raise ValueError("not a value")
    if "text" in message:
        if not isinstance(message["text"], str | None):
            raise ValueError("not a text")
        return message["text"]
    if "expression" in message and IN_SANDBOX:
        return eval(message["expression"], {"np": np})
    if "items" in message:
        if not isinstance(message["items"], list) or len(message["items"]) > ITEMS:
            raise ValueError("not a list")
        items = tuple(decode(item, depth - 1) for item in message["items"])
        return items if "keys" not in message else dict(zip(map(str, message["keys"]), items, strict=True))
    dtype, shape, data = message.get("dtype"), message.get("shape"), message.get("data")
    if dtype not in DTYPES or not isinstance(shape, list) or len(shape) > AXES or not isinstance(data, str):
        raise ValueError("not an array")
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError("not a shape")
    raw = base64.b64decode(data, validate=True)
    array = np.frombuffer(bytearray(raw), dtype).reshape(shape)  # a ValueError if the sizes differ
    return array if array.ndim else array[()]


# --- in the sandbox -----------------------------------------------------------------------------

IN_SANDBOX = __name__ == "__main__"


class OutOfTime(BaseException):
    """Raised in a cell, or in a call, that takes too long; ``except Exception`` lets it pass."""


def run_cell(source, namespace, name, seconds):
    """Run one cell; what went wrong, in one line, or None."""
    try:
        code = compile_cell(source, name)
    except (SyntaxError, ValueError) as error:
        return f"{type(error).__name__}: {error}"[:300]
    return attempt(lambda: exec(code, namespace), seconds)[1]


def compile_cell(source, name):
    """The code of a cell; lines of IPython (%, !, ?) are left out where Python does not take them."""
    try:
        return compile(source, name, "exec", dont_inherit=True)
    except SyntaxError:
        if source.lstrip().startswith("%%"):
            return compile("", name, "exec")
        plain = [
            line if not (line.lstrip().startswith(("%", "!", "?")) or line.rstrip().endswith("?")) else ""
            for line in source.split("\n")
        ]  # empty, so that line numbers stay
        return compile("\n".join(plain), name, "exec", dont_inherit=True)


def attempt(action, seconds):
    """The value of ``action()`` and None, or None and what went wrong, in one line."""
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            return action(), None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except OutOfTime:
        return None, f"still running after {seconds:g} s"
    except BaseException as error:
        return None, describe(error)


def describe(error):
    """An exception in one line, with the line of the cell that raised it."""
    try:
        text = f"{type(error).__name__}: {error}"
    except BaseException:
        text = type(error).__name__
    trace, line = error.__traceback__, ""
    while trace:
        file = trace.tb_frame.f_code.co_filename
        line = f" ({file}, line {trace.tb_lineno})" if file.startswith("cell ") else line
        trace = trace.tb_next
    return " ".join(text.split())[:300] + line


def main():
    """Serve one grader until it closes the line."""
    requests, answers = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_RDWR)  # what the cells print is of no interest, and may be long
    os.dup2(null, 0)
    os.dup2(null, 1)

    def out_of_time(*_):
        raise OutOfTime

    def send(message):
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    signal.signal(signal.SIGALRM, out_of_time)
    module = types.ModuleType("__main__")
    module.display = lambda *values, **options: None  # IPython's
    namespace = vars(module)
    sys.modules["__main__"] = module

    start = json.loads(requests.readline())
    seconds = start["seconds"]
    send({"ready": True})
    for index, source in start["cells"]:
        send({"cell": index, "error": run_cell(source, namespace, f"cell {index}", seconds)})
    for line in requests:
        request = json.loads(line)
        name, answer = request["name"], {"id": request["id"]}
        if name not in namespace:
            send({**answer, "missing": True})
            continue
        value, error = namespace[name], None
        if "call" in request:
            arguments = [decode(argument) for argument in request["call"]]
            value, error = attempt(lambda function=value: function(*arguments), seconds)
        if error is not None:
            send({**answer, "error": error})
            continue
        value, odd = attempt(lambda value=value: encode(value), seconds)
        send(
            {**answer, "value": value} if odd is None else {**answer, "odd": odd.removeprefix("TypeError: ")}
        )


if IN_SANDBOX:
    main()
