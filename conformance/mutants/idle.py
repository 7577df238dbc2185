"""Cases that find no fault of any table or scan, each with the reason why it stays: ``idle.toml``.

An entry names a case, or with a ``*`` at its end those that begin so. One that names no case any more is an error.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from importlib.resources import files

from virtual_devices.errors import UsageError

NAME = "idle.toml"


@cache
def justified() -> Mapping[str, str]:
    """Case, or beginning with ``*`` -> why it stays. Raises UsageError."""
    return read((files("conformance") / "mutants" / NAME).read_text(encoding="utf-8"))


def read(text: str) -> Mapping[str, str]:
    """From the file's text. Raises UsageError."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise UsageError(f"{NAME}: {e}") from None
    rows = table.pop("idle", [])
    if table or not isinstance(rows, list):
        raise UsageError(f"{NAME}: there must be [[idle]] rows and nothing else")
    found: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        if row.keys() != {"case", "why"} or not all(isinstance(text, str) and text.strip() for text in row.values()):
            raise UsageError(f"{NAME}: row {number}: case and why are texts, and nothing else is there")
        found[row["case"]] = row["why"]
    return found


def why(case: str, entries: Mapping[str, str]) -> str:
    """Why a case stays that finds nothing; empty when nobody says so."""
    return next((reason for name, reason in entries.items() if _fits(name, case)), "")


def stale(entries: Iterable[str], cases: Collection[str]) -> list[str]:
    """Entries that fit no case."""
    return [name for name in entries if not any(_fits(name, case) for case in cases)]


def _fits(name: str, case: str) -> bool:
    return case.startswith(name[:-1]) if name.endswith("*") else case == name


__all__ = ["NAME", "justified", "read", "stale", "why"]
