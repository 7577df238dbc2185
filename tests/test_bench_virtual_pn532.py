"""nfcpy's own pn532 driver, as reader and as card, at virtual chips upon one air; and what goes wrong at the chip's level."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import nfc.clf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.drivers import nfc as driver
from bench.presenters.nfc_radio import open_radio
from bench.presenters.serve import Rows
from bench.stacks.virtual_air import Air
from bench.stacks.virtual_pn532 import ACK, Chip
from benchmarks._presentation import DeskAndPhone
from virtual_devices.errors import LinkError
from virtual_devices.link import Outcome
from virtual_devices.sensing import Passage, Way, whole
from virtual_devices.wallet.faces import NfcFace

from .nfc_desk import LIMIT_S, connected, presented_by_a_chip
from .processes import wait_until
from .test_bench_nfc import big, exchanged, in_place_of_nothing
from .toy_card import READ, ToyCard, hang


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker may take long to start: a busy machine is not to be taken for a hung one."""
    monkeypatch.setattr(driver, "CONNECT_SLACK_S", LIMIT_S)


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Air, driver.NfcLink]]:
    with Air() as air, presented_by_a_chip(ToyCard(), air) as moniker, connected(moniker) as link:
        yield air, link


@pytest.fixture
def field(shared: tuple[Air, driver.NfcLink]) -> tuple[Air, driver.NfcLink]:
    """A calm air, and a link that is connected."""
    air, link = shared
    air.passes = whole
    air.bring()
    assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
    return air, link


def test_wallet_says_the_same_through_two_chips_as_over_no_medium_at_all() -> None:
    place, rows = DeskAndPhone("nfc"), []  # type: tuple[DeskAndPhone, list[Row]]
    with (
        Air() as air, presented_by_a_chip(NfcFace(place.phone), air, Rows(rows.append, "wallet"), clock=place.clock) as moniker,
        driver.open(moniker.removeprefix("nfc:")) as link,
    ):
        over_nfc = in_place_of_nothing(place, link)
    assert over_nfc == exchanged(DeskAndPhone("nfc"))
    assert len(rows) == len([1 for role, _, request, _, _ in over_nfc if role == "wallet" and request])


@pytest.mark.parametrize("length", [0, 252, 5000])
def test_answers_of_any_length_come_whole(field: tuple[Air, driver.NfcLink], length: int) -> None:
    assert field[1].attempt(big(length), LIMIT_S).reply == bytes(length) + b"\x90\x00"


def test_slow_card_asks_for_time_through_the_chip(field: tuple[Air, driver.NfcLink]) -> None:
    assert field[1].attempt(hang(2), LIMIT_S).reply == b"\x90\x00"


def test_lost_and_damaged_frames_are_repeated_and_every_answer_is_right(field: tuple[Air, driver.NfcLink]) -> None:
    air, link = field
    number = count(1)

    def passes(way: Way, frame: bytes) -> Passage:
        return {5: Passage.LOST, 9: Passage.DAMAGED}.get(next(number) % 11, Passage.WHOLE)

    air.passes = passes
    for length in (0, 700, 1, 300, 2, 253):
        assert link.attempt(big(length), LIMIT_S).reply == bytes(length) + b"\x90\x00", link.last_error
    assert next(number) > 22  # both struck, each way


def test_answer_that_comes_too_late_is_not_taken_for_the_next_command_s(field: tuple[Air, driver.NfcLink]) -> None:
    """At the card's chip, many in a row: none is taken for an answer, and the chip is not given up for a moment of it."""
    air, link = field
    card, late, seen = air.chips[1], b"\0\0\xff\x03\xfd\xd5\x87\x29\x7b\0", []  # type: ignore[var-annotated]

    def spoil(frame: bytes) -> bytes:
        seen.append(frame)
        return late + frame if len(seen) < 12 else frame

    card.spoil = spoil
    try:
        link.disconnect()
        assert wait_until(lambda: len(seen) > 14, LIMIT_S)
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
        assert link.attempt(big(300), LIMIT_S).reply == bytes(300) + b"\x90\x00"
    finally:
        card.spoil = bytes


def host_frame(body: bytes) -> bytes:
    """A frame that is right, whatever it says."""
    body = b"\xd4" + body[:250]
    return bytes((0, 0, 0xFF, len(body), -len(body) & 0xFF)) + body + bytes((-sum(body) & 0xFF, 0))


class Nobody:
    """An air with nobody else in it."""

    def find(self, reader: Chip) -> None:
        return None

    def to_card(self, reader: Chip, frame: bytes) -> None:
        return

    def to_reader(self, card: Chip, frame: bytes) -> bool:
        return False

    def field_off(self, reader: Chip) -> None:
        return


@contextmanager
def silent_chip() -> Iterator[tuple[Chip, int]]:
    """A chip alone, without a thread, and the host's end of its line."""
    chip = Chip(Nobody())
    host = os.open(chip.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        yield chip, host
    finally:
        os.close(host)
        chip.close()


@pytest.mark.parametrize(("fate", "outcome", "says"), [
    (Passage.LOST, Outcome.GONE, "left the field"), (Passage.DAMAGED, Outcome.GARBLED, "hold it still"),
])
def test_answers_that_never_pass_end_the_connection(
    field: tuple[Air, driver.NfcLink], fate: Passage, outcome: Outcome, says: str,
) -> None:
    air, link = field

    def passes(way: Way, frame: bytes) -> Passage:
        return fate if way is Way.TO_READER else Passage.WHOLE

    air.passes = passes
    assert link.attempt(READ, LIMIT_S).outcome is outcome
    assert says in link.last_error
    assert link.attempt(READ, LIMIT_S).outcome is Outcome.GONE


def test_card_taken_away_is_gone_and_back_with_the_next_tap(field: tuple[Air, driver.NfcLink]) -> None:
    air, link = field
    air.take_away()
    assert link.attempt(READ, LIMIT_S).outcome is Outcome.GONE
    assert link.connect(0.0).outcome is Outcome.GONE
    air.bring()
    assert link.connect(LIMIT_S).outcome is Outcome.REPLIED
    assert link.attempt(READ, LIMIT_S).reply == b"toy\x90\x00"


def wrong_check(frame: bytes) -> bytes:
    return frame if frame == ACK else frame[:-3] + b"\x55" + frame[-2:]


def nothing(frame: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("spoil", [wrong_check, nothing])
def test_bad_line_to_the_chip_ends_the_connection_and_the_next_one_opens_the_reader_anew(
    spoil: Callable[[bytes], bytes],
) -> None:
    with Air() as air, presented_by_a_chip(ToyCard(), air) as moniker, connected(moniker) as link:
        reader = next(chip for chip in air.chips if chip.path in moniker)
        reader.spoil = spoil
        attempt = link.attempt(READ, LIMIT_S)
        assert attempt.outcome is Outcome.GONE
        reader.spoil = bytes
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
        assert link.attempt(READ, LIMIT_S).outcome is Outcome.REPLIED


def test_chip_that_says_nothing_is_no_reader() -> None:
    with Air() as air:
        chip = air.chip()
        chip.spoil = nothing
        with driver.open(f"tty:{chip.path}") as link:
            assert link.connect(0.0).outcome is Outcome.GONE
            assert "no pn532 answers" in link.last_error and "close other programs" in link.last_error
        with pytest.raises(LinkError, match="no reader that could be a card answers"):
            open_radio(f"tty:{chip.path}")


FRAME = bytes.fromhex("0000FF02FED4022A00")  # GetFirmwareVersion


@given(st.lists(st.one_of(st.binary(max_size=40), st.binary(max_size=300).map(host_frame), st.just(ACK)), max_size=6))
def test_chip_answers_a_right_frame_after_whatever_came_before(noise: list[bytes]) -> None:
    with silent_chip() as (chip, host):
        for raw in [*noise, bytes(600) + FRAME]:  # a frame that had begun ends somewhere in the zeros
            chip.take(raw)
        said = bytearray()
        while not said.endswith(bytes.fromhex("0000FF06FAD50332010607E800")):
            assert select.select([host], [], [], LIMIT_S)[0], said.hex()  # a pseudo-terminal may hand it over in pieces
            said += os.read(host, 65536)


def test_nfcpys_reader_finds_nothing_in_an_empty_field() -> None:
    with Air() as air:
        chip = air.chip()
        clf = nfc.clf.ContactlessFrontend()
        from bench.drivers._nfc_worker import open_tty

        clf.device = open_tty(chip.path)
        assert clf.sense(nfc.clf.RemoteTarget("106A")) is None
        assert "PN532v1.6" in str(clf.device)
        clf.close()
