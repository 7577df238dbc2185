"""Reference devices that break on a real medium when a test says so, each presented by a process of its own.

    with place("nfc", folder) as there:
        there.break_by(Fault.HANG)      from its next telling command on
        there.mend()                    it is sound again, or another one stands in its place

The fault stands in a file, which the device looks at with each request: nothing of the bench is between test and device. Many
tests wait until such a process is there, so that it imports what its own medium needs, and no more.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from bench.drivers import pcsc
from bench.presenters.control import discover
from bench.presenters.control_server import ControlServer
from bench.presenters.slotted import Slotted
from bench.sample_devices import Samples
from bench.stacks.bluez import PrivateBluetooth
from bench.stacks.pcscd import PrivatePcscd
from virtual_devices.link import Device
from virtual_devices.mdoc.ble_gatt import Mode
from virtual_devices.mdoc.engagement import Engagement
from virtual_devices.randomness import ByteStream

from . import nfc_desk
from .places import ROOT
from .ports import free_port
from .processes import wait_until

FAULT = "fault"
"""The file's name."""
ENVELOPE, GET_RESPONSE = b"\xc3", b"\xc0"
NOISE = ByteStream("broken device")(37)
LIMIT_S = 60.0
LONG = 1 << 20
"""More than a session message, or any answer, may have."""


class Fault(Enum):
    HANG = "hang"  # no answer until it is mended; over NFC it asks for more time without end
    SILENCE = "silence"  # no answer to this one, in the medium's own way
    ENDLESS = "endless"  # an answer that never comes to its end
    NOISE = "noise"
    DEATH = "death"  # of its process


class Broken:
    """A sound device, its fault in ``file`` while there is one. ``telling``: whether it breaks at this request."""

    def __init__(self, inner: Any, file: Path, telling: Callable[[bytes], bool], endless: bytes) -> None:
        self._inner, self._file, self._telling, self._endless = inner, file, telling, endless
        self._heard = 0  # requests since there is a fault
        self.atr: bytes = getattr(inner, "atr", b"")
        self.card_no: str = inner.card_no
        self.phone: Any = getattr(inner, "phone", None)

    @property
    def generation(self) -> int:
        found: int = self._inner.generation
        return found

    def to_image(self) -> bytes:
        image: bytes = self._inner.to_image()
        return image

    def act(self, request: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._inner.act(request)
        return answer

    def power_on(self) -> bytes:
        answer: bytes = self._inner.power_on()
        return answer

    def power_off(self) -> None:
        self._inner.power_off()

    def handle(self, request: bytes, now_ns: int) -> bytes:
        fault = self._strikes(request)
        match fault:
            case Fault.HANG:
                while self._fault() is Fault.HANG:
                    time.sleep(0.02)
            case Fault.SILENCE:
                return b""
            case Fault.ENDLESS:
                return self._endless
            case Fault.NOISE:
                return NOISE
            case Fault.DEATH:
                os.kill(os.getpid(), signal.SIGKILL)
        answer: bytes = self._inner.handle(request, now_ns)
        return answer

    def _strikes(self, request: bytes) -> Fault | None:
        fault, requests = read_fault(self._file)
        self._heard = 0 if fault is None else self._heard + 1
        return fault if (self._telling(request) if requests is None else self._heard >= requests) else None

    def _fault(self) -> Fault | None:
        return read_fault(self._file)[0]


def read_fault(file: Path) -> tuple[Fault | None, int | None]:
    """The fault, and at which request; None: at the next telling one."""
    try:
        fault, requests = file.read_text().split(" ")
    except FileNotFoundError:
        return None, None
    return Fault(fault), int(requests) if requests else None


@dataclass
class There:
    """One place. ``env``: of who drives it."""

    moniker: str
    channel: str
    folder: Path
    command: list[str]
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    code: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process with the device: another one after a death."""
        return 0 if self.process is None else self.process.pid

    def break_by(self, fault: Fault, requests: int | None = None) -> None:
        """At the next telling request; or at that one of all, so many from now on."""
        fresh = self.folder / "fault.new"
        fresh.write_text(f"{fault.value} {requests or ''}")
        fresh.replace(self.folder / FAULT)

    def mend(self) -> None:
        if self.process is not None and read_fault(self.folder / FAULT)[0] is Fault.DEATH:
            self.process.wait(LIMIT_S)  # it may still be dying
        (self.folder / FAULT).unlink(missing_ok=True)
        if self.process is None or self.process.poll() is not None:
            if self.code is not None:
                self.code.unlink(missing_ok=True)  # of the one that died
            assert wait_until(lambda: not self.ready()), "the medium has noticed that nobody is there"
            self.process = subprocess.Popen([sys.executable, "-m", __name__, *self.command], cwd=ROOT)
            assert wait_until(self.ready)

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@contextmanager
def _contact(folder: Path) -> Iterator[There]:
    """A stranger's card: nobody exchanges it."""
    with PrivatePcscd(2) as daemon:
        moniker = f"pcsc:{daemon.readers[0]}"

        def ready() -> bool:
            return any(found.has_card for found in pcsc.discover(env=daemon.env) if found.moniker == moniker)

        yield There(moniker, "contact", folder, ["contact", str(daemon.ports[0]), str(folder)], ready, daemon.env)


@contextmanager
def _nfc(folder: Path) -> Iterator[There]:
    port = free_port()
    yield There(f"nfc:udp:{nfc_desk.HOST}:{port}", "nfc", folder, ["nfc", str(port), str(folder)], lambda: bool(discover()))


@contextmanager
def _ble(folder: Path) -> Iterator[There]:
    code = folder / "code.png"
    with PrivateBluetooth() as bluetooth:
        yield There(f"qr:{code} + ble:", "ble", folder, ["ble", bluetooth.transport, str(folder)],
                    lambda: code.exists() and bool(discover()), bluetooth.env, code)


@contextmanager
def _network(folder: Path) -> Iterator[There]:
    port = free_port()

    def ready() -> bool:
        with socket.socket() as caller:
            return caller.connect_ex(("127.0.0.1", port)) == 0

    yield There(f"https://127.0.0.1:{port}", "network", folder, ["network", str(port), str(folder)], ready)


_PLACES: Mapping[str, Callable[[Path], AbstractContextManager[There]]] = {
    "contact": _contact, "nfc": _nfc, "ble": _ble, "network": _network,
}


@contextmanager
def place(medium: str, folder: Path) -> Iterator[There]:
    """XDG_RUNTIME_DIR is to be set: the control channels lie there."""
    with _PLACES[medium](folder) as there:
        there.mend()
        try:
            yield there
        finally:
            there.close()


# -- the process

_TELLING: Mapping[str, Callable[[bytes], bool]] = {
    "contact": bool, "nfc": lambda request: request[1:2] in (ENVELOPE, GET_RESPONSE), "ble": bool,
}
_PIECE = bytes(250) + b"\x61\xfa"
_ENDLESS = {"contact": _PIECE, "nfc": _PIECE, "ble": bytes(LONG)}


def _presenter(medium: str, where: str, folder: Path) -> Slotted:
    def broken(device: Any) -> Broken:
        return Broken(device, folder / FAULT, _TELLING[medium], _ENDLESS[medium])

    if medium == "contact":
        from bench.presenters.vpcd import VpcdPresenter

        card = broken(Samples("card", 1, time.time_ns()).exhibit(0).device)
        return VpcdPresenter(lambda: card, port=int(where))
    phones = Samples("wallet", 1, time.time_ns())
    if medium == "nfc":
        from bench.presenters.nfc import NfcPresenter
        from bench.presenters.nfc_radio import UdpRadio

        phone = broken(phones.exhibit(0).device)
        return NfcPresenter(lambda: phone, UdpRadio(nfc_desk.HOST, int(where)), ByteStream("UIDs", time.time_ns()),
                            ControlServer("broken"), load=lambda image: broken(phones.load(image)))
    return _over_the_air(where, folder, phones, broken)


def _over_the_air(where: str, folder: Path, phones: Samples, broken: Callable[[Any], Broken]) -> Slotted:
    from bench.clock import WallClock
    from bench.phone_image import KeptPhone
    from bench.present_qr import shown_as
    from bench.presenters.ble import BlePresenter
    from virtual_devices.mdoc import ble_chunks
    from virtual_devices.wallet.faces import MessageFace

    from .ble_desk import method

    show, fresh = shown_as("png", folder / "code.png"), ByteStream("services", time.time_ns())

    def engage(device: Device) -> Engagement:
        assert isinstance(device, Broken)
        made: Engagement = device.phone.engage([method(*Mode, fresh=fresh)]).engagement
        show([made.qr_text()])
        return made

    def load(image: bytes) -> Broken:
        return broken(KeptPhone.load(image, MessageFace, WallClock()))

    first = load(phones.exhibit(0).device.to_image())  # type: ignore[attr-defined]
    presenter = BlePresenter(lambda: first, where, engage, ControlServer("broken"), load=load)
    presenter.reader = f"qr:{folder / 'code.png'}"
    ble_chunks.MAX_MESSAGE_BYTES = 2 * LONG  # this one keeps to no limit
    return presenter


if __name__ == "__main__":
    if sys.argv[1] == "network":
        from .broken_service import serve

        serve(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        _presenter(sys.argv[1], sys.argv[2], Path(sys.argv[3])).run()

__all__ = ["Fault", "There", "place"]
