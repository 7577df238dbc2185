"""A link is one try over one medium.

It carries a whole message one way and the whole answer back. Segmentation, chaining inside the medium and waiting-time
extensions are the link's own affair; retries are the flow's. A modelled link *draws* what happens, a real one *measures*
it, and everything that can go wrong on a medium happens here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable

from virtual_devices.clock import Clock
from virtual_devices.quick import quick, unchecked


class Outcome(Enum):
    """How one try ended, as an all-knowing observer would say it.

    A flow must not use more than a real party could know: of the first three failures it sees only silence
    (:attr:`silent`). Rows keep the truth.
    """

    REPLIED = "replied"
    REQUEST_LOST = "request_lost"  # the device never saw the request
    REPLY_LOST = "reply_lost"  # the device acted, the answer never came
    TIMED_OUT = "timed_out"  # no answer within the limit, and nobody knows why
    GONE = "gone"  # the device left the medium; the medium says so
    GARBLED = "garbled"  # something came, and the medium's own check refused it

    @property
    def silent(self) -> bool:
        """True when all that the asker noticed was that no answer came in time."""
        return self in (Outcome.REQUEST_LOST, Outcome.REPLY_LOST, Outcome.TIMED_OUT)


_REPLIED = Outcome.REPLIED  # at every exchange, and a member of an Enum is slow to find


class Provenance(Enum):
    """How a row's numbers came about. A virtual step never counts as a device's PASS."""

    MODELLED = "modelled"  # drawn from a model, our own reference device
    MEASURED = "measured"  # a device outside this process, timed
    PRESENTED = "presented"  # our device in front of somebody else's reader: the time is the peer's turnaround
    REPLAYED = "replayed"  # answers taken from a recorded run


class Layer(Enum):
    """What a frame below a message belongs to."""

    ISO_DEP = "iso14443-4"
    ATT = "att"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame that a real link's library carried for an attempt. ``after_ns``: since the attempt began. ``sent``: to the
    device. ``head_bytes``: so many at its beginning are the protocol's, what follows is part of a message."""

    layer: Layer
    after_ns: int
    sent: bool
    head_bytes: int
    data: bytes


@quick
@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of one try.

    ``duration_ns`` is what the asker experienced: until the answer, or until it gave up. ``reply`` is present exactly
    when the outcome is ``REPLIED``. ``fault`` names the injected fault that struck, if one did. ``sent_ns``: from the start
    until the request had left for good, -1 where the medium does not tell; it parts the request's time from the response's.
    ``frames``: what carried the message, where a real link was asked to note it.
    """

    outcome: Outcome
    duration_ns: int
    reply: bytes | None = None
    fault: str = ""
    sent_ns: int = -1
    frames: tuple[Frame, ...] = ()

    def __post_init__(self) -> None:
        if (self.reply is not None) is not (self.outcome is _REPLIED):
            raise ValueError(f"an attempt has a reply exactly when it replied, not {self.outcome}/{self.reply!r}")


_attempt = unchecked(Attempt)


class Device(Protocol):
    """A state machine behind a small port: card, HPC, SAM, cloud, later the wallet.

    It refuses what is wrong in its protocol's own words and never raises on what the other side sent.
    """

    def power_on(self) -> bytes:
        """Start or restart; returns the ATR (empty for devices that have none)."""
        ...

    def handle(self, request: bytes, now_ns: int) -> bytes:
        """Answer one whole message. ``now_ns`` is the true time: a device without a clock must not look at it."""
        ...

    def power_off(self) -> None:
        """Power is cut: volatile state is gone, the store is as the last write left it."""
        ...


class Link(Protocol):
    """One try over one medium towards one device."""

    @property
    def channel(self) -> str:
        """The medium: ``contact``, ``nfc``, ``ble``, ``qr`` or ``network``."""
        ...

    @property
    def device(self) -> str:
        """The moniker of what stands at the other end: ``virtual``, ``pcsc:NAME``, ..."""
        ...

    @property
    def provenance(self) -> Provenance: ...

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        """Carry ``message`` and wait at most ``timeout_s`` for the answer. Never raises for what the medium does."""
        ...


class PowerCut(Exception):
    """Power went away in the middle of an act. Raised by a store at an armed cut point, caught by the link that armed it."""


@dataclass(slots=True)
class Work:
    """What a device has done since it was made: counts that a link model puts a price on, and that golden files pin."""

    signatures: int = 0
    verifications: int = 0
    chains: int = 0  # certificate chains checked
    macs: int = 0
    written_bytes: int = 0  # to the store that survives power-off

    def since(self, before: Work) -> Work:
        return Work(
            self.signatures - before.signatures,
            self.verifications - before.verifications,
            self.chains - before.chains,
            self.macs - before.macs,
            self.written_bytes - before.written_bytes,
        )

    def copy(self) -> Work:
        return Work(self.signatures, self.verifications, self.chains, self.macs, self.written_bytes)


@runtime_checkable
class Tearable(Protocol):
    """A device whose store can lose power at a chosen point."""

    def arm_cut(self, points: int | None) -> None:
        """Cut the power after so many further cut points of the store (0: at the next one); None: not at all."""
        ...


@runtime_checkable
class MessageLink(Protocol):
    """A link that can also carry a message without an answer, and deliver one that nobody asked for."""

    def send(self, message: bytes) -> Attempt:
        """Carry one message; the reply of a delivered one is empty."""
        ...

    def receive(self, timeout_s: float) -> Attempt:
        """The next message that has arrived. A modelled link never waits: nothing there yet is ``TIMED_OUT``."""
        ...

    def when_arriving(self, wake: Callable[[int], None]) -> None:
        """Call ``wake(at_ns)`` once when the next message is on its way. Real links, which block, ignore it."""
        ...


@runtime_checkable
class AddressedLink(Protocol):
    """A link over a medium on which many devices can be met: it has to be told whom to look for."""

    def connect_to(self, address: bytes, timeout_s: float) -> Attempt:
        """Look for the device that this DeviceEngagement names, and connect; the reply of a connected one is empty."""
        ...


RESET = b""
"""The empty message: (re)start the device. Its reply is the answer to reset (ATR), empty for devices that have none."""


def connect(link: Link, address: bytes, timeout_s: float) -> Attempt:
    """Reach the device that a DeviceEngagement names: over a link that leads to one device only, by RESET."""
    reach: Callable[[bytes, float], Attempt] | None = getattr(link, "connect_to", None)  # a Protocol is slow to ask
    return link.attempt(RESET, timeout_s) if reach is None else reach(address, timeout_s)


class DirectLink:
    """A device in the same process with a perfect, timeless medium: for tests and vectors."""

    provenance = Provenance.MODELLED

    def __init__(self, device: Device, clock: Clock, *, channel: str = "contact", name: str = "virtual") -> None:
        self._device = device
        self._clock = clock
        self.channel = channel
        self.device = name

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        reply = self._device.handle(message, self._clock.now_ns()) if message else self._device.power_on()
        return _attempt(_REPLIED, 0, reply)
