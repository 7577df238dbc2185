"""Length, characters and values of one field by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from virtual_devices.uploads.fields import FORMATS, size
from virtual_devices.uploads.lists import VALUES
from virtual_devices.uploads.rules import V10, V20, Case, Certainty, Place, Rulebook, Stage, Values
from virtual_devices.uploads.values import fits

CODES = Rulebook()
OFFICIAL, PUBLIC = Certainty.OFFICIAL, Certainty.PUBLIC
HEADER_CODES = frozenset({"record_kind", "format", "version", "visit_type"})  # 01, 02, 03, Y008
NEWBORN_MARK = re.compile("[A-Za-z]")
SITE = re.compile("[A-Z]{1,6}|([1-8][0-9]){1,3}")
PRENATAL = re.compile("4[1-9]|5[0-9]|6[0-9]|70|98|99|XA")
SERVICE_EXAM = re.compile("0[1-7]|1[1-9]|2[1-8]|3[1357]|7[1-9]|81|85|87|8[A-P]|9[1357]|Y[A-H]")


def _fields(case: Case) -> Iterator[tuple[Values, str, str]]:
    for part in (case, *case.lines):
        for id, value in part.segment.items():
            yield part, id, value


@CODES.add("AC", Stage.LENGTH, certainty=OFFICIAL)
def length(case: Case) -> Iterator[Place]:
    """Longer than the field; or shorter, where the length is fixed. In bytes of Big5. Fields without length in any source
    pass."""
    by_id = FORMATS[case.version].by_id
    for part, id, value in _fields(case):
        field = by_id[id]
        if field.length:
            bytes_ = size(value)
            if bytes_ > field.length or (field.exact and bytes_ < field.length):
                yield part.at(field.name, f"{bytes_} bytes, the field has {'' if field.exact else 'at most '}{field.length}")


@CODES.add("AB", Stage.KIND, certainty=OFFICIAL)
def characters(case: Case) -> Iterator[Place]:
    """Characters that the field's kind has not: no digits, no date that exists, a character outside Big5 in a Big5 file, spaces
    at an end. (A visit date of 2.0 that is none: code 09.)"""
    by_id = FORMATS[case.version].by_id
    for part, id, value in _fields(case):
        field = by_id[id]
        if field.name == "visited_at" and case.version is V20:
            continue
        if not fits(field.kind, value, case.context.encoding):
            yield part.at(field.name, f"is no {field.kind.value}")


@CODES.add("AD", Stage.KIND, certainty=OFFICIAL)
def values(case: Case) -> Iterator[Place]:
    """None of the values that the field has: re-card mark, newborn count and mark, preventive and prenatal codes, order type,
    delivery or dispensing mode, prescription class, body site, allergy action. (1.0: booklet, with 03 for the delivery mark as
    its cross-check has it; 2.0: programs.)"""
    by_id = FORMATS[case.version].by_id
    for part, id, value in _fields(case):
        field = by_id[id]
        if field.values and field.name not in HEADER_CODES and value not in field.values:
            yield part.at(field.name)
    if case["newborn_mark"] and not NEWBORN_MARK.fullmatch(case["newborn_mark"]):
        yield case.at("newborn_mark")
    if case["prenatal_exam"] and not PRENATAL.fullmatch(case["prenatal_exam"]):
        yield case.at("prenatal_exam")
    if case["service_exam"] and not SERVICE_EXAM.fullmatch(case["service_exam"]):
        yield case.at("service_exam")
    for line in case.orders:
        if line["site"] and not SITE.fullmatch(line["site"]):
            yield line.at("site")


@CODES.add("AG", Stage.KIND, V10, certainty=OFFICIAL)
def days_in_range(case: Case) -> Iterator[Place]:
    """The days of a drug are more than 92."""
    for line in case.orders:
        days = line.number("days")
        if days is not None and days > 92:
            yield line.at("days")


@CODES.add("AG", Stage.KIND, V20, certainty=PUBLIC)
def counts_in_range(case: Case) -> Iterator[Place]:
    """More than 500 orders, or more than 10 vaccinations in a vaccination record."""
    if len(case.orders) > 500:
        yield case.orders[500].at("order_number", f"{len(case.orders)} orders")
    vaccines = [line for line in case.lines if line["vaccine"]]
    if len(vaccines) > 10:
        yield vaccines[10].at("vaccine", f"{len(vaccines)} vaccinations")


@CODES.add("D000", Stage.KIND, V20, certainty=PUBLIC)
def item_not_checked(case: Case) -> Iterator[Place]:
    """The order type is none of the list, so the item cannot be looked up."""
    for line in case.orders:
        if line["order_type"] and line["order_type"] not in FORMATS[V20].by_name["order_type"].values:
            yield line.at("item")


@CODES.add("AD42", Stage.KIND, V20)
def benefit_type(case: Case) -> Iterator[Place]:
    """The benefit type is none that a source names (their list is not complete), nor U, which code AD72 names."""
    if case["benefit_type"] and case["benefit_type"] not in VALUES["benefit_type"] and case["benefit_type"] != "U":
        yield case.at("benefit_type")


@CODES.add("D013", Stage.KIND, V20, certainty=PUBLIC)
def at_most_once(case: Case) -> Iterator[Place]:
    """A dispensable count of class A, B, D or E is neither 0 nor 1."""
    for name in ("count_a", "count_b", "count_d", "count_e"):
        if case.number(name) not in (None, 0, 1):
            yield case.at(name)


@CODES.add("BB01", Stage.KIND, V20, certainty=PUBLIC)
def newborn_count(case: Case) -> Iterator[Place]:
    """The newborn count is not 1 to 5."""
    count = case.number("newborn_count")
    if count is not None and not 1 <= count <= 5:
        yield case.at("newborn_count")


