"""A face of somebody's software that is asked in JSON over HTTP, within a limit for the whole of it.

Each question has a connection of its own: what one of them did to the connection before does not touch the next. The time for
name, connection, handshake, sending and answer is one limit together; an answer is one JSON object of 1 MiB at most.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from bench.reach.program import read_object
from virtual_devices.errors import LinkError
from virtual_devices.link import Outcome

MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of one question. ``why``: for a person, where there is no answer."""

    outcome: Outcome
    duration_ns: int
    answer: Mapping[str, Any]
    why: str = ""


class JsonFace:
    """``base``: https://HOST:PORT, or http:// of this computer. ``certificate``: whom to believe, in PEM; of a certificate that
    signs itself, as the field's software on its own computer has it, nothing is believed when it is left out. Raises LinkError
    for a file that is none."""

    def __init__(self, base: str, certificate: Path | None = None) -> None:
        self.base = base.rstrip("/")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if certificate is None:
            self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE
        else:
            try:
                self._context.load_verify_locations(certificate)
            except OSError as e:
                raise LinkError(f"{certificate} is no certificate in PEM: {e}") from None

    def ask(self, method: str, path: str, body: object, timeout_s: float) -> Answered:
        """One question; of GET without a body."""
        content = None if method == "GET" else json.dumps(body).encode()
        began_ns = time.perf_counter_ns()
        try:
            raw = asyncio.run(_within(timeout_s, self._asked(method, path, content)))
            outcome, why = Outcome.REPLIED, ""
        except TimeoutError:
            raw, outcome, why = b"", Outcome.TIMED_OUT, f"no answer within {timeout_s:g} s"
        except _TooLong:
            raw, outcome, why = b"", Outcome.GARBLED, f"its answer has more than {MOST_BYTES} bytes"
        except (httpx2.DecodingError, httpx2.RemoteProtocolError) as e:
            heard = "without sending" not in str(e)
            raw, outcome, why = b"", Outcome.GARBLED if heard else Outcome.GONE, f"no HTTP: {e}"
        except httpx2.HTTPError as e:
            raw, outcome, why = b"", Outcome.GONE, f"no connection: {e or type(e).__name__}"
        duration_ns = time.perf_counter_ns() - began_ns
        if outcome is not Outcome.REPLIED:
            return Answered(outcome, duration_ns, {}, f"{self.base}{path}: {why}")
        found = read_object(raw)
        if found is None:
            why = f"{self.base}{path}: its answer is no JSON object: {raw[:80]!r}"
            return Answered(Outcome.GARBLED, duration_ns, {}, why)
        return Answered(outcome, duration_ns, found)

    async def _asked(self, method: str, path: str, content: bytes | None) -> bytes:
        async with httpx2.AsyncClient(verify=self._context, trust_env=False, timeout=None) as client:  # one limit for all
            headers = {"Content-Type": "application/json"} if content is not None else {}
            async with client.stream(method, self.base + path, content=content, headers=headers) as response:
                raw = b""
                async for part in response.aiter_bytes():
                    raw += part
                    if len(raw) > MOST_BYTES:
                        raise _TooLong
                return raw


class _TooLong(Exception):
    pass


async def _within(limit_s: float, asked: Any) -> bytes:
    async with asyncio.timeout(limit_s):
        found: bytes = await asked
        return found


__all__ = ["Answered", "JsonFace"]
