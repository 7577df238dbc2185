"""What a report says of clauses that no case can show: what the maker declares, what a person or a laboratory has to look at."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.case import Kind
from conformance.clause import Proof, clauses
from conformance.condition import Answers
from conformance.form import form, shown
from conformance.report import Stated


def stated(kind: Kind, answers: Answers | None) -> Iterator[Stated]:
    """Of one kind of device, in the order of clauses. ``answers``: of its declaration, None without one."""
    for clause in clauses().values():
        proof = clause.binds.get(kind)
        if proof in (Proof.DECLARATION, Proof.INSPECTION):
            yield Stated(
                clause=clause.id, kind=kind.value, proof=proof.value, says=clause.first,
                why="" if clause.reason is None else clause.reason.says, answers=tuple(_answers(kind, clause.id, answers or {})),
            )


def _answers(kind: Kind, clause: str, answers: Answers) -> Iterator[str]:
    """The questions that name the clause, or all of its group, and what was answered."""
    for question in form(kind).questions.values():
        if question.id in answers and any(clause == named or clause.startswith(f"{named}-") for named in question.clauses):
            yield f"{question.en}: {shown(answers[question.id])}"


__all__ = ["stated"]
