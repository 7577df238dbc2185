"""Asking a reader for time (S(WTX) of ISO/IEC 14443-4) while the device works, from a thread of its own."""

from __future__ import annotations

import threading
import time

from bench.presenters.nfc_radio import Gone, Radio
from virtual_devices.errors import LinkError
from virtual_devices.iso_dep import Picc

WTXM = 4
"""Frame waiting times asked for at once, so that a slow device costs few blocks."""
_EARLY = 0.4
"""Part of the granted time after which more is asked for."""


class Keeper:
    """Looks at a work under way every few milliseconds and asks for time before the reader's patience ends.

    ``work`` and ``rest`` stand round the work, in the thread that does it; nobody else uses the radio in between.
    """

    def __init__(self, radio: Radio) -> None:
        self._radio = radio
        self._lock = threading.Lock()
        self._picc: Picc | None = None
        self._due_s = 0.0
        self._gone = False
        self._ended = False
        self._working = threading.Event()
        self._stopped = threading.Event()
        self._tick_s = 0.01
        self._thread: threading.Thread | None = None

    def work(self, picc: Picc) -> None:
        """The device has begun: from now on the reader is not to lose patience."""
        waiting_s = picc.ats.frame_waiting_s
        with self._lock:
            self._gone = False
            self._picc = picc
            self._tick_s = waiting_s * _EARLY / 2
            self._due_s = time.monotonic() + waiting_s * _EARLY / 2
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="nfc-waiting-time")
            self._thread.start()
        self._working.set()

    def rest(self) -> bool:
        """The device has its answer. False: the field went meanwhile."""
        with self._lock:
            self._picc = None
            return not self._gone

    def stop(self) -> None:
        self._ended = True
        self._stopped.set()
        self._working.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        idle = 0
        while not self._ended:
            self._working.wait()
            self._stopped.wait(self._tick_s)
            with self._lock:
                idle = 0 if self._picc is not None else idle + 1
                if idle > 20:  # nobody works: sleep until somebody does
                    self._working.clear()
                    idle = 0
                if self._picc is not None and time.monotonic() >= self._due_s:
                    self._ask(self._picc)

    def _ask(self, picc: Picc) -> None:
        try:
            granted_s = self._extend(picc)
        except (Gone, LinkError):
            self._gone, self._picc = True, None
            return
        self._due_s = time.monotonic() + granted_s * _EARLY

    def _extend(self, picc: Picc) -> float:
        """How much time the reader has granted, in seconds."""
        heard = self._radio.ask(None if picc.extending else picc.extend(WTXM), self._tick_s)
        while heard is not None:
            answer = picc.receive(heard)
            if answer is None:
                break
            if not picc.active:  # S(DESELECT)
                self._radio.send(answer)
                raise Gone
            heard = self._radio.ask(answer, self._tick_s)
        return 0.0 if picc.extending else picc.ats.frame_waiting_s * WTXM


__all__ = ["Keeper", "WTXM"]
