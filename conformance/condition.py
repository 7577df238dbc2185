"""Conditions on a declaration: which questions are asked, which cases apply, what must hold together.

    ble                               a question answered with yes
    not ble or version == "1.1"
    "ble" in media and wards >= 2

    condition  = conjunction *("or" conjunction)
    conjunction = negation *("and" negation)
    negation   = ["not"] comparison
    comparison = operand [("==" / "!=" / "<" / "<=" / ">" / ">=" / "in") operand]
    operand    = name / number / text in double quotes / "true" / "false" / "(" condition ")"

A name is a question's. What was not asked or not answered is nothing: no comparison with it holds. A condition is parsed and
checked against its questions before anything is asked of it; a slip is a ConditionError that says where in the text.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from functools import cache

from virtual_devices.errors import UsageError

Value = bool | int | str | tuple[str, ...]
Answers = Mapping[str, Value]


class ConditionError(UsageError):
    """A condition that cannot be read, or asks what cannot be asked. ``column`` counts from 1."""

    def __init__(self, text: str, column: int, what: str) -> None:
        super().__init__(f"condition {text!r}, column {column}: {what}")
        self.text = text
        self.column = column
        self.what = what


class Sort(Enum):
    """What an answer is."""

    YES_NO = "yes-no"
    WHOLE = "whole"
    TEXT = "text"
    CHOICE = "choice"  # one of several words
    LIST = "list"  # some of several words


@dataclass(frozen=True, slots=True)
class Known:
    """What a condition may ask of one question. ``choices``: the words that can be answered; empty: any."""

    sort: Sort
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Literal:
    value: bool | int | str
    column: int


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    column: int


@dataclass(frozen=True, slots=True)
class Not:
    of: Node


@dataclass(frozen=True, slots=True)
class Both:
    """``word``: and, or."""

    word: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Compared:
    sign: str
    left: Node
    right: Node
    column: int


Node = Literal | Name | Not | Both | Compared

_TOKEN = re.compile(r'\s*(?:(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<number>\d+)|(?P<text>"[^"\\]*")|(?P<sign>==|!=|<=|>=|<|>|[()]))')
_ORDER: Mapping[str, Callable[[int, int], bool]] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_RESERVED = frozenset({"and", "or", "not", "in", "true", "false"})
_DEEPEST = 40


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, parsed. The empty one always holds."""

    text: str
    root: Node | None

    def names(self) -> frozenset[str]:
        """The questions that it asks."""
        return frozenset() if self.root is None else frozenset(_names(self.root))

    def check(self, questions: Mapping[str, Known]) -> None:
        """Raises ConditionError when it asks for what there is not, or compares what cannot be compared."""
        if self.root is not None:
            _truth(self.root, questions, self.text)

    def holds(self, answers: Answers) -> bool:
        return self.root is None or _holds(self.root, answers)


@cache
def condition(text: str) -> Condition:
    """Parse a condition. Raises ConditionError."""
    return Condition(text, _Parser(text).whole() if text.strip() else None)


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str, int]] = []  # kind, token, column
        self._at = 0
        self._depth = 0
        end, last = 0, len(text.rstrip())
        while end < last:
            match = _TOKEN.match(text, end)
            if match is None:
                begin = end + len(text[end:]) - len(text[end:].lstrip())
                raise ConditionError(text, begin + 1, f"{text[begin]!r} belongs to no condition")
            kind = str(match.lastgroup)
            self._tokens.append((kind, match[kind], match.start(kind) + 1))
            end = match.end()

    def whole(self) -> Node:
        found = self._or()
        if self._at < len(self._tokens):
            raise self._wrong("the condition is over before this")
        return found

    def _or(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong("nested too deeply")
        found = self._and()
        while self._take("or"):
            found = Both("or", found, self._and())
        self._depth -= 1
        return found

    def _and(self) -> Node:
        found = self._not()
        while self._take("and"):
            found = Both("and", found, self._not())
        return found

    def _not(self) -> Node:
        return Not(self._comparison()) if self._take("not") else self._comparison()

    def _comparison(self) -> Node:
        left = self._operand()
        kind, token, column = self._next()
        if (kind == "sign" and token not in "()") or token == "in":
            self._at += 1
            return Compared(token, left, self._operand(), column)
        return left

    def _operand(self) -> Node:
        kind, token, column = self._next()
        if token == "(" and kind == "sign":
            self._at += 1
            found = self._or()
            if not self._take(")"):
                raise self._wrong("a ) is missing")
            return found
        self._at += 1
        if kind == "word" and token in ("true", "false"):
            return Literal(token == "true", column)
        if kind == "word" and token not in _RESERVED:
            return Name(token, column)
        if kind == "number":
            return Literal(int(token), column)
        if kind == "text":
            return Literal(token[1:-1], column)
        self._at -= 1
        raise self._wrong("a question's name, a number, a text or ( must stand here")

    def _next(self) -> tuple[str, str, int]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "", len(self._text.rstrip()) + 1)

    def _take(self, token: str) -> bool:
        kind, found, _ = self._next()
        if found != token or kind == "text":
            return False
        self._at += 1
        return True

    def _wrong(self, what: str) -> ConditionError:
        return ConditionError(self._text, self._next()[2], what)


def _names(node: Node) -> list[str]:
    match node:
        case Name(name, _):
            return [name]
        case Literal():
            return []
        case Not(of):
            return _names(of)
        case Both(_, left, right) | Compared(_, left, right, _):
            return _names(left) + _names(right)


def _truth(node: Node, questions: Mapping[str, Known], text: str) -> None:
    """Check a node that must be true or false."""
    match node:
        case Not(of):
            _truth(of, questions, text)
        case Both(_, left, right):
            _truth(left, questions, text)
            _truth(right, questions, text)
        case Compared():
            _comparable(node, questions, text)
        case Name(name, column):
            if _known(node, questions, text).sort is not Sort.YES_NO:
                raise ConditionError(text, column, f"{name} is not answered with yes or no: compare it with something")
        case Literal(value, column):
            if not isinstance(value, bool):
                raise ConditionError(text, column, "is neither true nor false by itself")


def _comparable(node: Compared, questions: Mapping[str, Known], text: str) -> None:
    left, right = _known(node.left, questions, text), _known(node.right, questions, text)
    if node.sign == "in":
        fits = right.sort is Sort.LIST and left.sort in (Sort.TEXT, Sort.CHOICE) and isinstance(node.right, Name)
        rule = '"in" takes a text on its left, and on its right a question that is answered with a list'
    elif node.sign in _ORDER:
        fits = left.sort is right.sort is Sort.WHOLE
        rule = f"{node.sign} compares whole numbers"
    else:
        words = (Sort.TEXT, Sort.CHOICE)
        fits = (left.sort is right.sort or (left.sort in words and right.sort in words)) and left.sort is not Sort.LIST
        rule = f"{node.sign} compares two of a kind, and no lists"
    if not fits:
        raise ConditionError(text, node.column, rule)
    for side, other in ((node.left, right), (node.right, left)):
        if isinstance(side, Literal) and isinstance(side.value, str) and other.choices and side.value not in other.choices:
            raise ConditionError(text, side.column, _meant(side.value, other.choices))


def _known(node: Node, questions: Mapping[str, Known], text: str) -> Known:
    match node:
        case Name(name, column):
            if name not in questions:
                raise ConditionError(text, column, f"there is no question {name}{_near(name, questions)}")
            return questions[name]
        case Literal(value, _):
            return Known(Sort.YES_NO if isinstance(value, bool) else Sort.WHOLE if isinstance(value, int) else Sort.TEXT)
        case _:
            _truth(node, questions, text)
            return Known(Sort.YES_NO)


def _meant(word: str, choices: tuple[str, ...]) -> str:
    return f"{json.dumps(word)} is never answered; it is one of {', '.join(choices)}"


def _near(name: str, questions: Mapping[str, Known]) -> str:
    near = get_close_matches(name, questions, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _holds(node: Node, answers: Answers) -> bool:
    match node:
        case Not(of):
            return not _holds(of, answers)
        case Both("and", left, right):
            return _holds(left, answers) and _holds(right, answers)
        case Both(_, left, right):
            return _holds(left, answers) or _holds(right, answers)
        case Compared(sign, left, right, _):
            return _compare(sign, _value(left, answers), _value(right, answers))
        case _:
            return _value(node, answers) is True


def _compare(sign: str, left: Value | None, right: Value | None) -> bool:
    if left is None or right is None:
        return False
    if sign == "in":
        return isinstance(right, tuple) and left in right
    if sign in _ORDER:
        return isinstance(left, int) and isinstance(right, int) and _ORDER[sign](left, right)
    return (left == right) == (sign == "==")


def _value(node: Node, answers: Answers) -> Value | None:
    match node:
        case Literal(value, _):
            return value
        case Name(name, _):
            return answers.get(name)
        case _:
            return _holds(node, answers)


__all__ = ["Answers", "Condition", "ConditionError", "Known", "Sort", "Value", "condition"]
