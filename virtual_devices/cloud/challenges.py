"""What the data centre keeps for strangers, who cost it so much and no more: challenges, and answers already given.

A challenge is its own randomness, for one asker, for ten minutes, and used up by one proof.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from virtual_devices.clock import NS

CHALLENGE_BYTES = 16
CHALLENGE_LIFE_S = 600
MOST = 100_000
"""Challenges kept at a time. Beyond, the oldest gives way, and its asker asks again: a stranger costs the asking only."""
Whom = TypeVar("Whom", bound=Hashable)
Kept = TypeVar("Kept")


class Newest(Generic[Whom, Kept]):
    """The newest entries by name; beyond so many, the oldest is forgotten."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: dict[Whom, Kept] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, name: Whom) -> Kept | None:
        return self._kept.get(name)

    def put(self, name: Whom, value: Kept) -> None:
        self._kept[name] = value
        while len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]


class Challenges(Generic[Whom]):
    """The challenges that are out. ``fresh``: bytes that nobody can foresee."""

    def __init__(self, fresh: Callable[[int], bytes], most: int = MOST) -> None:
        self._fresh = fresh
        self._most = most
        self._out: dict[Whom, tuple[bytes, int]] = {}  # the oldest first: all live equally long

    def __len__(self) -> int:
        return len(self._out)

    def give(self, whom: Whom, now_ns: int) -> bytes:
        """The asker's challenge: the same one until it has been used up or its time is over."""
        self._drop(now_ns)
        if whom not in self._out:
            while len(self._out) >= self._most:
                del self._out[next(iter(self._out))]
            self._out[whom] = self._fresh(CHALLENGE_BYTES), now_ns
        return self._out[whom][0]

    def use(self, whom: Whom, now_ns: int) -> bytes | None:
        """The asker's challenge, which is gone with this; None when there is none, or none any more."""
        self._drop(now_ns)
        found = self._out.pop(whom, None)
        return None if found is None else found[0]

    def _drop(self, now_ns: int) -> None:
        while self._out:
            first = next(iter(self._out))
            if now_ns - self._out[first][1] < CHALLENGE_LIFE_S * NS:
                return
            del self._out[first]


__all__ = ["CHALLENGE_BYTES", "CHALLENGE_LIFE_S", "Challenges", "MOST", "Newest"]
