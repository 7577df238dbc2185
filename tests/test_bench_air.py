"""Controllers on the emulated air: what a host may do to them without losing them."""

from __future__ import annotations

import asyncio

import pytest
from bumble import hci
from bumble.core import BaseBumbleError
from bumble.device import AdvertisingType

from bench.stacks import bumble_stack
from bench.stacks.air import Air
from bench.stacks.bumble_stack import Radio, connect

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
    monkeypatch.setattr(bumble_stack, "CONNECT_LIMIT_S", 0.1)

    async def both() -> None:
        air = Air()
        reader, phone = await Radio.upon(air.controller("reader")), await Radio.upon(air.controller("phone"))
        await end(reader)  # type: ignore[operator]
        monkeypatch.setattr(bumble_stack, "CONNECT_LIMIT_S", LIMIT_S)
        await phone.device.start_advertising(AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE)
        connection = await connect(reader.device, phone.device.random_address)
        assert connection.peer_address == phone.device.random_address
        await connection.disconnect()

    asyncio.run(asyncio.wait_for(both(), LIMIT_S))
