"""What cryptography costs on a chip, and what a second-generation card's links therefore take. Modelled, always.

A request by SAM and professional is two chains and three signatures to check and one to make: more than half a second on a chip,
where a phone takes milliseconds. Nobody has published such figures for an NHI
card. Two price lists stand side by side, so that a figure can be shown under both:

    ms on the chip          ASSUMED   PUBLISHED
    signature, P-256             60         145
    verification, P-256          70         197
    chain of two                150         400   two verifications, and reading the certificates
    MAC                           4           4   assumed in both
    key pair + agreement        120         340   of a session: ``Work`` does not count it, so it is charged with the reset
    writing 64 bytes              3           3   assumed in both

ASSUMED are the prices of ``network.Contact``, a chip of today. PUBLISHED are what the ECTester project's public table has for one
Java Card of the 2010s on P-256 (G+D SmartCafe 6.0: ECDSA 145 + 197 ms, read here as signature and verification; ECDH 192 ms; a
key pair taken as one signature's work). Hashing and AES-GCM are a co-processor's work and not priced. Where a reset is followed
by the old read alone, the session that is charged with it was never made: the model is slow there, not fast.

What follows, in this model: registration and consultation in one session, with a photograph of 7 kB in each, take 3.4 s by
contact as in the field, 0.9 s of it cryptography (5.1 s and 2.3 s by the other list); most is the photograph's way. A batch
checks two signatures a record and writes it: one of 60 takes 11.4 s or 27.6 s in one exchange, for which a desk waits longer
than for any other answer (``reader.write_back.write_limit_s``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random

from virtual_devices.iso_dep import EDC_BYTES, FRAME_SIZES, MAX_WTXM, Ats
from virtual_devices.iso_dep_reader import air_time_ns
from virtual_devices.link import Work
from virtual_devices.network import Contact, Delay

RESET_MS = 45.0
"""From power-on to the answer to reset, by itself. Assumed."""


@dataclass(frozen=True, slots=True)
class Price:
    """One act on a chip: what it costs, in ms, and where the figure comes from."""

    act: str
    ms: float
    source: str


@dataclass(frozen=True, slots=True)
class ChipCosts:
    """A price list, in ms. ``session_ms``: a key pair and a key agreement, once a session."""

    name: str
    signature_ms: float
    verification_ms: float
    chain_ms: float
    session_ms: float
    mac_ms: float = 4.0
    write_ms_per_64_bytes: float = 3.0
    source: str = "assumed"

    def work_ns(self, work: Work) -> int:
        """What this much work takes, by these prices. Pages are counted over the whole of it."""
        return self.contact().work_ns(work)

    def contact(self) -> Contact:
        """A contact reader with such a chip in it: what a :class:`~virtual_devices.network.ContactMedium` takes."""
        return Contact(
            reset_ms=RESET_MS + self.session_ms, signature_ms=self.signature_ms, verification_ms=self.verification_ms,
            chain_ms=self.chain_ms, mac_ms=self.mac_ms, write_ms_per_64_bytes=self.write_ms_per_64_bytes,
        )

    def table(self) -> tuple[Price, ...]:
        """For people to read."""
        return (
            Price("signature, P-256", self.signature_ms, self.source),
            Price("verification, P-256", self.verification_ms, self.source),
            Price("chain of two certificates", self.chain_ms, self.source),
            Price("key pair and key agreement, once a session", self.session_ms, self.source),
            Price("message authentication code", self.mac_ms, "assumed"),
            Price("writing 64 bytes", self.write_ms_per_64_bytes, "assumed"),
        )


ASSUMED = ChipCosts("a chip of today", 60.0, 70.0, 150.0, 120.0)
PUBLISHED = ChipCosts(
    "a Java Card of the 2010s", 145.0, 197.0, 400.0, 340.0, source="public: ECTester's table, G+D SmartCafe 6.0, P-256"
)


@dataclass(frozen=True, slots=True)
class Contactless:
    """A contactless reader and the chip in its field, at 106 kbit/s: blocks, not bytes, are what takes time."""

    costs: ChipCosts = ASSUMED
    command: Delay = field(default_factory=lambda: Delay(2.0, 4.5))
    """Turnaround of reader, driver and card for one command, beside blocks and the chip's work. Assumed, as for contact."""
    block_ms: float = 0.5
    """From the end of one block to the beginning of the next. Assumed; the standard's own least is below 0.1 ms."""
    frame_bytes: int = 256
    """What both sides take in one frame."""
    activation_ms: float = 10.0
    """From field on to the answer to select. Assumed."""

    def __post_init__(self) -> None:
        if self.frame_bytes not in FRAME_SIZES or min(self.block_ms, self.activation_ms) < 0:
            raise ValueError(f"frame_bytes is one of {FRAME_SIZES}, and no time is negative")

    def carry_ns(self, size_bytes: int) -> int:
        """Blocks of one message one way, each but the last acknowledged."""
        room = self.frame_bytes - EDC_BYTES - 1
        whole, rest = divmod(size_bytes, room)
        sizes = [room] * whole + ([rest] if rest or not whole else [])
        on_air_ns = sum(air_time_ns(bytes(1 + size)) for size in sizes) + (len(sizes) - 1) * air_time_ns(b"\xa2")
        return on_air_ns + (2 * len(sizes) - 1) * round(self.block_ms * 1e6)


class ContactlessMedium:
    """The living side: nothing is lost inside the field (losses are faults), blocks and work take their time."""

    channel = "nfc"

    def __init__(self, model: Contactless, rng: Random) -> None:
        self._model = model
        self._rng = rng

    def carry(self, at_ns: int, size_bytes: int) -> int | None:
        return self._model.command.draw_ns(self._rng) // 2 + self._model.carry_ns(size_bytes)

    def device_ns(self, work: Work, reset: bool) -> int:
        started_ms = self._model.activation_ms + self._model.costs.session_ms if reset else 0.0
        return self._model.costs.work_ns(work) + round(started_ms * 1e6)


def waiting_extension(duration_ns: float, ats: Ats) -> int:
    """WTXM for a computation of that length: 0 when it fits into the frame waiting time, at most 59."""
    frame_waiting_ns = ats.frame_waiting_s * 1e9
    return 0 if duration_ns <= frame_waiting_ns else min(math.ceil(duration_ns / frame_waiting_ns), MAX_WTXM)


__all__ = ["ASSUMED", "PUBLISHED", "ChipCosts", "Contactless", "ContactlessMedium", "Price", "waiting_extension"]
