"""Each attack of the tables is carried out, and is of its class and code; the page says what the tables say."""

from __future__ import annotations

from pathlib import Path

import pytest

from virtual_devices.codes import lookup

from . import attacks_guardians
from .attacks import Attack, Kind, Mark, consult, desk_for, medical
from .attacks_page import HELD_ELSEWHERE, TABLES, count, page
from .test_virtual_devices_qr_attacks import Kind as QrKind

ROOT = Path(__file__).resolve().parent.parent
ROWS = [row for table in TABLES for row in table.rows]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_attack_is_of_its_class_and_code(row: Attack) -> None:
    result = row.run()
    assert result.succeeded == (row.kind is not Kind.REFUSED), row.what
    assert result.code == row.code
    if row.kind is not Kind.REFUSED:
        assert result.evidence == (row.kind is Kind.RECONCILED)


def test_honest_parties_are_served() -> None:
    """Without it a bench that refuses everybody would pass all of the above."""
    assert medical(consult(desk_for())).succeeded
    attacks_guardians.good()


def test_every_class_has_its_attacks_and_every_row_its_code_and_rule() -> None:
    assert all(count().values()) and {kind.value for kind in QrKind} == {kind.value for kind in Kind}
    assert len({row.id for row in ROWS}) == len(ROWS) > 80
    for row in ROWS:
        assert row.seen and row.clause, row.id
        assert row.code in ("", "0") or lookup(row.code, row.space).known, row.id
        assert row.mark is not Mark.STANDARD or "18013-5" in row.clause or "draft" in row.clause, row.id


def test_page_is_made_from_the_tables() -> None:
    assert (ROOT / "docs" / "reference" / "attacks.md").read_text(encoding="utf-8") == page()


def test_tests_that_the_page_names_are_there() -> None:
    for _, _, where in HELD_ELSEWHERE:
        for name in where.split(", ") if where.startswith("tests/") else ():
            path = name if name.startswith("tests/") else f"tests/test_virtual_devices{name}"
            assert (ROOT / path).is_file(), path
