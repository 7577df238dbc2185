"""A reader (讀卡機) under test: our scripted card is presented to it, and what it makes of that is expected, within a time.

Whoever brings the reader (a virtual desk, or a real one whose person is asked to press its buttons) gives a
:class:`ReaderUnderTest`; cases see :class:`ReaderTester` only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, Protocol, TypeVar
from uuid import UUID

from conformance.air import Peer
from conformance.breaches import MODES, named
from conformance.case import Kind
from conformance.kinds import Suite
from conformance.latency import SILENT_NS, Timing
from conformance.references.reader import Power, ReferenceReader, Task, Told, Wants
from conformance.scripted import TAP, InSession, Script, ScriptedCard, storing
from conformance.tester import CannotShow, Tester
from conformance.turnaround import Turnaround
from conformance.vectors.lists import CARDS, GRANTS
from conformance.vectors.lists import add as add_lists
from conformance.vectors.suite import Suite as Vectors
from conformance.vectors.world import World
from virtual_devices.authorization import Purpose, Scope
from virtual_devices.clock import VirtualClock
from virtual_devices.link import Attempt, Device, DirectLink, Outcome
from virtual_devices.mdoc import engagement, session
from virtual_devices.mdoc.ble_chunks import WANTED_MTU
from virtual_devices.mdoc.ble_gatt import Mode, Side, gatt_role
from virtual_devices.mdoc.ble_options import BleOptions, parse
from virtual_devices.mdoc.engagement import BLE
from virtual_devices.mdoc.session import Transcript
from virtual_devices.segments import Segment
from virtual_devices.trace import ExchangeRow
from virtual_devices.wallet.faces import SCAN

T = TypeVar("T")
MOST_STEPS = 400
"""Commands and messages of one presentation: a reader that wants more of a card goes round in a circle."""
OWN_LISTS = "its status lists are its own data centre's affair, and nobody gives it others"
LONGEST_S = 34.0
"""What a reader may wait for one answer: the receipt of sixty records (P-WBK-11)."""


class ReaderUnderTest(Protocol):
    """A reader, one exchange at a time."""

    def now_ns(self) -> int: ...

    def at(self, now_ns: int) -> None:
        """Its clock, before anything is presented; later only ahead."""
        ...

    def take_lists(self, lists: Sequence[bytes]) -> None:
        """Status lists, as its data centre hands them out."""
        ...

    def begin(self, task: Task, power: Power | None) -> Wants | Told:
        """The first thing that it wants of the card that is brought. ``power``: gives that card power, where the medium does so
        before anybody asks; None: there is no card."""
        ...

    def answer(self, outcome: Outcome, reply: bytes | None) -> Wants | Told: ...

    def show_challenge(self) -> str: ...

    def scan(self, text: str, scope: frozenset[Scope], purpose: Purpose) -> Told: ...


class ReaderTester(Tester):
    """Whoever presents cards. ``world``: the authority that the reader trusts, the holder's card."""

    role = "reader"
    silent = False  # it did not come with anything in time

    def __init__(self, reader: ReaderUnderTest, world: World, name: str, channel: str) -> None:
        super().__init__()
        self.reader = reader
        self.world = world
        self.name = name
        self.channel = channel
        self._presented = 0
        self.turnarounds: list[Turnaround] = []
        """Of each scripted card that was presented."""

    def give_lists(self, *more: bytes) -> None:
        """The lists of the vectors, or these."""
        self._asked("its lists", lambda: self.reader.take_lists(more or reader_lists(self.world)))

    def at(self, now_ns: int) -> None:
        self._asked("its clock", lambda: self.reader.at(now_ns))

    def to_the_second(self) -> None:
        """The case wants it to judge at this very moment. Raises CannotShow where time goes on meanwhile."""
        if self._from_outside:
            raise CannotShow("a moment to the second is not to be had: nobody stops this reader's clock")

    def need_lists(self) -> None:
        """The case wants it to have the lists of the vectors. Raises CannotShow."""
        if not getattr(self.reader, "has_lists", True):
            raise CannotShow(OWN_LISTS)

    def marked(self, told: Told, expected: bool) -> None:
        """Whether it leaves the card to reconciliation; one that has not these lists leaves all."""
        if getattr(self.reader, "has_lists", True):
            self.equal("marked for reconciliation", told.marked, expected)

    @property
    def _from_outside(self) -> bool:
        """It is seen from outside only: by what it sends, and what it says of a card."""
        return bool(getattr(self.reader, "from_outside", False))

    def need_waits(self) -> None:
        """The case looks at how long it would wait. Raises CannotShow."""
        if self._from_outside:
            raise CannotShow("how long it would have waited is not seen from outside")

    def scan(self, text: str, scope: frozenset[Scope] = frozenset({Scope.BASIC}), purpose: Purpose = Purpose.CARE) -> Told:
        """A code is held before it. That it says something is a check."""
        told = self._asked("a code", lambda: self.reader.scan(text, scope, purpose))
        self._note(Wants("screen", SCAN, "scan QR code", 0.0), Outcome.REPLIED, text.encode())
        return told

    # -- a chip in its slot, or in its field

    def present_chip(self, chip: Device | None, task: Task = Task.REGISTER) -> tuple[Told, list[bytes]]:
        """One presentation of a chip to its end, and every command that came to it; None: there is none. That it comes to an end
        is a check."""
        link = None if chip is None else DirectLink(chip, VirtualClock(self.reader.now_ns()))
        commands: list[bytes] = []
        said = self._asked("a card", lambda: self.reader.begin(task, None if chip is None else chip.power_on))
        for _ in range(MOST_STEPS):
            if isinstance(said, Told):
                if chip is None and self._from_outside:  # that it looked is seen by its word alone
                    self._note(Wants("card", b"", "find card", 0.0), Outcome.GONE, None)
                return said, commands
            attempt = Attempt(Outcome.GONE, 0) if link is None else link.attempt(said.message, said.timeout_s)
            if said.message:
                commands.append(said.message)
            self._note(said, attempt.outcome, attempt.reply)
            said = self._asked("an answer", partial(self.reader.answer, attempt.outcome, attempt.reply))
        self.expect("the presentation comes to an end", False, f"{MOST_STEPS} steps at most", "another")
        raise AssertionError("unreachable")

    def take_out(self, role: str) -> None:
        """The reader's own SAM or professional's card is taken out, before it is switched on."""
        if not hasattr(self.reader, "take_out"):
            self.not_applicable("nobody takes its SAM or its professional's card out")
        made_up: Any = self.reader
        made_up.take_out(role)

    # -- over Bluetooth, value by value

    def scripted(self, script: Script | None = None) -> ScriptedCard:
        """Another scripted card."""
        self._presented += 1
        return ScriptedCard(self.world, self.channel, f"{self.name} {self._presented}", script or Script())

    def takes(self, mode: Mode) -> bool:
        """Whether its maker declares that mode; who declares nothing is held to both."""
        return named(mode) in self.declared.get("ble_modes", MODES)  # type: ignore[operator]

    def held_before(self, card: ScriptedCard, mode: Mode, mtu: int = WANTED_MTU) -> Peer | Told:
        """The card's code is held before the reader: the other end, which has not begun, or what the reader says. The case is
        not applicable in a mode that is not declared, and where the bench has no part in the values."""
        if not self.takes(mode):
            self.not_applicable(f"declared: ble_modes without {named(mode)}, and the case is of it")
        if not hasattr(self.reader, "radio"):
            self.not_applicable("the way to it carries whole messages: what is said value by value is its Bluetooth stack's")
        made_up: Any = self.reader
        self.give_lists()
        found = self._asked("a code over the air", lambda: made_up.radio(card.shown.qr_text(), mode))
        if isinstance(found, Told):
            self._note(Wants("screen", SCAN, "scan QR code", 0.0), Outcome.REPLIED, card.shown.qr_text().encode())
            return found
        role = gatt_role(mode, Side.READER)
        return Peer(self, found, mode, role, card.shown.key_bytes, mtu, mtu_matters=mtu != WANTED_MTU)

    def radio(self, mode: Mode, *, mtu: int = WANTED_MTU) -> tuple[Peer, ScriptedCard, UUID]:
        """A right card before it, met in this mode: the other end, the card, and the service that its engagement names."""
        card = self.scripted()
        if self._from_outside:  # it would choose between two
            service = parse(card.shown.method(BLE)).service(mode)
            only = BleOptions(service, None) if mode is Mode.PERIPHERAL_SERVER else BleOptions(None, service)
            card = self.scripted(Script(methods=[only.method()]))
        peer = self.held_before(card, mode, mtu)
        if isinstance(peer, Told):
            self.expect("the reader looks for the card", False, "a connection", peer.code)
            raise AssertionError("unreachable")
        service = parse(card.shown.method(BLE)).service(mode)
        assert service is not None
        return peer, card, service

    def told_on_air(self) -> Told:
        """What the reader said of the card that it met over the air; that it said something is a check."""
        made_up: Any = self.reader
        told: Told | None = self._asked("a card over the air", made_up.told_on_air)
        self.expect("the reader says how it ended", told is not None, "a code", "nothing")
        assert told is not None
        return told

    def _asked(self, what: str, do: Callable[[], T]) -> T:
        """That the reader comes back is a check."""
        try:
            return do()
        except TimeoutError as e:
            self.silent = True
            self.expect(f"the reader takes {what}", False, "an answer", str(e) or "silence")
            raise AssertionError("unreachable") from None

    def present(self, task: Task = Task.REGISTER, script: Script | None = None) -> tuple[Told, ScriptedCard]:
        """One presentation to its end. That it comes to one is a check."""
        card, turnaround = self.scripted(script), Turnaround(self.channel)
        self.turnarounds.append(turnaround)
        if hasattr(self.reader, "leads"):
            self.reader.leads(card.leads_to)
        said = self._asked("a card", lambda: self.reader.begin(task, lambda: card.atr))
        for _ in range(MOST_STEPS):
            if isinstance(said, Told):
                turnaround.told(said)
                if self._from_outside or not hasattr(self.reader, "radio"):  # of a virtual one it is known what comes next
                    self.need("the medium did what the case wants", not card.script.fate or bool(card.cut), said.code)
                return said, card
            self.expect("it waits no longer than it may", said.timeout_s <= LONGEST_S, LONGEST_S, said.timeout_s)
            before = len(card.requests)
            outcome, reply = card.answer(said)
            turnaround.took(said, card.requests[before:], reply)
            self._note(said, outcome, reply)
            said = self._asked("an answer", partial(self.reader.answer, outcome, reply))
        self.expect("the presentation comes to an end", False, f"{MOST_STEPS} steps at most", "another")
        raise AssertionError("unreachable")

    def _note(self, wants: Wants, outcome: Outcome, reply: bytes | None) -> None:
        self.rows.append(ExchangeRow(
            replication=0, visit="", session=self.name, flow="conform", step=wants.step, role=self.role, channel=self.channel,
            device="scripted card", provenance="presented", at_ns=self.reader.now_ns(), duration_ns=wants.after_ns,
            outcome=outcome.value, request=wants.message, reply=reply or b"", request_bytes=len(wants.message),
            reply_bytes=-1 if reply is None else len(reply), status="", fault="", sent_ns=-1,
        ))

    def done(self, told: Told) -> None:
        """It has done what it was to do."""
        self.equal("what the reader says", (told.code, told.text), ("0", ""))

    def told(self, told: Told, code: str) -> None:
        """It ended with this code, 0 when it is done; one whose maker declares that it tells none has done it or not."""
        if self.declared.get("codes", True):
            self.equal("code", told.code, code)
        elif code == "0":
            self.done(told)
        else:
            self.expect("it refuses", told.code != "0", f"a refusal ({code})", "it is done")

    def refused(self, told: Told, code: str) -> None:
        """It has refused, with this code, and told nothing of the card."""
        self.told(told, code)
        self.equal("what it tells of the card", told.card_no, "")

    def right(self) -> ScriptedCard:
        """A right card is taken after whatever was before."""
        told, card = self.present()
        self.done(told)
        return card


def other_session(world: World) -> InSession:
    """Another session, of another time and place."""
    device, reader = (world.private("session", "other", side) for side in ("device", "reader"))
    shown = engagement.make(device.public_key())
    return InSession("other", shown, device, reader, Transcript(shown.raw, session.key_bytes(reader.public_key())))


@lru_cache(maxsize=4)
def reader_lists(world: World) -> list[bytes]:
    """The status lists of the vectors, as the data centre of that world would hand them out."""
    made = Vectors()
    add_lists(made, world)
    return [made.files[CARDS], made.files[GRANTS]]


def _tester(reader: ReaderUnderTest, world: World, name: str) -> ReaderTester:
    return ReaderTester(reader, world, name, reader.channel)  # type: ignore[attr-defined]


def present(reader: ReaderTester, number: int, write: bool) -> None:
    """A registration; and where the reader may be told to write, a record written."""
    del number
    reader.give_lists()
    told, _ = reader.present()
    reader.done(told)
    if not write:
        return
    try:
        told, _ = reader.present(Task.WRITE, storing())
    except CannotShow as e:
        if e.open:
            raise
    else:
        reader.done(told)


def times(reader: ReaderTester, broke: bool) -> dict[Segment, int]:
    """The samples of :func:`present`. Of one that broke off only the silence of the reader is one, if that was why."""
    if not reader.turnarounds:
        return {}
    if broke:
        return {reader.turnarounds[-1].awaited: SILENT_NS} if reader.silent else {}
    registered, *written = reader.turnarounds
    found: dict[Segment, int] = {segment: ns for segment, ns in registered.ns.items() if segment is not Segment.FOUND}
    seen_ns = getattr(reader.reader, "found_ns", registered.ns.get(Segment.FOUND))
    if seen_ns is not None:
        found[Segment.FOUND] = seen_ns
    for one in written:
        found.update({segment: ns for segment, ns in one.ns.items() if segment is Segment.WRITTEN})
    return found


TIMING = Timing(
    ("ble", "nfc", "contact"), lambda world, channel, name: ReferenceReader(world, channel, name, timed=True), present,
    times=times,
)

SUITE = Suite(
    Kind.READER, ("ble", "nfc", TAP, "contact"), ReferenceReader, _tester,
    (
        "virtual_devices.reader.proximity",
        # what has to do with the card that is presented; what the desk signs and how much it has to say is its own affair
        *(f"virtual_devices.reader.wallet_visit:{name}" for name in (
            "register_wallet", "read_medical_wallet", "write_wallet", "read_prescriptions_wallet", "identify", "_on_behalf",
            "_signed", "_lookup", "_same")),
        *(f"virtual_devices.reader.write_back:{name}" for name in ("target_of", "write", "write_shown", "_why")),
        "virtual_devices.reader.nfc", "virtual_devices.reader.shown_records", "virtual_devices.mdoc.response",
        "virtual_devices.mdoc.mso", "virtual_devices.authorization_check", "virtual_devices.qr.check", "virtual_devices.qr.card",
        "virtual_devices.status_list",
    ), TIMING, frozenset({TAP, "contact"}),
)

__all__ = [
    "LONGEST_S", "OWN_LISTS", "SUITE", "ReaderTester", "ReaderUnderTest", "Script", "ScriptedCard", "Task", "Told",
    "other_session", "reader_lists",
]
