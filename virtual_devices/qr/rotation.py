"""Codes that change while they are shown, as functions of time and nothing else.

A :class:`Rotation` replaces a short-lived code before it dies, so that whoever scans the old one at the last moment is not
refused: lives overlap. A :class:`Carousel` shows the parts of one content in turn.
"""

from __future__ import annotations

from dataclasses import dataclass

from virtual_devices.clock import NS
from virtual_devices.errors import UsageError
from virtual_devices.qr.card import LIFETIME_S

PERIOD_S = 20


@dataclass(frozen=True, slots=True)
class Slot:
    """One code of a rotation: shown in [``from_ns``, ``until_ns``), good in [``from_ns``, ``dies_ns``)."""

    number: int
    from_ns: int
    until_ns: int
    dies_ns: int


@dataclass(frozen=True, slots=True)
class Rotation:
    """A new code every ``period_s``, each good for ``lifetime_s``: longer than it is shown, and at most 60 s."""

    begun_ns: int
    period_s: int = PERIOD_S
    lifetime_s: int = LIFETIME_S

    def __post_init__(self) -> None:
        if not 1 <= self.period_s < self.lifetime_s <= LIFETIME_S:
            raise UsageError(f"codes that change every {self.period_s} s live longer than that, and at most {LIFETIME_S} s")

    @property
    def overlap_s(self) -> int:
        """How long a code is good after it was replaced: what a slow scanner has."""
        return self.lifetime_s - self.period_s

    def slot(self, number: int) -> Slot:
        from_ns = self.begun_ns + number * self.period_s * NS
        return Slot(number, from_ns, from_ns + self.period_s * NS, from_ns + self.lifetime_s * NS)

    def shown(self, now_ns: int) -> Slot:
        """The code on the screen now. Its date (iat) is the second in which its slot begins."""
        if now_ns < self.begun_ns:
            raise UsageError("nothing is shown before the rotation has begun")
        return self.slot((now_ns - self.begun_ns) // (self.period_s * NS))

    def good(self, now_ns: int) -> tuple[Slot, ...]:
        """Every code that is good now, the one on the screen last."""
        last = self.shown(now_ns)
        first = max(0, last.number - self.lifetime_s // self.period_s)
        return tuple(s for s in map(self.slot, range(first, last.number + 1)) if now_ns < s.dies_ns)


@dataclass(frozen=True, slots=True)
class Carousel:
    """``total`` parts, each on the screen for ``dwell_ms``, round and round."""

    begun_ns: int
    total: int
    dwell_ms: int = 400

    def __post_init__(self) -> None:
        if self.total < 1 or self.dwell_ms < 1:
            raise UsageError("a carousel has at least one part, and shows each for at least a millisecond")

    def shown(self, now_ns: int) -> int:
        """The number of the part on the screen now, from 0."""
        if now_ns < self.begun_ns:
            raise UsageError("nothing is shown before the carousel has begun")
        return (now_ns - self.begun_ns) // (self.dwell_ms * 1_000_000) % self.total

    @property
    def round_ms(self) -> int:
        """How long a scanner that misses nothing needs at most for all of them."""
        return self.total * self.dwell_ms
