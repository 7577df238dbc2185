"""Ways between a desk and a phone: in this process, and through each real stack. The same seeds, so the same messages.

What a real stack does of itself must not show: a reader powers a card that nobody has asked anything yet, and takes its time. So
the phone begins a tap with its first command (:class:`FirstCommand`), and no time passes on the way (:class:`Timeless`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from bench.drivers import RealLink, pcsc
from bench.pcscd import PrivatePcscd
from bench.presenters.vpcd import VpcdPresenter
from virtual_devices.link import RESET, Attempt, Device, Link, Outcome
from virtual_devices.reader.presentation import Counter, Medium
from virtual_devices.wallet.faces import NFC_ATR, NfcFace

from . import nfc_desk
from .media import running
from .wallets import WalletBench

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
        return replace(attempt, duration_ns=0, sent_ns=-1)


@contextmanager
def in_process(bench: WalletBench, folder: Path) -> Iterator[Mapping[str, Link]]:
    yield {}


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


Channel = Callable[[WalletBench, Path], AbstractContextManager[Mapping[str, Link]]]
CHANNELS: Mapping[str, tuple[Counter, tuple[str, ...], Channel]] = MappingProxyType({
    "pcsc": (Counter(), ("pcsc",), over_pcsc), "nfc": (Counter(), (), over_nfc),
})
"""Channel -> how the phone is met there, the tools that it needs, and the way."""
__all__ = ["CHANNELS", "Channel", "FirstCommand", "Medium", "Timeless", "in_process"]
