"""Uploads into the data centre's books: per second and p99, beside bare inserts of the same bytes; growth with what is stored.

SQLite in a file, and a PostgreSQL server of its own where one is installed; both synchronise at every commit. An upload is one
record: its batch, the record, its visit settled, the number told of, what became of it, and the entry of the audit log with its
hashes, in one transaction. A *file* is the same as the field sends it, in format 1.0: read, checked by every rule, also against
what that person had before, and kept. ``--largest N``: the books are filled up to N stored visits (1000000 takes many minutes),
and uploads, files and the question for late visits are timed at 10 thousand and at each tenfold. There are 500 people: at a
million, each has 2,000 records.
"""

from __future__ import annotations

import hashlib
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import TypeVar

from bench.datacentre.centre import SAMPLE_INSTITUTIONS, sample_people
from bench.datacentre.database import SqlBooks, Turns, open_books
from benchmarks._table import Figure, options, show
from tests import postgres
from tests.data_centre import visit_facts, visit_file
from virtual_devices.clock import NS, roc_datetime13, to_datetime
from virtual_devices.cloud.audit import AuditLog
from virtual_devices.cloud.core import DataCentre, Person, Stored, Visit, VisitRecord
from virtual_devices.cloud.prescriptions import Prescriptions
from virtual_devices.cloud.registers import CentreRegisters, Contracted, Identity
from virtual_devices.cloud.upload_office import UploadOffice
from virtual_devices.cloud.visits import RECORDS, VISITS
from virtual_devices.uploads.fields import Version
from virtual_devices.uploads.rows import KEPT

HERE, SAM, AT_NS = "9901180014", "SAM000000001", 1_772_409_600 * NS
CONTENT = bytes(600)
CLIENTS, PEOPLE = 8, 500
CHUNK = 10_000


@dataclass(frozen=True)
class Volume:
    """How many uploads are timed at a time, and how many visits are stored for the first look at growth."""

    uploads: int = 400
    first: int = 10_000


WHOLE, SAMPLE = Volume(), Volume(40, 1_000)
HOUR_NS = 3600 * NS


Todo = TypeVar("Todo")


def card(number: int) -> str:
    return f"{number % PEOPLE:012d}"


class Measured:
    """One set of books, and the uploads into them."""

    def __init__(self, books: SqlBooks) -> None:
        self.books, self.core, self.log, self.turns = books, DataCentre(books), AuditLog(books, b"secret"), Turns(books)
        self._next = self._files = 0
        self.people = sample_people(1, PEOPLE, to_datetime(AT_NS).date())
        registers = CentreRegisters(books, Prescriptions(books), lambda _: {})
        self.office = UploadOffice(books, self.core, registers)
        with books.transaction():
            code, trade, sam, professional = SAMPLE_INSTITUTIONS[0]
            registers.contract(Contracted(code, trade), [sam], [professional])
            for who in self.people:
                holder = who.holder
                registers.take_in(Identity(holder.id_no, who.card_no, holder.name, holder.birth_roc, holder.sex))
                self.core.enrol(Person(who.card_no))
            for number in range(PEOPLE):
                self.core.enrol(Person(card(number)))

    def begun(self, count: int) -> list[tuple[Visit, bytes]]:
        """Visits begun, each with its upload."""
        made = []
        with self.books.transaction():
            for number in range(self._next, self._next + count):
                code, visit = self.core.begin_visit(b"%016d" % number, card(number), HERE, "01", AT_NS + number)
                assert visit is not None, code
                made.append((visit, b"%016d" % number))
        self._next += count
        return made

    def upload(self, visit: Visit, batch: bytes) -> None:
        record = VisitRecord(
            batch, visit.identifier, visit.card_no, HERE, f"{int(batch) % 10_000:04d}", roc_datetime13(visit.begun_ns),
            visit.begun_ns + HOUR_NS, CONTENT,
        )
        digest = hashlib.sha256(batch).digest()
        outcome, _ = self.core.gathering.take(HERE, batch, digest, 0, 1, batch)
        assert outcome is Stored.STORED
        said = self.core.store(record, AT_NS + HOUR_NS)
        assert said is Stored.STORED
        self.core.gathering.finish(HERE, batch, digest, [said])
        self.log.institution(AT_NS, "0", HERE, SAM, "upload", visit.card_no)

    def one(self, upload: tuple[Visit, bytes]) -> None:
        self.turns.do(lambda: self.upload(*upload))

    def files(self, count: int) -> list[bytes]:
        """So many files of one visit each, each person's in turn."""
        numbers = range(self._files, self._files + count)
        self._files += count
        return [
            visit_file(
                visit_facts(
                    self.people[number % PEOPLE], AT_NS + number * NS, "", sequence=f"{number // PEOPLE % 1500 + 1:04d}",
                    allergies=(),
                ),
                version=Version.V10,
            )
            for number in numbers
        ]

    def file(self, raw: bytes) -> None:
        taken = self.turns.do(lambda: self.office.take(raw, HERE, SAM, AT_NS + 48 * HOUR_NS))
        assert len(taken.result.valid) == 1, taken.result

    def fill(self, size: int) -> None:
        """Stored visits, put straight onto their shelves, until there are so many."""
        visits, records, kept = self.books.shelf(VISITS), self.books.shelf(RECORDS), self.books.shelf(KEPT)
        like = next(iter(kept))
        while self._next < size:
            with self.books.transaction():
                for number in range(self._next, min(size, self._next + CHUNK)):
                    key, identifier = b"%016d" % number, f"9999999999999{number:07d}"
                    visits.add(Visit(identifier, card(number), HERE, key, "01", AT_NS, "0001", stored_ns=AT_NS, settled_by=key))
                    records.add(VisitRecord(key, identifier, card(number), HERE, "0001", "1150302080000", AT_NS, CONTENT))
                    who, at_ns = self.people[number % PEOPLE], AT_NS - (number + 1) * HOUR_NS // 10
                    kept.add(replace(
                        like, national_id=who.holder.id_no, visited_at=roc_datetime13(at_ns), opcode=f"filled {number}",
                        received_ns=at_ns, card_no=who.card_no,
                    ))
            self._next = min(size, self._next + CHUNK)


def timed(act: Callable[[Todo], object], todo: list[Todo], clients: int) -> tuple[float, float]:
    """Acts per second, and the 99th percentile in milliseconds."""
    took_s: list[float] = []

    def client(own: int) -> None:
        for each in todo[own::clients]:
            began = time.perf_counter()
            act(each)
            took_s.append(time.perf_counter() - began)

    threads = [Thread(target=client, args=(own,)) for own in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent_s = time.perf_counter() - began
    return len(todo) / spent_s, sorted(took_s)[int(len(took_s) * 0.99)] * 1000


def bare_sqlite(path: Path, todo: list[tuple[Visit, bytes]]) -> tuple[float, float]:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE bare (key BLOB PRIMARY KEY, content BLOB NOT NULL)")
    try:
        return timed(lambda each: connection.execute("INSERT INTO bare VALUES (?, ?)", (each[1], CONTENT)) and None, todo, 1)
    finally:
        connection.close()


def bare_postgresql(dsn: str, todo: list[tuple[Visit, bytes]]) -> tuple[float, float]:
    import psycopg

    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE bare (key BYTEA PRIMARY KEY, content BYTEA NOT NULL)")
        return timed(lambda each: connection.execute("INSERT INTO bare VALUES (%s, %s)", (each[1], CONTENT)) and None, todo, 1)


def measure(
    make: str, url: str, bare: Callable[[list[tuple[Visit, bytes]]], tuple[float, float]], volume: Volume, largest: int
) -> list[Figure]:
    books = open_books(url)
    measured = Measured(books)
    bare_s, bare_ms = bare(measured.begun(volume.uploads))
    figures = [Figure(f"{make}: bare inserts", bare_s, "rows/s"), Figure(f"{make}: bare insert, p99", bare_ms, "ms")]
    for clients in (1, CLIENTS):
        rate, p99_ms = timed(measured.one, measured.begun(volume.uploads), clients)
        name = f"{make}: uploads, {clients} client{'s' * (clients > 1)}"
        figures += [
            Figure(name, rate, "uploads/s", "bare inserts", rate / bare_s),
            Figure(f"{name}, p99", p99_ms, "ms", "a bare insert's p99", p99_ms / bare_ms),
        ]
    rate, p99_ms = timed(measured.file, measured.files(volume.uploads // 4), 1)
    figures += [
        Figure(f"{make}: files of one visit, 1 client", rate, "files/s"),
        Figure(f"{make}: a file of one visit, p99", p99_ms, "ms"),
    ]
    figures += _growth(make, measured, volume, largest)
    books.close()
    return figures


def _growth(make: str, measured: Measured, volume: Volume, largest: int) -> Iterator[Figure]:
    size, first_ms, first_late_ms, first_file_ms = volume.first, 0.0, 0.0, 0.0
    while size <= largest:
        measured.fill(size)
        rate, _ = timed(measured.one, measured.begun(volume.uploads // 2), 1)
        upload_ms = 1000 / rate
        rate, _ = timed(measured.file, measured.files(volume.uploads // 4), 1)
        file_ms = 1000 / rate
        began = time.perf_counter()
        measured.core.late(AT_NS + 48 * HOUR_NS)
        late_ms = (time.perf_counter() - began) * 1000
        first_ms, first_late_ms, first_file_ms = first_ms or upload_ms, first_late_ms or late_ms, first_file_ms or file_ms
        yield Figure(f"{make}: an upload at {size} stored visits", upload_ms, "ms", f"at {volume.first}", upload_ms / first_ms)
        yield Figure(f"{make}: a file of one visit at {size}", file_ms, "ms", f"at {volume.first}", file_ms / first_file_ms)
        yield Figure(f"{make}: late visits asked at {size}", late_ms, "ms", f"at {volume.first}", late_ms / first_late_ms)
        size *= 10


@contextmanager
def server() -> Iterator[postgres.Server | None]:
    if postgres.programs() is None:
        sys.stderr.write("PostgreSQL is not installed (Debian: postgresql): SQLite alone is measured\n")
        yield None
        return
    with postgres.running(durable=True) as running:
        yield running


def main() -> int:
    """``./bench.sh bench uploads [--json] [--sample] [--largest N]``."""
    parser = options(__doc__)
    parser.add_argument("--largest", type=int, default=WHOLE.first, help="how many stored visits the books are filled up to")
    asked = parser.parse_args()
    volume = SAMPLE if asked.sample else WHOLE
    largest = volume.first if asked.sample else asked.largest
    Path(".cache").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=".cache") as folder, server() as running:  # not /tmp, which may be memory
        path = Path(folder)
        figures = measure("SQLite", str(path / "books.db"), lambda todo: bare_sqlite(path / "bare.db", todo), volume, largest)
        if running is not None:
            url = running.database("uploads")
            figures += measure("PostgreSQL", url, lambda todo: bare_postgresql(running.dsn("postgres"), todo), volume, largest)
    show(figures, asked.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
