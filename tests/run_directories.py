"""Run directories for tests: rows to record, runs that ended well or by a kill, and reading them back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from bench.record import Recorder
from virtual_devices.clock import NS
from virtual_devices.trace import ActRow, ExchangeRow, Row

EXCHANGE = ExchangeRow(
    replication=0, visit="v0", session="s0", flow="register", step="read basic data", role="card", channel="contact",
    device="virtual", provenance="modelled", at_ns=1_772_409_600 * NS, duration_ns=12_345_678, outcome="replied",
    request=bytes.fromhex("00a4040c"), reply=b"\x90\x00", request_bytes=4, reply_bytes=2, status="9000", fault="",
)  # fmt: skip
ACT = ActRow(0, "v0", "s0", "holder", "insert card", 5, 6)


def some_rows(count: int) -> Iterator[Row]:
    """Exchanges, with an act after every third."""
    for i in range(count):
        yield replace(EXCHANGE, visit=f"v{i // 4}", at_ns=EXCHANGE.at_ns + i, reply=i.to_bytes(2, "big"))
        if i % 3 == 2:
            yield replace(ACT, visit=f"v{i // 4}", at_ns=i)


def write_run(directory: Path, rows: Iterator[Row], **options: Any) -> Path:
    with Recorder(directory, {"title": "t"}, **options) as recorder:
        for row in rows:
            recorder.record(row)
    return directory


def read_table(directory: Path, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(directory / "tables" / f"{table}.parquet").to_pylist()
    return rows


def read_json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def killed_run(folder: Path) -> Path:
    """A run of 20 exchanges and 6 acts in three batches each (the last is smaller) whose writer is gone.

    Beside it, in ``kept``, a copy of its journals.
    """
    run, kept = folder / "run", folder / "kept"
    recorder = Recorder(run, {}, flush_rows=10)
    for row in some_rows(20):
        recorder.record(row)
    recorder.flush()
    shutil.copytree(run / "journal", kept)
    recorder.close()  # lets go of the lock; what it wrote at the end is taken away again
    shutil.copytree(kept, run / "journal", dirs_exist_ok=True)
    shutil.rmtree(run / "tables")
    (run / "end.json").unlink()
    return run
