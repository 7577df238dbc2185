"""One file a medium, towards a device under test.

A driver module is named after its scheme: ``pcsc:ACS*`` is opened by :mod:`bench.drivers.pcsc`. It has

- ``open(spec, *, env=None) -> RealLink``: ``spec`` is the moniker without its scheme; UsageError when the choice is not clear,
  LinkError when nothing fits, with what was found instead and what to do. ``env`` is laid over the environment of the worker;
- ``discover(*, env=None) -> list[Found]``: what could be opened now. LinkError when the medium itself is missing;
- where things come and go, ``source(*, env=None) -> bench.watch.Source``: what does. LinkError as ``discover``.

The medium's library runs in a worker process of its own (:mod:`bench.worker`): what hangs in it costs that process. Nothing here
imports a driver, because each needs its own library and a worker process must start fast: :func:`driver` does, on demand.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Protocol

from virtual_devices.link import Attempt, Link

MEDIA = tuple(sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_")))
"""The schemes that have a driver, found by looking into this folder."""


@dataclass(frozen=True, slots=True)
class Found:
    """One device that is attached now. ``atr``: of the card in it, where the medium tells."""

    moniker: str
    detail: str
    has_card: bool
    atr: bytes = b""


class RealLink(Link, Protocol):
    """A link over a real medium. What the medium does is never an exception: it is an outcome, and a text for a person.

    ``connect`` first; after any outcome but REPLIED, ``connect`` again. An attempt without a connection is GONE at once.
    """

    @property
    def last_error(self) -> str:
        """What went wrong last, and the remedy; empty after a success."""
        ...

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker while one runs."""
        ...

    def connect(self, timeout_s: float) -> Attempt:
        """Wait for the device and begin; the reply is its answer to reset or select, empty where the medium has none."""
        ...

    def disconnect(self) -> None:
        """Let the device go. The link can be connected again."""
        ...

    def close(self) -> None:
        """Disconnect and end the worker."""
        ...


def driver(medium: str) -> ModuleType:
    """The driver module of one of :data:`MEDIA`."""
    return import_module(f"{__name__}.{medium}")


__all__ = ["MEDIA", "Found", "RealLink", "driver"]
