"""The life of a card (健保卡), physical or virtual, as one table.

A *card* is one carrier of one person's card number: a chip, or a credential bound to one phone's key. A new phone or a new
chip is a new card with a life of its own; the old one is *re-bound*: another took its place.

:data:`LIFE` is the whole rule. :func:`step`, the data centre's domain and the documentation's page
(``docs/reference/make_life_cycle.py``) are made from it. What no row has is refused, with the field's code for the state.

The states are the bench's profile. Codes are the field's; which one tells of which state is inferred where the manual does
not say so: see :class:`FieldCode`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from virtual_devices.codes import Code, Space, lookup
from virtual_devices.status_list import Status
from virtual_devices.tables import Certainty


class State(Enum):
    """Where a card is in its life."""

    APPLIED = "applied"
    ISSUED = "issued"  # made and handed over, not yet activated
    ACTIVE = "active"
    SUSPENDED = "suspended"
    LOST = "lost"
    REBOUND = "re-bound"  # another phone's, or another chip, took its place
    RECALLED = "recalled"
    EXPIRED = "expired"
    WIPED = "wiped"  # final: key and data are gone from the phone, or the chip came back and was destroyed
    ENDED = "ended"  # final: the application came to nothing


class Event(Enum):
    """What can happen to a card."""

    ISSUE = "issue"
    ACTIVATE = "activate"
    CLOSE = "close"
    PRESENT = "present"
    RENEW = "renew"
    SUSPEND = "suspend"
    RESUME = "resume"
    REPORT_LOST = "report lost"
    REPLACE = "replace"
    RECALL = "recall"
    EXPIRE = "expire"
    WIPE = "wipe"


class Carrier(Enum):
    """What the card number is carried by."""

    PHYSICAL = "physical"
    VIRTUAL = "virtual"


class Party(Enum):
    """Who lets it happen."""

    HOLDER = "holder"
    GUARDIAN = "guardian"
    DATA_CENTRE = "data centre"
    DEVICE = "device"  # the phone itself, once the erasure is done
    CLOCK = "clock"  # nobody: a date has passed


@dataclass(frozen=True, slots=True)
class FieldCode:
    """A return code of the field where it is used here. ``certainty`` is of the use: the code itself is in ``codes``."""

    number: str
    space: Space = Space.CSHIS
    certainty: Certainty = Certainty.INFERRED

    @property
    def code(self) -> Code:
        """The code's row in the field's tables."""
        return lookup(self.number, self.space)

    def __str__(self) -> str:
        return self.number


OK = FieldCode("0", Space.CSHIS, Certainty.OFFICIAL)
NOT_ALLOWED = FieldCode("4029")  # the card is in a state for it, the asker is not one who may


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: in ``state``, ``event`` leads to ``to``."""

    state: State
    event: Event
    to: State
    carriers: frozenset[Carrier]
    by: frozenset[Party]
    guard: str  # what else must hold; the data centre's domain and the phone see to it
    consequence: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The event does not belong to the state, the carrier or the asker."""

    code: FieldCode
    text: str


BOTH, VIRTUAL, PHYSICAL = frozenset(Carrier), frozenset({Carrier.VIRTUAL}), frozenset({Carrier.PHYSICAL})
HOLDER, GUARDIAN, DATA_CENTRE, DEVICE, CLOCK = Party
_PEOPLE = frozenset({HOLDER, GUARDIAN})
_ANY_OFFICE = frozenset({HOLDER, GUARDIAN, DATA_CENTRE})
_CENTRE, _TIME = frozenset({DATA_CENTRE}), frozenset({CLOCK})
S, E = State, Event

_LOST = "invalid in the status list and online at once; a phone is ordered to wipe; cards of wards on that phone go with it"
_RECALLED = "invalid in the status list and online at once; a phone is ordered to wipe"
_REPLACED = "the new card becomes valid in the same act; this one is invalid; a phone is ordered to wipe"
_WIPED = "the device's data key is gone, or the chip is destroyed; nothing can be read any more"

LIFE: tuple[Row, ...] = (
    Row(S.APPLIED, E.ISSUE, S.ISSUED, BOTH, _CENTRE,
        "identity told at a level that may apply; a phone's key attested as hardware",
        "a random status index, suspended until activation; the credential is made"),
    Row(S.APPLIED, E.CLOSE, S.ENDED, BOTH, _ANY_OFFICE | _TIME, "refused, withdrawn, or its time is over", "nothing was made"),
    Row(S.ISSUED, E.ACTIVATE, S.ACTIVE, BOTH, _ANY_OFFICE,
        "the bound key answers; identity told at a level that may activate", "valid in the status list"),
    Row(S.ISSUED, E.CLOSE, S.ENDED, BOTH, _ANY_OFFICE | _TIME, "never activated", "invalid in the status list"),
    Row(S.ISSUED, E.REPORT_LOST, S.LOST, BOTH, _ANY_OFFICE, "", _LOST),
    Row(S.ISSUED, E.RECALL, S.RECALLED, BOTH, _ANY_OFFICE, "", _RECALLED),
    Row(S.ACTIVE, E.PRESENT, S.ACTIVE, BOTH, _PEOPLE,
        "the holder's consent, or an authorization in force", "read, and written to"),
    Row(S.ACTIVE, E.RENEW, S.ACTIVE, BOTH, _CENTRE, "insured", "a later end; a virtual card's credential is made anew"),
    Row(S.ACTIVE, E.SUSPEND, S.SUSPENDED, VIRTUAL, _ANY_OFFICE, "", "suspended in the status list and online at once"),
    Row(S.ACTIVE, E.REPORT_LOST, S.LOST, BOTH, _ANY_OFFICE, "", _LOST),
    Row(S.ACTIVE, E.REPLACE, S.REBOUND, BOTH, _CENTRE, "identity told at a level that may re-bind", _REPLACED),
    Row(S.ACTIVE, E.RECALL, S.RECALLED, BOTH, _ANY_OFFICE, "", _RECALLED),
    Row(S.ACTIVE, E.EXPIRE, S.EXPIRED, BOTH, _TIME, "its end has passed", "its own date refuses it; the status list stays"),
    Row(S.SUSPENDED, E.RESUME, S.ACTIVE, VIRTUAL, _ANY_OFFICE,
        "by who suspended it, or the data centre", "valid in the status list"),
    Row(S.SUSPENDED, E.REPORT_LOST, S.LOST, VIRTUAL, _ANY_OFFICE, "", _LOST),
    Row(S.SUSPENDED, E.RECALL, S.RECALLED, VIRTUAL, _ANY_OFFICE, "", _RECALLED),
    Row(S.SUSPENDED, E.EXPIRE, S.EXPIRED, VIRTUAL, _TIME, "its end has passed", "its own date refuses it; the status list stays"),
    Row(S.LOST, E.REPLACE, S.REBOUND, BOTH, _CENTRE, "identity told at a level that may re-bind",
        "the new card becomes valid; this one stays invalid"),
    Row(S.LOST, E.WIPE, S.WIPED, BOTH, frozenset({DEVICE, DATA_CENTRE}), "it was found again", _WIPED),
    Row(S.REBOUND, E.WIPE, S.WIPED, BOTH, frozenset({DEVICE, DATA_CENTRE}), "", _WIPED),
    Row(S.RECALLED, E.WIPE, S.WIPED, BOTH, frozenset({DEVICE, DATA_CENTRE}), "", _WIPED),
    Row(S.EXPIRED, E.RENEW, S.ACTIVE, PHYSICAL, _CENTRE, "insured", "a later end, by a card update (code 5003 says so)"),
    Row(S.EXPIRED, E.REPLACE, S.REBOUND, BOTH, _CENTRE, "identity told at a level that may re-bind", _REPLACED),
    Row(S.EXPIRED, E.REPORT_LOST, S.LOST, BOTH, _ANY_OFFICE, "", _LOST),
    Row(S.EXPIRED, E.RECALL, S.RECALLED, BOTH, _ANY_OFFICE, "", _RECALLED),
    Row(S.EXPIRED, E.WIPE, S.WIPED, BOTH, frozenset({DEVICE, DATA_CENTRE}), "",
        _WIPED + "; invalid in the status list"),
)
"""Every event that a state accepts. A life begins as applied."""

STATUS: Mapping[State, Status | None] = {
    S.APPLIED: None, S.ISSUED: Status.SUSPENDED, S.ACTIVE: Status.VALID, S.SUSPENDED: Status.SUSPENDED,
    S.LOST: Status.INVALID, S.REBOUND: Status.INVALID, S.RECALLED: Status.INVALID, S.EXPIRED: None,
    S.WIPED: Status.INVALID, S.ENDED: Status.INVALID,
}
"""What the status list says of a card in that state; None: it has no index yet, or the list stays as it was."""

_OFFICIAL = Certainty.OFFICIAL
_CANCELLED = FieldCode("5002", certainty=_OFFICIAL)
_MOVED = FieldCode("1531", Space.VHC)  # already transferred or void
REFUSED_IN: Mapping[tuple[State, Carrier], FieldCode] = {
    (S.APPLIED, Carrier.PHYSICAL): FieldCode("9012"),
    (S.APPLIED, Carrier.VIRTUAL): FieldCode("3241", Space.VHC),
    (S.ISSUED, Carrier.PHYSICAL): FieldCode("9010"),
    (S.ISSUED, Carrier.VIRTUAL): FieldCode("3239", Space.VHC),
    (S.ACTIVE, Carrier.PHYSICAL): FieldCode("9092"),
    (S.ACTIVE, Carrier.VIRTUAL): FieldCode("9092"),
    (S.SUSPENDED, Carrier.PHYSICAL): FieldCode("9011"),
    (S.SUSPENDED, Carrier.VIRTUAL): FieldCode("9011"),
    (S.LOST, Carrier.PHYSICAL): _CANCELLED,
    (S.LOST, Carrier.VIRTUAL): _MOVED,
    (S.REBOUND, Carrier.PHYSICAL): _CANCELLED,
    (S.REBOUND, Carrier.VIRTUAL): _MOVED,
    (S.RECALLED, Carrier.PHYSICAL): _CANCELLED,
    (S.RECALLED, Carrier.VIRTUAL): FieldCode("3203", Space.VHC, Certainty.PUBLIC),
    (S.EXPIRED, Carrier.PHYSICAL): FieldCode("5003", certainty=_OFFICIAL),
    (S.EXPIRED, Carrier.VIRTUAL): FieldCode("3201", Space.VHC, Certainty.PUBLIC),
    (S.WIPED, Carrier.PHYSICAL): _CANCELLED,
    (S.WIPED, Carrier.VIRTUAL): _MOVED,
    (S.ENDED, Carrier.PHYSICAL): FieldCode("9012"),
    (S.ENDED, Carrier.VIRTUAL): FieldCode("3241", Space.VHC),
}
"""The code that refuses what does not belong to the state."""

REFUSED_EVENT: Mapping[tuple[State, Event, Carrier], FieldCode] = {
    (S.ACTIVE, E.ISSUE, Carrier.VIRTUAL): FieldCode("1054", Space.VHC),  # registered twice
    (S.ACTIVE, E.ACTIVATE, Carrier.VIRTUAL): FieldCode("1054", Space.VHC),
    (S.ACTIVE, E.WIPE, Carrier.VIRTUAL): FieldCode("1012", Space.VHC),  # virtual card data not cleared
    (S.ACTIVE, E.SUSPEND, Carrier.PHYSICAL): FieldCode("1527", Space.VHC),  # virtual card only
    (S.SUSPENDED, E.WIPE, Carrier.VIRTUAL): FieldCode("1012", Space.VHC),
}
"""Where an event has a code of its own."""

ROWS: Mapping[tuple[State, Event], Row] = {(row.state, row.event): row for row in LIFE}
REVOKED = frozenset(state for state, status in STATUS.items() if status is Status.INVALID)
"""No way leads back from these."""


def step(state: State, event: Event, carrier: Carrier = Carrier.VIRTUAL, by: Party | None = None) -> Row | Refusal:
    """The row that the event takes, or the refusal. ``by``: who asks; None asks only whether the state accepts it."""
    row = ROWS.get((state, event))
    if row is None or carrier not in row.carriers:
        code = REFUSED_EVENT.get((state, event, carrier)) or REFUSED_IN[state, carrier]
        return Refusal(code, f"a {carrier.value} card that is {state.value} accepts no {event.value!r}")
    if by is not None and by not in row.by:
        who = ", ".join(sorted(party.value for party in row.by))
        return Refusal(NOT_ALLOWED, f"{event.value!r} is for: {who}; not for: {by.value}")
    return row


__all__ = [
    "Carrier", "Event", "FieldCode", "LIFE", "NOT_ALLOWED", "OK", "Party", "REFUSED_EVENT", "REFUSED_IN", "REVOKED", "ROWS",
    "Refusal", "Row", "STATUS", "State", "step",
]
