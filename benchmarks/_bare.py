"""The libraries alone, as a program that nobody wrote a bench for uses them: what the drivers are measured against."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Protocol

from virtual_devices.errors import LinkError
from virtual_devices.link import Attempt, Outcome, Provenance
from virtual_devices.mdoc import engagement
from virtual_devices.mdoc.ble_chunks import LAST, MORE
from virtual_devices.mdoc.ble_gatt import STATE_END, STATE_START, TABLE, Mode
from virtual_devices.mdoc.ble_options import parse
from virtual_devices.mdoc.session import TERMINATION

LIMIT_S = 10.0


class Bare(Protocol):
    """One library. ``reach``: the card in the field (``address`` is empty), or the phone whose engagement it is."""

    channel: str

    def reach(self, address: bytes) -> bytes: ...

    def send(self, message: bytes) -> bytes: ...

    def close(self) -> None: ...


class BareLink:
    """It, as a flow's link. The empty message is a new tap."""

    device, provenance = "bare", Provenance.MEASURED

    def __init__(self, bare: Bare) -> None:
        self._bare, self.channel = bare, bare.channel

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        return Attempt(Outcome.REPLIED, 0, self._bare.send(message) if message else self._bare.reach(b""))

    def connect_to(self, address: bytes, timeout_s: float) -> Attempt:
        return Attempt(Outcome.REPLIED, 0, self._bare.reach(address))


class Pyscard:
    channel = "contact"

    def __init__(self, reader: str) -> None:
        from smartcard import scard

        self._scard = scard
        _, self._context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        self._reader = reader
        self._card: Any = None

    def reach(self, address: bytes) -> bytes:
        scard = self._scard
        self.close()
        code, self._card, _ = scard.SCardConnect(self._context, self._reader, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T1)
        if code:
            raise LinkError(f"pyscard cannot connect: {scard.SCardGetErrorMessage(code)}")
        return bytes(scard.SCardStatus(self._card)[4])

    def send(self, message: bytes) -> bytes:
        return bytes(self._scard.SCardTransmit(self._card, self._scard.SCARD_PCI_T1, list(message))[1])

    def close(self) -> None:
        if self._card is not None:
            self._scard.SCardDisconnect(self._card, self._scard.SCARD_UNPOWER_CARD)
            self._card = None


class Nfcpy:
    """With nfcpy's own ISO-DEP."""

    channel = "nfc"

    def __init__(self, port: int) -> None:
        self._port = port
        self._clf: Any = None
        self._tag: Any = None

    def reach(self, address: bytes) -> bytes:
        import nfc.clf
        import nfc.tag

        self.close()
        self._clf = nfc.clf.ContactlessFrontend(f"udp:localhost:{self._port}")
        deadline = time.monotonic() + LIMIT_S
        self._tag = None
        while self._tag is None and time.monotonic() < deadline:  # one that was sensed may be gone before it is activated
            target = self._clf.sense(nfc.clf.RemoteTarget("106A"))
            self._tag = None if target is None else nfc.tag.activate(self._clf, target)
        if self._tag is None:
            raise LinkError("nfcpy finds no tag")
        return b"\x3b\x80\x80\x01\x01"

    def send(self, message: bytes) -> bytes:
        return bytes(self._tag.transceive(bytearray(message)))

    def close(self) -> None:
        if self._clf is not None:
            self._clf.close()
            self._clf = None


class Bleak:
    """With an event loop that runs while somebody waits. Mdoc peripheral server mode; the bus is that of the environment."""

    channel = "ble"

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._client: Any = None
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self._longest = 20
        self._state, self._out, self._in = (str(row.uuid) for row in TABLE if row.mode is Mode.PERIPHERAL_SERVER)

    def reach(self, address: bytes) -> bytes:
        method = engagement.read(address).method(engagement.BLE)
        service = None if method is None else parse(list(method)).service(Mode.PERIPHERAL_SERVER)
        self._loop.run_until_complete(asyncio.wait_for(self._connect(str(service)), LIMIT_S))
        return b""

    async def _connect(self, service: str) -> None:
        from bleak import BleakClient, BleakScanner

        await self._drop()
        device = await BleakScanner.find_device_by_filter(
            lambda _, seen: service in seen.service_uuids, timeout=LIMIT_S, service_uuids=[service]
        )
        if device is None:
            raise LinkError("bleak finds no phone")
        client = BleakClient(device)
        await client.connect()
        self._client, self._chunks = client, asyncio.Queue()
        row = client.services.get_characteristic(self._out)
        self._longest = row.max_write_without_response_size if row else self._longest
        await client.start_notify(self._state, lambda *_: None)
        await client.start_notify(self._in, lambda _, value: self._chunks.put_nowait(bytes(value)))
        await client.write_gatt_char(self._state, STATE_START, response=False)

    def send(self, message: bytes) -> bytes:
        return self._loop.run_until_complete(asyncio.wait_for(self._exchange(message), LIMIT_S))

    async def _exchange(self, message: bytes) -> bytes:
        room = self._longest - 1
        parts = [message[at : at + room] for at in range(0, len(message), room)]
        for number, part in enumerate(parts, 1):
            await self._client.write_gatt_char(self._out, (LAST if number == len(parts) else MORE) + part, response=False)
        if message == TERMINATION:  # the phone has nothing to say to that
            await self._drop()
            return b""
        answer = b""
        while True:
            chunk = await self._chunks.get()
            answer += chunk[1:]
            if chunk[:1] == LAST:
                return answer

    def close(self) -> None:
        self._loop.run_until_complete(self._drop())

    async def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None and client.is_connected:
            await client.write_gatt_char(self._state, STATE_END, response=False)
            await client.disconnect()


__all__ = ["Bare", "BareLink", "Bleak", "Nfcpy", "Pyscard"]
