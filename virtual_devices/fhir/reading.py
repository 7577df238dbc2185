"""Reading a FHIR document element by element: what is not as it should be is told with the element's path."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from virtual_devices.clock import TAIWAN, from_datetime, to_datetime
from virtual_devices.errors import PeerError, UsageError

CODE = re.compile(r"[^\s]+(\s[^\s]+)*")
"""R4's primitive ``code``."""
_TEXT = re.compile(r"[ \r\n\t\S]+")


class MalformedFhir(PeerError, ValueError):
    """A document that is not of the profile. ``path``: the element, as FHIRPath names it."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}", clause="HL7 FHIR R4")
        self.path = path


class Element:
    """One object in a document, and where it stands."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, Mapping):
            raise MalformedFhir(path, "an object is wanted here")
        self.value: Mapping[str, Any] = value
        self.path = path

    def wrong(self, name: str, what: str) -> MalformedFhir:
        return MalformedFhir(f"{self.path}.{name}", what)

    def text(self, name: str, default: str | None = None) -> str:
        value = self.value.get(name, default)
        if not isinstance(value, str):
            raise self.wrong(name, "missing" if value is None else "a text is wanted here")
        return value

    def whole(self, name: str, default: int | None = None) -> int:
        value = self.value.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(name, "missing" if value is None else "a whole number is wanted here")
        return value

    def child(self, name: str) -> Element:
        if name not in self.value:
            raise self.wrong(name, "missing")
        return Element(self.value[name], f"{self.path}.{name}")

    def has(self, name: str) -> bool:
        return name in self.value

    def children(self, name: str) -> Iterator[Element]:
        found = self.value.get(name, [])
        if not isinstance(found, list):
            raise self.wrong(name, "a list is wanted here")
        for number, one in enumerate(found):
            yield Element(one, f"{self.path}.{name}[{number}]")

    def first(self, name: str) -> Element:
        for one in self.children(name):
            return one
        raise self.wrong(name, "missing")

    def need(self, name: str, wanted: str) -> None:
        """Raises MalformedFhir when the text is another."""
        if self.text(name) != wanted:
            raise self.wrong(name, f"{wanted!r} is wanted here, not {self.text(name)[:40]!r}")

    def identifier(self, system: str, name: str = "identifier") -> str:
        """The value of the identifier of that system, in an object or a list of them."""
        value = self.value.get(name)
        found = list(self.children(name)) if isinstance(value, list) else [self.child(name)]
        for one in found:
            if one.text("system", "") == system:
                return one.text("value")
        raise self.wrong(name, f"none of the system {system}")

    def coding(self, name: str, system: str) -> str:
        """The code of that system in a CodeableConcept."""
        for one in self.child(name).children("coding"):
            if one.text("system", "") == system:
                return one.text("code")
        raise self.wrong(f"{name}.coding", f"none of the system {system}")

    def extension(self, url: str, kind: str, default: Any = None) -> Any:
        """The value of an extension. ``kind``: valueCode, valueUnsignedInt, ...; ``default``: None, and it must be there."""
        for one in self.children("extension"):
            if one.text("url", "") == url:
                value = one.value.get(kind)
                wanted = bool if kind == "valueBoolean" else int if kind == "valueUnsignedInt" else str
                if type(value) is not wanted:
                    raise one.wrong(kind, "missing, or of another type")
                return value
        if default is None:
            raise self.wrong("extension", f"none with the url {url}")
        return default

    def moment(self, name: str) -> int:
        """A dateTime or instant, in ns."""
        try:
            moment = datetime.fromisoformat(self.text(name))
        except ValueError:
            raise self.wrong(name, "no date and time") from None
        if moment.tzinfo is None:
            raise self.wrong(name, "a date and time needs its time zone")
        return from_datetime(moment)

    def day(self, name: str) -> date:
        try:
            return date.fromisoformat(self.text(name))
        except ValueError:
            raise self.wrong(name, "no date") from None

    def tenths(self, name: str) -> int:
        """A Quantity with one decimal at most, in tenths."""
        quantity = self.child(name)
        value = quantity.value.get("value")
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 100_000:
            raise quantity.wrong("value", "a number from 0 to 99999.9 is wanted here")
        if abs(value * 10 - round(value * 10)) > 1e-6:
            raise quantity.wrong("value", "one decimal at most")
        return round(value * 10)

    def octets(self, text: str, name: str, length: int) -> bytes:
        """So many bytes of an id, which is written in hex. ``text``: the element's value."""
        try:
            raw = bytes.fromhex(text) if text == text.lower() else b""
        except ValueError:
            raw = b""
        return self._exactly(raw, name, length)

    def from_base64(self, text: str, name: str, length: int | None = None) -> bytes:
        """Bytes in base64, so many unless ``length`` is None."""
        try:
            raw = base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            raise self.wrong(name, "no base64") from None
        return raw if length is None else self._exactly(raw, name, length)

    def _exactly(self, raw: bytes, name: str, length: int) -> bytes:
        if len(raw) != length:
            raise self.wrong(name, f"{length} bytes are wanted here")
        return raw


# -- writing

def a_code(value: str, path: str) -> str:
    """A primitive ``code``. Raises UsageError for a text that it cannot hold."""
    if not CODE.fullmatch(value):
        raise UsageError(f"{path}: {value!r} is no code of FHIR (no blanks at the ends, nor two together)")
    return value


def a_text(value: str, path: str) -> str:
    """A primitive ``string``. Raises UsageError for one that it cannot hold."""
    if not _TEXT.fullmatch(value) or not value.strip() or any(c < " " and c not in "\t\r\n" for c in value):
        raise UsageError(f"{path}: {value!r} is no string of FHIR (blank, control characters, or unusual blanks)")
    return value


def a_moment(at_ns: int) -> str:
    """A dateTime, to the second, in Taiwan's time."""
    return to_datetime(at_ns).astimezone(TAIWAN).isoformat(timespec="seconds")


def a_number(tenths: int) -> int | float:
    return tenths // 10 if tenths % 10 == 0 else tenths / 10


def octets(raw: bytes) -> str:
    """base64."""
    return base64.b64encode(raw).decode("ascii")


__all__ = ["Element", "MalformedFhir", "a_code", "a_moment", "a_number", "a_text", "octets"]
