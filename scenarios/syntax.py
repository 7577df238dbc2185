"""The syntax of a scenario file: its text, the values that can be read from it, and where they stand.

Every line that is no TOML is reported, then set aside, so that the rest can still be checked.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scenarios.listing import Fault, ScenarioFaults
from scenarios.positions import Positions, Span, dotted
from scenarios.wording import nearest

_AT = re.compile(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$", re.DOTALL)
_MOST = 50  # syntax faults: after so many, it is no scenario file

_HINTS = {
    "Illegal character '\\n'": "close the quotes before the end of the line",
    "Illegal character '\\r'": "close the quotes before the end of the line",
    "Unclosed array": "a [ further up is never closed",
    "Unterminated string": "close the quotes",
}


def read(path: Path, situations: Iterable[str]) -> str:
    """A scenario file's text. Raises ScenarioFaults as :func:`text_of` does."""
    return text_of(path, "scenario file", f'situation = "{next(iter(situations), "name")}"')


def text_of(path: Path, what: str, begin: str) -> str:
    """The text of a file that people write. ``what`` it is; ``begin``: its first line. ScenarioFaults when there is none: no
    file, a directory, not UTF-8, nothing in it."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        near = nearest(path.stem, [p.stem for p in path.parent.glob("*.toml")]) if path.parent.is_dir() else ""
        raise _whole(path, "there is no such file", f"did you mean {path.parent / near}.toml?" if near else "") from None
    except IsADirectoryError:
        raise _whole(path, f"is a directory, not a {what}", "name a .toml file in it") from None
    except (OSError, ValueError) as error:
        raise _whole(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        bad = Fault(path, line, column, "", "is not UTF-8 text from here on", "save it as UTF-8 in the editor")
        raise ScenarioFaults(path, (bad,)) from None
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise _whole(path, "is empty", f"begin with: {begin}")
    return text


def _whole(path: Path, message: str, hint: str = "") -> ScenarioFaults:
    return ScenarioFaults(path, (Fault(path, 1, 1, "", message, hint),))


class Parsed:
    """One file, as far as it can be read, and what is wrong with it so far.

    ``data`` is what ``tomllib`` read. ``partial``: a line was set aside, so what is missing may have stood there.
    ``opaque``: so much cannot be read that the values say nothing.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text
        self.opaque = False
        self.partial = False
        self.data: dict[str, Any] = {}
        self.positions = Positions(text)
        self.found: dict[Fault, int] = {}
        """Fault -> how many characters to underline."""
        self._readable = text

    def fault(self, span: Span, where: str, message: str, hint: str = "") -> None:
        """Add a fault of the file."""
        self.found[Fault(self.path, span.line, span.column, where, message, hint)] = span.width

    def refusal(self) -> ScenarioFaults:
        """All that was found, in the file's order; faults of overrides come last."""
        ordered = sorted(self.found, key=lambda fault: (fault.line == 0, fault.line, fault.column))
        return ScenarioFaults(self.path, tuple(ordered), self.text, self.found)

    def read(self) -> None:
        """Fill ``data`` with all that can be read."""
        self._duplicates()
        if self.opaque:
            return
        for _ in range(_MOST):
            try:
                self.data = tomllib.loads(self._readable)
                break
            except tomllib.TOMLDecodeError as error:
                self._unreadable(str(error))
            except RecursionError:
                self.fault(Span(1, 1), "", "lists or tables are nested too deeply to be read")
                self.opaque = True
            if self.opaque:
                return
        else:
            self.opaque = True
        if self.partial:
            self.positions = Positions(self._readable)

    def _duplicates(self) -> None:
        for twice in self.positions.duplicates:
            name = dotted(twice.path)
            if twice.extent is None:
                kind, self.opaque = f"table [{name}]", True
            else:
                kind = "key"
                self._blank(*twice.extent)
            self.fault(twice.again, name, f"this {kind} is there already, in line {twice.first.line}", "keep one of the two")

    def _unreadable(self, error: str) -> None:
        """Report what tomllib stumbled over. When the line is at fault by itself, set it aside and go on."""
        lines = self._readable.split("\n")
        match = _AT.match(error)
        what = match["what"] if match else error
        if match and match["line"]:
            line, column = int(match["line"]), int(match["column"])
        else:
            line = max(i for i, text in enumerate(lines, 1) if text.strip() or i == 1)
            column = len(lines[line - 1].rstrip()) + 1
        line = min(line, len(lines))
        text = lines[line - 1]
        span = Span(line, min(column, len(text.rstrip("\r")) + 1))
        self.fault(span, "", f"cannot be read as TOML: {what[:1].lower()}{what[1:]}", _syntax_hint(what, text))
        if text.lstrip().startswith("[") or _reads(text) or not _by_itself(text):
            self.opaque = True
            return
        self.partial = True
        start = len("\n".join(lines[: line - 1]).encode()) + (line > 1)
        self._blank(start, start + len(text.encode()))

    def _blank(self, start: int, end: int) -> None:
        """Take a stretch of bytes out of what is read, leaving every other position as it is."""
        data = self._readable.encode()
        gap = re.sub(rb"[^\n]", b" ", data[start:end])
        self._readable = (data[:start] + gap + data[end:]).decode()


def parse(path: Path, text: str) -> Parsed:
    """Read the text as TOML, as far as that is possible."""
    parsed = Parsed(path, text)
    parsed.read()
    return parsed


def _reads(line: str) -> bool:
    try:
        tomllib.loads(line)
    except (tomllib.TOMLDecodeError, RecursionError):
        return False
    return True


def _by_itself(line: str) -> bool:
    """False when the line opens or closes something that goes on in other lines: setting it aside would spoil those."""
    return line.count("[") == line.count("]") and line.count("{") == line.count("}") and not re.search("\"\"\"|'''", line)


def _syntax_hint(what: str, line: str) -> str:
    for words, hint in _HINTS.items():
        if words in what:
            return hint
    found = re.match(r"\s*[\w.-]+\s*=\s*([^\s\"'\[{][^\"'#]*?)\s*(?:#.*)?$", line)
    if found and re.search(r"[A-Za-z\u0080-\U0010ffff]", found[1]) and not _reads(line):
        return f'a text needs quotes: "{found[1].strip()}"'
    if re.match(r"\s*[\w.-]+\s*:", line):
        return "write = between a key and its value"
    return ""
