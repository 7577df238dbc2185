"""Codes of our phone before somebody else's camera: in a folder of pictures, a picture, on a terminal, as text.

A code has no reader that could be heard: showing one is answered by nobody. So the transport itself asks (``scan``) when the next
text is due, the device answers with it, and the row says that it was shown; its duration is how long the text before it stood
there.

Pictures are written in one step each, so that no camera program sees half a one. In a folder each code is a file of its own
(``code-000001.png``, ...), of which the last few stay.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bench.files import write
from bench.presenters.serve import Rows, Signal, serve
from conformance.vectors.pictures import png
from virtual_devices.clock import NS, Clock
from virtual_devices.wallet.faces import SCAN, Screen

DWELL_S = 0.4
"""How long each of several codes that belong together is shown, before the next."""
KEPT = 8
"""Pictures that stay in a folder."""

Texts = Callable[[int], list[str]]
"""The texts that belong together, made at a moment (ns)."""
Put = Callable[[str], None]


class Showing:
    """The codes of a phone, renewed: a device that answers each scan with the text of the moment.

    ``period_s``: how long the codes of one making are good. Several that belong together come in turn, for ``DWELL_S`` each.
    """

    atr = b""

    def __init__(self, texts: Texts, period_s: float) -> None:
        self._texts = texts
        self._period_s = period_s
        self._made: list[str] = []
        self._turn = 0
        self._until_ns = 0

    @property
    def stays_s(self) -> float:
        """How long the text that was answered last stays."""
        return self._period_s if len(self._made) < 2 else DWELL_S

    def power_on(self) -> bytes:
        return b""

    def handle(self, request: bytes, now_ns: int) -> bytes:
        if request != SCAN:
            return b""
        if not self._made or now_ns >= self._until_ns:
            self._made, self._turn = self._texts(now_ns), 0
            self._until_ns = now_ns + round(self._period_s * NS)
        text = self._made[self._turn % len(self._made)]
        self._turn += 1
        return text.encode()

    def power_off(self) -> None:
        self._made = []


class QrTransport:
    """A screen, seen from the phone: it asks for a text when the one before has stood for its time (``stays_s``)."""

    channel = "qr"

    def __init__(
        self, device: str, put: Put, stays_s: Callable[[], float], wait: Callable[[float], None] | None = None,
    ) -> None:
        self.device = device
        self._put = put
        self._stays_s = stays_s
        self._over = threading.Event()
        self._wait = wait or self._stopped
        self._lit = self._shown = False

    def receive(self) -> bytes | Signal:
        if not self._lit:
            self._lit = True
            return Signal.POWER_ON
        if self._shown:
            self._wait(self._stays_s())
        self._shown = True
        return Signal.END if self._over.is_set() else SCAN

    def reply(self, message: bytes) -> bool:
        if message:
            self._put(message.decode())
        return bool(message)

    def stop(self) -> None:
        """End, from any thread."""
        self._over.set()

    def _stopped(self, duration_s: float) -> None:
        self._over.wait(duration_s)


class QrPresenter:
    """Keeps codes on a screen until it is stopped. ``put`` shows one text; an exception of it ends the presenting."""

    def __init__(
        self, texts: Texts, period_s: float, put: Put, *, device: str = "qr:screen", rows: Rows = Rows(role="screen"),
        clock: Clock | None = None, wait: Callable[[float], None] | None = None,
    ) -> None:
        self._showing = Showing(texts, period_s)
        self._transport = QrTransport(device, put, lambda: self._showing.stays_s, wait)
        self._rows = rows
        self._clock = clock

    def run(self) -> None:
        """Show until :meth:`stop`."""
        serve(self._showing, self._transport, self._rows, clock=self._clock)

    def stop(self) -> None:
        """End :meth:`run`, from any thread."""
        self._transport.stop()


class Folder:
    """A folder in which each text becomes a picture of its own. UsageError when it cannot be written to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._number = max((_number(found) for found in path.glob("code-*.png")), default=0) if path.is_dir() else 0

    def put(self, text: str) -> None:
        self._number += 1
        write(self.path / f"code-{self._number:06}.png", png(text))
        with suppress(OSError):
            (self.path / f"code-{self._number - KEPT:06}.png").unlink()

    def clear(self) -> None:
        """The screen goes dark: no picture is there any more."""
        for found in self.path.glob("code-*.png"):
            with suppress(OSError):
                found.unlink()


def _number(path: Path) -> int:
    digits = path.stem.removeprefix("code-")
    return int(digits) if digits.isascii() and digits.isdigit() else 0


class PictureScreen(Screen):
    """A phone's screen before a camera: whatever text stands on it is a picture in a folder, new each time it is set."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._text = ""

    @property
    def text(self) -> str:
        return self._text

    @text.setter
    def text(self, text: str) -> None:
        self._text = text
        if text:
            self._folder.put(text)
        else:
            self._folder.clear()


__all__ = ["DWELL_S", "Folder", "PictureScreen", "QrPresenter", "QrTransport", "Showing"]
