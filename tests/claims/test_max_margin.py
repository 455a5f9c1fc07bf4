"""Theory and experiment against each other: the checks of chapter 3 that the chapter does not print."""

import numpy as np
import pytest

import deepdyn_np as dd
from deepdyn_np.measures import direction_error
from deepdyn_np.theory.max_margin import asymptotic_constants, residual_limit
from deepdyn_np.theory.svm import hard_margin_svm, multiclass_margin_rows


def problem(Z, loss=dd.losses.exponential):
    return dd.Objective(dd.MLP([Z.shape[1], 1]), loss, Z, np.ones(len(Z)))


def test_logistic_and_exponential_loss_have_the_same_slopes():
    Z = dd.data.gaussian_separable(12, 3, np.random.default_rng(3), shift=0.5)
    w_hat = hard_margin_svm(Z).w
    slopes = []
    for loss in (dd.losses.exponential, dd.losses.logistic):
        out = dd.log_loss_flow(problem(Z, loss), np.zeros(3), 2303, rtol=1e-9, at=[23, 230, 2303])
        error = direction_error(out.theta, w_hat)
        slopes.append(np.diff(np.log(error)) / np.diff(np.log(out.log_t)))
    # The law starts late here, lambda_min = 0.74: the slope still differs from -1 by about 1/log t.
    assert np.all(np.abs(slopes[0] + 1) < [1 / 23, 1 / 230])
    np.testing.assert_allclose(slopes[1], slopes[0], atol=1e-6)


def test_gradient_descent_converges_to_the_residual_of_its_step_size():
    """With eta in the residual equation, w_t - w_hat log t (not log(eta t)) has the limit."""
    Z, eta = dd.data.data_a(), 0.2
    w_hat, (limit, _) = hard_margin_svm(Z).w, residual_limit(Z, eta)
    out = dd.run(dd.gd(problem(Z), eta), np.zeros(2), 100_000, at=[1000, 10_000, 100_000])
    error = np.linalg.norm(out.theta - np.log(out.step)[:, None] * w_hat - limit, axis=-1)
    np.testing.assert_allclose(error, [6.4e-2, 1.5e-2, 3.2e-3], rtol=0.05)
    slopes = np.diff(np.log(error)) / np.log(10)
    assert np.all((slopes > -0.75) & (slopes < -0.6))


@pytest.mark.parametrize("start", ([0, 0, 0], [0, 0, 2.0]))
def test_residual_on_the_span_forgets_the_start_when_the_duals_are_equal(start):
    Z = np.array([(2, 0, 0), (0, 2, 0), (3, 3, 1), (4, 1, -2), (2, 5, 0.5)])
    out = dd.log_loss_flow(problem(Z), np.array(start), 500, rtol=1e-11, atol=1e-12, at=[500])
    residual = out.final - out.log_t[0] * hard_margin_svm(Z).w
    np.testing.assert_allclose(residual[:2], -np.log(5 / 4) / 2, atol=1e-8)
    np.testing.assert_allclose(residual[2], {0: -0.0674, 2: 1.3368}[start[2]], atol=1e-4)


def test_residual_at_a_time_of_ten_to_the_four_hundred_million():
    Z = dd.data.data_b()
    out = dd.log_loss_flow(problem(Z), np.zeros(2), 1e9, "rosenbrock", rtol=1e-7, at=[1e9])
    residual = out.final - out.log_t[0] * hard_margin_svm(Z).w
    np.testing.assert_allclose(residual, residual_limit(Z)[0], atol=1e-5)


def test_from_zero_the_margin_bound_holds_at_every_time():
    rng = np.random.default_rng(5)
    for n, d in ((6, 2), (15, 4), (8, 12)):
        Z = dd.data.gaussian_separable(n, d, rng, shift=0.2)
        gamma = hard_margin_svm(Z).gamma
        out = dd.log_loss_flow(problem(Z), np.zeros(d), 40, at=np.geomspace(0.05, 40, 30))
        norm = np.linalg.norm(out.theta, axis=-1)
        assert np.all(gamma - (out.theta @ Z.T).min(-1) / norm <= np.log(n) / norm)


def test_cross_entropy_has_the_residual_of_the_multiclass_rows():
    """The prefactor is 1/n with n samples, not 1/(n (C - 1)) with the number of rows."""
    X, y = dd.data.gaussian_classes(12, 4, 3, np.random.default_rng(3))
    Z = multiclass_margin_rows(X, y)
    svm, (limit, P_S) = hard_margin_svm(Z), residual_limit(Z, n=12)
    objective = dd.Objective(dd.MLP([4, 3]), dd.losses.cross_entropy, X, y)
    out = dd.log_loss_flow(objective, np.zeros(12), 1e5, "rosenbrock", at=[1e5])
    residual = P_S @ (out.final - out.log_t[0] * svm.w)
    np.testing.assert_allclose(residual, limit, atol=1e-5)
    wrong, _ = residual_limit(Z)
    assert np.linalg.norm(residual - wrong) > 0.1
    law = asymptotic_constants(Z, solution=svm)
    gap = svm.gamma - (Z @ out.final).min() / np.linalg.norm(out.final)
    np.testing.assert_allclose(gap * out.log_t[0], law.C, rtol=1e-3)
