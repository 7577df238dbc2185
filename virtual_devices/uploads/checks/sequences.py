"""Sequence numbers and the abnormal codes in their place."""

from __future__ import annotations

import re
from collections.abc import Iterator

from virtual_devices.uploads.lists import ABNORMAL_CODES, SEQUENCE
from virtual_devices.uploads.register import Trade
from virtual_devices.uploads.rules import INPATIENT, V20, Case, Certainty, Place, Rulebook, Stage

CODES = Rulebook()
OFFICIAL, PUBLIC = Certainty.OFFICIAL, Certainty.PUBLIC
FOUR_DIGITS = re.compile("[0-9]{4}")
VIRTUAL_CARD = re.compile("W(?!000)[0-9]{3}")
SPECIAL = re.compile("IC[A-Z0-9]{2}")
TOLERATED = "IC08"  # on uncounted types, by the 1.0 field rule
UNINSURED = frozenset({"IC89", "IC98", "IC09", "CV19", "FORE", "ICND"})
"""Abnormal codes of people without insurance: by their meaning (inferred)."""


def _taken_for_number(case: Case) -> str:
    """A normal visit's sequence number, empty otherwise."""
    return case["sequence"] if case["record_kind"] == "1" and case.plain and not case.abnormal else ""


@CODES.add("AD01", Stage.CROSS, certainty=OFFICIAL)
def counted_number(case: Case) -> Iterator[Place]:
    """A normal record of a counted type has another sequence than 0001 to 1500; in 2.0 those of virtual cards, W001 to W999, pass
    too (one program)."""
    value = _taken_for_number(case)
    if not value or not case.counted or (case.version is V20 and VIRTUAL_CARD.fullmatch(value)):
        return
    in_range = FOUR_DIGITS.fullmatch(value) and SEQUENCE["counted_first"] <= int(value) <= SEQUENCE["counted_last"]
    if not in_range:
        yield case.at("sequence")


@CODES.add("AD02", Stage.CROSS, certainty=OFFICIAL)
def abnormal_code(case: Case) -> Iterator[Place]:
    """An abnormal record of a counted type, or of AC, has a sequence that is no published abnormal code. (E001 counts in both of
    its readings.)"""
    value = case["sequence"]
    if case.abnormal and value and value not in ABNORMAL_CODES and not (case.visit_type == "AC" and SPECIAL.fullmatch(value)):
        yield case.at("sequence")


@CODES.add("AD13", Stage.CROSS, certainty=OFFICIAL)
def preventive_sequence(case: Case) -> Iterator[Place]:
    """A normal record of type AC whose sequence does not begin with IC."""
    value = _taken_for_number(case)
    if value and case.visit_type == "AC" and not SPECIAL.fullmatch(value):
        yield case.at("sequence")


@CODES.add("AD14", Stage.CROSS, certainty=OFFICIAL)
def uncounted_has_none(case: Case) -> Iterator[Place]:
    """A normal record of an uncounted type other than AC has a sequence. IC08 is tolerated; an abnormal code: AE01."""
    value = _taken_for_number(case)
    if not value or case.counted or case.visit_type == "AC":
        return
    if value not in ABNORMAL_CODES and value != TOLERATED and not (case.version is V20 and value == "ICC4"):
        yield case.at("sequence")


@CODES.add("AE01", Stage.CROSS, certainty=OFFICIAL)
def uncounted_not_abnormal(case: Case) -> Iterator[Place]:
    """A normal record of an uncounted type has an abnormal code."""
    value = _taken_for_number(case)
    if value in ABNORMAL_CODES and not case.counted:
        yield case.at("sequence")


@CODES.add("D020", Stage.CROSS, V20, certainty=PUBLIC)
def new_contract_without_recard(case: Case) -> Iterator[Place]:
    """Sequence G000 with another re-card mark than 1."""
    if case["sequence"] == "G000" and case["recard_mark"] not in ("", "1"):
        yield case.at("recard_mark")


@CODES.add("D042", Stage.REGISTER, V20)
def uninsured_sequence(case: Case) -> Iterator[Place]:
    """An abnormal record of a person who is not insured has a code that is none for people without insurance."""
    person = case.context.register.person(case["national_id"])
    if case.abnormal and person is not None and not person.insured and case["sequence"] and case["sequence"] not in UNINSURED:
        yield case.at("sequence")


@CODES.add("E010", Stage.REGISTER, V20, certainty=PUBLIC)
def insured_foreigner(case: Case) -> Iterator[Place]:
    """Sequence FORE for an insured person."""
    person = case.context.register.person(case["national_id"])
    if case["sequence"] == "FORE" and person is not None and person.insured:
        yield case.at("sequence")


@CODES.add("AD44", Stage.CROSS, V20, certainty=PUBLIC)
def isolated_benefit(case: Case) -> Iterator[Place]:
    """Sequence IC09 or CV19 with a benefit type other than W and X."""
    if case["sequence"] in ("IC09", "CV19") and case["benefit_type"] not in ("", "W", "X"):
        yield case.at("benefit_type")


@CODES.add("AD64", Stage.REGISTER, V20, certainty=PUBLIC)
def video_trial(case: Case) -> Iterator[Place]:
    """Sequence HVIT from an institution outside the video-visit trial."""
    yield from _in_trial(case, "HVIT", "video visit")


@CODES.add("AD67", Stage.REGISTER, V20, certainty=PUBLIC)
def follow_up_trial(case: Case) -> Iterator[Place]:
    """Sequence MSPT from an institution outside the follow-up trial. (Its dates stand in no source.)"""
    yield from _in_trial(case, "MSPT", "follow-up")


def _in_trial(case: Case, sequence: str, trial: str) -> Iterator[Place]:
    if case["sequence"] != sequence:
        return
    institution = case.context.register.institution(case["institution"])
    if institution is None or trial not in institution.trials:
        yield case.at("sequence")


@CODES.add("AD71", Stage.CROSS, V20, certainty=PUBLIC)
def icc4(case: Case) -> Iterator[Place]:
    """Sequence ICC4 with another visit type than CA, or an item that does not go with it."""
    if case["sequence"] != "ICC4":
        return
    if case.visit_type != "CA":
        yield case.at("visit_type")
    for line in case.orders:
        if not case.listed("icc4_item", line["item"]):
            yield line.at("item")


@CODES.add("AD23", Stage.REGISTER, V20, certainty=PUBLIC)
def pharmacy_type(case: Case) -> Iterator[Place]:
    """A pharmacy's visit of another type than AF."""
    institution = case.context.register.institution(case["institution"])
    if institution is not None and institution.trade is Trade.PHARMACY and case.visit_type != "AF" and case["record_kind"] == "1":
        yield case.at("visit_type")


@CODES.add("AD66", Stage.REGISTER, V20, certainty=PUBLIC)
def midwifery_bed(case: Case) -> Iterator[Place]:
    """A bed that ends in HB elsewhere than in a midwifery unit with visit type 05."""
    if not case["bed"].endswith("HB"):
        return
    institution = case.context.register.institution(case["institution"])
    if institution is None or institution.trade is not Trade.MIDWIFERY or case.visit_type != "05":
        yield case.at("bed")


@CODES.add("AD43", Stage.REGISTER, V20, certainty=PUBLIC)
def bed_on_file(case: Case) -> Iterator[Place]:
    """An inpatient's bed that the register does not have for this institution; without a list of its beds, none is missed."""
    institution = case.context.register.institution(case["institution"])
    beds = institution.beds if institution is not None and case.visit_type in INPATIENT else ()
    if case["bed"] and beds and case["bed"] not in beds:
        yield case.at("bed")


@CODES.add(("AD19", "AD20", "AD21"), Stage.REGISTER, V20, certainty=PUBLIC)
def designated(case: Case) -> Iterator[Place]:
    """AD19: type 00 for somebody who is not designated to an institution. AD20: a designated patient elsewhere. AD21: one at the
    right institution under a counted type other than 00."""
    person = case.context.register.person(case["national_id"])
    if person is None:
        return
    if not person.designated:
        if case.visit_type == "00":
            yield case.at("visit_type", code="AD19")
    elif case.visit_type != "04" and case.counted:
        if person.designated != case["institution"]:
            yield case.at("institution", code="AD20")
        elif case.visit_type != "00":
            yield case.at("visit_type", code="AD21")
