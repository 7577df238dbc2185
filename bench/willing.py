"""A phone's holder who agrees to everything: for people who try a reader and have nobody to hold a phone.

The holder proves to be there and agrees in advance to what a registration asks for, whenever the phone is held to a reader, and
to whatever else is asked once it has been asked. So a reader that asks for medical data is told first that the holder is being
asked, as by any phone, and asks once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from virtual_devices import vhc
from virtual_devices.clock import NS, Clock
from virtual_devices.link import Device
from virtual_devices.wallet.consent import ARMED_S, State, Use
from virtual_devices.wallet.phone import Phone

AGREES_TO: Mapping[str, Sequence[str]] = {space: list(names) for space, names in vhc.REGISTRATION.items()}
_AGAIN_NS = (ARMED_S - 10) * NS
"""How old an agreement in advance may be before it is given anew."""
_BEFORE = frozenset({State.NONE, State.ARMED, State.OVER})


class WillingHolder:
    """The acts of the holder. ``before``: nothing has been asked yet; ``after``: something may have been."""

    def __init__(self, phone: Phone, pin: str, clock: Clock) -> None:
        self._phone, self._pin, self._clock = phone, pin, clock
        self._armed_ns = 0

    def before(self) -> None:
        """Agree in advance, unless that was done a moment ago, or a session runs."""
        now_ns, state = self._clock.now_ns(), self._phone.consent.state
        if state in _BEFORE and (state is not State.ARMED or now_ns - self._armed_ns > _AGAIN_NS):
            self._phone.holder.enter_pin(self._pin, now_ns)
            self._phone.arm(Use.REGISTRATION, {space: frozenset(names) for space, names in AGREES_TO.items()}, now_ns)
            self._armed_ns = now_ns

    def after(self) -> None:
        """Give what is asked."""
        phone, now_ns = self._phone, self._clock.now_ns()
        for use in sorted({use for use, _ in phone.consent.asked.parts}, key=lambda use: use.value):
            phone.holder.enter_pin(self._pin, now_ns)
            phone.approve(use, now_ns)


class Willing:
    """A face of the phone, with its holder behind it. ``card_no``: of the card that it shows, for lists of what is there."""

    def __init__(self, face: Device, holder: WillingHolder, card_no: str = "") -> None:
        self._face, self._holder = face, holder
        self.atr: bytes = getattr(face, "atr", b"")
        self.card_no = card_no

    def power_on(self) -> bytes:
        answer = self._face.power_on()
        self._holder.before()
        return answer

    def handle(self, request: bytes, now_ns: int) -> bytes:
        self._holder.before()
        answer = self._face.handle(request, now_ns)
        self._holder.after()
        return answer

    def power_off(self) -> None:
        self._face.power_off()


__all__ = ["AGREES_TO", "Willing", "WillingHolder"]
