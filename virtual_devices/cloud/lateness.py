"""Which visits are late or missing, and which numbers nobody told of: kept up to date with each upload, so that asking costs
what is found and not what is stored."""

from __future__ import annotations

from dataclasses import dataclass, replace

from virtual_devices.clock import NS
from virtual_devices.cloud.books import Books, Kind
from virtual_devices.cloud.visits import Visit, VisitRecord

SAME_BEGINNING_S = 600  # a visit begun here whose answer was lost, and the record of one begun offline: the same, so close


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


@dataclass(frozen=True, slots=True)
class Awaited:
    """A visit whose record is not there yet."""

    identifier: str
    card_no: str
    institution: str
    begun_ns: int
    due_ns: int


@dataclass(frozen=True, slots=True)
class CameLate:
    """A record that was stored after its time. ``identifier`` of the visit that it settled, "" of one begun offline."""

    institution: str
    key: bytes
    identifier: str
    card_no: str
    due_ns: int
    stored_ns: int


@dataclass(frozen=True, slots=True)
class Told:
    """A sequence number that somebody has told of."""

    card_no: str
    year: str
    number: int


@dataclass(frozen=True, slots=True)
class ToldSpan:
    """The numbers of one card and year: the first and the last told of, and how many. ``holed``: not all between them."""

    card_no: str
    year: str
    first: int
    last: int
    count: int
    holed: bool = False


AWAITED = Kind("awaited", Awaited, ("identifier",), (("card_no", "institution"), ("due_ns",)))
CAME_LATE = Kind("came_late", CameLate, ("institution", "key"))
TOLD = Kind("told", Told, ("card_no", "year", "number"), (("card_no", "year"),))
SPANS = Kind("told_spans", ToldSpan, ("card_no", "year"), (("holed",),))


class Lateness:
    """What is awaited, what came late, and the numbers told of."""

    def __init__(self, books: Books) -> None:
        self._awaited = books.shelf(AWAITED)
        self._came_late = books.shelf(CAME_LATE)
        self._told = books.shelf(TOLD)
        self._spans = books.shelf(SPANS)

    # -- visits

    def awaits(self, visit: Visit) -> None:
        self._awaited.add(Awaited(visit.identifier, visit.card_no, visit.institution, visit.begun_ns, visit.due_ns))

    def rolled_back(self, visit: Visit) -> None:
        """Nothing is awaited of it, and nothing of it is late."""
        self._awaited.remove(visit.identifier)
        if visit.settled_by:
            self._came_late.remove(visit.institution, visit.settled_by)

    def begun_about(self, card_no: str, institution: str, at_ns: int) -> str:
        """The identifier of the awaited visit that was begun next to this time, "" when none was."""
        own = self._awaited.where(card_no=card_no, institution=institution)
        near = [(abs(each.begun_ns - at_ns), each.identifier) for each in own]
        distance_ns, identifier = min(near, default=(0, ""))
        return identifier if distance_ns <= SAME_BEGINNING_S * NS else ""

    def stored(self, record: VisitRecord, visit: Visit | None, before: VisitRecord | None) -> None:
        """A record is there. ``visit``: the one that it settles, as it is now; ``before``: the record that had settled it by
        guess, and tells of another visit after all."""
        if visit is not None:
            self._awaited.remove(visit.identifier)
        if before is not None:
            self._judge(before, None)
        self._judge(record, visit)

    def _judge(self, record: VisitRecord, visit: Visit | None) -> None:
        due_ns = record.due_ns if visit is None else visit.due_ns
        if record.stored_ns > due_ns and not (visit is not None and visit.rolled_back):
            identifier = "" if visit is None else visit.identifier
            self._came_late.put(
                CameLate(record.institution, record.key, identifier, record.card_no, due_ns, record.stored_ns),
            )

    def late(self, at_ns: int) -> list[Late]:
        """Late and missing visits by identifier, then those begun offline as they came."""
        over = self._awaited.upto("due_ns", at_ns - 1)
        missing = [Late(each.identifier, each.card_no, each.institution, each.due_ns, -1) for each in over]
        late = [Late(each.identifier, each.card_no, each.institution, each.due_ns, each.stored_ns) for each in self._came_late]
        return sorted([*missing, *late], key=lambda each: (not each.identifier, each.identifier, each.stored_ns))

    # -- numbers

    def tell(self, card_no: str, year: str, sequence: str) -> None:
        """A number of a physical card has been told of; a virtual card's are given here."""
        if not (len(sequence) == 4 and sequence.isascii() and sequence.isdigit()):
            return
        number = int(sequence)
        if self._told.get(card_no, year, number) is not None:
            return
        self._told.add(Told(card_no, year, number))
        span = self._spans.get(card_no, year) or ToldSpan(card_no, year, number, number, 0)
        span = replace(span, first=min(span.first, number), last=max(span.last, number), count=span.count + 1)
        self._spans.put(replace(span, holed=span.count <= span.last - span.first))

    def gaps(self) -> list[Gap]:
        found = []
        for span in self._spans.where(holed=True):
            numbers = {told.number for told in self._told.where(card_no=span.card_no, year=span.year)}
            found.append(Gap(span.card_no, span.year, tuple(n for n in range(span.first, span.last) if n not in numbers)))
        return found


__all__ = ["AWAITED", "CAME_LATE", "Gap", "Late", "Lateness", "SAME_BEGINNING_S", "SPANS", "TOLD"]
