"""T=0 in front of an application: announced, fetched, dropped; and the field and the slot at their edges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.apdu import Command, Response
from virtual_devices.card.second_field import CardInField
from virtual_devices.card.second_t0 import T0
from virtual_devices.iso_dep_reader import rats
from virtual_devices.link import PowerCut
from virtual_devices.mdoc.nfc_retrieval import AID, ENVELOPE, Retrieval, envelopes, unwrap, wrap
from virtual_devices.reader.proximity import Engaged, engage_nfc
from virtual_devices.reader.second_card import ContactChannel
from virtual_devices.reader.transmit import Handle

from .second_cards import SELECT_RETRIEVAL, SELECT_TAG, SecondDesk, copy_of

GET = Command(0, 0xC0, 0, 0, le=256)


def over(answer: bytes) -> T0:
    """An application that gives this answer to every message, behind T=0."""
    retrieval = Retrieval(lambda _: answer, 255, 256)
    assert retrieval.handle(Command(0, 0xA4, 4, 0, AID)) == Response()

    def speak(command: Command) -> Response:
        response = retrieval.handle(command)
        assert response is not None
        return response

    return T0(speak)


def send(t0: T0, message: bytes) -> Response:
    """The links of a message, without Le as T=0 has them."""
    response = Response()
    for link in envelopes(message, 255, 256):
        response = t0.speak(Command(link.cla, link.ins, 0, 0, link.data))
    return response


@given(message=st.binary(min_size=1, max_size=700), answer=st.binary(max_size=900))
def test_answer_is_announced_and_fetched_whole(message: bytes, answer: bytes) -> None:
    t0, got = over(answer), b""
    response = send(t0, message)
    assert response.sw1 == 0x61 and not response.data
    while response.sw1 == 0x61:
        response = t0.speak(Command(0, 0xC0, 0, 0, le=response.sw2 or 256))
        got += response.data
    assert response.ok and unwrap(got) == answer
    assert t0.speak(GET).sw == 0x6985  # it is given once


def test_fetching_more_than_there_is_names_the_length_and_keeps_it() -> None:
    t0 = over(b"twelve bytes")
    assert send(t0, b"x").sw == 0x610E
    assert t0.speak(GET).sw == 0x6C0E
    assert t0.speak(Command(0, 0xC0, 0, 1, le=14)).sw == 0x6A86
    assert t0.speak(Command(0, 0xC0, 0, 0, b"x", 14)).sw == 0x6700
    assert t0.speak(Command(0, 0xC0, 0, 0, le=4)) == Response(wrap(b"twelve bytes")[:4], 0x610A)
    assert t0.speak(Command(0, 0xC0, 0, 0, le=10)).ok


@pytest.mark.parametrize("between", [Command(0, 0xB0, 0, 0, le=2), Command(0x10, ENVELOPE, 0, 0, b"\x53")])
def test_another_command_or_a_selection_drops_what_was_announced(between: Command) -> None:
    t0 = over(b"twelve bytes")
    send(t0, b"x")
    t0.speak(between)
    assert not t0.speak(Command(0, 0xC0, 0, 0, le=14)).data
    send(t0, b"x")
    t0.reset()
    assert t0.speak(Command(0, 0xC0, 0, 0, le=14)).sw == 0x6985


def test_selecting_drops_what_was_announced() -> None:
    desk = SecondDesk(profile="t0")
    slot = desk.card.contact
    slot.power_on()
    for again in (SELECT_RETRIEVAL, SELECT_TAG, Command(0, 0xA4, 4, 0, bytes.fromhex("D1580000010000000000000000001100"))):
        assert slot.handle(SELECT_RETRIEVAL.to_bytes(), 0) == b"\x90\0"
        announced = slot.handle(Command(0, ENVELOPE, 0, 0, wrap(b"\xa0")).to_bytes(), 0)
        assert announced[0] == 0x61
        slot.handle(again.to_bytes(), 0)
        assert slot.handle(Command(0, 0xC0, 0, 0, le=announced[1]).to_bytes(), 0) == b"\x69\x85"


def test_power_gone_while_the_chip_settles_leaves_the_field_empty() -> None:
    desk = SecondDesk()
    card = desk.card
    card.contactless.power_on()
    card.store.arm_cut(3)  # the journal is whole, the cells are not
    with pytest.raises(PowerCut):
        card.fresh_key()
    torn = copy_of(card)
    picc = CardInField(torn.contactless)
    torn.store.arm_cut(0)
    with pytest.raises(PowerCut):
        picc.activate(rats())
    assert not picc.active and not torn.contactless.powered
    assert picc.activate(rats()) is not None
    assert int.from_bytes(torn.store.get("vhc.sessions"), "big") == 1


def test_channel_keeps_to_short_lengths_where_the_answer_to_reset_says_nothing_else() -> None:
    desk = SecondDesk()
    engaged: Engaged = desk.run(engage_nfc(desk.bench.desk.fresh))
    assert engaged.nfc_limits() == (2048, 2048)
    long, short = (ContactChannel.of(Handle("card", extended, False, b""), engaged) for extended in (True, False))
    assert (long.max_command_bytes, long.max_response_bytes) == (2048, 2048)
    assert (short.max_command_bytes, short.max_response_bytes) == (255, 256)
