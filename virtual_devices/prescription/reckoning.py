"""What stands of one prescription, reckoned from everything that was signed about it, in whatever order it came.

The rule for what was dispensed:

1. What a pharmacist signed as dispensed has happened. Nothing of it is dropped, whoever was offline.
2. Dispensings count in the order of their signed times; of two signed in the same second, that with the lower id is first. The
   first is issue 1, the second issue 2, and so on, whatever number each of them says.
3. One that was returned does not count.
4. What goes beyond the count, was too early, too late, on hold, cancelled or of an old version, is *found*: it stays, and is told
   to its pharmacy and to whoever asks.

So two pharmacies that were offline and each gave the first issue of a refill have given two: the later one's is counted as the
second. Of a prescription with one issue the later is beyond the count. A signed time is a pharmacy's clock: who dates back can
come first, and the moment at which the data centre received it stands beside it. Documents, cancellations and restorations follow
one another by hash, and only one follows another; queries and answers reach the data centre online only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from virtual_devices.clock import NS
from virtual_devices.prescription.acts import Answer, Dispensing, Query, Received, Return, read_act
from virtual_devices.prescription.codes import Why
from virtual_devices.prescription.document import FOLLOWS, Prescription, read_prescription
from virtual_devices.prescription.rules import (
    ANSWER_WITHIN_S,
    RECIPIENT_WITHIN_S,
    SKEW_S,
    Rules,
    begin_of,
    day_of,
    may_collect_from,
)
from virtual_devices.prescription.signing import Filed
from virtual_devices.prescription.states import Count, State
from virtual_devices.write_back import Kind

_CHAIN = frozenset({Kind.PRESCRIPTION, Kind.AMEND, Kind.CANCEL, Kind.RESTORE})
_DOCUMENTS = frozenset({Kind.PRESCRIPTION, Kind.AMEND})


@dataclass(frozen=True, slots=True)
class Kept:
    """A signed record, when it came, and its number in the order of coming."""

    filed: Filed
    received_ns: int
    number: int


@dataclass(frozen=True, slots=True)
class Supply:
    """One dispensing. ``issue``: what it counts as, from 1; 0: beyond the count. ``found``: what is against it."""

    act: Dispensing
    kept: Kept
    issue: int
    found: frozenset[Why]

    @property
    def institution(self) -> str:
        return self.act.institution

    @property
    def sign_by_ns(self) -> int:
        """The last moment for the recipient of a controlled drug."""
        return self.act.at_ns + RECIPIENT_WITHIN_S * NS


@dataclass(frozen=True, slots=True)
class Doubt:
    """A query. ``answered_ns``: the signed time of what ended it; -1: open."""

    query: Query
    answered_ns: int
    answer: Answer | None

    @property
    def open(self) -> bool:
        return self.answered_ns < 0

    @property
    def answer_by_ns(self) -> int:
        """The last moment for an answer in time."""
        return self.query.at_ns + ANSWER_WITHIN_S * NS

    def late(self, now_ns: int) -> bool:
        """Not answered in time, or answered after it."""
        return (now_ns if self.open else self.answered_ns) > self.answer_by_ns


@dataclass(frozen=True, slots=True)
class Reckoning:
    """``chain``: documents, cancellations and restorations, each following the one before; empty when the prescription itself has
    not come. ``received``: ids of dispensings that the recipient has signed for."""

    chain: tuple[Kept, ...]
    versions: tuple[Prescription, ...]
    supplies: tuple[Supply, ...]
    returned: tuple[Dispensing, ...]
    doubts: tuple[Doubt, ...]
    received: frozenset[bytes]

    @property
    def rx(self) -> Prescription:
        """The newest version. Only for one that has come."""
        return self.versions[-1]

    @property
    def head(self) -> Kept:
        """What a change has to follow."""
        return self.chain[-1]

    @property
    def document(self) -> Filed:
        """The newest version as it was signed."""
        return next(kept.filed for kept in reversed(self.chain) if kept.filed.record.kind in _DOCUMENTS)

    @property
    def dispensed(self) -> int:
        """Issues that count, never more than there are."""
        return sum(supply.issue > 0 for supply in self.supplies)

    @property
    def count(self) -> Count:
        return Count(self.dispensed, self.rx.issues)

    @property
    def conflicts(self) -> tuple[Supply, ...]:
        return tuple(supply for supply in self.supplies if supply.found)

    def state(self, now_ns: int) -> State:
        """Of the newest version; every earlier one is amended."""
        if self.head.filed.record.kind is Kind.CANCEL:
            return State.CANCELLED
        if self.dispensed >= self.rx.issues:
            return State.COMPLETED
        if day_of(now_ns) > self.rx.last_day:
            return State.EXPIRED
        if any(doubt.open for doubt in self.doubts):
            return State.HELD
        return State.PARTLY if self.dispensed else State.ISSUED

    def collectable_from(self, rules: Rules) -> date | None:
        """The first day of the next issue; None when the next is the first."""
        counted = [supply for supply in self.supplies if supply.issue]
        return may_collect_from(self.rx, counted[-1].act.at_ns, rules) if counted else None

    @property
    def unsigned(self) -> tuple[Supply, ...]:
        """Controlled drugs dispensed for which the recipient has not signed yet."""
        if not self.versions or not self.rx.kind.controlled:
            return ()
        return tuple(supply for supply in self.supplies if supply.act.id not in self.received)

    def unsigned_for(self, now_ns: int) -> tuple[Supply, ...]:
        """Those of them whose time is over."""
        return tuple(supply for supply in self.unsigned if now_ns > supply.sign_by_ns)


def reckon(records: Iterable[Kept], rules: Rules) -> Reckoning:
    """From all records of one prescription. Those must be what they say (``read_act``, ``read_prescription``)."""
    kept = sorted(records, key=lambda k: k.number)
    chain = _chain(kept)
    versions = {k.filed.record.id: read_prescription(k.filed.record) for k in chain if k.filed.record.kind in _DOCUMENTS}
    acts = [(k, read_act(k.filed.record)) for k in kept if k.filed.record.kind not in _CHAIN]
    back = {act.dispensing for _, act in acts if isinstance(act, Return)}
    given = [(k, act) for k, act in acts if isinstance(act, Dispensing)]
    doubts = tuple(_doubt(k, act, kept, acts) for k, act in acts if isinstance(act, Query))
    counted = sorted(((k, act) for k, act in given if act.id not in back), key=lambda pair: (pair[1].at_ns, pair[1].id))
    return Reckoning(
        chain, tuple(versions.values()), _supplies(counted, chain, versions, doubts, rules),
        tuple(act for _, act in given if act.id in back), doubts,
        frozenset(act.dispensing for _, act in acts if isinstance(act, Received)),
    )


def _chain(kept: list[Kept]) -> tuple[Kept, ...]:
    """From the first document on, each by the hash of the one before."""
    chain = [k for k in kept if k.filed.record.kind is Kind.PRESCRIPTION][:1]
    by_follows = {k.filed.record.fields[FOLLOWS]: k for k in kept if FOLLOWS in k.filed.record.fields}
    while chain and (following := by_follows.get(chain[-1].filed.digest)) is not None:
        chain.append(following)
    return tuple(chain)


def _doubt(asked: Kept, query: Query, kept: list[Kept], acts: Sequence[tuple[Kept, object]]) -> Doubt:
    """A query ends with its answer, or with an amendment or cancellation of that version which came after it."""
    for _, act in acts:
        if isinstance(act, Answer) and act.query == query.id:
            return Doubt(query, act.at_ns, act)
    for k in kept:
        if k.number > asked.number and k.filed.record.amends == query.about.document:
            return Doubt(query, k.filed.record.at_ns, None)
    return Doubt(query, -1, None)


def _supplies(
    counted: list[tuple[Kept, Dispensing]], chain: tuple[Kept, ...], versions: Mapping[bytes, Prescription],
    doubts: tuple[Doubt, ...], rules: Rules,
) -> tuple[Supply, ...]:
    if not versions:
        return tuple(Supply(act, k, 0, frozenset({Why.ORPHAN})) for k, act in counted)
    issues = list(versions.values())[-1].issues
    found = []
    before_ns = -1
    for number, (k, act) in enumerate(counted, 1):
        why = set(_against(k, act, chain, versions, doubts))
        rx = versions.get(act.about.document)
        if number > issues:
            why.add(Why.USED_UP)
        elif act.issue != number:
            why.add(Why.RENUMBERED)
        if rx is not None and number > 1 and number <= issues and day_of(act.at_ns) < may_collect_from(rx, before_ns, rules):
            why.add(Why.TOO_EARLY)
        before_ns = act.at_ns
        found.append(Supply(act, k, number if number <= issues else 0, frozenset(why)))
    return tuple(found)


def _against(
    kept: Kept, act: Dispensing, chain: tuple[Kept, ...], versions: Mapping[bytes, Prescription], doubts: tuple[Doubt, ...],
) -> Iterable[Why]:
    """What is against one dispensing, beside its number."""
    rx, at_ns = versions.get(act.about.document), act.at_ns
    if rx is None:
        yield Why.ORPHAN
        return
    if not any(k.filed.digest == act.about.digest and k.filed.record.id == rx.id for k in chain):
        yield Why.ANOTHER
    if at_ns < rx.issued_ns - SKEW_S * NS or at_ns > kept.received_ns + SKEW_S * NS:
        yield Why.CLOCK
    if at_ns >= begin_of(rx.last_day) + 86_400 * NS:
        yield Why.EXPIRED
    if any(d.query.at_ns <= at_ns and (d.open or at_ns < d.answered_ns) for d in doubts):
        yield Why.HELD
    if _cancelled_at(chain, at_ns):
        yield Why.CANCELLED
    if any(v.amends == rx.id and v.issued_ns <= at_ns for v in versions.values()):
        yield Why.OLD_VERSION
    if too_much(act, rx):
        yield Why.TOO_MUCH


def _cancelled_at(chain: tuple[Kept, ...], at_ns: int) -> bool:
    """What followed last by that time was a cancellation."""
    last = [k.filed.record.kind for k in chain if k.filed.record.at_ns <= at_ns]
    return bool(last) and last[-1] is Kind.CANCEL


def too_much(act: Dispensing, rx: Prescription) -> bool:
    """Whether more of something was given than one issue has. Another code in its place is not judged here."""
    most: dict[str, int] = {}
    for entry in rx.entries:
        most[entry.item_code] = most.get(entry.item_code, 0) + entry.total_tenths
    return any(code in most and tenths > most[code] for code, tenths in act.given)


__all__ = ["Doubt", "Kept", "Reckoning", "Supply", "reckon", "too_much"]
