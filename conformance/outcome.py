"""Results as they are handed on: from a test process to the report, as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from conformance.case import Case
from conformance.tester import Result
from conformance.verdict import Status, Verdict


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of a report. ``device``: its moniker. ``command``: what runs this case alone. ``checks``: expectations in
    order, as (what, holds, expected, received)."""

    case: str
    kind: str
    says: str
    zh: str
    clauses: tuple[str, ...]
    nature: str
    device: str
    channel: str
    verdict: str
    status: str
    why: str
    command: str
    checks: tuple[tuple[str, bool, str, str], ...]
    exchanges: int

    @property
    def judged(self) -> Verdict:
        return Verdict(self.verdict)

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def outcome(case: Case, result: Result, device: str, channel: str) -> Outcome:
    """What a case and its result say together."""
    command = f"vhc-bench conform --dut {case.kind.value}={device} --channel {channel} --only '{case.id}'"
    return Outcome(
        case.id, case.kind.value, case.says, case.zh, case.clauses, case.nature.value, device, channel, result.verdict.value,
        result.status.value, result.why, command,
        tuple((c.what, c.holds, c.expected, c.received) for c in result.checks), len(result.rows),
    )


def not_run(case: Case, why: str, device: str, channel: str, verdict: Verdict = Verdict.NOT_APPLICABLE) -> Outcome:
    """Of a case that was never begun."""
    return outcome(case, Result(case.id, verdict, Status.NOT_RUN, why), device, channel)


def read(plain: dict[str, Any]) -> Outcome:
    return Outcome(**{**plain, "clauses": tuple(plain["clauses"]), "checks": tuple(tuple(c) for c in plain["checks"])})


__all__ = ["Outcome", "not_run", "outcome", "read"]
