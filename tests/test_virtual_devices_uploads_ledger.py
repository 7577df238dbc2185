"""The data centre's side: stored once and whole; corrected, cancelled, voided, deleted, restored; pre-checked without a trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from virtual_devices.clock import NS, parse_roc
from virtual_devices.cloud.visit_uploads import PRE_CHECK, UploadLedger
from virtual_devices.errors import UsageError
from virtual_devices.uploads.document import Encoding, Record
from virtual_devices.uploads.facts import (
    Action,
    Allergy,
    Order,
    OrderKind,
    Prenatal,
    Preventive,
    VisitFacts,
)
from virtual_devices.uploads.fields import Version
from virtual_devices.uploads.making import make
from virtual_devices.uploads.register import IdentifierFacts
from virtual_devices.uploads.results import FileResult
from virtual_devices.uploads.rows import UPLOADS, IssueState, Standing
from virtual_devices.uploads.xml_reader import read
from virtual_devices.uploads.xml_writer import write

from .upload_centre import Centre, codes
from .upload_visits import (
    CLINIC,
    CLINIC_SAM,
    DISPENSED,
    DISPENSED_AT,
    DISPENSING_IDENTIFIER,
    NOW_NS,
    ORDER_SIGNATURE,
    PATIENT,
    PHARMACY,
    PHARMACY_SAM,
    REFILL_RELEASED,
    REGISTER,
    VISIT,
    VISITED_AT,
    changed,
    later,
)

V10, V20 = Version.V10, Version.V20
DAY_NS, HOUR_NS, MINUTE_NS = 86_400 * NS, 3600 * NS, 60 * NS


# -- once and whole

@pytest.mark.parametrize("version", Version, ids=lambda one: one.value)
def test_visit_is_kept_with_all_that_it_says(version: Version) -> None:
    centre = Centre()
    result = centre.send(VISIT, version=version)
    assert codes(result) == [[]]
    assert result.summary == {
        "bytes": len(write([make(VISIT, version)])), "records": 1, "valid_visits": 1, "valid_orders": 3, "invalid_visits": 0,
        "error_codes": [],
    }
    (kept,) = centre.kept()
    assert (kept.institution, kept.national_id, kept.visited_at, kept.received_ns) == (CLINIC, PATIENT, VISITED_AT, NOW_NS)
    assert read(kept.content).records == (make(VISIT, version),)


def test_same_file_again_is_the_same_upload() -> None:
    centre = Centre()
    first = centre.send(VISIT)
    assert centre.send(VISIT, at_ns=NOW_NS + HOUR_NS) == first
    assert [row.opcode for row in centre.books.shelf(UPLOADS)] == ["OP1"]
    assert centre.kept()[0].received_ns == NOW_NS


def test_same_visit_in_another_file_leaves_the_first() -> None:
    centre = Centre()
    centre.send(VISIT)
    again = replace(VISIT, fees=replace(VISIT.fees, outpatient=999))
    assert codes(centre.send(again)) == [["C001"]]
    (kept,) = centre.kept()
    assert (kept.standing, read(kept.content).records[0].get("outpatient_fee")) == (Standing.COUNTED, "420")


def test_opcode_is_given_once() -> None:
    centre = Centre()
    centre.send(VISIT)
    centre.numbers = count(1)
    with pytest.raises(UsageError, match="OP1 is another upload's key already"):
        centre.send(later(VISIT, 60))
    assert len(centre.kept()) == 1


def test_same_visit_twice_in_one_file_is_kept_once() -> None:
    centre = Centre()
    assert codes(centre.send(VISIT, VISIT)) == [[], ["C001"]]
    assert len(centre.kept()) == 1


def test_file_that_comes_late_again_does_not_bring_back_what_was_deleted() -> None:
    centre = Centre()
    centre.send(VISIT)
    centre.send(replace(VISIT, action=Action.DELETE))
    assert codes(centre.send(VISIT)) == [["C001"]]
    assert centre.counted() == []


def test_voiding_again_after_a_restoration_is_no_repetition() -> None:
    centre = Centre()
    centre.send(REFILL_RELEASED)
    for _ in range(2):
        assert codes(centre.send(replace(REFILL_RELEASED, action=Action.VOID_REFILLS))) == [[]]
        assert set(centre.issues().values()) == {IssueState.VOIDED}
        assert codes(centre.send(replace(REFILL_RELEASED, action=Action.VOID_REFILLS))) == [[]]  # its answer was lost
        assert codes(centre.send(replace(REFILL_RELEASED, action=Action.RESTORE_REFILLS))) == [[]]
        assert centre.issues() == {}


def test_interrupted_file_leaves_nothing() -> None:
    raw = write([make(VISIT, V20), make(later(VISIT, 60), V20)])
    for cut in range(0, len(raw), 97):
        centre = Centre()
        result = centre.raw(raw[:cut])
        if result.returned:
            assert centre.kept() == []
    assert centre.raw(raw).records[0].accepted
    assert len(centre.kept()) >= 1


def test_records_that_failed_are_looked_at_again_when_the_file_comes_again() -> None:
    centre = Centre()
    other = later(VISIT, 60, "V0000000000000000005")
    assert codes(centre.send(VISIT, other)) == [[], ["D002"]]
    known = IdentifierFacts(PATIENT, CLINIC, "1150302093100")
    centre.ledger = UploadLedger(centre.books, replace(REGISTER, identifiers={**REGISTER.identifiers, other.identifier: known}))
    assert codes(centre.send(VISIT, other)) == [[], []]
    assert [one.standing for one in centre.kept()] == [Standing.COUNTED] * 2


def test_returned_file_keeps_nothing_even_of_sound_records() -> None:
    centre = Centre()
    elsewhere = changed(make(later(VISIT, 60), V10), institution=PHARMACY)
    result = centre.send(make(VISIT, V10), elsewhere)
    assert result.returned
    assert result.valid == ()
    assert centre.kept() == []
    assert "07" in codes(result)[1]


def test_commit_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    centre = Centre()

    def fails(row: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(centre.books.shelf(UPLOADS), "put", fails)
    with pytest.raises(OSError, match="no room"):
        centre.send(VISIT)
    assert centre.kept() == []


def test_20_cannot_be_followed_by_10() -> None:
    centre = Centre()
    centre.send(VISIT, version=V10)
    centre.send(later(VISIT, 60))  # fails: its identifier is of another time
    assert not centre.send(later(VISIT, 120), version=V10).returned
    centre.send(replace(DISPENSED, refill=None, original=None, orders=()), sender=PHARMACY)
    centre = Centre()
    centre.send(VISIT)
    result = centre.send(later(VISIT, 60), version=V10)
    assert [one.code for one in result.findings] == ["Y000"]


# -- corrections

def test_failed_record_is_corrected_in_10() -> None:
    centre = Centre()
    wrong = changed(make(VISIT, V10), sequence="9999")
    assert codes(centre.send(wrong)) == [["AD01"]]
    assert [(one.standing, one.codes) for one in centre.kept()] == [(Standing.FAILED, "AD01")]
    assert codes(centre.send(changed(wrong, format="3"))) == [["AD01"]]  # the correction fails too, and may be corrected
    assert codes(centre.send(replace(VISIT, action=Action.CORRECT), version=V10)) == [[]]
    assert [(one.standing, one.codes, one.corrected) for one in centre.kept()] == [(Standing.COUNTED, "", True)]
    assert codes(centre.send(changed(make(VISIT, V10), format="3", outpatient_fee="1"))) == [["C002"]]


def test_correction_before_what_it_corrects_is_refused() -> None:
    centre = Centre()
    assert codes(centre.send(replace(VISIT, action=Action.CORRECT), version=V10)) == [["Y009"]]
    assert centre.send(VISIT, version=V10).records[0].accepted
    assert len(centre.counted()) == 1


def test_abnormal_correction_needs_an_abnormal_record() -> None:
    centre = Centre()
    abnormal = replace(VISIT, sequence="", situation="network")
    centre.send(changed(make(VISIT, V10), sequence="9999"))
    assert codes(centre.send(replace(abnormal, action=Action.CORRECT), version=V10)) == [["Y010"]]


def test_failed_record_of_20_is_sent_again() -> None:
    centre = Centre()
    assert codes(centre.send(changed(make(VISIT, V20), service_class="15"))) == [["D066"]]
    assert codes(centre.send(VISIT)) == [[]]
    assert [one.standing for one in centre.kept()] == [Standing.COUNTED]


# -- cancelling, in 1.0

def cancelling(visit_type: str, seconds: int, *cancelled: VisitFacts) -> VisitFacts:
    return later(replace(VISIT, visit_type=visit_type, sequence="", orders=(), allergies=(), diagnoses=(),
                         cancels_ns=tuple(one.visited_ns for one in cancelled)), seconds)


def test_za_cancels_the_visits_of_a_day_here() -> None:
    centre = Centre()
    centre.send(VISIT, later(VISIT, 60), version=V10)
    old = later(VISIT, -2 * 86_400)
    centre.send(old, version=V10)
    assert codes(centre.send(cancelling("ZA", 3600), version=V10)) == [[]]
    standing = {one.visited_at: one.standing for one in centre.kept()}
    assert standing[VISITED_AT] is Standing.DELETED
    assert standing["1150302093100"] is Standing.DELETED
    assert standing["1150228093000"] is Standing.COUNTED
    assert centre.send(VISIT, version=V10, at_ns=NOW_NS + 1).records  # what was cancelled may come anew


def test_zb_cancels_the_visit_that_it_names() -> None:
    centre = Centre()
    other = later(VISIT, 61)
    centre.send(VISIT, other, version=V10)
    assert codes(centre.send(cancelling("ZB", 3600, other), version=V10)) == [[]]
    standing = {one.visited_at: one.standing for one in centre.kept()}
    assert standing[VISITED_AT] is Standing.COUNTED
    assert standing["1150302093101"] is Standing.DELETED


@pytest.mark.parametrize(("told", "back", "word"), [
    ({"prenatal": Prenatal("41", date(2026, 3, 2))}, {"prenatal": Prenatal("XA", date(2026, 3, 2))}, "prenatal"),
    ({"preventive": Preventive("01", "11", date(2026, 3, 2))}, {"preventive": Preventive("01", "YA", date(2026, 3, 2))},
     "preventive 01"),
    ({"preventive": Preventive("04", "", date(2026, 3, 2))}, {"preventive": Preventive("04", "YF", date(2026, 3, 2))},
     "preventive 04"),
])
def test_entry_is_taken_back(told: dict[str, object], back: dict[str, object], word: str) -> None:
    centre = Centre()
    centre.send(replace(VISIT, **told), version=V10)  # type: ignore[arg-type]
    assert codes(centre.send(later(replace(VISIT, **back), 60), version=V10)) == [[]]  # type: ignore[arg-type]
    assert centre.kept()[0].taken_back == word
    assert centre.kept()[0].standing is Standing.COUNTED


def test_order_and_allergy_are_taken_back_in_10() -> None:
    centre = Centre()
    centre.send(VISIT, version=V10)
    back = replace(
        VISIT, orders=(Order(OrderKind.PROCEDURE, "00109C", taken_back=True, signature=ORDER_SIGNATURE),),
        allergies=(Allergy(drug="盤尼西林", withdrawn=True),),
    )
    assert codes(centre.send(back, version=V10)) == [[]]
    (record,) = read(centre.kept()[0].content).records
    assert [order.get("A73") for order in record.orders] == ["AC12345100"]


def test_allergy_is_withdrawn_in_20_where_it_was_told() -> None:
    centre = Centre()
    withdrawn = replace(VISIT, orders=(), allergies=(Allergy(drug="盤尼西林", withdrawn=True, reason="1"),))
    assert codes(centre.send(withdrawn)) == [["E002"]]
    centre.send(VISIT)
    assert codes(centre.send(withdrawn, at_ns=NOW_NS + 1)) == [[]]
    assert len(read(centre.kept()[0].content).records[0].orders) == 2
    assert codes(centre.send(replace(withdrawn, bed=""), at_ns=NOW_NS + 2)) == [[]]  # the very file again: done before


# -- deleting, voiding, restoring, in 2.0

def test_deleted_record_may_come_anew() -> None:
    centre = Centre()
    centre.send(VISIT)
    assert codes(centre.send(replace(VISIT, action=Action.DELETE))) == [[]]
    assert centre.counted() == []
    assert codes(centre.send(replace(VISIT, fees=replace(VISIT.fees, outpatient=430)))) == [[]]
    assert len(centre.counted()) == 1
    assert codes(centre.send(changed(make(VISIT, V20), format="D", identifier="V0000000000000000002"))) != [[]]


def test_refill_is_dispensed_voided_restored() -> None:
    centre = Centre()
    assert codes(centre.send(REFILL_RELEASED)) == [[]]
    assert codes(centre.send(DISPENSED, sender=PHARMACY)) == [[]]
    assert centre.issues() == {1: IssueState.DISPENSED}
    assert codes(centre.send(replace(REFILL_RELEASED, action=Action.VOID_REFILLS))) == [[]]
    assert centre.issues() == {1: IssueState.DISPENSED, 2: IssueState.VOIDED, 3: IssueState.VOIDED}
    assert codes(centre.send(replace(REFILL_RELEASED, action=Action.RESTORE_REFILLS))) == [[]]
    assert centre.issues() == {1: IssueState.DISPENSED}
    assert "D039" in codes(centre.send(replace(REFILL_RELEASED, action=Action.DELETE)))[0]
    assert codes(centre.send(replace(DISPENSED, action=Action.DELETE), sender=PHARMACY)) == [[]]
    assert centre.issues() == {}
    assert codes(centre.send(replace(REFILL_RELEASED, action=Action.DELETE))) == [[]]


def test_dispensing_before_its_prescription_is_taken_in_while_both_formats_are() -> None:
    centre = Centre(both_formats=True)
    assert codes(centre.send(DISPENSED, sender=PHARMACY)) == [["D024"]]
    assert centre.issues() == {1: IssueState.DISPENSED}
    assert codes(centre.send(REFILL_RELEASED)) == [[]]
    assert codes(Centre().send(DISPENSED, sender=PHARMACY)) == [["D024"]]
    assert len(centre.counted()) == 2


# -- pre-check

def test_pre_check_says_the_same_and_keeps_nothing() -> None:
    centre = Centre()
    checked = centre.send(VISIT, changed(make(later(VISIT, 60), V20), sequence="x"), kind=PRE_CHECK)
    assert centre.kept() == []
    assert centre.send(VISIT, changed(make(later(VISIT, 60), V20), sequence="x")) == checked
    assert len(centre.kept()) == 2


def test_pre_check_is_fetched_after_half_an_hour_for_two_days_by_who_sent_it() -> None:
    centre = Centre()
    centre.send(VISIT, kind=PRE_CHECK)
    fetched = [
        centre.ledger.result("OP1", CLINIC_SAM, NOW_NS + after) is not None
        for after in (0, 30 * MINUTE_NS - 1, 30 * MINUTE_NS, 2 * DAY_NS - 1, 2 * DAY_NS)
    ]
    assert fetched == [False, False, True, True, False]
    assert centre.ledger.result("OP1", PHARMACY_SAM, NOW_NS + HOUR_NS) is None
    assert centre.ledger.result("OP2", CLINIC_SAM, NOW_NS + HOUR_NS) is None
    assert centre.ledger.forget(NOW_NS + 2 * DAY_NS) == 1
    assert list(centre.books.shelf(UPLOADS)) == []


def test_formal_result_is_fetched_for_two_weeks() -> None:
    centre = Centre()
    centre.send(VISIT)
    fetched = [centre.ledger.result("OP1", CLINIC_SAM, NOW_NS + after) is not None for after in (0, 14 * DAY_NS - 1, 14 * DAY_NS)]
    assert fetched == [True, True, False]
    assert centre.ledger.forget(NOW_NS + 99 * DAY_NS) == 0


# -- results

def test_result_survives_being_kept() -> None:
    result = Centre().send(VISIT, VISIT)
    assert FileResult.from_json(result.to_json()) == result


# -- any order

MOMENTS = [parse_roc("1150302090000") + minute * MINUTE_NS for minute in range(4)]
VISITS = [replace(VISIT, visited_ns=moment, identifier=f"V{number:019d}") for number, moment in enumerate(MOMENTS, 10)]
KNOWN = replace(REGISTER, identifiers={
    **{visit.identifier: IdentifierFacts(PATIENT, CLINIC, f"115030209{minute:02d}00")
       for minute, visit in enumerate(VISITS)},
    DISPENSING_IDENTIFIER: IdentifierFacts(PATIENT, PHARMACY, DISPENSED_AT),
})


class AnyOrder(RuleBasedStateMachine):
    """Files of a few visits, whole, cut, repeated, in both roles: each visit is counted at most once, and as it first came."""

    def __init__(self) -> None:
        super().__init__()
        self.centre = Centre(KNOWN)
        self.first: dict[str, bytes] = {}
        self.gone: dict[str, bytes] = {}

    @rule(numbers=st.lists(st.integers(0, 3), min_size=1, max_size=4), fee=st.integers(1, 3), cut=st.integers(0, 3))
    def send(self, numbers: list[int], fee: int, cut: int) -> None:
        records = [make(replace(VISITS[n], fees=replace(VISIT.fees, outpatient=fee)), V20) for n in numbers]
        raw = write(records)
        result = self.centre.raw(raw[: len(raw) * cut // 4] if cut else raw)
        if not result.returned:
            self._counts(records)

    @rule(number=st.integers(0, 3))
    def delete(self, number: int) -> None:
        result = self.centre.send(replace(VISITS[number], action=Action.DELETE))
        if result.records[0].accepted and VISITS[number].identifier in self.first:
            self.gone[VISITS[number].identifier] = self.first.pop(VISITS[number].identifier)

    @rule(numbers=st.lists(st.integers(0, 3), min_size=1, max_size=4))
    def pre_check(self, numbers: list[int]) -> None:
        self.centre.send(*(VISITS[n] for n in numbers), kind=PRE_CHECK)

    def _counts(self, records: Sequence[Record]) -> None:
        for record in records:
            identifier, content = record.get("identifier"), write([record], Encoding.UTF8)
            if self.gone.get(identifier) != content:
                self.first.setdefault(identifier, content)

    @invariant()
    def each_is_kept_once_and_as_it_first_came(self) -> None:
        assert {one.identifier: one.content for one in self.centre.counted()} == self.first


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=8, stateful_step_count=12, deadline=None)
