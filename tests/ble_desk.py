"""A phone presented over Bluetooth LE, and an open link to it: the whole stack of a machine without a radio.

    with PrivateBluetooth() as bluetooth, BleDesk(bluetooth) as desk:
        desk.bench.run(...)             the reader's flows, whose role "wallet" is a real BleLink

The phone is shown by our presenter in a thread of this process, so that a test can look into it; the reader's Bluetooth is bleak
in its worker process upon an emulated BlueZ, or bumble there. ``presented_toy`` is a presenter as a process, which can be killed.
"""

from __future__ import annotations

import asyncio
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.drivers import ble
from bench.presenters.ble import BlePresenter
from bench.presenters.control_server import ControlServer
from bench.presenters.serve import Rows
from bench.stacks.bluez import PrivateBluetooth
from virtual_devices.link import Device, Link
from virtual_devices.mdoc import engagement
from virtual_devices.mdoc.ble_gatt import Mode, service_uuid
from virtual_devices.mdoc.ble_options import BleOptions
from virtual_devices.mdoc.engagement import Engagement
from virtual_devices.mdoc.session import ephemeral_key
from virtual_devices.randomness import ByteStream
from virtual_devices.reader.presentation import OPEN_APP, Counter, Medium
from virtual_devices.trace import ExchangeRow, Row
from virtual_devices.wallet.faces import MessageFace

from .places import ROOT
from .toy_card import ToyCard
from .wallets import EVERYTHING, PHONE_PIN, HolderOf, WalletBench

LIMIT_S = 60.0
"""Guards against waiting for ever on a busy machine."""
FRESH = ByteStream("ble desk")


def method(*modes: Mode, fresh: ByteStream = FRESH) -> list[Any]:
    """BLE as an engagement offers it, with UUIDs of its own."""
    uuids = {mode: service_uuid(fresh) for mode in modes or Mode}
    return BleOptions(uuids.get(Mode.PERIPHERAL_SERVER), uuids.get(Mode.CENTRAL_CLIENT)).method()


def toy_engagement(*modes: Mode) -> Engagement:
    """An engagement of a device that is no wallet."""
    return engagement.make(ephemeral_key(FRESH(32))[1], [method(*modes)])


@dataclass
class Presented:
    """A device presented in a thread. ``shown``: its engagements, each put there when it can be met."""

    device: Device
    transport: str
    engage: Callable[[], Engagement]

    def __post_init__(self) -> None:
        self.shown: queue.Queue[Engagement] = queue.Queue()
        self.rows: list[ExchangeRow] = []
        self.said: list[str] = []
        self.errors: list[BaseException] = []
        self.clock: Any = None

    def __enter__(self) -> Presented:
        def engage() -> Engagement:
            made = self.engage()
            self.shown.put(made)
            return made

        self._presenter = BlePresenter(
            lambda: self.device, self.transport, lambda _: engage(), rows=Rows(self._keep, role="wallet"), clock=self.clock,
            report=self.said.append,
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def _keep(self, row: Row) -> None:
        assert isinstance(row, ExchangeRow)
        self.rows.append(row)

    def _run(self) -> None:
        try:
            self._presenter.run()
        except BaseException as error:
            self.errors.append(error)

    def __exit__(self, *exc: object) -> None:
        self._presenter.stop()
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive() and not self.errors, self.errors

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The presenter's."""
        return self._presenter._transport._loop

    def next(self) -> Engagement:
        """The engagement that is shown now."""
        made = self.shown.get(timeout=LIMIT_S)
        while not self.shown.empty():
            made = self.shown.get_nowait()
        return made


class Holder(HolderOf):
    """Opens the wallet, and the code of its next engagement is on the screen."""

    engagement: Callable[[], Engagement]

    def ask(self, person: str, act: str) -> tuple[int, str]:
        if act != OPEN_APP:
            return super().ask(person, act)
        phone, now_ns = self.bench.phone, self.bench.clock.now_ns()
        self.bench.screen.text = self.engagement().qr_text()
        phone.holder.enter_pin(PHONE_PIN, now_ns)
        phone.arm(self.use, EVERYTHING, now_ns)
        return 0, ""


class BleDesk:
    """A desk, a phone behind its presenter, and ``link``: the reader's."""

    def __init__(self, bluetooth: PrivateBluetooth, *modes: Mode, bumble: bool = False) -> None:
        self.bench = WalletBench(counter=Counter(Medium.QR_BLE))
        self.bench.ready()
        phone = self.bench.phone
        self.phone = Presented(MessageFace(phone), bluetooth.transport, lambda: phone.engage([method(*modes)]).engagement)
        self.phone.clock = self.bench.clock
        self._spec, self._env = f"bumble:{bluetooth.transport}" if bumble else "", bluetooth.env
        holder = self.bench.people = Holder(self.bench)
        holder.engagement = self.phone.next

    def __enter__(self) -> BleDesk:
        self.phone.__enter__()
        try:
            self.link = ble.open(self._spec, env=self._env)
        except BaseException:
            self.phone.__exit__()
            raise
        run, links = self.bench.run, {"wallet": self.link}
        self.bench.run = lambda flow, **more: run(flow, **{**links, **more})  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *exc: object) -> None:
        self.link.close()
        self.phone.__exit__()


@contextmanager
def presented_toy(transport: str, *modes: Mode) -> Iterator[tuple[subprocess.Popen[bytes], Engagement]]:
    """A toy that answers each message with itself, presented by a process; b"hang" is never answered."""
    names = [mode.name for mode in modes or Mode]
    child = subprocess.Popen([sys.executable, "-m", "tests.ble_desk", transport, *names], stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        yield child, engagement.read_qr(child.stdout.readline().decode().strip())
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


class Toy:
    """Answers with what it is asked."""

    def __init__(self) -> None:
        self.hanging, self.released = threading.Event(), threading.Event()

    def power_on(self) -> bytes:
        return b""

    def power_off(self) -> None:
        return

    def handle(self, request: bytes, now_ns: int) -> bytes:
        if request == b"hang":
            self.hanging.set()
            self.released.wait(LIMIT_S)
        return request


@contextmanager
def card_presented_by_a_process(transport: str, folder: Path, shown: Engagement) -> Iterator[subprocess.Popen[bytes]]:
    """A toy card with a control channel named ``toy`` in ``folder``, always behind the same code. The process may be killed."""
    command = [sys.executable, "-m", "tests.ble_desk", transport, str(folder), shown.qr_text()]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def _card(transport: str, folder: str, code: str) -> None:
    shown = engagement.read_qr(code)
    control = ControlServer("toy", Path(folder))
    BlePresenter(ToyCard, transport, lambda _: shown, control, load=ToyCard).run()


def _main() -> None:
    shown = toy_engagement(*(Mode[name] for name in sys.argv[2:]))

    def engage() -> Engagement:
        sys.stdout.write(shown.qr_text() + "\n")
        sys.stdout.flush()
        return shown

    BlePresenter(Toy, sys.argv[1], lambda _: engage()).run()


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[3].startswith("mdoc:"):
        _card(*sys.argv[1:])
    else:
        _main()

__all__ = [
    "LIMIT_S", "BleDesk", "Link", "Presented", "Toy", "card_presented_by_a_process", "method", "presented_toy",
    "toy_engagement",
]
