"""The reference reader under test: a desk with its security module and professional's card, run one exchange at a time.

What it wants of the card that is presented to it goes out as a :class:`Wants`, and comes back by :meth:`ReferenceReader.answer`;
what its own chips and its data centre are for happens inside.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from conformance.chips import USUAL
from conformance.references.hpc import PIN
from conformance.references.hpc import reference_hpc as hpc_of
from conformance.references.radio import RadioEnd
from conformance.references.reader_time import ReaderTime
from conformance.references.sam import reference_sam as sam_of_world
from conformance.town import HOLDER
from conformance.vectors.codes import READER
from conformance.vectors.world import CARD_NO, INSTITUTION, World
from virtual_devices.authorization import Purpose, Scope
from virtual_devices.clock import VirtualClock, roc_datetime13
from virtual_devices.cloud.core import DataCentre, Person
from virtual_devices.cloud.service import DataCentreDevice
from virtual_devices.flow import Ask, Connect, Exchange, Flow, PromptPeople, Session, Sleep, do_exchange, run
from virtual_devices.link import Attempt, DirectLink, Outcome, Provenance, Work
from virtual_devices.mdoc import engagement
from virtual_devices.mdoc.ble import BleLink
from virtual_devices.mdoc.ble_gatt import Mode, Side
from virtual_devices.mdoc.ble_options import MalformedBleOptions, parse
from virtual_devices.qr.challenge import Challenge, new_challenge
from virtual_devices.qr.check import Issuers, QrReader
from virtual_devices.reader.authenticate import insert_hpc, open_sam
from virtual_devices.reader.desk import Desk, Institution
from virtual_devices.reader.presentation import FIRST_GENERATION, Counter, Medium
from virtual_devices.reader.transmit import Ended, Handle
from virtual_devices.reader.visit import VisitRequest, open_card
from virtual_devices.reader.wallet_visit import (
    Person as Seen,
)
from virtual_devices.reader.wallet_visit import (
    VirtualRegistered,
    read_medical_wallet,
    read_prescriptions_wallet,
    register_wallet,
    write_wallet,
)
from virtual_devices.status_list import Status, StatusLists
from virtual_devices.write_back import Batch, Kind, Record

PRESENTED = frozenset({"wallet", "screen", "card"})
"""Roles that the card presented plays; every other one is of the reader's own."""
HOLDER_PIN = "135790"
"""What the holder of a card in the slot types."""
BATCH_ID = b"conformance 0001"
Power = Callable[[], bytes]
"""Gives a card power, or resets it: the answer to reset."""


class Task(Enum):
    """What the reader is to do with the card that is presented."""

    REGISTER = "register a visit"
    CONSULT = "read medical data, with a professional's card"
    COLLECT = "read prescriptions, at a pharmacy"
    WRITE = "write the record of a visit"


@dataclass(frozen=True, slots=True)
class Wants:
    """The next thing that the reader wants of the card: a message (empty: it begins anew), or to connect to what was engaged.
    ``timeout_s``: how long it waits; ``after_ns``: how long it took to want it, since what came before was there."""

    role: str
    message: bytes
    step: str
    timeout_s: float
    connect: bool = False
    after_ns: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Told:
    """How it ended, as the reader tells the person at it. ``code``: the field's, ``0`` when it is done; ``for_whom``: who
    presented the card for whom; ``marked``: it is left to reconciliation; ``after_ns``: as of :class:`Wants`."""

    code: str
    text: str = ""
    card_no: str = ""
    for_whom: str = ""
    marked: bool = False
    receipt: bool = False
    after_ns: int = field(default=0, compare=False)


class ReferenceReader:
    """All of it follows from ``name``. ``timed``: its own chips and its line are behind modelled media, and so is the card; else
    it takes no time. ``serves``: its Bluetooth can be the server, too."""

    def __init__(self, world: World, channel: str, name: str, *, timed: bool = False, serves: bool = True) -> None:
        self.channel = channel
        self._serves = serves
        self._timing = ReaderTime(world, channel, name) if timed else None
        self._clock = VirtualClock(world.now_ns)
        self._world, self._name = world, name
        self._flow: Generator[Any, Any, Told] | None = None
        self._lists: Sequence[bytes] = ()
        self._desk: Desk | None = None
        self._codes: QrReader | None = None
        self._challenge: Challenge | None = None
        self._links: dict[str, Any] = {}
        self._told: Told | None = None
        self._out: set[str] = set()

    # -- before anything is presented

    def at(self, now_ns: int) -> None:
        """Its clock, before it is switched on; later only ahead."""
        if self._desk is None:
            self._clock = VirtualClock(now_ns)
        else:
            self._clock.advance_to(max(now_ns, self._clock.now_ns()))

    def now_ns(self) -> int:
        return self._clock.now_ns()

    def take_lists(self, lists: Sequence[bytes]) -> None:
        """Status lists, as its data centre hands them out."""
        self._lists = lists
        if self._desk is not None:
            self._take()

    def _take(self) -> None:
        desk = self._switched_on()
        desk.institution.lists = desk.institution.lists or StatusLists(desk.root, Work())
        for raw in self._lists:
            desk.institution.lists.take(raw, desk.clock.now_ns())

    def _switched_on(self) -> Desk:
        if self._desk is None:
            world, name = self._world, self._name
            core = DataCentre()
            core.enrol(Person(CARD_NO))
            cloud = DataCentreDevice(core, world.centre, world.authority.root_der, authority=world.authority)
            chips = {"sam": sam_of_world(world, "contact", name), "hpc": hpc_of(world, "contact", name)}
            for role, chip in chips.items():
                self._links[role] = _EmptySlot() if role in self._out else chip.insert(USUAL)[role]
            self._links["cloud"] = DirectLink(cloud, self._clock, channel="network")
            if self._timing is not None:
                own = {role: chip.device(USUAL) for role, chip in chips.items()}
                self._links.update(self._timing.links(own, cloud, self._clock))
            desk = Desk("reader", Institution(INSTITUTION), world.root, self._clock, world.fresh("reader", name))
            self._own(self._open(desk))
            self._desk = desk
            self._take()
        return self._desk

    def _open(self, desk: Desk) -> Flow[None]:
        sam = yield from open_sam(desk)
        yield from insert_hpc(desk, sam)

    def _own(self, flow: Flow[Any]) -> Any:
        return run(flow, Session(self._links, self._clock, PromptPeople({"enter PIN": PIN})))

    @property
    def batches(self) -> dict[bytes, Batch]:
        """By their id: what it keeps until the receipt has come, also when it is switched off."""
        return self._switched_on().batches

    # -- a card is presented

    def take_out(self, role: str) -> None:
        """Its own ``sam`` or ``hpc`` is not in its slot, before it is switched on."""
        self._out.add(role)

    def begin(self, task: Task, power: Power | None = None) -> Wants | Told:
        """The first thing that it wants of the card, which it gives power by an empty message."""
        del power
        try:
            desk = self._switched_on()
        except Ended as e:
            return Told(e.code, e.what)
        counter = Counter(Medium(self.channel), serves=self._serves)
        self._flow = self._run(desk, counter, task)
        return self._go_on(None)

    def answer(self, outcome: Outcome, reply: bytes | None) -> Wants | Told:
        """What came of it, and the next."""
        return self._go_on(Attempt(outcome, 0, reply))

    def _go_on(self, answer: Any) -> Wants | Told:
        """Everything of its own, up to the next effect on the card."""
        assert self._flow is not None
        session = Session(self._links, self._clock, PromptPeople())
        begun_ns = self._clock.now_ns()
        try:
            while True:
                effect = self._flow.send(answer)
                match effect:
                    case Exchange() if effect.role in PRESENTED:
                        after_ns = self._after_ns(begun_ns, effect.message)
                        return Wants(effect.role, effect.message, effect.step, effect.timeout_s, after_ns=after_ns)
                    case Connect():
                        return Wants(effect.role, effect.address, effect.step, effect.timeout_s, True, self._after_ns(begun_ns))
                    case Exchange():
                        answer = do_exchange(effect, session)
                        self._clock.advance_to(self._clock.now_ns() + answer.duration_ns)
                    case Sleep():
                        self._clock.advance_to(self._clock.now_ns() + round(effect.duration_s * 1e9))
                        answer = None
                    case Ask():
                        answer = HOLDER_PIN if effect.act == "enter PIN" else ""
                    case _:
                        raise AssertionError(effect)
        except StopIteration as end:
            found: Told = end.value
            return replace(found, after_ns=self._clock.now_ns() - begun_ns)

    def _after_ns(self, begun_ns: int, message: bytes = b"") -> int:
        """What it took to want this. An empty message finds the card, before which the reader has done what it must."""
        own_ns = self._clock.now_ns() - begun_ns if message else 0
        return own_ns + (0 if self._timing is None else self._timing.way_ns(message))

    def _run(self, desk: Desk, counter: Counter, task: Task) -> Flow[Told]:
        doctor = Handle("hpc", True, False, b"")
        try:
            match task:
                case Task.REGISTER:
                    return (yield from self._register(desk, counter, doctor))
                case Task.CONSULT:
                    yield from read_medical_wallet(desk, counter, doctor, self._registered())
                    return Told("0", card_no=CARD_NO)
                case Task.COLLECT:
                    person, _, _ = yield from read_prescriptions_wallet(desk, counter, doctor)
                    return _told(person)
                case Task.WRITE:
                    yield from write_wallet(desk, counter, self._registered(), self._records, BATCH_ID, doctor)
                    return Told("0", card_no=CARD_NO, receipt=True)
        except Ended as e:
            return Told(e.code, e.what)

    def _register(self, desk: Desk, counter: Counter, doctor: Handle) -> Flow[Told]:
        """A card of the first generation in the slot proves itself to SAM and professional, as ever."""
        try:
            begun = yield from register_wallet(desk, counter, self._visit())
        except Ended as e:
            if counter.medium is not Medium.CONTACT or e.code != FIRST_GENERATION:
                raise
        else:
            return _told(begun.person)
        _, _, public = yield from open_card(desk, doctor)
        return Told("0", card_no=public.card_no)

    def _visit(self) -> VisitRequest:
        fresh = self._world.fresh("reader's visit", self._name)
        return VisitRequest(fresh(16), fresh(16), roc_datetime13(self._clock.now_ns()))

    def _registered(self) -> VirtualRegistered:
        """As if the holder had registered before."""
        seen = Seen(CARD_NO, HOLDER.holder.name, b"", b"", Status.VALID, 0)
        return VirtualRegistered(self._visit(), seen, "W001", "", "0")

    def _records(self, holder: bytes) -> Sequence[Record]:
        at_ns = self._clock.now_ns()
        fields = {1: "W001", 2: "01", 3: INSTITUTION}
        return [Record(Kind.VISIT, bytes(15) + b"\1", holder, at_ns, fields),
                Record(Kind.FEE, bytes(15) + b"\2", holder, at_ns, {1: b"fees"})]

    # -- over the air

    def radio(self, text: str, mode: Mode, task: Task = Task.REGISTER) -> RadioEnd | Told:
        """A code is held before it, and it does its task over Bluetooth in this mode, value by value: its end, or what it says
        when nothing is to be met behind that code. :meth:`told_on_air` has how it ended."""
        said = self._until_connecting(self.begin(task), text)
        self._told = None
        if isinstance(said, Told):
            self._told = said
            return said
        shown = engagement.read(said.message)
        try:
            service = parse(shown.method(engagement.BLE)).service(mode)
        except MalformedBleOptions:
            service = None
        if service is None:
            told = self.answer(Outcome.GONE, None)
            assert isinstance(told, Told)
            self._told = told
            return told
        link = BleLink(mode, Side.READER, service, shown.key_bytes)
        return RadioEnd(link, self._says, lambda: self._says(b""), self._over)

    def told_on_air(self) -> Told | None:
        """What it said of the card that it met over the air; None while it has not."""
        return self._told

    def _until_connecting(self, said: Wants | Told, text: str) -> Wants | Told:
        while isinstance(said, Wants) and not said.connect:
            said = self.answer(Outcome.REPLIED, text.encode() if said.role == "screen" and said.message else b"")
        return said

    def _over(self, by_us: bool) -> None:
        """The connection is over. To its own good-bye nothing is answered; else the card has gone."""
        if self._told is None:
            said = self.answer(Outcome.REPLIED, b"") if by_us else self.answer(Outcome.GONE, None)
            self._told = said if isinstance(said, Told) else None

    def _says(self, heard: bytes) -> bytes | None:
        """What it says next, after the connection (nothing heard) or an answer."""
        said = self.answer(Outcome.REPLIED, heard)
        self._told = said if isinstance(said, Told) else None
        return None if isinstance(said, Told) else said.message

    # -- codes

    def show_challenge(self) -> str:
        """What it shows to a phone, and from then on takes a code for."""
        self._challenge = new_challenge(READER, self._world.fresh("challenge"))
        return self._challenge.to_text()

    def scan(self, text: str, scope: frozenset[Scope], purpose: Purpose) -> Told:
        """The code of a card on a phone's screen, and what is to be done with it."""
        desk = self._switched_on()
        if self._codes is None:
            issuers = Issuers(desk.root, Work())
            issuers.take(self._world.signer.chain, desk.clock.now_ns())
            assert desk.institution.lists is not None
            self._codes = QrReader(READER, issuers, desk.institution.lists, Work())
        verdict = self._codes.check(text, desk.clock.now_ns(), self._challenge, scope=scope, purpose=purpose)
        shown = "" if verdict.shown is None or not verdict.believed else verdict.shown.data.card_no
        return Told(verdict.code.number, verdict.reason.value, shown, verdict.on_behalf, verdict.to_reconcile)


@dataclass(frozen=True)
class _EmptySlot:
    """Where no chip is."""

    channel = "contact"
    device = "virtual"
    provenance = Provenance.MODELLED

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        return Attempt(Outcome.GONE, 0)


def _told(person: Seen) -> Told:
    return Told("0", "", person.card_no, person.on_behalf, person.status is Status.UNKNOWN)


__all__ = ["PRESENTED", "Power", "ReferenceReader", "Task", "Told", "Wants"]
