"""What one value may be: the characters of its kind."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import assert_never

from virtual_devices.clock import NS, parse_roc, roc_date7
from virtual_devices.uploads.document import Encoding
from virtual_devices.uploads.fields import Kind, gap_in

_DIGITS = re.compile(r"[0-9]+")
_AMOUNT = re.compile(r"-?[0-9]+")
_DECIMAL = re.compile(r"[0-9]{1,5}(\.[0-9]{1,2})?")
_ASCII = re.compile(r"[!-~]+( +[!-~]+)*")


def fits(kind: Kind, value: str, encoding: Encoding = Encoding.BIG5) -> bool:
    """Whether a value, not empty, is of that kind. Lengths are another question, but a date that is too short is none."""
    match kind:
        case Kind.ASCII:
            return _ASCII.fullmatch(value) is not None
        case Kind.TEXT:
            plain = value == value.strip() and all(c >= " " or c == "\n" for c in value)
            return plain and not (encoding is Encoding.BIG5 and gap_in(value))
        case Kind.DIGITS:
            return _DIGITS.fullmatch(value) is not None
        case Kind.AMOUNT:
            return _AMOUNT.fullmatch(value) is not None
        case Kind.DECIMAL:
            return _DECIMAL.fullmatch(value) is not None
        case Kind.DATE7:
            return is_moment(value, 7)
        case Kind.DATETIME13:
            return is_moment(value, 13)
        case _:
            assert_never(kind)


@lru_cache(maxsize=4096)
def is_moment(value: str, characters: int) -> bool:
    """A date (7) or date and time (13) of the ROC calendar that exists."""
    if len(value) != characters:
        return False
    try:
        parse_roc(value)
    except ValueError:
        return False
    return True


def days_between(earlier: str, later: str) -> int:
    """Whole days from the day of one moment to that of another, both of them valid."""
    return (parse_roc(later[:7]) - parse_roc(earlier[:7])) // (86_400 * NS)


def day_from(moment: str, days: int) -> str:
    """The day (ROC YYYMMDD) so many days after that of a moment, before it when negative."""
    return roc_date7(parse_roc(moment[:7]) + days * 86_400 * NS)


__all__ = ["day_from", "days_between", "fits", "is_moment"]
