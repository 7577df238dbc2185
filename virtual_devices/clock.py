"""Time as the bench counts it: integer nanoseconds since the Unix epoch, handed in, never fetched.

The field writes dates in the calendar of the Republic of China (民國): year minus 1911, Taiwan time, which is UTC+8
all year (no daylight saving since 1979).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Protocol

NS = 1_000_000_000
TAIWAN = timezone(timedelta(hours=8), "Asia/Taipei")
ROC_OFFSET = 1911
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Where a device, a link or a runner reads the time."""

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch."""
        ...


class VirtualClock:
    """A clock that moves only when told to."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        return self._now_ns

    def advance_to(self, at_ns: int) -> None:
        """Move forward to ``at_ns``; a moment already passed changes nothing."""
        self._now_ns = max(self._now_ns, at_ns)


def seconds(duration_s: float) -> int:
    """A duration in seconds as whole nanoseconds."""
    return round(duration_s * NS)


def to_datetime(at_ns: int) -> datetime:
    """The moment as an aware datetime in UTC, to the microsecond."""
    return datetime.fromtimestamp(at_ns // NS, UTC) + timedelta(microseconds=at_ns % NS // 1000)


def from_datetime(moment: datetime) -> int:
    """An aware datetime as nanoseconds since the Unix epoch."""
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * NS + delta.microseconds * 1000


def roc_date7(at_ns: int) -> str:
    """``YYYMMDD`` in the ROC calendar, Taiwan time (``card_layout`` encoding ``roc-date7``)."""
    t = to_datetime(at_ns).astimezone(TAIWAN)
    return f"{t.year - ROC_OFFSET:03d}{t.month:02d}{t.day:02d}"


def roc_datetime13(at_ns: int) -> str:
    """``YYYMMDDHHMMSS`` in the ROC calendar, Taiwan time (``card_layout`` encoding ``roc-datetime13``)."""
    t = to_datetime(at_ns).astimezone(TAIWAN)
    return f"{t.year - ROC_OFFSET:03d}{t.month:02d}{t.day:02d}{t.hour:02d}{t.minute:02d}{t.second:02d}"


def parse_roc(text: str) -> int:
    """Nanoseconds of a ``roc-date7`` (midnight in Taiwan) or ``roc-datetime13`` text. ValueError when it is neither."""
    if len(text) not in (7, 13) or not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is neither YYYMMDD nor YYYMMDDHHMMSS")
    parts = [int(text[i : i + 2]) for i in range(3, len(text), 2)]
    month, day, *rest = parts
    hour, minute, second = rest or (0, 0, 0)
    return from_datetime(datetime(int(text[:3]) + ROC_OFFSET, month, day, hour, minute, second, tzinfo=TAIWAN))
