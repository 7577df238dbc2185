"""The hand that exchanges what our own presenter shows, over its control channel.

The presenter is on lease meanwhile: its own device comes back when the hand lets go, and when the hand's process has ended in
whatever way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from bench.presenters.control import BUSY, Lease
from virtual_devices.errors import LinkError, PeerError

T = TypeVar("T")
NAME = "conformance"
"""Under which a presenter keeps the chip of a case."""
BUSY_S, LOOK_S = 4.0, 0.05
"""Longest wait for a presenter that is at an exchange already: a chip that was struck is still being pulled out, or its own comes
back from who had it before."""


class Hand:
    """Puts devices into our presenter's slot. Nothing is asked of it before the first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lease: Lease | None = None

    def put(self, image: bytes, *, quietly: bool) -> None:
        """``quietly``: the reader need not see the exchange, for it has the chip well in hand. Raises LinkError."""
        if not self._do(lambda lease: lease.insert(image, NAME, quietly=quietly)):
            raise LinkError("the reader does not see the chip that was put in: is its PC/SC service running?")

    def replace(self, image: bytes) -> None:
        """Put another device in the place of the one that is in: who meets it next meets this one. Raises LinkError."""
        self._do(lambda lease: lease.insert(image, NAME, quietly=True))

    def renew(self) -> bool:
        """Put in a copy of what was there at first, as it was; False where it has no image. Raises LinkError."""
        return self._do(_renewed)

    def holder(self, act: str, **more: Any) -> dict[str, Any]:
        """As :meth:`bench.presenters.control.Control.holder`. Raises LinkError."""
        return self._do(lambda lease: lease.holder(act, **more))

    def put_back(self) -> None:
        """The device that was there at first is in again, once everything is over."""
        if self._lease is not None:
            self._lease.close()
            self._lease = None

    def _do(self, act: Callable[[Lease], T]) -> T:
        try:
            return patiently(lambda: act(self._leased()))
        except PeerError as e:
            raise LinkError(str(e)) from None

    def _leased(self) -> Lease:
        if self._lease is None or self._lease.over:
            self._lease = Lease(self._path)
        return self._lease


def patiently(act: Callable[[], T]) -> T:
    """Once the presenter is at no other exchange. Raises PeerError when it still is, or refuses."""
    limit_s = time.monotonic() + BUSY_S
    while True:
        try:
            return act()
        except PeerError as e:
            if BUSY not in str(e) or time.monotonic() > limit_s:
                raise
        time.sleep(LOOK_S)


def _renewed(lease: Lease) -> bool:
    if lease.image:
        lease.insert(lease.image, lease.card_no or NAME, quietly=True)
    return bool(lease.image)


__all__ = ["NAME", "Hand", "patiently"]
