"""What is attached now, and what comes and goes: hot plug.

A :class:`Source` reports one medium. Each runs its blocking library in a worker process, so that nothing here hangs with
it; PC/SC has a loop of its own there, because the library's monitors die with pcscd and do not come back.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from typing import Protocol

import cbor2

from bench.drivers.pcsc import NO_PYSCARD, WORKER, Op
from bench.worker import Ended, Worker
from virtual_devices.errors import LinkError

SERVICE_LIMIT_S = 0.5
"""A service that starts or ends is reported within this (it is tried every 25 ms; more only on an overloaded machine)."""
TAKE_LIMIT_S = 2.0
"""A worker that has begun to report and does not finish within this is killed and replaced."""


class EventKind(Enum):
    APPEARED = "appeared"  # a device that can be opened now
    VANISHED = "vanished"
    CARD_IN = "card-in"
    CARD_OUT = "card-out"
    SERVICE_UP = "service-up"  # the medium's own service: pcscd
    SERVICE_DOWN = "service-down"  # its devices are reported as vanished right after


@dataclass(frozen=True, slots=True)
class Event:
    """One change. ``moniker`` is what a rig would open; of a service's own events only the scheme (``pcsc:``)."""

    kind: EventKind
    moniker: str
    at_ns: int
    detail: str = ""
    atr: bytes = b""


class Source(Protocol):
    """Where the changes of one medium come from."""

    def start(self) -> None:
        """Begin to report; what is there already is reported first. LinkError when the medium cannot be watched at all."""
        ...

    def fileno(self) -> int:
        """A descriptor that is readable when :meth:`take` has something; it may be another one after each take."""
        ...

    def take(self) -> Sequence[Event]:
        """The changes since the last call, oldest first."""
        ...

    def close(self) -> None: ...


class PcscSource:
    """Readers and cards of the PC/SC service, through its stops and starts. ``env`` as in :func:`bench.drivers.pcsc.open`."""

    def __init__(self, *, env: Mapping[str, str] | None = None) -> None:
        self._worker = Worker(WORKER, env=env)
        self._present: dict[str, bool] = {}  # moniker -> holds a card
        self._reported = False

    @property
    def worker_pid(self) -> int | None:
        return self._worker.pid

    def start(self) -> None:
        if find_spec("smartcard") is None:
            raise LinkError(NO_PYSCARD)
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
            kind, name, *rest = cbor2.loads(reply.payload)
            event = Event(EventKind(kind), f"pcsc:{name}", *rest)
            self._note(event)
            events.append(event)
            if not self._worker.buffered:
                return events

    def _note(self, event: Event) -> None:
        match event.kind:
            case EventKind.APPEARED | EventKind.CARD_OUT:
                self._present[event.moniker] = False
            case EventKind.CARD_IN:
                self._present[event.moniker] = True
            case EventKind.VANISHED:
                self._present.pop(event.moniker, None)

    def _worker_lost(self, why: str) -> Sequence[Event]:
        """All that it reported is gone; a new worker reports what is there from the beginning."""
        if not self._reported:
            raise LinkError(f"PC/SC cannot be watched: {why or 'the worker does not answer'}")
        at_ns = time.time_ns()
        events = [Event(EventKind.SERVICE_DOWN, "pcsc:", at_ns, f"the watching process ended: {why}")]
        for moniker, card in self._present.items():
            events += [Event(EventKind.CARD_OUT, moniker, at_ns)] * card + [Event(EventKind.VANISHED, moniker, at_ns)]
        self._present.clear()
        self._reported = False
        self._worker.post(Op.WATCH)
        return events

    def close(self) -> None:
        self._worker.kill()


class Watcher:
    """Several sources at once. Use it as a context manager; then :meth:`poll`, or iterate for ever."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)

    def __enter__(self) -> Watcher:
        try:
            for source in self._sources:
                source.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def poll(self, timeout_s: float | None) -> list[Event]:
        """What has changed, waiting at most ``timeout_s`` (None: for ever) for the first change; 0 never waits."""
        by_fd = {source.fileno(): source for source in self._sources}
        ready = select.poll()
        for fd in by_fd:
            ready.register(fd, select.POLLIN)
        timeout_ms = None if timeout_s is None else timeout_s * 1000
        return [event for fd, _ in ready.poll(timeout_ms) for event in by_fd[fd].take()]

    def __iter__(self) -> Iterator[Event]:
        while True:
            yield from self.poll(None)

    def close(self) -> None:
        for source in self._sources:
            source.close()


def watch(sources: Sequence[Source]) -> Iterator[Event]:
    """Yield every change until the caller stops: first what is there already, then what happens."""
    with Watcher(sources) as watcher:
        yield from watcher


__all__ = ["Event", "EventKind", "PcscSource", "Source", "Watcher", "watch"]
