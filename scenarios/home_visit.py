"""A home-visit team's day: prepared, on the round with and without a line, prescriptions onto patients' phones, corrected within
24 hours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import Any

import simpy

from scenarios.clinic_laws import UPLOADED, each, told, uploaded
from scenarios.home_params import Params
from scenarios.home_round import day, make_homes, make_team
from scenarios.rx_laws import laws
from scenarios.site import Site
from scenarios.town import Town, equipped
from scenarios.trail import Trail
from scenarios.world import World
from virtual_devices.trace import LedgerRow

Process = Generator[simpy.Event, Any, None]
SHOWS = ("HOM-01", "HOM-02", "HOM-04", "HOM-05", "HOM-06", "RXS-01", "RXS-05", "OFF-01", "UPL-01", "UPL-03", "BLE-01", "WBK-01",
         "DLG-04")
"""Requirements that this situation shows."""
DOUBTS = (
    "What is on the lists taken along, how often it is enough, and how long a question takes are assumed.",
    "Travel and visit times, coverage and the mix of cards are assumed; nobody has published them.",
    "Bluetooth and the camera are link models (params.bluetooth, params.camera): no radio takes part.",
    "The home package, the signed prescription and its amendment are the bench's own profile: no real ones are public.",
    "Line and data centre times are assumed; only the line classes (1 and 2 Mbit/s) are known.",
)
"""What a reader of the report should doubt."""


def processes(world: World, params: Params) -> list[Process]:
    """The processes of one replication."""
    made = HomeDay(world, params)
    return [made.run()]


def expected_visits(params: Params) -> float:
    """Patients in one replication."""
    return params.round.homes


class HomeDay:
    """The situation in one replication."""

    def __init__(self, world: World, params: Params) -> None:
        self.world, self.params = world, params
        self.town = equipped(world, params.acts, params.cards.wrong_pin_share, params.contact)
        site = Site(
            self.town, params.institution, params.policy, params.contact, upload_format=params.upload_format,
        )
        self.team = make_team(self.town, site, Trail(world), params)

    def run(self) -> Process:
        """The whole day, and the rows of its end."""
        world, team = self.world, self.team
        homes = make_homes(self.town, self.params)
        sending = world.env.process(team.outbox.to_the_end())
        yield from day(world, team, homes, self.params)
        yield sending
        world.record_windows()
        for law, left, right in home_laws(team, self.town):
            world.record(LedgerRow(world.replication, law, left, right, left == right))


def home_laws(team: Any, town: Town) -> list[tuple[str, int, int]]:
    """What must be equal when the team has settled its day."""
    institution = team.site.institution
    begun = Counter(home.id for home in team.homes if home.registered is not None)
    records = told(institution)
    issued = [home.issued for home in team.homes if home.issued is not None]
    return [
        ("homes on the round = homes left, each once", *each(Counter(home.id for home in team.homes), team.left)),
        ("home visits begun = records made, one each", *each(begun, {name: records[name] for name in begun})),
        (UPLOADED, *uploaded(institution, town.core)),
        *laws(town.centre.prescriptions, issued, [], [team.drawer]),
    ]


__all__ = ["Params", "processes"]
