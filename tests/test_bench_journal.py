"""A journal cut at any byte keeps its whole batches and says that it was cut."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import journal
from bench.record import Recorder

from .run_directories import EXCHANGE, killed_run


def borders_of(data: bytes) -> list[int]:
    """Where each batch of a small journal ends, found by asking how long it must be for its rows to be readable."""
    borders: list[int] = []
    rows = 0
    for cut in range(len(data) + 1):
        try:
            found = sum(batch.num_rows for batch in pa.ipc.open_stream(pa.py_buffer(data[:cut])))
        except (pa.ArrowException, OSError):
            continue
        if found > rows:
            borders, rows = [*borders, cut], found
    return borders


def test_journal_cut_at_any_byte_keeps_its_whole_batches(tmp_path: Path) -> None:
    killed_run(tmp_path)
    kept = tmp_path / "kept" / "acts.arrows"
    data = kept.read_bytes()
    batch_ends = borders_of(data)
    assert len(batch_ends) == 3 and batch_ends[-1] == len(data)
    sizes = [len(batch) for batch in pa.ipc.open_stream(pa.py_buffer(data))]
    path = tmp_path / "cut" / "acts.arrows"
    path.parent.mkdir()
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        found = journal.journal_to_parquet(path, path.parent, "acts")
        whole = [end for end in batch_ends if end <= cut]
        assert found.rows == sum(sizes[: len(whole)]), cut
        assert found.truncated == (cut not in (0, *batch_ends)), cut
        assert journal.parquet_rows(path.parent / "acts.parquet") == found.rows


@pytest.fixture(scope="module")
def big_journal(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The exchanges of 40 batches of 500 rows, as one journal."""
    run = tmp_path_factory.mktemp("big") / "run"
    recorder = Recorder(run, {}, flush_rows=500)
    for i in range(20_000):
        recorder.record(replace(EXCHANGE, at_ns=i))
    data = (run / "journal" / "exchanges.arrows").read_bytes()
    recorder.close()
    return data


@given(where=st.floats(0, 1))
def test_big_journal_cut_anywhere_keeps_whole_batches(
    big_journal: bytes, tmp_path_factory: pytest.TempPathFactory, where: float
) -> None:
    path = tmp_path_factory.mktemp("cut") / "exchanges.arrows"
    cut = int(where * len(big_journal))
    path.write_bytes(big_journal[:cut])
    found = journal.journal_to_parquet(path, path.parent, "exchanges")
    schema_bytes = len(journal.SCHEMAS["exchanges"].serialize())
    batch_bytes = (len(big_journal) - schema_bytes) / 40
    assert found.rows == 500 * max(0, int((cut - schema_bytes) / batch_bytes + 1e-9))
    table = pq.read_table(path.parent / "exchanges.parquet", columns=["at_ns"])
    assert table["at_ns"].to_pylist() == list(range(found.rows))
