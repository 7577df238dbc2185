"""Messages cut into attribute values and put together again, ISO/IEC 18013-5 clause 8.3.3.1.1.6, and what they cost on the air.

A message goes as chunks, each one value of a characteristic: a first byte 01 (more follow) or 00 (the last), then a part of
the message. A value has at most ``min(512, MTU - 3)`` bytes: three are ATT's own (opcode and handle), and an attribute never
has more than 512 (Bluetooth Core volume 3 part F 3.2.9). An empty message is one chunk ``00``.

The standard has every chunk but the last full. Peers are known that send shorter ones (public code); they are taken, and
:attr:`Message.uneven` tells.

What is noticed here: a value without a first byte, another first byte, a chunk that brings nothing although more are to follow
(else a peer could go on for ever), one longer than the link allows, a message longer than :data:`MAX_MESSAGE_BYTES`.

What is not: a chunk lost, doubled, out of order or flipped in its part. Chunks carry no number and no check of their own.
Bluetooth's link layer repeats, orders and checks (24-bit CRC) what it carries, so on a connection that stands this does not
happen in the radio; a queue that overflows in a phone's stack can still drop a write without response or a notification.
Session encryption (AES-GCM over the whole message) refuses what came out wrong, and a last chunk that never comes is silence
until the flow's own time limit.
"""

from __future__ import annotations

from dataclasses import dataclass

from virtual_devices.errors import PeerError
from virtual_devices.mdoc.ble_gatt import BleUsageError, Problem

MIN_MTU, WANTED_MTU, MAX_MTU = 23, 515, 0xFFFF
"""ATT_MTU in bytes: what every connection has, what the client asks for (515 - 3 = 512), what the field can say."""
MAX_VALUE_BYTES = 512
MAX_MESSAGE_BYTES = 65_536
"""Of one message, either way; a limit of this bench, far above a card with its photograph."""
LAST, MORE = b"\x00", b"\x01"

ATT_HEADER_BYTES = 3
L2CAP_HEADER_BYTES = 4
LINK_PAYLOAD_BYTES = 251
"""Of one link-layer data packet with the data length extension; 27 without."""


class MalformedChunk(PeerError, ValueError):
    """A chunk that is refused; the session cannot go on."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.value, clause="ISO/IEC 18013-5 8.3.3.1.1.6")
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message, and in how many chunks it came. ``uneven``: one that was not the last was not full."""

    content: bytes
    chunks: int
    uneven: bool


def value_bytes(mtu: int) -> int:
    """The longest value, first byte included, on a link of this ATT_MTU. Raises BleUsageError below 23."""
    if not MIN_MTU <= mtu <= MAX_MTU:
        raise BleUsageError(f"ATT_MTU {mtu} does not exist: {MIN_MTU} to {MAX_MTU}")
    return min(MAX_VALUE_BYTES, mtu - ATT_HEADER_BYTES)


def chunks(message: bytes, mtu: int) -> tuple[bytes, ...]:
    """The values that carry this message, in order. Raises BleUsageError above :data:`MAX_MESSAGE_BYTES`."""
    part = value_bytes(mtu) - 1
    _refuse_long(len(message))
    cut = [message[at : at + part] for at in range(0, len(message), part)] or [b""]
    return (*(MORE + c for c in cut[:-1]), LAST + cut[-1])


def _refuse_long(message_bytes: int) -> None:
    if not 0 <= message_bytes <= MAX_MESSAGE_BYTES:
        raise BleUsageError(f"a message of {message_bytes} bytes; at most {MAX_MESSAGE_BYTES} go over BLE here")


class Assembler:
    """Puts the chunks of one direction together."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._parts: list[bytes] = []
        self._bytes = 0
        self._uneven = False

    @property
    def unfinished_bytes(self) -> int:
        """Of a message whose last chunk has not come."""
        return self._bytes

    def feed(self, value: bytes, mtu: int) -> Message | None:
        """The message, when this was its last chunk. Raises MalformedChunk; what had come before is then as it was."""
        limit = value_bytes(mtu)
        prefix, part = value[:1], value[1:]
        if not value or (prefix == MORE and not part):
            raise MalformedChunk(Problem.EMPTY_CHUNK)
        if prefix not in (LAST, MORE):
            raise MalformedChunk(Problem.UNKNOWN_PREFIX)
        if len(value) > limit:
            raise MalformedChunk(Problem.CHUNK_TOO_LONG)
        if self._bytes + len(part) > MAX_MESSAGE_BYTES:
            raise MalformedChunk(Problem.MESSAGE_TOO_LONG)
        self._parts.append(part)
        self._bytes += len(part)
        if prefix == MORE:
            self._uneven |= len(value) < limit
            return None
        message = Message(b"".join(self._parts), len(self._parts), self._uneven)
        self._clear()
        return message


@dataclass(frozen=True, slots=True)
class AirtimePlan:
    """What a message costs on the air, one way, with nothing repeated.

    ``packets``: ATT packets, one for each chunk. ``value_bytes``: the message and the chunks' first bytes. ``att_bytes``: with
    ATT's headers. ``link_packets``: link-layer data packets; ``link_bytes``: their payloads, with L2CAP's headers.
    """

    packets: int
    value_bytes: int
    att_bytes: int
    link_packets: int
    link_bytes: int


def airtime_plan(message_bytes: int, mtu: int, link_payload_bytes: int = LINK_PAYLOAD_BYTES) -> AirtimePlan:
    """The cost of a message of this size; agrees with :func:`chunks`. Raises BleUsageError as it does."""
    part = value_bytes(mtu) - 1
    _refuse_long(message_bytes)
    if link_payload_bytes < 1:
        raise BleUsageError(f"link-layer packets of {link_payload_bytes} bytes carry nothing")
    packets = max(1, -(-message_bytes // part))
    values = message_bytes + packets
    att = values + ATT_HEADER_BYTES * packets
    overhead = 1 + ATT_HEADER_BYTES + L2CAP_HEADER_BYTES
    full = -(-(part + overhead) // link_payload_bytes)
    last = -(-(message_bytes - (packets - 1) * part + overhead) // link_payload_bytes)
    return AirtimePlan(packets, values, att, (packets - 1) * full + last, att + L2CAP_HEADER_BYTES * packets)


__all__ = [
    "MAX_MESSAGE_BYTES", "MAX_VALUE_BYTES", "MIN_MTU", "WANTED_MTU", "AirtimePlan", "Assembler", "MalformedChunk", "Message",
    "airtime_plan", "chunks", "value_bytes",
]
