"""Devices under test, by what the command line says of them: ``wallet=virtual``, ``wallet=nfc:usb``, ``card=pcsc:ACS*``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.declaration import Declaration, load
from bench.hands import Hands, Nobody
from conformance.case import Case, Kind
from conformance.form import Paper
from conformance.kinds import Suite, suites
from conformance.tester import Tester
from conformance.vectors.world import World
from virtual_devices.errors import UsageError

VIRTUAL = "virtual"
NOBODY = Nobody("it needs a person's hands")


@dataclass(frozen=True)
class Dut:
    """One device under test, over one channel. ``declared``: what its maker says that it can; None: it is held to everything."""

    suite: Suite
    moniker: str
    channel: str
    declared: Declaration | None = None
    destructive: bool = False  # its holder or maker has agreed to what changes it
    hands: Hands = NOBODY  # who does what only a person can

    @property
    def real(self) -> bool:
        return self.moniker != VIRTUAL

    def tester(self, case: Case, world: World) -> Tester:
        """What the case gets: a virtual device is a new one for each case. Raises LinkError when a real one is not there."""
        return self.suite.tester(self.suite.reference(world, self.channel, case.id), world, case.id)

    def timed(self, name: str, world: World) -> Tester:
        """What a presentation that is timed gets: a virtual device behind modelled media, or the real one."""
        timing = self.suite.timing
        if timing is None:
            raise UsageError(f"no {self.suite.kind.value} can be timed")
        return self.suite.tester(timing.reference(world, self.channel, name), world, name)

    def rules_out(self, case: Case) -> str:
        """Why the case is nothing for this device; empty when it is."""
        if case.channels and self.channel not in case.channels:
            return f"not over {self.channel}: {', '.join(sorted(case.channels))} only"
        if self.real and case.destructive and not self.destructive:
            return "it would change a real device, or spend a try of its PIN or keys: --destructive allows it"
        if self.real and case.hands and self.hands.why_none:
            return self.hands.why_none
        if self.declared is not None:
            return self.declared.form.rules_out(case, self.channel, self.declared.answers)
        return ""


def duts(
    given: Iterable[str], channels: Iterable[str] = (), *, pics: Iterable[str] = (), pixit: Iterable[str] = (),
    destructive: bool = False, hands: Hands | None = None,
) -> Mapping[Kind, list[Dut]]:
    """From ``KIND=MONIKER`` texts and files of declarations; none at all: every kind's reference device. A virtual one is tried
    over every channel that it has, or those of ``channels``. ``destructive``: cases that change a real device, or spend its
    tries, are allowed. ``hands``: who does what only a person can. Raises UsageError; ScenarioFaults for a declaration out of
    order."""
    declared = _papers(pics, Paper.PICS)
    reached = _papers(pixit, Paper.PIXIT)
    wanted = {kind: str(paper.answers["moniker"]) for kind, paper in reached.items()} | dict(_pair(text) for text in given)
    wanted = wanted or dict.fromkeys(declared or suites(), VIRTUAL)
    for kind, paper in declared.items():
        if kind not in wanted:
            raise UsageError(f"--pics {paper.path}: it is of a {kind.value}, and none is tried")
    found: dict[Kind, list[Dut]] = {}
    for kind, moniker in wanted.items():
        suite = _suite(kind)
        only = set(channels) or _channels(reached.get(kind))
        if moniker != VIRTUAL:
            raise UsageError(f"--dut {kind.value}={moniker}: no real {kind.value} can be tried yet; there is {VIRTUAL}")
        there = [channel for channel in suite.channels if not only or channel in only]
        if not there:
            raise UsageError(f"--channel: a {kind.value} is tried over {', '.join(suite.channels)}")
        found[kind] = [Dut(suite, moniker, channel, declared.get(kind), destructive, hands or NOBODY) for channel in there]
    return found


def _papers(files: Iterable[str], paper: Paper) -> Mapping[Kind, Declaration]:
    """The declarations by kind of device, one for each."""
    found: dict[Kind, Declaration] = {}
    for declaration in (load(Path(file), paper) for file in files):
        if declaration.kind in found:
            first, kind = found[declaration.kind].path, declaration.kind.value
            raise UsageError(f"--{paper.value}: {first} and {declaration.path} are both of a {kind}")
        found[declaration.kind] = declaration
    return found


def _channels(paper: Declaration | None) -> set[str]:
    channels = () if paper is None else paper.answers["channels"]
    return set(channels) if isinstance(channels, tuple) else set()


def _suite(kind: Kind) -> Suite:
    if kind not in suites():
        kinds = ", ".join(sorted(k.value for k in suites()))
        raise UsageError(f"no {kind.value} can be tried yet; there are {kinds}")
    return suites()[kind]


def _pair(text: str) -> tuple[Kind, str]:
    name, equals, moniker = text.partition("=")
    kind = next((k for k in suites() if k.value == name), None)
    if kind is None or not equals or not moniker:
        kinds = ", ".join(sorted(k.value for k in suites()))
        raise UsageError(f"--dut {text!r}: give KIND=MONIKER, KIND one of {kinds}, such as wallet=virtual")
    return kind, moniker


__all__ = ["VIRTUAL", "Dut", "duts"]
