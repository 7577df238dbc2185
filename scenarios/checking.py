"""The values of a scenario file against its situation's model: everything that is wrong, each with its place.

A fault in an override (``--set``) names the override, not the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, time
from typing import Any

import pydantic

from scenarios.listing import Fault
from scenarios.mirror import filled
from scenarios.overrides import key_path, put, toml_value
from scenarios.positions import Path, Span, dotted
from scenarios.syntax import Parsed
from scenarios.wording import nearest, said

_TABLES = ("run", "network", "params")


class Values:
    """The values of one parsed file. Whatever is wrong with them is added to the file's faults."""

    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed
        self._data = parsed.data
        self._schema: dict[str, Any] = {}
        self._overridden: dict[Path, str] = {}
        self._added: set[str] = set()

    def override(self, overrides: Mapping[str, str]) -> None:
        """Replace values, and remember which."""
        for name, value in overrides.items():
            keys = key_path(name)
            if keys is None:
                self._override_fault(name, "is not a key", "write --set params.name=value")
                continue
            place, problem = put(self._data, keys, toml_value(value))
            if problem:
                self._override_fault(name, problem)
            else:
                self._overridden[place] = name

    def situation(self, known: Iterable[str]) -> str:
        """The name of the situation, or an empty text when it has none of the known ones."""
        name, place = self._data.get("situation"), ("situation",)
        if isinstance(name, date | time):  # elsewhere a date without quotes may stand for its text, but never here
            self._report(self._value_span(place), place, *said({"type": "string_type"}, "situation", name, []))
        if isinstance(name, str) and name not in known:
            guess = nearest(name, known)
            there = f"there is no situation {json.dumps(name, ensure_ascii=False)}; there are: {', '.join(known) or 'none'}"
            self._report(self._value_span(place), place, there, f'did you mean "{guess}"?' if guess else "")
        return name if isinstance(name, str) and name in known else ""

    def check(self, model: type[pydantic.BaseModel]) -> pydantic.BaseModel | None:
        """The file as the model; None when a value is wrong."""
        self._added = {table for table in _TABLES if table not in self._data}
        self._data |= {table: {} for table in self._added}  # so that what is missing in them is named as well
        self._same_ids()
        try:
            return model.model_validate_json(json.dumps(filled(model, self._data), default=_iso), strict=True)
        except pydantic.ValidationError as error:
            self._schema = model.model_json_schema()
            self._translate(error)
            return None

    def _translate(self, error: pydantic.ValidationError) -> None:
        one_each: dict[Path, Any] = {}  # a value that fits none of several types is one fault
        for found in error.errors(include_url=False):
            one_each.setdefault(self._place(found), found)
        meant = {self._unknown(place) for place, found in one_each.items() if found["type"] == "extra_forbidden"}
        for place, found in one_each.items():
            match found["type"]:
                case "extra_forbidden":
                    pass
                case "missing":
                    if not any(place[:n] in meant for n in range(1, len(place) + 1)):  # a misspelt key is one fault, not two
                        self._missing(place, self._node(place).get("description", "").split("\n")[0])
                case "union_tag_not_found":
                    self._missing(place, f"write one of {', '.join(map(json.dumps, self._tags(place[:-1])))}")
                case _ if found["loc"][-1:] == ("[key]",):
                    self._wrong_key(place, found)
                case "value_error" if self._parsed.partial:
                    pass  # what it complains of may have stood in a line that cannot be read
                case _:
                    self._wrong(place, found)

    def _place(self, found: Mapping[str, Any]) -> Path:
        """Where an error is in the data. Pydantic's own location also names the alternatives that it tried."""
        place: list[str | int] = []
        data: Any = self._data
        for part in found["loc"]:
            inner = _get(data, (part,))
            if inner is not None:  # TOML has no null
                data = inner
                place.append(part)
        if found["type"] == "missing":
            place.append(found["loc"][-1])
        elif found["type"].startswith("union_tag_"):
            place.append(found["ctx"]["discriminator"].strip("'"))
        return tuple(place)

    def _wrong(self, place: Path, found: Mapping[str, Any]) -> None:
        value = _get(self._data, place)
        if found["type"] == "union_tag_invalid":
            choices = self._tags(place[:-1])
        else:
            node = self._node(place)
            choices = list(node.get("enum", [node["const"]] if "const" in node else []))
        message, hint = said(found, str(place[-1]) if place else "", value, choices)
        whole_table = found["type"] == "value_error" and isinstance(value, dict)
        span = self._parsed.positions.key(place) if whole_table else self._value_span(place)
        self._report(span, place, message, hint or _brackets(place, value, found["type"]), inside=whole_table)

    def _wrong_key(self, place: Path, found: Mapping[str, Any]) -> None:
        """A table whose keys are values themselves: a key that is none of those allowed, or looks wrong."""
        key, span = str(place[-1]), self._parsed.positions.key(place)
        choices = [str(c) for c in self._node(place[:-1]).get("propertyNames", {}).get("enum", [])]
        if choices:
            guess = nearest(key, choices)
            hint = f"did you mean {dotted((*place[:-1], guess))}?" if guess else f"there are: {', '.join(choices)}"
            self._report(span, place, "unknown key", hint)
        else:
            message, hint = said(found, "", key, [])
            self._report(span, place, f"this key {message}", hint)

    def _missing(self, place: Path, hint: str) -> None:
        if place[0] in self._added and len(place) > 1:
            hint = f"add it under [{place[0]}]{f': {hint}' if hint else ''}"
        if not self._parsed.partial:
            self._report(self._parsed.positions.key(place[:-1]), place, "is missing", hint, inside=True)

    def _unknown(self, place: Path) -> Path:
        """Report an unknown key; returns the place that was probably meant, or an empty one."""
        key, there = str(place[-1]), _get(self._data, place[:-1]) or {}
        known = self._node(place[:-1]).get("properties", {})
        overridden = next((whole for whole in self._overridden if whole[: len(place)] == place), None)
        free = [k for k in known if overridden or k not in there or (len(place) == 1 and k in self._added)]
        guess, home = nearest(key, free), self._home(key, place)
        span = self._parsed.positions.key(place)
        if guess and not home:
            rest = overridden[len(place) :] if overridden else ()
            self._report(span, place, "unknown key", f"did you mean {dotted((*place[:-1], guess, *rest))}?")
            return (*place[:-1], guess)
        what = "unknown table" if len(place) == 1 and isinstance(there.get(key), dict | list) else "unknown key"
        self._report(span, place, what, home or (f"there are: {', '.join(known)}" if known else "there are none here"))
        return ()

    def _home(self, key: str, place: Path) -> str:
        """Where a key belongs that stands in the wrong table: TOML gives a key to the last [table] above it."""
        if len(place) > 1 and key in self._schema["properties"]:
            return f"{key} belongs at the top of the file, before the first [table]"
        for table in _TABLES if len(place) <= 2 else ():
            if place[0] != table and key in self._node((table,)).get("properties", {}):
                return f"it belongs in [{table}]"
        return ""

    def _same_ids(self) -> None:
        first: dict[str, int] = {}
        listed = self._data.get("fault")
        for index, one in enumerate(listed if isinstance(listed, list) else []):
            name = one.get("id") if isinstance(one, dict) else None
            if isinstance(name, str) and first.setdefault(name, index) != index:
                place, line = ("fault", index, "id"), self._value_span(("fault", first[name], "id")).line
                self._report(self._value_span(place), place, f"is used already, in line {line}", "give each fault its own id")

    def _value_span(self, place: Path) -> Span:
        return self._parsed.positions.value(place)

    def _report(self, span: Span, place: Path, message: str, hint: str = "", *, inside: bool = False) -> None:
        """Add a fault at a place, or to the override that the value came from. ``inside``: an override of anything in the
        table counts as well."""
        for overridden, name in self._overridden.items():
            shorter = min(len(place), len(overridden))
            if overridden[:shorter] == place[:shorter] and (inside or len(overridden) <= len(place) or "unknown" in message):
                self._override_fault(name, message, hint)
                return
        self._parsed.fault(span, dotted(place), message, hint)

    def _override_fault(self, name: str, message: str, hint: str = "") -> None:
        self._parsed.found[Fault(self._parsed.path, 0, 0, f"--set {name}", message, hint)] = 0

    def _node(self, place: Path) -> dict[str, Any]:
        """The schema of what stands at a place; an empty one when the schema does not reach there."""
        node, data = self._schema, self._data
        for part in place:
            if isinstance(part, int):
                inner = node.get("items")
            else:
                inner = node.get("properties", {}).get(part, node.get("additionalProperties"))
            data = _get(data, (part,))
            node = self._resolved(inner if isinstance(inner, dict) else {}, data)
        return node

    def _tags(self, place: Path) -> list[str]:
        """The names of the alternatives at a place."""
        return list(self._node(place).get("discriminator", {}).get("mapping", {}))

    def _resolved(self, node: dict[str, Any], data: Any) -> dict[str, Any]:
        """A schema with its reference followed, and its alternative chosen by what the data says it is."""
        if "discriminator" in node and isinstance(data, dict):
            tag, mapping = data.get(node["discriminator"]["propertyName"]), node["discriminator"]["mapping"]
            return self._resolved({"$ref": mapping[tag]}, data) if isinstance(tag, str) and tag in mapping else node
        if "$ref" in node:
            target: dict[str, Any] = self._schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
            return target | {key: value for key, value in node.items() if key != "$ref"}
        return node


def _get(data: Any, place: Path) -> Any:
    for part in place:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _brackets(place: Path, value: Any, kind: str) -> str:
    if len(place) == 1 and isinstance(value, dict) and kind in ("tuple_type", "list_type"):
        return f"write [[{place[0]}]], with double brackets"
    if len(place) == 1 and isinstance(value, list) and kind in ("model_type", "dict_type"):
        return f"write [{place[0]}], with single brackets"
    return ""


def _iso(value: Any) -> str:
    """tomllib's types beyond JSON's are dates and times, all of which write themselves in ISO 8601."""
    if not isinstance(value, date | time):
        raise TypeError(f"{type(value).__name__} is no type of TOML")
    return value.isoformat()
