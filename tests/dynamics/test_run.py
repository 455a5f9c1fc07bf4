"""The loop: rows, records, divergence, progress; and the trajectory it returns."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import few, random_problem

import deepdyn_np as dd
from deepdyn_np.errors import StoppedEarlyError

#: A rule whose state and parameters count its steps.
count = dd.Rule(lambda theta, state, t: (theta + 1, state + [t]), lambda theta: [])


@pytest.mark.parametrize("steps", [0, 1, 7, 100])
def test_short_runs_keep_every_step(steps):
    run = dd.run(count, np.zeros(2), steps)
    assert run.step.tolist() == list(range(steps + 1)) and run.cost == {"steps": steps}
    np.testing.assert_array_equal(run.theta, np.outer(run.step, [1, 1]))
    assert len(run) == steps + 1 and (run.final == steps).all()


def test_long_runs_keep_101_rows_with_both_ends():
    run = dd.run(count, np.zeros(1), 12_345)
    assert len(run) == 101 and run.step[0] == 0 and run.step[-1] == 12_345
    assert set(np.diff(run.step)) <= {123, 124}


@given(st.lists(st.integers(0, 30), min_size=1))
@few(50)
def test_at_asks_for_rows_in_any_order(at):
    run = dd.run(count, np.zeros(1), 30, at=at)
    assert run.step.tolist() == sorted(set(at)) == run.theta[:, 0].tolist()


def test_at_may_be_a_single_step():
    assert dd.run(count, np.zeros(1), 9, at=4).step.tolist() == [4]


def test_records_are_functions_of_each_row():
    run = dd.run(count, np.zeros((2, 3)), 5, at=[0, 5],
                 record={"norm": lambda theta: np.linalg.norm(theta, axis=-1), "one": lambda theta: 1})
    assert run.norm.shape == (2, 2) and run.theta.shape == (2, 2, 3) and run.one.tolist() == [1, 1]
    np.testing.assert_allclose(run.norm, np.linalg.norm(run.theta, axis=-1))
    assert list(run.columns) == ["step", "norm", "one"]


def test_the_start_is_not_modified_and_rows_are_copies():
    def in_place(theta, state, t):
        theta += 1
        return theta, state

    start = np.zeros(3)
    run = dd.run(dd.Rule(in_place), start, 3)
    assert not start.any() and run.theta[:, 0].tolist() == [0, 1, 2, 3]


# --- divergence ---------------------------------------------------------------------------------


def diverging():
    """Square loss with a step size far above 2 / (largest curvature)."""
    X = np.random.default_rng(0).normal(size=(10, 3))
    objective = dd.Objective(dd.MLP([3, 1]), dd.losses.square, X, X[:, 0])
    return dd.gd(objective, 1e3), objective


@pytest.mark.parametrize("at", [None, [0, 10, 20]])
def test_a_diverging_run_stops_and_hands_over_its_rows(at):
    rule, objective = diverging()
    with pytest.raises(dd.DivergenceError, match="no longer finite after step .*step size") as caught:
        dd.run(rule, np.ones(3), 1000, at=at, record={"loss": objective.value})
    run = caught.value.trajectory
    assert np.isfinite(run.theta).all() and np.abs(run.final).max() > 1e290
    assert run.cost["steps"] == run.step[-1] + 1 < 200
    expected = [0, 10, 20] if at else list(range(0, run.step[-1] + 1, 10))
    assert run.step.tolist() == sorted({*expected, int(run.step[-1])})
    assert len(run.loss) == len(run.step) and run.loss[1] > 1e10 * run.loss[0]
    assert isinstance(caught.value, StoppedEarlyError)


def test_one_diverging_member_stops_the_ensemble():
    _, objective = diverging()
    with pytest.raises(dd.DivergenceError):
        dd.run(dd.gd(objective, [0.1, 1e3]), np.ones((2, 3)), 1000)


def test_no_warning_comes_before_the_error(recwarn):
    with pytest.raises(dd.DivergenceError):
        dd.run(diverging()[0], np.ones(3), 1000)
    assert not recwarn.list


# --- progress -----------------------------------------------------------------------------------


def test_progress_is_told_on_the_error_stream_only_when_wanted(capsys):
    dd.run(count, np.zeros(1), 10)
    assert capsys.readouterr() == ("", "")
    dd.run(count, np.zeros(1), 10, progress=True)
    out, err = capsys.readouterr()
    assert out == "" and "100 % (10 steps" in err and err.endswith("\n")


# --- rows on a logarithmic axis -----------------------------------------------------------------


@given(st.integers(1, 10**7), st.integers(2, 300))
@few(50)
def test_log_spaced_steps(steps, n):
    rows = dd.log_spaced(steps, n)
    assert rows[0] == 0 and rows[1] == 1 and rows[-1] == steps and len(rows) <= n + 1
    assert (np.diff(rows) > 0).all() and rows.dtype.kind == "i"
    late = rows[rows > 20 * n]  # where rounding to whole steps is small
    if len(late) > 2:
        np.testing.assert_allclose(np.diff(np.log(late)), np.log(steps) / (n - 1), rtol=0.1)


# --- the trajectory -----------------------------------------------------------------------------


def test_a_missing_column_says_what_there_is_and_how_to_get_it():
    run = dd.run(count, np.zeros(1), 1, record={"norm": np.linalg.norm})
    with pytest.raises(AttributeError, match="has theta and step, norm, not 'loss'; pass record="):
        run.loss
    assert not hasattr(run, "loss")


def test_a_trajectory_survives_copy_and_pickle():
    run = dd.run(count, np.zeros(1), 3)
    for other in (copy.deepcopy(run), pickle.loads(pickle.dumps(run))):
        assert other.step.tolist() == run.step.tolist() and other.cost == run.cost


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize("call, message", [
    (lambda: dd.run(dd.gd, np.zeros(1), 1), "rule: .*call it with an objective"),
    (lambda: dd.run(count, np.zeros(1), -1), "steps: expected a whole number, at least 0, got -1"),
    (lambda: dd.run(count, np.zeros(1), 2.0), "steps: "),
    (lambda: dd.run(count, [np.nan], 1), "theta0: expected finite"),
    (lambda: dd.run(count, "text", 1), "theta0: "),
    (lambda: dd.run(count, [[1], [1, 2]], 1), "theta0: .*ragged"),
    (lambda: dd.run(count, np.zeros(1), 5, at=[6]), r"at: expected step numbers within 0\.\.5"),
    (lambda: dd.run(count, np.zeros(1), 5, at=[-1]), "at: "),
    (lambda: dd.run(count, np.zeros(1), 5, at=[0.5]), "at: "),
    (lambda: dd.run(count, np.zeros(1), 5, at=[np.nan]), "at: "),
    (lambda: dd.run(count, np.zeros(1), 5, at=[]), "at: "),
    (lambda: dd.log_spaced(0), "steps: "),
    (lambda: dd.log_spaced(-3), "steps: "),
    (lambda: dd.log_spaced(10, 1), "count: "),
])
def test_bad_input_names_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_start_of_the_wrong_length_is_reported_by_the_network():
    objective, theta = random_problem(np.random.default_rng(0))
    with pytest.raises(ValueError, match="theta: .*another network"):
        dd.run(dd.gd(objective, 0.1), theta[1:], 3)


def test_a_single_start_for_an_ensemble_of_data_is_an_error():
    objective, theta = random_problem(np.random.default_rng(0), size=(3,), own_data=True)
    with pytest.raises(ValueError, match="theta0: .*each member"):
        dd.run(dd.gd(objective, 0.1), theta[0], 3)


# --- arrays that are used again -------------------------------------------------------------------

RULES = {
    "gd": lambda objective: dd.gd(objective, 0.1),
    "sgd": lambda objective: dd.sgd(objective, 0.1, 2, np.random.default_rng(1)),
    "heavy_ball": lambda objective: dd.heavy_ball(objective, 0.1, 0.7),
    "normalized_gd": lambda objective: dd.normalized_gd(objective, 0.1),
    "adam": lambda objective: dd.adam(objective, 0.1),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("size", [(), (3,)])
def test_a_run_takes_the_steps_that_the_rule_takes_alone(rule, size):
    """`run` lets the rule overwrite its arrays; called alone, a step makes new ones and changes none."""
    objective, theta0 = random_problem(np.random.default_rng(4), "logistic", "relu", 3, True, size)
    alone, theta = RULES[rule](objective), theta0
    state, rows = alone.start(theta), [theta0]
    for t in range(9):
        before = copy.deepcopy((theta, state))
        new = alone.step(theta, state, t)
        for array, kept in zip(arrays((theta, state)), arrays(before)):
            np.testing.assert_array_equal(array, kept)
        theta, state = new
        rows.append(theta)
    np.testing.assert_array_equal(dd.run(RULES[rule](objective), theta0, 9).theta, rows)


def arrays(parts):
    """All arrays in nested tuples, a state that is no array left out."""
    if isinstance(parts, tuple):
        return [array for part in parts for array in arrays(part)]
    return [parts] if isinstance(parts, np.ndarray) else []


def test_what_is_recorded_may_be_a_view():
    objective, theta0 = random_problem(np.random.default_rng(5), "logistic", "relu", 2)
    run = dd.run(dd.gd(objective, 0.1), theta0, 6, record={"W": lambda theta: objective.net.layers(theta)[0]})
    np.testing.assert_array_equal(run.W, objective.net.layers(run.theta)[0])
    assert not np.array_equal(run.W[3], run.W[4])


@pytest.mark.parametrize("rule", ["gd", "heavy_ball"])
def test_the_last_row_of_a_diverged_run_is_the_last_finite_one(rule):
    _, objective = diverging()
    make = {"gd": lambda: dd.gd(objective, 1e3), "heavy_ball": lambda: dd.heavy_ball(objective, 1e3, 0.5)}[rule]
    with pytest.raises(dd.DivergenceError) as caught:
        dd.run(make(), np.ones(3), 1000, at=[0])
    last = int(caught.value.trajectory.step[-1])
    again = dd.run(make(), np.ones(3), last, at=[last]).final
    np.testing.assert_array_equal(caught.value.trajectory.final, again)


def test_single_precision_becomes_what_the_step_makes_of_it():
    """Float32 stays with data in float32; data in float64 raise it at the first step."""
    for dtype in (np.float32, np.float64):
        X = np.random.default_rng(0).normal(size=(8, 3)).astype(dtype)
        objective = dd.Objective(dd.MLP([3, 4, 1]), dd.losses.square, X, X[:, 0])
        theta0 = objective.net.init(np.random.default_rng(1)).astype(np.float32)
        for rule in (dd.gd(objective, 0.1), dd.heavy_ball(objective, 0.1, 0.5), dd.adam(objective, 0.1)):
            assert dd.run(rule, theta0, 5, at=[5]).theta.dtype == dtype
