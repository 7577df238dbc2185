"""The fonts: Noto Sans TC for text and figures, Noto Serif TC for headings, embedded as a subset of what a page uses.

Both come from the package ``pylopdf-fonts-zh-tw`` (SIL Open Font License), so no font of the machine matters. A subset
depends on nothing but the characters: its ``modified`` field keeps the original's date.
"""

from __future__ import annotations

import base64
import io
from functools import cache
from pathlib import Path

import numpy as np
import pylopdf_fonts_zh_tw as noto
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray

SANS = "Noto Sans TC"
SERIF = "Noto Serif TC"


def subset(path: Path, characters: str) -> bytes:
    """A WOFF of the font at ``path`` with the glyphs for ``characters`` only; the same characters give the same bytes."""
    font = TTFont(path, recalcTimestamp=False, lazy=True)
    options = Options()
    options.layout_features = ["kern", "tnum"]
    options.hinting = False
    options.desubroutinize = True
    options.notdef_outline = True
    options.name_IDs = [0, 1, 2, 4, 6, 13, 14]  # the licence stays with the font
    subsetter = Subsetter(options)
    subsetter.populate(text="".join(sorted(set(characters))))
    subsetter.subset(font)
    font.flavor = "woff"
    out = io.BytesIO()
    font.save(out, reorderTables=True)
    return out.getvalue()


def faces(sans: str, serif: str) -> str:
    """The CSS ``@font-face`` rules, data inside, for the characters set in either font."""
    return _face(SANS, Path(noto.sans_path()), sans) + _face(SERIF, Path(noto.serif_path()), serif)


def _face(family: str, path: Path, text: str) -> str:
    coded = base64.b64encode(subset(path, text)).decode("ascii")
    return f'@font-face{{font-family:"{family}";font-weight:400;src:url(data:font/woff;base64,{coded}) format("woff");}}'


@cache
def register() -> None:
    """Tell matplotlib the font, once: text is laid out with the widths that the page will show."""
    font_manager.fontManager.addfont(str(noto.sans_path()))


def width_px(text: str, size_px: float) -> float:
    """How wide a text will stand in the sans font, in pixels."""
    font = _sans()
    font.set_size(size_px, 72)
    font.set_text(text)
    return float(font.get_width_height()[0]) / 64


def bitmap(text: str, height_px: int) -> NDArray[np.uint8]:
    """A text as an image, rows by columns, 0 paper to 255 ink."""
    font = _sans()
    font.set_size(height_px, 72)
    font.set_text(text)
    font.draw_glyphs_to_bitmap()
    return np.asarray(font.get_image())


@cache
def _sans() -> FT2Font:
    """The sans font, opened once: opening it costs more than measuring thirty texts."""
    return FT2Font(str(noto.sans_path()))
