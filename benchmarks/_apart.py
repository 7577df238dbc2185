"""A library alone, in a process of its own: what a process that can be killed costs at least, with nothing of the bench in it.

``python -m benchmarks._apart CHANNEL [WHERE]`` answers until its input ends. Frames, both ways: the length (4 bytes, little
endian), one byte (what is asked), the message.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

from benchmarks._bare import LIMIT_S, Bare, Bleak, Nfcpy, Pyscard
from virtual_devices.errors import LinkError

_HEAD = struct.Struct("<IB")
_REACH, _SEND, _CLOSE = range(3)
_ROOT = str(Path(__file__).resolve().parent.parent)


class Apart:
    """It, seen from here: as the library in this process."""

    def __init__(self, channel: str, where: str = "") -> None:
        self.channel = channel
        line = [sys.executable, "-P", "-m", "benchmarks._apart", channel, where]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))}
        self._child = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=env)

    def reach(self, address: bytes) -> bytes:
        return self._ask(_REACH, address)

    def send(self, message: bytes) -> bytes:
        return self._ask(_SEND, message)

    def close(self) -> None:
        self._ask(_CLOSE, b"")

    def end(self) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait(LIMIT_S)

    def _ask(self, what: int, message: bytes) -> bytes:
        assert self._child.stdin is not None and self._child.stdout is not None
        _write(self._child.stdin.fileno(), what, message)
        got = _read(self._child.stdout.fileno())
        if got is None:
            raise LinkError(f"{self.channel}: the process with the library ended")
        return got[1]


def _write(fd: int, what: int, message: bytes) -> None:
    frame = _HEAD.pack(len(message), what) + message
    while frame:
        frame = frame[os.write(fd, frame) :]


def _read(fd: int) -> tuple[int, bytes] | None:
    data = b""
    while len(data) < _HEAD.size or len(data) < _HEAD.size + _HEAD.unpack_from(data)[0]:
        part = os.read(fd, 1 << 16)
        if not part:
            return None
        data += part
    return _HEAD.unpack_from(data)[1], data[_HEAD.size :]


def _library(channel: str, where: str) -> Bare:
    match channel:
        case "contact":
            return Pyscard(where)
        case "nfc":
            return Nfcpy(int(where))
        case _:
            return Bleak()


def main() -> None:
    bare = _library(*sys.argv[1:])
    while (asked := _read(0)) is not None:
        match asked:
            case (what, message) if what == _SEND:
                answer = bare.send(message)
            case (what, address) if what == _REACH:
                answer = bare.reach(address)
            case _:
                bare.close()
                answer = b""
        _write(1, what, answer)
    bare.close()


if __name__ == "__main__":
    main()
