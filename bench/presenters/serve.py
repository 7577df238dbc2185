"""Presenting: our device in front of somebody else's reader. One loop for every medium.

A transport brings what the reader does (power, requests) and carries the answers back; the device knows of neither. Rows
are written as for driven devices, marked ``presented``: their duration is the *peer's* turnaround, from our last answer
(or power-on) to its next request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, assert_never, runtime_checkable

from bench.clock import WallClock
from virtual_devices.clock import Clock
from virtual_devices.flow import no_status
from virtual_devices.link import Device, Outcome, Provenance
from virtual_devices.trace import ExchangeRow, Record, discard


class Signal(Enum):
    """What a reader does to a device besides asking it something."""

    POWER_ON = "power on"
    POWER_OFF = "power off"
    RESET = "reset"
    ATR = "atr"  # wants the ATR as an answer, whether the device has power or not
    LOST = "lost"  # the reader is gone, or the card was pulled; the transport finds the next one itself
    END = "end"  # the transport was told to stop


class Transport(Protocol):
    """One medium, seen from the device."""

    @property
    def channel(self) -> str:
        """As :attr:`virtual_devices.link.Link.channel`."""
        ...

    @property
    def device(self) -> str:
        """The moniker of the other end, for the rows: ``vpcd:127.0.0.1:35963``."""
        ...

    def receive(self) -> bytes | Signal:
        """Block until the reader asks or does something."""
        ...

    def reply(self, message: bytes) -> bool:
        """Carry an answer; an empty one is silence. False when the reader is no longer there."""
        ...


@runtime_checkable
class Persistent(Device, Protocol):
    """A device whose store can be taken out and put into another process."""

    @property
    def generation(self) -> int:
        """Grows with every commit to the store."""
        ...

    def to_image(self) -> bytes:
        """The store as bytes, as the last commit left it."""
        ...


@runtime_checkable
class Held(Protocol):
    """A device with a holder who does what the control channel says."""

    def act(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """One act; the answer, with ``error`` when it cannot be done."""
        ...


class Slot:
    """What is in the slot: a device that can be exchanged while it is presented. It keeps the image of a persistent one."""

    def __init__(self, save: Callable[[str, bytes], None]) -> None:
        self._save = save  # card number, image
        self._device: Device | None = None
        self._persistent: Persistent | None = None
        self._kept = -1
        self._powered = False
        self._left: int | None = None
        self._says: tuple[bytes, bytes] = (b"", b"")
        self.struck: Callable[[], object] = lambda: None  # told when a strike has come: who takes the device out
        self.card_no = ""

    @property
    def occupied(self) -> bool:
        return self._device is not None

    @property
    def powered(self) -> bool:
        return self._powered

    def put(self, device: Device, card_no: str = "") -> None:
        """Put a device in, in place of the one before; a persistent one with a number is kept on disk from now on."""
        self.power_off()
        self._device, self.card_no = device, card_no
        self._persistent = device if isinstance(device, Persistent) and card_no else None
        self._kept = -1
        self._left, self._says = None, (b"", b"")
        self._keep()

    def take(self) -> bytes:
        """Take the device out: its image, empty when it has none."""
        self.power_off()
        device, self._device, self._persistent, self.card_no = self._device, None, None, ""
        return device.to_image() if isinstance(device, Persistent) else b""

    @property
    def device(self) -> Device | None:
        return self._device

    def image(self) -> bytes:
        """That of what is in, which stays in; empty when it has none."""
        return self._device.to_image() if isinstance(self._device, Persistent) else b""

    def act(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """An act of who holds the device."""
        return self._device.act(request) if isinstance(self._device, Held) else {"error": "nobody holds what is there"}

    def strike(self, commands: int) -> None:
        """The device in there hears so many more commands; the next one it hears no longer, for it is pulled out then."""
        self._left = commands

    def answers_by(self, command: bytes, answer: bytes) -> None:
        """The device in there answers so to commands that go on so behind their class, without doing anything; an empty one: it
        answers by itself again."""
        self._says = command, answer

    def _keep(self) -> None:
        if self._persistent is not None and self._persistent.generation != self._kept:
            self._save(self.card_no, self._persistent.to_image())
            self._kept = self._persistent.generation

    def power_on(self) -> bytes:
        if self._device is None:
            return b""
        self._powered = True
        atr = self._device.power_on()
        self._keep()
        return atr

    def handle(self, request: bytes, now_ns: int) -> bytes:
        """The device's answer, given only after what it committed is kept."""
        if self._device is None:
            return b""
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                self.struck()
                return b""
        command, said = self._says
        if command and request[1:].startswith(command):
            return said
        answer = self._device.handle(request, now_ns)
        self._keep()
        return answer

    def power_off(self) -> None:
        if self._powered and self._device is not None:
            self._device.power_off()
        self._powered = False


@dataclass(frozen=True, slots=True)
class Rows:
    """Where rows go and what they say beside the exchange itself. ``masked`` keeps the bytes of real people out."""

    record: Record = discard
    role: str = "card"
    session: str = "presented"
    flow: str = "present"
    replication: int = 0
    masked: bool = False
    status: Callable[[str, bytes, bytes], str] = no_status


def serve(device: Device, transport: Transport, rows: Rows = Rows(), *, clock: Clock | None = None) -> None:
    """Present ``device`` until the transport ends. A row that cannot be recorded ends it too: the exception passes through.

    An unpowered device hears nothing: its request is met with silence.
    """
    clock = clock or WallClock()
    atr: bytes | None = None
    powered = False
    answered_ns = time.perf_counter_ns()
    while True:
        asked = transport.receive()
        if isinstance(asked, bytes):
            turnaround_ns = time.perf_counter_ns() - answered_ns
            at_ns = clock.now_ns()
            answer = device.handle(asked, at_ns) if powered else b""
            delivered = transport.reply(answer)
            answered_ns = time.perf_counter_ns()
            outcome = _outcome(powered, bool(answer) and delivered)
            if rows.record is not discard:
                rows.record(_row(rows, transport, asked, answer, at_ns, turnaround_ns, outcome))
            continue
        match asked:
            case Signal.POWER_ON | Signal.RESET:
                atr, powered = device.power_on(), True
                answered_ns = time.perf_counter_ns()
            case Signal.POWER_OFF | Signal.LOST:
                if powered:
                    device.power_off()
                powered = False
                atr = None if asked is Signal.LOST else atr
            case Signal.ATR:
                if atr is None:  # asked before power: how a driver looks whether a card is there
                    atr = device.power_on()
                    device.power_off()
                transport.reply(atr)
            case Signal.END:
                if powered:
                    device.power_off()
                return
            case _:
                assert_never(asked)


def _outcome(powered: bool, answered: bool) -> Outcome:
    if answered:
        return Outcome.REPLIED
    return Outcome.REPLY_LOST if powered else Outcome.REQUEST_LOST


def _row(
    rows: Rows, transport: Transport, request: bytes, reply: bytes, at_ns: int, turnaround_ns: int, outcome: Outcome
) -> ExchangeRow:
    replied = outcome is Outcome.REPLIED
    return ExchangeRow(
        replication=rows.replication, visit="", session=rows.session, flow=rows.flow, step="", role=rows.role,
        channel=transport.channel, device=transport.device, provenance=Provenance.PRESENTED.value,
        at_ns=at_ns, duration_ns=turnaround_ns, outcome=outcome.value,
        request=b"" if rows.masked else request,
        reply=reply if replied and not rows.masked else b"",
        request_bytes=len(request), reply_bytes=len(reply) if replied else -1,
        status=rows.status(rows.role, request, reply) if replied else "", fault="",
    )


__all__ = ["Held", "Persistent", "Rows", "Signal", "Slot", "Transport", "serve"]
