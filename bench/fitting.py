"""Link models fitted to rows: pure functions from exchanges to :mod:`virtual_devices.radio` and :mod:`virtual_devices.network`.

Two moments are matched. A model draws the turnaround of a command as half of one time for each way, so the spread of one time is
twice the variance seen; what bytes take is the slope of durations over their number, where the samples give one. The phone's
own work is what an answer takes beside that, all of it said of the signature.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, pvariance

from virtual_devices.link import Work
from virtual_devices.mdoc.ble_chunks import airtime_plan
from virtual_devices.network import Z95, Contact, Delay
from virtual_devices.radio import Bluetooth, Camera, Field, PhoneWork
from virtual_devices.trace import ExchangeRow

MS = 1e6
BLOCK_BYTES, BLOCK_OVERHEAD_BYTES, BITS_A_BYTE = 256, 4, 9
"""Of the air's protocol, as the model counts them (ISO/IEC 14443-4; a parity bit with each byte)."""
LEAST = 0.001
"""An interval is longer than nothing."""
FASTEST_KBIT_S = 100_000.0
"""Where durations do not grow with the bytes: a medium without a bit rate worth naming."""


class TooFew(ValueError):
    """Not enough answered exchanges of a kind to say anything of it."""


def delay(mean_ms: float, variance_ms2: float) -> Delay:
    """The log-normal time of this mean and variance."""
    mean_ms = max(mean_ms, 0.0)
    if mean_ms < 1e-6 or variance_ms2 <= 0:  # less than a nanosecond is no time
        return Delay(mean_ms, mean_ms)
    sigma2 = math.log1p(variance_ms2 / mean_ms**2)
    median = mean_ms / math.exp(sigma2 / 2)
    return Delay(median, median * math.exp(Z95 * math.sqrt(sigma2)))


@dataclass(frozen=True, slots=True)
class Turnaround:
    """What a command takes: ``per_unit_ms`` for each bit or byte that travels, and the rest."""

    per_unit_ms: float
    mean_ms: float
    variance_ms2: float

    def rest_ms(self, units: float, duration_ns: int) -> float:
        """What a duration has beside the bytes' way and the turnaround."""
        return duration_ns / MS - units * self.per_unit_ms - self.mean_ms

    @property
    def command(self) -> Delay:
        return delay(self.mean_ms, 2 * self.variance_ms2)


def turnaround(units: Sequence[float], durations_ns: Sequence[int]) -> Turnaround:
    """Least squares of durations over units; a slope below 0 is none. Raises TooFew."""
    if len(durations_ns) < 2:
        raise TooFew(f"{len(durations_ns)} answered commands, at least 2 are needed")
    times = [ns / MS for ns in durations_ns]
    middle, mean = fmean(units), fmean(times)
    spread = sum((u - middle) ** 2 for u in units)
    slope = sum((u - middle) * (t - mean) for u, t in zip(units, times, strict=True)) / spread if spread else 0.0
    slope = min(max(slope, 0.0), mean / middle if middle else 0.0)  # nothing takes less than no time
    rests = [t - slope * u for u, t in zip(units, times, strict=True)]
    return Turnaround(slope, fmean(rests), pvariance(rests))


def field(rows: Sequence[ExchangeRow], work: Work, taken_away: float) -> Field:
    """Of a phone or card in an NFC field. ``work``: what the device does for all answers of one session. Raises TooFew."""
    answered = [row for row in rows if row.role == "wallet" and row.outcome == "replied"]
    plain = [row for row in answered if row.step in ("engage by NFC", "retrieve over NFC")]
    seen = turnaround([_bits(row) for row in plain], [row.duration_ns for row in plain])
    found = [seen.rest_ms(_bits(row), row.duration_ns) for row in answered if row.step == "find phone"]
    if len(found) < 2:
        raise TooFew(f"{len(found)} phones found, at least 2 are needed")
    answers = [seen.rest_ms(_bits(row), row.duration_ns) for row in answered if _asks(row)]
    rate = 1 / seen.per_unit_ms if seen.per_unit_ms * FASTEST_KBIT_S > 1 else FASTEST_KBIT_S
    return Field(
        delay(fmean(found), pvariance(found) - seen.variance_ms2), seen.command, rate, 0.0, taken_away,
        phone=_phone(answers, work),
    )


def bluetooth(rows: Sequence[ExchangeRow], work: Work, lost: float) -> Bluetooth:
    """Of a phone over Bluetooth. Its connection interval is assumed, or so much shorter as answers were quicker than that lets
    them be: the sum is right. Raises TooFew."""
    answered = [row for row in rows if row.role == "wallet" and row.outcome == "replied"]
    assumed = _as_quick([row for row in answered if row.step == "present virtual card"], work)
    connected = [row.duration_ns / MS - assumed.interval_ms for row in answered if row.step == "connect"]
    if len(connected) < 2:
        raise TooFew(f"{len(connected)} connections, at least 2 are needed")
    waiting_ms2 = 2 * assumed.interval_ms**2 / 12  # the wait for the next interval, each way
    answers = [row.duration_ns / MS - _carried_ms(row, assumed) for row in answered if row.step == "present virtual card"]
    return replace(
        assumed, connected=delay(fmean(connected), pvariance(connected) - waiting_ms2), lost=lost, phone=_phone(answers, work)
    )


def _as_quick(answers: Sequence[ExchangeRow], work: Work) -> Bluetooth:
    assumed = Bluetooth()
    if not answers:
        return assumed
    others_ms = assumed.phone.ns(replace(work, signatures=0)) / MS
    took_ms = fmean(row.duration_ns / MS for row in answers) - others_ms
    share = took_ms / fmean(_carried_ms(row, assumed) for row in answers)
    return replace(assumed, interval_ms=assumed.interval_ms * min(1.0, max(share, LEAST)))


def camera(rows: Sequence[ExchangeRow]) -> Camera:
    """Of a scanner before a screen. Raises TooFew."""
    scans = [row for row in rows if row.step == "scan QR code"]
    read = [row.duration_ns / MS for row in scans if row.outcome == "replied"]
    if len(read) < 2:
        raise TooFew(f"{len(read)} codes were read, at least 2 are needed")
    return Camera(delay(fmean(read), 2 * pvariance(read)), 1 - len(read) / len(scans))


def contact(rows: Sequence[ExchangeRow]) -> Contact:
    """Of a chip in a contact reader, from what everybody may read: prices of its cryptography stay assumed. Raises TooFew."""
    answered = [row for row in rows if row.role == "card" and row.outcome == "replied"]
    plain = [row for row in answered if row.request_bytes]
    seen = turnaround([_bytes(row) for row in plain], [row.duration_ns for row in plain])
    resets = [seen.rest_ms(_bytes(row), row.duration_ns) for row in answered if not row.request_bytes]
    if not resets:
        raise TooFew("no answer to reset")
    return Contact(seen.per_unit_ms * 1000, seen.command, max(0.0, fmean(resets)))


def _asks(row: ExchangeRow) -> bool:
    """Whether this command is the last of a request: the one after which the device works."""
    return row.step == "present virtual card" and row.request[1:2] == b"\xc3" and not row.request[0] & 0x10


def _bytes(row: ExchangeRow) -> float:
    return float(row.request_bytes + max(0, row.reply_bytes))


def _bits(row: ExchangeRow) -> float:
    sizes = (row.request_bytes, max(0, row.reply_bytes))
    return float(sum((size + max(1, -(-size // BLOCK_BYTES)) * BLOCK_OVERHEAD_BYTES) * BITS_A_BYTE for size in sizes))


def _carried_ms(row: ExchangeRow, model: Bluetooth) -> float:
    """What both ways take on average, by the model."""
    total = 0.0
    for size in (row.request_bytes, max(0, row.reply_bytes)):
        packets = airtime_plan(size, model.mtu).link_packets if size else 1
        total += (-(-packets // model.packets_per_interval) - 0.5) * model.interval_ms
    return total


def _phone(answers_ms: Sequence[float], work: Work) -> PhoneWork:
    """All that answers take beside the medium, said of the signatures; nothing answered, everything assumed."""
    if not answers_ms or not work.signatures:
        return PhoneWork()
    assumed = PhoneWork()
    others_ms = assumed.ns(replace(work, signatures=0)) / MS
    return replace(assumed, signature_ms=max(0.0, (fmean(answers_ms) - others_ms) / work.signatures))


__all__ = ["TooFew", "Turnaround", "bluetooth", "camera", "contact", "delay", "field", "turnaround"]
