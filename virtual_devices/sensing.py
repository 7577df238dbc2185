"""NFC sensing (感應): how well a phone or card is met by a reader's field, frame by frame, and what bad holding costs.

A frame passes when none of its bits is misread. How many are follows from the margin of the field over what the receiver needs
(assumed: additive noise, binary signal). Below it the card has no power and hears nothing. The situations of :class:`Holding` and
their numbers are assumed, until a laboratory has measured its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from random import Random

from virtual_devices.checks import bounded, check
from virtual_devices.clock import NS


class Way(Enum):
    TO_CARD = "to card"
    TO_READER = "to reader"


class Passage(Enum):
    """What becomes of a frame."""

    WHOLE = "whole"
    LOST = "lost"  # nothing is noticed at the other end
    DAMAGED = "damaged"  # its check is wrong


def whole(way: Way, frame: bytes) -> Passage:
    """Nothing is ever lost."""
    return Passage.WHOLE


class Holding(Enum):
    """What goes wrong at a counter."""

    WEAK_FIELD = "weak-field"
    CASE = "case"
    WRONG_PLACE = "wrong-place"
    TAKEN_AWAY = "taken-away"
    TWO_CARDS = "two-cards"



@dataclass(frozen=True, slots=True)
class Sensing:
    """One way of holding. A tap that does not find the card is tried again, the phone being moved."""

    margin_db: float = bounded(12.0, ge=-40, le=40)
    """Of the signal over noise, as the receiver sees it. At 12 dB one bit in a hundred million is misread, at
    7 dB one in 1,300."""
    missed: float = bounded(0.0, ge=0, le=1)
    """Share of taps in which the field does not reach the antenna at all."""
    taken_away: float = bounded(0.0, ge=0, le=1)
    """Share of taps that end before their time."""
    held_ms: float = bounded(1500.0, ge=0)
    """Such a tap lasts a random time up to this."""
    collision: float = bounded(0.0, ge=0, le=1)
    """Share of taps in which another card answers at the same time, and the reader selects none."""

    def __post_init__(self) -> None:
        check(self)

    @property
    def bit_error(self) -> float:
        """Probability."""
        return 0.5 * math.erfc(math.sqrt(10 ** (self.margin_db / 10)))

    def frame_error(self, frame_bytes: int) -> float:
        """Probability that a frame of so many bytes, its check of two bytes included, does not pass: nine bits each."""
        return 1.0 - (1.0 - self.bit_error) ** (9 * (frame_bytes + 2))


CALM = Sensing()


def held(holding: Holding, strength: float) -> Sensing:
    """That situation, from 0 (as it should be) to 1 (hardly ever works). Assumed."""
    match holding:
        case Holding.WEAK_FIELD:
            return Sensing(margin_db=12.0 - 5.0 * strength)
        case Holding.CASE:
            return Sensing(margin_db=12.0 - 4.5 * strength, missed=0.4 * strength)
        case Holding.WRONG_PLACE:
            return Sensing(missed=0.9 * strength)
        case Holding.TAKEN_AWAY:
            return Sensing(taken_away=0.9 * strength)
        case Holding.TWO_CARDS:
            return Sensing(collision=0.9 * strength)


class Tap:
    """One tap under way: it says of each frame what becomes of it. ``lasts_ns`` None: as long as is wanted."""

    def __init__(self, sensing: Sensing, rng: Random) -> None:
        self._sensing = sensing
        self._rng = rng
        self.found = rng.random() >= sensing.missed and rng.random() >= sensing.collision
        away = rng.random() < sensing.taken_away
        part = rng.random()
        self.lasts_ns: int | None = round(part * sensing.held_ms * NS / 1000) if away else None

    def passes(self, frame: bytes, since_ns: int) -> Passage:
        """``since_ns``: after the beginning of the tap."""
        if not self.found or (self.lasts_ns is not None and since_ns >= self.lasts_ns):
            return Passage.LOST
        if self._rng.random() >= self._sensing.frame_error(len(frame)):
            return Passage.WHOLE
        return Passage.LOST if self._rng.random() < 0.5 else Passage.DAMAGED


__all__ = ["CALM", "Holding", "Passage", "Sensing", "Tap", "Way", "held", "whole"]
