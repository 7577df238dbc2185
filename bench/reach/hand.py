"""The hand that exchanges what our own presenter shows, over its control channel."""

from __future__ import annotations

from contextlib import suppress

from bench.presenters.control import Control
from virtual_devices.errors import LinkError, PeerError

NAME = "conformance"
"""Under which a presenter keeps the chip of a case."""


class Hand:
    """Puts devices into our presenter's slot, and at the end the one that was there."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._before: tuple[bytes, str] | None = None
        self._changed = False

    def put(self, image: bytes, *, quietly: bool) -> None:
        """``quietly``: the reader need not see the exchange, for it has the chip well in hand. Raises LinkError."""
        try:
            self._take_out()
            if not self._control.insert(image, NAME, quietly=quietly):
                raise LinkError("the reader does not see the chip that was put in: is its PC/SC service running?")
        except PeerError as e:
            raise LinkError(str(e)) from None

    def renew(self, *, quietly: bool) -> None:
        """What was there at first, as it was. Raises LinkError."""
        try:
            self._take_out()
            if self._before is None or not self._before[0]:
                raise LinkError("the presenter does not give its phone out: start one of this version")
            self._control.insert(*self._before, quietly=quietly)
        except PeerError as e:
            raise LinkError(str(e)) from None

    def _take_out(self) -> None:
        if self._changed:
            return
        status = self._control.status()
        if status["inserted"]:
            self._before = self._control.eject(), status["card_no"] or NAME
        self._changed = True

    def put_back(self) -> None:
        """The device that was there at first, once everything is over."""
        if self._changed:
            with suppress(LinkError, PeerError):  # the presenter has gone, and its slot with it
                if self._before is None:
                    self._control.eject()
                elif self._before[0]:
                    self._control.insert(*self._before)


__all__ = ["NAME", "Hand"]
