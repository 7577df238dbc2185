"""What the cases in pytest leave for the command ``conform``: a file of JSON, and every exchange where that was asked for.

:mod:`bench.pytest_plugin` takes its names from here, and is loaded with every pytest of an environment: so what reads the file is
imported when it is read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.latency import Latency
    from conformance.outcome import Outcome

PROPERTY, TIMED, CAPTURE, LOST = "conformance", "conformance latency", "conformance capture", "conformance lost"


@dataclass(frozen=True)
class Results:
    """``exchanges``: the bytes of :data:`bench.exchanges.EXCHANGES`; empty when nobody asked for them. ``lost``: limits of time
    that left no verdict, by device and channel."""

    outcomes: tuple[Outcome, ...]
    latency: tuple[Latency, ...] = ()
    exchanges: bytes = b""
    lost: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path, exchanges: Path | None = None) -> Results:
        """From the plugin's two files."""
        from conformance.latency import Latency
        from conformance.outcome import read

        found = json.loads(path.read_text(encoding="utf-8"))
        timed = (Latency.model_validate_json(json.dumps(each)) for each in found[TIMED])
        return cls(tuple(map(read, found[PROPERTY])), tuple(timed), b"" if exchanges is None else exchanges.read_bytes(),
                   tuple(found[LOST]))


__all__ = ["CAPTURE", "LOST", "PROPERTY", "TIMED", "Results"]
