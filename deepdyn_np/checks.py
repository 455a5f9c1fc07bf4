"""Where measurement meets theory: checks that must hold, and controls that must fail.

A check puts a measured number beside the number a theorem predicts and raises if they differ by
more than a stated tolerance. A control sends a run in which one assumption was broken through the
same comparison and raises unless it fails. They print, in columns::

    holds  topic/claim    measured 0.99998    predicted 1    error 2.0e-05 <= 1e-03
    fails  topic/claim    measured 0.51312    predicted 1    error 4.9e-01  > 1e-03
           control: what was broken

Of an array the worst entry is printed, and ``[n]`` tells how many there are.
"""

from dataclasses import dataclass, replace

import numpy as np

from deepdyn_np.errors import expect, numeric_array


class CheckFailed(AssertionError):
    """A check that does not hold, or a control that does. ``record`` has the numbers.

    It would end the build of every chapter.
    """

    def __init__(self, message, record):
        super().__init__(message)
        self.record = record


@dataclass(frozen=True)
class Record:
    """The outcome of one check or control; of an array, the entry with the largest error.

    Used in every chapter.
    """

    kind: str
    claim: str
    measured: float
    predicted: float
    error: float
    tolerance: float
    entries: int
    note: str

    @property
    def holds(self):
        """Whether measurement and prediction agree."""
        return self.error <= self.tolerance

    @property
    def line(self):
        """The record in aligned columns, with a second line that says what a control broke."""
        verdict, relation = ("holds", "<=") if self.holds else ("fails", " >")
        among = f" [{self.entries}]" if self.entries > 1 else ""
        broken = f"\n       control: {self.note}" if self.kind == "control" else ""
        return (f"{verdict}  {self.claim:<31} measured {_short(self.measured):<8} "
                f"predicted {_short(self.predicted):<8} error {self.error:<7.1e} {relation} "
                f"{self.tolerance:.1g}{among}{broken}")

    def _ipython_display_(self):
        """Show nothing more in a notebook: the line is already printed."""


def check(claim, measured, predicted, *, rtol=None, atol=None, why=""):
    """Assert that a measurement agrees with its prediction.

    Parameters
    ----------
    claim : str
        Identifier ``topic/claim``, unique in the book.
    measured, predicted : float or ndarray
        Compared entry by entry; the shapes must broadcast.
    rtol, atol : float
        The tolerance, exactly one of them: ``|measured - predicted| <= rtol |predicted|`` or
        ``<= atol``.
    why : str
        Where the tolerance comes from; it is part of the message if the check fails.

    Returns
    -------
    Record

    Raises
    ------
    CheckFailed
        If an entry is off by more than the tolerance, or is nan.

    Notes
    -----
    Used in every chapter.
    """
    record = _compare("check", claim, measured, predicted, rtol, atol, why)
    return _report(record, record.holds, why)


def check_below(claim, measured, bound, *, why=""):
    """Assert the inequality ``measured <= bound``, entry by entry.

    Only rounding is forgiven, 1e-12 of the bound.

    Parameters
    ----------
    claim : str
        Identifier ``topic/claim``, unique in the book.
    measured, bound : float or ndarray
        The tightest entry is reported; its error is ``measured - bound``.
    why : str
        Where the bound comes from.

    Returns
    -------
    Record

    Raises
    ------
    CheckFailed
        If an entry exceeds its bound, or is nan.

    Notes
    -----
    Used in every chapter.
    """
    record = _exceed("check", claim, measured, bound, why)
    return _report(record, record.holds, why)


def check_slope(claim, x, y, predicted, *, atol, why=""):
    """Assert a power law ``y ~ x^predicted`` by a straight line through ``(log x, log y)``.

    Parameters
    ----------
    claim : str
        Identifier ``topic/claim``, unique in the book.
    x, y : ndarray, shape (n,)
        Positive numbers; at least three, so that the fit has an uncertainty.
    predicted : float
        The exponent.
    atol : float
        Allowed difference of the fitted exponent, and of the fit's own standard error: where
        that is larger the data show no power law. The larger of the two is the error.
    why : str
        Where the tolerance comes from.

    Returns
    -------
    Record
        ``measured`` is the fitted exponent.

    Notes
    -----
    Used from chapter 01_hand_derived_gradients on.
    """
    slope, uncertainty = fit_slope(x, y)
    record = _compare("check", claim, slope, predicted, None, atol, why)
    record = replace(record, error=max(record.error, uncertainty))
    return _report(record, record.holds, why, f" (fit +- {uncertainty:.0e})")


def control(claim, measured, predicted, *, rtol=None, atol=None, below=False, breaks,
            at_least=None, instead=None, within=None):
    """Assert that a check fails when one assumption is broken.

    Parameters
    ----------
    claim : str
        The identifier of the check that this is the control of.
    measured, predicted : float or ndarray
        As in the check, the measurement now coming from the broken setting.
    rtol, atol : float
        The tolerance of the check.
    below : bool
        The check is the inequality ``measured <= predicted`` of `check_below`.
    breaks : str
        The assumption that was broken, in words.
    at_least : float, optional
        The smallest error that counts as a failure; default: anything above the tolerance.
    instead : float or ndarray, optional
    within : float, optional
        What theory predicts for the broken setting, and how closely (relative where ``rtol`` is
        given, absolute otherwise): the control must find this value.

    Returns
    -------
    Record

    Raises
    ------
    CheckFailed
        If the check holds in spite of the broken assumption, fails by less than ``at_least``,
        measures nan, or misses ``instead``.

    Notes
    -----
    A check of an array holds if every entry does, so one entry that misses makes it fail: a control
    of an array asks no more than that. ``instead`` is asked of every entry.

    Used in every chapter.
    """
    expect((instead is None) == (within is None), "within", "instead and within together",
           f"instead={instead}, within={within}")
    if below:
        record = _exceed("control", claim, measured, predicted, breaks)
    else:
        record = _compare("control", claim, measured, predicted, rtol, atol, breaks)
    threshold = record.tolerance if at_least is None else at_least
    expect(threshold >= record.tolerance, "at_least", f"at least the tolerance {record.tolerance}",
           at_least)
    fails, reason = np.isfinite(record.error) and record.error > threshold, (
        f"a control must miss by more than {threshold:.2g}")
    if fails and instead is not None:
        found = _compare("control", claim, measured, instead, None if rtol is None else within,
                         within if rtol is None else None, breaks)
        fails, reason = found.holds, (
            f"theory predicts {found.predicted:.6g} here, not {found.measured:.6g}")
    return _report(record, fails, reason)


def fit_slope(x, y):
    """Exponent of a power law ``y ~ x^slope`` by least squares in the logarithms.

    Returns
    -------
    slope : float
    uncertainty : float
        The standard error of the slope.

    Notes
    -----
    Used from chapter 01_hand_derived_gradients on.
    """
    x, y = numeric_array("x", x), numeric_array("y", y)
    expect(x.ndim == 1 and x.shape == y.shape and x.size >= 3, "x, y",
           "two arrays of the same length, at least 3", f"shapes {x.shape} and {y.shape}")
    for name, values in (("x", x), ("y", y)):
        expect(bool((values > 0).all()), name, "positive numbers for a power law", values.min(),
               "An error below rounding is 0 or changes sign: stop the fit before.")
    u, v = np.log(x) - np.log(x).mean(), np.log(y) - np.log(y).mean()
    expect(u @ u > 0, "x", "at least two different values", x[0])
    slope = u @ v / (u @ u)
    residual = v - slope * u
    return float(slope), float(np.sqrt(residual @ residual / (x.size - 2) / (u @ u)))


def _compare(kind, claim, measured, predicted, rtol, atol, note):
    expect((rtol is None) != (atol is None), "rtol, atol", "exactly one of them",
           f"rtol={rtol}, atol={atol}")
    tolerance = atol if rtol is None else rtol
    expect(0 <= tolerance < np.inf, "rtol, atol", "a number, at least 0", tolerance)
    measured, predicted = np.broadcast_arrays(np.asarray(measured, float),
                                              numeric_array("predicted", predicted))
    error = np.abs(measured - predicted)
    if rtol is not None:
        expect(bool((predicted != 0).all()), "rtol", "atol where the prediction is 0", rtol)
        error = error / np.abs(predicted)
    return _worst(kind, claim, measured, predicted, error, tolerance, note)


def _exceed(kind, claim, measured, bound, note):
    measured, bound = np.broadcast_arrays(np.asarray(measured, float), numeric_array("bound", bound))
    return _worst(kind, claim, measured, bound, measured - bound, 1e-12 * np.abs(bound), note)


def _worst(kind, claim, measured, predicted, error, tolerance, note):
    expect(measured.size > 0, "measured", "at least one number", "an empty array")
    tolerance = np.broadcast_to(tolerance, error.shape)
    excess = np.where(np.isnan(error), np.inf, error - tolerance)
    at = np.unravel_index(np.argmax(excess), error.shape)
    return Record(kind, claim, float(measured[at]), float(predicted[at]), float(error[at]),
                  float(tolerance[at]), measured.size, note)


def _short(number):
    """Five digits; of a very small or large number only two and the power of ten."""
    plain = number == 0 or 1e-3 <= abs(number) < 1e5
    return f"{number:.5g}" if plain else f"{number:.1e}"


def _report(record, succeeded, reason, suffix=""):
    if not succeeded:
        raise CheckFailed(f"{record.line}{suffix}\n{reason}", record)
    print(record.line + suffix)
    return record
