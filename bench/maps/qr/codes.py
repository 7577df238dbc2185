"""The codes that are looked at: those of the virtual card, as its phone shows them, and how large each is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import numpy as np
import segno
from PIL import Image

from bench.presenting import sample_epoch_ns
from bench.sample_phone import SamplePhone
from virtual_devices.clock import NS

MODULE_PX, QUIET_MODULES = 6, 4
"""Pixels that the camera sees of a module when it is as it should be, and the quiet zone (ISO/IEC 18004)."""
HOUR_NS = 3600 * NS


class Level(Enum):
    """Error correction, and about how much of a code may be lost."""

    L = "L"  # 7 %
    M = "M"  # 15 %
    Q = "Q"  # 25 %
    H = "H"  # 30 %


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of code. ``made``: its text from a phone at a moment; of several that belong together the first."""

    name: str
    zh: str
    en: str
    made: Callable[[SamplePhone, int], str]


KINDS: Mapping[str, Kind] = {
    kind.name: kind for kind in (
        Kind("token", "權杖碼", "token", lambda phone, now_ns: phone.token(now_ns)[0]),
        Kind("engagement", "連線碼", "engagement", lambda phone, now_ns: phone.engagement(now_ns)[0]),
        Kind("prescription", "處方分段碼", "prescription, one part", lambda phone, now_ns: phone.prescription(now_ns)[0]),
        Kind("card", "卡片碼", "card", lambda phone, now_ns: phone.card(now_ns)[0]),
    )
}


@dataclass(frozen=True, slots=True)
class Code:
    """One code of a kind. ``modules``: dark ones are True, without quiet zone."""

    kind: Kind
    text: str
    level: Level
    version: int
    modules: np.ndarray

    @classmethod
    def make(cls, kind: Kind, text: str, level: Level) -> Code:
        symbol = segno.make(text, error=level.value.lower(), micro=False, boost_error=False)
        return cls(kind, text, level, int(symbol.version), np.array([list(row) for row in symbol.matrix], dtype=bool))

    @property
    def side(self) -> int:
        """Modules of a side, quiet zone included."""
        return len(self.modules) + 2 * QUIET_MODULES

    def picture(self, module_px: int = MODULE_PX) -> Image.Image:
        """As a screen shows it: black on white, with the quiet zone."""
        grid = np.pad(~self.modules, QUIET_MODULES, constant_values=True)
        return Image.fromarray(np.kron(grid, np.ones((module_px, module_px), dtype=bool)).astype(np.uint8) * 255)


@lru_cache(maxsize=16)
def several(kind: Kind, level: Level, seed: int, count: int) -> tuple[Code, ...]:
    """Different codes of one kind: of one holder, made one after another. The same seed gives the same codes."""
    epoch_ns = sample_epoch_ns()
    phone = SamplePhone(seed, epoch_ns)
    return tuple(Code.make(kind, kind.made(phone, epoch_ns + number * HOUR_NS), level) for number in range(count))


__all__ = ["KINDS", "MODULE_PX", "QUIET_MODULES", "Code", "Kind", "Level", "several"]
