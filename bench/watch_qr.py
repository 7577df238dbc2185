"""Hot plug of pictures and of folders that cameras write to: a :class:`bench.watch.Source` for ``qr:PATH``.

A camera that is unplugged takes its folder along, or its mount. Pictures that come and go within the folder are no events: a scan
looks for them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import cbor2

from bench.drivers.qr import WORKER, Op, need_libraries
from bench.watch import TAKE_LIMIT_S, Event, EventKind
from bench.worker import Ended, Worker
from virtual_devices.errors import LinkError


class QrSource:
    """One path: there, or not. ``env`` as in :func:`bench.drivers.qr.open`."""

    def __init__(self, path: str, *, env: Mapping[str, str] | None = None) -> None:
        self._path = Path(path).absolute()
        self._moniker = f"qr:{path}"
        self._worker = Worker(WORKER, env=env)
        self._there = False
        self._reported = False

    @property
    def worker_pid(self) -> int | None:
        return self._worker.pid

    def start(self) -> None:
        need_libraries()
        self._worker.post(Op.WATCH, str(self._path).encode())

    def fileno(self) -> int:
        return self._worker.fileno()

    def take(self) -> Sequence[Event]:
        events: list[Event] = []
        while True:
            reply = self._worker.collect(TAKE_LIMIT_S)
            if reply.ended is not Ended.ANSWERED:
                return [*events, *self._worker_lost(reply.text)]
            self._reported = True
            kind, at_ns, detail = cbor2.loads(reply.payload)
            events.append(Event(EventKind(kind), self._moniker, at_ns, detail))
            self._there = events[-1].kind is EventKind.APPEARED
            if not self._worker.buffered:
                return events

    def _worker_lost(self, why: str) -> Sequence[Event]:
        """What it reported is gone; a new worker reports what is there from the beginning."""
        if not self._reported:
            raise LinkError(f"{self._moniker} cannot be watched: {why or 'the worker does not answer'}")
        gone = [Event(EventKind.VANISHED, self._moniker, time.time_ns(), f"the watching process ended: {why}")] * self._there
        self._there = self._reported = False
        self._worker.post(Op.WATCH, str(self._path).encode())
        return gone

    def close(self) -> None:
        self._worker.kill()


__all__ = ["QrSource"]
