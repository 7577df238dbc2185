"""The requirements: what must hold, with ids that stay for ever, from ``requirements/requirements.toml``.

Every conformance case, scenario promise and line of a report names requirements by these ids. The vocabularies are
closed and are checked when the file is read: a slip there is a :class:`CatalogueError` that says which row and what is
allowed, never a requirement that silently binds nobody.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from virtual_devices.errors import UsageError

E = TypeVar("E", bound=Enum)

_ID = re.compile(r"[A-Z]{3}-[0-9]{2}")
_SOURCE = re.compile(r"m[123]( [^;]+)?(; m[123]( [^;]+)?)*")


class CatalogueError(UsageError):
    """The catalogue of requirements is not in order, or has no such requirement."""


class Duty(Enum):
    """How binding it is."""

    MUST = "must"  # the meetings agreed
    SHOULD = "should"  # one group asked for it
    MAY = "may"  # it was discussed


class Party(Enum):
    """Whom a requirement binds."""

    WALLET = "wallet"  # the phone's virtual card
    IC_CARD = "ic-card"  # the physical card
    READER = "reader"
    SAM = "sam"
    HPC = "hpc"  # the health professional's card
    CLOUD = "cloud"
    HIS = "his"  # the institution's information system
    PHARMACY = "pharmacy"
    HOLDER = "holder"
    GUARDIAN = "guardian"


class ShownBy(Enum):
    """What shows that it holds."""

    CONFORMANCE = "conformance"  # a case against a device under test
    SCENARIO = "scenario"  # a scenario that runs it
    REPORT = "report"  # a figure or table in a report


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement. ``says`` is its text; ``source`` the meeting (m1 to m3) and topic it comes from."""

    id: str
    says: str
    source: str
    duty: Duty
    on: tuple[Party, ...]
    shown_by: tuple[ShownBy, ...]

    def __str__(self) -> str:
        return f"{self.id} {self.says}"


@cache
def requirements() -> tuple[Requirement, ...]:
    """All requirements in the order of the file, which goes by topic. Raises CatalogueError."""
    place = files("conformance") / "requirements" / "requirements.toml"
    return parse(place.read_text(encoding="utf-8"), "requirements.toml")


def find(id: str) -> Requirement:
    """The requirement of that id. Raises CatalogueError, with ids that look like it."""
    found = _by_id().get(id)
    if found is None:
        near = get_close_matches(id.upper(), _by_id(), n=3, cutoff=0.5)
        raise CatalogueError(f"there is no requirement {id!r}" + (f"; there is {', '.join(near)}" if near else ""))
    return found


@cache
def _by_id() -> Mapping[str, Requirement]:
    return {requirement.id: requirement for requirement in requirements()}


def parse(text: str, where: str) -> tuple[Requirement, ...]:
    """Read a catalogue; ``where`` names it in errors. Raises CatalogueError at the first row that is not in order."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as why:
        raise CatalogueError(f"{where}: {why}") from None
    rows = table.pop("requirement", [])
    if table or not isinstance(rows, list) or not rows:
        raise CatalogueError(f"{where}: there must be [[requirement]] rows and nothing else")
    read: dict[str, Requirement] = {}
    for number, row in enumerate(rows, start=1):
        requirement = _row(row, f"{where}: requirement {row.get('id', f'number {number}')}")
        if requirement.id in read:
            raise CatalogueError(f"{where}: requirement {requirement.id} is there twice")
        read[requirement.id] = requirement
    return tuple(read.values())


def _row(row: Mapping[str, Any], where: str) -> Requirement:
    wanted = {field.name for field in fields(Requirement)}
    if row.keys() != wanted:
        wrong = ", ".join(sorted(row.keys() ^ wanted))
        raise CatalogueError(f"{where}: missing or unknown: {wrong}; a row has {', '.join(sorted(wanted))}")
    return Requirement(
        id=_text(row, "id", _ID, "three letters, a hyphen, two digits", where),
        says=_text(row, "says", re.compile(r"\S.*\S"), "one line of text", where),
        source=_text(row, "source", _SOURCE, "m1, m2 or m3 and a topic, parted by semicolons", where),
        duty=word(Duty, row["duty"], "duty", where),
        on=_words(Party, row["on"], "on", where),
        shown_by=_words(ShownBy, row["shown_by"], "shown_by", where),
    )


def _text(row: Mapping[str, Any], name: str, form: re.Pattern[str], means: str, where: str) -> str:
    value = row[name]
    if not isinstance(value, str) or not form.fullmatch(value):
        raise CatalogueError(f"{where}: {name} is {value!r}; it must be {means}")
    return value


def word(kind: type[E], value: object, name: str, where: str) -> E:
    """A word of a closed vocabulary. Raises CatalogueError."""
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(str(one.value) for one in kind)
        raise CatalogueError(f"{where}: {name} is {value!r}; it must be one of {allowed}") from None


def _words(kind: type[E], values: object, name: str, where: str) -> tuple[E, ...]:
    if not isinstance(values, list) or not values:
        raise CatalogueError(f"{where}: {name} is {values!r}; it must be a list of one or more")
    words = tuple(word(kind, value, name, where) for value in values)
    if len(set(words)) != len(words):
        raise CatalogueError(f"{where}: {name} names something twice: {values!r}")
    return words


__all__ = ["CatalogueError", "Duty", "Party", "Requirement", "ShownBy", "find", "parse", "requirements", "word"]
