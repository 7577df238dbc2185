"""The frames below messages, as a driver's library really carried them: noted in its worker process, fetched after each attempt.

Only when asked for, by ``vhc-bench run --frames``: the worker is told by :data:`ASKED` in its environment. What a worker that was
killed had noted is lost with it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace

import cbor2

from bench.worker import Ended, Worker
from virtual_devices.link import Attempt, Frame, Layer

ASKED = "VHC_BENCH_FRAMES"
MOST = 4096
"""Frames of one attempt that are kept: a peer that sends for ever fills no memory."""
FETCH_S = 5.0


def asked(env: Mapping[str, str] | None) -> bool:
    """Whether frames are wanted of a driver with this environment."""
    return ({**os.environ, **(env or {})}).get(ASKED, "") == "1"


class Tape:
    """The worker's side: the frames of one attempt."""

    def __init__(self, layer: Layer) -> None:
        self.on = asked(None)
        self._layer = layer
        self._began_ns = 0
        self._noted: list[tuple[int, bool, int, bytes]] = []

    def begin(self) -> None:
        """An attempt begins."""
        self._noted.clear()
        self._began_ns = time.perf_counter_ns()

    def note(self, sent: bool, data: bytes, head_bytes: int, at_ns: int = 0) -> None:
        """``at_ns``: by the performance counter, when it was not now."""
        if self.on and len(self._noted) < MOST:
            after_ns = (at_ns or time.perf_counter_ns()) - self._began_ns
            self._noted.append((after_ns, sent, min(head_bytes, len(data)), bytes(data)))

    def told(self, _: bytes = b"") -> bytes:
        """What the parent asks for: cbor [layer, [[after_ns, sent, head_bytes, data]]]."""
        answer: bytes = cbor2.dumps([self._layer.value, self._noted])
        self._noted.clear()
        return answer


def fetched(worker: Worker, op: int, attempt: Attempt) -> Attempt:
    """The parent's side: the attempt with its frames."""
    if not worker.running:
        return attempt
    reply = worker.call(op, timeout_s=FETCH_S)
    if reply.ended is not Ended.ANSWERED:
        return attempt
    layer, noted = cbor2.loads(reply.payload)
    return replace(attempt, frames=tuple(Frame(Layer(layer), *each) for each in noted))


__all__ = ["ASKED", "Tape", "asked", "fetched"]
