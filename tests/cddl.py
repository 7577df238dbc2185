"""As much of CDDL (RFC 8610) as the profile is written in: rules, choices, literals, ranges, maps, arrays, occurrences, tags,
``.size`` and ``.cbor``. Dates are known as what the CBOR decoder makes of tags 0 and 1004."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import cbor2

from virtual_devices import cbor

_TOKEN = re.compile(r'"[^"]*"|#6\.\d+|\d+\*\d+|-?\d+\.\.-?\d+|-?\d+|=>|\.size|\.cbor|[A-Za-z_][\w-]*|[][{}(),:/=?*+]')
_PRELUDE: dict[str, Any] = {
    "any": object, "bytes": bytes, "tstr": str, "uint": int, "int": int, "bool": bool, "tdate": datetime, "null": type(None),
}
Node = tuple[Any, ...]


@dataclass
class Grammar:
    """The rules of a text. Raises ValueError for what it does not understand."""

    text: str
    rules: dict[str, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bare = re.sub(r";[^\n]*", "", self.text)
        self._tokens = _TOKEN.findall(bare)
        if re.sub(r"\s", "", bare) != "".join(re.sub(r"\s", "", t) for t in self._tokens):
            raise ValueError("a character that is no token")
        while self._tokens:
            name = self._take()
            self._take("=")
            self.rules[name] = self._type()

    def matches(self, rule: str, raw: bytes) -> bool:
        """Whether these bytes are an item of that rule."""
        return self._fits(self.rules[rule], cbor.decode(raw))

    # -- parsing

    def _peek(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def _take(self, wanted: str = "") -> str:
        token: str = self._tokens.pop(0)
        if wanted and token != wanted:
            raise ValueError(f"{token!r} where {wanted!r} should be")
        return token

    def _type(self) -> Node:
        choices = [self._one()]
        while self._peek() == "/":
            self._take()
            choices.append(self._one())
        return choices[0] if len(choices) == 1 else ("choice", *choices)

    def _one(self) -> Node:
        token = self._take()
        if token in ("{", "["):
            return self._group(token)
        if token == "(":
            inner = self._type()
            self._take(")")
            return inner
        if token.startswith("#6."):
            if self._peek() != "(":
                return "tag", int(token[3:]), ("name", "any")
            return "tag", int(token[3:]), self._one()
        if token[0] == '"':
            return "literal", token[1:-1]
        if ".." in token:
            return "range", *map(int, token.split(".."))
        if token.lstrip("-").isdigit():
            return "literal", int(token)
        node: Node = ("name", token)
        if self._peek() == ".size":
            self._take()
            return "size", node, self._one()
        if self._peek() == ".cbor":
            self._take()
            return "cbor", self._one()
        return node

    def _group(self, opening: str) -> Node:
        closing, entries = {"{": "}", "[": "]"}[opening], []
        while self._peek() != closing:
            low, high = self._occurrence()
            key, value = None, self._type()
            if self._peek() in (":", "=>"):
                self._take()
                key, value = value, self._type()
            entries.append((low, high, key, value))
            if self._peek() == ",":
                self._take()
        self._take(closing)
        return ("map" if opening == "{" else "array", *entries)

    def _occurrence(self) -> tuple[int, float]:
        if re.fullmatch(r"\d+\*\d+", self._peek()):
            low, high = self._take().split("*")
            return int(low), int(high)
        known = {"?": (0, 1.0), "*": (0, math.inf), "+": (1, math.inf)}
        return known[self._take()] if self._peek() in known else (1, 1.0)

    # -- matching

    def _fits(self, node: Node, value: Any) -> bool:
        match node[0]:
            case "choice":
                return any(self._fits(one, value) for one in node[1:])
            case "literal":
                return type(value) is type(node[1]) and value == node[1]
            case "range":
                return type(value) is int and node[1] <= value <= node[2]
            case "size":
                within = node[2] if node[2][0] == "range" else ("range", node[2][1], node[2][1])
                return self._fits(node[1], value) and self._fits(within, len(value))
            case "cbor":
                return isinstance(value, bytes) and self._fits(node[1], cbor.decode(value))
            case "tag" if node[1] == 1004:
                return isinstance(value, date) and not isinstance(value, datetime)
            case "tag":
                return isinstance(value, cbor2.CBORTag) and value.tag == node[1] and self._fits(node[2], value.value)
            case "name":
                return self._named(node[1], value)
            case "array":
                return isinstance(value, (list, tuple)) and self._row(list(node[1:]), list(value))
            case _:
                return isinstance(value, Mapping) and self._map(list(node[1:]), dict(value))

    def _named(self, name: str, value: Any) -> bool:
        if name in self.rules:
            return self._fits(self.rules[name], value)
        kind = _PRELUDE[name]
        return isinstance(value, kind) and (kind is not int or not isinstance(value, bool)) and (name != "uint" or value >= 0)

    def _row(self, entries: list[Any], values: list[Any]) -> bool:
        if not entries:
            return not values
        low, high, _, node = entries[0]
        fitting = 0
        while fitting < min(high, len(values)) and self._fits(node, values[fitting]):
            fitting += 1
        return any(self._row(entries[1:], values[count:]) for count in range(fitting, low - 1, -1))

    def _map(self, entries: list[Any], values: dict[Any, Any]) -> bool:
        for low, high, key, node in entries:
            mine = [k for k, v in values.items() if self._fits(key, k)]
            kept = [k for k in mine if self._fits(node, values[k])]
            if not low <= len(kept) <= high or (key[0] == "literal" and len(mine) != len(kept)):
                return False
            values = {k: v for k, v in values.items() if k not in kept}
        return not values
