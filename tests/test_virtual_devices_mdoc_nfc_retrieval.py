"""Retrieval over NFC: messages of every length under every limit, answers at once and later, and everything refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.apdu import CHAINING, SW, Command, Response
from virtual_devices.errors import UsageError
from virtual_devices.mdoc import type4
from virtual_devices.mdoc.nfc_applications import Applications
from virtual_devices.mdoc.nfc_retrieval import (
    AID,
    MAX_LINKS,
    MAX_MESSAGE_BYTES,
    MalformedEnvelope,
    Retrieval,
    announced,
    envelopes,
    unwrap,
    wrap,
)
from virtual_devices.mdoc.type4 import Fixed, Type4Tag
from virtual_devices.reader import nfc
from virtual_devices.reader.transmit import Ended

from .nfc_wallet import NfcWallet, Saying, tap

lengths = st.one_of(
    st.integers(0, 700),
    st.sampled_from([0, 1, 127, 128, 129, 250, 251, 252, 253, 255, 256, 257, 508, 509, 510, 65535, MAX_MESSAGE_BYTES]),
)
messages = lengths.map(lambda length: bytes(range(256)) * (length // 256) + bytes(length % 256))
commands_bytes = st.sampled_from([64, 255, 256, 1000, 65535])
responses_bytes = st.sampled_from([64, 256, 257, 4096, 65535, 65536])


def selected(retrieval: Retrieval) -> Retrieval:
    assert retrieval.handle(type4.select(AID)) == Response()
    return retrieval


def envelope(data: bytes, more: bool = False, le: int | None = 256) -> Command:
    return Command(CHAINING if more else 0, 0xC3, 0, 0, data, None if more else le)


@given(messages)
def test_message_is_wrapped_and_unwrapped(message: bytes) -> None:
    raw = wrap(message)
    assert unwrap(raw) == message
    assert announced(raw[:6]) == (len(raw) - len(message), len(message))
    for at in (0, 1, len(raw) - 1):
        with pytest.raises(MalformedEnvelope):
            unwrap(raw[:at])
    with pytest.raises(MalformedEnvelope):
        unwrap(raw + b"\0")


@pytest.mark.parametrize(
    ("length", "header"),
    [
        (0, "5300"), (127, "537F"), (128, "538180"), (255, "5381FF"), (256, "53820100"), (65535, "5382FFFF"),
        (65536, "5383010000"),
    ],
)
def test_length_is_written_in_its_shortest_form(length: int, header: str) -> None:
    assert wrap(bytes(length)) == bytes.fromhex(header) + bytes(length)


@pytest.mark.parametrize("header", ["538101", "53820001", "5383000001", "538400000001"])
def test_length_in_a_longer_form_is_read(header: str) -> None:
    assert unwrap(bytes.fromhex(header) + b"x") == b"x"


@pytest.mark.parametrize(
    "raw", ["", "53", "5400", "5380", "53800000", "538500000000 01", "53FF", "5381", "538401000000", "530178 00", "5302 78"],
)
def test_malformed_data_object_is_refused(raw: str) -> None:
    with pytest.raises(MalformedEnvelope):
        unwrap(bytes.fromhex(raw))


@given(messages, messages, commands_bytes, responses_bytes, st.booleans())
def test_message_and_answer_arrive_whole(message: bytes, answer: bytes, command: int, response: int, later: bool) -> None:
    heard: list[bytes] = []

    def hear(found: bytes) -> bytes | None:
        heard.append(found)
        return None if later else answer

    wallet = NfcWallet(Retrieval(hear), later=lambda: answer)
    tap(wallet, nfc.open_retrieval())
    links = -(-len(wrap(message)) // command)
    if links > MAX_LINKS:
        with pytest.raises(Ended):
            tap(wallet, nfc.retrieve(message, command, response))
        return
    found, rows = tap(wallet, nfc.retrieve(message, command, response))
    assert heard == [message]
    assert found == answer
    sent = [Command.parse(row.request) for row in rows]
    envelopes_sent = [c for c in sent if c.ins == 0xC3]
    assert len(envelopes_sent) == links
    assert [c.le is not None for c in envelopes_sent] == [False] * (links - 1) + [True]
    assert all(len(c.data) <= command and not c.data[command:] for c in sent)
    assert all(len(Response.parse(row.reply).data) <= response for row in rows)
    assert len(sent) - links <= -(-len(wrap(answer)) // response)


@given(st.integers(0, 1500), st.integers(1, 400), st.integers(1, 400))
def test_status_word_says_how_much_waits(length: int, first: int, following: int) -> None:
    retrieval = selected(Retrieval(lambda _: bytes(length), max_response_bytes=300))
    waiting = len(wrap(bytes(length)))
    response = retrieval.handle(envelope(wrap(b"x"), le=first))
    le = first
    while True:
        assert response is not None
        assert len(response.data) == min(le, waiting, 300)
        waiting -= len(response.data)
        assert response.sw == (0x9000 if not waiting else 0x6100 if waiting > 255 else 0x6100 + waiting)
        if not waiting:
            break
        le = response.sw2 or following
        response = retrieval.handle(Command(0, 0xC0, 0, 0, le=le))
    assert retrieval.handle(Command(0, 0xC0, 0, 0, le=256)) == Response(sw=SW.CONDITIONS_NOT_SATISFIED)


def test_several_messages_go_in_one_session() -> None:
    wallet = NfcWallet(Retrieval(lambda message: message[::-1]))
    tap(wallet, nfc.open_retrieval())
    for message in (b"abc" * 400, b"", bytes(range(200))):
        assert tap(wallet, nfc.retrieve(message))[0] == message[::-1]


def test_answer_that_comes_later_is_taken_once_and_not_after_another_command() -> None:
    retrieval = selected(Retrieval(lambda _: None))
    with pytest.raises(UsageError):
        retrieval.reply(b"early")
    assert retrieval.handle(envelope(wrap(b"one"))) is None
    assert retrieval.awaiting
    assert retrieval.reply(b"first") == Response(wrap(b"first"))
    with pytest.raises(UsageError):
        retrieval.reply(b"again")
    assert retrieval.handle(envelope(wrap(b"two"))) is None
    assert retrieval.handle(envelope(wrap(b"three"))) == Response(sw=SW.CONDITIONS_NOT_SATISFIED)
    assert not retrieval.awaiting
    with pytest.raises(UsageError):
        retrieval.reply(b"second")
    assert retrieval.handle(envelope(wrap(b"four"))) is None
    selected(retrieval)
    assert not retrieval.awaiting


def test_new_message_drops_what_of_the_last_answer_was_not_fetched() -> None:
    retrieval = selected(Retrieval(lambda message: message * 3))
    response = retrieval.handle(envelope(wrap(bytes(100))))
    assert response == Response(wrap(bytes(300))[:256], 0x6100 + 48)
    assert retrieval.handle(envelope(wrap(b"x"))) == Response(wrap(b"xxx"))
    assert retrieval.handle(Command(0, 0xC0, 0, 0, le=48)) == Response(sw=SW.CONDITIONS_NOT_SATISFIED)


_PART = envelope(wrap(bytes(300))[:200], more=True)


@pytest.mark.parametrize(
    ("commands", "sw"),
    [
        ([envelope(b"")], SW.WRONG_LENGTH),
        ([envelope(wrap(b"x"), le=None)], SW.WRONG_LENGTH),
        ([Command(CHAINING, 0xC3, 0, 0, wrap(b"x"), 256)], SW.WRONG_LENGTH),
        ([envelope(wrap(bytes(300)), more=True)], SW.WRONG_LENGTH),
        ([envelope(bytes.fromhex("5382 0801"), more=True)], SW.WRONG_LENGTH),
        ([envelope(bytes.fromhex("5384FFFFFFFF"), more=True)], SW.WRONG_LENGTH),
        ([envelope(b"\x54\x01x")], SW.WRONG_DATA),
        ([envelope(b"\x54", more=True)], SW.WRONG_DATA),
        ([envelope(b"\x53\x80x\0\0")], SW.WRONG_DATA),
        ([envelope(b"\x53\x85", more=True)], SW.WRONG_DATA),
        ([envelope(b"\x53\x01xy", more=True)], SW.WRONG_DATA),
        ([envelope(b"\x53\x02x")], SW.WRONG_DATA),
        ([envelope(b"\x53")], SW.WRONG_DATA),
        ([_PART, envelope(wrap(bytes(300))[200:-1])], SW.WRONG_DATA),
        ([_PART, envelope(wrap(bytes(300))[200:] + b"x")], SW.WRONG_DATA),
        ([_PART, Command(0, 0xC0, 0, 0, le=256)], SW.LAST_OF_CHAIN_EXPECTED),
        ([_PART, type4.read_binary(0, 2)], SW.LAST_OF_CHAIN_EXPECTED),
        ([_PART, Command(0x80, 0xC3, 0, 0, b"x", 256)], SW.CLA_NOT_SUPPORTED),
        ([_PART, Command(0, 0xC3, 0, 1, b"x", 256)], SW.WRONG_P1P2),
        ([Command(0, 0xC3, 1, 0, wrap(b"x"), 256)], SW.WRONG_P1P2),
        ([Command(0, 0xC0, 0, 0, le=256)], SW.CONDITIONS_NOT_SATISFIED),
        ([Command(0, 0xB0, 0, 0, le=256)], SW.INS_NOT_SUPPORTED),
        ([Command(0, 0xA4, 0, 0x0C, b"\xe1\x04")], SW.INS_NOT_SUPPORTED),
        ([envelope(b"\x53")] * 2, SW.WRONG_DATA),
        ([envelope(wrap(bytes(100))), Command(0, 0xC0, 0, 0)], SW.WRONG_LENGTH),
        ([envelope(wrap(bytes(100))), Command(0, 0xC0, 0, 0, b"x", 1)], SW.WRONG_LENGTH),
        ([envelope(wrap(bytes(100))), Command(0, 0xC0, 0, 1, le=1)], SW.WRONG_P1P2),
        ([envelope(wrap(bytes(100))), Command(CHAINING, 0xC0, 0, 0, le=1)], SW.CONDITIONS_NOT_SATISFIED),
    ],
)
def test_rule_that_is_broken_is_refused_and_drops_what_was_under_way(commands: list[Command], sw: int) -> None:
    heard: list[bytes] = []

    def hear(message: bytes) -> bytes:
        heard.append(message)
        return message * 3

    retrieval = selected(Retrieval(hear, max_command_bytes=255, max_message_bytes=2048))
    for command in commands:
        response = retrieval.handle(command)
    assert response == Response(sw=sw)
    heard.clear()
    assert retrieval.handle(Command(0, 0xC0, 0, 0, le=1)) == Response(sw=SW.CONDITIONS_NOT_SATISFIED)
    assert retrieval.handle(envelope(wrap(b"abc"))) == Response(wrap(b"abcabcabc"))
    assert heard == [b"abc"]


def test_chain_of_too_many_links_is_refused() -> None:
    retrieval = selected(Retrieval(lambda message: message))
    links = [envelope(bytes((byte,)), more=True) for byte in wrap(bytes(2000))]
    answers = [retrieval.handle(link) for link in links[: MAX_LINKS + 1]]
    assert answers == [Response()] * MAX_LINKS + [Response(sw=SW.WRONG_LENGTH)]


def test_nothing_is_answered_before_select() -> None:
    retrieval = Retrieval(lambda message: message)
    assert retrieval.handle(envelope(wrap(b"x"))) == Response(sw=SW.CONDITIONS_NOT_SATISFIED)
    assert retrieval.handle(type4.select(AID[:-1])) == Response(sw=SW.FILE_NOT_FOUND)
    assert retrieval.handle(Command(0, 0xA4, 4, 2, AID)) == Response(sw=SW.WRONG_P1P2)
    assert retrieval.handle(envelope(wrap(b"x"))) == Response(sw=SW.CONDITIONS_NOT_SATISFIED)
    selected(retrieval)
    assert retrieval.handle(envelope(wrap(b"x"))) == Response(wrap(b"x"))
    retrieval.reset()
    assert retrieval.handle(envelope(wrap(b"x"))) == Response(sw=SW.CONDITIONS_NOT_SATISFIED)


any_command = st.one_of(
    st.builds(
        Command, st.sampled_from([0, 0, 0x10, 0x10, 0x80]), st.sampled_from([0xC3, 0xC3, 0xC3, 0xC0, 0xA4, 0xB0]),
        st.sampled_from([0, 0, 0, 4]), st.sampled_from([0, 0, 0, 1]),
        st.one_of(
            st.binary(max_size=8), st.binary(min_size=256, max_size=400), messages.map(wrap).filter(lambda raw: len(raw) < 65536)
        ),
        st.none() | st.integers(1, 65536),
    ),
    st.just(type4.select(AID)),
)


@given(st.lists(any_command, min_size=1, max_size=30))
def test_wallet_answers_whatever_is_sent(commands: list[Command]) -> None:
    retrieval = Retrieval(lambda message: message, max_command_bytes=400)
    for command in commands:
        response = retrieval.handle(command)
        assert response is not None
        assert len(response.data) <= (command.le or 0)
    selected(retrieval)
    assert retrieval.handle(envelope(wrap(b"x"))) == Response(wrap(b"x"))


@pytest.mark.parametrize(
    "replies",
    [
        ["6700"], ["6A80"], ["6CFF"], ["5301"], ["90"], [""], ["5402 00009000"], ["53039000"], ["5301000000 9000"],
        ["53 6110", "6982"], ["53 6100", "6100"], ["53 6101", "9000"], ["53836110", "0F00009000"], ["53806110", "9000"],
        ["5384000100019000"],
    ],
)
def test_reader_ends_at_an_answer_that_cannot_be(replies: list[str]) -> None:
    device = Saying(*replies)
    with pytest.raises(Ended):
        tap(device, nfc.retrieve(b"hello"))
    assert device.replies == []


@pytest.mark.parametrize("replies", [["6700"], ["6100"], ["009000"]])
def test_reader_ends_at_a_link_that_is_not_taken(replies: list[str]) -> None:
    with pytest.raises(Ended):
        tap(Saying(*replies), nfc.retrieve(bytes(600)))


def test_reader_ends_at_an_answer_longer_than_it_takes() -> None:
    wallet = NfcWallet(Retrieval(lambda _: bytes(3000)))
    tap(wallet, nfc.open_retrieval())
    with pytest.raises(Ended, match="without end"):
        tap(wallet, nfc.retrieve(b"x", max_message_bytes=2000))


def test_answer_without_data_is_an_empty_message() -> None:
    assert tap(Saying("9000"), nfc.retrieve(b"end"))[0] == b""
    assert tap(Saying("53009000"), nfc.retrieve(b"end"))[0] == b""


@pytest.mark.parametrize(("command", "response"), [(0, 256), (65536, 256), (255, 0), (255, 65537)])
def test_limits_that_no_apdu_has_are_the_callers_mistake(command: int, response: int) -> None:
    with pytest.raises(UsageError):
        list(envelopes(b"x", command, response))


def test_two_applications_stand_behind_one_interface() -> None:
    tag, retrieval = Type4Tag(Fixed(b"abc")), Retrieval(lambda message: message)
    both = Applications(tag, retrieval)
    read, send = type4.read_binary(0, 2).to_bytes(), envelope(wrap(b"x")).to_bytes()
    assert both.handle(read) == bytes.fromhex("6985")
    assert both.handle(type4.select(type4.AID).to_bytes()) == bytes.fromhex("9000")
    assert both.handle(type4.select_file(type4.NDEF_FILE).to_bytes()) == bytes.fromhex("9000")
    assert both.handle(read) == bytes.fromhex("00039000")
    assert both.handle(send) == bytes.fromhex("6D00")
    assert both.handle(type4.select(AID).to_bytes()) == bytes.fromhex("9000")
    assert both.spoken_to is retrieval
    assert both.handle(send) == bytes.fromhex("5301789000")
    assert both.handle(type4.select(b"\xa0\0\0").to_bytes()) == bytes.fromhex("6A82")
    assert both.spoken_to is None
    assert both.handle(send) == bytes.fromhex("6985")
    assert both.handle(b"\0\xa4") == bytes.fromhex("6700")
    both.handle(type4.select(AID).to_bytes())
    both.reset()
    assert both.handle(send) == bytes.fromhex("6985")
