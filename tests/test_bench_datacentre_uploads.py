"""Uploads in a database: kept over a restart, once, and nothing of what did not come to its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.datacentre.database import SqlBooks, open_books
from virtual_devices.cloud.visit_uploads import PRE_CHECK, SHELVES, UploadLedger
from virtual_devices.uploads.facts import Action
from virtual_devices.uploads.rows import KEPT, UPLOADS, IssueState

from .postgres import Server
from .upload_centre import Centre, codes
from .upload_visits import DISPENSED, NOW_NS, PHARMACY, REFILL_RELEASED, REGISTER, VACCINATED, VISIT


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlBooks]:
    if request.param == "sqlite":
        opened = open_books(tmp_path / "books.db")
    else:
        server: Server = request.getfixturevalue("postgresql")
        opened = open_books(server.database(f"uploads_{tmp_path.name}"[:50]))
    yield opened
    opened.close()


def acts(centre: Centre) -> None:
    """A day with everything: refill prescribed, dispensed, voided; a vaccination; a failure; a pre-check; a repetition."""
    for version_of in (REFILL_RELEASED, REFILL_RELEASED):
        centre.send(version_of)
    centre.send(DISPENSED, sender=PHARMACY)
    centre.send(replace(REFILL_RELEASED, action=Action.VOID_REFILLS))
    centre.send(replace(VISIT, service_class="15", visited_ns=VISIT.visited_ns + 10**9))
    centre.send(VACCINATED)
    centre.send(VISIT, kind=PRE_CHECK)


def test_database_keeps_what_memory_keeps(books: SqlBooks) -> None:
    stored, remembered = Centre(books=books), Centre()
    acts(stored)
    acts(remembered)
    for kind in SHELVES:
        assert list(stored.books.shelf(kind)) == list(remembered.books.shelf(kind))
    assert stored.issues() == {1: IssueState.DISPENSED, 2: IssueState.VOIDED, 3: IssueState.VOIDED}


def test_uploads_are_there_after_a_restart(tmp_path: Path) -> None:
    first = open_books(tmp_path / "books.db")
    result = Centre(books=first).send(VISIT)
    first.close()
    again = open_books(tmp_path / "books.db")
    ledger = UploadLedger(again, REGISTER)
    assert ledger.result("OP1", VISIT.sam_id, NOW_NS) == result
    assert Centre(books=again).send(VISIT) == result
    assert len(list(again.shelf(KEPT))) == len(list(again.shelf(UPLOADS))) == 1
    again.close()


def test_what_failed_on_its_way_leaves_nothing(books: SqlBooks, monkeypatch: pytest.MonkeyPatch) -> None:
    centre = Centre(books=books)

    def fails(row: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as patched:
        patched.setattr(centre.books.shelf(UPLOADS), "put", fails)
        with pytest.raises(OSError, match="no room"):
            centre.send(VISIT)
    assert centre.kept() == []
    assert codes(centre.send(VISIT)) == [[]]
