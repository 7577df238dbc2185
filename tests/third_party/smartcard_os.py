"""A card whose operating system others wrote: the PyPI package ``smartcard``, behind vpcd.

    smartcard_os.py PORT              a card as the package makes it
    smartcard_os.py PORT NUMBER_HEX PUBLIC_HEX      personalised with the application of the public read

Everything that a command meets is the package's: lengths, classes, instructions, SELECT, file system, status words. Ours are the
name of the application, the two data objects of the public read (tags ``0000`` and ``1100``, which ISO/IEC 7816-4 leaves to
nobody, so that the package gives no way to store them), and vpcd's frames: two bytes of length; a byte alone is the reader's.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Mapping
from typing import Any

import persistent.list  # the package counts on its caller's having them
import persistent.mapping  # noqa: F401
from smartcard import MASTER_FILE_IDENTIFIER, SUCCESS, ApplicationFile, Card  # type: ignore[attr-defined]  # not pyscard

AID = bytes.fromhex("D1580000010000000000000000001100")
NUMBER, PUBLIC = 0x0000, 0x1100
FIRST_TWO = b"\0\0"
"""What readers in the field send with the command."""
ATR = b"\4"
"""Off, on and reset are 0, 1 and 2."""


class HealthCard(Card):  # type: ignore[misc]  # of no typed package
    """With the two data objects, for whoever asks, whatever is selected."""

    objects: Mapping[int, bytes] = {}

    def _handleGetData(self, apdu_head: Any, is_bertlv: bool, command_data: Any, **more: Any) -> bytes:
        found = self.objects.get(apdu_head.parameter1 << 8 | apdu_head.parameter2)
        if found is not None and not is_bertlv and bytes(command_data) == FIRST_TWO:
            return found + SUCCESS
        answer: bytes = super()._handleGetData(apdu_head=apdu_head, is_bertlv=is_bertlv, command_data=command_data, **more)
        return answer


def main() -> None:
    port, *personal = sys.argv[1:]
    card = HealthCard(name=b"master file")
    if personal:
        card.objects = dict(zip((NUMBER, PUBLIC), map(bytes.fromhex, personal), strict=True))
        root = card.traverse((MASTER_FILE_IDENTIFIER,))
        card.createFile(root, ApplicationFile(identifier=b"\x11\x00", name=AID))
    with socket.create_connection(("127.0.0.1", int(port))) as line:
        while (message := frame(line)) is not None:
            if message == ATR:
                answer = bytes(card.getATR())
            elif len(message) == 1:
                card.clearVolatile()
                continue
            else:
                answer = bytes(card.runAPDU(bytearray(message)))
            line.sendall(struct.pack(">H", len(answer)) + answer)


def frame(line: socket.socket) -> bytes | None:
    head = exactly(line, 2)
    return None if head is None else exactly(line, struct.unpack(">H", head)[0])


def exactly(line: socket.socket, count: int) -> bytes | None:
    parts = b""
    while len(parts) < count:
        part = line.recv(count - len(parts))
        if not part:
            return None
        parts += part
    return parts


if __name__ == "__main__":
    main()
