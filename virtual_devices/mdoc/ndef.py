"""NDEF, the NFC Forum's Data Exchange Format 1.0: a message is a row of records, each with a type, perhaps an id, a payload.

The rules, first in prose (clause 2.3 and 3.2 of the specification):

- The first record of a message carries MB, the last ME, and no other does. Nothing stands before or after.
- A record is short (SR: one byte of payload length) or long (four). Both may be used for few bytes, and a parsed record
  remembers its form, so that what was read and is written again gives the same bytes.
- IL says that a length of id is there. It may be zero: ``id`` is then ``b""``, and None when IL is off.
- TNF says how to read the type. Empty has no type, id and payload; unknown has no type; 1 to 4 have one.
- Chunked payloads (CF, and TNF 6 in what follows) are refused: no message of ISO/IEC 18013-5 needs them, and a reader that
  puts pieces together can be made to hold anything. TNF 7 is reserved and refused too.

What a peer sent and is not so raises :class:`MalformedNdef`; a record that nobody could write is the caller's ``UsageError``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, IntEnum

from virtual_devices.errors import PeerError, UsageError
from virtual_devices.quick import quick, unchecked

MB, ME, CF, SR, IL = 0x80, 0x40, 0x20, 0x10, 0x08
"""Flags of a record's first byte."""

MAX_MESSAGE_BYTES = 0xFFFF
"""Of one message, by default: the most that a Type 4 tag's two bytes of length can announce."""

MAX_RECORDS = 64
"""In one message, by default: ten times what a handover needs."""


class Tnf(IntEnum):
    """Type name format: how the type is to be read (3.2.6)."""

    EMPTY = 0
    WELL_KNOWN = 1  # NFC Forum, relative: "Hs" stands for urn:nfc:wkt:Hs
    MEDIA = 2  # RFC 2046: "application/vnd.bluetooth.le.oob"
    URI = 3  # RFC 3986
    EXTERNAL = 4  # NFC Forum, external: "iso.org:18013:nfc"
    UNKNOWN = 5
    UNCHANGED = 6  # of later chunks: never taken
    RESERVED = 7  # never taken


_TNFS, _UNCHANGED, _CASELESS = tuple(Tnf), int(Tnf.UNCHANGED), (Tnf.MEDIA, Tnf.EXTERNAL)


class NdefProblem(Enum):
    """Why bytes are not an NDEF message."""

    EMPTY = "no record"
    TRUNCATED = "the bytes end within a record"
    NO_BEGIN = "the first record has no MB"
    SECOND_BEGIN = "a later record has MB"
    NO_END = "no record has ME"
    AFTER_END = "bytes follow the last record"
    CHUNKED = "chunked payloads are not taken"
    BAD_TNF = "a type name format that is not taken"
    BAD_TYPE = "a type where there must be none, or none where there must be one"
    TOO_MANY = "too many records"
    TOO_BIG = "too many bytes"


class MalformedNdef(PeerError, ValueError):
    """Bytes that are no NDEF message. ``problem`` says why, ``offset`` where (bytes from the start)."""

    def __init__(self, problem: NdefProblem, offset: int) -> None:
        super().__init__(f"{problem.value}, at byte {offset}", clause="NDEF 1.0, 3.2")
        self.problem = problem
        self.offset = offset


@quick
@dataclass(frozen=True, slots=True)
class Record:
    """One record. ``long`` asks for four bytes of length though one would do; it does not count when records are compared."""

    tnf: Tnf
    type: bytes = b""
    payload: bytes = b""
    id: bytes | None = None
    long: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.type) > 255 or (self.id and len(self.id) > 255) or len(self.payload) > 0xFFFFFFFF:
            raise UsageError("a record has at most 255 bytes of type, 255 of id and 2**32 - 1 of payload")
        if _problem_of_type(self.tnf, self.type, bool(self.id or self.payload)):
            raise UsageError(f"no record is {self.tnf.name} with {len(self.type)} bytes of type")

    def of(self, tnf: Tnf, kind: bytes) -> bool:
        """True for a record of this type. Media types and external types do not distinguish case (RFC 2045 5.1, RTD 1.0 2.1)."""
        if self.tnf is not tnf:
            return False
        return self.type == kind or (tnf in _CASELESS and self.type.lower() == kind.lower())

    def to_bytes(self, first: bool = True, last: bool = True) -> bytes:
        """The record at its place in a message."""
        short = not self.long and len(self.payload) < 256
        flags = (MB if first else 0) | (ME if last else 0) | (SR if short else 0) | (IL if self.id is not None else 0)
        parts = [bytes((flags | self.tnf, len(self.type))), len(self.payload).to_bytes(1 if short else 4, "big")]
        if self.id is not None:
            parts.append(bytes((len(self.id),)))
        return b"".join((*parts, self.type, self.id or b"", self.payload))


_record = unchecked(Record)


def encode(records: Iterable[Record]) -> bytes:
    """A message of these records, at least one: the inverse of :func:`decode`. Raises UsageError."""
    row = tuple(records)
    if not row:
        raise UsageError("an NDEF message has at least one record; an empty one is Record(Tnf.EMPTY)")
    end = len(row) - 1
    return b"".join(record.to_bytes(at == 0, at == end) for at, record in enumerate(row))


def decode(raw: bytes, max_records: int = MAX_RECORDS, max_bytes: int = MAX_MESSAGE_BYTES) -> tuple[Record, ...]:
    """The records of one whole message. Raises MalformedNdef, nothing else, whatever the bytes are."""
    if not raw:
        raise MalformedNdef(NdefProblem.EMPTY, 0)
    if len(raw) > max_bytes:
        raise MalformedNdef(NdefProblem.TOO_BIG, max_bytes)
    records: list[Record] = []
    at = 0
    while at < len(raw):
        if len(records) == max_records:
            raise MalformedNdef(NdefProblem.TOO_MANY, at)
        flags = raw[at]
        if bool(flags & MB) is bool(records):
            raise MalformedNdef(NdefProblem.SECOND_BEGIN if records else NdefProblem.NO_BEGIN, at)
        record, at = _read(raw, at)
        records.append(record)
        if flags & ME:
            if at != len(raw):
                raise MalformedNdef(NdefProblem.AFTER_END, at)
            return tuple(records)
    raise MalformedNdef(NdefProblem.NO_END, len(raw))


def _read(raw: bytes, at: int) -> tuple[Record, int]:
    """The record that begins at ``at``, and where the next one would."""
    flags = raw[at]
    tnf = _TNFS[flags & 7]
    if flags & CF or tnf == _UNCHANGED:
        raise MalformedNdef(NdefProblem.CHUNKED, at)
    if tnf > _UNCHANGED:
        raise MalformedNdef(NdefProblem.BAD_TNF, at)
    size = 1 if flags & SR else 4
    head = at + 2 + size + (1 if flags & IL else 0)
    if head > len(raw):
        raise MalformedNdef(NdefProblem.TRUNCATED, at)
    type_end = head + raw[at + 1]
    id_end = type_end + (raw[head - 1] if flags & IL else 0)
    end = id_end + int.from_bytes(raw[at + 2 : at + 2 + size], "big")
    if end > len(raw):
        raise MalformedNdef(NdefProblem.TRUNCATED, at)  # within its type, id or payload
    kind, name, payload = raw[head:type_end], raw[type_end:id_end], raw[id_end:end]
    if _problem_of_type(tnf, kind, bool(name or payload)):
        raise MalformedNdef(NdefProblem.BAD_TYPE, at)
    return _record(tnf, kind, payload, name if flags & IL else None, not flags & SR), end


def _problem_of_type(tnf: Tnf, kind: bytes, has_more: bool) -> bool:
    if 1 <= tnf <= 4:
        return not kind
    return bool(kind) or tnf >= _UNCHANGED or (has_more and not tnf)


__all__ = ["MAX_MESSAGE_BYTES", "MAX_RECORDS", "MalformedNdef", "NdefProblem", "Record", "Tnf", "decode", "encode"]
