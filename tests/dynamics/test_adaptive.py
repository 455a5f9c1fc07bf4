"""The step-size loop: what it accepts, where it lands, when it gives up."""

import numpy as np
import pytest

import deepdyn_np as dd
from deepdyn_np.dynamics.adaptive import Clock, Proposal, accepted_steps, start


class Scripted:
    """A method whose error estimates, in units of the tolerance, are known in advance."""

    order = 5

    def __init__(self, errors, rtol=0.0, atol=1e-3):
        self.errors, self.tried, self.atol, self.rtol = iter(errors), [], atol, rtol

    def propose(self, f, x, y, slope, h):
        self.tried.append(h)
        error = next(self.errors) * (self.atol + self.rtol * np.abs(y))
        return Proposal(y, slope, np.broadcast_to(error, y.shape))


def drive(errors, end=1e9, y=np.ones(3), h=1.0, max_steps=100, rtol=0.0, atol=1e-3):
    method, clock = Scripted(errors, rtol, atol), Clock(0.0, y, 0 * y, h)
    rows = []
    try:
        for x, step, _, _ in accepted_steps(method, None, clock, end, rtol, atol, max_steps):
            rows.append((x, step))
    except (StopIteration, RuntimeError):  # the script has ended
        pass
    return method.tried, rows, clock


@pytest.mark.parametrize("rtol, atol", [(0.0, 1e-3), (1e-3, 1e-9), (1e-3, 1e-3)])
def test_a_step_counts_when_its_error_is_within_the_tolerance(rtol, atol):
    y = np.array([5.0, -5.0])
    _, rows, clock = drive([0.999, 1.001, 0.999, 40.0], y=y, rtol=rtol, atol=atol)
    assert len(rows) == clock.steps == 2 and clock.rejected == 2


def test_the_next_step_is_sized_by_the_fifth_root_of_the_error():
    tried, _, _ = drive([0.5, 0.01, 32.0, 1e-20, 1e20, 0.0])
    ratios = np.array(tried[1:]) / tried[:-1]
    expected = [0.9 * 2**0.2, 0.9 * 100**0.2, 0.9 / 2, 5, 0.2, 5]
    np.testing.assert_allclose(ratios, expected, rtol=1e-12)


def test_nan_and_inf_are_rejected_with_a_much_shorter_step():
    tried, rows, clock = drive([np.nan, np.inf, 0.5])
    np.testing.assert_allclose(tried[:3], [1, 0.2, 0.04])
    assert clock.rejected == 2 and len(rows) == 1


def test_the_worst_member_of_an_ensemble_decides():
    errors = [np.array([[0.1], [1.1]]), np.array([[0.1], [0.9]]), np.array([[np.nan], [0.1]])]
    _, rows, clock = drive(errors, y=np.ones((2, 3)))
    assert len(rows) == 1 and clock.rejected == 2


def test_it_lands_on_the_end_exactly_and_keeps_its_pace_for_the_next_target():
    method, clock = Scripted([0.5] * 50), Clock(0.0, np.ones(1), np.zeros(1), 0.7)
    for target in (1.0, 1.1, 30.0):
        for _ in accepted_steps(method, None, clock, target, 0.0, 1e-3, 100):
            pass
        assert clock.x == target
    assert method.tried[2] == pytest.approx(0.1) and method.tried[3] > 0.7


def test_no_step_left_or_a_step_below_rounding_is_an_error():
    clock = Clock(0.0, np.ones(1), np.zeros(1), 1.0)
    with pytest.raises(dd.StepLimitError, match="used up max_steps = 5 at .* of 1e.09"):
        list(accepted_steps(Scripted([0.9] * 9), None, clock, 1e9, 0.0, 1e-3, 5))
    clock = Clock(1.0, np.ones(1), np.zeros(1), 1.0)
    with pytest.raises(dd.StepLimitError, match="fell below rounding at 1 of 1e.09"):
        list(accepted_steps(Scripted([np.inf] * 99), None, clock, 1e9, 0.0, 1e-3, 100))
    assert clock.rejected < 30


@pytest.mark.parametrize("rate", [1e-6, 1.0, 1e6])
def test_the_first_step_is_within_the_problems_scale_and_the_span(rate):
    clock = start(lambda x, y: -rate * y, 0.0, np.ones(2), 1e12, 5, 1e-8, 1e-10)
    assert 1e-8 < clock.h * rate <= 1
    assert start(lambda x, y: -rate * y, 0.0, np.ones(2), 1e-9, 5, 1e-8, 1e-10).h <= 1e-9
    at_rest = start(lambda x, y: 0 * y, 0.0, np.ones(2), 1.0, 5, 1e-8, 1e-10)
    assert 0 < at_rest.h <= 1
