"""A team and its homes, made of their parameters: what the home-visit situation and the district have in common."""

from __future__ import annotations

from typing import Any

from scenarios.home_params import Params
from scenarios.home_team import Coverage, Home, Pace, Team
from scenarios.phones import Air
from scenarios.runner import Steps
from scenarios.site import Site
from scenarios.town import Carrier, Town
from scenarios.trail import Trail
from scenarios.world import World
from virtual_devices.clock import seconds
from virtual_devices.cloud.home_visits import Registers
from virtual_devices.faults import day_seconds
from virtual_devices.home_package import HomePerson


class TownRegisters(Registers):
    """What the data centre knows of the people of the town."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self.known: dict[str, HomePerson] = {}

    def person(self, card_no: str) -> HomePerson | None:
        return self.known.get(card_no)

    def person_by_id(self, id_no: str) -> HomePerson | None:
        return next((person for person in self.known.values() if person.id_no == id_no), None)

    def prescriptions(self, card_no: str, at_ns: int) -> Any:
        domain = self._town.centre.prescriptions
        return [raw for folder in domain.of_holder(card_no) for raw in domain.signed(folder.root)], ()


def make_team(town: Town, site: Site, trail: Trail, params: Params) -> Team:
    """The team, with its mobile line."""
    world, plan = town.world, params.round
    pace = Pace(
        lambda name: plan.travel.draw_ns(world.stream("travel", name)),
        lambda name: plan.visit.draw_ns(world.stream("visit", name)),
        lambda name: plan.question.draw_ns(world.stream("question", name)),
    )
    return Team(
        site, Coverage(town.line(params.mobile, "mobile")), Air(params.camera, params.bluetooth), trail, params.prescribed, pace,
        params.retry_uploads_s, issue_offline=plan.issue_offline, amended_share=plan.amended_share,
        listed_share=plan.listed_share,
    )


def make_homes(town: Town, params: Params) -> list[Home]:
    """The patients of the round, known to the data centre."""
    world, homes = town.world, []
    registers = TownRegisters(town)
    town.centre.home_visits.registers = registers
    for number in range(1, params.round.homes + 1):
        key = f"h{number:05d}"
        rng = world.stream("patient", key, "kind")
        carrier: Carrier = "virtual-card" if rng.random() < params.cards.virtual_share else "ic-card"
        patient = town.patient(key, carrier, params.cards.mix())
        holder = patient.holder
        registers.known[patient.card_no] = HomePerson(
            patient.card_no, holder.name, holder.id_no, holder.birth_roc, holder.sex
        )
        homes.append(Home(f"home {key}", patient, rng.random() >= params.round.no_network_share))
    return homes


def day(world: World, team: Team, homes: list[Home], params: Params) -> Steps[None]:
    """From preparing to having settled everything that can be settled."""
    plan = params.round
    yield world.env.timeout(max(0, _at(world, plan.prepares) - world.clock.now_ns()))
    yield from team.prepare(homes)
    yield world.env.timeout(max(0, _at(world, plan.leaves) - world.clock.now_ns()))
    yield from team.round()
    yield from team.settle()


def _at(world: World, time_of_day: str) -> int:
    return world.midnight_ns + seconds(day_seconds(time_of_day))


__all__ = ["TownRegisters", "day", "make_homes", "make_team"]
