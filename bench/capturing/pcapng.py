"""pcapng files (IETF draft-ietf-opsawg-pcapng), as far as a capture of the bench needs them: one section, interfaces, packets.

Little-endian, times in nanoseconds, nothing of the machine or the wall clock in it: the same packets give the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
_END, _COMMENT, _IF_NAME, _IF_DESCRIPTION, _IF_TSRESOL, _APPLICATION = 0, 1, 2, 3, 9, 4
_NANOSECONDS = b"\x09"
MAX_COMMENT_BYTES = 1000


@dataclass(frozen=True, slots=True)
class Interface:
    """Where packets of one link type come from. ``link_type``: of the registry at tcpdump.org."""

    name: str
    link_type: int
    description: str = ""


@dataclass(frozen=True, slots=True)
class Packet:
    """``interface``: its number. ``at_ns``: since the Unix epoch."""

    at_ns: int
    interface: int
    data: bytes
    comment: str = ""


def write(out: BinaryIO, interfaces: Sequence[Interface], packets: Iterable[Packet], comment: str) -> int:
    """Write a whole file. Returns the number of packets; the first has the frame number 1."""
    section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    out.write(_block(SECTION, section + _text(_COMMENT, comment) + _text(_APPLICATION, "vhc-bench") + _option(_END)))
    for interface in interfaces:
        options = _text(_IF_NAME, interface.name) + _text(_IF_DESCRIPTION, interface.description)
        options += _option(_IF_TSRESOL, _NANOSECONDS) + _option(_END)
        out.write(_block(INTERFACE, struct.pack("<HHI", interface.link_type, 0, 0) + options))
    count = 0
    for packet in packets:
        out.write(_packet(packet))
        count += 1
    return count


def _packet(packet: Packet) -> bytes:
    size = len(packet.data)
    head = struct.pack("<IIIII", packet.interface, packet.at_ns >> 32, packet.at_ns & 0xFFFFFFFF, size, size)
    comment = _text(_COMMENT, packet.comment) + _option(_END) if packet.comment else b""
    return _block(PACKET, head + _padded(packet.data) + comment)


def _block(kind: int, body: bytes) -> bytes:
    size = len(body) + 12
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def _text(code: int, text: str) -> bytes:
    return _option(code, text.encode()[:MAX_COMMENT_BYTES]) if text else b""


def _option(code: int, value: bytes = b"") -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(value: bytes) -> bytes:
    return value + bytes(-len(value) % 4)


__all__ = ["Interface", "Packet", "write"]
