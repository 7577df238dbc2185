"""Sentences of verdicts, read out of the sources that compose them: what is expected, why a case says nothing, how a flow ended.

A sentence with something filled in has ``{}`` there, as ``conformance/chinese/`` writes it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .places import ROOT

_SAID = {"expect": 0, "equal": 0, "need": 0, "not_applicable": 0, "review": 0, "CannotShow": 0, "Decided": 1, "Ended": 0}
"""A call, and which of its arguments is a sentence of a verdict."""
_OWN = ("conformance/*.py", "conformance/kinds/*.py", "conformance/cases/*.py", "conformance/references/radio.py",
        "bench/reach/*.py", "bench/duts.py", "bench/timing.py", "bench/probe.py")
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
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = str(path.relative_to(ROOT))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            place = _SAID.get(_called(call))
            if place is not None and place < len(call.args):
                yield from ((f"{name}:{call.lineno}", text) for text in _texts(call.args[place]))
        yield from _returned(name, tree)


def _returned(name: str, tree: ast.Module) -> Iterator[tuple[str, str]]:
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name in _RETURNED.get(name, ()):
            for node in ast.walk(function):
                value = node.value if isinstance(node, ast.Return) else None
                if isinstance(value, ast.Call) and _called(value) == "Nobody":
                    value = value.args[0]
                if value is not None:
                    yield from ((f"{name}:{node.lineno}", text) for text in _texts(value) if " " in text)  # type: ignore[attr-defined]


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def _texts(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            text = "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in parts)
            if text.replace("{}", "").strip(" :;()[]"):
                yield text
        case ast.IfExp(body=one, orelse=other):
            yield from _texts(one)
            yield from _texts(other)
        case ast.BoolOp(values=several):
            for each in several:
                yield from _texts(each)


__all__ = ["said"]
