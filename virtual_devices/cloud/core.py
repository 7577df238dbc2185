"""The insurance data centre (健保署資料中心, IDC) as a pure domain: people, visits, uploads. No bytes, no signatures.

Every act that changes something carries the asker's own id for it, so that an act repeated after a lost answer is found
again and not done twice. Codes are the field's, of the space ``cshis``.
"""

from __future__ import annotations

from dataclasses import replace

from virtual_devices.clock import NS, parse_roc, roc_date7, roc_datetime13
from virtual_devices.cloud.books import Books, MemoryBooks
from virtual_devices.cloud.counting import next_number
from virtual_devices.cloud.gathering import Gathering, Stored
from virtual_devices.cloud.lateness import Gap, Late, Lateness
from virtual_devices.cloud.visits import (
    DAYS,
    PEOPLE,
    RECORDS,
    VISITS,
    Day,
    Insurance,
    Person,
    Visit,
    VisitRecord,
)

OK = "0"
NOT_INSURED, RESTRICTED, UNKNOWN_CARD, CANCELLED, EXPIRED = "5012", "9129", "9012", "5002", "5003"
NO_UPDATE_DUE, NO_UPDATE_CANCELLED = "9081", "9082"
SIZE_MISMATCH, NO_SUCH_VISIT, NOT_NUMERIC, OTHER_INSTITUTION = "9070", "5150", "5151", "5152"
ALREADY_ROLLED_BACK, TOO_LATE = "5153", "5154"
NOT_GIVEN, ANOTHER_REQUEST = "5007", "9002"  # no number left this year; an id that belongs to another request
ROLL_BACK_WINDOW_S = 86_400
VISITS_PER_UPDATE = 6
UPDATE_WHEN_AT_MOST = 3  # manual 3.3: more than three visits left, no update
VIRTUAL_SEQUENCE_MAX = 999


class DataCentre:
    """The state of the data centre and what may be done to it."""

    def __init__(self, books: Books | None = None) -> None:
        """``books``: where everything is kept; in memory without any."""
        self.books = books or MemoryBooks()
        self.people = self.books.shelf(PEOPLE)
        self.visits = self.books.shelf(VISITS)
        self.records = self.books.shelf(RECORDS)
        self.gathering = Gathering(self.books)
        self._days = self.books.shelf(DAYS)
        self._lateness = Lateness(self.books)

    # -- people

    def enrol(self, person: Person) -> None:
        self.people.put(person)

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
        with self.books.transaction():
            for visit in self.visits.where(institution=institution, request_id=request_id):
                if (visit.card_no, visit.visit_type) != (card_no, visit_type):
                    return ANOTHER_REQUEST, None
                return (ALREADY_ROLLED_BACK, None) if visit.rolled_back else (OK, visit)
            code = self.eligibility(card_no, institution, at_ns)
            if code != OK:
                return code, None
            sequence = self._virtual_number(card_no, roc_date7(at_ns)[:3]) if virtual else ""
            if virtual and not sequence:
                return NOT_GIVEN, None
            same_day = self._count_day(card_no, at_ns, 1) > 1
            return OK, self._begun(request_id, card_no, institution, visit_type, at_ns, sequence, same_day)

    def identify(
        self, request_id: bytes, card_no: str, institution: str, visit_type: str, at_ns: int,
    ) -> tuple[str, Visit | None]:
        """The identifier of a visit that has taken place at that time, without a line or without a card: nobody's right to
        treatment is asked, for they have been treated. The request that had begun it, when its answer was lost, finds it again.
        ``visit_type``: empty for one without a card; one begun with a card that failed afterwards becomes such a one."""
        with self.books.transaction():
            for visit in self.visits.where(institution=institution, request_id=request_id):
                if visit.card_no != card_no:
                    return ANOTHER_REQUEST, None
                if visit.rolled_back:
                    return ALREADY_ROLLED_BACK, None
                if not visit_type and not visit.sequence:
                    visit = replace(visit, visit_type="")
                    self.visits.put(visit)
                return OK, visit
            if self.people.get(card_no) is None:
                return UNKNOWN_CARD, None
            same_day = self._count_day(card_no, at_ns, 1) > 1
            return OK, self._begun(request_id, card_no, institution, visit_type, at_ns, "", same_day)

    def _begun(
        self, request_id: bytes, card_no: str, institution: str, visit_type: str, at_ns: int, sequence: str, same_day: bool,
    ) -> Visit:
        identifier = f"{roc_datetime13(at_ns)}{next_number(self.books, 'visits'):07d}"
        visit = Visit(identifier, card_no, institution, request_id, visit_type, at_ns, sequence, same_day)
        self.visits.add(visit)
        self._lateness.awaits(visit)
        return visit

    def _virtual_number(self, card_no: str, year: str) -> str:
        """The next of W001 to W999; each year begins anew. Empty when none is left."""
        person = self.people.get(card_no)
        assert person is not None  # whoever is not here is not eligible
        number = person.virtual_visits + 1 if person.virtual_year == year else 1
        if number > VIRTUAL_SEQUENCE_MAX:
            return ""
        self.people.put(replace(person, virtual_year=year, virtual_visits=number))
        return f"W{number:03d}"

    def _count_day(self, card_no: str, at_ns: int, more: int) -> int:
        """Visits of a card on that day, with these more."""
        date = roc_date7(at_ns)
        known = self._days.get(card_no, date)
        visits = more + (0 if known is None else known.visits)
        self._days.put(Day(card_no, date, visits))
        return visits

    def roll_back(self, identifier: str, institution: str, at_ns: int, sequence: str = "") -> str:
        """退掛 at the data centre's side: same rules as on the card. ``sequence``: the number that the card will not give
        again, so that it is not taken for a visit nobody told of."""
        with self.books.transaction():
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
            self.visits.put(replace(visit, rolled_back=True))
            self._lateness.rolled_back(visit)
            self._count_day(visit.card_no, visit.begun_ns, -1)
            self._lateness.tell(visit.card_no, roc_date7(visit.begun_ns)[:3], sequence)
            return OK

    # -- uploads

    def store(self, record: VisitRecord, at_ns: int) -> Stored:
        """Store one visit's record once. The same key with another content is refused, and the first stays; so is a second
        record of one visit, and one that names a visit of another card or institution."""
        with self.books.transaction():
            known = self.records.get(record.institution, record.key)
            if known is not None:
                return Stored.ALREADY if known == record else Stored.CONFLICT
            visit = self._visit_of(record)
            if record.identifier and (visit is None or (visit.stored_ns >= 0 and not visit.guessed)):
                return Stored.CONFLICT
            record = replace(record, stored_ns=at_ns)
            self.records.add(record)
            before = None
            if visit is not None:
                before = self.records.get(visit.institution, visit.settled_by) if visit.guessed else None
                visit = self._settle(visit, record)
            self._lateness.stored(record, visit, before)
            self._lateness.tell(record.card_no, record.visited_at[:3], record.sequence)
            return Stored.STORED

    def _settle(self, visit: Visit, record: VisitRecord) -> Visit:
        """The visit with what its record says of it."""
        if record.rolled_back and not visit.rolled_back:
            self._count_day(visit.card_no, visit.begun_ns, -1)
        settled = replace(
            visit, stored_ns=record.stored_ns, ended_ns=record.ended_ns, settled_by=record.key, guessed=not record.identifier,
            sequence=visit.sequence or record.sequence, rolled_back=visit.rolled_back or record.rolled_back,
        )
        self.visits.put(settled)
        return settled

    def _visit_of(self, record: VisitRecord) -> Visit | None:
        """The visit that a record tells of: by its identifier; without one, a visit begun here at that time, whose answer
        never reached the desk."""
        own = (record.card_no, record.institution)
        identifier = record.identifier or self._lateness.begun_about(*own, parse_roc(record.visited_at))
        visit = self.visits.get(identifier) if identifier else None
        return visit if visit is not None and (visit.card_no, visit.institution) == own else None

    def late(self, at_ns: int) -> list[Late]:
        """Every visit whose record came after 24 hours, or has not come and its time is over; those begun offline too, once
        their record is there (until then only :meth:`gaps` can show them)."""
        return self._lateness.late(at_ns)

    def gaps(self) -> list[Gap]:
        """Holes in the sequence numbers of a card: visits begun offline whose records never came."""
        return self._lateness.gaps()


__all__ = ["DataCentre", "Gap", "Insurance", "Late", "Person", "Stored", "Visit", "VisitRecord"]
