"""Gradient flow against closed forms and scipy; orders of the Dormand-Prince pair."""

import numpy as np
import pytest
import scipy.integrate
from hypothesis import given
from oracles import few, random_problem, seeds

import deepdyn_np as dd
from deepdyn_np.dynamics import dormand_prince
from deepdyn_np.dynamics.dormand_prince import DormandPrince

method = DormandPrince()


# --- the pair -----------------------------------------------------------------------------------


def spiral(x, y):
    """A nonlinear, non-autonomous problem: ``y = exp(sin x) (cos x^2, sin x^2)``."""
    return np.cos(x) * y + 2 * x * np.array([-y[1], y[0]])


def exact(x):
    return np.exp(np.sin(x)) * np.array([np.cos(x**2), np.sin(x**2)])


def order(h, errors):
    slope, uncertainty = dd.fit_slope(h, errors)
    assert uncertainty < 0.1
    return slope


def test_measured_order_of_the_solution_is_five():
    errors, lengths = [], 1 / np.array([10, 14, 20, 28, 40, 56])
    for h in lengths:
        x, y = 0.0, exact(0.0)
        for _ in range(round(1 / h)):
            y, x = method.propose(spiral, x, y, spiral(x, y), h).y, x + h
        errors.append(np.linalg.norm(y - exact(1.0)))
    assert order(lengths, errors) == pytest.approx(5, abs=0.15)


@pytest.mark.parametrize("part, expected", [("y", 6), ("error", 5), ("dense", 5)])
def test_local_orders_of_result_error_estimate_and_continuous_extension(part, expected):
    lengths, errors = np.geomspace(0.02, 0.1, 6), []
    for h in lengths:
        p = method.propose(spiral, 0.9, exact(0.9), spiral(0.9, exact(0.9)), h)
        wrong = {"y": p.y - exact(0.9 + h), "error": p.error}
        if part == "dense":
            fractions = np.linspace(0.1, 0.9, 9)
            wrong["dense"] = np.array([method.interpolate(s, h, exact(0.9), p) - exact(0.9 + s * h)
                                       for s in fractions])
        errors.append(np.abs(wrong[part]).max())
    assert order(lengths, errors) == pytest.approx(expected, abs=0.25)


def test_the_tableau_satisfies_its_row_and_quadrature_conditions():
    C, A = dormand_prince.C, dormand_prince.A
    np.testing.assert_allclose([row.sum() for row in A], C, atol=1e-15)
    for weights, highest in ((np.r_[A[6], 0], 5), (dormand_prince.FOURTH, 4)):
        for k in range(1, highest + 1):
            assert weights @ C ** (k - 1) == pytest.approx(1 / k, abs=1e-15)


def test_the_continuous_extension_joins_value_and_slope_at_both_ends():
    y, h = exact(0.4), 0.1
    p = method.propose(spiral, 0.4, y, spiral(0.4, y), h)
    ends = [method.interpolate(s, h, y, p) for s in (0.0, 1.0)]
    np.testing.assert_allclose(ends, [y, p.y], atol=1e-15)
    for s, slope in ((0.0, spiral(0.4, y)), (1.0, p.slope)):
        rise = method.interpolate(s + 1e-5, h, y, p) - method.interpolate(s - 1e-5, h, y, p)
        np.testing.assert_allclose(rise / (2e-5 * h), slope, rtol=1e-7)
    np.testing.assert_array_equal(p.slope, spiral(0.5, p.y))


# --- closed forms -------------------------------------------------------------------------------


@given(seed=seeds)
@few(10)
def test_a_single_sample_with_exponential_loss(seed):
    """``dm/dt = z^2 e^-m``, so ``m = log(e^m0 + z^2 t)``."""
    rng = np.random.default_rng(seed)
    z, w0 = rng.uniform(0.5, 2), rng.normal()
    objective = dd.Objective(dd.MLP([1, 1]), dd.losses.exponential, [[-z]], [-1])
    flow = dd.gradient_flow(objective, [w0], 1e4, rtol=1e-10, atol=1e-12, at=[0, 0.1, 10, 1e4])
    expected = np.log(np.exp(z * w0) + z**2 * flow.t)
    np.testing.assert_allclose(z * flow.theta[:, 0], expected, atol=1e-8)


def matrix_exponential(objective, theta, t):
    """The flow of a quadratic: every eigenvector of H decays at its own rate."""
    rates, Q = np.linalg.eigh(objective.hvp(theta, np.eye(theta.size)))
    g = Q.T @ objective.gradient(theta)
    return theta + Q @ (g * np.expm1(-rates * t) / rates)


@given(seed=seeds)
@few(10)
def test_a_linear_network_with_square_loss_and_decay(seed):
    objective, theta = random_problem(np.random.default_rng(seed), depth=1, bias=True, lam=0.3)
    flow = dd.gradient_flow(objective, theta, 2.0, rtol=1e-11, atol=1e-13, at=[0.1, 1.0, 2.0])
    expected = [matrix_exponential(objective, theta, t) for t in flow.t]
    np.testing.assert_allclose(flow.theta, expected, atol=1e-9 * (1 + np.abs(expected).max()))


@pytest.mark.parametrize("loss", ["logistic", "cross_entropy", "square"])
def test_a_deep_network_against_scipy(loss):
    objective, theta = random_problem(np.random.default_rng(3), loss, "tanh", 3, bias=True, lam=0.1)
    flow = dd.gradient_flow(objective, theta, 5.0, rtol=1e-11, atol=1e-13)
    other = scipy.integrate.solve_ivp(lambda t, a: -objective.gradient(a), (0, 5), theta, "DOP853",
                                      rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(flow.final, other.y[:, -1], atol=1e-9)
    values = objective.value(flow.theta)
    assert (np.diff(values) < 0).all() and flow.t[0] == 0 and flow.t[-1] == 5
    assert len(flow) == flow.cost["steps"] + 1


def test_the_error_is_proportional_to_the_tolerance():
    objective, theta = random_problem(np.random.default_rng(1), depth=1, lam=0.3)
    expected, tolerances, errors = matrix_exponential(objective, theta, 1.0), np.logspace(-5, -11, 7), []
    for rtol in tolerances:
        flow = dd.gradient_flow(objective, theta, 1.0, rtol=rtol, atol=rtol)
        errors.append(np.linalg.norm(flow.final - expected))
        assert errors[-1] < 10 * rtol
    assert dd.fit_slope(tolerances, errors)[0] == pytest.approx(1, abs=0.15)


# --- rows ---------------------------------------------------------------------------------------


def test_rows_at_given_times_are_exact_and_dense_ones_close():
    objective, theta = random_problem(np.random.default_rng(1), depth=1, lam=0.3)
    at = np.linspace(0, 1.5, 31)
    cut = dd.gradient_flow(objective, theta, 1.5, rtol=1e-9, atol=1e-11, at=at)
    dense = dd.gradient_flow(objective, theta, 1.5, rtol=1e-9, atol=1e-11, at=at, dense=True,
                             record={"loss": objective.value})
    expected = np.array([matrix_exponential(objective, theta, t) for t in at])
    np.testing.assert_array_equal(cut.t, at)
    np.testing.assert_array_equal(dense.t, at)
    np.testing.assert_allclose(cut.theta, expected, atol=1e-8)
    np.testing.assert_allclose(dense.theta, expected, atol=1e-6)
    np.testing.assert_array_equal(dense.loss, objective.value(dense.theta))
    assert dense.cost["steps"] < 31 or dense.cost["steps"] < cut.cost["steps"]


def test_a_single_time_and_the_start_alone():
    objective, theta = random_problem(np.random.default_rng(1))
    assert dd.gradient_flow(objective, theta, 1.0, at=0.5).t.tolist() == [0.5]
    only = dd.gradient_flow(objective, theta, 1.0, at=[0])
    np.testing.assert_array_equal(only.theta, theta[None])


@pytest.mark.parametrize("own_data", [False, True])
def test_an_ensemble_is_its_members_one_by_one(own_data):
    rng = np.random.default_rng(2)
    objective, theta = random_problem(rng, "logistic", "tanh", 2, size=(2, 2), own_data=own_data)
    start = theta.copy()
    together = dd.gradient_flow(objective, theta, 3.0, rtol=1e-10, atol=1e-12, at=[1, 3])
    np.testing.assert_array_equal(theta, start)
    for i in np.ndindex(2, 2):
        X, y = (objective.X[i], objective.y[i]) if own_data else (objective.X, objective.y)
        alone = dd.gradient_flow(dd.Objective(objective.net, objective.loss, X, y), theta[i], 3.0,
                                 rtol=1e-10, atol=1e-12, at=[1, 3])
        np.testing.assert_allclose(together.theta[(slice(None), *i)], alone.theta, atol=1e-8)


def test_a_minimum_stays_where_it_is():
    objective = dd.Objective(dd.MLP([1, 1]), dd.losses.square, [[1.0]], [2.0])
    assert dd.gradient_flow(objective, [2.0], 1e3).final == 2.0


# --- errors -------------------------------------------------------------------------------------


def test_too_few_steps_hand_over_the_rows_so_far():
    objective, theta = random_problem(np.random.default_rng(1), "logistic")
    with pytest.raises(dd.StepLimitError, match="used up max_steps = 20 at .* of 1e") as caught:
        dd.gradient_flow(objective, theta, 1e6, max_steps=20, record={"loss": objective.value})
    flow = caught.value.trajectory
    assert sum(flow.cost.values()) == 20 and len(flow) == flow.cost["steps"] + 1
    assert (np.diff(flow.t) > 0).all() and (np.diff(flow.loss) < 0).all()


def test_progress_is_told_on_the_error_stream_only_when_wanted(capsys):
    objective, theta = random_problem(np.random.default_rng(1))
    dd.gradient_flow(objective, theta, 1.0)
    assert capsys.readouterr() == ("", "")
    dd.gradient_flow(objective, theta, 1.0, progress=True)
    out, err = capsys.readouterr()
    assert out == "" and "gradient flow 100 %" in err


objective, theta = random_problem(np.random.default_rng(0))


@pytest.mark.parametrize("arguments, options, message", [
    ((theta, 0.0), {}, "t_end: expected a number above 0"),
    ((theta, -1.0), {}, "t_end: "),
    ((theta, np.nan), {}, "t_end: "),
    ((theta, np.inf), {}, "t_end: "),
    ((theta, [1.0, 2.0]), {}, "t_end: expected a single number"),
    ((theta, 1.0), {"rtol": 0}, "rtol: "),
    ((theta, 1.0), {"rtol": -1e-8}, "rtol: "),
    ((theta, 1.0), {"atol": np.nan}, "atol: "),
    ((theta * np.nan, 1.0), {}, "theta0: expected finite"),
    (("text", 1.0), {}, "theta0: "),
    ((theta[1:], 1.0), {}, "theta: .*another network"),
    ((theta, 1.0), {"at": [0.5, 0.2]}, "at: expected increasing"),
    ((theta, 1.0), {"at": [0.5, 2.0]}, "at: expected numbers from 0 to 1"),
    ((theta, 1.0), {"at": [-0.5]}, "at: "),
    ((theta, 1.0), {"at": [np.nan]}, "at: "),
    ((theta, 1.0), {"at": [[0.1, 0.2]]}, "at: "),
    ((theta, 1.0), {"dense": True}, "at: expected times when dense=True"),
])
def test_bad_input_names_the_argument(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        dd.gradient_flow(objective, *arguments, **options)


def test_a_single_start_for_an_ensemble_of_data_is_an_error():
    many, starts = random_problem(np.random.default_rng(0), size=(3,), own_data=True)
    with pytest.raises(ValueError, match="theta0: .*each member"):
        dd.gradient_flow(many, starts[0], 1.0)
