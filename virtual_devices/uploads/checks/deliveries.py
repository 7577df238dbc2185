"""Deliveries (生產): orders on the register's list, and births of uninsured mothers (sequence ICND), format 2.0.

Since 1 September 2023. The note of the delivery order holds the count of newborns and the id of the insured person who stands in
for the mother: a digit 1 to 5, then the id (form inferred).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from virtual_devices.uploads.rules import V20, Case, Certainty, Place, Rulebook, Stage, Values
from virtual_devices.uploads.values import day_from, days_between

CODES = Rulebook()
PUBLIC = Certainty.PUBLIC
NOTE = re.compile("[1-5] ?([A-Z][A-Z0-9][0-9]{8})")
STAND_IN = re.compile("[A-Z][A-Z0-9][0-9]{8}")
DAYS_BETWEEN = 90


def _deliveries(case: Case) -> list[Values]:
    return [line for line in case.orders if case.listed("delivery", line["item"])]


@CODES.add("BB03", Stage.CROSS, V20, certainty=PUBLIC)
def note_needed(case: Case) -> Iterator[Place]:
    """A delivery order without note."""
    for line in _deliveries(case):
        if not line["note"]:
            yield line.at("note")


@CODES.add(("BB04", "BB05", "BB06"), Stage.REGISTER, V20, certainty=PUBLIC)
def stand_in(case: Case) -> Iterator[Place]:
    """With ICND: a note without count and id (BB04), or whose id is not insured (BB06). Without ICND: a note with an id
    (BB05)."""
    for line in _deliveries(case):
        if case["sequence"] != "ICND":
            if STAND_IN.search(line["note"]):
                yield line.at("note", code="BB05")
            continue
        found = NOTE.fullmatch(line["note"])
        if found is None:
            yield line.at("note", code="BB04")
            continue
        person = case.context.register.person(found[1])
        if person is None or not person.insured:
            yield line.at("note", code="BB06")


@CODES.add(("BB07", "BB08"), Stage.REGISTER, V20, certainty=PUBLIC)
def uninsured_delivery(case: Case) -> Iterator[Place]:
    """ICND with another number of delivery orders than one (BB07), or of an insured person (BB08)."""
    if case["sequence"] != "ICND":
        return
    if len(_deliveries(case)) != 1:
        yield case.at("sequence", code="BB07")
    person = case.context.register.person(case["national_id"])
    if person is not None and person.insured:
        yield case.at("sequence", code="BB08")


@CODES.add(("C003", "C004"), Stage.REGISTER, V20, certainty=PUBLIC)
def delivered_before(case: Case) -> Iterator[Place]:
    """A delivery within 90 days of another of that person, told in an earlier upload (C003), or in this one (C004)."""
    lines = _deliveries(case)
    visited = case.moment("visited_at")
    if not lines or not visited or not case.plain:
        return
    for line in lines[1:]:
        yield line.at("item", code="C004")
    first, last = (day_from(visited, days) for days in (-DAYS_BETWEEN, DAYS_BETWEEN))
    for kept in case.context.earlier.of_person(case["national_id"], first, last):
        if kept.visited_at == visited or abs(days_between(kept.visited_at, visited)) > DAYS_BETWEEN:
            continue
        if _deliveries(Case(case.context.earlier.read(kept), case.context)):
            yield lines[0].at("item", code="C004" if kept.opcode == case.context.opcode else "C003")
