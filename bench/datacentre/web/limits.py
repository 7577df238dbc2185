"""How much one caller may ask: size of a body, requests in a time. What is over is refused before anything is done.

A caller is the connection's certificate; without one, the address. Rates are token buckets.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from bench.datacentre.web.problems import Problem
from virtual_devices.clock import NS, Clock

KEPT_CALLERS = 4096


@dataclass(frozen=True)
class Limits:
    """``body_bytes`` of one request; ``burst`` requests at once, ``per_s`` sustained."""

    body_bytes: int = 4 << 20
    burst: int = 400
    per_s: float = 100.0


class Bucket:
    """Tokens of one caller."""

    __slots__ = ("at_ns", "left")

    def __init__(self, left: float, at_ns: int) -> None:
        self.left, self.at_ns = left, at_ns


class Limited:
    """The application, within limits."""

    def __init__(self, app: Any, limits: Limits, clock: Clock) -> None:
        self._app, self._limits, self._clock = app, limits, clock
        self._buckets: OrderedDict[object, Bucket] = OrderedDict()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._take(_who(scope))
            length = dict(scope["headers"]).get(b"content-length", b"")
            if length.isdigit() and int(length) > self._limits.body_bytes:
                raise self._too_large()
            await self._app(scope, self._counted(receive), send)
        except Problem as e:
            await e.response()(scope, receive, send)

    def _too_large(self) -> Problem:
        return Problem(413, "6015", detail=f"a body has at most {self._limits.body_bytes} bytes: send it in parts")

    def _take(self, who: object) -> None:
        now_ns, limits = self._clock.now_ns(), self._limits
        bucket = self._buckets.pop(who, None) or Bucket(limits.burst, now_ns)
        bucket.left = min(limits.burst, bucket.left + (now_ns - bucket.at_ns) / NS * limits.per_s)
        bucket.at_ns = now_ns
        self._buckets[who] = bucket
        if len(self._buckets) > KEPT_CALLERS:
            self._buckets.popitem(last=False)
        if bucket.left < 1:
            wait_s = max(1, round((1 - bucket.left) / limits.per_s))
            raise Problem(429, "9004", detail=f"too many requests: wait {wait_s} s", headers={"Retry-After": str(wait_s)})
        bucket.left -= 1

    def _counted(self, receive: Any) -> Any:
        taken = 0

        async def counted() -> Any:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limits.body_bytes:
                raise self._too_large()
            return message

        return counted


def _who(scope: dict[str, Any]) -> object:
    chain = scope.get("extensions", {}).get("tls", {}).get("client_cert_chain")
    return chain[0] if chain else (scope.get("client") or ("",))[0]


__all__ = ["Limited", "Limits"]
