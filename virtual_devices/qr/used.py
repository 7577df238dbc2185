"""Which codes a reader has taken: a memory bounded in time and in number, and what its rows tell the data centre later.

A reader forgets a code when nobody could use it any more. A full memory refuses new codes rather than forget old ones.
A copy that was used at another reader, offline, is found when the data centre lays the rows of both side by side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

MAX_CODES = 4096


@dataclass(frozen=True, slots=True)
class Use:
    """One code taken once: ``code_id`` is its cti, ``reader`` who took it."""

    code_id: bytes
    reader: str
    at_ns: int


class Noted(Enum):
    NEW = "new"
    USED_BEFORE = "used before"
    FULL = "no room for another code"


class UsedCodes:
    """The codes that one reader took and that may still be alive."""

    def __init__(self, most: int = MAX_CODES) -> None:
        self._most = most
        self._until_ns: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._until_ns)

    def note(self, code_id: bytes, until_ns: int, now_ns: int) -> Noted:
        """Take a code that nobody believes after ``until_ns`` any more, unless it was taken before."""
        if self._until_ns.get(code_id, now_ns) > now_ns:
            return Noted.USED_BEFORE
        if len(self._until_ns) >= self._most:
            self._until_ns = {known: until for known, until in self._until_ns.items() if until > now_ns}
        if len(self._until_ns) >= self._most:
            return Noted.FULL
        self._until_ns[code_id] = until_ns
        return Noted.NEW


def used_twice(uses: Iterable[Use]) -> dict[bytes, tuple[Use, ...]]:
    """Reconciliation: the codes that were taken more than once, each with its uses in the order of time."""
    by_code: dict[bytes, set[Use]] = {}
    for use in uses:
        by_code.setdefault(use.code_id, set()).add(use)  # a row that was uploaded twice is one use
    return {
        code: tuple(sorted(found, key=lambda u: (u.at_ns, u.reader))) for code, found in by_code.items() if len(found) > 1
    }
