"""Declarations as files: read, reviewed, told with their places; and the template that a maker begins with.

    form = "pics"          # or "pixit"
    kind = "wallet"

    [answers]
    maker = "..."
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from conformance.case import Kind
from conformance.condition import Answers, Sort
from conformance.form import Form, Paper, Question, form, shown
from scenarios.positions import START, Span
from scenarios.syntax import Parsed, parse, text_of

_TOP = ("form", "kind", "answers")
_TITLES = {
    Paper.PICS: "What a {} can: protocol implementation conformance statement (PICS, 協定實作符合性聲明).",
    Paper.PIXIT: "How the bench reaches a {}: extra information for testing (PIXIT, 測試用補充資訊).",
}


@dataclass(frozen=True, slots=True)
class Declaration:
    """One paper, in order."""

    path: Path
    form: Form
    answers: Answers

    @property
    def kind(self) -> Kind:
        return self.form.kind


def load(path: Path, paper: Paper | None = None) -> Declaration:
    """Read and review a file. ``paper``: which it must be. Raises ScenarioFaults with everything that is wrong with it."""
    wanted = Paper.PICS if paper is None else paper
    parsed = parse(path, text_of(path, "declaration", f'form = "{wanted.value}"'))
    if not parsed.opaque:
        asked = _form(parsed, paper)
        given = parsed.data.get("answers", {})
        if asked is not None and not isinstance(given, dict):
            parsed.fault(parsed.positions.key(("answers",)), "answers", "must be a table: [answers]")
        elif asked is not None:
            _review(parsed, asked, given)
            if not parsed.found:
                return Declaration(path, asked, asked.answers(given))
    raise parsed.refusal()


def _form(parsed: Parsed, paper: Paper | None) -> Form | None:
    """Which form the file says it is."""
    for key in parsed.data:
        if key not in _TOP:
            near = get_close_matches(key, _TOP, n=1)
            hint = f"did you mean {near[0]}?" if near else "answers stand below [answers]"
            parsed.fault(parsed.positions.key((key,)), key, "is unknown here", hint)
    papers = [p.value for p in Paper] if paper is None else [paper.value]
    named, kind = _word(parsed, "form", papers), _word(parsed, "kind", [k.value for k in Kind])
    return form(Kind(kind), Paper(named)) if named and kind else None


def _word(parsed: Parsed, key: str, words: list[str]) -> str:
    value = parsed.data.get(key)
    if value in words:
        return str(value)
    must = "must be " + " or ".join(f'"{word}"' for word in words)
    if key not in parsed.data:
        if not parsed.partial:
            parsed.fault(START, key, f"is missing: it {must}")
        return ""
    near = get_close_matches(str(value), words, n=1)
    parsed.fault(parsed.positions.value((key,)), key, f"{must}, is {json.dumps(value, default=str, ensure_ascii=False)}",
                 f'did you mean "{near[0]}"?' if near else "")
    return ""


def _review(parsed: Parsed, asked: Form, given: dict[str, Any]) -> None:
    for finding in asked.review(given):
        if finding.missing and parsed.partial:
            continue  # it may have stood in the line that cannot be read
        place = ("answers", finding.key)
        span = _left_out(parsed, finding.key) if finding.missing else parsed.positions.key(place)
        if finding.value:
            span = parsed.positions.value(place)
        parsed.fault(span, finding.key, finding.message, finding.hint)


def _left_out(parsed: Parsed, key: str) -> Span:
    """Where an answer that is not there would stand: at the template's comment, else at the table."""
    for number, line in enumerate(parsed.text.split("\n"), 1):
        if line.startswith(f"# {key} = "):
            return Span(number, 1, len(line.rstrip()))
    return parsed.positions.key(("answers",))


def template(asked: Form) -> str:
    """The form as a file with every question as a comment, for a maker to fill in."""
    title = _TITLES[asked.paper].format(asked.kind.value)
    lines = [
        f"# {title}", "# Take the # away before an answer, and put yours; leave out what is not asked of your device.",
        "# 刪去答案前的 #，填入您的答案；不適用的問題請略去。", "# Then: vhc-bench pics check THIS-FILE", "",
        f'form = "{asked.paper.value}"', f'kind = "{asked.kind.value}"', "", "[answers]",
    ]
    for question in asked.questions.values():
        lines += ["", *_asked(question)]
    return "\n".join(lines) + "\n"


def schema(asked: Form) -> dict[str, Any]:
    """JSON schema (draft 2020-12) of such a file, for editors. Closed; what depends on other answers is left to the review."""
    always = [id for id, question in asked.questions.items() if not question.when.text and question.usual is None]
    answers = {
        "type": "object", "additionalProperties": False, "required": always,
        "properties": {id: _schema(question) for id, question in asked.questions.items()},
    }
    top = {"form": {"const": asked.paper.value}, "kind": {"const": asked.kind.value}, "answers": answers}
    title = f"{asked.paper.value.upper()} of a {asked.kind.value}"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, "type": "object",
        "additionalProperties": False, "required": list(top), "properties": top,
    }


def _schema(question: Question) -> dict[str, Any]:
    said = {"description": f"{question.en}\n{question.zh}"}
    match question.known.sort:
        case Sort.YES_NO:
            return said | ({"const": True} if question.mandatory else {"type": "boolean"})
        case Sort.WHOLE:
            return {**said, "type": "integer", "minimum": question.low, "maximum": question.high}
        case Sort.TEXT:
            return {**said, "type": "string", "pattern": r"\S"}
        case Sort.CHOICE:
            return {**said, "enum": list(question.known.choices)}
        case Sort.LIST:
            return {**said, "type": "array", "uniqueItems": True, "items": {"enum": list(question.known.choices)}}


def _asked(question: Question) -> list[str]:
    clauses = f" ({', '.join(question.clauses)})" if question.clauses else ""
    lines = [f"# {question.en}{clauses}", f"# {question.zh}", f"#   {question.form()}"]
    if question.when.text:
        lines.append(f"#   only when {question.when.text}")
    if question.mandatory:
        lines.append("#   must be true")
    if question.usual is not None:
        lines.append(f"#   left out, it is {shown(question.usual)}")
    return [*lines, f"# {question.id} = {_example(question)}"]


def _example(question: Question) -> str:
    if question.usual is not None:
        return shown(question.usual)
    match question.known.sort:
        case Sort.YES_NO:
            return "true"
        case Sort.WHOLE:
            return str(question.low)
        case Sort.TEXT:
            return '""'
        case Sort.CHOICE:
            return json.dumps(question.known.choices[0])
        case Sort.LIST:
            return json.dumps(list(question.known.choices))


__all__ = ["Declaration", "load", "schema", "template"]
