"""A prescription (處方箋) as a document: the same from the physician's screen to the wallet, the QR code, the pharmacy and the
data centre.

It is the content of a record (``write_back.py``), signed by the physician's professional card and the institution's SAM:

    fields = {1: institution's code, 2: [1*60 entry], 3: last day to dispense, uint YYYYMMDD,
              ? 4: class, ? 5: issues, ? 6: days of each issue, ? 7: card number, ? 8: visit's identifier,
              ? 9: SHA-256 of the signed record that this one follows}
    entry  = [order type, item code, site, usage, days, total in tenths, delivery mark]   (card layout, 醫1-2-1 to 1-2-7)

What has its usual value (class A, one issue, the rest empty) is left out, so that one document has one encoding. An amendment
is a whole document of kind "amend" that names the one it takes the place of (6) and its hash (field 9); so is a cancellation,
with fields 1, 9 and 10 (the reason).

The entry is the field's (official); the classes are public (upload format 2.0, D04); the rest is the bench's profile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

from virtual_devices.errors import PeerError
from virtual_devices.write_back import HASH_BYTES, Kind, Record

MAX_ENTRIES, MAX_ISSUES = 60, 9
INSTITUTION, ENTRIES, LAST_DAY, CLASS, ISSUES, DAYS, CARD_NO, VISIT, FOLLOWS, REASON = range(1, 11)
_FIELDS = frozenset(range(INSTITUTION, FOLLOWS + 1))


class MalformedPrescription(PeerError, ValueError):
    """A record whose fields are not those of its kind."""


class PrescriptionClass(Enum):
    """處方種類 (D04): the letters of upload format 2.0 and of the TW EMPD guide."""

    ORDINARY = "A"  # 一般處方箋
    CHRONIC = "B"  # 慢性病處方箋
    REFILL = "C"  # 慢性病連續處方箋
    CONTROLLED = "D"  # 管制藥品專用處方箋(一般)
    CONTROLLED_CHRONIC = "E"  # 管制藥品專用處方箋(慢箋)
    CONTROLLED_REFILL = "F"  # 管制藥品專用處方箋(慢連箋)

    @property
    def refill(self) -> bool:
        """Dispensed in several issues."""
        return self in (PrescriptionClass.REFILL, PrescriptionClass.CONTROLLED_REFILL)

    @property
    def controlled(self) -> bool:
        """Controlled drugs (管制藥品): the recipient signs too."""
        return self.value in "DEF"


@dataclass(frozen=True, slots=True)
class Entry:
    """One order. ``total_tenths``: the quantity in tenths, as the field writes one decimal."""

    order_type: str
    item_code: str
    site: str
    usage: str
    days: int
    total_tenths: int
    delivery_mark: str

    def value(self) -> list[Any]:
        return [
            self.order_type, self.item_code, self.site, self.usage, self.days, self.total_tenths, self.delivery_mark,
        ]

    @property
    def drug(self) -> bool:
        """Order types 1 and 2: drugs, not long-term and long-term (A72, official)."""
        return self.order_type in ("1", "2")

    @property
    def released(self) -> bool:
        """Handed to a pharmacy (02, 04, 06), not dispensed or done at the institution (01, 03, 05)."""
        return self.delivery_mark in ("02", "04", "06")


@dataclass(frozen=True, slots=True)
class Prescription:
    """``device``: the holder's card, virtual or physical (``write_back.holder_of``). ``last_day``: in Taiwan's calendar,
    dispensing included. ``issues``: how often it is dispensed, ``days``: how long one issue lasts. ``amends`` and ``follows``:
    id and hash of the signed record whose place it takes, ``b""`` for a first one."""

    id: bytes
    device: bytes
    issued_ns: int
    institution: str
    entries: tuple[Entry, ...]
    last_day: date
    kind: PrescriptionClass = PrescriptionClass.ORDINARY
    issues: int = 1
    days: int = 0
    card_no: str = ""
    visit: str = ""
    amends: bytes = b""
    follows: bytes = b""

    def record(self) -> Record:
        fields: dict[int, Any] = {
            INSTITUTION: self.institution, ENTRIES: [e.value() for e in self.entries], LAST_DAY: day_number(self.last_day),
        }
        letter = "" if self.kind is PrescriptionClass.ORDINARY else self.kind.value
        issues = 0 if self.issues == 1 else self.issues
        rest = {CLASS: letter, ISSUES: issues, DAYS: self.days, CARD_NO: self.card_no, VISIT: self.visit, FOLLOWS: self.follows}
        fields |= {number: value for number, value in rest.items() if value}
        what, amends = (Kind.AMEND, self.amends) if self.amends else (Kind.PRESCRIPTION, None)
        return Record(what, self.id, self.device, self.issued_ns, fields, amends)

    @property
    def released(self) -> bool:
        """Some of it is for a pharmacy."""
        return any(entry.released for entry in self.entries)

    @property
    def total_days(self) -> int:
        return self.days * self.issues


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What is left to dispense is void (註銷). ``follows``: the hash of the signed record ``cancels``."""

    id: bytes
    device: bytes
    at_ns: int
    institution: str
    cancels: bytes
    follows: bytes
    reason: str = ""

    def record(self) -> Record:
        fields = {INSTITUTION: self.institution, FOLLOWS: self.follows} | ({REASON: self.reason} if self.reason else {})
        return Record(Kind.CANCEL, self.id, self.device, self.at_ns, fields, self.cancels)


# -- reading

def read_prescription(record: Record) -> Prescription:
    """The document in a record of kind "rx" or "amend". Raises MalformedPrescription."""
    if record.kind not in (Kind.PRESCRIPTION, Kind.AMEND):
        raise MalformedPrescription(f"a record of kind {record.kind.value}")
    fields = record.fields
    needed = {INSTITUTION, ENTRIES, LAST_DAY} | ({FOLLOWS} if record.kind is Kind.AMEND else set())
    if not needed <= set(fields) <= _FIELDS or (FOLLOWS in fields) != (record.kind is Kind.AMEND):
        raise MalformedPrescription("the prescription's fields are not those of the profile")
    entries = fields[ENTRIES]
    if not isinstance(entries, (list, tuple)) or not 1 <= len(entries) <= MAX_ENTRIES:
        raise MalformedPrescription(f"a prescription has 1 to {MAX_ENTRIES} entries")
    return Prescription(
        record.id, record.holder, record.at_ns, text_in(fields, INSTITUTION, "the institution", empty=True),
        tuple(_entry(e) for e in entries), _day(fields[LAST_DAY]), _class(fields), _count(fields),
        _number(fields, DAYS, 999, "the days of an issue"), text_in(fields, CARD_NO, "the card number", optional=True),
        text_in(fields, VISIT, "the visit", optional=True), record.amends or b"",
        hash_in(fields, FOLLOWS, "what it follows") if FOLLOWS in fields else b"",
    )


def read_cancellation(record: Record) -> Cancellation:
    """Raises MalformedPrescription."""
    if record.kind is not Kind.CANCEL or not {INSTITUTION, FOLLOWS} <= set(record.fields) <= {INSTITUTION, FOLLOWS, REASON}:
        raise MalformedPrescription("the fields are not those of a prescription's cancellation")
    assert record.amends is not None
    return Cancellation(
        record.id, record.holder, record.at_ns, text_in(record.fields, INSTITUTION, "the institution", empty=True), record.amends,
        hash_in(record.fields, FOLLOWS, "what it follows"), text_in(record.fields, REASON, "the reason", optional=True),
    )


def text_in(fields: Any, number: int, what: str, *, optional: bool = False, empty: bool = False) -> str:
    """The text of a field. ``optional``: "" when it is left out, which it must be when empty. Raises MalformedPrescription."""
    value = fields.get(number, "") if optional else fields.get(number)
    if not isinstance(value, str) or (not value and not empty and (not optional or number in fields)):
        raise MalformedPrescription(f"{what} is no text")
    return value


def hash_in(fields: Any, number: int, what: str, length: int = HASH_BYTES) -> bytes:
    """So many bytes in a field. Raises MalformedPrescription."""
    value = fields.get(number)
    if not isinstance(value, bytes) or len(value) != length:
        raise MalformedPrescription(f"{what} has not {length} bytes")
    return value


def day_number(day: date) -> int:
    """YYYYMMDD, as the profile writes days."""
    return day.year * 10_000 + day.month * 100 + day.day


def _day(value: object) -> date:
    if type(value) is not int or not 0 < value < 100_000_000:
        raise MalformedPrescription("the last day is not YYYYMMDD")
    try:
        return date(value // 10_000, value // 100 % 100, value % 100)
    except ValueError:
        raise MalformedPrescription("the last day is no date") from None


def _class(fields: Any) -> PrescriptionClass:
    if CLASS not in fields:
        return PrescriptionClass.ORDINARY
    value = fields[CLASS]
    known = isinstance(value, str) and value in {c.value for c in PrescriptionClass}
    if not known or value == PrescriptionClass.ORDINARY.value:
        raise MalformedPrescription("the class is none of B to F, and A is left out")
    return PrescriptionClass(value)


def _count(fields: Any) -> int:
    if ISSUES not in fields:
        return 1
    issues = _number(fields, ISSUES, MAX_ISSUES, "the number of issues")
    if issues == 1:
        raise MalformedPrescription("one issue is left out")
    return issues


def _number(fields: Any, number: int, most: int, what: str) -> int:
    if number not in fields:
        return 0
    value = fields[number]
    if type(value) is not int or not 1 <= value <= most:
        raise MalformedPrescription(f"{what} is not 1 to {most}")
    return value


def _entry(value: object) -> Entry:
    if not isinstance(value, (list, tuple)) or [type(v) for v in value] != [str, str, str, str, int, int, str]:
        raise MalformedPrescription("an entry is not that of the profile")
    entry = Entry(*value)
    if not 0 <= entry.days <= 999 or not 0 <= entry.total_tenths < 1_000_000:
        raise MalformedPrescription("an entry's days or quantity are out of range")
    return entry


__all__ = [
    "Cancellation", "Entry", "MAX_ENTRIES", "MalformedPrescription", "Prescription", "PrescriptionClass", "read_cancellation",
    "read_prescription",
]
