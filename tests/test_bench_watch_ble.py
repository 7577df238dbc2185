"""Bluetooth adapters and their service come and go, and the watcher says so."""

from __future__ import annotations

import os
import signal
from functools import partial

import pytest

from bench.drivers import ble
from bench.stacks.bluez import PrivateBluetooth
from bench.watch import EventKind, Watcher

from .ble_desk import LIMIT_S

pytestmark = pytest.mark.needs("dbus")


def test_adapter_service_and_watcher_come_and_go() -> None:
    seen: list[tuple[EventKind, str]] = []

    def until(*kinds: EventKind) -> None:
        found: list[EventKind] = []
        while not set(kinds) <= set(found):
            events = watcher.poll(LIMIT_S)
            assert events, (kinds, seen)
            found += [event.kind for event in events]
            seen.extend((event.kind, event.detail) for event in events)
            assert {event.moniker for event in events} <= {"ble:", "ble:hci0"}

    with PrivateBluetooth() as bluetooth:
        source = ble.source(env=bluetooth.env)
        with Watcher([source]) as watcher:
            until(EventKind.SERVICE_UP, EventKind.APPEARED)
            switch_off, switch_on = partial(bluetooth.power, False), partial(bluetooth.power, True)
            for away, back in ((bluetooth.unplug, bluetooth.plug), (switch_off, switch_on)):
                away()
                until(EventKind.VANISHED)
                back()
                until(EventKind.APPEARED)
            pid = source.worker_pid  # type: ignore[attr-defined]
            os.kill(pid, signal.SIGKILL)
            until(EventKind.SERVICE_DOWN, EventKind.VANISHED)
            until(EventKind.SERVICE_UP, EventKind.APPEARED)
            bluetooth.bus.kill()
            until(EventKind.SERVICE_DOWN, EventKind.VANISHED)
            assert "D-Bus" in dict(seen[-3:])[EventKind.SERVICE_DOWN]
