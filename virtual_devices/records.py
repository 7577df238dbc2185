"""The card's records (卡片欄位) and the buffers made of them, as bytes and as named values, both ways.

The tables stand in ``data/card_layout.toml``, from the insurer's manual 3.3 and from public programs; each record and
buffer carries a :class:`Certainty`. Text stands at the left of its field and spaces fill the rest; reading also accepts
NUL, which older cards use. A field that is left out, or empty, is blank.

Text in Chinese is Big5 by Python's codec ``big5hkscs``, and no other codec is ever tried. Python's ``big5`` and ``cp950``
lack characters that stand in many names here (堃 喆 峯 珉 煊 綉 瑠); ``big5hkscs`` has them, gives every unified CJK
character of the other two the same bytes, and returns each single character that it encodes. It differs from them in
kana, Cyrillic and a few signs (C6A1 to C8FE and part of the A1 and A2 rows). What real cards store for the characters
beyond plain Big5 is not known: **inferred**. A character that it lacks is refused by name, never replaced.

A value is ``str``, or ``bytes`` for a field of encoding ``bytes``. ``bytes`` for any other field are put in as they are:
so does a test write what no text can say, and so does ``unpack`` return what is not of the field's character set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, assert_never

from virtual_devices.clock import parse_roc
from virtual_devices.errors import PeerError, UsageError
from virtual_devices.tables import Certainty, LazyMapping, read_table

BIG5 = "big5hkscs"
PADDING = b" \0"

Value = str | bytes
Values = Mapping[str, Value]


class Encoding(Enum):
    """What the bytes of a field may be."""

    ASCII = "ascii"  # printable ASCII
    BIG5 = "big5"
    ROC_DATE7 = "roc-date7"  # YYYMMDD, a date that exists
    ROC_DATETIME13 = "roc-datetime13"  # YYYMMDDHHMMSS
    DIGITS = "digits"
    BYTES = "bytes"


class PackError(UsageError):
    """Values that do not fit a record. ``record`` and ``field`` say where (``field`` empty: the whole)."""

    def __init__(self, record: str, field: str, what: str) -> None:
        super().__init__(f"{record}.{field}: {what}" if field else f"{record}: {what}")
        self.record = record
        self.field = field


class UnpackError(PeerError, ValueError):
    """Bytes that are not the record they should be. ``record`` and ``field`` as in :class:`PackError`."""

    def __init__(self, record: str, field: str, what: str) -> None:
        super().__init__(f"{record}.{field}: {what}" if field else f"{record}: {what}", clause="card layout")
        self.record = record
        self.field = field


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record. ``offset`` and ``length`` in bytes; ``item`` is the card's own number for it (基1, 健8-3).

    ``values`` lists the known values, empty when there is no list. ``filler`` marks bytes of unknown meaning.
    """

    name: str
    zh: str
    offset: int
    length: int
    encoding: Encoding
    certainty: Certainty
    item: str = ""
    values: tuple[str, ...] = ()
    values_source: str = ""
    note: str = ""
    filler: bool = False
    fill: bytes = b" "

    def pack(self, value: Value, record: str) -> bytes:
        """``value`` in ``length`` bytes. Raises PackError."""
        if not value:
            return self.fill * self.length
        try:
            raw = value if isinstance(value, bytes) else _encode(value, self.encoding)
        except ValueError as why:
            raise PackError(record, self.name, str(why)) from None
        if len(raw) > self.length:
            raise PackError(record, self.name, f"{len(raw)} bytes, the field has {self.length}")
        if self.encoding is Encoding.BYTES and len(raw) < self.length:
            raise PackError(record, self.name, f"{len(raw)} bytes, the field has exactly {self.length} and no padding")
        return raw.ljust(self.length, self.fill)

    def unpack(self, raw: bytes) -> Value:
        """The value of ``raw`` (``length`` bytes) without padding; the bytes themselves when they are not of the
        field's character set."""
        if self.encoding is Encoding.BYTES:
            return raw
        body = raw.rstrip(PADDING)
        if not body:
            return ""
        try:
            text = body.decode(BIG5 if self.encoding is Encoding.BIG5 else "ascii")
            _check(text, self.encoding)
        except ValueError:
            return raw
        return text


def _encode(text: str, encoding: Encoding) -> bytes:
    """Bytes of ``text``. Raises ValueError with words that say which character or rule."""
    _check(text, encoding)
    if encoding is not Encoding.BIG5:
        return text.encode("ascii")
    try:
        return text.encode(BIG5)
    except UnicodeEncodeError as why:
        bad = text[why.start]
        raise ValueError(f"{bad!r} (U+{ord(bad):04X}) is not in Big5 (codec {BIG5}), and nothing is put in its place") from None


def _check(text: str, encoding: Encoding) -> None:
    """Raises ValueError when ``text`` (not empty) is not of the character set."""
    match encoding:
        case Encoding.ASCII:
            if not (text.isascii() and text.isprintable()):
                raise ValueError(f"{text!r} has other than printable ASCII characters")
        case Encoding.DIGITS:
            if not (text.isascii() and text.isdigit()):
                raise ValueError(f"{text!r} has other than decimal digits")
        case Encoding.ROC_DATE7:
            _check_roc(text, 7)
        case Encoding.ROC_DATETIME13:
            _check_roc(text, 13)
        case Encoding.BIG5:
            if min(text) < " ":
                raise ValueError(f"{text!r} has control characters")
        case Encoding.BYTES:
            raise ValueError("takes bytes, not text")
        case _:
            assert_never(encoding)


@lru_cache(maxsize=4096)  # few different dates in a run, and each is written many times
def _check_roc(text: str, characters: int) -> None:
    if len(text) != characters:
        raise ValueError(f"{text!r} has {len(text)} characters, an ROC date here has {characters}")
    try:
        parse_roc(text)
    except ValueError as why:
        raise ValueError(f"{text!r} is no date of the ROC calendar: {why}") from None


@dataclass(frozen=True, slots=True)
class RecordLayout:
    """One record: its fields side by side without gap, ``length`` bytes in all."""

    id: str
    zh: str
    en: str
    length: int
    fields: tuple[Field, ...]
    certainty: Certainty
    source: str = ""
    note: str = ""

    def pack(self, values: Values) -> bytes:
        """The record's bytes; fields not named are blank. Raises PackError: unknown field, too long, wrong characters."""
        packed = []
        used = 0
        for field in self.fields:
            used += field.name in values
            packed.append(field.pack(values.get(field.name, b""), self.id))
        if used != len(values):
            names = [field.name for field in self.fields]
            unknown = next(name for name in values if name not in names)
            raise PackError(self.id, unknown, f"no such field; there are {', '.join(names)}")
        return b"".join(packed)

    def unpack(self, raw: bytes) -> dict[str, Value]:
        """All fields by name. Refuses (UnpackError) a wrong length only; a field whose bytes are not of its character
        set comes as ``bytes``, and :meth:`violations` names it."""
        if len(raw) != self.length:
            raise UnpackError(self.id, "", f"{len(raw)} bytes, the record has {self.length}")
        return {field.name: field.unpack(raw[field.offset : field.offset + field.length]) for field in self.fields}

    def texts(self, raw: bytes) -> dict[str, str]:
        """The fields that hold text, by name. Raises UnpackError for one that is not of its character set."""
        values: dict[str, str] = {}
        for field, value in zip(self.fields, self.unpack(raw).values(), strict=True):
            if isinstance(value, str):
                values[field.name] = value
            elif field.encoding is not Encoding.BYTES:
                raise UnpackError(self.id, field.name, f"{value.hex()} is no {field.encoding.value}")
        return values

    def violations(self, raw: bytes) -> tuple[str, ...]:
        """What in ``raw`` is not as the table says, a sentence each: character sets, dates, value lists."""
        found = []
        for field, value in zip(self.fields, self.unpack(raw).values(), strict=True):
            if isinstance(value, bytes):
                if field.encoding is not Encoding.BYTES:
                    found.append(f"{self.id}.{field.name}: {value.hex()} is no {field.encoding.value}")
            elif value and field.values and value not in field.values:
                found.append(f"{self.id}.{field.name}: {value!r} is none of {', '.join(field.values)}")
        return tuple(found)


def is_blank(values: Values) -> bool:
    """True for an entry that holds nothing: every text empty, every raw field padding only."""
    return not any(value if isinstance(value, str) else value.rstrip(PADDING) for value in values.values())


@dataclass(frozen=True, slots=True)
class Part:
    """``count`` entries of one record, from ``offset`` of a buffer on."""

    record: RecordLayout
    offset: int
    count: int


@dataclass(frozen=True, slots=True)
class BufferLayout:
    """A buffer that a call fills or takes: parts side by side, ``total`` bytes.

    ``api`` names the calls; ``nul_after`` says that a NUL follows what the caller hands in; ``repeat_max`` is how many
    such buffers a call takes one after another.
    """

    id: str
    zh: str
    en: str
    total: int
    direction: str
    api: tuple[str, ...]
    parts: tuple[Part, ...]
    certainty: Certainty
    source: str
    check: str
    note: str = ""
    nul_after: bool = False
    repeat_max: int = 1

    def pack(self, entries: Mapping[str, Sequence[Values]]) -> bytes:
        """Entries by record id, first slot first; slots left over are blank. Raises PackError."""
        known = {part.record.id for part in self.parts}
        for name in entries:
            if name not in known:
                raise PackError(self.id, name, f"no such record in the buffer; there are {', '.join(sorted(known))}")
        packed: list[bytes] = []
        for part in self.parts:
            given = entries.get(part.record.id, ())
            if len(given) > part.count:
                raise PackError(self.id, part.record.id, f"{len(given)} entries, there is room for {part.count}")
            blank = part.record.pack({})
            packed.extend(part.record.pack(values) for values in given)
            packed.append(blank * (part.count - len(given)))
        return b"".join(packed)

    def unpack(self, raw: bytes) -> dict[str, list[dict[str, Value]]]:
        """Entries by record id, one for every slot, blank ones too (see :func:`is_blank`). Raises UnpackError."""
        if len(raw) != self.total:
            raise UnpackError(self.id, "", f"{len(raw)} bytes, the buffer has {self.total}")
        found = {}
        for part in self.parts:
            size = part.record.length
            starts = range(part.offset, part.offset + size * part.count, size)
            found[part.record.id] = [part.record.unpack(raw[at : at + size]) for at in starts]
        return found


def _field(row: Mapping[str, Any], certainty: Certainty) -> Field:
    filler = bool(row.get("filler", False))
    own = row.get("certainty", Certainty.INFERRED.value if filler else certainty.value)
    return Field(
        row["name"], row["zh"], row["offset"], row["length"], Encoding(row["encoding"]), Certainty(own), row.get("item", ""),
        tuple(row.get("values", ())), row.get("values_source", ""), row.get("note", ""), filler,
        bytes.fromhex(row.get("fill_hex", "20")),
    )


def _load_records() -> dict[str, RecordLayout]:
    records = {}
    for row in read_table("card_layout")["record"]:
        certainty = Certainty(row["certainty"])
        fields = tuple(_field(field, certainty) for field in row["fields"])
        records[row["id"]] = RecordLayout(
            row["id"], row["zh"], row["en"], row["length"], fields, certainty, row["source"], row.get("note", "")
        )
    return records


def _load_buffers() -> dict[str, BufferLayout]:
    buffers = {}
    for row in read_table("card_layout")["buffer"]:
        parts = tuple(Part(RECORDS[part["record"]], part["offset"], part["count"]) for part in row["parts"])
        buffers[row["id"]] = BufferLayout(
            row["id"], row["zh"], row["en"], row["total"], row["direction"], tuple(row["api"]), parts,
            Certainty(row["certainty"]), row["source"], row["check"], row.get("note", ""), row.get("nul_after", False),
            row.get("repeat_max", 1),
        )
    return buffers


RECORDS: Mapping[str, RecordLayout] = LazyMapping(_load_records)
"""Every record by its id."""

BUFFERS: Mapping[str, BufferLayout] = LazyMapping(_load_buffers)
"""Every buffer by its id."""

CAPACITY: Mapping[str, int] = LazyMapping(lambda: read_table("card_layout")["capacity"])
"""How many entries of a kind the card holds: ``visits`` 6, ``outpatient_prescriptions`` 60, ..."""

RULES: Mapping[str, Any] = LazyMapping(lambda: read_table("card_layout")["rule"])
"""The card's rules: numbers as int, lists of texts, and sentences where the manual has a sentence."""

CODE_LISTS: Mapping[str, Mapping[str, str]] = LazyMapping(
    lambda: {row["id"]: {value["code"]: value["zh"] for value in row["values"]} for row in read_table("card_layout")["code_list"]}
)
"""Coded values by list and code, with the official term: ``CODE_LISTS["recard_mark"]["2"]`` is 補卡."""

__all__ = [
    "BIG5", "BUFFERS", "BufferLayout", "CAPACITY", "CODE_LISTS", "Certainty", "Encoding", "Field", "PackError", "Part",
    "RECORDS", "RULES", "RecordLayout", "UnpackError", "Value", "Values", "is_blank",
]
