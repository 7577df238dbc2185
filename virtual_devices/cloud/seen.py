"""Envelopes of control software 6.0 that were believed: each once, also after the data centre was restarted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from virtual_devices.clock import NS
from virtual_devices.cloud.books import Books, Kind

KEPT_S = 86_400
"""Longer than any signature is good: what is older is refused by its age."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One envelope. ``random``: SHA-256 of its ``clientRandom``."""

    sam_id: str
    random: bytes
    at_ns: int


SEEN = Kind("seen_envelopes", Seen, ("sam_id", "random"), (("at_ns",),))


class SeenEnvelopes:
    """By SAM and ``clientRandom``."""

    def __init__(self, books: Books) -> None:
        self._shelf = books.shelf(SEEN)

    def get(self, name: tuple[str, str]) -> int | None:
        """When it came; None when it did not."""
        row = self._shelf.get(name[0], _hash(name[1]))
        return None if row is None else row.at_ns

    def put(self, name: tuple[str, str], at_ns: int) -> None:
        for old in self._shelf.upto("at_ns", at_ns - KEPT_S * NS):
            self._shelf.remove(old.sam_id, old.random)
        self._shelf.put(Seen(name[0], _hash(name[1]), at_ns))


def _hash(random: str) -> bytes:
    return hashlib.sha256(random.encode()).digest()


__all__ = ["KEPT_S", "SEEN", "Seen", "SeenEnvelopes"]
