"""Sentences of verdicts, read out of the sources that compose them: what is expected, why a case says nothing, how a flow ended.

A sentence with something filled in has ``{}`` there, as ``conformance/chinese/`` writes it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from .places import ROOT

_SAID = {"expect": 0, "equal": 0, "need": 0, "not_applicable": 0, "review": 0, "CannotShow": 0, "Decided": 1, "Ended": 0}
"""A call, and which of its arguments is a sentence of a verdict."""
_OWN = ("conformance/*.py", "conformance/kinds/*.py", "conformance/cases/*.py", "conformance/references/radio.py",
        "bench/reach/*.py", "bench/duts.py", "bench/timing.py", "bench/probe.py")
_CASES = ("conformance/*.py", "conformance/kinds/*.py", "conformance/cases/*.py")
_NO_CASES = {"case.py", "catalogue.py", "clause.py", "condition.py", "form.py", "limits.py", "report.py", "wording.py"}
_FLOWS = ("authenticate", "calls", "card_session", "nfc", "presentation", "proximity", "second_card", "transmit", "visit",
          "wallet_visit", "write_back")
"""The flows that testers run: how one of them ended is told, when it was before the point of a case."""
_RETURNED = {
    "conformance/form.py": ("rules_out",), "conformance/tester.py": ("_stand_in",), "conformance/latency.py": ("_stand_in",),
    "conformance/clause.py": ("says",), "bench/duts.py": ("rules_out",), "bench/hands.py": ("hands",),
}
"""Functions that return a sentence, by file."""


def said() -> Iterator[tuple[str, str]]:
    """Where, and the sentence."""
    flows = [ROOT / "virtual_devices/reader" / f"{name}.py" for name in _FLOWS]
    for path in [*(path for pattern in _OWN for path in sorted(ROOT.glob(pattern))), *flows]:
        tree, name = _tree(path), str(path.relative_to(ROOT))
        known = _constants(tree)
        there: list[tuple[ast.expr | ast.Return, ast.expr]] = [*_arguments(tree), *_returned(name, tree)]
        for node, value in there:
            yield from ((f"{name}:{node.lineno}", text) for text in _texts(value, known) if text)


_REFUSING = ("bench/compare.py", "bench/conform_asked.py", "bench/conform_report.py", "bench/conforming.py",
             "bench/declaration.py", "bench/duts.py", "bench/exchanges.py", "bench/hands.py", "bench/laboratory.py",
             "bench/monikers.py",
             "bench/signature.py", "bench/timing.py", "bench/verify.py", "conformance/catalogue.py", "conformance/condition.py",
             "conformance/expected.py", "conformance/form.py", "conformance/limits.py", "conformance/report.py",
             "scenarios/syntax.py")
"""What a call of ``conform`` and of those beside it can be refused by."""
_REFUSED = {"UsageError": (0,), "BenchError": (0,), "Finding": (1, 2), "fault": (2, 3), "_whole": (1, 2), "Fault": (4, 5)}
"""A call, and which of its arguments are sentences of a refusal."""


def refused() -> Iterator[tuple[str, str]]:
    """Where, and a sentence by which a call or a declaration is refused."""
    for name in _REFUSING:
        tree = _tree(ROOT / name)
        known = _constants(tree)
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            for place in _REFUSED.get(_called(call), ()):
                for value in call.args[place : place + 1]:
                    yield from ((f"{name}:{call.lineno}", text) for text in _texts(value, known) if text)


def named() -> Iterator[tuple[str, str]]:
    """Where, and what a case calls a step, or what it is about: arguments of functions that take a ``step`` or a ``what``."""
    trees = {path: _tree(path) for pattern in _CASES for path in sorted(ROOT.glob(pattern)) if path.name not in _NO_CASES}
    takes: dict[str, set[int]] = {}
    for function in (node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        names = [one.arg for one in function.args.posonlyargs + function.args.args if one.arg not in ("self", "cls")]
        takes.setdefault(function.name, set()).update(names.index(name) for name in ("step", "what") if name in names)
    for path, tree in trees.items():
        known = _constants(tree)
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            given = [call.args[place] for place in takes.get(_called(call), ()) if place < len(call.args)]
            given += [one.value for one in call.keywords if one.arg in ("step", "what")]
            for value in given:
                yield from ((f"{path.name}:{call.lineno}", text) for text in _texts(value, known) if text)


def expected() -> Iterator[tuple[str, str]]:
    """Where, and what is expected or received, where it is words."""
    for path in (path for pattern in _CASES for path in sorted(ROOT.glob(pattern))):
        tree = _tree(path)
        known = _constants(tree)
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) in ("expect", "equal")):
            for value in call.args[2 if _called(call) == "expect" else 1 :]:
                yield from ((f"{path.name}:{call.lineno}", text) for text in _texts(value, known) if text)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _constants(tree: ast.Module) -> dict[str, str]:
    """Texts of the module that have a name."""
    found: dict[str, str] = {}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                found[name] = text
    return found


def _arguments(tree: ast.Module) -> Iterator[tuple[ast.expr, ast.expr]]:
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        place = _SAID.get(_called(call))
        if _called(call) == "need" and not isinstance(call.func, ast.Attribute):
            continue  # of libraries
        if place is not None and place < len(call.args):
            yield call, call.args[place]


def _returned(name: str, tree: ast.Module) -> Iterator[tuple[ast.Return, ast.expr]]:
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in _RETURNED.get(name, ()))
    for node in (node for function in functions for node in ast.walk(function)):
        if isinstance(node, ast.Return) and node.value is not None:
            nobody = isinstance(node.value, ast.Call) and _called(node.value) == "Nobody"
            yield node, node.value.args[0] if isinstance(node.value, ast.Call) and nobody else node.value


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def _texts(node: ast.expr, known: Mapping[str, str]) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Name(id=name) if name in known:
            yield known[name]
        case ast.JoinedStr(values=parts):
            text = "".join(_part(part, known) for part in parts)
            if text.replace("{}", "").strip(" :;()[]"):
                yield text
        case ast.IfExp(body=one, orelse=other):
            yield from _texts(one, known)
            yield from _texts(other, known)
        case ast.BoolOp(values=several):
            for each in several:
                yield from _texts(each, known)
        case ast.BinOp(left=one, op=ast.Add(), right=other):
            yield from (before + after for before in _texts(one, known) for after in _texts(other, known))


def _part(part: ast.expr, known: Mapping[str, str]) -> str:
    match part:
        case ast.Constant(value=text):
            return str(text)
        case ast.FormattedValue(value=ast.Name(id=name)) if name in known:
            return known[name]
    return "{}"


__all__ = ["expected", "named", "refused", "said"]
