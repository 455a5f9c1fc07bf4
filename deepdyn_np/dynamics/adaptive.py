"""Adaptive step sizes: the loop that any embedded one-step method shares.

A method proposes a step and estimates its error; the loop accepts it when the error is within
``atol + rtol |y|`` and sizes the next step so that the following one just would be.
"""

from dataclasses import dataclass

import numpy as np

from deepdyn_np.errors import StepLimitError, expect, numeric_array, same_shape

SAFETY, SHRINK, GROW = 0.9, 0.2, 5.0


@dataclass(frozen=True)
class Proposal:
    """One proposed step: the new point, its slope, the error estimate, the stages."""

    y: np.ndarray
    slope: np.ndarray
    error: np.ndarray
    stages: tuple = ()


@dataclass
class Clock:
    """The state of the loop, and the work it has done."""

    x: float
    y: np.ndarray
    slope: np.ndarray
    h: float
    steps: int = 0
    rejected: int = 0


def start(f, x0, y0, span, order, rtol, atol):
    """A `Clock` at ``x0`` whose first step size follows Hairer, Norsett & Wanner (II.4)."""
    slope = f(x0, y0)
    same_shape("theta0", y0, slope)
    scale = atol + rtol * np.abs(y0)
    size, speed = _norm(y0 / scale), _norm(slope / scale)
    h = 1e-6 if min(size, speed) < 1e-5 else 0.01 * size / speed
    h = min(h, span)
    change = _norm((f(x0 + h, y0 + h * slope) - slope) / scale) / h
    h = min(100 * h, (0.01 / max(speed, change, 1e-15)) ** (1 / order))
    return Clock(x0, y0, slope, min(h, span))


def accepted_steps(method, f, clock, x_end, rtol, atol, max_steps):
    """Advance ``clock`` to ``x_end`` exactly, yielding after each accepted step.

    Yields ``(x, h, y, proposal)``: where the step began, its length, the value there, and what it
    led to. Accepted and rejected steps together are capped at ``max_steps``, over the whole life
    of the clock: near the limits of rounding an error estimate can be noise that no step satisfies.
    A step too small to move the clock ends the run as well: the solution does not reach ``x_end``.
    """
    while clock.x < x_end:
        stuck = clock.x + clock.h == clock.x
        if stuck or clock.steps + clock.rejected >= max_steps:
            cause = "the step size fell below rounding" if stuck else f"used up max_steps = {max_steps}"
            raise StepLimitError(
                f"{cause} at {clock.x:.6g} of {x_end:.6g} (step size {clock.h:.2g}, "
                f"{clock.rejected} of {clock.steps + clock.rejected} steps rejected). Is the problem "
                "stiff, does the flow slide along a kink, is rtol below rounding, or does the "
                "solution end here, as the log-loss does on data that cannot be separated? The rows "
                "so far are in .trajectory.")
        last = clock.x + clock.h >= x_end
        h = x_end - clock.x if last else clock.h
        proposal = method.propose(f, clock.x, clock.y, clock.slope, h)
        scale = atol + rtol * np.maximum(np.abs(clock.y), np.abs(proposal.y))
        error = _norm(proposal.error / scale)
        factor = SAFETY * error ** (-1 / method.order) if error > 0 else GROW
        if not error <= 1:  # also when the error is nan: the step left the domain
            clock.rejected += 1
            clock.h = h * (max(SHRINK, factor) if np.isfinite(error) else SHRINK)
            continue
        x, y = clock.x, clock.y
        clock.x = x_end if last else x + h
        clock.y, clock.slope = proposal.y, proposal.slope
        # A step cut short to land on x_end says little about the size of the next one.
        clock.h = max(clock.h, h * min(GROW, factor)) if last else h * min(GROW, factor)
        clock.steps += 1
        yield x, h, y, proposal


def output_points(name, at, start, end):
    """The requested rows ``at`` as increasing numbers within (start, end], or ``None``."""
    if at is None:
        return None
    at = np.atleast_1d(numeric_array(name, at))
    expect(at.ndim == 1 and bool((np.diff(at) > 0).all()), name, "increasing numbers",
           f"shape {at.shape}" if at.ndim > 1 else f"{at[:6]}")
    expect(at[0] >= start and at[-1] <= end, name, f"numbers from {start:.6g} to {end:.6g}",
           f"{at[0]:.6g} to {at[-1]:.6g}")
    return at


def _norm(e):
    """Root mean square over the parameters, the largest over an ensemble."""
    with np.errstate(over="ignore"):
        return float(np.sqrt(np.max(np.mean(e * e, axis=-1))))
