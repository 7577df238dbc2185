"""Latency under test: limits from their file, and a device timed against them."""

from __future__ import annotations

from pathlib import Path

from bench.duts import Dut
from conformance.kinds import suites
from conformance.latency import Latency, measure
from conformance.limits import EXAMPLE, Limits, example, read
from virtual_devices.errors import UsageError


def limits_of(given: str) -> Limits:
    """``given``: a file, or the word for the bench's own example. Raises UsageError."""
    channels = {kind.value: suite.timing.channels for kind, suite in suites().items() if suite.timing is not None}
    if given == EXAMPLE:
        return read(example(), EXAMPLE, channels)
    try:
        text = Path(given).read_text(encoding="utf-8")
    except (OSError, ValueError) as e:
        raise UsageError(f"--latency {given}: {getattr(e, 'strerror', None) or e}; give a file, or the word {EXAMPLE}") from None
    return read(text, given, channels)


def timed(dut: Dut, limits: Limits) -> list[Latency]:
    """Every limit on one device over one channel. A real device is written to only where that is allowed."""
    assert dut.suite.timing is not None
    return measure(
        dut.suite.kind, dut.moniker, dut.channel, limits, dut.timed, dut.suite.timing,
        real=dut.real, write=not dut.real or dut.destructive,
    )


__all__ = ["limits_of", "timed"]
