"""Every medium that has a driver, as the contract tests meet it: what stands at the other end, what it carries, what it cannot.

A :class:`Stand` is one toy card presented over the medium by a presenter of the bench with its control channel, and links to it.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from bench.drivers import MEDIA as DRIVERS
from bench.drivers import RealLink, nfc, pcsc
from bench.pcscd import PrivatePcscd
from bench.presenters.control import Control, ControlServer
from bench.presenters.nfc import NfcPresenter
from bench.presenters.nfc_radio import UdpRadio
from bench.presenters.serve import Rows
from bench.presenters.vpcd import VpcdPresenter
from virtual_devices.trace import ExchangeRow, Row

from . import nfc_desk
from .toy_card import ToyCard
from .virtual_readers import presented_by_a_process, ready


class Presenter(Protocol):
    def run(self) -> None: ...

    def stop(self) -> None: ...


@dataclass
class Stand:
    """``card``: the one that is presented now. ``peer``: a context in which another process presents one in place of ours, with
    the channel ``toy`` in that folder; the process may be killed, and the link to it is ``link_to_peer``."""

    moniker: str
    env: Mapping[str, str]
    control: Control
    cards: list[ToyCard]
    rows: list[ExchangeRow]
    presenter: Callable[[ControlServer], Presenter]
    open: Callable[[], RealLink]
    peer: Callable[[Path], AbstractContextManager[subprocess.Popen[bytes]]]
    open_to_peer: Callable[[], RealLink]

    @property
    def card(self) -> ToyCard:
        return self.cards[-1]

    def insert(self, data: bytes = b"toy", number: str = "1") -> None:
        self.control.insert(data, number)


@dataclass(frozen=True)
class Medium:
    """``answers``, ``requests``: lengths in bytes that are carried whole, the medium's limits among them; ``too_long``: of a
    command that is not. ``cannot``: case -> why the medium has no such thing."""

    stand: Callable[[Path], AbstractContextManager[Stand]]
    tools: tuple[str, ...] = ()
    answers: tuple[int, ...] = (2, 3, 255, 256, 257, 258, 4000)
    requests: tuple[int, ...] = (12, 255, 4000)
    too_long: int = 0
    unknown: str = "NOBODY"
    cannot: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@contextmanager
def running(presenter: Presenter) -> Iterator[None]:
    """A presenter in a thread of this process."""
    thread = threading.Thread(target=presenter.run)
    thread.start()
    try:
        yield
    finally:
        presenter.stop()
        thread.join()


def _kept(rows: list[ExchangeRow]) -> Rows:
    def keep(row: Row) -> None:
        assert isinstance(row, ExchangeRow)
        rows.append(row)

    return Rows(keep)


@contextmanager
def pcsc_stand(folder: Path) -> Iterator[Stand]:
    """The second reader is for the other process."""
    cards: list[ToyCard] = []
    rows: list[ExchangeRow] = []

    def load(image: bytes) -> ToyCard:
        cards.append(ToyCard(image))
        return cards[-1]

    with PrivatePcscd(2) as service:

        def presenter(control: ControlServer) -> VpcdPresenter:
            return VpcdPresenter(lambda: None, port=service.ports[0], control=control, load=load, rows=_kept(rows), settle_s=0)

        def link(slot: int) -> pcsc.PcscLink:
            return pcsc.open(service.readers[slot], env=service.env)

        with running(presenter(ControlServer("stand", folder))):
            yield Stand(
                f"pcsc:{service.readers[0]}", service.env, ready(folder, "stand"), cards, rows, presenter, lambda: link(0),
                lambda there: presented_by_a_process(service.ports[1], there), lambda: link(1),
            )


@contextmanager
def nfc_stand(folder: Path) -> Iterator[Stand]:
    cards: list[ToyCard] = []
    rows: list[ExchangeRow] = []
    port, peers_port = nfc_desk.free_port(), nfc_desk.free_port()

    def load(image: bytes) -> ToyCard:
        cards.append(ToyCard(image))
        return cards[-1]

    def presenter(control: ControlServer) -> NfcPresenter:
        return nfc_desk.presenter(UdpRadio(nfc_desk.HOST, port), None, control, load=load, rows=_kept(rows))

    def link(at: int) -> nfc.NfcLink:
        return nfc.open(f"udp:{nfc_desk.HOST}:{at}")

    @contextmanager
    def peer(there: Path) -> Iterator[subprocess.Popen[bytes]]:
        with nfc_desk.presented_by_a_process(there, peers_port) as (process, _):
            yield process

    with running(presenter(ControlServer("stand", folder))):
        yield Stand(
            f"nfc:udp:{nfc_desk.HOST}:{port}", {}, ready(folder, "stand"), cards, rows, presenter, lambda: link(port),
            peer, lambda: link(peers_port),
        )


MEDIA: Mapping[str, Medium] = {
    "nfc": Medium(
        nfc_stand, answers=(2, 3, 255, 256, 257, 258, 4000, 65_500), requests=(12, 255, 4000, 65_000), too_long=70_000,
        unknown="tty:NOBODY", cannot={"discover": "a UDP address is named, not found; USB readers are not here"},
    ),
    "pcsc": Medium(pcsc_stand, ("pcsc",), answers=(2, 3, 255, 256, 257, 258, 4000, 65_500), requests=(12, 255, 4000, 65_000),
                   too_long=65_536),
}
"""Scheme of the driver -> its medium."""
NOT_HERE: Mapping[str, str] = {
    "http": "carries requests to a service, not messages to a device: tests/test_bench_http.py",
    "qr": "reads a picture, and no device hears a question: tests/test_bench_qr.py",
    "ble": "a phone is met there by what its engagement says, not by its name: tests/test_bench_ble*.py, tests/test_channels.py",
    "replay": "answers what was recorded and nothing else: tests/test_bench_drivers_replay.py",
}
"""Drivers whose contract is another one -> why, and what holds them."""


def without_contract() -> set[str]:
    """Drivers that are in neither table."""
    return set(DRIVERS) - set(MEDIA) - set(NOT_HERE)


__all__ = ["MEDIA", "NOT_HERE", "Medium", "Presenter", "Stand", "running", "without_contract"]
