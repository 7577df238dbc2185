"""Chronic refill prescriptions (慢性病連續處方箋, class C) and those for controlled drugs (class F), format 2.0.

A prescription's issues (聯) are kept by the identifier of the visit that prescribed: what was dispensed or voided where is the
ledger's, so these rules ask it as well as the record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from virtual_devices.uploads.lists import stands_for_none
from virtual_devices.uploads.rows import Issue, IssueState, Kept
from virtual_devices.uploads.rules import DISPENSING, V20, Case, Certainty, Place, Rulebook, Stage

CODES = Rulebook()
PUBLIC = Certainty.PUBLIC
CLASSES = tuple("abcdef")


@dataclass(frozen=True, slots=True)
class Refill:
    """The fields and codes of one of the two classes."""

    drug_class: str
    total: str
    count: str
    issue: str
    long_total: str
    count_range: str
    no_total: str
    voided: str


REFILLS = (
    Refill("C", "refill_days", "count_c", "refill_issue", "D009", "D014", "D015", "D023"),
    Refill("F", "controlled_refill_days", "count_f", "controlled_refill_issue", "D010", "D017", "D018", "D073"),
)


def prescribed_in(case: Case) -> str:
    """The identifier of the visit that prescribed: the original one when this record dispenses for it, else its own. Empty where
    one stands that stands for none: nobody knows then whose issues it counts."""
    own = case["identifier"]
    found = case["original_identifier"] or own if case.visit_type in DISPENSING else own
    return "" if stands_for_none(found) else found


def prescription_of(case: Case, refill: Refill) -> Kept | None:
    """The prescriber's record that counts, with this class of refill."""
    for kept in case.context.earlier.by_identifier(prescribed_in(case)):
        if kept.visit_type not in DISPENSING and Case(case.context.earlier.read(kept), case.context)[refill.total]:
            return kept
    return None


@CODES.add("D008", Stage.CROSS, V20, certainty=PUBLIC)
def multiple_of_days(case: Case) -> Iterator[Place]:
    """The total days of a refill are no multiple of the days supplied; with 0 days (released) nothing is compared."""
    supplied = case.number("days_supplied")
    for refill in REFILLS:
        total = case.number(refill.total)
        if supplied and total is not None and total % supplied:
            yield case.at(refill.total)


@CODES.add(("D009", "D010", "D014", "D015", "D017", "D018"), Stage.CROSS, V20, certainty=PUBLIC)
def totals_and_counts(case: Case) -> Iterator[Place]:
    """With more than one issue the total days are above 7 (D009, for class F D010). With a total the count is 2 to 4 (D014,
    D017). Without one there is neither count nor issue (D015, D018), but that a dispensing record names its issue."""
    for refill in REFILLS:
        total, count = case.number(refill.total), case.number(refill.count)
        if total is not None and total <= 7 and count is not None and count > 1:
            yield case.at(refill.total, code=refill.long_total)
        if case[refill.total] and case.visit_type not in DISPENSING and (count is None or not 2 <= count <= 4):
            yield case.at(refill.count, code=refill.count_range)
        if not case[refill.total]:
            dispenses = case.visit_type in DISPENSING and case["original_identifier"]
            for name in (refill.count, refill.issue):
                if case[name] and not (dispenses and name == refill.issue):
                    yield case.at(name, code=refill.no_total)


@CODES.add("D019", Stage.REGISTER, V20, certainty=PUBLIC)
def issue_above_count(case: Case) -> Iterator[Place]:
    """The issue is above the count that was prescribed, in this record or in the prescriber's."""
    for refill in REFILLS:
        number, allowed = case.number(refill.issue), case.number(refill.count)
        if number is None:
            continue
        if allowed is None:
            kept = prescription_of(case, refill)
            allowed = Case(case.context.earlier.read(kept), case.context).number(refill.count) if kept else None
        if allowed is not None and number > allowed:
            yield case.at(refill.issue)


@CODES.add("D021", Stage.CROSS, V20)
def own_dispensing(case: Case) -> Iterator[Place]:
    """A refill of one's own prescription is dispensed at once (an issue above 0 at no dispensing type) without total or count."""
    if case.visit_type in DISPENSING:
        return
    for refill in REFILLS:
        if (case.number(refill.issue) or 0) > 0:
            for name in (refill.total, refill.count):
                if not case[name]:
                    yield case.at(name)


@CODES.add("D022", Stage.REGISTER, V20, certainty=PUBLIC)
def issue_in_order(case: Case) -> Iterator[Place]:
    """The issue is not 0 to 4; is 0 when a pharmacy or institution dispenses; or an earlier one has been neither dispensed nor
    voided, where the prescription is known."""
    for refill in REFILLS:
        number = case.number(refill.issue)
        if number is None or case["format"] not in ("A", "B"):
            continue
        if not 0 <= number <= 4 or (number == 0 and case.visit_type in DISPENSING):
            yield case.at(refill.issue)
            continue
        before = case.context.earlier.issue(prescribed_in(case), refill.drug_class, number - 1)
        if number > 1 and before is None and prescription_of(case, refill):
            yield case.at(refill.issue, "the one before it is open")


def _issue(case: Case, refill: Refill) -> Issue | None:
    number = case.number(refill.issue)
    if number is None or case["format"] not in ("A", "B"):
        return None
    return case.context.earlier.issue(prescribed_in(case), refill.drug_class, number)


@CODES.add(("D023", "D073"), Stage.REGISTER, V20, certainty=PUBLIC)
def issue_voided(case: Case) -> Iterator[Place]:
    """The issue that is dispensed was voided (D023; D073 for class F: inferred, the texts tell two rules and no difference)."""
    for refill in REFILLS:
        issue = _issue(case, refill)
        if issue is not None and issue.state is IssueState.VOIDED:
            yield case.at(refill.issue, code=refill.voided)


@CODES.add("D024", Stage.REGISTER, V20, certainty=PUBLIC)
def no_prescription(case: Case) -> Iterator[Place]:
    """A refill is dispensed and no prescription of it is known."""
    if case.visit_type not in DISPENSING or not case.plain or case.context.register.identifier(prescribed_in(case)) is None:
        return
    for refill in REFILLS:
        if (case.number(refill.issue) or 0) > 0 and prescription_of(case, refill) is None:
            yield case.at(refill.issue)


@CODES.add("D025", Stage.REGISTER, V20, certainty=PUBLIC)
def issue_done_elsewhere(case: Case) -> Iterator[Place]:
    """The issue was dispensed by another institution, or here at another visit."""
    for refill in REFILLS:
        issue = _issue(case, refill)
        if issue is not None and issue.state is IssueState.DISPENSED and issue.by_identifier != case["identifier"]:
            yield case.at(refill.issue)


@CODES.add("D016", Stage.REGISTER, V20, certainty=PUBLIC)
def issue_taken_away(case: Case) -> Iterator[Place]:
    """The prescription is sent anew with fewer issues than have been dispensed."""
    if case["format"] not in ("A", "B") or case.visit_type in DISPENSING:
        return
    for refill in REFILLS:
        done = [one.number for one in _dispensed(case, case["identifier"], refill) if one.by_identifier != case["identifier"]]
        if done and max(done) > (case.number(refill.count) or 0):
            yield case.at(refill.count)


def _dispensed(case: Case, identifier: str, refill: Refill) -> list[Issue]:
    issues = case.context.earlier.issues(identifier, refill.drug_class) if identifier else ()
    return [one for one in issues if one.state is IssueState.DISPENSED]


@CODES.add("D043", Stage.CROSS, V20, certainty=PUBLIC)
def released_refill(case: Case) -> Iterator[Place]:
    """A released refill (modes 1, C, D) with another issue than 0."""
    if case["dispensing_mode"] in ("1", "C", "D"):
        for refill in REFILLS:
            if case[refill.total] and case.number(refill.issue) not in (None, 0):
                yield case.at(refill.issue)


@CODES.add("D059", Stage.CROSS, V20, certainty=PUBLIC)
def no_refill_without_card(case: Case) -> Iterator[Place]:
    """A refill is prescribed in a registration made up for without its card (re-card marks 2 and 4)."""
    if case["recard_mark"] in ("2", "4") and case.visit_type not in DISPENSING:
        for refill in REFILLS:
            if case[refill.count]:
                yield case.at(refill.count)


@CODES.add(("D062", "D064"), Stage.CROSS, V20, certainty=PUBLIC)
def counts_and_classes(case: Case) -> Iterator[Place]:
    """A dispensable count above 0 without order of that class (D062); an order of a class without its count (D064)."""
    if not case.plain or case.visit_type in DISPENSING:
        return
    ordered = {line["prescription_class"] for line in case.drugs}
    for letter in CLASSES:
        count = case.number(f"count_{letter}")
        if count and letter.upper() not in ordered:
            yield case.at(f"count_{letter}", code="D062")
        if not case[f"count_{letter}"] and letter.upper() in ordered:
            yield case.at(f"count_{letter}", code="D064")


@CODES.add("D053", Stage.CROSS, V20, certainty=PUBLIC)
def dispensing_formats(case: Case) -> Iterator[Place]:
    """A dispensing record (AE, AF) in format C or E."""
    if case["format"] in ("C", "E") and case.visit_type in DISPENSING:
        yield case.at("format")


@CODES.add(("D001", "D034", "D038"), Stage.REGISTER, V20, certainty=PUBLIC)
def voiding(case: Case) -> Iterator[Place]:
    """C, D or E about a visit of which no record counts, or C and E about one without refill (D001); C when every issue is
    dispensed or voided (D034); E when none is voided (D038)."""
    if case.plain:
        return
    found = [kept for kept in case.context.earlier.by_identifier(case["identifier"]) if kept.institution == case["institution"]]
    refills = [refill for refill in REFILLS if prescription_of(case, refill)] if found else []
    if not found or (case["format"] != "D" and not refills):
        yield case.at("identifier", code="D001")
        return
    for refill in refills:
        issues = case.context.earlier.issues(case["identifier"], refill.drug_class)
        record = case.context.earlier.read(found[0])
        count = Case(record, case.context).number(refill.count) or 0
        if case["format"] == "C" and len(issues) >= count:
            yield case.at(refill.count, code="D034")
        if case["format"] == "E" and not any(one.state is IssueState.VOIDED for one in issues):
            yield case.at(refill.count, code="D038")


@CODES.add(("D035", "D039", "D063"), Stage.REGISTER, V20, certainty=PUBLIC)
def deleting(case: Case) -> Iterator[Place]:
    """A record is deleted (D) although others built on it. D035: a dispensing, and a later issue was dispensed at another
    visit. D039: a prescription, and an issue of it was dispensed at another visit. D063: a dispensing whose issue another
    institution has."""
    if case["format"] != "D":
        return
    for refill in REFILLS:
        if case.visit_type not in DISPENSING:
            if any(one.by_identifier != case["identifier"] for one in _dispensed(case, case["identifier"], refill)):
                yield case.at("identifier", code="D039")
            continue
        number = case.number(refill.issue)
        if number is None:
            continue
        for one in _dispensed(case, prescribed_in(case), refill):
            if one.number == number and one.institution != case["institution"]:
                yield case.at(refill.issue, code="D063")
            elif one.number > number and one.by_identifier != case["identifier"]:
                yield case.at(refill.issue, code="D035")
