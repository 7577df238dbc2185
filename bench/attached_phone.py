"""The phone of ``--wallet auto``: whichever lies at an NFC device that is attached, as it comes and goes.

It is a stranger's, and asked as one that was named (:mod:`bench.probe`). Looked for before each session with a phone, in this
order: PC/SC readers by name, then devices that nfcpy drives by moniker. Nobody who is no phone is disturbed: what lies in a
reader is asked only when the PC/SC service has an answer to reset of a contactless reader of it, when no other role has the
reader (:mod:`bench.taken`), and no presenter of ours shows something else there; it is a phone when it then offers a handover
(ISO/IEC 18013-5 8.2.2.1). Over nfcpy nobody tells who is in the field: each look is a tap. The first one found is kept until
it has gone or failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench.behind import at_readers, behind_reader
from bench.clock import WallClock
from bench.drivers import RealLink
from bench.monikers import Kind, Moniker
from bench.presence import Presence
from bench.presenters.control import WALLET
from bench.probe import REST_S, Probe, open_device
from bench.reader_link import DeviceLink
from bench.taken import Taken
from scenarios.world import World
from virtual_devices.atr import of_a_field
from virtual_devices.errors import LinkError
from virtual_devices.flow import Session
from virtual_devices.flow import run as run_flow
from virtual_devices.randomness import ByteStream
from virtual_devices.reader import nfc
from virtual_devices.reader.proximity import NFC_CARRIERS, ROLE
from virtual_devices.reader.transmit import Ended

ANSWER_S = 1.0
"""How long what may be a phone may take to answer before it is called one."""
LEFT = "it has left since it was asked last"


def no_phone(link: RealLink) -> str:
    """Why what was just connected to is no phone; empty when it is one: it offers a handover. No row is written."""
    look = nfc.handover(NFC_CARRIERS, ByteStream("is it a phone"))
    try:
        run_flow(look, Session({ROLE: DeviceLink(link)}, WallClock()))
    except Ended as e:
        return str(e)
    return ""


class AttachedPhone(Probe):
    """Whoever is there. ``presence`` is closed by who made it: it knows readers over several replications."""

    def __init__(self, presence: Presence, taken: Taken, env: Mapping[str, str] | None, world: World) -> None:
        super().__init__(ROLE, (), env, world)
        self._presence = presence
        self._taken = taken
        self._found: RealLink | None = None
        self._left = 0

    def ask(self, visit: str) -> None:
        if visit in self._asked:
            return
        if self._found is not None and self._presence.left(self._found.device) != self._left:
            self._lose(LEFT, visit)
        if self._found is None:
            self._look()
        if self._found is not None:
            super().ask(visit)

    def close(self) -> None:
        super().close()
        self._found = None
        self._taken.let_go(ROLE)

    def _look(self) -> None:
        """Take up the first phone there is."""
        for moniker in self._candidates():
            try:
                link = open_device(moniker, self._env)
            except LinkError:  # it went while we looked, or another program has it
                self._presence.rest(str(moniker), REST_S)
                continue
            left = self._presence.left(str(moniker))
            if link.connect(ANSWER_S).reply is not None and not no_phone(link):
                self._stack.callback(link.close)
                self._found, self._left = link, left
                self._monikers, self._name = (moniker,), str(moniker)
                self._taken.take(ROLE, str(moniker))
                link.disconnect()  # the probe's tap is a tap of its own
                return
            link.close()
            self._presence.rest(str(moniker), REST_S)

    def _candidates(self) -> Iterator[Moniker]:
        """Where a phone may be, in the order in which it is looked for."""
        readers = [name for name, atr in sorted(self._presence.atrs().items()) if of_a_field(atr)]
        ours = at_readers() if readers else []
        behind = {name: behind_reader(name, ours) for name in readers}
        there = [Moniker(Kind.PCSC, name) for name, who in behind.items() if who is None or who.takes == WALLET]
        there += [Moniker(Kind.NFC, name.partition(":")[2]) for name in sorted(self._presence.others())]
        for moniker in there:
            if self._presence.awake(str(moniker)) and self._taken.free(ROLE, str(moniker)):
                yield moniker

    def _open(self) -> dict[str, DeviceLink]:
        assert self._found is not None
        return {ROLE: DeviceLink(self._found)}

    def _ends(self, _: Ended) -> bool:
        """Who no longer offers what a phone offers is none: another thing may lie there now."""
        return True

    def _rest(self) -> None:
        self._presence.rest(self._name, REST_S)


__all__ = ["AttachedPhone", "no_phone"]
