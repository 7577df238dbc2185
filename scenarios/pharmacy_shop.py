"""A pharmacy in one replication: its counters with their queues, and everybody's way through them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from pydantic import BaseModel

from scenarios.clinic_laws import UPLOADED, Law, each, told, uploaded
from scenarios.mirror import CONFIG
from scenarios.outbox import Outbox
from scenarios.pharmacy_counter import Answered, PharmacyCounter, Visitor
from scenarios.runner import Steps
from scenarios.site import Site
from scenarios.stations import Service, Staffed, Station
from scenarios.switching import switch_on
from scenarios.town import Patient
from scenarios.trail import Trail
from scenarios.visit_rows import visit_row
from scenarios.world import Workplace
from virtual_devices.pki import Role
from virtual_devices.radio import Field
from virtual_devices.reader.desk import Institution
from virtual_devices.reader.dispensing import Dispensed
from virtual_devices.reader.prescription_desk import Drawer, RxPolicy
from virtual_devices.reader.transmit import Ended

JOURNEY = ("reception", "preparation", "hand_over")


class Stations(BaseModel):
    """The pharmacy's counters. Times are people's times, device time comes on top. Assumed, not measured anywhere."""

    model_config = CONFIG

    reception: Staffed = Staffed(staff=2, service=Service(median_s=70, p95_s=180))
    """The card or phone is read, the prescription checked, the dispensing signed."""
    preparation: Staffed = Staffed(staff=2, service=Service(median_s=180, p95_s=480))
    """The medicine is made ready; the card is not used."""
    hand_over: Staffed = Staffed(staff=1, service=Service(median_s=60, p95_s=170))
    """The medicine is explained and handed over, and signed for where it must be."""


class Shop:
    """One pharmacy. ``answered``: who answers its doubts."""

    def __init__(
        self, site: Site, stations: Stations, field: Field, trail: Trail, retry_s: float, *, dispense_offline: bool,
        answered: Answered,
    ) -> None:
        world = self.world = site.world
        self.site = site
        self.drawer = Drawer(RxPolicy(dispense_offline=dispense_offline))
        self.office = site.workplace("office")
        self.outbox = Outbox(site, self.office, retry_s, self._over, self.drawer, trail)
        self.counter = PharmacyCounter(site, self.drawer, trail, field, self.outbox)
        self.stations = {name: self._station(name, getattr(stations, name)) for name in JOURNEY}
        self.places = {name: self._desks(name, getattr(stations, name).staff) for name in ("reception", "hand_over")}
        self.ready = world.env.event()
        self.all_in = False
        self.visits: list[Visitor] = []
        self.left: Counter[str] = Counter()
        self._answered = answered

    def _station(self, name: str, staffed: Staffed) -> Station:
        world = self.world
        return Station(self._called(name), staffed, world.env, world.clock, world.record, world.replication)

    def _called(self, name: str) -> str:
        return f"{self.site.name} {_words(name)}".strip()

    def _desks(self, name: str, count: int) -> list[Workplace]:
        return [self.site.workplace(f"{_words(name)} {number + 1}", Role.PHARMACIST) for number in range(count)]

    @property
    def institution(self) -> Institution:
        return self.site.institution

    @property
    def given(self) -> list[Dispensed]:
        """What was dispensed."""
        return [visitor.dispensed for visitor in self.visits if visitor.dispensed is not None]

    def laws(self) -> list[Law]:
        """What must be equal when everybody has left."""
        institution = self.institution
        given = Counter(visitor.id for visitor in self.visits if visitor.dispensed is not None and not visitor.returned)
        return [
            ("people who came = people who left, each once", *each(Counter(v.id for v in self.visits), self.left)),
            ("people given something = records made, one each", *each(given, told(institution))),
            (UPLOADED, *uploaded(institution, self.site.town.core)),
        ]

    def _over(self) -> bool:
        return self.all_in and len(self.left) == len(self.visits)

    def open(self) -> Steps[None]:
        """Switch on: every SAM proves itself to the data centre, every pharmacist inserts their card."""
        for place in [*(p for places in self.places.values() for p in places), self.office]:
            yield from self.world.perform(switch_on(place), "open", place)
        self.ready.succeed()

    def visit(self, key: str, patient: Patient, doubtful: bool) -> Steps[None]:
        """Somebody's way through the counters, and the row when they leave."""
        world = self.world
        visitor = Visitor(f"rx {key}", patient, world.clock.now_ns(), doubtful)
        self.visits.append(visitor)
        yield self.ready
        try:
            for name in JOURNEY:
                rng = world.stream("patient", key, "pharmacy", name)
                yield from self.stations[name].serve(visitor.id, rng, self._work(name, visitor))
        except Ended as e:
            visitor.outcome, visitor.code = ("gave-up" if e.torn else "refused"), e.code
        self.left[visitor.id] += 1
        world.record(visit_row(
            world, visitor.id, patient, visitor.tally, arrived_ns=visitor.arrived_ns, outcome=visitor.outcome, code=visitor.code,
            online=visitor.dispensed is not None and visitor.dispensed.online,
        ))
        self.outbox.wake()

    def _work(self, name: str, visitor: Visitor) -> Callable[[int, int], Steps[None]]:
        def work(place: int, service_ns: int) -> Steps[None]:
            yield self.world.env.timeout(service_ns)
            if name == "reception":
                yield from self.counter.receive(visitor, self.places[name][place], self._answered)
            elif name == "hand_over":
                yield from self.counter.hand_over(visitor, self.places[name][place])

        return work


def _words(name: str) -> str:
    return name.replace("_", " ")


__all__ = ["Shop", "Stations"]
