"""The life of a prescription (處方箋) as one table.

:data:`LIFE` is the whole rule: the data centre takes nothing that no row has, and the documentation's page
(``docs/reference/make_prescriptions.py``) is made from it. Whether a pharmacy was online does not enter: what was dispensed
offline has happened, and is counted by ``reckoning.py``, which says where it went against this table.

The states are the bench's profile. "Dispensed n of m" is one state with a number, ``partly dispensed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from virtual_devices.pki import Role
from virtual_devices.prescription.codes import CODES, RxCode, Why


class State(Enum):
    """Where a prescription is in its life."""

    ISSUED = "issued"
    HELD = "on hold"  # a doubt is open (疑義處方)
    PARTLY = "partly dispensed"  # n of m
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    AMENDED = "amended"  # final: another document took its place
    EXPIRED = "expired"
    DELETED = "deleted"  # final: the time of retention is over, and a proof of deletion is all that is left


class Event(Enum):
    """What can happen to it."""

    DISPENSE = "dispense"
    RETURN = "return"
    QUERY = "query"
    CONFIRM = "confirm"
    WITHDRAW = "withdraw"
    AMEND = "amend"
    CANCEL = "cancel"
    RESTORE = "restore"
    EXPIRE = "expire"
    DELETE = "delete"


class When(Enum):
    """What the next state hangs on."""

    ALWAYS = ""
    NONE = "nothing dispensed"
    SOME = "something dispensed"
    MORE = "issues left"
    LAST = "the last issue"


@dataclass(frozen=True, slots=True)
class Row:
    """In ``state``, ``event`` leads to ``to``. ``by``: whose card signs; empty: a date does it."""

    state: State
    event: Event
    to: State
    by: frozenset[Role]
    when: When = When.ALWAYS
    guard: str = ""
    consequence: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The event does not belong to the state, or the signer's card is not one for it."""

    why: Why

    @property
    def code(self) -> RxCode:
        return CODES[self.why]


@dataclass(frozen=True, slots=True)
class Count:
    """``dispensed``: before the event, of ``issues``."""

    dispensed: int
    issues: int


PHYSICIAN, PHARMACIST = frozenset({Role.PHYSICIAN}), frozenset({Role.PHARMACIST})
DISPENSER, TIME = PHYSICIAN | PHARMACIST, frozenset[Role]()
S, E, W = State, Event, When

_NEXT = "in force; the next issue; not before its day; nobody else's to dispense"
_COUNTED = "counted; the act is countersigned by the pharmacist and the pharmacy's security module"
_SAME = "by the institution that prescribed; follows the newest"
_TAKEN = "a new document takes its place and goes on with its count; open doubts are answered by it"
_HOLD = "dispensed nowhere online until it is answered"
_BACK = "by the pharmacy that dispensed"
_OVER = "nothing more is dispensed"

LIFE: tuple[Row, ...] = (
    Row(S.ISSUED, E.DISPENSE, S.COMPLETED, DISPENSER, W.LAST, _NEXT, _COUNTED),
    Row(S.ISSUED, E.DISPENSE, S.PARTLY, DISPENSER, W.MORE, _NEXT, _COUNTED),
    Row(S.ISSUED, E.QUERY, S.HELD, PHARMACIST, guard="in force", consequence=_HOLD),
    Row(S.ISSUED, E.AMEND, S.AMENDED, PHYSICIAN, guard=_SAME, consequence=_TAKEN),
    Row(S.ISSUED, E.CANCEL, S.CANCELLED, PHYSICIAN, guard=_SAME, consequence=_OVER),
    Row(S.ISSUED, E.EXPIRE, S.EXPIRED, TIME, guard="its last day has passed", consequence=_OVER),
    Row(S.PARTLY, E.DISPENSE, S.COMPLETED, DISPENSER, W.LAST, _NEXT, _COUNTED),
    Row(S.PARTLY, E.DISPENSE, S.PARTLY, DISPENSER, W.MORE, _NEXT, _COUNTED),
    Row(S.PARTLY, E.RETURN, S.ISSUED, DISPENSER, W.NONE, _BACK, "the issue may be dispensed again"),
    Row(S.PARTLY, E.RETURN, S.PARTLY, DISPENSER, W.SOME, _BACK, "the issue may be dispensed again"),
    Row(S.PARTLY, E.QUERY, S.HELD, PHARMACIST, guard="in force", consequence=_HOLD),
    Row(S.PARTLY, E.AMEND, S.AMENDED, PHYSICIAN, guard=_SAME + "; no issue that was dispensed is taken away",
        consequence=_TAKEN),
    Row(S.PARTLY, E.CANCEL, S.CANCELLED, PHYSICIAN, guard=_SAME,
        consequence="what is left is void (格式 C); what was dispensed stays"),
    Row(S.PARTLY, E.EXPIRE, S.EXPIRED, TIME, guard="its last day has passed", consequence=_OVER),
    Row(S.HELD, E.QUERY, S.HELD, PHARMACIST, guard="in force", consequence="one more doubt: each is answered"),
    Row(S.HELD, E.CONFIRM, S.ISSUED, PHYSICIAN, W.NONE, "the last open doubt", "dispensed as it was written"),
    Row(S.HELD, E.CONFIRM, S.PARTLY, PHYSICIAN, W.SOME, "the last open doubt", "dispensed as it was written"),
    Row(S.HELD, E.WITHDRAW, S.ISSUED, PHARMACIST, W.NONE, "by the pharmacy that asked; the last open doubt", "as before"),
    Row(S.HELD, E.WITHDRAW, S.PARTLY, PHARMACIST, W.SOME, "by the pharmacy that asked; the last open doubt", "as before"),
    Row(S.HELD, E.RETURN, S.HELD, DISPENSER, guard=_BACK, consequence="the issue may be dispensed again"),
    Row(S.HELD, E.AMEND, S.AMENDED, PHYSICIAN, guard=_SAME + "; no issue that was dispensed is taken away", consequence=_TAKEN),
    Row(S.HELD, E.CANCEL, S.CANCELLED, PHYSICIAN, guard=_SAME, consequence=_OVER),
    Row(S.HELD, E.EXPIRE, S.EXPIRED, TIME, guard="its last day has passed: a doubt lengthens nothing", consequence=_OVER),
    Row(S.COMPLETED, E.RETURN, S.ISSUED, DISPENSER, W.NONE, _BACK, "the issue may be dispensed again"),
    Row(S.COMPLETED, E.RETURN, S.PARTLY, DISPENSER, W.SOME, _BACK, "the issue may be dispensed again"),
    Row(S.COMPLETED, E.DELETE, S.DELETED, TIME, guard="3 years, 5 of controlled drugs", consequence="a proof of deletion stays"),
    Row(S.CANCELLED, E.RESTORE, S.ISSUED, PHYSICIAN, W.NONE, _SAME, "as before the cancellation (格式 E)"),
    Row(S.CANCELLED, E.RESTORE, S.PARTLY, PHYSICIAN, W.SOME, _SAME, "as before the cancellation (格式 E)"),
    Row(S.CANCELLED, E.RETURN, S.CANCELLED, DISPENSER, guard=_BACK, consequence="counted less"),
    Row(S.CANCELLED, E.DELETE, S.DELETED, TIME, guard="3 years, 5 of controlled drugs", consequence="a proof of deletion stays"),
    Row(S.EXPIRED, E.RETURN, S.EXPIRED, DISPENSER, guard=_BACK, consequence="counted less"),
    Row(S.EXPIRED, E.DELETE, S.DELETED, TIME, guard="3 years, 5 of controlled drugs", consequence="a proof of deletion stays"),
)
"""Every event that a state accepts. A life begins as issued; an amendment's with the count of what it amends."""

REFUSED_IN: Mapping[State, Why] = {
    S.ISSUED: Why.NO_SUCH_ACT, S.HELD: Why.HELD, S.PARTLY: Why.NO_SUCH_ACT, S.COMPLETED: Why.USED_UP, S.CANCELLED: Why.CANCELLED,
    S.AMENDED: Why.OLD_VERSION, S.EXPIRED: Why.EXPIRED, S.DELETED: Why.DELETED,
}
"""What is told of an event that the state does not accept."""
REFUSED_EVENT: Mapping[tuple[State, Event], Why] = {
    (S.COMPLETED, E.AMEND): Why.GIVEN, (S.COMPLETED, E.CANCEL): Why.NOTHING_LEFT, (S.CANCELLED, E.CANCEL): Why.NOTHING_LEFT,
    (S.ISSUED, E.RESTORE): Why.NOT_CANCELLED, (S.PARTLY, E.RESTORE): Why.NOT_CANCELLED, (S.HELD, E.RESTORE): Why.NOT_CANCELLED,
    (S.COMPLETED, E.RESTORE): Why.NOT_CANCELLED, (S.EXPIRED, E.RESTORE): Why.NOT_CANCELLED,
    (S.EXPIRED, E.CANCEL): Why.NOTHING_LEFT,
}
"""Where an event is told something of its own."""
ROWS: Mapping[tuple[State, Event], tuple[Row, ...]] = {
    (row.state, row.event): tuple(r for r in LIFE if (r.state, r.event) == (row.state, row.event)) for row in LIFE
}
FINAL = frozenset({S.AMENDED, S.DELETED})


def step(state: State, event: Event, count: Count, by: Role | None = None) -> Row | Refusal:
    """The row that the event takes, or why it is refused. ``by``: whose card signed; None: whether the state takes it at all."""
    rows = ROWS.get((state, event))
    if rows is None:
        return Refusal(REFUSED_EVENT.get((state, event), REFUSED_IN[state]))
    if by is not None and by not in rows[0].by:
        return Refusal(Why.WRONG_SIGNER)
    return next(row for row in rows if _holds(row, event, count))


def _holds(row: Row, event: Event, count: Count) -> bool:
    left = count.dispensed - 1 if event is Event.RETURN else count.dispensed
    match row.when:
        case When.ALWAYS:
            return True
        case When.NONE:
            return left <= 0
        case When.SOME:
            return left > 0
        case When.MORE:
            return count.dispensed + 1 < count.issues
        case When.LAST:
            return count.dispensed + 1 >= count.issues


__all__ = ["Count", "Event", "FINAL", "LIFE", "REFUSED_EVENT", "REFUSED_IN", "ROWS", "Refusal", "Row", "State", "When", "step"]
