"""Command and response APDUs: both directions, the seven cases, chaining, and bytes that public NHI readers send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.apdu import (
    INS_NAMES,
    SW,
    Chainer,
    Command,
    MalformedApdu,
    Response,
    chain,
    describe_sw,
    label,
)
from virtual_devices.errors import PeerError, UsageError

AID16 = bytes.fromhex("D1580000010000000000000000001100")

byte = st.integers(0, 255)
lengths_le = st.one_of(st.none(), st.integers(1, 65536), st.sampled_from([1, 255, 256, 257, 65535, 65536]))
datas = st.one_of(st.binary(max_size=40), st.sampled_from([0, 1, 254, 255, 256, 257, 65534, 65535]).map(bytes))
commands = st.builds(Command, byte, byte, byte, byte, datas, lengths_le)


@given(commands, st.booleans())
def test_command_survives_the_wire_both_ways(command: Command, extended: bool) -> None:
    raw = command.to_bytes(extended=extended)
    again = Command.parse(raw)
    assert again == command
    assert again.to_bytes() == raw


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=12).map(lambda tail: bytes(4) + b"\0" + tail)))
def test_command_parse_of_any_bytes_round_trips_or_is_malformed(raw: bytes) -> None:
    try:
        command = Command.parse(raw)
    except MalformedApdu as refused:
        assert refused.sw == 0x6700
        return
    assert command.to_bytes() == raw


@given(st.binary(max_size=300))
def test_response_parse_of_any_bytes_round_trips_or_is_malformed(raw: bytes) -> None:
    if len(raw) < 2:
        with pytest.raises(MalformedApdu):
            Response.parse(raw)
        return
    response = Response.parse(raw)
    assert response.to_bytes() == raw
    assert (response.sw1, response.sw2) == (raw[-2], raw[-1])
    assert response.ok == raw.endswith(b"\x90\x00")


@pytest.mark.parametrize(
    ("case", "raw", "data", "le"),
    [
        ("1", "00A40400", b"", None),
        ("2S", "00A4040007", b"", 7),
        ("2S, Le 00", "00A4040000", b"", 256),
        ("3S", "00A4040002AABB", b"\xaa\xbb", None),
        ("4S", "00A4040002AABB07", b"\xaa\xbb", 7),
        ("4S, Le 00", "00A4040002AABB00", b"\xaa\xbb", 256),
        ("2E", "00A40400000107", b"", 0x107),
        ("2E, Le 0000", "00A40400000000", b"", 65536),
        ("3E", "00A40400000002AABB", b"\xaa\xbb", None),
        ("4E", "00A40400000002AABB0007", b"\xaa\xbb", 7),
        ("4E, Le 0000", "00A40400000002AABB0000", b"\xaa\xbb", 65536),
    ],
)
def test_command_parse_reads_each_case(case: str, raw: str, data: bytes, le: int | None) -> None:
    command = Command.parse(bytes.fromhex(raw))
    assert (command.cla, command.ins, command.p1, command.p2) == (0x00, 0xA4, 0x04, 0x00), case
    assert (command.data, command.le) == (data, le)
    assert command.extended == case[:2].endswith("E")
    assert command.to_bytes() == bytes.fromhex(raw)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("", "at least 4"),
        ("00A404", "at least 4"),
        ("00A4040003AABB", "announces 3"),
        ("00A4040001AABBCC", "announces 1"),
        ("00A404000001", "no extended length"),
        ("00A4040000000007", "announces 0"),
        ("00A404000000000007", "announces 0"),
        ("00A40400000003AABB", "announces 3"),
        ("00A40400000002AABB07", "announces 2"),
        ("00A40400000002AABB070707", "announces 2"),
    ],
)
def test_command_parse_refuses_lengths_that_do_not_agree(raw: str, why: str) -> None:
    with pytest.raises(MalformedApdu, match=why) as caught:
        Command.parse(bytes.fromhex(raw))
    assert caught.value.sw == SW.WRONG_LENGTH
    assert caught.value.code == "6700"
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, PeerError)


# What public programs send to the NHI card: two forms of SELECT, the read of basic data with and without Le.
PUBLIC_BYTES = [
    ("00A4040010D1580000010000000000000000001100", 0xA4, 0x0400, AID16, None),
    ("00A404000FD158000001000000000000000000" + "1100", 0xA4, 0x0400, AID16[:15], 256),
    ("00CA1100020000", 0xCA, 0x1100, b"\0\0", None),
    ("00CA110002000000", 0xCA, 0x1100, b"\0\0", 256),
    ("00CA000002000000", 0xCA, 0x0000, b"\0\0", 256),
    ("00CA240002000000", 0xCA, 0x2400, b"\0\0", 256),
    ("0084000008", 0x84, 0x0000, b"", 8),
    ("0082111220" + "5A" * 32 + "10", 0x82, 0x1112, b"\x5a" * 32, 16),
]


@pytest.mark.parametrize(("raw", "ins", "p1p2", "data", "le"), PUBLIC_BYTES)
def test_command_reads_what_public_readers_send(raw: str, ins: int, p1p2: int, data: bytes, le: int | None) -> None:
    command = Command.parse(bytes.fromhex(raw))
    assert command == Command(0x00, ins, p1p2 >> 8, p1p2 & 0xFF, data, le)
    assert command.to_bytes() == bytes.fromhex(raw)


def test_command_with_15_byte_aid_differs_from_16_in_one_byte() -> None:
    sixteen = Command(0, 0xA4, 4, 0, AID16).to_bytes()
    fifteen = Command(0, 0xA4, 4, 0, AID16[:15], 256).to_bytes()
    assert len(sixteen) == len(fifteen) == 21
    assert [i for i in range(21) if sixteen[i] != fifteen[i]] == [4]


def test_command_extended_is_forced_only_where_there_is_a_length() -> None:
    assert Command(0, 0xCA, 0x11, 0, b"\0\0", 256).to_bytes(extended=True).hex() == "00ca1100000002" + "0000" + "0100"
    assert Command(0, 0xCA, 0x11, 0, b"", 1).to_bytes(extended=True).hex() == "00ca1100000001"
    assert Command(0, 0xCA, 0x11, 0).to_bytes(extended=True).hex() == "00ca1100"


@pytest.mark.parametrize(
    "wrong",
    [(256, 0, 0, 0), (0, -1, 0, 0), (0, 0, 0, 0, bytes(65536)), (0, 0, 0, 0, b"", 0), (0, 0, 0, 0, b"", 65537)],
)
def test_command_refuses_what_no_apdu_can_carry(wrong: tuple[int, int, int, int]) -> None:
    with pytest.raises(UsageError):
        Command(*wrong)


def test_command_is_frozen() -> None:
    with pytest.raises(AttributeError):
        Command(0, 0, 0, 0).cla = 1  # type: ignore[misc]


@pytest.mark.parametrize("sw", [-1, 0x10000])
def test_response_refuses_a_status_word_beyond_16_bits(sw: int) -> None:
    with pytest.raises(UsageError):
        Response(b"", sw)
    with pytest.raises(UsageError):
        describe_sw(sw)


plain = st.builds(Command, byte.map(lambda cla: cla & ~0x10), byte, byte, byte, datas, lengths_le)


@given(plain, st.integers(200, 1000))
def test_chain_and_chainer_are_inverse(command: Command, max_bytes: int) -> None:
    links = chain(command, max_bytes)
    chainer = Chainer()
    assert all(len(link.data) <= max_bytes for link in links)
    for link in links[:-1]:
        assert link.chaining and link.le is None
        assert chainer.feed(link) == 0x9000
    assert not links[-1].chaining
    assert chainer.feed(links[-1]) == command
    assert chainer.feed(Command(0, 0xB0, 0, 0)) == Command(0, 0xB0, 0, 0)


def test_chain_splits_at_255_and_sets_the_bit() -> None:
    first, second, last = chain(Command(0x00, 0xC3, 0, 0, bytes(511), 256))
    assert [len(link.data) for link in (first, second, last)] == [255, 255, 1]
    assert [link.cla for link in (first, second, last)] == [0x10, 0x10, 0x00]
    assert [link.le for link in (first, second, last)] == [None, None, 256]


def test_chain_refuses_a_link_and_a_senseless_size() -> None:
    with pytest.raises(UsageError, match="chaining bit"):
        chain(Command(0x10, 0xC3, 0, 0))
    with pytest.raises(UsageError, match="1 to 65535"):
        chain(Command(0x00, 0xC3, 0, 0), 0)


def test_chainer_drops_the_chain_when_another_command_comes_between() -> None:
    chainer = Chainer()
    assert chainer.feed(Command(0x10, 0xC3, 0, 0, b"a")) == SW.OK
    assert chainer.feed(Command(0x00, 0xA4, 4, 0, b"b")) == SW.LAST_OF_CHAIN_EXPECTED
    assert chainer.feed(Command(0x00, 0xC3, 0, 0, b"c")) == Command(0x00, 0xC3, 0, 0, b"c")


@pytest.mark.parametrize("header", [(0x01, 0xC3, 0, 0), (0x00, 0xC2, 0, 0), (0x00, 0xC3, 1, 0), (0x00, 0xC3, 0, 1)])
def test_chainer_takes_only_links_with_the_same_header(header: tuple[int, int, int, int]) -> None:
    chainer = Chainer()
    assert chainer.feed(Command(0x10, 0xC3, 0, 0, b"a")) == SW.OK
    assert chainer.feed(Command(*header, b"b")) == SW.LAST_OF_CHAIN_EXPECTED


def test_chainer_refuses_more_than_it_can_hold() -> None:
    chainer = Chainer(limit_bytes=4)
    assert chainer.feed(Command(0x10, 0xC3, 0, 0, b"abc")) == SW.OK
    assert chainer.feed(Command(0x10, 0xC3, 0, 0, b"de")) == SW.WRONG_LENGTH
    assert chainer.feed(Command(0x00, 0xC3, 0, 0, b"f")) == Command(0x00, 0xC3, 0, 0, b"f")


def test_chainer_never_builds_more_than_a_command_can_carry() -> None:
    chainer = Chainer(limit_bytes=10**9)
    assert chainer.feed(Command(0x10, 0xC3, 0, 0, bytes(65535))) == SW.OK
    assert chainer.feed(Command(0x00, 0xC3, 0, 0, b"x")) == SW.WRONG_LENGTH


def test_chainer_forgets_on_reset() -> None:
    chainer = Chainer()
    chainer.feed(Command(0x10, 0xC3, 0, 0, b"a"))
    chainer.reset()
    assert chainer.feed(Command(0x00, 0xC3, 0, 0, b"b")) == Command(0x00, 0xC3, 0, 0, b"b")


def test_describe_sw_says_something_of_every_value() -> None:
    assert all(describe_sw(sw) for sw in range(0x10000))


@pytest.mark.parametrize(
    ("sw", "says"),
    [
        (0x9000, "no further qualification"),
        (0x6110, "16 more bytes available"),
        (0x6100, "256 or more bytes available"),
        (0x6C39, "wrong Le, 57 bytes available"),
        (0x6C00, "wrong Le, 256 bytes available"),
        (0x63C2, "counter 2"),
        (0x6312, "not defined by ISO/IEC 7816-4 (6312)"),
        (0x6A82, "file or application not found"),
        (0x6202, "triggered by the card"),
        (0x6A8F, "not defined by ISO/IEC 7816-4 (6A8F)"),
        (0x9101, "proprietary (9101)"),
        (0x6701, "proprietary (6701)"),
        (0x6000, "invalid"),
        (0x1234, "invalid"),
    ],
)
def test_describe_sw_knows_the_families(sw: int, says: str) -> None:
    assert says in describe_sw(sw)


def test_sw_values_are_unique_and_speak() -> None:
    assert len({sw.value for sw in SW}) == len(SW.__members__) == len(list(SW))
    assert all(sw.meaning and f"{sw:04X}" == f"{int(sw):04X}" for sw in SW)
    assert SW(0x6A82) is SW.FILE_NOT_FOUND
    assert str(Response(b"", SW.FILE_NOT_FOUND)) == "6A82 file or application not found"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("00A4040010" + AID16.hex(), "SELECT"),
        ("00CA1100020000", "GET DATA 1100"),
        ("0084000008", "GET CHALLENGE"),
        ("0082111220" + "00" * 32 + "10", "MUTUAL AUTHENTICATE"),
        ("0082000002AABB", "EXTERNAL AUTHENTICATE"),
        ("805A0102", "INS 5A 0102"),
        ("10C3000001FF", "ENVELOPE, more follows"),
    ],
)
def test_label_is_short_and_tells_commands_apart(raw: str, text: str) -> None:
    assert label(Command.parse(bytes.fromhex(raw))) == text
    assert str(Command.parse(bytes.fromhex(raw))) == text


def test_ins_names_are_codes_that_the_standard_allows() -> None:
    assert all(0 <= ins <= 0xFF and ins >> 4 not in (6, 9) for ins in INS_NAMES)
