"""Device engagement, ISO/IEC 18013-5 clause 8.2.1: what the holder's device shows first, by QR code or NFC.

    DeviceEngagement = {0: version, 1: [1, EDeviceKeyBytes], ? 2: [+ retrieval method], ? 5: [], ? 6: {+ capability}}

A wallet that understands requests of version "1.1" (several readers' signatures over all of a request) says so by the
capability 6: {3: true}, with engagement version "1.1" and 5: [] (as Multipaz does: public code).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import cbor
from virtual_devices.mdoc.cose_key import decode, encoded
from virtual_devices.mdoc.tagged import MalformedMdoc, a_map, a_text, an_array, dumps, embedded, read_map, unembed
from virtual_devices.quick import quick

QR_SCHEME = "mdoc:"
CIPHER_SUITE = 1
NFC, BLE = 1, 2
"""Types of retrieval methods."""
READER_AUTH_ALL = 3
"""The capability to check ``readerAuthAll``."""
MAX_BYTES = 4096
_BASE64URL = re.compile("[A-Za-z0-9_-]*").fullmatch


@quick
@dataclass(frozen=True, slots=True)
class Engagement:
    """``raw``: as shown, which goes into the session transcript. ``methods``: each [type, version, options]."""

    raw: bytes
    version: str
    key: ec.EllipticCurvePublicKey
    key_bytes: bytes
    """EDeviceKeyBytes: #6.24(bstr .cbor COSE_Key), as shown."""
    methods: tuple[tuple[Any, ...], ...]
    reader_auth_all: bool

    def qr_text(self) -> str:
        """What the QR code holds: ``mdoc:`` and base64url without padding (clause 8.2.2.3)."""
        return QR_SCHEME + base64.urlsafe_b64encode(self.raw).rstrip(b"=").decode("ascii")

    def method(self, kind: int) -> tuple[Any, ...] | None:
        """The retrieval method of this type, or None."""
        return next((m for m in self.methods if m[0] == kind), None)


def make(
    key: ec.EllipticCurvePublicKey, methods: list[list[Any]] | None = None, *, reader_auth_all: bool = True,
) -> Engagement:
    """An engagement of ours. ``methods``: left out over NFC, where the handover names them."""
    key_bytes = embedded(encoded(key))
    version = "1.1" if reader_auth_all else "1.0"
    entries = [b"\x00" + cbor.name(version), b"\x01\x82" + cbor.number(CIPHER_SUITE) + key_bytes]
    if methods:
        entries.append(b"\x02" + dumps(methods))
    if reader_auth_all:
        entries += [b"\x05\x80", b"\x06\xa1" + cbor.number(READER_AUTH_ALL) + b"\xf5"]
    shown = tuple(tuple(method) for method in methods or ())
    return Engagement(cbor.head(cbor.MAP, len(entries)) + b"".join(entries), version, key, key_bytes, shown, reader_auth_all)


def with_methods(shown: Engagement, methods: list[list[Any]]) -> bytes:
    """The same device, met by these retrieval methods: for a reader that learnt them from a handover. Goes into no transcript."""
    key = b"\x01\x82" + cbor.number(CIPHER_SUITE) + shown.key_bytes
    return cbor.head(cbor.MAP, 3) + b"\x00" + cbor.name(shown.version) + key + b"\x02" + dumps(methods)


def nfc_method(max_command_bytes: int, max_response_bytes: int) -> list[Any]:
    return [NFC, 1, {0: max_command_bytes, 1: max_response_bytes}]


def read_qr(text: str) -> Engagement:
    """The engagement in a QR code. Raises MalformedMdoc."""
    if not text.startswith(QR_SCHEME):
        raise MalformedMdoc(f"a QR code that does not begin with {QR_SCHEME}", "8.2.2.3")
    body = text.removeprefix(QR_SCHEME)
    if len(body) > MAX_BYTES * 4 // 3 + 3 or not _BASE64URL(body):
        raise MalformedMdoc("the QR code is not base64url", "8.2.2.3")
    try:
        raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    except (binascii.Error, ValueError):
        raise MalformedMdoc("the QR code is not base64url", "8.2.2.3") from None
    return read(raw)


def read(raw: bytes) -> Engagement:
    """Raises MalformedMdoc. What a newer version adds is overlooked, as clause 8.2.1.1 asks."""
    if len(raw) > MAX_BYTES:
        raise MalformedMdoc(f"an engagement of {len(raw)} bytes, at most {MAX_BYTES}", "8.2.1")
    body = read_map(raw, "the engagement")
    version = a_text(body.get(0), "the version")
    if version.split(".")[0] != "1":
        raise MalformedMdoc(f"engagement version {version}", "8.2.1.1")
    security = an_array(body.get(1), "Security")
    if len(security) != 2 or security[0] != CIPHER_SUITE:
        raise MalformedMdoc("the cipher suite is not 1", "8.2.1.1")
    cose_key = unembed(security[1], "EDeviceKeyBytes")
    methods = []
    for method in an_array(body.get(2, []), "the retrieval methods"):
        parts = tuple(an_array(method, "a retrieval method"))
        if len(parts) != 3 or not all(isinstance(p, int) for p in parts[:2]):
            raise MalformedMdoc("a retrieval method is not [type, version, options]", "8.2.1.1")
        methods.append(parts)
    capabilities = a_map(body.get(6, {}), "the capabilities")
    key = decode(cose_key, "EDeviceKey")
    return Engagement(
        raw, version, key, embedded(cose_key), tuple(methods), capabilities.get(READER_AUTH_ALL) is True,
    )


__all__ = ["BLE", "NFC", "Engagement", "make", "nfc_method", "read", "read_qr", "with_methods"]
