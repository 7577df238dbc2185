"""BLE data retrieval upon bleak, which is a GATT client only: mdoc peripheral server mode, over the Bluetooth of this computer.

Bleak agrees the ATT_MTU by itself. Its ``mtu_size`` says 23 on Linux whatever was agreed; the longest write without response is
true.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError
from dbus_fast.errors import DBusError

from bench.stacks.ble_end import StackTrouble
from virtual_devices.mdoc.ble_chunks import ATT_HEADER_BYTES, MIN_MTU
from virtual_devices.mdoc.ble_events import (
    Action,
    Connected,
    Disconnect,
    Disconnected,
    Discover,
    Discovered,
    Event,
    MtuAgreed,
    Notified,
    RequestMtu,
    Scan,
    Subscribe,
    Subscribed,
    Write,
)
from virtual_devices.mdoc.ble_gatt import TABLE, Name, Property

CONNECT_LIMIT_S = 30.0
"""Bleak's own limit for a connection; the caller's, which is shorter, cancels it."""
DISCONNECT_LIMIT_S = 3.0
TROUBLE = (BleakError, DBusError, OSError, EOFError, TimeoutError, AssertionError)
"""What bleak raises: AssertionError where BlueZ has gone in the middle of a call."""
_PROPERTIES = {"read": Property.READ, "write-without-response": Property.WRITE_WITHOUT_RESPONSE, "notify": Property.NOTIFY}


class BleakStack:
    """The GATT client. ``fits(address, name)``: whether this device may be taken. ``adapter``: its name; else the default one."""

    def __init__(self, fits: Callable[[str, str], bool], adapter: str = "") -> None:
        self._fits = fits
        self._bluez: Any = {"adapter": adapter} if adapter else {}
        self._tell: Callable[[Event], None] = lambda _: None
        self._client: BleakClient | None = None  # while it is connected
        self._open: BleakClient | None = None  # while it has a connection to the bus, which outlives that to the phone
        self._rows: dict[uuid.UUID, BleakGATTCharacteristic] = {}  # bleak would look through all services at each write
        self._mtu = MIN_MTU

    def begin(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell

    async def do(self, action: Action) -> Event | None:
        try:
            return await self._do(action)
        except TROUBLE as e:
            raise StackTrouble(f"{type(e).__name__}: {e}") from e

    async def _do(self, action: Action) -> Event | None:
        match action:
            case Scan():
                await self._connect(action.service)
                return Connected(self._mtu)
            case RequestMtu():  # bleak has agreed it already
                return MtuAgreed(self._mtu)
            case Discover():
                return self._discovered(action.service)
            case Subscribe():
                name = action.characteristic.name
                # Unlike AcquireNotify, this keeps the order between two characteristics.
                await self._there().start_notify(str(action.characteristic.uuid), partial(self._notified, name))
                return Subscribed(name)
            case Write():
                client = self._there()
                await client.write_gatt_char(self._row(client, action.characteristic.uuid), action.value, response=False)
            case Disconnect():
                await self._drop()
            case _:
                raise StackTrouble(f"bleak cannot {type(action).__name__}")
        return None

    def _row(self, client: BleakClient, wanted: uuid.UUID) -> BleakGATTCharacteristic:
        row = self._rows.get(wanted)
        if row is None:
            row = client.services.get_characteristic(wanted)
            if row is None:
                raise StackTrouble(f"the phone has no characteristic {wanted}")
            self._rows[wanted] = row
        return row

    def _there(self) -> BleakClient:
        if self._client is None:
            raise StackTrouble("there is no connection")
        return self._client

    def _notified(self, name: Name, _: BleakGATTCharacteristic, value: bytearray) -> None:
        self._tell(Notified(name, bytes(value)))

    async def _connect(self, service: uuid.UUID) -> None:
        wanted = str(service)

        def is_it(device: BLEDevice, seen: AdvertisementData) -> bool:
            return wanted in seen.service_uuids and self._fits(device.address, device.name or "")

        device = None
        async with BleakScanner(service_uuids=[wanted], bluez=self._bluez) as scanner:
            async for device, seen in scanner.advertisement_data():
                if is_it(device, seen):
                    break
        if device is None:
            raise StackTrouble("scanning ended")
        client = BleakClient(device, disconnected_callback=self._gone, timeout=CONNECT_LIMIT_S, bluez=self._bluez)
        await client.connect()
        self._open = client
        if not client.is_connected:  # bleak says nothing else of a phone that goes while its services are asked for
            raise StackTrouble("the phone went as it was connected to")
        self._client = client
        self._rows = {}
        longest = max((c.max_write_without_response_size for s in client.services for c in s.characteristics), default=0)
        self._mtu = max(MIN_MTU, longest + ATT_HEADER_BYTES)

    def _gone(self, client: BleakClient) -> None:
        if client is self._client:
            self._client = None
            self._tell(Disconnected())

    def _discovered(self, service: uuid.UUID) -> Discovered:
        found = [s for s in self._there().services if s.uuid == str(service)]
        return Discovered({
            uuid.UUID(c.uuid): frozenset(_PROPERTIES[p] for p in c.properties if p in _PROPERTIES)
            for s in found for c in s.characteristics
        })

    def handle_of(self, name: Name) -> int:
        uuids = {str(row.uuid) for row in TABLE if row.name is name}
        found = self._client.services if self._client is not None else ()
        return next((c.handle for service in found for c in service.characteristics if c.uuid in uuids), 0)

    async def _drop(self) -> None:
        client = self._open
        if client is not None:
            with suppress(*TROUBLE):
                await asyncio.wait_for(client.disconnect(), DISCONNECT_LIMIT_S)
            self._open = None  # who is cancelled above leaves it to the next

    async def close(self) -> None:
        await self._drop()


__all__ = ["TROUBLE", "BleakStack"]
