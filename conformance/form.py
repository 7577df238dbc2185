"""Declarations: what is asked of each kind of device, and what answers may stand together.

A *PICS* (protocol implementation conformance statement, ISO/IEC 9646-7) says what a device can; a *PIXIT* (extra information for
testing) how the bench reaches it. The questions are in ``questions/``: ``common.toml`` and one file for each kind, ``pixit.toml``
for the second. A form is closed: an answer to a question that it has not is a finding, and so is everything else that
:meth:`Form.review` can see without the device.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Any

from conformance.case import Case, Kind
from conformance.catalogue import CatalogueError
from conformance.clause import clauses
from conformance.condition import Answers, Condition, ConditionError, Known, Sort, Value, condition

_WORDS = {
    Sort.YES_NO: "true or false", Sort.WHOLE: "a whole number", Sort.TEXT: "a text in quotes", Sort.CHOICE: "one of",
    Sort.LIST: "a list of",
}
_QUESTION = {"id", "en", "zh", "type", "choices", "low", "high", "when", "mandatory", "clauses", "only", "usual"}


LEFT = "left_to_others"
"""The question that asks which steps a device leaves to others."""


_OF_EVERYTHING = ("P-GEN-", "P-CBR-", "P-VER-")


class Paper(Enum):
    """The two papers that a maker fills in."""

    PICS = "pics"
    PIXIT = "pixit"


@dataclass(frozen=True, slots=True)
class Question:
    """One question. ``when``: asked only then; ``mandatory``: no is no answer; ``clauses``: whose business it is; ``usual``: the
    answer of who leaves it out, None: nobody may."""

    id: str
    en: str
    zh: str
    known: Known
    when: Condition
    low: int = 0
    high: int = 2**31
    mandatory: bool = False
    clauses: tuple[str, ...] = ()
    usual: Value | None = None

    def form(self) -> str:
        """How an answer looks, for a person."""
        words = _WORDS[self.known.sort]
        if self.known.choices:
            return f"{words} " + ", ".join(f'"{choice}"' for choice in self.known.choices)
        return f"{words} from {self.low} to {self.high}" if self.known.sort is Sort.WHOLE else words

    def wrong(self, value: object) -> str:
        """Why the value is no answer; empty when it is one."""
        match self.known.sort:
            case Sort.YES_NO:
                fits = isinstance(value, bool)
            case Sort.WHOLE:
                fits = isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high
            case Sort.TEXT:
                fits = isinstance(value, str) and bool(value.strip())
            case Sort.CHOICE:
                fits = value in self.known.choices
            case Sort.LIST:
                fits = isinstance(value, list) and all(v in self.known.choices for v in value) and len(set(value)) == len(value)
        return "" if fits else f"must be {self.form()}"


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold among the answers. ``at``: the question at which it is told."""

    at: str
    must: Condition
    en: str
    zh: str
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Optional:
    """Clauses that bind only a device of which the condition holds."""

    when: Condition
    clauses: frozenset[str]


@dataclass(frozen=True, slots=True)
class Left:
    """A step that a device may leave to others, and the clauses that it then cannot show itself."""

    step: str
    clauses: frozenset[str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the answers. ``key``: the question; ``value``: what is wrong is its value, not that it is
    there; ``missing``: that it is not there."""

    key: str
    message: str
    hint: str = ""
    value: bool = False
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """One form: the questions of a kind of device."""

    paper: Paper
    kind: Kind
    questions: Mapping[str, Question]
    rules: tuple[Rule, ...] = ()
    optional: tuple[Optional, ...] = ()
    left: tuple[Left, ...] = ()

    @property
    def known(self) -> Mapping[str, Known]:
        return {id: question.known for id, question in self.questions.items()}

    def review(self, given: Mapping[str, Any]) -> list[Finding]:
        """The static review: everything that is wrong with these answers, as TOML gives them."""
        found = [*self._unfit(given)]
        answers = self.answers(given)
        for question in self.questions.values():
            found += self._asked(question, given, answers)
        if not found:
            for rule in self.rules:
                if not rule.must.holds(answers):
                    found.append(Finding(rule.at, rule.en, _by(rule.clauses), value=True))
        return found

    def answers(self, given: Mapping[str, Any]) -> Answers:
        """What was answered as it may be, and what is usual where that was left out."""
        fit = {id: given[id] for id, question in self.questions.items() if id in given and not question.wrong(given[id])}
        usual = {id: question.usual for id, question in self.questions.items() if id not in given and question.usual is not None}
        return {**usual, **{id: tuple(value) if isinstance(value, list) else value for id, value in fit.items()}}

    def rules_out(self, case: Case, channel: str, answers: Answers) -> str:
        """Why the case is nothing for a device of these answers; empty when it is."""
        media = self.questions.get("media")
        if media is not None and channel in media.known.choices and channel not in _words(answers.get("media", ())):
            return f"declared: not over {channel}"
        wanted = condition(case.when)
        if not wanted.holds(answers):
            return f"declared: {self._said(wanted, answers)}, and the case is for {wanted.text}"
        for optional in self.optional:
            touched = sorted(optional.clauses.intersection(case.clauses))
            if touched and not optional.when.holds(answers):
                return f"declared: {self._said(optional.when, answers)}, and {touched[0]} is for {optional.when.text}"
        if not self.own(case.clauses, answers):
            steps = [left.step for left in self.left if left.clauses.intersection(case.clauses) and left.step in _left(answers)]
            return f"declared: {LEFT} = {shown(steps)}, and the case is of nothing else"
        return ""

    def own(self, clauses: tuple[str, ...], answers: Answers) -> tuple[str, ...]:
        """Of these clauses those that the device can show itself: what it leaves to others is none of its own, and what is said
        of everything (P-GEN, P-CBR, P-VER) goes with the rest."""
        others = {clause for left in self.left if left.step in _left(answers) for clause in left.clauses}
        own = tuple(clause for clause in clauses if clause not in others)
        return () if len(own) < len(clauses) and all(clause.startswith(_OF_EVERYTHING) for clause in own) else own

    def _said(self, asked: Condition, answers: Answers) -> str:
        return ", ".join(f"{name} = {shown(answers[name]) if name in answers else 'nothing'}" for name in sorted(asked.names()))

    def _unfit(self, given: Mapping[str, Any]) -> Iterator[Finding]:
        for key, value in given.items():
            question = self.questions.get(key)
            if question is None:
                near = get_close_matches(key, self.questions, n=1)
                hint = f"did you mean {near[0]}?" if near else f"a {self.kind.value} is asked {', '.join(self.questions)}"
                yield Finding(key, "is no question of this form", hint)
            elif why := question.wrong(value):
                words = [value] if isinstance(value, str) else value if isinstance(value, list) else []
                odd = next((w for w in words if isinstance(w, str) and w not in question.known.choices), "")
                near = get_close_matches(odd, question.known.choices, n=1) if odd else []
                yield Finding(key, f"{why}, is {shown(value)}", f'did you mean "{near[0]}"?' if near else "", value=True)

    def _asked(self, question: Question, given: Mapping[str, Any], answers: Answers) -> Iterator[Finding]:
        asked = question.when.holds(answers)
        settled = question.when.names() <= answers.keys() | (self.questions.keys() - given.keys())
        if not asked:
            if question.id in given and settled:
                said = self._said(question.when, answers)
                yield Finding(question.id, f"contradicts {said}: it is asked only when {question.when.text}",
                              "take one of the two back")
        elif question.id not in given and question.usual is None:
            yield Finding(question.id, f"is missing: {question.en}", f"answer with {question.form()}", missing=True)
        elif question.mandatory and answers.get(question.id) is False:
            yield Finding(question.id, f"is declared unsupported, and every {self.kind.value} must: {question.en}",
                          _by(question.clauses), value=True)


def _by(ids: tuple[str, ...]) -> str:
    return f"see {', '.join(ids)}: vhc-bench requirements --coverage" if ids else ""


def shown(value: object) -> str:
    """An answer as it stands in a file."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"'
        case tuple() | list():
            return "[" + ", ".join(map(shown, value)) + "]"
    return str(value)


def _left(answers: Answers) -> tuple[str, ...]:
    return _words(answers.get(LEFT, ()))


def _words(value: Value) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


@cache
def form(kind: Kind, paper: Paper = Paper.PICS) -> Form:
    """The form of a kind of device. Raises CatalogueError when its file is not in order."""
    names = ("common.toml", f"{kind.value}.toml") if paper is Paper.PICS else ("pixit.toml",)
    place = files("conformance") / "questions"
    return read(paper, kind, {name: (place / name).read_text(encoding="utf-8") for name in names})


def read(paper: Paper, kind: Kind, texts: Mapping[str, str]) -> Form:
    """From the texts of question files by their names. Raises CatalogueError at the first thing that is not in order."""
    questions: dict[str, Question] = {}
    rules: list[Rule] = []
    optional: list[Optional] = []
    left: list[Left] = []
    for name, text in texts.items():
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as why:
            raise CatalogueError(f"{name}: {why}") from None
        _closed(table, {"question", "rule", "optional", "left"}, name)
        for row in table.get("question", []):
            where = f"{name}: question {row.get('id')}"
            _closed(row, _QUESTION, where)
            if kind.value in row.get("only", [kind.value]):
                made = _question(row, where)
                if made.id in questions:
                    raise CatalogueError(f"{where}: it is there twice")
                questions[made.id] = made
        for row in table.get("rule", []):
            where = f"{name}: rule at {row.get('at')}"
            _closed(row, {"at", "must", "en", "zh", "clauses"}, where)
            rules.append(Rule(row["at"], _condition(row["must"], where), row["en"], row["zh"], _clauses(row, where)))
        for row in table.get("optional", []):
            where = f"{name}: optional {row.get('clauses')}"
            _closed(row, {"when", "clauses"}, where)
            optional.append(Optional(_condition(row["when"], where), frozenset(_clauses(row, where))))
        for row in table.get("left", []):
            where = f"{name}: left {row.get('step')}"
            _closed(row, {"step", "clauses"}, where)
            left.append(Left(row["step"], frozenset(_clauses(row, where))))
    made_form = Form(paper, kind, questions, tuple(rules), tuple(optional), tuple(left))
    _check(made_form, ", ".join(texts))
    return made_form


def _question(row: Mapping[str, Any], where: str) -> Question:
    sort = next((sort for sort in Sort if sort.value == row.get("type")), None)
    if sort is None:
        raise CatalogueError(f"{where}: type is {row.get('type')!r}; it must be one of {', '.join(s.value for s in Sort)}")
    choices = tuple(row.get("choices", ()))
    if bool(choices) != (sort in (Sort.CHOICE, Sort.LIST)):
        raise CatalogueError(f"{where}: choices go with the types choice and list")
    if row.get("mandatory") and sort is not Sort.YES_NO:
        raise CatalogueError(f"{where}: mandatory goes with the type yes-no; else write a rule")
    try:
        made = Question(
            row["id"], row["en"], row["zh"], Known(sort, choices), _condition(row.get("when", ""), where),
            row.get("low", 0), row.get("high", 2**31), row.get("mandatory", False), _clauses(row, where), row.get("usual"),
        )
    except KeyError as e:
        raise CatalogueError(f"{where}: {e.args[0]} is missing") from None
    if made.usual is not None and (why := made.wrong(made.usual)):
        raise CatalogueError(f"{where}: usual {why}")
    return made


def _check(made: Form, where: str) -> None:
    """Every condition asks what this form has, and every question that a condition asks stands before it."""
    before: dict[str, Known] = {}
    try:
        for question in made.questions.values():
            question.when.check(before)
            before[question.id] = question.known
        for asked in [*(rule.must for rule in made.rules), *(optional.when for optional in made.optional)]:
            asked.check(made.known)
    except ConditionError as e:
        raise CatalogueError(f"{where}: {e}") from None
    if unknown := [rule.at for rule in made.rules if rule.at not in made.questions]:
        raise CatalogueError(f"{where}: a rule is told at {unknown[0]}, which is no question")
    steps = made.questions[LEFT].known.choices if LEFT in made.questions else ()
    if tuple(left.step for left in made.left) != steps:
        raise CatalogueError(f"{where}: what is left to others must be {', '.join(steps) or 'nothing'}, in this order")


def _condition(text: str, where: str) -> Condition:
    try:
        return condition(text)
    except ConditionError as e:
        raise CatalogueError(f"{where}: {e}") from None


def _clauses(row: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """Ids of clauses; ``P-BLE`` alone stands for every clause of that subject."""
    found: list[str] = []
    for named in row.get("clauses", []):
        meant = [id for id in clauses() if id == named or id.rpartition("-")[0] == named]
        if not meant:
            raise CatalogueError(f"{where}: there is no clause {named}")
        found += meant
    return tuple(found)


def _closed(row: Mapping[str, Any], allowed: set[str], where: str) -> None:
    if wrong := sorted(row.keys() - allowed):
        raise CatalogueError(f"{where}: {', '.join(wrong)} is unknown; there is {', '.join(sorted(allowed))}")


__all__ = ["Finding", "Form", "Optional", "Paper", "Question", "Rule", "form", "read", "shown"]
