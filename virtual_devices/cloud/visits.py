"""What the data centre keeps of people and their visits: the rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from virtual_devices.clock import parse_roc
from virtual_devices.cloud.books import Kind
from virtual_devices.uploads.deadline import due_ns


class Insurance(Enum):
    """State of a person's insurance, with the code that refuses it."""

    INSURED = "0"
    NOT_INSURED = "5012"
    SUSPENDED = "9084"
    ENDED = "9085"
    HOLDER_IN_ARREARS = "9086"
    EMPLOYER_IN_ARREARS = "9087"
    UNIT_IN_ARREARS = "9088"
    BOTH_IN_ARREARS = "9089"
    IN_ARREARS_AND_NOT_INSURED = "9090"
    FALSE_STATEMENT = "9091"
    OTHER_REASON = "9092"
    LIVE_IDENTITY_DIFFERS = "9093"
    LIVE_ENDED = "9094"
    LIVE_IN_ARREARS = "9095"


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit that the data centre knows of, by its identifier (就醫識別碼)."""

    identifier: str
    card_no: str
    institution: str
    request_id: bytes  # the institution's, which began it
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
        return due_ns(self.begun_ns)


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
    stored_ns: int = field(default=-1, compare=False)  # when the data centre took it in: nothing that it says

    @property
    def due_ns(self) -> int:
        return due_ns(parse_roc(self.visited_at))


@dataclass(frozen=True, slots=True)
class Day:
    """How many visits a card had on one day (ROC YYYMMDD), those rolled back left out."""

    card_no: str
    date: str
    visits: int


PEOPLE = Kind("people", Person, ("card_no",))
VISITS = Kind("visits", Visit, ("identifier",), (("institution", "request_id"),))
RECORDS = Kind("records", VisitRecord, ("institution", "key"))
DAYS = Kind("days", Day, ("card_no", "date"))

__all__ = [
    "DAYS", "Day", "Insurance", "PEOPLE", "Person", "RECORDS", "VISITS", "Visit", "VisitRecord",
]
