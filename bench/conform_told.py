"""What ``conform`` says at the end, for a person at a terminal: what did not pass, the limits of time, a line for each device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import click

from bench.tables import print_table
from conformance.report import Judged, Report
from conformance.verdict import Verdict, roll_up

MOST_ALONE = 3
"""So many cases with one reason are told one by one; more are told together."""
NAMED = 5
"""Of those that are told together so many are named."""


def tell(report: Report) -> None:
    for line in _not_passed(report.verdicts):
        click.echo(line)
    _tell_times(report)
    rows = []
    for device in report.devices:
        for channel in device.channels:
            place = (device.kind, device.device, channel)
            counts = Counter(v.verdict for v in report.judged if (v.kind, v.device, v.channel) == place)
            rows.append((*place, roll_up(counts).value, *(str(counts[v]) for v in Verdict)))
    print_table(("kind", "device", "channel", "verdict", *(v.value for v in Verdict)), rows)


def _not_passed(verdicts: Iterable[Judged]) -> Iterator[str]:
    """One by one; a device that is not there has hundreds of cases and one reason."""
    groups: dict[tuple[str, str, Verdict, str, str], list[Judged]] = {}
    for one in verdicts:
        if one.verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE):
            groups.setdefault((one.device, one.channel, one.verdict, one.why, one.wanted), []).append(one)
    for alike in groups.values():
        if len(alike) > MOST_ALONE:
            yield from _together(alike)
        else:
            for one in alike:
                yield f"{_verdict(one)}  {one.case} over {one.channel} ({', '.join(one.clauses)}){_known(one)}"
                yield f"      {one.says}\n      {one.why}\n      again: {one.command}"


def _together(alike: Sequence[Judged]) -> Iterator[str]:
    first = alike[0]
    yield f"{_verdict(first)}  {len(alike)} cases over {first.channel}, for one reason{_known(first)}"
    yield f"      {first.why}"
    for one in alike[:NAMED]:
        yield f"      {one.case}"
    if len(alike) > NAMED:
        yield f"      and {len(alike) - NAMED} more: --out DIR writes each, --json names them"
    yield f"      again, the first alone: {first.command}"


def _verdict(one: Judged) -> str:
    return one.verdict.value.upper()


def _known(one: Judged) -> str:
    return f"  (expected: {one.wanted})" if one.wanted else ""


def _tell_times(report: Report) -> None:
    rows = []
    for one in report.latency:
        known = f"  (expected: {one.wanted})" if one.wanted else ""
        rows.append((one.case, one.channel, one.verdict.value, f"{one.limit_ms:g} ms", f"{len(one.samples_ns)}", f"{one.slower}",
                     str(one.more or ""), one.why + known))
    if rows:
        print_table(("limit", "channel", "verdict", "at most", "presented", "slower", "still needed", "why"), rows)


__all__ = ["tell"]
