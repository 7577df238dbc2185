"""The run directory: what a run leaves behind, and the only code that writes it.

::

    RUN/manifest.json           what was run; written before the first row
    RUN/journal/<table>.arrows  rows as they come, Arrow IPC streams; gone when the run is complete or recovered
    RUN/tables/<table>.parquet  the same rows at rest; written at the end, or by :func:`recover`
    RUN/end.json                how the run ended; written last, so a run without it was killed
    RUN/recovered.json          instead of end.json: the run was killed, and this much of it was kept

A journal survives its writer because an IPC stream is whole up to its last whole batch; Parquet is not, its index stands
at the end. The Parquet bytes depend on the rows alone, never on when they were flushed. Every file is described, column
by column, in ``docs/reference/run-directory.md``.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from bench.clock import WallClock
from bench.files import put
from bench.journal import Adder, Journal, JournalError, journal_to_parquet, parquet_rows
from virtual_devices.clock import NS, Clock, seconds
from virtual_devices.errors import BenchError, UsageError
from virtual_devices.trace import TABLES, Row

if sys.platform != "win32":
    import fcntl

SCHEMA = 1
"""Version of the run directory's layout, in the manifest as ``schema``."""

MANIFEST_KEYS = (
    "schema", "title", "situation", "description", "seed", "replications", "epoch_ns", "scenario", "stations", "rig", "devices",
    "versions", "commit", "requirements", "upload_deadline_s", "doubts", "latency_profiles",
)  # fmt: skip
"""The keys of a scenario run's manifest. ``schema`` is the recorder's to write, the others are the run's; ``latency_profiles`` is
there where a scenario names some."""

MANIFEST, JOURNAL, PARQUET, END, RECOVERED = "manifest.json", "journal", "tables", "end.json", "recovered.json"


class RecordError(BenchError):
    """A run cannot be recorded, or not be read back. A run that cannot record stops."""


class State(Enum):
    """What a directory is, told from its files alone."""

    NOT_A_RUN = "not-a-run"
    RUNNING = "running"  # a process still holds it (never told where the file system knows no locks)
    COMPLETE = "completed"
    INTERRUPTED = "interrupted"  # stopped by a person; its rows are whole
    FAILED = "failed"  # stopped by an error; its rows are whole
    KILLED = "killed"  # no end.json: recover() keeps what was flushed
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class Recovered:
    """What :func:`recover` kept: rows a table, and the tables whose journal ended inside a batch."""

    directory: Path
    rows: Mapping[str, int]
    truncated: tuple[str, ...]


def canonical_json(value: Any) -> bytes:
    """UTF-8, keys sorted, no spaces, no NaN, one line: equal values are equal bytes. UsageError for what is not JSON."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise UsageError(f"this cannot be written as JSON: {error}") from error


class Recorder:
    """Writes one run's directory. Use it as a context manager; call ``record`` from one thread.

    All tables are flushed together when ``flush_rows`` rows wait in memory, or with the first row that comes ``flush_s`` after
    the last flush, so a kill loses fewer rows than that, and of a slow run about a second.
    Raises RecordError as soon as a row cannot be kept, and UsageError for a directory that already has a run in it.
    """

    def __init__(
        self, directory: Path, manifest: Mapping[str, Any], *, flush_rows: int = 20_000, flush_s: float = 1.0,
        clock: Clock | None = None,
    ) -> None:
        if flush_rows < 1:
            raise UsageError(f"flush_rows must be at least 1, is {flush_rows}")
        self.directory = directory
        self._flush_rows = flush_rows
        self._pending = 0
        self._closed = False
        self._broken: RecordError | None = None
        self._clock = clock or WallClock()
        self._flush_ns = seconds(flush_s)
        self._started_ns = self._clock.now_ns()
        self._flush_due_ns = self._started_ns + self._flush_ns
        self._hold = _claim(directory, canonical_json({"schema": SCHEMA, **manifest}))
        self._adders: dict[type, Adder] = {}
        self._journals = {name: Journal(directory / JOURNAL / f"{name}.arrows", name, self._adders) for name in TABLES}

    def record(self, row: Row) -> None:
        """Keep one row. The hot path: it only appends, columns are made when flushed."""
        try:
            add = self._adders[type(row)]
        except KeyError:
            raise self._refusal(row) from None
        add(row)
        self._pending += 1
        if self._pending >= self._flush_rows or self._clock.now_ns() >= self._flush_due_ns:
            self.flush()

    def flush(self) -> None:
        """Write every waiting row to its journal: what is flushed outlives this process."""
        if self._broken:
            raise self._broken
        try:
            for journal in self._journals.values():
                journal.flush()
        except (OSError, JournalError) as error:
            self._adders.clear()  # record() refuses from here on
            self._broken = RecordError(f"{self.directory}: rows cannot be written: {error}. What was flushed can be recovered.")
            raise self._broken from error
        self._pending = 0
        self._flush_due_ns = self._clock.now_ns() + self._flush_ns

    def rows(self) -> dict[str, int]:
        """Rows recorded so far, a table."""
        return {name: journal.rows + journal.waiting() for name, journal in self._journals.items()}

    def close(self, end: Mapping[str, Any] | None = None) -> None:
        """Flush, write the Parquet files, remove the journal, write ``end.json``. A second call does nothing.

        ``end`` is added to end.json; its ``ended`` is ``completed`` unless it says ``interrupted`` or ``failed``.
        """
        if self._closed:
            return
        extra = dict(end or {})
        if extra.get("ended", "completed") not in _ENDINGS:
            raise UsageError(f"a run ends {' or '.join(_ENDINGS)}, not {extra['ended']!r}")
        canonical_json(extra)  # refused now, while the caller can still mend it
        self.flush()
        self._adders.clear()
        self._closed = True
        for journal in self._journals.values():
            journal.close()
        rows = self.rows()
        try:
            self._write_tables(rows)
            elapsed_s = (self._clock.now_ns() - self._started_ns) / NS
            made = {"ended": "completed", "rows": rows, "started_at": _iso(self._started_ns), "elapsed_s": elapsed_s}
            put(self.directory / END, canonical_json(made | extra | {"rows": rows}))
        except (OSError, JournalError) as error:
            raise RecordError(f"{self.directory}: the run cannot be finished: {error}. It can be recovered.") from error
        finally:
            self._hold.close()

    def _write_tables(self, rows: Mapping[str, int]) -> None:
        for name in TABLES:
            kept = journal_to_parquet(self.directory / JOURNAL / f"{name}.arrows", self.directory / PARQUET, name)
            if kept.rows != rows[name]:
                raise JournalError(f"{name}: {rows[name]} rows were journalled, {kept.rows} can be read back")
        shutil.rmtree(self.directory / JOURNAL)

    def _refusal(self, row: object) -> RecordError:
        if self._broken:
            return self._broken
        if self._closed:
            return RecordError(f"{self.directory}: the run is closed; {type(row).__name__} comes too late")
        return RecordError(f"{type(row).__name__} is not a row of virtual_devices.trace.TABLES")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close; after an exception say so in end.json, and let the exception go on."""
        if error is None:
            self.close()
            return
        end = {"ended": "interrupted"} if isinstance(error, KeyboardInterrupt) else {"ended": "failed", "error": _text(error)}
        try:
            self.close(end)
        except BenchError as also:
            if also is not error:
                error.add_note(f"and then: {also}")
        finally:
            self._abandon()

    def _abandon(self) -> None:
        """Let go of the files of a run that could not be closed: it stands as killed, and can be recovered."""
        self._closed = True
        for journal in self._journals.values():
            journal.close()
        self._hold.close()


_ENDINGS = {"completed": State.COMPLETE, "interrupted": State.INTERRUPTED, "failed": State.FAILED}


def state(directory: Path) -> State:
    """What the directory is. RecordError when it has an end.json that nobody can read."""
    if not (directory / MANIFEST).is_file():
        return State.NOT_A_RUN
    if (directory / END).exists():
        try:
            return _ENDINGS[json.loads((directory / END).read_bytes())["ended"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RecordError(f"{directory / END} is damaged: {error!r}") from error
    if _held(directory / MANIFEST):
        return State.RUNNING
    return State.RECOVERED if (directory / RECOVERED).exists() else State.KILLED


def recover(directory: Path) -> Recovered:
    """Write the Parquet files of a killed run from its journals, each up to its last whole batch.

    Doing it again changes nothing. UsageError when the directory is no run, is still being written, or needs no recovery.
    """
    match state(directory):
        case State.KILLED:
            return _recover(directory)
        case State.RECOVERED:
            shutil.rmtree(directory / JOURNAL, ignore_errors=True)
            said = json.loads((directory / RECOVERED).read_bytes())
            return Recovered(directory, said["rows"], tuple(said["truncated"]))
        case State.NOT_A_RUN:
            raise UsageError(f"{directory} is not a run directory: it has no {MANIFEST}")
        case State.RUNNING:
            raise UsageError(f"{directory} is still being written; stop that process first")
        case State.COMPLETE | State.INTERRUPTED | State.FAILED as ended:
            raise UsageError(f"{directory} needs no recovery: the run ended as {ended.value}, and all its rows are there")


def _recover(directory: Path) -> Recovered:
    rows: dict[str, int] = {}
    truncated: list[str] = []
    try:
        for name in TABLES:
            journal, parquet = directory / JOURNAL / f"{name}.arrows", directory / PARQUET / f"{name}.parquet"
            if parquet.exists() and not journal.exists():  # killed while removing journals that had been used up
                rows[name] = parquet_rows(parquet)
                continue
            kept = journal_to_parquet(journal, directory / PARQUET, name)
            rows[name] = kept.rows
            truncated += [name] if kept.truncated else []
        put(directory / RECOVERED, canonical_json({"killed": True, "rows": rows, "truncated": truncated}))
    except (OSError, JournalError) as error:
        raise RecordError(f"{directory} cannot be recovered: {error}") from error
    shutil.rmtree(directory / JOURNAL, ignore_errors=True)
    return Recovered(directory, rows, tuple(truncated))


def _claim(directory: Path, manifest: bytes) -> BinaryIO:
    """Make the directory this run's: its manifest, created by us and held as long as we write."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in (MANIFEST, END, RECOVERED, JOURNAL, PARQUET):
            if (directory / name).exists():
                raise UsageError(f"{directory} already has a run in it ({name}); name another directory, or remove this one")
        hold = _hold(directory / MANIFEST, manifest)
        (directory / JOURNAL).mkdir()
    except OSError as error:
        raise RecordError(f"{directory} cannot become a run directory: {error}") from error
    return hold


def _hold(path: Path, manifest: bytes) -> BinaryIO:
    hold = path.open("xb")
    try:
        hold.write(manifest)
        hold.flush()
    except OSError:
        path.unlink()  # half a manifest would make the directory look like a run
        raise
    _HOLDS.add(hold)
    if sys.platform != "win32":
        _lock(hold)
    return hold


def _iso(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / NS, UTC).isoformat(timespec="milliseconds")


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


_HOLDS: weakref.WeakSet[BinaryIO] = weakref.WeakSet()


def _let_go() -> None:
    """In a forked child: a worker that outlives a killed bench must not keep the run looking alive."""
    for hold in list(_HOLDS):
        hold.close()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_let_go)

    def _lock(hold: BinaryIO) -> None:
        try:
            fcntl.flock(hold, fcntl.LOCK_EX)
        except OSError:
            pass  # a file system without locks: the run is recorded all the same, it only never looks RUNNING


def _held(manifest: Path) -> bool:
    """True while the process that writes this run lives."""
    if sys.platform == "win32":
        return False
    with manifest.open("rb") as probe:
        try:
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False
