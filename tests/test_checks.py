"""Checks hold or raise, controls fail or raise, and nan is never an answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import few, seeds

from deepdyn_np.checks import CheckFailed, Record, check, check_below, check_slope, control, fit_slope

NAN, INF = np.nan, np.inf
sizes = st.floats(1e-3, 1e3)


# --- check --------------------------------------------------------------------------------------


@given(predicted=sizes, rtol=st.floats(1e-6, 0.5), sign=st.sampled_from([-1, 1]))
@few(40)
def test_relative_tolerance(predicted, rtol, sign):
    assert check("a/b", predicted * (1 + 0.99 * sign * rtol), predicted, rtol=rtol).holds
    with pytest.raises(CheckFailed):
        check("a/b", predicted * (1 + 1.01 * sign * rtol), predicted, rtol=rtol)
    assert check("a/b", -predicted, -predicted, rtol=rtol).error == 0  # negative predictions too


@given(predicted=st.floats(-1e3, 1e3), sign=st.sampled_from([-1, 1]))
@few(40)
def test_absolute_tolerance(predicted, sign):
    assert check("a/b", predicted + 0.99e-2 * sign, predicted, atol=1e-2).holds
    with pytest.raises(CheckFailed):
        check("a/b", predicted + 1.01e-2 * sign, predicted, atol=1e-2)


def test_zero_tolerance_means_equal():
    assert check("a/b", 3, 3, rtol=0).error == 0
    with pytest.raises(CheckFailed):
        check("a/b", np.nextafter(3, 4), 3, rtol=0)


def test_the_worst_entry_decides_and_is_reported():
    measured, predicted = [[1.0, 2.0], [3.3, 4.0]], [1.0, 2.0]
    record = check("a/b", measured, predicted, atol=5)
    assert (record.measured, record.predicted, record.entries) == (3.3, 1.0, 4)
    with pytest.raises(CheckFailed) as caught:
        check("a/b", measured, predicted, atol=1)
    assert caught.value.record == Record("check", "a/b", 3.3, 1.0, pytest.approx(2.3), 1.0, 4, "")


@pytest.mark.parametrize("measured", [NAN, INF, -INF, [1.0, NAN], [NAN, 1e9], None])
@pytest.mark.parametrize("tolerance", [{"rtol": 1e300}, {"atol": 1e300}])
def test_nan_and_inf_never_pass_a_check(measured, tolerance):
    with pytest.raises(CheckFailed):
        check("a/b", measured, 1.0, **tolerance)
    with pytest.raises(CheckFailed):
        check("a/b", measured, [1.0, 1.0], **tolerance)


@pytest.mark.parametrize("measured", [NAN, INF, [0.0, NAN]])
def test_nan_never_is_below_a_bound(measured):
    with pytest.raises(CheckFailed):
        check_below("a/b", measured, 1.0)


# --- what is printed ----------------------------------------------------------------------------


def test_a_check_prints_one_line_with_all_of_it(capsys):
    record = check("balance/one-step", 1.001, 1.0, rtol=0.01, why="first order in eta")
    out, err = capsys.readouterr()
    assert out == record.line + "\n" and err == ""
    assert out.startswith("holds  balance/one-step ")
    for part in ("measured 1.001 ", "predicted 1 ", "error 1.0e-03", "<= 0.01"):
        assert part in out


@pytest.mark.parametrize("number, shown", [
    (0, "0"), (1.23456789, "1.2346"), (-12345.6, "-12346"), (1e-3, "0.001"), (2.34e-7, "2.3e-07"),
    (1e7, "1.0e+07"), (-1e7, "-1.0e+07")])
def test_numbers_are_printed_short(number, shown):
    assert f"measured {shown} " in check("a/b", number, number, atol=1).line


def test_lines_of_checks_and_controls_are_aligned():
    lines = [check("a/b", 1.0, 1.0, rtol=1e-9).line,
             check("much/longer-claim", -12345.678, -12345.678, atol=1e-12).line,
             control("a/b", 2.0, 1.0, rtol=1e-9, breaks="x").line]
    for word in ("measured", "predicted", "error"):
        assert len({line.index(word) for line in lines}) == 1


def test_a_failed_check_prints_nothing_and_says_why(capsys):
    with pytest.raises(CheckFailed, match="^fails  a/b .* > 0.1\nsecond order in eta") as caught:
        check("a/b", 2, 1, rtol=0.1, why="second order in eta")
    assert capsys.readouterr().out == "" and not caught.value.record.holds
    assert isinstance(caught.value, AssertionError)


def test_in_a_notebook_a_record_shows_nothing_more(capsys):
    record = check("a/b", 1, 1, rtol=0.1)
    capsys.readouterr()
    assert record._ipython_display_() is None and capsys.readouterr().out == ""


# --- check_below --------------------------------------------------------------------------------


def test_an_inequality_reports_its_tightest_entry_and_forgives_rounding_alone():
    record = check_below("a/b", [1.0, 4.9, 2.0], [2.0, 5.0, 9.0])
    assert (record.measured, record.predicted) == (4.9, 5.0)
    assert record.error == pytest.approx(-0.1) and check_below("a/b", 5, 5).holds
    for bound in (5.0, -5.0):
        assert check_below("a/b", bound + 4e-12, bound).holds
        with pytest.raises(CheckFailed, match="the theorem"):
            check_below("a/b", [-9.0, bound + 6e-12], bound, why="the theorem")
    with pytest.raises(CheckFailed):
        check_below("a/b", 1e-300, 0)
    assert check_below("a/b", -INF, 0).holds


# --- slopes -------------------------------------------------------------------------------------


@given(seed=seeds, slope=st.floats(-4, 4))
@few(30)
def test_fit_slope_against_numpy(seed, slope):
    rng = np.random.default_rng(seed)
    x = rng.uniform(1, 100, size=12)
    y = 3 * x**slope * np.exp(0.1 * rng.normal(size=12))
    (expected, _), covariance = np.polyfit(np.log(x), np.log(y), 1, cov=True)
    found, uncertainty = fit_slope(x, y)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert uncertainty == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-6)


def test_check_slope_needs_the_exponent_and_a_straight_line(capsys):
    x = np.array([1.0, 2, 4, 8])
    assert check_slope("a/b", x, 5 * x**-1.5, -1.5, atol=1e-9).measured == pytest.approx(-1.5)
    assert "(fit +- " in capsys.readouterr().out
    with pytest.raises(CheckFailed, match="fails"):
        check_slope("a/b", x, 5 * x**-1.5, -1.4, atol=0.05)
    crooked = np.array([1.0, 8, 1, 8])
    exponent = fit_slope(x, crooked)[0]
    with pytest.raises(CheckFailed, match="(?s)fails.*no law"):
        check_slope("a/b", x, crooked, exponent, atol=0.05, why="no law")


# --- controls -----------------------------------------------------------------------------------


def test_a_control_must_fail_its_check(capsys):
    record = control("a/b", 1.5, 1.0, rtol=0.1, breaks="momentum instead of flow")
    assert not record.holds and record.kind == "control"
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("fails  a/b ") and second.strip() == "control: momentum instead of flow"
    with pytest.raises(CheckFailed, match="must miss by more than 0.1"):
        control("a/b", 1.05, 1.0, rtol=0.1, breaks="nothing")


def test_at_least_raises_the_bar():
    assert control("a/b", 1.5, 1.0, rtol=0.1, breaks="x", at_least=0.4).error == pytest.approx(0.5)
    with pytest.raises(CheckFailed, match="more than 0.6"):
        control("a/b", 1.5, 1.0, rtol=0.1, breaks="x", at_least=0.6)
    with pytest.raises(ValueError, match="at_least: expected at least the tolerance"):
        control("a/b", 1.5, 1.0, rtol=0.1, breaks="x", at_least=0.05)


@pytest.mark.parametrize("tolerance", [{"rtol": 0.1}, {"atol": 0.1}, {"rtol": 0.0}])
def test_a_control_may_have_to_find_another_number(tolerance):
    relative = "rtol" in tolerance
    within = 0.01 if relative else 0.05
    for measured in (5.0, 5.04):
        assert control("a/b", measured, 1.0, **tolerance, breaks="x", instead=5.0, within=within)
    with pytest.raises(CheckFailed, match="theory predicts 5 here"):  # 0.06 is 1.2 % of 5
        control("a/b", 5.06, 1.0, **tolerance, breaks="x", instead=5.0, within=within)
    assert control("a/b", [5.0, 6.0], 1.0, **tolerance, breaks="x", instead=[5.0, 6.0], within=within)
    with pytest.raises(CheckFailed):  # right number, but then the check holds
        control("a/b", 1.0, 1.0, **tolerance, breaks="x", instead=1.0, within=0.01)


@pytest.mark.parametrize("measured", [NAN, INF, -INF, [3.0, NAN], None])
@pytest.mark.parametrize("options", [{"rtol": 0.1}, {"atol": 0.1}, {"below": True},
                                     {"rtol": 0.1, "instead": 3.0, "within": 0.1}])
def test_nan_and_inf_do_not_count_as_a_controls_failure(measured, options):
    """A run that blew up shows nothing about the broken assumption."""
    with pytest.raises(CheckFailed):
        control("a/b", measured, 1.0, breaks="x", **options)


def test_the_control_of_an_inequality():
    assert control("a/b", 2.0, 1.0, below=True, breaks="x").error == 1
    with pytest.raises(CheckFailed):
        control("a/b", 1.0, 1.0, below=True, breaks="x")


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize("call, message", [
    (lambda: check("a/b", 1, 1), "rtol, atol: expected exactly one of them"),
    (lambda: check("a/b", 1, 1, rtol=0.1, atol=0.1), "rtol, atol: expected exactly one"),
    (lambda: check("a/b", 1, 1, rtol=INF), "rtol, atol: expected a number, at least 0, got inf"),
    (lambda: check("a/b", 1, 1, atol=NAN), "rtol, atol: "),
    (lambda: check("a/b", 1, 1, atol=-1), "rtol, atol: "),
    (lambda: check("a/b", 1, 0, rtol=0.1), "rtol: expected atol where the prediction is 0"),
    (lambda: check("a/b", 1, NAN, rtol=0.1), "predicted: expected finite"),
    (lambda: check("a/b", 1, INF, rtol=0.1), "predicted: "),
    (lambda: check("a/b", [], 1, rtol=0.1), "measured: expected at least one number"),
    (lambda: check_below("a/b", 1, INF), "bound: expected finite"),
    (lambda: check_below("a/b", 1, "x"), "bound: "),
    (lambda: control("a/b", 2, 1, breaks="x"), "rtol, atol: "),
    (lambda: control("a/b", 2, 1, rtol=0.1, breaks="x", instead=2), "within: expected instead and within"),
    (lambda: control("a/b", 2, 1, rtol=0.1, breaks="x", within=2), "within: "),
    (lambda: fit_slope([1, 2], [1, 2]), "x, y: .*at least 3"),
    (lambda: fit_slope([1, 2, 3], [1, 2]), "x, y: .*same length"),
    (lambda: fit_slope([0, 1, 2], [1, 2, 3]), "x: expected positive"),
    (lambda: fit_slope([1, 2, 3], [1, -2, 3]), "y: expected positive.*rounding"),
    (lambda: fit_slope([1, 2, 3], [1, NAN, 3]), "y: expected finite"),
    (lambda: fit_slope([2, 2, 2], [1, 2, 3]), "x: expected at least two different"),
])
def test_bad_input_names_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
