"""Ways between a desk and a phone: in this process, and through each real stack. The same seeds, so the same messages.

What a real stack does of itself must not show: a reader powers a card that nobody has asked anything yet, and takes its time. So
the phone begins a tap with its first command (:class:`FirstCommand`), and no time passes on the way (:class:`Timeless`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from bench.drivers import RealLink, ble, pcsc
from bench.monikers import for_role
from bench.presenters.qr import Folder, PictureScreen
from bench.presenters.vpcd import VpcdPresenter
from bench.probe import open_wallet
from bench.stacks.bluez import PrivateBluetooth
from bench.stacks.pcscd import PrivatePcscd
from virtual_devices.link import RESET, Attempt, Device, Link, Outcome
from virtual_devices.mdoc.ble_gatt import service_uuid
from virtual_devices.mdoc.ble_options import BleOptions
from virtual_devices.mdoc.engagement import Engagement
from virtual_devices.randomness import ByteStream
from virtual_devices.reader.presentation import OPEN_APP, Counter, Medium
from virtual_devices.wallet.faces import NFC_ATR, MessageFace, NfcFace

from . import ble_desk, nfc_desk
from .media import running
from .wallets import HolderOf, WalletBench

LIMIT_S = 60.0


class FirstCommand:
    """A phone whose tap begins with the first command: power that came for nothing leaves no trace."""

    atr = NFC_ATR

    def __init__(self, face: Device) -> None:
        self._face = face
        self._on = False

    def power_on(self) -> bytes:
        self._on = False
        return NFC_ATR

    def power_off(self) -> None:
        if self._on:
            self._face.power_off()
        self._on = False

    def handle(self, request: bytes, now_ns: int) -> bytes:
        if not self._on:
            self._face.power_on()
            self._on = True
        return self._face.handle(request, now_ns)


class Timeless:
    """A real link as flows use it, whose tries take no time. RESET is a new tap."""

    def __init__(self, inner: RealLink) -> None:
        self.inner = inner
        self.channel, self.device, self.provenance = inner.channel, inner.device, inner.provenance

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if message == RESET:
            self.inner.disconnect()
            attempt = self.inner.connect(LIMIT_S)
        else:
            attempt = self.inner.attempt(message, LIMIT_S)
        assert attempt.outcome is Outcome.REPLIED, self.inner.last_error
        if message and not attempt.reply:  # the good-bye: a phone waits for the reader to let it go
            self.inner.disconnect()
        return replace(attempt, duration_ns=0, sent_ns=-1)


class TimelessBle(Timeless):
    """Over Bluetooth a phone is reached by what its engagement says."""

    def __init__(self, inner: ble.BleLink) -> None:
        super().__init__(inner)
        self._ble = inner

    def connect_to(self, address: bytes, timeout_s: float) -> Attempt:
        attempt = self._ble.connect_to(address, LIMIT_S)
        assert attempt.outcome is Outcome.REPLIED, self._ble.last_error
        return replace(attempt, duration_ns=0, sent_ns=-1)


class TimelessScreen:
    """A screen before a camera, as flows use it; a scan takes no time."""

    def __init__(self, inner: Link) -> None:
        self.inner = inner
        self.channel, self.device, self.provenance = inner.channel, inner.device, inner.provenance

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        return replace(self.inner.attempt(message, LIMIT_S), duration_ns=0)


class ShowsCode(HolderOf):
    """A holder whose phone shows the code of its next engagement, which offers Bluetooth, before they agree."""

    code: Callable[[], Engagement]

    def ask(self, person: str, act: str) -> tuple[int, str]:
        if act == OPEN_APP:
            self.bench.screen.text = self.code().qr_text()
        return super().ask(person, act)


def engaging(bench: WalletBench) -> Callable[[], Engagement]:
    """The phone's next engagement; the services' names are alike each time the story is told."""
    fresh = ByteStream("channels", "services")

    def engage() -> Engagement:
        options = BleOptions(service_uuid(fresh), service_uuid(fresh))
        return bench.phone.engage([options.method()]).engagement

    return engage


def showing(bench: WalletBench, code: Callable[[], Engagement]) -> None:
    holder = bench.people = ShowsCode(bench)
    holder.code = code
    bench.counter = replace(bench.counter, medium=Medium.NFC)  # HolderOf would engage once more


@contextmanager
def in_process(bench: WalletBench, folder: Path) -> Iterator[Mapping[str, Link]]:
    yield {}


@contextmanager
def in_process_ble(bench: WalletBench, folder: Path) -> Iterator[Mapping[str, Link]]:
    links = {"wallet": bench.links()["wallet"]}
    showing(bench, engaging(bench))
    yield links


@contextmanager
def over_code_and_ble(bench: WalletBench, folder: Path) -> Iterator[Mapping[str, Link]]:
    """``qr:FOLDER + ble:``: the phone's screen is a folder of pictures."""
    with PrivateBluetooth() as bluetooth, ExitStack() as stack:
        phone = ble_desk.Presented(MessageFace(bench.phone), bluetooth.transport, engaging(bench))
        phone.clock = bench.clock
        bench.screen = PictureScreen(Folder(folder))
        showing(bench, phone.next)
        stack.enter_context(phone)
        links = open_wallet(for_role("wallet", f"qr:{folder} + ble:"), bluetooth.env, stack)
        wallet = links["wallet"].inner
        assert isinstance(wallet, ble.BleLink)
        yield {"wallet": TimelessBle(wallet), "screen": TimelessScreen(links["screen"])}


@contextmanager
def over_pcsc(bench: WalletBench, folder: Path) -> Iterator[Mapping[str, Link]]:
    with PrivatePcscd(1) as service:
        presenter = VpcdPresenter(
            lambda: FirstCommand(NfcFace(bench.phone)), port=service.ports[0], clock=bench.clock, settle_s=0,
        )
        with running(presenter), pcsc.open(service.readers[0], env=service.env) as link:
            yield {"wallet": Timeless(link)}


@contextmanager
def over_nfc(bench: WalletBench, folder: Path) -> Iterator[Mapping[str, Link]]:
    presented = nfc_desk.presented(FirstCommand(NfcFace(bench.phone)), clock=bench.clock)
    with presented as there, nfc_desk.connected(there) as link:
        yield {"wallet": Timeless(link)}


Way = Callable[[WalletBench, Path], AbstractContextManager[Mapping[str, Link]]]


@dataclass(frozen=True)
class Channel:
    """How the phone is met there, the real way to it, the same within this process, and the tools that the real one needs."""

    over: Way
    counter: Counter = field(default_factory=Counter)
    model: Way = in_process
    tools: tuple[str, ...] = ()


CHANNELS: Mapping[str, Channel] = MappingProxyType({
    "pcsc": Channel(over_pcsc, tools=("pcsc",)),
    "nfc": Channel(over_nfc),
    "qr + ble": Channel(over_code_and_ble, Counter(Medium.QR_BLE), in_process_ble, ("dbus",)),
})
__all__ = ["CHANNELS", "Channel", "FirstCommand", "ShowsCode", "Timeless", "TimelessBle", "Way"]
