"""Stacks that do besides what no right peer does: take a subscription back, serve less than they should, agree a short ATT_MTU.

They are those of :mod:`bench.stacks.bleak_stack` and :mod:`bench.stacks.bumble_stack` otherwise. Either is imported where it is
used: a computer may have one of the libraries only, and a worker must start fast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.stacks.ble_end import StackTrouble
from virtual_devices.mdoc.ble_events import IdentRead
from virtual_devices.mdoc.ble_gatt import Characteristic, Name, Property


def bleak_client(fits: Callable[[str, str], bool], adapter: str) -> Any:
    """The GATT client of this computer's Bluetooth service."""
    from bench.stacks.bleak_stack import TROUBLE, BleakStack

    class Client(BleakStack):
        async def unsubscribe(self, row: Characteristic) -> None:
            try:
                await self._there().stop_notify(str(row.uuid))
            except TROUBLE as e:
                raise StackTrouble(f"{type(e).__name__}: {e}") from e

    return Client(fits, adapter)


def bumble_client(radio: Any) -> Any:
    """The GATT client upon a controller of its own."""
    from bench.stacks.bumble_radio import tried
    from bench.stacks.bumble_stack import ClientStack

    class Client(ClientStack):
        async def unsubscribe(self, row: Characteristic) -> None:
            self._there()
            await tried(self._found[row.uuid].unsubscribe(force=True))

    return Client(radio)


def bumble_server(radio: Any) -> Any:
    """The GATT server upon a controller of its own. ``most_mtu``: the longest ATT_MTU that it agrees."""
    from bumble import gatt

    from bench.stacks.bumble_stack import ServerStack

    class Server(ServerStack):
        most_mtu = 0

        async def _advertise(self, action: Any) -> None:
            self._device.gatt_server.max_mtu = self.most_mtu or self._device.gatt_server.max_mtu
            await super()._advertise(action)

        def _serve(self, row: Characteristic, ident: bytes | None) -> gatt.Characteristic[bytes]:
            served = super()._serve(row, ident)
            if row.name is Name.IDENT and Property.READ in row.properties:
                served.value = gatt.CharacteristicValue(read=lambda _: self._read(ident or b""))  # that it is read is seen
            return served

        def _read(self, ident: bytes) -> bytes:
            self._tell(IdentRead(ident))
            return ident

        async def unsubscribe(self, row: Characteristic) -> None:
            raise StackTrouble(f"a server subscribes to nothing, not to {row.name.value} either")

    return Server(radio)


__all__ = ["bleak_client", "bumble_client", "bumble_server"]
