"""The Type 4 tag: read only and written, in one command and in pieces, and everything that it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.apdu import SW, Command, Response
from virtual_devices.errors import UsageError
from virtual_devices.mdoc import type4
from virtual_devices.mdoc.type4 import AID, CC_FILE, NDEF_FILE, Fixed, Type4Tag

MESSAGE = bytes(range(256)) * 3


class Echo:
    """Answers each message with itself, backwards; one that begins with 00 later, one that begins with FF never."""

    writable = True

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def begin(self) -> bytes:
        return b"hello"

    def written(self, message: bytes) -> bytes | None:
        self.seen.append(message)
        return {0x00: b"", 0xFF: None}.get(message[0], message[::-1])


def opened(tag: Type4Tag, file: int = NDEF_FILE) -> Type4Tag:
    assert tag.handle(type4.select(AID)).ok
    assert tag.handle(type4.select_file(file)).ok
    return tag


def write(tag: Type4Tag, offset: int, data: bytes) -> int:
    return tag.handle(type4.update_binary(offset, data)).sw


def content(tag: Type4Tag) -> bytes:
    """The message in the file, by READ BINARY."""
    length = int.from_bytes(tag.handle(type4.read_binary(0, 2)).data, "big")
    found = b""
    while len(found) < length:
        response = tag.handle(type4.read_binary(2 + len(found), min(256, length - len(found))))
        assert response.ok
        found += response.data
    return found


def test_capability_container_says_read_only_or_writable() -> None:
    tag = opened(Type4Tag(Fixed(MESSAGE)), CC_FILE)
    assert tag.handle(type4.read_binary(0, 15)) == Response(bytes.fromhex("000F207FFF7FFF0406E1047FFF00FF"))
    tag = opened(Type4Tag(Echo()), CC_FILE)
    assert tag.handle(type4.read_binary(0, 15)) == Response(bytes.fromhex("000F207FFF7FFF0406E1047FFF0000"))
    assert tag.handle(type4.read_binary(2, 256)) == Response(bytes.fromhex("207FFF7FFF0406E1047FFF0000"))


def test_file_is_read_in_pieces_and_the_tag_knows_when_whole() -> None:
    tag = opened(Type4Tag(Fixed(MESSAGE)))
    assert tag.handle(type4.read_binary(0, 2)).data == len(MESSAGE).to_bytes(2, "big")
    assert not tag.read_whole
    tag.handle(type4.read_binary(500, 256))
    tag.handle(type4.read_binary(700, 256))
    assert not tag.read_whole
    assert content(tag) == MESSAGE
    assert tag.read_whole


def test_file_is_read_at_once_by_extended_length() -> None:
    tag = opened(Type4Tag(Fixed(MESSAGE)))
    assert tag.handle(type4.read_binary(0, 65536)).data == len(MESSAGE).to_bytes(2, "big") + MESSAGE
    assert tag.read_whole


def test_read_past_the_end_gives_what_there_is_and_beyond_it_is_refused() -> None:
    tag = opened(Type4Tag(Fixed(b"abc")))
    assert tag.handle(type4.read_binary(3, 200)) == Response(b"bc")
    assert tag.handle(type4.read_binary(5, 1)).sw == SW.WRONG_PARAMETERS


@given(st.binary(min_size=1, max_size=2000), st.integers(1, 255))
def test_message_written_in_pieces_is_answered(message: bytes, piece: int) -> None:
    echo = Echo()
    tag = opened(Type4Tag(echo))
    assert write(tag, 0, bytes(2)) == SW.OK
    for at in range(0, len(message), piece):
        assert write(tag, 2 + at, message[at : at + piece]) == SW.OK
    assert echo.seen == []
    sw = write(tag, 0, len(message).to_bytes(2, "big"))
    assert echo.seen == [message]
    expected = echo.written(message)
    assert sw == (SW.WRONG_DATA if expected is None else SW.OK)
    assert content(tag) == (b"hello" if expected is None else expected)


@given(st.binary(min_size=1, max_size=253), st.binary(min_size=1, max_size=253))
def test_messages_written_in_one_command_are_answered_one_after_the_other(first: bytes, second: bytes) -> None:
    echo = Echo()
    tag = opened(Type4Tag(echo))
    for message in (first, second):
        before = content(tag)
        expected = echo.written(message)
        write(tag, 0, len(message).to_bytes(2, "big") + message)
        assert content(tag) == (before if expected is None else expected)


def test_message_written_from_offset_zero_with_an_empty_length_is_answered() -> None:
    # one public reader writes 0000 and the message from offset 0 on, then the length
    tag = opened(Type4Tag(Echo()))
    assert write(tag, 0, bytes(2) + MESSAGE[1:200]) == SW.OK
    assert write(tag, 201, MESSAGE[200:400]) == SW.OK
    assert write(tag, 0, (399).to_bytes(2, "big")) == SW.OK
    assert content(tag) == MESSAGE[1:400][::-1]


def test_answer_that_comes_later_shows_as_an_empty_file_until_then() -> None:
    tag = opened(Type4Tag(Echo()))
    assert write(tag, 0, b"\x00\x01\x00") == SW.OK
    assert content(tag) == b""
    assert not tag.read_whole
    tag.put(b"now")
    assert content(tag) == b"now"
    assert tag.read_whole


def test_selecting_again_begins_again() -> None:
    tag = opened(Type4Tag(Echo()))
    assert write(tag, 0, b"\x00\x01x") == SW.OK
    assert write(tag, 0, b"\x00\x00half") == SW.OK
    assert content(opened(tag)) == b"hello"
    assert tag.handle(type4.select(b"\xa0\x00\x00\x00")).sw == SW.FILE_NOT_FOUND
    assert tag.handle(type4.read_binary(0, 2)).sw == SW.CONDITIONS_NOT_SATISFIED
    opened(tag)
    tag.reset()
    assert tag.handle(type4.select_file(NDEF_FILE)).sw == SW.CONDITIONS_NOT_SATISFIED


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        (Command(0x10, 0xB0, 0, 0, le=1), SW.CHAINING_NOT_SUPPORTED),
        (Command(0x80, 0xB0, 0, 0, le=1), SW.CLA_NOT_SUPPORTED),
        (Command(0, 0xC3, 0, 0, b"x"), SW.INS_NOT_SUPPORTED),
        (Command(0, 0xA4, 0, 0x0C, b"\xe1\x05"), SW.FILE_NOT_FOUND),
        (Command(0, 0xA4, 0, 0x00, b"\xe1\x04"), SW.WRONG_P1P2),
        (Command(0, 0xA4, 0, 0x0C, b"\xe1\x04\x00"), SW.WRONG_LENGTH),
        (Command(0, 0xA4, 4, 0x02, AID), SW.WRONG_P1P2),
        (Command(0, 0xA4, 4, 0x00, AID[:-1]), SW.FILE_NOT_FOUND),
        (Command(0, 0xB0, 0, 0), SW.WRONG_LENGTH),
        (Command(0, 0xB0, 0, 0, b"x", 1), SW.WRONG_LENGTH),
        (Command(0, 0xB0, 0x80, 0, le=1), SW.FILE_NOT_FOUND),
        (Command(0, 0xB0, 0x7F, 0xFF, le=1), SW.WRONG_PARAMETERS),
        (type4.update_binary(0, b""), SW.WRONG_LENGTH),
        (type4.update_binary(0, b"\0"), SW.WRONG_PARAMETERS),
        (type4.update_binary(1, b"\0\0"), SW.WRONG_PARAMETERS),
        (type4.update_binary(2, b"ab"), SW.CONDITIONS_NOT_SATISFIED),
        (type4.update_binary(0, b"\x00\x05abc"), SW.WRONG_DATA),
        (type4.update_binary(0, b"\x00\x01\xff"), SW.WRONG_DATA),
        (type4.update_binary(0x7FFE, b"ab"), SW.NOT_ENOUGH_MEMORY),
        (type4.update_binary(0, bytes(0x8000)), SW.NOT_ENOUGH_MEMORY),
        (type4.update_binary(0x8000, b"a"), SW.FILE_NOT_FOUND),
    ],
)
def test_command_that_cannot_be_is_refused(command: Command, sw: int) -> None:
    tag = opened(Type4Tag(Echo()))
    assert tag.handle(command) == Response(sw=sw)
    assert content(opened(tag)) == b"hello"


@pytest.mark.parametrize(("offset", "data"), [(10, b"hole"), (0, b"\x00\x09"), (1, b"x"), (0x7FFE, b"ab")])
def test_bad_write_drops_what_was_written_before_it(offset: int, data: bytes) -> None:
    tag = opened(Type4Tag(Echo()))
    assert write(tag, 0, bytes(2) + b"abc") == SW.OK
    assert write(tag, offset, data) != SW.OK
    assert content(tag) == b"hello"
    assert write(tag, 2, b"abc") == SW.CONDITIONS_NOT_SATISFIED


def test_read_only_tag_and_capability_container_are_not_written() -> None:
    tag = opened(Type4Tag(Fixed(b"abc")))
    assert write(tag, 0, bytes(2)) == SW.SECURITY_STATUS_NOT_SATISFIED
    assert content(tag) == b"abc"
    assert write(opened(Type4Tag(Echo()), CC_FILE), 0, bytes(2)) == SW.SECURITY_STATUS_NOT_SATISFIED
    assert Fixed(b"abc").written(b"x") is None


def test_nothing_is_read_before_a_file_is_selected() -> None:
    tag = Type4Tag(Echo())
    assert tag.handle(type4.read_binary(0, 2)).sw == SW.CONDITIONS_NOT_SATISFIED
    assert write(tag, 0, bytes(2)) == SW.CONDITIONS_NOT_SATISFIED
    assert tag.handle(type4.select(AID)).ok
    assert tag.handle(type4.read_binary(0, 2)).sw == SW.NO_CURRENT_EF
    assert write(tag, 0, bytes(2)) == SW.NO_CURRENT_EF


def test_message_that_no_file_holds_is_the_callers_mistake() -> None:
    tag = opened(Type4Tag(Echo()))
    tag.put(bytes(type4.MAX_MESSAGE_BYTES))
    assert content(tag) == bytes(type4.MAX_MESSAGE_BYTES)
    with pytest.raises(UsageError):
        tag.put(bytes(type4.MAX_MESSAGE_BYTES + 1))


commands = st.builds(
    Command,
    st.sampled_from([0, 0, 0, 0x10, 0x80]), st.sampled_from([0xA4, 0xB0, 0xD6, 0xC3]), st.sampled_from([0, 0, 4, 0x7F, 0x80]),
    st.sampled_from([0, 0, 2, 0x0C, 0xFF]),
    st.one_of(
        st.sampled_from([b"", AID, b"\xe1\x03", b"\xe1\x04", b"\0\0"]), st.binary(max_size=20),
        st.binary(min_size=256, max_size=400),
    ),
    st.one_of(st.none(), st.integers(1, 65536)),
)


@given(st.lists(commands, min_size=1, max_size=30), st.booleans())
def test_tag_answers_whatever_is_sent(row: list[Command], writable: bool) -> None:
    tag = Type4Tag(Echo() if writable else Fixed(MESSAGE))
    for command in row:
        assert len(tag.handle(command).data) <= (command.le or 0)
    assert content(opened(tag)) == (b"hello" if writable else MESSAGE)
