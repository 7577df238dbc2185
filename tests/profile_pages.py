"""The profile's pages as tests read them: clauses, published examples, and the program that makes what is made."""

from __future__ import annotations

import importlib.util
import re
import sys
from functools import cache
from types import ModuleType
from typing import Any

from .places import ROOT

REFERENCE = ROOT / "docs" / "reference"
PAGES = (REFERENCE / "profile.md", *sorted((REFERENCE / "profile").glob("*.md")), REFERENCE / "protocol-profile.md")
CLAUSE = re.compile(r"^\*\*(P-([A-Z]+)-(\d\d))\*\* \((standard: [^)]+|public|profile|inferred)\) ", re.MULTILINE)
ID = re.compile(r"P-[A-Z]+-\d\d")
_EXAMPLE = re.compile(r"^### (\S+)\n(.*?)```(hex|text)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


def text_of(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


@cache
def maker() -> ModuleType:
    """The program that makes the pages."""
    spec = importlib.util.spec_from_file_location("make_profile_examples", REFERENCE / "make_profile_examples.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def part(name: str) -> ModuleType:
    """A part of that program."""
    maker()
    return sys.modules[name]


@cache
def clauses() -> dict[str, str]:
    """The text of every clause, by its id: up to the next clause or heading."""
    found: dict[str, str] = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        starts = list(CLAUSE.finditer(text))
        ends = [*(m.start() for m in starts), len(text)][1:]
        for m, end in zip(starts, ends, strict=True):
            assert m[1] not in found, f"{m[1]} stands twice"
            found[m[1]] = text[m.end() : end].split("\n## ")[0]
    return found


@cache
def published() -> dict[str, Any]:
    """The examples as the page has them: bytes or text by name."""
    found: dict[str, Any] = {}
    for name, _, kind, body in _EXAMPLE.findall(text_of("profile/examples.md")):
        joined = body.replace("\n", "")
        found[name] = bytes.fromhex(joined) if kind == "hex" else joined
    return found
