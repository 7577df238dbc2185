"""Channels that a soak runs over: a phone behind a presenter in another process, a link to it, and what can go wrong on the way.

    python -m tests.soak_ways CHANNEL FOLDER PORT SEED         the presenter's process: it presents what is at FOLDER/home
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from types import MappingProxyType

from bench.drivers import RealLink, nfc, pcsc
from bench.pcscd import PrivatePcscd
from bench.presenters.control import Control, ControlServer
from bench.presenters.nfc import NfcPresenter
from bench.presenters.nfc_radio import UdpRadio
from bench.presenters.vpcd import VpcdPresenter
from virtual_devices.errors import LinkError, PeerError
from virtual_devices.randomness import ByteStream
from virtual_devices.wallet.faces import NFC_ATR

from . import nfc_desk
from .far_device import Far
from .places import ROOT
from .virtual_readers import ready

CONNECT_S = 6.0
"""Limit of a connection: a reader looks for a card again and again, and a process may have to start."""
LOSS = 0.1
"""Of the frames on the air, each way."""
Act = Callable[[Random], None]


class Way:
    """One channel, whole. ``troubles``: name -> how it happens, in a thread of its own; then everything is in place again."""

    exchange_s = 1.0
    """Limit of one exchange."""

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
        with suppress(FileNotFoundError):
            (self.folder / "peer.sock").unlink()

    def open(self) -> None:
        """Start what the channel is made of, the presenter, and the link."""
        raise NotImplementedError

    def start_peer(self, port: int, *, wait: bool = True) -> None:
        self._port = port
        command = [sys.executable, "-m", "tests.soak_ways", self.channel, str(self.folder), str(port), str(self._seed)]
        self._peer = subprocess.Popen(command, cwd=ROOT)
        if wait:
            ready(self.folder, "peer")

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
        self.start_peer(self._port)

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
        port = nfc_desk.free_port()
        self.start_peer(port)
        self.link = self._stack.enter_context(nfc.open(f"udp:{nfc_desk.HOST}:{port}"))


def present_vpcd(far: Far, port: int, control: ControlServer, rng: Random) -> None:
    VpcdPresenter(lambda: far, port=port, control=control, load=lambda _: far, settle_s=0).run()  # type: ignore[arg-type,return-value]


def present_nfc(far: Far, port: int, control: ControlServer, rng: Random) -> None:
    radio = UdpRadio(nfc_desk.HOST, port)
    end = radio._end
    send, read = end._send_data, end._read
    end._send_data = lambda *args: None if rng.random() < LOSS else send(*args)  # type: ignore[method-assign,func-returns-value]
    end._read = lambda: read() if rng.random() >= LOSS or read() is None else None  # type: ignore[method-assign]
    NfcPresenter(lambda: far, radio, ByteStream("soak", os.getpid()), control, load=lambda _: far, fwi=7).run()  # type: ignore[arg-type,return-value]


WAYS: Mapping[str, tuple[type[Way], tuple[str, ...]]] = MappingProxyType({"pcsc": (PcscWay, ("pcsc",)), "nfc": (NfcWay, ())})
"""Channel -> its way, and the tools that it needs."""
PRESENTERS: Mapping[str, Callable[[Far, int, ControlServer, Random], None]] = MappingProxyType({
    "pcsc": present_vpcd, "nfc": present_nfc,
})


def main(channel: str, folder: str, port: str, seed: str) -> None:
    far = Far(str(Path(folder, "home")), NFC_ATR)
    PRESENTERS[channel](far, int(port), ControlServer("peer", Path(folder)), Random(seed))


if __name__ == "__main__":
    main(*sys.argv[1:])
