"""Each channel: an exchange and a presentation through the bench's driver, against the bare library, side by side in one run.

A phone is presented by a process of its own (``vhc-bench present``), and asked by turns: by the driver, whose library runs in a
worker process, and by the library alone in this process (pyscard; nfcpy with its own ISO-DEP). Presentations are the same flow
over both: engagement, session, registration, good-bye. Over Bluetooth LE the driver is measured alone: the exchange as the caller
has it, against the time that its worker measured round bleak, bumble and the air.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median, quantiles
from typing import Any, Protocol
from uuid import UUID

from bench.clock import WallClock
from bench.drivers import RealLink, ble, nfc, pcsc
from bench.sample_phone import SamplePhone
from bench.sample_readers import PARTIES
from benchmarks._table import Figure, options, show
from virtual_devices import pki, vhc
from virtual_devices.apdu import Command, Response
from virtual_devices.errors import LinkError
from virtual_devices.flow import Flow, PromptPeople, Session, run
from virtual_devices.link import Attempt, DirectLink, Link, Outcome, Provenance
from virtual_devices.mdoc import engagement, type4
from virtual_devices.mdoc.ble_options import BleOptions
from virtual_devices.mdoc.session import ephemeral_key
from virtual_devices.reader.desk import Desk, Institution
from virtual_devices.reader.presentation import Counter, ask_again, open_at
from virtual_devices.reader.proximity import end
from virtual_devices.reader.transmit import Handle

SEED = 4
LIMIT_S = 10.0
SMALL = type4.select(type4.AID).to_bytes()
"""A command that the phone answers from memory."""
ROUNDS, BLOCK, PRESENTATIONS = 20, 40, 30
SAMPLE = (2, 10, 2)
BLE_BYTES = 500


class Bare(Protocol):
    """The library alone."""

    def tap(self) -> bytes: ...

    def send(self, message: bytes) -> bytes: ...

    def close(self) -> None: ...


class Pyscard:
    def __init__(self, reader: str) -> None:
        from smartcard import scard

        self._scard = scard
        _, self._context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        self._reader = reader
        self._card: Any = None

    def tap(self) -> bytes:
        scard = self._scard
        self.close()
        code, self._card, _ = scard.SCardConnect(self._context, self._reader, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T1)
        if code:
            raise LinkError(f"pyscard cannot connect: {scard.SCardGetErrorMessage(code)}")
        return bytes(scard.SCardStatus(self._card)[4])

    def send(self, message: bytes) -> bytes:
        return bytes(self._scard.SCardTransmit(self._card, self._scard.SCARD_PCI_T1, list(message))[1])

    def close(self) -> None:
        if self._card is not None:
            self._scard.SCardDisconnect(self._card, self._scard.SCARD_UNPOWER_CARD)
            self._card = None


class Nfcpy:
    def __init__(self, port: int) -> None:
        self._port = port
        self._clf: Any = None
        self._tag: Any = None

    def tap(self) -> bytes:
        import nfc.clf
        import nfc.tag

        self.close()
        self._clf = nfc.clf.ContactlessFrontend(f"udp:localhost:{self._port}")
        deadline = time.monotonic() + LIMIT_S
        target = None
        while target is None and time.monotonic() < deadline:
            target = self._clf.sense(nfc.clf.RemoteTarget("106A"))
        self._tag = None if target is None else nfc.tag.activate(self._clf, target)
        if self._tag is None:
            raise LinkError("nfcpy finds no tag")
        return b"\x3b\x80\x80\x01\x01"

    def send(self, message: bytes) -> bytes:
        return bytes(self._tag.transceive(bytearray(message)))

    def close(self) -> None:
        if self._clf is not None:
            self._clf.close()
            self._clf = None


class BareLink:
    """The library alone, as a flow's link."""

    channel, device, provenance = "nfc", "bare", Provenance.MEASURED

    def __init__(self, bare: Bare) -> None:
        self._bare = bare

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        return Attempt(Outcome.REPLIED, 0, self._bare.send(message) if message else self._bare.tap())


class DriverLink:
    """The driver's, as a flow's link. The empty message is a new tap."""

    def __init__(self, inner: RealLink) -> None:
        self._inner = inner
        self.channel, self.device, self.provenance = inner.channel, inner.device, inner.provenance

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if message:
            return self._inner.attempt(message, timeout_s)
        self._inner.disconnect()
        return self._inner.connect(LIMIT_S)


class Signer:
    """A SAM that signs and does nothing else."""

    def __init__(self, key: Any) -> None:
        self._key = key

    def power_on(self) -> bytes:
        return b""

    def power_off(self) -> None:
        return

    def handle(self, request: bytes, now_ns: int) -> bytes:
        return Response(pki.sign(self._key, Command.parse(request).data)).to_bytes()


class Reader:
    """A desk that the phone of the sample's authority knows."""

    def __init__(self) -> None:
        clock = WallClock()
        authority = SamplePhone(SEED, clock.now_ns()).authority
        role, subject, institution = PARTIES["sam"]
        key = authority.issue(role, subject, organisation=institution).key
        self._clock = clock
        self.desk = Desk("benchmark", Institution(institution), authority.verifier(), clock, os.urandom)
        self.desk.reader_chain = authority.renew(role, subject, key.public_key(), clock.now_ns(), organisation=institution)
        self._sam = DirectLink(Signer(key), clock)

    def present(self, link: Link) -> None:
        run(self._flow(), Session({"wallet": link, "sam": self._sam}, self._clock, PromptPeople()))

    def _flow(self) -> Flow[None]:
        opened = yield from open_at(self.desk, Counter())
        yield from ask_again(self.desk, opened, vhc.REGISTRATION, Handle("sam", True, False, b""))
        yield from end(opened)


@contextmanager
def presented(*command: str) -> Iterator[str]:
    """``vhc-bench present`` in a process of its own, and what it said until it was ready."""
    line = [sys.executable, "-m", "bench.cli", "present", *command, "--seed", str(SEED)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = ""
            for text in process.stdout:
                said += text
                if "presenting" in text:
                    break
            yield said
        finally:
            process.send_signal(signal.SIGINT)


def timed(act: Callable[[], Any], times: int) -> list[float]:
    """Microseconds of each."""
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        spent.append((time.perf_counter() - began) * 1e6)
    return spent


def compared(channel: str, link: RealLink, bare: Bare, name: str, rounds: int, block: int, presentations: int) -> list[Figure]:
    """By turns: the driver, and the library alone."""
    through: list[float] = []
    alone: list[float] = []
    shown: tuple[list[float], list[float]] = ([], [])
    reader, plain = Reader(), BareLink(bare)
    for _ in range(rounds):
        link.connect(LIMIT_S)
        through += timed(lambda: link.attempt(SMALL, LIMIT_S), block)
        link.disconnect()
        bare.tap()
        alone += timed(lambda: bare.send(SMALL), block)
        bare.close()
    for _ in range(presentations):
        shown[0].extend(timed(lambda: reader.present(DriverLink(link)), 1))
        link.disconnect()
        shown[1].extend(timed(lambda: reader.present(plain), 1))
        bare.close()
    return [*figures(channel, "an exchange", through, name, alone), *figures(channel, "a presentation", *_named(shown, name))]


def _named(shown: tuple[list[float], list[float]], name: str) -> tuple[list[float], str, list[float]]:
    return shown[0], name, shown[1]


def figures(channel: str, what: str, through: list[float], name: str, alone: list[float]) -> list[Figure]:
    """p50 and p95 of both, and what the driver adds."""
    found = []
    for share, pick in (("p50", median), ("p95", lambda values: quantiles(values, n=20)[-1])):
        mine, theirs = pick(through), pick(alone)
        found += [
            Figure(f"{channel}: {what}, {share}", mine, "us", name, mine / theirs),
            Figure(f"{channel}: {what}, {share}, {name}", theirs, "us"),
        ]
    return [*found, Figure(f"{channel}: {what}, added at p50", median(through) - median(alone), "us")]


def over_pcsc(*work: int) -> list[Figure]:
    with presented("vpcd", "--private", "--what", "wallet") as said:
        key, _, value = next(line for line in said.splitlines() if line.startswith("export "))[7:].partition("=")
        os.environ[key] = value
        with pcsc.open("Virtual PCD 00 00", env={key: value}) as link:
            link.connect(LIMIT_S)
            link.disconnect()
            bare = Pyscard("Virtual PCD 00 00")
            try:
                return compared("pcsc", link, bare, "pyscard alone", *work)
            finally:
                bare.close()


def over_nfc(*work: int) -> list[Figure]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with presented("nfc", "--path", f"udp:localhost:{port}"), nfc.open(f"udp:localhost:{port}") as link:
        bare = Nfcpy(port)
        try:
            return compared("nfc", link, bare, "nfcpy alone", *work)
        finally:
            bare.close()


class _Echo:
    def power_on(self) -> bytes:
        return b""

    def power_off(self) -> None:
        return

    def handle(self, request: bytes, now_ns: int) -> bytes:
        return request


def over_ble(rounds: int, block: int, presentations: int) -> list[Figure]:
    """The exchange alone: how long the caller waits, and how long the stack took."""
    from bench.bluez import PrivateBluetooth
    from bench.presenters.ble import BlePresenter

    options_of = BleOptions(UUID(int=1, version=4), UUID(int=2, version=4))
    shown = engagement.make(ephemeral_key(os.urandom(32))[1], [options_of.method()])
    with PrivateBluetooth() as bluetooth:
        presenter = BlePresenter(_Echo, bluetooth.transport, lambda _: shown)
        thread = threading.Thread(target=presenter.run)
        thread.start()
        try:
            with ble.open("", env=bluetooth.env) as link:
                if link.connect_to(shown.raw, LIMIT_S).outcome is not Outcome.REPLIED:
                    raise LinkError(link.last_error)
                waited, stack = [], []
                for _ in range(rounds * block // 4):
                    began = time.perf_counter()
                    attempt = link.attempt(bytes(BLE_BYTES), LIMIT_S)
                    waited.append((time.perf_counter() - began) * 1e6)
                    stack.append(attempt.duration_ns / 1e3)
        finally:
            presenter.stop()
            thread.join(LIMIT_S)
    return figures("ble", "an exchange", waited, "bleak in the worker", stack)


def main() -> int:
    """``./bench.sh bench channels [--json] [--sample]``. Exit code 3, and why, where a channel cannot be had."""
    asked = options(__doc__).parse_args()
    logging.getLogger("bumble").setLevel(logging.CRITICAL)  # it is loud when its transport ends
    work = SAMPLE if asked.sample else (ROUNDS, BLOCK, PRESENTATIONS)
    try:
        found = [*over_pcsc(*work), *over_nfc(*work), *over_ble(*work)]
    except (LinkError, ImportError) as e:
        sys.stderr.write(f"channels: not measured: {e}. './bench.sh setup test' installs what it needs\n")
        return 3
    show(found, asked.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
