"""A desk with control software: slots that cards are put into, people who type what a test says, and the calls of the manual."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from virtual_devices.flow import Flow, PromptPeople, Session, run
from virtual_devices.link import Attempt, DirectLink, Link, Outcome
from virtual_devices.reader.cshis import FUNCTIONS, ControlSoftware, CsHis, Function, ReaderUnit, Reply, perform
from virtual_devices.reader.cshis.reads import ICD10_MARKER
from virtual_devices.reader.transmit import chip_status

from .desk import PIN, Bench, bench_of


class Slot:
    """A slot: what is in it answers, an empty one says so."""

    provenance = DirectLink.provenance

    def __init__(self, bench: Bench, device: Any, channel: str = "contact") -> None:
        self.bench, self.device, self.channel = bench, device, channel

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if self.device is None:
            return Attempt(Outcome.GONE, 0)
        return DirectLink(self.device, self.bench.clock, channel=self.channel).attempt(message, timeout_s)


@dataclass
class ControlDesk:
    """What stands at one desk. ``answers``: what people type or say."""

    bench: Bench
    answers: dict[str, str] = field(default_factory=lambda: {"enter PIN": PIN})
    links: dict[str, Link] = field(default_factory=dict)
    """Links in place of the slots."""

    def __post_init__(self) -> None:
        bench = self.bench
        devices = {"card": bench.card, "sam": bench.sam, "hpc": bench.hpc, "cloud": bench.cloud}
        self.slots = {role: Slot(bench, it, "network" if role == "cloud" else "contact") for role, it in devices.items()}
        self.software = ControlSoftware(bench.desk, ReaderUnit(bench.clock))
        self.cshis = CsHis(self.software, self.run)

    def run(self, flow: Flow[Any]) -> Any:
        session = Session(
            {**self.slots, **self.links}, self.bench.clock, PromptPeople(self.answers), self.bench.rows.append, status=chip_status
        )
        return run(flow, session)

    def call(self, name: str, **given: Any) -> Reply:
        """One call; arguments that are not given have their usual values."""
        return self.run_call(name, {**usual(FUNCTIONS[name]), **given})

    def run_call(self, name: str, given: dict[str, Any]) -> Reply:
        """A call with just these arguments."""
        reply: Reply = self.run(perform(self.software, name, given))
        return reply

    def code(self, name: str, **given: Any) -> str:
        return self.call(name, **given).code


def usual(function: Function) -> dict[str, Any]:
    """Buffers of the stated size, counters that say so, texts blank."""
    values: dict[str, Any] = {}
    for argument in function.arguments:
        if argument.is_text:
            values[argument.name] = bytes(argument.size or 64)
        else:
            values[argument.name] = 0
    for argument in function.arguments:
        counter = function.length_of(argument)
        if counter is not None:
            values[counter.name] = len(values[argument.name])
    return values


def control_desk(**more: Any) -> ControlDesk:
    """A desk with an open port; ``more`` personalises the card."""
    desk = ControlDesk(bench_of(**more))
    assert desk.code("csOpenCom") == "0"
    return desk


LONG_FORM = ICD10_MARKER.ljust(540, b"\0")
