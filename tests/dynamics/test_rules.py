"""Step rules: each against its recurrence written out, step sizes, batches, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import few, hard_margin, random_problem, seeds

import deepdyn_np as dd


def one_parameter(eta):
    """``L(w) = ((2 w - 1)^2 + (w - 3)^2) / 4``: gradient ``(2 (2 w - 1) + (w - 3)) / 2``."""
    objective = dd.Objective(dd.MLP([1, 1]), dd.losses.square, [[2.0], [1.0]], [1.0, 3.0])
    return dd.gd(objective, eta)


class Batches:
    """In the place of an objective: n samples, and a note of every batch that is asked for."""

    def __init__(self, n):
        self.n, self.seen = n, []

    def gradient(self, theta, batch, out=None):
        self.seen.append(np.array(batch))
        return np.zeros_like(theta)


def batches(n, batch_size, steps, seed=0, **options):
    spy = Batches(n)
    dd.run(dd.sgd(spy, 1.0, batch_size, np.random.default_rng(seed), **options), np.zeros(1), steps)
    return spy.seen


# --- the recurrences ----------------------------------------------------------------------------


def test_one_step_of_gd_by_hand():
    # at w = 1: gradient (2 * 1 - 2) / 2 = 0; at w = 2: (2 * 3 - 1) / 2 = 2.5
    assert dd.run(one_parameter(0.1), [1.0], 1).final == 1.0
    assert dd.run(one_parameter(0.1), [2.0], 1).final == pytest.approx(1.75, abs=1e-15)


@given(seed=seeds)
@few(20)
def test_gd_on_a_quadratic_is_a_power_of_its_matrix(seed):
    objective, theta = random_problem(np.random.default_rng(seed), depth=1, lam=0.2)
    H = objective.hvp(theta, np.eye(theta.size))
    minimum = theta - np.linalg.solve(H, objective.gradient(theta))
    eta = 0.5 / np.linalg.eigvalsh(H)[-1]
    M = np.eye(theta.size) - eta * H
    expected = minimum + np.linalg.matrix_power(M, 30) @ (theta - minimum)
    np.testing.assert_allclose(dd.run(dd.gd(objective, eta), theta, 30).final, expected, atol=1e-11)


@given(seed=seeds, beta=st.floats(0, 0.99))
@few(20)
def test_heavy_ball_is_polyaks_three_term_recurrence(seed, beta):
    objective, theta = random_problem(np.random.default_rng(seed), "logistic", "tanh", 2)
    points = [theta, theta - 0.3 * objective.gradient(theta)]  # the first step is a step of GD
    for _ in range(5):
        last, now = points[-2:]
        points.append(now - 0.3 * objective.gradient(now) + beta * (now - last))
    rows = dd.run(dd.heavy_ball(objective, 0.3, beta), theta, 6).theta
    np.testing.assert_allclose(rows, points, rtol=1e-11, atol=1e-12)


def test_heavy_ball_without_momentum_is_gd():
    objective, theta = random_problem(np.random.default_rng(0), "logistic")
    ball, plain = dd.heavy_ball(objective, 0.3, 0), dd.gd(objective, 0.3)
    np.testing.assert_allclose(dd.run(ball, theta, 9).final, dd.run(plain, theta, 9).final, rtol=1e-13)


@given(seed=seeds)
@few(10)
def test_normalized_gd_divides_the_step_by_the_loss(seed):
    objective, theta = random_problem(np.random.default_rng(seed), "logistic", "tanh", 2)
    expected = theta - 0.1 * objective.gradient(theta) / objective.value(theta)
    np.testing.assert_allclose(dd.run(dd.normalized_gd(objective, 0.1), theta, 1).final, expected,
                               rtol=1e-11, atol=1e-13)


def test_normalized_gd_goes_on_below_the_smallest_float():
    """The loss passes 1e-300 and then 0, and the direction still improves like 1 / steps."""
    Z = dd.data.data_b()
    objective = dd.Objective(dd.MLP([2, 1]), dd.losses.exponential, Z, np.ones(5))
    run = dd.run(dd.normalized_gd(objective, 0.2), np.array([3.0, -2.0]), 4000, at=[1000, 4000],
                 record={"loss": objective.value, "Lambda": objective.Lambda})
    assert run.loss[0] < 1e-300 and run.loss[1] == 0 and run.Lambda[1] > 2500
    errors = dd.measures.direction_error(run.theta, hard_margin(Z)[0])
    assert errors[0] < 2e-3 and errors[1] == pytest.approx(errors[0] / 4, rel=0.02)
    frozen = dd.run(dd.gd(objective, 0.2), run.final, 10)
    np.testing.assert_array_equal(frozen.final, run.final)  # plain GD has no gradient left


@given(seed=seeds, beta1=st.floats(0, 0.95), beta2=st.floats(0.5, 0.999))
@few(20)
def test_adam_has_bias_corrected_means_of_all_past_gradients(seed, beta1, beta2):
    """The running means written as sums: weights beta^(t-s), divided by the sum of the weights."""
    objective, theta = random_problem(np.random.default_rng(seed), "logistic", "tanh", 2)
    rows = dd.run(dd.adam(objective, 0.05, beta1, beta2), theta, 6).theta
    g = objective.gradient(rows)
    for t in range(6):
        w1, w2 = beta1 ** np.arange(t, -1.0, -1), beta2 ** np.arange(t, -1.0, -1)
        m, v = w1 @ g[: t + 1] / w1.sum(), w2 @ g[: t + 1] ** 2 / w2.sum()
        np.testing.assert_allclose(rows[t + 1] - rows[t], -0.05 * m / (np.sqrt(v) + 1e-8),
                                   rtol=1e-7, atol=1e-12)


def test_adams_first_step_has_the_size_eta_in_every_parameter():
    objective, theta = random_problem(np.random.default_rng(3), "square")
    g = objective.gradient(theta)
    first = dd.run(dd.adam(objective, 0.1, eps=1e-30), theta, 1).final - theta
    np.testing.assert_allclose(first[g != 0], -0.1 * np.sign(g[g != 0]), rtol=1e-12)


# --- batches ------------------------------------------------------------------------------------


@given(seed=seeds, n=st.integers(1, 12), size=st.integers(1, 12))
@few(40)
def test_an_epoch_visits_each_sample_at_most_once_and_drops_the_remainder(seed, n, size):
    size = min(size, n)
    per_epoch = n // size
    seen = batches(n, size, 3 * per_epoch, seed)
    assert all(len(b) == size for b in seen)
    for epoch in range(3):
        order = np.concatenate(seen[epoch * per_epoch : (epoch + 1) * per_epoch])
        assert len(set(order.tolist())) == len(order) == per_epoch * size  # all n if size divides n
        assert set(order.tolist()) <= set(range(n))


def test_epochs_are_fresh_permutations():
    seen = batches(50, 50, 4)
    assert all(sorted(b.tolist()) == list(range(50)) for b in seen)
    assert len({tuple(b.tolist()) for b in seen}) == 4 and seen[0].tolist() != list(range(50))


def test_with_replacement_every_sample_is_drawn_equally_often():
    seen = np.array(batches(5, 4, 5000, replacement=True))
    counts = np.bincount(seen.ravel(), minlength=5)
    assert seen.shape == (5000, 4) and abs(counts / 4000 - 1).max() < 0.08  # 5 standard deviations
    repeats = np.mean([len(set(b.tolist())) < 4 for b in seen])
    assert repeats == pytest.approx(1 - 5 * 4 * 3 * 2 / 5**4, abs=0.03)


def test_a_seed_fixes_the_batches():
    a, b, c = (np.array(batches(9, 3, 12, seed)) for seed in (1, 1, 2))
    assert (a == b).all() and (a != c).any()


@pytest.mark.parametrize("own_data", [False, True])
def test_sgd_steps_along_its_batch_with_one_batch_for_all_members(own_data):
    rng = np.random.default_rng(4)
    objective, theta = random_problem(rng, "square", size=(3,), own_data=own_data)
    size = min(2, objective.n)
    rows = dd.run(dd.sgd(objective, 0.1, size, np.random.default_rng(6)), theta, 1).theta
    batch = np.random.default_rng(6).permutation(objective.n)[:size]
    np.testing.assert_array_equal(rows[1], theta - 0.1 * objective.gradient(theta, batch))


def test_sgd_with_all_samples_is_gd():
    objective, theta = random_problem(np.random.default_rng(3), "square")
    sgd = dd.sgd(objective, 0.1, objective.n, np.random.default_rng(0))
    np.testing.assert_allclose(dd.run(sgd, theta, 5).final,
                               dd.run(dd.gd(objective, 0.1), theta, 5).final, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("replacement", [False, True])
def test_an_observer_sees_the_batch_and_the_gradient_of_every_step(replacement):
    objective, theta = random_problem(np.random.default_rng(5), "square", size=(3,), lam=0.1)
    size, seen = min(2, objective.n), []

    def rule(**options):
        return dd.sgd(objective, 0.1, size, np.random.default_rng(7), replacement, **options)

    rows = dd.run(rule(observe=lambda *what: seen.append(what)), theta, 6).theta
    np.testing.assert_array_equal(rows, dd.run(rule(), theta, 6).theta)  # it changes nothing
    assert [t for t, _, _ in seen] == list(range(6))
    for t, batch, gradient in seen:
        assert batch.shape == (size,)
        np.testing.assert_array_equal(gradient, objective.gradient(rows[t], batch))
        np.testing.assert_array_equal(rows[t + 1], rows[t] - 0.1 * gradient)


# --- step sizes ---------------------------------------------------------------------------------

RULES = {
    "gd": dd.gd,
    "sgd": lambda objective, eta: dd.sgd(objective, eta, 1, np.random.default_rng(5)),
    "heavy_ball": lambda objective, eta: dd.heavy_ball(objective, eta, 0.5),
    "normalized_gd": dd.normalized_gd,
    "adam": dd.adam,
}
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


@every_rule
def test_an_array_of_step_sizes_gives_each_member_its_own(rule):
    objective, theta = random_problem(np.random.default_rng(1), "logistic", size=(2, 3))
    eta = np.random.default_rng(0).uniform(0.1, 0.5, size=(2, 3))
    final = dd.run(rule(objective, eta), theta, 6).final
    for i in np.ndindex(2, 3):
        alone = dd.run(rule(objective, float(eta[i])), theta[i], 6).final
        np.testing.assert_allclose(final[i], alone, rtol=1e-12, atol=1e-13)


@every_rule
def test_a_schedule_sees_the_step_number(rule):
    objective, theta = random_problem(np.random.default_rng(2), "logistic")
    asked = []

    def eta(t):
        asked.append(t)
        return 0.2 / (1 + t)

    rows = dd.run(rule(objective, eta), theta, 4).theta
    assert asked == [0, 1, 2, 3]
    first = dd.run(rule(objective, 0.2), theta, 1).theta
    np.testing.assert_array_equal(rows[1], first[1])
    constant = dd.run(rule(objective, lambda t: 0.2), theta, 4).theta
    np.testing.assert_array_equal(constant, dd.run(rule(objective, 0.2), theta, 4).theta)
    assert np.linalg.norm(constant[-1] - rows[-1]) > 1e-4


# --- bad input ----------------------------------------------------------------------------------

objective, theta = random_problem(np.random.default_rng(0), "logistic")
rng = np.random.default_rng(0)


@pytest.mark.parametrize("call, message", [
    *[(lambda rule=rule, eta=eta: rule(objective, eta), "eta: ")
      for rule in RULES.values() for eta in (0.0, -0.1, np.nan, np.inf, [0.1, -0.1], "0.1", 1j, None)],
    (lambda: dd.sgd(objective, 0.1, 0, rng), "batch_size: expected a whole number from 1 to"),
    (lambda: dd.sgd(objective, 0.1, objective.n + 1, rng), "batch_size: "),
    (lambda: dd.sgd(objective, 0.1, 1.5, rng), "batch_size: "),
    (lambda: dd.sgd(objective, 0.1, 1, 0), "rng: .*default_rng"),
    (lambda: dd.sgd(objective, 0.1, 1, rng, observe=[]), "observe: expected a function of .t, batch, gradient"),
    (lambda: dd.heavy_ball(objective, 0.1, 1.0), "beta: expected a number with 0 <= beta < 1"),
    (lambda: dd.heavy_ball(objective, 0.1, -0.1), "beta: "),
    (lambda: dd.heavy_ball(objective, 0.1, np.nan), "beta: "),
    (lambda: dd.heavy_ball(objective, 0.1, [0.1, 0.2]), "beta: "),
    (lambda: dd.adam(objective, 0.1, beta1=1.0), "beta1: expected a number with 0 <= beta1 < 1"),
    (lambda: dd.adam(objective, 0.1, beta2=-0.1), "beta2: "),
    (lambda: dd.adam(objective, 0.1, beta2=[0.9, 0.99]), "beta2: "),
    (lambda: dd.adam(objective, 0.1, eps=0.0), "eps: "),
    (lambda: dd.run(dd.gd(objective, [0.1, 0.2]), theta, 3), r"theta0: expected shape \(2, .*ensemble"),
])
def test_bad_input_names_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_normalized_gd_needs_a_loss_with_a_tail():
    square, start = random_problem(np.random.default_rng(0), "square")
    with pytest.raises(ValueError, match="loss: "):
        dd.run(dd.normalized_gd(square, 0.1), start, 1)
