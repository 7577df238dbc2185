"""Visits made in both formats: the same facts, every difference with its reason, every field filled, refusals by name."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtual_devices.checks import Unfit
from virtual_devices.clock import parse_roc
from virtual_devices.errors import UsageError
from virtual_devices.uploads.checking import check
from virtual_devices.uploads.comparison import compare, told
from virtual_devices.uploads.document import Encoding, Record
from virtual_devices.uploads.facts import (
    Action,
    Actual,
    Allergy,
    Fees,
    Newborn,
    Order,
    OrderKind,
    OrderPlace,
    Original,
    Prenatal,
    Preventive,
    Recard,
    RecordKind,
    Refill,
    Vaccination,
    VisitFacts,
)
from virtual_devices.uploads.fields import FORMATS, Version
from virtual_devices.uploads.lists import (
    ABNORMAL_CODES,
    DIFFERENCES,
    ITEM_LISTS,
    SITUATIONS,
    VISIT_TYPES,
    sequence_for,
)
from virtual_devices.uploads.making import Unmakeable, make, make_10, make_20, quantity_text
from virtual_devices.uploads.xml_reader import read
from virtual_devices.uploads.xml_writer import write

from .upload_visits import (
    CLINIC,
    DISPENSED,
    DRUG,
    HOSPITAL,
    IDENTIFIER,
    ORDER_SIGNATURE,
    REFILL_RELEASED,
    VACCINATED,
    VISIT,
    codes,
    context,
)

V10, V20 = Version.V10, Version.V20
EARLIER_NS = parse_roc("1150301093000")
FULL = replace(
    VISIT, recard=Recard.LATER, actual=Actual(EARLIER_NS, IDENTIFIER), newborn=Newborn(date(2026, 2, 1), 1, "a"),
    original=Original(IDENTIFIER, HOSPITAL, "0006", EARLIER_NS), diagnoses=("J00", "J01", "J02", "J03", "J04", "J05"),
    procedures=("0A1", "0A2", "0A3"), fees=Fees(420, 50, copay_2=1, copay_3=2, copay_4=3), bed="12-3",
    refill=Refill(84, 3, 0), controlled_refill=Refill(84, 3, 0), physiotherapy=1, occupational_therapy=2, speech_therapy=3,
    orders=(
        *(replace(DRUG, prescription_class=letter, item=f"AC{letter}") for letter in "ABCDEF"),
        Order(OrderKind.PROCEDURE, "00109C", site="16", partner=HOSPITAL, place=OrderPlace.SENT_OUT, lot="L", note="N",
              signature=ORDER_SIGNATURE),
    ),
    allergies=(
        Allergy(drug="盤尼西林", symptom="1", other_symptom="癢", severity="2", source="99", source_note="病人", onset="1140101",
                gene_test="-"),
        Allergy(ingredient="A1", withdrawn=True, reason="9", other_reason="誤"), Allergy(drug_class="B1", symptom="1"),
    ),
    preventive=Preventive("01", "11", date(2026, 3, 2)), prenatal=Prenatal("41", date(2026, 3, 2)),
)
PRESCRIBING = replace(FULL, original=None)
DISCHARGED = replace(
    VISIT, visit_type="BB", sequence="", fees=Fees(inpatient=9000, inpatient_copay_short=900, inpatient_copay_long=0),
)
UNCOUNTED = [code for code, one in VISIT_TYPES.items() if V10 in one.versions and V20 in one.versions and not one.counted]


# -- the oracle

ascii_codes = st.text(st.sampled_from("ABCDEFGH0123456789"), min_size=3, max_size=9)
texts = st.text(st.sampled_from("盤尼西林藥物過敏甲乙丙ABC123"), min_size=1, max_size=60)
letters = st.sampled_from("ABCDEF")


@st.composite
def some_orders(draw: st.DrawFn) -> Order:
    kind = draw(st.sampled_from(OrderKind))
    drug = kind is OrderKind.DRUG
    places = [OrderPlace.HERE, OrderPlace.RELEASED, OrderPlace.FOR_ANOTHER] if drug else list(OrderPlace)
    return Order(
        kind, draw(ascii_codes), Decimal(draw(st.integers(0, 9_999_999))) / 100, draw(st.sampled_from(places)),
        draw(letters) if drug else "", "TID" if drug else "", draw(st.integers(1, 90)) if drug else None,
        route="PO" if drug else "", note=draw(st.sampled_from(["", "N"])), signature=ORDER_SIGNATURE,
    )


@st.composite
def some_visits(draw: st.DrawFn) -> VisitFacts:
    """Visits that both formats know, with whatever they may have."""
    allergies = st.sampled_from(
        [Allergy(drug=draw(texts), symptom="1"), Allergy(ingredient="A1", withdrawn=True, reason="1"), Allergy(drug_class="B")]
    )
    visit = replace(
        VISIT, visited_ns=parse_roc("1150302000000") + draw(st.integers(0, 86_399)) * 10**9,
        diagnoses=tuple(draw(st.lists(ascii_codes, min_size=1, max_size=6))),
        procedures=tuple(draw(st.lists(ascii_codes, max_size=3))),
        fees=Fees(draw(st.integers(1, 9_999_999)), draw(st.integers(0, 999))),
        orders=tuple(draw(st.lists(some_orders(), max_size=20))), allergies=tuple(draw(st.lists(allergies, max_size=3))),
        recard=draw(st.sampled_from(Recard)), actual=Actual(EARLIER_NS, IDENTIFIER), bed=draw(st.sampled_from(["", "12-3"])),
        refill=draw(st.none() | st.just(Refill(84, 3, 0))), days_supplied=draw(st.integers(0, 90)),
        newborn=draw(st.none() | st.builds(Newborn, st.just(date(2026, 2, 1)), st.integers(1, 5), st.sampled_from("abA"))),
    )
    if draw(st.booleans()):
        situation = draw(st.sampled_from([one for one in SITUATIONS.values() if one.obtained]))
        visit = replace(visit, sequence="", situation=situation.situation, obtained=draw(st.booleans()))
    return visit


@given(some_visits())
@settings(max_examples=30, deadline=None)
def test_both_formats_tell_the_same_facts(visit: VisitFacts) -> None:
    old, new = make_10(visit), make_20(visit)
    assert [one for one in compare(old, new) if not one.reason] == []
    for record in (old, new):
        assert read(write([record])).records == (record,)
        assert read(write([record], Encoding.UTF8)).records == (record,)


@pytest.mark.parametrize("facts", [VISIT, FULL, REFILL_RELEASED, DISPENSED, VACCINATED, DISCHARGED],
                         ids=["visit", "full", "refill", "dispensing", "vaccination", "discharge"])
def test_every_difference_has_its_reason(facts: VisitFacts) -> None:
    assert [one for one in compare(make_10(facts), make_20(facts)) if not one.reason] == []


@pytest.mark.parametrize("visit_type", UNCOUNTED)
def test_uncounted_types_tell_the_same_facts(visit_type: str) -> None:
    money = Fees(inpatient=9000, inpatient_copay_short=9) if visit_type in ("BB", "BF", "DC") else Fees(420, 50)
    visit = replace(
        VISIT, visit_type=visit_type, sequence="IC21" if visit_type == "AC" else "", fees=money,
        orders=tuple(replace(order, site="UR", usage="TID", days=1) for order in VISIT.orders),
    )
    assert [one for one in compare(make_10(visit), make_20(visit)) if not one.reason] == []


def test_a_difference_without_reason_is_seen() -> None:
    old, new = make_10(VISIT), make_20(VISIT)
    wrong = replace(new, visit={**new.visit, "M44": "421"})
    found = [(one.name, one.in_10, one.in_20) for one in compare(old, wrong) if not one.reason]
    assert found == [("outpatient_fee", "420", "421")]
    short = replace(new, orders=new.orders[:1])
    assert {one.name for one in compare(old, short) if not one.reason} >= {"order 2 item", "order 2 quantity", "allergy 1 drug"}


def test_every_reason_is_needed() -> None:
    seen = {
        one.name.split(" ")[-1] for facts in (VISIT, FULL, PRESCRIBING, VACCINATED, ANOTHER_PLACE, LOST)
        for one in compare(make_10(facts), make_20(facts))
    }
    assert DIFFERENCES.keys() == seen


KEY_ORDER = Order(OrderKind.KEY_ORDER, "K1", signature=ORDER_SIGNATURE)
ANOTHER_PLACE = replace(VISIT, orders=(replace(DRUG, place=OrderPlace.FOR_ANOTHER), KEY_ORDER))
LOST = replace(VISIT, recard=Recard.IDENTIFIER_LOST, actual=Actual(EARLIER_NS, "MISS0000000000000000"))


# -- tables

def filled(record: Record) -> set[str]:
    return {id for part in (record.header, record.visit, *record.orders) for id in part}


def test_every_field_is_filled_by_some_visit() -> None:
    for version, count in ((V10, 51), (V20, 88)):
        known = FORMATS[version].by_id
        assert len(known) == count
        made = [make(facts, version) for facts in (FULL, PRESCRIBING, VACCINATED, DISCHARGED)]
        assert set().union(*map(filled, made)) == known.keys()


def test_fields_that_say_the_same_have_one_name() -> None:
    for field in FORMATS[V20].by_id.values():
        old = FORMATS[V10].by_id.get(field.equals_10)
        assert old is None or old.name == field.name
        if old is not None and field.name not in ("signature", "actual_at", "order_mode"):
            assert field.length in (old.length, 0)
    shared = {field.name for field in FORMATS[V20].by_id.values() if field.equals_10}
    assert shared == FORMATS[V10].by_name.keys() & FORMATS[V20].by_name.keys()


def test_presence_covers_every_visit_type_of_the_booklet() -> None:
    types = [code for code, one in VISIT_TYPES.items() if V10 in one.versions]
    assert len(types) == 29
    for field in FORMATS[V10].by_id.values():
        assert field.presence_except.keys() <= set(types)
        if field.presence:
            for visit_type in types:
                for abnormal in (False, True):
                    field.presence_for(visit_type, abnormal)


def test_abnormal_codes_are_the_fields() -> None:
    assert {"A000", "A001", "F00B", "Z001", "IC09"} <= ABNORMAL_CODES.keys()
    assert sequence_for("card-reader") == "A010"
    assert sequence_for("card-reader", obtained=True) == "A011"
    assert ABNORMAL_CODES["E001"].situation == "control-list"  # the official reading; one program has another
    assert sequence_for("home-care-bluetooth") == "F00B"
    with pytest.raises(UsageError, match="no code for a sequence number that was obtained"):
        sequence_for("minor", obtained=True)
    with pytest.raises(UsageError, match="no cause"):
        sequence_for("rain")


def test_every_situation_makes_an_abnormal_record_in_both_formats() -> None:
    for one in SITUATIONS.values():
        visit = replace(VISIT, sequence="", situation=one.situation)
        for version in Version:
            record = make(visit, version)
            assert record.get("sequence") == one.not_obtained
            assert record.get("format") in ("2", "B")
            assert not record.get("card_no") and not record.get("signature") and not record.get("sam_id")
            assert "AD02" not in codes(check(record, context()))


def test_item_lists_name_codes_that_exist() -> None:
    assert all(one.zh and one.en for one in ITEM_LISTS.values())


# -- refusals

@pytest.mark.parametrize(("version", "field", "facts"), [
    (V10, "A01", replace(VISIT, action=Action.DELETE)),
    (V10, "A23", replace(VISIT, visit_type="09")),
    (V10, "A00", replace(VISIT, kind=RecordKind.TEST_RESULT)),
    (V10, "A61", replace(VACCINATED, vaccinations=(Vaccination("a", "1"), Vaccination("b", "2")))),
    (V10, "A22", replace(VISIT, signature="5" * 256)),
    (V10, "A41", replace(VISIT, visit_type="04", preventive=Preventive("01", "11", date(2026, 3, 2)))),
    (V10, "A32", replace(VISIT, fees=Fees(420))),
    (V10, "A11", replace(VISIT, card_no="")),
    (V20, "M07", replace(VISIT, visit_type="ZA", sequence="")),
    (V20, "D02", replace(VISIT, orders=(replace(DRUG, taken_back=True),))),
    (V20, "M15", replace(VISIT, identifier="")),
    (V20, "M03", replace(VISIT, national_id="A12345678")),
    (V20, "M35", replace(VISIT, diagnoses=("痛",))),
    (V20, "D11", replace(VISIT, orders=(replace(DRUG, signature=""),))),
    (V20, "M44", replace(VISIT, fees=Fees(10**9))),
    (V20, "M44", replace(VISIT, fees=Fees(-(10**9)))),
])
def test_what_a_format_cannot_tell_is_refused_by_name(version: Version, field: str, facts: VisitFacts) -> None:
    with pytest.raises(Unmakeable) as refused:
        make(facts, version)
    assert refused.value.field == field
    assert f"format {version.value}, {field}: " in str(refused.value)


@pytest.mark.parametrize("wrong", [
    {"visit_type": "XX"}, {"diagnoses": ("J00",) * 7}, {"situation": "network"}, {"vaccinations": (Vaccination("a", "b"),)},
    {"recard": Recard.LATER},
])
def test_visit_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(Unfit) as refused:
        replace(VISIT, **wrong)  # type: ignore[arg-type]
    assert set(refused.value.fields) <= {field.name for field in fields(VisitFacts)}


def test_orders_and_allergies_check_themselves() -> None:
    for wrong in (lambda: Order(OrderKind.DRUG, "A"), lambda: Order(OrderKind.PROCEDURE, "A", prescription_class="A"),
                  lambda: Order(OrderKind.PROCEDURE, ""), lambda: Order(OrderKind.PROCEDURE, "A", Decimal(-1)), lambda: Allergy(),
                  lambda: Allergy(drug="a", ingredient="b"), lambda: Newborn(date(2026, 1, 1), 0, "a"),
                  lambda: Newborn(date(2026, 1, 1), 1, "ab"), lambda: replace(DRUG, prescription_class="G")):
        with pytest.raises(Unfit):
            wrong()


def test_quantity_has_one_decimal_where_that_is_enough() -> None:
    assert [quantity_text(Decimal(text)) for text in ("9", "0.5", "0.25", "84.0")] == ["9.0", "0.5", "0.25", "84.0"]


def test_taking_back_has_its_letters_in_10() -> None:
    kinds = (OrderKind.PROCEDURE, OrderKind.MATERIAL, OrderKind.KEY_ORDER, OrderKind.VIRTUAL, OrderKind.FACILITY)
    orders = (replace(DRUG, taken_back=True), replace(DRUG, prescription_class="C", taken_back=True),
              *(Order(kind, "X", taken_back=True, signature=ORDER_SIGNATURE) for kind in kinds))
    assert [order["A72"] for order in make_10(replace(VISIT, orders=orders)).orders[:7]] == list("ABCDEHK")


def test_told_names_what_a_record_says() -> None:
    facts = told(make_20(VISIT))
    assert facts["institution"] == CLINIC
    assert facts["order 1 place"] == "here"
    assert facts["allergy 1 drug"] == "盤尼西林"
