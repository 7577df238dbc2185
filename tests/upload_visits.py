"""Synthetic visits, and the insurer's database that knows them: what tests of uploads begin with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from virtual_devices.clock import NS, parse_roc
from virtual_devices.cloud.books import MemoryBooks
from virtual_devices.uploads.document import Encoding, Finding, Record
from virtual_devices.uploads.draft import Draft
from virtual_devices.uploads.facts import (
    Allergy,
    Fees,
    Order,
    OrderKind,
    OrderPlace,
    Original,
    RecordKind,
    Refill,
    Vaccination,
    VisitFacts,
)
from virtual_devices.uploads.fields import FORMATS, Block
from virtual_devices.uploads.register import (
    IdentifierFacts,
    IdentifierService,
    InstitutionEntry,
    PersonEntry,
    ProfessionalEntry,
    TableRegister,
    Trade,
)
from virtual_devices.uploads.rules import Context

CLINIC, PHARMACY, HOSPITAL = "3501200000", "5901200000", "1101200000"
CLINIC_SAM, PHARMACY_SAM = "SAM000000001", "SAM000000002"
DOCTOR, PHARMACIST = "B123456789", "B223456789"
PATIENT, CARD_NO = "A123456789", "000012345678"
VISITED_AT, DISPENSED_AT = "1150302093000", "1150302101500"
NOW_NS = parse_roc("1150302180000")
IDENTIFIER, DISPENSING_IDENTIFIER = "V0000000000000000001", "V0000000000000000002"
SIGNATURE, ORDER_SIGNATURE = "5" * 128, "7" * 40


def institution(code: str, trade: Trade, **more: Any) -> InstitutionEntry:
    return InstitutionEntry(code, trade, began_20="1130101", **more)


REGISTER = TableRegister(
    institutions={
        CLINIC: institution(CLINIC, Trade.CLINIC), PHARMACY: institution(PHARMACY, Trade.PHARMACY),
        HOSPITAL: institution(HOSPITAL, Trade.HOSPITAL, service_classes=frozenset({"11", "12"})),
    },
    sams={CLINIC_SAM: CLINIC, PHARMACY_SAM: PHARMACY},
    people={PATIENT: PersonEntry(PATIENT, CARD_NO, "0650101", "M")},
    professionals={DOCTOR: ProfessionalEntry(DOCTOR), PHARMACIST: ProfessionalEntry(PHARMACIST)},
    identifiers={
        IDENTIFIER: IdentifierFacts(PATIENT, CLINIC, VISITED_AT),
        DISPENSING_IDENTIFIER: IdentifierFacts(PATIENT, PHARMACY, DISPENSED_AT),
    },
)
DRUG = Order(
    OrderKind.DRUG, "AC12345100", Decimal(9), prescription_class="A", usage="TID", days=3, route="PO", signature=ORDER_SIGNATURE,
)
VISIT = VisitFacts(
    CLINIC, DOCTOR, PATIENT, date(1976, 1, 1), "01", parse_roc(VISITED_AT), sam_id=CLINIC_SAM, card_no=CARD_NO, sequence="0007",
    identifier=IDENTIFIER, signature=SIGNATURE, diagnoses=("J00",), fees=Fees(outpatient=420, outpatient_copay=50),
    benefit_type="4", service_class="11", dispensing_mode="0", days_supplied=3,
    orders=(DRUG, Order(OrderKind.PROCEDURE, "00109C", signature=ORDER_SIGNATURE)),
    allergies=(Allergy(drug="盤尼西林", symptom="1", source="1"),),
)
"""A clinic's visit with a drug, a procedure and an allergy."""

REFILL_RELEASED = replace(
    VISIT, dispensing_mode="1", days_supplied=0, refill=Refill(84, 3, 0),
    orders=(replace(DRUG, place=OrderPlace.RELEASED, prescription_class="C", days=28, quantity=Decimal(84)),), allergies=(),
)
"""A chronic refill prescription of three issues, released to a pharmacy."""

DISPENSED = VisitFacts(
    PHARMACY, PHARMACIST, PATIENT, date(1976, 1, 1), "AF", parse_roc(DISPENSED_AT), sam_id=PHARMACY_SAM, card_no=CARD_NO,
    identifier=DISPENSING_IDENTIFIER, signature=SIGNATURE, diagnoses=("J00",), fees=Fees(outpatient=300), benefit_type="4",
    service_class="11", dispensing_mode="0", days_supplied=28, refill=Refill(issue=1),
    original=Original(IDENTIFIER, CLINIC, "0007", parse_roc(VISITED_AT)),
    orders=(replace(DRUG, place=OrderPlace.FOR_ANOTHER, prescription_class="C", days=28, quantity=Decimal(84)),),
)
"""A pharmacy's dispensing of its first issue."""

VACCINATED = replace(
    VISIT, kind=RecordKind.VACCINATION, orders=(), allergies=(), vaccinations=(Vaccination("FLU", "LOT1"),), diagnoses=(),
    fees=Fees(), benefit_type="", service_class="", dispensing_mode="", days_supplied=None, visit_type="AC", sequence="IC21",
)


def later(visit: VisitFacts, seconds: int, identifier: str = "") -> VisitFacts:
    """The same at another moment."""
    return replace(visit, visited_ns=visit.visited_ns + seconds * NS, identifier=identifier or visit.identifier)


def identified(*known: tuple[str, str, str, str], **services: IdentifierService) -> TableRegister:
    """The register with further identifiers: (identifier, person, institution, moment)."""
    more = {
        known_as: IdentifierFacts(person, place, moment, services.get(known_as, IdentifierService.CARD))
        for known_as, person, place, moment in known
    }
    return replace(REGISTER, identifiers={**REGISTER.identifiers, **more})


def changed(record: Record, **values: str | None) -> Record:
    """With other values of header and visit, by field id or by name of the fact; None takes a field out."""
    fields = FORMATS[record.version]
    header, visit = dict(record.header), dict(record.visit)
    for name, value in values.items():
        field = fields.by_id.get(name) or fields.by_name[name]
        segment = header if field.block is Block.HEADER else visit
        if value is None:
            segment.pop(field.id, None)
        else:
            segment[field.id] = value
    return replace(record, header=header, visit=visit)


def changed_order(record: Record, index: int, **values: str | None) -> Record:
    """With other values of one order, counted from 0."""
    fields = FORMATS[record.version]
    order = dict(record.orders[index])
    for name, value in values.items():
        id = (fields.by_id.get(name) or fields.by_name[name]).id
        if value is None:
            order.pop(id, None)
        else:
            order[id] = value
    orders = list(record.orders)
    orders[index] = order
    return replace(record, orders=tuple(orders))


def context(register: TableRegister = REGISTER, books: MemoryBooks | None = None, **more: Any) -> Context:
    """A clinic uploading in the evening of the visit's day."""
    values: Mapping[str, Any] = {
        "institution": CLINIC, "sam_id": CLINIC_SAM, "uploaded_ns": NOW_NS, "encoding": Encoding.BIG5, **more,
    }
    return Context(register, Draft(books or MemoryBooks()), **values)


def codes(findings: tuple[Finding, ...]) -> set[str]:
    return {one.code for one in findings}
