"""A record against the insurer's database: institution, SAM, professional, holder, items, diagnoses, signatures."""

from __future__ import annotations

from collections.abc import Iterator

from virtual_devices.uploads.register import ItemKind
from virtual_devices.uploads.rules import V10, V20, Case, Certainty, Place, Rulebook, Stage
from virtual_devices.uploads.values import is_moment

CODES = Rulebook()
OFFICIAL, PUBLIC = Certainty.OFFICIAL, Certainty.PUBLIC
KINDS = {
    V10: {"1": ItemKind.DRUG, "2": ItemKind.DRUG, "3": ItemKind.FEE, "4": ItemKind.MATERIAL, "5": ItemKind.FEE},
    V20: {"1": ItemKind.DRUG, "M": ItemKind.DRUG, "2": ItemKind.FEE, "3": ItemKind.MATERIAL, "4": ItemKind.MATERIAL},
}
"""Where an order type's items stand. 2.0: special material is 3 in the claim standard and 4 in a pharmacy's program; both are
looked up there."""
ITEM_CODES = {ItemKind.DRUG: "10", ItemKind.FEE: "11", ItemKind.MATERIAL: "12"}
NOT_ON_FILE = ("FORE", "ICND", "IC98", "IC09")
DIAGNOSES = tuple(f"diagnosis_{n}" for n in range(1, 7))


def within(day: str, first: str, last: str) -> bool:
    """A day within a contract; one that has no end runs."""
    return first <= day and (not last or day <= last)


@CODES.add("07", Stage.REGISTER, certainty=OFFICIAL)
def uploads_for_itself(case: Case) -> Iterator[Place]:
    """The institution is another than the one whose SAM uploads. In 1.0 the whole file is returned."""
    if case["institution"] and case["institution"] != case.context.institution:
        yield case.at("institution")


@CODES.add(("06", "08", "09"), Stage.REGISTER, certainty=OFFICIAL)
def institution_on_file(case: Case) -> Iterator[Place]:
    """The SAM was issued to another institution (06). The institution is not on file (08). The visit lies outside its contract
    (09), or, in 2.0, its date is none (09)."""
    register = case.context.register
    if case["sam_id"] and register.sam_institution(case["sam_id"]) != case["institution"]:
        yield case.at("sam_id", code="06")
    institution = register.institution(case["institution"])
    visited = case.moment("visited_at")
    if case["institution"] and institution is None:
        yield case.at("institution", code="08")
    elif institution is not None and visited and not within(visited[:7], institution.contract_from, institution.contract_to):
        yield case.at("visited_at", code="09")
    if case.version is V20 and case["visited_at"] and not is_moment(case["visited_at"], 13):
        yield case.at("visited_at", code="09")


@CODES.add(("13", "14"), Stage.REGISTER, certainty=OFFICIAL)
def professional_on_file(case: Case) -> Iterator[Place]:
    """The professional is not on file (13), or the visit lies outside the contract (14)."""
    if not case["professional_id"]:
        return
    found = case.context.register.professional(case["professional_id"])
    visited = case.moment("visited_at")
    if found is None:
        yield case.at("professional_id", code="13")
    elif visited and not within(visited[:7], found.contract_from, found.contract_to):
        yield case.at("professional_id", code="14")


@CODES.add("05", Stage.REGISTER, certainty=OFFICIAL)
def holder_on_file(case: Case) -> Iterator[Place]:
    """No person has this id, or birth date or card number are another's. Abnormal codes for people without insurance need no
    person on file (inferred)."""
    if not case["national_id"]:
        return
    person = case.context.register.person(case["national_id"])
    if person is None:
        if not (case.abnormal and case["sequence"] in NOT_ON_FILE):
            yield case.at("national_id")
        return
    if case["birth_date"] and person.birth_date and case["birth_date"] != person.birth_date:
        yield case.at("birth_date")
    if case["card_no"] and person.card_no and case["card_no"] != person.card_no:
        yield case.at("card_no")


@CODES.add(("10", "11", "12"), Stage.REGISTER, certainty=OFFICIAL)
def item_on_file(case: Case) -> Iterator[Place]:
    """An item that its list has not: drugs (10), fee schedule (11), special material (12), as appendix 3 numbers them (the
    examples of appendix 6 swap 11 and 12)."""
    for line in case.orders:
        kind = KINDS[case.version].get(line["order_type"])
        if kind is not None and line["item"] and not case.context.register.item(kind, line["item"]):
            yield line.at("item", code=ITEM_CODES[kind])


@CODES.add("23", Stage.REGISTER, V20, certainty=PUBLIC)
def virtual_on_file(case: Case) -> Iterator[Place]:
    """A virtual order (type G) that is not known or has lapsed."""
    for line in case.orders:
        if line["order_type"] == "G" and line["item"] and not case.context.register.item(ItemKind.VIRTUAL, line["item"]):
            yield line.at("item")


@CODES.add("AD22", Stage.REGISTER, V20, certainty=PUBLIC)
def facility_served(case: Case) -> Iterator[Place]:
    """A correctional facility (order type J) that this institution does not serve."""
    institution = case.context.register.institution(case["institution"])
    for line in case.orders:
        if line["order_type"] == "J" and institution is not None and line["item"] not in institution.facilities:
            yield line.at("item")


@CODES.add("15", Stage.REGISTER, certainty=OFFICIAL)
def diagnosis_valid(case: Case) -> Iterator[Place]:
    """A diagnosis that is not valid (appendix 3; an example of appendix 6 shows 16). What ZB cancels is none."""
    for name in DIAGNOSES:
        value = case[name]
        if value and case.visit_type != "ZB" and case.context.register.diagnosis(value) is None:
            yield case.at(name)


@CODES.add("20", Stage.REGISTER, V20, certainty=PUBLIC)
def diagnosis_sex(case: Case) -> Iterator[Place]:
    """A diagnosis that does not go with the person's sex."""
    person = case.context.register.person(case["national_id"])
    if person is None or not person.sex:
        return
    for name in DIAGNOSES:
        sex = case.context.register.diagnosis(case[name]) if case[name] else ""
        if sex and sex != person.sex:
            yield case.at(name)


@CODES.add("04", Stage.REGISTER, certainty=OFFICIAL)
def visit_signature(case: Case) -> Iterator[Place]:
    """The security signature fails."""
    if case["signature"] and not case.context.register.visit_signature_holds(case.record):
        yield case.at("signature")


@CODES.add("16", Stage.REGISTER, certainty=OFFICIAL)
def order_signatures(case: Case) -> Iterator[Place]:
    """A prescription signature fails."""
    for line in case.orders:
        if line["order_signature"] and not case.context.register.order_signature_holds(case.record, line.segment):
            yield line.at("order_signature")


@CODES.add("D066", Stage.REGISTER, V20, certainty=PUBLIC)
def service_class(case: Case) -> Iterator[Place]:
    """A service class that the institution does not have."""
    institution = case.context.register.institution(case["institution"])
    if institution is not None and case["service_class"] and case["service_class"] not in institution.service_classes:
        yield case.at("service_class")
