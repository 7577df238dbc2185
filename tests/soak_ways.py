"""Channels that a soak runs over: a phone behind a presenter in another process, a link to it, and what can go wrong on the way.

    python -m tests.soak_ways CHANNEL FOLDER PLACE SEED        the presenter's process: it presents what is at FOLDER/home
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from shutil import rmtree
from types import MappingProxyType
from typing import Any, cast

from bench.drivers import RealLink, ble, nfc, pcsc, qr
from bench.drivers.qr import QrLink
from bench.presenters.ble import BlePresenter
from bench.presenters.control import Control
from bench.presenters.control_server import ControlServer
from bench.presenters.nfc import NfcPresenter
from bench.presenters.nfc_radio import UdpRadio
from bench.presenters.qr import Folder
from bench.presenters.vpcd import VpcdPresenter
from bench.reader_link import ScreenLink
from bench.stacks.air import Weather
from bench.stacks.bluez import PrivateBluetooth
from bench.stacks.pcscd import PrivatePcscd
from conformance.vectors.pictures import png
from virtual_devices.errors import LinkError, PeerError, UsageError
from virtual_devices.link import Attempt, Device
from virtual_devices.mdoc.ble_gatt import service_uuid
from virtual_devices.mdoc.ble_options import BleOptions
from virtual_devices.randomness import ByteStream
from virtual_devices.reader.presentation import OPEN_APP, Counter, Medium
from virtual_devices.wallet.faces import NFC_ATR, MessageFace, NfcFace, Screen
from virtual_devices.wallet.phone import Phone

from . import nfc_desk
from .far_device import Far, Home
from .places import ROOT
from .ports import free_port
from .virtual_readers import ready

CODE_S = 30.0
"""Longest wait for the code of a phone whose presenter may have to start first."""
LOSS = 0.1
"""Of the frames on the air, each way."""
Act = Callable[[Random], None]


class Way(ABC):
    """One channel, whole. ``troubles``: name -> how it happens, in a thread of its own; then everything is in place again."""

    exchange_s, connect_s = 1.0, 6.0
    """Limits of one exchange, and of one connection: a reader looks again and again, and a process may have to start."""
    spread = 20
    """Something goes wrong at one of so many exchanges from the beginning of a presentation on; the last ones are the next's."""
    counter = Counter()
    role = "wallet"
    """Who is behind the link."""

    channel = ""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self._seed = folder, seed
        self._stack = ExitStack()
        self._peer: subprocess.Popen[bytes] | None = None
        self.link: RealLink
        self.troubles: Mapping[str, Act] = {
            "worker killed": self._kill_worker, "peer killed": self._kill_peer, "peer frozen": self._freeze_peer,
            "taken away": self._take_away,
        }

    def __enter__(self) -> Way:
        try:
            self.open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()
        if self._peer is not None:
            self._peer.kill()
            self._peer.wait()
            self._peer = None
        for name in ("peer.sock", "peer.log"):  # of one that was killed; what it said last
            (self.folder / name).unlink(missing_ok=True)

    @abstractmethod
    def open(self) -> None:
        """Start what the channel is made of, the presenter, and the link."""

    def start_peer(self, place: object) -> None:
        """``place``: where the presenter presents, a port or a transport."""
        self._place = place
        command = [sys.executable, "-m", "tests.soak_ways", self.channel, str(self.folder), str(place), str(self._seed)]
        with (self.folder / "peer.log").open("ab") as log:
            self._peer = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        self.wait_for_peer()

    def wait_for_peer(self) -> None:
        ready(self.folder, "peer")

    def face(self, phone: Phone) -> Device:
        return NfcFace(phone)

    def begin(self, phone: Phone, home: Home) -> None:
        """A day with another phone begins."""
        return

    def holder_is_asked(self, phone: Phone, home: Home, screen: Screen, act: str) -> None:
        """Before the holder does it."""
        return

    # -- troubles

    def _kill_worker(self, rng: Random) -> None:
        pid = self.link.worker_pid
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _kill_peer(self, rng: Random) -> None:
        assert self._peer is not None
        self._peer.kill()
        self._peer.wait()
        time.sleep(rng.uniform(0, 0.3))
        self.start_peer(self._place)

    def _freeze_peer(self, rng: Random) -> None:
        """Longer than an exchange may take, or shorter."""
        assert self._peer is not None
        self._peer.send_signal(signal.SIGSTOP)
        time.sleep(rng.uniform(0.2, 1.6) * self.exchange_s)
        self._peer.send_signal(signal.SIGCONT)

    def _take_away(self, rng: Random) -> None:
        control = Control(self.folder / "peer.sock")
        with suppress(LinkError, PeerError):
            control.eject()
        time.sleep(rng.uniform(0, 0.3))
        control.insert(b"phone", "1")


class PcscWay(Way):
    channel = "pcsc"

    def open(self) -> None:
        self.service = self._stack.enter_context(PrivatePcscd(1))
        self.start_peer(self.service.ports[0])
        self.link = self._stack.enter_context(pcsc.open(self.service.readers[0], env=self.service.env))
        self.troubles = {**self.troubles, "service restarted": self._restart, "service killed": self._kill_service}

    def _restart(self, rng: Random) -> None:
        self.service.stop()
        time.sleep(rng.uniform(0, 0.3))
        self.service.start()

    def _kill_service(self, rng: Random) -> None:
        self.service.kill()
        time.sleep(rng.uniform(0, 0.3))
        self.service.start()


class NfcWay(Way):
    """Over nfcpy's UDP driver. The other process loses one frame in ten, in both directions."""

    channel = "nfc"
    exchange_s = 3.0

    def open(self) -> None:
        port = free_port()
        self.start_peer(port)
        self.link = self._stack.enter_context(nfc.open(f"udp:{nfc_desk.HOST}:{port}"))


class BleWay(Way):
    """Bleak upon an emulated BlueZ; one packet of the link layer in ten is lost."""

    channel = "ble"
    exchange_s, connect_s, spread = 5.0, 10.0, 6
    counter = Counter(Medium.QR_BLE)

    def open(self) -> None:
        weather = Weather(interval_ms=7.5, lost=LOSS)
        self.bluetooth = self._stack.enter_context(PrivateBluetooth(weather, self._seed))
        self.start_peer(self.bluetooth.transport)
        self.link = self._stack.enter_context(ble.open("", env=self.bluetooth.env))
        self.troubles = {
            "worker killed": self._kill_worker, "peer killed": self._kill_peer, "peer frozen": self._freeze_peer,
            "connection cut": lambda _: self.bluetooth.cut(), "adapter unplugged": self._unplug,
            "service killed": self._kill_service,
        }

    def wait_for_peer(self) -> None:
        """The presenter shows a code as soon as it can be met."""

    def face(self, phone: Phone) -> Device:
        return MessageFace(phone)

    def begin(self, phone: Phone, home: Home) -> None:
        fresh = ByteStream("soak", self._seed, phone.name, id(phone))

        def engage() -> str:
            options = BleOptions(service_uuid(fresh), service_uuid(fresh))
            return phone.engage([options.method()]).engagement.qr_text()

        with home.lock:
            home.engage = engage
        if self._peer is not None:  # its code is another phone's
            self._peer.kill()
            self._peer.wait()
            self.start_peer(self._place)

    def holder_is_asked(self, phone: Phone, home: Home, screen: Screen, act: str) -> None:
        """A code that no reader has used yet is waited for, and is on the screen then."""
        if act != OPEN_APP:
            return
        deadline = time.monotonic() + CODE_S
        while time.monotonic() < deadline:
            with home.lock:
                session = phone.session
                if session is not None and session.transcript is None:
                    screen.text = session.engagement.qr_text()
                    return
            time.sleep(0.01)
        raise AssertionError(f"no code of a new presentation on the phone within {CODE_S:g} s")

    def _unplug(self, rng: Random) -> None:
        self.bluetooth.unplug()
        time.sleep(rng.uniform(0, 0.3))
        self.bluetooth.plug()

    def _kill_service(self, rng: Random) -> None:
        self.bluetooth.kill()
        time.sleep(rng.uniform(0, 0.3))
        self.bluetooth.start()


class Camera(ScreenLink):
    """The scanner of a soak: it says what went wrong, as every link there."""

    def __init__(self, inner: QrLink) -> None:
        super().__init__(inner)
        self._qr = inner

    last_error = property(lambda self: self._qr.last_error)
    worker_pid = property(lambda self: self._qr.worker_pid)

    def connect(self, timeout_s: float) -> Attempt:
        return self._qr.connect(timeout_s)

    def disconnect(self) -> None:
        self._qr.disconnect()

    def close(self) -> None:
        self._qr.close()


class QrWay(Way):
    """A phone's codes as pictures in a folder that a camera writes to, read through zxing-cpp; what follows needs no medium.

    A presentation has one scan, so trouble comes with it: pictures that are half written, no pictures, of others, of before; the
    folder taken away; the reading process killed or frozen.
    """

    channel = "qr"
    exchange_s, spread = 1.0, 1
    counter = Counter(Medium.QR_BLE)
    role = "screen"

    def open(self) -> None:
        self._camera = self.folder / "camera"
        self._camera.mkdir()
        self._stack.callback(rmtree, self._camera)
        self._screen, self._fresh = Folder(self._camera), ByteStream("soak", self._seed, "services")
        link = Camera(qr.open(str(self._camera)))
        self._stack.callback(link.close)
        self.link = cast(RealLink, link)
        self.troubles = {
            "worker killed": self._kill_worker, "worker frozen": self._freeze_worker, "picture half written": self._half,
            "picture that is none": lambda rng: self._beside(rng, rng.randbytes(rng.randrange(1, 4000))),
            "code of others": lambda rng: self._beside(rng, png("https://example.org/menu")),
            "code of before": self._before, "picture removed": self._remove, "folder taken away": self._take_folder,
        }

    def face(self, phone: Phone) -> Device:
        return MessageFace(phone)

    def holder_is_asked(self, phone: Phone, home: Home, screen: Screen, act: str) -> None:
        if act == OPEN_APP:
            options = BleOptions(service_uuid(self._fresh), None)
            with home.lock:
                text = phone.engage([options.method()]).engagement.qr_text()
            deadline = time.monotonic() + CODE_S
            while not self._photographed(text):
                assert time.monotonic() < deadline, f"the camera's folder did not come back within {CODE_S:g} s"
                time.sleep(0.01)

    def _photographed(self, text: str) -> bool:
        """False while the folder is away."""
        try:
            self._screen.put(text)
        except UsageError:
            return False
        return True

    # -- troubles

    def _freeze_worker(self, rng: Random) -> None:
        pid = self.link.worker_pid
        with suppress(ProcessLookupError, TypeError):
            os.kill(pid, signal.SIGSTOP)  # type: ignore[arg-type]
            time.sleep(rng.uniform(0.2, 1.6) * self.exchange_s)
            os.kill(pid, signal.SIGCONT)  # type: ignore[arg-type]

    def _beside(self, rng: Random, content: bytes) -> None:
        """Another picture, newer than all, for a while."""
        other = self._camera / "other.png"
        other.write_bytes(content)
        time.sleep(rng.uniform(0, 0.3))
        other.unlink()

    def _newest(self) -> Path:
        return max(self._camera.glob("code-*.png"))

    def _half(self, rng: Random) -> None:
        """As a camera program does that writes where others read already."""
        whole, slowly = self._newest().read_bytes(), self._camera / "other.png"
        with slowly.open("wb", buffering=0) as file:
            file.write(whole[: rng.randrange(len(whole))])
            time.sleep(rng.uniform(0, 0.5))
            file.seek(0)
            file.write(whole)
        slowly.unlink()

    def _before(self, rng: Random) -> None:
        """A code that was used already: its phone is in another session."""
        self._beside(rng, min(self._camera.glob("code-*.png")).read_bytes())

    def _remove(self, rng: Random) -> None:
        newest = self._newest()
        content = newest.read_bytes()
        newest.unlink()
        time.sleep(rng.uniform(0, 0.3))
        newest.write_bytes(content)

    def _take_folder(self, rng: Random) -> None:
        away = self.folder / "away"
        self._camera.rename(away)
        time.sleep(rng.uniform(0, 0.3))
        away.rename(self._camera)


def present_vpcd(far: Far, place: str, folder: Path, rng: Random) -> None:
    control = ControlServer("peer", folder)
    VpcdPresenter(lambda: far, port=int(place), control=control, load=lambda _: far, settle_s=0).run()  # type: ignore[arg-type,return-value]


def present_nfc(far: Far, place: str, folder: Path, rng: Random) -> None:
    radio = UdpRadio(nfc_desk.HOST, int(place))
    end = radio._end
    send, read = end._send_data, end._read

    def lossy_send(*args: Any) -> None:
        if rng.random() >= LOSS:
            send(*args)

    def lossy_read() -> Any:
        heard = read()
        return heard if rng.random() >= LOSS else None

    end._send_data, end._read = lossy_send, lossy_read  # type: ignore[method-assign]
    control = ControlServer("peer", folder)
    NfcPresenter(lambda: far, radio, ByteStream("soak", os.getpid()), control, load=lambda _: far, fwi=7).run()  # type: ignore[arg-type,return-value]


def present_ble(far: Far, place: str, folder: Path, rng: Random) -> None:
    BlePresenter(lambda: far, place, lambda _: far.engage()).run()


WAYS: Mapping[str, tuple[type[Way], tuple[str, ...]]] = MappingProxyType({
    "pcsc": (PcscWay, ("pcsc",)), "nfc": (NfcWay, ()), "ble": (BleWay, ("dbus",)), "qr": (QrWay, ()),
})
"""Channel -> its way, and the tools that it needs."""
PRESENTERS: Mapping[str, Callable[[Far, str, Path, Random], None]] = MappingProxyType({
    "pcsc": present_vpcd, "nfc": present_nfc, "ble": present_ble,
})


def main(channel: str, folder: str, place: str, seed: str) -> None:
    PRESENTERS[channel](Far(str(Path(folder, "home")), NFC_ATR), place, Path(folder), Random(seed))


if __name__ == "__main__":
    main(*sys.argv[1:])
