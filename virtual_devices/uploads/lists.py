"""What uploads go by beside their fields: visit types (就醫類別), coded values, abnormal sequence codes (異常就醫序號), deadlines
and bars. The table is ``data/upload_lists.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from virtual_devices.errors import UsageError
from virtual_devices.tables import Certainty, LazyMapping, read_table
from virtual_devices.uploads.fields import Version


@dataclass(frozen=True, slots=True)
class VisitType:
    """A visit type. ``counted``: takes a sequence number 0001 to 1500."""

    code: str
    zh: str
    en: str
    counted: bool
    versions: frozenset[Version]
    certainty: Certainty


class Cause(Enum):
    """Where the trouble lay that made a visit abnormal."""

    READER = "reader"
    NETWORK = "network"
    SAM = "sam"
    CARD = "card"
    POWER = "power"
    HIS = "his"
    DATACENTRE = "datacentre"
    OFFLINE = "offline"
    EXCEPTION = "exception"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Abnormal:
    """Why a visit has no sequence number of the usual kind. ``obtained``: the code when a number had been issued before the
    trouble struck; empty when there is none."""

    situation: str
    not_obtained: str
    obtained: str
    zh: str
    en: str
    cause: Cause
    certainty: Certainty


@dataclass(frozen=True, slots=True)
class Deadline:
    """A time limit or a bar. ``unit``: h, min, day, month, or a share of records."""

    id: str
    zh: str
    en: str
    value: float
    unit: str
    source: str
    certainty: Certainty


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact that the two formats do not say alike, and why. ``rule``: absent_10, absent_20, or the name of how one is told in
    the other's words (:mod:`virtual_devices.uploads.comparison`)."""

    name: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class ItemList:
    """A list that a check code speaks of and no source gives: the data centre has to be told it."""

    id: str
    zh: str
    en: str
    codes: tuple[str, ...]


def _lists() -> dict[str, Any]:
    return read_table("upload_lists")


def _visit_types() -> dict[str, VisitType]:
    return {
        code: VisitType(
            code, row["zh"], row["en"], row["counted"], frozenset(map(Version, row["formats"])), Certainty(row["certainty"])
        )
        for code, row in _lists()["visit_type"].items()
    }


def _abnormal() -> dict[str, Abnormal]:
    return {
        row["situation"]: Abnormal(
            row["situation"], row["not_obtained"], row.get("obtained", ""), row["zh"], row["en"], Cause(row["cause"]),
            Certainty(row["certainty"]),
        )
        for row in _lists()["abnormal"]
    }


def _deadlines() -> dict[str, Deadline]:
    return {
        id: Deadline(id, row["zh"], row["en"], row["value"], row["unit"], row["source"], Certainty(row["certainty"]))
        for id, row in _lists()["deadline"].items()
    }


VISIT_TYPES: Mapping[str, VisitType] = LazyMapping(_visit_types)
"""Every visit type by code."""

SITUATIONS: Mapping[str, Abnormal] = LazyMapping(_abnormal)
"""Every cause of an abnormal visit, by situation."""

ABNORMAL_CODES: Mapping[str, Abnormal] = LazyMapping(
    lambda: {code: one for one in SITUATIONS.values() for code in (one.not_obtained, one.obtained) if code}
)
"""The same by sequence code, A000 to F00B."""

DEADLINES: Mapping[str, Deadline] = LazyMapping(_deadlines)
"""Time limits and bars by name."""

SEQUENCE: Mapping[str, Any] = LazyMapping(lambda: _lists()["sequence"])
"""Sequence numbers and the identifiers that stand for none."""

VALUES: Mapping[str, Mapping[str, Mapping[str, str]]] = LazyMapping(
    lambda: {row["id"]: {value["code"]: value for value in row["values"]} for row in _lists()["code_list"]}
)
"""Coded values by list and code, each with ``zh`` and ``en``."""

DIFFERENCES: Mapping[str, Difference] = LazyMapping(
    lambda: {name: Difference(name, row["rule"], row["reason"]) for row in _lists()["difference"] for name in row["names"]}
)
"""What 1.0 and 2.0 do not say alike, by the fact's name."""

ITEM_LISTS: Mapping[str, ItemList] = LazyMapping(
    lambda: {id: ItemList(id, row["zh"], row["en"], tuple(row["codes"])) for id, row in _lists()["item_list"].items()}
)
"""The lists that the register is asked about, by id."""


def sequence_for(situation: str, obtained: bool = False) -> str:
    """The code that stands in the place of the sequence number. ``obtained``: the number had been issued before.

    Raises UsageError for a situation that does not exist, or that has no such code.
    """
    found = SITUATIONS.get(situation)
    if found is None:
        raise UsageError(f"{situation!r} is no cause of an abnormal visit; there are {', '.join(SITUATIONS)}")
    if obtained and not found.obtained:
        raise UsageError(f"{situation}: no code for a sequence number that was obtained; the record is a normal one")
    return found.obtained if obtained else found.not_obtained


def stands_for_none(identifier: str) -> bool:
    """Whether it is one of those that are sent where a visit has no identifier: without card, before format 2.0, or of the
    transition."""
    return identifier in (
        SEQUENCE["no_card_identifier"], SEQUENCE["before_20_identifier"], SEQUENCE["transition_identifier"],
    )


def counted(visit_type: str) -> bool:
    """True for a known type that takes a sequence number 0001 to 1500."""
    found = VISIT_TYPES.get(visit_type)
    return found is not None and found.counted


__all__ = [
    "ABNORMAL_CODES", "Abnormal", "Cause", "DEADLINES", "DIFFERENCES", "Deadline", "Difference", "ITEM_LISTS", "ItemList",
    "SEQUENCE", "SITUATIONS", "VALUES", "VISIT_TYPES", "VisitType", "counted", "sequence_for", "stands_for_none",
]
