"""A district's day: a clinic's morning, a pharmacy and a home-visit team share patients, prescriptions, one data centre and a
flaky network.

A prescription can be followed from the home visit without a line to the pharmacy's counter and into the data centre.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import Any

import simpy

from scenarios.arrivals import expected
from scenarios.clinic_counters import Visit
from scenarios.clinic_laws import Law
from scenarios.clinic_morning import Morning
from scenarios.district_params import Params
from scenarios.home_round import day, make_homes, make_team
from scenarios.home_team import Home
from scenarios.home_visit import home_laws
from scenarios.pharmacy_answers import Answering
from scenarios.pharmacy_shop import Shop
from scenarios.releases import Releases
from scenarios.rx_laws import laws
from scenarios.site import Site
from scenarios.stations import Service
from scenarios.town import Patient, equipped
from scenarios.trail import Trail
from scenarios.world import World
from virtual_devices.clock import seconds
from virtual_devices.faults import day_seconds
from virtual_devices.trace import LedgerRow, Row, VisitRow
from virtual_devices.uploads.register import Trade

Process = Generator[simpy.Event, Any, None]
SHOWS = (
    "REG-02", "CON-01", "CON-02", "TCA-01", "TCA-02", "PAR-01", "PAR-02", "WBK-01", "HOM-01", "HOM-02", "HOM-04", "HOM-05",
    "HOM-06", "RXS-01", "RXS-02", "RXS-03", "RXS-04", "RXS-05", "UPL-01", "UPL-02", "UPL-03", "OFF-01", "DLG-04",
)
"""Requirements that this situation shows."""
DOUBTS = (
    "Arrivals, service and travel times, coverage, what is prescribed and how often it is doubted are assumed; nobody has "
    "published them for a district here.",
    "The signed prescription, the dispensing record, the home package and the doubt channel are the bench's own profile.",
    "Phones, contactless readers, cameras and Bluetooth are modelled: no radio takes part.",
    "Line and data centre times are assumed; only the line classes (1 and 2 Mbit/s) are known.",
)
"""What a reader of the report should doubt."""


def processes(world: World, params: Params) -> list[Process]:
    """The processes of one replication."""
    made = District(world, params)
    return [made.run(), made.morning.open(), made.morning.arrivals()]


def expected_visits(params: Params) -> float:
    """Visits in one replication, on average: at the clinic, at home, and at the pharmacy of who was prescribed something."""
    clinic, homes = expected(params.clinic.arrivals.bands), params.home.round.homes
    return clinic * (1 + params.released_share) + 2 * homes


class District:
    """The situation in one replication."""

    def __init__(self, world: World, params: Params) -> None:
        self.world, self.params = world, params
        clinic, pharmacy, home = params.clinic, params.pharmacy, params.home
        self.town = town = equipped(world, clinic.acts, clinic.cards.wrong_pin_share, clinic.contact)
        self.trail = Trail(world)
        self.releases = Releases(town, clinic.institution, self.trail, params.prescribed, params.released_share)
        self.morning = Morning(world, clinic, town, self.releases)
        self.morning.gone.append(self._from_clinic)
        self.answering = Answering(town, params.answers, [clinic.institution, home.institution])
        shop = Site(
            town, pharmacy.institution, pharmacy.policy, clinic.contact, town.line(pharmacy.line, "pharmacy"), "pharmacy",
            trade=Trade.PHARMACY, upload_format=pharmacy.upload_format,
        )
        self.shop = Shop(
            shop, pharmacy.stations, pharmacy.field, self.trail, pharmacy.retry_uploads_s,
            dispense_offline=pharmacy.dispense_offline, answered=self.answering.answered,
        )
        team = Site(
            town, home.institution, home.policy, clinic.contact, name="home care", upload_format=home.upload_format,
        )
        self.team = make_team(town, team, self.trail, home)
        self.team.seen.append(self._from_home)
        self.expected = 0  # at the pharmacy, of those who are on their way
        self.stays: list[VisitRow] = []

    # -- who goes to the pharmacy

    def _from_clinic(self, visit: Visit) -> None:
        if visit.id in self.releases.issued:
            self._sent(visit.patient, self.params.way)

    def _from_home(self, home: Home) -> None:
        if home.issued is not None:
            self._sent(home.patient, self.params.collected_after)

    def _sent(self, patient: Patient, way: Service) -> None:
        self.expected += 1
        self.world.env.process(self._walk(patient, way))

    def _walk(self, patient: Patient, way: Service) -> Process:
        world = self.world
        yield world.env.timeout(way.draw_ns(world.stream("patient", patient.key, "way")))
        doubtful = world.stream("patient", patient.key, "doubt").random() < self.params.answers.doubtful_share
        self.expected -= 1
        yield from self.shop.visit(patient.key, patient, doubtful)
        self._maybe_over()

    def _maybe_over(self) -> None:
        """Nobody else will come to the pharmacy: everybody has left clinic and homes, and nobody is on the way."""
        left = self.morning.all_in and len(self.morning.left) == len(self.morning.visits)
        if left and self.team.back and not self.expected:
            self.shop.all_in = True
            self.shop.outbox.wake()

    # -- the day

    def run(self) -> Process:
        """Everybody's day, and the rows of its end."""
        world, team = self.world, self.team
        record = world.record

        def noted(row: Row) -> None:
            if isinstance(row, VisitRow):
                self.stays.append(row)
            record(row)

        world.record = noted
        homes = make_homes(self.town, self.params.home)
        outboxes = [world.env.process(team.outbox.to_the_end()), world.env.process(self._pharmacy())]
        yield from day(world, team, homes, self.params.home)
        yield self.morning.over
        self._maybe_over()
        yield world.env.all_of(outboxes)
        self.town.centre.delete_due(world.clock.now_ns())  # the night: nobody's prescription is over its years on its first day
        world.record = record
        world.record_windows()
        for law, left, right in self._laws():
            world.record(LedgerRow(world.replication, law, left, right, left == right))

    def _pharmacy(self) -> Process:
        world = self.world
        opens_ns = world.midnight_ns + seconds(day_seconds(self.params.pharmacy.opens))
        yield world.env.timeout(max(0, opens_ns - world.clock.now_ns()))
        yield from self.shop.open()
        yield from self.shop.outbox.to_the_end()

    def _laws(self) -> list[Law]:
        issued = [*self.releases.issued.values(), *(home.issued for home in self.team.homes if home.issued is not None)]
        drawers = [self.releases.drawer, self.shop.drawer, self.team.drawer]
        return [
            *(_of("clinic", law) for law in self.morning.laws()),
            *(_of("pharmacy", law) for law in self.shop.laws()),
            *(_of("home care", law) for law in home_laws(self.team, self.town)[:3]),
            *laws(self.town.centre.prescriptions, issued, self.shop.given, drawers),
            ("visits = visits of people who were in one place at a time", len(self.stays),
             len(self.stays) - _in_two_places(self.stays)),
            ("sequence numbers told = different sequence numbers of a card", *self._numbers()),
        ]

    def _numbers(self) -> tuple[int, int]:
        numbered = [(r.card_no, r.visited_at[:3], r.sequence) for r in self.town.core.records if r.sequence]
        return len(numbered), len(set(numbered))


def _of(where: str, law: Law) -> Law:
    name, left, right = law
    return f"{where}: {name}", left, right


def _in_two_places(stays: list[VisitRow]) -> int:
    """Visits that begin before the same person's former one has ended."""
    last: Counter[str] = Counter()
    found = 0
    for stay in sorted(stays, key=lambda row: (row.arrived_ns, row.left_ns)):
        found += stay.arrived_ns < last[stay.patient]
        last[stay.patient] = max(last[stay.patient], stay.left_ns)
    return found


__all__ = ["Params", "processes"]
