"""Verdicts (ISO/IEC 9646-1, 3.3.112), and how those of many cases make one.

What became of a case is its :class:`Status`; what it says of the device its :class:`Verdict`. The two are kept apart: a case
that could not be run says nothing of the device, and a bench that broke is never the device's FAIL.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class Verdict(Enum):
    """What a case says of the device under test."""

    PASS = "pass"  # it did what the clause asks, and its own rows show it
    FAIL = "fail"  # it did something else
    INCONCLUSIVE = "inconclusive"  # neither: what had to come before did not come, or the samples do not decide
    ERROR = "error"  # the bench or its surroundings failed
    NOT_APPLICABLE = "not-applicable"  # the declaration, the channel or the call rules it out
    REVIEW = "review"  # a person has to look: no test from outside can show it


class Status(Enum):
    """What became of a case."""

    RAN = "ran"  # to its end, or to the check that decided
    ABORTED = "aborted"  # begun, and ended by something that is no check
    NOT_RUN = "not-run"  # never begun; the reason says why


_WORST_FIRST = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.REVIEW, Verdict.PASS)


def roll_up(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict for a clause, a requirement or a device, from those of its cases.

    The worst decides, in this order: FAIL, ERROR, INCONCLUSIVE, REVIEW, PASS. What is not applicable does not count; where
    nothing else is, the whole is NOT_APPLICABLE: nothing ran, and nothing is promised.
    """
    found = set(verdicts)
    return next((verdict for verdict in _WORST_FIRST if verdict in found), Verdict.NOT_APPLICABLE)


__all__ = ["Status", "Verdict", "roll_up"]
