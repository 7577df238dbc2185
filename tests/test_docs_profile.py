"""The profile's pages: clauses have ids and marks, and numbers, names and tables are the code's."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest

from .profile_pages import CLAUSE, ID, PAGES, clauses, maker, part, text_of

# -- clauses

def test_clause_is_marked_and_has_an_id_of_its_own() -> None:
    assert len(clauses()) > 150
    for page in PAGES:
        bold = re.findall(r"^\*\*(P-[^*]*)\*\*", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(bold) <= set(clauses()), f"{page.name}: {set(bold) - set(clauses())} without a mark"


def test_clauses_of_a_subject_are_numbered_without_a_gap_on_one_page() -> None:
    for page in PAGES:
        numbers: dict[str, list[int]] = {}
        for _, subject, number, _ in CLAUSE.findall(page.read_text(encoding="utf-8")):
            numbers.setdefault(subject, []).append(int(number))
        for subject, found in numbers.items():
            assert found == list(range(1, len(found) + 1)), f"{page.name}: P-{subject}"


def test_clause_that_is_referred_to_exists() -> None:
    for page in PAGES:
        named = set(ID.findall(page.read_text(encoding="utf-8")))
        assert named <= set(clauses()), f"{page.name}: {named - set(clauses())}"


def test_overview_lists_every_page_and_subject() -> None:
    overview = text_of("profile.md")
    for page in PAGES[1:]:
        assert f"]({page.relative_to(PAGES[0].parent)})" in overview
        subjects = {subject for _, subject, _, _ in CLAUSE.findall(page.read_text(encoding="utf-8"))}
        assert all(f"P-{subject}" in overview for subject in subjects)


def test_text_outside_clauses_requires_nothing() -> None:
    for page in PAGES:
        if page.name in ("examples.md", "constants.md"):
            continue
        for block in page.read_text(encoding="utf-8").split("\n\n"):
            assert not re.search(r"\b(must|shall|MUST|SHALL)\b", block) or block.startswith("**P-"), f"{page.name}: {block[:80]}"


# -- numbers, names, tables

def constants() -> list[tuple[str, str, str, str, str]]:
    """Name, value, unit, clause, mark."""
    rows = re.findall(
        r"^\| `([\w.]+)` \| (-?[\d.]+) \| ([^|]+) \| [^|]+ \| (P-[A-Z]+-\d\d) \| (\w+) \|$",
        text_of("profile/constants.md"), re.MULTILINE,
    )
    return [(name, value, unit.strip(), clause, mark) for name, value, unit, clause, mark in rows]


def code_value(name: str) -> Any:
    module, attribute = f"virtual_devices.{name}".rsplit(".", 1)
    return getattr(importlib.import_module(module), attribute)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, value, *_ in constants()])
def test_constant_is_the_codes(name: str, value: str) -> None:
    assert code_value(name) == float(value)


def test_constants_table_is_read_whole() -> None:
    rows = [line for line in text_of("profile/constants.md").split("## Names")[0].splitlines() if line.startswith("| `")]
    assert len(rows) == len(constants()) == len({name for name, *_ in constants()}) > 80


def test_clause_of_a_constant_says_its_number() -> None:
    otherwise = {"card.second.MAX_MESSAGE_BYTES": "32 kB"}
    for name, value, unit, clause, mark in constants():
        text = clauses()[clause]
        hours = str(int(value) // 3600) if unit == "s" and float(value) % 3600 == 0 else value
        said = rf"(?<!\d){re.escape(value)}\b|\b{hours} h\b|\b{_word(value)}\b"
        assert otherwise.get(name, "?") in text or re.search(said, text), f"{name} {clause}"
        assert mark in ("standard", "public", "profile", "inferred")


def _word(value: str) -> str:
    return {"1": "one", "2": "two", "5": "five"}.get(value, re.escape(value))


def test_name_is_the_codes() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| `([^`]+)` \| (P-[A-Z]+-\d\d)[^|]* \|$", text_of("profile/constants.md"), re.MULTILINE)
    assert len(rows) > 15
    for name, value, clause in rows:
        assert code_value(name) == (value.encode() if isinstance(code_value(name), bytes) else value)
        assert clause in clauses()


def test_tables_and_examples_are_as_made() -> None:
    for page, made in maker().pages():  # .venv/bin/python docs/reference/make_profile_examples.py
        assert page.read_text(encoding="utf-8") == made, page.name


def test_every_table_that_is_made_stands_on_one_page() -> None:
    named = [n for page in PAGES for n in re.findall(r"<!-- made: (\S+) -->", page.read_text(encoding="utf-8"))]
    assert sorted(named) == sorted(part("profile_tables").BLOCKS)


def test_cddl_rule_is_defined_once_and_every_one_that_is_named_exists() -> None:
    cddl = "\n".join(re.findall(r"```cddl\n(.*?)```", text_of("profile/cddl.md"), re.DOTALL))
    bare = re.sub(r'"[^"]*"', "", re.sub(r";.*", "", cddl))
    defined = re.findall(r"^([A-Za-z][\w-]*) =", bare, re.MULTILINE)
    assert len(defined) == len(set(defined)) > 60
    prelude = {"bytes", "tstr", "uint", "int", "any", "bool", "null", "tdate", "cbor", "size"}
    assert set(re.findall(r"[A-Za-z][\w-]*", bare)) <= set(defined) | prelude
    assert set(re.findall(r"rule `(\w+)`", text_of("profile/examples.md"))) <= set(defined)
