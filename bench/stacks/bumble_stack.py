"""BLE data retrieval upon bumble: as GATT server and as GATT client, over any transport that bumble knows.

A :class:`Radio` is one Bluetooth controller: a USB dongle (``usb:0``), a serial one (``serial:/dev/ttyACM0,1000000``), one at the
other end of a socket (``tcp-client:HOST:PORT``, ``unix:PATH``), Linux's own (``hci-socket:0``). Bumble brings the host's side, so
no Bluetooth service of the machine is needed, and none may hold the controller.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from bumble import att, gatt, hci
from bumble.core import UUID, AdvertisingData, BaseBumbleError
from bumble.device import AdvertisingType, Connection, Device, DeviceConfiguration, Peer
from bumble.gatt_client import CharacteristicProxy
from bumble.gatt_server import Server
from bumble.host import Host
from bumble.transport import open_transport
from bumble.transport.common import BaseSource, Transport

from bench.stacks.ble_end import StackTrouble
from virtual_devices.errors import LinkError
from virtual_devices.mdoc.ble_chunks import WANTED_MTU
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

OPEN_LIMIT_S = 10.0
"""A controller that has not answered to its reset within this is none, or another program holds it."""
OPERATION_LIMIT_S = 10.0
"""One operation of GATT, for which bumble's own limit is 30 s, or the answer to one command, for which it has none."""
CONNECT_LIMIT_S = 5.0
"""A peer that has just advertised answers at once, or has gone."""
QUIET_LIMIT_S = 2.0
"""What is done on leaving may take so long."""
ADVERTISING_MS = 20.0
"""Between two advertisements, the shortest that a peripheral may choose (Core volume 6 part B 4.4.2.2)."""
MAX_ADVERTISEMENT_BYTES = 31
_ALL = tuple(Property)
T = TypeVar("T")
TROUBLE = (BaseBumbleError, TimeoutError, OSError, ValueError)


class _Host(Host):
    """Each command has its answer, whoever still waits for it: one that comes for a caller who was cancelled would be the next
    command's, or find a future that is done (InvalidStateError)."""

    async def _send_command(self, command: Any, response_timeout: float | None = None) -> Any:
        sending = asyncio.ensure_future(super()._send_command(command, response_timeout or OPERATION_LIMIT_S))
        sending.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(sending)


def device_upon(config: DeviceConfiguration, source: Any, sink: Any) -> Device:
    """A host upon a controller."""
    return Device(config=config, host=_Host(source, sink))


class Radio:
    """One controller, powered. Use :meth:`open`, and :meth:`close` in the end."""

    def __init__(self, transport: Any, device: Device) -> None:
        self._transport = transport
        self.device = device
        self._begun: asyncio.Task[Any] | None = None

    @classmethod
    async def open(cls, name: str, local_name: str = "") -> Radio:
        """Raises LinkError with what to do."""
        transport = None
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                transport = await open_transport(name)
                device = device_upon(_config(local_name or "mdoc"), transport.source, transport.sink)
                await device.power_on()
        except Exception as error:  # what transports raise is as various as they are
            if transport is not None:
                await transport.close()
            what = "it does not answer" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
            raise LinkError(f"the controller {name!r} cannot be used: {what}. {remedy(name)}") from error
        radio = cls(transport, device)
        radio.clear()
        return radio

    @classmethod
    async def upon(cls, controller: Any) -> Radio:
        """A host upon a controller in this very process (``bench.stacks.air``)."""
        device = device_upon(_config("mdoc"), controller, controller)
        controller.host = device.host
        await device.power_on()
        radio = cls(Transport(BaseSource(), controller), device)
        radio.clear()
        return radio

    def clear(self) -> None:
        """Serve nothing any more: each engagement has a service of its own."""
        self.device.gatt_server = Server(self.device)
        self.device.gatt_server.max_mtu = WANTED_MTU

    @property
    def lost(self) -> asyncio.Future[None]:
        """Done when the controller has gone."""
        gone: asyncio.Future[None] = self._transport.source.terminated
        return gone

    async def orderly(self, operation: Coroutine[Any, Any, T]) -> T:
        """What takes several commands is done to its end, whoever still waits for it, and before the next of its kind."""
        task = self._begun = asyncio.ensure_future(_after(self._begun, operation, self.lost))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    async def close(self) -> None:
        if self._begun is not None and not self.lost.done():
            await asyncio.wait((self._begun,), timeout=1.0)
        await quietly(self.device.power_off(), 1.0)
        await self._transport.close()


async def _after(before: asyncio.Task[Any] | None, operation: Coroutine[Any, Any, T], lost: asyncio.Future[None]) -> T:
    """Raises OSError when the controller has gone meanwhile: bumble would wait for its answer for ever."""
    doing: asyncio.Task[T] | None = None
    try:
        if before is not None:
            await asyncio.wait((before,))
        if not lost.done():
            doing = asyncio.ensure_future(asyncio.wait_for(operation, OPERATION_LIMIT_S))
            doing.add_done_callback(lambda done: done.cancelled() or done.exception())
            await asyncio.wait((doing, lost), return_when=asyncio.FIRST_COMPLETED)
        if doing is None or not doing.done():
            raise OSError("the controller has gone")
        return doing.result()
    finally:
        if doing is None:
            operation.close()
        else:
            doing.cancel()


def _config(name: str) -> DeviceConfiguration:
    """An address of the moment, advertisements as often as may be."""
    return DeviceConfiguration(
        name=name, address=hci.Address.generate_static_address(), le_privacy_enabled=False,
        advertising_interval_min=ADVERTISING_MS, advertising_interval_max=ADVERTISING_MS,
    )


def remedy(name: str) -> str:
    """What to look at when a transport of this kind does not open."""
    match name.partition(":")[0]:
        case "usb" | "pyusb":
            return "Is the dongle plugged in and yours to open (udev), and no Bluetooth service on it (hciconfig hciN down)?"
        case "serial":
            return "Is the port right, with its speed (serial:/dev/ttyACM0,1000000), and yours to open (group dialout)?"
        case "hci-socket" | "vhci":
            return "It needs CAP_NET_ADMIN, and the adapter down (hciconfig hciN down)."
        case "tcp-client" | "unix" | "unix-client" | "ws-client":
            return "Does the program that serves this controller run?"
        case _:
            return "Bumble knows usb, serial, tcp-client, unix, hci-socket and others."


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
        for left in [each for each in self._device.connections.values() if each.role is hci.Role.PERIPHERAL]:
            await quietly(left.disconnect())  # it came as the phone left, and would meet a server without a service
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


def _handle(rows: Mapping[uuid.UUID, Any], name: Name) -> int:
    uuids = {row.uuid for row in TABLE if row.name is name}
    return next((int(row.handle) for key, row in rows.items() if key in uuids), 0)


def stands(device: Device, connection: Connection) -> bool:
    """Whether the connection is there still: the task that made it may hear of it after it has gone."""
    return device.connections.get(connection.handle) is connection


async def connect(device: Device, address: hci.Address) -> Connection:
    """To who advertised from there. Whether he has gone or we have changed our minds, the controller is told to let be: one that
    still tries connects to nobody else."""
    try:
        return await device.connect(address, timeout=CONNECT_LIMIT_S)
    except asyncio.CancelledError:
        await quietly(device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command()))
        raise


async def _queued(operation: Awaitable[None]) -> None:
    """What only puts a packet into bumble's queue: nothing to wait for."""
    try:
        await operation
    except TROUBLE as e:
        raise StackTrouble(f"{type(e).__name__}: {e}") from e


async def quietly(operation: Coroutine[Any, Any, Any], limit_s: float = QUIET_LIMIT_S) -> None:
    """For what is done on leaving: that it fails changes nothing any more."""
    with suppress(StackTrouble):
        await tried(operation, limit_s)


async def tried(operation: Coroutine[Any, Any, T], limit_s: float | None = OPERATION_LIMIT_S) -> T:
    """Bumble cancels what waits for a peer that has gone: that is trouble too, unless it is we who are cancelled."""
    try:
        return await asyncio.wait_for(operation, limit_s)
    except asyncio.CancelledError as e:
        me = asyncio.current_task()
        if me is not None and me.cancelling():
            raise
        raise StackTrouble("the connection went away") from e
    except TROUBLE as e:
        raise StackTrouble(f"{type(e).__name__}: {e}") from e


def _bumble(number: uuid.UUID) -> UUID:
    return UUID(str(number))


def _plain(number: UUID) -> uuid.UUID:
    return uuid.UUID(bytes=bytes(number)[::-1]) if len(bytes(number)) == 16 else uuid.UUID(int=0)


__all__ = ["TROUBLE", "ClientStack", "Radio", "ServerStack", "connect", "device_upon", "quietly", "remedy", "stands",
           "tried"]
