"""Retrieval over NFC, ISO/IEC 18013-5:2021 8.3.3.1.2: session messages inside ENVELOPE commands, and the wallet's side.

The rules, first in prose:

- SELECT by name A0000002480400 begins. Nothing else is answered before it, and it begins anew at any time.
- A message is wrapped whole in one data object '53' (definite length), and that is cut into ENVELOPE commands (INS C3, P1 P2
  0): CLA 10 while more follows, 00 in the last. Le stands in the last alone: the longest response that the reader takes.
- The answer, wrapped the same way, comes with the last ENVELOPE as far as Le goes; 61XX says that XX more bytes wait, 6100
  that more than 255 do, and GET RESPONSE (INS C0) fetches them.
- What breaks a rule is refused by its status word and drops everything that was under way: too long (6700), no '53' or not
  its length (6A80), another command between the links (6883), nothing to fetch (6985). Nothing a reader sends raises.

An answer may take time (a signature): :meth:`Retrieval.handle` then gives None and :meth:`Retrieval.reply` the response later,
so that a presenter can ask the reader for time (S(WTX) of ISO/IEC 14443-4) in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from virtual_devices.apdu import CHAINING, MAX_DATA_BYTES, MAX_LE, MAX_SHORT_LE, OK, SW, Command, Response
from virtual_devices.errors import PeerError, UsageError

AID = bytes.fromhex("A0000002480400")
ENVELOPE, GET_RESPONSE, SELECT = 0xC3, 0xC0, 0xA4
MAX_MESSAGE_BYTES = 65536
"""The longest session message that is taken, by default. The standard names no limit; a portrait takes 20 to 40 kB."""
MAX_LINKS = 1024
"""Commands in one chain: a message of the longest kind in links of 64 bytes."""
_TAG = 0x53
_LONGEST_HEADER = 6


class MalformedEnvelope(PeerError, ValueError):
    """Bytes that are not one whole data object '53'."""

    def __init__(self, what: str) -> None:
        super().__init__(what, clause="ISO/IEC 18013-5 8.3.3.1.2")


def wrap(message: bytes) -> bytes:
    """The message inside a data object '53', its length in the shortest form."""
    length = len(message)
    if length < 0x80:
        return bytes((_TAG, length)) + message
    size = (length.bit_length() + 7) // 8
    return b"".join((bytes((_TAG, 0x80 | size)), length.to_bytes(size, "big"), message))


def unwrap(raw: bytes, max_bytes: int = MAX_MESSAGE_BYTES) -> bytes:
    """The message inside one whole data object '53'. A length need not be in its shortest form. Raises MalformedEnvelope."""
    extent = announced(raw)
    if extent is None:
        raise MalformedEnvelope("the data object ends within its header")
    start, length = extent
    if length > max_bytes:
        raise MalformedEnvelope(f"a message of {length} bytes, at most {max_bytes}")
    if len(raw) != start + length:
        raise MalformedEnvelope(f"the data object announces {length} bytes and has {len(raw) - start}")
    return raw[start:]


def announced(raw: bytes) -> tuple[int, int] | None:
    """Where the message begins and how long it will be, as soon as its header is there; None before. Raises
    MalformedEnvelope for another tag, an indefinite length or one of more than four bytes."""
    if raw and raw[0] != _TAG:
        raise MalformedEnvelope(f"data object {raw[0]:02X}, not 53")
    if len(raw) < 2:
        return None
    if raw[1] < 0x80:
        return 2, raw[1]
    size = raw[1] & 0x7F
    if not 1 <= size <= 4:
        raise MalformedEnvelope(f"a length that begins with {raw[1]:02X}")
    return (2 + size, int.from_bytes(raw[2 : 2 + size], "big")) if len(raw) >= 2 + size else None


def envelopes(message: bytes, max_command_bytes: int, max_response_bytes: int) -> Iterator[Command]:
    """The commands that carry a message. Longest data fields in bytes: of a command 1 to 65535, of a response 1 to 65536.
    Lengths become extended by themselves where a field needs them. Raises UsageError."""
    if not (1 <= max_command_bytes <= MAX_DATA_BYTES and 1 <= max_response_bytes <= MAX_LE):
        raise UsageError(f"data fields of {max_command_bytes} and {max_response_bytes} bytes are none that APDUs have")
    raw = wrap(message)
    for at in range(0, len(raw), max_command_bytes):
        last = at + max_command_bytes >= len(raw)
        piece = raw[at : at + max_command_bytes]
        yield Command(0 if last else CHAINING, ENVELOPE, 0, 0, piece, max_response_bytes if last else None)


class Retrieval:
    """The wallet's side.

    ``answer`` is given each whole message and gives the answer, or None when it comes later, by :meth:`reply`; it must not
    raise. ``max_command_bytes`` and ``max_response_bytes``: the data fields that the engagement or handover has announced.
    """

    aid = AID

    def __init__(
        self, answer: Callable[[bytes], bytes | None], max_command_bytes: int = MAX_DATA_BYTES, max_response_bytes: int = MAX_LE,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self._answer = answer
        self._max_command_bytes = max_command_bytes
        self._max_response_bytes = max_response_bytes
        self._max_message_bytes = max_message_bytes
        self._le: int | None = None
        self._open = False
        self._drop()

    def reset(self) -> None:
        """The field is gone, or another application was selected."""
        self._open = False
        self._drop()

    @property
    def awaiting(self) -> bool:
        """A message is complete, and its answer has not been given."""
        return self._le is not None

    def handle(self, command: Command) -> Response | None:
        """Answer one command; None when the answer comes by :meth:`reply`."""
        if command.ins == SELECT and command.cla == 0 and command.p1 == 0x04:
            return self._select(command)
        if not self._open:
            return Response(sw=SW.CONDITIONS_NOT_SATISFIED)
        if self.awaiting:  # a reader that did not wait for its answer
            return self._refuse(SW.CONDITIONS_NOT_SATISFIED)
        if command.cla & ~CHAINING:
            return self._refuse(SW.CLA_NOT_SUPPORTED)
        if self._links and command.ins != ENVELOPE:
            return self._refuse(SW.LAST_OF_CHAIN_EXPECTED)
        if command.ins not in (ENVELOPE, GET_RESPONSE):
            return self._refuse(SW.INS_NOT_SUPPORTED)
        if command.p1 or command.p2:
            return self._refuse(SW.WRONG_P1P2)
        return self._envelope(command) if command.ins == ENVELOPE else self._get_response(command)

    def reply(self, message: bytes) -> Response:
        """The response to the last ENVELOPE, now that the answer is there. Raises UsageError when none is awaited."""
        if self._le is None:
            raise UsageError("no message waits for an answer: it was answered, or the reader went on to something else")
        le, self._le = self._le, None
        self._outgoing = memoryview(wrap(message))
        return self._piece(le)

    def _drop(self) -> None:
        self._incoming = bytearray()
        self._links = 0
        self._le = None
        self._outgoing = memoryview(b"")

    def _refuse(self, sw: int) -> Response:
        self._drop()
        return Response(sw=sw)

    def _select(self, command: Command) -> Response:
        self.reset()
        if command.data != AID:
            return Response(sw=SW.FILE_NOT_FOUND)
        if command.p2 not in (0x00, 0x0C):
            return Response(sw=SW.WRONG_P1P2)
        self._open = True
        return OK

    def _envelope(self, command: Command) -> Response | None:
        sw = self._refused(command)
        if sw:
            return self._refuse(sw)
        incoming: bytes | bytearray = command.data  # most readers send a message whole
        if self._links or command.chaining:
            self._incoming += command.data
            incoming = self._incoming
        self._links += 1
        try:
            extent = announced(bytes(incoming[:_LONGEST_HEADER]))
            if extent is not None and extent[1] > self._max_message_bytes:
                return self._refuse(SW.WRONG_LENGTH)
            if extent is not None and len(incoming) > sum(extent):
                return self._refuse(SW.WRONG_DATA)
            if command.chaining:
                return OK
            message = unwrap(bytes(incoming), self._max_message_bytes)
        except MalformedEnvelope:
            return self._refuse(SW.WRONG_DATA)
        self._drop()
        self._le = min(command.le or MAX_SHORT_LE, self._max_response_bytes)
        answer = self._answer(message)
        return None if answer is None else self.reply(answer)

    def _refused(self, command: Command) -> int:
        """The status word for a link that cannot be, or 0."""
        if not command.data or len(command.data) > self._max_command_bytes or self._links == MAX_LINKS:
            return SW.WRONG_LENGTH
        if command.chaining is (command.le is not None):  # Le stands in the last link, and there it must
            return SW.WRONG_LENGTH
        return 0

    def _get_response(self, command: Command) -> Response:
        if not self._outgoing or command.chaining:
            return self._refuse(SW.CONDITIONS_NOT_SATISFIED)
        if command.data or command.le is None:
            return self._refuse(SW.WRONG_LENGTH)
        return self._piece(min(command.le, self._max_response_bytes))

    def _piece(self, le: int) -> Response:
        piece, self._outgoing = bytes(self._outgoing[:le]), self._outgoing[le:]
        rest = len(self._outgoing)
        return Response(piece, SW.OK if not rest else 0x6100 | (rest if rest < 256 else 0))


__all__ = ["AID", "MAX_LINKS", "MAX_MESSAGE_BYTES", "MalformedEnvelope", "Retrieval", "announced", "envelopes", "unwrap", "wrap"]
