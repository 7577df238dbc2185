"""Controllers on the emulated air: what a host may do to them without losing them."""

from __future__ import annotations

import asyncio

import pytest
from bumble import hci
from bumble.controller import Controller
from bumble.core import BaseBumbleError
from bumble.device import AdvertisingType

from bench.stacks import bumble_radio
from bench.stacks.air import Air
from bench.stacks.bumble_radio import Radio, connect

LIMIT_S = 30.0
NOBODY = hci.Address("F0:F1:F2:F3:F4:F5")


async def give_up(radio: Radio) -> None:
    """A peer that has gone since it advertised: the limit ends it."""
    with pytest.raises((BaseBumbleError, TimeoutError)):
        await connect(radio.device, NOBODY)


async def think_better(radio: Radio) -> None:
    """The caller is cancelled meanwhile."""
    connecting = asyncio.create_task(connect(radio.device, NOBODY))
    await asyncio.sleep(0.05)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting


@pytest.mark.parametrize("end", [give_up, think_better])
def test_controller_connects_again_after_a_connection_that_came_to_nothing(end: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bumble_radio, "CONNECT_LIMIT_S", 0.1)

    async def both() -> None:
        air = Air()
        reader, phone = await Radio.upon(air.controller("reader")), await Radio.upon(air.controller("phone"))
        await end(reader)  # type: ignore[operator]
        monkeypatch.setattr(bumble_radio, "CONNECT_LIMIT_S", LIMIT_S)
        await phone.device.start_advertising(AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE)
        connection = await connect(reader.device, phone.device.random_address)
        assert connection.peer_address == phone.device.random_address
        await connection.disconnect()

    asyncio.run(asyncio.wait_for(both(), LIMIT_S))


def test_command_whose_caller_is_cancelled_has_its_answer_and_the_next_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer comes before the caller has gone, or after: bumble would find it done, or take it for the next one's."""
    async def asked(radio: Radio, controller: Controller, late: bool) -> None:
        carry, held = controller.on_packet, list[bytes]()
        monkeypatch.setattr(controller, "on_packet", held.append)
        asking = asyncio.create_task(radio.device.send_sync_command(hci.HCI_Read_BD_ADDR_Command()))
        while not held:
            await asyncio.sleep(0)
        asking.cancel()
        if late:
            with pytest.raises(asyncio.CancelledError):
                await asking
        monkeypatch.setattr(controller, "on_packet", carry)
        carry(held[0])
        found = await radio.device.send_sync_command(hci.HCI_LE_Read_Local_Supported_Features_Command())
        assert hasattr(found, "le_features")
        assert asking.done()

    async def both() -> None:
        troubles: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
        controller = Air().controller("reader")
        radio = await Radio.upon(controller)
        for late in (False, True):
            await asked(radio, controller, late)
        assert troubles == []

    asyncio.run(asyncio.wait_for(both(), LIMIT_S))
