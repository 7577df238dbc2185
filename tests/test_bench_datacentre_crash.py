"""The data centre's service dies in the middle of uploads (kill -9): what was acknowledged is there once, nothing is half there,
and the audit log verifies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.datacentre.database import open_books
from virtual_devices.cloud.audit import AUDIT, AuditLog
from virtual_devices.cloud.core import DataCentre
from virtual_devices.cloud.gathering import FINISHED
from virtual_devices.merkle import Growing, leaf_hash

from . import postgres
from .upload_process import AT_NS, HERE, record

UPLOADS = int(os.environ.get("BENCH_CRASH_UPLOADS", "240"))
"""So many in all; the process is killed after each third of them. More by hand: BENCH_CRASH_UPLOADS=10000."""
ROOT = Path(__file__).resolve().parent.parent


def uploading(url: str, first: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.upload_process", url, str(first), str(UPLOADS)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


def acknowledged(process: subprocess.Popen[bytes], most: int) -> list[int]:
    """The uploads that it acknowledges before it is killed, after so many."""
    assert process.stdout is not None
    heard = []
    for line in process.stdout:
        heard.append(int(line))
        if len(heard) == most:
            process.send_signal(signal.SIGKILL)
    process.wait()
    return heard


def judged(url: str, heard: set[int]) -> None:
    """What is in the books, against what was acknowledged."""
    books = open_books(url)
    core, log = DataCentre(books), AuditLog(books, b"secret")
    stored = {int(kept.key) for kept in core.records}
    assert heard <= stored
    for number in stored:
        assert core.records.get(HERE, b"%08d" % number) == record(number)
    assert {int(upload.batch) for upload in books.shelf(FINISHED)} == stored
    entries, growing = list(books.shelf(AUDIT)), Growing()
    for entry in entries:
        growing.add(leaf_hash(entry.encoded()))
    assert [entry.number for entry in entries] == list(range(len(stored)))
    head = log.head(AT_NS)
    assert (head.size, head.root) == (growing.size, growing.root())
    books.close()


def killed_again_and_again(url: str) -> None:
    heard: set[int] = set()
    for _ in range(2):
        heard |= set(acknowledged(uploading(url, 0), UPLOADS // 3))
        judged(url, heard)
    heard |= set(acknowledged(uploading(url, 0), UPLOADS + 1))  # to the end
    assert heard == set(range(UPLOADS))
    judged(url, heard)


def test_killed_service_loses_nothing_it_acknowledged_in_a_file(tmp_path: Path) -> None:
    killed_again_and_again(f"sqlite:///{tmp_path}/books.db")


@pytest.fixture
def durable() -> Iterator[postgres.Server]:
    with postgres.running(durable=True) as server:
        yield server


@pytest.mark.needs("postgresql")
def test_killed_service_loses_nothing_it_acknowledged_at_a_server(durable: postgres.Server) -> None:
    url = durable.database("crash")
    killed_again_and_again(url)
    durable.stop(signal.SIGQUIT)  # as if its machine had died
    durable.start()
    judged(url, set(range(UPLOADS)))
