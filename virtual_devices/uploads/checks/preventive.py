"""Preventive care (預防保健) and cancelling in format 1.0."""

from __future__ import annotations

import re
from collections.abc import Iterator

from virtual_devices.uploads.rules import V10, Case, Certainty, Place, Rulebook, Stage

CODES = Rulebook()
OFFICIAL = Certainty.OFFICIAL
EXAMS = (
    ("AD04", "01", re.compile("1[1-9]|7[1-9]|0[1-7]")),
    ("AD05", "02", re.compile("2[1-8]")),
    ("AD06", "03", re.compile("3[1357]")),
    ("AD15", "05", re.compile("81|87|8[A-P]")),
    ("AD16", "06", re.compile("9[13]")),
    ("AD17", "07", re.compile("85")),
    ("AD18", "08", re.compile("9[57]")),
)
CANCELLED_TIME = re.compile("[0-5][0-9][0-5][0-9]")


@CODES.add(tuple(code for code, _, _ in EXAMS), Stage.CROSS, V10, certainty=OFFICIAL)
def exam_fits_service(case: Case) -> Iterator[Place]:
    """An examination code with another service mark than its own: 11-19, 71-79, 01-07 with 01 (AD04); 21-28 with 02 (AD05); 31,
    33, 35, 37 with 03 (AD06); 81, 87, 8A-8P with 05 (AD15); 91, 93 with 06 (AD16); 85 with 07 (AD17); 95, 97 with 08 (AD18)."""
    for code, service, exams in EXAMS:
        if exams.fullmatch(case["service_exam"]) and case["service_item"] != service:
            yield case.at("service_item", code=code)


@CODES.add("AD07", Stage.CROSS, V10, certainty=OFFICIAL)
def no_exam(case: Case) -> Iterator[Place]:
    """No examination code with another service mark than 04."""
    if case["service_item"] and case["service_item"] != "04" and not case["service_exam"]:
        yield case.at("service_item")


@CODES.add("AD03", Stage.CROSS, V10, certainty=OFFICIAL)
def cancelled_visit(case: Case) -> Iterator[Place]:
    """Type ZB without a value 0000 to 5959 in a diagnosis field. (Read as minute and second of the visit that is cancelled:
    inferred.)"""
    if case.visit_type == "ZB" and not any(CANCELLED_TIME.fullmatch(case[f"diagnosis_{n}"]) for n in range(1, 7)):
        yield case.at("diagnosis_1")
