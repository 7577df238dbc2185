"""The Type 4 tag that a wallet plays (NFC Forum Type 4 Tag 2.0): an application with two files, read and perhaps written.

The rules, first in prose:

- SELECT by name D2760000850101 opens the application, SELECT by file identifier (P1 P2 = 00 0C) one of its files: the
  capability container E103, which never changes, and the NDEF file E104. What a file is not selected for is refused.
- The NDEF file is two bytes of length (NLEN) and a message. NLEN 0 says: nothing here, or not yet.
- A tag for static handover is read only. One for negotiated handover is written by UPDATE BINARY: NLEN 0 and the message
  in pieces, then its NLEN; or all of it in one command. The NLEN that is not 0 hands the message to what stands behind the
  tag, and the answer takes its place in the file.
- Reading past what the file holds gives what there is; beginning past it is refused (6B00).

What stands behind the tag is a :class:`Content`; the tag knows nothing of what the messages say. It never raises on what a
reader sent. The capability container is the one of ISO/IEC 18013-5 readers' and wallets' public code.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from virtual_devices.apdu import MAX_SHORT_LE, OK, SW, Command, Response
from virtual_devices.errors import UsageError

AID = bytes.fromhex("D2760000850101")
CC_FILE, NDEF_FILE = 0xE103, 0xE104
MAX_FILE_BYTES = 0x7FFF
"""Of the NDEF file, its length field included; also the most that one command reads (MLe) or writes (MLc)."""
MAX_MESSAGE_BYTES = MAX_FILE_BYTES - 2
SELECT, READ_BINARY, UPDATE_BINARY = 0xA4, 0xB0, 0xD6
_CC = bytes.fromhex("000F207FFF7FFF0406E1047FFF00")
_READ_ONLY, _WRITABLE = b"\xff", b"\x00"


def capability_container(writable: bool) -> bytes:
    """The 15 bytes of E103: mapping version 2.0, MLe and MLc 7FFF, file E104 of 7FFF bytes, free to read."""
    return _CC + (_WRITABLE if writable else _READ_ONLY)


class Content(Protocol):
    """What stands behind the tag."""

    @property
    def writable(self) -> bool: ...

    def begin(self) -> bytes:
        """A reader has opened the application: the message that it finds."""
        ...

    def written(self, message: bytes) -> bytes | None:
        """A reader has written this message: the one that takes its place. Empty: the answer comes later, by
        :meth:`Type4Tag.put`. None: refused (6A80). Must not raise."""
        ...


class Fixed:
    """One message, to be read only."""

    writable = False

    def __init__(self, message: bytes) -> None:
        self._message = message

    def begin(self) -> bytes:
        return self._message

    def written(self, message: bytes) -> bytes | None:
        return None


class Type4Tag:
    """The tag's application. ``read_whole`` is True once a reader has had every byte of the message now in the file."""

    aid = AID

    def __init__(self, content: Content) -> None:
        self._content = content
        self.reset()

    def reset(self) -> None:
        """The field is gone, or another application was selected."""
        self._open = False
        self._file = 0
        self._written: bytearray | None = None  # NLEN and message as far as a reader has written them
        self._ndef = b"\0\0"
        self._read_up_to = 0

    @property
    def read_whole(self) -> bool:
        return len(self._ndef) > 2 and self._read_up_to >= len(self._ndef)

    def put(self, message: bytes) -> None:
        """The answer that :attr:`Content.written` announced. Raises UsageError for more than the file holds."""
        if len(message) > MAX_MESSAGE_BYTES:
            raise UsageError(f"the NDEF file holds a message of {MAX_MESSAGE_BYTES} bytes, not {len(message)}")
        self._ndef = len(message).to_bytes(2, "big") + message
        self._read_up_to = 0

    def handle(self, command: Command) -> Response:
        """Answer one command."""
        if command.cla:
            return Response(sw=SW.CHAINING_NOT_SUPPORTED if command.cla == 0x10 else SW.CLA_NOT_SUPPORTED)
        match command.ins:
            case 0xA4 if command.p1 == 0x04:
                return self._select_application(command)
            case 0xA4 | 0xB0 | 0xD6 if not self._open:
                return Response(sw=SW.CONDITIONS_NOT_SATISFIED)
            case 0xA4:
                return self._select_file(command)
            case 0xB0:
                return self._read(command)
            case 0xD6:
                return self._update(command)
            case _:
                return Response(sw=SW.INS_NOT_SUPPORTED)

    def _select_application(self, command: Command) -> Response:
        self.reset()
        if command.data != AID:
            return Response(sw=SW.FILE_NOT_FOUND)
        if command.p2 not in (0x00, 0x0C):
            return Response(sw=SW.WRONG_P1P2)
        self._open = True
        self.put(self._content.begin())
        return OK

    def _select_file(self, command: Command) -> Response:
        if (command.p1, command.p2) != (0x00, 0x0C):
            return Response(sw=SW.WRONG_P1P2)
        if len(command.data) != 2:
            return Response(sw=SW.WRONG_LENGTH)
        file = int.from_bytes(command.data, "big")
        if file not in (CC_FILE, NDEF_FILE):
            return Response(sw=SW.FILE_NOT_FOUND)
        self._file = file
        return OK

    def _read(self, command: Command) -> Response:
        if not self._file:
            return Response(sw=SW.NO_CURRENT_EF)
        if command.p1 & 0x80:  # a short file identifier, which these files have not
            return Response(sw=SW.FILE_NOT_FOUND)
        if command.data or command.le is None:
            return Response(sw=SW.WRONG_LENGTH)
        offset = command.p1 << 8 | command.p2
        content = self._current()
        if offset >= len(content):
            return Response(sw=SW.WRONG_PARAMETERS)
        end = min(offset + command.le, len(content))
        if self._file == NDEF_FILE and self._written is None and offset <= self._read_up_to:
            self._read_up_to = max(end, self._read_up_to)
        return Response(content[offset:end])

    def _current(self) -> bytes:
        if self._file == CC_FILE:
            return capability_container(self._content.writable)
        return self._ndef if self._written is None else bytes(self._written)

    def _update(self, command: Command) -> Response:
        if not self._file:
            return Response(sw=SW.NO_CURRENT_EF)
        if self._file == CC_FILE or not self._content.writable:
            return Response(sw=SW.SECURITY_STATUS_NOT_SATISFIED)
        offset = command.p1 << 8 | command.p2
        sw = self._refused(offset, command.data)
        if sw:
            self._written = None
            return Response(sw=sw)
        if self._written is None:
            self._written = bytearray(2)
        self._written[offset : offset + len(command.data)] = command.data
        length = int.from_bytes(self._written[:2], "big")
        return self._complete(length) if length else OK

    def _refused(self, offset: int, data: bytes) -> int:
        """The status word for a write that cannot be, or 0."""
        if offset & 0x8000:
            return SW.FILE_NOT_FOUND
        if not data:
            return SW.WRONG_LENGTH
        if offset + len(data) > MAX_FILE_BYTES:
            return SW.NOT_ENOUGH_MEMORY
        if offset == 1 or (offset == 0 and len(data) == 1):  # NLEN is written whole: half of one is no length
            return SW.WRONG_PARAMETERS
        if offset and self._written is None:  # pieces before the NLEN of 0 would be read with the old NLEN
            return SW.CONDITIONS_NOT_SATISFIED
        if self._written is not None and offset > len(self._written):  # would leave a hole of unknown content
            return SW.WRONG_PARAMETERS
        return 0

    def _complete(self, length: int) -> Response:
        assert self._written is not None
        message = bytes(self._written[2 : 2 + length])
        self._written = None
        if len(message) != length:
            return Response(sw=SW.WRONG_DATA)
        answer = self._content.written(message)
        if answer is None or len(answer) > MAX_MESSAGE_BYTES:
            return Response(sw=SW.WRONG_DATA)  # not understood, or nothing to be said to it
        self.put(answer)
        return OK


@lru_cache(64)
def select(name: bytes) -> Command:
    """SELECT by name, the first or only occurrence, control information asked for and ignored."""
    return Command(0x00, SELECT, 0x04, 0x00, name, MAX_SHORT_LE)


@lru_cache(64)
def select_file(file: int) -> Command:
    return Command(0x00, SELECT, 0x00, 0x0C, file.to_bytes(2, "big"))


@lru_cache(64)
def read_binary(offset: int, count: int) -> Command:
    return Command(0x00, READ_BINARY, offset >> 8, offset & 0xFF, le=count)


def update_binary(offset: int, data: bytes) -> Command:
    return Command(0x00, UPDATE_BINARY, offset >> 8, offset & 0xFF, data)


__all__ = [
    "AID", "CC_FILE", "Content", "Fixed", "MAX_FILE_BYTES", "MAX_MESSAGE_BYTES", "NDEF_FILE", "Type4Tag",
    "capability_container", "read_binary", "select", "select_file", "update_binary",
]
