"""The command ``compare``: what has changed between two conformance reports."""

from __future__ import annotations

import sys
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


@click.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
def command(before: Path, after: Path) -> None:
    """Print each case whose verdict differs between BEFORE and AFTER, report.json files or their folders.

    Exit codes: 0 nothing got worse, 1 a case that passed does not pass any more.
    """
    old, new = _by_place(_read(before)), _by_place(_read(after))
    rows = []
    worse = False
    for place in sorted(old.keys() | new.keys()):
        was, now = _verdict(old.get(place)), _verdict(new.get(place))
        if was != now:
            worse = worse or was == Verdict.PASS.value
            why = new[place].why if place in new else ""
            rows.append((*place, was + _limit(old.get(place)), now + _limit(new.get(place)), why))
    if rows:
        print_table(("case", "device", "channel", "before", "after", "why"), rows)
    else:
        click.echo("no verdict differs")
    sys.exit(LAW_BROKEN if worse else PASS)


def _read(path: Path) -> Report:
    file = path / REPORT if path.is_dir() else path
    try:
        return read(file.read_bytes(), str(file))
    except OSError as e:
        raise UsageError(f"{file}: {e.strerror or e}") from None


def _by_place(report: Report) -> dict[_Place, Judged | Latency]:
    return {(v.case, v.device, v.channel): v for v in report.judged}


def _verdict(judged: Judged | Latency | None) -> str:
    return "not there" if judged is None else judged.verdict.value


def _limit(judged: Judged | Latency | None) -> str:
    """Against which limit a time was judged: the two reports may have tried other ones."""
    return f" ({judged.limit_ms:g} ms)" if isinstance(judged, Latency) else ""


__all__ = ["command"]
