"""Visit identifiers (就醫識別碼) of format 2.0: the visit's own, the original visit's, the actual visit's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from virtual_devices.uploads.lists import SEQUENCE, stands_for_none
from virtual_devices.uploads.register import IdentifierFacts, IdentifierService
from virtual_devices.uploads.rules import DISPENSING, V20, Case, Certainty, Place, Rulebook, Stage

CODES = Rulebook()
PUBLIC = Certainty.PUBLIC
NAMES = ("identifier", "original_identifier", "actual_identifier")
MOMENT = {"identifier": "visited_at", "original_identifier": "original_at", "actual_identifier": "actual_at"}
ORIGINAL = ("original_identifier", "original_institution", "original_sequence", "original_at")
RECHECKED_LATER = re.compile(".{6}.{0,2}[G-Z]")


def _decoded(case: Case) -> Iterator[tuple[str, IdentifierFacts | None]]:
    """Each identifier that is one, with what it decodes to."""
    for name in NAMES:
        if case[name] and not stands_for_none(case[name]):
            yield name, case.context.register.identifier(case[name])


@CODES.add("D002", Stage.REGISTER, V20, certainty=PUBLIC)
def identifier_fails(case: Case) -> Iterator[Place]:
    """An identifier fails its check, and is none of those that stand for none."""
    for name, facts in _decoded(case):
        if facts is None:
            yield case.at(name)


@CODES.add("D003", Stage.REGISTER, V20, certainty=PUBLIC)
def of_another_person(case: Case) -> Iterator[Place]:
    """An identifier decodes to another person's id."""
    for name, facts in _decoded(case):
        if facts is not None and facts.national_id != case["national_id"]:
            yield case.at(name)


@CODES.add("D004", Stage.REGISTER, V20, certainty=PUBLIC)
def of_another_institution(case: Case) -> Iterator[Place]:
    """An identifier decodes to another institution: than this one; for the original visit, than the one that is named."""
    for name, facts in _decoded(case):
        expected = case["original_institution"] if name == "original_identifier" else case["institution"]
        if facts is not None and expected and facts.institution != expected:
            yield case.at(name)


@CODES.add(("D005", "D075", "D076"), Stage.REGISTER, V20, certainty=PUBLIC)
def of_another_time(case: Case) -> Iterator[Place]:
    """An identifier decodes to another moment than the visit (the original, the actual one). For this visit's own, G000 and
    type AC allow any moment of the same day (inferred), and have D075 and D076 beyond it."""
    for name, facts in _decoded(case):
        told = case.moment(MOMENT[name])
        if facts is None or not told:
            continue
        own = name == "identifier"
        if own and (case["sequence"] == "G000" or case.visit_type == "AC"):
            if facts.visited_at[:7] != told[:7]:
                yield case.at(name, code="D075" if case["sequence"] == "G000" else "D076")
        elif facts.visited_at != told:
            yield case.at(name, code="D005")


@CODES.add("D054", Stage.CROSS, V20, certainty=PUBLIC)
def lost_identifier(case: Case) -> Iterator[Place]:
    """Re-card mark 4 and an identifier of the actual visit other than the one for none (MISS...)."""
    if case["recard_mark"] == "4" and case["actual_identifier"] not in ("", SEQUENCE["no_card_identifier"]):
        yield case.at("actual_identifier")


@CODES.add("D068", Stage.REGISTER, V20, certainty=PUBLIC)
def placeholder_too_late(case: Case) -> Iterator[Place]:
    """The identifier for visits before format 2.0 (SM...) for a visit since this institution began with 2.0."""
    if case["identifier"] != SEQUENCE["before_20_identifier"]:
        return
    institution = case.context.register.institution(case["institution"])
    if institution is None or (institution.began_20 and case.moment("visited_at")[:7] >= institution.began_20):
        yield case.at("identifier")


@CODES.add(("D069", "D070", "D071", "D072"), Stage.REGISTER, V20)
def identifier_service(case: Case) -> Iterator[Place]:
    """An identifier was obtained in a way that does not go with the record. D069: without card, in format A. D070: with the card,
    in format B. D071: for a registration made up for, in format A with re-card mark 1. D072: such a one as the actual visit's.
    (Which service each code means is inferred.)"""
    register = case.context.register
    own, actual = register.identifier(case["identifier"]), register.identifier(case["actual_identifier"])
    if own is not None:
        if case["format"] == "A" and own.service is IdentifierService.NO_CARD:
            yield case.at("identifier", code="D069")
        if case["format"] == "B" and own.service is IdentifierService.CARD:
            yield case.at("identifier", code="D070")
        if case["format"] == "A" and case["recard_mark"] == "1" and own.service is IdentifierService.LATER:
            yield case.at("identifier", code="D071")
    if actual is not None and actual.service is IdentifierService.LATER:
        yield case.at("actual_identifier", code="D072")


@CODES.add("D074", Stage.REGISTER, V20, certainty=PUBLIC)
def prescription_not_found_by(case: Case) -> Iterator[Place]:
    """The original visit's identifier fails its check, so the state of the refill that is dispensed is not looked up."""
    value = case["original_identifier"]
    if value and not stands_for_none(value) and case.context.register.identifier(value) is None:
        for name in ("refill_issue", "controlled_refill_issue"):
            if case[name]:
                yield case.at(name)


@CODES.add("D058", Stage.REGISTER, V20, certainty=PUBLIC)
def rechecked_later(case: Case) -> Iterator[Place]:
    """The institution code has a letter G to Z in places 7 to 9: not looked up now."""
    if RECHECKED_LATER.match(case["institution"]):
        yield case.at("institution")


@CODES.add("D067", Stage.CROSS, V20, certainty=PUBLIC)
def no_original_with_icnd(case: Case) -> Iterator[Place]:
    """Sequence ICND, and fields of an original visit."""
    if case["sequence"] == "ICND":
        for name in ORIGINAL:
            if case[name]:
                yield case.at(name)


@CODES.add("D032", Stage.REGISTER, V20, certainty=PUBLIC)
def original_sequence(case: Case) -> Iterator[Place]:
    """The original sequence is another than the original visit's record has."""
    if not case["original_sequence"]:
        return
    for kept in case.context.earlier.by_identifier(case["original_identifier"]):
        if kept.institution == case["original_institution"] and kept.sequence != case["original_sequence"]:
            yield case.at("original_sequence")
            return


@CODES.add(("D049", "D050", "D051", "D052"), Stage.REGISTER, V20, certainty=PUBLIC)
def original_visit(case: Case) -> Iterator[Place]:
    """The original visit of a prescription that is dispensed, refills apart (D024): none is known, of another institution
    (D049) or of this one (D051); it is itself a dispensing (D050, D052; which types are allowed: inferred)."""
    identifier = case["original_identifier"]
    if not case.plain or case.visit_type not in DISPENSING or not identifier or stands_for_none(identifier):
        return
    if case.context.register.identifier(identifier) is None or case["refill_issue"] or case["controlled_refill_issue"]:
        return
    own = case["original_institution"] == case["institution"]
    found = case.context.earlier.by_identifier(identifier)
    if not found:
        yield case.at("original_identifier", code="D051" if own else "D049")
    elif all(kept.visit_type in DISPENSING for kept in found):
        yield case.at("original_identifier", code="D052" if own else "D050")


@CODES.add("D037", Stage.REGISTER, V20, certainty=PUBLIC)
def no_first_visit(case: Case) -> Iterator[Place]:
    """Type AI, and no first visit of that person with that professional here that day."""
    if case.visit_type != "AI" or not case.plain:
        return
    day = case.moment("visited_at")[:7]
    for kept in case.context.earlier.of_person(case["national_id"], day):
        same = (kept.institution, kept.professional_id) == (case["institution"], case["professional_id"])
        if same and kept.visited_at[:7] == day and kept.visit_type != "AI":
            return
    yield case.at("visit_type")


@CODES.add("D046", Stage.CROSS, V20, certainty=PUBLIC)
def foreigner_tests(case: Case) -> Iterator[Place]:
    """Original sequence FORE, and an order that is no listed test."""
    if case["original_sequence"] == "FORE":
        for line in case.orders:
            if not case.listed("covid_test", line["item"]):
                yield line.at("item")
