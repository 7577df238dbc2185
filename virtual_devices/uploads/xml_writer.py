"""Records as an upload file: RECS > REC > (MSH, MB > (MB1, MB2 ...)), in Big5, or in UTF-8 for control software 6.0.

Numbers and texts are not padded, and empty fields left out (official). A character that the encoding has not is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterable

from virtual_devices.errors import UsageError
from virtual_devices.records import BIG5
from virtual_devices.uploads.document import Encoding, Record, Segment
from virtual_devices.uploads.fields import FORMATS, Block, Format, gap_in

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Unwritable(UsageError):
    """A record that cannot be written. ``record``, ``order`` (0: none), ``field``, ``character`` say what and where."""

    def __init__(self, what: str, record: int, order: int, field: str, character: str = "") -> None:
        place = f"record {record}, {field}[{order}]" if order else f"record {record}, {field}"
        super().__init__(f"{place}: {what}")
        self.record = record
        self.order = order
        self.field = field
        self.character = character


def write(records: Iterable[Record], encoding: Encoding = Encoding.BIG5) -> bytes:
    """A whole file. Raises Unwritable for a field of another format or segment, and for a character that cannot be written."""
    lines = [f'<?xml version="1.0" encoding="{encoding.value}"?>', "<RECS>"]
    for number, record in enumerate(records, 1):
        fields = FORMATS[record.version]
        lines += ["<REC>", "<MSH>"]
        lines += _segment(record.header, fields, Block.HEADER, encoding, number, 0)
        lines += ["</MSH>", "<MB>", "<MB1>"]
        lines += _segment(record.visit, fields, Block.VISIT, encoding, number, 0)
        lines.append("</MB1>")
        for index, order in enumerate(record.orders, 1):
            lines += ["<MB2>", *_segment(order, fields, Block.ORDER, encoding, number, index), "</MB2>"]
        lines += ["</MB>", "</REC>"]
    lines += ["</RECS>", ""]
    return "\n".join(lines).encode(BIG5 if encoding is Encoding.BIG5 else "utf-8")


def _segment(values: Segment, fields: Format, block: Block, encoding: Encoding, record: int, order: int) -> list[str]:
    lines = []
    used = 0
    for field in fields.blocks[block]:
        if field.id not in values:
            continue
        used += 1
        value = values[field.id]
        if not value:
            continue
        _must_be_writable(value, encoding, record, order, field.id)
        lines.append(f"<{field.id}>{value.translate(_ESCAPES)}</{field.id}>")
    if used != len(values):
        known = {field.id for field in fields.blocks[block]}
        unknown = next(id for id in values if id not in known)
        raise Unwritable(f"no such field in {block.value} of format {fields.version.value}", record, order, unknown)
    return lines


def _must_be_writable(value: str, encoding: Encoding, record: int, order: int, field: str) -> None:
    bad = gap_in(value) if encoding is Encoding.BIG5 else ""
    if bad:
        raise Unwritable(
            f"{bad!r} (U+{ord(bad):04X}) is not in Big5, and nothing is put in its place: write the word with another character, "
            "or send the file in UTF-8 with control software 6.0", record, order, field, bad,
        )
    bad = next((c for c in value if (c < " " and c not in "\t\n") or "\ud800" <= c <= "\udfff" or c in "\ufffe\uffff"), "")
    if bad:
        raise Unwritable(f"U+{ord(bad):04X} cannot stand in XML: take it out", record, order, field, bad)


__all__ = ["Unwritable", "write"]
