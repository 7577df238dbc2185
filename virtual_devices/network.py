"""Link models: how long a medium and the device behind it take, and what they lose.

A model is a frozen description that a scenario file can hold; ``Line`` and ``ModelledLink`` are its living side, with
their own random streams. No reading time of the card has been published (``national`` figures, gaps), so every default
here is an assumption of the bench, and reports say so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, Protocol

from virtual_devices.checks import Unfit, bounded, check
from virtual_devices.clock import Clock, seconds
from virtual_devices.link import Attempt, Device, Outcome, PowerCut, Provenance, Tearable, Work

Z95 = 1.6448536269514722  # standard normal quantile of 0.95


@dataclass(frozen=True, slots=True)
class Delay:
    """A log-normal time, by its median and its 95th percentile, in milliseconds. Equal figures mean a constant."""

    median_ms: float = bounded(20.0, ge=0)
    """Half of the times are shorter."""
    p95_ms: float = bounded(60.0, ge=0)
    """95 % of the times are shorter; equal to the median, the time is constant."""

    def __post_init__(self) -> None:
        check(self)

    @staticmethod
    def check_field(name: str, value: Any, before: Mapping[str, Any]) -> None:
        if name == "p95_ms" and value < before.get("median_ms", value):
            raise Unfit(f"p95_ms ({value:g}) must be at least median_ms ({before['median_ms']:g})", "p95_ms", "median_ms")

    def draw_ns(self, rng: Random) -> int:
        if self.p95_ms == self.median_ms or self.median_ms == 0:
            return round(self.median_ms * 1e6)
        sigma = math.log(self.p95_ms / self.median_ms) / Z95
        return round(self.median_ms * 1e6 * math.exp(sigma * rng.gauss(0.0, 1.0)))


@dataclass(frozen=True, slots=True)
class IndependentLoss:
    """Each message is lost with the same chance, whatever happened to the one before."""

    kind: Literal["independent"] = "independent"
    """Each message for itself."""
    share: float = bounded(0.0, ge=0, le=1)
    """Chance of each message, each way, to be lost."""

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class BurstyLoss:
    """Gilbert-Elliott in continuous time: the line is good or bad for exponential times, and loses more when bad."""

    kind: Literal["bursty"] = "bursty"
    """Good and bad stretches by turns."""
    good_s: float = bounded(600.0, gt=0)
    """Mean length of a good stretch, above 0."""
    bad_s: float = bounded(5.0, gt=0)
    """Mean length of a bad stretch, above 0."""
    share_good: float = bounded(0.0, ge=0, le=1)
    """Chance of a message to be lost in a good stretch."""
    share_bad: float = bounded(0.5, ge=0, le=1)
    """Chance of a message to be lost in a bad stretch."""

    def __post_init__(self) -> None:
        check(self)


LineClass = Literal["own", "1M", "2M", "mobile"]


@dataclass(frozen=True, slots=True)
class Network:
    """The institution's line to the data centre, and the data centre's own time."""

    one_way: Delay = field(default_factory=lambda: Delay(12.0, 40.0))
    """How long one message takes one way, its bytes' time on the wire not included. Assumed."""
    service: Delay = field(default_factory=lambda: Delay(35.0, 120.0))
    """How long the data centre takes for one request. Assumed."""
    bandwidth_kbit_s: float = bounded(1000.0, gt=0)
    """What the line carries, each way, above 0. The smallest VPN line in the field has 1 Mbit/s."""
    loss: IndependentLoss | BurstyLoss = field(default_factory=IndependentLoss)
    """Which messages are lost. Its kind must be written."""
    line: LineClass = "own"
    """A class of lines in the field, which gives what is not written here: 1M and 2M are the fibre VPN of small institutions,
    mobile is the VPN over a mobile network; own is none of them."""

    def __post_init__(self) -> None:
        check(self)

    @staticmethod
    def template(given: Mapping[str, Any]) -> Network | None:
        """What a table that names a class of lines is filled up from."""
        return LINES.get(str(given.get("line")))


LINES: Mapping[str, Network] = {
    "1M": Network(bandwidth_kbit_s=1000.0, line="1M"),
    "2M": Network(bandwidth_kbit_s=2000.0, line="2M"),
    "mobile": Network(
        Delay(38.0, 140.0), bandwidth_kbit_s=4000.0, line="mobile",
        loss=BurstyLoss(good_s=180.0, bad_s=6.0, share_good=0.004, share_bad=0.5),
    ),
}
"""The classes of lines. Their bandwidths are the field's (a pharmacists' association's notice of 2018; of mobile lines only the
fee is known); latencies and losses are assumed."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact reader and the chip in it. Figures are the bench's assumptions, not measurements of any card."""

    byte_us: float = bounded(95.0, ge=0)
    """One byte on the wire: 12 bit times at 125 kbit/s (T=1, as ISO/IEC 7816-3 counts them)."""
    command: Delay = field(default_factory=lambda: Delay(2.0, 4.5))
    """Turnaround of reader, driver and card for one command, beside its bytes and the chip's work."""
    reset_ms: float = bounded(45.0, ge=0)
    """From power-on to the answer to reset."""
    signature_ms: float = bounded(60.0, ge=0)
    """One ECDSA P-256 signature on the chip."""
    verification_ms: float = bounded(70.0, ge=0)
    """Checking one signature on the chip."""
    chain_ms: float = bounded(150.0, ge=0)
    """Checking a chain of two certificates on the chip."""
    mac_ms: float = bounded(4.0, ge=0)
    """One message authentication code on the chip."""
    write_ms_per_64_bytes: float = bounded(3.0, ge=0)
    """Writing to the chip's memory, each page of 64 bytes or part of one."""

    def __post_init__(self) -> None:
        check(self)

    def work_ns(self, work: Work) -> int:
        """What the chip's work costs, by these prices."""
        pages = -(-work.written_bytes // 64)
        total_ms = (
            work.signatures * self.signature_ms
            + work.verifications * self.verification_ms
            + work.chains * self.chain_ms
            + work.macs * self.mac_ms
            + pages * self.write_ms_per_64_bytes
        )
        return round(total_ms * 1e6)


class Medium(Protocol):
    """The living side of a model: carries messages one way at a time, in the order of time."""

    channel: str

    def carry(self, at_ns: int, size_bytes: int) -> int | None:
        """Nanoseconds of the way, or None when the message is lost."""
        ...

    def device_ns(self, work: Work, reset: bool) -> int:
        """The device's own time for what it did."""
        ...


class LossState:
    """Whether a message is lost now: the living side of a loss model. Asked in the order of time."""

    def __init__(self, model: IndependentLoss | BurstyLoss, rng: Random) -> None:
        self._model = model
        self._rng = rng
        self._bad = False
        self._until_ns: int | None = None

    def lost(self, at_ns: int) -> bool:
        model = self._model
        if isinstance(model, IndependentLoss):
            return model.share > 0 and self._rng.random() < model.share
        if self._until_ns is None:
            self._until_ns = at_ns + self._sojourn_ns(model)
        while self._until_ns <= at_ns:
            self._bad = not self._bad
            self._until_ns += self._sojourn_ns(model)
        share = model.share_bad if self._bad else model.share_good
        return share > 0 and self._rng.random() < share

    def _sojourn_ns(self, model: BurstyLoss) -> int:
        return max(1, seconds(self._rng.expovariate(1.0 / (model.bad_s if self._bad else model.good_s))))


class Line:
    """The line to the data centre: latency, bandwidth and loss. Outages are faults (``faults.py``)."""

    channel = "network"

    def __init__(self, model: Network, rng: Random) -> None:
        self._model = model
        self._rng = rng
        self._loss = LossState(model.loss, Random(rng.getrandbits(256)))

    def carry(self, at_ns: int, size_bytes: int) -> int | None:
        if self._loss.lost(at_ns):
            return None
        wire_ns = round(size_bytes * 8 / self._model.bandwidth_kbit_s * 1e6)
        return self._model.one_way.draw_ns(self._rng) + wire_ns

    def device_ns(self, work: Work, reset: bool) -> int:
        return self._model.service.draw_ns(self._rng)


class ContactMedium:
    """A chip in a contact reader: nothing is lost, bytes and work take their time, the turnaround varies."""

    channel = "contact"

    def __init__(self, model: Contact, rng: Random) -> None:
        self._model = model
        self._rng = rng

    def carry(self, at_ns: int, size_bytes: int) -> int | None:
        return self._model.command.draw_ns(self._rng) // 2 + round(size_bytes * self._model.byte_us * 1e3)

    def device_ns(self, work: Work, reset: bool) -> int:
        return self._model.work_ns(work) + (round(self._model.reset_ms * 1e6) if reset else 0)


class ModelledLink:
    """A reference device behind a modelled medium.

    The device acts when the attempt begins; the drawn times are what the asker then waits.
    """

    provenance = Provenance.MODELLED

    def __init__(self, device: Device, medium: Medium, clock: Clock, *, name: str = "virtual") -> None:
        self._handle = device
        self._medium = medium
        self._clock = clock
        self._work: Work | None = getattr(device, "work", None)
        self.tearable = device if isinstance(device, Tearable) else None
        self.channel = medium.channel
        self.device = name
        self.skew_ns = 0
        """How far the device's clock is ahead of the asker's."""

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        at_ns = self._clock.now_ns()
        limit_ns = seconds(timeout_s)
        there_ns = self._medium.carry(at_ns, len(message))
        if there_ns is None:
            return Attempt(Outcome.REQUEST_LOST, limit_ns)
        before = self._work.copy() if self._work is not None else None
        try:
            reply = self._handle.handle(message, at_ns + self.skew_ns) if message else self._handle.power_on()
        except PowerCut:
            self._handle.power_off()
            return Attempt(Outcome.GONE, min(limit_ns, there_ns))
        done = self._work.since(before) if self._work is not None and before is not None else Work()
        acted_ns = there_ns + self._medium.device_ns(done, not message)
        back_ns = self._medium.carry(at_ns + acted_ns, len(reply))
        if back_ns is None:
            return Attempt(Outcome.REPLY_LOST, limit_ns)
        if acted_ns + back_ns > limit_ns:
            return Attempt(Outcome.TIMED_OUT, limit_ns)
        return Attempt(Outcome.REPLIED, acted_ns + back_ns, reply, sent_ns=there_ns)


__all__ = [
    "LINES", "BurstyLoss", "Contact", "ContactMedium", "Delay", "IndependentLoss", "Line", "LineClass", "LossState", "Medium",
    "ModelledLink", "Network",
]
