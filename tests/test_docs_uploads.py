"""The page about uploads is what its tables and rules say."""

from __future__ import annotations

from virtual_devices.tables import read_table
from virtual_devices.uploads.codes import CHECK_CODES

from .places import ROOT
from .uploads_page import page

PAGE = ROOT / "docs" / "reference" / "uploads.md"


def test_page_of_uploads_is_made_from_the_tables() -> None:
    remedy = "make it again: .venv/bin/python -m tests.uploads_page docs/reference/uploads.md"
    assert PAGE.read_text(encoding="utf-8") == page(), remedy


def test_page_has_every_code() -> None:
    text = page()
    assert all(f"| {code} |" in text for code in CHECK_CODES)


def test_every_disagreement_has_a_side() -> None:
    rows = read_table("upload_lists")["disagreement"]
    assert len(rows) == 20
    assert all(row["chosen"] for row in rows)
