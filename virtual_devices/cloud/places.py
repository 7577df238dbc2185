"""Places in status lists: each card's is drawn at random from all that are free, so that a place tells nothing of its holder
or of the order of issue."""

from __future__ import annotations

from random import Random

from virtual_devices.errors import UsageError
from virtual_devices.mdoc.mso import StatusReference as Place


class Places:
    """The free places of ``lists`` lists of ``size`` entries each. A place is given once and never again.

    Draws without repetition in constant time and with memory for what was given only (Fisher and Yates, sparse).
    """

    def __init__(self, uri: str, rng: Random, lists: int = 22, size: int = 1 << 20) -> None:
        self._uri, self._rng, self._size = uri, rng, size
        self._left = lists * size
        self._moved: dict[int, int] = {}

    def draw(self) -> Place:
        """Raises UsageError when no place is left: the lists were planned too small."""
        if not self._left:
            raise UsageError(f"the status lists at {self._uri} are full: plan more of them")
        drawn = self._rng.randrange(self._left)
        self._left -= 1
        last = self._moved.pop(self._left, self._left)
        number = last if drawn == self._left else self._moved.get(drawn, drawn)
        if drawn != self._left:
            self._moved[drawn] = last
        return Place(f"{self._uri}/{number // self._size}", number % self._size)


__all__ = ["Place", "Places"]
