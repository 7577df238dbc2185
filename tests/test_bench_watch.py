"""Hot plug: what the watcher reports when readers, cards and pcscd itself come and go."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import cbor2
import pytest

from bench import libraries, presence
from bench import watch as watch_module
from bench.drivers import pcsc
from bench.stacks.pcscd import PrivatePcscd
from bench.watch import Event, EventKind, PcscSource, Watcher, watch
from bench.worker import START_S, Ended, Reply
from virtual_devices.errors import LinkError

from . import virtual_readers
from .processes import open_files, wait_until
from .toy_card import ATR_T1, ToyCard
from .virtual_readers import LIMIT_S, presented

UP, DOWN = EventKind.SERVICE_UP, EventKind.SERVICE_DOWN
APPEARED, VANISHED, CARD_IN, CARD_OUT = EventKind.APPEARED, EventKind.VANISHED, EventKind.CARD_IN, EventKind.CARD_OUT
needs_pcsc = pytest.mark.needs("pcsc")
daemon = virtual_readers.own_pcscd


def take(watcher: Watcher, count: int) -> list[Event]:
    """The next ``count`` events, or fewer when they do not come; more come only when they came together."""
    events: list[Event] = []
    deadline = time.monotonic() + LIMIT_S
    while len(events) < count and time.monotonic() < deadline:
        events += watcher.poll(deadline - time.monotonic())
    return events


def kinds(events: Sequence[Event]) -> list[EventKind]:
    return [event.kind for event in events]


def is_a_start_with_a_card_in(events: Sequence[Event]) -> bool:
    """Service, both readers, the card: in the second look, or already in the first, with the reader that holds it."""
    return kinds(events) in ([UP, APPEARED, APPEARED, CARD_IN], [UP, APPEARED, CARD_IN, APPEARED])


def holds_a_card(daemon: PrivatePcscd) -> bool:
    """Whether the service says of any reader that it does."""
    return any(found.has_card for found in pcsc.discover(env=daemon.env))


class Pipe:
    """A source of one byte an event, fed by the test."""

    def __init__(self) -> None:
        self.out, self.feed = os.pipe()
        self.started = self.closed = False

    def start(self) -> None:
        self.started = True

    def fileno(self) -> int:
        return self.out

    def take(self) -> Sequence[Event]:
        return [Event(APPEARED, f"pipe:{byte}", 0) for byte in os.read(self.out, 100)]

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            os.close(self.out)
            os.close(self.feed)


def test_watcher_merges_sources_and_never_waits_when_told_so() -> None:
    first, second = Pipe(), Pipe()
    with Watcher([first, second]) as watcher:
        assert first.started and second.started
        assert watcher.poll(0) == []
        os.write(first.feed, b"\x01\x02")
        os.write(second.feed, b"\x03")
        assert sorted(event.moniker for event in watcher.poll(0)) == ["pipe:1", "pipe:2", "pipe:3"]
    assert first.closed and second.closed


def test_watch_yields_for_ever_and_closes_its_sources_when_left() -> None:
    source = Pipe()
    events = watch([source])
    os.write(source.feed, b"\x01\x02")
    assert [next(events).moniker, next(events).moniker] == ["pipe:1", "pipe:2"]
    events.close()  # type: ignore[attr-defined]
    assert source.closed


def test_watcher_closes_what_it_started_when_one_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "find_spec", lambda _: None)
    first = Pipe()
    with pytest.raises(LinkError, match=r"bench\.sh setup test"), Watcher([first, PcscSource()]):
        pass
    assert first.closed


@needs_pcsc
def test_watch_reports_first_what_is_there(daemon: PrivatePcscd) -> None:
    with Watcher([PcscSource(env=daemon.env)]) as watcher:
        events = take(watcher, 3)
    assert [(event.kind, event.moniker) for event in events] == [
        (UP, "pcsc:"), *((APPEARED, f"pcsc:{reader}") for reader in daemon.readers)
    ]


@needs_pcsc
def test_watch_reports_cards_with_their_atr_and_time(daemon: PrivatePcscd) -> None:
    reader = f"pcsc:{daemon.readers[1]}"
    with Watcher([PcscSource(env=daemon.env)]) as watcher:
        take(watcher, 3)
        began_ns = time.time_ns()
        with presented(ToyCard(), daemon.ports[1], settle_s=0):
            (inserted,) = take(watcher, 1)
        (removed,) = take(watcher, 1)
    assert (inserted.kind, inserted.moniker, inserted.atr) == (CARD_IN, reader, ATR_T1)
    assert (removed.kind, removed.moniker) == (CARD_OUT, reader)
    assert began_ns <= inserted.at_ns <= removed.at_ns <= time.time_ns()


@needs_pcsc
def test_watch_reports_what_happened_while_nobody_asked(daemon: PrivatePcscd) -> None:
    """With the time at which it happened, not the time of the question."""
    with Watcher([PcscSource(env=daemon.env)]) as watcher:
        take(watcher, 3)
        with presented(ToyCard(), daemon.ports[0], settle_s=0):
            assert wait_until(lambda: holds_a_card(daemon))
            time.sleep(0.5)
        assert wait_until(lambda: not holds_a_card(daemon))
        inserted, removed = take(watcher, 2)
    assert kinds([inserted, removed]) == [CARD_IN, CARD_OUT]
    assert removed.at_ns - inserted.at_ns > 200_000_000


@needs_pcsc
def test_watch_survives_the_service_stopping_and_starting(daemon: PrivatePcscd) -> None:
    """Again and again, and within the promised time at least once: more is not to be asked of a busy machine."""
    down_ns, up_ns = [], []
    with Watcher([PcscSource(env=daemon.env)]) as watcher, presented(ToyCard(), daemon.ports[0], settle_s=0):
        assert is_a_start_with_a_card_in(take(watcher, 4))
        for _ in range(10):
            daemon.stop()
            stopped_ns = time.time_ns()
            down = take(watcher, 4)
            assert kinds(down) == [DOWN, CARD_OUT, VANISHED, VANISHED]
            down_ns.append(down[0].at_ns - stopped_ns)
            daemon.start()
            started_ns = time.time_ns()
            up = take(watcher, 4)
            assert is_a_start_with_a_card_in(up)
            up_ns.append(up[0].at_ns - started_ns)
            if len(up_ns) >= 2 and max(min(down_ns), min(up_ns)) < watch_module.SERVICE_LIMIT_S * 1e9:
                return
    raise AssertionError((down_ns, up_ns))


@needs_pcsc
def test_watch_that_begins_without_a_service_sees_it_come(daemon: PrivatePcscd) -> None:
    daemon.stop()
    with Watcher([PcscSource(env=daemon.env)]) as watcher:
        assert kinds(take(watcher, 1)) == [DOWN]
        assert watcher.poll(0.2) == []
        daemon.start()
        assert kinds(take(watcher, 3)) == [UP, APPEARED, APPEARED]


@needs_pcsc
def test_watch_takes_a_new_process_when_its_own_is_killed(daemon: PrivatePcscd) -> None:
    source = PcscSource(env=daemon.env)
    with Watcher([source]) as watcher:
        take(watcher, 3)
        assert source.worker_pid is not None
        os.kill(source.worker_pid, signal.SIGKILL)
        events = take(watcher, 6)
    assert kinds(events) == [DOWN, VANISHED, VANISHED, UP, APPEARED, APPEARED]
    assert "watching process ended" in events[0].detail


@needs_pcsc
def test_watch_leaves_no_process_and_no_descriptor(daemon: PrivatePcscd) -> None:
    before = open_files()
    source = PcscSource(env=daemon.env)
    with Watcher([source]) as watcher:
        take(watcher, 3)
        pid = source.worker_pid
    assert not Path(f"/proc/{pid}").exists()
    assert open_files() == before


class Slow:
    """A worker that says nothing until somebody has waited for as long as one may take to start."""

    def __init__(self, *_: object, **__: object) -> None:
        self._from, self._to = os.pipe()
        self._left = [["appeared", "A reader", 0, "", b""], ["card-in", "A reader", 0, "", b""]]

    pid, start_s = None, START_S

    def call(self, op: int, timeout_s: float) -> Reply:
        del op
        if timeout_s < START_S:
            return Reply(Ended.TIMED_OUT)
        os.write(self._to, b".")
        return Reply(Ended.ANSWERED)

    def post(self, op: int, payload: bytes) -> None:
        assert (op, payload) == (pcsc.Op.WATCH, b"")

    def fileno(self) -> int:
        return self._from

    @property
    def buffered(self) -> bool:
        return bool(self._left)

    def collect(self, timeout_s: float) -> Reply:
        del timeout_s
        os.read(self._from, 1)
        os.write(self._to, b"." * (len(self._left) > 1))
        return Reply(Ended.ANSWERED, cbor2.dumps(self._left.pop(0)))

    def kill(self) -> None:
        os.close(self._from)
        os.close(self._to)


def test_what_is_attached_is_known_however_long_the_watching_process_takes_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "Worker", Slow)
    monkeypatch.setattr(presence, "FIRST_LOOK_S", 0.0)
    there = presence.Presence(None)
    assert there.readers() == {"A reader": True}
    there.close()
