"""One line that tells how far a long run has come."""

import sys
import time


class Progress:
    """Prints ``label 42 % (1234 steps, 5 s)`` to the error stream, at most twice a second."""

    def __init__(self, label, wanted, unit="steps"):
        self.label, self.wanted, self.unit = label, wanted, unit
        self.start = self.last = time.monotonic()

    def show(self, fraction, count, end=False):
        """Report the done ``fraction`` in [0, 1] after ``count`` steps, or whatever the unit is."""
        now = time.monotonic()
        if self.wanted and (end or now - self.last > 0.5):
            self.last = now
            line = f"\r{self.label} {100 * fraction:3.0f} % ({count} {self.unit}, {now - self.start:.0f} s)"
            print(line, end="\n" if end else "", file=sys.stderr, flush=True)

    def tell(self, remark):
        """Print a remark on a line of its own."""
        if self.wanted:
            print(f"\r{self.label}: {remark}", file=sys.stderr, flush=True)
