"""How long a prescription is good, when its next issue may be collected, how long it is kept, and what it must hold.

Numbers of upload format 2.0 are its check texts' (public); those of regulations stand with their source. What a regulation says
in words that the bench does not have before it is inferred, and a policy may say otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from virtual_devices.clock import NS, TAIWAN, from_datetime, to_datetime
from virtual_devices.prescription.codes import Why
from virtual_devices.prescription.document import Entry, Prescription, PrescriptionClass

ORDINARY_DAYS = 7
"""An ordinary prescription lasts so long at most (TW EMPD guide, class A; public)."""
ORDINARY_VALID_DAYS = 3
"""Days on which an ordinary prescription is dispensed, that of issue included (inferred: holidays are not counted on)."""
REFILL_ISSUES = range(2, 5)
"""Check codes D014 and D017 (public)."""
REFILL_MORE_THAN_DAYS = 7
DRUG_DAYS = range(1, 91)
"""Check code D040 (public)."""
KEPT_YEARS, KEPT_YEARS_CONTROLLED = 3, 5
"""Pharmacists Act, articles 16 to 18: 5 with narcotics or poisons, for which controlled drugs are taken (inferred)."""
ANSWER_WITHIN_S = 86_400
"""A query not answered by then is reported (profile)."""
RECIPIENT_WITHIN_S = 86_400
"""The recipient's signature for a controlled drug is missing after this (profile: the time of an upload)."""
SKEW_S = 900
"""Between two parties' clocks: what the data centre grants every asker (profile)."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What may change from year to year. ``early_days``: how long before the last supply ends the next issue may be collected
    (National Health Insurance medical care regulations; 14 over a New Year)."""

    early_days: int = 10


def day_of(at_ns: int) -> date:
    """The day in Taiwan."""
    return to_datetime(at_ns).astimezone(TAIWAN).date()


def begin_of(day: date) -> int:
    """The first nanosecond of a day in Taiwan."""
    return from_datetime(to_datetime(0).astimezone(TAIWAN).replace(
        year=day.year, month=day.month, day=day.day, hour=0, minute=0, second=0,
    ))


def last_day(kind: PrescriptionClass, issued_ns: int, days: int, issues: int) -> date:
    """The usual last day: three days, or of a refill the end of all that it lasts (inferred)."""
    lasts = days * issues if kind.refill else ORDINARY_VALID_DAYS
    return day_of(issued_ns) + timedelta(days=max(lasts, ORDINARY_VALID_DAYS) - 1)


def may_collect_from(rx: Prescription, last_served_ns: int, rules: Rules) -> date:
    """The first day of the next issue, after one that was served then."""
    return day_of(last_served_ns) + timedelta(days=rx.days - rules.early_days)


def kept_until_ns(kind: PrescriptionClass, ended_ns: int) -> int:
    """The end of retention, counted from the last thing that happened to it."""
    day = day_of(ended_ns)
    year = day.year + (KEPT_YEARS_CONTROLLED if kind.controlled else KEPT_YEARS)
    return begin_of(day.replace(year=year) if (day.month, day.day) != (2, 29) else date(year, 3, 1)) + 86_400 * NS


def fault(rx: Prescription) -> Why | None:
    """The first thing that the data centre does not take in a document; None when it does."""
    if not rx.card_no:
        return Why.NO_NUMBER
    if rx.last_day < day_of(rx.issued_ns):
        return Why.LAST_DAY
    return _issues(rx) or next((why for entry in rx.entries if (why := _entry(rx, entry))), None)


def _issues(rx: Prescription) -> Why | None:
    controlled = rx.kind.controlled
    if not rx.kind.refill:
        if rx.issues != 1:
            return Why.ISSUES_ONE
        return Why.ORDINARY_LONG if rx.kind is PrescriptionClass.ORDINARY and rx.days > ORDINARY_DAYS else None
    if rx.issues not in REFILL_ISSUES:
        return Why.CONTROLLED_ISSUES if controlled else Why.REFILL_ISSUES
    if rx.total_days <= REFILL_MORE_THAN_DAYS:
        return Why.CONTROLLED_SHORT if controlled else Why.REFILL_SHORT
    return None


def _entry(rx: Prescription, entry: Entry) -> Why | None:
    if not entry.drug:
        return None
    if entry.days not in DRUG_DAYS:
        return Why.DRUG_DAYS
    return Why.DRUG_LONGER if rx.days and entry.days > rx.days else None


__all__ = [
    "ANSWER_WITHIN_S", "KEPT_YEARS", "KEPT_YEARS_CONTROLLED", "ORDINARY_DAYS", "ORDINARY_VALID_DAYS", "RECIPIENT_WITHIN_S",
    "REFILL_ISSUES", "Rules", "SKEW_S", "begin_of", "day_of", "fault", "kept_until_ns", "last_day", "may_collect_from",
]
