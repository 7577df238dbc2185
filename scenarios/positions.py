"""Where each key and each value of a TOML text stands, so that a fault can point at it.

``tomllib`` gives values without positions; the syntax tree of tree-sitter gives positions without values. Both are laid
side by side here: a path such as ``("fault", 0, "share")`` leads to a span. Lines and columns count from 1, columns in
characters, as editors show them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

Path = tuple[str | int, ...]
"""The way to a value: keys of tables, indexes of lists."""

_LANGUAGE = Language(tree_sitter_toml.language())
_DEPTH = 100
"""Nesting beyond this is not followed: such a value is pointed at as a whole."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one line: where it begins, and how many characters are worth underlining (at least 1)."""

    line: int
    column: int
    width: int = 1


START = Span(1, 1)


def dotted(place: Path) -> str:
    """``("fault", 0, "share")`` as ``fault.0.share``: the way in which overrides name it too."""
    return ".".join(str(part) for part in place)


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A key or a table header that was there before. ``extent`` is the byte range of the repeated ``key = value``,
    None for a header."""

    path: Path
    first: Span
    again: Span
    extent: tuple[int, int] | None


class Positions:
    """The spans of one text. Built for any text, also for one that is not TOML: what is unclear has no span."""

    def __init__(self, text: str) -> None:
        self._lines = text.encode().split(b"\n")
        self._keys: dict[Path, Span] = {}
        self._values: dict[Path, Span] = {}
        self._pairs: dict[Path, Span] = {}
        self._headers: dict[Path, Span] = {}
        self._arrays: dict[Path, int] = {}
        self.duplicates: list[Duplicate] = []
        self._document(Parser(_LANGUAGE).parse(text.encode()).root_node)

    def has(self, path: Path) -> bool:
        """Whether the text itself has a value at the path."""
        return path in self._keys or path in self._values

    def key(self, path: Path) -> Span:
        """The key that ends the path, or a table's header; failing that, the nearest thing round it."""
        while path:
            for known in (self._keys, self._values):
                if path in known:
                    return known[path]
            path = path[:-1]
        return START

    def value(self, path: Path) -> Span:
        """The value at the path; a table written with a header is pointed at by its header."""
        return self._values.get(path) or self.key(path)

    def _document(self, root: Node) -> None:
        for node in root.named_children:
            match node.type:
                case "pair":
                    self._pair(node, ())
                case "table" | "table_array_element":
                    self._table(node)

    def _table(self, node: Node) -> None:
        children = node.named_children
        if not children or children[0].type not in ("bare_key", "quoted_key", "dotted_key"):
            return
        path: Path = ()
        parts = list(_key_parts(children[0]))
        for part in parts:
            path = (*path, _key_text(part))
            self._keys.setdefault(path, self._span(part))
            last = part is parts[-1]
            if last and node.type == "table_array_element":
                path = (*path, self._arrays.get(path, 0))
                self._arrays[path[:-1]] = int(path[-1]) + 1
            elif path in self._arrays:
                path = (*path, self._arrays[path] - 1)
        header = self._span(children[0])
        if path in self._headers:
            self.duplicates.append(Duplicate(path, self._headers[path], header, None))
        self._headers.setdefault(path, header)
        self._keys.setdefault(path, header)
        for child in children[1:]:
            if child.type == "pair":
                self._pair(child, path)

    def _pair(self, node: Node, table: Path) -> None:
        children = [child for child in node.named_children if child.type != "comment"]
        if len(children) != 2 or len(table) > _DEPTH:
            return
        path = table
        for part in _key_parts(children[0]):
            path = (*path, _key_text(part))
            self._keys.setdefault(path, self._span(part))
        key = self._span(children[0])
        if path in self._pairs:
            self.duplicates.append(Duplicate(path, self._pairs[path], key, (node.start_byte, node.end_byte)))
            return
        self._pairs[path] = key
        self._value(children[1], path)

    def _value(self, node: Node, path: Path) -> None:
        self._values[path] = self._span(node)
        if len(path) > _DEPTH:
            return
        if node.type == "inline_table":
            for child in node.named_children:
                if child.type == "pair":
                    self._pair(child, path)
        elif node.type == "array":
            items = [child for child in node.named_children if child.type not in ("comment", "ERROR")]
            for index, child in enumerate(items):
                self._value(child, (*path, index))

    def _span(self, node: Node) -> Span:
        row, column_bytes = node.start_point
        line = self._lines[row]
        end_bytes = node.end_point[1] if node.end_point[0] == row else len(line)
        column = len(line[:column_bytes].decode(errors="replace"))
        width = len(line[column_bytes:end_bytes].decode(errors="replace").rstrip())
        return Span(row + 1, column + 1, max(1, width))


def _key_parts(node: Node) -> Iterator[Node]:
    """The single keys of ``a."b".c``, in order; the grammar nests them to the left."""
    nest = [node]
    while nest[-1].type == "dotted_key":
        nest.append(nest[-1].named_children[0])
    yield nest.pop()
    for dotted in reversed(nest):
        yield from dotted.named_children[1:]


def _key_text(node: Node) -> str:
    text = (node.text or b"").decode(errors="replace")
    if node.type == "bare_key":
        return text
    try:
        (key,) = tomllib.loads(f"{text} = 0")
    except (tomllib.TOMLDecodeError, ValueError):
        return text
    return str(key)
