"""The Rosenbrock pair: order, L-stability, and the residual of the flow up to log t = 1e50."""

import numpy as np
import pytest
import scipy.integrate
from oracles import hard_margin

import deepdyn_np as dd
from deepdyn_np.dynamics.adaptive import accepted_steps, start
from deepdyn_np.dynamics.rosenbrock import Rosenbrock


def pendulum(x, y):
    return np.array([y[1], -np.sin(y[0]) - 0.3 * y[1]])


def pendulum_jacobian(x, y):
    return np.array([[0, 1], [-np.cos(y[0]), -0.3]])


def integrate(method, f, y, span, rtol, longest=np.inf, atol=1e-12):
    clock = start(f, 0.0, y, span, method.order, rtol, atol)
    while clock.x < span:
        target = min(span, clock.x + longest)
        for _ in accepted_steps(method, f, clock, target, rtol, atol, max_steps=20_000):
            pass
    return clock


def test_measured_orders_of_the_result_and_of_the_error_estimate():
    method, y0 = Rosenbrock(pendulum_jacobian), np.array([1.0, 0.5])
    exact = integrate(Rosenbrock(pendulum_jacobian), pendulum, y0, 1.0, 1e-10).y
    lengths, errors, estimates = 1 / np.array([8, 12, 16, 24, 32]), [], []
    for h in lengths:
        y = y0
        for _ in range(round(1 / h)):
            p = method.propose(pendulum, 0.0, y, pendulum(0, y), h)
            y = p.y
        errors.append(np.linalg.norm(y - exact))
        estimates.append(np.linalg.norm(method.propose(pendulum, 0, y0, pendulum(0, y0), h).error))
    assert dd.fit_slope(lengths, errors)[0] == pytest.approx(2, abs=0.1)
    assert dd.fit_slope(lengths, estimates)[0] == pytest.approx(3, abs=0.1)


def test_the_error_estimate_is_the_leading_term_of_the_error():
    """So that adding it gives a third-order result."""
    method, y0, lengths = Rosenbrock(pendulum_jacobian), np.array([1.0, 0.5]), np.geomspace(0.02, 0.2, 5)
    errors = []
    for h in lengths:
        exact = scipy.integrate.solve_ivp(pendulum, (0, h), y0, "DOP853", rtol=1e-13, atol=1e-14).y[:, -1]
        p = method.propose(pendulum, 0.0, y0, pendulum(0, y0), h)
        errors.append(np.linalg.norm(p.y + p.error - exact))
    assert dd.fit_slope(lengths, errors)[0] == pytest.approx(4, abs=0.2)


@pytest.mark.parametrize("h", [1e2, 1e6, 1e12])
def test_a_giant_step_lands_on_the_equilibrium(h):
    """L-stability: what an infinitely fast rate does must vanish, not oscillate."""
    rates = np.diag([-1.0, -1e3, -1e6])
    method = Rosenbrock(lambda x, y: rates)
    y = np.ones(3)
    landed = method.propose(lambda x, y: rates @ y, 0.0, y, rates @ y, h).y
    assert np.abs(landed).max() <= 5 / h + 1e-12


def test_an_ensemble_is_its_members_one_by_one():
    def f(x, y):
        return np.stack([y[..., 1], -np.sin(y[..., 0]) - 0.3 * y[..., 1]], axis=-1)

    def jacobian(x, y):
        J = np.zeros((*y.shape, 2))
        J[..., 0, 1], J[..., 1, 0], J[..., 1, 1] = 1, -np.cos(y[..., 0]), -0.3
        return J

    y = np.random.default_rng(0).normal(size=(2, 3, 2))
    together = Rosenbrock(jacobian).propose(f, 0.0, y, f(0, y), 0.2)
    for i in np.ndindex(2, 3):
        alone = Rosenbrock(pendulum_jacobian).propose(pendulum, 0.0, y[i], pendulum(0, y[i]), 0.2)
        np.testing.assert_allclose(together.y[i], alone.y, rtol=1e-13)
        np.testing.assert_allclose(together.error[i], alone.error, atol=1e-15)


@pytest.mark.parametrize("log_t_end", [1e6, 1e50])
def test_residual_coordinates_reach_any_time(log_t_end):
    """``r = w - w_hat s`` with ``s = log t`` tends to the ``w_tilde`` of the support vectors.

    In ``u = log s`` the flow is ``dr/du = s (1/n sum_i exp(-s zeta_i - z_i . r) z_i - w_hat)``;
    u is a third component, since the right-hand side may not depend on the clock.
    """
    Z = dd.data.data_b()
    w_hat, alpha = hard_margin(Z)
    S = alpha > 0
    zeta = np.where(S, 0.0, Z @ w_hat - 1)
    w_tilde = np.linalg.solve(Z[S], -np.log(len(Z) * alpha[S]))

    def forces(y):
        s = np.exp(y[2])
        with np.errstate(under="ignore"):
            return s, np.exp(-s * zeta - Z @ y[:2]) / len(Z)

    def f(x, y):
        s, e = forces(y)
        return np.r_[s * (e @ Z - w_hat), 1.0]

    def jacobian(x, y):
        s, e = forces(y)
        J = np.zeros((3, 3))
        J[:2, :2] = -s * (Z.T * e) @ Z
        J[:2, 2] = s * (e @ Z - w_hat) - s**2 * ((e * zeta) @ Z)
        return J

    # The rates grow like e^u: rounding within a longer step would grow by as much.
    end = integrate(Rosenbrock(jacobian), f, np.zeros(3), np.log(log_t_end), 1e-8, longest=0.25)
    np.testing.assert_allclose(end.y[:2], w_tilde, atol=1e-10)
    np.testing.assert_allclose(w_tilde, [0.26819055, -0.09151637], atol=5e-9)
    assert end.y[2] == pytest.approx(np.log(log_t_end), rel=1e-12) and end.steps < 3000
