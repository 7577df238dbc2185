"""Devices under test, by what the command line says of them: ``wallet=virtual``, ``wallet=nfc:usb``, ``card=pcsc:ACS*``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from conformance.case import Case, Kind
from conformance.kinds import Suite, suites
from conformance.tester import Tester
from conformance.vectors.world import World
from virtual_devices.errors import UsageError

VIRTUAL = "virtual"


@dataclass(frozen=True)
class Dut:
    """One device under test, over one channel."""

    suite: Suite
    moniker: str
    channel: str

    @property
    def real(self) -> bool:
        return self.moniker != VIRTUAL

    def tester(self, case: Case, world: World) -> Tester:
        """What the case gets: a virtual device is a new one for each case. Raises LinkError when a real one is not there."""
        return self.suite.tester(self.suite.reference(world, self.channel, case.id), world, case.id)

    def rules_out(self, case: Case) -> str:
        """Why the case is nothing for this device; empty when it is."""
        if case.channels and self.channel not in case.channels:
            return f"not over {self.channel}: {', '.join(sorted(case.channels))} only"
        return ""


def duts(given: Iterable[str], channels: Iterable[str] = ()) -> Mapping[Kind, list[Dut]]:
    """From ``KIND=MONIKER`` texts; none at all: every kind's reference device. A virtual one is tried over every channel that it
    has, or those of ``channels``. Raises UsageError."""
    wanted = dict(_pair(text) for text in given) or dict.fromkeys(suites(), VIRTUAL)
    found: dict[Kind, list[Dut]] = {}
    only = set(channels)
    for kind, moniker in wanted.items():
        suite = suites()[kind]
        if moniker != VIRTUAL:
            raise UsageError(f"--dut {kind.value}={moniker}: no real {kind.value} can be tried yet; there is {VIRTUAL}")
        there = [channel for channel in suite.channels if not only or channel in only]
        if not there:
            raise UsageError(f"--channel: a {kind.value} is tried over {', '.join(suite.channels)}")
        found[kind] = [Dut(suite, moniker, channel) for channel in there]
    return found


def _pair(text: str) -> tuple[Kind, str]:
    name, equals, moniker = text.partition("=")
    kind = next((k for k in suites() if k.value == name), None)
    if kind is None or not equals or not moniker:
        kinds = ", ".join(sorted(k.value for k in suites()))
        raise UsageError(f"--dut {text!r}: give KIND=MONIKER, KIND one of {kinds}, such as wallet=virtual")
    return kind, moniker


__all__ = ["VIRTUAL", "Dut", "duts"]
