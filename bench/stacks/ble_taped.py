"""A Bluetooth stack whose writes and notifications are noted, as ATT packets (Core volume 3 part F, 3.4.5.3, 3.4.7.1)."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

from bench.frames import Tape
from bench.stacks.ble_end import Stack
from virtual_devices.mdoc.ble_chunks import ATT_HEADER_BYTES
from virtual_devices.mdoc.ble_events import Action, Event, Notified, Notify, Write, Written
from virtual_devices.mdoc.ble_gatt import Name

WRITE_COMMAND, NOTIFICATION = 0x52, 0x1B


class Taped:
    """It, noted. The head of a packet is ATT's and the first byte of the value: a chunk's, or a State."""

    def __init__(self, stack: Stack, tape: Tape) -> None:
        self._stack, self._tape = stack, tape

    def begin(self, tell: Callable[[Event], None]) -> None:
        def told(event: Event) -> None:
            if isinstance(event, Notified | Written):
                self._note(False, NOTIFICATION if isinstance(event, Notified) else WRITE_COMMAND, event.name, event.value)
            tell(event)

        self._stack.begin(told)

    async def do(self, action: Action) -> Event | None:
        at_ns = time.perf_counter_ns()
        event = await self._stack.do(action)
        if isinstance(action, Write | Notify):  # not refused
            opcode = WRITE_COMMAND if isinstance(action, Write) else NOTIFICATION
            self._note(True, opcode, action.characteristic.name, action.value, at_ns)
        return event

    def handle_of(self, name: Name) -> int:
        return self._stack.handle_of(name)

    async def close(self) -> None:
        await self._stack.close()

    def _note(self, sent: bool, opcode: int, name: Name, value: bytes, at_ns: int = 0) -> None:
        packet = struct.pack("<BH", opcode, self.handle_of(name)) + value
        self._tape.note(sent, packet, ATT_HEADER_BYTES + 1, at_ns)


__all__ = ["Taped"]
