"""Counters with staff and a queue: where patients wait, and the one stage row that each leaves behind."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Annotated, Literal

import pydantic
import simpy
from pydantic import BaseModel, ValidationInfo

from scenarios.fitting import unfit
from scenarios.mirror import CONFIG
from scenarios.runner import SimClock, Steps, T
from virtual_devices.checks import Unfit
from virtual_devices.clock import seconds
from virtual_devices.network import Z95
from virtual_devices.trace import Record, StageRow


class Service(BaseModel):
    """How long one patient takes, device time not included: log-normal by median and 95th percentile, or exponential."""

    model_config = CONFIG

    law: Literal["lognormal", "exponential"] = "lognormal"
    """Which law: lognormal takes median_s and p95_s, exponential mean_s."""
    median_s: Annotated[float, pydantic.Field(gt=0)] = 60.0
    """Median of the log-normal law."""
    p95_s: Annotated[float, pydantic.Field(gt=0, validate_default=True)] = 180.0
    """95th percentile of the log-normal law."""
    mean_s: Annotated[float, pydantic.Field(gt=0)] = 60.0
    """Mean of the exponential law."""

    @pydantic.field_validator("p95_s")
    @classmethod
    def _in_order(cls, p95_s: float, info: ValidationInfo) -> float:
        median_s = info.data.get("median_s", p95_s)
        if p95_s < median_s:
            raise unfit(Unfit(f"p95_s ({p95_s:g}) must be at least median_s ({median_s:g})", "p95_s", "median_s"))
        return p95_s

    def draw_ns(self, rng: Random) -> int:
        if self.law == "exponential":
            return seconds(rng.expovariate(1.0 / self.mean_s))
        sigma = math.log(self.p95_s / self.median_s) / Z95
        return seconds(self.median_s * math.exp(sigma * rng.gauss(0.0, 1.0)))


class Staffed(BaseModel):
    """A station: how many people serve there, and how long one patient takes."""

    model_config = CONFIG

    staff: Annotated[int, pydantic.Field(ge=1, le=1000)] = 1
    """How many people serve there, each one patient at a time."""
    service: Service = pydantic.Field(default_factory=Service)
    """How long one patient takes, device time not included."""


class Station:
    """A station in one replication. Patients are served in the order of their coming; a lower ``urgency`` goes first."""

    def __init__(self, name: str, staffed: Staffed, env: simpy.Environment, clock: SimClock, record: Record, replication: int):
        self.name = name
        self._service = staffed.service
        self._env = env
        self._clock = clock
        self._record = record
        self._replication = replication
        self._staff = simpy.PriorityResource(env, capacity=staffed.staff)
        self._places = list(range(staffed.staff))[::-1]

    def serve(self, visit: str, rng: Random, work: Callable[[int, int], Steps[T]], urgency: int = 0) -> Steps[T]:
        """Queue, then have ``work(place, service_ns)`` done by one of the staff; ``place`` tells the workplaces apart."""
        joined_ns = self._clock.now_ns()
        service_ns = self._service.draw_ns(rng)
        with self._staff.request(priority=urgency) as turn:
            yield turn
            place = self._places.pop()
            began_ns = self._clock.now_ns()

            def done() -> None:
                self._record(StageRow(self._replication, visit, self.name, joined_ns, began_ns, self._clock.now_ns()))

            try:
                result: T = yield from work(place, service_ns)
            except Exception:  # not GeneratorExit: a run that is broken off has no end of this stage
                done()
                raise
            finally:
                self._places.append(place)
            done()
        return result
