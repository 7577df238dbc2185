"""Results as they are handed on: from a test process to the report, as plain values.

The exchanges of a case are kept beside the report, one line a case (:func:`capture`); the report has the digest of that line, so
that a signature over the report is one over what was sent and received. The bytes of a real device's messages may be a real
person's: they are kept only where that was asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import rfc8785

from conformance.case import Case
from conformance.tester import Result, shown
from conformance.verdict import Status, Verdict
from virtual_devices.trace import ExchangeRow, FrameRow, Row

FRAMES = 6
"""So many of the last exchanges of what did not pass stand in the report itself."""
Frame = tuple[str, str, str, str, str]
"""Step, how it ended, status, request and reply: hex, long ones cut, or their length where the bytes are not kept."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of a report. ``device``: its moniker. ``command``: what runs this case alone. ``checks``: expectations in
    order, as (what, holds, expected, received). ``capture``: SHA-256 of its line of exchanges, hex. ``resets``: what the device
    answered to a reset (ATR), hex."""

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
    capture: str = ""
    frames: tuple[Frame, ...] = ()
    resets: tuple[str, ...] = ()

    @property
    def judged(self) -> Verdict:
        return Verdict(self.verdict)

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def outcome(case: Case, result: Result, device: str, channel: str, *, masked: bool = False) -> Outcome:
    """What a case and its result say together. ``masked``: without the bytes of messages."""
    return kept(case, result, device, channel, masked=masked)[0]


def kept(case: Case, result: Result, device: str, channel: str, *, masked: bool = False) -> tuple[Outcome, bytes]:
    """The same, and the line of exchanges whose digest it has; an empty one where there was no exchange."""
    rows = _exchanges(result.rows)
    line = capture(case.id, result, device, channel, masked=masked) if rows else b""
    command = f"vhc-bench conform --dut {case.kind.value}={device} --channel {channel} --only '{case.id}'"
    told = Outcome(
        case.id, case.kind.value, case.says, case.zh, case.clauses, case.nature.value, device, channel, result.verdict.value,
        result.status.value, result.why, command,
        tuple((c.what, c.holds, c.expected, c.received) for c in result.checks), len(rows),
        hashlib.sha256(line).hexdigest() if line else "",
        () if result.verdict is Verdict.PASS else tuple(_frame(row, masked) for row in rows[-FRAMES:]),
        tuple(sorted({row.reply.hex() for row in rows if not row.request and row.reply})),
    )
    return told, line


def capture(case: str, result: Result, device: str, channel: str, *, masked: bool = False) -> bytes:
    """One line: which case on which device over which channel, and its exchanges in order, in RFC 8785's form; times since the
    first of them. ``frames``: those that carried an exchange, where they were asked for; of masked ones the heads."""
    rows = _exchanges(result.rows)
    frames: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in result.rows:
        if isinstance(row, FrameRow):
            frames.setdefault((row.role, row.exchange_ns), []).append(_below(row, masked))
    return rfc8785.dumps({
        "case": case, "device": device, "channel": channel,
        "exchanges": [_evidence(row, rows[0].at_ns, frames.get((row.role, row.at_ns), []), masked) for row in rows],
    })


def _evidence(row: ExchangeRow, since_ns: int, frames: list[dict[str, Any]], masked: bool) -> dict[str, Any]:
    told = {
        "since_us": (row.at_ns - since_ns) // 1000, "duration_ns": row.duration_ns, "role": row.role, "channel": row.channel,
        "provenance": row.provenance, "step": row.step, "outcome": row.outcome, "status": row.status,
        "request": len(row.request) if masked else row.request.hex(), "reply": len(row.reply) if masked else row.reply.hex(),
    }
    return told | {"frames": frames} if frames else told


def _below(frame: FrameRow, masked: bool) -> dict[str, Any]:
    head = frame.head_bytes
    data = frame.data[:head] + b"*" * (len(frame.data) - head) if masked else frame.data
    return {"after_ns": frame.after_ns, "layer": frame.layer, "sent": frame.sent, "head_bytes": head, "data": data.hex()}


def _exchanges(rows: Iterable[Row]) -> list[ExchangeRow]:
    return [row for row in rows if isinstance(row, ExchangeRow)]


def _frame(row: ExchangeRow, masked: bool) -> Frame:
    request, reply = (f"{len(part)} bytes" if masked else shown(part) for part in (row.request, row.reply))
    return row.step, row.outcome, row.status, request, reply


def not_run(case: Case, why: str, device: str, channel: str, verdict: Verdict = Verdict.NOT_APPLICABLE) -> Outcome:
    """Of a case that was never begun."""
    return outcome(case, Result(case.id, verdict, Status.NOT_RUN, why), device, channel)


def read(plain: dict[str, Any]) -> Outcome:
    pairs = {name: tuple(map(tuple, plain[name])) for name in ("checks", "frames")}
    return Outcome(**{**plain, **pairs, "clauses": tuple(plain["clauses"]), "resets": tuple(plain["resets"])})


__all__ = ["FRAMES", "Frame", "Outcome", "capture", "kept", "not_run", "outcome", "read"]
