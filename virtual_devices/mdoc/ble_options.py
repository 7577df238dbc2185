"""BLE as a retrieval method in the device engagement, ISO/IEC 18013-5 clause 8.2.1.1.

    [2, 1, {0: bool, 1: bool, ? 10: bstr .size 16, ? 11: bstr .size 16, ? 20: bstr .size 6, ? 21: uint}]

0 and 1 say which modes the mdoc offers (peripheral server, central client), 10 and 11 the service's UUID for each, 20 the
mdoc's device address and 21 its L2CAP channel (PSM) as a peripheral. Values only: the CBOR round them is the engagement's.

A reader needs the UUID of a mode that is offered, so one without is refused (inferred: by the standard it may also come
with the handover, which has a record of its own). A UUID for a mode that is not offered, and keys that are not known,
are overlooked. The PSM is public code's (key 21); nothing here speaks L2CAP.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtual_devices.errors import PeerError
from virtual_devices.mdoc.ble_gatt import BleUsageError, Mode
from virtual_devices.mdoc.carriers import BleCarrier

METHOD_TYPE, METHOD_VERSION = 2, 1
PERIPHERAL_SERVER, CENTRAL_CLIENT, PERIPHERAL_UUID, CENTRAL_UUID, ADDRESS, PSM = 0, 1, 10, 11, 20, 21
"""Keys of the options."""
ADDRESS_BYTES = 6
MAX_PSM = 0xFF
"""LE_PSM is 01 to FF, Bluetooth Core volume 3 part A 4.22."""


class MalformedBleOptions(PeerError, ValueError):
    """A retrieval method that is not BLE's, or not well made."""

    def __init__(self, what: str) -> None:
        super().__init__(what, clause="ISO/IEC 18013-5 8.2.1.1")


@dataclass(frozen=True, slots=True)
class BleOptions:
    """What the mdoc offers: a mode is offered when its service's UUID is there.

    ``address`` (6 bytes, as on the wire) and ``psm`` spare the reader a scan; they belong to peripheral server mode.
    Raises BleUsageError for what :func:`parse` would refuse.
    """

    peripheral_server: uuid.UUID | None = None
    central_client: uuid.UUID | None = None
    address: bytes | None = None
    psm: int | None = None

    def __post_init__(self) -> None:
        if self.peripheral_server is None and self.central_client is None:
            raise BleUsageError("BLE without any mode: give the UUID of peripheral server or of central client mode")
        if self.address is not None and len(self.address) != ADDRESS_BYTES:
            raise BleUsageError(f"a device address of {len(self.address)} bytes, not {ADDRESS_BYTES}")
        if self.psm is not None and not 1 <= self.psm <= MAX_PSM:
            raise BleUsageError(f"a PSM that is not 1 to {MAX_PSM}")  # unnamed: a peer's may have thousands of digits

    @property
    def modes(self) -> tuple[Mode, ...]:
        return tuple(mode for mode in Mode if self.service(mode) is not None)

    def service(self, mode: Mode) -> uuid.UUID | None:
        """The service's UUID in this mode; None when the mode is not offered."""
        return self.peripheral_server if mode is Mode.PERIPHERAL_SERVER else self.central_client

    def method(self) -> list[Any]:
        """The retrieval method, to be encoded within the engagement."""
        options: dict[int, Any] = {
            PERIPHERAL_SERVER: self.peripheral_server is not None,
            CENTRAL_CLIENT: self.central_client is not None,
        }
        if self.peripheral_server is not None:
            options[PERIPHERAL_UUID] = self.peripheral_server.bytes
        if self.central_client is not None:
            options[CENTRAL_UUID] = self.central_client.bytes
        if self.address is not None:
            options[ADDRESS] = self.address
        if self.psm is not None:
            options[PSM] = self.psm
        return [METHOD_TYPE, METHOD_VERSION, options]


def parse(method: object) -> BleOptions:
    """The options in a retrieval method, as decoded from CBOR. Raises MalformedBleOptions, whatever it is."""
    if not isinstance(method, Sequence) or isinstance(method, str | bytes) or len(method) != 3:
        raise MalformedBleOptions("a retrieval method is [type, version, options]")
    kind, version, options = method
    if not _is_uint(kind) or kind != METHOD_TYPE:
        raise MalformedBleOptions("the retrieval method is not BLE")
    if not _is_uint(version) or version != METHOD_VERSION:
        raise MalformedBleOptions(f"BLE retrieval of another version than {METHOD_VERSION}")
    # True and 1.0 would find the key 1 of a dict: only true integers may be keys
    if not isinstance(options, Mapping) or not all(_is_uint(key) for key in options):
        raise MalformedBleOptions("the options of BLE are not a map with whole numbers as keys")
    try:
        return BleOptions(
            _service(options, PERIPHERAL_SERVER, PERIPHERAL_UUID), _service(options, CENTRAL_CLIENT, CENTRAL_UUID),
            _bytes(options, ADDRESS, ADDRESS_BYTES), _psm(options),
        )
    except BleUsageError as e:
        raise MalformedBleOptions(str(e)) from None


def of_carrier(carrier: BleCarrier, offered: uuid.UUID | None = None) -> BleOptions | None:
    """What the holder's device offers in a handover; both modes share its one UUID, or the one that the reader has ``offered``
    before. None where neither gives one."""
    service = carrier.service or offered
    if service is None:
        return None
    role = carrier.role
    return BleOptions(service if role.peripheral else None, service if role.central else None, carrier.address)


def _is_uint(value: object) -> bool:
    return type(value) is int and value >= 0


def _service(options: Mapping[int, object], offered: int, key: int) -> uuid.UUID | None:
    flag = options.get(offered)
    if not isinstance(flag, bool):
        raise MalformedBleOptions(f"option {offered} is not true or false")
    raw = _bytes(options, key, 16)
    if not flag:
        return None
    if raw is None:
        raise MalformedBleOptions(f"a mode is offered by option {offered}, without its UUID (option {key})")
    return uuid.UUID(bytes=raw)


def _bytes(options: Mapping[int, object], key: int, size: int) -> bytes | None:
    value = options.get(key)
    if key not in options:
        return None
    if not isinstance(value, bytes) or len(value) != size:
        raise MalformedBleOptions(f"option {key} is not a byte string of {size} bytes")
    return value


def _psm(options: Mapping[int, object]) -> int | None:
    value = options.get(PSM)
    if PSM not in options:
        return None
    if type(value) is not int:
        raise MalformedBleOptions(f"option {PSM} is not a whole number")
    return value


__all__ = ["METHOD_TYPE", "METHOD_VERSION", "BleOptions", "MalformedBleOptions", "of_carrier", "parse"]
