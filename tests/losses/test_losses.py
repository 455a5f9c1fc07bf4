"""Losses: derivatives, the log domain against 120-digit arithmetic, identities, bad input."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import LOSSES, WITH_TAIL, central_difference, few, random_targets, seeds

import deepdyn_np as dd
from deepdyn_np.losses import cross_entropy, exponential, log_mean_exp, log_sum_exp, logistic, square
from deepdyn_np.losses.log_domain import exp_over_sum, log_of_log1p_exp

margin_losses = pytest.mark.parametrize("loss", [exponential, logistic], ids=repr)
moderate = st.floats(-30, 30)


def high_precision(f, *numbers):
    """``f`` of the exact values of floats, in 120-digit arithmetic, as a float."""
    with localcontext() as context:
        context.prec, context.Emax, context.Emin = 120, 10**12, -(10**12)
        return float(f(*map(Decimal, map(float, numbers))))


def outputs(rng, name, size=(), n=5, spread=2.0):
    C = {"square": 3, "cross_entropy": int(rng.integers(2, 6))}.get(name, 1)
    F = spread * rng.normal(size=(*size, n, C))
    return F, LOSSES[name].targets(random_targets(rng, name, (*size, n), C), n, C)


# --- derivatives with respect to the outputs ---------------------------------------------------


@pytest.mark.parametrize("name", LOSSES)
@given(seed=seeds)
@few(25)
def test_gradient_and_hessian_product_against_differences(name, seed):
    rng = np.random.default_rng(seed)
    loss, (F, Y) = LOSSES[name], outputs(rng, name)
    V = rng.normal(size=F.shape)
    slope = central_difference(lambda A: loss.values(A, Y), F, V)
    scale = np.abs(loss.gradient(F, Y)).max(axis=-1) + loss.values(F, Y)
    assert np.all(np.abs(np.sum(loss.gradient(F, Y) * V, axis=-1) - slope) <= 1e-8 * scale)
    bend = central_difference(lambda A: loss.gradient(A, Y), F, V)
    assert np.all(np.abs(loss.hessian_product(F, Y, V) - bend) <= 1e-8 * scale[:, None])


@pytest.mark.parametrize("name", WITH_TAIL)
@given(seed=seeds)
@few(25)
def test_log_forms_are_the_plain_ones_where_both_exist(name, seed):
    rng = np.random.default_rng(seed)
    loss, (F, Y) = LOSSES[name], outputs(rng, name, size=(2,))
    values, C = loss.values(F, Y), F.shape[-1]
    total = values.sum(axis=-1)[:, None, None]
    np.testing.assert_allclose(loss.log_values(F, Y), np.log(values), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(loss.log_gradient(F, Y), loss.gradient(F, Y) / total, rtol=1e-12,
                               atol=1e-15)
    columns = [loss.hessian_product(F, Y, np.broadcast_to(e, F.shape)) for e in np.eye(C)]
    np.testing.assert_allclose(loss.log_hessian(F, Y), np.stack(columns, -1) / total[..., None],
                               rtol=1e-11, atol=1e-15)


# --- losses of a margin -------------------------------------------------------------------------

EXACT = {  # value, -l', l'' in the arithmetic of the argument
    "losses.exponential": (lambda m: (-m).exp(),) * 3,
    "losses.logistic": (lambda m: (1 + (-m).exp()).ln(),
                        lambda m: 1 / (1 + m.exp()),
                        lambda m: 1 / ((1 + m.exp()) * (1 + (-m).exp()))),
}


@margin_losses
@given(m=st.one_of(moderate, st.floats(-200, 200)))
@few(200)
def test_logarithms_of_value_slope_and_curvature_are_exact(loss, m):
    value, slope, curvature = EXACT[repr(loss)]
    for got, exact in [(loss.log_value(m), value), (loss.log_slope(m), slope),
                       (loss.log_curvature(m), curvature)]:
        expected = high_precision(lambda x: exact(x).ln(), m)
        assert float(got) == pytest.approx(expected, rel=4e-16, abs=4e-16)
    for got, exact, sign in [(loss.value(m), value, 1), (loss.derivative(m), slope, -1),
                             (loss.second_derivative(m), curvature, 1)]:
        expected = sign * high_precision(exact, m)
        assert float(got) == pytest.approx(expected, rel=1e-15 * (2 + abs(m)))


def test_the_logarithms_at_margins_of_ten_million():
    m = np.array([-1e7, 1e7])
    for log in (exponential.log_value, exponential.log_slope, exponential.log_curvature):
        assert log(m).tolist() == [1e7, -1e7]
    assert logistic.log_value(m).tolist() == [np.log(1e7), -1e7]
    assert logistic.log_slope(m).tolist() == [0, -1e7]
    assert logistic.log_curvature(m).tolist() == [-1e7, -1e7]
    assert logistic.value(m).tolist() == [pytest.approx(1e7, rel=1e-14), 0]
    assert exponential.value(m).tolist() == [np.inf, 0]
    assert logistic.derivative(m).tolist() == [-1, 0]


def exact_weights(m):
    """``softmax(-m)`` in 60 digits."""
    with localcontext() as context:
        context.prec, context.Emin = 60, -(10**12)
        e = [(-Decimal(float(x))).exp() for x in m - m.min()]
        return np.array([float(x / sum(e)) for x in e])


@pytest.mark.parametrize("size", [0, 1e3, 1e5, 1e7, -1e7])
@given(seed=seeds)
@few(20)
def test_exponential_weights_are_a_softmax_at_any_margin(size, seed):
    m = size + np.random.default_rng(seed).exponential(3, size=7)
    weights = exponential.weights(m)
    np.testing.assert_allclose(weights, exact_weights(m), rtol=1e-14)
    assert abs(np.sum(weights) - 1) <= 1e-15
    naive = np.sum(np.exp(-m - log_sum_exp(-m)))
    assert abs(size) < 1e7 or naive == pytest.approx(1, abs=1e-8)


def test_the_naive_quotient_does_lose_the_sum():
    """What ``exp_over_sum`` is for: without it the weights sum to 1 only to 1e-9 at 1e7."""
    b = -1e7 - np.linspace(0, 1, 7)
    assert abs(np.sum(np.exp(b - log_sum_exp(b))) - 1) > 1e-11
    assert abs(np.sum(exp_over_sum(b, b)) - 1) < 1e-15


@given(seed=seeds)
@few(25)
def test_logistic_weights_become_the_exponential_ones(seed):
    m = 40 + np.random.default_rng(seed).exponential(3, size=(2, 6))
    np.testing.assert_allclose(logistic.weights(m), exponential.weights(m), rtol=1e-14)
    m -= 40
    np.testing.assert_allclose(logistic.weights(m), -logistic.derivative(m)
                               / logistic.value(m).sum(-1, keepdims=True), rtol=1e-13)


# --- cross-entropy ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0.0, 50.0, 800.0, 1e5])
@given(seed=seeds)
@few(15)
def test_two_classes_are_the_logistic_loss_of_the_difference(size, seed):
    rng = np.random.default_rng(seed)
    F, y = rng.normal(size=(6, 2)), rng.integers(2, size=6)
    sign = 2.0 * y - 1
    F[np.arange(6), y] += size
    m = sign * (F[:, 1] - F[:, 0])
    Y, signs = cross_entropy.targets(y, 6, 2), sign[:, None]
    f = (F[:, 1] - F[:, 0])[:, None]
    for ours, theirs in [(cross_entropy.values(F, Y), logistic.value(m)),
                         (cross_entropy.log_values(F, Y), logistic.log_value(m)),
                         (cross_entropy.gradient(F, Y)[:, 1], logistic.gradient(f, signs)[:, 0]),
                         (cross_entropy.log_gradient(F, Y)[:, 1],
                          logistic.log_gradient(f, signs)[:, 0]),
                         (cross_entropy.log_hessian(F, Y)[:, 0, 1],
                          -logistic.log_hessian(f, signs)[:, 0, 0])]:
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("size", [-50.0, 0.0, 50.0, 1e7])
@given(seed=seeds)
@few(15)
def test_cross_entropy_is_blind_to_a_common_shift(size, seed):
    """So rows of every first derivative, and rows and columns of every second, sum to 0."""
    rng = np.random.default_rng(seed)
    F, Y = outputs(rng, "cross_entropy", size=(3,))
    F = F + size * Y
    for rows in (cross_entropy.gradient(F, Y), cross_entropy.log_gradient(F, Y)):
        assert np.abs(rows.sum(-1)).max() <= 1e-15 and (rows[Y] <= 0).all()
        assert (rows[~Y] >= 0).all()
    A = cross_entropy.log_hessian(F, Y)
    scale = np.abs(A).max()
    assert np.abs(A.sum(-1)).max() <= 4e-15 * scale and np.abs(A.sum(-2)).max() <= 4e-15 * scale
    np.testing.assert_allclose(A, A.mT, rtol=1e-10, atol=1e-15 * scale)
    V = np.ones_like(F)
    assert np.abs(cross_entropy.hessian_product(F, Y, V)).max() <= 1e-15


def test_cross_entropy_tail_against_exact_numbers():
    """``log(1 + 2 e^-m)`` for a right class ahead of two equal ones by m."""
    m = np.array([0.0, 3, 34, 36, 100])
    F, Y = np.zeros((5, 3)), cross_entropy.targets(np.ones(5), 5, 3)
    F[:, 1] = m
    exact = [high_precision(lambda x: (1 + 2 * (-x).exp()).ln(), x) for x in m]
    np.testing.assert_allclose(cross_entropy.values(F, Y), exact, rtol=1e-14)
    np.testing.assert_allclose(cross_entropy.log_values(F, Y), np.log(exact), rtol=1e-15, atol=1e-15)
    F[:, 1] = 1e7
    np.testing.assert_array_equal(cross_entropy.log_values(F, Y), np.log(2) - 1e7)
    weights = cross_entropy.log_gradient(F, Y)
    np.testing.assert_allclose(weights[:, 0], 1 / 10, rtol=1e-14)
    F[:, 1] = -1e7
    np.testing.assert_allclose(cross_entropy.values(F, Y), 1e7 + np.log(2), rtol=1e-15)


@given(seed=seeds)
@few(20)
def test_weights_of_the_wrong_classes_sum_to_one_in_the_tail(seed):
    """At ten million, too: sum over samples and classes of p_ic / sum_j l_j = 1."""
    rng = np.random.default_rng(seed)
    F, Y = outputs(rng, "cross_entropy", n=6)
    for size in (1e3, 1e7):
        rows = cross_entropy.log_gradient(F + size * Y, Y)
        assert abs(rows[~Y].sum() - 1) <= 1e-15 * 6


# --- square -------------------------------------------------------------------------------------


def test_square_loss_by_hand():
    F, Y = np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([[0.0, 4.0], [3.0, 4.0]])
    assert square.values(F, Y).tolist() == [2.5, 12.5]  # half, not divided by the outputs
    assert square.gradient(F, Y).tolist() == [[1, -2], [-3, -4]]
    assert square.hessian_product(F, Y, 7 * F).tolist() == (7 * F).tolist()


# --- the log domain -----------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0, -1e7, 1e7])
@given(seed=seeds)
@few(10)
def test_log_sums_are_exact_at_any_shift(shift, seed):
    a = shift + 5 * np.random.default_rng(seed).normal(size=(3, 4))
    rows = [[x - shift for x in row] for row in a]
    expected = np.array([high_precision(lambda *x: sum(t.exp() for t in x).ln(), *row) for row in rows])
    np.testing.assert_allclose(log_sum_exp(a), shift + expected, rtol=4e-16, atol=4e-15)
    np.testing.assert_allclose(log_mean_exp(a), shift + expected - np.log(4), rtol=4e-16, atol=4e-15)
    assert log_sum_exp(a, axis=0).shape == (4,) and log_sum_exp(a, keepdims=True).shape == (3, 1)
    np.testing.assert_allclose(log_sum_exp(a, axis=0), log_sum_exp(a.T), rtol=4e-16, atol=4e-15)


def test_log_sum_exp_takes_zeros_of_the_sum():
    assert log_sum_exp(np.array([-np.inf, 3.0])) == 3
    assert log_mean_exp(np.array([-np.inf, 3.0])) == 3 - np.log(2)


def test_log_of_log1p_exp_is_smooth_across_its_switch():
    a = np.array([-35 - 1e-9, -35 + 1e-9, -34, -36])
    expected = [high_precision(lambda x: (1 + x.exp()).ln().ln(), x) for x in a]
    np.testing.assert_allclose(log_of_log1p_exp(a), expected, rtol=2e-16)


# --- targets and bad input ----------------------------------------------------------------------


def test_targets_in_every_accepted_shape():
    assert logistic.targets([1, -1], 2, 1).tolist() == [[1], [-1]]
    assert logistic.targets([[1], [-1]], 2, 1).tolist() == [[1], [-1]]
    assert logistic.targets(np.ones((5, 2)), 2, 1).shape == (5, 2, 1)
    assert square.targets([1, 2, 3], 3, 1).tolist() == [[1], [2], [3]]
    assert square.targets(np.ones((4, 3)), 3, 1).shape == (4, 3, 1)
    assert square.targets(np.ones((3, 1)), 3, 1).shape == (3, 1)
    assert cross_entropy.targets([0, 2], 2, 3).tolist() == [[True, False, False], [False, False, True]]
    assert cross_entropy.targets(np.eye(3)[[0, 2]], 2, 3).tolist() == cross_entropy.targets([0, 2], 2, 3).tolist()


@pytest.mark.parametrize("call, message", [
    (lambda: logistic.targets([0, 1], 2, 1), r"y: expected labels -1 and \+1, got the value 0.*2 \* y - 1"),
    (lambda: exponential.targets([1, 2], 2, 1), "y: .*the value 2"),
    (lambda: logistic.targets([1, np.nan], 2, 1), r"y: expected finite numbers, got nan at index \(1,\)"),
    (lambda: logistic.targets([1, 1, 1], 2, 1), "y: .*2 rows of X"),
    (lambda: logistic.targets(1.0, 2, 1), "y: "),
    (lambda: logistic.targets([1, 1], 2, 3), "net: .*cross_entropy"),
    (lambda: cross_entropy.targets([-1, 1], 2, 3), "y: .*from 0 to 2.*losses of a margin"),
    (lambda: cross_entropy.targets([0, 3], 2, 3), "y: .*from 0 to 2"),
    (lambda: cross_entropy.targets([0.5, 1], 2, 3), "y: "),
    (lambda: cross_entropy.targets([0, np.inf], 2, 3), "y: .*finite"),
    (lambda: cross_entropy.targets([0, 1, 2], 2, 3), "y: .*2 rows"),
    (lambda: cross_entropy.targets(np.ones((2, 3)), 2, 3), "y: .*one-hot"),
    (lambda: cross_entropy.targets(np.eye(3)[[0, 1]] * 2 - 1, 2, 3), "y: .*one-hot"),
    (lambda: cross_entropy.targets([0, 0], 2, 1), "net: .*logistic"),
    (lambda: square.targets([0, 1], 2, 3), r"y: .*shape \(..., 2, 3\).*np.eye"),
    (lambda: square.targets([0, 1, 2], 2, 1), "y: "),
    (lambda: square.targets([[0], [np.nan]], 2, 1), "y: .*finite"),
])
def test_bad_targets_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_prints_as_it_is_written(name):
    assert repr(getattr(dd.losses, name)) == f"losses.{name}"


# --- the square loss after its best bias ------------------------------------------------------------


@given(seed=seeds)
@few(25)
def test_centered_square_is_the_square_loss_minimised_over_a_bias(seed):
    rng = np.random.default_rng(seed)
    n, C = int(rng.integers(2, 9)), int(rng.integers(1, 5))
    F, Y = rng.normal(size=(2, n, C)), rng.normal(size=(2, n, C)) + 3
    loss = dd.losses.centered_square
    T = loss.targets(Y, n, C)

    def mean(A):
        return np.mean(loss.values(A, T), axis=-1)

    best = (Y - F).mean(axis=-2, keepdims=True)
    np.testing.assert_allclose(mean(F), np.mean(square.values(F + best, Y), axis=-1), rtol=1e-12)
    for b in best + 0.1 * rng.normal(size=(5, 2, 1, C)):
        assert np.all(np.mean(square.values(F + b, Y), axis=-1) >= mean(F))
    V = rng.normal(size=F.shape)
    slope = central_difference(mean, F, V)
    np.testing.assert_allclose(np.sum(loss.gradient(F, T) * V, axis=(-2, -1)) / n, slope, rtol=1e-8, atol=1e-9)
    bend = central_difference(lambda A: loss.gradient(A, T), F, V)
    np.testing.assert_allclose(loss.hessian_product(F, T, V), bend, rtol=1e-8, atol=1e-9)


# --- no subnormal numbers -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", WITH_TAIL)
def test_weights_are_never_subnormal(name, dtype):
    """Margins from 0 to beyond the range of floats: a weight is exact, or 0 once it is negligible."""
    info = np.finfo(dtype)
    m = np.linspace(0, 1.2 * -np.log(info.smallest_subnormal), 3001).astype(dtype)
    C = 2 if name == "cross_entropy" else 1
    F = np.zeros((3001, C), dtype)
    F[:, 0] = m
    y = np.zeros(3001, int) if C == 2 else np.ones(3001, dtype)
    loss = LOSSES[name]
    Y = loss.targets(y, 3001, C)
    for got in (loss.gradient(F, Y), loss.log_gradient(F, Y)):
        size = np.abs(got[np.nonzero(got)])
        assert size.min() >= info.tiny * 0.999 and np.count_nonzero(got) < got.size
    weights = np.abs(loss.gradient(F, Y)[:, -1])
    exact = np.exp(-m.astype(np.longdouble)) / (1 if name == "exponential" else 1 + np.exp(-m.astype(np.longdouble)))
    kept = weights > 0
    np.testing.assert_allclose(weights[kept], exact[kept].astype(dtype), rtol=300 * info.eps)
    assert exact[~kept].max() < info.tiny * 1.001


@pytest.mark.parametrize("name", LOSSES)
@given(seed=seeds)
@few(10)
def test_a_gradient_may_be_written_to_an_array(name, seed):
    F, Y = outputs(np.random.default_rng(seed), name)
    out = np.empty_like(F)
    assert LOSSES[name].gradient(F, Y, out=out) is out
    np.testing.assert_array_equal(out, LOSSES[name].gradient(F, Y))
