"""A chip in a PC/SC reader as device under test: a patient card, a SAM, a professional's card.

Each case has the chip that it asks for, made up as it wants it, where our own presenter stands behind the reader (``vhc-bench
present vpcd --what card``). Somebody else's is tried as it is: a case that wants one made up otherwise, or torn, does not apply.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bench.clock import WallClock
from bench.drivers import pcsc
from bench.drivers.pcsc import PcscLink
from bench.monikers import Kind as Medium
from bench.monikers import Moniker
from bench.reach.hand import Hand
from bench.reach.in_reader import Commands, InReader
from bench.reach.virtual import world_of
from bench.reader_link import ReaderLink
from conformance.chips import USUAL, MadeUp, VirtualChip
from conformance.kinds import Suite
from conformance.tester import CannotShow, Tester
from virtual_devices.clock import NS
from virtual_devices.link import Link

T0 = "contact-t0"


class ChipInReader(InReader):
    """``pcsc:NAME``: T=1, or with ``;T=0`` that protocol."""

    @classmethod
    def channels(cls, suite: Suite, found: Sequence[Moniker]) -> tuple[str, ...]:
        if [one.kind for one in found] != [Medium.PCSC]:
            return ()
        _, use = pcsc.read_spec(found[0].where)
        return tuple(c for c in suite.channels if (c == T0) is (use.protocols == 1))

    def tester(self, name: str, *, anew: bool = False) -> Tester:
        del anew  # a case puts in what it wants
        link, world = self._open(), world_of(self.means.seed)
        made = self.suite.reference(world, self.channel, name)
        chip = RealChip(self.suite.kind.value, link, self.means.answer_s, self._hand, made)
        return self.tested(chip, world, name)


class RealChip:
    """What the reader holds (:class:`conformance.chips.ChipUnderTest`). ``made``: the reference chip of the case, for a hand."""

    def __init__(self, role: str, link: PcscLink, answer_s: float, hand: Hand | None, made: VirtualChip) -> None:
        self._role, self._link, self._hand, self._made = role, link, hand, made
        self._way = Commands(ReaderLink(link), answer_s)
        # a chip has no clock: it knows what the tester's certificates and acts say
        self.clock = WallClock((made.clock.now_ns() - time.time_ns()) / NS)

    def insert(self, made_up: MadeUp) -> Mapping[str, Link]:
        well = bool(self._link.protocol)  # else a command hangs in the reader, maybe: only taking the chip out ends that
        self._link.disconnect()
        if self._hand is not None:
            self._hand.put(self._made.image(made_up), quietly=well)
        elif made_up != USUAL:
            raise CannotShow("it needs a chip made up for the case, and nobody puts another one into the reader")
        return {self._role: self._way}

    def tear(self, points: int | None) -> None:
        if points is not None:
            raise CannotShow("it needs a slot that can take the power away at a point of writing")


__all__ = ["ChipInReader", "RealChip"]
