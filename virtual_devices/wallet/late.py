"""Who signed records that came late: judged at another time than now, and by nothing that a session would not take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from virtual_devices.clock import NS
from virtual_devices.holder.readers import LONGEST_NS, SKEW_S, Reader, Readers
from virtual_devices.link import Work
from virtual_devices.pki import PROFESSIONALS, ChainVerifier, Refused, Role


def moments(received: Sequence[Any], made: Sequence[int], now_ns: int) -> list[int]:
    """By when the signers of late records are judged; empty for times that cannot be: received before they were made, or later
    than now."""
    if not received:
        return [min(made), max(made)]
    at_ns, skew_ns = received[0], SKEW_S * NS
    if len(received) > 1 or not isinstance(at_ns, int) or isinstance(at_ns, bool):
        return []
    return [at_ns] if max(made) - skew_ns <= at_ns <= now_ns + skew_ns else []


def late_readers(
    chains: Sequence[Sequence[bytes]], times_ns: Sequence[int], root: ChainVerifier, work: Work,
) -> Readers:
    """Who signed, by chains that were good at all these times."""
    found: dict[str, Reader] = {}
    for chain in chains:
        verdicts = [root.check(chain, PROFESSIONALS | {Role.SAM}, at_ns) for at_ns in times_ns]
        work.chains += len(verdicts)
        who = verdicts[0]
        if isinstance(who, Refused) or any(isinstance(v, Refused) for v in verdicts):
            continue
        if who.not_after_ns - who.not_before_ns <= LONGEST_NS:
            found["sam" if who.role is Role.SAM else "hpc"] = Reader(who, tuple(chain))
    return Readers(found.get("sam"), found.get("hpc"))
