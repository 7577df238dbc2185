"""The slots of somebody else's software: chips of ours that are exchanged, struck and spoilt behind a real pcscd."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from bench.drivers import pcsc
from bench.drivers.pcsc import PcscLink
from bench.reach.slots_outside import SlotsOutside
from conformance.references.desk_chips import DeskChips
from conformance.town import clinic
from conformance.vectors.world import World
from virtual_devices.apdu import Response
from virtual_devices.errors import LinkError
from virtual_devices.link import Outcome

from .desk_slots import DeskSlots, desk_slots

pytestmark = pytest.mark.needs("pcsc")
CARD_NUMBER = bytes.fromhex("00CA000002000000")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskSlots]:
    with desk_slots(tmp_path_factory.mktemp("slots")) as made:
        yield made


@pytest.fixture
def slots(place: DeskSlots) -> Iterator[SlotsOutside]:
    made, readers = SlotsOutside.find()
    assert readers == place.readers
    world = World(1, time.time_ns())
    chips = DeskChips(world, clinic(world), "case")
    made.fill({"sam": chips.sam().to_image(), "card": chips.patient({}).to_image(), "hpc": chips.professional().to_image()})
    yield made
    made.close()


@pytest.fixture
def card(place: DeskSlots) -> Iterator[PcscLink]:
    link = pcsc.open(place.readers["card"], env=place.env)
    yield link
    link.close()


def answer(card: PcscLink, command: bytes = CARD_NUMBER) -> str:
    attempt = card.attempt(command, 5)
    return f"{Response.parse(attempt.reply).sw:04X}" if attempt.reply is not None else attempt.outcome.value


def test_chip_is_taken_out_and_put_back_as_it_was(slots: SlotsOutside, card: PcscLink) -> None:
    assert card.connect(3).outcome is Outcome.REPLIED
    number = card.attempt(CARD_NUMBER, 5).reply
    slots.take_out("card")
    assert (answer(card), card.connect(0.5).outcome) == ("gone", Outcome.GONE)
    slots.put_back("card")
    assert card.connect(3).outcome is Outcome.REPLIED
    assert card.attempt(CARD_NUMBER, 5).reply == number


def test_chip_that_was_struck_is_out_until_another_comes(slots: SlotsOutside, card: PcscLink) -> None:
    assert card.connect(3).outcome is Outcome.REPLIED
    slots.strike("card", 2)
    assert [answer(card) for _ in range(4)] == ["9000", "9000", "gone", "gone"]
    assert card.connect(0.5).outcome is Outcome.GONE
    world = World(1, time.time_ns())
    slots.put("card", DeskChips(world, clinic(world), "another").patient({}).to_image())
    assert card.connect(3).outcome is Outcome.REPLIED
    assert [answer(card) for _ in range(3)] == ["9000"] * 3


def test_chip_says_what_it_is_told_to_until_it_is_told_no_more(slots: SlotsOutside, card: PcscLink) -> None:
    assert card.connect(3).outcome is Outcome.REPLIED
    slots.answers_by("card", b"\xca", b"\x6f\x00")
    assert answer(card) == "6F00"
    slots.answers_by("card")
    assert answer(card) == "9000"
    slots.answers_by("card", b"\xca", b"\x6f\x00")
    slots.put("card", _professional(), "hpc")
    assert card.connect(3).outcome is Outcome.REPLIED
    assert answer(card) == "6A88"  # the professional's card has no such number


def _professional() -> bytes:
    world = World(1, time.time_ns())
    return DeskChips(world, clinic(world), "case").professional().to_image()


def test_own_chip_is_in_again_afterwards(place: DeskSlots, slots: SlotsOutside, card: PcscLink) -> None:
    assert card.connect(3).outcome is Outcome.REPLIED
    lent = card.attempt(CARD_NUMBER, 5).reply
    card.disconnect()
    slots.take_out("card")
    slots.close()
    assert card.connect(3).outcome is Outcome.REPLIED
    own = card.attempt(CARD_NUMBER, 5).reply
    assert own is not None and own != lent


def test_who_is_missing_is_said(place: DeskSlots) -> None:
    with pytest.raises(LinkError, match="no presenter of ours shows a hpc in a reader 'ACS"):
        SlotsOutside.find(readers={"hpc": "ACS*"})
