"""Session encryption, ISO/IEC 18013-5 clause 9.1.1: what both sides see, their keys, and messages under them.

    SessionTranscript  = [DeviceEngagementBytes / null, EReaderKeyBytes, Handover]
    SessionEstablishment = {"eReaderKey": EReaderKeyBytes, "data": bstr}
    SessionData        = {? "data": bstr, ? "status": 10 / 11 / 20}

Keys: HKDF-SHA-256 of the ECDH secret with salt SHA-256(SessionTranscriptBytes), info "SKReader" and "SKDevice"; AES-256-GCM
with a counter as nonce, so that a message replayed, doubled or moved to another place is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from virtual_devices import cbor, pki
from virtual_devices.cbor import byte_string
from virtual_devices.mdoc.cose_key import decode, encoded
from virtual_devices.mdoc.tagged import MalformedMdoc, a_number, embedded, read_map, some_bytes, unembed
from virtual_devices.quick import quick
from virtual_devices.randomness import private_key

MAX_MESSAGE_BYTES = 1 << 16
"""Of one session message, either way: a portrait and 60 records fit; a peer cannot make us hold more."""
_MAX_COUNTER = 0xFFFF_FFFF
_ESTABLISHMENT = b"\xa2\x6aeReaderKey\xd8\x18\x58\x4b"
"""How a SessionEstablishment begins: a COSE_Key on P-256 has 75 bytes."""
_DATA, _STATUS = cbor.name("data"), cbor.name("status")


class SessionStatus(Enum):
    """Why a message carries no data, or why the session ends (clause 9.1.1.4, table 20)."""

    ENCRYPTION_ERROR = 10
    DECODING_ERROR = 11
    TERMINATION = 20


class Side(Enum):
    """Whose key a message is under, with the first eight bytes of its nonces."""

    READER = bytes(8)
    DEVICE = bytes(7) + b"\x01"


class CannotDecrypt(MalformedMdoc):
    """A message that was not made for this place in this session."""


@quick
@dataclass(frozen=True, slots=True)
class Transcript:
    """What both sides have seen of each other. ``handover``: None (QR), or [Hs, Hr / None] as they went over the air."""

    engagement: bytes
    reader_key_bytes: bytes
    """EReaderKeyBytes: #6.24(bstr .cbor COSE_Key), as received."""
    handover: tuple[bytes, bytes | None] | None = None
    encoded: bytes = field(init=False)
    """SessionTranscript, encoded."""
    hash: bytes = field(init=False)
    """SHA-256(SessionTranscriptBytes)."""

    def __post_init__(self) -> None:
        handover = b"\xf6"
        if self.handover is not None:
            select, request = self.handover
            handover = b"\x82" + byte_string(select) + (b"\xf6" if request is None else byte_string(request))
        encoded = b"".join((b"\x83", embedded(self.engagement), self.reader_key_bytes, handover))
        object.__setattr__(self, "encoded", encoded)
        object.__setattr__(self, "hash", pki.hashed(embedded(encoded)))

    def key(self, shared: bytes, info: str) -> bytes:
        """32 bytes for one purpose, from an ECDH secret."""
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=self.hash, info=info.encode("ascii")).derive(shared)


def ephemeral_key(random: bytes) -> tuple[ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey]:
    """A key for one session, and its public half. ``random``: 32 bytes that were never used before."""
    key = private_key("session", random.hex())
    return key, key.public_key()


def agree(key: ec.EllipticCurvePrivateKey, peer: ec.EllipticCurvePublicKey) -> bytes:
    """The ECDH secret, 32 bytes (clause 9.1.1.5)."""
    return key.exchange(ec.ECDH(), peer)


class Cipher:
    """One side's end of a session: what it sends is under its own key, what it receives under the other's."""

    def __init__(self, shared: bytes, transcript: Transcript, me: Side) -> None:
        keys = {Side.READER: transcript.key(shared, "SKReader"), Side.DEVICE: transcript.key(shared, "SKDevice")}
        self._me, self._other = (Side.READER, Side.DEVICE) if me is Side.READER else (Side.DEVICE, Side.READER)
        self._sealing, self._opening = AESGCM(keys[self._me]), AESGCM(keys[self._other])
        self._sent = self._received = 0

    def seal(self, plain: bytes) -> bytes:
        if self._sent == _MAX_COUNTER:
            raise CannotDecrypt("the session's messages are used up", "9.1.1.5")
        self._sent += 1
        return self._sealing.encrypt(self._me.value + self._sent.to_bytes(4, "big"), plain, None)

    def open(self, sealed: bytes) -> bytes:
        """Raises CannotDecrypt, and then still waits for the message that belongs here."""
        try:
            plain = self._opening.decrypt(self._other.value + (self._received + 1).to_bytes(4, "big"), sealed, None)
        except (InvalidTag, ValueError, OverflowError):
            raise CannotDecrypt("a message that does not belong to this place of this session", "9.1.1.5") from None
        self._received += 1
        return plain


@quick
@dataclass(frozen=True, slots=True)
class Establishment:
    """The reader's first message."""

    reader_key: ec.EllipticCurvePublicKey
    reader_key_bytes: bytes
    data: bytes


@quick
@dataclass(frozen=True, slots=True)
class SessionData:
    """Any later message. Neither data nor a status that we know: MalformedMdoc when read."""

    data: bytes | None = None
    status: SessionStatus | None = None

    def to_bytes(self) -> bytes:
        parts = []
        if self.data is not None:
            parts += [_DATA, cbor.head(cbor.BYTES, len(self.data)), self.data]
        if self.status is not None:
            parts += [_STATUS, cbor.number(self.status.value)]
        return b"".join((cbor.head(cbor.MAP, (self.data is not None) + (self.status is not None)), *parts))


_TERMINATED = SessionData(status=SessionStatus.TERMINATION)
TERMINATION = _TERMINATED.to_bytes()


def key_bytes(key: ec.EllipticCurvePublicKey) -> bytes:
    """EReaderKeyBytes or EDeviceKeyBytes of a key of ours."""
    return embedded(encoded(key))


def establishment(reader_key_bytes: bytes, data: bytes) -> bytes:
    """A SessionEstablishment; the key stands in it byte for byte as it is hashed."""
    return b"".join((b"\xa2\x6aeReaderKey", reader_key_bytes, _DATA, cbor.head(cbor.BYTES, len(data)), data))


def read_establishment(raw: bytes) -> Establishment:
    """Raises MalformedMdoc."""
    if raw[:16] == _ESTABLISHMENT and (data := _data(raw, 91)) is not None:  # as nearly everybody writes it
        return Establishment(decode(raw[16:91], "eReaderKey"), raw[12:91], data)
    body = _read(raw)
    inner = unembed(body.get("eReaderKey"), "eReaderKey")
    as_sent = embedded(inner)
    if as_sent not in raw:  # its length was not in the shortest form: what would be hashed is not what was sent
        raise MalformedMdoc("eReaderKey is not in the shortest encoding", "9.1.1.4")
    return Establishment(
        decode(inner, "eReaderKey"), as_sent, some_bytes(body.get("data"), "the session's data"),
    )


def read_data(raw: bytes) -> SessionData:
    """Raises MalformedMdoc."""
    if raw[:1] == b"\xa1":  # as nearly everybody writes it
        if raw == TERMINATION:
            return _TERMINATED
        if (only := _data(raw, 1)) is not None:
            return SessionData(only)
    body = _read(raw)
    data, number = body.get("data"), body.get("status")
    if data is None and number is None:
        raise MalformedMdoc("neither data nor status", "9.1.1.4")
    status = None
    if number is not None:
        try:
            status = SessionStatus(a_number(number, "the status"))
        except ValueError:
            raise MalformedMdoc(f"status {number}", "9.1.1.4") from None
    return SessionData(None if data is None else some_bytes(data, "the session's data"), status)


def _data(raw: bytes, at: int) -> bytes | None:
    """The data, where its key stands at ``at`` and its byte string up to the end; None for another structure."""
    if len(raw) > MAX_MESSAGE_BYTES or not raw.startswith(_DATA, at) or len(raw) < at + len(_DATA) + 6:
        return None
    major, length, begin = cbor.read_head(raw, at + len(_DATA))
    return raw[begin:] if major == cbor.BYTES and length == len(raw) - begin else None


def _read(raw: bytes) -> Mapping[Any, Any]:
    if len(raw) > MAX_MESSAGE_BYTES:
        raise MalformedMdoc(f"a session message of {len(raw)} bytes, at most {MAX_MESSAGE_BYTES}", "9.1.1.4")
    return read_map(raw, "the session message")
