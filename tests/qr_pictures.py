"""A phone's screen as pictures in a folder, and a scanner that reads them through zxing-cpp: the QR medium, whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.drivers.qr import WORKER, QrLink
from bench.presenters.qr import Folder, PictureScreen
from bench.worker import Worker
from virtual_devices.link import Attempt, Provenance


@dataclass
class Scanner:
    """A link that looks again before each scan, as a person who holds the phone up does."""

    link: QrLink
    channel: str = "qr"
    provenance: Provenance = Provenance.MEASURED
    device: str = field(init=False)

    def __post_init__(self) -> None:
        self.device = self.link.device

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        self.link.connect(timeout_s)
        return self.link.attempt(message, timeout_s)


@contextmanager
def pictures_in(path: Path, worker: Worker | None = None) -> Iterator[tuple[PictureScreen, Scanner]]:
    """The two ends: what is set as the screen's text is what the scanner reads, through pictures in a new folder there."""
    path.mkdir()
    own = worker or Worker(WORKER)
    try:
        yield PictureScreen(Folder(path)), Scanner(QrLink(str(path), own))
    finally:
        if worker is None:
            own.close()


__all__ = ["Scanner", "pictures_in"]
