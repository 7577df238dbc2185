"""What an ASGI application that loses answers on purpose needs of a request: its body, and the moment when its sender has gone.

An application is called with ``receive``, which gives its messages one by one (ASGI, HTTP connection scope).
"""

from __future__ import annotations

from typing import Any


async def body(receive: Any, most_bytes: int) -> bytes | None:
    """The whole body; None when its sender has gone before its end, or it is longer than that."""
    read = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        read += bytes(message.get("body", b""))
        if len(read) > most_bytes:
            return None
        if not message.get("more_body", False):
            return read


async def gone(receive: Any) -> None:
    """Returns when the sender has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


__all__ = ["body", "gone"]
