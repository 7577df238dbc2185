"""The machine's clock: what is waited for, and what is not."""

from __future__ import annotations

import time

import pytest

from bench.clock import WallClock


def test_moment_that_has_passed_is_not_slept_for(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    clock = WallClock()
    clock.sleep_until(clock.now_ns())
    assert slept == []
    clock.sleep_until(clock.now_ns() + 3600 * 10**9)
    assert len(slept) == 1 and 0 < slept[0] <= 3600
