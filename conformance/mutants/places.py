"""Where a reference device refuses: found by reading its code, so that a new refusal cannot be forgotten.

A refusal is a ``raise`` of an error of the peer's (:class:`~virtual_devices.errors.PeerError`), or a ``return`` of a value
that says no: a :class:`~virtual_devices.pki.Refused`, a member of one of :data:`NOES`. A chip refuses by its status word: it
raises :class:`~virtual_devices.chip.Refusal`, calls ``refuse_unless``, returns ``Answer(sw=...)``, or returns or keeps a word.
So does a check, a function that says yes or no: it returns ``False`` or what it compares; and ``None`` where there could be
something. A service returns a return code of the field, or an answer with one, or raises one of :data:`RAISED`.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any

from virtual_devices.chip import Refusal, refuse_unless
from virtual_devices.errors import PeerError
from virtual_devices.lifecycle import FieldCode

NOES = frozenset({"Refused", "No", "SessionStatus", "ResponseStatus", "WriteOutcome", "Trouble", "SW", "Problem"})
"""Names of classes whose values, in what is returned, are a refusal."""
_YES = frozenset({"OK", "STORED", "ALREADY"})
"""But not these members of theirs."""
UNTOLD = frozenset({"Problem", "NdefProblem", "Input"})
"""Names of enumerations that say what was wrong, or happened, to our own side alone: the peer hears the same of each."""
_REFUSES, _STATUSES = "_refuse", frozenset({"PROTOCOL_ERROR"})
"""The method by which a machine refuses, and names of numbers that are a refusal where a module has no enumeration of them."""
RAISED = frozenset({"_BadArguments", "BadArguments", "Unattested"})
"""Names of errors that a service raises and answers itself."""
_CODE = re.compile(r"[1-9][0-9]{3,4}")
REFUSE_UNLESS = refuse_unless.__name__
_STATUS_WORDS = range(0x6200, 0xA000)
"""Numbers that are the status word of a refusal, in what a function returns: 61xx says that data wait."""
Statement = ast.Raise | ast.Return | ast.Expr | ast.Assign


@dataclass(frozen=True)
class Place:
    """One refusal. ``function``: the outermost function or method that holds it. ``path``: of AST nodes from there to it."""

    module: str
    function: str
    line: int
    text: str
    path: tuple[ast.AST, ...]

    @property
    def id(self) -> str:
        return f"{self.module.removeprefix('virtual_devices.')}:{self.line}"

    @property
    def statement(self) -> Statement:
        found = self.path[-1]
        assert isinstance(found, Statement)
        return found


def places(modules: Iterable[str]) -> list[Place]:
    """Every refusal in these modules, in the order of their text. ``MODULE:NAME``: in this function or class of it alone."""
    return [place for name in modules for place in _of_module(import_module(name.partition(":")[0]), name.partition(":")[2])]


def _of_module(module: ModuleType, only: str) -> Iterator[Place]:
    source, tree = parsed(module.__name__)
    lines = source.splitlines()
    for name, function in functions(tree):
        if only and only not in (name, name.partition(".")[0]):
            continue
        for path in _refusals(function, vars(module)):
            line = path[-1].lineno  # type: ignore[attr-defined]
            yield Place(module.__name__, name, line, lines[line - 1].strip(), path)


@cache
def parsed(module: str) -> tuple[str, ast.Module]:
    """A module's text and syntax, which nobody may change."""
    source = inspect.getsource(import_module(module))
    return source, ast.parse(source)


def functions(tree: ast.AST, inside: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions and methods by their qualified names; what is nested in one belongs to it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield f"{inside}{node.name}", node
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, f"{inside}{node.name}.")


def _refusals(node: ast.AST, names: Mapping[str, Any], path: tuple[ast.AST, ...] = ()) -> Iterator[tuple[ast.AST, ...]]:
    path = (*path, node)
    if isinstance(node, Statement) and (_says_no(node, names) or is_check(path) or _is_nothing(path)):
        yield path
        return
    for child in ast.iter_child_nodes(node):
        yield from _refusals(child, names, path)


def _says_no(node: Statement, names: Mapping[str, Any]) -> bool:
    if isinstance(node, ast.Raise):
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        if isinstance(raised, ast.Name) and raised.id in RAISED:
            return True
        found = names.get(raised.id) if isinstance(raised, ast.Name) else None
        return isinstance(found, type) and issubclass(found, PeerError | Refusal)
    if isinstance(node, ast.Expr):
        return called(node) == REFUSE_UNLESS
    if isinstance(node, ast.Assign) and not isinstance(node.value, ast.Attribute):
        return False
    if isinstance(node.value, ast.Tuple) and any(map(is_word, node.value.elts[-1:])):
        return True
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and any(keyword.arg == "sw" for keyword in inner.keywords):
            return True
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id in NOES:
            return True
        if isinstance(inner, ast.Attribute) and (inner.attr == _REFUSES or inner.attr in _STATUSES):
            return True
        if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name) and inner.value.id in NOES:
            owner = names.get(inner.value.id)
            if isinstance(owner, type) and issubclass(owner, Enum) and inner.attr in owner.__members__:
                return inner.attr not in _YES
        if isinstance(node, ast.Return) and isinstance(inner, ast.Constant | ast.Name) and is_code(inner, names):
            return True
    return False


def is_code(node: ast.Constant | ast.Name, names: Mapping[str, Any]) -> bool:
    """It is a return code of the field that refuses: a text of four or five digits, a FieldCode other than 0."""
    value = node.value if isinstance(node, ast.Constant) else names.get(node.id)
    number = value.number if isinstance(value, FieldCode) else value
    return isinstance(number, str) and _CODE.fullmatch(number) is not None


def is_check(path: tuple[ast.AST, ...]) -> bool:
    """It ends at what a function that says yes or no compares and returns."""
    node = path[-1]
    return (
        isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant)
        and _said(path) == "bool"
    )


def _is_nothing(path: tuple[ast.AST, ...]) -> bool:
    """It ends at the ``False`` of a function that says yes or no, or the ``None`` of one that may have something."""
    node = path[-1]
    if not isinstance(node, ast.Return) or not isinstance(node.value, ast.Constant):
        return False
    return node.value.value is False or (node.value.value is None and "| None" in _said(path))


def _said(path: tuple[ast.AST, ...]) -> str:
    """What the innermost function says that it returns."""
    function = next(node for node in reversed(path) if isinstance(node, ast.FunctionDef))
    return "" if function.returns is None else ast.unparse(function.returns)


def is_word(node: ast.expr) -> bool:
    """It makes the status word of a refusal from a number."""
    return any(isinstance(n, ast.Constant) and type(n.value) is int and n.value in _STATUS_WORDS for n in ast.walk(node))


def called(node: ast.AST) -> str:
    """The name of the function that a statement of nothing else calls."""
    value = node.value if isinstance(node, ast.Expr) else None
    return value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""


def live(module: str, function: str) -> FunctionType:
    """The function that is called by that qualified name now. Raises LookupError when it is nothing that can be exchanged."""
    found: Any = import_module(module)
    for name in function.split("."):
        found = inspect.getattr_static(found, name)
    for _ in range(4):
        inner = getattr(found, "__func__", None) or getattr(found, "fget", None) or getattr(found, "__wrapped__", None)
        if inner is None:
            break
        found = inner
    if not isinstance(found, FunctionType):
        raise LookupError(f"{module}:{function} is no function")
    return found


__all__ = ["NOES", "REFUSE_UNLESS", "UNTOLD", "Place", "Statement", "called", "functions", "is_check", "is_code", "is_word",
           "live", "parsed", "places"]
