"""A card in a PC/SC reader as device under test, whatever card it is: the link to it, and the hand that exchanges it.

Where our own presenter stands behind the reader, each case has the card that it asks for put in over the control channel; at the
end lies there what lay there before, also when this process is killed. Somebody else's stays in, and is tried as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.drivers import RealLink
from bench.monikers import Moniker
from bench.presenters.control import ControlInfo
from bench.reach import Bounded, Means, RealWay
from bench.reach.hand import Hand
from bench.reader_link import CONNECT_S
from bench.seat import find
from conformance.kinds import Suite
from conformance.tester import CannotShow
from virtual_devices.link import Attempt

COMMAND_BYTES = 4


class InReader(RealWay):
    """The way to it. ``_hand``: None where nobody exchanges it."""

    def __init__(self, suite: Suite, found: Sequence[Moniker], channel: str, means: Means) -> None:
        super().__init__(suite, found, channel, means)
        self._link: Any = None  # a driver's link
        self._hand: Hand | None = None

    def _opened(self) -> tuple[Any, ControlInfo | None]:
        """A new link, and our presenter where it stands behind the reader. Raises LinkError."""
        real = find(self.found[0].where, self.means.env)
        return real.link, real.behind

    def _open(self) -> Any:
        """The link, before a case. One that fell silent and that nobody exchanges begins anew, or the case says nothing of it.
        Raises LinkError, CannotShow."""
        if self._link is None:
            self._link, behind = self._opened()
            self.ours, self._hand = behind is not None, None if behind is None else Hand(behind.path)
        if self._fell_silent and self._hand is None:
            self._back(self._link)
        return self._link

    def _back(self, link: RealLink) -> None:
        before, self._fell_silent = self._fell_silent, ""
        if link.connect(CONNECT_S).reply is None:
            self._fell_silent = before
            gone = f"the {self.suite.kind.value} has not come back ({link.last_error})"
            raise CannotShow(f"{gone} since it fell silent in {before}", open=True)

    def said(self, role: str) -> str:
        del role
        return "" if self._link is None else self._link.last_error

    def close(self) -> None:
        link, hand, self._link, self._hand = self._link, self._hand, None, None
        if link is not None:
            link.disconnect()
            if hand is not None:
                hand.put_back()
            link.close()


class Commands(Bounded):
    """What PC/SC readers carry."""

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if 0 < len(message) < COMMAND_BYTES:
            raise CannotShow(f"a PC/SC reader carries no command of fewer than {COMMAND_BYTES} bytes")
        return super().attempt(message, timeout_s)


__all__ = ["Commands", "InReader"]
