"""The command ``compare``: what has changed between two conformance reports."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import click

from bench.conform_report import REPORT
from bench.exits import LAW_BROKEN, PASS
from bench.tables import print_table
from conformance.latency import Latency
from conformance.report import Judged, Report, read
from conformance.verdict import Verdict
from virtual_devices.errors import UsageError

_Place = tuple[str, str, str]
_BAD = (Verdict.FAIL, Verdict.ERROR)


@click.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
def command(before: Path, after: Path) -> None:
    """Print each case whose verdict differs between BEFORE and AFTER, report.json files or their folders.

    Where each has one device of a kind, these two are compared, whatever they are called: a reader's name changes with its slot.

    Exit codes: 0 nothing got worse, 1 a case that passed does not pass any more, or one fails that did not.
    """
    old, new = _read(before), _read(after)
    alone = _one_each(old) & _one_each(new)
    was_at, now_at = _by_place(old, alone), _by_place(new, alone)
    rows = []
    worse = False
    for place in sorted(was_at.keys() | now_at.keys()):
        was, now = was_at.get(place), now_at.get(place)
        if _verdict(was) != _verdict(now):
            worse = worse or _worse(was, now)
            case, _, channel = place
            rows.append((case, _device(was, now), channel, _verdict(was) + _limit(was), _verdict(now) + _limit(now),
                         now.why if now else ""))
    if rows:
        print_table(("case", "device", "channel", "before", "after", "why"), rows)
    else:
        click.echo("no verdict differs")
    sys.exit(LAW_BROKEN if worse else PASS)


def _one_each(report: Report) -> set[str]:
    """The kinds of which it has one device."""
    counts = Counter(one.kind for one in report.devices)
    return {kind for kind, count in counts.items() if count == 1}


def _worse(was: Judged | Latency | None, now: Judged | Latency | None) -> bool:
    """A new failure is one also where there was no verdict before, unless it is expected."""
    passed = was is not None and was.verdict is Verdict.PASS
    return passed or (now is not None and now.verdict in _BAD and not now.wanted and (was is None or was.verdict not in _BAD))


def _device(was: Judged | Latency | None, now: Judged | Latency | None) -> str:
    return " -> ".join(dict.fromkeys(one.device for one in (was, now) if one is not None))


def _read(path: Path) -> Report:
    file = path / REPORT if path.is_dir() else path
    try:
        return read(file.read_bytes(), str(file))
    except OSError as e:
        raise UsageError(f"{file}: {e.strerror or e}") from None


def _by_place(report: Report, alone: set[str]) -> dict[_Place, Judged | Latency]:
    """By case, device and channel; of the kinds in ``alone`` the device's name is left out."""
    return {(v.case, "" if v.kind in alone else v.device, v.channel): v for v in report.judged}


def _verdict(judged: Judged | Latency | None) -> str:
    return "not there" if judged is None else judged.verdict.value


def _limit(judged: Judged | Latency | None) -> str:
    """Against which limit a time was judged: the two reports may have tried other ones."""
    return f" ({judged.limit_ms:g} ms)" if isinstance(judged, Latency) else ""


__all__ = ["command"]
