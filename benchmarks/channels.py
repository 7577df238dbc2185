"""Each channel: an exchange and a presentation through the bench's driver, against the bare library, side by side in one run.

A phone is presented by a process of its own (``vhc-bench present``), and asked by turns: by the driver, whose library runs in a
worker process; by the library alone in this process (pyscard; nfcpy with its own ISO-DEP; bleak); and by the library in a process
of its own behind two pipes, which is the least that a process which can be killed adds. Presentations are the same
flow over both: engagement, session, registration, good-bye. Over Bluetooth LE an exchange alone is one with a device that sends
back what it was sent, in one process more.
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
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from statistics import median, quantiles
from typing import IO, Any

from bench.clock import WallClock
from bench.drivers import RealLink, ble, nfc, pcsc
from bench.sample_phone import SamplePhone
from bench.sample_readers import PARTIES
from benchmarks._apart import Apart
from benchmarks._bare import LIMIT_S, Bare, BareLink, Bleak, Nfcpy, Pyscard
from benchmarks._echo import SHOWN
from benchmarks._table import Figure, options, show
from virtual_devices import pki, vhc
from virtual_devices.apdu import Command, Response
from virtual_devices.errors import LinkError
from virtual_devices.flow import Flow, PromptPeople, Session, run
from virtual_devices.link import AddressedLink, Attempt, DirectLink, Link, Outcome, Provenance
from virtual_devices.mdoc import type4
from virtual_devices.mdoc.session import SessionData
from virtual_devices.reader.desk import Desk, Institution
from virtual_devices.reader.presentation import Counter, Medium, ask_again, open_at
from virtual_devices.reader.proximity import SCREEN, end
from virtual_devices.reader.transmit import Handle

SEED = 4
SMALL = type4.select(type4.AID).to_bytes()
"""A command that the phone answers from memory."""
ROUNDS, BLOCK, PRESENTATIONS = 20, 40, 60
GOLDEN = (5**0.5 - 1) / 2
"""Its multiples lie evenly between 0 and 1."""
SAMPLE = (2, 8, 2)
BLE_MESSAGE = SessionData(bytes(500)).to_bytes()
"""One chunk."""


class DriverLink:
    """The driver's, as a flow's link. The empty message is a new tap."""

    def __init__(self, inner: RealLink) -> None:
        self._inner = inner
        self.channel, self.device, self.provenance = inner.channel, inner.device, inner.provenance

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        return self._inner.attempt(message, timeout_s) if message else self.connect_to(b"", timeout_s)

    def connect_to(self, address: bytes, timeout_s: float) -> Attempt:
        """The phone of this engagement; over a medium with one device, that one."""
        self._inner.disconnect()
        inner = self._inner
        return inner.connect_to(address, LIMIT_S) if isinstance(inner, AddressedLink) else inner.connect(LIMIT_S)


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

    def present(self, link: Link, medium: Medium = Medium.NFC, screen: Link | None = None) -> None:
        links = {"wallet": link, "sam": self._sam} | ({SCREEN: screen} if screen else {})
        run(self._flow(medium), Session(links, self._clock, PromptPeople()))

    def _flow(self, medium: Medium) -> Flow[None]:
        opened = yield from open_at(self.desk, Counter(medium))
        yield from ask_again(self.desk, opened, vhc.REGISTRATION, Handle("sam", True, False, b""))
        yield from end(opened)


class Presented:
    """``vhc-bench present`` in a process of its own, whose output is read as it comes. As a link: the screen with the code."""

    channel, device, provenance = "qr", "screen", Provenance.MEASURED

    def __init__(self, output: IO[str]) -> None:
        self.said: list[str] = []
        self._codes: SimpleQueue[str] = SimpleQueue()
        self._shown: str | None = None
        self._ready = threading.Event()
        self._reading = threading.Thread(target=self._read, args=(output,), daemon=True)
        self._reading.start()

    def _read(self, output: IO[str]) -> None:
        for line in output:
            self.said.append(line.strip())
            if line.startswith("mdoc:"):
                self._codes.put(line.strip())
            if " presenting " in f" {line}":
                self._ready.set()
        self._ready.set()  # it ended

    def wait(self) -> Presented:
        self._ready.wait()
        return self

    def environment(self) -> dict[str, str]:
        """What a reader needs to find it."""
        export = next(line for line in self.said if "export " in line).partition("export ")[2]
        name, _, value = export.partition("=")
        return {name: value}

    def transport(self) -> str:
        return next(line for line in self.said if "bumble's transport " in line).partition("bumble's transport ")[2]

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        self.wait_for_code()
        code, self._shown = self._shown or "", None
        return Attempt(Outcome.REPLIED, 0, code.encode())

    def wait_for_code(self) -> None:
        """Until the phone shows one."""
        if self._shown is None:
            self._shown = self._codes.get(timeout=LIMIT_S)


@contextmanager
def presented(*command: str) -> Iterator[Presented]:
    line = [sys.executable, "-m", "bench.cli", "present", *command, "--seed", str(SEED)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            yield Presented(process.stdout).wait()
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


@dataclass(frozen=True)
class Way:
    """One channel: the driver's link, the library alone, and in a process of its own. ``small``: a message that is answered at
    once, by who has the engagement ``echo`` where the medium needs one. ``screen``: shows the phone's code, a new one for each
    session."""

    channel: str
    link: RealLink
    bare: Bare
    apart: Apart
    name: str
    small: bytes = SMALL
    echo: bytes = b""
    medium: Medium = Medium.NFC
    screen: Presented | None = None

    def measure(self, rounds: int, block: int, presentations: int) -> list[Figure]:
        return [*self.exchanges(rounds, block), *self.presentations(presentations)]

    def exchanges(self, rounds: int, block: int) -> list[Figure]:
        """By turns: the driver, the library alone, the library apart."""
        through: list[float] = []
        alone: list[float] = []
        apart: list[float] = []
        for _ in range(rounds):
            reached = DriverLink(self.link).connect_to(self.echo, LIMIT_S)
            if reached.outcome is not Outcome.REPLIED:
                raise LinkError(self.link.last_error)
            through += timed(self._through, block)
            self.link.disconnect()
            for bare, spent in ((self.bare, alone), (self.apart, apart)):
                bare.reach(self.echo)
                spent += timed(partial(self._sent, bare), block)
                bare.close()
        return figures(self.channel, "an exchange", through, self.name, alone, apart)

    def _through(self) -> None:
        if not self.link.attempt(self.small, LIMIT_S).reply:  # one that failed at once is no quick one
            raise LinkError(self.link.last_error)

    def _sent(self, bare: Bare) -> None:
        if not bare.send(self.small):
            raise LinkError(f"{self.name}: no answer")

    def presentations(self, times: int) -> list[Figure]:
        through: list[float] = []
        alone: list[float] = []
        apart: list[float] = []
        reader = Reader()
        for number in range(times):
            self._phase(number)
            through += timed(lambda: reader.present(DriverLink(self.link), self.medium, self.screen), 1)
            self.link.disconnect()
            for bare, spent in ((self.bare, alone), (self.apart, apart)):
                self._phase(number)
                spent += timed(partial(reader.present, BareLink(bare), self.medium, self.screen), 1)
                bare.close()
        return figures(self.channel, "a presentation", through, self.name, alone, apart)

    def _phase(self, number: int) -> None:
        """A phone that advertises every 20 ms is found at once or 20 ms later: who looks always at the same moment after the last
        presentation is always lucky, or never. So looking begins at moments spread evenly over that time."""
        if self.screen is not None:
            from bench.stacks.bumble_radio import ADVERTISING_MS

            self.screen.wait_for_code()
            time.sleep((1 + number * GOLDEN % 1) * ADVERTISING_MS / 1000)


def figures(
    channel: str, what: str, through: list[float], name: str, alone: list[float], apart: list[float],
) -> list[Figure]:
    """p50 and p95 of all three, and what the driver and a process of its own add."""
    found = []
    for share, pick in (("p50", median), ("p95", lambda values: quantiles(values, n=20)[-1])):
        mine, theirs, floor = pick(through), pick(alone), pick(apart)
        found += [
            Figure(f"{channel}: {what}, {share}", mine, "us", name, mine / theirs),
            Figure(f"{channel}: {what}, {share}, {name}", theirs, "us"),
            Figure(f"{channel}: {what}, {share}, apart", floor, "us", name, floor / theirs),
        ]
    return [
        *found, Figure(f"{channel}: {what}, added at p50", median(through) - median(alone), "us"),
        Figure(f"{channel}: {what}, added at p50 by a process", median(apart) - median(alone), "us"),
    ]


@contextmanager
def apart(channel: str, where: str = "") -> Iterator[Apart]:
    """The library of a channel in a process of its own."""
    process = Apart(channel, where)
    try:
        yield process
    finally:
        process.end()


def over_pcsc(*work: int) -> list[Figure]:
    with presented("vpcd", "--private", "--what", "wallet") as phone:
        env = phone.environment()
        os.environ.update(env)
        with pcsc.open("Virtual PCD 00 00", env=env) as link:
            link.connect(LIMIT_S)
            link.disconnect()
            bare = Pyscard("Virtual PCD 00 00")
            try:
                with apart("contact", "Virtual PCD 00 00") as other:
                    return Way("pcsc", link, bare, other, "pyscard alone").measure(*work)
            finally:
                bare.close()


def over_nfc(*work: int) -> list[Figure]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with presented("nfc", "--path", f"udp:localhost:{port}"), nfc.open(f"udp:localhost:{port}") as link:
        bare = Nfcpy(port)
        try:
            with apart("nfc", str(port)) as other:
                return Way("nfc", link, bare, other, "nfcpy alone").measure(*work)
        finally:
            bare.close()


def over_ble(*work: int) -> list[Figure]:
    """An emulated BlueZ: a packet waits for the connection's next interval, as on the air."""
    with presented("ble", "--private", "--engagement", "text", "--modes", "peripheral") as phone:
        env = phone.environment()
        os.environ.update(env)
        echo = [sys.executable, "-m", "benchmarks._echo", phone.transport()]
        with subprocess.Popen(echo, stdin=subprocess.PIPE), ble.open("", env=env) as link:
            bare = Bleak()
            try:
                with apart("ble") as other:
                    way = Way("ble", link, bare, other, "bleak alone", BLE_MESSAGE, SHOWN.raw, Medium.QR_BLE, phone)
                    rounds, block, presentations = work
                    return way.measure(max(2, rounds // 4), block // 2, presentations)
            finally:
                bare.close()


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
