"""The mutants of a place, and how one is put into the running device and taken out again.

Families: the check is left out; one of several conditions is left out; a limit is off by one; the wrong code is told; the device
falls over in place of refusing (where none of the others can be had). The families that no scan can make stand in tables
(:mod:`~conformance.mutants.by_hand`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy, deepcopy
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import import_module
from types import CodeType
from typing import Any

from conformance.mutants.places import REFUSE_UNLESS, UNTOLD, Place, Statement, called, is_check, is_code, is_word, live, parsed
from virtual_devices.chip import Refusal
from virtual_devices.lifecycle import FieldCode

_OFF_BY_ONE: Mapping[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}


class Family(Enum):
    """What kind of mistake it is."""

    LEFT_OUT = "check left out"
    HALF_LEFT_OUT = "one of several conditions left out"
    OFF_BY_ONE = "limit off by one"
    WRONG_CODE = "wrong code"
    FALLS_OVER = "falls over in place of refusing"
    STATE = "state not reset"
    LEAK = "leak"
    TIMING = "too late or too early"
    CRYPTO = "crypto misuse"
    OFFLINE = "offline error"
    TWICE = "double spending"


@dataclass(frozen=True)
class Mutant:
    """One fault. ``change``: what is done to the syntax of the function, found again by the position of its nodes."""

    id: str
    family: Family
    module: str
    function: str
    line: int
    what: str
    change: Callable[[ast.FunctionDef], None]

    def read(self) -> None:
        """Read the module's text now, so that no process that is forked later has to."""
        _statements(self.module)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The device with the fault in it."""
        target = live(self.module, self.function)
        sound = target.__code__
        target.__code__ = self.code(sound)
        try:
            yield
        finally:
            target.__code__ = sound

    def code(self, sound: CodeType) -> CodeType:
        """The function's code with the fault. Raises LookupError when it is no function of its own."""
        outer, *inner = self.function.split(".")
        node: Any = _statements(self.module)[outer]
        classes = []
        for name in inner:
            classes.append(copy(node))
            node = next(n for n in reversed(node.body) if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == name)
        made: Any = deepcopy(node)
        self.change(made)
        for around in reversed(classes):  # of a class no other method is needed
            around.body = [made]
            made = around
        tree = ast.fix_missing_locations(ast.Module([made], []))
        code = compile(tree, sound.co_filename, "exec", flags=annotations.compiler_flag, dont_inherit=True)
        return _find(code, sound.co_qualname, sound.co_freevars)


@cache
def _statements(module: str) -> Mapping[str, ast.stmt]:
    """The functions and classes of a module."""
    body = parsed(module)[1].body
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def _find(code: CodeType, qualname: str, free: tuple[str, ...]) -> CodeType:
    for constant in code.co_consts:
        if not isinstance(constant, CodeType):
            continue
        if constant.co_qualname == qualname and constant.co_freevars == free:
            return constant
        try:
            return _find(constant, qualname, free)
        except LookupError:
            continue
    raise LookupError(qualname)


def mutants_of(place: Place) -> list[Mutant]:
    """The mutants of one refusal."""
    names = vars(import_module(place.module))
    return [*_conditions(place), *_codes(place, names)] or [_fall(place)]


def _conditions(place: Place) -> Iterator[Mutant]:
    """Of the innermost condition under which it refuses."""
    found = next(((n, branch) for n, branch in _guards(place.path)), None)
    if found is None:
        return
    test, taken = found
    at = _at(test)
    says = f"{'never' if taken else 'always'}: {ast.unparse(test)}"
    yield _mutant(place, Family.LEFT_OUT, "", says, at, ast.Constant(not taken))
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or if taken else ast.And):
        for number, part in enumerate(test.values):
            rest = [v for v in test.values if v is not part]
            less = rest[0] if len(rest) == 1 else ast.BoolOp(test.op, rest)
            yield _mutant(place, Family.HALF_LEFT_OUT, f"-{number}", f"without: {ast.unparse(part)}", at, less)
    for number, node in enumerate(n for n in ast.walk(test) if isinstance(n, ast.Compare)):
        for which, op in enumerate(node.ops):
            if type(op) in _OFF_BY_ONE:
                ops = [_OFF_BY_ONE[type(o)]() if i == which else o for i, o in enumerate(node.ops)]
                other = ast.Compare(node.left, ops, node.comparators)
                yield _mutant(place, Family.OFF_BY_ONE, f"-{number}-{which}", f"{ast.unparse(node)} -> {ast.unparse(other)}",
                              _at(node), other)


def _guards(path: tuple[ast.AST, ...]) -> Iterator[tuple[ast.expr, bool]]:
    """Conditions around the last node, innermost first, and whether it stands where they hold. ``refuse_unless`` has its own, and
    a check is one."""
    if called(path[-1]) == REFUSE_UNLESS:
        assert isinstance(path[-1], ast.Expr) and isinstance(path[-1].value, ast.Call)
        yield path[-1].value.args[0], False
    if is_check(path):
        assert isinstance(path[-1], ast.Return) and path[-1].value is not None
        yield path[-1].value, False
    for outer, inner in zip(reversed(path[:-1]), reversed(path[1:]), strict=True):
        if isinstance(outer, ast.If):
            yield outer.test, inner in outer.body
        elif isinstance(outer, ast.ExceptHandler | ast.FunctionDef | ast.Lambda):
            return


def _codes(place: Place, names: Mapping[str, Any]) -> Iterator[Mutant]:
    """Another member of the enumeration, or another status word, in place of the one that is told."""
    for number, node in enumerate(n for n in ast.walk(place.statement) if isinstance(n, ast.Attribute)):
        if not isinstance(node.value, ast.Name) or node.value.id in UNTOLD:
            continue
        kind = names.get(node.value.id)
        if isinstance(kind, type) and issubclass(kind, Enum) and node.attr in kind.__members__ and len(kind) > 1:
            members = list(kind.__members__)
            other = members[(members.index(node.attr) + 1) % len(members)]
            new = ast.Attribute(ast.Name(node.value.id, ast.Load()), other, ast.Load())
            yield _mutant(place, Family.WRONG_CODE, f"-{number}", f"{kind.__name__}.{other} for {node.attr}", _at(node), new)
    told = (n for n in ast.walk(place.statement) if isinstance(n, ast.Constant | ast.Name) and is_code(n, names))
    for number, code in enumerate(told if isinstance(place.statement, ast.Return) else ()):
        wrong = _another(code, names)
        says = f"{ast.unparse(wrong)} for {ast.unparse(code)}"
        yield _mutant(place, Family.WRONG_CODE, f"-code-{number}", says, _at(code), wrong)
    for number, word in enumerate(_words(place.statement)):
        if not isinstance(word, ast.Attribute):
            spoilt = ast.BinOp(word, ast.BitXor(), ast.Constant(0x0100))
            yield _mutant(place, Family.WRONG_CODE, f"-word-{number}", ast.unparse(spoilt), _at(word), spoilt)


def _another(code: ast.Constant | ast.Name, names: Mapping[str, Any]) -> ast.expr:
    """A return code of the same kind that is another one."""
    if isinstance(code, ast.Constant) or isinstance(names[code.id], str):
        return ast.Constant("9999")
    name = next(n for n, value in names.items() if isinstance(value, FieldCode) and value != names[code.id])
    return ast.Name(name, ast.Load())


def _words(statement: Statement) -> Iterator[ast.expr]:
    """What a chip's refusal tells as its status word."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "sw")
            if node.func.id == REFUSE_UNLESS:
                yield node.args[1]
            if node.func.id == Refusal.__name__:
                yield node.args[0]
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            yield from (last for last in node.value.elts[-1:] if is_word(last))


def _fall(place: Place) -> Mutant:
    value = place.statement.exc if isinstance(place.statement, ast.Raise) else place.statement.value
    assert value is not None
    if isinstance(value, ast.Constant) and value.value is False:
        return _mutant(place, Family.LEFT_OUT, "", "True for False", _at(value), ast.Constant(True))
    crash = ast.parse("1 // 0", mode="eval").body
    return _mutant(place, Family.FALLS_OVER, "", "an error of its own", _at(value), crash)


_Position = tuple[int, int, int, int]


def _at(node: ast.expr) -> _Position:
    assert node.end_lineno is not None and node.end_col_offset is not None
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def _mutant(place: Place, family: Family, number: str, what: str, at: _Position, new: ast.expr) -> Mutant:
    def change(function: ast.FunctionDef) -> None:
        _Replace(at, new).visit(function)

    word = family.name.lower().replace("_", "-")
    return Mutant(f"{place.id}:{word}{number}", family, place.module, place.function, place.line, what, change)


class _Replace(ast.NodeTransformer):
    """Puts ``new`` in the place of the expression at that position."""

    def __init__(self, at: _Position, new: ast.expr) -> None:
        self._at = at
        self._new = new

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.expr) and _at(node) == self._at:
            return ast.copy_location(deepcopy(self._new), node)
        return self.generic_visit(node)


__all__ = ["Family", "Mutant", "mutants_of"]
