"""The run directory survives what runs go through: kills, full disks, interrupts, and a curious second process."""

from __future__ import annotations

import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import journal
from bench.record import MANIFEST_KEYS, Recorder, RecordError, State, canonical_json, recover, state
from virtual_devices.clock import NS, VirtualClock
from virtual_devices.errors import UsageError
from virtual_devices.trace import TABLES, ActRow, ExchangeRow, Row

ROOT = Path(__file__).parent.parent
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


def as_killed(run: Path, journals: Path) -> Path:
    """Make a finished run look as if its writer had been killed: the journals back, the end gone."""
    shutil.copytree(journals, run / "journal", dirs_exist_ok=True)
    shutil.rmtree(run / "tables", ignore_errors=True)
    for name in ("end.json", "recovered.json"):
        (run / name).unlink(missing_ok=True)
    return run


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A run of 20 exchanges and 6 acts in three batches each (the last is smaller) whose writer is gone."""
    recorder = Recorder(tmp_path / "run", {}, flush_rows=10)
    for row in some_rows(20):
        recorder.record(row)
    recorder.flush()
    shutil.copytree(tmp_path / "run" / "journal", tmp_path / "kept")
    recorder.close()
    return as_killed(tmp_path / "run", tmp_path / "kept")


# --- a run that ends well ---------------------------------------------------------------------------------


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


def test_end_says_how_when_and_how_much(tmp_path: Path) -> None:
    clock = VirtualClock(1_772_409_600 * NS)
    with Recorder(tmp_path / "run", {}, clock=clock) as recorder:
        recorder.record(EXCHANGE)
        clock.advance_to(clock.now_ns() + 2_500_000_000)
    end = read_json(tmp_path / "run" / "end.json")
    assert end["ended"] == "completed"
    assert end["rows"] == {name: int(name == "exchanges") for name in TABLES}
    assert (end["started_at"], end["elapsed_s"]) == ("2026-03-02T00:00:00.000+00:00", 2.5)


def test_close_adds_what_the_caller_says_about_the_end(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run", {})
    recorder.close({"ended": "interrupted", "replications_done": 3})
    end = read_json(tmp_path / "run" / "end.json")
    assert (end["ended"], end["replications_done"]) == ("interrupted", 3)
    recorder.close()
    assert read_json(tmp_path / "run" / "end.json") == end


def test_close_refuses_an_unknown_ending_and_can_be_tried_again(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run", {})
    with pytest.raises(UsageError, match="not 'fine'"):
        recorder.close({"ended": "fine"})
    with pytest.raises(UsageError, match="JSON"):
        recorder.close({"what": object()})
    recorder.close()
    assert state(tmp_path / "run") is State.COMPLETE


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


# --- the same rows, the same bytes ------------------------------------------------------------------------


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


# --- runs that do not end well ----------------------------------------------------------------------------


def test_interrupt_keeps_the_rows_and_says_interrupted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Recorder(tmp_path / "run", {}) as recorder:
        recorder.record(EXCHANGE)
        raise KeyboardInterrupt
    assert state(tmp_path / "run") is State.INTERRUPTED
    assert len(read_table(tmp_path / "run", "exchanges")) == 1


def test_failure_keeps_the_rows_and_the_error_text(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Recorder(tmp_path / "run", {}) as recorder:
        recorder.record(EXCHANGE)
        raise ZeroDivisionError("no doctor")
    end = read_json(tmp_path / "run" / "end.json")
    assert (end["ended"], end["error"], end["rows"]["exchanges"]) == ("failed", "ZeroDivisionError: no doctor", 1)
    assert state(tmp_path / "run") is State.FAILED


@pytest.mark.parametrize("there", ["manifest.json", "end.json", "journal", "tables", "recovered.json"])
def test_directory_with_a_run_in_it_is_refused(tmp_path: Path, there: str) -> None:
    (tmp_path / there).touch()
    with pytest.raises(UsageError, match=f"{there}.*name another directory"):
        Recorder(tmp_path, {})


def test_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(RecordError, match="cannot become a run directory"):
        Recorder(tmp_path / "run", {})


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


def test_vanished_directory_stops_the_run(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run", {}, flush_rows=2)
    for row in (EXCHANGE, EXCHANGE, EXCHANGE):
        recorder.record(row)
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(RecordError, match="rows cannot be written"):
        recorder.record(EXCHANGE)


def test_replaced_journal_stops_the_run(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run", {}, flush_rows=1)
    recorder.record(EXCHANGE)
    path = tmp_path / "run" / "journal" / "exchanges.arrows"
    path.rename(tmp_path / "elsewhere")
    path.touch()
    with pytest.raises(RecordError, match="was replaced"):
        recorder.record(EXCHANGE)


@contextmanager
def file_size_limit(limit_bytes: int) -> Iterator[None]:
    """The kernel refuses to let any file of this process grow further: as near to a full disk as a test can come."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_stops_the_run_and_loses_only_the_batch_that_did_not_fit(tmp_path: Path) -> None:
    with file_size_limit(50_000), pytest.raises(RecordError, match="rows cannot be written"):
        write_run(tmp_path / "run", (EXCHANGE for _ in range(10_000)), flush_rows=100)
    assert state(tmp_path / "run") is State.KILLED
    kept = recover(tmp_path / "run")
    assert kept.truncated == ("exchanges",)
    assert 100 <= kept.rows["exchanges"] < 10_000 and kept.rows["exchanges"] % 100 == 0


def test_full_disk_keeps_the_error_that_came_first(tmp_path: Path) -> None:
    with file_size_limit(50_000), pytest.raises(ZeroDivisionError) as caught, Recorder(tmp_path / "run", {}) as recorder:
        for _ in range(1000):
            recorder.record(EXCHANGE)
        raise ZeroDivisionError
    assert "can be recovered" in caught.value.__notes__[0]


@pytest.mark.parametrize("strike", range(1, 9))
def test_interrupt_inside_a_flush_neither_loses_nor_doubles_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strike: int
) -> None:
    """Interrupt the n-th call of the flush's helpers; the rows come out once each all the same."""
    calls = 0

    def maybe(function: Any) -> Any:
        def wrapped(*args: Any) -> Any:
            nonlocal calls
            result = function(*args)
            calls += 1
            if calls == strike:
                raise KeyboardInterrupt
            return result

        return wrapped

    with pytest.raises(KeyboardInterrupt), Recorder(tmp_path / "run", {}, flush_rows=4) as recorder:
        monkeypatch.setattr(journal, "to_batch", maybe(journal.to_batch))
        monkeypatch.setattr(journal.Journal, "_check_still_there", maybe(journal.Journal._check_still_there))
        monkeypatch.setattr(journal, "_put", maybe(journal._put))
        done = 0
        for row in some_rows(30):
            done += isinstance(row, ExchangeRow)
            recorder.record(row)
    assert [r["at_ns"] - EXCHANGE.at_ns for r in read_table(tmp_path / "run", "exchanges")] == list(range(done))


# --- kills and recovery -----------------------------------------------------------------------------------

CHILD = """
import os, sys
from pathlib import Path
from bench.record import Recorder
from virtual_devices.trace import ActRow
recorder = Recorder(Path(sys.argv[1]), {"title": "killed"}, flush_rows=1000)
for i in range(2500):
    recorder.record(ActRow(0, "v", "s", "holder", "insert card", i, 6))
if sys.argv[2] == "fork" and os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
print("ready", flush=True)
sys.stdin.read()
"""


def start_child(run: Path, *, fork: bool = False) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(run), "fork" if fork else "alone"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def kill(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGKILL)
    child.wait()


def test_killed_process_leaves_all_it_had_flushed(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with start_child(run) as child:
        try:
            assert state(run) is State.RUNNING
            with pytest.raises(UsageError, match="still being written"):
                recover(run)
        finally:
            kill(child)
    assert state(run) is State.KILLED
    kept = recover(run)
    assert kept.rows == {name: 2000 * (name == "acts") for name in TABLES} and kept.truncated == ()
    assert [r["at_ns"] for r in read_table(run, "acts")] == list(range(2000))
    assert state(run) is State.RECOVERED


def test_worker_that_outlives_a_killed_run_does_not_hold_it(tmp_path: Path) -> None:
    with start_child(tmp_path / "run", fork=True) as child:
        kill(child)
        for _ in range(100):  # the forked worker lets go of the lock with its first act, whenever it gets to that
            if state(tmp_path / "run") is not State.RUNNING:
                break
            time.sleep(0.05)
        assert state(tmp_path / "run") is State.KILLED


def test_recovery_writes_its_own_record_and_never_an_end(killed: Path) -> None:
    recover(killed)
    said = read_json(killed / "recovered.json")
    assert said == {"killed": True, "rows": {n: {"exchanges": 20, "acts": 6}.get(n, 0) for n in TABLES}, "truncated": []}
    assert not (killed / "end.json").exists() and not (killed / "journal").exists()


def test_recovery_is_idempotent(killed: Path) -> None:
    first = recover(killed)
    before = {p: p.read_bytes() for p in killed.rglob("*") if p.is_file()}
    assert recover(killed) == first
    assert {p: p.read_bytes() for p in killed.rglob("*") if p.is_file()} == before


def test_recovered_rows_are_those_of_an_undisturbed_run(killed: Path, tmp_path: Path) -> None:
    recover(killed)
    whole = write_run(tmp_path / "whole", some_rows(20))
    for table in TABLES:
        name = f"tables/{table}.parquet"
        assert (killed / name).read_bytes() == (whole / name).read_bytes()


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


def test_journal_cut_at_any_byte_keeps_its_whole_batches(killed: Path, tmp_path: Path) -> None:
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
    assert [r["at_ns"] for r in read_rows(path.parent)] == list(range(found.rows))


def read_rows(directory: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(directory / "exchanges.parquet", columns=["at_ns"]).to_pylist()
    return rows


def test_recovery_names_the_tables_that_were_cut(killed: Path) -> None:
    path = killed / "journal" / "acts.arrows"
    path.write_bytes(path.read_bytes()[:-5])
    kept = recover(killed)
    assert kept.truncated == ("acts",)
    assert kept.rows["acts"] < 6 and kept.rows["exchanges"] == 20


def test_run_killed_while_removing_used_journals_is_recovered_whole(killed: Path, tmp_path: Path) -> None:
    recover(killed)
    shutil.copytree(tmp_path / "kept", killed / "journal")
    (killed / "recovered.json").unlink()
    (killed / "journal" / "exchanges.arrows").unlink()  # its Parquet file stands
    (killed / "tables" / "acts.parquet").unlink()  # its journal stands
    kept = recover(killed)
    assert (kept.rows["exchanges"], kept.rows["acts"]) == (20, 6)


def test_recovery_refuses_a_journal_of_another_version(killed: Path) -> None:
    shutil.copy(killed / "journal" / "acts.arrows", killed / "journal" / "visits.arrows")
    with pytest.raises(RecordError, match="other columns"):
        recover(killed)
    assert (killed / "journal" / "exchanges.arrows").exists()


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_recovery_refuses_what_is_no_run(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    assert state(tmp_path / name) is State.NOT_A_RUN
    with pytest.raises(UsageError, match=r"no manifest\.json"):
        recover(tmp_path / name)


def test_recovery_refuses_a_run_that_ended(tmp_path: Path) -> None:
    write_run(tmp_path / "run", some_rows(1))
    with pytest.raises(UsageError, match="needs no recovery: the run ended as completed"):
        recover(tmp_path / "run")


def test_damaged_end_is_an_error_and_not_a_guess(tmp_path: Path) -> None:
    write_run(tmp_path / "run", some_rows(1))
    (tmp_path / "run" / "end.json").write_text('{"ended":"somehow"}')
    with pytest.raises(RecordError, match="damaged"):
        state(tmp_path / "run")


# --- small things, and the reference page -----------------------------------------------------------------


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical_json({"b": 1, "a": [None, 0.1, "卡"]}) == '{"a":[null,0.1,"卡"],"b":1}\n'.encode()


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"x"])
def test_canonical_json_refuses_what_json_has_not(value: Any) -> None:
    with pytest.raises(UsageError, match="JSON"):
        canonical_json(value)


def doc_table(heading: str) -> dict[str, str]:
    """First column -> second column of the table under a heading of the reference page."""
    text = (ROOT / "docs" / "reference" / "run-directory.md").read_text(encoding="utf-8")
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no heading {heading}"
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]*?) \|", found.group(1), re.MULTILINE))


@pytest.mark.parametrize("table", TABLES)
def test_reference_page_lists_every_column_with_its_type(table: str) -> None:
    kinds = {name: kind.__name__ for name, kind in get_type_hints(TABLES[table]).items()}
    assert list(doc_table(table).items()) == list(kinds.items())


def test_reference_page_lists_every_key_of_the_manifest() -> None:
    assert tuple(doc_table("manifest.json")) == MANIFEST_KEYS


def test_reference_page_lists_what_an_end_says(tmp_path: Path) -> None:
    write_run(tmp_path / "run", some_rows(1))
    assert set(doc_table("end.json")) == {*read_json(tmp_path / "run" / "end.json"), "error"}


def test_reference_page_lists_what_a_recovery_says(killed: Path) -> None:
    recover(killed)
    assert set(doc_table("recovered.json")) == set(read_json(killed / "recovered.json"))
