"""Fees by visit type."""

from __future__ import annotations

from collections.abc import Iterator

from virtual_devices.uploads.rules import INPATIENT, SETTLES_STAY, V10, Case, Certainty, Place, Rulebook, Stage

CODES = Rulebook()
OFFICIAL = Certainty.OFFICIAL
FEE_NEEDED = frozenset({"01", "02", "03", "04", "06", "07", "08"})
FEE_EXEMPT = frozenset({"IC05", "IC06", "IC07"})
INPATIENT_MONEY = ("inpatient_fee", "inpatient_copay_short", "inpatient_copay_long")


@CODES.add("AH01", Stage.CROSS, certainty=OFFICIAL)
def outpatient_fee(case: Case) -> Iterator[Place]:
    """An outpatient visit of a counted type whose fee is 0 or missing: in 1.0 always but for type 04, where the matrix makes the
    fee optional (the sources disagree; the matrix is followed); in 2.0 only when there are orders. C05 to C07
    are exempt, read as sequences IC05 to IC07 (inferred)."""
    if case.visit_type not in FEE_NEEDED or not case.plain or case["record_kind"] != "1" or case["sequence"] in FEE_EXEMPT:
        return
    if (case.version is V10 and case.visit_type == "04") or (case.version is not V10 and not case.orders):
        return
    if case.number("outpatient_fee") in (None, 0):
        yield case.at("outpatient_fee")


@CODES.add("AH02", Stage.CROSS, certainty=OFFICIAL)
def inpatient_fee(case: Case) -> Iterator[Place]:
    """A stay is settled (BB, DC, BF) and its fee is 0 or missing."""
    if case.visit_type in SETTLES_STAY and case.plain and case.number("inpatient_fee") in (None, 0):
        yield case.at("inpatient_fee")


@CODES.add("AH03", Stage.CROSS, certainty=OFFICIAL)
def no_inpatient_money(case: Case) -> Iterator[Place]:
    """An inpatient fee or copay, other than 0, at a counted outpatient type."""
    if case.counted and case.visit_type not in INPATIENT:
        for name in INPATIENT_MONEY:
            if case.number(name) not in (None, 0):
                yield case.at(name)


@CODES.add("AH04", Stage.CROSS, certainty=OFFICIAL)
def no_outpatient_money(case: Case) -> Iterator[Place]:
    """An outpatient fee or copay, other than 0, where a stay is settled (BB, DC, BF)."""
    if case.visit_type in SETTLES_STAY:
        for name in ("outpatient_fee", "outpatient_copay"):
            if case.number(name) not in (None, 0):
                yield case.at(name)
