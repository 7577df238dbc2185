"""Latency probes: a foreign device that the bench has no keys of is asked what everybody may ask, once a visit, masked.

Its content enters no visit: the visit runs on the reference device, and its rows say ``modelled``. The probe's rows say
``measured``, flow ``probe``; they hold times and lengths, no bytes. What is asked:

    wallet over NFC or PC/SC      the answer of the medium, and the handover that its tag offers
    wallet over code and BLE      the code, and a connection
    wallet over NFC and BLE       the answer of the medium, the handover, and a connection
    card over NFC                 the public data
    sam, hpc                      the answer to reset, once a replication: their keys are not public
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from bench.clock import WallClock
from bench.drivers import RealLink, driver
from bench.drivers.replay import PROBE
from bench.monikers import JOINED, Kind, Moniker
from bench.reader_link import CONNECT_S, DeviceLink, ScreenLink, said
from bench.tapped import TappedLink
from scenarios.world import World, read_status
from virtual_devices.errors import LinkError
from virtual_devices.flow import Connect, Flow, PromptPeople, Session
from virtual_devices.flow import run as run_flow
from virtual_devices.link import Attempt, Link
from virtual_devices.randomness import ByteStream
from virtual_devices.reader import nfc
from virtual_devices.reader.proximity import NFC_CARRIERS, ROLE, SCREEN, Engaged, ble_carriers, engage_nfc, engage_qr
from virtual_devices.reader.transmit import ABSENT, Ended, power_on
from virtual_devices.reader.visit import read_public
from virtual_devices.trace import SwitchRow

REST_S = 5.0
"""A device that did not answer is left alone for so long: a run shall not wait for it at every visit."""
FIND = "find device"


def open_device(moniker: Moniker, env: Mapping[str, str] | None = None) -> RealLink:
    """The driver's link to a real device. Raises LinkError or UsageError with what was found instead."""
    link: RealLink = driver(moniker.kind.value).open(moniker.where, env=env)
    return link


def met(moniker: Moniker, env: Mapping[str, str] | None = None) -> None:
    """Look whether somebody answers there now. Of a phone over Bluetooth, and of its screen, only whether it could be looked for:
    whom it is shows its code. Raises LinkError or UsageError with what was found instead."""
    link = open_device(moniker, env)
    try:
        if moniker.kind not in (Kind.BLE, Kind.QR) and link.connect(CONNECT_S).reply is None:
            raise LinkError(f"{link.device}: {link.last_error}")
    finally:
        link.close()


def open_wallet(monikers: Sequence[Moniker], env: Mapping[str, str] | None, stack: ExitStack) -> dict[str, DeviceLink]:
    """The links to a phone: to the wallet, and where its code is scanned first, to its screen. ``stack`` closes them."""
    opened: dict[Kind, RealLink] = {}
    for moniker in monikers:
        opened[moniker.kind] = link = open_device(moniker, env)
        stack.callback(link.close)
    links: dict[str, DeviceLink] = {}
    if Kind.QR in opened:
        links[SCREEN] = ScreenLink(opened.pop(Kind.QR))
    return links | {ROLE: DeviceLink(joined(opened))}


def joined(opened: Mapping[Kind, RealLink]) -> RealLink:
    """The link to a phone: over its medium, or first in a field and then over Bluetooth."""
    if {Kind.NFC, Kind.BLE} == opened.keys():
        return TappedLink(opened[Kind.NFC], opened[Kind.BLE])
    (link,) = opened.values()
    return link


def serves(link: RealLink) -> bool:
    """Whether the bench can be the server over this link, too: with a controller of its own."""
    air = link.then if isinstance(link, TappedLink) else link
    return bool(getattr(air, "own_radio", False))


class Probe:
    """One role's real device, and how it is asked."""

    def __init__(self, role: str, monikers: Sequence[Moniker], env: Mapping[str, str] | None, world: World) -> None:
        self._role = role
        self._monikers = monikers
        self._env = env
        self._world = world
        self._stack = ExitStack()
        self._links: dict[str, DeviceLink] = {}
        self._asked: set[str] = set()
        self._rests_until_s = 0.0
        self._name = JOINED.join(map(str, monikers))
        self._last = "virtual"

    def ask(self, visit: str) -> None:
        """Once a visit; a SAM or a professional's card once a replication."""
        about = visit if self._role in ("card", "wallet") else ""
        if about in self._asked or time.monotonic() < self._rests_until_s:
            return
        self._asked.add(about)
        try:
            if not self._links:
                self._links = self._open()
                self._switch(self._name, "foreign device: latency probe only", visit)
            run_flow(self._flow(visit), self._session(visit))
            for link in self._links.values():
                link.let_go()
        except Ended as e:
            if self._ends(e):
                self._lose(said(self._links, e), visit)
        except LinkError as e:
            self._lose(str(e), visit)

    def close(self) -> None:
        self._stack.close()
        self._links = {}

    def _open(self) -> dict[str, DeviceLink]:
        if self._role == "wallet":
            return open_wallet(self._monikers, self._env, self._stack)
        link = open_device(self._monikers[0], self._env)
        self._stack.callback(link.close)
        return {self._role: DeviceLink(link)}

    def _flow(self, visit: str) -> Flow[object]:
        if self._role == "card":
            return read_public("probe foreign card")
        if SCREEN in self._links:
            return _scan_and_connect()
        if self._role == "wallet":
            draw, link = ByteStream("probe", self._world.replication, visit), self._links[ROLE].inner
            return _tap_and_connect(draw, serves(link)) if isinstance(link, TappedLink) else _handover(draw)
        return power_on(self._role, FIND, CONNECT_S)

    def _session(self, visit: str) -> Session:
        return Session(
            self._links, WallClock(), PromptPeople(), self._world.record, self._world.replication,
            name=f"{PROBE}/{self._role}/{visit}", flow=PROBE, status=read_status, masked=frozenset(self._links),
        )

    def _ends(self, e: Ended) -> bool:
        """Whether the device is to be let go of: who refuses has answered."""
        return e.torn

    def _rest(self) -> None:
        self._rests_until_s = time.monotonic() + REST_S

    def _lose(self, why: str, visit: str) -> None:
        self.close()
        self._rest()
        self._switch("virtual", why, visit)

    def _switch(self, now: str, reason: str, visit: str) -> None:
        world = self._world
        world.record(SwitchRow(world.replication, world.clock.now_ns(), self._role, self._last, now, reason, visit))
        self._last = now


class Probes:
    """The probes of one replication (:class:`scenarios.world.Around`)."""

    def __init__(self, probes: Mapping[str, Probe]) -> None:
        self._probes = probes

    def place(self, links: dict[str, Link]) -> dict[str, Link]:
        return links

    def links(self, links: dict[str, Link], desk: str, flow: str, visit: str) -> dict[str, Link]:
        for role in links:
            if role in self._probes:
                self._probes[role].ask(visit)
        return links

    def close(self) -> None:
        for probe in self._probes.values():
            probe.close()


def _handover(draw: ByteStream) -> Flow[object]:
    yield from power_on(ROLE, "find phone", CONNECT_S)
    return (yield from nfc.handover(NFC_CARRIERS, draw))


def _tap_and_connect(draw: ByteStream, serves: bool) -> Flow[object]:
    return (yield from _connect((yield from engage_nfc(draw, ble_carriers(draw, serves=serves)))))


def _scan_and_connect() -> Flow[object]:
    yield from power_on(SCREEN, "look", CONNECT_S)
    return (yield from _connect((yield from engage_qr())))


def _connect(engaged: Engaged) -> Flow[Engaged]:
    attempt: Attempt = yield Connect(ROLE, engaged.address(), CONNECT_S)
    if attempt.reply is None:
        raise Ended("the phone that was engaged is not found", ABSENT[ROLE], ROLE, outcome=attempt.outcome)
    return engaged


__all__ = ["Probe", "Probes", "met", "open_device", "open_wallet"]
