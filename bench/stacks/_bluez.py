"""The process of an emulated ``org.bluez`` with the air around it; its parent is :class:`bench.stacks.bluez.PrivateBluetooth`.

As much of BlueZ's D-Bus interface as a GATT client uses: one adapter, discovery, devices, services, characteristics, by the names
and with the errors of BlueZ's documentation (public). Below it a bumble host on one controller of an
:class:`~bench.stacks.air.Air`.
What differs from a real one: no pairing, no descriptors, no GATT server, one adapter, nothing cached over a disconnection.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from bumble import hci
from bumble.controller import Controller
from bumble.core import AdvertisingData
from bumble.device import Connection, Device, DeviceConfiguration, Peer
from bumble.gatt_client import CharacteristicProxy
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from bench.stacks.air import Air, Weather
from bench.stacks.ble_end import StackTrouble
from bench.stacks.bumble_radio import TROUBLE, connect, device_upon, quietly, stands, tried

BLUEZ = "org.bluez"
ADAPTER, DEVICE, SERVICE = f"{BLUEZ}.Adapter1", f"{BLUEZ}.Device1", f"{BLUEZ}.GattService1"
CHARACTERISTIC = f"{BLUEZ}.GattCharacteristic1"
HCI0 = "/org/bluez/hci0"
WANTED_MTU = 517
"""BlueZ asks for it by itself when it has connected."""
UNLIKELY = "Operation failed with ATT error: 0x0e (Unlikely Error)"
"""What a client is told whose operation was under way when the connection broke."""
ADDRESS = "02:00:00:00:00:01"
_FLAGS = {0x02: "read", 0x04: "write-without-response", 0x08: "write", 0x10: "notify", 0x20: "indicate"}
Properties = dict[str, Variant]


class Refused(Exception):
    """A D-Bus error: its name after ``org.bluez.Error.``, and its text."""

    def __init__(self, name: str, text: str = "") -> None:
        super().__init__(text or name)
        self.name = f"{BLUEZ}.Error.{name}"


@dataclass
class Known:
    """A device that was seen, and the connection to it while one stands."""

    address: hci.Address
    connection: Connection | None = None
    characteristics: dict[str, CharacteristicProxy[bytes]] = field(default_factory=dict)
    listeners: dict[str, str] = field(default_factory=dict)  # path of a characteristic -> the bus name that is notified


class Bluez:
    """The service. ``objects`` is the tree as GetManagedObjects tells it."""

    def __init__(self, bus: MessageBus, device: Device) -> None:
        self._bus = bus
        self._device = device
        self._scanning: dict[str, set[str]] = {}  # bus name -> UUIDs that it looks for, empty: all
        self._filters: dict[str, set[str]] = {}
        self._known: dict[str, Known] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.objects: dict[str, dict[str, Properties]] = {}

    async def start(self) -> None:
        self._bus.add_message_handler(self._asked)
        await self._bus.call(Message(
            destination="org.freedesktop.DBus", path="/org/freedesktop/DBus", interface="org.freedesktop.DBus", member="AddMatch",
            signature="s", body=["type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged'"],
        ))
        self._device.on(self._device.EVENT_ADVERTISEMENT, self._seen)
        self.add_adapter()
        await self._bus.request_name(BLUEZ)

    def add_adapter(self) -> None:
        self._add(HCI0, ADAPTER, {
            "Address": Variant("s", ADDRESS), "Name": Variant("s", "air"), "Alias": Variant("s", "air"),
            "Class": Variant("u", 0), "Powered": Variant("b", True), "Discoverable": Variant("b", False),
            "Pairable": Variant("b", False), "Discovering": Variant("b", False), "UUIDs": Variant("as", []),
            "Roles": Variant("as", ["central"]),
        })

    def remove_adapter(self) -> None:
        """Unplugged."""
        for path in list(self._known):
            self._forget(path)
        if HCI0 in self.objects:
            self._remove(HCI0)

    def power(self, on: bool) -> None:
        if HCI0 in self.objects:
            self._change(HCI0, ADAPTER, {"Powered": Variant("b", on)})

    # -- messages

    def _asked(self, message: Message) -> bool | None:
        if message.message_type is MessageType.SIGNAL and message.member == "NameOwnerChanged":
            name, _, owner = message.body
            if not owner:
                self._task(self._client_gone(name))
            return None
        if message.message_type is not MessageType.METHOD_CALL or message.destination not in (BLUEZ, self._bus.unique_name):
            return None
        self._task(self._answer(message))
        return True

    def _task(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Message) -> None:
        try:
            signature, body = await self._do(message)
            reply = Message.new_method_return(message, signature, body)
        except Refused as e:
            reply = Message.new_error(message, e.name, str(e))
        except KeyError:
            reply = Message.new_error(message, "org.freedesktop.DBus.Error.UnknownObject", f"no object {message.path}")
        except (StackTrouble, asyncio.CancelledError, *TROUBLE):
            reply = Message.new_error(message, f"{BLUEZ}.Error.Failed", UNLIKELY)
        await self._bus.send(reply)

    async def _do(self, message: Message) -> tuple[str, list[Any]]:
        path, sender = message.path or "", message.sender or ""
        match message.interface, message.member:
            case "org.freedesktop.DBus.ObjectManager", "GetManagedObjects":
                return "a{oa{sa{sv}}}", [self.objects]
            case "org.freedesktop.DBus.Properties", "Get":
                return "v", [self.objects[path][message.body[0]][message.body[1]]]
            case "org.freedesktop.DBus.Properties", "GetAll":
                return "a{sv}", [self.objects[path][message.body[0]]]
            case _, "SetDiscoveryFilter":
                self._ready(path)
                found = message.body[0].get("UUIDs")
                self._filters[sender] = set(found.value) if found else set()
            case _, "StartDiscovery":
                self._ready(path)
                await self._discover(sender)
            case _, "StopDiscovery":
                await self._rest(sender)
            case _, "Connect":
                await self._connect(path)
            case _, "Disconnect":
                await self._disconnect(self._known[path])
            case _, "ReadValue":
                return "ay", [await self._read(path)]
            case _, "WriteValue":
                await self._write(path, bytes(message.body[0]), message.body[1])
            case _, "StartNotify":
                await self._notify(path, sender)
            case _, "StopNotify":
                await self._be_silent(path, sender)
            case _:
                raise Refused("NotSupported", f"{message.member} is not emulated")
        return "", []

    def _ready(self, path: str) -> None:
        if not self.objects[path][ADAPTER]["Powered"].value:
            raise Refused("NotReady", "Resource Not Ready")

    # -- objects

    def _signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        self._bus.send(Message.new_signal(path, interface, member, signature, body))

    def _add(self, path: str, interface: str, properties: Properties) -> None:
        self.objects[path] = {interface: properties}
        self._signal("/", "org.freedesktop.DBus.ObjectManager", "InterfacesAdded", "oa{sa{sv}}", [path, self.objects[path]])

    def _remove(self, path: str) -> None:
        interfaces = list(self.objects.pop(path))
        self._signal("/", "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved", "oas", [path, interfaces])

    def _change(self, path: str, interface: str, properties: Properties) -> None:
        self.objects[path][interface].update(properties)
        self._signal(path, "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as", [interface, properties, []])

    # -- discovery

    async def _discover(self, sender: str) -> None:
        if sender in self._scanning:
            raise Refused("InProgress", "Operation already in progress")
        self._scanning[sender] = self._filters.get(sender, set())
        if len(self._scanning) == 1:
            await self._device.start_scanning(filter_duplicates=False)

    async def _rest(self, sender: str) -> None:
        if self._scanning.pop(sender, None) is None:
            raise Refused("Failed", "No discovery started")
        if not self._scanning:
            await self._device.stop_scanning()

    def _seen(self, advertisement: Any) -> None:
        if not self._scanning or HCI0 not in self.objects:
            return
        listed = advertisement.data.get(AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS) or []
        services = {str(uuid).lower() for uuid in listed}
        if not any(not wanted or wanted & services for wanted in self._scanning.values()):
            return
        address = advertisement.address
        path = f"{HCI0}/dev_{address.to_string(False).replace(':', '_')}"
        rssi = Variant("n", advertisement.rssi)
        if path not in self.objects:
            self._known[path] = Known(address)
            text = address.to_string(False)
            kind = "public" if address.is_public else "random"
            self._add(path, DEVICE, {
                "Address": Variant("s", text), "AddressType": Variant("s", kind), "Alias": Variant("s", text.replace(":", "-")),
                "Adapter": Variant("o", HCI0), "UUIDs": Variant("as", sorted(services)), "RSSI": rssi,
                **{name: Variant("b", False) for name in ("Paired", "Bonded", "Trusted", "Blocked", "LegacyPairing", "Connected",
                                                         "ServicesResolved")},
            })
            return
        before = set(self.objects[path][DEVICE]["UUIDs"].value)  # what was advertised once stays, as with BlueZ
        more: Properties = {} if services <= before else {"UUIDs": Variant("as", sorted(before | services))}
        self._change(path, DEVICE, {"RSSI": rssi, **more})

    def _forget(self, path: str) -> None:
        for below in [p for p in self.objects if p.startswith(f"{path}/")]:
            self._remove(below)
        if path in self.objects:
            self._change(path, DEVICE, {"Connected": Variant("b", False), "ServicesResolved": Variant("b", False)})
            self._remove(path)
        self._known.pop(path, None)

    # -- connections

    async def _connect(self, path: str) -> None:
        known = self._known[path]
        if known.connection is not None:
            raise Refused("AlreadyConnected", "Already Connected")
        scanning = self._device.is_scanning
        if scanning:  # most controllers cannot do both
            await self._device.stop_scanning()
        try:
            connection = await tried(connect(self._device, known.address))
        except StackTrouble as e:
            raise Refused("Failed", "le-connection-abort-by-local") from e
        finally:
            if scanning and self._scanning:
                await self._device.start_scanning(filter_duplicates=False)
        known.connection = connection
        connection.on(connection.EVENT_DISCONNECTION, lambda *_: self._lost(path, known))
        self._change(path, DEVICE, {"Connected": Variant("b", True)})
        if not stands(self._device, connection):
            self._lost(path, known)
            raise Refused("Failed", "le-connection-abort-by-local")
        self._task(self._resolve(path, known, connection))

    async def _resolve(self, path: str, known: Known, connection: Connection) -> None:
        """Services, as BlueZ finds them by itself."""
        with suppress(asyncio.CancelledError, *TROUBLE):
            peer = Peer(connection)
            mtu = await peer.request_mtu(WANTED_MTU)
            for service in await peer.discover_services():
                at = f"{path}/service{service.handle:04x}"
                self._add(at, SERVICE, {
                    "UUID": Variant("s", _text(service.uuid)), "Primary": Variant("b", True), "Device": Variant("o", path),
                    "Includes": Variant("ao", []),
                })
                for each in await service.discover_characteristics():
                    place = f"{at}/char{each.handle:04x}"
                    known.characteristics[place] = each
                    flags = [name for bit, name in _FLAGS.items() if int(each.properties) & bit]
                    self._add(place, CHARACTERISTIC, {
                        "UUID": Variant("s", _text(each.uuid)), "Service": Variant("o", at), "Value": Variant("ay", b""),
                        "Notifying": Variant("b", False), "Flags": Variant("as", flags), "MTU": Variant("q", mtu),
                    })
            if known.connection is connection:
                self._change(path, DEVICE, {"ServicesResolved": Variant("b", True)})

    async def _disconnect(self, known: Known) -> None:
        connection = known.connection
        if connection is None:
            raise Refused("NotConnected", "Not Connected")
        await quietly(connection.drain())
        await quietly(connection.disconnect())

    def _lost(self, path: str, known: Known) -> None:
        known.connection = None
        known.characteristics, known.listeners = {}, {}
        if path in self.objects:
            self._change(path, DEVICE, {"ServicesResolved": Variant("b", False), "Connected": Variant("b", False)})
            for below in [p for p in self.objects if p.startswith(f"{path}/")]:
                self._remove(below)

    # -- characteristics

    def _found(self, path: str) -> tuple[Known, CharacteristicProxy[bytes]]:
        known = self._known[path.rsplit("/", 2)[0]]
        if known.connection is None or path not in known.characteristics:
            raise Refused("Failed", UNLIKELY)
        return known, known.characteristics[path]

    async def _read(self, path: str) -> bytes:
        return bytes(await self._found(path)[1].read_value())

    async def _write(self, path: str, value: bytes, options: Properties) -> None:
        kind = options.get("type")
        await self._found(path)[1].write_value(value, with_response=kind is None or kind.value == "request")

    async def _notify(self, path: str, sender: str) -> None:
        known, each = self._found(path)
        if path in known.listeners:
            raise Refused("InProgress", "Operation already in progress")
        known.listeners[path] = sender

        def changed(value: Any) -> None:
            if path in self.objects:
                self._change(path, CHARACTERISTIC, {"Value": Variant("ay", bytes(value))})

        await each.subscribe(changed)
        if path in self.objects:
            self._change(path, CHARACTERISTIC, {"Notifying": Variant("b", True)})

    async def _be_silent(self, path: str, sender: str) -> None:
        """A client's own: another may have begun on the same path meanwhile, in the next connection."""
        known, each = self._found(path)
        if known.listeners.get(path) != sender:
            raise Refused("Failed", "No notify session started")
        del known.listeners[path]
        await each.unsubscribe(force=True)
        if path in self.objects:
            self._change(path, CHARACTERISTIC, {"Notifying": Variant("b", False)})

    async def _client_gone(self, name: str) -> None:
        """A program that left takes its scans and its notifications with it; connections stay, as with BlueZ."""
        self._filters.pop(name, None)
        with suppress(Refused, asyncio.CancelledError, *TROUBLE):
            await self._rest(name)
        for known in list(self._known.values()):
            for path in [p for p, listener in known.listeners.items() if listener == name]:
                with suppress(Refused, KeyError, asyncio.CancelledError, *TROUBLE):
                    await self._be_silent(path, name)


def _text(number: Any) -> str:
    """A UUID as BlueZ writes it: whole, in lower case."""
    if len(number.to_bytes()) == 16:
        return str(number.to_hex_str("-").lower())
    return f"0000{number.to_hex_str().lower()}-0000-1000-8000-00805f9b34fb"


async def main(socket: str, seed: str, weather: str) -> None:
    air = Air(Weather(**json.loads(weather)), seed)
    server = await air.serve(socket)
    controller = air.controller("hci0")
    config = DeviceConfiguration(name="air", address=hci.Address.generate_static_address())
    device = device_upon(config, controller, controller)
    controller.host = device.host
    await device.power_on()
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    bluez = Bluez(bus, device)
    await bluez.start()
    orders = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    _say({"ready": True, "at_ns": time.time_ns()})
    lost = asyncio.create_task(bus.wait_for_disconnect())  # type: ignore[no-untyped-call]
    while True:
        reading = asyncio.create_task(orders.readline())
        await asyncio.wait((reading, lost), return_when=asyncio.FIRST_COMPLETED)
        line = reading.result() if reading.done() else b""
        if not line:
            break
        _order(json.loads(line), air, bluez, controller)
        _say({"done": True})
    server.close()


def _order(order: dict[str, Any], air: Air, bluez: Bluez, controller: Controller) -> None:
    match order["do"]:
        case "weather":
            air.weather = Weather(**order["weather"])
        case "cut":
            air.cut_all()
        case "plug":
            bluez.add_adapter()
        case "unplug":
            air.cut_all(controller)
            bluez.remove_adapter()
        case "power":
            if not order["on"]:
                air.cut_all(controller)
            bluez.power(order["on"])


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
