"""The frames below a message, made again by the machines that would carry it: ISO-DEP blocks, ATT writes and notifications.

They are reconstructed, never recorded: a run's rows hold whole messages. So there is no loss, no repetition and no waiting-time
extension among them, and their times are spread evenly over the exchange.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from virtual_devices.iso_dep import Picc
from virtual_devices.iso_dep_reader import Pcd, rats
from virtual_devices.link import RESET
from virtual_devices.mdoc.ble_chunks import WANTED_MTU, chunks
from virtual_devices.mdoc.ble_gatt import TABLE, Characteristic, Mode, Name

TO_CARD, FROM_CARD = 0xFE, 0xFF
"""Events of link type 264 (LINKTYPE_ISO_14443): data with its check bytes, towards the card and from it."""
TO_PHONE, FROM_PHONE = 0, 1
"""Directions of link type 201 (LINKTYPE_BLUETOOTH_HCI_H4_WITH_PHDR): sent, received."""
_ACL, _EVENT, _ATT_CID, _CONNECTION, _FIRST = 0x02, 0x04, 0x0004, 0x0040, 0x2000
_CONNECTED = struct.pack("<BBBBHBB6sHHHB", 0x3E, 19, 0x01, 0, _CONNECTION, 0, 1, b"\xC2" * 6, 24, 0, 42, 0)
"""LE Connection Complete (Bluetooth Core volume 4 part E 7.7.65.1): the bench as central, a phone with a random address."""
_GONE = struct.pack("<BBBHB", 0x05, 4, 0, _CONNECTION, 0x13)
"""Disconnection Complete (7.7.5), ended by the other side."""
_EXCHANGE_MTU, _MTU_IS, _READ_BY_TYPE, _TYPES, _NOTIFY, _WRITE_COMMAND = 0x02, 0x03, 0x08, 0x09, 0x1B, 0x52
_CHARACTERISTIC = 0x2803
SERVER = tuple(row for row in TABLE if row.mode is Mode.PERIPHERAL_SERVER)
HANDLES = {row.name: 0x0012 + 3 * number for number, row in enumerate(SERVER)}
"""Handle of each characteristic's value in the phone's table: three apart, for a declaration before it and a descriptor after."""


def iso14443(event: int, block: bytes) -> bytes:
    """A frame with the head of link type 264, and the check bytes: without them Wireshark takes a block of one byte for REQA."""
    frame = block + crc_a(block)
    return struct.pack(">BBH", 0, event, len(frame)) + frame


def crc_a(block: bytes) -> bytes:
    """The check bytes of a frame of type A (ISO/IEC 14443-3, 6.2.4)."""
    crc = 0x6363
    for byte in block:
        byte ^= crc & 0xFF
        byte = (byte ^ byte << 4) & 0xFF
        crc = crc >> 8 ^ byte << 8 ^ byte << 3 ^ byte >> 4
    return crc.to_bytes(2, "little")


class Field:
    """One phone or card in a reader's field, from one switching-on to the next."""

    def __init__(self) -> None:
        self._answer: bytes | None = None
        self._picc = Picc(lambda _: self._answer)
        self._pcd: Pcd | None = None

    def frames(self, request: bytes, reply: bytes | None) -> Iterator[bytes]:
        """The frames of one exchange; without a reply those that carry the request."""
        if request == RESET or self._pcd is None:
            yield from self._selected()
        if request == RESET:
            return
        assert self._pcd is not None
        self._answer = reply
        exchange = self._pcd.exchange(request)
        try:
            block = next(exchange).block
            while True:
                yield iso14443(TO_CARD, block)
                answer = self._picc.receive(block)
                if answer is None:  # the answer that never came: whoever goes on begins with a selection
                    self._pcd = None
                    return
                yield iso14443(FROM_CARD, answer)
                block = exchange.send(answer).block
        except StopIteration:
            return

    def _selected(self) -> Iterator[bytes]:
        asked = rats()
        self._picc.field_off()
        ats = self._picc.activate(asked)
        assert ats is not None
        self._pcd = Pcd(self._picc.ats)
        yield iso14443(TO_CARD, asked)
        yield iso14443(FROM_CARD, ats)


def att(direction: int, pdu: bytes) -> bytes:
    """An ATT PDU in L2CAP in an HCI ACL packet, with the head of link type 201."""
    carried = struct.pack("<HH", len(pdu), _ATT_CID) + pdu
    return struct.pack(">IB", direction, _ACL) + struct.pack("<HH", _FIRST | _CONNECTION, len(carried)) + carried


def event(content: bytes) -> bytes:
    """An HCI event, with the head of link type 201."""
    return struct.pack(">IB", FROM_PHONE, _EVENT) + content


class Connection:
    """One phone as GATT server (mdoc peripheral server mode), from one connection to the next."""

    def __init__(self) -> None:
        self._open = False

    def frames(self, request: bytes, reply: bytes | None) -> Iterator[bytes]:
        """The ATT packets of one exchange of messages."""
        if request == RESET or not self._open:
            yield from self.begun()
            yield from _found()
        if request == RESET:
            return
        for chunk in chunks(request, WANTED_MTU):
            yield att(TO_PHONE, struct.pack("<BH", _WRITE_COMMAND, HANDLES[Name.CLIENT_TO_SERVER]) + chunk)
        for chunk in chunks(reply, WANTED_MTU) if reply else ():
            yield att(FROM_PHONE, struct.pack("<BH", _NOTIFY, HANDLES[Name.SERVER_TO_CLIENT]) + chunk)

    def begun(self, *, anew: bool = True) -> Iterator[bytes]:
        """The events by which the connection is known, to Wireshark too. Not ``anew``: only where there is none yet."""
        if self._open and not anew:
            return
        if self._open:
            yield event(_GONE)
        self._open = True
        yield event(_CONNECTED)


def _found() -> Iterator[bytes]:
    """MTU, where the characteristics are; the start of the session."""
    yield att(TO_PHONE, struct.pack("<BH", _EXCHANGE_MTU, WANTED_MTU))
    yield att(FROM_PHONE, struct.pack("<BH", _MTU_IS, WANTED_MTU))
    yield att(TO_PHONE, struct.pack("<BHHH", _READ_BY_TYPE, 1, 0xFFFF, _CHARACTERISTIC))
    yield att(FROM_PHONE, struct.pack("<BB", _TYPES, 21) + b"".join(map(_declared, SERVER)))
    yield att(TO_PHONE, struct.pack("<BHB", _WRITE_COMMAND, HANDLES[Name.STATE], 1))


def _declared(row: Characteristic) -> bytes:
    bits = sum(each.value for each in row.properties)
    handle = HANDLES[row.name]
    return struct.pack("<HBH", handle - 1, bits, handle) + row.uuid.bytes[::-1]


__all__ = ["Connection", "Field", "HANDLES", "att", "iso14443"]
