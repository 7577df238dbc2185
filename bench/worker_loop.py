"""The child's side of :mod:`bench.worker` for a library that lives in an event loop: requests one by one, the loop never at rest.

What happens between two requests (a connection that breaks off, a peer that asks for a longer packet) is seen when it happens.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from bench.worker import Frames

Answer = Callable[[bytes], Awaitable[bytes]]
Stream = Callable[[bytes], AsyncIterator[bytes]]


async def answer_in_loop(handlers: Mapping[int, Answer], streams: Mapping[int, Stream] | None = None) -> None:
    """Answer requests until the input ends. An exception is answered as a failure with its text, and the child lives on.
    ``streams``: operations with several answers, each sent when it is there, for ever."""
    frames = Frames.own()
    os.set_blocking(frames.fd_in, False)
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    loop.add_reader(frames.fd_in, arrived.set)
    buffer = bytearray()
    while True:
        await arrived.wait()
        arrived.clear()
        try:
            part = os.read(frames.fd_in, 1 << 16)
        except BlockingIOError:  # told once more of what has been read: the loop looks before it lets anybody read
            continue
        if not part:
            return
        buffer += part
        while (request := frames.take(buffer)) is not None:
            op, payload = request
            try:
                if streams and op in streams:
                    async for each in streams[op](payload):
                        frames.answer(each)
                else:
                    frames.answer(await handlers[op](payload))
            except Exception as error:  # the text travels; the parent decides what it means
                frames.fail(error)


__all__ = ["Answer", "Stream", "answer_in_loop"]
