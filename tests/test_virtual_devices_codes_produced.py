"""Every return code of the field is played by a test, or stands on the closed list of those that never come, with its reason."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from functools import cache
from typing import Any

import pytest

from virtual_devices.codes import CODES, Space
from virtual_devices.reader.cshis import FUNCTIONS

from .places import ROOT

TABLE: dict[str, Any] = tomllib.loads((ROOT / "tests" / "data" / "codes_produced.toml").read_text(encoding="utf-8"))


@cache
def source(module: str) -> str:
    return (ROOT / "tests" / module).read_text(encoding="utf-8")


def codes_of(row: dict[str, Any]) -> set[str]:
    if row.get("stated"):
        return {code for function in FUNCTIONS.values() for code in function.codes}
    return set(row["codes"])


@pytest.mark.parametrize("space", TABLE)
def test_every_code_comes_about_or_says_why_not(space: str) -> None:
    listed = Counter(code for row in (*TABLE[space].get("by", ()), *TABLE[space].get("never", ())) for code in codes_of(row))
    known = {code for where, code in CODES if where is Space(space)}
    assert known - listed.keys() == set(), "neither played nor excused"
    assert listed.keys() - known == set(), "no such code"
    assert {code for code, times in listed.items() if times > 1} == set(), "listed twice"


@pytest.mark.parametrize("space", TABLE)
def test_named_tests_are_there_and_have_the_codes(space: str) -> None:
    for row in TABLE[space].get("by", ()):
        module, _, name = row["test"].partition("::")
        assert re.search(rf"^def {re.escape(name)}\(", source(module), re.MULTILINE), row["test"]
        if not row.get("stated"):
            text = source(module)
            assert [code for code in row["codes"] if f'"{code}"' not in text] == []


@pytest.mark.parametrize("space", TABLE)
def test_reasons_are_sentences(space: str) -> None:
    assert all(len(row["why"].split()) >= 5 for row in TABLE[space].get("never", ()))
