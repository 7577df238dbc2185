"""Drug allergies (過敏藥物) of format 2.0, a segment each."""

from __future__ import annotations

from collections.abc import Iterator

from virtual_devices.uploads.rules import V20, Case, Certainty, Place, Rulebook, Stage, Values

CODES = Rulebook()
PUBLIC = Certainty.PUBLIC
DRUG = ("allergy_ingredient", "allergy_class", "allergy_drugs")
WITHDRAWN, OTHER_SOURCE, OTHER_REASON = "D", "99", "9"


def _drugs(line: Values) -> list[str]:
    return [name for name in DRUG if line[name]]


@CODES.add("E001", Stage.CROSS, V20, certainty=PUBLIC)
def drug_named(case: Case) -> Iterator[Place]:
    """An allergy action, and neither ingredient nor class nor drug."""
    for line in case.allergies:
        if line["allergy_action"] and not _drugs(line):
            yield line.at("allergy_action")


@CODES.add("E003", Stage.CROSS, V20, certainty=PUBLIC)
def one_drug(case: Case) -> Iterator[Place]:
    """More than one of ingredient, class and drug."""
    for line in case.allergies:
        for name in _drugs(line)[1:]:
            yield line.at(name)


@CODES.add("E004", Stage.CROSS, V20, certainty=PUBLIC)
def symptom_needed(case: Case) -> Iterator[Place]:
    """A drug without symptom, unless the allergy is withdrawn."""
    for line in case.allergies:
        if _drugs(line) and line["allergy_action"] != WITHDRAWN and not line["allergy_symptom"]:
            yield line.at("allergy_symptom")


@CODES.add("E005", Stage.CROSS, V20, certainty=PUBLIC)
def source_explained(case: Case) -> Iterator[Place]:
    """Another source (99) without explanation."""
    for line in case.allergies:
        if line["allergy_source"] == OTHER_SOURCE and not line["allergy_source_note"]:
            yield line.at("allergy_source_note")


@CODES.add("E006", Stage.CROSS, V20, certainty=PUBLIC)
def reason_needed(case: Case) -> Iterator[Place]:
    """An allergy is withdrawn without reason."""
    for line in case.allergies:
        if line["allergy_action"] == WITHDRAWN and not line["withdrawal_reason"]:
            yield line.at("withdrawal_reason")


@CODES.add("E007", Stage.CROSS, V20, certainty=PUBLIC)
def reason_explained(case: Case) -> Iterator[Place]:
    """Another reason (9) without explanation."""
    for line in case.allergies:
        if line["withdrawal_reason"] == OTHER_REASON and not line["withdrawal_other"]:
            yield line.at("withdrawal_other")


@CODES.add("E008", Stage.CROSS, V20, certainty=PUBLIC)
def gene_test_needed(case: Case) -> Iterator[Place]:
    """A listed ingredient without result of its gene test."""
    for line in case.allergies:
        if case.listed("gene_test_ingredient", line["allergy_ingredient"]) and not line["gene_test"]:
            yield line.at("gene_test")


@CODES.add("E002", Stage.REGISTER, V20, certainty=PUBLIC)
def withdrawn_where_told(case: Case) -> Iterator[Place]:
    """An allergy is withdrawn that no counted record of the same patient, institution, moment and identifier told."""
    for line in case.allergies:
        if line["allergy_action"] != WITHDRAWN or not _drugs(line):
            continue
        kept = case.context.earlier.same(case.record)
        told: set[str] = set()
        if kept is not None and kept.identifier == case["identifier"]:
            earlier = Case(case.context.earlier.read(kept), case.context)
            told = {one[name] for one in earlier.allergies for name in DRUG if one["allergy_action"] != WITHDRAWN}
        if any(line[name] not in told for name in _drugs(line)):
            yield line.at("allergy_action")
