"""An upload file as values: records with their fields, and what was found wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from virtual_devices.uploads.codes import CHECK_CODES, Effect, Stage
from virtual_devices.uploads.fields import FORMATS, Version

Segment = Mapping[str, str]
"""Values of one segment by field id; a field that is not there, or empty, has no entry."""


class Encoding(Enum):
    """How the text of a file is written. Software of control software 6.0 writes UTF-8 (public), everything else Big5."""

    BIG5 = "Big5"
    UTF8 = "UTF-8"


@dataclass(frozen=True, slots=True)
class Record:
    """One REC: header (MSH), visit (MB1), orders (MB2, also one for each allergy and vaccination).

    ``number`` counts from 1 in the file; ``line`` is where it begins, ``order_lines`` where each order does; 0 when it was made
    and not read.
    """

    version: Version
    header: Segment
    visit: Segment
    orders: tuple[Segment, ...] = ()
    number: int = field(default=1, compare=False)
    line: int = field(default=0, compare=False)
    order_lines: tuple[int, ...] = field(default=(), compare=False)

    def get(self, name: str) -> str:
        """The value of a fact of header or visit by its name; empty when the record, or its format, has none."""
        found = FORMATS[self.version].by_name.get(name)
        if found is None:
            return ""
        return self.visit.get(found.id) or self.header.get(found.id, "")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. ``record``: 0 for the file itself; ``order``: 0 for header and visit, else counted from 1;
    ``field``: its id, empty for the whole; ``detail``: what exactly, without any person's data."""

    code: str
    stage: Stage
    effect: Effect
    record: int = 0
    order: int = 0
    field: str = ""
    line: int = 0
    detail: str = ""

    @property
    def zh(self) -> str:
        """The field's words."""
        return CHECK_CODES[self.code].zh

    @property
    def en(self) -> str:
        return CHECK_CODES[self.code].en

    @property
    def place(self) -> str:
        """The field as error reports write it: ``M03``, and ``D05[1]`` in an order."""
        return f"{self.field}[{self.order}]" if self.order else self.field

    def __str__(self) -> str:
        where = f"record {self.record}" if self.record else "file"
        where += f", line {self.line}" if self.line else ""
        where += f", {self.place}" if self.place else ""
        return f"{where}: {self.code} {self.zh} ({self.en})" + (f": {self.detail}" if self.detail else "")


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading a file gave. ``version`` None: not even that could be told. Records with findings of effect ``record`` are
    in ``records`` all the same, as far as they could be read."""

    version: Version | None
    encoding: Encoding
    records: tuple[Record, ...]
    findings: tuple[Finding, ...]

    @property
    def returned(self) -> bool:
        """True when the whole file is returned."""
        return any(one.effect is Effect.FILE for one in self.findings)


__all__ = ["Encoding", "Finding", "Reading", "Record", "Segment"]
