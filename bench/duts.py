"""Devices under test, by what the command line says of them: ``wallet=virtual``, ``wallet=nfc:usb``, ``card=pcsc:ACS*``.

:data:`WAYS` says by which file of :mod:`bench.reach` a kind of device is reached when it is not in this process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path

from bench.declaration import Declaration, load
from bench.laboratory import Laboratory
from bench.monikers import JOINED, ROLES, Moniker, for_role, not_auto, parse
from bench.monikers import Kind as Medium
from bench.reach import Means, Way
from bench.reach.virtual import Virtual
from conformance.case import Case, Kind
from conformance.form import Paper
from conformance.kinds import Suite, suites
from conformance.tester import Result, Tester
from virtual_devices.errors import UsageError

VIRTUAL = "virtual"
_READER = ("bench.reach.reader", "ReaderBefore")
_CENTRE = ("bench.reach.data_centre", "CentreOnline")
_OFFICE = ("bench.reach.office_program", "OfficeProgram")
_SOFTWARE = ("bench.reach.control_software", "SoftwareOutside")
_CHIP, _WALLET = ("bench.reach.chip", "ChipInReader"), ("bench.reach.wallet", "WalletMet")
_SECOND = ("bench.reach.second", "SecondInReader")
_IN_FIELD = ("bench.reach.second", "SecondInField")
WAYS: Mapping[Kind, tuple[tuple[str, str], ...]] = {
    Kind.CARD: (_CHIP,), Kind.SAM: (_CHIP,), Kind.HPC: (_CHIP,),
    Kind.WALLET: (_SECOND, _IN_FIELD, _WALLET, ("bench.reach.wallet_program", "WalletProgram")),
    Kind.DATA_CENTRE: (_CENTRE,), Kind.CONTROL_SOFTWARE: (_SOFTWARE,),
    Kind.READER: (_READER, ("bench.reach.reader_program", "ReaderProgram")),
    Kind.CLINIC: (_OFFICE,), Kind.PHARMACY: (_OFFICE,),
}
"""Kind -> modules and classes of its ways; each is loaded when it is needed, for drivers are large."""
_MEDIA = {
    Kind.READER: (Medium.VIRTUAL, Medium.NFC, Medium.VPCD, Medium.QR, Medium.BLE, Medium.PROGRAM),
    Kind.DATA_CENTRE: (Medium.VIRTUAL, Medium.HTTP),
    Kind.CLINIC: (Medium.VIRTUAL, Medium.PROGRAM, Medium.HANDS), Kind.PHARMACY: (Medium.VIRTUAL, Medium.PROGRAM),
    Kind.CONTROL_SOFTWARE: (Medium.VIRTUAL, Medium.CLEAR, Medium.HTTP, Medium.PROGRAM),
}
"""By what kinds of device are met that have no role in a run; the others are virtual only."""
_NO_HANDS = {
    Kind.PHARMACY: "prescriptions are found by their ids and told as signed bytes, which nobody types: program:COMMAND",
    Kind.CONTROL_SOFTWARE: "its faces are called by programs, with bytes: http://, https:// or program:COMMAND; what its "
                           "people type, a person is asked for all the same",
}
"""Why no persons at a keyboard do for a kind of software."""


@dataclass(frozen=True)
class Dut:
    """One device under test, over one channel. ``declared``: what its maker says that it can; None: it is held to everything.
    ``says``: make, model, firmware, where a laboratory file has them."""

    suite: Suite
    moniker: str
    channel: str
    declared: Declaration | None = None
    destructive: bool = False  # its holder or maker has agreed to what changes it
    means: Means = field(default_factory=Means)
    says: str = ""

    @property
    def real(self) -> bool:
        return self.moniker != VIRTUAL

    @cached_property
    def way(self) -> Way:
        found = _monikers(self.suite.kind, self.moniker)
        return _way(self.suite, found)(self.suite, found, self.channel, self.means)

    def tester(self, case: Case) -> Tester:
        """What the case gets: a virtual device is a new one for each case. Raises LinkError when a real one is not there,
        CannotShow for what the way to it cannot give."""
        tester = self.way.tester(case.id, anew=case.destructive)
        tester.declared = self.declared.answers if self.declared is not None else {}
        return tester

    def own(self, case: Case) -> Case:
        """The case, with the clauses that this device itself can show: what it leaves to others is none of its own."""
        if self.declared is None:
            return case
        return replace(case, clauses=self.declared.form.own(case.clauses, self.declared.answers) or case.clauses)

    def timed(self, name: str) -> Tester:
        """What a presentation that is timed gets: a virtual device behind modelled media, or the real one."""
        return self.way.timed(name)

    def done(self, result: Result) -> Result:
        """The case is over: its result, with what the way to the device knows of it besides."""
        return self.way.done(result)

    def rules_out(self, case: Case) -> str:
        """Why the case is nothing for this device; empty when it is."""
        if not self.suite.tries(case, self.channel, real=self.real):
            over = sorted(case.channels or set(self.suite.channels) - (frozenset() if self.real else self.suite.apart))
            return f"not over {self.channel}: {', '.join(over)} only"
        if self.real and case.destructive and not self.destructive:
            return "it would change a real device, or spend a try of its PIN or keys: --destructive allows it"
        if self.real and case.hands and self.means.hands.why_none:
            return self.means.hands.why_none
        if self.declared is not None:
            return self.declared.form.rules_out(case, self.channel, self.declared.answers)
        return ""


def duts(
    given: Iterable[str], channels: Iterable[str] = (), *, pics: Iterable[str] = (), pixit: Iterable[str] = (),
    destructive: bool = False, laboratory: Laboratory | None = None, means: Means = Means(),
) -> Mapping[Kind, list[Dut]]:
    """From ``KIND=MONIKER`` texts and files of declarations; none at all: every kind's reference device. A virtual one is tried
    over every channel that it has, or those of ``channels``. ``destructive``: cases that change a real device, or spend its
    tries, are allowed. ``laboratory``: its devices' names stand for monikers. Raises UsageError; ScenarioFaults for a
    declaration out of order."""
    declared = _papers(pics, Paper.PICS)
    reached = _papers(pixit, Paper.PIXIT)
    wanted = [_pair(text) for text in given]
    named = {kind for kind, _ in wanted}
    wanted += [(kind, str(paper.answers["moniker"])) for kind, paper in reached.items() if kind not in named]
    wanted = wanted or [(kind, VIRTUAL) for kind in declared or suites()]
    for kind, paper in declared.items():
        if kind not in (each for each, _ in wanted):
            raise UsageError(f"--pics {paper.path}: it is of a {kind.value}, and none is tried")
    found: dict[Kind, list[Dut]] = {}
    for kind, text in wanted:
        suite, (moniker, says) = _suite(kind), _named(text, laboratory)
        only = set(channels) or _channels(reached.get(kind))
        there = [channel for channel in _over(suite, moniker) if not only or channel in only]
        if not there:
            over = ", ".join(_over(suite, moniker))
            raise UsageError(f"--channel {', '.join(sorted(only))}: {kind.value}={moniker} is tried over {over}")
        own = replace(means, answers=reached[kind].answers) if kind in reached else means
        there_now = [Dut(suite, moniker, channel, declared.get(kind), destructive, own, says) for channel in there]
        if destructive and own.answers.get("spare") is False and any(dut.real for dut in there_now):
            raise UsageError(f"--destructive: {reached[kind].path} says spare = false, and a device that is no spare one is not "
                             "to be changed: leave --destructive away, or have its owner agree and say spare = true")
        found.setdefault(kind, []).extend(there_now)
    return found


def _named(text: str, laboratory: Laboratory | None) -> tuple[str, str]:
    """The moniker, and what the laboratory's file says of its device."""
    if laboratory is None:
        return text, ""
    moniker, device = laboratory.find(text)
    return moniker, device.says() if device is not None else ""


def _over(suite: Suite, moniker: str) -> tuple[str, ...]:
    found = _monikers(suite.kind, moniker)
    return _way(suite, found).channels(suite, found)


def _monikers(kind: Kind, text: str) -> tuple[Moniker, ...]:
    given = f"--dut {kind.value}={text}"
    not_auto((Moniker(Medium.AUTO),) if text == Medium.AUTO.value else (), given)
    before, program = _program(text)
    if not before:
        return program
    try:
        if kind.value in ROLES:
            return for_role(kind.value, text, given)
        return (*(parse(part, _MEDIA.get(kind, (Medium.VIRTUAL,))) for part in before.split(JOINED)), *program)
    except UsageError as e:
        raise (e if given in str(e) else UsageError(f"{given}: {e}")) from None


def _program(text: str) -> tuple[str, tuple[Moniker, ...]]:
    """What stands before a program, and the program: it comes last, for its command may have anything in it."""
    name = f"{Medium.PROGRAM.value}:"
    if text.startswith(name):
        return "", (parse(text),)
    before, joined, command = text.partition(f"{JOINED}{name}")
    return (before, (parse(name + command),)) if joined else (text, ())


def _way(suite: Suite, found: tuple[Moniker, ...]) -> type[Way]:
    """The way that leads to the device of these monikers. Raises UsageError."""
    if str(found[0]) == VIRTUAL:
        return Virtual
    for module, name in WAYS.get(suite.kind, ()):
        way: type[Way] = getattr(import_module(module), name)
        if way.channels(suite, found):
            return way
    kind, moniker = suite.kind.value, JOINED.join(map(str, found))
    if Medium.HANDS in (one.kind for one in found) and suite.kind in _NO_HANDS:
        raise UsageError(f"--dut {kind}={moniker}: {_NO_HANDS[suite.kind]}")
    hint = "; 'vhc-bench conform --help' has examples" if suite.kind in WAYS else f"; there is {VIRTUAL}"
    raise UsageError(f"--dut {kind}={moniker}: no {kind} can be tried so{hint}")


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
