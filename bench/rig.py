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

from bench.clock import WallClock
from bench.drivers import pcsc
from bench.drivers.pcsc import PcscLink
from bench.presenters import control
from bench.presenters.control import Control, ControlInfo
from bench.watch import EventKind, PcscSource, Watcher
from scenarios.world import CardSeat, ModelledSeat, World, read_status
from virtual_devices.card.ic_card import IcCard
from virtual_devices.errors import LinkError, PeerError, UsageError
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
"""How often a named device that is not there is looked for."""
FIRST_LOOK_S = 1.5
"""Longest wait for the first report of what is attached, at the start of a replication."""
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

    def check(self) -> None:
        """Whether a named device is there, before a run begins. Raises LinkError with what was found instead."""
        if self.card.startswith("pcsc:"):
            find(self.card.removeprefix("pcsc:"), self.env).link.close()

    def table(self) -> dict[str, str]:
        """Role -> moniker, for the manifest."""
        return {"card": self.card, "sam": "virtual", "hpc": "virtual", "cloud": "virtual", "wallet": "stand-in"}

    def seat(self, world: World, contact: Contact) -> CardSeat:
        """Where this run's cards are put."""
        virtual = ModelledSeat(contact, world)
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


class Presence:
    """What is attached now, told by a watching process: a look costs nothing, so ``auto`` looks before every session."""

    def __init__(self, env: Mapping[str, str] | None) -> None:
        self._readers: dict[str, bool] = {}  # name -> holds a card
        self._watcher: Watcher | None = None
        try:
            self._watcher = Watcher([PcscSource(env=env)]).__enter__()
            wait_s = FIRST_LOOK_S
            while self._note(wait_s):
                wait_s = 0.05
        except LinkError:
            self.close()

    def readers(self) -> dict[str, bool]:
        """Names of the readers, and whether each holds a card."""
        try:
            while self._note(0.0):
                pass
        except LinkError:
            self.close()
        return self._readers

    def _note(self, wait_s: float) -> bool:
        events = self._watcher.poll(wait_s) if self._watcher is not None else []
        for event in events:
            name = event.moniker.removeprefix("pcsc:")
            match event.kind:
                case EventKind.APPEARED | EventKind.CARD_OUT:
                    self._readers[name] = False
                case EventKind.CARD_IN:
                    self._readers[name] = True
                case EventKind.VANISHED:
                    self._readers.pop(name, None)
                case EventKind.SERVICE_DOWN | EventKind.SERVICE_UP:
                    pass
        return bool(events)

    def close(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
        self._watcher = None
        self._readers.clear()


class PcscSeat:
    """One real slot for everybody."""

    def __init__(self, rig: Rig, world: World, virtual: ModelledSeat) -> None:
        self._rig = rig
        self._world = world
        self._virtual = virtual
        self._real: _Real | None = None
        self._inside = False  # the patient's own card is in the real slot
        self._probed = ""
        self._last = "virtual"
        self._presence = Presence(rig.env) if rig.card == "auto" else None

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
        if self._presence is not None:
            self._presence.close()
        if self._real is not None:
            self._real.link.close()
            self._real = None

    # -- finding, losing

    def _ready(self, visit: str) -> _Real | None:
        if self._real is None:
            try:
                if self._presence is None:
                    self._take(find(self._rig.card.removeprefix("pcsc:"), self._rig.env), visit)
                else:
                    self._take(choose(self._presence.readers(), self._rig.env), visit)
            except LinkError as e:
                if self._presence is None:
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
        if self._rig.card == "auto":
            self._switch("virtual", reason, visit)

    def _await(self, reason: str) -> _Real:
        """A named device is waited for. Raises LinkError when it does not come."""
        limit_s = time.monotonic() + NAMED_WAIT_S
        while time.monotonic() < limit_s:
            try:
                return find(self._rig.card.removeprefix("pcsc:"), self._rig.env)
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


def find(spec: str, env: Mapping[str, str] | None) -> _Real:
    """The named reader. Raises LinkError or UsageError: none, several, no service, with what was found instead."""
    presenters = control.discover()
    link = pcsc.open(spec, env=env)
    behind = next((p for p in presenters if p.reader == link.reader), None)
    return _Real(link, behind or (presenters[0] if len(presenters) == 1 and not presenters[0].reader else None))


def choose(readers: Mapping[str, bool], env: Mapping[str, str] | None) -> _Real:
    """For ``auto``: a reader with our presenter behind it, else one that holds a card. Raises LinkError when there is none."""
    for presenter in control.discover() if readers else []:
        if presenter.reader in readers:
            return _Real(pcsc.open(presenter.reader, env=env), presenter)
    holding = [name for name, has_card in readers.items() if has_card]
    if not holding:
        raise LinkError("no reader holds a card")
    return _Real(pcsc.open(holding[0], env=env), None)
