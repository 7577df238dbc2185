"""The control channel of a presenter: exchange the card behind the reader's back, as a hand would.

A Unix socket in a private folder. One frame is a length (4 bytes, big endian) and a CBOR map:

    {"op": "insert", "image", "card_no"}        {"op": "eject"}         {"op": "status"}
    {"op": "holder", "act"}                     what the holder of a phone does
    {"op": "strike", "commands"}                the card is pulled out once it has heard so many more
    {"op": "answers", "command", "answer"}      what it says to one command
    {"op": "lease"}                             the slot is this connection's alone until it closes or says {"op": "release"};
                                                then the presenter's own device comes back

The answer is a map, with ``error`` when it was refused.

Here is the side of whoever exchanges; the presenter's is :mod:`bench.presenters.control_server`. Beside the socket the presenter
keeps the image of the inserted card (:mod:`bench.presenters.images`).
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cbor2

from bench.presenters.images import last_image
from virtual_devices.errors import LinkError, PeerError

FRAME_LIMIT_BYTES = 1 << 24
CARD, WALLET = "card", "wallet"
"""What a slot takes: patients' cards, or phones; others by the name that ``present vpcd --what`` has for them."""
ANSWER_LIMIT_S = 5.0
"""Longest wait of a client. An exchange takes up to 0.8 s, because the virtual reader is polled every 0.4 s."""

LEASE, RELEASE = "lease", "release"
STRIKE, ANSWERS = "strike", "answers"
LENT = "it is lent to somebody who exchanges its devices now: try again when they are done"
NO_LEASE = "it is not lent to you"
BUSY = "another exchange is under way: try again"

HEAD = struct.Struct(">I")

Message = dict[str, Any]


def framed(message: Message) -> bytes:
    """As it goes over the socket."""
    body = cbor2.dumps(message)
    return HEAD.pack(len(body)) + body


def runtime_dir(environ: Mapping[str, str] | None = None) -> Path:
    """The private folder of live presenters, made when missing. LinkError when somebody else could write into it."""
    environ = os.environ if environ is None else environ
    base = environ.get("XDG_RUNTIME_DIR")
    folder = Path(base, "vhc-bench") if base else Path(environ.get("TMPDIR") or "/tmp", f"vhc-bench-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise LinkError(f"cannot make the runtime folder {folder}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise LinkError(f"{folder} is not a private folder of this user (0700): remove it, or set XDG_RUNTIME_DIR")
    return folder


@dataclass(frozen=True, slots=True)
class ControlInfo:
    """One live presenter. Keep it: with ``state_folder`` the last image is found when the presenter is dead."""

    path: Path
    pid: int
    medium: str
    reader: str  # the name under which the reader shows the card, as far as the presenter can know
    card_no: str  # "" when the slot is empty or holds a card without a number
    state_folder: Path
    takes: str = CARD

    def last_image(self, card_no: str) -> bytes | None:
        return last_image(self.state_folder, card_no)


def discover(folder: Path | None = None) -> list[ControlInfo]:
    """The presenters of this user that answer. Sockets that a killed one left behind are passed over."""
    infos = []
    for path in sorted((folder or runtime_dir()).glob("*.sock")):
        try:
            status = Control(path).status()
        except (LinkError, PeerError):
            continue
        infos.append(
            ControlInfo(
                path, status["pid"], status["medium"], status["reader"], status["card_no"], Path(status["state_folder"]),
                status["takes"],
            )
        )
    return infos


class Control:
    """The client. Each call is one connection; LinkError when nobody answers, PeerError when it was refused."""

    def __init__(self, path: Path | str, *, timeout_s: float = ANSWER_LIMIT_S) -> None:
        self.path = Path(path)
        self._timeout_s = timeout_s

    def insert(self, image: bytes, card_no: str, *, quietly: bool = False, kind: str = "") -> bool:
        """Put this card in, after ejecting the one that is there. True once the reader has seen the new card; False when
        no reader came to look within the presenter's limit (the card stays in and is seen later). ``quietly``: where the one that
        is there has no power the reader sees nothing of it, and meets the new one at the next power-on. ``kind``: what the
        image is of, where it is not what the slot is for."""
        asked: Message = {"op": "insert", "image": image, "card_no": card_no}
        asked |= ({"quietly": True} if quietly else {}) | ({"kind": kind} if kind else {})
        return bool(self._ask(asked)["seen"])

    def eject(self) -> bytes:
        """Take the card out and return its image; the reader has seen the removal."""
        image: bytes = self._ask({"op": "eject"})["image"]
        return image

    def holder(self, act: str, **more: Any) -> dict[str, Any]:
        """The holder of what is presented does this: ``look``, ``lead``, ``prove``, ``agree``, ``approve``, ``refuse``,
        ``leave`` (:meth:`bench.willing.WillingHolder.act`). ``met`` in the answer: whether a reader has the phone now."""
        return self._ask({"op": "holder", "act": act, **more})

    def strike(self, commands: int) -> None:
        """The card is pulled out once it has heard so many more commands."""
        self._ask({"op": STRIKE, "commands": commands})

    def answers_by(self, command: bytes, answer: bytes) -> None:
        """The card says this to commands that go on so behind their class, until another is put in; without one, as it should."""
        self._ask({"op": ANSWERS, "command": command, "answer": answer})

    def people(self, answers: Mapping[str, str]) -> None:
        """What the people at the desk type when they are asked for it: of presented control software."""
        self._ask({"op": "people", "answers": dict(answers)})

    def status(self) -> dict[str, Any]:
        """``pid``, ``medium``, ``reader``, ``card_no``, ``inserted``, ``connected``, ``state_folder``, ``takes``."""
        return self._ask({"op": "status"})

    def _ask(self, request: Message) -> Message:
        try:
            with self._connected() as client:
                answer = _said(client, request)
        except (OSError, EOFError, cbor2.CBORDecodeError) as error:
            raise self._none_answers(error) from error
        return _accepted(request, answer)

    def _connected(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.settimeout(self._timeout_s)
            client.connect(str(self.path))
        except BaseException:
            client.close()
            raise
        return client

    def _none_answers(self, error: Exception) -> LinkError:
        return LinkError(f"no presenter answers at {self.path}: {error or type(error).__name__}")


class Lease(Control):
    """What a presenter shows is this client's alone, and nobody else's to exchange or to lead, until :meth:`close`: then the
    presenter's own device comes back. It does, too, when this process ends in whatever way, for the connection ends with it.

    ``image``, ``card_no``: of the device that was in at the start; the image is empty where there was none, or where it has none.
    """

    def __init__(self, path: Path | str, *, timeout_s: float = ANSWER_LIMIT_S) -> None:
        """Raises LinkError when nobody answers, PeerError when the presenter is lent to somebody else, or is never lent."""
        super().__init__(path, timeout_s=timeout_s)
        self._client: socket.socket | None = None
        try:
            self._client = self._connected()
        except OSError as error:
            raise self._none_answers(error) from error
        try:
            own = self._ask({"op": "lease"})
        except BaseException:
            self._end()
            raise
        self.image: bytes = own["image"]
        self.card_no: str = own["card_no"]

    @property
    def over(self) -> bool:
        """It was closed, or the presenter failed to answer: the device is its own again."""
        return self._client is None

    def close(self) -> None:
        """Give the device back; returns when the presenter's own is in again."""
        if self._client is not None:
            with suppress(LinkError, PeerError):  # it comes back all the same, when the connection ends
                self._ask({"op": "release"})
            self._end()

    def _ask(self, request: Message) -> Message:
        if self._client is None:
            raise LinkError(f"the lease of {self.path} is over")
        try:
            answer = _said(self._client, request)
        except (OSError, EOFError, cbor2.CBORDecodeError) as error:
            self._end()  # an answer that comes late would be taken for the next one's
            raise self._none_answers(error) from error
        return _accepted(request, answer)

    def _end(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _said(client: socket.socket, request: Message) -> Message:
    client.sendall(framed(request))
    (length,) = HEAD.unpack(_receive(client, HEAD.size))
    answer: Message = cbor2.loads(_receive(client, length))
    return answer


def _accepted(request: Message, answer: Message) -> Message:
    if "error" in answer:
        raise PeerError(f"the presenter refused {request['op']}: {answer['error']}", code="control")
    return answer


def _receive(client: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        part = client.recv(count - len(data))
        if not part:
            raise EOFError("it closed the connection")
        data += part
    return bytes(data)


__all__ = [
    "ANSWERS", "ANSWER_LIMIT_S", "BUSY", "CARD", "FRAME_LIMIT_BYTES", "HEAD", "LEASE", "LENT", "NO_LEASE", "RELEASE", "STRIKE",
    "WALLET", "Control", "ControlInfo", "Lease", "Message", "discover", "framed", "runtime_dir",
]
