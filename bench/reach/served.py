"""A server of the bench's beside the cases: it runs in a thread of its own, and is there when it is made."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from virtual_devices.errors import LinkError

START_S, STOP_S = 20.0, 10.0


class Runs(Protocol):
    """What can be served: ``run`` says when it has begun, and returns after ``stop``."""

    def run(self, started: Callable[[], None]) -> None: ...

    def stop(self) -> None: ...


class Served:
    """From here to :meth:`stop`. ``what``: as its error begins. Raises LinkError when it has not begun in time."""

    def __init__(self, server: Runs, what: str) -> None:
        self._server = server
        started = threading.Event()
        self._thread = threading.Thread(target=server.run, args=(started.set,), name=what, daemon=True)
        self._thread.start()
        if not started.wait(START_S):
            self.stop()
            raise LinkError(f"{what} is not served after {START_S:g} s")

    def stop(self) -> None:
        self._server.stop()
        self._thread.join(STOP_S)


__all__ = ["Runs", "Served"]
