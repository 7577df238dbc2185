"""What was sent and received in a conformance run, beside its report: ``exchanges.jsonl.gz``, a line of JSON a case
(:func:`conformance.outcome.capture`); of which cases, :func:`needed` says.

Each line is a member of the gzip file by itself (RFC 1952, 2.2). So the process that tried the case packs it, members stand one
after the other as they are, and nobody ever holds all of them unpacked; to gunzip and its like it is a file as any other.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from conformance.verdict import Verdict
from virtual_devices.errors import UsageError

EXCHANGES = "exchanges.jsonl.gz"
_GZIP = 16 + zlib.MAX_WBITS
"""To zlib: with gzip's head, without time or name."""


def needed(verdict: Verdict, *, real: bool) -> bool:
    """Whether somebody else could not have these exchanges again. What passed on the bench's own device, or did not apply to it,
    comes again byte for byte from the seed, and the report has its digest; what did not pass is kept for whoever looks at it, and
    what somebody's own device did happens once."""
    return real or verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE)


def packed(line: bytes = b"") -> bytes:
    """A line as a member; without one the member that is empty: a file without any would be none. Most of it is what sessions
    encrypt, in hex; "filtered" spares zlib the short matches there, which cost more than they save."""
    made = zlib.compressobj(9, zlib.DEFLATED, _GZIP, zlib.DEF_MEM_LEVEL, zlib.Z_FILTERED)
    return made.compress(line + b"\n" * bool(line)) + made.flush()


def lines(folder: Path) -> Iterator[bytes]:
    """The lines beside a report, one after the other. Raises UsageError when there is no such file, or it is none."""
    path = folder / EXCHANGES
    try:
        with gzip.open(path) as file:
            for line in file:
                yield line.removesuffix(b"\n")
    except (OSError, EOFError, zlib.error) as e:
        raise UsageError(f"{path}: {getattr(e, 'strerror', None) or e}") from None


__all__ = ["EXCHANGES", "lines", "needed", "packed"]
