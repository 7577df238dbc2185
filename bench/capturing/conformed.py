"""The exchanges of a conformance report as rows, case after case: what is beside it as evidence, for a capture.

Cases share no clock (those of virtual devices all begin at the same moment), so they are laid out one after the other from the
moment of the report on; within a case the times are its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from virtual_devices.clock import NS, from_datetime
from virtual_devices.trace import ExchangeRow, FrameRow

APART_NS = NS // 100
"""Between the end of a case and the next."""


@dataclass(frozen=True, slots=True)
class Conformed:
    """One exchange: its case, which is the ``visit`` of its row, the device and the channel that it was tried over."""

    case: str
    device: str
    channel: str
    row: ExchangeRow
    frames: tuple[FrameRow, ...]


def conformed(at: str, lines: Iterable[bytes]) -> Iterator[Conformed]:
    """``at``: the report's (RFC 3339); ``lines``: of its exchanges. Raises ValueError, LookupError or TypeError for what is
    none."""
    begin_ns = from_datetime(datetime.fromisoformat(at))
    for line in lines:
        told = json.loads(line)
        end_ns = begin_ns
        for exchange in told["exchanges"]:
            row = _row(told, exchange, begin_ns)
            end_ns = max(end_ns, row.at_ns + row.duration_ns)
            frames = tuple(_frame(row, each) for each in exchange.get("frames", ()))
            yield Conformed(told["case"], told["device"], told["channel"], row, frames)
        begin_ns = end_ns + APART_NS


def _row(told: dict[str, Any], exchange: dict[str, Any], begin_ns: int) -> ExchangeRow:
    request, request_bytes = _bytes(exchange["request"])
    reply, reply_bytes = _bytes(exchange["reply"])
    replied = exchange["outcome"] == "replied"
    return ExchangeRow(
        replication=0, visit=told["case"], session=f"{told['case']} {told['device']} {told['channel']}", flow="conform",
        step=exchange["step"], role=exchange["role"], channel=exchange["channel"], device=told["device"],
        provenance=exchange["provenance"], at_ns=begin_ns + exchange["since_us"] * 1000, duration_ns=exchange["duration_ns"],
        outcome=exchange["outcome"], request=request, reply=reply, request_bytes=request_bytes,
        reply_bytes=reply_bytes if replied else -1, status=exchange["status"], fault="",
    )


def _bytes(said: str | int) -> tuple[bytes, int]:
    """The bytes of a message and their number; of one that is somebody's the number alone."""
    if isinstance(said, int):
        return b"", said
    raw = bytes.fromhex(said)
    return raw, len(raw)


def _frame(row: ExchangeRow, said: dict[str, Any]) -> FrameRow:
    return FrameRow(
        0, row.session, row.role, row.at_ns, said["after_ns"], said["layer"], said["sent"], said["head_bytes"],
        bytes.fromhex(said["data"]),
    )


__all__ = ["Conformed", "conformed"]
