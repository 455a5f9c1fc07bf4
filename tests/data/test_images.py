"""The two shipped sets of digits."""

import hashlib
import os
import socket

import numpy as np
import pytest

import deepdyn_np as dd

SETS = {"mnist5k": (dd.data.mnist5k, 784, 255), "digits": (dd.data.digits, 64, 16)}
both = pytest.mark.parametrize("name", SETS)


@both
def test_shapes_range_and_classes(name):
    load, d, levels = SETS[name]
    data, n = load(), {784: 5000, 64: 1797}[d]
    assert data.X.shape == (n, d) and data.X.dtype == float and data.side**2 == d
    assert data.X.min() == 0 and data.X.max() == 1
    np.testing.assert_allclose(data.X * levels, np.round(data.X * levels), atol=1e-12)
    assert data.y.shape == (n,) and data.y.dtype.kind == "i"
    counts = np.bincount(data.y)
    assert counts.tolist() == ([500] * 10 if d == 784 else [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])


def test_digits_are_those_of_scikit_learn():
    """Their fingerprint, so that scikit-learn need not be installed."""
    data = dd.data.digits()
    assert data.X[0, :16].tolist() == [v / 16 for v in (0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0)]
    assert data.y[:10].tolist() == list(range(10))
    datasets = pytest.importorskip("sklearn.datasets", reason="the original comes with scikit-learn")
    original = datasets.load_digits()
    np.testing.assert_array_equal(data.X * 16, original.data)
    np.testing.assert_array_equal(data.y, original.target)


@both
def test_each_digit_looks_like_itself(name):
    """Labels belong to their rows: the class means classify most images."""
    data = SETS[name][0]()
    means = np.array([data.X[data.y == c].mean(axis=0) for c in range(10)])
    nearest = np.argmin(((data.X[:, None] - means) ** 2).sum(axis=-1), axis=1)
    assert np.mean(nearest == data.y) > 0.78


@both
def test_the_shared_arrays_are_read_only(name):
    data = SETS[name][0]()
    assert SETS[name][0]() is data
    for array in (data.X, data.y):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@both
def test_no_network_and_no_current_folder(name, monkeypatch, tmp_path):
    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    dd.data.images._load.cache_clear()
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.chdir(tmp_path)
    before = hashlib.sha256(SETS[name][0]().X.tobytes()).digest()
    assert hashlib.sha256(SETS[name][0]().X.tobytes()).digest() == before and not os.listdir(tmp_path)


@pytest.mark.parametrize("name, first, second, n", [
    ("digits", 3, 8, 357), ("digits", 0, 1, 360), ("mnist5k", 3, 8, 1000)])
def test_a_pair_has_labels_plus_and_minus_one_in_file_order(name, first, second, n):
    data = SETS[name][0]()
    X, y = data.pair(first, second)
    assert X.shape == (n, data.X.shape[1]) and set(y) == {-1.0, 1.0}
    assert np.sum(y == 1) == np.sum(data.y == first)
    rows = [i for i in range(len(data.y)) if data.y[i] in (first, second)]
    np.testing.assert_array_equal(X, data.X[rows])
    np.testing.assert_array_equal(y == 1, data.y[rows] == first)
    flipped, z = data.pair(second, first)
    np.testing.assert_array_equal(flipped, X)
    np.testing.assert_array_equal(z, -y)
    X[0] = 7  # a copy: it may be changed
    assert data.X.max() == 1


@pytest.mark.parametrize("first, second, message", [
    (10, 3, r"first: expected one of the digits \[0, 1, .*got 10"),
    (3, -1, "second: expected one of"),
    (np.nan, 3, "first: "),
    (3, 3, "second: expected a digit other than first = 3"),
])
def test_bad_digits_name_the_argument(first, second, message):
    with pytest.raises(ValueError, match=message):
        dd.data.digits().pair(first, second)
