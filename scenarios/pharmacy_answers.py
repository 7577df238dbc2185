"""Doubts of pharmacists (疑義處方), and the physicians who answer them behind the scene when they have time."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import simpy
from pydantic import BaseModel

from scenarios.mirror import CONFIG
from scenarios.offstage import Offstage
from scenarios.prescriptions import Share
from scenarios.stations import Service
from scenarios.town import Town
from virtual_devices.prescription.acts import Decision, Query
from virtual_devices.reader.prescribing import answer


class Answers(BaseModel):
    """The pharmacist's doubts and the physician's answers. Assumed."""

    model_config = CONFIG

    doubtful_share: Share = 0.04
    """Share of prescriptions about which the pharmacist asks (疑義處方)."""
    after: Service = Service(median_s=420, p95_s=1800)
    """How long the physician takes to answer."""
    confirmed_share: Share = 0.75
    """Share of doubts that the physician confirms as written; the others are withdrawn by the pharmacist after a call."""


class Answering:
    """One physician at each of these institutions. ``Offstage`` clocks go forward only, as queries come."""

    def __init__(self, town: Town, answers: Answers, institutions: Sequence[str]) -> None:
        self._town, self._answers = town, answers
        self._physicians = {code: Offstage(town, code, f"clinic {code}") for code in institutions}

    def physician(self, institution: str) -> Offstage:
        """Who answers for it, and has prescribed there before."""
        return self._physicians[institution]

    def answered(self, query: Query) -> simpy.Event:
        """An event that comes when the physician has answered."""
        event = self._town.world.env.event()
        self._town.world.env.process(self._answer(query, event))
        return event

    def _answer(self, query: Query, event: simpy.Event) -> Generator[simpy.Event, Any, None]:
        world = self._town.world
        rng = world.stream("answer", query.id.hex())
        yield world.env.timeout(self._answers.after.draw_ns(rng))
        standing = self._town.centre.prescriptions.standing(query.about.root)
        assert standing is not None
        physician = self.physician(standing.rx.institution)
        text = "as written" if rng.random() < self._answers.confirmed_share else "as written; told by telephone"
        flow = answer(physician.place.desk, physician.drawer, query, Decision.CONFIRM, physician.hpc, text)
        physician.run(flow, world.clock.now_ns())
        event.succeed()


__all__ = ["Answering", "Answers"]
