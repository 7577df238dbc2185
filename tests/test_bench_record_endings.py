"""How a run ends: completed, interrupted, failed, or with a disk that is full or gone; the rows stay, the end is told."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench import journal
from bench.record import Recorder, RecordError, State, recover, state
from virtual_devices.clock import NS, VirtualClock
from virtual_devices.errors import UsageError
from virtual_devices.trace import TABLES, ExchangeRow

from .run_directories import EXCHANGE, read_json, read_table, some_rows, write_run


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


def test_damaged_end_is_an_error_and_not_a_guess(tmp_path: Path) -> None:
    write_run(tmp_path / "run", some_rows(1))
    (tmp_path / "run" / "end.json").write_text('{"ended":"somehow"}')
    with pytest.raises(RecordError, match="damaged"):
        state(tmp_path / "run")


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
