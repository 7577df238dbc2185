"""A run's exchanges as packets: each medium as Wireshark knows it, and the row's number in each packet's comment.

Commands and answers are exported PDUs (link type 252) for Wireshark's own dissectors, on the interface of their medium. On two
more interfaces are the frames below them, reconstructed (:mod:`bench.capturing.lower`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from bench.capturing import lower, masking, recorded
from bench.capturing.pcapng import Interface, Packet
from virtual_devices.link import RESET, Outcome, Provenance
from virtual_devices.trace import ExchangeRow, FrameRow

EXPORTED, ISO_14443, HCI_H4 = 252, 264, 201
_END, _DISSECTOR, _PROTOCOL_COLUMN, _DIRECTION, _INFO_COLUMN = 0, 12, 33, 35, 36  # tags of exported PDUs
SENT, RECEIVED = 0, 1


class On(IntEnum):
    """The interfaces of a capture, in this order."""

    CONTACT = 0
    NFC = 1
    NFC_FRAMES = 2
    BLE = 3
    BLE_FRAMES = 4
    QR = 5
    NETWORK = 6


_AGAIN = "recorded, or made again from the messages with times spread evenly: the comment says which"
INTERFACES = (
    Interface("contact", EXPORTED, "commands and answers of cards in contact readers"),
    Interface("nfc", EXPORTED, "commands and answers over the contactless interface"),
    Interface("nfc frames", ISO_14443, f"blocks of ISO/IEC 14443-4, {_AGAIN}"),
    Interface("ble", EXPORTED, "messages of sessions over Bluetooth Low Energy"),
    Interface("ble frames", HCI_H4, f"ATT writes and notifications, {_AGAIN}"),
    Interface("qr", EXPORTED, "texts of QR codes"),
    Interface("network", EXPORTED, "messages to the data centre and its answers"),
)
_ON = {"contact": On.CONTACT, "nfc": On.NFC, "ble": On.BLE, "qr": On.QR, "network": On.NETWORK}


def exported(dissector: str, data: bytes, direction: int, protocol: str = "", info: str = "") -> bytes:
    """An exported PDU: which dissector, which way, what the columns say (``info``: from Wireshark 4.2 on), and the bytes."""
    tags = _tag(_DISSECTOR, dissector.encode()) + _tag(_DIRECTION, struct.pack(">I", direction))
    tags += _tag(_PROTOCOL_COLUMN, protocol.encode()) if protocol else b""
    tags += _tag(_INFO_COLUMN, info.encode()) if info else b""
    return tags + _tag(_END, b"") + data


def _tag(kind: int, value: bytes) -> bytes:
    padded = value + bytes(-len(value) % 4)
    return struct.pack(">HH", kind, len(padded)) + padded


@dataclass(frozen=True, slots=True)
class Framed:
    """Packets of one row, in order. The exchange begins with the first and ends with the last."""

    row: int
    packets: tuple[Packet, ...]


class Capturing:
    """Makes the packets of rows, which must come in order of their begin within a session. ``keep``: personal data stays."""

    def __init__(self, *, keep: bool = False, frames: bool = True) -> None:
        self._keep = keep
        self._frames = frames
        self._fields: dict[tuple[str, str], lower.Field] = {}
        self._connections: dict[tuple[str, str], lower.Connection] = {}

    def of(self, number: int, row: ExchangeRow, noted: Sequence[FrameRow] = ()) -> Framed:
        """The packets of the row with this number in its table. ``noted``: the frames that were recorded of it, if any."""
        interface = _ON.get(row.channel)
        if interface is None:
            return Framed(number, ())
        says = _comment(number, row)
        ends_ns = row.at_ns + (0 if row.provenance == Provenance.PRESENTED.value else max(0, row.duration_ns))
        replied = row.outcome == Outcome.REPLIED.value
        if not row.request and row.request_bytes > 0:  # the bytes of a real person's card are not in the rows
            withheld = [*_withheld(interface, row, ends_ns, says, replied), *self._noted(row, noted, says)]
            return Framed(number, tuple(sorted(withheld, key=lambda p: p.at_ns)))
        make = {On.QR: self._qr, On.NETWORK: self._network, On.BLE: self._ble}.get(interface, self._apdus)
        pair = [make(row, row.reply if replied else None)]
        packets = [Packet(row.at_ns, interface, data, says) for data, _ in pair if data]
        packets += [Packet(ends_ns, interface, data, says) for _, data in pair if data]
        below = self._below(row, noted, replied, ends_ns, says)
        return Framed(number, tuple(sorted([*packets, *below], key=lambda p: p.at_ns)))

    def _apdus(self, row: ExchangeRow, reply: bytes | None) -> tuple[bytes, bytes]:
        if row.request == RESET:
            return b"", exported("iso7816.atr", reply, RECEIVED) if reply else b""
        request, answer = masking.apdus(row.role, row.request, reply, keep=self._keep)
        return exported("iso7816", request, SENT), _response(answer) if answer else b""

    def _ble(self, row: ExchangeRow, reply: bytes | None) -> tuple[bytes, bytes]:
        """Sessions are encrypted: nothing is masked."""
        request = exported("cbor", row.request, SENT, "mdoc", f"session message: {row.step}") if row.request else b""
        return request, exported("cbor", reply, RECEIVED, "mdoc", "session message") if reply else b""

    def _qr(self, row: ExchangeRow, reply: bytes | None) -> tuple[bytes, bytes]:
        if not reply:
            return exported("data", row.request, SENT, "QR", "scan"), b""
        shown = masking.text(reply.decode("utf-8", "replace"), keep=self._keep)
        said = exported("data-text-lines", shown.encode(), RECEIVED, "QR", shown[:64])
        return exported("data", row.request, SENT, "QR", "scan"), said

    def _network(self, row: ExchangeRow, reply: bytes | None) -> tuple[bytes, bytes]:
        dissector = "cbor" if self._keep else "data"
        shown: Callable[[bytes], bytes] = (lambda message: message) if self._keep else masking.whole
        request = exported(dissector, shown(row.request), SENT, "IDC", row.step) if row.request else b""
        return request, exported(dissector, shown(reply), RECEIVED, "IDC", f"{row.step}: {row.status}") if reply else b""

    def _below(
        self, row: ExchangeRow, noted: Sequence[FrameRow], replied: bool, ends_ns: int, says: str,
    ) -> Iterator[Packet]:
        """The frames that carried it, as recorded; else made again, and spread over its time."""
        if not self._frames or row.channel not in ("nfc", "ble"):
            return
        key = row.session, row.role
        reply = row.reply if replied else None
        if noted:
            yield from self._noted(row, noted, says)
            return
        if row.channel == "nfc":
            request, answer = masking.apdus(row.role, row.request, reply, keep=self._keep) if row.request else (RESET, reply)
            made = list(self._fields.setdefault(key, lower.Field()).frames(request, answer))
            on = On.NFC_FRAMES
        else:
            made = list(self._connections.setdefault(key, lower.Connection()).frames(row.request, reply))
            on = On.BLE_FRAMES
        for number, frame in enumerate(made):
            at_ns = row.at_ns + (ends_ns - row.at_ns) * number // max(1, len(made) - 1)
            yield Packet(at_ns, on, frame, f"{says} (reconstructed)")

    def _noted(self, row: ExchangeRow, noted: Sequence[FrameRow], says: str) -> Iterator[Packet]:
        """Frames as they were recorded."""
        request, reply = row.request, row.reply or None
        shown: tuple[bytes, bytes | None] = request, reply
        if row.channel == "nfc" and request:
            shown = masking.apdus(row.role, request, reply, keep=self._keep)
        on = On.NFC_FRAMES
        if row.channel == "ble":  # what is recorded are values: without its connection no packet is anybody's
            on, link = On.BLE_FRAMES, self._connections.setdefault((row.session, row.role), lower.Connection())
            begun = link.begun(anew=row.request_bytes == 0) if noted else ()
            yield from (Packet(row.at_ns, on, frame, f"{says} (reconstructed)") for frame in begun)
        for after_ns, frame in recorded.frames(noted, (request, shown[0]), (reply, shown[1]), keep=self._keep):
            yield Packet(row.at_ns + after_ns, on, frame, f"{says} (recorded)")


def _response(answer: bytes) -> bytes:
    """Wireshark takes an answer that begins as an ATR does for one, whatever it is: such data goes without a dissector."""
    if answer[:1] in (b"\x3B", b"\x3F"):
        return exported("data", answer, RECEIVED, "ISO 7816", f"Response APDU, status word {answer[-2:].hex()}")
    return exported("iso7816", answer, RECEIVED)


def _withheld(interface: On, row: ExchangeRow, ends_ns: int, says: str, replied: bool) -> Iterator[Packet]:
    info = "withheld: the run was recorded without personal data"
    yield Packet(row.at_ns, interface, exported("data", masking.whole(bytes(row.request_bytes)), SENT, "masked", info), says)
    if replied:
        size = max(0, row.reply_bytes)
        yield Packet(ends_ns, interface, exported("data", masking.whole(bytes(size)), RECEIVED, "masked", info), says)


def _comment(number: int, row: ExchangeRow) -> str:
    what = f"row {number}: {row.flow}, {row.step}; {row.role} {row.device}, {row.provenance}, {row.outcome}"
    return what + "".join(f"; {name} {value}" for name, value in (("visit", row.visit), ("fault", row.fault)) if value)


def in_time(framed: Iterable[Framed]) -> list[tuple[int, Packet]]:
    """All packets with their row's number, in order of time, then of rows."""
    packets = [(each.row, packet) for each in framed for packet in each.packets]
    return sorted(packets, key=lambda found: (found[1].at_ns, found[0]))


__all__ = ["Capturing", "Framed", "INTERFACES", "On", "exported", "in_time"]
