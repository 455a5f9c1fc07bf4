"""Values on the line: what is sent arrives, and nothing else does."""

import json
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes

from deepdyn_np.classroom.worker import DTYPES, compile_cell, decode, encode

numbers = scalar_dtypes().filter(
    lambda dtype: dtype.kind in "biufc" and dtype.itemsize <= (16 if dtype.kind == "c" else 8)
)


def sent(value):
    return decode(json.loads(json.dumps(encode(value))))


@given(arrays(numbers, array_shapes(min_dims=0, min_side=0)))
def test_an_array_of_numbers_arrives_as_it_was(array):
    got = sent(array)
    assert got.shape == array.shape and got.dtype == array.dtype.newbyteorder("<")
    np.testing.assert_array_equal(got, array)


def test_lists_dicts_texts_and_numbers_arrive():
    assert sent("a\u2028\ud800") == "a\u2028\ud800" and sent(None) is None
    assert sent([1, (2.5, "b")]) == (1, (2.5, "b"))
    assert sent({"a": True, 3: None}) == {"a": True, "3": None}
    assert sent(Fraction(1, 4)) == sent(Decimal("0.25")) == 0.25
    assert sent(np.float32(0.5)).dtype == np.float32
    assert sent(np.arange(6.0).reshape(2, 3).T).tolist() == [[0, 3], [1, 4], [2, 5]]
    assert sent(list(range(5000))).shape == (5000,)


@pytest.mark.parametrize(
    "value, message",
    [
        (object(), "type object"),
        (len, "builtin_function"),
        (np.array([object()]), "type ndarray"),
        (np.array(["a"]), "dtype <U1"),
        (np.datetime64("2026-01-01"), "dtype"),
    ],
)
def test_what_is_no_value_is_named(value, message):
    with pytest.raises(TypeError, match=message):
        encode(value)


def test_a_list_that_holds_itself_ends():
    loop = []
    loop.append(loop)
    with pytest.raises(TypeError, match="too deep"):
        encode(loop)


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from([*DTYPES, "|O", "V8"]),
)
keys = st.sampled_from(["text", "items", "keys", "dtype", "shape", "data", "expression"])
nonsense = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5)
)


@given(nonsense)
def test_nonsense_is_a_value_error_and_never_more(message):
    try:
        value = decode(message)
    except (ValueError, TypeError, OverflowError):  # what the grader expects of it
        return
    assert value is None or isinstance(value, (str, tuple, dict, np.ndarray, np.generic))


def test_the_grader_evaluates_nothing_and_allocates_nothing_for_a_stranger():
    with pytest.raises(ValueError):
        decode({"expression": "1 + 1"})
    for shape in ([10**12], [2**62, 4], [-1], [1.0], [True]):
        with pytest.raises(ValueError):
            decode({"dtype": "<f8", "shape": shape, "data": ""})
    for dtype in ("|O", "|O8", "<U4", "V8", None, ["<f8"], {}):
        with pytest.raises((ValueError, TypeError)):
            decode({"dtype": dtype, "shape": [1], "data": "AAAAAAAAAAA="})


def run(source):
    namespace = {}
    exec(compile_cell(source, "cell 1"), namespace)
    return namespace


def test_lines_of_ipython_are_left_out():
    assert run("%matplotlib inline\n!pip install x\na = 7 % 4\nlen?\nb = 1")["a"] == 3
    assert run("a = (7\n% 4)")["a"] == 3  # plain Python stays as it is
    assert "b" not in run("%%timeit\nb = 1")
    with pytest.raises(SyntaxError):
        run("def f(:")
