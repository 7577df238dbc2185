"""The clauses: the requirements, refined into statements of the profile that can be shown one by one.

A clause's text and mark are the profile page's, taken into ``clauses/texts.toml`` by ``docs/reference/make_clauses.py``, so that
an installed bench needs no pages. Whom a clause binds, how it is shown, which requirements it refines, and where there is no case
the reason, are kept by hand in the other files of ``clauses/``, one for each page. The vocabularies are closed and are checked
when the files are read: a slip is a CatalogueError that says where.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Any

from conformance.case import Kind
from conformance.catalogue import CatalogueError, Duty, word
from conformance.catalogue import requirements as catalogue

ID = re.compile(r"P-[A-Z]{3}-\d\d")
TEXTS, REASONS = "texts.toml", "requirements.toml"


class Proof(Enum):
    """How it is shown that a device keeps a clause."""

    TEST = "test"  # a case
    SCENARIO = "scenario"  # a situation that runs it
    DECLARATION = "declaration"  # the maker says so
    INSPECTION = "inspection"  # a person looks, or a laboratory measures


class Reason(Enum):
    """Why no case shows a clause. ``says``: for a person."""

    DEFINITION = "definition"
    NO_PROMISE = "no-promise"
    OF_THE_BENCH = "of-the-bench"
    COVERED = "covered"
    NO_MESSAGE = "no-message"
    NOT_VISIBLE = "not-visible"
    NEEDS_HARDWARE = "needs-hardware"
    PERSON = "person"
    WORKFLOW = "workflow"

    @property
    def says(self) -> str:
        return _SAYS[self]


_SAYS = {
    Reason.DEFINITION: "says how others are to be read, and asks nothing of a device by itself",
    Reason.NO_PROMISE: "says what cannot be promised",
    Reason.OF_THE_BENCH: "says what the bench's own device does where others are free",
    Reason.COVERED: "is shown by the clauses that it sums up",
    Reason.NO_MESSAGE: "this version has no message by which it could be seen",
    Reason.NOT_VISIBLE: "happens inside a device: not to be seen from outside",
    Reason.NEEDS_HARDWARE: "is of a radio or a keystore that a laboratory has to look at",
    Reason.PERSON: "is on a screen, for a person to look at",
    Reason.WORKFLOW: "is a way of work of people and counters: a situation shows it",
}


class Elsewhere(Enum):
    """Why a requirement has no clause of a device. ``says``: for a person."""

    WORKFLOW = "workflow"
    RECKONED = "reckoned"
    INSIDE = "inside"
    OF_THE_BENCH = "of-the-bench"

    @property
    def says(self) -> str:
        return _ELSEWHERE[self]


_ELSEWHERE = {
    Elsewhere.WORKFLOW: "is a way of work of people and counters: a situation shows it",
    Elsewhere.RECKONED: "is a figure over many visits: a report reckons it",
    Elsewhere.INSIDE: "is between an institution's own systems: no device under test has that side",
    Elsewhere.OF_THE_BENCH: "is what the bench itself does for those who use it",
}


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause. ``mark``: standard, public, profile or inferred; ``source``: the standard, where one is named. ``binds``:
    kinds of device, and how each is shown."""

    id: str
    text: str
    mark: str
    source: str
    page: str
    level: Duty
    refines: tuple[str, ...]
    binds: Mapping[Kind, Proof]
    reason: Reason | None = None
    covered_by: tuple[str, ...] = ()

    @property
    def first(self) -> str:
        """The first sentence, in one line."""
        text = " ".join(self.text.partition("\n\n")[0].split())
        end = re.search(r"(?<=[^.][\w)`*][.])\s(?=[A-Z*`])", text)
        return text if end is None else text[: end.start()]

    @property
    def plain(self) -> str:
        """All of it but its tables, in one line, without the page's links and stress."""
        return unmarked(" ".join(" ".join(line for line in self.text.splitlines() if not line.startswith("|")).split()))


@cache
def clauses() -> Mapping[str, Clause]:
    """Every clause by its id, in the order of pages and numbers. Raises CatalogueError."""
    place = files("conformance") / "clauses"
    texts = {f.name: f.read_text(encoding="utf-8") for f in place.iterdir() if f.name.endswith(".toml")}
    return read(texts)


@cache
def elsewhere() -> Mapping[str, Elsewhere]:
    """Requirements that no clause of a device refines -> why."""
    text = (files("conformance") / "clauses" / REASONS).read_text(encoding="utf-8")
    found = {}
    for id, row in _table(text, REASONS).items():
        _closed(row, {"reason"}, f"{REASONS}: {id}")
        found[id] = word(Elsewhere, row.get("reason"), "reason", f"{REASONS}: {id}")
    return found


def find(id: str) -> Clause:
    """The clause of that id. Raises CatalogueError, with ids that look like it."""
    found = clauses().get(id)
    if found is None:
        near = get_close_matches(id.upper(), clauses(), n=3, cutoff=0.5)
        raise CatalogueError(f"there is no clause {id!r}" + (f"; there is {', '.join(near)}" if near else ""))
    return found


def read(texts: Mapping[str, str]) -> Mapping[str, Clause]:
    """From the files' texts by their names. Raises CatalogueError at the first thing that is not in order."""
    written = _table(texts[TEXTS], TEXTS)
    rows: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for name in sorted(texts.keys() - {TEXTS, REASONS}):
        for id, row in _table(texts[name], name).items():
            if id in rows:
                raise CatalogueError(f"{name}: {id} is in {rows[id][0]} too")
            rows[id] = name, row
    if one_sided := sorted(rows.keys() ^ written.keys()):
        raise CatalogueError(f"{', '.join(one_sided)}: a clause has a text ({TEXTS}) and a row that says whom it binds")
    requirements = {requirement.id for requirement in catalogue()}
    found = {id: _clause(id, written[id], rows[id][1], f"{rows[id][0]}: {id}") for id in written}
    for clause in found.values():
        unknown = [r for r in clause.refines if r not in requirements] + [c for c in clause.covered_by if c not in found]
        if unknown:
            raise CatalogueError(f"{rows[clause.id][0]}: {clause.id} names {', '.join(unknown)}, which there is not")
    return found


def unmarked(text: str) -> str:
    """A text without a page's links and stress."""
    return re.sub(r"(?<![\w*])\*+([^*\s][^*]*?)\*+(?![\w*])", r"\1", re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text))


def _clause(id: str, text: Mapping[str, str], row: Mapping[str, Any], where: str) -> Clause:
    if not ID.fullmatch(id):
        raise CatalogueError(f"{where}: an id is P, three letters and two digits, with hyphens")
    _closed(row, {"level", "refines", "reason", "covered_by", *(p.value for p in Proof)}, where)
    binds: dict[Kind, Proof] = {}
    for proof in Proof:
        for kind in (word(Kind, value, proof.value, where) for value in _list(row, proof.value, where)):
            if kind in binds:
                raise CatalogueError(f"{where}: {kind.value} is there twice")
            binds[kind] = proof
    reason = word(Reason, row["reason"], "reason", where) if "reason" in row else None
    covered_by = tuple(_list(row, "covered_by", where))
    if (reason is None) != (bool(binds) and set(binds.values()) == {Proof.TEST}):
        raise CatalogueError(f"{where}: a clause has a reason when, and only when, it is not shown by cases alone")
    if (reason is Reason.COVERED) != bool(covered_by):
        raise CatalogueError(f"{where}: covered_by goes with the reason covered")
    return Clause(
        id, text["text"], text["mark"], text["source"], text["page"], word(Duty, row.get("level"), "level", where),
        tuple(_list(row, "refines", where)), binds, reason, covered_by,
    )


def _table(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as why:
        raise CatalogueError(f"{where}: {why}") from None


def _closed(row: object, allowed: Iterable[str], where: str) -> None:
    if not isinstance(row, dict) or not row.keys() <= set(allowed):
        wrong = ", ".join(sorted(row.keys() - set(allowed))) if isinstance(row, dict) else "no table"
        raise CatalogueError(f"{where}: {wrong}; a row has {', '.join(sorted(allowed))}")


def _list(row: Mapping[str, Any], name: str, where: str) -> list[str]:
    values = row.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values) or len(set(values)) != len(values):
        raise CatalogueError(f"{where}: {name} is {values!r}; it must be a list of texts, each there once")
    return values


__all__ = ["Clause", "Elsewhere", "ID", "Proof", "Reason", "clauses", "elsewhere", "find", "read", "unmarked"]
