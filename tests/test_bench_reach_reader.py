"""A reader before our card, by its line in a file: of which card it is, and what is heard besides."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.hands import Nobody
from bench.reach import Means
from bench.reach import reader as reader_module
from bench.reach.card_places import Brought, Place, Presenter
from bench.reach.reader import RealReader
from conformance.references.reader import Task, Told, Wants
from conformance.tester import CannotShow
from virtual_devices.link import Outcome

MESSAGE, ANSWER_S = b"a message", 20


class AtHand(Place):
    """Where a card lies before a reader that sends it one message at once; ``goes`` is called when it is taken away again."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self.goes: Callable[[], None] = lambda: None

    def _made(self, card: Brought) -> Presenter:
        return Reading(card)

    def away(self) -> None:
        had = self._card is not None
        super().away()
        if had:
            self.goes()


class Reading:
    def __init__(self, card: Brought) -> None:
        self._card = card
        self._over = threading.Event()

    def run(self) -> None:
        self._card.power_on()
        self._card.handle(MESSAGE, 0)
        self._over.wait()

    def stop(self) -> None:
        self._over.set()


def says(log: Path, code: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"code": code}) + "\n")


@pytest.fixture
def place() -> AtHand:
    return AtHand()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


@pytest.fixture
def reader(place: AtHand, log: Path) -> RealReader:
    means = Means(answers={"answer_s": ANSWER_S, "person_s": ANSWER_S}, hands=Nobody("it reads by itself"))
    return RealReader(place, "nfc", means, log)


def begun(reader: RealReader) -> None:
    said = reader.begin(Task.REGISTER, lambda: b"")
    assert isinstance(said, Wants) and said.message == MESSAGE


def test_line_that_comes_after_its_card_was_taken_away_is_of_that_card(reader: RealReader, place: AtHand, log: Path) -> None:
    late = threading.Timer(0.3, says, (log, "4013"))
    place.goes = late.start
    begun(reader)
    with pytest.raises(CannotShow):  # the case ends in the middle of it
        reader.answer(Outcome.GARBLED, None)
    reader.away()
    place.goes = lambda: None
    begun(reader)
    late.join()
    says(log, "4043")
    told = reader.answer(Outcome.REPLIED, b"an answer")
    assert isinstance(told, Told) and told.code == "4043"


def test_line_that_comes_in_two_parts_is_waited_for_to_its_end(
    reader: RealReader, place: AtHand, log: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rest of it would be taken for the next card's line."""
    def write(part: str) -> None:
        with log.open("a", encoding="utf-8") as file:
            file.write(part)

    place.goes = lambda: write('{"code": ')
    begun(reader)
    with pytest.raises(CannotShow):
        reader.answer(Outcome.GARBLED, None)
    with monkeypatch.context() as while_it_goes:
        clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: write('"4013"}\n'))
        while_it_goes.setattr(reader_module, "time", clock)
        reader.away()
    assert log.read_text(encoding="utf-8") == '{"code": "4013"}\n'


def test_what_was_sent_before_the_line_is_heard_first(reader: RealReader, place: AtHand, log: Path) -> None:
    """Over the air a message may come after the line that the reader wrote behind it."""
    place.whole = True
    begun(reader)
    card = reader._card
    assert card is not None

    def late() -> None:
        card.commands.put((b"the end", 0))
        card.power_off()

    says(log, "0")
    threading.Timer(0.2, late).start()
    last = reader.answer(Outcome.REPLIED, b"an answer")
    assert isinstance(last, Wants) and last.message == b"the end"
    assert isinstance(reader.answer(Outcome.REPLIED, b"none"), Told)
