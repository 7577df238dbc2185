"""What is attached now, told by a watching process: a look costs nothing, so ``auto`` looks before every session."""

from __future__ import annotations

from collections.abc import Mapping

from bench.watch import EventKind, PcscSource, Watcher
from virtual_devices.errors import LinkError

FIRST_LOOK_S = 1.5
"""Longest wait for the first report of what is attached, at the start of a replication, once the watching process runs."""


class Presence:
    """The readers of the PC/SC service, kept up to date by events. Without the service, or pyscard, there are none."""

    def __init__(self, env: Mapping[str, str] | None) -> None:
        self.changes = 0
        """Events so far: when it has grown, something came or went."""
        self._readers: dict[str, bool] = {}
        self._watcher: Watcher | None = None
        try:
            self._watcher = Watcher([PcscSource(env=env, waits=True)]).__enter__()
            wait_s = FIRST_LOOK_S
            while self._note(wait_s):
                wait_s = 0.05
        except LinkError:
            self.close()

    def readers(self) -> dict[str, bool]:
        """Names of the readers, and whether each holds a card."""
        try:
            while self._note(0.0):
                pass
        except LinkError:
            self.close()
        return self._readers

    def _note(self, wait_s: float) -> bool:
        events = self._watcher.poll(wait_s) if self._watcher is not None else []
        self.changes += len(events)
        for event in events:
            name = event.moniker.removeprefix("pcsc:")
            match event.kind:
                case EventKind.APPEARED | EventKind.CARD_OUT:
                    self._readers[name] = False
                case EventKind.CARD_IN:
                    self._readers[name] = True
                case EventKind.VANISHED:
                    self._readers.pop(name, None)
                case EventKind.SERVICE_DOWN | EventKind.SERVICE_UP:
                    pass
        return bool(events)

    def close(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
        self._watcher = None
        self._readers.clear()


__all__ = ["Presence"]
