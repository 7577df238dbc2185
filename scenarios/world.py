"""What a situation acts in: one replication's time, random streams, devices, faults and records.

A situation calls ``world.perform`` for flows at a workplace and ``world.contact`` for what needs the patient's card. It
knows no driver: where a card is put is a :class:`CardSeat`, by default a modelled reader at each workplace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

import simpy

from scenarios.files import Scenario
from scenarios.runner import SimClock, Steps, T, perform
from virtual_devices.card.ic_card import IcCard
from virtual_devices.clock import TAIWAN, from_datetime, seconds, to_datetime
from virtual_devices.faults import FaultyLink, Injector, Strike
from virtual_devices.flow import Ask, Flow, People, Session
from virtual_devices.hpc.hpc import Hpc
from virtual_devices.link import Link
from virtual_devices.network import Contact, ContactMedium, ModelledLink
from virtual_devices.randomness import stream
from virtual_devices.reader.calls import cloud_status
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.transmit import Ended, Handle, chip_status
from virtual_devices.sam.sam import Sam
from virtual_devices.trace import FaultRow, Record

CARRIERS = ("card", "wallet")  # what a patient brings
REINSERTIONS = 3  # how often a clerk puts a card in again before giving up


class CardSeat(Protocol):
    """Where patients' cards are put."""

    @property
    def shared(self) -> bool:
        """True when there is one slot for everybody, so that a card must leave it between two steps."""
        ...

    def insert(self, card: IcCard, visit: str) -> Link:
        """Put the card in and give the link to it. What the slot does is the link's affair: it may lead nowhere. LinkError
        only when the run cannot go on, because a device that was asked for by name did not come back."""
        ...

    def remove(self, card: IcCard, visit: str) -> IcCard:
        """Take the card out: the card as it is now."""
        ...

    def close(self) -> None:
        """Let go of the slot."""
        ...


class ModelledSeat:
    """A reader at every workplace, modelled; the card is the reference card itself."""

    def __init__(self, contact: Contact, world: World) -> None:
        self.shared = False
        self._contact = contact
        self._world = world
        self._insertions: Counter[str] = Counter()

    def insert(self, card: IcCard, visit: str) -> Link:
        self._insertions[visit] += 1
        rng = self._world.stream("contact", visit, self._insertions[visit])
        return ModelledLink(card, ContactMedium(self._contact, rng), self._world.clock)

    def remove(self, card: IcCard, visit: str) -> IcCard:
        card.power_off()
        return card

    def close(self) -> None:
        return


SeatMaker = Callable[["World", Contact], CardSeat]


class Around(Protocol):
    """What the rig does round the sessions of one replication."""

    def place(self, links: dict[str, Link]) -> dict[str, Link]:
        """The media of a session that is about to begin, before faults strike on them: the same, or others in their places."""
        ...

    def links(self, links: dict[str, Link], desk: str, flow: str, visit: str) -> dict[str, Link]:
        """The links of a session that is about to begin, faults and all: the same, or others in their places."""
        ...

    def close(self) -> None: ...


AroundMaker = Callable[["World"], Around]


class NothingAround:
    """Sessions are as the situation makes them."""

    def place(self, links: dict[str, Link]) -> dict[str, Link]:
        return links

    def links(self, links: dict[str, Link], desk: str, flow: str, visit: str) -> dict[str, Link]:
        return links

    def close(self) -> None:
        return


@dataclass(slots=True)
class Workplace:
    """A desk with the devices that stay there."""

    desk: Desk
    sam: Sam
    sam_link: Link
    hpc: Hpc | None = None
    hpc_link: Link | None = None
    hpc_handle: Handle | None = None
    cloud_link: Link | None = None  # the institution's own line; the world's when there is none


@dataclass(slots=True)
class Tally:
    """What the flows of one visit have cost so far."""

    card_ns: int = 0
    cloud_ns: int = 0
    attempts: int = 0
    retries: int = 0
    devices: set[str] = field(default_factory=set)
    provenances: set[str] = field(default_factory=set)


class World:
    """One replication."""

    def __init__(
        self, env: simpy.Environment, scenario: Scenario, replication: int, record: Record, *, epoch_ns: int, seat: SeatMaker,
        around: AroundMaker = lambda _: NothingAround(),
    ) -> None:
        self.env = env
        self.scenario = scenario
        self.replication = replication
        self.record = record
        self.clock = SimClock(env, epoch_ns)
        self.epoch_ns = epoch_ns
        self.midnight_ns = midnight_ns(epoch_ns)
        self.horizon_ns = epoch_ns + seconds(scenario.run.horizon_h * 3600)  # nothing new is begun after it
        self.injector = Injector(scenario.fault, self.midnight_ns, self.stream("faults"))
        self._make_seat = seat
        self._around = around(self)
        self.slot = simpy.Resource(env, capacity=1)
        self._sessions = 0

    def equip(self, people: People, cloud_link: Link, contact: Contact) -> None:
        """What the situation brings: its people, its line to the data centre, and the model of its readers."""
        self.people = people
        self.cloud_link = cloud_link
        self.seat = self._make_seat(self, contact)

    def close(self) -> None:
        """The replication is over: let go of what the seat and the rig hold."""
        seat = getattr(self, "seat", None)
        try:
            if seat is not None:
                seat.close()
        finally:
            self._around.close()

    def stream(self, *names: object) -> Random:
        """A random stream of this replication: ``seed/replication/...``."""
        return stream(self.scenario.run.seed, self.replication, *names)

    # -- flows

    def perform(
        self, flow: Flow[T], name: str, place: Workplace, *, visit: str = "", tally: Tally | None = None,
        extra: dict[str, Link] | None = None, ended: Callable[[T], str] = lambda _: "retried", people: People | None = None,
    ) -> Steps[T]:
        """Run a flow at a workplace. ``ended`` says of the result how a fault that struck was overcome; ``people``: who is asked,
        where it is not the situation's people."""
        self._sessions += 1
        strikes: list[Strike] = []
        links: dict[str, Link] = {"sam": place.sam_link, "cloud": place.cloud_link or self.cloud_link, **(extra or {})}
        if place.hpc_link is not None:
            links["hpc"] = place.hpc_link
        links = self._around.place(links)
        faulty = {role: self._faulty(role, link, strikes) for role, link in links.items()}
        faulty = self._around.links(faulty, place.desk.name, name, visit)
        if tally is not None:
            for link in (faulty[role] for role in CARRIERS if role in faulty):
                tally.devices.add(link.device)
                tally.provenances.add(link.provenance.value)
        session = Session(
            links=faulty, clock=self.clock, people=people or self.people, record=self.record, replication=self.replication,
            visit=visit, name=f"{place.desk.name}/{self._sessions}", flow=name, status=read_status,
        )
        try:
            result = yield from perform(self.env, flow, session)
        except Ended as e:
            self._settle(strikes, session, "retried" if e.torn else "refused")
            raise
        finally:
            if tally is not None:
                tally.card_ns += session.card_ns
                tally.cloud_ns += session.cloud_ns
                tally.attempts += session.attempts
        self._settle(strikes, session, ended(result))
        return result

    def _faulty(self, role: str, link: Link, strikes: list[Strike]) -> Link:
        if not self.injector.for_role(role):
            return link
        device = getattr(link, "tearable", None)
        return FaultyLink(link, role, self.injector, self.clock, strikes, device)

    def _settle(self, strikes: list[Strike], session: Session, ended: str) -> None:
        for strike in strikes:
            fault = strike.fault
            self.record(
                FaultRow(
                    self.replication, fault.id, fault.kind, fault.on, session.visit, session.name, strike.at_ns, strike.at_ns,
                    fault.code(), ended,
                )
            )

    def record_windows(self) -> None:
        """One row for each outage of the scenario, whether it struck anybody or not."""
        for fault, start_ns, end_ns in self.injector.windows():
            self.record(
                FaultRow(
                    self.replication, fault.id, fault.kind, fault.on, "", "", start_ns, end_ns, fault.code(), "window"
                )
            )


class CardContact:
    """A patient's card at a workplace, from going in to coming out, with the rule for putting it in again."""

    def __init__(self, world: World, place: Workplace, card: IcCard, visit: str, tally: Tally) -> None:
        self._world = world
        self._place = place
        self._visit = visit
        self._tally = tally
        self._link: Link | None = None
        self._handle: Handle | None = None
        self.card = card

    def run(
        self, name: str, flow_of: Callable[[Handle | None], Flow[T]], handle_of: Callable[[T], Handle | None] = lambda _: None,
        ended: Callable[[T], str] = lambda _: "retried",
    ) -> Steps[T]:
        """Run ``flow_of(handle)``; a handle of None means that the card must be opened first.

        A card that was torn out or fell silent is put in again, ``REINSERTIONS`` times at most. Raises Ended when that did not
        help, or the flow refuses.
        """
        world = self._world
        for number in range(REINSERTIONS + 1):
            shared = world.seat.shared
            turn = world.slot.request() if shared else None
            try:
                if turn is not None:
                    yield turn
                link = self._put_in()
                extra = {"card": link}
                result = yield from world.perform(
                    flow_of(self._handle), name, self._place, visit=self._visit, tally=self._tally, extra=extra, ended=ended,
                )
                self._handle = handle_of(result)
                return result
            except Ended as e:
                self.take_out()
                if not e.torn or number == REINSERTIONS:
                    raise
                self._tally.retries += 1
            finally:
                if turn is not None:
                    self.take_out()
                    world.slot.release(turn)
            yield from world.perform(asked("clerk", "insert card again"), name, self._place, visit=self._visit)
        raise AssertionError("unreachable")

    def _put_in(self) -> Link:
        if self._link is None:
            self._link = self._world.seat.insert(self.card, self._visit)
        return self._link

    def take_out(self) -> None:
        """Remove the card; the next flow must open it again."""
        if self._link is not None:
            self.card = self._world.seat.remove(self.card, self._visit)
        self._link = None
        self._handle = None


def asked(person: str, act: str) -> Flow[None]:
    """Somebody does something, and there is a row of it."""
    yield Ask(person, act)


def read_status(role: str, request: bytes, reply: bytes) -> str:
    """Status word or return code of a reply, for its row."""
    if role == "cloud":
        return cloud_status(reply)
    return "" if role == "wallet" else chip_status(role, request, reply)


def midnight_ns(at_ns: int) -> int:
    """Midnight in Taiwan of the day of this moment."""
    local = to_datetime(at_ns).astimezone(TAIWAN)
    return from_datetime(local.replace(hour=0, minute=0, second=0, microsecond=0))
