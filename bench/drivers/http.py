"""A data centre that is somebody else's service: moniker ``https://HOST:PORT/PATH``.

Whole signed messages go to ``PATH`` (``/v1/messages/desk`` when left out) as ``application/cose``. The connection is one with
client certificates: ``VHC_BENCH_CREDENTIALS`` names a directory with ``ca.pem``, ``NAME.pem`` and ``NAME.key``, and
``VHC_BENCH_CREDENTIALS_AS`` the NAME (``clinic`` when left out), as ``vhc-bench present http`` writes them.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cbor2

from bench.worker import START_S, Ended, Worker
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.link import Attempt, Outcome, Provenance

WORKER = "bench.drivers._http_worker"
DESK_PATH = "/v1/messages/desk"
SLACK_S = 0.25
"""So much beyond the limit, a worker that has not answered is killed."""


class Op(IntEnum):
    """What the worker is asked for: payload -> answer."""

    OPEN = 1  # cbor {"url", "ca", "certificate", "key"} -> nothing
    ATTEMPT = 2  # HEAD (0, limit in nanoseconds), message -> HEAD (Ending, nanoseconds), reply or reason


class Ending(IntEnum):
    """How a try ended, as far as this side can know."""

    REPLIED = 0
    UNREACHED = 1  # no connection came about in time: the request was not sent
    REFUSED = 2  # no connection: name, certificate, nobody there
    SILENT = 3  # sent, and no answer in time
    BROKEN = 4  # the connection ended before the answer was whole
    NONSENSE = 5  # an answer that is none of the data centre's


HEAD = struct.Struct("<Bq")
_OUTCOME = {
    Ending.UNREACHED: Outcome.REQUEST_LOST, Ending.REFUSED: Outcome.GONE, Ending.SILENT: Outcome.TIMED_OUT,
    Ending.BROKEN: Outcome.GONE, Ending.NONSENSE: Outcome.GARBLED,
}


def discover(*, env: Mapping[str, str] | None = None) -> list[Any]:
    """Nothing: a service is named, never looked for."""
    return []


def open(spec: str, *, env: Mapping[str, str] | None = None) -> HttpLink:
    """A link to the service at ``spec``: ``//HOST:PORT/PATH``, with or without ``https:``. Raises UsageError for another
    address, LinkError for certificates that are missing."""
    url = spec if spec.startswith("https:") else f"https:{spec}"
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise UsageError(f"{url!r} is no address of a service: https://HOST:PORT, with a path where it is not {DESK_PATH}")
    told = {**os.environ, **(env or {})}
    named = told.get("VHC_BENCH_CREDENTIALS", "")
    if not named:
        raise LinkError("VHC_BENCH_CREDENTIALS names no directory of certificates: 'vhc-bench present http' writes one")
    who = told.get("VHC_BENCH_CREDENTIALS_AS", "clinic")
    files = {"ca": "ca.pem", "certificate": f"{who}.pem", "key": f"{who}.key"}
    paths = {use: Path(named) / name for use, name in files.items()}
    if missing := [str(path) for path in paths.values() if not path.is_file()]:
        raise LinkError(f"missing: {', '.join(missing)}")
    target = url if parts.path not in ("", "/") else f"https://{parts.netloc}{DESK_PATH}"
    worker = Worker(WORKER, env=env)
    link = HttpLink(target, worker, {use: str(path.resolve()) for use, path in paths.items()})
    try:
        link.start()
    except BaseException:
        link.close()
        raise
    return link


class HttpLink:
    """One try at a time towards one service (:class:`virtual_devices.link.Link`). The message's restart (empty) is answered at
    once: a service has no reset. ``last_error`` is what went wrong last, for a person."""

    channel = "network"
    provenance = Provenance.MEASURED

    def __init__(self, url: str, worker: Worker, files: Mapping[str, str]) -> None:
        self.device = url
        self.last_error = ""
        self._worker = worker
        self._opening = cbor2.dumps({"url": url, **files})

    def start(self) -> None:
        """Start the worker. Raises LinkError when it cannot: a certificate file that is none."""
        reply = self._worker.call(Op.OPEN, self._opening, START_S)
        if reply.ended is not Ended.ANSWERED:
            raise LinkError(f"the HTTP worker did not start: {reply.text or reply.ended.value}")

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if not message:
            return Attempt(Outcome.REPLIED, 0, b"")
        if not self._worker.running:
            self.start()
        began = time.perf_counter_ns()
        reply = self._worker.call(Op.ATTEMPT, HEAD.pack(0, round(timeout_s * 1e9)) + message, timeout_s + SLACK_S)
        duration_ns = time.perf_counter_ns() - began
        if reply.ended is Ended.TIMED_OUT:
            self.last_error = "no answer within the limit"
            return Attempt(Outcome.TIMED_OUT, duration_ns)
        if reply.ended is not Ended.ANSWERED:
            self.last_error = f"the HTTP worker failed: {reply.text}"
            return Attempt(Outcome.GONE, duration_ns)
        ending, inside_ns = HEAD.unpack_from(reply.payload)
        rest = reply.payload[HEAD.size :]
        if ending == Ending.REPLIED:
            self.last_error = ""
            return Attempt(Outcome.REPLIED, inside_ns, rest)
        self.last_error = rest.decode("utf-8", "replace")
        return Attempt(_OUTCOME[Ending(ending)], inside_ns)

    def close(self) -> None:
        """End the worker."""
        self._worker.close()

    def __enter__(self) -> HttpLink:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()


__all__ = ["Ending", "HttpLink", "Op", "discover", "open"]
