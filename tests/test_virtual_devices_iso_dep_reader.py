"""ISO-DEP, card and reader against each other under every loss, and what the reader gives up on."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.iso_dep import FRAME_SIZES, MAX_MESSAGE_BYTES, Ats
from virtual_devices.iso_dep_reader import MAX_EXTENSIONS, RETRIES, Frame, Lost, Pcd, rats

from .iso_dep_air import Air, H, card

sizes = st.one_of(st.integers(0, 60), st.integers(200, 800), st.sampled_from([12, 13, 14, 252, 253, 254, 506, 507, 4000]))
contents = sizes.map(lambda size: bytes(byte % 251 for byte in range(size)))
codes = st.integers(0, len(FRAME_SIZES) - 1)


@given(contents.filter(bool), contents, codes, codes, st.none() | st.integers(0, 14), st.integers(0, 3), st.data())
def test_losses_below_the_limit_change_nothing(
    command: bytes, answer: bytes, fsci: int, fsdi: int, cid: int | None, late: int, data: st.DataObject,
) -> None:
    heard: list[bytes] = []

    def hear(message: bytes) -> bytes | None:
        heard.append(message)
        return None if late else answer

    picc = card(hear, Ats(fsci), rats(fsdi, cid or 0))
    pcd = Pcd(picc.ats, fsdi, cid)
    losses = data.draw(st.lists(st.integers(0, 80), max_size=RETRIES, unique=True))
    air = Air(picc, [at in losses for at in range(81)], late, answer)
    assert air.run(pcd.exchange(command)) == answer
    assert heard == [command]
    assert Air(picc, (), late, answer).run(pcd.exchange(b"again")) == answer
    assert heard == [command, b"again"]
    for frame in air.frames:
        assert len(frame) + 2 <= max(FRAME_SIZES[fsci], FRAME_SIZES[fsdi])


def test_limit_of_losses_is_each_blocks_own() -> None:
    picc = card(ats=Ats(0), request=rats(0))
    message = bytes(130)  # ten blocks each way
    lost = [True, False, False, False, False, False] * 20  # the block; then R(NAK), R(ACK), the block again, its answer
    assert Air(picc, lost).run(Pcd(picc.ats, 0, retries=1).exchange(message)) == message


@given(contents.filter(bool), contents, codes, st.integers(0, 3), st.lists(st.booleans(), max_size=200))
def test_losses_of_any_kind_never_deliver_twice_or_in_part(
    command: bytes, answer: bytes, size: int, late: int, lost: list[bool],
) -> None:
    heard: list[bytes] = []

    def hear(message: bytes) -> bytes | None:
        heard.append(message)
        return None if late else answer

    picc = card(hear, Ats(size), rats(size))
    try:
        assert Air(picc, lost, late, answer).run(Pcd(picc.ats, size).exchange(command)) == answer
    except Lost:
        assert heard in ([], [command])
    else:
        assert heard == [command]


def test_longest_apdu_passes_both_ways() -> None:
    picc = card(lambda message: message[:65538], Ats(12), rats(12))
    message = bytes(byte % 253 for byte in range(MAX_MESSAGE_BYTES))
    assert Air(picc).run(Pcd(picc.ats, 12).exchange(message)) == message[:65538]


def test_reader_deselects_through_losses_and_gives_up() -> None:
    assert Air(card(), [True] * RETRIES).run(Pcd(Ats()).deselect())
    assert not Air(card(), [True] * (RETRIES + 1)).run(Pcd(Ats()).deselect())
    assert not Air(card(), [False, True]).run(Pcd(Ats()).deselect())  # it went, and cannot say so twice


def drive(exchange: Generator[Frame, bytes | None, bytes], *blocks: str) -> list[bytes]:
    """Feed a reader with these blocks ("" is silence); what it sent."""
    sent = [next(exchange).block]
    sent.extend(exchange.send(H(block) or None).block for block in blocks)
    return sent


def test_reader_follows_the_rules() -> None:
    sent = drive(Pcd(Ats()).exchange(b"x"), "", "A3", "F203", "FF", "1201", "", "1202")
    assert sent == [H("0278"), H("B2"), H("0278"), H("F203"), H("B2"), H("A3"), H("A3"), H("A3")]


@pytest.mark.parametrize(
    "blocks",
    [["A2"], ["1201", "A3"], *([block] * (RETRIES + 1) for block in ("", "A3", "0399", "FF", "F200", "0A0011"))],
)
def test_reader_gives_up_on_a_card_that_keeps_to_no_protocol(blocks: list[str]) -> None:
    with pytest.raises(Lost):
        drive(Pcd(Ats()).exchange(b"x"), *blocks)


def test_reader_gives_up_on_a_card_that_asks_for_time_for_ever() -> None:
    exchange = Pcd(Ats(fwi=10)).exchange(b"x")
    next(exchange)
    timeouts = {exchange.send(H("F23B")).timeout_s for _ in range(MAX_EXTENSIONS)}
    assert max(timeouts) < 5  # never more than the longest waiting time there is
    with pytest.raises(Lost):
        exchange.send(H("F23B"))
