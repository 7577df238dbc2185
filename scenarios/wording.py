"""What is wrong with a value, in the words of a person who edits the file: pydantic's findings, translated."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import Any

from scenarios.fitting import UNFIT

UNITS = {
    "kbit_s": "kbit/s", "per_h": "per hour", "percent": "percent", "share": "a share", "bytes": "bytes", "days": "days",
    "min": "minutes", "ns": "nanoseconds", "us": "microseconds", "ms": "milliseconds", "s": "seconds", "h": "hours",
    "d": "days", "ntd": "New Taiwan dollars",
}  # fmt: skip
"""What the last words of a key say about its unit."""

_A_MOMENT = "a date and time with its offset, such as 2026-03-02T08:00:00+08:00, without quotes"
_EXPECTED = {
    "int": "a whole number", "float": "a number", "decimal": "a number", "string": "a text in quotes", "bool": "true or false",
    "list": "a list", "tuple": "a list", "set": "a list", "frozen_set": "a list", "model": "a table", "dict": "a table",
    "dataclass": "a table", "model_attributes": "a table", "datetime": _A_MOMENT, "timezone": _A_MOMENT,
    "date": "a date, such as 2026-03-02", "time": "a time of day, such as 08:30:00", "time_delta": "a duration",
    "finite": "a finite number",
}  # fmt: skip
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"), "greater_than": ("more than", "gt"), "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"), "multiple_of": ("a multiple of", "multiple_of"),
}  # fmt: skip
_LENGTHS = {
    "string_too_short": ("have at least {min_length} characters", "min_length"),
    "string_too_long": ("have at most {max_length} characters", "max_length"),
    "too_short": ("have at least {min_length} entries", "min_length"),
    "too_long": ("have at most {max_length} entries", "max_length"),
}


def unit_of(key: str) -> str:
    """The unit that a key's name states, in words; empty when it states none. ``wait_s``: seconds."""
    amount, per, of = key.partition("_per_")
    if per and unit_of(amount):
        return f"{unit_of(amount)} per {of.replace('_', ' ')}"
    for suffix, unit in UNITS.items():
        if key == suffix or key.endswith(f"_{suffix}") or (suffix == "share" and key.startswith("share_")):
            return unit if len(suffix) > 1 or key != suffix else ""
    return ""


def shown(value: Any) -> str:
    """A value as it stands in the file, short."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            text = json.dumps(value, ensure_ascii=False)
            return f"the text {text if len(text) <= 40 else text[:38] + '…' + chr(34)}"
        case int() | float():
            text = str(value)
            return text if len(text) <= 40 else text[:38] + "…"
        case list():
            return "a list"
        case dict():
            return "a table"
        case datetime():
            return f"the date and time {value.isoformat()}" + ("" if value.tzinfo else " without an offset")
        case date():
            return f"the date {value.isoformat()}"
        case time():
            return f"the time {value.isoformat()}"
    return repr(value)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or an empty text."""
    words = {k.casefold(): k for k in known}
    found = difflib.get_close_matches(word.casefold(), list(words), n=1, cutoff=0.6)
    return words[found[0]] if found else ""


def said(error: Mapping[str, Any], key: str, value: Any, choices: list[Any]) -> tuple[str, str]:
    """Message and hint for one of pydantic's errors at ``key``. ``value`` is what the file has there, ``choices`` what
    the field allows when it allows only some values."""
    kind, context = str(error["type"]), error.get("ctx", {})
    if kind == "missing":
        return "is missing", ""
    if kind == UNFIT:
        return str(context["said"]), ""
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", "")) or str(error["msg"]), ""
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        unit = unit_of(key)
        return f"must be {words} {_limit(context[bound])}{f' ({unit})' if unit else ''}, is {shown(value)}", ""
    if kind in _LENGTHS:
        return f"must {_LENGTHS[kind][0].format(**context)}, is {shown(value)}", ""
    if kind == "string_pattern_mismatch":
        return f"must look like {context['pattern']}, is {shown(value)}", ""
    if kind == "timezone_naive" or kind == "timezone_aware":
        return f"must be {_A_MOMENT}, is {shown(value)}", "add the offset, +08:00 for Taiwan"
    if choices:
        return _one_of(value, choices)
    for start, expected in sorted(_EXPECTED.items(), key=lambda item: -len(item[0])):
        if kind.startswith(f"{start}_") or kind == start:
            return f"must be {expected}, is {shown(value)}", _other_type(expected, value)
    text = str(error["msg"]).replace("Input should be", "must be")
    return f"{text}, is {shown(value)}", ""


def _limit(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _one_of(value: Any, choices: list[Any]) -> tuple[str, str]:
    listed = [json.dumps(c, ensure_ascii=False) for c in choices]
    few = listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} or {listed[-1]}"
    guess = nearest(value, [c for c in choices if isinstance(c, str)]) if isinstance(value, str) else ""
    return f"must be {few}, is {shown(value)}", f"did you mean {json.dumps(guess, ensure_ascii=False)}?" if guess else ""


def _other_type(expected: str, value: Any) -> str:
    """What to do when the value is right but written as another type."""
    if isinstance(value, str) and expected != "a text in quotes":
        if _reads_as(expected, value.strip()):
            return "remove the quotes"
        return ""
    if expected == "a text in quotes" and isinstance(value, int | float | date | time):
        return "put it in quotes"
    if expected == "a list" and not isinstance(value, dict):
        return "write it in square brackets: [...]"
    return ""


def _reads_as(expected: str, text: str) -> bool:
    try:
        if expected == "true or false":
            return text in ("true", "false")
        if expected == "a whole number":
            int(text)
        elif expected == "a number":
            float(text)
        elif expected == _A_MOMENT:
            datetime.fromisoformat(text)
        else:
            return False
    except ValueError:
        return False
    return True
