"""The reference page of the run directory says what the code writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_type_hints

import pytest

from bench.record import MANIFEST_KEYS, recover
from virtual_devices.trace import TABLES

from .places import ROOT
from .run_directories import killed_run, read_json, some_rows, write_run


def doc_table(heading: str) -> dict[str, str]:
    """First column -> second column of the table under a heading of the reference page."""
    text = (ROOT / "docs" / "reference" / "run-directory.md").read_text(encoding="utf-8")
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no heading {heading}"
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]*?) \|", found.group(1), re.MULTILINE))


@pytest.mark.parametrize("table", TABLES)
def test_reference_page_lists_every_column_with_its_type(table: str) -> None:
    kinds = {name: kind.__name__ for name, kind in get_type_hints(TABLES[table]).items()}
    assert list(doc_table(table).items()) == list(kinds.items())


def test_reference_page_lists_every_key_of_the_manifest() -> None:
    assert tuple(doc_table("manifest.json")) == MANIFEST_KEYS


def test_reference_page_lists_what_an_end_says(tmp_path: Path) -> None:
    write_run(tmp_path / "run", some_rows(1))
    assert set(doc_table("end.json")) == {*read_json(tmp_path / "run" / "end.json"), "error"}


def test_reference_page_lists_what_a_recovery_says(tmp_path: Path) -> None:
    killed = killed_run(tmp_path)
    recover(killed)
    assert set(doc_table("recovered.json")) == set(read_json(killed / "recovered.json"))
