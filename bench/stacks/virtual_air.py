"""The air between virtual NFC chips: it carries frames at once, or loses and damages them, and a card can be taken away.

    with Air() as air:
        reader, card = air.chip(), air.chip()        nfc:tty:{reader.path}, present nfc --path tty:{card.path}

One thread serves all chips, so that nothing on the air happens at the same time.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable
from os import close, eventfd, eventfd_read, eventfd_write

from bench.stacks.virtual_pn532 import Chip
from virtual_devices.sensing import Passage, Way, whole

Passes = Callable[[Way, bytes], Passage]
_SELECTION = (b"\x26", b"\x04\x00", b"\x93\x20", bytes(5), b"\x93\x70" + bytes(7), b"\x20\xfc\x70")
"""The frames of anticollision and selection with a UID of four bytes, for what becomes of them."""


class Air:
    """``passes`` says what becomes of each frame; it is asked in the air's own thread."""

    def __init__(self, passes: Passes = whole) -> None:
        self.passes = passes
        self.in_reach = True
        self.chips: list[Chip] = []
        self._reader: Chip | None = None  # who has the field on, and a card in it
        self._card: Chip | None = None
        self._lock = threading.Lock()
        self._wake = eventfd(0)
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="virtual-air")

    def chip(self) -> Chip:
        """A further chip."""
        made = Chip(self)
        with self._lock:
            self.chips.append(made)
        eventfd_write(self._wake, 1)
        return made

    def take_away(self) -> None:
        """Whatever card there is leaves the field, and stays out until :meth:`bring`."""
        with self._lock:
            self.in_reach = False
            self._release()

    def bring(self) -> None:
        self.in_reach = True

    def __enter__(self) -> Air:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended = True
        eventfd_write(self._wake, 1)
        self._thread.join()
        for chip in self.chips:
            chip.close()
        close(self._wake)

    # -- what chips do

    def find(self, reader: Chip) -> Chip | None:
        self._release()
        card = next((chip for chip in self.chips if chip is not reader and chip.listens), None)
        if card is None or not self.in_reach or any(self._passes(n, f) is not Passage.WHOLE for n, f in enumerate(_SELECTION)):
            return None
        self._reader, self._card, card.selected = reader, card, True
        return card

    def to_card(self, reader: Chip, frame: bytes) -> None:
        if self._card is not None and reader is self._reader and self.passes(Way.TO_CARD, frame) is Passage.WHOLE:
            self._card.asked(frame)  # a damaged frame is met with silence, as a lost one

    def to_reader(self, card: Chip, frame: bytes) -> bool:
        if self._reader is None or card is not self._card:
            return False
        passage = self.passes(Way.TO_READER, frame)
        if passage is not Passage.LOST:
            self._reader.heard(frame if passage is Passage.WHOLE else None)
        return True

    def field_off(self, reader: Chip) -> None:
        if reader is self._reader:
            self._release()

    def _passes(self, number: int, frame: bytes) -> Passage:
        return self.passes(Way.TO_READER if number % 2 else Way.TO_CARD, frame)

    def _release(self) -> None:
        card, self._card, self._reader = self._card, None, None
        if card is not None:
            card.released()

    # -- the thread

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        known: dict[int, Chip] = {}
        while not self._ended:
            with self._lock:
                for chip in self.chips[len(known) :]:
                    known[chip.master] = chip
                    poll.register(chip.master, select.POLLIN)
            ready = poll.poll(self._timeout_ms())
            with self._lock:
                for fd, _ in ready:
                    if fd == self._wake:
                        eventfd_read(self._wake)
                    else:
                        known[fd].readable()
                now_s = time.monotonic()
                for chip in self.chips:
                    if chip.due_s is not None and now_s >= chip.due_s:
                        chip.too_late()

    def _timeout_ms(self) -> float | None:
        due_s = [chip.due_s for chip in self.chips if chip.due_s is not None]
        return max(0.0, min(due_s) - time.monotonic()) * 1000 + 0.5 if due_s else None


__all__ = ["Air", "Passes", "whole"]
