"""QR codes in pictures: moniker ``qr:PATH``, where PATH is a picture, or a folder that a camera writes to.

Of a folder the newest picture counts; one that was read is not read again, and one that is being written is waited for. A picture
that is named itself is read as it stands, as often as one asks. The library runs in a worker process (:mod:`bench.worker`):
pictures of strangers are unpacked there. docs/reference/qr.md has the table from event to outcome.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

import cbor2

from bench.drivers import Found
from bench.libraries import require
from bench.worker import Ended, Reply, Worker
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.link import Attempt, Outcome, Provenance
from virtual_devices.mdoc.engagement import QR_SCHEME
from virtual_devices.qr.text import CARD, CHALLENGE, PART, PRESCRIPTION
from virtual_devices.qr.token import TEXT_PREFIX
from virtual_devices.wallet.faces import SCAN

WORKER = "bench.drivers._qr_worker"
FORMATS = ("PNG", "JPEG", "BMP", "PPM")
"""Formats that are unpacked, by Pillow's names."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm")
"""Names that count in a folder; hidden files never do."""
MAX_FILE_BYTES = 32 << 20
MAX_PIXELS = 25_000_000
"""More than a phone's camera gives in its usual mode. One with transparency takes 300 MB while it is made grey."""
SLACK_S = 0.5
"""A worker that has not reported this long after the limit is stuck in a picture and is killed."""

OURS = (CARD, CHALLENGE, PRESCRIPTION, PART, QR_SCHEME)
_TOKEN = re.compile(re.escape(TEXT_PREFIX) + "[0-9A-Za-z_-]+").fullmatch


class Op(IntEnum):
    """What the worker is asked for: payload -> answer."""

    LOOK = 1  # cbor {"path", "deadline", "before_ns"} -> cbor [Place, duration_ns]
    SCAN = 2  # cbor {"path", "deadline"} -> cbor [Ending, texts, text for a person, duration_ns, moment of the picture]
    WATCH = 3  # path -> for ever, an answer for each change: cbor [kind, at_ns, detail]


class Place(IntEnum):
    """What stands at a path."""

    NOTHING = 0
    FILE = 1
    FOLDER = 2
    OTHER = 3  # a pipe, a device


class Ending(IntEnum):
    """How a scan ended."""

    READ = 0
    NOTHING = 1  # no code of ours within the limit; the text says what there was
    DAMAGED = 2  # a picture that cannot be unpacked; the text says which and why
    GONE = 3  # nothing stands at the path any more


def discover(*, env: Mapping[str, str] | None = None) -> list[Found]:
    """Nothing: a path is named, never looked for."""
    return []


def open(spec: str, *, env: Mapping[str, str] | None = None) -> QrLink:
    """A link to the codes in the picture or the folder ``spec``. UsageError without a path, LinkError when nothing that can be
    read stands there. ``env`` is laid over the environment of the worker."""
    if not spec:
        raise UsageError("qr: needs a picture or a folder of pictures, for example 'qr:/tmp/camera'")
    need_libraries()
    link = QrLink(str(Path(spec).absolute()), Worker(WORKER, env=env))
    try:
        if link.connect(0.0).outcome is not Outcome.REPLIED:
            raise LinkError(f"'qr:{spec}': {link.last_error}")
        link.disconnect()
    except BaseException:
        link.close()
        raise
    return link


def need_libraries() -> None:
    """Raises LinkError when this installation cannot read pictures."""
    require("zxingcpp", "PIL")


def ours(text: str) -> bool:
    """Whether a text is of a scheme of the bench: it says so itself, and nothing of it is checked."""
    return text.isascii() and (text.startswith(OURS) or _TOKEN(text) is not None)


def kind_of(text: str) -> str:
    """The scheme of a text of :func:`ours`."""
    return next((prefix for prefix in OURS if text.startswith(prefix)), TEXT_PREFIX)


class QrLink:
    """One scan at a time of what is before the camera (:class:`virtual_devices.link.Link`).

    ``connect`` first; after any outcome but REPLIED, ``connect`` again. Of one picture each code of ours is answered once, from
    the top down, then the left; two of one kind that are no parts of a set are GARBLED: nobody should choose between two people.
    ``found``: all texts of the last picture, foreign ones too.
    """

    channel = "qr"
    provenance = Provenance.MEASURED

    def __init__(self, path: str, worker: Worker) -> None:
        self.path = path
        self.device = f"qr:{path}"
        self.last_error = ""
        self.found: tuple[str, ...] = ()
        self._worker = worker
        self._connected = False
        self._waiting: list[str] = []  # codes of the last picture that nobody has asked for yet
        self._taken_ns = 0

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker while one runs."""
        return self._worker.pid

    @property
    def connected(self) -> bool:
        """Whether codes are looked for now."""
        return self._connected

    def connect(self, timeout_s: float) -> Attempt:
        """Wait for the path. The reply is empty: a screen has no answer to reset."""
        began = time.perf_counter_ns()
        self.disconnect()
        asked = {"path": self.path, "deadline": time.monotonic() + timeout_s,
                 "before_ns": 0 if self._worker.running else self._taken_ns}
        reply = self._worker.call(Op.LOOK, cbor2.dumps(asked), timeout_s + SLACK_S + self._worker.start_s)
        if reply.ended is not Ended.ANSWERED:
            return self._worker_lost(reply, began)
        where, duration_ns = cbor2.loads(reply.payload)
        if where == Place.NOTHING:
            return self._failed(Outcome.GONE, duration_ns, f"{self.path}: no such picture or folder: make it, or name another")
        if where == Place.OTHER:
            return self._failed(Outcome.GONE, duration_ns, f"{self.path}: neither a picture nor a folder: name one of them")
        self._connected, self.last_error = True, ""
        return Attempt(Outcome.REPLIED, duration_ns, b"")

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        """Scan: the reply is the text of one code. The duration is measured in the worker, from the first look to the text."""
        if not self._connected:
            self.last_error = self.last_error or f"{self.path}: not connected: connect first"
            return Attempt(Outcome.GONE, 0)
        if not message:
            return Attempt(Outcome.REPLIED, 0, b"")
        if message != SCAN:
            return self._failed(Outcome.TIMED_OUT, 0, "a screen answers nothing but a scan: connect again")
        if self._waiting:
            return Attempt(Outcome.REPLIED, 0, self._waiting.pop(0).encode("ascii"))
        began = time.perf_counter_ns()
        asked = cbor2.dumps({"path": self.path, "deadline": time.monotonic() + timeout_s})
        reply = self._worker.call(Op.SCAN, asked, timeout_s + SLACK_S)
        if reply.ended is not Ended.ANSWERED:
            return self._worker_lost(reply, began)
        ending, texts, what, duration_ns, taken_ns = cbor2.loads(reply.payload)
        self._taken_ns = max(self._taken_ns, min(taken_ns, time.time_ns()))
        match ending:
            case Ending.READ:
                return self._read(texts, duration_ns)
            case Ending.DAMAGED:
                return self._failed(Outcome.GARBLED, duration_ns, f"damaged picture: {what}; take another")
            case Ending.GONE:
                return self._failed(Outcome.GONE, duration_ns, f"{self.path} has gone: bring it back and connect again")
            case _:
                return self._failed(Outcome.TIMED_OUT, duration_ns, f"{what}; connect again")

    def _read(self, texts: Sequence[str], duration_ns: int) -> Attempt:
        self.found = tuple(texts)
        chosen = [text for text in dict.fromkeys(texts) if ours(text)]
        if kind := _twice(chosen):
            what = f"several codes of the kind {kind} in one picture: show one at a time"
            return self._failed(Outcome.GARBLED, duration_ns, what)
        self.last_error = ""
        first, *self._waiting = chosen
        return Attempt(Outcome.REPLIED, duration_ns, first.encode("ascii"))

    def disconnect(self) -> None:
        """Look away. What is left of the last picture is forgotten; what was read stays read."""
        self._connected = False
        self._waiting = []

    def close(self) -> None:
        """Disconnect and end the worker."""
        self.disconnect()
        self._worker.close()

    def __enter__(self) -> QrLink:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()

    def _failed(self, outcome: Outcome, duration_ns: int, what: str) -> Attempt:
        self.disconnect()
        self.last_error = what
        return Attempt(outcome, duration_ns)

    def _worker_lost(self, reply: Reply, began_ns: int) -> Attempt:
        """The worker was killed because nothing came in time, or it broke."""
        duration_ns = time.perf_counter_ns() - began_ns
        if reply.ended is Ended.TIMED_OUT:
            return self._failed(Outcome.TIMED_OUT, duration_ns, "the reading of a picture hangs; connect again")
        return self._failed(Outcome.GONE, duration_ns, f"the QR worker failed: {reply.text}; connect again")


def _twice(texts: Sequence[str]) -> str:
    """A kind of which there are several that belong to nobody in particular, or ""."""
    kinds = [kind_of(text) for text in texts if not text.startswith(PART)]
    return next((kind for kind in kinds if kinds.count(kind) > 1), "")


__all__ = ["Ending", "Op", "Place", "QrLink", "discover", "kind_of", "need_libraries", "open", "ours"]
