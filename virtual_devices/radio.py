"""Link models of the air: a phone in an NFC field, a phone over BLE, a code on a screen.

As ``network.py`` for wires: a frozen model that a scenario file can hold, and its living side. Nobody has published times of
the virtual card, so every default is an assumption of the bench, and reports say so; ``calibrate`` measures real ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from virtual_devices.checks import Unfit, bounded, check
from virtual_devices.clock import Clock, seconds
from virtual_devices.link import Attempt, Device, Outcome, Work
from virtual_devices.mdoc.ble_chunks import airtime_plan
from virtual_devices.network import Delay, ModelledLink

NFC, BLE, QR = "nfc", "ble", "qr"
_BLOCK_BYTES = 256
_BLOCK_OVERHEAD_BYTES = 4  # PCB, EDC, and the answer's part of them


@dataclass(frozen=True, slots=True)
class PhoneWork:
    """What a phone takes for its own work."""

    signature_ms: float = bounded(12.0, ge=0)
    """One signature in the secure element."""
    verification_ms: float = bounded(0.4, ge=0)
    """Checking one signature in the app."""
    chain_ms: float = bounded(1.0, ge=0)
    """Checking a chain of two certificates in the app."""
    write_ms_per_64_bytes: float = bounded(0.05, ge=0)
    """Writing to the phone's flash, each 64 bytes or part of them."""

    def __post_init__(self) -> None:
        check(self)

    def ns(self, work: Work) -> int:
        pages = -(-work.written_bytes // 64)
        total_ms = (
            work.signatures * self.signature_ms + work.verifications * self.verification_ms + work.chains * self.chain_ms
            + pages * self.write_ms_per_64_bytes
        )
        return round(total_ms * 1e6)


@dataclass(frozen=True, slots=True)
class Field:
    """A contactless reader and the phone in its field."""

    found: Delay = field(default_factory=lambda: Delay(350.0, 900.0))
    """From holding the phone near to its answer: polling, anticollision, selection."""
    command: Delay = field(default_factory=lambda: Delay(14.0, 38.0))
    """Turnaround of reader, driver and the phone's card emulation for one command, beside its bytes."""
    kbit_s: float = bounded(106.0, gt=0)
    """Bit rate on the air; 106 is what every reader and phone can do."""
    block_ms: float = bounded(1.2, ge=0)
    """Turnaround of one block of the air's protocol (ISO-DEP), of which a long command takes several."""
    taken_away: float = bounded(0.06, ge=0, le=1)
    """Share of taps in which the phone is taken away too early."""
    held_ms: float = bounded(1500.0, ge=0)
    """A phone that is taken away too early is held for a random time up to this."""
    phone: PhoneWork = field(default_factory=PhoneWork)
    """The phone's own work."""

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class Bluetooth:
    """A phone over Bluetooth Low Energy, after its engagement."""

    connected: Delay = field(default_factory=lambda: Delay(900.0, 2600.0))
    """From the engagement to a connection on which services are known."""
    interval_ms: float = bounded(30.0, gt=0)
    """Connection interval."""
    packets_per_interval: int = bounded(4, ge=1)
    """Packets that both sides carry in one interval."""
    mtu: int = bounded(515, ge=23, le=517)
    """ATT_MTU that was agreed."""
    lost: float = bounded(0.01, ge=0, le=1)
    """Share of messages in which the connection breaks off."""
    phone: PhoneWork = field(default_factory=PhoneWork)
    """The phone's own work."""

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class Readability:
    """How often codes up to a size cannot be read under one condition: a row of a map of weaknesses (``vhc-bench map qr``)."""

    characters: int = bounded(754, ge=1)
    """Of the code's text; the row is for codes up to this, from the next smaller row's on."""
    failed: float = bounded(0.0, ge=0, le=1)
    """Share of scans in which such a code is not read."""
    weakness: str = ""
    """The condition: blur, dim, tilt, perspective, glare, moire, cover, coarse or several, as the map names it."""
    strength: float = 0.0
    """How strong it is, in the weakness's own unit."""
    level: Literal["L", "M", "Q", "H"] = "M"
    """Error correction of the codes that were tried."""

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class Camera:
    """A scanner before a phone's screen."""

    read: Delay = field(default_factory=lambda: Delay(1400.0, 4200.0))
    """From raising the phone to a code that was read."""
    failed: float = bounded(0.03, ge=0, le=1)
    """Share of scans that come to nothing within the time, whatever the code."""
    codes: tuple[Readability, ...] = ()
    """What the condition at this place makes of codes of each size, beside that: rows of one weakness at one strength."""

    def __post_init__(self) -> None:
        check(self)

    @staticmethod
    def check_field(name: str, value: Any, before: Mapping[str, Any]) -> None:
        """One condition, and one row a size. ``before`` is not looked at."""
        del before
        if name != "codes":
            return
        if len({(row.weakness, row.strength, row.level) for row in value}) > 1:
            raise Unfit("codes must all have one weakness, one strength and one level: a place has one condition", name)
        if len({row.characters for row in value}) < len(value):
            raise Unfit("codes has two rows for the same number of characters", name)

    def unreadable(self, characters: int) -> float:
        """Share of scans in which a code of that size is not read; one larger than all rows is as the largest."""
        rows = sorted(self.codes, key=lambda row: row.characters)
        fitting = next((row for row in rows if row.characters >= characters), rows[-1] if rows else None)
        return 0.0 if fitting is None else fitting.failed


def blocks_of(size_bytes: int) -> int:
    """Blocks of ISO-DEP that carry a command or an answer."""
    return max(1, -(-size_bytes // _BLOCK_BYTES))


class FieldMedium:
    """The living side of a :class:`Field`."""

    channel = NFC

    def __init__(self, model: Field, rng: Random) -> None:
        self._model = model
        self._rng = rng

    def carry(self, at_ns: int, size_bytes: int) -> int | None:
        blocks = blocks_of(size_bytes)
        on_air_bits = (size_bytes + blocks * _BLOCK_OVERHEAD_BYTES) * 9  # a parity bit with each byte
        air_ms = on_air_bits / self._model.kbit_s + blocks * self._model.block_ms
        return self._model.command.draw_ns(self._rng) // 2 + round(air_ms * 1e6)

    def device_ns(self, work: Work, reset: bool) -> int:
        return self._model.phone.ns(work) + (self._model.found.draw_ns(self._rng) if reset else 0)


class FieldLink(ModelledLink):
    """One phone brought to a reader. It may be taken away too early; the next tap begins with the field's coming on."""

    def __init__(self, device: Device, model: Field, rng: Random, clock: Clock, *, name: str = "virtual") -> None:
        super().__init__(device, FieldMedium(model, rng), clock, name=name)
        self._model = model
        self._rng = rng
        self._device = device
        self.device_behind = device
        self._clock_now = clock.now_ns
        self._leaves_ns: int | None = None

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        at_ns = self._clock_now()
        if not message:
            away = self._rng.random() < self._model.taken_away
            self._leaves_ns = at_ns + round(self._rng.random() * self._model.held_ms * 1e6) if away else None
        elif self._leaves_ns is not None and at_ns >= self._leaves_ns:
            return self._gone(0)
        attempt = super().attempt(message, timeout_s)
        if self._leaves_ns is not None and at_ns + attempt.duration_ns > self._leaves_ns:
            return self._gone(max(0, self._leaves_ns - at_ns))
        return attempt

    def _gone(self, duration_ns: int) -> Attempt:
        self._device.power_off()
        return Attempt(Outcome.GONE, duration_ns)


class BluetoothMedium:
    """The living side of :class:`Bluetooth`."""

    channel = BLE

    def __init__(self, model: Bluetooth, rng: Random) -> None:
        self._model = model
        self._rng = rng

    def carry(self, at_ns: int, size_bytes: int) -> int | None:
        packets = airtime_plan(size_bytes, self._model.mtu).link_packets if size_bytes else 1
        intervals = -(-packets // self._model.packets_per_interval)
        waiting_ms = self._rng.random() * self._model.interval_ms  # until the next interval begins
        return round((waiting_ms + (intervals - 1) * self._model.interval_ms) * 1e6)

    def device_ns(self, work: Work, reset: bool) -> int:
        return self._model.phone.ns(work) + (self._model.connected.draw_ns(self._rng) if reset else 0)


class BluetoothLink(ModelledLink):
    """One phone over BLE. A connection that breaks off ends the session: the engagement must be shown again."""

    def __init__(self, device: Device, model: Bluetooth, rng: Random, clock: Clock, *, name: str = "virtual") -> None:
        super().__init__(device, BluetoothMedium(model, rng), clock, name=name)
        self._lost = model.lost
        self._rng = rng
        self._device = device

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        attempt = super().attempt(message, timeout_s)
        if message and self._rng.random() < self._lost:
            self._device.power_off()
            return Attempt(Outcome.GONE, round(attempt.duration_ns * self._rng.random()))
        return attempt


class ScreenLink:
    """A scanner before a screen (``wallet.faces.Screen``)."""

    channel = QR

    def __init__(self, screen: Device, model: Camera, rng: Random, clock: Clock, *, name: str = "virtual") -> None:
        self._inner = ModelledLink(screen, _Sight(model, rng), clock, name=name)
        self.device = name
        self.provenance = self._inner.provenance
        self._model = model
        self._failed = model.failed
        self._rng = rng

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if self._rng.random() < self._failed:
            return Attempt(Outcome.TIMED_OUT, seconds(timeout_s))
        attempt = self._inner.attempt(message, timeout_s)
        if attempt.reply == b"":  # nothing is shown
            return Attempt(Outcome.TIMED_OUT, seconds(timeout_s))
        unreadable = self._model.unreadable(len(attempt.reply)) if attempt.reply else 0.0
        if unreadable and self._rng.random() < unreadable:
            return Attempt(Outcome.TIMED_OUT, seconds(timeout_s))
        return attempt


class _Sight:
    channel = QR

    def __init__(self, model: Camera, rng: Random) -> None:
        self._model = model
        self._rng = rng

    def carry(self, at_ns: int, size_bytes: int) -> int | None:
        return self._model.read.draw_ns(self._rng) // 2

    def device_ns(self, work: Work, reset: bool) -> int:
        return 0
