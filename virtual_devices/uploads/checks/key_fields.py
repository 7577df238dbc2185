"""Fields without which nothing else of a record can be checked, and the values of its header."""

from __future__ import annotations

from collections.abc import Iterator

from virtual_devices.uploads.fields import FORMATS
from virtual_devices.uploads.lists import VISIT_TYPES
from virtual_devices.uploads.rules import V10, V20, Case, Certainty, Place, Rulebook, Stage

CODES = Rulebook()
OFFICIAL, PUBLIC = Certainty.OFFICIAL, Certainty.PUBLIC


@CODES.add("Y008", Stage.FORM, certainty=PUBLIC)
def key_field(case: Case) -> Iterator[Place]:
    """The format is missing; the visit type is missing or none that this format has; in a visit of format 2.0 the dispensing mode
    is missing. Nothing else of the record is checked."""
    if not case["format"]:
        yield case.at("format", "missing")
    found = VISIT_TYPES.get(case.visit_type)
    if found is None or case.version not in found.versions:
        yield case.at("visit_type", "missing" if not case.visit_type else "no visit type of this format")
    visit = case["record_kind"] == "1" and case.plain
    if case.version is V20 and visit and not case["dispensing_mode"]:
        yield case.at("dispensing_mode", "missing")


@CODES.add("01", Stage.KIND, certainty=OFFICIAL)
def record_kind(case: Case) -> Iterator[Place]:
    """The record kind is none of the list (1, 2; in 2.0 also 5)."""
    value = case["record_kind"]
    if value and value not in FORMATS[case.version].by_name["record_kind"].values:
        yield case.at("record_kind")


@CODES.add("02", Stage.KIND, certainty=OFFICIAL)
def record_format(case: Case) -> Iterator[Place]:
    """The record format is none of the list (1 to 4; in 2.0 A to E)."""
    value = case["format"]
    if value and value not in FORMATS[case.version].by_name["format"].values:
        yield case.at("format")


@CODES.add("03", Stage.KIND, V10, certainty=OFFICIAL)
def version(case: Case) -> Iterator[Place]:
    """The version is another than 1.0."""
    if case["version"] and case["version"] != "1.0":
        yield case.at("version")
