"""The CBOR habits of ISO/IEC 18013-5: embedded items (#6.24), dates, and what is wrong with a peer's structure.

What was received embedded stays bytes: it is hashed and verified as it came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

import cbor2

from virtual_devices import cbor
from virtual_devices.clock import from_datetime, to_datetime
from virtual_devices.errors import PeerError

T = TypeVar("T")
A_MAP = (dict, Mapping)
"""For isinstance: what decoders give is nearly always a dict, and an abstract class is slow to ask."""
EMBEDDED, DATE_TIME, FULL_DATE = 24, 0, 1004
_TEXT, _BYTES = frozenset({str}), frozenset({bytes})


class MalformedMdoc(PeerError, ValueError):
    """Bytes that are not the structure they should be. ``clause``: of ISO/IEC 18013-5."""

    def __init__(self, what: str, clause: str = "") -> None:
        super().__init__(what, clause=f"ISO/IEC 18013-5 {clause}".strip())


def dumps(value: object) -> bytes:
    """Deterministic encoding, for what we make ourselves."""
    encoded: bytes = cbor2.dumps(value, canonical=True)
    return encoded


def embed(encoded: bytes) -> cbor2.CBORTag:
    """#6.24(bstr .cbor ...), to stand inside another structure."""
    return cbor2.CBORTag(EMBEDDED, encoded)


def embedded(encoded: bytes) -> bytes:
    """The same as bytes: what is hashed and signed."""
    length = len(encoded)
    if 24 <= length < 256:  # most are
        return b"\xd8\x18\x58%c%b" % (length, encoded)
    return b"\xd8\x18" + cbor.head(cbor.BYTES, length) + encoded


def unembed(value: object, what: str) -> bytes:
    """The bytes inside #6.24. Raises MalformedMdoc."""
    if not isinstance(value, cbor2.CBORTag) or value.tag != EMBEDDED or not isinstance(value.value, bytes):
        raise MalformedMdoc(f"{what} is not an embedded item (#6.24)")
    return value.value


def unembed_all(values: Sequence[object], what: str) -> list[bytes]:
    """The bytes inside each #6.24. Raises MalformedMdoc."""
    found = [v.value for v in values if type(v) is cbor2.CBORTag and v.tag == EMBEDDED]
    if len(found) != len(values) or not set(map(type, found)) <= _BYTES:
        raise MalformedMdoc(f"{what} is not an embedded item (#6.24)")
    return found


def unembedded(raw: bytes, what: str) -> bytes:
    """The bytes inside #6.24, of one whole encoded item. Raises MalformedMdoc."""
    if raw[:2] == b"\xd8\x18" and len(raw) > 2:
        major, length, at = cbor.read_head(raw, 2)
        if major == cbor.BYTES and length == len(raw) - at:
            return raw[at:]
    return unembed(read(raw, what), what)


def read(raw: bytes, what: str) -> Any:
    """Any item. Raises MalformedMdoc."""
    try:
        return cbor.decode(raw)
    except cbor.MalformedCbor as e:
        raise MalformedMdoc(f"{what}: {e.what}") from None


def read_all(raws: Sequence[bytes], what: str) -> list[Any]:
    """Items, each the whole of its bytes. Raises MalformedMdoc."""
    try:
        return cbor.decode_all(raws)
    except cbor.MalformedCbor as e:
        raise MalformedMdoc(f"{what}: {e.what}") from None


def read_map(raw: bytes, what: str) -> Mapping[Any, Any]:
    """A map. Raises MalformedMdoc."""
    return a_map(read(raw, what), what)


def a_map(value: object, what: str) -> Mapping[Any, Any]:
    if type(value) is not dict and not isinstance(value, Mapping):
        raise MalformedMdoc(f"{what} is not a map")
    return value


def an_array(value: object, what: str) -> list[Any]:
    if type(value) is list:
        return value
    if not isinstance(value, (list, tuple)):
        raise MalformedMdoc(f"{what} is not an array")
    return list(value)


def a_text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise MalformedMdoc(f"{what} is not text")
    return value


def texts(value: Mapping[Any, T], what: str) -> Mapping[str, T]:
    """A map whose keys are texts. Raises MalformedMdoc."""
    if value and set(map(type, value)) != _TEXT:
        raise MalformedMdoc(f"{what} is not text")
    return value


def some_bytes(value: object, what: str) -> bytes:
    if not isinstance(value, bytes):
        raise MalformedMdoc(f"{what} is not a byte string")
    return value


def a_number(value: object, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedMdoc(f"{what} is not a whole number")
    return value


def brief(value: object) -> str:
    """What a peer has put there, for a person to read: texts and numbers, and not more of them than a person reads."""
    return repr(value)[:40] if isinstance(value, (str, int)) else f"a {type(value).__name__}"


def tdate(at_ns: int) -> cbor2.CBORTag:
    """A moment to the second (RFC 3339, UTC, no fraction: 18013-5 clause 9.1.2.4)."""
    moment = to_datetime(at_ns).replace(microsecond=0, tzinfo=None)
    return cbor2.CBORTag(DATE_TIME, f"{moment.isoformat()}Z")  # strftime's year has four digits on some systems only


def read_tdate(value: object, what: str) -> int:
    """The moment of a tdate, in ns. Raises MalformedMdoc."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise MalformedMdoc(f"{what} is not a date-time (tag 0)")
    try:
        return from_datetime(value)
    except (OverflowError, ValueError):
        raise MalformedMdoc(f"{what} is out of range") from None


def full_date(day: date) -> cbor2.CBORTag:
    """A day (RFC 8943)."""
    return cbor2.CBORTag(FULL_DATE, day.isoformat())
