"""What must be there, and what must not: by visit type and format (1.0, official), by field (2.0)."""

from __future__ import annotations

from collections.abc import Iterator

from virtual_devices.uploads.fields import FORMATS, Block, Presence, Required
from virtual_devices.uploads.rules import (
    DISPENSING,
    INPATIENT,
    V10,
    V20,
    VACCINE_FIELDS,
    Case,
    Certainty,
    Place,
    Rulebook,
    Stage,
    Values,
)

CODES = Rulebook()
OFFICIAL, PUBLIC, INFERRED = Certainty.OFFICIAL, Certainty.PUBLIC, Certainty.INFERRED
KEY_ONLY = frozenset({"national_id", "birth_date", "institution", "visited_at", "identifier"})
VISIT_ONLY = frozenset({"days_supplied", "dispensing_mode", "diagnosis_1", "benefit_type", "service_class"})
"""Not asked of vaccinations and test results (inferred: no source says what such a record leaves out)."""
IN_VACCINATION_10 = frozenset({
    "card_no", "national_id", "birth_date", "institution", "professional_id", "sam_id", "visited_at", "vaccine", "vaccinated_on",
    "vaccination_institution", "vaccine_lot",
})
ORDERS_NEEDED = frozenset({"AE", "AF", "AG", "BC"})


@CODES.add(("AA", "AF"), Stage.PRESENCE, V10, certainty=OFFICIAL)
def by_visit_type(case: Case) -> Iterator[Place]:
    """AA: the matrix of visit types wants the field. AF: it says that the field is not sent (a dash for ZA and ZB is read as: not
    sent). In vaccination records: AA for the four fields of a vaccination and those that name patient and place (these inferred),
    AF for an order."""
    if case["record_kind"] == "2":
        yield from _vaccination(case)
        return
    fields = FORMATS[V10]
    for field in (*fields.blocks[Block.HEADER], *fields.blocks[Block.VISIT]):
        present = field.id in case.segment
        if not field.presence:
            if present:
                yield case.at(field.name, "in vaccination records only", "AF")
            continue
        sign = field.presence_for(case.visit_type, case.abnormal)
        if sign is Presence.REQUIRED and not present:
            yield case.at(field.name, code="AA")
        elif sign is Presence.NOT_SENT and present:
            yield case.at(field.name, code="AF")
    for line in case.lines:
        yield from _order(case, line)
    if case.visit_type in ORDERS_NEEDED and not case.orders:
        yield case.at("item", "this visit type has orders", "AA")


def _order(case: Case, line: Values) -> Iterator[Place]:
    orders = line in case.orders
    for field in FORMATS[V10].blocks[Block.ORDER]:
        sign = field.presence_for(case.visit_type, case.abnormal)
        present = field.id in line.segment
        if sign is Presence.REQUIRED and orders and not present:
            yield line.at(field.name, code="AA")
        elif sign is Presence.NOT_SENT and present:
            yield line.at(field.name, code="AF")


def _vaccination(case: Case) -> Iterator[Place]:
    for field in (*FORMATS[V10].blocks[Block.HEADER], *FORMATS[V10].blocks[Block.VISIT]):
        if field.name not in IN_VACCINATION_10 and field.block is Block.VISIT:
            continue
        sign = field.presence_for("01", case.abnormal) if field.presence else Presence.REQUIRED
        if sign is Presence.REQUIRED and field.id not in case.segment:
            yield case.at(field.name, code="AA")
        elif sign is Presence.NOT_SENT and field.id in case.segment:
            yield case.at(field.name, code="AF")
    for line in case.lines:
        yield line.at("item", "a vaccination record has no orders", "AF")


@CODES.add(("AA", "AA02", "AA03", "AF"), Stage.PRESENCE, V20, certainty=PUBLIC)
def by_field(case: Case) -> Iterator[Place]:
    """A field that the table wants always: AA02 for those of the visit, AA for those of header and orders. One that normal
    records must have and abnormal ones must not: AA03, AF. Vaccine fields outside vaccination records: AF. (Which of the three
    codes: inferred. Records that void, delete or restore need their key only: inferred.)"""
    kind = case["record_kind"]
    fields = FORMATS[V20]
    for field in (*fields.blocks[Block.HEADER], *fields.blocks[Block.VISIT]):
        present = field.id in case.segment
        if field.required is Required.ALWAYS and not present:
            asked = case.plain or field.name in KEY_ONLY or field.block is Block.HEADER
            if asked and (kind == "1" or field.name not in VISIT_ONLY) and field.name != "dispensing_mode":
                yield case.at(field.name, code=field.missing)
        elif field.required is Required.FORMAT_A:
            if case["format"] == "A" and not present:
                yield case.at(field.name, code=field.missing)
            elif case["format"] == "B" and present:
                yield case.at(field.name, code="AF")
    for line in case.lines:
        yield from _line(case, line, kind)
    if kind == "2" and not any(line["vaccine"] or line["vaccine_lot"] for line in case.lines):
        yield case.at("vaccine", code="AA")


def _line(case: Case, line: Values, kind: str) -> Iterator[Place]:
    orders = line in case.orders
    for field in FORMATS[V20].blocks[Block.ORDER]:
        present = field.id in line.segment
        if field.name in VACCINE_FIELDS:
            if kind == "2" and not present and any(line[name] for name in VACCINE_FIELDS):
                yield line.at(field.name, code="AA")
            elif kind != "2" and present:
                yield line.at(field.name, "in vaccination records only", "AF")
        elif not orders:
            continue
        elif field.required is Required.ALWAYS and not present:
            if not (field.name == "quantity" and line["order_type"] in ("1", "M")):  # AA04 says so
                yield line.at(field.name, code=field.missing)
        elif field.required is Required.FORMAT_A:
            if case["format"] == "A" and not present:
                yield line.at(field.name, code=field.missing)
            elif case["format"] == "B" and present:
                yield line.at(field.name, code="AF")


@CODES.add("AA", Stage.PRESENCE, V10, certainty=OFFICIAL)
def needed_beside(case: Case) -> Iterator[Place]:
    """The day of the actual visit with re-card mark 2; the usage of a drug (order types 1, 2, A, B)."""
    visit = case["record_kind"] == "1" and case.visit_type not in ("ZA", "ZB")
    if visit and case["recard_mark"] == "2" and not case["actual_at"]:
        yield case.at("actual_at", "needed with re-card mark 2")
    if case.visit_type not in DISPENSING:  # there the matrix wants it
        for line in case.drugs:
            if not line["usage"]:
                yield line.at("usage", "needed for drugs")


@CODES.add("AA01", Stage.PRESENCE, V10, certainty=INFERRED)
def days_of_a_drug(case: Case) -> Iterator[Place]:
    """The days of a drug are missing or 0. (That days are needed is official; that the code is this one is inferred.)"""
    for line in case.drugs:
        if not line["days"] or line.number("days") == 0:
            yield line.at("days")


@CODES.add("AA01", Stage.PRESENCE, V20)
def order_number(case: Case) -> Iterator[Place]:
    """The number of an order is 0: they count from 001."""
    for line in case.orders:
        if line.number("order_number") == 0:
            yield line.at("order_number")


@CODES.add("AA03", Stage.PRESENCE, V20, certainty=PUBLIC)
def by_filling_table(case: Case) -> Iterator[Place]:
    """The sequence number of counted types, of AC and of abnormal records; with re-card mark 2 the moment and identifier of the
    actual visit, with mark 4 the identifier."""
    if not case.plain:
        return
    if not case["sequence"] and (case.counted or case.visit_type == "AC" or case.abnormal):
        yield case.at("sequence")
    if case["recard_mark"] == "2" and not case["actual_at"]:
        yield case.at("actual_at", "needed with re-card mark 2")
    if case["recard_mark"] in ("2", "4") and not case["actual_identifier"]:
        yield case.at("actual_identifier", "needed with re-card marks 2 and 4")


@CODES.add("AA04", Stage.PRESENCE, V20, certainty=PUBLIC)
def quantity_of_a_drug(case: Case) -> Iterator[Place]:
    """The quantity of a drug (order types 1 and M) is missing or 0."""
    for line in case.drugs:
        if not line["quantity"] or line.quantity("quantity") == 0:
            yield line.at("quantity")


@CODES.add("AF01", Stage.PRESENCE, V20)
def not_by_filling_table(case: Case) -> Iterator[Place]:
    """A bed of somebody who is no inpatient; an actual visit's moment or identifier with re-card mark 1; birth date and count
    of a newborn without newborn mark."""
    if case["bed"] and case.visit_type not in INPATIENT and case.visit_type not in ("04", "AK", "BD"):
        yield case.at("bed", "for inpatients")
    if case["recard_mark"] == "1":
        for name in ("actual_at", "actual_identifier"):
            if case[name]:
                yield case.at(name, "with re-card mark 2 or 4 only")
    if not case["newborn_mark"]:
        for name in ("newborn_birth_date", "newborn_count"):
            if case[name]:
                yield case.at(name, "with a newborn mark only")


@CODES.add("AH", Stage.PRESENCE)
def quantity_of_an_order(case: Case) -> Iterator[Place]:
    """The quantity of an order that is neither virtual nor a facility's code is 0 (in 1.0 also missing; drugs of 2.0: AA04)."""
    for line in case.orders:
        if line["order_type"] in ("", "G", "H", "J", "K") or (case.version is V20 and line in case.drugs):
            continue
        if line.quantity("quantity") == 0 or (case.version is V10 and not line["quantity"]):
            yield line.at("quantity")


@CODES.add("AH05", Stage.PRESENCE, certainty=OFFICIAL)
def diagnosis_with_orders(case: Case) -> Iterator[Place]:
    """There are orders and no main diagnosis."""
    if case.plain and case.orders and not case["diagnosis_1"]:
        yield case.at("diagnosis_1")


@CODES.add("Y012", Stage.PRESENCE, V20, certainty=PUBLIC)
def orders_needed(case: Case) -> Iterator[Place]:
    """Visit types AE, AF, AG and BC without orders."""
    if case.plain and case.visit_type in ORDERS_NEEDED and not case.orders:
        yield case.at("visit_type")


@CODES.add("Y013", Stage.PRESENCE, V20, certainty=PUBLIC)
def no_orders(case: Case) -> Iterator[Place]:
    """Visit type AI with orders: they belong to the first visit of that day."""
    if case.visit_type == "AI" and case.orders:
        yield case.orders[0].at("order_type")
