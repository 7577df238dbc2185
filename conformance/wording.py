"""The suite's sentences in Chinese as Taiwan writes it (正體中文): requirements, clauses, what is expected, steps, why a verdict
came about.

A report is kept in English; a page in Chinese looks its sentences up here. ``chinese/*.toml`` has them as they are composed:
English = Chinese, ``{}`` for what is filled in, ``{0}``, ``{1}`` where it goes. What is filled in is looked up too. A sentence of
which a word would stay English is not translated at all, so that none is half of each; only what stands in 「」 or [] in the
Chinese may stay as it came: a value, or what a device, a driver or a program said in its own words.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from conformance.catalogue import CatalogueError
from conformance.catalogue import requirements as english_requirements
from conformance.clause import clauses as english_clauses

CLAUSES, REQUIREMENTS, PURPOSES, SUBJECTS = "clauses.toml", "requirements.toml", "purposes.toml", "subjects.toml"
OUTER = "verdicts.toml"
SENTENCES = (OUTER, "checks.toml", "steps.toml", "values.toml", "reasons.toml", "drivers.toml", "faults.toml", "refusals.toml")
_HOLE = "{}"
_DEEP = 5
_WORD = re.compile(r"(?<![\w./:'\"({\[+-])(?:[A-Z]?[a-z]{2,}|a)(?![\w/'\"(=}\]+-]|[.:]\S)")
"""A word of a sentence; names of fields, calls, operations and types have a capital, a digit or a sign in or at them."""
_VALUE = re.compile(r"\{.*\}|\[.*\]|\w*\(.*\)|<.*>|b?'[^']*'|b?\"[^\"]*\"", re.DOTALL)
"""What Python shows of a set, a list, a structure, a type, a text: no sentence."""
_APART = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef]) (?=[\u3000-\u9fff\uff00-\uffef])")
_QUOTED = re.compile(r"「\{(\d)[^」]*」|\[\{(\d)\}\]")
_FILLED = re.compile(r"\{(\d)(!s)?\}")


@dataclass(frozen=True, slots=True)
class Template:
    """One sentence with something filled in. ``patterns``: with as little, or as much, as can be for the first of several.
    ``quoted``: the numbers of what may stay as it came; ``literal``: of what is never looked up, such as what somebody typed."""

    english: str
    chinese: str
    patterns: tuple[re.Pattern[str], ...]
    quoted: frozenset[int]
    literal: frozenset[int]

    @classmethod
    def of(cls, english: str, chinese: str) -> Template:
        parts = [re.escape(part) for part in english.split(_HOLE)]
        quoted = frozenset(int(number) for found in _QUOTED.findall(chinese) for number in found if number)
        ways = ("(.+?)", "(.+)") if len(parts) > 2 else ("(.+)",)
        literal = frozenset(int(number) for number, as_it_came in _FILLED.findall(chinese) if as_it_came)
        return cls(english, chinese, tuple(re.compile(way.join(parts), re.DOTALL) for way in ways), quoted, literal)

    def found(self, text: str) -> Iterator[re.Match[str]]:
        """The ways in which the text is this sentence."""
        return (match for pattern in self.patterns if (match := pattern.fullmatch(text)))

    @property
    def own(self) -> int:
        """How many letters of it are its own: of two that fit, the one with more is meant."""
        return len(self.english.replace(_HOLE, ""))


@dataclass(frozen=True)
class Wording:
    """``more``: names that somebody else translates, such as the report's vocabulary of steps."""

    more: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def _known(self) -> dict[str, str]:
        return {**self.more, **{english: chinese for english, chinese in sentences().items() if _HOLE not in english}}

    def told(self, text: str) -> str:
        """The sentence in Chinese; as it came where no word of it is English; empty where there is none."""
        return self._value(text, 0)

    def purpose(self, english: str) -> str:
        """What a case shows, where only the English is written beside it; empty where there is none."""
        there = sentences(PURPOSES)
        return there.get(english) or next(self._filled(english, templates(PURPOSES), 0), "")

    def _value(self, text: str, depth: int) -> str:
        return self._looked_up(text, depth) or ("" if _english(text) else text)

    def _looked_up(self, text: str, depth: int) -> str:
        if text not in self._known:
            made = self._filled(text, templates(), depth) if depth < _DEEP and _english(text) else iter(())
            self._known[text] = next(made, "")
        return self._known[text]

    def _filled(self, text: str, there: Iterable[Template], depth: int) -> Iterator[str]:
        for one in there:
            for found in one.found(text):
                values = [value if number in one.literal else self._value(value, depth + 1)
                          for number, value in enumerate(found.groups())]
                for number in one.quoted:
                    values[number] = (values[number] or found[number + 1]).replace("「", "『").replace("」", "』")
                if all(values):
                    yield _APART.sub("", one.chinese.format(*values))


def _english(text: str) -> bool:
    return _WORD.search(text) is not None and _VALUE.fullmatch(text) is None


@cache
def sentences(*names: str) -> Mapping[str, str]:
    """English -> Chinese, of these files; of all without any. Raises CatalogueError for one that is there twice, or fills in
    something else."""
    found: dict[str, str] = {}
    for name in names or SENTENCES:
        for english, chinese in _read(name).items():
            if english in found:
                raise CatalogueError(f"chinese/{name}: {english!r} is there twice")
            if sorted({number for number, _ in _FILLED.findall(chinese)}) != [str(n) for n in range(english.count(_HOLE))]:
                raise CatalogueError(f"chinese/{name}: {english!r} fills in other things than {chinese!r}")
            found[english] = chinese
    return found


@cache
def templates(*names: str) -> tuple[Template, ...]:
    """Sentences with something filled in: what is round all else, then those with most of their own."""
    made = (Template.of(english, chinese) for english, chinese in sentences(*names).items() if _HOLE in english)
    outer = sentences(OUTER)
    return tuple(sorted(made, key=lambda one: (one.english not in outer, -one.own, one.english)))


@cache
def usual() -> Wording:
    """Without anybody else's names."""
    return Wording()


@cache
def clauses() -> Mapping[str, str]:
    """Id of a clause -> all of it but its tables. Raises CatalogueError where it was made from other English than there is."""
    return _of(CLAUSES, "clause", {id: clause.text for id, clause in english_clauses().items()})


@cache
def requirements() -> Mapping[str, str]:
    """Id of a requirement -> what it says. Raises CatalogueError as :func:`clauses`."""
    return _of(REQUIREMENTS, "requirement", {one.id: one.says for one in english_requirements()})


def _of(name: str, what: str, english: Mapping[str, str]) -> Mapping[str, str]:
    """Id -> Chinese, each made from the English that there is."""
    rows: Mapping[str, Any] = _read(name)
    for id, text in english.items():
        if id not in rows:
            raise CatalogueError(f"chinese/{name}: there is no {id}: write its Chinese, of = \"{digest(text)}\"")
        if rows[id]["of"] != digest(text):
            raise CatalogueError(f"chinese/{name}: {id}: its English has changed: read the two again, then write of = "
                                 f"\"{digest(text)}\"")
    if more := sorted(rows.keys() - english.keys()):
        raise CatalogueError(f"chinese/{name}: {', '.join(more)}: there is no such {what}")
    return {id: rows[id]["text"] for id in english}


def first(text: str) -> str:
    """The first sentence of a clause in Chinese."""
    return text.partition("。")[0] + "。"


def digest(text: str) -> str:
    """What a clause's English is known by: the beginning of its SHA-256, however its lines are broken."""
    return sha256(" ".join(text.split()).encode()).hexdigest()[:12]


def _read(name: str) -> Mapping[str, str]:
    try:
        table = tomllib.loads((files("conformance") / "chinese" / name).read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as why:
        raise CatalogueError(f"chinese/{name}: {why}") from None
    return table


__all__ = [
    "CLAUSES", "PURPOSES", "REQUIREMENTS", "SENTENCES", "SUBJECTS", "Template", "Wording", "clauses", "digest", "first",
    "requirements", "sentences", "templates", "usual",
]
