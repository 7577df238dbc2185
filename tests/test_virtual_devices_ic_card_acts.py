"""Acts on a patient card: taken back, repeated, refused whole, in links."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtual_devices import tlv
from virtual_devices.apdu import Command
from virtual_devices.card import writes
from virtual_devices.card.areas import AREAS
from virtual_devices.card.ic_card import IcCard
from virtual_devices.card.writes import COUNTED

from .chips import THIS_YEAR, WHEN, at, bench_with, code, fee, identity, issue, put, roll_back, say, write, year
from .desk import INSTITUTION


def test_roll_back_gives_back_the_visit_and_the_money_but_not_the_number() -> None:
    bench = bench_with(available_visits=4, last_sequence=f"{THIS_YEAR}0007")
    write(bench, issue(WHEN), "visit")
    write(bench, fee(bench.card, WHEN), "fee")
    assert write(bench, roll_back(WHEN, at(86400)), "back").sw == 0x9000
    assert bench.card.store["insurance"][11:13] == b"04" and bench.card.store["last_seq.0"] == f"{THIS_YEAR}0008".encode()
    assert set(year(bench.card, THIS_YEAR).values()) == {int(THIS_YEAR), 0}
    assert bench.card.store["cumulative_fee.0"] == b"0" * 20
    assert write(bench, issue(WHEN), "anew").data == b"0009N03"
    assert write(bench, fee(bench.card, WHEN), "fee anew").sw == 0x9000  # finds the visit that stands


@pytest.mark.parametrize("kind", ["AC", "BA", "01"])
def test_roll_back_is_refused_by_the_fields_codes(kind: str) -> None:
    bench = bench_with(available_visits=9)
    write(bench, issue(WHEN, kind=kind), "visit")
    assert code(write(bench, roll_back(at(1), at(2)), "none")) == "5150"
    if kind.encode() not in COUNTED:
        assert code(write(bench, roll_back(WHEN, at(2)), "letters")) == "5151"
        return
    assert code(write(bench, roll_back(WHEN, at(86401)), "late")) == "5154"
    assert code(write(bench, roll_back(WHEN, at(-1)), "before")) == "5154"
    assert write(bench, roll_back(WHEN, at(2)), "once").sw == 0x9000
    assert code(write(bench, roll_back(WHEN, at(3)), "twice")) == "5153"
    assert write(bench, roll_back(WHEN, at(9)), "once").sw == 0x9000  # the same act, asked again later


def test_visit_of_another_institution_is_not_touched() -> None:
    foreign = b"01 " + WHEN.encode() + b"1" + b"0001" + b"8888888888" + b" " * 38
    bench = bench_with(records={"visit": (foreign,)})
    assert code(write(bench, roll_back(WHEN, at(2)), "back")) == "5152"
    assert code(write(bench, fee(bench.card, WHEN), "fee")) == "5022"
    assert code(write(bench, issue(WHEN), "visit")) == "5007"
    assert write(bench, issue(at(5), hospital="8888888888"), "as another").sw == 0x6982
    assert write(bench, roll_back(WHEN, at(2), hospital="8888888888"), "back as another").sw == 0x6982


def test_act_again_changes_nothing_and_an_id_serves_one_act() -> None:
    bench = bench_with()
    first = write(bench, issue(WHEN), "visit")
    before = bench.card.store.cells()
    assert write(bench, issue(WHEN), "visit") == first and bench.card.store.cells() == before
    assert write(bench, issue(at(1)), "visit").sw == 0x6A80 and bench.card.store.cells() == before


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x8e\x10" + b"i" * 16, b"\x8e\x0f" + b"i" * 15 + issue(WHEN), issue(WHEN), b"\xff" * 40,
        tlv.encode(writes.ID, b"i" * 16) * 2 + issue(WHEN), tlv.encode(writes.ID, b"i" * 16) + tlv.encode(0xE9, b""),
        tlv.encode(writes.ID, b"i" * 16) + issue(WHEN)[:-1], tlv.encode(writes.ID, b"i" * 16) + issue("1151332000000"),
        tlv.encode(writes.ID, b"i" * 16) + issue(WHEN, kind="0 "), tlv.encode(writes.ID, b"i" * 16) + issue(WHEN, recard="x"),
        tlv.encode(writes.ID, b"i" * 16) + tlv.encode(0x84, b"1"), tlv.encode(writes.ID, b"i" * 16) + b"\xe1\x80\x00\x00",
    ],
)
def test_malformed_act_is_refused_and_changes_nothing(data: bytes) -> None:
    bench = bench_with()
    before = bench.card.store.cells()
    assert say(bench.card, Command(0x80, 0xDA, 1, 0, data, le=256)).sw in (0x6A80, 0x6982)
    assert bench.card.store.cells() == before


def test_act_comes_in_links_over_a_chip_without_extended_length() -> None:
    bench = bench_with()
    whole = put(issue(WHEN), bench.act("visit"))
    assert say(bench.card, Command(0x90, 0xDA, 1, 0, whole.data[:20])).sw == 0x9000
    assert say(bench.card, Command(0x80, 0xDA, 1, 0, whole.data[20:], le=256)).sw == 0x9000
    assert say(bench.card, Command(0x90, 0xDA, 1, 0, whole.data[:20])).sw == 0x9000
    assert say(bench.card, "00C0000000").sw == 0x6883  # another command ends the chain
    assert say(bench.card, Command(0x80, 0xDA, 1, 0, whole.data[20:], le=256)).sw == 0x6A80


TAGS = (0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8B, 0x8C, 0x5F20)
LENGTHS = {
    0x80: 17, 0x81: 2, 0x82: 1, 0x83: 1, 0x84: 13, 0x85: 10, 0x86: 55, 0x87: 38, 0x88: 61, 0x89: 13, 0x8A: 21, 0x8B: 64, 0x8C: 9,
}


def field(tag: int) -> st.SearchStrategy[tuple[int, bytes]]:
    length = LENGTHS.get(tag, 4)
    texts = st.sampled_from([b"0", b" ", b"9", b"1", b"\xff", b"\0", b"A"]).map(lambda b: b * length)
    good = {0x84: [WHEN.encode()], 0x89: [WHEN.encode()], 0x85: [INSTITUTION.encode()], 0x81: [b"01"], 0x82: [b" "], 0x83: [b"1"]}
    return st.tuples(
        st.just(tag), texts | st.sampled_from(good.get(tag, [b"1" * length])) | st.binary(min_size=length, max_size=length)
    )


ACTS = st.lists(
    st.tuples(st.integers(0xE0, 0xE8), st.lists(st.sampled_from(TAGS).flatmap(field), max_size=7)), min_size=1, max_size=3
)


@settings(max_examples=200)
@given(st.lists(ACTS, min_size=1, max_size=4))
def test_no_act_topples_a_card_or_bends_its_records(commands: list[list[tuple[int, list[tuple[int, bytes]]]]]) -> None:
    """Whatever a proved SAM writes: a status word, records of their lengths, numbers that are numbers."""
    bench = bench_with(available_visits=9)
    write(bench, issue(WHEN), "visit")
    card = bench.card
    for number, acts in enumerate(commands):
        body = b"".join(tlv.encode(tag, _with_identity(card, fields)) for tag, fields in acts)
        before = card.store.cells()
        answer = write(bench, body, f"act {number}")
        assert answer.ok or card.store.cells() == before or answer.sw >> 8 == 0x96
    for area in AREAS:
        for index in range(area.count):
            assert len(card.store.get(area.cell(index))) in (0, area.record_bytes), area.name
    assert card.store["insurance"][11:13].isdigit() and len(card.store["insurance"]) == 21
    assert (card.store.get("cumulative_fee.0") or b"0").isdigit()
    assert all(value >= 0 for value in year(card, THIS_YEAR).values())


def _with_identity(card: IcCard, fields: list[tuple[int, bytes]]) -> bytes:
    own = [(tag, identity(card) if tag == 0x80 and value[0] < 0x40 else value) for tag, value in fields]
    return tlv.encode_all(own)
