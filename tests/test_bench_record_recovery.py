"""A run whose writer was killed: what it had flushed is recovered, whole batches, once, and nothing else is touched."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.record import RecordError, State, recover, state
from virtual_devices.errors import UsageError
from virtual_devices.trace import TABLES

from .places import ROOT
from .processes import wait_until
from .run_directories import killed_run, read_json, read_table, some_rows, write_run


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    return killed_run(tmp_path)


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
        # the forked worker lets go of the lock with its first act, whenever it gets to that
        assert wait_until(lambda: state(tmp_path / "run") is not State.RUNNING)
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
