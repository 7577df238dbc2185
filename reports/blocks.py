"""What a page is made of: sections of blocks. Only texts already translated, and data marked as data.

The page marks data (names of devices, codes, settings) as not to be translated, so that a reader, a browser and a test
can tell the project's words from the run's.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    """One cell. ``data``: from the run, not a text of ours. ``style``: number, code, good, bad, soft, mark-*."""

    text: str
    data: bool = False
    style: str = ""
    sign: str = ""
    lang: str = ""
    detail: str = ""  # a second, smaller line


def text(content: str, style: str = "") -> Cell:
    """A cell with a text of ours."""
    return Cell(content, style=style)


def data(content: object, style: str = "") -> Cell:
    """A cell with something from the run."""
    return Cell(str(content), data=True, style=style)


def number(content: str, detail: str = "") -> Cell:
    """A cell with a number, aligned to the right, with what belongs to it (its interval) below."""
    return Cell(content, style="number", detail=detail)


def chinese(content: str) -> Cell:
    """A cell with an official Chinese text."""
    return Cell(content, data=True, style="chinese", lang="zh-Hant")


@dataclass(frozen=True)
class Column:
    title: str
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """A table; ``caption`` says what it holds, ``note`` what to know when reading it."""

    caption: str
    columns: tuple[Column, ...]
    rows: list[list[Cell]]
    note: str = ""
    kind: str = field(default="table", init=False)


@dataclass(frozen=True)
class Tile:
    """One large number: what it is, the value, what belongs to it in small. ``mood``: '', good or bad."""

    label: str
    value: str
    detail: str
    mood: str = ""


@dataclass(frozen=True)
class Tiles:
    tiles: list[Tile]
    kind: str = field(default="tiles", init=False)


@dataclass(frozen=True)
class Paragraph:
    content: str
    style: str = ""  # "", alarm, notice, good
    data: bool = False
    kind: str = field(default="paragraph", init=False)


@dataclass(frozen=True)
class Bullets:
    items: list[Cell]
    title: str = ""
    kind: str = field(default="bullets", init=False)


@dataclass(frozen=True)
class FigureBlock:
    """A figure of the page, both widths; ``finding`` is its headline. Without SVG, ``finding`` says why there is none."""

    name: str
    title: str
    finding: str
    caption: str
    units: str
    wide: str = ""
    narrow: str = ""
    kind: str = field(default="figure", init=False)


Block = Table | Tiles | Paragraph | Bullets | FigureBlock


@dataclass(frozen=True)
class Section:
    """A section: its anchor, its title, one sentence of what the data says, and its blocks."""

    name: str
    title: str
    finding: str
    blocks: list[Block]
    mood: str = ""  # bad: the finding is shown as an alarm
