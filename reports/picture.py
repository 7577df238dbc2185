"""A picture: what a figure file hands back, and how it becomes SVG inside the page.

A figure is painted twice, for a wide page and for a narrow one, because a picture shrunk to a phone's width cannot be
read. Its colours become CSS variables, its inline styles classes of the page's only style sheet.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from reports import fonts, palette
from reports.palette import LIGHT

WIDE_PX = 980
NARROW_PX = 360


@dataclass(frozen=True)
class Frame:
    """What a figure paints on: an empty matplotlib figure whose point is the page's pixel."""

    figure: Figure
    width_px: int
    height_px: int

    @property
    def narrow(self) -> bool:
        """True for a phone: fewer ticks, shorter labels."""
        return self.width_px < 600

    def axes(self, left_px: float = 60, right_px: float = 20, top_px: float = 24, bottom_px: float = 40) -> Axes:
        """Axes inside margins given in pixels."""
        w, h = self.width_px, self.height_px
        return self.figure.add_axes((left_px / w, bottom_px / h, (w - left_px - right_px) / w, (h - top_px - bottom_px) / h))


@dataclass(frozen=True)
class Picture:
    """A figure ready to be painted. ``finding`` is the sentence above it, ``alt`` what a person who cannot see it is told."""

    finding: str
    alt: str
    paint: Callable[[Frame], None]
    height_px: int = 360
    narrow_height_px: int = 0  # 0: as the wide one


@dataclass(frozen=True)
class Blank:
    """No picture, and the sentence that says why."""

    why: str


@dataclass
class Styles:
    """The inline styles of all figures as classes, numbered in order of appearance."""

    classes: dict[str, str] = field(default_factory=dict)

    def name(self, style: str) -> str:
        return self.classes.setdefault(style, f"f{len(self.classes)}")

    def css(self) -> str:
        return "".join(f".{name}{{{style}}}" for style, name in self.classes.items())


_RC: dict[str, Any] = {
    "font.family": fonts.SANS, "font.size": 12.5, "svg.fonttype": "none", "axes.unicode_minus": True,
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": LIGHT["faint"], "axes.labelcolor": LIGHT["soft"],
    "axes.axisbelow": True, "axes.facecolor": "none", "figure.facecolor": "none", "savefig.facecolor": "none",
    "grid.color": LIGHT["faint"], "grid.linewidth": 0.8, "text.color": LIGHT["ink"], "lines.solid_capstyle": "butt",
    "xtick.color": LIGHT["soft"], "ytick.color": LIGHT["soft"], "xtick.major.size": 0, "ytick.major.size": 0,
    "xtick.minor.size": 0, "ytick.minor.size": 0, "xtick.major.pad": 6, "ytick.major.pad": 6, "patch.linewidth": 0,
    "path.simplify": False,
}


def svg(picture: Picture, name: str, width_px: int, styles: Styles) -> str:
    """The picture as an ``<svg>`` element for the page. ``name`` keeps its ids apart from other figures' ids."""
    fonts.register()
    height_px = (picture.narrow_height_px if width_px == NARROW_PX else 0) or picture.height_px
    settings: Any = {**_RC, "svg.hashsalt": f"{name}-{width_px}"}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(width_px / 72, height_px / 72), dpi=72)
        canvas: Any = FigureCanvasSVG(figure)
        picture.paint(Frame(figure, width_px, height_px))
        out = io.StringIO()
        canvas.print_svg(out, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _for_page(out.getvalue(), picture.alt, width_px, height_px, styles)


def _for_page(source: str, alt: str, width_px: int, height_px: int, styles: Styles) -> str:
    body = source[source.index("<g id=") : source.rindex("</svg>")]
    body = body.replace("xlink:href", "href")
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", body)
    body = re.sub(r' (d|x|y|width|height)="([^"]*)"', lambda m: f' {m[1]}="{_short(m[2], 1)}"', body)
    body = re.sub(r' transform="([^"]*)"', lambda m: f' transform="{_short(m[1], 3)}"', body)
    body = re.sub(r' style="([^"]*)"', lambda m: f' class="{styles.name(_with_variables(m[1]))}"', body)
    body = re.sub(r"\s*\n\s*", "\n", body).strip()
    size = "narrow" if width_px == NARROW_PX else "wide"
    return f'<svg class="{size}" viewBox="0 0 {width_px} {height_px}" role="img" aria-label="{_escaped(alt)}">\n{body}\n</svg>'


def _short(numbers: str, places: int) -> str:
    """The numbers with so many decimals at most: half of a figure's size is digits that nobody sees."""
    return re.sub(r"-?\d+\.\d+", lambda m: f"{float(m[0]):.{places}f}".rstrip("0").rstrip("."), numbers.strip())


def _with_variables(style: str) -> str:
    """Colours of the palette by name; the font's family is the page's own."""
    def variable(match: re.Match[str]) -> str:
        name = palette.name_of(match[0])
        return f"var(--{name})" if name else match[0]

    style = re.sub(r"font: ([\d.]+px)[^;]*", r"font-size: \1", style)
    return re.sub(r"#[0-9a-fA-F]{6}", variable, style).replace("; ", ";").replace(": ", ":")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
