"""Log-loss time: closed forms at t = 10^1000, the hard margin at t = 10^4300000, agreement, errors."""

import time

import numpy as np
import pytest
from hypothesis import assume, given
from oracles import LOSSES, central_difference, few, hard_margin, random_problem, seeds

import deepdyn_np as dd
from deepdyn_np.dynamics.log_loss_flow import _linear_jacobian
from deepdyn_np.losses import log_mean_exp

exponential, logistic = dd.losses.exponential, dd.losses.logistic


def linear(Z, loss=exponential):
    """A linear predictor on signed rows."""
    return dd.Objective(dd.MLP([Z.shape[1], 1]), loss, Z, np.ones(len(Z)))


def separable(seed, n=12, d=4):
    return dd.data.gaussian_separable(n, d, np.random.default_rng(seed), 0.5)


# --- closed forms: orthogonal rows, whose margins do not see each other ------------------------

NORMS = np.array([1, 1.7, 0.6, 1.2])


def orthogonal(loss, seed):
    rng = np.random.default_rng(seed)
    Z = dd.data.orthogonal_rows(NORMS, rng)
    return linear(Z, loss), Z, np.linalg.solve(Z, rng.uniform(0.1, 2, size=4))


@pytest.mark.parametrize("log10_t", [100, 1000])
@given(seed=seeds)
@few(2)
def test_exponential_loss_against_the_closed_form(log10_t, seed):
    """``dm/dt = |z|^2 / n e^-m``: ``m(t) = log(e^m0 + |z|^2 t / n)``."""
    objective, Z, w0 = orthogonal(exponential, seed)

    def closed_form(log_t):
        return np.logaddexp(Z @ w0, np.log(NORMS**2 / 4) + log_t)

    log_t = log10_t * np.log(10)
    end = -log_mean_exp(-closed_form(log_t))
    flow = dd.log_loss_flow(objective, w0, end, rtol=1e-11, at=[end / 2, end])
    assert flow.log_t[-1] == pytest.approx(log_t, abs=1e-8)
    margins = flow.theta @ Z.T
    np.testing.assert_allclose(margins, [closed_form(s) for s in flow.log_t], rtol=0, atol=1e-8)
    np.testing.assert_allclose(flow.Lambda, -log_mean_exp(-margins), rtol=1e-15)
    assert objective.value(flow.final) <= 10.0 ** -(log10_t - 3)


@given(seed=seeds)
@few(2)
def test_logistic_loss_against_its_implicit_formula(seed):
    """``m + e^m = m0 + e^m0 + |z|^2 t / n``, in logarithms, at t = 10^1000."""
    objective, Z, w0 = orthogonal(logistic, seed)
    flow = dd.log_loss_flow(objective, w0, 2303.0, rtol=1e-11, at=[2.0, 50.0, 2303.0])
    m, m0 = flow.theta @ Z.T, Z @ w0
    left = np.logaddexp(np.log(m), m)
    right = np.logaddexp(np.log(m0 + np.exp(m0)), np.log(NORMS**2 / 4) + flow.log_t[:, None])
    np.testing.assert_allclose(left, right, rtol=0, atol=1e-7)
    assert flow.log_t[-1] > 2300


@pytest.mark.parametrize("method", ["dopri5", "rosenbrock"])
def test_early_times_are_right_too(method):
    """From t = 0 on, where K is 0 and log t is -inf."""
    objective, Z, w0 = orthogonal(exponential, 5)
    flow = dd.log_loss_flow(objective, w0, 5.0, method, rtol=1e-9, atol=1e-11)
    assert flow.log_t[0] == -np.inf and (np.diff(flow.log_t[1:]) > 0).all()
    expected = np.logaddexp(Z @ w0, np.log(NORMS**2 / 4) + flow.log_t[:, None])
    np.testing.assert_allclose(flow.theta @ Z.T, expected, atol=1e-5)
    assert len(flow) == flow.cost["steps"] + 1


# --- the hard margin, at t = 10^(4.3 million) ---------------------------------------------------


def support_vector_residual(Z, w, log_t):
    """``exp(-z_i . (w - w_hat log t)) / (n alpha_i) - 1``, which vanishes as t grows."""
    w_hat, alpha = hard_margin(Z)
    S = alpha > 0
    return np.abs(np.exp(-Z[S] @ (w - w_hat * log_t)) / (len(Z) * alpha[S]) - 1).max()


@pytest.mark.parametrize("name, tolerance", [("gaussian", 2e-6), ("digits", 1e-4)])
def test_support_vectors_at_Lambda_ten_million(name, tolerance):
    if name == "gaussian":
        Z = dd.data.gaussian_separable(100, 20, np.random.default_rng(2), 0.5)
    else:
        X, y = dd.data.digits().pair(3, 8)
        Z = y[:, None] * X
    objective, began = linear(Z), time.process_time()
    flow = dd.log_loss_flow(objective, np.zeros(Z.shape[1]), 1e7, "rosenbrock", at=[1e7])
    assert time.process_time() - began < 5
    assert support_vector_residual(Z, flow.final, flow.log_t[-1]) <= tolerance
    w_hat, alpha = hard_margin(Z)
    error = dd.measures.direction_error(flow.final, w_hat)
    assert error < 1e-5 and sum(flow.cost.values()) < 3000
    # K -> |w_hat|^2: forgetting it, log t = Lambda, is off by -2 log(gamma) = log |w_hat|^2
    assert flow.log_t[-1] - flow.Lambda[-1] == pytest.approx(np.log(w_hat @ w_hat), abs=1e-4)
    assert support_vector_residual(Z, flow.final, flow.Lambda[-1]) > 0.1


def test_the_number_of_steps_grows_with_the_logarithm_of_the_end():
    objective = linear(separable(0))
    steps = [dd.log_loss_flow(objective, np.zeros(4), end, "rosenbrock", rtol=1e-6).cost["steps"]
             for end in (1e3, 1e5, 1e7)]
    assert steps[2] < 1.5 * steps[0] + 20


def test_logistic_and_exponential_share_their_residual():
    Z = separable(3, 12, 3)
    for loss in (exponential, logistic):
        flow = dd.log_loss_flow(linear(Z, loss), np.zeros(3), 1e5, "rosenbrock", rtol=1e-7, at=[1e5])
        assert support_vector_residual(Z, flow.final, flow.log_t[-1]) < 1e-5


# --- the exact Jacobian -------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["exponential", "logistic", "cross_entropy"])
@pytest.mark.parametrize("size, own_data", [((), False), ((3,), False), ((3,), True)])
@given(seed=seeds)
@few(5)
def test_the_jacobian_of_theta_and_K_against_differences(loss, size, own_data, seed):
    rng = np.random.default_rng(seed)
    objective, theta = random_problem(rng, loss, depth=1, bias=bool(seed % 2), size=size,
                                      own_data=own_data)
    rate = rng.uniform(0.5, 2, size=(*size, 1))

    def velocity(state):
        g = objective.Lambda_and_gradient(state[..., :-1])[1]
        square = np.sum(g**2, axis=-1, keepdims=True)
        return rate * np.concatenate([g / square, 1 / square - state[..., -1:]], axis=-1)

    state = np.concatenate([theta, rng.uniform(size=(*size, 1))], axis=-1)
    assume(np.all(np.linalg.norm(objective.Lambda_and_gradient(theta)[1], axis=-1) > 0.1))
    J = _linear_jacobian(objective, theta, lambda: rate)(0.0, state)
    for k, e in enumerate(np.eye(state.shape[-1])):
        column = central_difference(velocity, state, np.broadcast_to(e, state.shape))
        np.testing.assert_allclose(J[..., k], column, rtol=0, atol=1e-7 * np.abs(J).max())


# --- the two methods, and ordinary time ---------------------------------------------------------


@pytest.mark.parametrize("loss", [exponential, logistic], ids=repr)
@given(seed=seeds)
@few(2)
def test_dopri5_and_rosenbrock_agree(loss, seed):
    objective = linear(separable(seed), loss)
    w0 = np.random.default_rng(seed).normal(size=4)
    at = objective.Lambda(w0) + np.array([1.0, 5, 30])
    a = dd.log_loss_flow(objective, w0, at[-1], rtol=1e-10, at=at)
    b = dd.log_loss_flow(objective, w0, at[-1], "rosenbrock", at=at)
    np.testing.assert_allclose(a.theta, b.theta, atol=1e-5)
    np.testing.assert_allclose(a.log_t, b.log_t, atol=1e-5)


@pytest.mark.parametrize("bias", [False, True])
def test_cross_entropy_by_both_methods_conserves_its_column_sums(bias):
    rng = np.random.default_rng(0)
    X, y = dd.data.gaussian_classes(12, 5, 3, rng, separation=4.0)
    net = dd.MLP([5, 3], bias=bias)
    objective = dd.Objective(net, dd.losses.cross_entropy, X, y)
    theta = rng.normal(size=net.size)
    a = dd.log_loss_flow(objective, theta, 20.0, rtol=1e-10, at=[5.0, 20.0])
    b = dd.log_loss_flow(objective, theta, 20.0, "rosenbrock", at=[5.0, 20.0])
    np.testing.assert_allclose(a.theta, b.theta, atol=1e-5)
    np.testing.assert_allclose(a.log_t, b.log_t, atol=1e-5)
    far = dd.log_loss_flow(objective, theta, 1e6, "rosenbrock", rtol=1e-7, at=[1e6])
    start = net.layers(theta)[0].sum(axis=0)
    for flow, tolerance in ((a, 1e-12), (b, 1e-12), (far, 1e-8)):
        for row in flow.theta:
            np.testing.assert_allclose(net.layers(row)[0].sum(axis=0), start, atol=tolerance)


def test_cross_entropy_of_two_classes_is_logistic_at_half_the_speed():
    """Two rows move apart, each with the logistic gradient: the same curve, and log t less log 2."""
    Z, rng = separable(1), np.random.default_rng(1)
    W = rng.normal(size=(2, 4))
    two = dd.Objective(dd.MLP([4, 2]), dd.losses.cross_entropy, Z, np.ones(12))
    a = dd.log_loss_flow(two, W.ravel(), 1e4, "rosenbrock", rtol=1e-7, at=[5.0, 100.0, 1e4])
    b = dd.log_loss_flow(linear(Z, logistic), W[1] - W[0], 1e4, "rosenbrock", rtol=1e-7, at=[5.0, 100.0, 1e4])
    rows = a.theta.reshape(3, 2, 4)
    np.testing.assert_allclose(rows[:, 1] - rows[:, 0], b.theta, rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(a.log_t + np.log(2), b.log_t, atol=1e-4)


def test_multi_class_support_vectors_at_Lambda_a_million():
    """Cross-entropy is asymptotically the exponential loss on the rows (e_y - e_c) x^T."""
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(12, 4)), np.arange(12) % 3
    X[:, :3] += 3 * np.eye(3)[y]
    rows = [np.outer(np.eye(3)[c] - np.eye(3)[k], x).ravel()
            for x, c in zip(X, y) for k in range(3) if k != c]
    Z = np.array(rows)
    objective = dd.Objective(dd.MLP([4, 3]), dd.losses.cross_entropy, X, y)
    flow = dd.log_loss_flow(objective, np.zeros(12), 1e6, "rosenbrock", rtol=1e-7, at=[1e6])
    w_hat, alpha = hard_margin(Z)
    S = alpha > 0
    residual = np.exp(-Z[S] @ (flow.final - w_hat * flow.log_t[-1])) / (12 * alpha[S])
    np.testing.assert_allclose(residual, 1, atol=1e-5)


@pytest.mark.parametrize("loss", ["exponential", "logistic", "cross_entropy"])
@pytest.mark.parametrize("activation", ["tanh", "linear"])
@given(seed=seeds)
@few(2)
def test_it_is_gradient_flow_in_another_clock(loss, activation, seed):
    """In deep networks: the same theta at the same time."""
    objective, theta = random_problem(np.random.default_rng(seed), loss, activation, 2)
    before = objective.Lambda(theta)
    times = [0.05, 0.2]
    plain = dd.gradient_flow(objective, theta, times[-1], rtol=1e-11, atol=1e-13, at=times)
    at = objective.Lambda(plain.theta)
    assert (at > before).all()
    flow = dd.log_loss_flow(objective, theta, at[-1], rtol=1e-11, atol=1e-13, at=at)
    scale = 1 + np.abs(plain.theta).max()
    np.testing.assert_allclose(flow.theta, plain.theta, atol=1e-7 * scale)
    np.testing.assert_allclose(np.exp(flow.log_t), times, rtol=1e-6)


# --- ensembles and rows -------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["dopri5", "rosenbrock"])
@pytest.mark.parametrize("own_data", [False, True])
def test_an_ensemble_with_different_starts_is_its_members_one_by_one(method, own_data):
    rng = np.random.default_rng(0)
    Z = np.stack([separable(k) for k in range(3)]) if own_data else separable(0)
    y = np.ones(Z.shape[:-1])
    starts = 2 * rng.normal(size=(3, 4))
    objective = dd.Objective(dd.MLP([4, 1]), exponential, Z, y)
    first = objective.Lambda(starts).max() + 1
    at = first + np.array([0, 3.0, 20])
    together = dd.log_loss_flow(objective, starts, at[-1], method, rtol=1e-8, at=at)
    assert np.ptp(objective.Lambda(starts)) > 0.5
    assert together.cost["rejected"] <= 6  # the slope is right again where the rates change
    for i in range(3):
        alone = dd.log_loss_flow(linear(Z[i] if own_data else Z), starts[i], at[-1], method,
                                 rtol=1e-8, at=at)
        np.testing.assert_allclose(together.theta[:, i], alone.theta, atol=2e-5)
        np.testing.assert_allclose(together.log_t[:, i], alone.log_t, atol=2e-5)
        np.testing.assert_allclose(together.Lambda[:, i], at, atol=2e-5)


def test_rows_records_and_the_start():
    objective, start = linear(separable(2)), np.zeros(4)
    flow = dd.log_loss_flow(objective, start, 50.0, at=[1.0, 50.0],
                            record={"norm": lambda w: np.linalg.norm(w, axis=-1)})
    assert not start.any() and len(flow) == 2
    np.testing.assert_allclose(flow.norm, np.linalg.norm(flow.theta, axis=1))
    np.testing.assert_array_equal(flow.Lambda, objective.Lambda(flow.theta))  # not the clock
    steps = dd.log_loss_flow(objective, start, 50.0)
    assert steps.Lambda[0] == 0 and steps.Lambda[-1] == pytest.approx(50, abs=1e-5)
    np.testing.assert_allclose(steps.final, flow.final, atol=1e-5)


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["dopri5", "rosenbrock"])
def test_too_few_steps_hand_over_the_rows_so_far(method):
    objective = linear(separable(0))
    with pytest.raises(dd.StepLimitError, match="used up max_steps = 30 .*trajectory") as caught:
        dd.log_loss_flow(objective, np.zeros(4), 1e6, method, max_steps=30)
    flow = caught.value.trajectory
    assert sum(flow.cost.values()) == 30 and len(flow) == flow.cost["steps"] + 1
    assert (np.diff(flow.Lambda) > 0).all() and np.isfinite(flow.log_t[1:]).all()


@pytest.mark.parametrize("method", ["dopri5", "rosenbrock"])
@pytest.mark.parametrize("loss", [exponential, logistic], ids=repr)
def test_data_that_cannot_be_separated_stop_at_the_least_loss(method, loss):
    Z = np.random.default_rng(0).normal(size=(60, 3))
    objective, began = linear(Z, loss), time.process_time()
    with pytest.raises(dd.StepLimitError, match="cannot be separated") as caught:
        dd.log_loss_flow(objective, np.zeros(3), 10.0, method)
    assert time.process_time() - began < 10
    last = caught.value.trajectory
    assert np.linalg.norm(objective.gradient(last.final)) < 1e-4  # it did arrive at the minimum


def test_progress_is_told_on_the_error_stream_only_when_wanted(capsys):
    objective = linear(separable(0))
    dd.log_loss_flow(objective, np.zeros(4), 5.0)
    assert capsys.readouterr() == ("", "")
    dd.log_loss_flow(objective, np.zeros(4), 5.0, progress=True)
    out, err = capsys.readouterr()
    assert out == "" and "log-loss flow 100 %" in err


def flow(objective=linear(dd.data.data_b()), theta0=(0.0, 0.0), Lambda_end=5.0, **options):
    return dd.log_loss_flow(objective, theta0, Lambda_end, **options)


def deep(loss, **options):
    return dd.Objective(dd.MLP([2, 3, 1]), LOSSES[loss], dd.data.data_b(), np.ones(5), **options)


@pytest.mark.parametrize("options, message", [
    ({"objective": deep("exponential"), "theta0": np.zeros(9)}, "theta0: .*nonzero gradient.*saddle"),
    ({"objective": deep("exponential", lam=0.1), "theta0": np.ones(9)}, "lam: expected 0"),
    ({"objective": deep("square"), "theta0": np.ones(9)}, "loss: "),
    ({"objective": deep("exponential"), "theta0": np.ones(9), "Lambda_end": 1e3,
      "method": "rosenbrock"}, "method: expected 'dopri5' for a network with hidden layers"),
    ({"theta0": np.zeros(3)}, "theta: .*another network"),
    ({"theta0": [np.nan, 0]}, "theta0: expected finite"),
    ({"Lambda_end": 2e10}, "Lambda_end: .*at most 1e10"),
    ({"Lambda_end": -1.0}, "Lambda_end: expected a number above the start's Lambda = -?0"),
    ({"Lambda_end": 0.0}, "Lambda_end: "),
    ({"Lambda_end": np.nan}, "Lambda_end: "),
    ({"method": "euler"}, "method: expected 'dopri5' or 'rosenbrock', got 'euler'"),
    ({"rtol": 0.0}, "rtol: "),
    ({"atol": -1.0}, "atol: "),
    ({"at": [0.0, 1.0]}, "at: "),
    ({"at": [1.0, 6.0]}, "at: "),
    ({"at": [2.0, 1.0]}, "at: expected increasing"),
    ({"at": [np.nan]}, "at: "),
])
def test_bad_input_names_the_argument(options, message):
    with pytest.raises(ValueError, match=message):
        flow(**options)


def test_a_single_start_for_an_ensemble_of_data_is_an_error():
    Z = np.stack([dd.data.data_b()] * 3)
    with pytest.raises(ValueError, match="theta0: .*each member"):
        flow(dd.Objective(dd.MLP([2, 1]), exponential, Z, np.ones((3, 5))))
