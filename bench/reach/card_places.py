"""Where our card lies while a reader is tried: in an NFC field, in a slot of a PC/SC service, or in reach over Bluetooth.

    place = InSlot("127.0.0.1", 35963)
    place.bring(card)           from now on a reader can meet it
    place.away()                it has been taken away, whatever was under way

A card is a :class:`Brought`: what a reader sends to it waits for the case to answer. Each medium's presenter runs in a thread.
"""

from __future__ import annotations

import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from bench.libraries import require
from bench.monikers import slot
from bench.presenters.serve import Rows
from bench.presenters.vpcd import REMOVAL_S, VpcdPresenter
from virtual_devices.randomness import ByteStream
from virtual_devices.trace import Row

HANG_S = 90.0
"""A card that is to be silent is so for so long, or until it is taken away: longer than any reader may wait."""


class Brought:
    """A card that lies there (:class:`virtual_devices.link.Device`). ``power``: what it answers to a reset; ``connects``: it is
    met by a connection, else by a command."""

    def __init__(self, power: Callable[[], bytes], *, connects: bool = False) -> None:
        self.commands: queue.Queue[tuple[bytes, int]] = queue.Queue()
        """What a reader has sent, and how long after the answer before it or the reset, in nanoseconds."""
        self.answers: queue.Queue[bytes | None] = queue.Queue()
        self.met = threading.Event()
        """A reader has given it power, or has connected."""
        self.left = threading.Event()
        """The reader has taken the power away, or has gone: nothing comes of it any more."""
        self.first_ns = 0
        """When the reader first did something with it, by the same clock as ``brought_ns``."""
        self.brought_ns = time.perf_counter_ns()
        self.answered_ns = 0
        self.trouble: BaseException | None = None
        self._power, self._connects = power, connects
        self.atr = power()

    @property
    def asked(self) -> bool:
        return not self.commands.empty()

    def power_on(self) -> bytes:
        self.atr = self._power()
        self.left.clear()
        self.answered_ns = time.perf_counter_ns()
        if self._connects and not self.first_ns:
            self.first_ns = self.answered_ns
        self.met.set()
        return self.atr

    def handle(self, request: bytes, now_ns: int) -> bytes:
        """Silence where the case has none."""
        del now_ns
        asked_ns = time.perf_counter_ns()
        self.first_ns = self.first_ns or asked_ns
        self.commands.put((request, asked_ns - self.answered_ns))
        with suppress(queue.Empty):
            return self.answers.get(timeout=HANG_S) or b""
        return b""

    def carried(self, row: Row) -> None:
        """The presenter says that the last byte of an answer has left."""
        del row
        self.answered_ns = time.perf_counter_ns()

    def power_off(self) -> None:
        self.left.set()


class Presenter(Protocol):
    def run(self) -> None: ...

    def stop(self) -> None: ...


class Place(ABC):
    """One place, for one card at a time. ``gap_s``: so long nothing lies there between two cards, so that a reader that reads by
    itself notices. ``hangs``: a card that falls silent keeps the medium busy; else it says nothing."""

    hangs = True
    whole = False
    """It carries whole messages, the last of which has no answer."""
    most_bytes = 1 << 20
    """Of an answer: more than the suite ever gives, but where a medium says otherwise (``too_long``)."""
    too_long = ""

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._left_s = time.monotonic()
        self._card: Brought | None = None
        self._presenter: Presenter | None = None
        self._thread: threading.Thread | None = None

    @abstractmethod
    def _made(self, card: Brought) -> Presenter:
        """What shows the card there. Raises LinkError when the medium is not there."""

    def bring(self, card: Brought) -> None:
        """Raises LinkError when the medium is not there."""
        time.sleep(max(0.0, self._left_s + self._gap_s - time.monotonic()))
        card.brought_ns = time.perf_counter_ns()
        self._card, self._presenter = card, self._made(card)
        self._thread = threading.Thread(target=_run, args=(self._presenter, card), daemon=True)
        self._thread.start()

    def away(self) -> None:
        if self._card is not None:
            self._card.answers.put(None)
        if self._presenter is not None and self._thread is not None:
            self._presenter.stop()
            self._thread.join()
            self._left_s = time.monotonic()
        self._card = self._presenter = self._thread = None


def _run(presenter: Presenter, card: Brought) -> None:
    try:
        presenter.run()
    except Exception as e:  # told to the case, which waits for a reader in another thread
        card.trouble = e


class InField(Place):
    """``path``: of an NFC device, or a UDP address, as nfcpy has it. Raises LinkError without nfcpy."""

    def __init__(self, path: str, gap_s: float) -> None:
        super().__init__(gap_s)
        require("nfc")
        self._path = path

    def _made(self, card: Brought) -> Presenter:
        from bench.presenters.nfc import NfcPresenter  # nfcpy: a slot needs none
        from bench.presenters.nfc_radio import open_radio

        radio = open_radio(self._path)
        return NfcPresenter(lambda: card, radio, ByteStream("UIDs", time.time_ns()), rows=Rows(card.carried))


class InSlot(Place):
    """The slot of a virtual PC/SC reader: its driver listens at that address. An empty ``where`` is its usual one.
    The driver has to see the slot empty between two cards, whatever the gap; the length of an answer has two bytes there."""

    most_bytes = 65_535
    too_long = "the driver of a virtual PC/SC reader carries no answer above 65,535 bytes"

    def __init__(self, where: str, gap_s: float) -> None:
        super().__init__(max(0.0, gap_s - REMOVAL_S))
        self._host, self._port = slot(where)

    def _made(self, card: Brought) -> Presenter:
        return VpcdPresenter(lambda: card, self._host, self._port, rows=Rows(card.carried))


__all__ = ["HANG_S", "Brought", "InField", "InSlot", "Place", "Presenter"]
