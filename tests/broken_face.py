"""An address before a sound one that breaks as it is told: every connection goes by the fault of the moment."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from urllib.parse import urlsplit

BYTES = 1 << 16
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


class Fault(Enum):
    NONE = "sound"
    REFUSES = "takes no connection"
    HANGS = "takes what is asked and says nothing"
    TRICKLES = "says a byte now and then"
    ENDLESS = "a body without end"
    NOISE = "no HTTP"
    NO_OBJECT = "JSON, and no object"
    DIES = "ends in the middle of its answer"


class BrokenFace:
    """``url``: where it is met."""

    def __init__(self, sound: str) -> None:
        parts = urlsplit(sound)
        assert parts.hostname is not None and parts.port is not None
        self._sound = parts.hostname, parts.port
        self._open: socket.socket | None = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._open.getsockname()[1]}"
        self._fault, self._over = Fault.NONE, threading.Event()
        self._changed = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listen(self._open)

    def breaks(self, fault: Fault) -> None:
        """From now on."""
        self._changed.set()
        self._changed = threading.Event()
        self._fault = fault
        if fault is Fault.REFUSES:
            self._shut()
        elif self._open is None:
            self._open = socket.create_server(("127.0.0.1", int(self.url.rpartition(":")[2])))
            self._listen(self._open)

    def close(self) -> None:
        self._over.set()
        self._changed.set()
        self._shut()
        for thread in self._threads:
            thread.join()

    def _shut(self) -> None:
        if self._open is not None:
            self._open.shutdown(socket.SHUT_RDWR)
            self._open.close()
            self._open = None

    def _listen(self, listening: socket.socket) -> None:
        self._start(self._accept, listening)

    def _start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                asker, _ = listening.accept()
            except OSError:
                return
            self._start(self._serve, asker, self._fault, self._changed)

    def _serve(self, asker: socket.socket, fault: Fault, changed: threading.Event) -> None:
        with asker, suppress(OSError):
            if fault is Fault.NONE:
                self._carry(asker)
                return
            asker.recv(BYTES)
            match fault:
                case Fault.TRICKLES:
                    while not changed.wait(0.1):
                        asker.sendall(HEAD[:1])
                case Fault.ENDLESS:
                    asker.sendall(HEAD + b"\r\n")
                    while not changed.is_set():
                        asker.sendall(b" " * BYTES)
                case Fault.NOISE:
                    asker.sendall(bytes(range(256)) * 8)
                case Fault.NO_OBJECT:
                    asker.sendall(HEAD + b"content-length: 4\r\n\r\n[1]\n")
                case Fault.DIES:
                    asker.sendall(HEAD + b"content-length: 40\r\n\r\n{\"ERRORCODE\":")
                case _:
                    changed.wait()

    def _carry(self, asker: socket.socket) -> None:
        with socket.create_connection(self._sound) as sound:
            back = threading.Thread(target=_copy, args=(sound, asker))
            back.start()
            _copy(asker, sound)
            back.join()


def _copy(source: socket.socket, to: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(BYTES):
            to.sendall(part)
    with suppress(OSError):
        to.shutdown(socket.SHUT_WR)


@contextmanager
def broken_face(sound: str) -> Iterator[BrokenFace]:
    made = BrokenFace(sound)
    try:
        yield made
    finally:
        made.close()


__all__ = ["BrokenFace", "Fault", "broken_face"]
