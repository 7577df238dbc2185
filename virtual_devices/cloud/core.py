"""The insurance data centre (健保署資料中心, IDC) as a pure domain: people, visits, uploads. No bytes, no signatures.

Every act that changes something carries the asker's own id for it, so that an act repeated after a lost answer is found
again and not done twice. Codes are the field's, of the space ``cshis``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from virtual_devices.clock import NS, roc_date7, roc_datetime13

OK = "0"
NOT_INSURED, RESTRICTED, UNKNOWN_CARD, CANCELLED, EXPIRED = "5012", "9129", "9012", "5002", "5003"
NO_UPDATE_DUE, NO_UPDATE_CANCELLED = "9081", "9082"
SIZE_MISMATCH, NO_SUCH_VISIT, OTHER_INSTITUTION, ALREADY_ROLLED_BACK, TOO_LATE = "9070", "5150", "5152", "5153", "5154"
UPLOAD_DEADLINE_S = 86_400
ROLL_BACK_WINDOW_S = 86_400
VISITS_PER_UPDATE = 6
UPDATE_WHEN_AT_MOST = 3  # manual 3.3: more than three visits left, no update


class Insurance(Enum):
    """State of a person's insurance, with the code that refuses it."""

    INSURED = "0"
    NOT_INSURED = "5012"
    SUSPENDED = "9084"
    ENDED = "9085"


@dataclass(slots=True)
class Person:
    """An insured person, by card number. ``only_at``: the one institution, for holders restricted to it."""

    card_no: str
    insurance: Insurance = Insurance.INSURED
    card_cancelled: bool = False
    expiry_date: str = "1301231"  # ROC YYYMMDD
    identity_mark: str = "3"
    only_at: str = ""
    virtual_visits: int = 0  # sequence numbers given to the virtual card this year (W001 to W999)


@dataclass(slots=True)
class Visit:
    """A visit that the data centre knows of, by its identifier (就醫識別碼)."""

    identifier: str
    card_no: str
    institution: str
    visit_type: str
    begun_ns: int
    sequence: str = ""  # of a virtual card: given here; of a physical one: told by the upload
    same_day: bool = False
    rolled_back: bool = False
    stored_ns: int = -1


@dataclass(frozen=True, slots=True)
class VisitRecord:
    """What an upload says of one visit. ``key`` is the institution's own id of the record."""

    key: bytes
    identifier: str  # "" when the visit was begun offline
    card_no: str
    institution: str
    sequence: str
    visited_at: str  # ROC YYYMMDDHHMMSS
    ended_ns: int
    content: bytes  # the rest, as handed over


class Stored(Enum):
    """What became of an upload."""

    STORED = "stored"
    ALREADY = "already"  # the same, stored before
    PART = "part"  # a part of it, others are missing
    CONFLICT = "conflict"  # the same id with another content: refused, the first stays


@dataclass(slots=True)
class _Parts:
    digest: bytes
    total: int
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Late:
    """A visit whose record is not there after its time, or came after it."""

    identifier: str
    card_no: str
    institution: str
    due_ns: int
    stored_ns: int  # -1: still missing


@dataclass(frozen=True, slots=True)
class Gap:
    """Sequence numbers of one card that no upload has told of, between two that it has: visits missing without a trace."""

    card_no: str
    year: str
    missing: tuple[int, ...]


class DataCentre:
    """The state of the data centre and what may be done to it."""

    def __init__(self) -> None:
        self.people: dict[str, Person] = {}
        self.visits: dict[str, Visit] = {}
        self.records: dict[bytes, VisitRecord] = {}
        self.stored_ns: dict[bytes, int] = {}
        self._begun: dict[bytes, str] = {}
        self._uploads: dict[bytes, _Parts] = {}
        self._days: dict[tuple[str, str], int] = {}
        self._told: dict[tuple[str, str], set[int]] = {}

    # -- people

    def enrol(self, person: Person) -> None:
        self.people[person.card_no] = person

    def eligibility(self, card_no: str, institution: str, at_ns: int) -> str:
        """``0``, or the code that refuses."""
        person = self.people.get(card_no)
        if person is None:
            return UNKNOWN_CARD
        if person.insurance is not Insurance.INSURED:
            return str(person.insurance.value)
        if person.card_cancelled:
            return CANCELLED
        if person.only_at and person.only_at != institution:
            return RESTRICTED
        return OK

    def card_update(self, card_no: str, visits_left: int, at_ns: int) -> tuple[str, bytes]:
        """Code, and the 13 bytes of the card's insurance cell from cancel mark to visits left."""
        person = self.people.get(card_no)
        if person is None:
            return UNKNOWN_CARD, b""
        if person.card_cancelled:
            return NO_UPDATE_CANCELLED, b""
        if person.insurance is not Insurance.INSURED:
            return "9083" if person.insurance is Insurance.NOT_INSURED else person.insurance.value, b""
        if visits_left > UPDATE_WHEN_AT_MOST:
            return NO_UPDATE_DUE, b""
        return OK, f"101{person.identity_mark}{person.expiry_date}{VISITS_PER_UPDATE:02d}".encode("ascii")

    # -- visits

    def begin_visit(
        self, request_id: bytes, card_no: str, institution: str, visit_type: str, at_ns: int, *, virtual: bool = False,
    ) -> tuple[str, Visit | None]:
        """Check eligibility and give the visit its identifier; a virtual card also gets its sequence number here.

        The same ``request_id`` again gives the same visit.
        """
        known = self._begun.get(request_id)
        if known is not None:
            return OK, self.visits[known]
        code = self.eligibility(card_no, institution, at_ns)
        if code != OK:
            return code, None
        day = roc_date7(at_ns)
        same_day = self._days.get((card_no, day), 0) > 0
        self._days[(card_no, day)] = self._days.get((card_no, day), 0) + 1
        identifier = f"{roc_datetime13(at_ns)}{len(self.visits) + 1:07d}"
        visit = Visit(identifier, card_no, institution, visit_type, at_ns, same_day=same_day)
        if virtual:
            person = self.people[card_no]
            person.virtual_visits += 1
            visit.sequence = f"W{person.virtual_visits:03d}"
        self.visits[identifier] = visit
        self._begun[request_id] = identifier
        return OK, visit

    def roll_back(self, identifier: str, institution: str, at_ns: int) -> str:
        """退掛 at the data centre's side: same rules as on the card."""
        visit = self.visits.get(identifier)
        if visit is None:
            return NO_SUCH_VISIT
        if visit.institution != institution:
            return OTHER_INSTITUTION
        if visit.rolled_back:
            return ALREADY_ROLLED_BACK
        if not 0 <= at_ns - visit.begun_ns <= ROLL_BACK_WINDOW_S * NS:
            return TOO_LATE
        visit.rolled_back = True
        return OK

    # -- uploads

    def take_part(self, batch: bytes, digest: bytes, index: int, total: int, part: bytes) -> tuple[Stored, bytes]:
        """One part of an upload, in any order, any number of times. Returns the whole once all parts are there.

        ``digest`` belongs to the whole; a part that comes with another digest or total is a conflict.
        """
        gathered = self._uploads.setdefault(batch, _Parts(digest, total))
        if gathered.digest != digest or gathered.total != total or not 0 <= index < total:
            return Stored.CONFLICT, b""
        if gathered.parts.setdefault(index, part) != part:
            return Stored.CONFLICT, b""
        if len(gathered.parts) < total:
            return Stored.PART, b""
        return Stored.STORED, b"".join(gathered.parts[i] for i in range(total))

    def forget_parts(self, batch: bytes) -> None:
        """Drop what was gathered: the whole did not fit its digest, or it is stored."""
        self._uploads.pop(batch, None)

    def store(self, record: VisitRecord, at_ns: int) -> Stored:
        """Store one visit's record once. The same key with another content is refused, and the first stays."""
        known = self.records.get(record.key)
        if known is not None:
            return Stored.ALREADY if known == record else Stored.CONFLICT
        self.records[record.key] = record
        self.stored_ns[record.key] = at_ns
        visit = self.visits.get(record.identifier)
        if visit is not None and visit.card_no == record.card_no:
            visit.stored_ns = at_ns
            visit.sequence = visit.sequence or record.sequence
        if record.sequence.isdigit():
            self._told.setdefault((record.card_no, record.visited_at[:3]), set()).add(int(record.sequence))
        return Stored.STORED

    def late(self, at_ns: int) -> list[Late]:
        """Every visit known here whose record came after 24 hours, or has not come and its time is over."""
        found = []
        for visit in self.visits.values():
            due_ns = visit.begun_ns + UPLOAD_DEADLINE_S * NS
            if not visit.rolled_back and (visit.stored_ns > due_ns or (visit.stored_ns < 0 and at_ns > due_ns)):
                found.append(Late(visit.identifier, visit.card_no, visit.institution, due_ns, visit.stored_ns))
        return found

    def gaps(self) -> list[Gap]:
        """Holes in the sequence numbers of a card: visits begun offline whose records never came."""
        found = []
        for (card_no, year), numbers in sorted(self._told.items()):
            missing = tuple(n for n in range(min(numbers), max(numbers)) if n not in numbers)
            if missing:
                found.append(Gap(card_no, year, missing))
        return found
