"""Hot plug of Bluetooth adapters: a source for :mod:`bench.watch`.

Phones are not reported: by the standard they advertise only after an engagement, under an address of the moment.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec

import cbor2

from bench.drivers.ble import NOT_INSTALLED, WORKER, Op
from bench.watch import TAKE_LIMIT_S, Event, EventKind
from bench.worker import Ended, Worker
from virtual_devices.errors import LinkError


class BleSource:
    """The adapters of this computer's Bluetooth service, through its stops and starts. ``env`` as in ``bench.drivers.ble.open``.

    An adapter is reported as ``ble:``, its name and address in the detail: that moniker opens whichever can be used.
    """

    def __init__(self, *, env: Mapping[str, str] | None = None) -> None:
        self._worker = Worker(WORKER, env=env)
        self._present: set[str] = set()
        self._reported = False

    @property
    def worker_pid(self) -> int | None:
        return self._worker.pid

    def start(self) -> None:
        if find_spec("bleak") is None or find_spec("bumble") is None:
            raise LinkError(NOT_INSTALLED)
        self._worker.post(Op.WATCH)

    def fileno(self) -> int:
        return self._worker.fileno()

    def take(self) -> Sequence[Event]:
        events: list[Event] = []
        while True:
            reply = self._worker.collect(TAKE_LIMIT_S)
            if reply.ended is not Ended.ANSWERED:
                return [*events, *self._worker_lost(reply.text)]
            self._reported = True
            kind, name, at_ns, detail = cbor2.loads(reply.payload)
            events.append(Event(EventKind(kind), "ble:", at_ns, f"{name} {detail}".strip()))
            if kind == EventKind.APPEARED.value:
                self._present.add(name)
            self._present.discard(name if kind == EventKind.VANISHED.value else "")
            if not self._worker.buffered:
                return events

    def _worker_lost(self, why: str) -> Sequence[Event]:
        """All that it reported is gone; a new worker reports what is there from the beginning."""
        if not self._reported:
            raise LinkError(f"Bluetooth cannot be watched: {why or 'the worker does not answer'}")
        at_ns = time.time_ns()
        events = [Event(EventKind.SERVICE_DOWN, "ble:", at_ns, f"the watching process ended: {why}")]
        events += [Event(EventKind.VANISHED, "ble:", at_ns, name) for name in sorted(self._present)]
        self._present.clear()
        self._reported = False
        self._worker.post(Op.WATCH)
        return events

    def close(self) -> None:
        self._worker.kill()


__all__ = ["BleSource"]
