"""The report of a conformance run as data: closed schema, one encoding, the roll-ups made from the verdicts.

``canonical(report)`` is RFC 8785's form of it, which is what is signed and compared. What belongs to one run and not to what was
tried (when, where) stands in ``made`` alone: the rest of two runs over the same virtual devices is the same, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import rfc8785
from pydantic import Field, ValidationError

from conformance.closed import Closed, Text
from conformance.latency import Latency
from conformance.outcome import Outcome
from conformance.verdict import Status, Verdict, roll_up
from virtual_devices.errors import UsageError

FORMAT: Literal["vhc-bench conformance report 1"] = "vhc-bench conformance report 1"


class Made(Closed):
    """Of this run alone. ``at``: RFC 3339."""

    at: Text
    laboratory: Text
    python: Text
    machine: Text


class Tried(Closed):
    """A device under test. ``real``: no virtual one of the bench. ``maker``, ``model``, ``firmware``: as declared. ``resets``:
    what it answered to a reset (ATR), hex."""

    kind: Text
    device: Text
    channels: tuple[Text, ...]
    real: bool
    maker: Text = ""
    model: Text = ""
    firmware: Text = ""
    resets: tuple[Text, ...] = ()


class Checked(Closed):
    """One expectation."""

    what: Text
    holds: bool
    expected: Text
    received: Text


class Frame(Closed):
    """One exchange, as a person reads it."""

    step: Text
    outcome: Text
    status: Text
    request: Text
    reply: Text


class Judged(Closed):
    """One case on one device over one channel. ``wanted``: what the expected-failures file says of it, empty: nothing.
    ``capture``: SHA-256 of its line of exchanges, which may be kept beside the report or not, empty without any; ``frames``: the
    last of what did not pass."""

    case: Text
    kind: Text
    says: Text
    zh: Text
    clauses: tuple[Text, ...]
    nature: Text
    device: Text
    channel: Text
    verdict: Verdict
    status: Status
    why: Text
    command: Text
    checks: tuple[Checked, ...]
    exchanges: int
    capture: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
    frames: tuple[Frame, ...]
    wanted: Text = ""


class Clause(Closed):
    """A clause, and what its cases say together."""

    id: Text
    verdict: Verdict
    cases: int


class Stated(Closed):
    """A clause that no case can show: the maker declares it (``declaration``), or a person or laboratory looks (``inspection``).
    ``answers``: what the declaration says to the questions about it, empty: nothing. It is never a PASS, and decides nothing."""

    clause: Text
    kind: Text
    proof: Text
    says: Text
    why: Text
    answers: tuple[Text, ...]


class Report(Closed):
    """``seed``: of the virtual parts. ``asked``: what decided which cases ran and how, as RFC 8785 writes it, files by their
    SHA-256; ``configuration``: SHA-256 of that, hex."""

    format: Literal["vhc-bench conformance report 1"]
    made: Made
    bench: Text
    seed: int
    asked: Text
    configuration: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    devices: tuple[Tried, ...]
    verdict: Verdict
    clauses: tuple[Clause, ...]
    verdicts: tuple[Judged, ...]
    latency: tuple[Latency, ...] = ()
    stated: tuple[Stated, ...] = ()

    @property
    def judged(self) -> tuple[Judged | Latency, ...]:
        """Cases and limits."""
        return (*self.verdicts, *self.latency)


def build(
    outcomes: Sequence[Outcome], latency: Sequence[Latency] = (), *, made: Made, bench: str, seed: int, asked: Mapping[str, Any],
    expected: Mapping[tuple[str, str], str] | None = None, devices: Iterable[Tried] = (), stated: Iterable[Stated] = (),
) -> Report:
    """The report of these outcomes, by kind, case, device, channel. ``expected``: (case, channel or "") -> why it fails."""
    known = expected or {}
    rows = sorted(outcomes, key=lambda o: (o.kind, o.case, o.device, o.channel))
    verdicts = tuple(
        Judged(**{
            **{name: value for name, value in row.plain().items() if name != "resets"},
            "checks": [Checked(what=w, holds=h, expected=e, received=r) for w, h, e, r in row.checks],
            "frames": [Frame(**dict(zip(Frame.model_fields, frame, strict=True))) for frame in row.frames],
            "wanted": known.get((row.case, row.channel), known.get((row.case, ""), "")),
        })
        for row in rows
    )
    timed = tuple(
        each.model_copy(update={"wanted": known.get((each.case, each.channel), known.get((each.case, ""), ""))})
        for each in sorted(latency, key=lambda each: (each.kind, each.case, each.device, each.channel))
    )
    configured = rfc8785.dumps(dict(asked))
    return Report(
        format=FORMAT, made=made, bench=bench, seed=seed, asked=configured.decode(),
        configuration=hashlib.sha256(configured).hexdigest(),
        devices=tuple(devices), verdict=_whole((*verdicts, *timed)), clauses=_clauses(verdicts), verdicts=verdicts, latency=timed,
        stated=tuple(stated),
    )


def _whole(verdicts: Iterable[Judged | Latency]) -> Verdict:
    """An expected failure does not decide."""
    return roll_up(v.verdict for v in verdicts if not (v.wanted and v.verdict is Verdict.FAIL))


def _clauses(verdicts: Iterable[Judged]) -> tuple[Clause, ...]:
    by: dict[str, list[Verdict]] = {}
    for judged in verdicts:
        for clause in judged.clauses:
            by.setdefault(clause, []).append(judged.verdict)
    return tuple(Clause(id=name, verdict=roll_up(found), cases=len(found)) for name, found in sorted(by.items()))


def unexpected_passes(report: Report) -> list[Judged | Latency]:
    """What was to fail, and passed: the list of expected failures is out of date."""
    return [v for v in report.judged if v.wanted and v.verdict is Verdict.PASS]


def canonical(report: Report) -> bytes:
    """RFC 8785."""
    return rfc8785.dumps(report.model_dump(mode="json"))


def verdict_bytes(report: Report) -> bytes:
    """What two runs over the same virtual devices have in common: all but when and where."""
    return rfc8785.dumps(report.model_dump(mode="json", exclude={"made"}))


def read(raw: bytes, where: str) -> Report:
    """A report out of its file. Raises UsageError: no JSON, another schema, or roll-ups that do not follow from the verdicts."""
    try:
        report = Report.model_validate_json(raw)
    except ValidationError as e:
        first = e.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise UsageError(f"{where} is no conformance report of this format: {place}: {first['msg']}") from None
    if report.verdict is not _whole(report.judged) or report.clauses != _clauses(report.verdicts):
        raise UsageError(f"{where}: its roll-up does not follow from its verdicts: somebody has changed one of the two")
    if hashlib.sha256(report.asked.encode()).hexdigest() != report.configuration:
        raise UsageError(f"{where}: its configuration is not the digest of what was asked for")
    if wrong := next((each for each in report.latency if not each.follows()), None):
        raise UsageError(f"{where}: {wrong.case} over {wrong.channel}: its verdict does not follow from its samples")
    return report


def schema() -> str:
    """The closed schema, for others."""
    return json.dumps(Report.model_json_schema(), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


__all__ = [
    "FORMAT", "Checked", "Clause", "Frame", "Judged", "Made", "Report", "Stated", "Tried", "build", "canonical", "read", "schema",
    "unexpected_passes", "verdict_bytes",
]
