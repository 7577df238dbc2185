"""The command ``compare``: what has changed between two conformance reports."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import click

from bench.conform_report import REPORT
from bench.conform_words import over, verdict_in, words_of
from bench.exits import LAW_BROKEN, PASS
from bench.language import option, refusing_in
from bench.tables import print_table
from conformance.latency import Latency
from conformance.report import Judged, Report, read
from conformance.verdict import Verdict
from reports.catalogue import N_, Catalogue
from virtual_devices.errors import UsageError

_Place = tuple[str, str, str]
_BAD = (Verdict.FAIL, Verdict.ERROR)


@click.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@option("the table")
def command(before: Path, after: Path, language: str) -> None:
    """Print what changed between two conformance reports: each case, and each limit of time, with another verdict.

    BEFORE and AFTER: folders that 'conform --out' wrote, or their report.json. Where each has one device of a kind, these two are
    compared, whatever they are called: a reader's name changes with its slot. Of several each is compared with its namesake.

    \b
    After a new firmware:
      vhc-bench conform --dut wallet=nfc:usb --out before
      vhc-bench conform --dut wallet=nfc:usb --out after
      vhc-bench compare before after

    Exit codes: 0 nothing got worse, 1 a case that passed does not pass any more, or one fails that did not, 2 no report.
    """
    with refusing_in(language):
        old, new = _read(before), _read(after)
        words, wording = words_of(language)
    alone = _one_each(old) & _one_each(new)
    was_at, now_at = _by_place(old, alone), _by_place(new, alone)
    rows = []
    worse = False
    for place in sorted(was_at.keys() | now_at.keys()):
        was, now = was_at.get(place), now_at.get(place)
        if _verdict(was) != _verdict(now):
            worse = worse or _worse(was, now)
            case, _, channel = place
            rows.append((case, _device(was, now), over(words, channel), _told(was, words), _told(now, words),
                         wording.plain(now.why) if now else ""))
    if rows:
        columns = (N_("case"), N_("device"), N_("channel"), N_("before"), N_("after"), N_("why"))
        print_table(tuple(map(words.say, columns)), rows)
    else:
        click.echo(words.say("no verdict differs"))
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


def _verdict(judged: Judged | Latency | None) -> Verdict | None:
    return None if judged is None else judged.verdict


def _told(judged: Judged | Latency | None, words: Catalogue) -> str:
    """The verdict; of a time with the limit against which it was judged: the two reports may have tried other ones."""
    if judged is None:
        return words.say("not there")
    told = verdict_in(words, judged.verdict)
    if isinstance(judged, Judged):
        return told
    return words.say("{verdict} ({limit})", verdict=told, limit=words.say("{value} ms", value=f"{judged.limit_ms:g}"))


__all__ = ["command"]
