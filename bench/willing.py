"""A phone's holder who agrees to everything: for people who try a reader and have nobody to hold a phone.

The holder proves to be there and agrees in advance to what a registration asks for, whenever the phone is held to a reader, and
to whatever else is asked once it has been asked. So a reader that asks for medical data is told first that the holder is being
asked, as by any phone, and asks once more.

Over the presenter's control channel somebody else can lead the holder, act by act (:meth:`WillingHolder.act`): then nothing is
agreed to unless they say so, until they leave.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

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
        self._led = False

    def before(self) -> None:
        """Agree in advance, unless that was done a moment ago, or a session runs."""
        now_ns, state = self._clock.now_ns(), self._phone.consent.state
        if not self._led and state in _BEFORE and (state is not State.ARMED or now_ns - self._armed_ns > _AGAIN_NS):
            self._phone.holder.enter_pin(self._pin, now_ns)
            self._phone.arm(Use.REGISTRATION, {space: frozenset(names) for space, names in AGREES_TO.items()}, now_ns)
            self._armed_ns = now_ns

    def after(self) -> None:
        """Give what is asked."""
        if self._led:
            return
        phone, now_ns = self._phone, self._clock.now_ns()
        for use in sorted({use for use, _ in phone.consent.asked.parts}, key=lambda use: use.value):
            phone.holder.enter_pin(self._pin, now_ns)
            phone.approve(use, now_ns)

    # -- led by somebody else

    def act(self, request: Mapping[str, Any]) -> None:
        """``act``: lead (whatever was agreed to is forgotten), prove, agree (in advance, to ``use``, ``names``, ``write``),
        approve (``use``, now), refuse, leave. Raises for what is none, LookupError or ValueError, and as the phone does."""
        acts: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
            "lead": self._forget, "prove": self._prove, "agree": self._agree, "approve": self._approve, "refuse": self._refuse,
            "leave": self._forget,
        }
        act = acts[request["act"]]
        self._led = request["act"] != "leave"
        act(request)

    def _forget(self, request: Mapping[str, Any]) -> None:
        del request
        self._phone.consent.power_on()
        self._phone.holder.drop_proof()

    def _prove(self, request: Mapping[str, Any]) -> None:
        del request
        self._phone.holder.enter_pin(self._pin, self._clock.now_ns())

    def _agree(self, request: Mapping[str, Any]) -> None:
        names = {str(space): frozenset(map(str, elements)) for space, elements in request["names"].items()}
        self._phone.arm(Use(request["use"]), names, self._clock.now_ns(), write=bool(request["write"]))

    def _approve(self, request: Mapping[str, Any]) -> None:
        self._phone.approve(Use(request["use"]), self._clock.now_ns())

    def _refuse(self, request: Mapping[str, Any]) -> None:
        del request
        self._phone.consent.decline()


class Willing:
    """A face of the phone, with its holder behind it. ``card_no``: of the card that it shows, for lists of what is there.
    Reader and holder take turns: the control channel may be another thread's."""

    def __init__(self, face: Device, holder: WillingHolder, card_no: str = "") -> None:
        self._face, self._holder = face, holder
        self.turn = threading.RLock()
        """Held while something is done with the phone."""
        self._powered = False
        self.atr: bytes = getattr(face, "atr", b"")
        self.card_no = card_no

    def power_on(self) -> bytes:
        with self.turn:
            self._powered = True
            answer = self._face.power_on()
            self._holder.before()
            return answer

    def handle(self, request: bytes, now_ns: int) -> bytes:
        with self.turn:
            self._holder.before()
            answer = self._face.handle(request, now_ns)
            self._holder.after()
            return answer

    def power_off(self) -> None:
        with self.turn:
            self._powered = False
            self._face.power_off()

    def act(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What the control channel asks of the holder; the answer, with ``met``: whether a reader has the phone now."""
        with self.turn:
            if request.get("act") != "look":
                try:
                    self._holder.act(request)
                except Exception as error:  # the request came from outside
                    return {"error": f"the holder cannot do that: {type(error).__name__}: {error}"}
            return {"met": self._powered}


__all__ = ["AGREES_TO", "Willing", "WillingHolder"]
