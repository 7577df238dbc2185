"""A TOML file that one model describes: read and checked as a whole, and its schema for editors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from scenarios import checking, syntax

M = TypeVar("M", bound=BaseModel)


def load(path: Path, model: type[M]) -> M:
    """Raises ScenarioFaults (a UsageError) with everything that is wrong, each at its place."""
    parsed = syntax.parse(path, syntax.read(path, ()))
    if not parsed.opaque:
        checked = checking.Values(parsed).check(model)
        if isinstance(checked, model) and not parsed.found:
            return checked
    raise parsed.refusal()


def schema(
    model: type[BaseModel], title: str, each: Callable[[str, dict[str, Any]], None] = lambda _, __: None,
) -> dict[str, Any]:
    """JSON schema (draft 2020-12). ``each`` may change what stands of a property, by its name."""
    made = model.model_json_schema()
    for table in (made, *made.get("$defs", {}).values()):
        for key, value in table.get("properties", {}).items():
            value.pop("title", None)
            each(key, value)
    made["title"] = title
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | made


__all__ = ["load", "schema"]
