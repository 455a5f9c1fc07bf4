"""How far the grading has come."""

import sys
import time


class Bar:
    """One line on the error stream: a bar, how many of how many, and the time left."""

    def __init__(self, label, total, done, wanted):
        self.label, self.total, self.done, self.wanted = label, total, done, wanted
        self.before, self.start, self.last = done, time.monotonic(), 0.0
        self._show()

    def advance(self):
        """One more is done."""
        self.done += 1
        self._show()

    def close(self):
        """End the line."""
        if self.wanted:
            print(file=sys.stderr)

    def _show(self):
        now = time.monotonic()
        if not self.wanted or (now - self.last < 0.2 and self.done < self.total):
            return
        self.last, filled = now, 24 * self.done // max(self.total, 1)
        new = self.done - self.before
        left = (
            f", {(now - self.start) / new * (self.total - self.done):.0f} s left"
            if new and self.done < self.total
            else ""
        )
        print(
            f"\r{self.label} [{'#' * filled:<24}] {self.done} of {self.total}{left}   ",
            end="",
            file=sys.stderr,
            flush=True,
        )
