"""The process that opens pictures and reads the codes in them for one link; what travels: :class:`bench.drivers.qr.Op`.

Pictures come from strangers. A file is taken when it is a regular one (no link of a camera's folder is followed, no pipe is
waited for), not too long, of a format that is named here, and of a size that fits into memory: the header is looked at before any
pixel is unpacked.
"""

from __future__ import annotations

import io
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cbor2
import zxingcpp
from PIL import Image

from bench.drivers.qr import FORMATS, MAX_FILE_BYTES, MAX_PIXELS, SUFFIXES, Ending, Op, Place, ours
from bench.worker import answer_calls
from virtual_devices.qr.text import PART

QR_CODES = zxingcpp.barcode_formats_from_str("QRCodeModel2" if hasattr(zxingcpp.BarcodeFormat, "QRCodeModel2") else "QRCode")
"""Full codes alone. Since its version 3 the library means Micro QR codes too by "QRCode", and has seen one ("8330") in the ruins
of a card's code under glare: ``vhc-bench map qr`` found it."""
LOOK_S = 0.02
"""Pause between two looks at the path."""
SETTLE_S = 0.2
"""A picture that cannot be opened is damaged when it has stayed the same for so long; until then it is being written."""
SAME_MOMENT_NS = 60 * 10**9
"""What is older than the newest picture by more than this shows another moment, and is not looked at."""
WATCH_S = 0.1
"""Pause between two looks of the watcher."""


class Mark(NamedTuple):
    """What tells one picture of one name from the next: newest first in order of ``changed_ns``."""

    changed_ns: int
    name: str
    file: int
    size: int


@dataclass(slots=True)
class Seen:
    """What was taken already. ``before_ns``: what is older was seen by a process before this one."""

    marks: set[Mark]
    before_ns: int = 0

    def fresh(self, listing: list[Mark]) -> list[Mark]:
        """The others, newest first. What has gone is forgotten."""
        self.marks &= set(listing)
        since_ns = max(self.before_ns, max((m.changed_ns for m in listing), default=0) - SAME_MOMENT_NS)
        return sorted((m for m in listing if m not in self.marks and m.changed_ns > since_ns), reverse=True)


class Unreadable(Exception):
    """A file that is no picture that can be taken, and why."""


def place(path: Path) -> Place:
    """What stands there now."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return Place.NOTHING
    return Place.FOLDER if stat.S_ISDIR(mode) else Place.FILE if stat.S_ISREG(mode) else Place.OTHER


def _mark(name: str, found: os.stat_result) -> Mark:
    return Mark(found.st_mtime_ns, name, found.st_ino, found.st_size)


def listing(path: Path, where: Place) -> list[Mark]:
    """The pictures there. OSError when the path has gone."""
    if where is Place.FILE:
        return [_mark("", path.stat())]
    marks = []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not entry.name.lower().endswith(SUFFIXES):
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except OSError:  # removed since
                continue
            if stat.S_ISREG(found.st_mode):
                marks.append(_mark(entry.name, found))
    return marks


def opened(path: Path, mark: Mark) -> Image.Image:
    """The picture in shades of grey. Raises Unreadable, OSError."""
    if mark.size > MAX_FILE_BYTES:
        raise Unreadable(f"the file has {mark.size} bytes, at most {MAX_FILE_BYTES} are read")
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_NOFOLLOW if mark.name else 0)
    with os.fdopen(os.open(path / mark.name, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise Unreadable("not a regular file")
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise Unreadable(f"the file has more than {MAX_FILE_BYTES} bytes")
    return unpacked(content)


def unpacked(content: bytes) -> Image.Image:
    """The picture of a file in shades of grey. Raises Unreadable, nothing else."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise Unreadable(f"{width} x {height} pixels, at most {MAX_PIXELS} in all are unpacked")
            return _flat(picture)
    except Unreadable:
        raise
    except Exception as error:  # a picture's decoder raises whatever it likes at a stranger's bytes
        raise Unreadable(f"no whole picture ({', '.join(FORMATS)}): {error}") from error


def _flat(picture: Image.Image) -> Image.Image:
    """Grey, and what is transparent white: a code saved without a background is dark on nothing."""
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        paper = Image.new("RGBA", picture.size, "white")
        paper.alpha_composite(picture.convert("RGBA"))
        return paper.convert("L")
    return picture.convert("L")


def codes(picture: Image.Image) -> list[str]:
    """The texts of all QR codes in a picture, from the top down, then from the left; of other bytes than UTF-8 none."""
    found = zxingcpp.read_barcodes(picture, formats=QR_CODES)
    texts = []
    for code in sorted(found, key=lambda c: (c.position.top_left.y, c.position.top_left.x)):
        try:
            texts.append(code.bytes.decode("utf-8"))
        except UnicodeDecodeError:
            continue
    return texts


class Camera:
    """One link's looking at one path."""

    def __init__(self) -> None:
        self._seen = Seen(set())

    def look(self, payload: bytes) -> bytes:
        """Wait until something stands there: the :class:`Place`, and nanoseconds."""
        asked: dict[str, Any] = cbor2.loads(payload)
        began = time.perf_counter_ns()
        path = Path(asked["path"])
        self._seen.before_ns = max(self._seen.before_ns, asked["before_ns"])
        while (where := place(path)) is Place.NOTHING and time.monotonic() < asked["deadline"]:
            time.sleep(LOOK_S)
        return cbor2.dumps([where, time.perf_counter_ns() - began])

    def scan(self, payload: bytes) -> bytes:
        """The codes of the newest picture that has one of ours: what :class:`Op` says of SCAN."""
        asked: dict[str, Any] = cbor2.loads(payload)
        began = time.perf_counter_ns()
        ending, texts, what, taken_ns = _Scan(Path(asked["path"]), self._seen).until(asked["deadline"])
        return cbor2.dumps([ending, texts, what, time.perf_counter_ns() - began, taken_ns])


class _Scan:
    """One looking for a code."""

    def __init__(self, path: Path, seen: Seen) -> None:
        self._path = path
        self._seen = seen
        self._where = Place.NOTHING
        self._looked: set[Mark] = set()  # pictures without a code of ours
        self._foreign = 0
        self._troubled: dict[Mark, float] = {}  # pictures that cannot be opened: since when

    def until(self, deadline: float) -> tuple[Ending, list[str], str, int]:
        """Ending, texts, a text for a person, moment of the picture."""
        while True:
            self._where = place(self._path)
            if self._where is Place.NOTHING:
                return Ending.GONE, [], "", 0
            try:
                done = self._look(listing(self._path, self._where))
            except OSError:  # removed between two steps
                done = None
            if done is not None:
                return done
            if time.monotonic() >= deadline:
                return Ending.NOTHING, [], self._said(), 0
            time.sleep(LOOK_S)

    def _look(self, found: list[Mark]) -> tuple[Ending, list[str], str, int] | None:
        """Through the pictures that were not looked at, until something can be said; a file is read as often as asked."""
        alone = self._where is Place.FILE
        for mark in found if alone else self._seen.fresh(found):
            if mark in self._looked:
                continue
            try:
                texts = codes(opened(self._path, mark))
            except Unreadable as trouble:
                if time.monotonic() - self._troubled.setdefault(mark, time.monotonic()) < SETTLE_S:
                    return None  # it may be half-written, and what is older must not come before it
                self._seen.marks.add(mark)
                return Ending.DAMAGED, [], f"{mark.name or self._path.name}: {trouble}", mark.changed_ns
            if any(map(ours, texts)):
                self._seen.marks.update([mark] if any(text.startswith(PART) for text in texts) else found)
                return Ending.READ, texts, mark.name, mark.changed_ns
            self._foreign += len(texts)
            self._looked.add(mark)
            self._seen.marks.add(mark)
        return None

    def _said(self) -> str:
        if self._foreign:
            return f"{self._foreign} codes of others were read, and none of the bench's"
        if self._looked:
            return f"no code could be read in {len(self._looked)} pictures: nearer, brighter, straight before the camera"
        return "no new picture came"


def changes(payload: bytes) -> Iterator[bytes]:
    """Each coming and going of a path, for ever: cbor [kind, at_ns, detail]."""
    path = Path(payload.decode())
    was = Place.NOTHING
    while True:
        now = place(path)
        if now is not was:
            if was is not Place.NOTHING:
                yield cbor2.dumps(["vanished", time.time_ns(), ""])
            if now is not Place.NOTHING:
                yield cbor2.dumps(["appeared", time.time_ns(), now.name.lower()])
            was = now
        time.sleep(WATCH_S)


def main() -> None:
    Image.MAX_IMAGE_PIXELS = None  # our own limit stands before the unpacking, for every format
    camera = Camera()
    answer_calls({Op.LOOK: camera.look, Op.SCAN: camera.scan, Op.WATCH: changes})


if __name__ == "__main__":
    main()
