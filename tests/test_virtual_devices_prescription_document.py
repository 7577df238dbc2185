"""The document and the acts on it: both directions of their codec, one encoding each, and what is no such record."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from virtual_devices.clock import NS
from virtual_devices.mdoc.tagged import dumps
from virtual_devices.pki import DAY_NS
from virtual_devices.prescription.acts import (
    ACTS,
    MAX_TEXT,
    About,
    Answer,
    Decision,
    Dispensing,
    Query,
    Received,
    Restoration,
    Return,
    read_act,
)
from virtual_devices.prescription.codes import CODES, Table, Why
from virtual_devices.prescription.document import (
    Cancellation,
    Entry,
    MalformedPrescription,
    Prescription,
    PrescriptionClass,
    read_cancellation,
    read_prescription,
)
from virtual_devices.prescription.rules import begin_of, day_of, fault, kept_until_ns, last_day
from virtual_devices.write_back import Kind, Record, read_content

from .desk import NOW_NS
from .prescribed import DRUG, about, day, refill, rx

ID, HASH, TEXT = st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32), st.text(min_size=1, max_size=20)
LONG = st.text(min_size=1, max_size=MAX_TEXT)
AT = st.integers(0, 4_000_000_000).map(lambda s: s * NS)
ENTRY = st.builds(Entry, TEXT, TEXT, TEXT, TEXT, st.integers(0, 999), st.integers(0, 999_999), TEXT)
ABOUT = st.builds(About, ID, ID, HASH, HASH)
RX = st.builds(
    Prescription, ID, HASH, AT, TEXT, st.lists(ENTRY, min_size=1, max_size=60).map(tuple), st.dates(date(1, 1, 1)),
    st.sampled_from(PrescriptionClass), st.integers(1, 9), st.integers(0, 999), st.just("") | TEXT, st.just("") | TEXT,
)
ACT = st.one_of(
    st.builds(Dispensing, ID, ABOUT, TEXT, AT, st.integers(1, 9), st.lists(st.tuples(TEXT, st.integers(0, 999_999)), max_size=60)
              .map(tuple)),
    st.builds(Return, ID, ABOUT, TEXT, AT, ID, st.just("") | LONG),
    st.builds(Received, ID, ABOUT, TEXT, AT, ID, st.dictionaries(st.integers(1, 9), st.binary(max_size=4000), min_size=1)),
    st.builds(Query, ID, ABOUT, TEXT, AT, LONG, st.lists(st.integers(0, 59), max_size=60).map(tuple)),
    st.builds(Answer, ID, ABOUT, TEXT, AT, ID, st.sampled_from(Decision), st.just("") | LONG),
    st.builds(Restoration, ID, ABOUT, TEXT, AT, HASH),
)


@given(RX, ID | st.just(b""), HASH)
@settings(max_examples=60)
def test_document_comes_back(document: Prescription, amends: bytes, follows: bytes) -> None:
    if amends:
        document = replace(document, amends=amends, follows=follows)
    raw = document.record().to_bytes()
    assert read_prescription(read_content(raw)) == document and read_content(raw).to_bytes() == raw


@given(ACT)
@settings(max_examples=80)
def test_act_comes_back(act: Any) -> None:
    raw = act.record().to_bytes()
    assert read_act(read_content(raw)) == act and read_content(raw).to_bytes() == raw


@given(st.builds(Cancellation, ID, HASH, AT, TEXT, ID, HASH, st.just("") | LONG))
@settings(max_examples=30)
def test_cancellation_comes_back(cancellation: Cancellation) -> None:
    assert read_cancellation(read_content(cancellation.record().to_bytes())) == cancellation


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 62), 1 << 62) | st.text(max_size=30) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.integers(0, 12) | st.text(max_size=3), inner, max_size=6),
    max_leaves=12,
)


@given(st.sampled_from(Kind), st.dictionaries(st.integers(0, 12), VALUE, min_size=1, max_size=12))
@settings(max_examples=150)
def test_whatever_stands_in_a_record_is_read_or_refused(kind: Kind, fields: dict[int, Any]) -> None:
    record = Record(kind, bytes(16), bytes(32), NOW_NS, fields, bytes(16) if kind in (Kind.CANCEL, Kind.AMEND) else None)
    for read in (read_prescription, read_act, read_cancellation):
        try:
            again = read(record).record()
        except MalformedPrescription:
            continue
        assert dumps(dict(again.fields)) == dumps(fields)


@given(ACT | RX, st.integers(0, 20), VALUE)
@example(Answer(bytes(16), about(rx()), "9901180014", NOW_NS, bytes(16), Decision.CONFIRM, ""), 5, [])
@example(refill(), 3, {})
@example(refill(), 3, None)
@settings(max_examples=150)
def test_one_field_that_is_something_else_is_read_or_refused(made: Any, which: int, value: Any) -> None:
    """The rest being right, so that the field is looked at."""
    record = made.record()
    fields = dict(record.fields)
    fields[sorted(fields)[which % len(fields)]] = value
    try:
        again = (read_prescription if record.kind is Kind.PRESCRIPTION else read_act)(replace(record, fields=fields))
    except MalformedPrescription:
        return
    assert dumps(dict(again.record().fields)) == dumps(fields)  # one encoding


FIELDS = rx().record().fields


@pytest.mark.parametrize(
    "fields",
    [
        {**FIELDS, 4: "A"}, {**FIELDS, 4: "G"}, {**FIELDS, 5: 1}, {**FIELDS, 5: 10}, {**FIELDS, 6: 0}, {**FIELDS, 7: ""},
        {**FIELDS, 9: bytes(32)}, {**FIELDS, 11: 1}, {**FIELDS, 2: []}, {**FIELDS, 3: 20260231}, {n: FIELDS[n] for n in (1, 2)},
    ],
)
def test_document_of_other_fields_is_refused(fields: dict[int, Any]) -> None:
    with pytest.raises(MalformedPrescription):
        read_prescription(replace(rx().record(), fields=fields))


def test_every_kind_that_is_no_document_is_an_act_or_none_of_prescriptions() -> None:
    assert set(Kind) - ACTS == {Kind.VISIT, Kind.FEE, Kind.PRESCRIPTION, Kind.AMEND, Kind.CANCEL}


def test_every_reason_has_a_code_and_ours_are_told_apart() -> None:
    assert set(CODES) == set(Why)
    own = [code.number for code in CODES.values() if code.table is Table.PROFILE]
    assert own == [f"RX{n:02d}" for n in range(1, len(own) + 1)]
    assert all(code.number[0] == "D" for code in CODES.values() if code.table is Table.CHECK)


F = PrescriptionClass.CONTROLLED_REFILL


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (rx(), None), (refill(), None), (rx(kind=PrescriptionClass.CONTROLLED), None), (rx(card_no=""), Why.NO_NUMBER),
        (rx(days=8), Why.ORDINARY_LONG), (rx(kind=PrescriptionClass.CHRONIC, days=30), None), (rx(issues=2), Why.ISSUES_ONE),
        (refill(issues=5), Why.REFILL_ISSUES), (refill(issues=1), Why.REFILL_ISSUES),
        (rx(kind=F, issues=5), Why.CONTROLLED_ISSUES),
        (refill(days=3, issues=2, entries=(DRUG,)), Why.REFILL_SHORT),
        (rx(kind=F, days=2, entries=(DRUG,)), Why.CONTROLLED_SHORT),
        (rx(entries=(replace(DRUG, days=0),)), Why.DRUG_DAYS), (rx(entries=(replace(DRUG, days=8),)), Why.DRUG_LONGER),
        (rx(entries=(replace(DRUG, order_type="3", days=0),)), None), (rx(last_day=day(-1)), Why.LAST_DAY),
    ],
)
def test_document_is_held_to_the_rules(document: Prescription, why: Why | None) -> None:
    assert fault(document) is why


def test_days_are_those_of_taiwan() -> None:
    assert day_of(NOW_NS) == date(2026, 3, 2) and begin_of(date(2026, 3, 2)) == NOW_NS - 8 * 3600 * NS
    assert day_of(begin_of(date(2026, 3, 2)) - 1) == date(2026, 3, 1)


def test_usual_last_day_and_retention() -> None:
    assert last_day(PrescriptionClass.ORDINARY, NOW_NS, 7, 1) == date(2026, 3, 4)
    assert last_day(PrescriptionClass.REFILL, NOW_NS, 28, 3) == date(2026, 3, 2) + timedelta(days=83)
    leap = begin_of(date(2028, 2, 29))
    assert kept_until_ns(PrescriptionClass.REFILL, leap) == begin_of(date(2031, 3, 2))
    assert kept_until_ns(F, NOW_NS) == begin_of(date(2031, 3, 3)) and kept_until_ns(F, NOW_NS) > NOW_NS + 5 * 365 * DAY_NS
