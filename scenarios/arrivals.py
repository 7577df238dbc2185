"""Who comes when: bands of the day with a rate each, and the moments drawn from them."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Annotated

import pydantic
from pydantic import BaseModel, ValidationInfo

from scenarios.fitting import Moment, TimeOfDay, unfit
from scenarios.mirror import CONFIG
from virtual_devices.checks import Unfit
from virtual_devices.clock import seconds
from virtual_devices.faults import day_seconds

Share = Annotated[float, pydantic.Field(ge=0, le=1)]


class Band(BaseModel):
    """A part of the day with its own rate of arrivals."""

    model_config = CONFIG

    start: Moment
    """Time of day, HH:MM."""
    end: TimeOfDay
    """Time of day, HH:MM."""
    per_hour: Annotated[float, pydantic.Field(ge=0, le=100_000)]
    """Patients an hour, on average."""

    @pydantic.field_validator("end")
    @classmethod
    def _in_order(cls, end: str, info: ValidationInfo) -> str:
        start = info.data.get("start")
        if start is not None and day_seconds(end) <= day_seconds(start):
            raise unfit(Unfit(f"end ({end}) must be later than start ({start})", "end", "start"))
        return end


class Arrivals(BaseModel):
    """Who comes when: a Poisson process whose rate changes over the morning."""

    model_config = CONFIG

    bands: tuple[Band, ...] = (
        Band(start="08:30", end="09:00", per_hour=36), Band(start="09:00", end="10:30", per_hour=44),
        Band(start="10:30", end="11:30", per_hour=30), Band(start="11:30", end="12:00", per_hour=14),
    )
    """The parts of the day in which patients come; nobody comes outside them."""
    booked_share: Share = 0.45
    """Share who booked by telephone or online; they are registered faster and called in first."""


def moments(bands: tuple[Band, ...], midnight_ns: int, rng: Random) -> Iterator[int]:
    """Moments in nanoseconds of a Poisson process with a rate for each band of the day, by thinning."""
    spans = [(midnight_ns + seconds(day_seconds(b.start)), midnight_ns + seconds(day_seconds(b.end)), b.per_hour) for b in bands]
    peak = sum(rate for _, _, rate in spans)  # an upper bound, also where bands overlap
    at_ns, last_ns = min((b[0] for b in spans), default=0), max((b[1] for b in spans), default=0)
    while peak > 0:
        at_ns += max(1, seconds(rng.expovariate(peak / 3600)))
        if at_ns >= last_ns:
            return
        rate = sum(per_hour for start, end, per_hour in spans if start <= at_ns < end)
        if rng.random() * peak < rate:
            yield at_ns


def expected(bands: tuple[Band, ...]) -> float:
    """How many come, on average."""
    return sum((day_seconds(b.end) - day_seconds(b.start)) / 3600 * b.per_hour for b in bands)


__all__ = ["Arrivals", "Band", "expected", "moments"]
