"""Links to a card in a PC/SC reader, as flows use them: the empty message powers the card on.

A reader's slot is open to everybody: between two exchanges our card can leave it and a stranger's come in. So a link for a
visit (:class:`OwnCardLink`) answers for one card only, and asks it who it is after each power-on, before any flow can speak
to it. Between two power-ons the PC/SC service vouches for the card: a connection ends when the card leaves.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from bench.drivers import RealLink
from virtual_devices.card.ic_card import IcCard
from virtual_devices.clock import VirtualClock
from virtual_devices.flow import Session
from virtual_devices.flow import run as run_flow
from virtual_devices.link import RESET, AddressedLink, Attempt, Link, Outcome, Provenance
from virtual_devices.reader.proximity import ROLE, SCREEN
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.visit import read_public

CONNECT_S = 3.0
"""Longest wait for a card that has just been put in."""


class Reader(Protocol):
    """What is used here of :class:`bench.drivers.pcsc.PcscLink`."""

    provenance: Provenance
    channel: str
    device: str
    protocol: str
    last_error: str

    def connect(self, timeout_s: float) -> Attempt: ...

    def reset(self, timeout_s: float) -> Attempt: ...

    def attempt(self, message: bytes, timeout_s: float) -> Attempt: ...

    def disconnect(self) -> None: ...


class ReaderLink:
    """Whatever card is in the reader: for reading what everybody may read, never for a visit."""

    def __init__(self, inner: Reader, power_s: float = math.inf) -> None:
        """``power_s``: longest wait for a card to be there and to answer when it is given power."""
        self.inner = inner
        self.provenance = inner.provenance
        self.channel = inner.channel
        self.device = inner.device
        self._power_s = power_s

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if message:
            return self.inner.attempt(message, timeout_s)
        limit_s = min(timeout_s, self._power_s)
        return self.inner.reset(limit_s) if self.inner.protocol else self.inner.connect(min(limit_s, CONNECT_S))


class DeviceLink:
    """Whatever stands behind a driver's link, as flows use it: the empty message begins anew, ``connect_to`` looks for the one
    that an engagement names."""

    def __init__(self, inner: RealLink) -> None:
        self.inner = inner

    @property
    def provenance(self) -> Provenance:
        return self.inner.provenance

    @property
    def channel(self) -> str:
        return self.inner.channel

    @property
    def device(self) -> str:
        return self.inner.device

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        return self.inner.attempt(message, timeout_s) if message else self.inner.connect(timeout_s)

    def connect_to(self, address: bytes, timeout_s: float) -> Attempt:
        if isinstance(self.inner, AddressedLink):
            return self.inner.connect_to(address, timeout_s)
        return self.inner.connect(timeout_s)

    def let_go(self) -> None:
        """The device is needed no longer for now: a phone shows its next code when its reader has gone."""
        self.inner.disconnect()


@runtime_checkable
class Looking(Protocol):
    """What is used here of :class:`bench.drivers.qr.QrLink` beside a driver's link."""

    @property
    def connected(self) -> bool: ...


class ScreenLink(DeviceLink):
    """A phone's screen before a camera: where the camera is not looking, it looks anew at each scan, as who holds the phone up
    again after a failure expects."""

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if message and isinstance(self.inner, Looking) and not self.inner.connected:
            began = time.monotonic()
            looking = self.inner.connect(timeout_s)
            if looking.reply is None:
                return looking
            timeout_s = max(0.0, timeout_s - (time.monotonic() - began))
        return super().attempt(message, timeout_s)


class OwnCardLink:
    """The one card that was put in, for one session: whoever else is in the reader hears nothing but the question who it is.

    The first try that is not answered ends the link: all further ones are GONE, until the card is put in again and has a new
    link. A power-on that finds another card is GONE too, and no byte of that card is handed on; ``trouble`` says so.
    """

    def __init__(self, inner: Reader, card: IcCard) -> None:
        self._reader = ReaderLink(inner)
        self._public: bytes = card.store["public"]
        self._proved = False
        self._over = False
        self.trouble = ""
        """Why the link is over, for a person; empty while it is not."""
        self.provenance = inner.provenance
        self.channel = inner.channel
        self.device = inner.device

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if self._over or (message and not self._proved):
            return Attempt(Outcome.GONE, 0)
        self._over = True  # until the right card has answered: an interrupt must not leave the link open
        attempt = self._reader.attempt(message, timeout_s)
        if attempt.outcome is not Outcome.REPLIED:
            self.trouble = f"the card put in does not answer in {self.device}: {self._reader.inner.last_error}"
            return attempt
        if not message and not self._prove(attempt):
            return Attempt(Outcome.GONE, attempt.duration_ns)
        self._proved, self._over = True, False
        return attempt

    def _prove(self, powered: Attempt) -> bool:
        try:
            public = public_data(self._reader.inner, powered)
        except Ended as e:
            self.trouble = f"the card put in does not say who it is in {self.device}: {e}; {self._reader.inner.last_error}"
            return False
        if public != self._public:
            self.trouble = f"{self.device} holds another card than the one put in"
        return public == self._public


def public_data(inner: Reader, powered: Attempt) -> bytes:
    """The public data of the card that was just powered on, read without a row. Raises Ended."""
    _, public = run_flow(read_public("who is it"), Session({"card": _Powered(inner, powered)}, VirtualClock(0)))
    return public.raw


def silence(inner: Reader, timeout_s: float) -> str:
    """Why no card answers in this reader; empty when one does, whatever it answers."""
    powered = inner.connect(timeout_s)
    if powered.outcome is not Outcome.REPLIED:
        return inner.last_error
    try:
        public_data(inner, powered)
    except Ended as e:
        return (inner.last_error or str(e)) if e.torn else ""
    return ""


def said(links: Mapping[str, Link], ended: Ended) -> str:
    """Why a session ended: the driver's word, with its remedy, where there is one. A phone whose code was not read is missed by
    its screen, and what its radio said last is of another session."""
    asked = [SCREEN, ended.role] if ended.role == ROLE else [ended.role]
    words = (getattr(getattr(links.get(role), "inner", None), "last_error", "") for role in asked)
    return next(filter(None, words), str(ended))


class _Powered:
    """The reader, its card powered on already: the power-on of a flow is answered from memory."""

    def __init__(self, inner: Reader, powered: Attempt) -> None:
        self._inner = inner
        self._powered = powered
        self.provenance = inner.provenance
        self.channel = inner.channel
        self.device = inner.device

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        return self._powered if message == RESET else self._inner.attempt(message, timeout_s)


__all__ = ["CONNECT_S", "DeviceLink", "OwnCardLink", "Reader", "ReaderLink", "public_data", "said", "silence"]
