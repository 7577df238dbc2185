"""The insurance data centre (健保署資料中心, IDC) as a pure domain: people, visits, uploads. No bytes, no signatures.

Every act that changes something carries the asker's own id for it, so that an act repeated after a lost answer is found
again and not done twice. Codes are the field's, of the space ``cshis``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from virtual_devices.clock import NS, parse_roc, roc_date7, roc_datetime13
from virtual_devices.cloud.gathering import Gathering, Stored

OK = "0"
NOT_INSURED, RESTRICTED, UNKNOWN_CARD, CANCELLED, EXPIRED = "5012", "9129", "9012", "5002", "5003"
NO_UPDATE_DUE, NO_UPDATE_CANCELLED = "9081", "9082"
SIZE_MISMATCH, NO_SUCH_VISIT, NOT_NUMERIC, OTHER_INSTITUTION = "9070", "5150", "5151", "5152"
ALREADY_ROLLED_BACK, TOO_LATE = "5153", "5154"
NOT_GIVEN, ANOTHER_REQUEST = "5007", "9002"  # no number left this year; an id that belongs to another request
UPLOAD_DEADLINE_S = 86_400
ROLL_BACK_WINDOW_S = 86_400
VISITS_PER_UPDATE = 6
UPDATE_WHEN_AT_MOST = 3  # manual 3.3: more than three visits left, no update
VIRTUAL_SEQUENCE_MAX = 999
SAME_BEGINNING_S = 600  # a visit begun here whose answer was lost, and the record of one begun offline: the same, so close


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
    virtual_visits: int = 0  # sequence numbers given to the virtual card in ``virtual_year`` (W001 to W999)
    virtual_year: str = ""  # ROC


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
    ended_ns: int = -1  # as its record says
    stored_ns: int = -1
    settled_by: bytes = b""  # key of the record; one without identifier settles a visit by card, place and time only
    guessed: bool = False

    @property
    def due_ns(self) -> int:
        """24 hours after its end; after its beginning, as long as nobody has told of its end."""
        return (self.begun_ns if self.ended_ns < 0 else self.ended_ns) + UPLOAD_DEADLINE_S * NS


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
    rolled_back: bool = False  # 退掛: the number was given, the visit did not take place


@dataclass(frozen=True, slots=True)
class Late:
    """A visit whose record is not there after its time, or came after it."""

    identifier: str  # "" when it was begun offline
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
        self.records: dict[tuple[str, bytes], VisitRecord] = {}  # by institution and key
        self.stored_ns: dict[tuple[str, bytes], int] = {}
        self.gathering = Gathering()
        self._begun: dict[tuple[str, bytes], str] = {}
        self._visits_at: dict[tuple[str, str], list[Visit]] = {}  # by card number and institution
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

    def card_update(self, card_no: str, visits_left: int, at_ns: int, expiry_date: str = "") -> tuple[str, bytes]:
        """Code, and the 13 bytes of the card's insurance cell from cancel mark to visits left.

        Due when few visits are left, or when the card's ``expiry_date`` (ROC) is earlier than the person's here.
        """
        person = self.people.get(card_no)
        if person is None:
            return UNKNOWN_CARD, b""
        if person.card_cancelled:
            return NO_UPDATE_CANCELLED, b""
        if person.insurance is not Insurance.INSURED:
            return "9083" if person.insurance is Insurance.NOT_INSURED else person.insurance.value, b""
        if visits_left > UPDATE_WHEN_AT_MOST and not ("" < expiry_date < person.expiry_date):
            return NO_UPDATE_DUE, b""
        return OK, f"101{person.identity_mark}{person.expiry_date}{VISITS_PER_UPDATE:02d}".encode("ascii")

    # -- visits

    def begin_visit(
        self, request_id: bytes, card_no: str, institution: str, visit_type: str, at_ns: int, *, virtual: bool = False,
    ) -> tuple[str, Visit | None]:
        """Check eligibility and give the visit its identifier; a virtual card also gets its sequence number here.

        The same request again gives the same visit; 9002 when the id belongs to another, 5153 when the visit was rolled back.
        """
        known = self._begun.get((institution, request_id))
        if known is not None:
            visit = self.visits[known]
            if (visit.card_no, visit.visit_type) != (card_no, visit_type):
                return ANOTHER_REQUEST, None
            return (ALREADY_ROLLED_BACK, None) if visit.rolled_back else (OK, visit)
        code = self.eligibility(card_no, institution, at_ns)
        if code != OK:
            return code, None
        sequence = self._virtual_number(self.people[card_no], roc_date7(at_ns)[:3]) if virtual else ""
        if virtual and not sequence:
            return NOT_GIVEN, None
        day = card_no, roc_date7(at_ns)
        same_day = self._days.get(day, 0) > 0
        self._days[day] = self._days.get(day, 0) + 1
        identifier = f"{roc_datetime13(at_ns)}{len(self.visits) + 1:07d}"
        visit = Visit(identifier, card_no, institution, visit_type, at_ns, sequence, same_day)
        self.visits[identifier] = visit
        self._visits_at.setdefault((card_no, institution), []).append(visit)
        self._begun[(institution, request_id)] = identifier
        return OK, visit

    def _virtual_number(self, person: Person, year: str) -> str:
        """The next of W001 to W999; each year begins anew. Empty when none is left."""
        if person.virtual_year != year:
            person.virtual_year, person.virtual_visits = year, 0
        if person.virtual_visits >= VIRTUAL_SEQUENCE_MAX:
            return ""
        person.virtual_visits += 1
        return f"W{person.virtual_visits:03d}"

    def roll_back(self, identifier: str, institution: str, at_ns: int, sequence: str = "") -> str:
        """退掛 at the data centre's side: same rules as on the card. ``sequence``: the number that the card will not give
        again, so that it is not taken for a visit nobody told of."""
        visit = self.visits.get(identifier)
        if visit is None:
            return NO_SUCH_VISIT
        if not (visit.visit_type.isascii() and visit.visit_type.isdigit()):
            return NOT_NUMERIC
        if visit.institution != institution:
            return OTHER_INSTITUTION
        if visit.rolled_back:
            return ALREADY_ROLLED_BACK
        if not 0 <= at_ns - visit.begun_ns <= ROLL_BACK_WINDOW_S * NS:
            return TOO_LATE
        visit.rolled_back = True
        self._days[(visit.card_no, roc_date7(visit.begun_ns))] -= 1
        self._tell(visit.card_no, roc_date7(visit.begun_ns)[:3], sequence)
        return OK

    def _tell(self, card_no: str, year: str, sequence: str) -> None:
        if len(sequence) == 4 and sequence.isascii() and sequence.isdigit():
            self._told.setdefault((card_no, year), set()).add(int(sequence))

    # -- uploads

    def store(self, record: VisitRecord, at_ns: int) -> Stored:
        """Store one visit's record once. The same key with another content is refused, and the first stays; so is a second
        record of one visit, and one that names a visit of another card or institution."""
        name = record.institution, record.key
        known = self.records.get(name)
        if known is not None:
            return Stored.ALREADY if known == record else Stored.CONFLICT
        visit = self._visit_of(record)
        if record.identifier and (visit is None or (visit.stored_ns >= 0 and not visit.guessed)):
            return Stored.CONFLICT
        self.records[name] = record
        self.stored_ns[name] = at_ns
        if visit is not None:
            visit.stored_ns, visit.ended_ns, visit.settled_by = at_ns, record.ended_ns, record.key
            visit.guessed = not record.identifier
            visit.sequence = visit.sequence or record.sequence
            if record.rolled_back and not visit.rolled_back:
                visit.rolled_back = True
                self._days[(visit.card_no, roc_date7(visit.begun_ns))] -= 1
        self._tell(record.card_no, record.visited_at[:3], record.sequence)
        return Stored.STORED

    def _visit_of(self, record: VisitRecord) -> Visit | None:
        """The visit that a record tells of: by its identifier; without one, a visit begun here at that time, whose answer
        never reached the desk."""
        own = (record.card_no, record.institution)
        if record.identifier:
            visit = self.visits.get(record.identifier)
            return visit if visit is not None and (visit.card_no, visit.institution) == own else None
        at_ns = parse_roc(record.visited_at)
        near = [
            visit for visit in self._visits_at.get(own, ())
            if visit.stored_ns < 0 and not visit.rolled_back and abs(visit.begun_ns - at_ns) <= SAME_BEGINNING_S * NS
        ]
        return min(near, key=lambda visit: abs(visit.begun_ns - at_ns), default=None)

    def late(self, at_ns: int) -> list[Late]:
        """Every visit whose record came after 24 hours, or has not come and its time is over; those begun offline too, once
        their record is there (until then only :meth:`gaps` can show them)."""
        found = []
        settled = set()
        for visit in self.visits.values():
            settled.add((visit.institution, visit.settled_by))
            over = visit.stored_ns > visit.due_ns or (visit.stored_ns < 0 and at_ns > visit.due_ns)
            if over and not visit.rolled_back:
                found.append(Late(visit.identifier, visit.card_no, visit.institution, visit.due_ns, visit.stored_ns))
        for name, record in self.records.items():
            due_ns = record.ended_ns + UPLOAD_DEADLINE_S * NS
            if name not in settled and self.stored_ns[name] > due_ns:
                found.append(Late("", record.card_no, record.institution, due_ns, self.stored_ns[name]))
        return found

    def gaps(self) -> list[Gap]:
        """Holes in the sequence numbers of a card: visits begun offline whose records never came."""
        found = []
        for (card_no, year), numbers in sorted(self._told.items()):
            missing = tuple(n for n in range(min(numbers), max(numbers)) if n not in numbers)
            if missing:
                found.append(Gap(card_no, year, missing))
        return found


__all__ = ["DataCentre", "Gap", "Insurance", "Late", "Person", "Stored", "Visit", "VisitRecord"]
