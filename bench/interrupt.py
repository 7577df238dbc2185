"""Ctrl-C, for good: the interrupt is raised at once, and is remembered should something swallow it.

Compiled libraries that call back into Python may take an interrupt that arrives there for an error of their own.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class CtrlC:
    """Use it as a context manager, in the main thread; what was there before is put back."""

    def __init__(self) -> None:
        self.asked = False
        """Somebody has pressed it, and nobody has dealt with that."""
        self._before: Any = None

    def __enter__(self) -> CtrlC:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *exc: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: object) -> None:
        self.asked = True
        raise KeyboardInterrupt

    def check(self, *_: object) -> None:
        """Raise what was swallowed."""
        if self.asked:
            raise KeyboardInterrupt


@contextmanager
def ending(stop: Callable[[], None]) -> Iterator[None]:
    """Within it Ctrl-C and SIGTERM call ``stop`` in place of raising: for what ends by its own word, and would be struck wherever
    it is. In the main thread. Where somebody has asked for Ctrl-C to be ignored (a background job), it is."""
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda *_: stop()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


__all__ = ["CtrlC", "ending"]
