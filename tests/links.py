"""Links between a desk and its devices that do what a test wants: listen, change, fail, fall silent, tear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from virtual_devices.clock import NS
from virtual_devices.link import Attempt, DirectLink, Link, Outcome, PowerCut, Tearable


class Through:
    """Passes everything on to another link, and keeps what was asked."""

    provenance = DirectLink.provenance

    def __init__(self, inner: Link) -> None:
        self.inner = inner
        self.channel, self.device = inner.channel, inner.device
        self.messages: list[bytes] = []

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        self.messages.append(message)
        return self.inner.attempt(message, timeout_s)


class Changed(Through):
    """``change(n, reply)`` is what becomes of the n-th reply; None loses it. Only of messages that begin so."""

    def __init__(self, inner: Link, change: Callable[[int, bytes], bytes | None], begins: bytes = b"") -> None:
        super().__init__(inner)
        self._change, self._begins = change, begins

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        attempt = super().attempt(message, timeout_s)
        if attempt.reply is None or not message.startswith(self._begins):
            return attempt
        reply = self._change(len(self.messages) - 1, attempt.reply)
        if reply is None:
            return ended(Outcome.REPLY_LOST, timeout_s)
        return Attempt(Outcome.REPLIED, attempt.duration_ns, reply)


@dataclass
class Strike:
    """Which exchanges fail, of one link or of several that are counted together: ``times`` of them from number ``at`` on."""

    at: int
    outcome: Outcome
    times: int = 1
    count: int = 0

    @property
    def came(self) -> bool:
        return self.count > self.at


class Failing(Through):
    """The exchanges that are struck end so: before the device hears of them, or, for REPLY_LOST, after it has acted."""

    def __init__(self, inner: Link, strike: Strike) -> None:
        super().__init__(inner)
        self._strike = strike

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        strike, number = self._strike, self._strike.count
        strike.count += 1
        if not strike.at <= number < strike.at + strike.times:
            return super().attempt(message, timeout_s)
        self.messages.append(message)
        if strike.outcome is Outcome.REPLY_LOST:
            self.inner.attempt(message, timeout_s)
        return ended(strike.outcome, timeout_s)


class Silence:
    """A line on which nothing comes back."""

    channel, device, provenance = "network", "virtual", DirectLink.provenance

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        return ended(Outcome.REQUEST_LOST, timeout_s)


class Torn(Through):
    """The card is pulled ``points`` cut points after its n-th exchange has begun; it stays without power."""

    def __init__(self, inner: Link, card: Tearable, at: int, points: int) -> None:
        super().__init__(inner)
        self._card, self._at, self._points = card, at, points
        self.torn = False

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if len(self.messages) == self._at:
            self._card.arm_cut(self._points)
        try:
            return super().attempt(message, timeout_s)
        except PowerCut:
            self.torn = True
            return ended(Outcome.GONE, timeout_s)
        finally:
            self._card.arm_cut(None)


def ended(outcome: Outcome, timeout_s: float) -> Attempt:
    """A try without an answer, as long as the asker waits for one: a card that leaves is noticed at once."""
    return Attempt(outcome, 0 if outcome is Outcome.GONE else round(timeout_s * NS))


__all__ = ["Changed", "Failing", "Silence", "Strike", "Through", "Torn"]
