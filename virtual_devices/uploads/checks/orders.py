"""Orders (醫令): type, item, site and mode against one another."""

from __future__ import annotations

import re
from collections.abc import Iterator

from virtual_devices.uploads.rules import V10, V20, Case, Certainty, Place, Rulebook, Stage

CODES = Rulebook()
OFFICIAL, PUBLIC = Certainty.OFFICIAL, Certainty.PUBLIC
DENTAL = re.compile("(89|9[0-2])[0-9]{3}[A-Z]")
TEETH = re.compile("([1-8][0-9]){1,3}")
VIRTUAL = {V10: re.compile("R00[1-4]"), V20: re.compile("R00[1-8]|S00[1-4]")}
MODES_10 = (("AD10", "1A", ("01", "02")), ("AD11", "2B", ("05", "06")), ("AD12", "345CDE", ("03", "04")))
EARLY_RETURN_TYPES = frozenset({"00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "AE", "AF"})
DRUGS_HERE, DRUGS_RELEASED, NO_DRUGS = frozenset("06AB"), frozenset("1CD"), frozenset("2EF")


@CODES.add("19", Stage.CROSS, certainty=OFFICIAL)
def virtual_type(case: Case) -> Iterator[Place]:
    """A virtual code (1.0: R001 to R004; 2.0: R001 to R008, S001 to S004) with an order type other than G, in 1.0 also H."""
    for line in case.orders:
        if VIRTUAL[case.version].fullmatch(line["item"]) and line["order_type"] not in ("", "G", "H"):
            yield line.at("order_type")


@CODES.add("AD08", Stage.CROSS, certainty=OFFICIAL)
def tooth_needed(case: Case) -> Iterator[Place]:
    """A dental item (codes 89 to 92) without tooth position. (Which of these items need one: all, inferred.)"""
    for line in case.orders:
        if DENTAL.fullmatch(line["item"]) and not TEETH.fullmatch(line["site"]):
            yield line.at("site")


@CODES.add("AD09", Stage.CROSS, certainty=OFFICIAL)
def tooth_without_dental_item(case: Case) -> Iterator[Place]:
    """A tooth position with an item that is not dental (codes 89 to 92)."""
    for line in case.orders:
        if TEETH.fullmatch(line["site"]) and not DENTAL.fullmatch(line["item"]):
            yield line.at("site")


@CODES.add(tuple(code for code, _, _ in MODES_10), Stage.CROSS, V10, certainty=OFFICIAL)
def delivery_mark(case: Case) -> Iterator[Place]:
    """Order types 1 and A with another delivery mark than 01, 02 (AD10); 2 and B than 05, 06 (AD11); 3 to 5 and C to E than 03,
    04 (AD12)."""
    for line in case.orders:
        for code, types, marks in MODES_10:
            if line["order_type"] and line["order_type"] in types and line["order_mode"] and line["order_mode"] not in marks:
                yield line.at("order_mode", code=code)


@CODES.add("D028", Stage.CROSS, V20, certainty=PUBLIC)
def number_twice(case: Case) -> Iterator[Place]:
    """An order number that an earlier order of the visit has."""
    seen: set[str] = set()
    for line in case.orders:
        number = line["order_number"]
        if number and number in seen:
            yield line.at("order_number")
        seen.add(number)


@CODES.add("D029", Stage.CROSS, V20, certainty=PUBLIC)
def drug_needs(case: Case) -> Iterator[Place]:
    """A drug (order types 1 and M) without prescription class, dispensing mode, usage, days or route."""
    for line in case.drugs:
        for name in ("prescription_class", "order_mode", "usage", "days", "route"):
            if not line[name]:
                yield line.at(name)


@CODES.add("D033", Stage.CROSS, V20, certainty=PUBLIC)
def early_return_type(case: Case) -> Iterator[Place]:
    """A virtual code of an early return with a visit type other than 01 to 09, AE, AF (00 passes too: inferred)."""
    for line in case.orders:
        if case.listed("early_return", line["item"]) and case.visit_type not in EARLY_RETURN_TYPES:
            yield line.at("item")


@CODES.add("D006", Stage.CROSS, V20)
def early_return_original(case: Case) -> Iterator[Place]:
    """A virtual code of an early return, and the original visit is not named."""
    if case.any_listed("early_return") and not case["original_identifier"]:
        yield case.at("original_identifier")


@CODES.add("D036", Stage.CROSS, V20, certainty=PUBLIC)
def no_days_when_released(case: Case) -> Iterator[Place]:
    """Days supplied other than 0 with dispensing modes 1, 2, C, D."""
    if case["dispensing_mode"] in ("1", "2", "C", "D") and case.number("days_supplied") not in (None, 0):
        yield case.at("days_supplied")


@CODES.add("D011", Stage.CROSS, V20, certainty=PUBLIC)
def days_without_drugs(case: Case) -> Iterator[Place]:
    """Days supplied, and a dispensing mode without drugs (2, E, F)."""
    if case["dispensing_mode"] in NO_DRUGS and (case.number("days_supplied") or 0) > 0:
        yield case.at("dispensing_mode")


@CODES.add("D040", Stage.CROSS, V20, certainty=PUBLIC)
def days_of_drugs(case: Case) -> Iterator[Place]:
    """The days of a drug (types 1 and M) are not 1 to 90."""
    for line in case.drugs:
        days = line.number("days")
        if days is not None and not 1 <= days <= 90:
            yield line.at("days")


@CODES.add("D041", Stage.CROSS, V20, certainty=PUBLIC)
def days_within_supply(case: Case) -> Iterator[Place]:
    """The days of a drug of type 1 are more than the days supplied."""
    supplied = case.number("days_supplied")
    for line in case.drugs:
        days = line.number("days")
        if line["order_type"] == "1" and days is not None and supplied is not None and days > supplied:
            yield line.at("days")


@CODES.add(("D027", "D044", "D045", "D056"), Stage.CROSS, V20, certainty=PUBLIC)
def mode_and_types(case: Case) -> Iterator[Place]:
    """The visit's dispensing mode against its orders. D056: type 1 with a mode in which no drug is dispensed here (not 0, 6, A,
    B). D044: type 1 with mode 1. D045: types 1 and M with mode 2. D027: type M with a mode in which no drug is released (not 1,
    C, D; inferred). Listed routes are exempt from D027 and D056."""
    mode = case["dispensing_mode"]
    if not mode or not case.plain:
        return
    for line in case.drugs:
        kind = line["order_type"]
        exempt = case.listed("exempt_route", line["route"])
        if mode == "2":
            yield line.at("order_type", code="D045")
        if kind == "1" and mode == "1":
            yield line.at("order_type", code="D044")
        if kind == "1" and mode not in DRUGS_HERE and not exempt:
            yield line.at("order_type", code="D056")
        if kind == "M" and mode not in DRUGS_RELEASED and not exempt:
            yield line.at("order_type", code="D027")


@CODES.add("D047", Stage.CROSS, V20)
def type_and_order_mode(case: Case) -> Iterator[Place]:
    """An order's own mode against its type: type 1 with another than 0 and A, type M with another than 1."""
    for line in case.drugs:
        allowed = ("0", "A") if line["order_type"] == "1" else ("1",)
        if line["order_mode"] and line["order_mode"] not in allowed:
            yield line.at("order_mode")


@CODES.add("D065", Stage.CROSS, V20, certainty=PUBLIC)
def substitution(case: Case) -> Iterator[Place]:
    """The note of a drug dispensed for another prescriber (mode A) is neither empty nor N or Y."""
    for line in case.drugs:
        if line["order_mode"] == "A" and line["note"] not in ("", "N", "Y"):
            yield line.at("note")


@CODES.add("AD39", Stage.REGISTER, V20)
def one_a_day(case: Case) -> Iterator[Place]:
    """A listed item that stands twice in the record, in another of that person and day, or with a quantity other than 1.0."""
    listed = [line for line in case.orders if case.listed("one_a_day", line["item"])]
    if not listed:
        return
    day = case.moment("visited_at")[:7]
    others = [
        order for kept in case.context.earlier.of_person(case["national_id"], day)
        if kept.visited_at[:7] == day and kept.visited_at != case["visited_at"]
        for order in Case(case.context.earlier.read(kept), case.context).orders
    ]
    seen = {order["item"] for order in others}
    for line in listed:
        if line["item"] in seen or line.quantity("quantity") not in (None, 1.0):
            yield line.at("item")
        seen.add(line["item"])


@CODES.add(("AD40", "AD68"), Stage.CROSS, V20, certainty=PUBLIC)
def listed_quantities(case: Case) -> Iterator[Place]:
    """A listed item with another quantity than 1.0 (AD40), or than 1.0 to 5.0 (AD68)."""
    for line in case.orders:
        quantity = line.quantity("quantity")
        if quantity is None:
            continue
        if case.listed("quantity_one", line["item"]) and quantity != 1.0:
            yield line.at("quantity", code="AD40")
        if case.listed("quantity_to_five", line["item"]) and not 1.0 <= quantity <= 5.0:
            yield line.at("quantity", code="AD68")


@CODES.add("AD72", Stage.CROSS, V20, certainty=PUBLIC)
def benefit_of_item(case: Case) -> Iterator[Place]:
    """A listed item with another benefit type than 1 or U."""
    if case.any_listed("benefit_1_or_u") and case["benefit_type"] not in ("", "1", "U"):
        yield case.at("benefit_type")


@CODES.add("AD25", Stage.CROSS, V20, certainty=PUBLIC)
def influenza_needs_vaccine(case: Case) -> Iterator[Place]:
    """An influenza vaccination service without the drug code of a vaccine."""
    if case.any_listed("influenza_service") and not case.any_listed("influenza_vaccine"):
        yield next(line.at("item") for line in case.orders if case.listed("influenza_service", line["item"]))


@CODES.add("AD26", Stage.CROSS, V20, certainty=PUBLIC)
def influenza_vaccine_type(case: Case) -> Iterator[Place]:
    """An influenza vaccine with another order type than 1."""
    for line in case.orders:
        if case.listed("influenza_vaccine", line["item"]) and line["order_type"] not in ("", "1"):
            yield line.at("order_type")


@CODES.add("AD48", Stage.CROSS, V20, certainty=PUBLIC)
def tele_visit(case: Case) -> Iterator[Place]:
    """A video or telephone visit in an abnormal record with sequence Z000."""
    if case.abnormal and case["sequence"] == "Z000" and case.any_listed("tele_visit"):
        yield case.at("sequence")


@CODES.add("AD41", Stage.CROSS, V20, certainty=PUBLIC)
def covid_benefit(case: Case) -> Iterator[Place]:
    """Diagnosis U071 with another benefit type than W or X."""
    if any(case[f"diagnosis_{n}"] == "U071" for n in range(1, 7)) and case["benefit_type"] not in ("", "W", "X"):
        yield case.at("benefit_type")
