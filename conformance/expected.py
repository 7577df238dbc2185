"""Failures that are known: a TOML file that a project keeps, so that its pipeline tells a new failure from an old one.

    [[expected]]
    case = "wallet.session.altered-message-ends-the-session[bit-0-of-byte-0]"
    channel = "ble"                      # left out: over every channel
    why = "reported to the maker on 2026-11-28"

Several cases that fail for one reason stand in one row: ``cases = [...]`` in place of ``case``. An expected failure that passes
is an error: the file is out of date.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from virtual_devices.errors import UsageError


def read(
    text: str, where: str, cases: Collection[str], channels: Collection[str], timed: Collection[str] = (),
) -> Mapping[tuple[str, str], str]:
    """(case, channel or "") -> why. ``timed``: what names of latency limits begin with, before ``-p95``. Raises
    UsageError for what is no such file, names no case, or gives no reason."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise UsageError(f"{where}: {e}") from None
    rows = table.pop("expected", [])
    if table or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageError(f"{where}: there must be [[expected]] rows and nothing else")
    found: dict[tuple[str, str], str] = {}
    for number, row in enumerate(rows, 1):
        place = f"{where}: expected failure {number}"
        named, channel, why = _row(row, place)
        if channel and channel not in channels:
            raise UsageError(f"{place}: there is no channel {channel!r}; there are {', '.join(sorted(channels))}")
        for case in named:
            if case not in cases and case.rpartition("-p")[0] not in timed:
                near = get_close_matches(case, cases, n=1, cutoff=0.6)
                raise UsageError(f"{place}: there is no case {case!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
            if (case, channel) in found:
                raise UsageError(f"{place}: {case!r} is there twice")
            found[case, channel] = why
    return found


def _row(row: Mapping[str, Any], place: str) -> tuple[Sequence[str], str, str]:
    """Its cases, channel and reason."""
    texts = {key: value for key, value in row.items() if key != "cases"}
    listed = row.get("cases", [row.get("case")])
    if not (row.keys() <= {"case", "cases", "why", "channel"} and "why" in row and ("case" in row) is not ("cases" in row)
            and all(isinstance(text, str) for text in texts.values())
            and isinstance(listed, list) and listed and all(isinstance(case, str) for case in listed)):
        says = "it has case (or a list: cases), why and, where it is of one channel alone, channel, each a text"
        raise UsageError(f"{place}: {says}")
    if not (why := row["why"].strip()):
        raise UsageError(f"{place}: say why it fails")
    return listed, row.get("channel", ""), why


__all__ = ["read"]
