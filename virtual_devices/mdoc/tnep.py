"""TNEP, the NFC Forum's Tag NDEF Exchange Protocol 1.0, as far as a handover needs it: three records.

A tag offers a service by a Service Parameter record ("Tp"), a reader takes it by a Service Select record ("Ts"; an empty name
gives it back), and the tag says how that went by a TNEP Status record ("Te"). Status of an unknown service or a message out of
turn: protocol error (inferred: the public descriptions name 00, 01 and 80 to FE, not the cases).
"""

from __future__ import annotations

from dataclasses import dataclass

from virtual_devices.errors import UsageError
from virtual_devices.mdoc import ndef
from virtual_devices.mdoc.carriers import MalformedHandover
from virtual_devices.mdoc.ndef import Record, Tnf

VERSION = 0x10
SUCCESS, PROTOCOL_ERROR = 0x00, 0x01
SINGLE_RESPONSE = 0x00
MAX_WAIT_CODE, MAX_EXTENSIONS = 63, 15
_PARAMETER, _SELECT, _STATUS = b"Tp", b"Ts", b"Te"
_CLAUSE = "TNEP 1.0"


@dataclass(frozen=True, slots=True)
class ServiceParameter:
    """What a tag says of a service: its name, how long to wait before reading an answer, how often an answer may be put off
    (the file is then empty), and the longest message (bytes) that the tag takes."""

    name: bytes
    wait_code: int = 0
    extensions: int = MAX_EXTENSIONS
    max_message_bytes: int = 0x7FFD
    version: int = VERSION
    mode: int = SINGLE_RESPONSE

    def __post_init__(self) -> None:
        if not (
            1 <= len(self.name) <= 255 and 0 <= self.wait_code <= MAX_WAIT_CODE and 0 <= self.extensions <= MAX_EXTENSIONS
            and 0 <= self.max_message_bytes <= 0xFFFF and 0 <= self.version <= 255 and 0 <= self.mode <= 255
        ):
            raise UsageError(f"no service parameter: {self}")

    @property
    def wait_s(self) -> float:
        """Minimum waiting time in seconds: 2 ** (code / 4 - 1) milliseconds."""
        return float(2.0 ** (self.wait_code / 4 - 1)) / 1000

    def record(self) -> Record:
        head = bytes((self.version, len(self.name))) + self.name
        tail = bytes((self.mode, self.wait_code, self.extensions)) + self.max_message_bytes.to_bytes(2, "big")
        return Record(Tnf.WELL_KNOWN, _PARAMETER, head + tail)


def offered(records: tuple[Record, ...], name: bytes) -> ServiceParameter | None:
    """What the tag says of this service, or None when it does not offer it. Raises MalformedHandover."""
    for record in records:
        if record.of(Tnf.WELL_KNOWN, _PARAMETER):
            service = _read_parameter(record.payload)
            if service.name == name:
                return service
    return None


def _read_parameter(raw: bytes) -> ServiceParameter:
    if len(raw) < 2 or not raw[1] or len(raw) != raw[1] + 7:
        raise MalformedHandover(f"a service parameter of {len(raw)} bytes", _CLAUSE)
    name, tail = raw[2:-5], raw[-5:]
    if raw[0] >> 4 != VERSION >> 4:
        raise MalformedHandover(f"TNEP version {raw[0]:02x}, not 1.x", _CLAUSE)
    wait, extensions = tail[1] & MAX_WAIT_CODE, tail[2] & MAX_EXTENSIONS  # the other bits are reserved
    return ServiceParameter(name, wait, extensions, int.from_bytes(tail[3:], "big"), raw[0], tail[0])


def select_message(name: bytes) -> bytes:
    """The message by which a reader takes a service; without a name it gives back the one it has."""
    return ndef.encode([Record(Tnf.WELL_KNOWN, _SELECT, bytes((len(name),)) + name)])


def selected_service(records: tuple[Record, ...]) -> bytes | None:
    """The name in a Service Select message, None when the message is none. Raises MalformedHandover."""
    if not records[0].of(Tnf.WELL_KNOWN, _SELECT):
        return None
    raw = records[0].payload
    if not raw or len(raw) != 1 + raw[0] or len(records) != 1:
        raise MalformedHandover(f"a service select of {len(raw)} bytes in {len(records)} records", _CLAUSE)
    return raw[1:]


def status_message(status: int) -> bytes:
    return ndef.encode([Record(Tnf.WELL_KNOWN, _STATUS, bytes((status,)))])


def read_status(records: tuple[Record, ...]) -> int | None:
    """The status in a TNEP Status message, None when there is none. Raises MalformedHandover."""
    for record in records:
        if record.of(Tnf.WELL_KNOWN, _STATUS):
            if len(record.payload) != 1:
                raise MalformedHandover(f"a TNEP status of {len(record.payload)} bytes", _CLAUSE)
            return record.payload[0]
    return None


__all__ = [
    "PROTOCOL_ERROR", "SUCCESS", "ServiceParameter", "offered", "read_status", "select_message", "selected_service",
    "status_message",
]
