"""A process that uploads through the domain with several clients, and says on standard output which uploads it acknowledged.

``python -m tests.upload_process URL FIRST END``: uploads FIRST to before END that were not acknowledged yet. Its parent kills it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from threading import Thread

from bench.datacentre.database import Turns, open_books
from virtual_devices.cloud.audit import AuditLog
from virtual_devices.cloud.core import DataCentre, VisitRecord
from virtual_devices.cloud.gathering import Stored

HERE, AT_NS, CLIENTS = "9901180014", 1_772_409_600 * 10**9, 4


def record(number: int) -> VisitRecord:
    return VisitRecord(
        b"%08d" % number, "", f"{number % 50:012d}", HERE, f"{number // 50 % 10000:04d}", "1150302080000", AT_NS, bytes(300),
    )


def upload(core: DataCentre, log: AuditLog, number: int) -> None:
    """One upload of one record: its part, the record, what became of it, and the entry of the audit log."""
    batch, content = b"%016d" % number, b"%08d" % number
    digest = hashlib.sha256(content).digest()
    outcome, _ = core.gathering.take(HERE, batch, digest, 0, 1, content)
    if outcome is Stored.STORED:
        said = core.store(record(number), AT_NS)
        core.gathering.finish(HERE, batch, digest, [said])
        log.institution(AT_NS, "0", HERE, "SAM000000001", "upload", record(number).card_no)


def main(url: str, first: int, end: int) -> None:
    books = open_books(url)
    core, log, turns = DataCentre(books), AuditLog(books, b"secret"), Turns(books)

    def client(own: int) -> None:
        for number in range(first + own, end, CLIENTS):
            turns.do(lambda number=number: upload(core, log, number))  # type: ignore[misc]
            os.write(1, b"%08d\n" % number)

    clients = [Thread(target=client, args=(own,)) for own in range(CLIENTS)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    books.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
