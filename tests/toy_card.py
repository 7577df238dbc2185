"""A small ISO 7816-4 card for the tests of the media, and its presenter as a program (PORT FOLDER [empty]).

READ BINARY gives its data, UPDATE BINARY commits new data, SELECT knows one application, 80 EE 00 nn hangs for nn tenths
of a second or until it is released, 80 EF answers with P1 * 256 + P2 bytes, 80 E9 with the SHA-256 of the whole command, 80 ED
answers nothing, 80 EC one byte. Everything else is refused.
"""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from pathlib import Path

from bench.presenters.control_server import ControlServer
from bench.presenters.vpcd import VpcdPresenter

ATR_T1 = bytes.fromhex("3B80800101")
ATR_T0 = bytes.fromhex("3B00")
AID = bytes.fromhex("D1580000010000000000000000001100")
READ = bytes.fromhex("00B0000000")
SELECT = bytes([0x00, 0xA4, 0x04, 0x00, len(AID)]) + AID
SILENCE = bytes.fromhex("80ED000000")


def update(data: bytes) -> bytes:
    return bytes([0x00, 0xD6, 0x00, 0x00, len(data)]) + data


def long(length: int) -> bytes:
    """A command of that many bytes, 12 at least, whose answer is its digest."""
    head = bytes([0x80, 0xE9, 0, 0])
    return head + b"\0" + (length - 9).to_bytes(2, "big") + bytes(n % 251 for n in range(length - 9)) + b"\0\0"


def answer_of(length: int) -> bytes:
    """The command that is answered with so many bytes, the status word among them."""
    return bytes([0x80, 0xEF]) + (length - 2).to_bytes(2, "big") + (b"\0" if length <= 258 else b"\0\0\0")


def hang(tenths: int) -> bytes:
    return bytes([0x80, 0xEE, 0x00, tenths, 0x00])


class ToyCard:
    def __init__(self, data: bytes = b"toy", atr: bytes = ATR_T1) -> None:
        self.data = data
        self.atr = atr
        self.generation = 0
        self.powered = 0
        self.selected = False
        self.hanging, self.released = threading.Event(), threading.Event()

    def to_image(self) -> bytes:
        return self.data

    def power_on(self) -> bytes:
        self.powered += 1
        self.selected = False
        return self.atr

    def power_off(self) -> None:
        self.selected = False

    def handle(self, request: bytes, now_ns: int) -> bytes:
        if len(request) < 4:
            return b"\x67\x00"
        match request[:2]:
            case b"\x00\xa4" if AID in request:
                self.selected = True
                return b"\x90\x00"
            case b"\x00\xa4":
                return b"\x6a\x82"
            case b"\x00\xb0":
                return self.data + b"\x90\x00"
            case b"\x00\xd6":
                self.data = request[5 : 5 + request[4]]
                self.generation += 1
                if request[2]:  # P1: how long it hangs between the commit and the answer, in tenths of a second
                    time.sleep(request[2] / 10)
                return b"\x90\x00"
            case b"\x80\xee":
                self.hanging.set()
                self.released.wait(request[3] / 10)
                return b"\x90\x00"
            case b"\x80\xef":
                return bytes(request[2] * 256 + request[3]) + b"\x90\x00"
            case b"\x80\xe9":
                return hashlib.sha256(request).digest() + b"\x90\x00"
            case b"\x80\xed":
                return b""
            case b"\x80\xec":
                return b"\x90"
        return b"\x6d\x00"


if __name__ == "__main__":
    VpcdPresenter(
        lambda: None if "empty" in sys.argv else ToyCard(), port=int(sys.argv[1]),
        control=ControlServer("toy", Path(sys.argv[2])), load=ToyCard,
    ).run()
