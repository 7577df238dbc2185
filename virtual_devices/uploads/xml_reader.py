"""An upload file from bytes that somebody else made: strict, in one pass, and with a finding in place of every exception.

A general XML parser stops at the first fault of a file, and Python's has no Big5. The field's codes want more: one malformed
record costs that record (Y003 to Y006), only what concerns the whole returns the file. So the few forms that an upload uses are
read here: elements without attributes, character data, the five named entities and numeric ones. Document types, other
entities, comments, CDATA and processing instructions are refused. What is accepted whole is well-formed XML, too (a test asks
expat).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from virtual_devices.records import BIG5
from virtual_devices.tables import LazyMapping
from virtual_devices.uploads.codes import CHECK_CODES, Effect, Stage
from virtual_devices.uploads.document import Encoding, Finding, Reading, Record
from virtual_devices.uploads.fields import FORMATS, Block, Version

_DECLARATION = re.compile(
    rb"(?:\xef\xbb\xbf)?<\?xml[ \t\r\n]+version=[\"']1\.0[\"'][ \t\r\n]+encoding=[\"']([A-Za-z0-9_-]{1,20})[\"'][ \t\r\n]*\?>"
)
_ENCODINGS = {"big5": Encoding.BIG5, "utf-8": Encoding.UTF8, "utf8": Encoding.UTF8}
_ILLEGAL = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_TOKEN = re.compile(
    rf"[ \t\n]*<(?P<leaf>[A-Z][0-9]{{2}})>(?P<value>[^<>&{_ILLEGAL}]*)</(?P=leaf)>"
    r"|<(?P<tag>[^<>]*)>|(?P<text>[^<]+)|(?P<stray><)"
)
_ENTITY = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#x([0-9A-Fa-f]{1,6}));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_BAD_TEXT = re.compile(rf"[{_ILLEGAL}]|\]\]>")
_FIELD_ID = re.compile(r"[A-Z][0-9]{2}")
_KNOWN: Mapping[str, tuple[Version, Block]] = LazyMapping(
    lambda: {one.id: (version, one.block) for version, fields in FORMATS.items() for one in fields.by_id.values()}
)
_WITHIN = {"REC": ("MSH", "MB"), "MB": ("MB1", "MB2")}
_BLOCKS = {"MSH": Block.HEADER, "MB1": Block.VISIT, "MB2": Block.ORDER}


@dataclass(frozen=True, slots=True)
class Limits:
    """Beyond these a file is returned unread. The bench's own: no source states any but the 500 orders of a record."""

    file_bytes: int = 32 << 20
    records: int = 20_000
    orders: int = 2_000  # of one record; from 501 on format 2.0 has code AG
    tag_characters: int = 32


def read(raw: bytes, limits: Limits = Limits()) -> Reading:
    """Every record, and every fault of form. Raises nothing."""
    if len(raw) > limits.file_bytes:
        return _returned("Y001", f"{len(raw)} bytes, at most {limits.file_bytes} are read")
    declared = _DECLARATION.match(raw)
    if declared is None:
        return _returned("Y001", "no XML declaration with version 1.0 and encoding at the beginning")
    encoding = _ENCODINGS.get(declared[1].decode("ascii").lower())
    if encoding is None:
        return _returned("Y014", "the declared encoding is neither Big5 nor UTF-8")
    try:
        text = raw[declared.end():].decode(BIG5 if encoding is Encoding.BIG5 else "utf-8")
    except UnicodeDecodeError as why:
        line = raw.count(b"\n", 0, declared.end() + why.start) + 1
        return _returned("Y014", f"byte {declared.end() + why.start} is not {encoding.value}", encoding, line)
    line = raw.count(b"\n", 0, declared.end()) + 1
    return _Reader(text.replace("\r\n", "\n").replace("\r", "\n"), line, encoding, limits).run()


def _returned(code: str, detail: str, encoding: Encoding = Encoding.BIG5, line: int = 1) -> Reading:
    return Reading(None, encoding, (), (Finding(code, Stage.FORM, Effect.FILE, line=line, detail=detail),))


class _Returned(Exception):
    """The whole file is returned: reading ends."""


class _Reader:
    """One pass over the text. ``_path``: the open elements below RECS, without the field."""

    def __init__(self, text: str, line: int, encoding: Encoding, limits: Limits) -> None:
        self._text = text
        self._at = 0  # where reading is, and the line of the last place that was asked for
        self._counted, self._lines = 0, line
        self._encoding = encoding
        self._limits = limits
        self._version: Version | None = None
        self._records: list[Record] = []
        self._findings: list[Finding] = []
        self._path: list[str] = []
        self._roots = 0
        self._field = ""  # the open field, and what stands in it
        self._value: list[str] = []
        self._clear()

    def _clear(self) -> None:
        self._number = 0  # of the open record, 0 when none is open
        self._begun = 0
        self._faulty = False  # this record's form is broken: the rest of it is passed over
        self._segments: dict[Block, list[dict[str, str]]] = {block: [] for block in Block}
        self._order_lines: list[int] = []
        self._seen: set[str] = set()

    @property
    def _line(self) -> int:
        self._lines += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._lines

    def run(self) -> Reading:
        try:
            self._tokens()
            if self._path or not self._roots:
                self._close_record("Y006")
                self._file("Y007" if self._roots else "Y001", "</RECS> is missing" if self._roots else "no RECS")
            if self._version is None:
                self._file("Y001", "no record with a field of either format")
        except _Returned:
            pass
        return Reading(self._version, self._encoding, tuple(self._records), tuple(self._findings))

    def _tokens(self) -> None:
        for token in _TOKEN.finditer(self._text):
            kind = token.lastgroup
            self._at = token.start(kind or 0)
            if kind == "value":
                self._leaf(token["leaf"], token["value"])
            elif kind == "tag":
                self._tag(token["tag"])
            elif kind == "text":
                self._characters(token["text"])
            else:
                self._malformed("a '<' that begins no tag")

    # -- faults

    def _file(self, code: str, detail: str) -> None:
        self._findings.append(Finding(code, Stage.FORM, Effect.FILE, line=self._line, detail=detail))
        raise _Returned

    def _fault(self, code: str, detail: str, field: str = "", *, file_in_10: bool = False) -> None:
        """Of the open record. ``file_in_10``: one of the whole-file rejections of format 1.0 (official)."""
        version = self._version or Version.V20
        effect = CHECK_CODES[code].effect_in(version, False)
        if file_in_10 and version is Version.V10:
            effect = Effect.FILE
        order = len(self._segments[Block.ORDER]) if self._path[-1:] == ["MB2"] else 0
        self._findings.append(Finding(code, Stage.FORM, effect, self._number, order, field, self._line, detail))
        self._faulty = True

    def _malformed(self, detail: str) -> None:
        if not self._number:
            self._file("Y001", detail)
        elif not self._faulty:
            self._fault("Y003", detail, self._field)

    # -- tokens

    def _characters(self, text: str) -> None:
        if self._field and not self._faulty:
            value = self._unescaped(text)
            if value is not None:
                self._value.append(value)
        elif text.strip(" \t\n"):
            if not self._path and self._roots:
                self._file("Y001", "text after </RECS>")
            self._malformed("text between elements")

    def _unescaped(self, text: str) -> str | None:
        if _BAD_TEXT.search(text):
            self._malformed("a control character, or ]]>, in a value")
            return None
        if "&" not in text:
            return text
        if _ENTITY.sub("", text).count("&"):
            self._malformed("an entity other than the five of XML and numeric ones")
            return None
        value = _ENTITY.sub(_entity, text)
        if _BAD_TEXT.search(value.replace("]]>", "")) or "\x00" in value:
            self._malformed("a numeric entity for a character that XML has not")
            return None
        return value

    def _tag(self, tag: str) -> None:
        if tag[:1] in ("!", "?"):
            if tag[:8].upper() == "!DOCTYPE":
                self._file("Y001", "a document type; it is not read, nor anything that it declares")
            self._malformed("a comment, a CDATA section or a processing instruction")
            return
        name = tag.rstrip(" \t\n")
        empty = name.endswith("/")
        if empty:
            name = name[:-1].rstrip(" \t\n")
        if len(tag) > self._limits.tag_characters or " " in name or "\t" in name or "\n" in name:
            self._malformed("a tag with attributes, or an overlong one")
            return
        if name.startswith("/"):
            self._end(name[1:])
        elif empty:
            self._start(name)
            self._end(name)
        else:
            self._start(name)

    def _start(self, name: str) -> None:
        if name == "RECS":
            if self._roots:
                self._file("Y015", "a second RECS")
            self._roots, self._path = 1, ["RECS"]
        elif not self._path:
            self._file("Y001", "an element outside RECS")
        elif name == "REC":
            self._close_record("Y006")
            self._open_record()
        elif not self._number:
            self._file("Y001", "an element between records")
        elif not self._faulty:
            self._start_inside(name)

    def _start_inside(self, name: str) -> None:
        inside = self._path[-1]
        if self._field:
            self._fault("Y005", "an element within a field", self._field)
        elif name in _WITHIN.get(inside, ()):
            self._start_segment(name)
        elif name in ("MSH", "MB", "MB1", "MB2"):
            self._fault("Y005", f"{name} within {inside}")
        elif inside in _BLOCKS and self._may_stand(name, _BLOCKS[inside]):
            self._field, self._value = name, []
        elif inside not in _BLOCKS:
            self._fault("Y005", f"a field directly within {inside}")

    def _start_segment(self, name: str) -> None:
        block = _BLOCKS.get(name)
        again = name in self._seen and name != "MB2"
        if again or (name == "MSH" and "MB" in self._seen) or (name == "MB1" and "MB2" in self._seen):
            self._fault("Y005", f"a second {name}, or one after what it stands before")
            return
        self._seen.add(name)
        self._path.append(name)
        if block is Block.ORDER:
            self._order_lines.append(self._line)
            if len(self._order_lines) > self._limits.orders:
                self._file("Y001", f"more than {self._limits.orders} orders in a record")
        if block is not None:
            self._segments[block].append({})

    def _may_stand(self, name: str, block: Block) -> bool:
        """A field of this file's format, here, for the first time; otherwise the fault is noted."""
        known = _KNOWN.get(name)
        if known is None:
            if _FIELD_ID.fullmatch(name):
                self._fault("AE", "no field has this id", name)
            else:
                self._fault("Y004", "no id of a field: a capital letter and two digits")
            return False
        version, home = known
        if self._version is None:
            self._version = version
        if self._version is not version:
            self._file("Y001", f"{name} is of format {version.value}, the file began in {self._version.value}")
        if home is not block:
            self._fault("Y005", f"{name} stands in {home.value}", name)
        elif name in self._segments[block][-1]:
            self._fault("Y003", "the field twice", name)
        else:
            return True
        return False

    def _leaf(self, name: str, value: str) -> None:
        if self._faulty:
            return
        if self._number and not self._field and self._path[-1] in _BLOCKS:
            block = _BLOCKS[self._path[-1]]
            if self._may_stand(name, block):
                self._segments[block][-1][name] = value
            return
        self._start(name)
        self._characters(value)
        self._end(name)

    def _end(self, name: str) -> None:
        if name == "RECS":
            if not self._path:
                self._file("Y001", "</RECS> without RECS")
            self._close_record("Y006")
            self._path = []
        elif name == "REC" and self._number:
            if not self._faulty and (self._field or self._path[-1] != "REC"):
                self._fault("Y003", f"{self._field or self._path[-1]} is not closed")
            self._close_record("")
        elif not self._number:
            self._file("Y001", "an end tag that ends nothing")
        elif self._faulty:
            return
        elif self._field:
            if name != self._field:
                self._fault("Y003", "another end tag than the field's", self._field)
                return
            self._segments[_BLOCKS[self._path[-1]]][-1][self._field] = "".join(self._value)
            self._field = ""
        elif len(self._path) > 2 and name == self._path[-1]:
            self._path.pop()
        else:
            self._fault("Y003", "an end tag that ends nothing")

    # -- records

    def _open_record(self) -> None:
        self._number = len(self._records) + 1
        self._begun = self._line
        if self._number > self._limits.records:
            self._file("Y001", f"more than {self._limits.records} records")
        self._path = ["RECS", "REC"]

    def _close_record(self, code: str) -> None:
        """Put the open record, if any, among the others. ``code``: for one that was not closed."""
        if not self._number:
            return
        self._path = ["RECS", "REC"]
        if code and not self._faulty:
            self._fault(code, "</REC> is missing")
        headers, visits, orders = (self._segments[block] for block in (Block.HEADER, Block.VISIT, Block.ORDER))
        if not self._faulty:
            if not headers:
                self._fault("Y002", "no MSH", file_in_10=True)
            elif not visits and orders:
                self._fault("Y005", "MB2 without MB1", file_in_10=True)
            elif not visits:
                self._fault("Y003", "no MB1")
        filled = tuple({id: value for id, value in order.items() if value} for order in orders)
        self._records.append(
            Record(
                self._version or Version.V20, _filled(headers), _filled(visits), filled, self._number, self._begun,
                tuple(self._order_lines),
            )
        )
        self._field, self._value = "", []
        self._path = ["RECS"]
        self._clear()


def _filled(segments: list[dict[str, str]]) -> dict[str, str]:
    return {id: value for id, value in segments[0].items() if value} if segments else {}


def _entity(found: re.Match[str]) -> str:
    if found[1]:
        return _NAMED[found[1]]
    number = int(found[2]) if found[2] else int(found[3], 16)
    return chr(number) if number <= 0x10FFFF else "\x00"


__all__ = ["Limits", "read"]
