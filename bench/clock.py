"""The machine's clock, for what is real."""

from __future__ import annotations

import time

from virtual_devices.clock import NS


class WallClock:
    """The machine's time at the start, moved on by its monotonic clock: a corrected wall clock bends no duration."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        """``ahead_s``: how far it goes wrong on purpose."""
        self._offset_ns = time.time_ns() - time.monotonic_ns() + round(ahead_s * NS)

    def now_ns(self) -> int:
        return time.monotonic_ns() + self._offset_ns

    def sleep_until(self, at_ns: int) -> None:
        """Really wait: what a flow lets pass, a real device must feel. Not for what has passed: Linux takes 50 us for that."""
        left_ns = at_ns - self.now_ns()
        if left_ns > 0:
            time.sleep(left_ns / NS)
