"""A desk before a second-generation card, by contact and in the field, block by block."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from virtual_devices import vhc
from virtual_devices.apdu import Command
from virtual_devices.card.chip_costs import ASSUMED, ChipCosts
from virtual_devices.card.holder import make_holder
from virtual_devices.card.image import Personalisation
from virtual_devices.card.second import Interface, SecondCard
from virtual_devices.card.second_field import CardInField
from virtual_devices.card.second_image import personalise_second
from virtual_devices.clock import Clock, roc_date7
from virtual_devices.flow import Flow, PromptPeople, Session, run
from virtual_devices.iso_dep import Ats
from virtual_devices.iso_dep_reader import Frame, Pcd, rats
from virtual_devices.link import Attempt, DirectLink, Link, Outcome
from virtual_devices.mdoc import nfc_retrieval, type4
from virtual_devices.mdoc.mso import IssuerSigned, Validity, issue
from virtual_devices.mdoc.tagged import full_date
from virtual_devices.pki import DAY_NS, Role
from virtual_devices.randomness import ByteStream, digest, stream
from virtual_devices.reader.authenticate import insert_hpc, sam_of
from virtual_devices.reader.proximity import NfcChannel, ReaderSession, engage_nfc, open_session
from virtual_devices.reader.second_card import ContactChannel, engage_contact, what_card
from virtual_devices.reader.transmit import Handle, chip_status
from virtual_devices.write_back import Kind, Record

from .desk import AUTHORITY, CARD_NO, DOCTOR_ID, INSTITUTION, NOW_NS, SAM_ID, Bench

HOLDER_PIN, WRONG_PIN = "1357", "9999"
SELECT_RETRIEVAL = Command(0, 0xA4, 4, 0, nfc_retrieval.AID)
SELECT_TAG = Command(0, 0xA4, 4, 0, type4.AID)
LAST_SEEN_NS = NOW_NS - 40 * DAY_NS
ALLERGY = "PENICILLIN"
_HOLDER = make_holder(stream("tests", "holder"), date(2026, 3, 2))


def credential(key: Any, **more: Any) -> IssuerSigned:
    """The holder's credential, with a photograph of the size that one has."""
    basic = {
        "name": _HOLDER.name, "birth_date": full_date(_HOLDER.birth_date), "sex": _HOLDER.sex, "card_no": CARD_NO,
        "id_no": _HOLDER.id_no, "portrait": bytes(7000), vhc.HELD_UNDER: b"", **more,
    }
    elements = {vhc.BASIC: basic, vhc.MEDICAL: {"allergies": [ALLERGY]}}
    signer = AUTHORITY.issue(Role.DOCUMENT_SIGNER, "documents")
    validity = Validity(NOW_NS - 90 * DAY_NS, NOW_NS - 90 * DAY_NS, NOW_NS + 275 * DAY_NS)
    return issue(vhc.DOCTYPE, elements, key, signer, validity, ByteStream("tests", "credential"), authorised=vhc.AUTHORISED)


def second_card(profile: str = "t1", issue_to: Callable[[Any], IssuerSigned] = credential, **more: Any) -> SecondCard:
    """A card; ``more`` goes into its personalisation."""
    data = Personalisation(
        **{
            "card_no": CARD_NO, "holder": _HOLDER, "issue_date": "1100101", "expiry_date": roc_date7(NOW_NS + 700 * DAY_NS),
            "profile": profile, "last_seen_ns": LAST_SEEN_NS, **more,
        }
    )
    identity = AUTHORITY.issue(Role.PATIENT_CARD, CARD_NO)
    return SecondCard(personalise_second(data, identity, AUTHORITY.root_der, digest("tests", "card"), issue_to))


def copy_of(card: SecondCard) -> SecondCard:
    return SecondCard.from_image(card.to_image())


class FieldLink:
    """A card in the field behind ISO-DEP both ways: every APDU goes in blocks. ``frames``: what was on the air; the numbers in
    ``lost`` count both directions, and what has them is not heard by the other side."""

    channel, device, provenance = "nfc", "virtual", DirectLink.provenance

    def __init__(
        self, interface: Interface, fsdi: int = 8, lost: frozenset[int] = frozenset(), costs: ChipCosts = ASSUMED,
    ) -> None:
        self.interface, self.picc = interface, CardInField(interface, costs)
        self.frames: list[tuple[bytes, bytes | None]] = []
        self._fsdi, self._lost = fsdi, lost
        self._pcd: Pcd | None = None

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if not message:
            self.picc.field_off()
            ats = self.picc.activate(rats(self._fsdi))
            if ats is None:
                return Attempt(Outcome.GONE, 0)
            self._pcd = Pcd(Ats.parse(ats), self._fsdi)
            return Attempt(Outcome.REPLIED, 0, self.interface.atr)
        assert self._pcd is not None
        exchange = self._pcd.exchange(message)
        frame = next(exchange)
        while True:
            try:
                frame = exchange.send(self._carry(frame))
            except StopIteration as stop:
                return Attempt(Outcome.REPLIED, 0, stop.value)

    def _carry(self, frame: Frame) -> bytes | None:
        number = len(self.frames)
        answer = None if 2 * number in self._lost else self.picc.receive(frame.block)
        self.frames.append((frame.block, answer))
        return None if 2 * number + 1 in self._lost else answer


class SecondDesk:
    """A desk with SAM and physician, reader certificates of now, and one second-generation card before it."""

    def __init__(self, card: SecondCard | None = None, **more: Any) -> None:
        self.bench = Bench()
        self.card = card or second_card(**more)
        self.certify(NOW_NS)
        self.bench.run(self._morning())
        self.contact: Link = self.at(self.card.contact, self.bench.clock)
        self.field: Link = self.at(self.card.contactless, self.bench.clock)

    @staticmethod
    def at(interface: Interface, clock: Clock) -> Link:
        return DirectLink(interface, clock)

    def certify(self, at_ns: int, hours: float = 72) -> None:
        """Reader certificates of SAM and professional, from then on."""
        bench, desk = self.bench, self.bench.desk
        sam_key, hpc_key = (it.image.identity.key.public_key() for it in (bench.sam, bench.hpc))
        desk.reader_chain = AUTHORITY.renew(Role.SAM, SAM_ID, sam_key, at_ns, organisation=INSTITUTION, hours=hours)
        desk.hpc_reader_chain = AUTHORITY.renew(Role.PHYSICIAN, DOCTOR_ID, hpc_key, at_ns, hours=hours)

    def _morning(self) -> Flow[None]:
        sam = yield from sam_of(self.bench.desk)
        yield from insert_hpc(self.bench.desk, sam)

    @property
    def doctor(self) -> Handle:
        return self.bench.doctor

    def run(self, flow: Flow[Any], pin: str = HOLDER_PIN) -> Any:
        """Any flow: role "card" is the slot, role "wallet" the field. The holder answers with this PIN."""
        bench = self.bench
        links = {**bench.links(), "card": self.contact, "wallet": self.field}
        return run(flow, Session(links, bench.clock, PromptPeople({"enter PIN": pin}), bench.rows.append, status=chip_status))

    def by_contact(self) -> Flow[tuple[Handle, ReaderSession]]:
        found = yield from what_card(self.bench.desk)
        engaged = yield from engage_contact(found.handle)
        opened = yield from open_session(self.bench.desk, engaged, ContactChannel.of(found.handle, engaged))
        return found.handle, opened

    def in_field(self) -> Flow[tuple[Handle, ReaderSession]]:
        self.card.contact.power_off()  # out of the slot
        engaged = yield from engage_nfc(self.bench.desk.fresh)
        limits = engaged.nfc_limits()
        assert limits is not None
        opened = yield from open_session(self.bench.desk, engaged, NfcChannel(*limits))
        return Handle("wallet", True, False, self.card.contactless.atr), opened


MEDIA = ("T=1", "T=0", "field", "blocks")


def desk_at(medium: str, **more: Any) -> SecondDesk:
    """A desk whose card is met by that medium. ``open_by`` then opens the session."""
    desk = SecondDesk(profile="t0" if medium == "T=0" else "t1", **more)
    if medium == "blocks":
        desk.field = FieldLink(desk.card.contactless)
    return desk


def open_by(desk: SecondDesk, medium: str) -> Flow[tuple[Handle, ReaderSession]]:
    return desk.by_contact() if medium.startswith("T=") else desk.in_field()


def record(name: str, holder: bytes, kind: Kind = Kind.VISIT, at_ns: int = NOW_NS, amends: bytes | None = None) -> Record:
    return Record(kind, digest("tests", name)[:16], holder, at_ns, {1: "J069", 2: name}, amends)


__all__ = [
    "MEDIA", "FieldLink", "SecondDesk", "copy_of", "credential", "desk_at", "open_by", "record", "second_card",
]
