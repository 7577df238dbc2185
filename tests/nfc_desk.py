"""Devices presented by nfcpy at a UDP address of this computer, and links to them through nfcpy in a worker process.

    with presented(device) as there, connected(there) as link: ...
    with presented_by_a_process(folder) as (process, moniker): ...     a toy card that may be killed
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.drivers import nfc
from bench.presenters.control_server import ControlServer
from bench.presenters.nfc import FWI, NfcPresenter
from bench.presenters.nfc_radio import Radio, UdpRadio, open_radio
from bench.presenters.serve import Persistent, Rows
from bench.stacks.virtual_air import Air
from virtual_devices.clock import Clock
from virtual_devices.link import Device, Outcome
from virtual_devices.randomness import ByteStream

from .places import ROOT
from .toy_card import ToyCard

LIMIT_S = 60.0
"""How long anything may take that is expected to succeed: it guards against hanging, and a busy machine keeps to it."""
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Presented:
    """``moniker``: for :func:`bench.drivers.nfc.open`, with its scheme."""

    presenter: NfcPresenter
    moniker: str
    port: int


@contextmanager
def presented(
    device: Device | None, control: ControlServer | None = None, rows: Rows = Rows(), *, clock: Clock | None = None,
    load: Callable[[bytes], Persistent] = ToyCard, uid_bytes: int = 4, fwi: int = FWI,
) -> Iterator[Presented]:
    """The device at a free UDP port, presented by a thread of this process."""
    radio = UdpRadio(HOST, 0)
    made = presenter(radio, device, control, rows, clock=clock, load=load, uid_bytes=uid_bytes, fwi=fwi)
    with running(made):
        yield Presented(made, radio.device, radio.port)


@contextmanager
def running(made: NfcPresenter) -> Iterator[None]:
    """In a thread of this process."""
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        yield
    finally:
        made.stop()
        thread.join()


def presenter(
    radio: Radio, device: Device | None, control: ControlServer | None = None, rows: Rows = Rows(), *, clock: Clock | None = None,
    load: Callable[[bytes], Persistent] = ToyCard, uid_bytes: int = 4, fwi: int = FWI,
) -> NfcPresenter:
    return NfcPresenter(
        lambda: device, radio, ByteStream("tests", "uid"), control, load=load, rows=rows, clock=clock, uid_bytes=uid_bytes,
        fwi=fwi,
    )


@contextmanager
def presented_by_a_chip(
    device: Device | None, air: Air, rows: Rows = Rows(), *, clock: Clock | None = None, fwi: int = FWI,
) -> Iterator[str]:
    """The device presented by a virtual PN532, and the moniker of another one whose field it is in."""
    reader, card = air.chip(), air.chip()
    with running(presenter(open_radio(f"tty:{card.path}"), device, rows=rows, clock=clock, fwi=fwi)):
        yield f"nfc:tty:{reader.path}"


@contextmanager
def connected(there: Presented | str) -> Iterator[nfc.NfcLink]:
    """A link to it, connected."""
    moniker = there if isinstance(there, str) else there.moniker
    with nfc.open(moniker.removeprefix("nfc:")) as link:
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
        yield link


@contextmanager
def presented_by_a_process(folder: Path, port: int = 0) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A toy card with a control channel named ``toy`` in ``folder``, and its moniker. The process may be killed."""
    command = [sys.executable, "-m", "tests.nfc_desk", str(folder), str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip().decode()
        finally:
            process.kill()


def main(folder: str, port: str) -> None:
    radio = UdpRadio(HOST, int(port))
    sys.stdout.write(f"{radio.device}\n")
    sys.stdout.flush()
    presenter(radio, ToyCard(), ControlServer("toy", Path(folder))).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
