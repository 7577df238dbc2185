"""A run directory, opened for reading: its manifest, how it ended, and its tables behind SQL.

Everything is computed by DuckDB over the Parquet files, on one thread, so that the same directory always gives the same
numbers in the same order; what comes back to Python is already small.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from enum import Enum
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa

from reports.catalogue import Catalogue, ReportError
from virtual_devices.trace import TABLES

DAY = ("visits", "stages", "acts", "uploads")
"""Tables that say how a day went: of a replication that was cut short they say something else than of a whole one."""
_SQL_TYPES = {"int": "BIGINT", "str": "VARCHAR", "bool": "BOOLEAN", "bytes": "BLOB", "float": "DOUBLE"}


class Ended(Enum):
    """How a run came to its end, as its directory tells."""

    COMPLETED = "completed"
    INTERRUPTED = "interrupted"  # stopped by a person; what was recorded is complete up to there
    FAILED = "failed"  # stopped by an error
    RECOVERED = "recovered"  # killed; its journal was read back
    KILLED = "killed"  # killed, and nothing has been recovered


class Run:
    """One run directory and the language in which it is read.

    Numbers rest on the replications in the view ``counted``: all of a completed run; of another, those that came to their end,
    which is when their ledger is written. The tables in DAY hold these alone, unless not one came to its end (``cut_short``);
    ``every_visits`` and its like hold everything.

    ReportError when the directory holds no manifest, one of an unknown schema, or tables that are damaged or incomplete. A
    table without a file is empty where nothing says how many rows it had.
    """

    def __init__(self, directory: Path, words: Catalogue) -> None:
        self.directory = directory
        self.words = words
        self.say = words.say
        self.say_n = words.say_n
        self.manifest: dict[str, Any] = _read(directory / "manifest.json", needed=True)
        if self.manifest.get("schema") != 1:
            raise ReportError(f"{directory}/manifest.json has schema {self.manifest.get('schema')!r}; this report reads schema 1")
        self.end: dict[str, Any] = _read(directory / "end.json")
        self._written: dict[str, Any] = (self.end or _read(directory / "recovered.json")).get("rows", {})
        self._db = duckdb.connect(":memory:", config={"threads": 1})
        for name in TABLES:
            self._open_table(name)
        self._count()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._db.close()

    def _open_table(self, name: str) -> None:
        path = self.directory / "tables" / f"{name}.parquet"
        columns = {f.name: _SQL_TYPES[str(f.type)] for f in fields(TABLES[name])}
        quoted = [f'"{column}"' for column in columns]
        if path.is_file():
            source = f"read_parquet('{str(path).replace(chr(39), chr(39) * 2)}')"
        else:
            nothing = [f"NULL::{kind} AS {column}" for column, kind in zip(quoted, columns.values(), strict=True)]
            source = f"(SELECT {', '.join(nothing)} WHERE false)"
        try:
            found = {str(column): str(kind) for column, kind, *_ in self.sql(f"DESCRIBE SELECT * FROM {source}")}
            if found != columns:
                raise ReportError(f"{path} has other columns than a table of {name}: {_DAMAGED}")
            # every value is read here, once: damage is found now, and not in the middle of a report
            ((rows, _),) = self.sql(f"SELECT count(*), bit_xor(hash({', '.join(quoted)})) FROM {source}")
        except duckdb.Error as error:
            raise ReportError(f"{path} cannot be read ({str(error).splitlines()[0]}): {_DAMAGED}") from error
        self._check_rows(path, name, int(rows))
        self._db.execute(f"CREATE VIEW every_{name} AS SELECT * FROM {source}")

    def _check_rows(self, path: Path, name: str, rows: int) -> None:
        """A table that lost rows would make a report that states falsehoods: it is refused."""
        written = self._written.get(name, rows)
        if written != rows:
            there = f"has {rows:,} rows" if path.is_file() else "is missing"
            said = "end.json" if self.end else "recovered.json"
            raise ReportError(f"{path} {there}, but {said} says {written:,}: {_DAMAGED}")

    def _count(self) -> None:
        """Make the views, now that it can be told which replications count."""
        began = "SELECT DISTINCT replication FROM every_visits UNION SELECT DISTINCT replication FROM every_exchanges"
        ended = "SELECT DISTINCT replication FROM every_ledger"
        self.began = len(self._db.execute(began).fetchall())
        whole = len(self._db.execute(ended).fetchall())
        completed = self.ended is Ended.COMPLETED
        self.left_out = 0 if completed or not whole else max(0, self.began - whole)
        self.cut_short = bool(self.began) and not completed and not whole
        self._db.execute(f"CREATE TEMP TABLE counted AS {ended if self.left_out else began}")
        for name in TABLES:
            only = " WHERE replication IN (SELECT replication FROM counted)" if name in DAY and self.left_out else ""
            self._db.execute(f"CREATE VIEW {name} AS SELECT * FROM every_{name}{only}")

    def sql(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a query. Order them: an unordered result is not a function of the directory."""
        return self._db.execute(query, list(values)).fetchall()

    def columns(self, query: str, *values: object) -> dict[str, Any]:
        """The result of a query as numpy arrays by column name."""
        result: dict[str, Any] = self._db.execute(query, list(values)).fetchnumpy()
        return result

    def one(self, query: str, *values: object) -> Any:
        """The single value of a query."""
        return self.sql(query, *values)[0][0]

    def derive(self, name: str, query: str) -> str:
        """Keep a query's result under a name for later queries, made once."""
        self._db.execute(f"CREATE TEMP TABLE IF NOT EXISTS {name} AS {query}")
        return name

    def keep(self, name: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> str:
        """Keep rows that were computed outside SQL under a name for later queries, made once. Integers and texts."""
        kinds = {int: "BIGINT", str: "VARCHAR"}
        first = rows[0] if rows else ("",) * len(columns)
        typed = ", ".join(f"{column} {kinds[type(value)]}" for column, value in zip(columns, first, strict=True))
        self._db.execute(f"CREATE TEMP TABLE IF NOT EXISTS {name} ({typed})")
        if rows and not self.one(f"SELECT count(*) FROM {name}"):
            arrays = pa.table({column: pa.array(values) for column, values in zip(columns, zip(*rows, strict=True), strict=True)})
            self._db.register("kept_rows", arrays)
            self._db.execute(f"INSERT INTO {name} SELECT * FROM kept_rows")
            self._db.unregister("kept_rows")
        return name

    @cached_property
    def ended(self) -> Ended:
        """How the run ended."""
        if self.end:
            says = self.end.get("ended")
            return next((e for e in (Ended.COMPLETED, Ended.INTERRUPTED) if e.value == says), Ended.FAILED)
        return Ended.RECOVERED if (self.directory / "recovered.json").is_file() else Ended.KILLED

    @cached_property
    def replications(self) -> int:
        """How many replications the numbers rest on; 0 when none left any row of a visit or an exchange behind."""
        return int(self.one("SELECT count(*) FROM counted"))

    @cached_property
    def stations(self) -> list[str]:
        """The stations in the order of the manifest, then those that only the rows know."""
        named = [str(s) for s in self.manifest.get("stations", [])]
        seen = [str(s) for (s,) in self.sql("SELECT DISTINCT station FROM stages ORDER BY station")]
        return [s for s in named if s in seen] + [s for s in seen if s not in named]

    @cached_property
    def span_ns(self) -> tuple[int, int]:
        """From the first arrival to the last departure, over all replications; (0, 0) without visits."""
        low, high = self.sql("SELECT min(arrived_ns), max(left_ns) FROM visits")[0]
        return (int(low), int(high)) if low is not None else (0, 0)

    @cached_property
    def real(self) -> bool:
        """True when anything outside this process took part."""
        return bool(self.one("SELECT count(*) FROM exchanges WHERE provenance IN ('measured', 'presented')"))


_DAMAGED = "the run directory is damaged"


def _read(path: Path, *, needed: bool = False) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if needed:
            raise ReportError(f"{path} is missing: {path.parent} is not a run directory") from None
        return {}
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError both are
        if needed:  # a half-written end.json, on the other hand, is what a kill leaves behind: the same as none
            raise ReportError(f"{path} is not JSON ({error}): {_DAMAGED}") from None
        return {}
    if not isinstance(content, dict):
        raise ReportError(f"{path} does not hold one JSON object: {_DAMAGED}")
    return content
