"""What stands at an institution's desk, of a virtual control software, clinic or pharmacy: slots with chips, and a line to a data
centre that does what a case wants.

The data centre is the bench's own: it belongs to whoever tries the device, and what came over the line is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cbor2

from conformance.references.data_centre import ReferenceDataCentre
from conformance.references.desk_chips import DeskChips
from conformance.references.hpc import PIN
from conformance.town import Place
from conformance.vectors.world import World
from virtual_devices import cose
from virtual_devices.clock import Clock
from virtual_devices.flow import Flow, PromptPeople, Session, run
from virtual_devices.link import Attempt, Device, DirectLink, Link, Outcome
from virtual_devices.pki import Identity, Role
from virtual_devices.reader.desk import Desk, Institution, Policy
from virtual_devices.reader.transmit import chip_status


class Slot:
    """A slot: what is in it answers, an empty one says so. ``struck``: the chip is taken away once so many more commands came.
    ``says``: what a chip answers to commands that go on so behind their class, in place of what it would."""

    provenance = DirectLink.provenance
    device = "virtual"
    channel = "contact"

    def __init__(self, clock: Clock, chip: Device | None) -> None:
        self._clock = clock
        self.chip = chip
        self.struck: int | None = None
        self.says: tuple[bytes, bytes] = (b"", b"")

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if self.struck is not None:
            self.struck -= 1
            if self.struck < 0:
                self.chip = None
        if self.chip is None:
            return Attempt(Outcome.GONE, 0)
        command, answer = self.says
        if command and message[1:].startswith(command):
            return Attempt(Outcome.REPLIED, 0, answer)
        return DirectLink(self.chip, self._clock).attempt(message, timeout_s)


class Line:
    """To the data centre. ``fates``: what becomes of the next requests, one after the other: ``lost``, ``reply lost``, ``forged``
    (signed by a stranger), ``by a sam``, ``unsigned``, ``another's`` (the answer to an earlier request), ``noise``. Signed by the
    data centre itself, but odd: ``of version 2``, ``to another request``, ``a list``, ``a number for a code``, ``refuses CODE``,
    ``says CODE`` (beside what it would say); and of the body ``without KEY``, ``short KEY`` (cut short), ``altered KEY`` (with
    another last bit), ``odd KEY`` (a number) and ``words KEY`` (a text in its place). ``down``: all of them are lost."""

    channel, device, provenance = "network", "virtual", DirectLink.provenance

    def __init__(self, world: World, centre: DirectLink, identity: Identity) -> None:
        self._world, self._centre, self._identity = world, centre, identity
        self.down = False
        self.fates: list[str] = []
        self.heard: list[bytes] = []
        self.also: tuple[object, list[list[bytes]]] | None = None
        self._answers: list[bytes] = []

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        fate = self.fate(message)
        if fate == "lost":
            return Attempt(Outcome.REQUEST_LOST, 0)
        reply = self._centre.attempt(message, timeout_s).reply or b""
        if fate == "reply lost":
            return Attempt(Outcome.REPLY_LOST, 0)
        return Attempt(Outcome.REPLIED, 0, self.spoilt(reply, fate))

    def fate(self, message: bytes) -> str:
        """What becomes of this request, which is kept."""
        self.heard.append(message)
        return "lost" if self.down else self.fates.pop(0) if self.fates else ""

    def spoilt(self, reply: bytes, fate: str) -> bytes:
        """The data centre's signed answer, as it arrives."""
        self._answers.append(reply)
        return self._spoilt(reply, fate)

    def _spoilt(self, reply: bytes, fate: str) -> bytes:
        payload = cose.decode(reply).payload or b""
        if self.also is not None and b"prescriptions" in payload:
            fate = "also"
        match fate:
            case "forged" | "by a sam":
                strange = fate == "forged"
                authority = self._world.stranger if strange else self._world.authority
                by = authority.issue(Role.DATA_CENTRE if strange else Role.SAM, "IDC")
                return cose.sign1(by.key, payload, {cose.X5CHAIN: list(by.chain)})
            case "unsigned":
                return reply[:-64] + bytes(64)
            case "another's":
                return self._answers[0]
            case "noise":
                return b"\x81" * 999
            case "":
                return reply
            case _:
                said = cbor2.loads(payload)
                odd = _more(said, *self.also) if self.also and fate == "also" else _odd(said, fate)
                identity = self._identity
                return cose.sign1(identity.key, cbor2.dumps(odd, canonical=True), {cose.X5CHAIN: list(identity.chain)})


def _more(said: dict[int, Any], record: object, chains: list[list[bytes]]) -> object:
    """What the data centre says, with one more record of each prescription, and more chains."""
    for told in said[9]["prescriptions"]:
        told["records"] = [record, *told["records"]]
    said[9]["chains"] = [*said[9]["chains"], *chains]
    return said


def _odd(said: dict[int, Any], fate: str) -> object:
    """What the data centre says, otherwise."""
    body = dict(said.get(9) or {})
    match fate.split(" "):
        case ["of", "version", "2"]:
            return {**said, 1: 2}
        case ["to", "another", "request"]:
            return {**said, 3: bytes(16)}
        case ["a", "list"]:
            return [said]
        case ["a", "number", *_]:
            return {**said, 8: 0}
        case ["refuses", code]:
            return {**{key: value for key, value in said.items() if key != 9}, 8: code}
        case ["says", code]:
            return {**said, 8: code}
        case ["without", key]:
            return {**said, 9: {name: value for name, value in body.items() if name != key}}
        case ["short", key]:
            return {**said, 9: {**body, key: bytes(body[key])[:-1]}}
        case ["altered", key]:
            return {**said, 9: {**body, key: bytes(body[key])[:-1] + bytes([body[key][-1] ^ 1])}}
        case ["odd", key]:
            return {**said, 9: {**body, key: 7}}
        case ["words", key]:
            return {**said, 9: {**body, key: "words"}}
    raise ValueError(fate)


@dataclass(frozen=True)
class Around:
    """What stands round a desk that is in a process of its own, or round one that software of others is given: it is moved by
    whoever has made it."""

    clock: Clock
    slots: Mapping[str, Link]
    line: Link


class DeskWithChips:
    """One desk of a place: its security module, its professional's card, the line. All of it follows from ``name``; what stands
    round it is its own, or is given."""

    def __init__(
        self, world: World, place: Place, name: str, policy: Policy = Policy(cloud_tries=2, hold_off_s=0),
        around: Around | None = None,
    ) -> None:
        self.world, self.place, self.name = world, place, name
        self.chips = DeskChips(world, place, name)
        self._around = around
        self._clock: Clock = self.centre.clock if around is None else around.clock
        self.slots: dict[str, Any] = {} if around is None else dict(around.slots)
        if around is None:
            self.slots = {"sam": Slot(self._clock, self.chips.sam()), "hpc": Slot(self._clock, self.chips.professional())}
        self._outside: dict[str, Device | None] = {}
        self.answers = {"enter PIN": PIN}
        fresh = world.fresh("desk", name)
        self.desk = Desk(name, Institution(place.institution), world.root, self._clock, fresh, policy)

    @cached_property
    def centre(self) -> ReferenceDataCentre:
        """Its own."""
        return ReferenceDataCentre(self.world, "network", self.name)

    @cached_property
    def line(self) -> Line:
        """To its own data centre."""
        centre = self.centre.meet()["cloud"]
        assert isinstance(centre, DirectLink)
        return Line(self.world, centre, self.centre.centre.issuer.data_centre)

    def run(self, flow: Flow[Any]) -> Any:
        people = PromptPeople(self.answers)
        line: Link = self.line if self._around is None else self._around.line
        return run(flow, Session({**self.slots, "cloud": line}, self._clock, people, status=chip_status))

    # -- what a case does at the desk

    def now_ns(self) -> int:
        return self._clock.now_ns()

    def later(self, seconds: float) -> None:
        self.centre.later(seconds)

    def take_out(self, role: str) -> None:
        slot = self.slots[role]
        self._outside[role], slot.chip = slot.chip, None

    def put_back(self, role: str) -> None:
        """The chip that was taken out, as it was."""
        self.slots[role].chip = self._outside.pop(role)

    def strike(self, role: str, commands: int) -> None:
        """The chip is taken away after so many more commands."""
        self.slots[role].struck = commands

    def answers_by(self, role: str, command: bytes = b"", answer: bytes = b"") -> None:
        """The chip in that slot answers so to commands that go on so behind their class; without one, as it should."""
        self.slots[role].says = (command, answer)

    def type(self, what: str, text: str) -> None:
        """What a person types when they are asked for it."""
        self.answers[what] = text

    def line_is(self, fates: list[str], *, down: bool = False) -> None:
        self.line.fates, self.line.down = list(fates), down

    def heard(self) -> list[bytes]:
        """Requests to the data centre, as they came, since this was asked last."""
        found, self.line.heard = self.line.heard, []
        return found


def payload_of(request: bytes) -> Mapping[Any, Any]:
    """What a request to the data centre says, read without believing it."""
    found: Mapping[Any, Any] = cbor2.loads(cose.decode(request).payload or b"")
    return found


__all__ = ["Around", "DeskWithChips", "Line", "Slot", "payload_of"]
