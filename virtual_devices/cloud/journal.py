"""What the data centre did to cards and authorizations: who asked, when, what, under which authorization. Only ever appended to.

Every act carries the asker's own id for it. The same act again finds its answer and is not done twice; the id of something that
was done is refused (9002) with another content, and the first stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from virtual_devices.cloud.books import Books, Kind, MemoryBooks
from virtual_devices.cloud.challenges import MOST, Newest
from virtual_devices.cloud.counting import next_number
from virtual_devices.cloud.packing import fingerprint
from virtual_devices.cloud.places import Place
from virtual_devices.lifecycle import OK, FieldCode, Party
from virtual_devices.status_list import Status

ANOTHER_REQUEST = FieldCode("9002")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks. ``name``: card number of a person, id of an officer, of a phone."""

    party: Party
    name: str


@dataclass(frozen=True, slots=True)
class Request:
    """One act: the asker's id for it, and when it arrived."""

    id: bytes
    asker: Asker
    at_ns: int


@dataclass(frozen=True, slots=True)
class StatusChange:
    """To be published by the status list."""

    place: Place
    status: Status


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an act. ``cards``: names of the cards made, or acted upon; ``authorization``: its id."""

    code: FieldCode = OK
    text: str = ""
    cards: tuple[str, ...] = ()
    changes: tuple[StatusChange, ...] = ()
    authorization: bytes = b""

    @property
    def ok(self) -> bool:
        return self.code == OK


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal."""

    at_ns: int
    asker: Asker
    what: str
    card_no: str  # whose
    card: str = ""  # which card of theirs
    under: bytes = b""  # which authorization
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """An entry, by its number."""

    number: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Published:
    """A status change, by its number."""

    number: int
    change: StatusChange


@dataclass(frozen=True, slots=True)
class PlaceStatus:
    """What the list says of a place."""

    uri: str
    index: int
    status: Status


@dataclass(frozen=True, slots=True)
class Answered:
    """An act that was done. ``content``: fingerprint of what was asked."""

    party: str
    asker: str
    id: bytes
    content: bytes
    answer: Answer


LINES = Kind("journal", Line, ("number",))
CHANGES = Kind("status_changes", Published, ("number",))
STATUSES = Kind("statuses", PlaceStatus, ("uri", "index"))
ANSWERS = Kind("answers", Answered, ("party", "asker", "id"))


class Journal:
    """Entries, status changes and answers, in the order in which they came about. Refusals live in memory: after a restart, who
    was refused asks again and is judged anew."""

    def __init__(self, books: Books | None = None, most_refused: int = MOST) -> None:
        self.books = books or MemoryBooks()
        self._lines = self.books.shelf(LINES)
        self._changes = self.books.shelf(CHANGES)
        self._statuses = self.books.shelf(STATUSES)
        self._answers = self.books.shelf(ANSWERS)
        self._refused: Newest[tuple[Asker, bytes], tuple[object, Answer]] = Newest(most_refused)
        self._publishing: list[StatusChange] = []

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple([line.entry for line in self._lines])

    @property
    def changes(self) -> tuple[StatusChange, ...]:
        """Every status change so far."""
        return tuple([published.change for published in self._changes])

    @property
    def statuses(self) -> dict[Place, Status]:
        """What the lists say of every place that was given."""
        return {Place(each.uri, each.index): each.status for each in self._statuses}

    def status(self, place: Place) -> Status | None:
        """What the list says of a place after all changes; None when it was never given."""
        known = self._statuses.get(place.uri, place.index)
        return None if known is None else known.status

    def write(self, request: Request, what: str, card_no: str, card: str = "", under: bytes = b"", detail: str = "") -> None:
        entry = Entry(request.at_ns, request.asker, what, card_no, card, under, detail)
        self._lines.add(Line(next_number(self.books, "journal"), entry))

    def publish(self, place: Place, status: Status) -> None:
        if self.status(place) is not status:
            self._statuses.put(PlaceStatus(place.uri, place.index, status))
            change = StatusChange(place, status)
            self._publishing.append(change)
            self._changes.add(Published(next_number(self.books, "status changes"), change))

    def once(self, request: Request, content: object, act: Callable[[], Answer]) -> Answer:
        """The answer of the act, done now or found again. Refusals are kept too, the newest: who asks the same again hears the
        same, and strangers who are refused fill nothing. Who was refused, never heard of it and asks with a better proof is
        judged anew: nothing was done yet.

        What the act publishes stands in its answer.
        """
        party, name = request.asker.party.value, (request.asker, request.id)
        with self.books.transaction():
            done, refused = self._answers.get(party, request.asker.name, request.id), self._refused.get(name)
            if done is not None:
                same = done.content == fingerprint(content)
                return done.answer if same else Answer(ANOTHER_REQUEST, "this id belongs to another request")
            if refused is not None and refused[0] == content:
                return refused[1]
            self._publishing = []
            given = act()
            answer = replace(given, changes=tuple(self._publishing))
            if answer.ok or answer.changes:
                self._answers.put(Answered(party, request.asker.name, request.id, fingerprint(content), answer))
            else:
                self._refused.put(name, (content, answer))
            return answer


__all__ = ["ANOTHER_REQUEST", "Answer", "Asker", "Entry", "Journal", "Request", "StatusChange"]
