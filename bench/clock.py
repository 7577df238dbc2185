"""The machine's clock, for what is real."""

from __future__ import annotations

import time


class WallClock:
    """The machine's time at the start, moved on by its monotonic clock: a corrected wall clock bends no duration."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def now_ns(self) -> int:
        return time.monotonic_ns() + self._offset_ns
