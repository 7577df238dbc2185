"""What the data centre did to cards and authorizations: who asked, when, what, under which authorization. Only ever appended to.

Every act carries the asker's own id for it. The same act again finds its answer and is not done twice; the id of something that
was done is refused (9002) with another content, and the first stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from virtual_devices.cloud.challenges import MOST, Newest
from virtual_devices.cloud.places import Place
from virtual_devices.lifecycle import OK, FieldCode, Party
from virtual_devices.status_list import Status

ANOTHER_REQUEST = FieldCode("9002")
REQUEST_ID_BYTES = 16


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


class Journal:
    """Entries, status changes and answers, in the order in which they came about."""

    def __init__(self, most_refused: int = MOST) -> None:
        self._entries: list[Entry] = []
        self._changes: list[StatusChange] = []
        self._statuses: dict[Place, Status] = {}
        self._answers: dict[tuple[Asker, bytes], tuple[object, Answer]] = {}
        self._refused: Newest[tuple[Asker, bytes], tuple[object, Answer]] = Newest(most_refused)

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._entries)

    @property
    def changes(self) -> tuple[StatusChange, ...]:
        """Every status change so far."""
        return tuple(self._changes)

    def status(self, place: Place) -> Status | None:
        """What the list says of a place after all changes; None when it was never given."""
        return self._statuses.get(place)

    def write(self, request: Request, what: str, card_no: str, card: str = "", under: bytes = b"", detail: str = "") -> None:
        self._entries.append(Entry(request.at_ns, request.asker, what, card_no, card, under, detail))

    def publish(self, place: Place, status: Status) -> None:
        if self._statuses.get(place) is not status:
            self._statuses[place] = status
            self._changes.append(StatusChange(place, status))

    def once(self, request: Request, content: object, act: Callable[[], Answer]) -> Answer:
        """The answer of the act, done now or found again. Refusals are kept too, the newest: who asks the same again hears the
        same, and strangers who are refused fill nothing. Who was refused, never heard of it and asks with a better proof is
        judged anew: nothing was done yet.

        What the act publishes stands in its answer.
        """
        name = request.asker, request.id
        done, refused = self._answers.get(name), self._refused.get(name)
        if done is not None:
            return done[1] if done[0] == content else Answer(ANOTHER_REQUEST, "this id belongs to another request")
        if refused is not None and refused[0] == content:
            return refused[1]
        before = len(self._changes)
        given = act()
        answer = Answer(given.code, given.text, given.cards, tuple(self._changes[before:]), given.authorization)
        if answer.ok or answer.changes:
            self._answers[name] = content, answer
        else:
            self._refused.put(name, (content, answer))
        return answer


__all__ = ["ANOTHER_REQUEST", "Answer", "Asker", "Entry", "Journal", "Request", "StatusChange"]
