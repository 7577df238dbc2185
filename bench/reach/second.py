"""A second-generation card as wallet under test, in the slot of a PC/SC reader or in the field of an NFC reader.

As any chip it has no clock, and lives at the moment of the test vectors. Where our own presenter shows it (``vhc-bench present
vpcd --what second-card``, ``present nfc --what second-card``), each case has the card that it wants put in over the control
channel; somebody else's is tried as it is. A reader has one interface: what the card's other one does meanwhile nobody sees.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from bench.clock import WallClock
from bench.drivers import RealLink, nfc, pcsc
from bench.monikers import Kind as Medium
from bench.monikers import Moniker
from bench.presenters.control import ControlInfo
from bench.reach import Bounded
from bench.reach.hand import Hand
from bench.reach.in_reader import Commands, InReader
from bench.reach.virtual import world_of
from bench.reach.wallet import presented
from bench.reader_link import DeviceLink, ReaderLink
from conformance.kinds import Suite
from conformance.kinds.wallet import WalletTester
from conformance.references.second import IN_A_FIELD, OF_A_PHONE, OTHER, ReferenceSecond
from conformance.tester import CannotShow, Tester
from conformance.vectors.world import NOW_NS
from virtual_devices.clock import NS
from virtual_devices.link import Attempt, Link, Provenance
from virtual_devices.reader.presentation import Medium as Presented
from virtual_devices.reader.proximity import ROLE

BY_PROTOCOL = {1: "contact-t0", 2: "contact"}
"""Channel by the protocol that the moniker asks for (a bit each)."""
CARD = ";card"
"""Behind the moniker of an NFC reader: a card, and no phone."""
ONE_INTERFACE = "the reader has one interface, and nobody is before the other one meanwhile"
MADE_UP = "it needs a card made up for the case, and nobody puts another one into the reader"


class SecondInReader(InReader):
    """``pcsc:NAME;T=1``, ``pcsc:NAME;T=0``: who says which protocol has a card in a slot, and no phone in a field."""

    @classmethod
    def channels(cls, suite: Suite, found: Sequence[Moniker]) -> tuple[str, ...]:
        if [one.kind for one in found] != [Medium.PCSC]:
            return ()
        channel = BY_PROTOCOL.get(pcsc.read_spec(found[0].where)[1].protocols)
        return tuple(c for c in suite.channels if c == channel)

    def tester(self, name: str, *, anew: bool = False) -> Tester:
        del anew  # a case puts in what it wants
        otherwise = OF_A_PHONE if self.channel in BY_PROTOCOL.values() else {**OF_A_PHONE, **IN_A_FIELD}
        if why := next((why for begin, why in otherwise.items() if name.startswith(begin)), ""):
            raise CannotShow(why)
        link, world = self._open(), world_of(self.means.seed)
        made = ReferenceSecond(world, self.channel, name)
        card = RealSecond(link, self._way(link), self._hand, made)
        card.personalise()
        tester = self.tested(card, world, name)
        assert isinstance(tester, WalletTester)
        tester.used = self._hand is None
        return tester

    def _way(self, link: Any) -> Link:
        return Commands(ReaderLink(link), self.means.answer_s)


class SecondInField(SecondInReader):
    """``nfc:PATH;card``: who says so has a card there, and no phone."""

    @classmethod
    def channels(cls, suite: Suite, found: Sequence[Moniker]) -> tuple[str, ...]:
        here = [one.kind for one in found] == [Medium.NFC] and found[0].where.endswith(CARD)
        return tuple(c for c in suite.channels if here and c == "chip")

    def _opened(self) -> tuple[RealLink, ControlInfo | None]:
        link = nfc.open(self.found[0].where.removesuffix(CARD), env=self.means.env)
        return link, presented(link)

    def _way(self, link: Any) -> Link:
        return Bounded(DeviceLink(link), self.means.answer_s)


class RealSecond:
    """What the reader holds (``WalletUnderTest``). ``way``: commands to it; ``made``: the reference card of the case."""

    def __init__(self, link: RealLink, way: Link, hand: Hand | None, made: ReferenceSecond) -> None:
        self._link, self._way, self._hand, self._made = link, way, hand, made
        self.medium = made.medium
        self.holder = made.holder
        self.clock = WallClock((NOW_NS - time.time_ns()) / NS)

    def personalise(self, **personal: Any) -> None:
        """Another card in this one's place, made up so. Raises CannotShow where nobody puts one in, LinkError."""
        if self._hand is None:
            if personal:
                raise CannotShow(MADE_UP)
            return
        well = not self._link.last_error  # else a command hangs in the reader, maybe: only taking the card out ends that
        self._link.disconnect()
        self._made.personalise(**personal)
        if self.medium is Presented.CONTACT:
            self._hand.put(self._made.card.to_image(), quietly=well)
        else:
            self._hand.replace(self._made.card.to_image())

    def meet(self) -> Mapping[str, Link]:
        return {ROLE: self._way, OTHER: _Elsewhere()}

    def part(self) -> None:
        self._link.disconnect()


class _Elsewhere:
    """The interface by which the card is not met."""

    channel, device, provenance = "nfc", "", Provenance.MEASURED

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        raise CannotShow(ONE_INTERFACE)


__all__ = ["CARD", "RealSecond", "SecondInField", "SecondInReader"]
