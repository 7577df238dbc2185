"""What shows each requirement: its clauses with their cases, situations, or the reason why nothing does."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.case import Case, Kind
from conformance.catalogue import Requirement
from conformance.clause import Clause, Elsewhere, Proof, clauses, elsewhere


@dataclass(frozen=True, slots=True)
class Shown:
    """One clause, and by kind of device the cases that try it; none where it is shown otherwise."""

    clause: Clause
    cases: Mapping[Kind, tuple[str, ...]]

    @property
    def missing(self) -> tuple[Kind, ...]:
        """Kinds for which a case is to show it, and none does."""
        return tuple(kind for kind, found in self.cases.items() if not found)


@dataclass(frozen=True, slots=True)
class Coverage:
    """One requirement. ``situations``: scenarios that show it; ``reason``: why no clause of a device refines it."""

    requirement: Requirement
    clauses: tuple[Shown, ...]
    situations: tuple[str, ...]
    reason: Elsewhere | None

    @property
    def cases(self) -> tuple[str, ...]:
        """Every case that tries one of its clauses."""
        return tuple(dict.fromkeys(case for shown in self.clauses for found in shown.cases.values() for case in found))

    @property
    def missing(self) -> int:
        """How many pairs of clause and kind wait for a case."""
        return sum(len(shown.missing) for shown in self.clauses)

    def plain(self) -> dict[str, Any]:
        """As JSON's own types."""
        return {
            "id": self.requirement.id, "duty": self.requirement.duty.value, "says": self.requirement.says,
            "situations": list(self.situations),
            "reason": None if self.reason is None else {"id": self.reason.value, "says": self.reason.says},
            "clauses": [_plain(shown) for shown in self.clauses],
        }


def coverage(
    requirements: Iterable[Requirement], cases: Collection[Case], situations: Mapping[str, Collection[str]],
) -> list[Coverage]:
    """Of these requirements, with these cases. ``situations``: name -> ids of the requirements that it shows."""
    shown = {id: _shown(clause, cases) for id, clause in clauses().items()}
    return [
        Coverage(
            requirement, tuple(s for s in shown.values() if requirement.id in s.clause.refines),
            tuple(sorted(name for name, ids in situations.items() if requirement.id in ids)), elsewhere().get(requirement.id),
        )
        for requirement in requirements
    ]


def _shown(clause: Clause, cases: Collection[Case]) -> Shown:
    return Shown(clause, {
        kind: tuple(case.id for case in cases if case.kind is kind and clause.id in case.clauses)
        for kind, proof in clause.binds.items() if proof is Proof.TEST
    })


def _plain(shown: Shown) -> dict[str, Any]:
    clause = shown.clause
    return {
        "id": clause.id, "level": clause.level.value, "mark": clause.mark, "source": clause.source, "says": clause.first,
        "kinds": {kind.value: {"proof": proof.value, "cases": list(shown.cases.get(kind, ())), "not_yet": kind in shown.missing}
                  for kind, proof in clause.binds.items()},
        "reason": None if clause.reason is None else {"id": clause.reason.value, "says": clause.reason.says},
        "covered_by": list(clause.covered_by),
    }


__all__ = ["Coverage", "Shown", "coverage"]
