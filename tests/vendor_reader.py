"""A reader as somebody else's program: reads whatever comes before it, and writes what it makes of it into a log.

    python -m tests.vendor_reader CHANNEL MONIKER LOG         nfc nfc:udp:HOST:PORT, contact pcsc:NAME, ble "qr:PATH + ble:...",
                                                              nfc-ble "nfc:udp:HOST:PORT + ble:..."

It registers a visit of every card that comes. Where somebody is at it (``attended`` stands beside the log) it does once what is
asked for (``task``, in the words of who asks), and looks at no card otherwise. Beside the log stand, too, its status lists, and
how it is broken (``fault``).
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from enum import Enum
from pathlib import Path

import zxingcpp

from bench.drivers import RealLink
from bench.drivers._qr_worker import Unreadable, unpacked
from bench.drivers.ble import BleLink
from bench.drivers.pcsc import PcscLink
from bench.monikers import JOINED, Kind, parse
from bench.probe import joined, open_device, serves
from bench.reach.reader import ASKED
from bench.sample_phone import phone_epoch_ns
from bench.tapped import TappedLink
from conformance.references.reader import ReferenceReader, Task, Told, Wants
from conformance.vectors.world import World
from virtual_devices.authorization import Purpose, Scope
from virtual_devices.link import Attempt, Outcome
from virtual_devices.pki import Authority
from virtual_devices.wallet.faces import NFC_ATR
from virtual_devices.write_back import Batch

LOOK_S, PAUSE_S, ANSWER_S, NOBODY_S = 0.1, 0.02, 6.0, 3.0
ATTENDED = "attended"
WRITES = "write virtual card"
CODE = re.compile("[A-Z0-9]{2,4}:").match
"""How the codes of cards begin, and those of others that look like them; an engagement does in small letters."""


class Fault(Enum):
    """How the reader is broken."""

    SILENT = "silent"  # it does not look at the card
    ENDLESS = "endless"  # it asks for the same for ever
    LEAVES = "leaves"  # it lets the card go in the middle, and says nothing
    NOISE = "noise"  # its verdict is none


class Screen:
    """Whatever code there is in a picture that comes and goes: the bench's own driver overlooks those of others."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, str | None] = 0, None

    def text(self) -> str | None:
        """None while no code is shown."""
        try:
            at_ns = self._path.stat().st_mtime_ns
            if at_ns != self._seen[0]:
                found = zxingcpp.read_barcodes(unpacked(self._path.read_bytes()))
                self._seen = at_ns, found[0].text if found else None
        except (OSError, Unreadable):
            self._seen = 0, None
        return self._seen[1]


class Vendor:
    """``card``: to what is before it; ``screen``: over Bluetooth, the code of that."""

    def __init__(self, channel: str, card: RealLink, screen: Screen | None, log: Path) -> None:
        self._channel, self._card, self._screen, self._log = channel, card, screen, log
        now_ns = time.time_ns()
        epoch_ns = phone_epoch_ns(now_ns)
        self._world = World(1, now_ns, epoch_ns, trusted=Authority(1, epoch_ns))
        self._number = 0
        self._kept: dict[bytes, Batch] = {}  # what has had no receipt
        self._last: str | None = None  # code
        self._codes: ReferenceReader | None = None  # remembers those that it has taken
        self._lost = False  # the card of the last reading, before its end

    def run(self) -> None:
        while True:
            if self._beside("fault") == Fault.SILENT.value or (self._attended and not self._beside("task")):
                time.sleep(LOOK_S)
            elif self._screen is not None:
                self._by_code(self._screen)
            elif (met := self._card.connect(NOBODY_S if self._attended else LOOK_S)).reply is not None or self._attended:
                self._says(self._read(self._at_card(met)))
                if isinstance(self._card, TappedLink):
                    self._card.disconnect()
                while not self._lost and self._card.connect(LOOK_S).reply is not None:  # until it is taken away
                    time.sleep(PAUSE_S)  # not put to sleep: to wait for a card's word on that may take longer than it is away

    def _by_code(self, screen: Screen) -> None:
        text = screen.text()
        if text is None or text == self._last:
            self._last = text  # nothing is shown: the next code is another one
            time.sleep(LOOK_S)
            return
        self._last = text
        if CODE(text):
            self._codes = self._codes or self._reader()
            self._codes.at(time.time_ns())
            self._says(self._codes.scan(text, frozenset({Scope.BASIC}), Purpose.CARE))
        else:
            self._says(self._read(lambda wants: self._over_the_air(wants, text.encode())))
            self._card.disconnect()

    def _says(self, told: Told | None) -> None:
        said = json.dumps(asdict(told), ensure_ascii=False) if told is not None else "what?"
        if self._beside("fault") == Fault.LEAVES.value:
            return
        with self._log.open("a", encoding="utf-8") as file:
            file.write(said + "\n")

    def _reader(self) -> ReferenceReader:
        """Switched on anew for each card; what it has to write again it keeps."""
        self._number += 1
        made = ReferenceReader(self._world, self._channel, f"vendor {self._number}", serves=serves(self._card))
        made.at(time.time_ns())
        made.take_lists([file.read_bytes() for file in sorted(self._log.with_name("lists").glob("*.cbor"))])
        made.batches.update(self._kept)
        self._kept = made.batches
        return made

    def _read(self, attempt: Callable[[Wants], Attempt]) -> Told | None:
        """One card, to its end."""
        reader, commands = self._reader(), 0
        said = reader.begin(self._task())
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

    def _task(self) -> Task:
        """What somebody has it do, once; by itself it registers a visit."""
        asked = self._beside("task")
        if self._attended:
            self._log.with_name("task").unlink(missing_ok=True)
        return next((task for task, words in ASKED.items() if words in asked), Task.REGISTER)

    @property
    def _attended(self) -> bool:
        return self._log.with_name(ATTENDED).exists()

    def _beside(self, name: str) -> str:
        file = self._log.with_name(name)
        return file.read_text() if file.exists() else ""

    # -- the media

    def _at_card(self, met: Attempt) -> Callable[[Wants], Attempt]:
        powered = [met]

        def attempt(wants: Wants) -> Attempt:
            if wants.connect:
                assert isinstance(self._card, TappedLink)
                return self._card.connect_to(wants.message, ANSWER_S)
            if wants.message:
                return self._card.attempt(wants.message, _patience_s(wants))
            if powered:
                found = powered.pop()
                return found if self._channel == "contact" or found.reply is None else Attempt(Outcome.REPLIED, 0, NFC_ATR)
            return self._card.reset(ANSWER_S) if isinstance(self._card, PcscLink) else self._card.connect(ANSWER_S)

        return attempt

    def _over_the_air(self, wants: Wants, text: bytes) -> Attempt:
        if wants.role == "screen":
            return Attempt(Outcome.REPLIED, 0, text if wants.message else b"")
        if wants.connect:
            assert isinstance(self._card, BleLink)
            return self._card.connect_to(wants.message, ANSWER_S)
        return self._card.attempt(wants.message, _patience_s(wants))


def _patience_s(wants: Wants) -> float:
    """The receipt of a batch is waited for as long as it may take (P-WBK-11)."""
    return wants.timeout_s if wants.step == WRITES else min(wants.timeout_s, ANSWER_S)


def main(channel: str, moniker: str, log: Path) -> None:
    found = [parse(one) for one in moniker.split(JOINED)]
    with ExitStack() as stack:
        screen = Path(found.pop(0).where) if found[0].kind is Kind.QR else None
        links = {one.kind: open_device(one, None) for one in found}
        for link in links.values():
            stack.callback(link.close)
        Vendor(channel, joined(links), None if screen is None else Screen(screen), log).run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))

__all__ = ["ATTENDED", "Fault"]
