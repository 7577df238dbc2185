"""The GATT services of BLE data retrieval, ISO/IEC 18013-5 clause 8.3.3.1.1.4: who serves what, under which UUIDs.

Either party may be the GATT server, by the mode that the engagement offers and the reader chooses:

* *mdoc peripheral server mode*: the mdoc advertises and serves, the reader scans and is the client;
* *mdoc central client mode*: the reader advertises and serves, the mdoc scans and is the client. Since the mdoc then goes to
  whoever advertises, it reads the characteristic Ident, which only somebody who has seen the engagement can serve.

The service's own UUID is random for each engagement, so that nobody can follow a phone by it. :data:`TABLE` is the data from
which servers and documentation are made.

Not here: the characteristics for L2CAP (UUIDs 0000000A and 0000000B of the same family, by public code).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from virtual_devices.errors import UsageError

STATE_START = b"\x01"
"""Written to State by the client: it has subscribed and is ready."""
STATE_END = b"\x02"
"""Written or notified by either party: the session is over."""
IDENT_BYTES = 16


class BleUsageError(UsageError):
    """We, not the peer, asked for what BLE data retrieval cannot do."""


class Problem(Enum):
    """Why a peer is refused."""

    EMPTY_CHUNK = "a chunk without first byte, or without content although more follow"
    UNKNOWN_PREFIX = "a chunk's first byte is neither 00 nor 01"
    CHUNK_TOO_LONG = "a chunk longer than the link allows"
    MESSAGE_TOO_LONG = "a message longer than the limit"
    UNKNOWN_STATE = "a value of State that is neither 01 nor 02"
    WRONG_CHARACTERISTIC = "a value on a characteristic that does not carry it this way"
    STATE_BEFORE_SUBSCRIPTION = "a value of State before the subscriptions"
    START_MISPLACED = "State 01 twice, or from the server"
    DATA_BEFORE_START = "data before State 01"
    DATA_AFTER_END = "data or State 01 after the peer had ended the session"
    UNSUBSCRIBED = "the peer unsubscribed within the session"
    MISSING_CHARACTERISTIC = "the server lacks a characteristic or one of its properties"
    WRONG_IDENT = "Ident is not that of this engagement: another reader"
    OPERATION_FAILED = "the peer's stack refused an operation"


class Mode(Enum):
    """The mdoc's part in the connection."""

    PERIPHERAL_SERVER = "mdoc peripheral server mode"
    CENTRAL_CLIENT = "mdoc central client mode"


class Side(Enum):
    MDOC = "mdoc"
    READER = "mdoc reader"


class GattRole(Enum):
    CLIENT = "client"
    SERVER = "server"


def gatt_role(mode: Mode, side: Side) -> GattRole:
    """The server is the mdoc in peripheral server mode, and the reader in central client mode."""
    return GattRole.SERVER if (mode is Mode.PERIPHERAL_SERVER) == (side is Side.MDOC) else GattRole.CLIENT


class Name(Enum):
    """The characteristics, by the standard's names."""

    STATE = "State"
    CLIENT_TO_SERVER = "Client2Server"
    SERVER_TO_CLIENT = "Server2Client"
    IDENT = "Ident"


class Property(Enum):
    """Of a characteristic, Bluetooth Core volume 3 part G 3.3.1.1; the value is its bit there."""

    READ = 0x02
    WRITE_WITHOUT_RESPONSE = 0x04
    NOTIFY = 0x10


class Direction(Enum):
    TO_SERVER = "client to server"
    TO_CLIENT = "server to client"
    BOTH = "both ways"


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One row: ``direction`` is the way that values go."""

    mode: Mode
    name: Name
    direction: Direction
    properties: frozenset[Property]
    uuid: uuid.UUID

    @property
    def notifies(self) -> bool:
        """The client has to subscribe to it before the session starts."""
        return Property.NOTIFY in self.properties


def _row(mode: Mode, number: int, name: Name, direction: Direction, *properties: Property) -> Characteristic:
    return Characteristic(mode, name, direction, frozenset(properties), uuid.UUID(f"{number:08x}-a123-48ce-896b-4c76973373e6"))


_P, _C = Mode.PERIPHERAL_SERVER, Mode.CENTRAL_CLIENT
TABLE: tuple[Characteristic, ...] = (
    _row(_P, 1, Name.STATE, Direction.BOTH, Property.NOTIFY, Property.WRITE_WITHOUT_RESPONSE),
    _row(_P, 2, Name.CLIENT_TO_SERVER, Direction.TO_SERVER, Property.WRITE_WITHOUT_RESPONSE),
    _row(_P, 3, Name.SERVER_TO_CLIENT, Direction.TO_CLIENT, Property.NOTIFY),
    _row(_C, 5, Name.STATE, Direction.BOTH, Property.NOTIFY, Property.WRITE_WITHOUT_RESPONSE),
    _row(_C, 6, Name.CLIENT_TO_SERVER, Direction.TO_SERVER, Property.WRITE_WITHOUT_RESPONSE),
    _row(_C, 7, Name.SERVER_TO_CLIENT, Direction.TO_CLIENT, Property.NOTIFY),
    _row(_C, 8, Name.IDENT, Direction.TO_CLIENT, Property.READ),
)
"""Tables 11 and 12 of the standard, as public code has them: mdoc service, mdoc reader service."""


def characteristics(mode: Mode) -> tuple[Characteristic, ...]:
    """What the server of this mode serves."""
    return tuple(row for row in TABLE if row.mode is mode)


def characteristic(mode: Mode, name: Name) -> Characteristic:
    """Raises BleUsageError for Ident in peripheral server mode, which has none."""
    for row in TABLE:
        if (row.mode, row.name) == (mode, name):
            return row
    raise BleUsageError(f"{mode.value} has no characteristic {name.value}")


def by_uuid(found: uuid.UUID) -> Characteristic | None:
    """The row of this UUID, for a GATT server or client that knows characteristics by UUID only."""
    return next((row for row in TABLE if row.uuid == found), None)


def service_uuid(draw: Callable[[int], bytes]) -> uuid.UUID:
    """A service's UUID for one engagement: version 4 (RFC 9562 5.4), from 16 drawn bytes, 122 bits of which stay."""
    return uuid.UUID(bytes=draw(16), version=4)


def ident(device_key_bytes: bytes) -> bytes:
    """The value of Ident: HKDF-SHA256 over EDeviceKeyBytes as shown in the engagement, no salt. 16 bytes."""
    return HKDF(hashes.SHA256(), IDENT_BYTES, salt=None, info=b"BLEIdent").derive(device_key_bytes)


__all__ = [
    "IDENT_BYTES", "STATE_END", "STATE_START", "TABLE", "BleUsageError", "Characteristic", "Direction", "GattRole", "Mode",
    "Name", "Problem", "Property", "Side", "by_uuid", "characteristic", "characteristics", "gatt_role", "ident", "service_uuid",
]
