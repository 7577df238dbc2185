"""BLE data retrieval upon bumble: as GATT server and as GATT client, at any controller (:mod:`bench.stacks.bumble_radio`)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from bumble import att, gatt, hci
from bumble.core import UUID, AdvertisingData
from bumble.device import AdvertisingType, Connection, Peer
from bumble.gatt_client import CharacteristicProxy

from bench.stacks.ble_end import StackTrouble
from bench.stacks.bumble_radio import TROUBLE, Radio, connect, quietly, stands, tried
from virtual_devices.mdoc.ble_events import (
    Action,
    Advertise,
    Connected,
    Disconnect,
    Disconnected,
    Discover,
    Discovered,
    Event,
    IdentRead,
    MtuAgreed,
    Notified,
    Notify,
    ReadIdent,
    RequestMtu,
    Scan,
    Subscribe,
    Subscribed,
    Write,
    Written,
)
from virtual_devices.mdoc.ble_gatt import TABLE, Characteristic, Name, Property

MAX_ADVERTISEMENT_BYTES = 31
_ALL = tuple(Property)


class _Stack:
    """What both roles have in common: the one connection."""

    def __init__(self, radio: Radio) -> None:
        self._radio = radio
        self._device = radio.device
        self._connection: Connection | None = None
        self._tell: Callable[[Event], None] = lambda _: None

    def begin(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell

    def _take(self, connection: Connection) -> None:
        self._connection = connection
        connection.on(connection.EVENT_DISCONNECTION, self._disconnected)
        self._radio.lost.add_done_callback(self._disconnected)  # bumble does not always tell
        if not stands(self._device, connection):  # it went before anybody listened
            self._disconnected()

    def _disconnected(self, *_: Any) -> None:
        if self._connection is not None:
            self._connection = None
            # A write that came before is told by a task of bumble's that has not begun, the disconnection at once.
            asyncio.get_running_loop().call_soon(self._tell, Disconnected())

    async def _drop(self) -> None:
        """Disconnect once all that was sent has left."""
        self._radio.lost.remove_done_callback(self._disconnected)
        connection = self._connection
        if connection is None:
            return
        await quietly(connection.drain())
        if self._connection is not None:  # the peer may have left meanwhile, and bumble would wait for news that have come
            await quietly(connection.disconnect())

    async def _send_away(self, role: hci.Role) -> None:
        """Every connection in which this side has that role."""
        for left in [each for each in self._device.connections.values() if each.role is role]:
            await quietly(left.disconnect())

    def _there(self) -> Connection:
        if self._connection is None:
            raise StackTrouble("there is no connection")
        return self._connection


class ServerStack(_Stack):
    """The GATT server: advertises, serves, notifies."""

    def __init__(self, radio: Radio) -> None:
        super().__init__(radio)
        self._served: dict[uuid.UUID, gatt.Characteristic[bytes]] = {}
        self._waiting = False

    async def do(self, action: Action) -> Event | None:
        match action:
            case Advertise():
                await tried(self._advertise(action))
            case Notify():
                connection, row = self._there(), self._served[action.characteristic.uuid]
                await _queued(self._device.gatt_server.notify_subscriber(connection, row, action.value))
            case Disconnect():
                await self._stop()
                await self._drop()
            case _:
                raise StackTrouble(f"a GATT server cannot {type(action).__name__}")
        return None

    async def _advertise(self, action: Advertise) -> None:
        rows = [self._serve(row, action.ident) for row in action.characteristics]
        self._served = dict(zip((row.uuid for row in action.characteristics), rows, strict=True))
        service = _bumble(action.service)
        self._device.add_service(gatt.Service(service, rows))
        shown = bytes(AdvertisingData([
            (AdvertisingData.FLAGS, b"\x06"), (AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, bytes(service)),
        ]))
        assert len(shown) <= MAX_ADVERTISEMENT_BYTES
        self._device.on(self._device.EVENT_CONNECTION, self._came)
        self._waiting = True
        await self._radio.orderly(self._device.start_advertising(
            AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE, advertising_data=shown, scan_response_data=b"",
        ))

    def _serve(self, row: Characteristic, ident: bytes | None) -> gatt.Characteristic[bytes]:
        name = row.name
        value: Any = ident
        if Property.WRITE_WITHOUT_RESPONSE in row.properties:
            value = gatt.CharacteristicValue(write=lambda _, written: self._tell(Written(name, bytes(written))))
        elif ident is None or Property.READ not in row.properties:
            value = b""
        properties = gatt.Characteristic.Properties(sum(p.value for p in row.properties))
        permissions = att.Attribute.Permissions.READABLE | att.Attribute.Permissions.WRITEABLE
        served: gatt.Characteristic[bytes] = gatt.Characteristic(_bumble(row.uuid), properties, permissions, value)
        served.on(served.EVENT_SUBSCRIPTION, lambda _, on, __: self._tell(Subscribed(name, bool(on))))
        return served

    def _came(self, connection: Connection) -> None:
        if self._connection is not None or not self._waiting or connection.role is not hci.Role.PERIPHERAL:
            return
        self._waiting = False
        self._take(connection)
        connection.on(connection.EVENT_CONNECTION_ATT_MTU_UPDATE, lambda: self._tell(MtuAgreed(connection.att_mtu)))
        self._tell(Connected(connection.att_mtu))

    def handle_of(self, name: Name) -> int:
        return _handle(self._served, name)

    async def _stop(self) -> None:
        self._waiting = False
        self._device.remove_listener(self._device.EVENT_CONNECTION, self._came)
        await quietly(self._radio.orderly(self._device.stop_advertising()))

    async def close(self) -> None:
        if self._served:
            await self._stop()
        await self._drop()
        await self._send_away(hci.Role.PERIPHERAL)  # it came as the phone left, and would meet a server without a service
        self._radio.clear()


class ClientStack(_Stack):
    """The GATT client: scans, connects, writes."""

    def __init__(self, radio: Radio) -> None:
        super().__init__(radio)
        self._peer: Peer | None = None
        self._found: dict[uuid.UUID, CharacteristicProxy[bytes]] = {}

    async def do(self, action: Action) -> Event | None:
        match action:
            case Scan():
                return await tried(self._connect(action.service), limit_s=None)
            case RequestMtu():
                return MtuAgreed(await tried(self._there_peer().request_mtu(action.mtu)))
            case Discover():
                return await tried(self._discover(action.service))
            case ReadIdent():
                return IdentRead(bytes(await tried(self._there_peer().read_value(self._found[action.characteristic.uuid]))))
            case Subscribe():
                return await tried(self._subscribe(action.characteristic))
            case Write():
                self._there()
                await _queued(self._found[action.characteristic.uuid].write_value(action.value))
            case Disconnect():
                await self._drop()
            case _:
                raise StackTrouble(f"a GATT client cannot {type(action).__name__}")
        return None

    def handle_of(self, name: Name) -> int:
        return _handle(self._found, name)

    def _there_peer(self) -> Peer:
        self._there()
        assert self._peer is not None
        return self._peer

    async def _connect(self, service: uuid.UUID) -> Event:
        seen: asyncio.Future[hci.Address] = asyncio.get_running_loop().create_future()
        wanted = _bumble(service)

        def look(advertisement: Any) -> None:
            services = advertisement.data.get(AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS) or []
            if wanted in services and not seen.done():
                seen.set_result(advertisement.address)

        self._device.on(self._device.EVENT_ADVERTISEMENT, look)
        try:
            await self._radio.orderly(self._device.start_scanning(filter_duplicates=False))
            address = await seen
        finally:
            self._device.remove_listener(self._device.EVENT_ADVERTISEMENT, look)
            await quietly(self._radio.orderly(self._device.stop_scanning()))
        connection = await connect(self._device, address)
        self._take(connection)
        self._peer = Peer(connection)
        return Connected(connection.att_mtu)

    async def _discover(self, service: uuid.UUID) -> Event:
        peer = self._there_peer()
        self._found = {}
        for found in await peer.discover_service(_bumble(service)):
            for each in await found.discover_characteristics():
                self._found[_plain(each.uuid)] = each
        return Discovered({
            key: frozenset(p for p in _ALL if p.value & int(each.properties)) for key, each in self._found.items()
        })

    async def _subscribe(self, row: Characteristic) -> Event:
        def notified(value: Any) -> None:
            self._tell(Notified(row.name, bytes(value)))

        await self._found[row.uuid].subscribe(partial(notified))
        return Subscribed(row.name)

    async def close(self) -> None:
        await self._drop()
        await self._send_away(hci.Role.CENTRAL)  # it was made as we changed our minds, and nobody has taken it


def _handle(rows: Mapping[uuid.UUID, Any], name: Name) -> int:
    uuids = {row.uuid for row in TABLE if row.name is name}
    return next((int(row.handle) for key, row in rows.items() if key in uuids), 0)


async def _queued(operation: Awaitable[None]) -> None:
    """What only puts a packet into bumble's queue: nothing to wait for."""
    try:
        await operation
    except TROUBLE as e:
        raise StackTrouble(f"{type(e).__name__}: {e}") from e


def _bumble(number: uuid.UUID) -> UUID:
    return UUID(str(number))


def _plain(number: UUID) -> uuid.UUID:
    return uuid.UUID(bytes=bytes(number)[::-1]) if len(bytes(number)) == 16 else uuid.UUID(int=0)


__all__ = ["ClientStack", "ServerStack"]
