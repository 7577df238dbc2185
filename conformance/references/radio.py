"""One end over Bluetooth, value by value: the machine of ISO/IEC 18013-5 and what is said over it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from virtual_devices.mdoc import session
from virtual_devices.mdoc.ble import BleLink, Outputs
from virtual_devices.mdoc.ble_events import Ended, Event, Opened, Output, Phase, Received
from virtual_devices.mdoc.tagged import MalformedMdoc

Hear = Callable[[bytes], bytes | None]
"""A whole message of the peer -> the answer; empty or None: there is none to give."""


class RadioEnd:
    """``hear``: what answers; ``first``: what is said as soon as the session is open, by who speaks first; ``over``: told that
    it has ended, and whether by itself."""

    def __init__(
        self, link: BleLink, hear: Hear, first: Callable[[], bytes | None] | None = None,
        over: Callable[[bool], object] = lambda _: None,
    ) -> None:
        self._link, self._hear, self._first, self._over = link, hear, first, over

    def start(self) -> Outputs:
        """It advertises or scans."""
        return self._done(self._link.start())

    def handle(self, event: Event) -> Outputs:
        """What its stack is told -> what the stack shall do."""
        return self._done(self._link.handle(event))

    def _done(self, outputs: Iterable[Output]) -> Outputs:
        found: list[Output] = []
        for output in outputs:
            found.append(output)
            if isinstance(output, Opened) and self._first is not None:
                found += self._said(self._first())
            elif isinstance(output, Received) and _status(output.message):
                found += self._done(self._link.session_ended(by_peer=True))
            elif isinstance(output, Received):
                found += self._said(self._hear(output.message))
            elif isinstance(output, Ended):
                self._over(output.phase is Phase.ENDED_BY_US)
        return tuple(found)

    def _said(self, message: bytes | None) -> Outputs:
        if not message or self._link.phase.final:
            return ()
        said = self._link.send(message)
        return (*said, *self._done(self._link.session_ended(by_peer=False))) if _status(message) else said


def _status(message: bytes) -> bool:
    """Whether it ends the session."""
    try:
        return session.read_data(message).status is not None
    except MalformedMdoc:
        return False


__all__ = ["RadioEnd"]
