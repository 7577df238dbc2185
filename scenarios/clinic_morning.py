"""One morning of one clinic: registration, case preparation, consultation, pricing, collection of medicines.

Every card exchange is played: each byte and each signature, on reference devices or on real ones. A share of the patients
comes with a virtual card on a phone, and taps where the others put in their card.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from typing import Any

import simpy

from scenarios.arrivals import expected, moments
from scenarios.clinic_counters import Counters, Visit
from scenarios.clinic_laws import Law, laws
from scenarios.clinic_params import Params
from scenarios.outbox import Outbox
from scenarios.releases import Releases
from scenarios.runner import Steps
from scenarios.site import Site
from scenarios.stations import Station
from scenarios.switching import switch_on
from scenarios.town import Town, equipped
from scenarios.visit_rows import visit_row
from scenarios.world import Workplace, World
from virtual_devices.clock import seconds
from virtual_devices.faults import day_seconds
from virtual_devices.pki import Role
from virtual_devices.reader.transmit import Ended
from virtual_devices.trace import LedgerRow, VisitRow

Process = Generator[simpy.Event, Any, None]
SHOWS = ("REG-02", "CON-01", "CON-02", "TCA-01", "TCA-02", "PAR-01", "PAR-02", "WBK-01", "UPL-01", "UPL-02", "UPL-03", "OFF-01",
         "DLG-04")
"""Requirements that this situation shows."""
DOUBTS = (
    "Service times, arrivals and the mix of cards are assumed; nobody has published them for a clinic here.",
    "No reading time of the card has been published: chip and reader times are assumed (params.contact).",
    "Everything beyond the public read of the card is the bench's own profile: the real protocol is not public.",
    "Phones and contactless readers are modelled: their times and the share of failed taps are assumed (params.field).",
    "Line and data centre times are assumed; only the line classes (1 and 2 Mbit/s) are known.",
)
"""What a reader of the report should doubt."""


def processes(world: World, params: Params) -> list[Process]:
    """The processes of one replication."""
    morning = Morning(world, params)
    return [morning.open(), morning.arrivals(), morning.close()]


def expected_visits(params: Params) -> float:
    """Patients in one replication, on average."""
    return expected(params.arrivals.bands)


class Morning:
    """The situation in one replication."""

    def __init__(self, world: World, params: Params, town: Town | None = None, releases: Releases | None = None) -> None:
        """``town``: whose clinic it is, when it is not alone; ``releases``: its prescriptions for a pharmacy."""
        self.world = world
        self.params = params
        env, clock, record = world.env, world.clock, world.record
        self.town = town or equipped(world, params.acts, params.cards.wrong_pin_share, params.contact)
        self.clinic = Site(
            self.town, params.institution, params.policy, params.contact, upload_format=params.upload_format,
        )
        self.counters = Counters(world, self.clinic, params, releases)
        self.gone: list[Callable[[Visit], None]] = []
        """Told of everybody who leaves."""
        self.stations = {
            name: Station(name, getattr(params.stations, name), env, clock, record, world.replication)
            for name in params.journey
        }
        self.places: dict[str, list[Workplace]] = {}
        self.office: Workplace | None = None
        if params.cards.exchanged:
            for name in ("registration", "consultation", "pricing"):
                professional = Role.PHYSICIAN if name == "consultation" else None
                staff = getattr(params.stations, name).staff
                self.places[name] = [self.clinic.workplace(f"{name} {i + 1}", professional) for i in range(staff)]
            self.office = self.clinic.workplace("office")
            physician = self.places["consultation"][0].hpc
            self.counters.physician = "" if physician is None else physician.image.professional_id
        self.ready = env.event()
        self.all_in = False
        self.left: Counter[str] = Counter()  # by visit
        self.visits: list[Visit] = []
        drawer, trail = (None, None) if releases is None else (releases.drawer, releases.trail)
        self.outbox = Outbox(self.clinic, self.office, params.retry_uploads_s, self._over, drawer, trail, self.counters.mend)
        self.over = env.event()
        """Everybody has left and nothing waits, or the horizon is reached."""

    def _at(self, time_of_day: str) -> int:
        return self.world.midnight_ns + seconds(day_seconds(time_of_day))

    def open(self) -> Process:
        """Switch on: every SAM proves itself to the data centre, every professional inserts their card."""
        world = self.world
        yield world.env.timeout(self._at(self.params.opens) - world.clock.now_ns())
        for place in [p for places in self.places.values() for p in places]:
            yield from world.perform(switch_on(place), "open", place)
        if self.office is not None:
            yield from world.perform(switch_on(self.office), "open", self.office)
        world.env.process(self.to_the_end())
        self.ready.succeed()

    def _over(self) -> bool:
        return self.all_in and len(self.left) == len(self.visits)

    def to_the_end(self) -> Process:
        """Send records as they come, until everybody has left and nothing waits; then the rows of the end."""
        yield from self.outbox.to_the_end()
        self.over.succeed()

    def arrivals(self) -> Process:
        """Everybody who comes, each at their moment."""
        world = self.world
        for at_ns in moments(self.params.arrivals.bands, world.midnight_ns, world.stream("arrivals")):
            yield world.env.timeout(at_ns - world.clock.now_ns())
            world.env.process(self.visit(self._arrive()))
        self.all_in = True
        self.outbox.wake()

    def _arrive(self) -> Visit:
        world, number = self.world, len(self.visits) + 1
        key = f"p{number:05d}"
        cards, booked_share = self.params.cards, self.params.arrivals.booked_share
        if cards.exchanged:
            rng = world.stream("patient", key, "kind")
            booked, virtual = rng.random() < booked_share, rng.random() < cards.virtual_share
            patient = self.town.patient(key, "virtual-card" if virtual else "ic-card", cards.mix())
        else:
            booked = booked_share > 0 and world.stream("patient", key, "kind").random() < booked_share
            patient = self.town.nobody(key)
        visit = Visit(f"v{number:05d}", patient, booked, world.clock.now_ns())
        self.visits.append(visit)
        return visit

    def visit(self, visit: Visit) -> Process:
        """The patient's way through the stations, and the row when they leave."""
        yield self.ready
        for name in self.params.journey:
            rng = self.world.stream("patient", visit.patient.key, name)
            urgency = 0 if visit.booked and name == "consultation" else 1
            try:
                yield from self.stations[name].serve(visit.id, rng, self._work(name, visit), urgency)
            except Ended as e:
                visit.outcome, visit.code = ("gave-up" if e.torn else "refused"), e.code
                break
            self.outbox.wake()
        if self.office is not None:
            self.counters.hand_over(visit, self.office)  # a visit begun is told of, however it ended
        self.left[visit.id] += 1
        self.world.record(self._row(visit))
        for told in self.gone:
            told(visit)
        self.outbox.wake()

    def _work(self, name: str, visit: Visit) -> Any:
        def work(place: int, service_ns: int) -> Steps[None]:
            if name in self.places:
                yield from self.counters.at(name, visit, self.places[name][place], service_ns)
            else:
                yield self.world.env.timeout(service_ns)

        return work

    # -- the end

    def close(self) -> Process:
        """The rows of the end: outages, and what must be equal."""
        yield self.over
        self.world.record_windows()
        for law, left, right in self.laws():
            self.world.record(LedgerRow(self.world.replication, law, left, right, left == right))

    def laws(self) -> list[Law]:
        """What must be equal when everybody has left."""
        return laws(self.visits, self.left, self.clinic.institution, self.town.core, self.clinic.visits_on)

    def _row(self, visit: Visit) -> VisitRow:
        registered = visit.registered
        return visit_row(
            self.world, visit.id, visit.patient, visit.tally, arrived_ns=visit.arrived_ns, outcome=visit.outcome, code=visit.code,
            sequence=registered.sequence if registered is not None else self.counters.abnormal_code(visit), booked=visit.booked,
            online=bool(registered is not None and registered.identifier),
        )


__all__ = ["Params", "processes"]
