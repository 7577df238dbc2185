"""A reader as somebody else's program: reads whatever comes before it, and writes what it makes of it into a log.

    python -m tests.vendor_reader CHANNEL MONIKER LOG         nfc nfc:udp:HOST:PORT, contact pcsc:NAME, ble "qr:PATH + ble:..."

Beside the log stand its status lists, what it is to do with the next card (``task``, a name of :class:`Task`), and how it is
broken (``fault``).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from enum import Enum
from pathlib import Path

from bench.drivers import RealLink
from bench.drivers.ble import BleLink
from bench.drivers.pcsc import PcscLink
from bench.monikers import JOINED, Kind, Moniker, parse
from bench.probe import open_device
from bench.sample_phone import phone_epoch_ns
from conformance.references.reader import ReferenceReader, Task, Told, Wants
from conformance.vectors.world import World
from virtual_devices.authorization import Purpose, Scope
from virtual_devices.errors import LinkError
from virtual_devices.link import Attempt, Outcome
from virtual_devices.pki import Authority
from virtual_devices.wallet.faces import NFC_ATR, SCAN

LOOK_S, SCAN_S, PAUSE_S, ANSWER_S = 0.1, 1.0, 0.02, 6.0


class Fault(Enum):
    """How the reader is broken."""

    SILENT = "silent"  # it does not look at the card
    ENDLESS = "endless"  # it asks for the same for ever
    LEAVES = "leaves"  # it lets the card go in the middle, and says nothing
    NOISE = "noise"  # its verdict is none


class Vendor:
    """``links``: to what is before it, and over Bluetooth to the picture of the code (``screen``)."""

    def __init__(self, channel: str, card: RealLink, screen: RealLink | None, log: Path) -> None:
        self._channel, self._card, self._screen, self._log = channel, card, screen, log
        now_ns = time.time_ns()
        epoch_ns = phone_epoch_ns(now_ns)
        self._world = World(1, now_ns, epoch_ns, trusted=Authority(1, epoch_ns))
        self._number = 0
        self._last = b""  # code
        self._codes: ReferenceReader | None = None  # remembers those that it has taken
        self._lost = False  # the card of the last reading, before its end

    def run(self) -> None:
        while True:
            if self._beside("fault") == Fault.SILENT.value:
                time.sleep(LOOK_S)
            elif self._screen is not None:
                self._by_code(self._screen)
            elif (met := self._card.connect(LOOK_S)).reply is not None:
                self._says(self._read(self._at_card(met)))
                while not self._lost and self._card.connect(LOOK_S).reply is not None:  # until it is taken away
                    self._card.disconnect()
                    time.sleep(PAUSE_S)

    def _by_code(self, screen: RealLink) -> None:
        if screen.connect(LOOK_S).reply is None:
            self._last = b""  # nothing is shown: the next code is another one
            return
        text = screen.attempt(SCAN, SCAN_S).reply
        if text is None or text == self._last:
            return
        self._last = text
        if text.startswith(b"mdoc:"):
            self._says(self._read(lambda wants: self._over_the_air(wants, text)))
            self._card.disconnect()
        else:
            self._codes = self._codes or self._reader()
            self._codes.at(time.time_ns())
            self._says(self._codes.scan(text.decode(), frozenset({Scope.BASIC}), Purpose.CARE))

    def _says(self, told: Told | None) -> None:
        said = json.dumps(asdict(told), ensure_ascii=False) if told is not None else "what?"
        if self._beside("fault") == Fault.LEAVES.value:
            return
        with self._log.open("a", encoding="utf-8") as file:
            file.write(said + "\n")

    def _reader(self) -> ReferenceReader:
        """Switched on anew for each card."""
        self._number += 1
        made = ReferenceReader(self._world, self._channel, f"vendor {self._number}")
        made.at(time.time_ns())
        made.take_lists([file.read_bytes() for file in sorted(self._log.with_name("lists").glob("*.cbor"))])
        return made

    def _read(self, attempt: Callable[[Wants], Attempt]) -> Told | None:
        """One card, to its end."""
        reader, commands = self._reader(), 0
        said = reader.begin(Task[self._beside("task") or Task.REGISTER.name])
        while not isinstance(said, Told):
            found, fault = attempt(said), self._beside("fault")
            self._lost = found.reply is None
            commands += bool(said.message)
            if fault == Fault.ENDLESS.value and said.message and said.role != "screen" and not said.connect:
                while self._beside("fault") and attempt(said).reply is not None:
                    pass
            if fault == Fault.LEAVES.value and commands > 2:
                self._card.disconnect()
                return None
            said = reader.answer(found.outcome, found.reply)
        return None if self._beside("fault") == Fault.NOISE.value else said

    def _beside(self, name: str) -> str:
        file = self._log.with_name(name)
        return file.read_text() if file.exists() else ""

    # -- the media

    def _at_card(self, met: Attempt) -> Callable[[Wants], Attempt]:
        powered = [met]

        def attempt(wants: Wants) -> Attempt:
            if wants.message:
                return self._card.attempt(wants.message, min(wants.timeout_s, ANSWER_S))
            if powered:
                found = powered.pop()
                return found if self._channel == "contact" else Attempt(Outcome.REPLIED, 0, NFC_ATR)
            return self._card.reset(ANSWER_S) if isinstance(self._card, PcscLink) else self._card.connect(ANSWER_S)

        return attempt

    def _over_the_air(self, wants: Wants, text: bytes) -> Attempt:
        if wants.role == "screen":
            return Attempt(Outcome.REPLIED, 0, text if wants.message else b"")
        if wants.connect:
            assert isinstance(self._card, BleLink)
            return self._card.connect_to(wants.message, ANSWER_S)
        return self._card.attempt(wants.message, min(wants.timeout_s, ANSWER_S))


def _opened(moniker: Moniker) -> RealLink:
    """A picture of a code may come and go at any moment."""
    while True:
        try:
            return open_device(moniker, None)
        except LinkError:
            if moniker.kind is not Kind.QR:
                raise
            time.sleep(LOOK_S)


def main(channel: str, moniker: str, log: Path) -> None:
    found = [parse(one) for one in moniker.split(JOINED)]
    with ExitStack() as stack:
        links = []
        for one in found:
            links.append(_opened(one))
            stack.callback(links[-1].close)
        Vendor(channel, links[-1], links[0] if len(links) > 1 else None, log).run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))

__all__ = ["Fault"]
