"""The fields of upload formats 1.0 and 2.0 (健保卡資料上傳格式), as tables: ``data/upload_fields.toml``.

Format 1.0 is official: the insurer's booklet. Format 2.0 is **public**: tables inside several programs, for its booklet was not
found. A fact has one name in both formats, so that a rule or a comparison is written once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from virtual_devices.records import BIG5
from virtual_devices.tables import Certainty, LazyMapping, read_table


class Version(Enum):
    """An upload format."""

    V10 = "1.0"
    V20 = "2.0"


class Block(Enum):
    """A segment of a record: header, visit, one order."""

    HEADER = "MSH"
    VISIT = "MB1"
    ORDER = "MB2"


class Kind(Enum):
    """What the characters of a field may be."""

    ASCII = "ascii"  # printable, without space at either end
    TEXT = "text"  # what Big5 has
    DIGITS = "digits"
    AMOUNT = "amount"  # whole New Taiwan dollars, may be negative
    DECIMAL = "decimal"  # up to five digits, and up to two after a point
    DATE7 = "date7"  # YYYMMDD of the ROC calendar
    DATETIME13 = "datetime13"  # YYYMMDDHHMMSS


class Presence(Enum):
    """Whether a field is there, in format 1.0 by visit type and record format."""

    REQUIRED = "V"
    OPTIONAL = "*"
    NOT_SENT = "~"


class Required(Enum):
    """When a field of format 2.0 is there."""

    ALWAYS = "always"
    FORMAT_A = "format A"  # in normal records, and not in abnormal ones
    CONDITIONAL = "conditional"  # a rule says when
    OPTIONAL = "optional"
    VACCINATION = "kind 2"  # in vaccination records only


@dataclass(frozen=True, slots=True)
class UploadField:
    """One field. ``length`` in bytes of Big5, 0 when no source bounds it; ``exact``: shorter is wrong too.

    ``values``: the known values, empty when there is no list. ``presence`` (1.0): signs for normal and abnormal records, with
    ``presence_except`` by visit type; empty for a field of vaccination records. ``required``, ``missing`` (2.0): when it is
    there, and the check code when it is always required and is not. ``equals_10``: the field of 1.0 that says the same.
    """

    id: str
    name: str
    block: Block
    zh: str
    en: str
    kind: Kind
    length: int
    exact: bool
    values: frozenset[str]
    certainty: Certainty
    presence: str = ""
    presence_except: Mapping[str, str] = field(default_factory=dict)
    required: Required = Required.CONDITIONAL
    missing: str = ""
    equals_10: str = ""
    note: str = ""

    def presence_for(self, visit_type: str, abnormal: bool) -> Presence:
        """Of format 1.0. Raises KeyError for a field that the matrix does not have."""
        signs = self.presence_except.get(visit_type, self.presence)
        sign = signs[1 if abnormal else 0]
        return Presence.NOT_SENT if sign == "-" else Presence(sign)


def size(text: str) -> int:
    """Bytes of a text in Big5: one for ASCII, two for everything else. In UTF-8 uploads too (inferred)."""
    return len(text) if text.isascii() else sum(1 if character.isascii() else 2 for character in text)


def gap_in(text: str) -> str:
    """The first character that Big5 has not, or none."""
    try:
        text.encode(BIG5)
    except UnicodeEncodeError as why:
        return text[why.start]
    return ""


def _field(id: str, row: Mapping[str, Any]) -> UploadField:
    presence = row.get("presence", "")
    vaccination = presence == Required.VACCINATION.value
    return UploadField(
        id, row["name"], Block(row["block"]), row["zh"], row["en"], Kind(row["kind"]), row.get("length", 0),
        row.get("exact", False), frozenset(row.get("values", ())), Certainty(row["certainty"]),
        "" if vaccination else presence, row.get("except", {}),
        Required(row.get("required", "kind 2" if vaccination else "conditional")), row.get("missing", ""),
        row.get("equals_10", ""), row.get("note", ""),
    )


@dataclass(frozen=True, slots=True)
class Format:
    """All fields of one format."""

    version: Version
    by_id: Mapping[str, UploadField]
    by_name: Mapping[str, UploadField]
    blocks: Mapping[Block, tuple[UploadField, ...]]


def _load() -> dict[Version, Format]:
    found = {}
    for version, table in ((Version.V10, "field_10"), (Version.V20, "field_20")):
        fields = [_field(id, row) for id, row in read_table("upload_fields")[table].items()]
        blocks = {block: tuple(one for one in fields if one.block is block) for block in Block}
        found[version] = Format(version, {one.id: one for one in fields}, {one.name: one for one in fields}, blocks)
    return found


FORMATS: Mapping[Version, Format] = LazyMapping(_load)
"""Both formats by version."""

__all__ = ["Block", "FORMATS", "Format", "Kind", "Presence", "Required", "UploadField", "Version", "gap_in", "size"]
