"""A patient card (健保IC卡) under test: what a reader, a SAM and a professional's card say to it.

Acts to be written are made here as the profile has them (``80 DA 01 00``); the reference device reads them by its own code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count

from conformance.case import Kind
from conformance.chips import USUAL, ChipTester, ChipUnderTest, MadeUp, identity
from conformance.kinds import Suite
from conformance.latency import Timing
from conformance.references.card import PROFILES, reference_card, timed_card
from conformance.vectors.world import CARD_NO, DOCTOR_ID, INSTITUTION, NOW_NS, PHARMACIST_ID, World
from virtual_devices import pki, tlv
from virtual_devices.apdu import Command
from virtual_devices.authentication import Party
from virtual_devices.card import writes
from virtual_devices.card.areas import BY_NAME
from virtual_devices.clock import NS, roc_datetime13
from virtual_devices.pki import Identity, Role
from virtual_devices.randomness import digest
from virtual_devices.records import RECORDS
from virtual_devices.segments import Segment

PUBLIC, PUBLIC_LE, CARD_NUMBER = "00CA1100020000", "00CA110002000000", "00CA000002000000"
SELECT = "00A4040010D1580000010000000000000000001100"
PUBLIC_BYTES = 57
REGISTRATION_AREAS = ("register", "last_seq", "visit", "cumulative_year", "cumulative_fee")
WHEN = roc_datetime13(NOW_NS)
THIS_YEAR, LAST_YEAR = WHEN[:3], f"{int(WHEN[:3]) - 1}"


def at(seconds: float) -> str:
    """The date-time so long after now."""
    return roc_datetime13(NOW_NS + round(seconds * NS))


class CardTester(ChipTester):
    """The desk before a patient card."""

    role = "card"
    who = Party.CARD
    own_id = CARD_NO
    takes = Party.SAM
    probe = PUBLIC

    @property
    def opened(self) -> Command:
        return self.area("basic")

    def __init__(self, chip: ChipUnderTest, world: World, name: str) -> None:
        super().__init__(chip, world, name)
        self._acts = count()

    # -- before a case's point

    def at_desk(self, made_up: MadeUp = USUAL, *, professional: Role | None = None) -> None:
        """The card is put in, a SAM has proved itself, and a professional's card where one is wanted."""
        self.insert(made_up)
        self.prove(Party.SAM)
        if professional is not None:
            self.prove(Party.HPC, self.professional(professional))

    def professional(self, role: Role) -> Identity:
        return identity(self.world, role, PHARMACIST_ID if role is Role.PHARMACIST else DOCTOR_ID)

    def identity(self) -> bytes:
        """ID number and birth date, as the card itself shows them."""
        return self.must(PUBLIC, "public data")[32:49]

    # -- reading

    def area(self, name: str, record: int = 1, *, all_from: bool = False) -> Command:
        """READ RECORD."""
        area = BY_NAME[name]
        whole = (area.count - record + 1) * area.record_bytes if all_from else area.record_bytes
        return Command(0, 0xB2, record, area.sfi << 3 | (5 if all_from else 4), le=min(whole, 256))

    def records(self, name: str) -> list[bytes]:
        """All records of an area that may be read, as one answer or in as few pieces as it takes."""
        length = BY_NAME[name].record_bytes
        whole = self.must(Command(0, 0xB2, 1, BY_NAME[name].sfi << 3 | 5, le=256), name)
        return [whole[start : start + length] for start in range(0, len(whole), length)]

    def holds(self, name: str, expected: bytes, record: int = 1) -> None:
        """That this stands in the record is a check."""
        self.equal(f"{name} {record}", self.must(self.area(name, record), f"{name} {record}"), expected)

    def memory(self, *more: str) -> dict[str, list[bytes]]:
        """What a registration changes, as it stands now, and these areas besides."""
        return {name: self.records(name) for name in (*REGISTRATION_AREAS, *more)}

    def refuses(self, acts: bytes, word: int, step: str, *more: str) -> None:
        """The acts are refused, and the card is as it was."""
        before = self.memory(*more)
        self.says(self.put(acts), word, step)
        self.equal(f"the card after {step}", self.memory(*more), before)

    # -- writing

    def put(self, acts: bytes, act_id: bytes | None = None) -> Command:
        """One command with these acts, under an id of its own unless one is given."""
        chosen = act_id or self.act_id(next(self._acts))
        return Command(0x80, 0xDA, 0x01, 0x00, tlv.encode(writes.ID, chosen) + acts, le=256)

    def act_id(self, name: object) -> bytes:
        return digest(self.name, "act", name)[:16]

    def issue(self, when: str = WHEN, **changed: str) -> bytes:
        """A new visit. ``changed``: kind, mark, recard, hospital."""
        given = {"kind": "01", "mark": " ", "recard": "1", "hospital": INSTITUTION, **changed}
        return _act(writes.ISSUE, [
            (writes.TYPE, given["kind"]), (writes.NEWBORN_MARK, given["mark"]), (writes.RECARD, given["recard"]),
            (writes.DATETIME, when), (writes.HOSPITAL, given["hospital"]),
        ])

    def diagnosis(self, when: str = WHEN, who: bytes | None = None) -> bytes:
        return self._of_visit(writes.DIAGNOSIS, when, who, [(writes.CODES, CODES)])

    def fee(self, when: str = WHEN, who: bytes | None = None, raw: bytes | None = None) -> bytes:
        return self._of_visit(writes.FEE, when, who, [(writes.FEES, fees() if raw is None else raw)])

    def prescription(self, when: str = WHEN, who: bytes | None = None, entries: Iterable[bytes] | None = None) -> bytes:
        given = [entry(when)] if entries is None else entries
        return self._of_visit(writes.PRESCRIPTION, when, who, [(writes.RX, one) for one in given])

    def _of_visit(self, tag: int, when: str, who: bytes | None, contents: Iterable[tuple[int, bytes]]) -> bytes:
        return _act(tag, [(writes.IDENTITY, self.identity() if who is None else who), (writes.DATETIME, when), *contents])

    def roll_back(self, when: str = WHEN, now: str | None = None, hospital: str = INSTITUTION) -> bytes:
        return _act(writes.ROLL_BACK, [(writes.DATETIME, when), (writes.HOSPITAL, hospital), (writes.NOW, now or at(60))])

    def other(self, tag: int, *contents: tuple[int, bytes | str], who: bytes | None = None) -> bytes:
        """What is no visit (``virtual_devices.card.entries``): every such act names the holder first."""
        return _act(tag, [(writes.IDENTITY, self.identity() if who is None else who), *contents])

    def update(self, content: bytes, challenge: bytes, signer: Identity, card_no: str = CARD_NO) -> bytes:
        """The data centre's update: ``content`` of 21 bytes, signed for this card and challenge."""
        signature = pki.sign(signer.key, writes.update_message(card_no, challenge, content))
        return _act(writes.UPDATE, [
            (writes.CONTENT, content), (writes.SIGNATURE, signature), (writes.CHAIN, signer.chain_bytes()),
        ])


def _act(tag: int, contents: Iterable[tuple[int, bytes | str]]) -> bytes:
    return tlv.encode(tag, tlv.encode_all((inner, v.encode() if isinstance(v, str) else v) for inner, v in contents))


def fees(amount: int = 450, copay: int = 50, inpatient: int = 0) -> bytes:
    """``write_fee``: fee and copay of an outpatient, fee of an inpatient."""
    return b"%08d%08d%08d%07d%07d" % (amount, copay, inpatient, 0, 0)


def entry(when: str = WHEN, order_type: str = "1", number: int = 1) -> bytes:
    """One prescription entry of the card layout."""
    return RECORDS["outpatient_rx"].pack({
        "visit_datetime": when, "order_type": order_type, "item_code": f"AC{number:08d}", "usage": "TID", "days": "07",
        "total_quantity": "00021.0", "delivery_mark": "01",
    })


def _codes() -> bytes:
    names = ("main_diagnosis", *(f"sub_diagnosis_{i}" for i in range(1, 6)))
    blank: Mapping[str, bytes] = {f"{name}_{part}": b" " for name in names for part in ("lead", "trail")}
    return RECORDS["write_code_icd10"].pack({**blank, "recard_mark": "1", "main_diagnosis": "J069"})


CODES = _codes()
"""Diagnoses to be written."""


def present(card: CardTester, number: int, write: bool) -> None:
    """Put in, its public data read; and where it may be written to, the SAM's proof and a visit that counts towards nothing."""
    card.insert()
    card.must(SELECT, "select")
    card.must(PUBLIC, "public data")
    if write:
        card.prove(Party.SAM)
        card.must(card.put(card.issue(at(number), kind="AC")), "visit")


_PROOF = ("name the SAM", "certificate of the SAM", "challenge", "proof of the SAM")
TIMING = Timing(
    tuple(PROFILES), timed_card, present,
    {"reset": Segment.FOUND, **dict.fromkeys(_PROOF, Segment.ENGAGED), "visit": Segment.WRITTEN},
)

SUITE = Suite(
    Kind.CARD, tuple(PROFILES), reference_card, CardTester,
    (
        "virtual_devices.card.ic_card", "virtual_devices.card.writes", "virtual_devices.card.entries",
        "virtual_devices.card.draft",
        "virtual_devices.card.plausible", "virtual_devices.chip", "virtual_devices.authentication",
        *(f"virtual_devices.pin:Pin.{name}" for name in ("verify", "_compare", "_change", "_enable", "_switch")),
        "virtual_devices.apdu:Command", "virtual_devices.apdu:Chainer", "virtual_devices.pki:ChainVerifier",
    ), TIMING,
)

__all__ = [
    "CARD_NUMBER", "CODES", "LAST_YEAR", "PUBLIC", "PUBLIC_BYTES", "PUBLIC_LE", "SELECT", "SUITE", "THIS_YEAR", "WHEN",
    "CardTester", "at", "entry", "fees",
]
