"""The serving loop: a row for each request, an image kept before its answer goes out, and where images are kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.presenters.serve import Persistent, Rows, Signal, Slot, serve
from virtual_devices.clock import VirtualClock
from virtual_devices.link import Outcome
from virtual_devices.trace import ExchangeRow

from .toy_card import ATR_T1, READ, SELECT, SILENCE, ToyCard, update


class Script:
    """A transport that plays a list, and notes what the device answers and when."""

    channel = "contact"
    device = "script"

    def __init__(self, *asked: bytes | Signal, deaf: bool = False) -> None:
        self._asked: Iterator[bytes | Signal] = iter([*asked, Signal.END])
        self._deaf = deaf
        self.answers: list[bytes] = []
        self.happened: list[str] = []

    def receive(self) -> bytes | Signal:
        return next(self._asked)

    def reply(self, message: bytes) -> bool:
        self.answers.append(message)
        self.happened.append("reply")
        return not self._deaf


def rows_of(transport: Script, **options: object) -> list[ExchangeRow]:
    rows: list[ExchangeRow] = []
    serve(ToyCard(), transport, Rows(record=rows.append, **options), clock=VirtualClock(7))  # type: ignore[arg-type]
    return rows


def test_serve_writes_a_presented_row_for_each_request() -> None:
    def status(role: str, request: bytes, reply: bytes) -> str:
        return reply[-2:].hex()

    first, second = rows_of(Script(Signal.POWER_ON, READ, SELECT), status=status)
    assert (first.request, first.reply, first.status, first.outcome) == (READ, b"toy\x90\x00", "9000", "replied")
    assert (first.provenance, first.role, first.device, first.at_ns) == ("presented", "card", "script", 7)
    assert second.duration_ns > 0 and second.request_bytes == len(SELECT)


def test_serve_masks_the_bytes_of_real_people_and_keeps_their_lengths() -> None:
    (row,) = rows_of(Script(Signal.POWER_ON, READ), masked=True)
    assert (row.request, row.reply, row.request_bytes, row.reply_bytes) == (b"", b"", 5, 5)


@pytest.mark.parametrize(("before", "request_", "deaf", "outcome"), [
    ([], READ, False, Outcome.REQUEST_LOST), ([Signal.POWER_ON, Signal.POWER_OFF], READ, False, Outcome.REQUEST_LOST),
    ([Signal.POWER_ON, Signal.LOST], READ, False, Outcome.REQUEST_LOST),
    ([Signal.POWER_ON], SILENCE, False, Outcome.REPLY_LOST), ([Signal.POWER_ON], READ, True, Outcome.REPLY_LOST),
])
def test_serve_tells_a_request_without_power_from_an_answer_that_got_lost(
    before: list[Signal], request_: bytes, deaf: bool, outcome: Outcome
) -> None:
    (row,) = rows_of(Script(*before, request_, deaf=deaf))
    assert (row.outcome, row.reply, row.reply_bytes) == (outcome.value, b"", -1)


def test_serve_gives_the_atr_without_leaving_the_card_powered() -> None:
    transport = Script(Signal.ATR, READ, Signal.POWER_ON, Signal.ATR, Signal.RESET, READ)
    rows_of(transport)
    assert transport.answers == [ATR_T1, b"", ATR_T1, b"toy\x90\x00"]


def test_serve_ends_when_a_row_cannot_be_recorded() -> None:
    def full(row: object) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        serve(ToyCard(), Script(Signal.POWER_ON, READ, READ), Rows(record=full))


def test_commit_is_kept_before_the_answer_goes_out() -> None:
    transport = Script(Signal.POWER_ON, READ, update(b"one"), READ, update(b"two"))
    slot = Slot(lambda card_no, image: transport.happened.append(f"{card_no}={image.decode()}"))
    slot.put(ToyCard(), "7")
    serve(slot, transport)
    assert transport.happened == ["7=toy", "reply", "7=one", "reply", "reply", "7=two", "reply"]


def test_toy_card_is_a_persistent_device() -> None:
    assert isinstance(ToyCard(), Persistent)


def test_empty_slot_answers_nothing() -> None:
    slot = Slot(lambda *_: None)
    assert (slot.power_on(), slot.handle(READ, 0), slot.occupied) == (b"", b"", False)
