"""One real medium, one killable process.

A call into a medium's library can block for ever (a card that hangs inside ``SCardTransmit`` cannot be cancelled), and a
thread stuck in it is leaked. So each real medium lives in a child process of its own: a :class:`Worker` sends it one
request frame at a time, waits with ``poll``, and kills it when no answer comes in time. The next request starts it again.

Frames, both ways: length of the payload (4 bytes, little endian), one byte (the operation; in answers the
:class:`_Status`), the payload. Pipes, no pickle: a child can send nothing but bytes.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from pathlib import Path

from virtual_devices.errors import LinkError, UsageError

FRAME_LIMIT_BYTES = 1 << 24
"""Longest payload accepted in either direction; more means that the two sides lost step."""
START_S = 30.0
"""How much longer a call may take that has to start its child first: 0.2 to 1 s when nothing is wrong, most of it imports, and
many times that on a busy machine."""
STOP_GRACE_S = 0.5
"""How long a closed worker may take to end by itself before it is killed."""

_HEAD = struct.Struct("<IB")
_CHUNK_BYTES = 1 << 16
_PR_SET_PDEATHSIG = 1
_PARENT = "VHC_BENCH_WORKER_PARENT"


class _Status(IntEnum):
    ANSWERED = 0
    FAILED = 1


class Ended(Enum):
    """How one call ended."""

    ANSWERED = "answered"
    FAILED = "failed"  # the child caught an exception; the payload is its text
    TIMED_OUT = "timed_out"  # no answer in time: the child was killed
    DIED = "died"  # the child ended by itself; the payload is the end of what it wrote to stderr


@dataclass(frozen=True, slots=True)
class Reply:
    """What one call brought: how it ended, and the payload that goes with that."""

    ended: Ended
    payload: bytes = b""

    @property
    def text(self) -> str:
        """The payload of a failure, for a person."""
        return self.payload.decode("utf-8", "replace")


class Worker:
    """The parent's side. ``module`` is run with ``-m`` and must call :func:`answer_calls`.

    ``env`` is laid over the environment of this process. Calls from several threads take turns; ``kill`` and ``close``
    belong to the owner. Nothing is started before the first call.
    """

    def __init__(self, module: str, args: Sequence[str] = (), *, env: Mapping[str, str] | None = None) -> None:
        self._module = module
        self._args = tuple(args)
        self._env = dict(env or {})
        self._child: subprocess.Popen[bytes] | None = None
        self._to = self._from = self._stderr = -1
        self._poll = select.poll()
        self._buffer = bytearray()
        self._turn = threading.Lock()
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """The child's process id while one runs."""
        return self._child.pid if self._child else None

    @property
    def running(self) -> bool:
        return self._child is not None

    @property
    def start_s(self) -> float:
        """To be added to the limit of the next call: a child may have to be started for it."""
        return 0.0 if self._child else START_S

    def fileno(self) -> int:
        """A descriptor that turns readable when the answer to :meth:`post` begins to arrive (or the child died)."""
        return self._from

    def call(self, op: int, payload: bytes = b"", timeout_s: float = 10.0) -> Reply:
        """Send one request and wait at most ``timeout_s`` for its answer. Raises only when no child can be started."""
        with self._turn:
            deadline = time.monotonic() + timeout_s
            if not self._send(op, payload, deadline):
                return self._lost(deadline)
            return self._receive(deadline)

    def post(self, op: int, payload: bytes = b"") -> None:
        """Send one request whose answer is fetched later with :meth:`collect`."""
        with self._turn:
            self._send(op, payload, time.monotonic() + STOP_GRACE_S)

    @property
    def buffered(self) -> bool:
        """True when :meth:`collect` has a whole answer already; :meth:`fileno` says nothing of it."""
        return len(self._buffer) >= _HEAD.size and len(self._buffer) >= _HEAD.size + _HEAD.unpack_from(self._buffer)[0]

    def collect(self, timeout_s: float) -> Reply:
        """The answer to the last :meth:`post`, or the next of them where the handler gives several."""
        with self._turn:
            return self._receive(time.monotonic() + timeout_s)

    def kill(self) -> None:
        """End the child at once, in whatever it is stuck, and give everything back. The next call starts another."""
        if self._child is not None:
            self._child.kill()
            self._reap()

    def close(self) -> None:
        """Let the child end (it sees the end of its input), kill it if it does not."""
        if self._child is None:
            return
        os.close(self._to)
        self._to = -1
        try:
            self._child.wait(STOP_GRACE_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
        self._reap()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _start(self) -> None:
        request, self._to = os.pipe()
        self._from, answer = os.pipe()
        self._stderr = os.memfd_create("worker-stderr", os.MFD_CLOEXEC)
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", self._module, *self._args],
                stdin=request, stdout=answer, stderr=self._stderr, env=self._environment(),
            )
        except OSError as error:
            for fd in (self._to, self._from, self._stderr):
                os.close(fd)
            raise LinkError(f"cannot start the worker {self._module}: {error}") from error
        finally:
            os.close(request)
            os.close(answer)
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        self._buffer.clear()
        self._poll = select.poll()
        self._poll.register(self._from, select.POLLIN)
        self.starts += 1

    def _environment(self) -> dict[str, str]:
        root = str(Path(__file__).resolve().parent.parent)
        environment = {**os.environ, **self._env}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, environment.get("PYTHONPATH", ""))))
        # The parent-death signal follows the *thread* that started the child: ask for it only where that is the same.
        main = threading.current_thread() is threading.main_thread()
        environment[_PARENT] = str(os.getpid()) if main else ""
        return environment

    def _send(self, op: int, payload: bytes, deadline: float) -> bool:
        """True when the whole frame went out."""
        if len(payload) > FRAME_LIMIT_BYTES:
            raise UsageError(f"a frame of {len(payload)} bytes; at most {FRAME_LIMIT_BYTES}")
        if self._child is None:
            self._start()
        frame = memoryview(_HEAD.pack(len(payload), op) + payload)
        while frame:
            try:
                frame = frame[os.write(self._to, frame) :]
            except BlockingIOError:
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not select.select((), (self._to,), (), left_s)[1]:
                    return False
            except BrokenPipeError:
                return False
        return True

    def _receive(self, deadline: float) -> Reply:
        if self._child is None:
            return self._lost(deadline)
        buffer = self._buffer
        needed = _HEAD.size + (_HEAD.unpack_from(buffer)[0] if len(buffer) >= _HEAD.size else 0)
        while len(buffer) < needed:
            left_s = deadline - time.monotonic()
            if not self._poll.poll(max(0.0, left_s * 1000)):
                self.kill()
                return Reply(Ended.TIMED_OUT)
            chunk = self._read()
            if not chunk:
                return self._lost(deadline)
            buffer += chunk
            if len(buffer) >= _HEAD.size:
                needed = _HEAD.size + _HEAD.unpack_from(buffer)[0]
        _, status = _HEAD.unpack_from(buffer)
        payload = bytes(buffer[_HEAD.size : needed])
        del buffer[:needed]
        return Reply(Ended.ANSWERED if status == _Status.ANSWERED else Ended.FAILED, payload)

    def _read(self) -> bytes:
        try:
            return os.read(self._from, _CHUNK_BYTES)
        except BlockingIOError:  # pragma: no cover - poll said readable
            return b""

    def _lost(self, deadline: float) -> Reply:
        """The pipe broke or stayed full: the child is dead, or as good as dead."""
        if self._child is None:
            return Reply(Ended.DIED, b"no request was posted")
        if time.monotonic() >= deadline:
            self.kill()
            return Reply(Ended.TIMED_OUT)
        self._child.kill()
        self._child.wait()
        said = os.pread(self._stderr, _CHUNK_BYTES, max(0, os.fstat(self._stderr).st_size - 2000))
        code = self._child.returncode
        self._reap()
        return Reply(Ended.DIED, said.strip() or f"worker {self._module} ended with {code}".encode())

    def _reap(self) -> None:
        assert self._child is not None
        self._child.wait()
        self._child = None
        for fd in (self._to, self._from, self._stderr):
            if fd >= 0:
                os.close(fd)
        self._to = self._from = self._stderr = -1
        self._buffer.clear()


Handler = Callable[[bytes], bytes | Iterator[bytes]]
"""Payload of the request -> payload of the answer, or of several answers, each sent when it is there."""


def answer_calls(handlers: Mapping[int, Handler]) -> None:
    """The child's side: answer requests until the input ends. Call it from the module's ``__main__`` block.

    An exception in a handler is answered as FAILED with its text, and the child lives on. Standard input and output are
    taken away from everybody else, so that a library that writes to stdout cannot break the frames.
    """
    frames = Frames.own()
    buffer = bytearray()
    while True:
        while (request := frames.take(buffer)) is None:
            part = os.read(frames.fd_in, _CHUNK_BYTES)
            if not part:
                raise SystemExit(0)
            buffer += part
        op, payload = request
        try:
            answer = handlers[op](payload)
            for part in (answer,) if isinstance(answer, bytes) else answer:
                frames.answer(part)
        except Exception as error:  # the text travels; the parent decides what it means
            frames.fail(error)


@dataclass(frozen=True, slots=True)
class Frames:
    """The child's two pipes, for whoever answers (:func:`answer_calls`, or ``bench.worker_loop``)."""

    fd_in: int
    fd_out: int

    @classmethod
    def own(cls) -> Frames:
        """Take the pipes, and end with the parent from now on."""
        fd_in, fd_out = _own_pipes()
        _die_with_parent(fd_in)
        return cls(fd_in, fd_out)

    @staticmethod
    def take(buffer: bytearray) -> tuple[int, bytes] | None:
        """The next whole request out of what has been read: its operation and payload."""
        if len(buffer) < _HEAD.size:
            return None
        length, op = _HEAD.unpack_from(buffer)
        if len(buffer) < _HEAD.size + length:
            return None
        payload = bytes(buffer[_HEAD.size : _HEAD.size + length])
        del buffer[: _HEAD.size + length]
        return op, payload

    def answer(self, payload: bytes) -> None:
        _write(self.fd_out, _Status.ANSWERED, payload)

    def fail(self, error: Exception) -> None:
        _write(self.fd_out, _Status.FAILED, f"{type(error).__name__}: {error}".encode())


def _write(fd: int, status: _Status, payload: bytes) -> None:
    frame = memoryview(_HEAD.pack(len(payload), status) + payload)
    while frame:
        frame = frame[os.write(fd, frame) :]


def _own_pipes() -> tuple[int, int]:
    fd_in, fd_out = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return fd_in, fd_out


def _die_with_parent(fd_in: int) -> None:
    """End with the parent even when stuck in a C call: by the kernel's signal, and by a thread that sees the hang-up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    parent = os.environ.get(_PARENT, "")
    if parent:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != int(parent):
            os._exit(0)

    def wait_for_hangup() -> None:
        hangup = select.poll()
        hangup.register(fd_in, 0)
        hangup.poll()
        time.sleep(STOP_GRACE_S / 2)  # an idle child ends by itself, tidily, before this
        os._exit(0)

    threading.Thread(target=wait_for_hangup, daemon=True, name="hangup").start()
