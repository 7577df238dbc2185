"""One real slot for the whole clinic: who is in it, what happens when the reader comes or goes, and whose card leaves it.

Roles are resolved when a card goes in, never inside a session: a device lost inside one ends the flow with ``gone``, and
the situation puts the card in again. ``auto`` then falls back to virtual and takes the device up again when it is there;
a named one is waited for, ``NAMED_WAIT_S`` at most, and with it our presenter where that stood behind it. The presenter is on
lease meanwhile: nobody else exchanges its cards, and its own comes back at the end. A stranger's card never stands in for a
patient's: it is read once a visit, masked, and only after it has answered is it called one. ``auto`` leaves alone what other
roles have (:mod:`bench.taken`), and a phone in a field is no card (:mod:`bench.attached_phone`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from bench.attached_phone import no_phone
from bench.behind import at_readers, behind_reader
from bench.clock import WallClock
from bench.drivers import pcsc
from bench.drivers.pcsc import PcscLink
from bench.presence import Presence
from bench.presenters.control import CARD, ControlInfo, Lease
from bench.reader_link import CONNECT_S, OwnCardLink, ReaderLink, silence
from bench.taken import Taken
from scenarios.world import ModelledSeat, World, read_status
from virtual_devices.atr import of_a_field
from virtual_devices.card.ic_card import IcCard
from virtual_devices.errors import LinkError, PeerError, UsageError
from virtual_devices.flow import PromptPeople, Session
from virtual_devices.flow import run as run_flow
from virtual_devices.link import RESET, Link, Outcome
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.visit import read_public
from virtual_devices.trace import SwitchRow

NAMED_WAIT_S = 30.0
"""How long a run waits for a named device that is not there."""
LOOK_AGAIN_S = 0.5
"""How often a named device that is not there is looked for."""
ANSWER_S = 1.0
"""How long a card that nobody of ours put in may take to answer before it is called one."""
REST_S = 5.0
"""``auto`` leaves a device that failed alone for so long, unless something comes or goes meanwhile."""
NOBODY = "waiting"
"""In switches: a named device is gone and waited for."""


@dataclass(frozen=True, slots=True)
class Real:
    """A reader in use, and who stands behind it: our presenter, or nobody that we know (None)."""

    link: PcscLink
    behind: ControlInfo | None
    lease: Lease | None = None
    """Of the presenter, where its cards are to be exchanged."""

    def close(self) -> None:
        """Let go of the reader, and give the presenter its own card back."""
        self.link.close()
        if self.lease is not None:
            self.lease.close()


@dataclass(slots=True)
class Met:
    """What a run has learnt of its named device, kept from one replication to the next."""

    reader: str = ""
    ours: bool = False  # our presenter stood behind it: from then on nothing else will do


class PcscSeat:
    """One real slot for everybody. ``moniker`` is ``auto`` or ``pcsc:NAME``."""

    def __init__(
        self, moniker: str, env: Mapping[str, str] | None, met: Met, world: World, virtual: ModelledSeat,
        taken: Taken | None = None,
    ) -> None:
        self._moniker = moniker
        self._taken = taken or Taken({})
        self._env = env
        self._met = met
        self._world = world
        self._virtual = virtual
        self._real: Real | None = None
        self._inside: IcCard | None = None  # the patient's own card that is in the real slot
        self._probed = ""
        self._last = "virtual"
        self._presence = Presence(env) if moniker == "auto" else None

    @property
    def shared(self) -> bool:
        """Asked before each card goes in: this is where a device that has appeared is taken up. LinkError when a named
        one did not come."""
        real = self._ready("")
        return real is not None and real.behind is not None

    # -- the seat

    def insert(self, card: IcCard, visit: str) -> Link:
        limit_s = time.monotonic() + NAMED_WAIT_S
        while True:
            if self._real is None and self._presence is None:
                self._ready(visit)
            real = self._real
            if real is None:
                return self._virtual.insert(card, visit)
            if real.lease is None:
                self._probe(real, visit)
                return self._virtual.insert(card, visit)
            try:
                return self._put_in(real.link, real.lease, card)
            except (LinkError, PeerError) as e:
                self._lose(str(e), visit)
                self._pause(limit_s, e)

    def _pause(self, limit_s: float, why: Exception) -> None:
        """Before a named device is tried again; LinkError when it has been tried for long enough."""
        if self._presence is None:
            if time.monotonic() > limit_s:
                raise LinkError(f"{self._moniker} takes no card: {why}") from why
            time.sleep(LOOK_AGAIN_S)

    def _put_in(self, link: PcscLink, lease: Lease, card: IcCard) -> Link:
        """The patient's own card, put in by our presenter. Raises LinkError when the reader then holds another one."""
        lease.insert(card.to_image(), card.card_no)
        own = OwnCardLink(link, card)
        if own.attempt(RESET, CONNECT_S).outcome is not Outcome.REPLIED:
            raise LinkError(own.trouble)
        self._inside = card
        return own

    def remove(self, card: IcCard, visit: str) -> IcCard:
        real = self._real
        if self._inside is not card or real is None or real.behind is None or real.lease is None:
            return self._virtual.remove(card, visit)
        self._inside = None
        real.link.disconnect()
        behind = real.behind
        try:
            back = _card(real.lease.eject(), card)
        except (LinkError, PeerError) as e:
            back = None
            self._lose(str(e), visit)
        return back or _card(behind.last_image(card.card_no), card) or card

    def close(self) -> None:
        """Let go of the reader."""
        if self._presence is not None:
            self._presence.close()
        self._let_go()

    # -- finding, losing

    def _ready(self, visit: str) -> Real | None:
        if self._presence is not None:
            self._choose(self._presence, visit)
        elif self._real is None:
            self._take(self._await(), visit)
        elif self._real.behind is None and (behind := behind_reader(self._real.link.reader, at_readers(CARD))):
            with suppress(LinkError):  # lent to somebody else: looked at again next time
                self._take(Real(self._real.link, behind, _lease(behind)), visit)
        return self._real

    def _take(self, real: Real, visit: str) -> None:
        self._real = real
        self._taken.take("card", real.link.device)
        self._met.reader = real.link.reader
        self._met.ours = self._met.ours or real.behind is not None
        reason = "patients' own cards, by our presenter" if real.behind is not None else "foreign card: latency probe only"
        self._switch(real.link.device, reason, visit)

    def _lose(self, reason: str, visit: str) -> None:
        if self._real is not None:
            self._rest(self._real.link.reader if self._real.behind is None else _name(self._real.behind))
        self._let_go()
        self._switch("virtual" if self._presence is not None else NOBODY, reason, visit)

    def _await(self) -> Real:
        """A named device is waited for. Raises LinkError when it does not come."""
        limit_s = time.monotonic() + NAMED_WAIT_S
        while True:
            try:
                return somebody(self._met.reader or self._moniker.removeprefix("pcsc:"), self._env, ours=self._met.ours)
            except LinkError as e:
                if time.monotonic() >= limit_s:
                    raise LinkError(f"{self._moniker} did not come within {NAMED_WAIT_S:g} s: {e}") from e
            time.sleep(LOOK_AGAIN_S)

    def _choose(self, presence: Presence, visit: str) -> None:
        """``auto``: a reader with our presenter behind it, else one with a card that answers, else none."""
        if self._real is not None and self._real.behind is not None:
            return
        readers = {name: holds for name, holds in presence.readers().items() if self._taken.free("card", f"pcsc:{name}")}
        try:
            presenters = at_readers() if readers else []
            for presenter in presenters:
                if presenter.reader in readers and presenter.takes == CARD and presence.awake(_name(presenter)):
                    self._rest(_name(presenter))  # should it go while we look, or be lent to somebody else
                    real = _on_lease(Real(pcsc.open(presenter.reader, env=self._env), presenter), presenter)
                    self._let_go()
                    self._take(real, visit)
                    return
            if self._real is None:
                ours = {presenter.reader for presenter in presenters}
                self._choose_foreign(presence, [n for n in readers if readers[n] and n not in ours], visit)
        except LinkError:  # it went while we looked
            return

    def _choose_foreign(self, presence: Presence, names: list[str], visit: str) -> None:
        for name in filter(presence.awake, names):
            link = pcsc.open(name, env=self._env)
            if not silence(link, ANSWER_S) and not _is_phone(link):
                self._take(Real(link, None), visit)
                return
            link.close()
            self._rest(name)

    def _let_go(self) -> None:
        self._taken.let_go("card")
        if self._real is not None:
            self._real.close()
            self._real = None

    def _rest(self, name: str) -> None:
        if self._presence is not None:
            self._presence.rest(name, REST_S)

    def _switch(self, now: str, reason: str, visit: str) -> None:
        self._world.record(
            SwitchRow(self._world.replication, self._world.clock.now_ns(), "card", self._last, now, reason, visit)
        )
        self._last = now

    # -- a stranger's card

    def _probe(self, real: Real, visit: str) -> None:
        """Read a foreign card once a visit, for its latency. Its bytes stay out of the rows."""
        if visit == self._probed:
            return
        self._probed = visit
        session = Session(
            {"card": ReaderLink(real.link)}, WallClock(), PromptPeople(), self._world.record, self._world.replication,
            name=f"probe/{visit}", flow="probe", status=read_status, masked=frozenset({"card"}),
        )
        try:
            run_flow(read_public("probe foreign card"), session)
        except Ended as e:
            if e.torn:
                self._lose(real.link.last_error or str(e), visit)


def _is_phone(link: PcscLink) -> bool:
    """Whether a phone lies there, and no card: only what is in a field is asked."""
    return of_a_field(link.atr) and not no_phone(link)


def _name(presenter: ControlInfo) -> str:
    """One presenter, and not another one that came later under the same name."""
    return f"{presenter.path.name}/{presenter.pid}"


def _card(image: bytes | None, card: IcCard) -> IcCard | None:
    """The card out of an image that came from a presenter; None when it is none, or another one."""
    try:
        back = IcCard.from_image(image) if image else None
    except UsageError:
        return None
    return back if back is not None and back.card_no == card.card_no else None


def _lease(presenter: ControlInfo) -> Lease:
    """Raises LinkError when the presenter does not answer, or is lent to somebody else."""
    try:
        return Lease(presenter.path)
    except PeerError as e:
        raise LinkError(str(e)) from e


def _on_lease(real: Real, presenter: ControlInfo) -> Real:
    """The reader with its presenter on lease. Raises as :func:`_lease`; the reader is then let go of."""
    try:
        return replace(real, lease=_lease(presenter))
    except LinkError as e:
        real.link.close()
        raise LinkError(f"{real.link.device}: {e}") from e


def find(spec: str, env: Mapping[str, str] | None) -> Real:
    """The named reader; of several that the name fits, the one that our presenter stands behind. Raises LinkError or
    UsageError: none, several, no service, with what was found instead."""
    presenters = at_readers()
    served = [p.reader for p in presenters if p.reader and pcsc.matches(spec, p.reader)]
    try:
        link = pcsc.open(served[0] if len(served) == 1 else spec, env=env)
    except LinkError:
        if len(served) != 1:
            raise
        link = pcsc.open(spec, env=env)
    return Real(link, behind_reader(link.reader, presenters))


def somebody(spec: str, env: Mapping[str, str] | None, *, ours: bool = False) -> Real:
    """The named reader with our presenter behind it, on lease, or (unless it must be ours) a card in it that answers. Raises as
    :func:`find`, and LinkError when nobody is there."""
    real = find(spec, env)
    if real.behind is not None and real.behind.takes != CARD:
        real.link.close()
        raise UsageError(
            f"{real.link.device}: our presenter there shows no patient's card but a {real.behind.takes}: "
            f"start 'vhc-bench present vpcd' without --what {real.behind.takes}, or name another reader"
        )
    if real.behind is not None:
        return _on_lease(real, real.behind)
    if ours:
        why = "our presenter no longer stands behind it: start 'vhc-bench present' again"
    else:
        why = silence(real.link, ANSWER_S)
    if not why:
        return real
    real.link.close()
    raise LinkError(f"{real.link.device}: {why}")


__all__ = ["Met", "PcscSeat", "Real", "find", "somebody"]
