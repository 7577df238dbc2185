"""Numbers as a person reads them: durations in the unit that fits, shares, clock times in Taiwan, intervals."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

from reports.catalogue import N_, Catalogue
from reports.statistics import Basis, Estimate

NS = 1_000_000_000
TAIWAN = timezone(timedelta(hours=8))
DAY_NS = 86_400 * NS

_UNITS = (  # (up to this many ns, ns in one, text)
    (NS, 1_000_000, N_("{value} ms")),
    (120 * NS, NS, N_("{value} s")),
    (120 * 60 * NS, 60 * NS, N_("{value} min")),
    (math.inf, 3600 * NS, N_("{value} h")),
)


def digits(value: float) -> str:
    """About three digits: 0.42, 7.3, 34, 1,250."""
    size = abs(value)
    places = 0 if size >= 20 or value == round(value) else 1 if size >= 1 else 2
    return f"{value:,.{places}f}"


def _unit(ns: float) -> tuple[int, str]:
    return next((size, text) for limit, size, text in _UNITS if abs(ns) < limit)


def duration(words: Catalogue, ns: float) -> str:
    """A duration in the unit that fits it: '780 ms', '4.2 s', '34 min', '27 h'."""
    size, text = _unit(ns) if ns else _UNITS[1][1:]
    return words.say(text, value=digits(ns / size))


def round_duration(words: Catalogue, ns: float) -> str:
    """A round duration, for a tick or a limit, in the largest unit that divides it: '1 min', '24 h'."""
    size, text = next(((size, text) for _, size, text in reversed(_UNITS) if ns and ns % size == 0), _unit(ns))
    return words.say(text, value=digits(ns / size))


def share(words: Catalogue, value: float) -> str:
    """A share in percent with one decimal; never rounded up to all or down to nothing."""
    percent = value * 100
    if percent in (0.0, 100.0):
        return words.say("{value} %", value=f"{percent:.0f}")
    shown = min(99.9, max(0.1, round(percent, 1)))
    return words.say("{value} %", value=f"{shown:.0f}" if shown == round(shown) else f"{shown:.1f}")


def clock(ns: float) -> str:
    """Time of day in Taiwan (UTC+8), 'HH:MM'."""
    return _moment(ns).strftime("%H:%M")


def clock_s(ns: float) -> str:
    """Time of day in Taiwan (UTC+8), 'HH:MM:SS'."""
    return _moment(ns).strftime("%H:%M:%S")


def when(ns: float, span_ns: tuple[int, int]) -> str:
    """Time of day, with the date when the run spans more than a day and a half."""
    return clock(ns) if span_ns[1] - span_ns[0] <= DAY_NS * 3 // 2 else f"{date(ns)} {clock(ns)}"


def date(ns: float) -> str:
    """The date in Taiwan, 'YYYY-MM-DD'."""
    return _moment(ns).strftime("%Y-%m-%d")


def _moment(ns: float) -> datetime:
    return datetime.fromtimestamp(int(ns) // NS, UTC).astimezone(TAIWAN)


def _apart(low: float, high: float) -> tuple[str, str]:
    """Two different numbers with as many digits as show that they differ (three decimals at most)."""
    for shown in (digits, *(lambda v, n=n: f"{v:,.{n}f}" for n in (1, 2, 3))):
        if shown(low) != shown(high):
            return shown(low), shown(high)
    return digits(low), digits(high)


def interval(words: Catalogue, estimate: Estimate, *, as_share: bool = False) -> str:
    """The interval alone, in the unit of its value, or in words why there is none."""
    if estimate.low is None or estimate.high is None or estimate.value is None:
        return missing(words, estimate)
    if as_share:
        return words.say("{low} to {high}", low=share(words, estimate.low), high=share(words, estimate.high))
    size, text = _unit(estimate.value)
    low, high = _apart(estimate.low / size, estimate.high / size)
    both = words.say("{low} to {high}", low=low, high=high)
    return words.say(text, value=both)


def missing(words: Catalogue, estimate: Estimate) -> str:
    """Why an estimate has no interval."""
    match estimate.basis:
        case Basis.TOO_FEW:
            return words.say("too few")
        case Basis.NO_SPREAD:
            return words.say("no spread")
        case Basis.ONE_REPLICATION:
            return words.say("one replication")
        case Basis.CUT_SHORT:
            return words.say("cut short")
        case Basis.NOTHING | Basis.OVER_REPLICATIONS | Basis.ORDER_STATISTICS | Basis.SCORE:
            return words.say("none")


def value(words: Catalogue, estimate: Estimate, *, as_share: bool = False) -> str:
    """The value alone, '–' without one."""
    if estimate.value is None:
        return "–"
    return share(words, estimate.value) if as_share else duration(words, estimate.value)
