"""The rig: which device stands behind each role, from monikers, and what happens when one comes or goes.

For the card: ``virtual`` (the default), ``auto``, ``pcsc:NAME``. A real slot is one for the whole clinic. Where our own
presenter stands behind the reader, each patient's own card is put in over its control channel; a foreign card is nobody's
here: it is read once a visit as a latency probe, masked, and the visit runs on the reference card.

Roles are resolved when a card goes in, never inside a session: a device lost inside one ends the flow with ``gone``, and
the situation puts the card in again. ``auto`` then falls back to virtual and takes the device up again when it is there;
a named one is waited for, ``NAMED_WAIT_S`` at most. Every switch is recorded.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bench.drivers import pcsc
from bench.drivers.pcsc import PcscLink
from bench.presenters import control
from bench.presenters.control import Control, ControlInfo
from bench.record import WallClock
from scenarios.world import CardSeat, ModelledSeat, World, read_status
from virtual_devices.card.ic_card import IcCard
from virtual_devices.errors import BenchError, LinkError, PeerError, UsageError
from virtual_devices.flow import PromptPeople, Session
from virtual_devices.flow import run as run_flow
from virtual_devices.link import Attempt, Link, Outcome
from virtual_devices.network import Contact
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.visit import read_card_number, read_public
from virtual_devices.trace import SwitchRow

NAMED_WAIT_S = 30.0
"""How long a run waits for a named device that is not there."""
LOOK_AGAIN_S = 0.5
"""``auto`` looks for a device at most so often while it has none."""
CONNECT_S = 3.0
"""Longest wait for a card that has just been put in."""


@dataclass(frozen=True, slots=True)
class Rig:
    """The monikers of a run. ``env`` is laid over the environment of drivers (a private pcscd's address)."""

    card: str = "virtual"
    env: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if self.card not in ("virtual", "auto") and not self.card.startswith("pcsc:"):
            hint = "'vhc-bench devices' lists the names"
            raise UsageError(f"--card {self.card!r}: give 'virtual', 'auto', or 'pcsc:NAME' ({hint})")

    @property
    def may_be_real(self) -> bool:
        return self.card != "virtual"

    def table(self) -> dict[str, str]:
        """Role -> moniker, for the manifest."""
        return {"card": self.card, "sam": "virtual", "hpc": "virtual", "cloud": "virtual", "wallet": "stand-in"}

    def seat(self, world: World, contact: Contact) -> CardSeat:
        """Where this run's cards are put."""
        virtual = ModelledSeat(contact, world.clock)
        return virtual if self.card == "virtual" else PcscSeat(self, world, virtual)


class ReaderLink:
    """A PC/SC link as flows use one: the empty message powers the card on."""

    def __init__(self, inner: PcscLink) -> None:
        self.inner = inner
        self.provenance = inner.provenance
        self.channel = inner.channel
        self.device = inner.device

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if message:
            return self.inner.attempt(message, timeout_s)
        return self.inner.reset(timeout_s) if self.inner.protocol else self.inner.connect(min(timeout_s, CONNECT_S))


@dataclass(slots=True)
class _Real:
    """A reader in use, and who stands behind it: our presenter, or nobody that we know (None)."""

    link: PcscLink
    behind: ControlInfo | None


class PcscSeat:
    """One real slot for everybody."""

    def __init__(self, rig: Rig, world: World, virtual: ModelledSeat) -> None:
        self._rig = rig
        self._world = world
        self._virtual = virtual
        self._real: _Real | None = None
        self._inside = False  # the patient's own card is in the real slot
        self._probed = ""
        self._next_look_s = 0.0
        self._last = "virtual"

    @property
    def shared(self) -> bool:
        """Asked before each card goes in: this is where a device that has appeared is taken up."""
        real = self._ready("")
        return real is not None and real.behind is not None

    # -- the seat

    def insert(self, card: IcCard, visit: str) -> Link:
        self._inside = False
        real = self._real
        if real is None:
            return self._virtual.insert(card, visit)
        if real.behind is None:
            self._probe(real, visit)
            return self._virtual.insert(card, visit)
        try:
            Control(real.behind.path).insert(card.to_image(), card.card_no)
            self._inside = True
            self._check_is_ours(real, card)
        except (LinkError, PeerError) as e:
            self._lose(str(e), visit)
            return self._virtual.insert(card, visit) if self._rig.card == "auto" else self._wait(card, visit)
        return ReaderLink(real.link)

    def remove(self, card: IcCard, visit: str) -> IcCard:
        if not self._inside or self._real is None or self._real.behind is None:
            return self._virtual.remove(card, visit)
        self._inside = False
        behind = self._real.behind
        self._real.link.disconnect()
        try:
            image: bytes | None = Control(behind.path).eject()
        except (LinkError, PeerError) as e:
            image = behind.last_image(card.card_no)
            self._lose(str(e), visit)
        return IcCard.from_image(image) if image else card

    def close(self) -> None:
        """Let go of the reader."""
        if self._real is not None:
            self._real.link.close()
            self._real = None

    # -- finding, losing

    def _ready(self, visit: str) -> _Real | None:
        if self._real is None and time.monotonic() >= self._next_look_s:
            self._next_look_s = time.monotonic() + LOOK_AGAIN_S
            try:
                self._take(find(self._rig), visit)
            except BenchError as e:
                if self._rig.card != "auto":
                    self._take(self._await(str(e)), visit)
        return self._real

    def _take(self, real: _Real, visit: str) -> None:
        self._real = real
        reason = "patients' own cards, by our presenter" if real.behind is not None else "foreign card: latency probe only"
        self._switch(real.link.device, reason, visit)

    def _lose(self, reason: str, visit: str) -> None:
        if self._real is not None:
            self._real.link.close()
        self._real = None
        self._next_look_s = time.monotonic() + LOOK_AGAIN_S
        if self._rig.card == "auto":
            self._switch("virtual", reason, visit)

    def _await(self, reason: str) -> _Real:
        """A named device is waited for. Raises LinkError when it does not come."""
        limit_s = time.monotonic() + NAMED_WAIT_S
        while time.monotonic() < limit_s:
            try:
                return find(self._rig)
            except LinkError as e:
                reason = str(e)
                time.sleep(LOOK_AGAIN_S)
        raise LinkError(f"{self._rig.card} did not come back within {NAMED_WAIT_S:g} s: {reason}")

    def _wait(self, card: IcCard, visit: str) -> Link:
        self._take(self._await("lost"), visit)
        assert self._real is not None
        if self._real.behind is not None:
            Control(self._real.behind.path).insert(card.to_image(), card.card_no)
            self._inside = True
        return ReaderLink(self._real.link)

    def _switch(self, now: str, reason: str, visit: str) -> None:
        self._world.record(
            SwitchRow(self._world.replication, self._world.clock.now_ns(), "card", self._last, now, reason, visit)
        )
        self._last = now

    # -- who is in the slot

    def _check_is_ours(self, real: _Real, card: IcCard) -> None:
        """The reader must hold the card that was just put in; otherwise the presenter stands behind another reader."""

        def number() -> Any:
            handle, _ = yield from read_public("is it ours")
            return (yield from read_card_number(handle))

        try:
            found = run_flow(number(), self._session(ReaderLink(real.link)))
        except Ended as e:
            raise LinkError(f"the card put in does not answer in {real.link.device}: {e}; {real.link.last_error}") from e
        if found != card.card_no:
            raise LinkError(f"{real.link.device} holds another card than the one put in: the presenter serves another reader")

    def _probe(self, real: _Real, visit: str) -> None:
        """Read a foreign card once a visit, for its latency. Its bytes stay out of the rows."""
        if visit == self._probed:
            return
        self._probed = visit
        session = self._session(ReaderLink(real.link))
        session = replace(
            session, record=self._world.record, replication=self._world.replication, name=f"probe/{visit}", flow="probe",
            masked=frozenset({"card"}),
        )
        try:
            run_flow(read_public("probe foreign card"), session)
        except Ended as e:
            if e.outcome is Outcome.GONE and "reader" in real.link.last_error:
                self._lose(real.link.last_error, visit)

    def _session(self, link: Link) -> Session:
        return Session({"card": link}, WallClock(), PromptPeople(), status=read_status)


def find(rig: Rig) -> _Real:
    """The reader to use now. Raises LinkError or UsageError: none, several, no service, with what was found instead."""
    presenters = control.discover()
    if rig.card != "auto":
        link = pcsc.open(rig.card.removeprefix("pcsc:"), env=rig.env)
        behind = next((p for p in presenters if p.reader == link.reader), None)
        unnamed = [p for p in presenters if not p.reader]
        return _Real(link, behind or (unnamed[0] if len(unnamed) == 1 and len(presenters) == 1 else None))
    readers = pcsc.discover(env=rig.env)
    names = [found.moniker.removeprefix("pcsc:") for found in readers]
    for presenter in presenters:
        if presenter.reader in names:
            return _Real(pcsc.open(presenter.reader, env=rig.env), presenter)
    holding = [name for name, found in zip(names, readers, strict=True) if found.has_card]
    if not holding:
        raise LinkError("no reader holds a card")
    return _Real(pcsc.open(holding[0], env=rig.env), None)
