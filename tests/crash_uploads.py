"""``kill -9`` of the served data centre in the middle of uploads by several clients over HTTPS, again and again.

``.venv/bin/python -m tests.crash_uploads 10000 [URL]``: so many uploads, killed three times on the way and restarted. Every
acknowledged upload is there once, none half, and the audit log verifies; otherwise it ends with an AssertionError. ``URL``: of
the database, a file of SQLite when left out; ``postgresql``: a server of its own, which synchronises at every commit.
"""

from __future__ import annotations

import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread

import httpx2

from bench.clock import WallClock
from bench.datacentre.centre import Newcomer, sample_people
from bench.datacentre.credentials import own_authority
from bench.datacentre.database import open_books
from virtual_devices.clock import NS, TAIWAN, roc_datetime13, to_datetime
from virtual_devices.cloud.audit import AUDIT, audit_log
from virtual_devices.cloud.books import Books
from virtual_devices.merkle import Growing, leaf_hash
from virtual_devices.pki import Role
from virtual_devices.uploads.facts import VisitFacts
from virtual_devices.uploads.fields import Version
from virtual_devices.uploads.rows import KEPT, UPLOADS, Standing

from .data_centre import visit_facts, visit_file
from .places import ROOT

CLIENTS, KILLS, PEOPLE, WAIT_S = 4, 3, 100, 60


@dataclass
class Uploads:
    """So many uploads of one visit each, by one second apart. ``heard``: opcodes by number, of those that were acknowledged."""

    directory: Path
    url: str
    count: int
    heard: dict[int, str] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.clock = WallClock()
        self.authority = own_authority(self.directory, self.clock.now_ns())
        self.first_ns = self.clock.now_ns() // NS * NS - (self.count + 60) * NS
        self.people = sample_people(1, PEOPLE, to_datetime(self.authority.epoch_ns).astimezone(TAIWAN).date())

    def file(self, number: int) -> bytes:
        return visit_file(self.visit(self.people[number % PEOPLE], number), version=Version.V10)

    def visit(self, who: Newcomer, number: int) -> VisitFacts:
        return visit_facts(who, self.first_ns + number * NS, "", sequence=f"{number // PEOPLE % 1500 + 1:04d}", allergies=())

    @contextmanager
    def served(self) -> Iterator[tuple[subprocess.Popen[str], str]]:
        command = [sys.executable, "-m", "bench.cli", "present", "http", "--directory", str(self.directory), "--port", "0",
                   "--people", str(PEOPLE), "--database", self.url]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert process.stdout is not None
            line = next(line for line in process.stdout if "the data centre is at" in line)
            yield process, line.split("at ", 1)[1].split(";")[0].replace("127.0.0.1", "localhost")
        except BaseException:
            process.kill()
            raise
        else:
            process.terminate()  # one that was not killed ends in order
            assert process.wait(WAIT_S) in (0, -signal.SIGKILL)

    def killed_after(self, most: int) -> None:
        """Clients upload what was not acknowledged yet; the service is killed when so many were."""
        with self.served() as (process, at):
            clients = [Thread(target=self._client, args=(at, own, most, process)) for own in range(CLIENTS)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()

    def _client(self, at: str, own: int, most: int, process: subprocess.Popen[str]) -> None:
        files = self.directory / "credentials"
        tls = ssl.create_default_context(cafile=str(files / "ca.pem"))
        tls.load_cert_chain(files / "clinic.pem", files / "clinic.key")
        with httpx2.Client(base_url=at, verify=tls, timeout=30) as client:
            for number in range(own, self.count, CLIENTS):
                if number in self.heard:
                    continue
                try:
                    opcode = self._sent(client, self.file(number))
                except httpx2.TransportError:
                    return  # killed
                with self.lock:
                    self.heard[number] = opcode
                    if len(self.heard) == most:
                        process.kill()

    def _sent(self, client: httpx2.Client, raw: bytes) -> str:
        while True:
            answer = client.post("/v1/uploads", params={"sam": "SAM000000001"}, content=raw, headers={"Content-Type": "text/xml"})
            if answer.status_code != 429:
                break
            time.sleep(float(answer.headers["Retry-After"]))
        report = answer.json()
        assert report["valid_visits"] == 1, report
        opcode: str = report["opcode"]
        return opcode

    def judge(self) -> int:
        """What is in the books against what was acknowledged. How many are stored."""
        books = open_books(self.url)
        try:
            return self._judged(books)
        finally:
            books.close()

    def _judged(self, books: Books) -> int:
        kept, uploads = list(books.shelf(KEPT)), {row.opcode for row in books.shelf(UPLOADS)}
        by_moment = {row.visited_at: row for row in kept}
        assert len(by_moment) == len(kept) and {row.opcode for row in kept} <= uploads
        assert len(uploads) - len(kept) <= CLIENTS * KILLS  # sent again, for the answer was lost: its record is there once
        assert all(row.standing is Standing.COUNTED and row.content for row in kept)
        for number, opcode in self.heard.items():
            assert opcode in uploads and roc_datetime13(self.first_ns + number * NS) in by_moment
        entries, growing = list(books.shelf(AUDIT)), Growing()
        for entry in entries:
            growing.add(leaf_hash(entry.encoded()))
        head = audit_log(books, self.authority.issue(Role.DATA_CENTRE, "IDC")).head(self.clock.now_ns())
        assert (head.size, head.root) == (growing.size, growing.root())
        assert sum(entry.what == "upload-formal" for entry in entries) >= len(kept)
        return len(kept)


def run(directory: Path, url: str, count: int, kills: int = KILLS) -> None:
    """Raises AssertionError when something acknowledged is not there, or something is there twice or half."""
    uploads, began = Uploads(directory, url, count), time.monotonic()
    for part in range(1, kills + 1):
        uploads.killed_after(count * part // (kills + 1))
        sys.stdout.write(f"killed after {len(uploads.heard)} acknowledged; {uploads.judge()} stored\n")
    uploads.killed_after(count + 1)  # to the end
    assert len(uploads.heard) == count == uploads.judge()
    took_s = time.monotonic() - began
    sys.stdout.write(f"{count} uploads acknowledged, stored once, in {took_s:.0f} s; the audit log verifies\n")


def main() -> None:
    count, url = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        if url == "postgresql":
            from tests import postgres

            with postgres.running(durable=True) as server:
                run(directory, server.database("killed"), count)
        else:
            run(directory, url or f"sqlite:///{directory}/books.db", count)


if __name__ == "__main__":
    main()
