"""Check codes (檢核代碼): what the data centre says of an upload, a record, a field. The table is ``data/upload_codes.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from virtual_devices.tables import Certainty, LazyMapping, read_table
from virtual_devices.uploads.fields import Version


class Stage(Enum):
    """Where in the course of checking a code is given. The five of the booklet (official), after the file's own form."""

    FORM = "form"  # is it a file of records at all
    PRESENCE = "presence"  # by visit type and format
    LENGTH = "length"
    KIND = "kind"  # characters and values of one field
    CROSS = "cross"  # fields against one another
    REGISTER = "register"  # against the insurer's database


class Effect(Enum):
    """What a code does."""

    FILE = "file"  # the whole file is returned
    RECORD = "record"  # this record is not counted, and may be sent again
    NOTICE = "notice"  # taken in, with a remark


@dataclass(frozen=True, slots=True)
class CheckCode:
    """One code. ``since``: ROC date from which it holds, empty for always. ``two_formats``: its effect in the time in which the
    data centre takes both formats."""

    code: str
    zh: str
    en: str
    versions: frozenset[Version]
    effect: Effect
    effect_10: Effect
    two_formats: Effect
    since: str
    certainty: Certainty

    def effect_in(self, version: Version, both_formats: bool) -> Effect:
        """What it does to a file of that version."""
        if version is Version.V10:
            return self.effect_10
        return self.two_formats if both_formats else self.effect


@dataclass(frozen=True, slots=True)
class Unproduced:
    """A code that no rule gives in this format, and why."""

    code: str
    version: Version
    reason: str


def _code(code: str, row: Mapping[str, Any]) -> CheckCode:
    effect = Effect(row["effect"])
    versions = frozenset(map(Version, row["versions"]))
    return CheckCode(
        code, row["zh"], row["en"], versions, effect, Effect(row.get("effect_10", effect)),
        Effect(row.get("two_formats", effect)), row.get("since", ""),
        Certainty.OFFICIAL if Version.V10 in versions else Certainty.PUBLIC,
    )


CHECK_CODES: Mapping[str, CheckCode] = LazyMapping(
    lambda: {code: _code(code, row) for code, row in read_table("upload_codes")["code"].items()}
)
"""Every check code."""


def unproduced() -> tuple[Unproduced, ...]:
    """The closed list of codes that the bench does not give, each with its reason."""
    rows = read_table("upload_codes")["unproduced"]
    return tuple(Unproduced(code, Version(row["version"]), row["reason"]) for row in rows for code in row["codes"])


__all__ = ["CHECK_CODES", "CheckCode", "Effect", "Stage", "Unproduced", "unproduced"]
