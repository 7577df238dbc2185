"""The patient card's face to readers: today's public read byte for byte, in every profile, and what a foreign reader hears."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtual_devices.apdu import Command
from virtual_devices.atr import parse
from virtual_devices.card.holder import make_holder
from virtual_devices.card.ic_card import IcCard
from virtual_devices.card.image import CardImage, Personalisation, personalise
from virtual_devices.card.profiles import PROFILES
from virtual_devices.errors import UsageError
from virtual_devices.pki import Role
from virtual_devices.randomness import stream
from virtual_devices.reader.transmit import Handle, read_area, transmit
from virtual_devices.records import RECORDS

from .chips import CARD_NUMBER, NAME_SAM, PUBLIC, PUBLIC_LE, SELECT_15_LE, SELECT_16, at_desk, on, say
from .desk import AUTHORITY, CARD_NO, Bench, patient_card

T1 = [name for name, profile in PROFILES.items() if profile.transport.value == 1]


@pytest.mark.parametrize("profile", PROFILES)
def test_public_read_gives_57_bytes_at_the_right_offsets(profile: str) -> None:
    card = on(patient_card(profile))
    handle = Handle("card", False, PROFILES[profile].transport.value == 0, card.atr)
    for raw in (PUBLIC, PUBLIC_LE):
        command = Command.parse(bytes.fromhex(raw))
        answer = at_reader(card, transmit(handle, command, "read"))
        assert answer.sw == 0x9000 and len(answer.data) == 57
        values = RECORDS["pcsc_basic"].texts(answer.data)
        assert answer.data[:12] == CARD_NO.encode() == values["card_no"].encode()
        assert answer.data[32:42] == values["id_no"].encode() and answer.data[42:49].isdigit()
        assert answer.data[49:50] in b"MF" and answer.data[50:57] == b"1100101"
        name = answer.data[12:32]
        assert name.decode("big5hkscs").strip("\0 ") == values["name"]
        assert name.endswith(b"\0" if profile == "t1-nul" else b" ")


def at_reader(card: IcCard, flow: Any) -> Any:
    bench = Bench()
    bench.card = card
    return bench.run(flow)


@pytest.mark.parametrize("profile", T1)
@pytest.mark.parametrize("raw", [PUBLIC, PUBLIC_LE, "00CA1100 000002 0000", "00CA1100 000002 0000 0000"])
def test_public_read_over_t1_is_one_exchange_with_or_without_le(profile: str, raw: str) -> None:
    answer = say(on(patient_card(profile)), raw)
    assert answer.sw == 0x9000 and len(answer.data) == 57


@pytest.mark.parametrize("raw", [PUBLIC, PUBLIC_LE])
def test_public_read_over_t0_is_announced_and_fetched(raw: str) -> None:
    card = on(patient_card("t0"))
    assert say(card, raw).to_bytes() == bytes.fromhex("6139")
    assert say(card, "00C0000000").to_bytes() == bytes.fromhex("6C39")  # wrong Le, the data wait
    answer = say(card, "00C0000039")
    assert answer.sw == 0x9000 and len(answer.data) == 57
    assert say(card, "00C0000039").sw == 0x6985  # fetched once


def test_data_waiting_over_t0_are_dropped_by_any_other_command() -> None:
    card = on(patient_card("t0"))
    assert say(card, PUBLIC).sw == 0x6139
    assert say(card, "0084000008").sw == 0x9000
    assert say(card, "00C0000039").sw == 0x6985


def test_extended_length_is_refused_over_t0() -> None:
    assert say(on(patient_card("t0")), "00CA1100 000002 0000").sw == 0x6700


@pytest.mark.parametrize("profile", PROFILES)
def test_both_select_forms_are_accepted_where_select_is(profile: str) -> None:
    card = on(patient_card(profile))
    for raw in (SELECT_16, SELECT_15_LE, SELECT_16 + "00"):
        assert say(card, raw).to_bytes() == bytes.fromhex("6D00" if profile == "y2025" else "9000")


@pytest.mark.parametrize("profile", PROFILES)
def test_foreign_selects_are_refused_and_the_card_goes_on(profile: str) -> None:
    card = on(patient_card(profile))
    foreign = [
        "00A4040008A000000003000000", "00A4040C0BA000000063504B43532D3135", "00A4000C023F00", "00A40000023F00", "00A4080C022F00",
        "00A40000", "00A4020C020002", "00A40400", "00A4040005D158000001", "00A404001100D1580000010000000000000000001100",
        "00A4040007A0000002471001", "00A4040009A00000039742544659",
    ]
    for raw in foreign:
        assert say(card, raw).sw in (0x6A82, 0x6D00), raw
    for raw, allowed in {
        "00B0000000": {0x6D00}, "00CA006E00": {0x6A88}, "80CA9F7F00": {0x6A88}, "00CA004F00": {0x6A88}, "0000000000": {0x6D00},
        "C0A4000002": {0x6E00}, "FFCA000000": {0x6E00}, "A0A40000023F00": {0x6E00}, "00": {0x6700}, "": {0x6700},
    }.items():
        assert say(card, raw).sw in allowed, raw
    assert say(card, PUBLIC).sw in (0x9000, 0x6139)


@pytest.mark.parametrize(
    ("raw", "sw"),
    [
        ("00CA110002000000", 0x9000), ("00CA000002000000", 0x9000), ("00CA240002000000", 0x6A88), ("00CA1100", 0x6700),
        ("00CA110000", 0x6700), ("00CA110001 00", 0x6700), ("00CA110002 0001", 0x6A80), ("00CA110002 0000 0A", 0x6C39),
        ("0084000008", 0x9000), ("0084000000", 0x9000), ("00840000", 0x9000), ("0084000007", 0x6700), ("0084000021", 0x6700),
        ("00821112 20" + "5A" * 32 + "10", 0x6A86), ("00820000 20" + "5A" * 32 + "10", 0x6985), ("00C0000000", 0x6985),
        ("00C0010000", 0x6A86), ("00C00000010000", 0x6700),
        ("00B2011400", 0x6982), ("00B2011C00", 0x9000), ("00B2021C00", 0x6A83),
        ("00B2001C00", 0x6A83), ("00B201FC00", 0x6A82), ("00B2011800", 0x6A86), ("80DA010003 8E0100", 0x6982),
    ],
)
def test_field_reader_hears(raw: str, sw: int) -> None:
    """Also what the one replacement for the official component sends: its 82 1112 must never topple the card."""
    card = on(patient_card())
    assert say(card, raw).sw == sw
    assert say(card, PUBLIC).sw == 0x9000


def test_card_number_is_the_first_field_of_the_public_data() -> None:
    assert say(on(patient_card()), CARD_NUMBER).data == CARD_NO.encode()


@pytest.mark.parametrize("profile", PROFILES)
def test_challenges_are_as_long_as_asked_for_and_fresh(profile: str) -> None:
    card = on(patient_card(profile))
    first, second = say(card, "0084000008").data, say(card, "0084000008").data
    assert len(first) == len(second) == 8 and first != second
    assert say(card, "0084000010").sw == 0x9000


def test_select_ends_what_was_proved_and_a_chip_without_power_says_nothing_of_use() -> None:
    bench = Bench()
    card = at_desk(bench)
    assert say(card, "00B2010C00").sw == 0x9000
    assert say(card, SELECT_16).sw == 0x9000
    assert say(card, "00B2010C00").sw == 0x6982
    card.power_off()
    assert say(card, PUBLIC).sw == 0x6F00


@pytest.mark.parametrize("profile", PROFILES)
def test_areas_are_read_whole_and_piece_by_piece_alike(profile: str) -> None:
    bench = Bench(profile)
    card = at_desk(bench)
    handle = Handle("card", profile != "t0", profile == "t0", card.atr)
    small = Handle("card", False, profile == "t0", card.atr)
    for sfi, count, length in ((6, 6, 69), (10, 11, 19), (17, 40, 35)):
        one = bench.run(read_area(handle, sfi, "area", "read", count, length))
        other = bench.run(read_area(small, sfi, "area", "read", count, length))
        assert one == other and len(one) == count * length
    long = say(card, "00B2018D0A")  # 1400 bytes, ten asked for: 6Cxx has no word for that many
    assert long.sw >> 8 == (0x6C if profile == "t0" else 0x61)
    assert (len(long.data), long.sw & 0xFF) == ((0, 0) if profile == "t0" else (10, 0))


def test_image_returns_the_same_card_and_nothing_else_is_an_image() -> None:
    card = on(patient_card("t0"))
    image = card.to_image()
    assert IcCard.from_image(image).to_image() == image
    for raw in (b"", b"\xa0", image[:-1], image + b"\0", b"\x81" * 5000):
        with pytest.raises(UsageError):
            IcCard.from_image(raw)


IMAGE = patient_card().to_image()
ROOT_VERSION = IMAGE.index(bytes.fromhex("A003020102")) + 4
REFUSAL = (
    r"these \d+ bytes are no card image \(\w+\); make one with this version"
    r"|card image of version .*, profile .*: not known here; make one with this version"
    r"|the root is no certificate in DER .*; take the one that the bench's authority gives"
)


def refused_or_a_card(raw: bytes) -> bool:
    """Whether it is a card, which then answers as one. A refusal says what the bytes are not."""
    try:
        card = IcCard.from_image(raw)
    except UsageError as e:
        assert re.fullmatch(REFUSAL, str(e), re.DOTALL), e
        return False
    assert card.power_on()
    for message in (SELECT_16, PUBLIC, "0084000010", "0020008108313233340FFFFFFF", NAME_SAM, "002A00BE0130"):
        assert say(card, message).sw >> 12 in (6, 9), message
    return True


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(0, len(IMAGE) - 1), st.integers(0, 255)), min_size=2, max_size=3))
def test_damaged_image_is_refused_or_a_card(damage: list[tuple[int, int]]) -> None:
    raw = bytearray(IMAGE)
    for at, value in damage:
        raw[at] = value
    refused_or_a_card(bytes(raw))


def test_image_with_one_wrong_bit_is_refused_or_a_card() -> None:
    cards = 0
    for at in range(len(IMAGE)):
        cards += refused_or_a_card(IMAGE[:at] + bytes([IMAGE[at] ^ 1 << at % 8]) + IMAGE[at + 1 :])
    assert 0 < cards < len(IMAGE)


def test_image_whose_root_is_of_an_unknown_version_is_refused() -> None:
    assert not refused_or_a_card(IMAGE[:ROOT_VERSION] + b"\x11" + IMAGE[ROOT_VERSION + 1 :])


@pytest.mark.parametrize(
    "wrong",
    [
        {"profile": "t2"}, {"last_seen_ns": -1}, {"pin": "12"}, {"pin": "１２３４"}, {"available_visits": 100},
        {"records": {"visit": (b"short",)}}, {"records": {"visits": ()}}, {"records": {"basic": (b" " * 72,)}},
        {"records": {"visit": (b" " * 69,) * 7}},
    ],
)
def test_personalisation_refuses_what_does_not_fit(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        patient_card(**wrong)


def test_image_type_checks_the_version() -> None:
    data = Personalisation(CARD_NO, make_holder(stream("holder"), date(2026, 3, 2)), "1100101", "1301231")
    image = personalise(data, AUTHORITY.issue(Role.PATIENT_CARD, CARD_NO), AUTHORITY.root_der, b"seed")
    other = image.to_bytes().replace(b"gversion\x01", b"gversion\x02")
    with pytest.raises(UsageError, match="version 2"):
        CardImage.from_bytes(other)


@pytest.mark.parametrize("profile", PROFILES)
def test_atr_says_what_the_profile_does(profile: str) -> None:
    read = parse(PROFILES[profile].atr)
    assert read.transports == (PROFILES[profile].transport.value,)
    assert read.chaining and read.extended == (profile != "t0")
