"""What ``conform`` says at the end, for a person at a terminal: what did not pass, the limits of time, a line for each device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import click

from bench.conform_words import counted, kind_in, over, purpose, verdict_in
from bench.tables import print_table
from conformance.report import Judged, Report, unexpected_passes
from conformance.verdict import Verdict, roll_up
from reports.catalogue import N_, Catalogue
from reports.wording import Wording

MOST_ALONE = 3
"""So many cases with one reason are told one by one; more are told together."""
NAMED = 5
"""Of those that are told together so many are named."""


def tell(report: Report, wording: Wording) -> None:
    words = wording.words
    for line in _not_passed(report.verdicts, wording):
        click.echo(line)
    _tell_times(report, wording)
    rows = []
    for device in report.devices:
        for channel in device.channels:
            place = (device.kind, device.device, channel)
            counts = Counter(v.verdict for v in report.judged if (v.kind, v.device, v.channel) == place)
            rows.append((kind_in(words, device.kind), device.device, over(words, channel),
                         verdict_in(words, roll_up(counts)), counted(words, counts)))
    if rows:
        columns = (N_("kind"), N_("device"), N_("channel"), N_("verdict"), N_("cases"))
        print_table(tuple(map(words.say, columns)), rows)


def late(report: Report, words: Catalogue) -> Iterator[str]:
    """The failures that were expected, and did not come."""
    for one in unexpected_passes(report):
        yield words.say("EXPECTED TO FAIL, AND PASSED  {case} over {channel}: {why}", case=one.case,
                        channel=over(words, one.channel), why=one.wanted)


def nothing(only: Sequence[str], words: Catalogue, *, timed: bool) -> str:
    """Why no case ran, and what to do."""
    more = "" if timed else words.say(", and --latency FILE adds the limits of time")
    return words.say("nothing ran: no case of what is tried begins with --only {only}; --list has all cases{more}",
                     only=words.say(" or ").join(only), more=more)


def _not_passed(verdicts: Iterable[Judged], wording: Wording) -> Iterator[str]:
    """One by one; a device that is not there has hundreds of cases and one reason."""
    groups: dict[tuple[str, str, Verdict, str, str], list[Judged]] = {}
    for one in verdicts:
        if one.verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE):
            groups.setdefault((one.device, one.channel, one.verdict, one.why, one.wanted), []).append(one)
    for alike in groups.values():
        if len(alike) > MOST_ALONE:
            yield from _together(alike, wording)
        else:
            for one in alike:
                yield from _alone(one, wording)


def _alone(one: Judged, wording: Wording) -> Iterator[str]:
    words = wording.words
    yield words.say(
        "{verdict}  {case} over {channel} ({clauses}){known}", verdict=_loud(words, one), case=one.case,
        channel=over(words, one.channel), clauses=words.say(", ").join(one.clauses), known=_known(words, one.wanted),
    )
    yield f"      {purpose(words, one)}\n      {wording.plain(one.why)}"
    yield "      " + words.say("again: {command}", command=one.command)


def _together(alike: Sequence[Judged], wording: Wording) -> Iterator[str]:
    words, first = wording.words, alike[0]
    yield words.say(
        "{verdict}  {n} cases over {channel}, for one reason{known}", verdict=_loud(words, first), n=len(alike),
        channel=over(words, first.channel), known=_known(words, first.wanted),
    )
    yield f"      {wording.plain(first.why)}"
    for one in alike[:NAMED]:
        yield f"      {one.case}"
    if len(alike) > NAMED:
        yield "      " + words.say("and {n} more: --out DIR writes each, --json names them", n=len(alike) - NAMED)
    yield "      " + words.say("again, the first alone: {command}", command=first.command)


def _loud(words: Catalogue, one: Judged) -> str:
    return verdict_in(words, one.verdict).upper()


def _known(words: Catalogue, wanted: str) -> str:
    return words.say("  (expected: {why})", why=wanted) if wanted else ""


def _tell_times(report: Report, wording: Wording) -> None:
    words = wording.words
    rows = []
    for one in report.latency:
        rows.append((
            one.case, over(words, one.channel), verdict_in(words, one.verdict),
            words.say("{value} ms", value=f"{one.limit_ms:g}"), f"{len(one.samples_ns)}", f"{one.slower}", str(one.more or ""),
            wording.plain(one.why) + _known(words, one.wanted),
        ))
    if rows:
        columns = (N_("what is timed"), N_("channel"), N_("verdict"), N_("at most"), N_("presentations"), N_("slower"),
                   N_("still needed"), N_("why"))
        print_table(tuple(map(words.say, columns)), rows)


__all__ = ["late", "nothing", "tell"]
