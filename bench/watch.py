"""What is attached now, and what comes and goes: hot plug.

A :class:`Source` reports one medium. Each runs its blocking library in a worker process, so that nothing here hangs with
it; PC/SC has a loop of its own there, because the library's monitors die with pcscd and do not come back.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeVar

import cbor2

from bench.drivers import MEDIA, driver
from bench.drivers.pcsc import WORKER, Op
from bench.libraries import require
from bench.worker import Ended, Worker
from virtual_devices.errors import LinkError

T = TypeVar("T")
SERVICE_LIMIT_S = 0.5
"""A service that starts or ends is reported within this (it is tried every 25 ms; more only on an overloaded machine)."""
TAKE_LIMIT_S = 2.0
"""A worker that has begun to report and does not finish within this is killed and replaced."""


class EventKind(Enum):
    APPEARED = "appeared"  # a device that can be opened now
    VANISHED = "vanished"
    CARD_IN = "card-in"
    CARD_OUT = "card-out"
    SERVICE_UP = "service-up"  # the medium's own service: pcscd, BlueZ
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


class WorkerSource:
    """The changes that a medium's worker reports, through its deaths: all that a lost one had reported is gone, and a new one
    reports what is there from the beginning. ``read`` makes an event of one report."""

    def __init__(self, medium: str, worker: Worker, op: int, read: Callable[[bytes], Event], payload: bytes = b"") -> None:
        self.medium = medium
        self._worker = worker
        self._op = op
        self._read = read
        self._payload = payload
        self._present: dict[str, bool] = {}  # moniker -> holds a card
        self._reported = False

    @property
    def worker_pid(self) -> int | None:
        return self._worker.pid

    def start(self) -> None:
        self._worker.post(self._op, self._payload)

    def fileno(self) -> int:
        return self._worker.fileno()

    def take(self) -> Sequence[Event]:
        events: list[Event] = []
        while True:
            reply = self._worker.collect(TAKE_LIMIT_S)
            if reply.ended is not Ended.ANSWERED:
                return [*events, *self._worker_lost(reply.text)]
            self._reported = True
            event = self._read(reply.payload)
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
        if not self._reported:
            raise LinkError(f"{self.medium} cannot be watched: {why or 'the worker does not answer'}")
        at_ns = time.time_ns()
        down = f"the watching process ended: {why}"
        events = [Event(EventKind.SERVICE_DOWN, f"{self.medium}:", at_ns, down)]
        for moniker, card in self._present.items():
            events += [Event(EventKind.CARD_OUT, moniker, at_ns)] * card + [Event(EventKind.VANISHED, moniker, at_ns)]
        self._present.clear()
        self._reported = False
        self._worker.post(self._op, self._payload)
        return events

    def close(self) -> None:
        self._worker.kill()


class PcscSource(WorkerSource):
    """Readers and cards of the PC/SC service, through its stops and starts. ``env`` as in :func:`bench.drivers.pcsc.open`.
    ``waits``: :meth:`start` returns when the process runs, however long a busy machine takes; else it starts meanwhile."""

    def __init__(self, *, env: Mapping[str, str] | None = None, waits: bool = False) -> None:
        super().__init__("pcsc", Worker(WORKER, env=env), Op.WATCH, _pcsc_event)
        self._waits = waits

    def start(self) -> None:
        require("smartcard")
        if self._waits:
            started = self._worker.call(Op.DISCONNECT, timeout_s=self._worker.start_s)
            if started.ended is not Ended.ANSWERED:
                raise LinkError(f"pcsc cannot be watched: {started.text or 'the worker does not start'}")
        super().start()


def _pcsc_event(report: bytes) -> Event:
    kind, name, *rest = cbor2.loads(report)
    return Event(EventKind(kind), f"pcsc:{name}", *rest)


def sources(env: Mapping[str, str] | None = None) -> tuple[list[Source], dict[str, str]]:
    """A source of each medium that can be watched, and of the others why not. A driver offers its own by ``source(env=)``."""
    found: list[Source] = []
    missing: dict[str, str] = {}
    for medium in MEDIA:
        offered = getattr(driver(medium), "source", None)
        try:
            if offered is not None:
                found.append(offered(env=env))
        except LinkError as e:
            missing[medium] = str(e)
    return found, missing


class Watcher:
    """Several sources at once. Use it as a context manager; then :meth:`poll`, or iterate for ever.

    A source that cannot be watched is a LinkError; with ``told``, the others go on without it, and it is told why.
    """

    def __init__(self, sources: Sequence[Source], told: Callable[[str], None] | None = None) -> None:
        self._sources = tuple(sources)
        self._told = told

    def __enter__(self) -> Watcher:
        try:
            for source in self._sources:
                self._do(source, source.start)
        except BaseException:
            self.close()
            raise
        return self

    def _do(self, source: Source, act: Callable[[], T]) -> T | None:
        try:
            return act()
        except LinkError as e:
            if self._told is None:
                raise
            self._sources = tuple(other for other in self._sources if other is not source)
            source.close()
            self._told(str(e))
            return None

    def __exit__(self, *exc: object) -> None:
        self.close()

    def poll(self, timeout_s: float | None) -> list[Event]:
        """What has changed, waiting at most ``timeout_s`` (None: for ever) for the first change; 0 never waits."""
        by_fd = {source.fileno(): source for source in self._sources}
        ready = select.poll()
        for fd in by_fd:
            ready.register(fd, select.POLLIN)
        timeout_ms = None if timeout_s is None else timeout_s * 1000
        awake = [by_fd[fd] for fd, _ in ready.poll(timeout_ms)]
        return [event for source in awake for event in self._do(source, source.take) or ()]

    def __iter__(self) -> Iterator[Event]:
        while True:
            yield from self.poll(None)

    def close(self) -> None:
        for source in self._sources:
            source.close()


def watch(sources: Sequence[Source], told: Callable[[str], None] | None = None) -> Iterator[Event]:
    """Yield every change until the caller stops: first what is there already, then what happens. ``told`` as of a Watcher."""
    with Watcher(sources, told) as watcher:
        yield from watcher


__all__ = ["Event", "EventKind", "PcscSource", "Source", "Watcher", "WorkerSource", "sources", "watch"]
