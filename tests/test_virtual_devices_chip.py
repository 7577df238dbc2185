"""The command loop that all chips share: pieces, links, both protocols, and refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.apdu import Command, Response
from virtual_devices.atr import Transport
from virtual_devices.chip import Answer, Chip, Refusal
from virtual_devices.clock import VirtualClock
from virtual_devices.flow import Session, run
from virtual_devices.link import DirectLink, PowerCut, Work
from virtual_devices.reader.transmit import Ended, Handle, power_on, transmit
from virtual_devices.store import Store

from .chips import on, say

ATRS = {Transport.T0: bytes.fromhex("3B00"), Transport.T1: bytes.fromhex("3B80810150")}


class Toy(Chip):
    """INS 10 P2 gives P1 * 256 + P2 bytes; 12 the same, as fixed length; 14 echoes; 16 refuses; 18 writes."""

    def __init__(self, transport: Transport) -> None:
        work = Work()
        super().__init__(ATRS[transport], transport, Store({}, work), work, chain_limit_bytes=600)
        self.forgotten = 0
        self.on(0x10, lambda c: Answer(bytes(i & 0xFF for i in range(c.p1 << 8 | c.p2))))
        self.on(0x12, lambda c: Answer(b"x" * (c.p1 << 8 | c.p2), exact=True))
        self.on(0x14, lambda c: Answer(c.data))
        self.on(0x16, self._refuse)
        self.on(0x18, self._write)

    def forget(self) -> None:
        self.forgotten = getattr(self, "forgotten", 0) + 1

    def _refuse(self, c: Command) -> Answer:
        raise Refusal(0x6985)

    def _write(self, c: Command) -> Answer:
        self.store.commit({"cell": c.data})
        return Answer()


def read(transport: Transport, command: Command, extended: bool = False) -> Response:
    clock = VirtualClock()
    toy = on(Toy(transport))
    handle = Handle("card", extended, transport is Transport.T0, toy.atr)
    return run(transmit(handle, command, "read"), Session({"card": DirectLink(toy, clock)}, clock))


@given(st.integers(0, 1500), st.sampled_from([None, 1, 10, 255, 256]), st.sampled_from(Transport), st.sampled_from([0x10, 0x12]))
def test_reader_gets_every_byte_whatever_le_it_begins_with(length: int, le: int | None, transport: Transport, ins: int) -> None:
    command = Command(0, ins, length >> 8, length & 0xFF, le=le)
    answer = read(transport, command)
    expected = bytes(i & 0xFF for i in range(length)) if ins == 0x10 else b"x" * length
    assert (answer.data, answer.sw) == (expected, 0x9000)


@given(st.binary(min_size=1, max_size=600), st.sampled_from(Transport))
def test_data_go_in_links_and_come_back_in_pieces(data: bytes, transport: Transport) -> None:
    answer = read(transport, Command(0x80, 0x14, 0, 0, data, le=256))
    assert (answer.data, answer.sw) == (data, 0x9000)


@given(st.binary(min_size=256, max_size=9000))
def test_extended_length_is_one_exchange_each_way(data: bytes) -> None:
    toy = on(Toy(Transport.T1))
    assert say(toy, Command(0, 0x14, 0, 0, data, le=65536)) == Response(data)


def test_t1_pieces_say_what_is_left() -> None:
    toy = on(Toy(Transport.T1))
    assert say(toy, Command(0, 0x10, 1, 10, le=256)).sw == 0x610A  # 266 bytes, 10 left
    assert say(toy, "00C0000004").sw == 0x6106 and say(toy, "00C0000000").to_bytes() == bytes.fromhex("0405060708099000")
    assert say(toy, Command(0, 0x10, 3, 0, le=256)).sw == 0x6100 and say(toy, "00C0000000").sw == 0x6100
    assert say(toy, "0014000001AA") == Response(b"\xaa")  # any other command drops what waits
    assert say(toy, "00C0000000").sw == 0x6985


def test_wrong_le_for_data_of_fixed_length_is_told_once_it_fits_a_byte() -> None:
    toy = on(Toy(Transport.T1))
    assert say(toy, Command(0, 0x12, 0, 57, le=10)).sw == 0x6C39
    assert say(toy, Command(0, 0x12, 1, 0, le=10)).sw == 0x6C00
    assert say(toy, Command(0, 0x12, 1, 1, le=10)) == Response(b"x" * 10, 0x61F7)


@pytest.mark.parametrize(
    ("length", "le", "answers"),
    [(57, 256, "6C39"), (57, 57, None), (57, 10, "6C39"), (256, 10, "6C00"), (300, 10, "6C00"), (0, 256, "9000")],
)
def test_t0_answers_the_right_le_only(length: int, le: int, answers: str | None) -> None:
    answer = say(on(Toy(Transport.T0)), Command(0, 0x10, length >> 8, length & 0xFF, le=le))
    assert answer.to_bytes().hex().upper() == answers or (answers is None and len(answer.data) == length and answer.ok)


def test_t0_announces_256_bytes_as_00() -> None:
    toy = on(Toy(Transport.T0))
    for link in (Command(0x10, 0x14, 0, 0, b"a" * 200), Command(0, 0x14, 0, 0, b"b" * 56)):
        last = say(toy, link)
    assert last.sw == 0x6100
    assert say(toy, "00C0000000") == Response(b"a" * 200 + b"b" * 56)


@pytest.mark.parametrize("between", ["00140000", "0016000000", "00100001", "00C0000000", "001400000141"])
def test_command_in_between_ends_a_chain(between: str) -> None:
    toy = on(Toy(Transport.T1))
    assert say(toy, "1014000101FF").sw == 0x9000
    assert say(toy, between).sw == 0x6883
    assert say(toy, "001400010141") == Response(b"A")  # the chain is forgotten


@pytest.mark.parametrize("between", ["0099000000", "C014000000"])
def test_command_that_no_chip_knows_ends_a_chain_too(between: str) -> None:
    toy = on(Toy(Transport.T1))
    assert say(toy, "1014000101FF").sw == 0x9000
    assert say(toy, between).sw in (0x6D00, 0x6E00)
    assert say(toy, "001400010141") == Response(b"A")


def test_chain_longer_than_the_chip_holds_is_refused_and_forgotten() -> None:
    toy = on(Toy(Transport.T1))
    answers = [say(toy, Command(0x10, 0x14, 0, 0, b"x" * 255)).sw for _ in range(3)]
    assert answers == [0x9000, 0x9000, 0x6700]
    assert say(toy, "001400000141") == Response(b"A")


def test_refusal_and_power_end_everything_volatile() -> None:
    toy = on(Toy(Transport.T1))
    assert say(toy, "00160000").sw == 0x6985
    say(toy, Command(0, 0x10, 2, 0, le=1))
    toy.power_on()
    assert say(toy, "00C0000000").sw == 0x6985
    toy.power_off()
    assert say(toy, "00140000").sw == 0x6F00


def test_tear_leaves_the_chip_without_power() -> None:
    toy = on(Toy(Transport.T1))
    toy.arm_cut(1)
    before = toy.forgotten
    with pytest.raises(PowerCut):
        say(toy, "0018000003AABBCC")
    assert toy.forgotten > before and say(toy, "00140000").sw == 0x6F00
    toy.power_on()
    assert toy.store.get("cell") in (b"", b"\xaa\xbb\xcc") and toy.generation >= 1


class Endless:
    """A hostile chip: the same answer for ever."""

    def __init__(self, answer: str) -> None:
        self._answer = bytes.fromhex(answer)

    def power_on(self) -> bytes:
        return ATRS[Transport.T1]

    def handle(self, request: bytes, now_ns: int) -> bytes:
        return self._answer

    def power_off(self) -> None:
        return


@pytest.mark.parametrize("answer", ["6100", "6101", "AA6101", "", "90", "6C00", "AA" * 300 + "6100"])
def test_hostile_chip_cannot_hold_a_reader(answer: str) -> None:
    clock = VirtualClock()

    def flow() -> object:
        handle = yield from power_on("card", "power on")
        return (yield from transmit(handle, Command(0, 0x10, 0, 0, le=256), "read"))

    session = Session({"card": DirectLink(Endless(answer), clock)}, clock)
    try:
        assert run(flow(), session).sw1 == 0x6C  # type: ignore[arg-type, attr-defined]
    except Ended as e:
        assert (e.code, e.role) == ("4043", "card")
    assert session.attempts < 600
