"""A program as device under test, ``program:COMMAND``: a library, or the core of an app, message by message without a medium.

The bench starts the command and writes lines to its standard input; each is one JSON object ``{"do": WHAT, ...}`` and is answered
by one line of JSON on standard output before the next one comes. Byte strings are in hex. ``{"error": TEXT}`` says that it could
not be done. What can be asked of which kind of device: docs/reference/programs.md.

A program that is silent for too long, ends, or says what is no answer is ended with all that it started; the next case starts it
anew.
"""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bench.monikers import Kind as Medium
from bench.monikers import Moniker
from bench.reach import Means, RealWay
from conformance.kinds import Suite
from conformance.tester import Result
from virtual_devices.errors import LinkError
from virtual_devices.link import Outcome

CHANNEL = "program"
START_S = 30.0
"""How much longer the first answer of a program may take: it is started for it."""
MOST_BYTES = 1 << 20
"""Longest answer: twice the longest message in hex, and room for the rest."""
LEAVE_S = 1.0
"""How long a program may take to end by itself when its input has ended."""
_CHUNK_BYTES = 1 << 16
_LAST_WORDS_BYTES = 400


@dataclass(frozen=True, slots=True)
class Said:
    """What became of one question. ``why``: for a person, where there is no answer or it says that it could not."""

    outcome: Outcome
    duration_ns: int
    answer: Mapping[str, Any]
    why: str = ""

    @property
    def done(self) -> bool:
        """Whether it has done what was asked."""
        return self.outcome is Outcome.REPLIED and not self.why


class Program:
    """One program, running while it is needed. ``command``: as a shell's words, but no shell reads it."""

    def __init__(self, command: str, env: Mapping[str, str] | None = None) -> None:
        self.command = command
        self._env = dict(env or {})
        self._child: subprocess.Popen[bytes] | None = None
        self._words = -1
        self._buffer = bytearray()

    @property
    def running(self) -> bool:
        """One that did not answer has been ended."""
        return self._child is not None

    def ask(self, do: str, timeout_s: float, **more: object) -> Said:
        """One question and its answer. Raises LinkError when the program cannot be started."""
        limit_s = timeout_s + (0.0 if self._child is not None else START_S)
        child = self._child or self._start()
        began_ns = time.perf_counter_ns()
        outcome, why, line = self._exchange(child, json.dumps({"do": do, **more}).encode() + b"\n", time.monotonic() + limit_s)
        duration_ns = time.perf_counter_ns() - began_ns
        answer = read_object(line) if outcome is Outcome.REPLIED else {}
        if answer is None:
            outcome, why = Outcome.GARBLED, f"its answer is no JSON object on a line: {line[:80]!r}"
        if outcome is not Outcome.REPLIED or answer is None:
            self._end()
            return Said(outcome, duration_ns, {}, f"{self.command}: {why}")
        return Said(outcome, duration_ns, answer, str(answer["error"]) if "error" in answer else "")

    def close(self) -> None:
        """Let it end, and end it when it does not."""
        if self._child is not None and self._child.stdin is not None:
            with suppress(OSError, subprocess.TimeoutExpired):
                self._child.stdin.close()
                self._child.wait(LEAVE_S)
        self._end()

    # -- the process

    def _start(self) -> subprocess.Popen[bytes]:
        self._words = os.memfd_create("program-stderr", os.MFD_CLOEXEC)
        try:
            self._child = subprocess.Popen(
                shlex.split(self.command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._words,
                env={**os.environ, **self._env}, start_new_session=True, bufsize=0,
            )
        except (OSError, ValueError) as e:
            os.close(self._words)
            raise LinkError(f"program:{self.command} cannot be started: {e}") from None
        assert self._child.stdin is not None and self._child.stdout is not None
        os.set_blocking(self._child.stdin.fileno(), False)
        os.set_blocking(self._child.stdout.fileno(), False)
        self._buffer.clear()
        return self._child

    def _exchange(self, child: subprocess.Popen[bytes], request: bytes, limit_s: float) -> tuple[Outcome, str, bytes]:
        assert child.stdin is not None and child.stdout is not None
        to, back, left = child.stdin.fileno(), child.stdout.fileno(), memoryview(request)
        if self._buffer or self._unasked(back):
            return Outcome.GARBLED, "it said more than it was asked", b""
        while b"\n" not in self._buffer:
            wait_s = limit_s - time.monotonic()
            if wait_s <= 0:
                return Outcome.TIMED_OUT, "no answer within the limit", b""
            readable, writable, _ = select.select((back,), (to,) if left else (), (), wait_s)
            try:
                if writable:
                    left = left[os.write(to, left):]
                if readable:
                    part = os.read(back, _CHUNK_BYTES)
                    if not part:
                        return Outcome.GONE, self._last_words(child), b""
                    self._buffer += part
            except OSError:
                return Outcome.GONE, self._last_words(child), b""
            if len(self._buffer) > MOST_BYTES:
                return Outcome.GARBLED, f"its answer has more than {MOST_BYTES} bytes", b""
        line, _, rest = bytes(self._buffer).partition(b"\n")
        self._buffer[:] = rest
        return Outcome.REPLIED, "", line

    def _unasked(self, back: int) -> bool:
        """Whether something has come since the last answer, which would be taken for the next one."""
        with suppress(OSError):
            return bool(select.select((back,), (), (), 0)[0] and os.read(back, _CHUNK_BYTES))
        return False

    def _last_words(self, child: subprocess.Popen[bytes]) -> str:
        with suppress(subprocess.TimeoutExpired):
            child.wait(LEAVE_S)
        said = os.pread(self._words, _LAST_WORDS_BYTES, max(0, os.fstat(self._words).st_size - _LAST_WORDS_BYTES))
        code = "" if child.returncode is None else f" with {child.returncode}"
        return f"it has ended{code}: {said.decode('utf-8', 'replace').strip() or 'without a word'}"

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        os.close(self._words)


def read_object(raw: bytes) -> Mapping[str, Any] | None:
    """The JSON object that these bytes are; None when they are none, or one whose texts nobody can write down."""
    try:
        found = json.loads(raw)
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def bytes_of(answer: Mapping[str, Any], name: str) -> bytes | None:
    """A byte string of an answer; None when there is none."""
    try:
        return bytes.fromhex(answer[name])
    except (KeyError, TypeError, ValueError):
        return None


class ProgramWay(RealWay):
    """``program:COMMAND``: whatever is shown to it, or by it, is invented."""

    def __init__(self, suite: Suite, found: Sequence[Moniker], channel: str, means: Means) -> None:
        super().__init__(suite, found, channel, means)
        self.ours = True
        self.program = Program(found[0].where, means.env)

    @classmethod
    def channels(cls, suite: Suite, found: Sequence[Moniker]) -> tuple[str, ...]:
        del suite  # none of its channels: there is no medium
        return (CHANNEL,) if [one.kind for one in found] == [Medium.PROGRAM] else ()

    def done(self, result: Result) -> Result:
        result = super().done(result)
        if self.program.running:  # it may have said that it cannot, and is well
            self._silent = 0
        return result

    def close(self) -> None:
        self.program.close()


__all__ = ["CHANNEL", "Program", "ProgramWay", "Said", "bytes_of", "read_object"]
