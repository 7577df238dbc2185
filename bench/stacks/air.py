"""The air between Bluetooth controllers of this computer: bumble's ``LocalLink``, with time and trouble of a real one.

Bumble's own carries everything at once and loses nothing. Here packets of the link layer take connection events
(:class:`Weather`), are repeated when they were lost, and a connection on which nothing gets through any more is given up, as
controllers do. Everything is drawn from one seed.

Controllers are reached by a socket (:meth:`Air.serve`): a program with a Bluetooth host of its own (our presented phone, our
reader in mdoc central client mode) connects to it as to a dongle, transport ``unix:PATH``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from bumble import hci
from bumble.controller import Connection, Controller
from bumble.core import PhysicalTransport
from bumble.link import LocalLink
from bumble.transport.common import StreamPacketSink, StreamPacketSource

from virtual_devices.checks import bounded, check
from virtual_devices.mdoc.ble_chunks import LINK_PAYLOAD_BYTES

SUPERVISION_S = 2.0
"""Nothing got through for so long: the connection is given up (a usual supervision time-out)."""
_TIMED_OUT = hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR


@dataclass(frozen=True, slots=True)
class Weather:
    """How good the air is. The default is bumble's own: no time, no loss."""

    interval_ms: float = bounded(0.0, ge=0)
    """Connection interval; 0: packets take no time."""
    packets_per_interval: int = bounded(4, ge=1)
    """Packets that one side sends in one interval."""
    lost: float = bounded(0.0, ge=0, le=1)
    """Share of packets that have to be repeated, one interval later."""
    unheard: float = bounded(0.0, ge=0, le=1)
    """Share of advertisements that nobody hears."""
    cut: float = bounded(0.0, ge=0, le=1)
    """Share of messages of the link in which the connection breaks off: somebody walks away."""

    def __post_init__(self) -> None:
        check(self)


STILL = Weather()


class Air(LocalLink):
    """Carries what controllers send. Used in one event loop."""

    def __init__(self, weather: Weather = STILL, seed: object = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.weather = weather
        self._rng = Random(f"air/{seed}")
        self._free_s: dict[tuple[Controller, str], float] = {}  # until when a direction of a connection is in use

    # -- what bumble asks of a link

    def send_advertising_pdu(self, sender_controller: Controller, packet: Any) -> None:
        if self.weather.unheard and not _connects(packet) and self._rng.random() < self.weather.unheard:
            return
        super().send_advertising_pdu(sender_controller, packet)

    def send_acl_data(
        self, sender_controller: Controller, destination_address: hci.Address, transport: PhysicalTransport, data: bytes,
    ) -> None:
        weather = self.weather
        if weather.cut and self._rng.random() < weather.cut:
            self.cut(sender_controller, destination_address)
            return
        if not weather.interval_ms:
            super().send_acl_data(sender_controller, destination_address, transport, data)
            return
        events = self._events(len(data))
        interval_s = weather.interval_ms / 1000
        if events is None:
            self._later(interval_s * 2 + SUPERVISION_S, lambda: self.cut(sender_controller, destination_address))
            return
        loop = asyncio.get_running_loop()
        key = (sender_controller, str(destination_address))
        # Until the next event begins; one that is in use is shared only by what was queued before.
        start_s = max(self._free_s.get(key, 0.0), loop.time() + self._rng.random() * interval_s)
        at_s = self._free_s[key] = start_s + events * interval_s
        plain = super().send_acl_data
        loop.call_at(at_s, lambda: plain(sender_controller, destination_address, transport, data))

    def _events(self, size_bytes: int) -> float | None:
        """Connection events that so many bytes take; None when the supervision time runs out."""
        weather = self.weather
        packets = -(-size_bytes // LINK_PAYLOAD_BYTES)
        repeated = 0
        given_up = max(1, round(SUPERVISION_S * 1000 / weather.interval_ms))
        for _ in range(packets):
            row = 0
            while self._rng.random() < weather.lost:
                row += 1
                if row >= given_up:
                    return None
            repeated += row
        return packets / weather.packets_per_interval + repeated

    @staticmethod
    def _later(delay_s: float, what: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(delay_s, what)

    # -- connections that go away

    def cut(self, controller: Controller, peer: hci.Address) -> None:
        """The connection is no longer there; both ends notice."""
        connection = controller.le_connections.get(peer)
        if connection is not None:
            self._end(connection)

    def cut_all(self, of: Controller | None = None) -> None:
        """Every connection is no longer there, or every one of that controller; the other ends notice."""
        for controller in list(self.controllers) if of is None else (of,):
            for connection in list(controller.le_connections.values()):
                self._end(connection)

    def _end(self, connection: Connection) -> None:
        for other in self.controllers:
            back = other.le_connections.get(connection.self_address)
            if back is not None and other is not connection.controller:
                other.on_le_disconnected(back, _TIMED_OUT)
        connection.controller.on_le_disconnected(connection, _TIMED_OUT)

    def leave(self, controller: Controller) -> None:
        """A controller was unplugged, or its host died."""
        if controller in self.controllers:
            self.cut_all(controller)
            controller.le_legacy_advertiser.stop()
            for each in controller.advertising_sets.values():
                each.stop()
            controller.host = None
            self.remove_controller(controller)
            self._free_s = {key: until_s for key, until_s in self._free_s.items() if key[0] is not controller}

    # -- controllers

    def controller(self, name: str, source: Any = None, sink: Any = None) -> Controller:
        """A controller on this air, with packets as long as today's have."""
        made = _Controller(name, source, sink, self)
        made.le_acl_data_packet_length = made.acl_data_packet_length = LINK_PAYLOAD_BYTES
        made.supported_max_tx_octets = made.supported_max_rx_octets = LINK_PAYLOAD_BYTES
        return made

    async def serve(self, path: str) -> asyncio.Server:
        """Each connection to this socket is a dongle that was plugged in."""
        return await asyncio.get_running_loop().create_unix_server(lambda: _Plug(self), path)


class _Controller(Controller):
    """Bumble's own answers a cancel of a connection that is being made and goes on with it: then it makes no other ever again."""

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Core volume 4 part E 7.8.12: the connection is told as failed, after the answer."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        failed = hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, connection_handle=0, role=hci.Role.CENTRAL,
            peer_address_type=pending.peer_address.address_type, peer_address=pending.peer_address,
            connection_interval=0, peripheral_latency=0, supervision_timeout=0, central_clock_accuracy=0,
        )
        asyncio.get_running_loop().call_soon(self.send_hci_packet, failed)
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)


class _Plug(StreamPacketSource):
    def __init__(self, air: Air) -> None:
        super().__init__()
        self._air = air
        self._controller: Controller | None = None

    def connection_made(self, transport: Any) -> None:
        self._controller = self._air.controller("plugged in", self, StreamPacketSink(transport))

    def connection_lost(self, error: Exception | None) -> None:
        self.on_transport_lost()
        if self._controller is not None:
            self._air.leave(self._controller)


def _connects(packet: Any) -> bool:
    """Bumble asks for a connection by the same way as it advertises."""
    return type(packet).__name__ == "ConnectInd"


__all__ = ["STILL", "Air", "Weather"]
