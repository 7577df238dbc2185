"""A Bluetooth controller under bumble's host, and what is done at it in order and within limits.

A :class:`Radio` is one controller: a USB dongle (``usb:0``), a serial one (``serial:/dev/ttyACM0,1000000``), one at the other end
of a socket (``tcp-client:HOST:PORT``, ``unix:PATH``), Linux's own (``hci-socket:0``). Bumble brings the host's side, so no
Bluetooth service of the machine is needed, and none may hold the controller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from bumble import hci
from bumble.core import BaseBumbleError
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt_server import Server
from bumble.host import Host
from bumble.transport import open_transport
from bumble.transport.common import BaseSource, Transport

from bench.stacks.ble_end import StackTrouble
from virtual_devices.errors import LinkError
from virtual_devices.mdoc.ble_chunks import WANTED_MTU

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


__all__ = ["TROUBLE", "Radio", "connect", "device_upon", "quietly", "remedy", "stands", "tried"]
