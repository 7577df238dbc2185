"""What is attached now, told by watching processes: a look costs nothing, so ``auto`` looks before every session.

Also which of it is left alone for now: a device that failed is not tried again at once, unless something comes or goes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from bench.drivers import nfc
from bench.watch import EventKind, PcscSource, Source, Watcher
from virtual_devices.errors import LinkError

FIRST_LOOK_S = 1.5
"""Longest wait for the first report of what is attached over one medium; over PC/SC, once the watching process runs."""
SourceMaker = Callable[..., Source]
PCSC: SourceMaker = partial(PcscSource, waits=True)
NFC: SourceMaker = nfc.source


class Presence:
    """Readers of the PC/SC service, and what other media were asked for, kept up to date by events. Without the service, or
    without the library of a medium, it has none there."""

    def __init__(self, env: Mapping[str, str] | None, sources: Sequence[SourceMaker] = (PCSC,)) -> None:
        self.changes = 0
        """Events so far: when it has grown, something came or went."""
        self._readers: dict[str, bool] = {}
        self._atrs: dict[str, bytes] = {}
        self._left: Counter[str] = Counter()
        self._others: set[str] = set()
        self._resting: dict[str, tuple[float, int]] = {}  # what failed -> until when, at how many changes
        self._watchers: list[Watcher] = []
        for source in sources:
            with suppress(LinkError):
                self._watchers.append(Watcher([source(env=env)]).__enter__())
        for watcher in tuple(self._watchers):
            wait_s = FIRST_LOOK_S
            while self._note(watcher, wait_s):
                wait_s = 0.05

    def readers(self) -> dict[str, bool]:
        """Names of the PC/SC readers, and whether each holds a card."""
        self._look()
        return self._readers

    def atrs(self) -> dict[str, bytes]:
        """Names of the PC/SC readers that hold a card, and its answer to reset as the service knows it: nobody was asked."""
        self._look()
        return {name: self._atrs.get(name, b"") for name, holds in self._readers.items() if holds}

    def others(self) -> frozenset[str]:
        """The monikers of what other media have attached. Who is in the field of such a device is not known."""
        self._look()
        return frozenset(self._others)

    def left(self, moniker: str) -> int:
        """How often this device, or what lay in it, has gone: when it has grown, nobody that was met there is there any more."""
        self._look()
        return self._left[moniker]

    def rest(self, name: str, for_s: float) -> None:
        """Leave this one alone for so long, unless something comes or goes meanwhile."""
        self._resting[name] = (time.monotonic() + for_s, self.changes)

    def awake(self, name: str) -> bool:
        """Whether it may be tried."""
        until_s, changes = self._resting.get(name, (0.0, -1))
        return time.monotonic() >= until_s or self.changes != changes

    def _look(self) -> None:
        for watcher in tuple(self._watchers):
            while self._note(watcher, 0.0):
                pass

    def _note(self, watcher: Watcher, wait_s: float) -> bool:
        try:
            events = watcher.poll(wait_s)
        except LinkError:  # its library is missing, or its worker does not start again
            watcher.close()
            self._watchers.remove(watcher)
            return False
        self.changes += len(events)
        for event in events:
            medium, _, name = event.moniker.partition(":")
            self._left[event.moniker] += event.kind in (EventKind.CARD_OUT, EventKind.VANISHED)
            match event.kind:
                case EventKind.APPEARED | EventKind.CARD_OUT | EventKind.CARD_IN if medium == "pcsc":
                    self._readers[name], self._atrs[name] = event.kind is EventKind.CARD_IN, event.atr
                case EventKind.APPEARED:
                    self._others.add(event.moniker)
                case EventKind.VANISHED:
                    self._readers.pop(name, None)
                    self._others.discard(event.moniker)
        return bool(events)

    def close(self) -> None:
        for watcher in self._watchers:
            watcher.close()
        self._watchers.clear()
        self._readers.clear()
        self._others.clear()


__all__ = ["NFC", "PCSC", "Presence"]
