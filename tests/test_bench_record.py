"""A run directory holds every row as it was given, in files that follow from the rows alone."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import journal
from bench.record import Recorder, RecordError, canonical_json
from virtual_devices.clock import NS, VirtualClock
from virtual_devices.errors import UsageError
from virtual_devices.trace import TABLES, ExchangeRow, Row

from .run_directories import ACT, EXCHANGE, read_table, some_rows, write_run


def test_run_comes_back_row_by_row(tmp_path: Path) -> None:
    rows = list(some_rows(25))
    run = write_run(tmp_path / "run", iter(rows), flush_rows=7)
    names = [field.name for field in fields(ExchangeRow)]
    expected = [{name: getattr(row, name) for name in names} for row in rows if isinstance(row, ExchangeRow)]
    assert read_table(run, "exchanges") == expected
    assert len(read_table(run, "acts")) == 8


@pytest.mark.parametrize("table", TABLES)
def test_table_has_the_columns_of_its_row_even_when_empty(tmp_path: Path, table: str) -> None:
    run = write_run(tmp_path / "run", iter(()))
    schema = pq.read_schema(run / "tables" / f"{table}.parquet")
    arrow = {int: pa.int64(), str: pa.string(), float: pa.float64(), bool: pa.bool_(), bytes: pa.binary()}
    assert {f.name: f.type for f in schema} == {n: arrow[t] for n, t in get_type_hints(TABLES[table]).items()}
    assert not any(f.nullable for f in schema)
    assert read_table(run, table) == []


@pytest.mark.parametrize("row_type", TABLES.values())
def test_every_kind_of_row_can_be_recorded(tmp_path: Path, row_type: type[Row]) -> None:
    values: dict[type, Any] = {int: -1, str: "健保", float: 0.5, bool: True, bytes: b"\x00\xff"}
    row: Any = row_type(**{name: values[kind] for name, kind in get_type_hints(row_type).items()})
    run = write_run(tmp_path / "run", iter([row]))
    table = next(name for name, kind in TABLES.items() if kind is row_type)
    assert [tuple(r.values()) for r in read_table(run, table)] == [tuple(getattr(row, f.name) for f in fields(row))]


def test_finished_run_holds_exactly_these_files(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", some_rows(3))
    found = {str(p.relative_to(run)) for p in run.rglob("*") if p.is_file()}
    assert found == {"manifest.json", "end.json"} | {f"tables/{name}.parquet" for name in TABLES}


def test_manifest_is_there_before_any_row_and_carries_the_layout_version(tmp_path: Path) -> None:
    Recorder(tmp_path / "run", {"title": "健保", "seed": 7})
    assert (tmp_path / "run" / "manifest.json").read_bytes() == '{"schema":1,"seed":7,"title":"健保"}\n'.encode()


def test_journal_is_made_only_for_tables_that_have_rows(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run", {})
    recorder.record(EXCHANGE)
    assert list((tmp_path / "run" / "journal").iterdir()) == []
    recorder.flush()
    assert [p.name for p in (tmp_path / "run" / "journal").iterdir()] == ["exchanges.arrows"]


def test_all_tables_are_flushed_together(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run", {}, flush_rows=3)
    for row in (EXCHANGE, ACT, EXCHANGE):
        recorder.record(row)
    assert {p.name for p in (tmp_path / "run" / "journal").iterdir()} == {"exchanges.arrows", "acts.arrows"}
    assert recorder.rows()["exchanges"] == 2


def test_rows_of_a_slow_run_are_flushed_after_a_second(tmp_path: Path) -> None:
    clock = VirtualClock(1_772_409_600 * NS)
    recorder = Recorder(tmp_path / "run", {}, clock=clock)
    journal_bytes = []
    for _ in range(5):
        recorder.record(EXCHANGE)
        path = tmp_path / "run" / "journal" / "exchanges.arrows"
        journal_bytes.append(path.stat().st_size if path.exists() else 0)
        clock.advance_to(clock.now_ns() + NS // 2)
    assert journal_bytes[:2] == [0, 0]
    assert 0 < journal_bytes[2] == journal_bytes[3] < journal_bytes[4]


def test_parquet_bytes_do_not_depend_on_when_time_made_them_flush(tmp_path: Path) -> None:
    def recorded(name: str, step_ns: int) -> Path:
        clock = VirtualClock(1_772_409_600 * NS)
        with Recorder(tmp_path / name, {}, clock=clock) as recorder:
            for row in some_rows(300):
                recorder.record(row)
                clock.advance_to(clock.now_ns() + step_ns)
        return tmp_path / name

    runs = [recorded("fast", 0), recorded("slow", NS // 7), recorded("slower", 2 * NS)]
    for table in TABLES:
        assert len({(run / "tables" / f"{table}.parquet").read_bytes() for run in runs}) == 1, table


def test_parquet_bytes_follow_from_the_rows_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "ROW_GROUP_ROWS", 64)
    runs = [write_run(tmp_path / str(n), some_rows(500), flush_rows=n) for n in (1, 7, 64, 100, 10_000)]
    for table in TABLES:
        assert len({(run / "tables" / f"{table}.parquet").read_bytes() for run in runs}) == 1, table
    assert pq.ParquetFile(runs[0] / "tables" / "exchanges.parquet").num_row_groups == 8


def test_parquet_bytes_are_the_same_after_many_pages_of_one_row_group(tmp_path: Path) -> None:
    """With real row groups: pages of 1 MiB borders must not follow the batches either."""
    big = [replace(EXCHANGE, at_ns=i, reply=bytes([i % 251]) * 300 + i.to_bytes(4, "big")) for i in range(9000)]
    runs = [write_run(tmp_path / str(n), iter(big), flush_rows=n) for n in (777, 20_000)]
    assert len({(run / "tables" / "exchanges.parquet").read_bytes() for run in runs}) == 1


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (replace(EXCHANGE, at_ns=1.5), "exchanges.at_ns must be int, a row has float there"),  # type: ignore[arg-type]
        (replace(EXCHANGE, at_ns=2**63), "exchanges.at_ns must fit int64"),
        (replace(EXCHANGE, status=None), "exchanges.status must be str, a row has None there"),  # type: ignore[arg-type]
        (replace(EXCHANGE, visit="\ud800"), "exchanges.visit must fit string"),
        (replace(EXCHANGE, reply="9000"), "exchanges.reply must be bytes, a row has str there"),  # type: ignore[arg-type]
    ],
)
def test_row_that_does_not_fit_its_table_stops_the_run(tmp_path: Path, row: Row, says: str) -> None:
    recorder = Recorder(tmp_path / "run", {}, flush_rows=1)
    with pytest.raises(RecordError, match=says):
        recorder.record(row)
    with pytest.raises(RecordError, match=says):
        recorder.record(EXCHANGE)


def test_foreign_row_is_refused(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run", {})
    with pytest.raises(RecordError, match="dict is not a row"):
        recorder.record({"visit": "v0"})  # type: ignore[arg-type]


def test_row_after_the_end_is_refused(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run", {})
    recorder.close()
    with pytest.raises(RecordError, match="ActRow comes too late"):
        recorder.record(ACT)


@pytest.mark.parametrize("there", ["manifest.json", "end.json", "journal", "tables", "recovered.json"])
def test_directory_with_a_run_in_it_is_refused(tmp_path: Path, there: str) -> None:
    (tmp_path / there).touch()
    with pytest.raises(UsageError, match=f"{there}.*name another directory"):
        Recorder(tmp_path, {})


def test_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(RecordError, match="cannot become a run directory"):
        Recorder(tmp_path / "run", {})


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical_json({"b": 1, "a": [None, 0.1, "卡"]}) == '{"a":[null,0.1,"卡"],"b":1}\n'.encode()


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"x"])
def test_canonical_json_refuses_what_json_has_not(value: Any) -> None:
    with pytest.raises(UsageError, match="JSON"):
        canonical_json(value)
