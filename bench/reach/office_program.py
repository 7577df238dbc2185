"""A clinic's or a pharmacy's software that is tried from outside: a program of its maker's does what the people at the desk do;
at a clinic's, persons do who are told so (:mod:`bench.reach.office_hands`).

It is told where our data centre is, and a desk of ours (control software, and slots with chips); what becomes of the line, which
chips are in the slots and what other institutions do, the bench does itself. It goes by the bench's clock (``now_ms``), or, where
the PIXIT says so, by the machine's; then time passes by waiting only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.clock import WallClock
from bench.hands import Typist
from bench.monikers import Kind as Medium
from bench.monikers import Moniker
from bench.reach import NOBODY, Means
from bench.reach.lent_desk import FIELD, FREE, LentDesk
from bench.reach.office_desk import InReaders, Lent, Slots
from bench.reach.office_hands import PersonAtDesk
from bench.reach.office_people import MACHINE, MS_NS, Around, ProgramClinic, ProgramOffice, ProgramPharmacy
from bench.reach.program import ProgramWay
from bench.reach.served_centre import ServedCentre, address
from bench.reach.software_outside import text
from bench.reach.virtual import world_of
from bench.sample_phone import phone_epoch_ns
from conformance.case import Kind
from conformance.kinds import Suite
from conformance.offices import OfficeTester
from conformance.tester import CannotShow, Tester
from conformance.town import clinic, pharmacy
from conformance.vectors.world import World
from virtual_devices.clock import Clock, VirtualClock
from virtual_devices.errors import LinkError
from virtual_devices.pki import Authority

BY_HAND = "hands"
"""The channel of software whose people are persons."""


class OfficeProgram(ProgramWay):
    """``program:COMMAND``; of a clinic also ``hands``."""

    def __init__(self, suite: Suite, found: Sequence[Moniker], channel: str, means: Means) -> None:
        super().__init__(suite, found, channel, means)
        self._by_hand = found[0].kind is Medium.HANDS
        self._centre: ServedCentre | None = None
        self._desk: LentDesk | None = None
        self._slots: Slots | None = None
        self._office: ProgramOffice | None = None

    @classmethod
    def channels(cls, suite: Suite, found: Sequence[Moniker]) -> tuple[str, ...]:
        by_hand = suite.kind is Kind.CLINIC and [one.kind for one in found] == [Medium.HANDS]
        return (BY_HAND,) if by_hand else super().channels(suite, found)

    def tester(self, name: str, *, anew: bool = False) -> Tester:
        del anew  # each is
        people = self._people() if self._by_hand else self.program
        in_readers = self.means.answers.get("slots") == "pcsc"  # chips in presenters live by the machine's clock
        if in_readers or self._by_hand or self.means.answers.get("clock") == MACHINE:
            clock: Clock = WallClock()
            world = world_of_now(self.means.seed, clock.now_ns() // MS_NS * MS_NS)
        else:
            world = world_of(self.means.seed)
            clock = VirtualClock(world.now_ns)
        if self._centre is None:
            self._centre = self._served(world, name, clock)
        else:
            self._centre.anew(world, name, clock)
        ports = FIELD if self.means.answers.get("ports") == "field" else FREE
        desk = self._desk = self._desk or LentDesk(self._centre.credentials, ports)
        slots = self._slots = self._slots or (InReaders(desk, self.means) if in_readers else Lent(desk))
        of_clinic = self.suite.kind is Kind.CLINIC
        place = clinic(world) if of_clinic else pharmacy(world)
        desk.begin(world, place, name, self._centre)
        slots.begin(world, place, name, self._centre)
        make = ProgramClinic if of_clinic else ProgramPharmacy
        self._office = make(people, str(self.found[0]), Around(world, place, self._centre, desk, slots), self.means)
        tester = self.tested(self._office, world, name)
        assert isinstance(tester, OfficeTester)
        tester.met = self._office.met
        return tester

    def _people(self) -> PersonAtDesk:
        """Raises CannotShow where there is nobody."""
        hands = self.means.hands
        if hands.why_none or not isinstance(hands, Typist):
            raise CannotShow(hands.why_none or NOBODY.why_none)
        return PersonAtDesk(hands, self.means.person_s, self._folder)

    def _folder(self) -> Path:
        assert self._centre is not None  # it is there before anybody is asked
        return self._centre.credentials

    def _served(self, world: World, name: str, clock: Clock) -> ServedCentre:
        """At the address to which the software is set, with its files there; else anywhere. Raises LinkError."""
        url, files = text(self.means, "data_centre"), text(self.means, "credentials")
        host, port = address(url) if url else ("127.0.0.1", 0)
        try:
            return ServedCentre(world, name, clock, host=host, port=port, directory=Path(files) if files else None)
        except (LinkError, OSError) as e:
            raise LinkError(f"our data centre cannot be at {url or 'any port'}: {e}") from None

    def said(self, role: str) -> str:
        del role  # there is one
        return "" if self._office is None else self._office.said

    def close(self) -> None:
        super().close()
        for one in (self._slots, self._desk, self._centre):
            if one is not None:
                one.close()
        self._slots = self._desk = self._centre = None


def world_of_now(seed: int, now_ns: int) -> World:
    """That of software which lives now. Its authority is the same all year: software is told once whom to trust."""
    epoch_ns = phone_epoch_ns(now_ns)
    return World(seed, now_ns, epoch_ns, trusted=Authority(seed, epoch_ns), once=str(now_ns))


__all__ = ["OfficeProgram", "world_of_now"]
