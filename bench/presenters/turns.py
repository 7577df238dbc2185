"""One desk, many askers: calls take turns in a thread of their own, and each waits so long and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
MOST_WAITING = 32
"""Calls under way and waiting; one more is refused at once."""


class Busy(Exception):
    """As many calls wait already as may."""


class Late(Exception):
    """The call has not been answered within its limit. It goes on, and its answer is dropped."""


class Turns:
    """The desk's thread. ``limit_s``: how long a call is waited for, its turn included."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._thread = ThreadPoolExecutor(1, "desk")
        self._waiting = 0

    @property
    def busy(self) -> bool:
        """A call is under way, or waits."""
        return self._waiting > 0

    async def take(self, work: Callable[[], T]) -> T:
        """The work's result. Raises Busy, Late, or what the work raises."""
        if self._waiting >= MOST_WAITING:
            raise Busy
        self._waiting += 1
        future = self._thread.submit(work)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._done) if not loop.is_closed() else None)
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), self.limit_s)
        except TimeoutError:
            if future.done():  # just then, or it raised this itself
                return future.result()
            future.cancel()  # one that has not begun is not done behind its asker's back
            raise Late from None

    def _done(self) -> None:
        self._waiting -= 1

    def put(self, work: Callable[[], T]) -> Future[T]:
        """Work of another thread, such as a hand that changes the card."""
        return self._thread.submit(work)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


__all__ = ["Busy", "Late", "Turns"]
