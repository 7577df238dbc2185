"""The pages of the control software's calls and codes are made from the tables."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from typing import Any

import pytest

from .places import ROOT


@cache
def maker() -> Any:
    path = ROOT / "docs" / "reference" / "make_control_software.py"
    spec = importlib.util.spec_from_file_location("make_control_software", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "page"), [("control-software.md", "software_page"), ("return-codes.md", "codes_page")])
def test_page_is_the_one_that_the_tables_make(name: str, page: str) -> None:
    kept = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert kept == getattr(maker(), page)(), "run .venv/bin/python docs/reference/make_control_software.py docs/reference"


def test_remarks_are_about_calls_and_every_call_is_built() -> None:
    made = maker()
    page = made.software_page()
    assert set(made.REMARKS) <= set(made.FUNCTIONS) and "not built" not in page
    assert len(re.findall(r"^\| [0-9?.]+ \| `", page, re.MULTILINE)) == 68
