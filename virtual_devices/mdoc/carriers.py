"""Carriers of a handover: how a document may travel after the tap, as records of an NDEF message.

Connection Handover 1.5 names a carrier by an alternative carrier record ("ac": power state, reference to a carrier
configuration record, references to auxiliary records). ISO/IEC 18013-5:2021, 8.2.2, fills two carriers in:

- NFC: external type ``iso.org:18013:nfc``, id "nfc": version 01, then fields (length, kind, value): kind 1 the longest
  command data field, kind 2 the longest response data field. A reader's own record is the version alone (annex D).
- BLE: media type ``application/vnd.bluetooth.le.oob``: AD structures (length, type, data). LE role 1C is a must; 07 a
  128-bit service UUID, least byte first; 1B the device address, least byte first, and its type (0 public, 1 random).

Whatever else is named stays representable as :class:`OtherCarrier`. Structure is held strictly, unknown fields are overlooked.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

from virtual_devices.errors import PeerError, UsageError
from virtual_devices.mdoc.ndef import Record, Tnf
from virtual_devices.quick import quick

NFC_TYPE = b"iso.org:18013:nfc"
BLE_TYPE = b"application/vnd.bluetooth.le.oob"
NFC_ID, BLE_ID = b"nfc", b"0"
"""Ids of the carrier configuration records, as annex D has them."""
MIN_COMMAND_BYTES, MAX_COMMAND_BYTES = 255, 65535
MIN_RESPONSE_BYTES, MAX_RESPONSE_BYTES = 256, 65536
_NFC_VERSION, _MAX_COMMAND, _MAX_RESPONSE = 0x01, 0x01, 0x02
_AD_UUID128, _AD_ADDRESS, _AD_ROLE = 0x07, 0x1B, 0x1C


class MalformedHandover(PeerError, ValueError):
    """A message of handover or its negotiation that breaks the rules. ``what`` says which."""

    def __init__(self, what: str, clause: str = "Connection Handover 1.5") -> None:
        super().__init__(what, clause=clause)


class Power(IntEnum):
    """Carrier power state (Connection Handover 1.5, 7.1)."""

    INACTIVE = 0
    ACTIVE = 1
    ACTIVATING = 2
    UNKNOWN = 3


class LeRole(IntEnum):
    """What the sender of the record can be (Core Specification Supplement, part A, 1.17)."""

    PERIPHERAL = 0
    CENTRAL = 1
    PERIPHERAL_PREFERRED = 2
    CENTRAL_PREFERRED = 3

    @property
    def peripheral(self) -> bool:
        """The sender can be peripheral: of a wallet, mdoc peripheral server mode; of a reader, mdoc central client mode."""
        return self is not LeRole.CENTRAL

    @property
    def central(self) -> bool:
        """The sender can be central: of a wallet, mdoc central client mode; of a reader, mdoc peripheral server mode."""
        return self is not LeRole.PERIPHERAL


@quick
@dataclass(frozen=True, slots=True)
class NfcCarrier:
    """Retrieval over NFC. Longest data field of a command (255 to 65535 bytes) and of a response (256 to 65536 bytes), both
    None in a reader's request."""

    max_command_bytes: int | None = None
    max_response_bytes: int | None = None
    power: Power = Power.ACTIVE
    id: bytes = NFC_ID

    def __post_init__(self) -> None:
        command, response = self.max_command_bytes, self.max_response_bytes
        if command is not None and not MIN_COMMAND_BYTES <= command <= MAX_COMMAND_BYTES:
            raise UsageError(f"a command data field is at most 255 to 65535 bytes long, not {command}")
        if response is not None and not MIN_RESPONSE_BYTES <= response <= MAX_RESPONSE_BYTES:
            raise UsageError(f"a response data field is at most 256 to 65536 bytes long, not {response}")

    def record(self) -> Record:
        fields = ((_MAX_COMMAND, self.max_command_bytes), (_MAX_RESPONSE, self.max_response_bytes))
        payload = bytes((_NFC_VERSION,)) + b"".join(_number(kind, value) for kind, value in fields if value is not None)
        return Record(Tnf.EXTERNAL, NFC_TYPE, payload, self.id)


@dataclass(frozen=True, slots=True)
class BleCarrier:
    """Retrieval over BLE. ``role`` is the sender's. ``service``: the random UUID of this engagement. ``address``: 6 bytes
    as people write them, highest first; ``random_address`` None when the sender left its type out."""

    role: LeRole
    service: UUID | None = None
    address: bytes | None = None
    random_address: bool | None = True
    power: Power = Power.ACTIVE
    id: bytes = BLE_ID

    def __post_init__(self) -> None:
        if self.address is not None and len(self.address) != 6:
            raise UsageError(f"a device address has 6 bytes, not {len(self.address)}")
        if self.address is None:
            object.__setattr__(self, "random_address", None)

    def record(self) -> Record:
        structures = [(_AD_ROLE, bytes((self.role,)))]
        if self.service is not None:
            structures.append((_AD_UUID128, self.service.bytes[::-1]))
        if self.address is not None:
            kind = b"" if self.random_address is None else bytes((self.random_address,))
            structures.insert(0, (_AD_ADDRESS, self.address[::-1] + kind))
        payload = b"".join(bytes((1 + len(data), kind)) + data for kind, data in structures)
        return Record(Tnf.MEDIA, BLE_TYPE, payload, self.id)


@dataclass(frozen=True, slots=True)
class OtherCarrier:
    """A carrier that the bench does not speak: Wi-Fi Aware, or NFC in a later version. Kept as it stood."""

    configuration: Record
    power: Power = Power.UNKNOWN

    @property
    def id(self) -> bytes:
        return self.configuration.id or b""

    def record(self) -> Record:
        return self.configuration


Carrier = NfcCarrier | BleCarrier | OtherCarrier


def alternative(carrier: Carrier, auxiliary: tuple[bytes, ...] = ()) -> Record:
    """The alternative carrier record that refers to the carrier's own and to the auxiliary ones."""
    parts = [bytes((carrier.power, len(carrier.id))), carrier.id, bytes((len(auxiliary),))]
    parts += [bytes((len(name),)) + name for name in auxiliary]
    return Record(Tnf.WELL_KNOWN, b"ac", b"".join(parts))


def read_alternative(payload: bytes) -> tuple[Power, bytes, tuple[bytes, ...]]:
    """Power state, id of the carrier configuration record, ids of auxiliary ones. Raises MalformedHandover."""
    if len(payload) < 2:
        raise MalformedHandover("an alternative carrier of less than two bytes")
    name, at = _counted(payload, 1)
    if not name or at >= len(payload):
        raise MalformedHandover("an alternative carrier without reference or without a count of auxiliary ones")
    auxiliary = []
    at += 1
    for _ in range(payload[at - 1]):
        reference, at = _counted(payload, at)
        auxiliary.append(reference)
    if at != len(payload):
        raise MalformedHandover(f"{len(payload) - at} bytes follow the references of an alternative carrier")
    return Power(payload[0] & 3), name, tuple(auxiliary)


def read_carrier(record: Record, power: Power) -> Carrier:
    """The carrier that a carrier configuration record describes. Raises MalformedHandover."""
    if record.of(Tnf.EXTERNAL, NFC_TYPE) and record.payload[:1] == bytes((_NFC_VERSION,)):
        return _read_nfc(record, power)
    if record.of(Tnf.MEDIA, BLE_TYPE):
        return _read_ble(record, power)
    return OtherCarrier(record, power)


def _read_nfc(record: Record, power: Power) -> NfcCarrier:
    fields = _structures(record.payload[1:], "the NFC carrier")
    limits = []
    for kind, low, high in (
        (_MAX_COMMAND, MIN_COMMAND_BYTES, MAX_COMMAND_BYTES), (_MAX_RESPONSE, MIN_RESPONSE_BYTES, MAX_RESPONSE_BYTES),
    ):
        value = _one(fields, kind, "the NFC carrier")
        number = None if value is None else int.from_bytes(value, "big")
        if number is not None and not low <= number <= high:
            raise MalformedHandover(f"a longest data field of {number} bytes, not {low} to {high}", "ISO/IEC 18013-5 8.2.2")
        limits.append(number)
    return NfcCarrier(limits[0], limits[1], power, record.id or b"")


def _read_ble(record: Record, power: Power) -> BleCarrier:
    structures = _structures(record.payload, "the BLE carrier")
    role = _one(structures, _AD_ROLE, "the BLE carrier")
    if role is None or len(role) != 1 or role[0] > LeRole.CENTRAL_PREFERRED:
        raise MalformedHandover("the BLE carrier says no LE role, or none that there is", "CSS part A, 1.17")
    service = _one(structures, _AD_UUID128, "the BLE carrier")
    if service is not None and len(service) != 16:
        raise MalformedHandover(f"a service UUID of {len(service)} bytes, not 16: the engagement names one", "CSS part A, 1.1")
    address = _one(structures, _AD_ADDRESS, "the BLE carrier")
    if address is not None and len(address) not in (6, 7):  # 6: a public implementation leaves the type out
        raise MalformedHandover(f"a device address of {len(address)} bytes, not 7", "CSS part A, 1.16")
    return BleCarrier(
        LeRole(role[0]),
        None if service is None else UUID(bytes=service[::-1]),
        None if address is None else address[:6][::-1],
        bool(address[6] & 1) if address is not None and len(address) == 7 else None,
        power,
        record.id or b"",
    )


def _structures(raw: bytes, where: str) -> list[tuple[int, bytes]]:
    """(kind, data) of rows of length, kind, data. A length of 0 ends them early, as in advertisements: zeros must follow."""
    found = []
    at = 0
    while at < len(raw):
        end = at + 1 + raw[at]
        if not raw[at]:
            if any(raw[at:]):
                raise MalformedHandover(f"{where} has a field of no bytes")
            break
        if end > len(raw):
            raise MalformedHandover(f"{where} ends within a field")
        found.append((raw[at + 1], raw[at + 2 : end]))
        at = end
    return found


def _one(fields: list[tuple[int, bytes]], kind: int, where: str) -> bytes | None:
    values = [value for found, value in fields if found == kind]
    if len(values) > 1:
        raise MalformedHandover(f"{where} says {kind:#04x} {len(values)} times")
    return values[0] if values else None


def _number(kind: int, value: int) -> bytes:
    raw = value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
    return bytes((1 + len(raw), kind)) + raw


def _counted(raw: bytes, at: int) -> tuple[bytes, int]:
    """The bytes that their count at ``at`` announces, and where they end."""
    if at >= len(raw) or at + 1 + raw[at] > len(raw):
        raise MalformedHandover("an alternative carrier ends within a reference")
    end = at + 1 + raw[at]
    return raw[at + 1 : end], end


__all__ = [
    "BLE_ID", "BLE_TYPE", "BleCarrier", "Carrier", "LeRole", "MalformedHandover", "NFC_ID", "NFC_TYPE", "NfcCarrier",
    "OtherCarrier", "Power", "alternative", "read_alternative", "read_carrier",
]
