"""One line that tells how far a long run has come."""

import sys
import time


class Progress:
    """Prints ``label 42 % (1234 steps, 5 s)`` to the error stream, at most twice a second."""

    def __init__(self, label, wanted):
        self.label, self.wanted = label, wanted
        self.start = self.last = time.monotonic()

    def show(self, fraction, steps, end=False):
        """Report the done ``fraction`` in [0, 1] after ``steps`` steps."""
        now = time.monotonic()
        if self.wanted and (end or now - self.last > 0.5):
            self.last = now
            line = f"\r{self.label} {100 * fraction:3.0f} % ({steps} steps, {now - self.start:.0f} s)"
            print(line, end="\n" if end else "", file=sys.stderr, flush=True)
