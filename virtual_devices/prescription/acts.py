"""What is done with a prescription: dispensed, returned, received, doubted, answered, restored. Each is a signed record.

    every act = {1: institution that acts, 2: id of the first document, 3: id of the document it is about, 4: SHA-256 of that as
                 it was signed, ...}
    dispense  + {5: issue, ? 6: [1*60 [item code, total in tenths]]}      what was given, when not just what was prescribed
    return    + {5: id of the dispensing, ? 10: why}
    received  + {5: id of the dispensing, 6: evidence}                    ``recipient.py``
    query     + {5: what is doubted, ? 6: [+ number of an entry, from 0]}
    answer    + {5: id of the query, 6: "confirm" / "withdraw", ? 10: words}
    restore   + {9: SHA-256 of the signed cancellation that it takes back}

Their records are for the same key as the document. The form is the bench's profile; that a pharmacist countersigns, that a doubt
is asked and answered, and that controlled drugs are signed for, is the field's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from virtual_devices.prescription.document import (
    FOLLOWS,
    INSTITUTION,
    MAX_ENTRIES,
    MAX_ISSUES,
    REASON,
    MalformedPrescription,
    hash_in,
    text_in,
)
from virtual_devices.write_back import ID_BYTES, Kind, Record

ROOT, ABOUT, DIGEST, WHAT, MORE = 2, 3, 4, 5, 6
MAX_TEXT = 400
"""Characters of a question, an answer or a reason."""


class Decision(Enum):
    """What an answer says. One that changes the prescription is an amendment or a cancellation instead: it ends the doubt too."""

    CONFIRM = "confirm"  # the physician: dispense it as it is written
    WITHDRAW = "withdraw"  # the pharmacist: the doubt is settled


@dataclass(frozen=True, slots=True)
class About:
    """Which prescription an act is about. ``root``: id of its first document, ``document``: of the version, ``digest``: SHA-256
    of that as it was signed; ``device``: the key it is for."""

    root: bytes
    document: bytes
    digest: bytes
    device: bytes


@dataclass(frozen=True, slots=True)
class _Act:
    id: bytes
    about: About
    institution: str
    at_ns: int

    def _record(self, kind: Kind, more: Mapping[int, Any]) -> Record:
        own = {INSTITUTION: self.institution, ROOT: self.about.root, ABOUT: self.about.document, DIGEST: self.about.digest}
        return Record(kind, self.id, self.about.device, self.at_ns, own | {n: value for n, value in more.items() if value})


@dataclass(frozen=True, slots=True)
class Dispensing(_Act):
    """調劑: one issue handed over. ``given``: item code and quantity in tenths of each, empty for just what was prescribed."""

    issue: int
    given: tuple[tuple[str, int], ...] = ()

    def record(self) -> Record:
        return self._record(Kind.DISPENSE, {WHAT: self.issue, MORE: [list(item) for item in self.given]})


@dataclass(frozen=True, slots=True)
class Return(_Act):
    """A dispensing that did not take place after all, or came back whole."""

    dispensing: bytes
    reason: str = ""

    def record(self) -> Record:
        return self._record(Kind.RETURN, {WHAT: self.dispensing, REASON: self.reason})


@dataclass(frozen=True, slots=True)
class Received(_Act):
    """領受: the recipient's signature. ``evidence``: see ``recipient.py``."""

    dispensing: bytes
    evidence: Mapping[int, Any]

    def record(self) -> Record:
        return self._record(Kind.RECEIVED, {WHAT: self.dispensing, MORE: dict(self.evidence)})


@dataclass(frozen=True, slots=True)
class Query(_Act):
    """疑義: what the pharmacist doubts. ``entries``: numbers of the orders in doubt, from 0; empty for the whole."""

    text: str
    entries: tuple[int, ...] = ()

    def record(self) -> Record:
        return self._record(Kind.QUERY, {WHAT: self.text, MORE: list(self.entries)})


@dataclass(frozen=True, slots=True)
class Answer(_Act):
    """To one query."""

    query: bytes
    decision: Decision
    text: str = ""

    def record(self) -> Record:
        return self._record(Kind.ANSWER, {WHAT: self.query, MORE: self.decision.value, REASON: self.text})


@dataclass(frozen=True, slots=True)
class Restoration(_Act):
    """取消註銷: a cancellation taken back. ``follows``: SHA-256 of it as it was signed."""

    follows: bytes

    def record(self) -> Record:
        return self._record(Kind.RESTORE, {FOLLOWS: self.follows})


Act = Dispensing | Return | Received | Query | Answer | Restoration
_OWN: Mapping[Kind, frozenset[int]] = {
    Kind.DISPENSE: frozenset({WHAT, MORE}), Kind.RETURN: frozenset({WHAT, REASON}), Kind.RECEIVED: frozenset({WHAT, MORE}),
    Kind.QUERY: frozenset({WHAT, MORE}), Kind.ANSWER: frozenset({WHAT, MORE, REASON}), Kind.RESTORE: frozenset({FOLLOWS}),
}
ACTS = frozenset(_OWN)
"""Kinds of records that are acts."""


def read_act(record: Record) -> Act:
    """The act in a record. Raises MalformedPrescription."""
    fields, own = record.fields, _OWN.get(record.kind)
    if own is None or not set(fields) <= own | {INSTITUTION, ROOT, ABOUT, DIGEST}:
        raise MalformedPrescription(f"not an act on a prescription: {record.kind.value}, fields {sorted(fields)[:12]}")
    about = About(
        _id(fields, ROOT, "the prescription"), _id(fields, ABOUT, "the document"), hash_in(fields, DIGEST, "the document's hash"),
        record.holder,
    )
    head = record.id, about, text_in(fields, INSTITUTION, "the institution"), record.at_ns
    match record.kind:
        case Kind.DISPENSE:
            return Dispensing(*head, _issue(fields.get(WHAT)), _given(fields))
        case Kind.RETURN:
            return Return(*head, _id(fields, WHAT, "the dispensing"), _words(fields, REASON))
        case Kind.RECEIVED:
            return Received(*head, _id(fields, WHAT, "the dispensing"), _evidence(fields.get(MORE)))
        case Kind.QUERY:
            return Query(*head, _words(fields, WHAT, needed=True), _numbers(fields))
        case Kind.ANSWER:
            return Answer(*head, _id(fields, WHAT, "the query"), _decision(fields.get(MORE)), _words(fields, REASON))
        case _:
            return Restoration(*head, hash_in(fields, FOLLOWS, "the cancellation's hash"))


def _id(fields: Mapping[int, Any], number: int, what: str) -> bytes:
    return hash_in(fields, number, f"the id of {what}", ID_BYTES)


def _words(fields: Mapping[int, Any], number: int, *, needed: bool = False) -> str:
    text = text_in(fields, number, "the text", optional=not needed)
    if len(text) > MAX_TEXT:
        raise MalformedPrescription(f"a text of {len(text)} characters, at most {MAX_TEXT}")
    return text


def _issue(value: object) -> int:
    if type(value) is not int or not 1 <= value <= MAX_ISSUES:
        raise MalformedPrescription(f"the issue is not 1 to {MAX_ISSUES}")
    return value


def _given(fields: Mapping[int, Any]) -> tuple[tuple[str, int], ...]:
    if MORE not in fields:
        return ()
    items = fields[MORE]
    if not isinstance(items, (list, tuple)) or not 1 <= len(items) <= MAX_ENTRIES:
        raise MalformedPrescription(f"what was given is not 1 to {MAX_ENTRIES} items")
    for item in items:
        if not isinstance(item, (list, tuple)) or [type(v) for v in item] != [str, int] or not 0 <= item[1] < 1_000_000:
            raise MalformedPrescription("an item that was given is not a code and a quantity in tenths")
    return tuple((item[0], item[1]) for item in items)


def _numbers(fields: Mapping[int, Any]) -> tuple[int, ...]:
    if MORE not in fields:
        return ()
    numbers = fields[MORE]
    if not isinstance(numbers, (list, tuple)) or not 1 <= len(numbers) <= MAX_ENTRIES:
        raise MalformedPrescription("the entries in doubt are no list")
    if not all(type(n) is int and 0 <= n < MAX_ENTRIES for n in numbers):
        raise MalformedPrescription("the entries in doubt are no numbers of entries")
    return tuple(numbers)


def _decision(value: object) -> Decision:
    if not isinstance(value, str) or value not in {d.value for d in Decision}:
        raise MalformedPrescription("an answer confirms or withdraws")
    return Decision(value)


def _evidence(value: object) -> Mapping[int, Any]:
    if not isinstance(value, Mapping) or not value or not all(type(k) is int for k in value):
        raise MalformedPrescription("the recipient's evidence is no numbered map")
    return dict(value)


__all__ = [
    "ACTS", "About", "Act", "Answer", "Decision", "Dispensing", "MAX_TEXT", "Query", "Received", "Restoration", "Return",
    "read_act",
]
