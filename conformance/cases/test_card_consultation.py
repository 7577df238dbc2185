"""Diagnoses, fees and prescriptions on a patient card: to which visit they go, what they add up to, where there is no room."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.case import Each, Nature, case
from conformance.chips import MadeUp
from conformance.kinds.card import THIS_YEAR, WHEN, CardTester, at, entry, fees
from conformance.vectors.world import INSTITUTION
from virtual_devices.card.areas import BY_NAME
from virtual_devices.pki import Role
from virtual_devices.records import RECORDS

_MEDICAL = ("diagnosis", "outpatient_rx", "long_term_rx", "key_order")
_NO_FEES = {
    "space-within": b"1 2" + b" " * 35, "tabs": b"\t" * 38, "negative": b"-0000001" + b"0" * 30,
    "digits-of-another-script": b"\xb2" * 38,
    "hexadecimal": b"0x" + b"1" * 36, "last-field": b"0" * 37 + b"x", "third-field": b"0" * 16 + b"x" * 8 + b"0" * 14,
}


def _at_visit(card: CardTester, **personal: object) -> None:
    """A physician's desk with a visit on the card."""
    card.at_desk(MadeUp(personal=personal), professional=Role.PHYSICIAN)
    card.must(card.put(card.issue()), "visit")


def _year(card: CardTester) -> Mapping[str, int]:
    found = (RECORDS["cumulative_year"].texts(one) for one in card.records("cumulative_year"))
    return next(({name: int(value or 0) for name, value in year.items()} for year in found if year["roc_year"] == THIS_YEAR), {})


@case("P-ACT-06", nature=Nature.VALID, zh="診斷、費用、處方寫入該次就醫", destructive=True)
def test_consultation_lands_in_its_visit(card: CardTester) -> None:
    """Diagnoses, fees and prescriptions in one command stand in the records of the visit; order types 2 and 5 are copied on."""
    _at_visit(card)
    entries = [entry(WHEN, order_type, number) for number, order_type in enumerate("12345AB")]
    card.says(card.put(card.diagnosis() + card.fee() + card.prescription(entries=entries)), 0x9000, "consultation")
    found = RECORDS["visit_diagnosis_icd10"].texts(card.records("diagnosis")[0])
    card.equal("diagnosis", (found["visit_datetime"], found["main_diagnosis"]), (WHEN, "J069"))
    visit = RECORDS["visit_register"].texts(card.records("visit")[0])
    card.equal("fee and re-card mark", (visit["outpatient_fee"], visit["recard_mark"]), ("00000450", "1"))
    card.equal("prescriptions", card.records("outpatient_rx")[:8], [*entries, b" " * 61])
    long = [RECORDS["long_term_rx"].texts(one) for one in card.records("long_term_rx")[:2]]
    card.equal("long-term prescription", (long[0]["drug_code"], long[0]["days"], long[1]["drug_code"]), ("AC00000001", "07", ""))
    key = [RECORDS["key_order"].texts(one) for one in card.records("key_order")[:2]]
    card.equal("key order", (key[0]["hospital_id"], key[0]["key_order_code"], key[1]["hospital_id"]), (INSTITUTION, "AC0000", ""))


@case("P-ACT-07", nature=Nature.VALID, zh="費用重寫：總額以新代舊", destructive=True)
def test_fees_written_again_replace_the_first(card: CardTester) -> None:
    """Fees written again replace the first ones in every total; blank ones take them out."""
    _at_visit(card)
    for amount, copay in ((450, 50), (300, 80), (99_999_999, 99_999), (0, 0)):
        card.says(card.put(card.fee(raw=fees(amount, copay))), 0x9000, f"fees {amount}")
        year = _year(card)
        card.equal("the year's totals", (year["outpatient_fee_total"], year["outpatient_copay_total"], year["all_copay_total"],
                                         year["outpatient_and_short_copay_total"]), (amount, copay, copay, copay))
        card.holds("cumulative_fee", b"%010d%010d" % (amount, 0))
    card.must(card.put(card.fee(raw=fees(inpatient=700))), "an inpatient's fee")
    card.holds("cumulative_fee", b"%010d%010d" % (450, 700))
    card.says(card.put(card.fee(raw=b" " * 38)), 0x9000, "blank fees")
    card.holds("cumulative_fee", b"0" * 20)


@case("P-ACT-06", nature=Nature.INVALID, zh="費用非數字：9428", destructive=True,
      each=lambda: {name: Each(raw) for name, raw in _NO_FEES.items()})
def test_fees_that_are_no_numbers_are_refused(card: CardTester, raw: bytes) -> None:
    """Fees that are no numbers are refused and change nothing."""
    _at_visit(card)
    card.refuses(card.fee(raw=raw), 0x9428, "fees")


@case("P-ACT-07", nature=Nature.LIMIT, zh="累計總額上限：容不下即 9428", destructive=True)
def test_fees_without_room_are_refused(card: CardTester) -> None:
    """Fees that a lifetime total has no room for are refused whole; what just fits is taken."""
    full = RECORDS["cumulative_fee"].pack({"outpatient_fee_grand_total": "9999999990", "inpatient_fee_grand_total": "0"})
    _at_visit(card, records={"cumulative_fee": (full,)})
    card.refuses(card.fee(raw=fees(10, 0)), 0x9428, "fees")
    card.says(card.put(card.fee(raw=fees(9, 0))), 0x9000, "what just fits")
    card.holds("cumulative_fee", b"9999999999" + b"0" * 10)


@case("P-ACT-07", nature=Nature.LIMIT, zh="年度累計上限：容不下即 9428；就醫次數 9407", destructive=True)
def test_year_without_room_is_refused(card: CardTester) -> None:
    """Fees that a year's total has no room for are refused by 9428, a visit that its count has none for by 9407."""
    row = {"roc_year": THIS_YEAR, "visit_count": "0001", "outpatient_copay_total": "99999990"}
    _at_visit(card, records={"cumulative_year": (RECORDS["cumulative_year"].pack(row),)})
    card.refuses(card.fee(raw=fees(0, 10)), 0x9428, "copay")
    card.says(card.put(card.fee(raw=fees(0, 9))), 0x9000, "what just fits")
    full = RECORDS["cumulative_year"].pack({**row, "visit_count": "9999"})
    card.at_desk(MadeUp(personal={"records": {"cumulative_year": (full,)}}))
    card.refuses(card.issue(), 0x9407, "visit 10000 of the year")


@case("P-ACT-07", nature=Nature.LIMIT, zh="卡片存兩年：更早之年度不取代較新者", destructive=True)
def test_year_no_longer_kept_displaces_none(card: CardTester) -> None:
    """Of a year older than the two kept nothing is added up, and a new year takes the older one's place."""
    years = [int(THIS_YEAR) + 1, int(THIS_YEAR) + 2]
    later = tuple(f"{year}".encode() + b"0" * 64 for year in years)
    _at_visit(card, records={"cumulative_year": later})
    card.says(card.put(card.fee()), 0x9000, "fees")
    card.equal("years on the card", card.records("cumulative_year"), list(later))
    before = tuple(f"{year}".encode() + b"0" * 64 for year in (int(THIS_YEAR) - 2, int(THIS_YEAR) - 1))
    _at_visit(card, records={"cumulative_year": before})
    card.equal("years on the card", [one[:3] for one in card.records("cumulative_year")], [THIS_YEAR.encode(), before[1][:3]])


@case("P-ACT-07", nature=Nature.VALID, zh="空白之累計欄位視為零", destructive=True)
def test_blank_totals_count_as_nothing(card: CardTester) -> None:
    """Blank totals on a card count as nothing."""
    blank = {"cumulative_fee": (b" " * 20,), "cumulative_year": (THIS_YEAR.encode() + b" " * 64,), "last_seq": (b"115    ",)}
    _at_visit(card, records=blank)
    card.says(card.put(card.fee()), 0x9000, "fees")
    card.equal("fees of the year", _year(card)["outpatient_fee_total"], 450)


@case("P-ACT-06", nature=Nature.ATTACK, zh="寫給他人：9420；無此就醫：9422", destructive=True,
      each=lambda: {name: Each(name) for name in ("diagnosis", "fee", "prescription")})
def test_write_to_another_person_or_no_visit_is_refused(card: CardTester, what: str) -> None:
    """What names another person is refused by 9420; no visit that stands,
    or another institution's, by 9422."""
    _at_visit(card)
    make, own = getattr(card, what), card.identity()
    card.refuses(make(at(1)), 0x9422, "no such visit", *_MEDICAL)
    for other in (b"Z" + own[1:], own[:10] + b"0010101"):
        card.refuses(make(who=other), 0x9420, "another person", *_MEDICAL)
    card.says(card.put(make()), 0x9000, "the right one")
    card.must(card.put(card.roll_back()), "take back")
    card.refuses(make(), 0x9422, "a visit taken back", *_MEDICAL)
    foreign = b"01 " + WHEN.encode() + b"1" + b"0001" + b"8888888888" + b" " * 38
    card.at_desk(MadeUp(personal={"records": {"visit": (foreign,)}}), professional=Role.PHYSICIAN)
    card.refuses(make(), 0x9422, "another institution's visit", *_MEDICAL)


@case("P-ACT-06", nature=Nature.INVALID, zh="處方之時間不符：9433，全不寫入", destructive=True)
def test_prescription_of_another_moment_is_refused(card: CardTester) -> None:
    """An entry of another date-time than the visit's is refused, and nothing of the command is kept."""
    _at_visit(card)
    acts = card.diagnosis() + card.prescription(entries=[entry(WHEN), entry(at(1))])
    card.refuses(acts, 0x9433, "prescriptions", *_MEDICAL)


@case("P-ACT-06", nature=Nature.LIMIT, zh="一次 1 至 60 筆處方", destructive=True)
def test_number_of_entries_has_limits(card: CardTester) -> None:
    """One entry to sixty are taken in one command, none and sixty-one refused."""
    _at_visit(card)
    for number, word in ((0, 0x6A80), (61, 0x6A80), (1, 0x9000), (60, 0x9000)):
        card.says(card.put(card.prescription(entries=[entry(WHEN)] * number)), word, f"{number} entries")


@case("P-ACT-06", nature=Nature.LIMIT, zh="各區滿後取代最早者", destructive=True,
      each=lambda: {"outpatient_rx": Each(("outpatient_rx", "1")), "long_term_rx": Each(("long_term_rx", "2")),
                    "key_order": Each(("key_order", "5"))})
def test_full_area_takes_the_oldest_place(card: CardTester, tried: tuple[str, str]) -> None:
    """An area of prescriptions holds what the layout says, and the next entry takes the oldest one's place."""
    area, kind = tried
    _at_visit(card)
    room = BY_NAME[area].count
    entries = [entry(WHEN, kind, number) for number in range(room + 1)]
    for start in range(0, room + 1, 11):
        card.must(card.put(card.prescription(entries=entries[start : start + 11])), f"entries from {start}")
    names = ("item_code", "drug_code", "key_order_code")
    found = [next(one[name] for name in names if name in one) for one in map(RECORDS[area].texts, card.records(area))]
    whole = [f"AC{number:08d}"[: len(found[0])] for number in (room, *range(1, room))]
    card.equal(f"codes in {area}", found, whole)
