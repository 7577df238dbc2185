"""Control software as device under test: ``http://HOST:PORT`` (the virtual card's kit), ``https://HOST:PORT`` (6.0 on the desk),
``program:COMMAND`` (its maker's adapter for the calls of manual 3.3), one of them or several, joined by " + ".

What stands round it is the bench's: chips of ours in its readers (:mod:`bench.reach.slots_outside`), our data centre at the
address that it is set to (:mod:`bench.reach.served_centre`), people. It goes by the machine's clock. A case begins with other
chips, another data centre, and the software closed; nothing is done round it for a case whose face was not given.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from bench.clock import WallClock
from bench.monikers import JOINED, Moniker
from bench.monikers import Kind as Medium
from bench.reach import Means, RealWay
from bench.reach.desk_people import Asked, People, Typing, led
from bench.reach.json_face import JsonFace
from bench.reach.program import Program
from bench.reach.served_centre import ServedCentre, address
from bench.reach.slots_outside import ROLES, SlotsOutside
from bench.reach.software_outside import RealSoftware, Round, text
from bench.sample_phone import phone_epoch_ns
from conformance.kinds import Suite
from conformance.kinds.control_software import ControlSoftwareTester
from conformance.references.desk_chips import DeskChips
from conformance.tester import Result, Tester
from conformance.town import clinic
from conformance.vectors.world import World
from virtual_devices.errors import LinkError
from virtual_devices.link import Provenance
from virtual_devices.pki import Authority

DATA_CENTRE = "https://localhost:8443"
"""Where our data centre is served when the PIXIT says nothing else."""
FACES = {Medium.CLEAR: "2.x", Medium.HTTP: "6.0", Medium.PROGRAM: "3.3"}


class SoftwareOutside(RealWay):
    """One installation, tried case by case."""

    def __init__(self, suite: Suite, found: Sequence[Moniker], channel: str, means: Means) -> None:
        super().__init__(suite, found, channel, means)
        self.ours = True  # the cards that it reads are invented
        self._round: Round | None = None
        self._software: RealSoftware | None = None
        self._ended_ns = 0

    @classmethod
    def channels(cls, suite: Suite, found: Sequence[Moniker]) -> tuple[str, ...]:
        kinds = [one.kind for one in found]
        return suite.channels if set(kinds) <= FACES.keys() and len(set(kinds)) == len(kinds) else ()

    def tester(self, name: str, *, anew: bool = False) -> Tester:
        del anew  # what stands round it is, for each case
        clock = WallClock()
        now_ns = clock.now_ns()
        epoch_ns = phone_epoch_ns(now_ns)
        world = World(self.means.seed, now_ns, epoch_ns, trusted=Authority(self.means.seed, epoch_ns), once=f"{now_ns} {name}")
        around = self._round = self._round or self._begun(world, name)
        around.centre.anew(world, name, clock)
        software = self._software = RealSoftware(around, DeskChips(world, clinic(world), name), self._ended_ns)
        tester = self.tested(software, world, name)
        assert isinstance(tester, ControlSoftwareTester)
        tester.device, tester.provenance = self.place, Provenance.MEASURED
        tester.took = lambda: software.took_ns
        return tester

    @property
    def place(self) -> str:
        return JOINED.join(map(str, self.found))

    def said(self, role: str) -> str:
        del role  # there is one
        return "" if self._software is None else self._software.said

    def done(self, result: Result) -> Result:
        if self._software is not None:
            self._software.tidy()
            self._ended_ns = self._software.now_ns()
        return super().done(result)

    def _begun(self, world: World, name: str) -> Round:
        """Raises LinkError: what is missing of what stands round it."""
        certificate = text(self.means, "certificate")
        by_face = {FACES[one.kind]: one for one in self.found}
        command = by_face.pop("3.3", None)
        faces = {face: JsonFace(one.where, Path(certificate) if certificate else None) for face, one in by_face.items()}
        program = None if command is None else Program(command.where, self.means.env)
        people = self._people(program)
        slots, _ = SlotsOutside.find(ROLES, {role: text(self.means, f"{role}_reader") for role in ROLES})
        centre = _served(world, name, text(self.means, "data_centre") or DATA_CENTRE, text(self.means, "credentials"))
        return Round(faces, program, slots, centre, people, self.means)

    def _people(self, program: Program | None) -> People:
        ours = led({str(one).rstrip("/") for one in self.found})
        if ours is not None:
            return ours
        asked = Asked(self.means.hands, self.means.person_s)
        return asked if program is None else Typing(program, self.means.answer_s, asked)

    def close(self) -> None:
        around, self._round = self._round, None
        if around is None:
            return
        if around.program is not None:
            around.program.close()
        around.slots.close()
        around.centre.close()


def _served(world: World, name: str, url: str, credentials: str) -> ServedCentre:
    """Our data centre at the address to which the software is set. Raises LinkError."""
    host, port = address(url)
    where = credentials or os.environ.get("VHC_BENCH_CREDENTIALS", "")
    if not where:
        raise LinkError("with what it speaks to our data centre is not said: credentials = \"DIRECTORY\" in the PIXIT, as "
                        "'vhc-bench present vpcd --what desk --credentials DIRECTORY' writes it")
    try:
        return ServedCentre(world, name, WallClock(), host=host, port=port, directory=Path(where))
    except (LinkError, OSError) as e:
        raise LinkError(f"our data centre cannot be at {url}, where the PIXIT has it: {e}") from None


__all__ = ["DATA_CENTRE", "SoftwareOutside"]
