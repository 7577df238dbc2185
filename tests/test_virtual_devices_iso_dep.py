"""ISO-DEP, the card: the standard's rules one by one, and everything that is met with silence."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.errors import UsageError
from virtual_devices.iso_dep import FRAME_SIZES, Ats, Block, Kind, MalformedIsoDep, Picc
from virtual_devices.iso_dep_reader import air_time_ns, rats

from .iso_dep_air import RATS_256, H, card

codes = st.integers(0, len(FRAME_SIZES) - 1)
known = st.sampled_from([H("02AA"), H("03BB"), H("12AA"), H("A2"), H("B3"), H("C2"), H("F201")])


@given(st.lists(st.one_of(st.binary(max_size=30), st.binary(min_size=240, max_size=270), known), max_size=40))
def test_card_answers_or_is_silent_whatever_comes(blocks: list[bytes]) -> None:
    picc = card(lambda message: None if message[:1] == b"\xaa" else message)
    for block in blocks:
        answer = picc.receive(block)
        if answer is not None and answer[0] & 0xF0 != 0xD0:  # Dx answers a PPS
            assert len(answer) + 2 <= 256
            assert Block.parse(answer).to_bytes() == answer
    picc.field_off()
    assert picc.activate(RATS_256) is not None
    assert picc.receive(H("0200A4")) == H("0200A4")


def test_blocks_toggle_their_number() -> None:
    picc = card()
    assert [picc.receive(H(block)) for block in ("0201", "0302", "0203")] == [H("0201"), H("0302"), H("0203")]


def test_chained_command_is_acknowledged_and_put_together() -> None:
    picc = card()
    assert picc.receive(H("120102")) == H("A2")
    assert picc.receive(H("130304")) == H("A3")
    assert picc.receive(H("0205")) == H("020102030405")


def test_chained_answer_goes_on_by_acknowledgement() -> None:
    picc = card(lambda _: bytes(range(30)), request=H("E000"))
    assert picc.receive(H("0200")) == H("12") + bytes(range(13))
    assert picc.receive(H("A3")) == H("13") + bytes(range(13, 26))
    assert picc.receive(H("A2")) == H("02") + bytes(range(26, 30))
    assert picc.receive(H("A3")) is None  # the chain has ended


def test_rule_11_last_block_is_sent_again() -> None:
    picc = card()
    assert picc.receive(H("B3")) is None  # nothing was sent yet
    assert picc.receive(H("0201")) == H("0201")
    assert picc.receive(H("B2")) == H("0201")
    assert picc.receive(H("A2")) == H("0201")
    assert picc.receive(H("1302")) == H("A3")
    assert picc.receive(H("B3")) == H("A3")


def test_rule_12_block_that_never_came_is_asked_for() -> None:
    picc = card()
    assert picc.receive(H("B2")) == H("A3")  # the reader's very first block was lost
    assert picc.receive(H("0201")) == H("0201")
    assert picc.receive(H("B3")) == H("A2")
    assert picc.receive(H("0302")) == H("0302")


def test_rule_11_of_a_chained_answer_repeats_its_piece() -> None:
    picc = card(lambda _: bytes(20), request=H("E000"))
    first = picc.receive(H("0200"))
    assert picc.receive(H("A2")) == first
    last = picc.receive(H("A3"))
    assert last == H("03") + bytes(7)
    assert picc.receive(H("A3")) == last


def test_new_command_drops_the_rest_of_an_answer() -> None:
    picc = card(lambda message: message * 20, request=H("E000"))
    assert picc.receive(H("0201")) == H("12") + b"\x01" * 13
    assert picc.receive(H("0302")) == H("13") + b"\x02" * 13


def test_card_asks_for_time_until_it_has_the_answer() -> None:
    heard: list[bytes] = []
    picc = card(lambda message: heard.append(message))
    assert picc.receive(H("0201")) is None
    assert picc.computing
    assert picc.extend(5) == H("F205")
    assert picc.receive(H("F206")) is None  # not what was asked for
    assert picc.receive(H("B2")) == H("F205")  # the request was lost
    assert picc.receive(H("F205")) is None
    assert picc.receive(H("B2")) == H("F201")  # the reader's time is up, the card's is not
    assert picc.reply(b"late") is None  # the reader has the word
    assert picc.receive(H("F201")) == H("02") + b"late"
    assert not picc.computing
    assert picc.receive(H("F201")) is None
    assert heard == [b"\x01"]


def test_busy_card_takes_no_second_command() -> None:
    picc = card(lambda _: None)
    assert picc.receive(H("0201")) is None
    assert picc.receive(H("0302")) is None
    assert picc.reply(b"x") == H("0278")


@pytest.mark.parametrize(
    "act", ["reply", "extend", "extend twice", "extend 0", "extend 60", "reply twice", "reply after field off"],
)
def test_word_out_of_turn_is_the_presenters_mistake(act: str) -> None:
    picc = card(lambda _: None)
    if act not in ("reply", "extend"):
        picc.receive(H("0201"))
    with pytest.raises(UsageError):
        match act:
            case "reply twice":
                picc.extend()
                picc.reply(b"x")
                picc.reply(b"x")
            case "extend twice":
                picc.extend()
                picc.extend()
            case "reply after field off":
                picc.field_off()
                picc.reply(b"x")
            case _ if act.startswith("reply"):
                picc.reply(b"x")
            case _:
                picc.extend(int(act[7:] or 1))


def test_deselected_card_is_silent_until_selected_anew() -> None:
    picc = card()
    picc.receive(H("0201"))
    assert picc.receive(H("C2")) == H("C2")
    assert not picc.active
    assert picc.receive(H("C2")) is None
    assert picc.receive(H("0302")) is None
    assert picc.activate(RATS_256) == picc.ats.to_bytes()
    assert picc.receive(H("0201")) == H("0201")


def test_cid_is_heeded_as_the_ats_says() -> None:
    five = card(request=rats(8, 5))
    assert five.receive(H("0A0511")) == H("0A0511")
    assert five.receive(H("0B0411")) is None
    assert five.receive(H("0311")) is None  # without CID speaks to CID 0
    assert five.receive(H("CA05")) == H("CA05")
    none = card(request=rats(8, 0))
    assert none.receive(H("0211")) == H("0211")
    assert none.receive(H("0B0011")) == H("0B0011")
    without = card(ats=Ats(cid=False), request=rats(8, 5))
    assert without.receive(H("0A0511")) is None
    assert without.receive(H("0211")) == H("0211")


def test_cid_takes_its_place_in_the_frame() -> None:
    picc = card(lambda _: bytes(30), request=rats(0, 3))
    assert picc.receive(H("0A0300")) == H("1A03") + bytes(12)


@pytest.mark.parametrize(
    "block",
    [
        "", "00", "0601AA", "22", "42", "80", "A0", "A6", "A2AA", "B2AA", "C2AA", "D2", "E2", "F2", "F20102", "F0", "0A",
        "0A30AA", "0A0F", "FF",
    ],
)
def test_malformed_block_is_met_with_silence(block: str) -> None:
    picc = card()
    with pytest.raises(MalformedIsoDep):
        Block.parse(H(block))
    assert picc.receive(H(block)) is None
    assert picc.receive(H("0211")) == H("0211")


def test_frame_longer_than_the_card_takes_is_damaged() -> None:
    picc = card(ats=Ats(fsci=0))
    assert picc.receive(H("02") + bytes(14)) is None
    assert picc.receive(H("02") + bytes(13)) == H("02") + bytes(13)


def test_message_longer_than_the_limit_is_met_with_silence() -> None:
    heard: list[bytes] = []
    picc = Picc(heard.append, max_message_bytes=300)
    picc.activate(RATS_256)
    assert picc.receive(H("12") + bytes(250)) == H("A2")
    assert picc.receive(H("13") + bytes(51)) is None
    assert picc.receive(H("0211")) is None
    assert heard == []
    assert picc.activate(RATS_256) is not None


def test_empty_block_asks_whether_the_card_is_there() -> None:
    heard: list[bytes] = []
    picc = card(heard.append)
    assert picc.receive(H("02")) == H("02")
    assert heard == []


def test_rats_is_answered_once() -> None:
    picc = Picc(lambda message: message, Ats(8, 7, 0, True, b"vhc"))
    assert picc.receive(H("0211")) is None
    for bad in ("", "E0", "E08F", "E18000", "D000", "E0800000"):
        assert picc.activate(H(bad)) is None
    assert picc.activate(H("E080")) == H("0878807002") + b"vhc"
    assert picc.activate(H("E080")) is None


def test_parameters_are_answered_right_after_rats_when_they_change_nothing() -> None:
    assert card().receive(H("D01100")) == H("D0")
    assert card().receive(H("D001")) == H("D0")
    assert card().receive(H("D01105")) is None
    assert card().receive(H("D11100")) is None
    assert card(request=rats(8, 3)).receive(H("D31100")) == H("D3")
    picc = card()
    assert picc.receive(H("D01100")) == H("D0")
    assert picc.receive(H("D01100")) is None
    assert picc.receive(H("0211")) == H("0211")


@given(codes, st.integers(0, 14), st.integers(0, 14), st.booleans(), st.binary(max_size=15))
def test_ats_survives_the_wire_both_ways(fsci: int, fwi: int, sfgi: int, cid: bool, historical: bytes) -> None:
    ats = Ats(fsci, fwi, sfgi, cid, historical)
    assert Ats.parse(ats.to_bytes()) == ats


@pytest.mark.parametrize(
    ("raw", "ats"),
    [
        ("01", Ats(2, 4)), ("0200", Ats(0, 4)), ("0208", Ats(8, 4)), ("03280F", Ats(8, 0, 0)), ("0328F0", Ats(8, 4)),
        ("067577810280", Ats(5, 8, 1, True, b"\x80")), ("020F", Ats(12, 4)), ("034800", Ats(8, 4, cid=False)),
    ],
)
def test_ats_of_others_is_read_with_the_standards_defaults(raw: str, ats: Ats) -> None:
    assert Ats.parse(H(raw)) == ats


@pytest.mark.parametrize("raw", ["", "00", "02", "0300", "0278", "04787780", "1500" + "00" * 19, "1300" + "00" * 17])
def test_malformed_ats_is_refused(raw: str) -> None:
    with pytest.raises(MalformedIsoDep):
        Ats.parse(H(raw))


def test_frame_waiting_time_is_the_standards() -> None:
    assert Ats(fwi=0).frame_waiting_s == pytest.approx(302e-6, rel=1e-2)
    assert Ats(fwi=4).frame_waiting_s == pytest.approx(4.8e-3, rel=1e-2)
    assert Ats(fwi=14).frame_waiting_s == pytest.approx(4.949, rel=1e-3)
    assert air_time_ns(bytes(254)) == pytest.approx(256 * 9 * 9440, rel=1e-2)


@given(st.sampled_from(Kind), st.integers(0, 1), st.binary(max_size=300), st.booleans(), st.none() | st.integers(0, 14))
def test_block_survives_the_wire_both_ways(kind: Kind, number: int, inf: bytes, more: bool, cid: int | None) -> None:
    block = {
        Kind.I: Block(kind, number, inf, more, cid), Kind.WTX: Block(kind, 0, (inf + b"\x01")[:1], False, cid),
        Kind.DESELECT: Block(kind, cid=cid),
    }.get(kind, Block(kind, number, cid=cid))
    assert Block.parse(block.to_bytes()) == block


@pytest.mark.parametrize(
    "make", [lambda: rats(13), lambda: rats(8, 15), lambda: Ats(13), lambda: Ats(fwi=15), lambda: Ats(historical=bytes(16))],
)
def test_parameters_that_cannot_be_are_the_callers_mistake(make: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        make()
