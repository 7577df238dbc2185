"""Latency verdicts: presentations one after the other, until every limit is decided or the largest number is reached.

Of each presentation every segment that happened is one sample. One in which the device did not answer in time counts as slower
than any limit of the segment in which it fell silent, and says nothing of the others; one in which the device left the medium
says nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from conformance.case import Kind
from conformance.closed import Closed, Text
from conformance.limits import Limit, Limits, Percentage, Risk, Timed, name_of, segment_of
from conformance.sequential import Plan, more
from conformance.tester import CannotShow, Decided, Tester
from conformance.verdict import Verdict
from virtual_devices.errors import BenchError, LinkError
from virtual_devices.link import Outcome
from virtual_devices.reader.transmit import Ended
from virtual_devices.segments import DEVICE_ROLES, Seen, Segment, parts, presentations, seen
from virtual_devices.trace import ActRow, ExchangeRow, Row

LOST_IN_A_ROW = 10
"""Presentations that came to nothing, one after the other, after which nobody waits for another."""
SILENT_NS = 2**53 - 1
"""A sample that stands for no answer at all."""


@dataclass(frozen=True)
class Timing:
    """How devices of a kind are timed. ``reference(world, channel, name)``: a virtual one behind modelled media;
    ``present(tester, number, write)``: one whole presentation, that writes where it may; ``channels``: over which. ``steps``:
    which steps of its presentations stand for a segment, every other one being the response; empty: those of a virtual card
    (:mod:`virtual_devices.segments`). ``times(tester, broke)``: of a device that is not asked but asks, what is sampled."""

    channels: tuple[str, ...]
    reference: Callable[[Any, str, str], Any]
    present: Callable[[Any, int, bool], None]
    steps: Mapping[str, Segment] = field(default_factory=dict)
    times: Callable[[Any, bool], dict[Segment, int]] | None = None


class Latency(Closed):
    """One limit on one device over one channel. ``samples_ns``: in order, as many as the verdict took; ``slower``: of them;
    ``more``: how many further ones it would take on average, 0 when it is decided; ``lost``: presentations that came to nothing.
    ``lines``: a, b and c of the test: after n presentations PASS at a + c n slower ones or fewer, FAIL at b + c n or more."""

    case: Text
    kind: Text
    device: Text
    channel: Text
    segment: Timed
    percentile: Percentage
    limit_ms: float
    zone: tuple[Percentage, Percentage]
    alpha: Risk
    beta: Risk
    most: int
    lines: tuple[float, float, float]
    certainty: Text
    samples_ns: tuple[Annotated[int, Field(ge=0, le=SILENT_NS)], ...]
    slower: int
    lost: int
    more: int
    verdict: Verdict
    why: Text
    command: Text
    wanted: Text = ""

    @property
    def plan(self) -> Plan:
        low, high = self.zone
        return Plan(round(1 - high / 100, 9), round(1 - low / 100, 9), self.alpha, self.beta, self.most)

    def follows(self) -> bool:
        """Whether counts and verdict are what the samples say: PASS and FAIL must be the test's own, and its first."""
        plan, slower = self.plan, 0
        if self.lines != _lines(plan):
            return False
        for n, sample in enumerate(self.samples_ns, 1):
            slower += _slower(sample, self.limit_ms)
            if plan.verdict(n, slower) is not Verdict.INCONCLUSIVE and n < len(self.samples_ns):
                return False
        decided = plan.verdict(len(self.samples_ns), slower)
        if decided is Verdict.INCONCLUSIVE:
            return self.slower == slower and self.verdict not in (Verdict.PASS, Verdict.FAIL)
        return self.slower == slower and self.verdict is decided


class _Tried:
    """One limit while samples come."""

    def __init__(self, limit: Limit, plan: Plan) -> None:
        self.limit = limit
        self.plan = plan
        self.segment = segment_of(limit)
        self.samples: list[int] = []
        self.slower = 0

    @property
    def open(self) -> bool:
        return self.verdict is Verdict.INCONCLUSIVE and len(self.samples) < self.plan.most

    @property
    def verdict(self) -> Verdict:
        return self.plan.verdict(len(self.samples), self.slower)

    def take(self, times: Mapping[Segment, int]) -> None:
        if self.open and self.segment in times:
            sample = min(times[self.segment], SILENT_NS)
            self.samples.append(sample)
            self.slower += _slower(sample, self.limit.limit_ms)


def _slower(sample_ns: int, limit_ms: float) -> bool:
    return sample_ns > limit_ms * 1e6


def measure(
    kind: Kind, device: str, channel: str, limits: Limits, make: Callable[[str], Tester], timing: Timing, *, real: bool = False,
    write: bool = True, command: str = "",
) -> list[Latency]:
    """Every limit on this kind of device over this channel. ``make``: its tester, by a name; ``real``: then only what the device
    itself did counts; ``write``: it may be written to."""
    tried = [_Tried(limit, limits.plan(limit)) for limit in limits.of(kind.value, channel)]
    most = max((each.plan.most for each in tried), default=0)
    number = lost = in_a_row = 0
    shown = Shown()
    while any(each.open for each in tried) and number < most + lost and in_a_row < LOST_IN_A_ROW and not shown.trouble:
        number += 1
        shown = _shown(make, timing, f"{kind.value}.latency/{channel}/{number}", number, write, real)
        in_a_row = 0 if shown.times else in_a_row + 1
        lost += not shown.times
        for each in tried:
            each.take(shown.times)
        if number >= LOST_IN_A_ROW and not any(each.open and each.samples for each in tried):
            break  # what is open is of segments that this device does not have
    return [_judged(each, kind, device, channel, lost, shown, command) for each in tried]


@dataclass(frozen=True, slots=True)
class Shown:
    """One presentation. ``times``: its samples, nothing when it came to nothing, and then ``why``; ``trouble``: what the bench
    or its surroundings did wrong."""

    times: Mapping[Segment, int] = field(default_factory=dict)
    why: str = ""
    trouble: str = ""


def _shown(make: Callable[[str], Tester], timing: Timing, name: str, number: int, write: bool, real: bool) -> Shown:
    try:
        tester = make(name)
    except LinkError as e:
        return Shown(trouble=str(e))
    broke = ""
    try:
        timing.present(tester, number, write)
    except (Ended, Decided) as e:
        broke = str(e)
    except CannotShow as e:
        if not e.open:
            return Shown(trouble=str(e))
        broke = str(e)
    except BenchError as e:
        return Shown(trouble=f"{type(e).__name__}: {e}")
    finally:
        tester.close()
    if real and (trouble := _stand_in(tester.rows)):
        return Shown(trouble=trouble)
    if timing.times is not None:
        return Shown(timing.times(tester, bool(broke)), broke)
    return Shown(times_of(tester.rows, timing.steps, broke=bool(broke)), broke)


def times_of(rows: Iterable[Row], steps: Mapping[str, Segment], *, broke: bool = False) -> dict[Segment, int]:
    """The samples of one presentation, in nanoseconds. ``steps``: as in :class:`Timing`. ``broke``: it did not come to its end;
    then only the silence of the device is one, if that was why."""
    mine = [row for row in rows if isinstance(row, ExchangeRow | ActRow)]
    if steps:
        return _by_step([row for row in mine if isinstance(row, ExchangeRow) and row.role in DEVICE_ROLES], steps, broke)
    told = [seen(row) for row in mine]
    if not broke:
        found = next(presentations(told), None)
        return {} if found is None else {segment: found.ns[segment] for segment in _happened(told)}
    last = next((row for row in reversed(mine) if isinstance(row, ExchangeRow) and row.role in DEVICE_ROLES), None)
    if last is None or not Outcome(last.outcome).silent:
        return {}
    return dict.fromkeys((segment for segment, _ in parts(seen(last)) if segment is not Segment.REQUEST), SILENT_NS)


def _by_step(rows: Sequence[ExchangeRow], steps: Mapping[str, Segment], broke: bool) -> dict[Segment, int]:
    """Each exchange's time in the segment of its step."""
    if broke:
        silent = rows and Outcome(rows[-1].outcome).silent
        return {steps.get(rows[-1].step, Segment.RESPONSE): SILENT_NS} if silent else {}
    times: dict[Segment, int] = {}
    for row in rows:
        segment = steps.get(row.step, Segment.RESPONSE)
        times[segment] = times.get(segment, 0) + row.duration_ns
    return times


def _happened(rows: Sequence[Seen]) -> set[Segment]:
    return {segment for row in rows for segment, _ in parts(row)} | {Segment.VERIFIED}


def _stand_in(rows: Iterable[Row]) -> str:
    for row in rows:
        if isinstance(row, ExchangeRow) and row.role in DEVICE_ROLES and row.provenance not in ("measured", "presented"):
            return f"{row.step}: a {row.provenance} stand-in answered, not the device"
    return ""


def _judged(tried: _Tried, kind: Kind, device: str, channel: str, lost: int, last: Shown, command: str) -> Latency:
    limit, n = tried.limit, len(tried.samples)
    verdict, why, further = tried.verdict, "", more(tried.plan, n, tried.slower)
    share = f"{tried.slower} of {n} slower than {limit.limit_ms:g} ms"
    if verdict is Verdict.FAIL:
        low = limit.zone[0]
        why = f"{share}: fewer than {low:g} in a hundred within it, at a risk of {tried.plan.alpha:g}"
    elif verdict is Verdict.INCONCLUSIVE and last.trouble:
        verdict, why = Verdict.ERROR, last.trouble
    elif verdict is Verdict.INCONCLUSIVE and not n and lost < LOST_IN_A_ROW:
        verdict, why, further = Verdict.NOT_APPLICABLE, f"no presentation had the segment {limit.segment}", 0
    elif verdict is Verdict.INCONCLUSIVE:
        left = f"{lost} presentations came to nothing{f' ({last.why})' if last.why else ''}; " if lost else ""
        why = f"{left}{f'{share}, which decides' if n else 'that decides'} nothing; about {further} more are needed"
    return Latency(
        case=name_of(limit), kind=kind.value, device=device, channel=channel, segment=limit.segment,
        percentile=limit.percentile, limit_ms=limit.limit_ms, zone=limit.zone, alpha=tried.plan.alpha, beta=tried.plan.beta,
        most=tried.plan.most, lines=_lines(tried.plan), certainty=limit.certainty, samples_ns=tuple(tried.samples),
        slower=tried.slower, lost=lost, more=further, verdict=verdict, why=why, command=command,
    )


def _lines(plan: Plan) -> tuple[float, float, float]:
    """Rounded: the last digits of a logarithm are the machine's own."""
    keeps, breaks = plan.lines(0)
    return round(keeps, 6), round(breaks, 6), round(plan.lines(1)[0] - keeps, 6)


__all__ = ["LOST_IN_A_ROW", "SILENT_NS", "Latency", "Timing", "measure", "times_of"]
