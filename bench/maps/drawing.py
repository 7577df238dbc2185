"""What the pictures of all maps have in common: languages, style, and the files that a figure becomes."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from reports import fonts
from reports.palette import LIGHT

LANGUAGES = ("en", "zh-TW")
DPI = 110
_STYLE: Any = {
    "font.family": fonts.SANS, "font.size": 10, "svg.fonttype": "path", "axes.spines.top": False, "axes.spines.right": False,
    "axes.edgecolor": LIGHT["faint"], "text.color": LIGHT["ink"], "axes.labelcolor": LIGHT["soft"],
    "xtick.color": LIGHT["soft"], "ytick.color": LIGHT["soft"], "grid.color": LIGHT["faint"],
    "figure.facecolor": LIGHT["paper"], "axes.facecolor": LIGHT["paper"],
}


def style(name: str) -> AbstractContextManager[None]:
    """The style, for as long as a figure is made and written. ``name``: what an SVG's ids are made from, so that it is the same
    each time."""
    fonts.register()
    return mpl.rc_context({**_STYLE, "svg.hashsalt": name})


def svg(figure: Figure) -> bytes:
    out = io.BytesIO()
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(out, metadata={"Date": None, "Creator": None})
    return out.getvalue()


def png(figure: Figure) -> bytes:
    out = io.BytesIO()
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(out, metadata={"Software": None})
    return out.getvalue()


__all__ = ["DPI", "LANGUAGES", "png", "style", "svg"]
