"""The process that talks HTTP for one link; what travels: :class:`bench.drivers.http.Op`.

A connection is kept between two messages. Each part of a try (name, connection, handshake, sending, waiting) has the whole limit,
and the parent kills this process when the sum of them goes beyond it.
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any

import cbor2
import httpx2

from bench.drivers.http import HEAD, Ending, Op
from bench.worker import answer_calls

MEDIA_TYPE = "application/cose"
MOST_BYTES = 8 << 20
"""Longest answer that is taken; the rest is not read."""


class Line:
    """One service."""

    def __init__(self) -> None:
        self._client: httpx2.Client | None = None
        self._url = ""

    def open(self, payload: bytes) -> bytes:
        """Whom to talk to, and by which certificates."""
        asked: dict[str, Any] = cbor2.loads(payload)
        context = ssl.create_default_context(cafile=asked["ca"] or None)
        if asked["certificate"]:
            context.load_cert_chain(asked["certificate"], asked["key"])
        self._url = asked["url"]
        self._client = httpx2.Client(verify=context, http2=False, trust_env=False, follow_redirects=False)
        return b""

    def attempt(self, payload: bytes) -> bytes:
        """One message. The answer: how it ended, nanoseconds, then the reply or the reason."""
        assert self._client is not None
        timeout_s, began = HEAD.unpack_from(payload)[1] / 1e9, time.perf_counter_ns()
        ending, rest = self._tried(payload[HEAD.size :], timeout_s)
        return HEAD.pack(ending, time.perf_counter_ns() - began) + rest

    def _tried(self, message: bytes, timeout_s: float) -> tuple[Ending, bytes]:
        assert self._client is not None
        try:
            with self._client.stream(
                "POST", self._url, content=message, headers={"Content-Type": MEDIA_TYPE}, timeout=timeout_s,
            ) as response:
                return _read(response)
        except httpx2.TimeoutException as e:
            sent = not isinstance(e, (httpx2.ConnectTimeout, httpx2.PoolTimeout))
            return (Ending.SILENT if sent else Ending.UNREACHED), b"no answer in time" if sent else b"no connection in time"
        except httpx2.ConnectError as e:
            return Ending.REFUSED, _why(e).encode()
        except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError) as e:
            return Ending.BROKEN, f"the connection broke: {e}".encode()
        except (httpx2.HTTPError, httpx2.InvalidURL) as e:
            return Ending.NONSENSE, f"{type(e).__name__}: {e}".encode()


def _read(response: httpx2.Response) -> tuple[Ending, bytes]:
    parts, size = [], 0
    for part in response.iter_bytes():
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            return Ending.NONSENSE, f"the answer has more than {MOST_BYTES} bytes".encode()
    body = b"".join(parts)
    if response.status_code != 200:
        return Ending.NONSENSE, f"HTTP status {response.status_code}: {body[:400].decode('utf-8', 'replace')}".encode()
    if response.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        return Ending.NONSENSE, b"the answer is no " + MEDIA_TYPE.encode()
    return Ending.REPLIED, body


def _why(error: BaseException) -> str:
    """What kept the connection from coming about, in a person's words."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, socket.gaierror):
            return f"the name is not known (DNS): {seen.strerror}"
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"its certificate is refused: {seen.verify_message}"
        if isinstance(seen, ssl.SSLError):
            return f"the TLS handshake failed: {seen.reason}"
        if isinstance(seen, ConnectionRefusedError):
            return "nobody serves there"
        seen = seen.__cause__ or seen.__context__
    return f"no connection: {error}"


if __name__ == "__main__":
    line = Line()
    answer_calls({Op.OPEN: line.open, Op.ATTEMPT: line.attempt})
