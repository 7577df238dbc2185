"""Diagnosis codes in the card's five characters (診斷碼押碼): hisGetICD10EnC packs, hisGetICD10DeC unpacks.

A code of ICD-10-CM has three to seven characters, the card's default form has five. Codes of up to five characters that do not
begin with E or V (which mean something else in ICD-9) stay as they are; all others are packed, and a packed one begins with one
of twenty signs. That much is the manual's. How the rest is packed is not public: here (profile) the code is a number in the
places of the classification, written with one of the signs and four printable characters.

    letter, digit, digit or A or B, then up to four characters: the first any, the next two digits, A to E or X, the last any
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from virtual_devices.flow import Flow
from virtual_devices.reader.cshis.prepare import Ready
from virtual_devices.reader.cshis.state import ControlSoftware, Reply
from virtual_devices.reader.transmit import Ended
from virtual_devices.tables import read_table

NO_MAPPING = "9127"
SHORT, LONG = 5, 7
_LETTERS, _DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
_END = " "  # no character here, nor after
_PLACES = (
    _LETTERS, _DIGITS, _DIGITS + "AB", _END + _DIGITS + _LETTERS, _END + _DIGITS + "ABCDEX", _END + _DIGITS + "ABCDEX",
    _END + _DIGITS + _LETTERS,
)
_FIRST_PRINTABLE, _PRINTABLE = 0x21, 94


def _signs() -> str:
    return "".join(read_table("control_software")["icd10_pack"]["first_characters"])


def needs_packing(code: str) -> bool:
    """Longer than five characters, or beginning with E or V."""
    return len(code) > SHORT or code[:1] in ("E", "V")


def pack(code: str) -> str:
    """The code in at most five characters. Raises ValueError for what is no code of ICD-10-CM."""
    if not needs_packing(code):
        if not (code.isascii() and code.isalnum()):
            raise ValueError(f"{code!r} is no diagnosis code")
        return code
    text = code.ljust(LONG)
    if len(text) != LONG or _END in text.rstrip(_END):
        raise ValueError(f"{code!r} has {len(code)} characters, a code has 3 to {LONG}")
    value = 0
    for place, character in zip(_PLACES, text, strict=True):
        if character not in place:
            raise ValueError(f"{code!r}: {character!r} does not stand in that place")
        value = value * len(place) + place.index(character)
    digits = []
    for _ in range(SHORT - 1):
        value, digit = divmod(value, _PRINTABLE)
        digits.append(chr(_FIRST_PRINTABLE + digit))
    return _signs()[value] + "".join(reversed(digits))


def unpack(packed: str) -> str:
    """The code that was packed. Raises ValueError for what :func:`pack` never gives."""
    signs = _signs()
    if packed[:1] not in signs or not packed:
        if not (packed.isascii() and packed.isalnum() and not needs_packing(packed)):
            raise ValueError(f"{packed!r} is no packed code")
        return packed
    if len(packed) != SHORT or not all(_FIRST_PRINTABLE <= ord(c) < _FIRST_PRINTABLE + _PRINTABLE for c in packed):
        raise ValueError(f"{packed!r} is no packed code")
    value = signs.index(packed[0])
    for character in packed[1:]:
        value = value * _PRINTABLE + ord(character) - _FIRST_PRINTABLE
    characters = []
    for place in reversed(_PLACES):
        value, index = divmod(value, len(place))
        characters.append(place[index])
    code = "".join(reversed(characters)).rstrip(_END)
    if value or pack_or_none(code) != packed:
        raise ValueError(f"{packed!r} is no packed code")
    return code


def pack_or_none(code: str) -> str | None:
    """The packed code; None where there is none."""
    try:
        return pack(code)
    except ValueError:
        return None


def short_form(code: bytes) -> bytes:
    """A code of the card in five bytes; one that cannot be packed is blank rather than cut (inferred)."""
    text = code.decode("ascii", "replace").strip(" \0")
    packed = pack_or_none(text) if text else ""
    return (packed or "").encode("ascii").ljust(SHORT)


def long_form(code: bytes) -> bytes:
    """Five bytes that a caller hands in, as the card keeps them: seven."""
    text = code.decode("ascii", "replace").rstrip(" \0")
    try:
        whole = unpack(text) if text else ""
    except ValueError:
        whole = text
    return whole.encode("ascii", "replace").ljust(LONG)


def _convert(
    change: Callable[[str], str], software: ControlSoftware, ready: Ready, arguments: Mapping[str, Any],
) -> Flow[Reply]:
    text = arguments["IN"].decode("ascii", "replace").rstrip()
    try:
        return Reply("0", {"OUT": change(text).encode("ascii") + b"\0"})
    except ValueError as e:
        raise Ended(str(e), NO_MAPPING, "reader") from None
    yield  # a flow that asks nobody


CALLS = {"hisGetICD10EnC": partial(_convert, pack), "hisGetICD10DeC": partial(_convert, unpack)}

__all__ = ["CALLS", "NO_MAPPING", "long_form", "needs_packing", "pack", "short_form", "unpack"]
