"""Objective: value, gradient and HVP of theta, batches, decay, ensembles, the log-loss."""

import numpy as np
import pytest
from hypothesis import given
from oracles import (
    ACTIVATIONS,
    LOSSES,
    WITH_TAIL,
    away_from_kinks,
    central_difference,
    complex_step,
    few,
    random_problem,
    second_difference,
    seeds,
    unit,
)

import deepdyn_np as dd

every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
every_loss = pytest.mark.parametrize("loss", LOSSES)
with_and_without_bias = pytest.mark.parametrize("bias", [False, True])
ensembles = pytest.mark.parametrize("size, own_data", [((), False), ((3,), False), ((2, 2), True)])


def problem(seed, loss, activation, bias, size=(), own_data=False, lam=0.3):
    """Depth 1 to 5 in turn; a direction of length 1 for every member."""
    rng = np.random.default_rng(seed)
    objective, theta = random_problem(rng, loss, activation, seed % 5 + 1, bias, size, lam, own_data)
    return objective, theta, unit(rng, theta.shape), unit(rng, theta.shape)


# --- derivatives ------------------------------------------------------------------------------


@every_loss
@every_activation
@with_and_without_bias
@ensembles
@given(seed=seeds)
@few(5)
def test_gradient_and_hvp_against_differences(loss, activation, bias, size, own_data, seed):
    objective, theta, u, v = problem(seed, loss, activation, bias, size, own_data)
    h = 3e-4
    away_from_kinks(objective.net, theta, objective.X, u, h)
    value, g = objective.value_and_gradient(theta)
    scale = np.linalg.norm(g, axis=-1) + 1e-3 * np.abs(value)
    slope = central_difference(objective.value, theta, u, h)
    assert np.all(np.abs(np.vecdot(g, u) - slope) <= 1e-7 * scale)
    Hu = objective.hvp(theta, u)
    bend = central_difference(objective.gradient, theta, u, h)
    error = np.linalg.norm(Hu - bend, axis=-1)
    assert np.all(error <= 1e-7 * (np.linalg.norm(bend, axis=-1) + 1e-2 * scale))
    one, other = np.vecdot(v, Hu), np.vecdot(u, objective.hvp(theta, v))
    assert np.all(np.abs(one - other) <= 1e-12 * np.linalg.norm(Hu, axis=-1))  # H is symmetric
    np.testing.assert_array_equal(objective.gradient(theta), g)
    np.testing.assert_array_equal(objective.value(theta), value)
    assert value.shape == size and g.shape == Hu.shape == theta.shape


@every_loss
@every_activation
@given(seed=seeds)
@few(5)
def test_curvature_is_the_second_difference_of_the_value(loss, activation, seed):
    """No hand-derived line enters the right-hand side."""
    objective, theta, u, _ = problem(seed, loss, activation, bias=bool(seed % 2))
    h = 2e-3
    away_from_kinks(objective.net, theta, objective.X, u, h)
    H, value = objective.hvp(theta, u), objective.value(theta)
    scale = np.linalg.norm(H) + value + np.linalg.norm(objective.gradient(theta))
    assert abs(u @ H - second_difference(objective.value, theta, u, h)) <= 1e-6 * scale


@pytest.mark.parametrize("loss", ["square", "exponential"])
@pytest.mark.parametrize("activation", ["linear", "tanh"])
@with_and_without_bias
@given(seed=seeds)
@few(10)
def test_gradient_and_hvp_against_the_complex_step(loss, activation, bias, seed):
    objective, theta, u, _ = problem(seed, loss, activation, bias, lam=0.0)
    g, Hu = objective.gradient(theta), objective.hvp(theta, u)
    assert abs(g @ u - complex_step(objective.value, theta, u)) <= 1e-12 * np.linalg.norm(g)
    bend = complex_step(objective.gradient, theta, u)
    assert np.linalg.norm(Hu - bend) <= 1e-12 * (np.linalg.norm(bend) + np.linalg.norm(g))


@given(seed=seeds)
@few(10)
def test_directions_may_be_an_ensemble_at_a_single_point(seed):
    objective, theta, u, v = problem(seed, "logistic", "tanh", bias=True)
    both = objective.hvp(theta, np.stack([u, v]))
    np.testing.assert_allclose(both, [objective.hvp(theta, u), objective.hvp(theta, v)], atol=1e-14)


# --- what the mean and the decay mean -----------------------------------------------------------


@every_loss
@given(seed=seeds)
@few(10)
def test_value_is_the_mean_over_samples_plus_half_lam_theta_squared(loss, seed):
    objective, theta, u, _ = problem(seed, loss, "relu", False, lam=0.7)
    F, y, net = objective.net(theta, objective.X), np.asarray(objective.y), objective.net
    if loss == "square":
        each = [sum((f - t) ** 2) / 2 for f, t in zip(F, y)]
    elif loss == "cross_entropy":
        each = [-np.log(np.exp(f[c]) / np.exp(f).sum()) for f, c in zip(F, y)]
    else:
        m = y * F[:, 0]
        each = np.exp(-m) if loss == "exponential" else np.log(1 + np.exp(-m))
    expected = sum(each) / objective.n + 0.35 * sum(theta**2)
    assert objective.value(theta) == pytest.approx(expected, rel=1e-12)
    plain = dd.Objective(net, LOSSES[loss], objective.X, y)
    np.testing.assert_allclose(objective.gradient(theta), plain.gradient(theta) + 0.7 * theta,
                               atol=1e-13, rtol=1e-13)
    np.testing.assert_allclose(objective.hvp(theta, u), plain.hvp(theta, u) + 0.7 * u, atol=1e-13,
                               rtol=1e-13)


@every_loss
@given(seed=seeds)
@few(10)
def test_repeating_the_data_changes_nothing(loss, seed):
    """A sum instead of a mean, in any of the three, would show here as a factor 3."""
    objective, theta, u, _ = problem(seed, loss, "tanh", True)
    X, y = np.tile(objective.X, (3, 1)), np.concatenate([objective.y] * 3)
    tripled = dd.Objective(objective.net, objective.loss, X, y, lam=objective.lam)
    for name, arguments in [("value", ()), ("gradient", ()), ("hvp", (u,))]:
        np.testing.assert_allclose(getattr(tripled, name)(theta, *arguments),
                                   getattr(objective, name)(theta, *arguments), rtol=1e-11, atol=1e-13)


# --- batches ------------------------------------------------------------------------------------


@every_loss
@pytest.mark.parametrize("own_data", [False, True])
@pytest.mark.parametrize("one_each", [False, True])
@given(seed=seeds)
@few(5)
def test_a_batch_is_the_objective_of_its_samples(loss, own_data, one_each, seed):
    size = (3,)
    objective, theta, u, _ = problem(seed, loss, "tanh", False, size, own_data)
    rng, n = np.random.default_rng(seed), objective.n
    batch = rng.integers(n, size=(3, 4) if one_each else 4)
    got = [objective.value(theta, batch), objective.gradient(theta, batch), objective.hvp(theta, u, batch)]
    for i in range(3):
        rows = batch[i] if one_each else batch
        X = objective.X[i] if own_data else objective.X
        y = np.asarray(objective.y)[i] if own_data else np.asarray(objective.y)
        part = dd.Objective(objective.net, objective.loss, X[rows], y[rows], lam=objective.lam)
        for together, alone in zip(got, [part.value(theta[i]), part.gradient(theta[i]),
                                         part.hvp(theta[i], u[i])]):
            np.testing.assert_allclose(together[i], alone, rtol=1e-11, atol=1e-13)


def test_batches_that_part_the_samples_average_to_the_whole():
    objective, theta, u, _ = problem(8, "cross_entropy", "relu", True)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(6, objective.net.widths[0])), rng.integers(objective.net.widths[-1], size=6)
    objective = dd.Objective(objective.net, objective.loss, X, y)
    batches = rng.permutation(6).reshape(3, 2)
    parts = np.mean([objective.gradient(theta, b) for b in batches], axis=0)
    np.testing.assert_allclose(parts, objective.gradient(theta), atol=1e-14)


# --- ensembles ----------------------------------------------------------------------------------


@every_loss
@every_activation
@pytest.mark.parametrize("own_data", [False, True])
def test_an_ensemble_is_its_members_one_by_one(loss, activation, own_data):
    objective, theta, u, _ = problem(7, loss, activation, True, (2, 3), own_data, lam=0.2)
    value, g = objective.value_and_gradient(theta)
    H = objective.hvp(theta, u)
    for i in np.ndindex(2, 3):
        X, y = (objective.X[i], objective.y[i]) if own_data else (objective.X, objective.y)
        one = dd.Objective(objective.net, objective.loss, X, y, lam=0.2)
        assert one.value(theta[i]) == pytest.approx(value[i], rel=1e-12)
        np.testing.assert_allclose(one.gradient(theta[i]), g[i], rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(one.hvp(theta[i], u[i]), H[i], rtol=1e-11, atol=1e-13)


def test_an_array_of_decays_gives_each_member_its_own():
    objective, theta, u, _ = problem(3, "square", "tanh", True, (2, 3))
    lam = np.array([[0, 0.1, 0.2], [0.3, 0.4, 0.5]])
    sweep = dd.Objective(objective.net, objective.loss, objective.X, objective.y, lam=lam)
    value, g = sweep.value_and_gradient(theta)
    for i in np.ndindex(2, 3):
        one = dd.Objective(objective.net, objective.loss, objective.X, objective.y, lam=lam[i])
        assert one.value(theta[i]) == pytest.approx(value[i], rel=1e-12)
        assert one.value(theta[i]) == pytest.approx(sweep.value(theta)[i], rel=1e-12)
        np.testing.assert_allclose(one.gradient(theta[i]), g[i], rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(one.hvp(theta[i], u[i]), sweep.hvp(theta, u)[i], rtol=1e-11, atol=1e-13)


def test_an_array_of_decays_has_no_log_loss():
    decayed = dd.Objective(net, dd.losses.logistic, X, y, lam=[0, 0.1])
    with pytest.raises(ValueError, match="lam: expected 0 for the log-loss"):
        decayed.Lambda(np.zeros((2, 9)))


# --- the log-loss -------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", WITH_TAIL)
@every_activation
@ensembles
@given(seed=seeds)
@few(4)
def test_Lambda_is_minus_the_logarithm_with_its_gradient(loss, activation, size, own_data, seed):
    objective, theta, u, _ = problem(seed, loss, activation, False, size, own_data, lam=0.0)
    value, g = objective.value_and_gradient(theta)
    Lambda, slope = objective.Lambda_and_gradient(theta)
    np.testing.assert_allclose(Lambda, -np.log(value), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(slope, -g / value[..., None], rtol=1e-10, atol=1e-11)
    np.testing.assert_array_equal(objective.Lambda(theta), Lambda)


@pytest.mark.parametrize("loss", WITH_TAIL)
def test_Lambda_goes_on_where_the_loss_is_zero_to_the_computer(loss):
    """A linear predictor far out on separable data: its log-loss grows like the margin."""
    rng = np.random.default_rng(0)
    two = loss == "cross_entropy"
    net = dd.MLP([2, 1 + two])
    X, y = dd.data.data_b(), np.ones(5)
    objective = dd.Objective(net, LOSSES[loss], X, y)
    w = np.array([3 / 7, 2 / 7])
    theta = 1e6 * (np.r_[-w / 2, w / 2] if two else w)
    assert objective.value(theta) == 0 and not objective.gradient(theta).any()
    Lambda, g = objective.Lambda_and_gradient(theta)
    assert Lambda == pytest.approx(1e6 - np.log(2 / 5), rel=1e-14)  # two support vectors of five
    u = unit(rng, theta.shape)
    slope = central_difference(objective.Lambda, theta, u, 1.0)
    assert g @ u == pytest.approx(slope, abs=1e-8) and np.linalg.norm(g) > 0.1


# --- bad input ----------------------------------------------------------------------------------

net, X, y = dd.MLP([2, 3, 1]), np.ones((4, 2)), np.array([1, -1, 1, -1])
good, theta = dd.Objective(net, dd.losses.logistic, X, y), np.zeros(9)


@pytest.mark.parametrize("call, message", [
    (lambda: dd.Objective("net", dd.losses.logistic, X, y), "net: expected a dd.MLP"),
    (lambda: dd.Objective(net, "logistic", X, y), "loss: .*not its name"),
    (lambda: dd.Objective(net, dd.losses.logistic, X.T, y), "X: .*transposed"),
    (lambda: dd.Objective(net, dd.losses.logistic, X[0], y), "X: "),
    (lambda: dd.Objective(net, dd.losses.logistic, X * np.nan, y), "X: .*finite"),
    (lambda: dd.Objective(net, dd.losses.logistic, X, y[1:]), "y: .*4 rows"),
    (lambda: dd.Objective(net, dd.losses.logistic, X, y > 0), "y: .*-1 and"),
    (lambda: dd.Objective(net, dd.losses.logistic, X, y * np.nan), "y: .*finite"),
    (lambda: dd.Objective(net, dd.losses.cross_entropy, X, y), "net: .*two outputs"),
    (lambda: dd.Objective(net, dd.losses.square, X, np.ones((3, 1))), "y: "),
    (lambda: dd.Objective(net, dd.losses.square, X, y, lam=-1), "lam: .*at least 0, got -1"),
    (lambda: dd.Objective(net, dd.losses.square, X, y, lam=np.nan), "lam: "),
    (lambda: dd.Objective(net, dd.losses.square, X, y, lam=[0.1, -1]), "lam: .*at least 0"),
    (lambda: good.value(theta[1:]), r"theta: expected shape \(..., 9\)"),
    (lambda: good.value(theta * np.nan), "theta: expected finite"),
    (lambda: good.gradient(np.r_[theta[1:], np.inf]), r"theta: .*inf at index \(8,\)"),
    (lambda: good.gradient("text"), "theta: "),
    (lambda: good.hvp(theta, theta * np.nan), "v: expected finite"),
    (lambda: good.hvp(theta, theta[1:]), r"v: expected shape \(..., 9\)"),
    (lambda: good.Lambda(theta * np.inf), "theta: expected finite"),
    (lambda: dd.Objective(net, dd.losses.square, X, y).Lambda(theta), "loss: .*infimum of 0"),
    (lambda: dd.Objective(net, dd.losses.logistic, X, y, lam=0.1).Lambda_and_gradient(theta),
     "lam: expected 0 .*positive minimum"),
])
def test_bad_input_names_the_argument(call, message):
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=message):
        call()


def test_a_batch_outside_the_data_is_an_error():
    with pytest.raises(IndexError):
        good.gradient(theta, [4])


def test_whole_numbers_are_accepted_everywhere():
    whole = dd.Objective(net, dd.losses.square, X.astype(int), y)
    np.testing.assert_array_equal(whole.gradient(np.ones(9, int)), good_square_gradient())


def good_square_gradient():
    return dd.Objective(net, dd.losses.square, X, y.astype(float)).gradient(np.ones(9))
