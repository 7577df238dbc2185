"""The rules by which a patient card is written (manual 3.3 on the records of ``card_layout``)."""

from __future__ import annotations

import pytest

from virtual_devices.card import writes
from virtual_devices.card.areas import BY_NAME
from virtual_devices.clock import roc_datetime13
from virtual_devices.pki import DAY_NS
from virtual_devices.records import CAPACITY, RECORDS

from .chips import (
    LAST_YEAR,
    THIS_YEAR,
    WHEN,
    at,
    bench_with,
    code,
    diagnosis,
    fee,
    identity,
    issue,
    prescriptions,
    roll_back,
    visit,
    write,
    year,
)
from .desk import INSTITUTION, NOW_NS, Bench, entry, fees


def bench_of_a_parent(newborn: str) -> Bench:
    """With a newborn's birth date and order on the card."""
    bench = bench_with()
    insurance = bench.card.store["insurance"]
    bench.card.store.commit({"insurance": insurance[:13] + newborn.encode().ljust(8)})
    return bench


def test_sequence_numbers_go_up_by_one_and_visits_left_down() -> None:
    bench = bench_with(last_sequence=f"{THIS_YEAR}0041", available_visits=3)
    for number, left in ((42, 2), (43, 1), (44, 0)):
        flag = b"N" if number == 42 else b"Y"
        assert write(bench, issue(at(number)), f"v{number}").data == b"%04d%s%02d" % (number, flag, left)
    assert code(write(bench, issue(at(99)), "one more")) == "5001"
    assert write(bench, issue(at(100), kind="AC"), "course").data == b"0044Y00"  # not counted: no number of its own
    assert bench.card.store["last_seq.0"] == f"{THIS_YEAR}0044".encode()
    assert year(bench.card, THIS_YEAR)["visit_count"] == 3


def test_numbering_begins_anew_each_year_and_never_goes_back() -> None:
    bench = bench_with(last_sequence=f"{LAST_YEAR}0877", available_visits=9)
    old = f"{LAST_YEAR}1231235959"
    assert write(bench, issue(at(0)), "first").data[:4] == b"0001"
    assert write(bench, issue(old), "registered late").data[:4] == b"0878"
    assert write(bench, issue(f"{LAST_YEAR}1230120000"), "another").data[:4] == b"0879"
    assert write(bench, issue(at(9)), "second").data[:4] == b"0002"
    assert bench.card.store["last_seq.0"] == f"{THIS_YEAR}0002".encode()
    assert code(write(bench, issue(f"{int(LAST_YEAR) - 1}1231235959"), "too old")) == "5007"


def test_numbers_of_a_year_end_at_their_limit() -> None:
    bench = bench_with(last_sequence=f"{THIS_YEAR}{writes.SEQUENCE_MAX - 1:04d}")
    assert write(bench, issue(at(0)), "last").data[:4] == b"%04d" % writes.SEQUENCE_MAX
    assert code(write(bench, issue(at(1)), "beyond")) == "5007"


@pytest.mark.parametrize(
    ("more", "refused"),
    [({"cancelled": True}, "5002"), ({"expiry_date": at(-86400)[:7]}, "5003"), ({"available_visits": 0}, "5001"),
     ({"expiry_date": at(0)[:7]}, None)],
)
def test_card_that_may_not_be_used_gives_no_number(more: dict[str, object], refused: str | None) -> None:
    bench = bench_with(**more)
    before = bench.card.store.cells()
    answer = write(bench, issue(at(0)), "visit")
    assert code(answer) == refused and (answer.sw == 0x9000) == (refused is None)
    assert refused is None or bench.card.store.cells() == before


@pytest.mark.parametrize(("days", "allowed"), [(-1, False), (0, True), (60, True), (61, False)])
def test_newborn_uses_a_parents_card_for_sixty_days(days: int, allowed: bool) -> None:
    born = roc_datetime13(NOW_NS - days * DAY_NS)[:7]
    bench = bench_of_a_parent(born + "1")
    answer = write(bench, issue(at(0), mark="A"), "visit")
    assert (answer.sw == 0x9000) == allowed and code(answer) == (None if allowed else "5004")
    assert write(bench, issue(at(1)), "parent").sw == 0x9000


def test_newborn_without_a_birth_date_on_the_card_is_refused() -> None:
    assert code(write(bench_with(), issue(at(0), mark="a"), "visit")) == "5004"


def test_seventh_visit_takes_the_first_ones_place() -> None:
    bench = bench_with(available_visits=9)
    for number in range(CAPACITY["visits"] + 1):
        assert write(bench, issue(at(number)), f"v{number}").sw == 0x9000
    held = sorted(str(visit(bench.card, slot)["visit_seq_no"]) for slot in range(6))
    assert held == [f"{n:04d}" for n in range(2, 8)]
    assert code(write(bench, fee(bench.card, at(0)), "fee of the first")) == "5022"


def test_same_date_time_again_is_the_same_visit() -> None:
    bench = bench_with(available_visits=2)
    first = write(bench, issue(WHEN), "first")
    assert write(bench, issue(at(60)), "later").data[4:5] == b"Y"
    again = write(bench, issue(WHEN), "again")
    assert again.data[:5] == first.data[:5] and again.data[5:] == b"00"
    assert code(write(bench, issue(WHEN, kind="02"), "another kind")) == "5007"


def test_same_day_flag_leaves_out_rolled_back_visits_and_other_days() -> None:
    bench = bench_with(available_visits=9)
    assert write(bench, issue(at(-86400)), "yesterday").data[4:5] == b"N"
    assert write(bench, issue(at(0)), "one").data[4:5] == b"N"
    assert write(bench, roll_back(at(0), at(60)), "back").sw == 0x9000
    assert write(bench, issue(at(120)), "two").data[4:5] == b"N"
    assert write(bench, issue(at(180)), "three").data[4:5] == b"Y"


def test_diagnoses_and_fees_land_in_the_visits_own_slots() -> None:
    bench = bench_with()
    write(bench, issue(WHEN), "visit")
    assert write(bench, diagnosis(bench.card, WHEN) + fee(bench.card, WHEN), "both").sw == 0x9000
    found = RECORDS["visit_diagnosis_icd10"].unpack(bench.card.store["diagnosis.0"])
    assert (found["visit_datetime"], found["main_diagnosis"], found["sub_diagnosis_1"]) == (WHEN, "J069", "")
    assert visit(bench.card, 0)["outpatient_fee"] == "00000450"


def test_fees_written_again_replace_the_first_in_all_totals() -> None:
    bench = bench_with()
    write(bench, issue(WHEN), "visit")
    for number, (amount, copay) in enumerate(((450, 50), (300, 80), (0, 0), (99_999_999, 99_999))):
        assert write(bench, fee(bench.card, WHEN, fees(amount, copay)), f"fee {number}").sw == 0x9000
        totals = year(bench.card, THIS_YEAR)
        assert (totals["outpatient_fee_total"], totals["outpatient_copay_total"]) == (amount, copay)
        assert totals["all_copay_total"] == totals["outpatient_and_short_copay_total"] == copay
        assert bench.card.store["cumulative_fee.0"] == b"%010d%010d" % (amount, 0)
    assert write(bench, fee(bench.card, WHEN, b" " * 38), "blank").sw == 0x9000
    assert year(bench.card, THIS_YEAR)["outpatient_fee_total"] == 0


@pytest.mark.parametrize("raw", [b"1 2" + b" " * 35, b"\t" * 38, b"-0000001" + b"0" * 30, b"\xb2" * 38, b"0x" + b"1" * 36])
def test_fees_that_are_no_numbers_are_refused(raw: bytes) -> None:
    bench = bench_with()
    write(bench, issue(WHEN), "visit")
    before = bench.card.store.cells()
    assert code(write(bench, fee(bench.card, WHEN, raw), "fee")) == "5028"
    assert bench.card.store.cells() == before


def test_fees_that_a_total_has_no_room_for_are_refused_whole() -> None:
    full = RECORDS["cumulative_fee"].pack({"outpatient_fee_grand_total": "9999999990", "inpatient_fee_grand_total": "0"})
    bench = bench_with(records={"cumulative_fee": (full,)})
    write(bench, issue(WHEN), "visit")
    before = bench.card.store.cells()
    assert code(write(bench, fee(bench.card, WHEN), "fee")) == "5028"
    assert bench.card.store.cells() == before
    assert write(bench, fee(bench.card, WHEN, fees(9, 9)), "less").sw == 0x9000


def test_blank_totals_on_a_card_count_as_nothing() -> None:
    blank = {"cumulative_fee": (b" " * 20,), "cumulative_year": (THIS_YEAR.encode() + b" " * 64,), "last_seq": (b"115    ",)}
    bench = bench_with(records=blank)
    assert write(bench, issue(WHEN), "visit").sw == 0x9000
    assert write(bench, fee(bench.card, WHEN), "fee").sw == 0x9000
    assert year(bench.card, THIS_YEAR)["outpatient_fee_total"] == 450


def test_fee_of_a_year_no_longer_kept_displaces_no_later_year() -> None:
    later = tuple(f"{y}".encode() + b"0" * 64 for y in (int(THIS_YEAR) + 1, int(THIS_YEAR) + 2))
    bench = bench_with(records={"cumulative_year": later}, expiry_date="1991231")
    write(bench, issue(WHEN), "visit")
    assert write(bench, fee(bench.card, WHEN), "fee").sw == 0x9000
    assert [bench.card.store[f"cumulative_year.{i}"] for i in (0, 1)] == list(later)


@pytest.mark.parametrize("tag", [writes.DIAGNOSIS, writes.FEE, writes.PRESCRIPTION])
def test_write_to_another_person_is_5020_and_to_no_visit_5022(tag: int) -> None:
    bench = bench_with()
    write(bench, issue(WHEN), "visit")
    make = {
        writes.DIAGNOSIS: diagnosis, writes.FEE: fee, writes.PRESCRIPTION: lambda c, w: prescriptions(c, w, [entry(w)]),
    }[tag]
    assert code(write(bench, make(bench.card, at(1)), "no visit")) == "5022"
    acts = make(bench.card, WHEN)
    own = identity(bench.card)
    for wrong in (b"Z" + own[1:], own[:10] + b"0010101"):
        assert code(write(bench, acts.replace(own, wrong), f"other {wrong!r}")) == "5020"
    write(bench, roll_back(WHEN, at(5)), "back")
    assert code(write(bench, acts, "rolled back")) == "5022"


def test_prescription_of_another_moment_is_5033_and_nothing_is_kept() -> None:
    bench = bench_with()
    write(bench, issue(WHEN), "visit")
    before = bench.card.store.cells()
    acts = diagnosis(bench.card, WHEN) + prescriptions(bench.card, WHEN, [entry(WHEN), entry(at(1))])
    assert code(write(bench, acts, "rx")) == "5033"
    assert bench.card.store.cells() == before


def test_order_types_2_and_5_are_copied_on() -> None:
    bench = bench_with()
    write(bench, issue(WHEN), "visit")
    entries = [entry(WHEN, t, n) for n, t in enumerate("12345AB")]
    assert write(bench, prescriptions(bench.card, WHEN, entries), "rx").sw == 0x9000
    store = bench.card.store
    assert [store[f"outpatient_rx.{i}"] for i in range(7)] == entries
    assert store.get("long_term_rx.1") == store.get("key_order.1") == b""
    long = RECORDS["long_term_rx"].texts(store["long_term_rx.0"])
    assert long == {
        "prescribed_date": WHEN[:7], "drug_code": "AC00000001", "usage": "TID", "days": "07", "total_quantity": "00021.0",
    }
    key = RECORDS["key_order"].texts(store["key_order.0"])
    assert (key["performed_date"], key["hospital_id"], key["key_order_code"]) == (WHEN[:7], INSTITUTION, "AC0000")


@pytest.mark.parametrize(
    ("area", "kind", "capacity"),
    [("outpatient_rx", "1", "outpatient_prescriptions"), ("long_term_rx", "2", "long_term_prescriptions"),
     ("key_order", "5", "key_orders")],
)
def test_area_holds_its_capacity_and_then_takes_the_oldest_place(area: str, kind: str, capacity: str) -> None:
    bench, room = bench_with(), CAPACITY[capacity]
    write(bench, issue(WHEN), "visit")
    assert BY_NAME[area].count == room
    for start in range(0, room + 1, 11):
        entries = [entry(WHEN, kind, n) for n in range(start, min(start + 11, room + 1))]
        assert write(bench, prescriptions(bench.card, WHEN, entries), f"rx {start}").sw == 0x9000
    codes = [RECORDS[area].unpack(bench.card.store[f"{area}.{i}"]) for i in range(room)]
    numbers = [str(c.get("item_code") or c.get("drug_code") or c.get("key_order_code")) for c in codes]
    whole = [f"AC{n:08d}"[: len(numbers[0])] for n in (room, *range(1, room))]
    assert numbers == whole


def test_more_entries_than_the_area_holds_are_refused() -> None:
    bench = bench_with()
    write(bench, issue(WHEN), "visit")
    assert write(bench, prescriptions(bench.card, WHEN, [entry(WHEN)] * 61), "rx").sw == 0x6A80
    assert write(bench, prescriptions(bench.card, WHEN, []), "none").sw == 0x6A80
