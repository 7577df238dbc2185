"""A Bluetooth connection that goes, or comes, as the other side leaves: nobody takes it for one that stands."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from bleak.backends.bluezdbus.manager import BlueZManager
from bumble.device import Connection

from bench.stacks.air import Air
from bench.stacks.ble_end import StackTrouble
from bench.stacks.bleak_stack import BleakStack
from bench.stacks.bluez import PrivateBluetooth
from bench.stacks.bumble_radio import Radio, connect
from bench.stacks.bumble_stack import ClientStack, ServerStack
from virtual_devices.mdoc import engagement
from virtual_devices.mdoc.ble_events import Advertise, Connected, Disconnected, Discover, Discovered, Event, Scan
from virtual_devices.mdoc.ble_gatt import Mode, characteristics, service_uuid
from virtual_devices.mdoc.ble_options import BleOptions
from virtual_devices.mdoc.session import ephemeral_key

from .ble_desk import FRESH, LIMIT_S, Presented, Toy
from .ble_medium import SERVICE

ROWS = characteristics(Mode.PERIPHERAL_SERVER)


@pytest.fixture
def bluetooth() -> Iterator[PrivateBluetooth]:
    with PrivateBluetooth() as made:
        yield made


@pytest.mark.needs("dbus")
def test_phone_that_goes_while_bleak_reads_its_services_is_told_and_met_again(
    bluetooth: PrivateBluetooth, monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in bluetooth.env.items():
        monkeypatch.setenv(name, value)
    service = service_uuid(FRESH)
    shown = engagement.make(ephemeral_key(FRESH(32))[1], [BleOptions(service).method()])
    found = BlueZManager._wait_for_services_discovery

    async def found_and_gone(self: BlueZManager, path: str) -> None:
        await found(self, path)
        bluetooth.cut()
        while self.is_connected(path):
            await asyncio.sleep(0.01)

    async def met() -> None:
        stack = BleakStack(lambda *_: True)
        with monkeypatch.context() as once:
            once.setattr(BlueZManager, "_wait_for_services_discovery", found_and_gone)
            with pytest.raises(StackTrouble, match="went as it was connected to"):
                await stack.do(Scan(service))
        await stack.close()
        assert isinstance(await stack.do(Scan(service)), Connected)
        discovered = await stack.do(Discover(service))
        assert isinstance(discovered, Discovered) and {row.uuid for row in ROWS} <= set(discovered.found)
        await stack.close()

    with Presented(Toy(), bluetooth.transport, lambda: shown):
        asyncio.run(asyncio.wait_for(met(), LIMIT_S))


async def served(air: Air) -> tuple[Radio, Radio, ServerStack]:
    """A reader's controller, a phone's, and what the phone serves on it."""
    reader, phone = await Radio.upon(air.controller("reader")), await Radio.upon(air.controller("phone"))
    server = ServerStack(phone)
    server.begin(lambda _: None)
    await server.do(Advertise(SERVICE, ROWS, None))
    return reader, phone, server


def test_phone_that_goes_before_bumble_s_caller_hears_of_the_connection_is_told() -> None:
    async def both() -> None:
        air = Air()
        reader, _, server = await served(air)
        told: list[Event] = []
        client = ClientStack(reader)
        client.begin(told.append)
        reader.device.on(reader.device.EVENT_CONNECTION, lambda _: air.cut_all())
        assert isinstance(await client.do(Scan(SERVICE)), Connected)
        await asyncio.sleep(0)
        assert told == [Disconnected()]
        await client.close()
        await server.close()

    asyncio.run(asyncio.wait_for(both(), LIMIT_S))


def test_reader_that_comes_as_the_phone_leaves_is_sent_away() -> None:
    async def both() -> None:
        reader, phone, server = await served(Air())
        stop, gone = phone.device.stop_advertising, asyncio.Event()
        came: list[Connection] = []

        async def a_moment_later() -> None:
            came.append(await connect(reader.device, phone.device.random_address))
            came[0].on(Connection.EVENT_DISCONNECTION, lambda _: gone.set())
            await stop()

        phone.device.stop_advertising = a_moment_later  # type: ignore[method-assign]
        await server.close()
        await gone.wait()
        assert came and not phone.device.connections

    asyncio.run(asyncio.wait_for(both(), LIMIT_S))


def test_connection_that_is_made_as_its_caller_changes_his_mind_is_ended() -> None:
    async def both() -> None:
        reader, _, server = await served(Air())
        client = ClientStack(reader)
        client.begin(lambda _: None)
        scanning = asyncio.create_task(client.do(Scan(SERVICE)))
        reader.device.on(reader.device.EVENT_CONNECTION, lambda _: scanning.cancel())
        with pytest.raises(asyncio.CancelledError):
            await scanning
        assert reader.device.connections
        await client.close()
        assert not reader.device.connections
        await server.close()

    asyncio.run(asyncio.wait_for(both(), LIMIT_S))
