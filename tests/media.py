"""Every medium that has a driver, as the contract tests meet it: what stands at the other end, what it carries, what it cannot.

A :class:`Stand` is one toy card presented over the medium by a presenter of the bench with its control channel, and links to it;
of a medium that has no such thing, what it has instead: a picture that comes and goes, a run that was recorded.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Protocol, cast

from bench import presenters as presenting
from bench.drivers import MEDIA as DRIVERS
from bench.drivers import RealLink, ble, nfc, pcsc, qr, replay
from bench.files import write
from bench.presenters.ble import BlePresenter
from bench.presenters.control import Control
from bench.presenters.control_server import ControlServer
from bench.presenters.nfc import NfcPresenter
from bench.presenters.nfc_radio import UdpRadio
from bench.presenters.serve import Rows
from bench.presenters.vpcd import VpcdPresenter
from bench.reader_link import DeviceLink
from bench.stacks.bluez import PrivateBluetooth
from bench.stacks.pcscd import PrivatePcscd
from conformance.vectors.pictures import png
from virtual_devices.link import Attempt, Provenance
from virtual_devices.mdoc.engagement import Engagement
from virtual_devices.qr.text import CARD, pack
from virtual_devices.trace import ExchangeRow, Row
from virtual_devices.wallet.faces import SCAN

from . import ble_desk, nfc_desk
from .ports import free_port
from .run_directories import EXCHANGE, write_run
from .toy_card import READ, SILENCE, ToyCard
from .virtual_readers import presented_by_a_process, ready


class Presenter(Protocol):
    def run(self) -> None: ...

    def stop(self) -> None: ...


class Hand(Protocol):
    """What puts a device there and takes it away: the control channel of a presenter, or who changes a picture."""

    @property
    def path(self) -> Path: ...

    def insert(self, image: bytes, card_no: str) -> bool: ...

    def eject(self) -> bytes: ...


@dataclass
class Stand:
    """``question``, ``answer``: of the toy, or of what stands in its place. ``worker``: a process serves the link."""

    moniker: str
    open: Callable[[], RealLink]
    hand: Hand
    env: Mapping[str, str] = field(default_factory=dict)
    question: bytes = READ
    answer: bytes = b"toy\x90\x00"
    provenance: Provenance = Provenance.MEASURED
    worker: bool = True
    on_show: PresentedStand | None = None

    @property
    def shown(self) -> PresentedStand:
        assert self.on_show is not None, "this medium has no presenter of the contract"
        return self.on_show

    @property
    def card(self) -> ToyCard:
        return self.shown.cards[-1]

    def insert(self, data: bytes = b"toy", number: str = "1") -> None:
        self.hand.insert(data, number)


@dataclass
class PresentedStand:
    """The presenter's side. ``cards``: all that were in, the last one now. ``peer``: a context in which another process presents
    one in place of ours, with the channel ``toy`` in that folder; the process may be killed, and the link to it is
    ``open_to_peer``."""

    control: Control
    cards: list[ToyCard]
    rows: list[ExchangeRow]
    presenter: Callable[[ControlServer], Presenter]
    peer: Callable[[Path], AbstractContextManager[subprocess.Popen[bytes]]]
    open_to_peer: Callable[[], RealLink]


@dataclass(frozen=True)
class Medium:
    """``answers``, ``requests``: lengths in bytes that are carried whole, the medium's limits among them; ``too_long``: of a
    command that is not. ``cannot``: case -> why the medium has no such thing."""

    stand: Callable[[Path], AbstractContextManager[Stand]]
    tools: tuple[str, ...] = ()
    answers: tuple[int, ...] = (2, 3, 255, 256, 257, 258, 4000)
    requests: tuple[int, ...] = (12, 255, 4000)
    too_long: int = 0
    unknown: tuple[str, ...] = ("NOBODY", "")
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
            control = ready(folder, "stand")
            shown = PresentedStand(
                control, cards, rows, presenter, lambda there: presented_by_a_process(service.ports[1], there), lambda: link(1),
            )
            yield Stand(f"pcsc:{service.readers[0]}", lambda: link(0), control, service.env, on_show=shown)


@contextmanager
def nfc_stand(folder: Path) -> Iterator[Stand]:
    cards: list[ToyCard] = []
    rows: list[ExchangeRow] = []
    port, peers_port = free_port(), free_port()

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
        control = ready(folder, "stand")
        shown = PresentedStand(control, cards, rows, presenter, peer, lambda: link(peers_port))
        yield Stand(f"nfc:udp:{nfc_desk.HOST}:{port}", lambda: link(port), control, on_show=shown)


class Met(DeviceLink):
    """A link to whoever is behind this code: ``connect`` looks for it."""

    def __init__(self, inner: ble.BleLink, code: Engagement) -> None:
        super().__init__(inner)
        self._ble, self._code = inner, code

    last_error = property(lambda self: self._ble.last_error)
    worker_pid = property(lambda self: self._ble.worker_pid)

    def connect(self, timeout_s: float) -> Attempt:
        return self._ble.connect_to(self._code.raw, timeout_s)

    def disconnect(self) -> None:
        self._ble.disconnect()

    def close(self) -> None:
        self._ble.close()

    def __enter__(self) -> Met:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@contextmanager
def ble_stand(folder: Path) -> Iterator[Stand]:
    """Each presenter has a code of its own, which stays."""
    cards: list[ToyCard] = []
    rows: list[ExchangeRow] = []
    code, peers_code = ble_desk.toy_engagement(), ble_desk.toy_engagement()

    def load(image: bytes) -> ToyCard:
        cards.append(ToyCard(image))
        return cards[-1]

    with PrivateBluetooth() as bluetooth:

        def presenter(control: ControlServer) -> BlePresenter:
            return BlePresenter(lambda: None, bluetooth.transport, lambda _: code, control, load=load, rows=_kept(rows))

        def link(shown: Engagement) -> RealLink:
            return cast(RealLink, Met(ble.open("", env=bluetooth.env), shown))

        def peer(there: Path) -> AbstractContextManager[subprocess.Popen[bytes]]:
            return ble_desk.card_presented_by_a_process(bluetooth.transport, there, peers_code)

        with running(presenter(ControlServer("stand", folder))):
            control = ready(folder, "stand")
            shown = PresentedStand(control, cards, rows, presenter, peer, lambda: link(peers_code))
            yield Stand("ble:", lambda: link(code), control, bluetooth.env, on_show=shown)


class Picture:
    """A hand that puts a picture of a code into its place, and takes it away."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def insert(self, image: bytes, card_no: str) -> bool:
        write(self.path, png(pack(CARD, image)))
        return True

    def eject(self) -> bytes:
        self.path.unlink()
        return b""


@contextmanager
def qr_stand(folder: Path) -> Iterator[Stand]:
    hand = Picture(folder / "code.png")
    hand.insert(b"toy", "1")
    yield Stand(
        f"qr:{hand.path}", lambda: qr.open(str(hand.path)), hand, question=SCAN, answer=pack(CARD, b"toy").encode(),
    )


class Nobody:
    """A record is not put anywhere."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def insert(self, image: bytes, card_no: str) -> bool:
        return False

    def eject(self) -> bytes:
        return b""


@contextmanager
def replay_stand(folder: Path) -> Iterator[Stand]:
    """A run in which the toy was asked in each of twenty sessions, and then did not answer."""

    def said(session: int, request: bytes, reply: bytes | None) -> ExchangeRow:
        return replace(
            EXCHANGE, session=f"s{session}", request=request, request_bytes=len(request), reply=reply or b"",
            reply_bytes=-1 if reply is None else len(reply), outcome="timed_out" if reply is None else "replied",
        )

    asked = ((b"", b"ATR"), (READ, b"toy\x90\x00"), (SILENCE, None))
    run = write_run(folder / "run", (said(n, *each) for n in range(20) for each in asked))
    yield Stand(
        f"replay:{run}", lambda: replay.open(str(run)), Nobody(run / "manifest.json"), provenance=Provenance.REPLAYED,
        worker=False,
    )


_NO_HANG = "nothing in it could hang"
MEDIA: Mapping[str, Medium] = {
    "ble": Medium(
        ble_stand, ("dbus",), answers=(2, 3, 255, 256, 512, 4000, 65_500), requests=(12, 255, 4000, 65_000), too_long=65_537,
        unknown=("hci9", "bumble:"),
        cannot={
            "discover": "phones are found by an engagement alone; adapters: tests/test_bench_ble_events.py",
            "garbled": "a message of any bytes is one; broken rules of the link: tests/test_virtual_devices_mdoc_ble_breaches.py",
        },
    ),
    "qr": Medium(
        qr_stand,
        cannot={
            "lengths": "a code's length is its version's: tests/test_bench_qr.py", "a command too long": "a screen hears nothing",
            "hung peer": _NO_HANG, "another device": "a camera sees what is there now",
            "garbled": "damaged pictures, and codes beside others: tests/test_bench_qr.py",
            "killed peer": "a picture stays when who made it has gone", "discover": "a path is named, never looked for",
            "presented": "codes change by themselves, and nobody answers: tests/test_bench_presenters_qr.py",
        },
    ),
    "replay": Medium(
        replay_stand,
        cannot={
            "lengths": "as they were recorded",
            "a command too long": "what was not recorded is told: tests/test_bench_drivers_replay.py",
            "hung peer": _NO_HANG, "gone before": "a record stays", "nobody there": "it is there, or is refused when opened",
            "another device": "a record is of one device", "garbled": "as it was recorded", "killed worker": "it has no process",
            "killed peer": "there is no peer", "discover": "a run is named, never looked for",
            "presented": "nobody presents it",
        },
    ),
    "nfc": Medium(
        nfc_stand, answers=(2, 3, 255, 256, 257, 258, 4000, 65_500), requests=(12, 255, 4000, 65_000), too_long=70_000,
        unknown=("tty:NOBODY", ""), cannot={"discover": "a UDP address is named, not found; USB readers are not here"},
    ),
    "pcsc": Medium(pcsc_stand, ("pcsc",), answers=(2, 3, 255, 256, 257, 258, 4000, 65_500), requests=(12, 255, 4000, 65_000),
                   too_long=65_536),
}
"""Scheme of the driver -> its medium."""
NOT_HERE: Mapping[str, str] = {
    "http": "carries requests to a service, not messages to a device: tests/test_bench_http.py",
}
"""Drivers whose contract is another one -> why, and what holds them."""
PRESENTERS: Mapping[str, str] = {"vpcd": "pcsc", "nfc": "nfc", "ble": "ble"}
"""Presenter -> the medium over which its contract is tried."""
NOT_PRESENTED_HERE: Mapping[str, str] = {
    "qr": "codes change by themselves, and nobody answers: tests/test_bench_presenters_qr.py",
    "http": "presents a service, not a device: tests/test_bench_presenters_http.py",
    "control_software": "presents a reader's software, not a device: tests/test_bench_control_software.py",
}


def without_contract() -> set[str]:
    """Drivers that are in neither table, and presenters."""
    modules = {one.name: import_module(f"{presenting.__name__}.{one.name}") for one in iter_modules(presenting.__path__)}
    presenters = {
        name for name, module in modules.items() for what, value in vars(module).items()
        if what.endswith("Presenter") and value.__module__ == module.__name__
    }
    return (set(DRIVERS) - set(MEDIA) - set(NOT_HERE)) | (presenters - set(PRESENTERS) - set(NOT_PRESENTED_HERE))


__all__ = ["MEDIA", "NOT_HERE", "Medium", "Presenter", "PresentedStand", "Stand", "running", "without_contract"]
