"""A virtual PN532: NXP's NFC chip (user manual UM0701-02) at a pseudo-terminal, for nfcpy's own driver, as reader and as card.

It knows what nfcpy's ``pn532`` driver asks for (type A at 106 kbit/s, both roles) and answers everything else with the manual's
error frame. Several chips share an :class:`~bench.stacks.virtual_air.Air`, which carries frames between them, or loses
and damages them.
"""

from __future__ import annotations

import os
import pty
import time
import tty
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from typing import Protocol

ACK = bytes.fromhex("0000FF00FF00")
_ERROR = bytes.fromhex("0000FF01FF7F8100")
_START = b"\x00\xff"
_TO_CHIP, _TO_HOST = 0xD4, 0xD5
FIRMWARE = bytes.fromhex("32010607")
"""IC 32, version 1.6, ISO/IEC 14443 A and B, ISO/IEC 18092."""
MAX_FRAME_BYTES = 265
"""Of one frame from the host (6.2.1.2)."""
FIFO_DATA = 0x6339
REQA = 0x26
_CARD_106A = 0x00


class Error(IntEnum):
    """Status bytes (7.1)."""

    OK = 0x00
    TIMEOUT = 0x01
    CRC = 0x02
    CONTEXT = 0x27
    RELEASED = 0x29


class Command(IntEnum):
    DIAGNOSE = 0x00
    FIRMWARE = 0x02
    READ_REGISTER = 0x06
    WRITE_REGISTER = 0x08
    BAUD_RATE = 0x10
    PARAMETERS = 0x12
    SAM = 0x14
    POWER_DOWN = 0x16
    RF = 0x32
    THRU = 0x42  # InCommunicateThru
    LIST = 0x4A  # InListPassiveTarget
    TG_COMMAND = 0x88  # TgGetInitiatorCommand
    TG_INIT = 0x8C  # TgInitAsTarget
    TG_RESPONSE = 0x90  # TgResponseToInitiator


class Medium(Protocol):
    """The air, as a chip sees it."""

    def find(self, reader: Chip) -> Chip | None:
        """Anticollision and selection: the chip that is selected now."""
        ...

    def to_card(self, reader: Chip, frame: bytes) -> None: ...

    def to_reader(self, card: Chip, frame: bytes) -> bool:
        """False: there is no field any more."""
        ...

    def field_off(self, reader: Chip) -> None: ...


class Chip:
    """One chip; ``path`` is its serial port. ``spoil`` is given each frame to the host and may change or drop it."""

    def __init__(self, air: Medium) -> None:
        self._air = air
        self.master, self._slave = pty.openpty()  # the other end stays open, so that a host may come and go
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self._slave)
        self.spoil: Callable[[bytes], bytes] = bytes
        self._data = bytearray()
        self._registers: dict[int, int] = {FIFO_DATA: REQA}
        self._waiting: Command | None = None  # a command that is not answered yet
        self.due_s: float | None = None  # THRU: when the card has been silent for too long
        self._timeout_s = 0.0512
        self.selected = False  # as a card
        self._listening = b""  # as a card: SENS_RES, NFCID1 and SEL_RES as the host gave them
        self._kept: bytes | None = None  # as a card: a frame for which the host has not asked yet

    def close(self) -> None:
        os.close(self.master)
        os.close(self._slave)

    # -- the host

    def readable(self) -> None:
        """The host has written something."""
        try:
            self.take(os.read(self.master, 4096))
        except BlockingIOError:
            return

    def take(self, data: bytes) -> None:
        """What the host has written, in pieces of any size."""
        self._data += data
        while self._frame():
            pass

    def _frame(self) -> bool:
        """Deal with one whole frame; False: there is none."""
        data = self._data
        start = data.find(_START)
        if start < 0:
            del data[:-1]
            return False
        at = start + 2
        if len(data) < at + 3:
            return False
        if data[at : at + 2] == b"\x00\xff":
            del data[: at + 3]
            self._abort()
            return True
        head = 2 if data[at : at + 2] != b"\xff\xff" else 5  # of an extended frame
        if len(data) < at + head:
            return False
        length = data[at] if head == 2 else data[at + 2] << 8 | data[at + 3]
        if sum(data[at : at + head]) - (0x1FE if head == 5 else 0) & 0xFF or length > MAX_FRAME_BYTES:
            del data[:at]  # no frame after all
            return True
        at += head
        if len(data) < at + length + 1:
            return False
        body, check = bytes(data[at : at + length]), data[at + length]
        del data[: at + length + 1]
        if not (sum(body) + check) & 0xFF and len(body) >= 2 and body[0] == _TO_CHIP:
            self._write(ACK)
            self._command(body[1], body[2:])
        return True

    def _write(self, frame: bytes) -> None:
        with suppress(BlockingIOError):  # a host that does not read loses what the line cannot hold
            os.write(self.master, self.spoil(frame))

    def answer(self, command: Command, data: bytes = b"") -> None:
        """The response to a command, now or later."""
        self._waiting = self.due_s = None
        body = bytes((_TO_HOST, command + 1)) + data
        length = len(body)
        if length < 256:
            head = bytes((length, -length & 0xFF))
        else:
            head = b"\xff\xff" + length.to_bytes(2, "big") + bytes((-(length >> 8) - length & 0xFF,))
        self._write(b"\x00" + _START + head + body + bytes((-sum(body) & 0xFF, 0)))

    def _abort(self) -> None:
        """The host gives a command up (6.2.1.3)."""
        self._waiting = self.due_s = None

    def _command(self, code: int, data: bytes) -> None:
        self._waiting = self.due_s = None
        match code:
            case Command.DIAGNOSE:
                self.answer(Command.DIAGNOSE, data if data[:1] == b"\0" else b"\0")
            case Command.FIRMWARE:
                self.answer(Command.FIRMWARE, FIRMWARE)
            case Command.READ_REGISTER:
                wanted = (int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
                self.answer(Command.READ_REGISTER, bytes(self._registers.get(register, 0) for register in wanted))
            case Command.WRITE_REGISTER:
                for at in range(0, len(data) - 2, 3):
                    self._registers[int.from_bytes(data[at : at + 2], "big")] = data[at + 2]
                self.answer(Command.WRITE_REGISTER)
            case Command.BAUD_RATE | Command.PARAMETERS | Command.SAM:
                self.answer(Command(code))
            case Command.POWER_DOWN:
                self._air.field_off(self)
                self.answer(Command.POWER_DOWN, b"\0")
            case Command.RF:
                self._configure(data)
            case Command.LIST | Command.THRU:
                self._as_reader(Command(code), data)
            case Command.TG_INIT | Command.TG_COMMAND | Command.TG_RESPONSE:
                self._as_card(Command(code), data)
            case _:
                self._write(_ERROR)

    def _configure(self, data: bytes) -> None:
        if data[:1] == b"\x01" and len(data) == 2 and not data[1] & 1:
            self._air.field_off(self)
        if data[:1] == b"\x02" and len(data) == 4:
            self._timeout_s = 100e-6 * 2 ** (data[3] - 1)
        self.answer(Command.RF)

    # -- as a reader

    def _as_reader(self, code: Command, data: bytes) -> None:
        if code is Command.LIST:
            found = self._air.find(self) if data[1:2] == bytes((_CARD_106A,)) else None
            self.answer(Command.LIST, b"\0" if found is None else b"\x01\x01" + found.shown())
            return
        self._waiting, self.due_s = code, time.monotonic() + self._timeout_s
        self._air.to_card(self, data)

    def heard(self, frame: bytes | None) -> None:
        """As a reader: what the card sent; None: it is damaged."""
        if self._waiting is Command.THRU:
            self.answer(Command.THRU, bytes((Error.CRC,)) if frame is None else bytes((Error.OK,)) + frame)

    def too_late(self) -> None:
        """As a reader: nothing came in time."""
        self.answer(Command.THRU, bytes((Error.TIMEOUT,)))

    # -- as a card

    def _as_card(self, code: Command, data: bytes) -> None:
        if code is Command.TG_RESPONSE:
            there = self.selected and self._air.to_reader(self, data)
            self.answer(code, bytes((Error.OK if there else Error.RELEASED,)))
        elif code is Command.TG_INIT:
            self._listening, self._waiting, self._kept, self.selected = data[1:7], code, None, False
        elif not self.selected:
            self.answer(code, bytes((Error.RELEASED,)))
        elif self._kept is not None:
            kept, self._kept = self._kept, None
            self.answer(code, bytes((Error.OK,)) + kept)
        else:
            self._waiting = code

    @property
    def listens(self) -> bool:
        """A reader may select it."""
        return self._waiting is Command.TG_INIT

    def shown(self) -> bytes:
        """SENS_RES (first byte last, as this chip has it), SEL_RES, and the UID with its length."""
        sens, uid, sel = self._listening[:2], self._listening[2:5], self._listening[5:6]
        return sens[::-1] + sel + b"\x04\x08" + uid

    def asked(self, frame: bytes) -> None:
        """As a card: a reader's frame."""
        if self._waiting is Command.TG_INIT:
            self.answer(Command.TG_INIT, b"\0" + frame)
        elif self._waiting is Command.TG_COMMAND:
            self.answer(Command.TG_COMMAND, bytes((Error.OK,)) + frame)
        else:
            self._kept = frame

    def released(self) -> None:
        """As a card: the field has gone."""
        self.selected, self._kept = False, None
        if self._waiting is Command.TG_COMMAND:
            self.answer(Command.TG_COMMAND, bytes((Error.RELEASED,)))


__all__ = ["ACK", "Chip", "Command", "Error", "Medium"]
