"""What the data centre does by itself once a day, in the night of its own clock, and at its start for the nights that it missed:
prescriptions whose time of retention is over are deleted, each with a signed proof, and pre-checks of uploads are forgotten.
"""

from __future__ import annotations

from datetime import timedelta
from threading import Event, Thread

from bench.datacentre.centre import Centre
from bench.datacentre.web.log import LOG, faults
from virtual_devices.clock import NS, TAIWAN, Clock, from_datetime, to_datetime

HOUR = 3
LOOK_S = 60.0
"""Longest wait before the clock is looked at again."""


class Nightly:
    """The night's work of a service, in a thread of its own from :meth:`start` to :meth:`stop`."""

    def __init__(self, centre: Centre, clock: Clock, look_s: float = LOOK_S) -> None:
        self._centre, self._clock, self._look_s = centre, clock, look_s
        self._ended = Event()
        self._thread = Thread(target=self._run, name="nightly", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends it; what it is doing is done first."""
        self._ended.set()
        self._thread.join()

    def once(self) -> int:
        """The work of one night. How many prescriptions were deleted."""
        now_ns, centre = self._clock.now_ns(), self._centre
        deleted, forgotten = centre.act(lambda: (centre.desks.delete_due(now_ns), centre.uploads.ledger.forget(now_ns)))
        LOG.info("night: %d prescriptions deleted with proof, %d pre-checks forgotten", len(deleted), forgotten)
        return len(deleted)

    def _run(self) -> None:
        due_ns = self._clock.now_ns()
        while not self._ended.is_set():
            if (now_ns := self._clock.now_ns()) >= due_ns:
                try:
                    self.once()
                except Exception as error:  # the next night is another; a text of its own may name a person
                    LOG.error("the night's work failed: %s", faults(error))
                due_ns = next_night_ns(now_ns)
            self._ended.wait(min(self._look_s, (due_ns - now_ns) / NS))


def next_night_ns(after_ns: int) -> int:
    """The next beginning of :data:`HOUR` in Taiwan."""
    at = to_datetime(after_ns).astimezone(TAIWAN)
    night = at.replace(hour=HOUR, minute=0, second=0, microsecond=0)
    return from_datetime(night if night > at else night + timedelta(days=1))


__all__ = ["Nightly", "next_night_ns"]
