"""Recording: a row kept in the run directory against a tuple appended to a list, and the tables at the end."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import astuple
from pathlib import Path

from bench.record import Recorder
from benchmarks._table import Figure, options, show
from virtual_devices.trace import ExchangeRow

ROWS, SAMPLE_ROWS = 100_000, 10_000


def row(number: int) -> ExchangeRow:
    """An exchange as the clinic morning has them."""
    return ExchangeRow(
        0, f"v{number // 80:05d}", f"registration 1/{number // 20}", "register", "authenticate SAM", "card", "contact", "virtual",
        "modelled", 1_772_409_600_000_000_000 + number * 1_000_000, 2_345_678 + number % 1000, "replied", b"\x00\x82" * 34,
        b"\x90\x00", 68, 2, "9000", "",
    )


def measure(count: int = ROWS) -> list[Figure]:
    """The same rows, made beforehand, both ways."""
    rows = [row(n) for n in range(count)]
    began = time.perf_counter()
    kept = []
    for each in rows:
        kept.append(astuple(each))
    list_us = (time.perf_counter() - began) / count * 1e6
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder, "run"), {"title": "benchmark"})
        began = time.perf_counter()
        for each in rows:
            recorder.record(each)
        recorder.flush()
        record_us = (time.perf_counter() - began) / count * 1e6
        began = time.perf_counter()
        recorder.close()
        close_us = (time.perf_counter() - began) / count * 1e6
    return [
        Figure("a row into the journal", record_us, "us", "a tuple into a list", record_us / list_us),
        Figure("a row into its table, at the end", close_us, "us", "a row into the journal", close_us / record_us),
    ]


def main() -> int:
    """``./bench.sh bench recording [--json] [--sample]``."""
    asked = options(__doc__).parse_args()
    show(measure(SAMPLE_ROWS if asked.sample else ROWS), asked.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
