"""Declarations for tests: filled in, one way for each kind of device, and written as files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conformance.case import Kind
from conformance.condition import Sort
from conformance.form import Form, Paper, Question, form

_OTHERWISE: Mapping[str, Mapping[str, Any]] = {
    "wallet": {"media": ["nfc", "ble", "qr"], "records": 600}, "data-centre": {"retention_years": 3, "controlled_years": 5},
    "reader": {"media": ["nfc", "ble", "contact", "qr"]},
    "sam": {"institution": "0123456789"},
}


def answer(question: Question) -> Any:
    """An answer that says yes to everything."""
    match question.known.sort:
        case Sort.YES_NO:
            return True
        case Sort.WHOLE:
            return question.low
        case Sort.TEXT:
            return "text"
        case Sort.CHOICE:
            return question.known.choices[0]
        case Sort.LIST:
            return list(question.known.choices)


def answers(kind: str, paper: Paper = Paper.PICS, **otherwise: Any) -> dict[str, Any]:
    """Of a device that can everything, but for ``otherwise``; what is not asked then is left out. None takes an answer away."""
    asked: Form = form(Kind(kind), paper)
    said = {**(_OTHERWISE.get(kind, {}) if paper is Paper.PICS else {}), **otherwise}
    given: dict[str, Any] = {}
    for question in asked.questions.values():
        value = said.get(question.id, answer(question))
        if (question.id in otherwise or question.when.holds(asked.answers(given))) and value is not None:
            given[question.id] = value
    return given | {key: value for key, value in otherwise.items() if key not in asked.questions}


def written(folder: Path, kind: str, paper: Paper = Paper.PICS, **otherwise: Any) -> Path:
    """The same as a file."""
    path = folder / f"{kind}.{paper.value}.toml"
    rows = [f"{key} = {json.dumps(value)}" for key, value in answers(kind, paper, **otherwise).items()]
    path.write_text("\n".join([f'form = "{paper.value}"', f'kind = "{kind}"', "[answers]", *rows]) + "\n", encoding="utf-8")
    return path
