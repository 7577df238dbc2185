"""The map as pictures, in Chinese and English: shares that were read, and samples of what the camera saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from bench.maps.drawing import DPI, LANGUAGES, png, style, svg
from bench.maps.qr.codes import KINDS
from bench.maps.qr.table import Cell, Table
from bench.maps.qr.weaknesses import BY_NAME, SEVERAL, Weakness
from reports.drawing import beside
from reports.palette import LIGHT, category

THUMB_PX = 150
MARKS = "osD^vP"


@dataclass(frozen=True, slots=True)
class Words:
    """What stands in a picture, in one language."""

    map_title: str
    map_says: str
    samples_title: str
    samples_says: str


WORDS: Mapping[str, Words] = {
    "en": Words(
        "Where QR codes can be read",
        "Share of pictures in which the code's own text was found, by strength of each weakness. "
        "{reader}, {trials} pictures a point, level {level}, bars: 95 % intervals.",
        "What the camera saw",
        "The {kind} code under each weakness, by strength. In brackets: share that was read.",
    ),
    "zh-TW": Words(
        "QR 碼在何處讀得到",
        "各種弱點在不同強度下，正確讀出該碼內容的圖片比例。"
        "{reader}，每點 {trials} 張圖，容錯等級 {level}，直線為 95% 信賴區間。",
        "相機看到的樣子",
        "{kind}在各種弱點與強度下的樣子。括號內為讀出比例。",
    ),
}


def named(weakness: Weakness, language: str) -> str:
    return weakness.zh if language == "zh-TW" else weakness.en


def unit(weakness: Weakness, language: str) -> str:
    return weakness.unit_zh if language == "zh-TW" else weakness.unit


def map_figure(table: Table, level: str, language: str) -> dict[str, bytes]:
    """The shares of one level, a panel for each weakness: suffix -> file."""
    words = WORDS[language]
    cells = [c for c in table.cells if c.level == level]
    names = list(dict.fromkeys(c.weakness for c in cells))
    rows = -(-len(names) // 3)
    with style("qr map"):
        figure = Figure(figsize=(11, 1.5 + 2.7 * rows), dpi=DPI, layout="constrained")
        grid = figure.subplots(rows, 3, squeeze=False, sharey=True)
        for axes, name in zip(grid.flat, names, strict=False):
            _panel(axes, BY_NAME[name], [c for c in cells if c.weakness == name], language)
        for axes in list(grid.flat)[len(names) :]:
            axes.set_visible(False)
        for row in grid:
            row[0].set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
        says = words.map_says.format(reader=table.reader, trials=max(c.trials for c in cells), level=level)
        figure.suptitle(f"{words.map_title}\n\n", x=0.01, ha="left", fontsize=15)
        figure.text(0.012, 1 - 0.5 / figure.get_figheight(), says, fontsize=9.5, color=LIGHT["soft"], va="center")
        return {".png": png(figure), ".svg": svg(figure)}  # in this order: SVG sets the resolution


def _panel(axes: Axes, weakness: Weakness, cells: Sequence[Cell], language: str) -> None:
    strengths = list(dict.fromkeys(c.strength for c in cells))
    kinds = list(dict.fromkeys(c.kind for c in cells))
    for number, kind in enumerate(kinds):
        own = {c.strength: c for c in cells if c.kind == kind}
        x = np.array([strengths.index(s) for s in own]) + (number - (len(kinds) - 1) / 2) * 0.09
        read = np.array([1 - c.failed for c in own.values()])
        reach = np.array([[1 - c.failed - (1 - c.failed_high), (1 - c.failed_low) - (1 - c.failed)] for c in own.values()]).T
        first = next(iter(own.values()))
        label = f"{KINDS[kind].zh if language == 'zh-TW' else KINDS[kind].en} ({first.version}-{first.level})"
        axes.errorbar(
            x, read, yerr=np.clip(reach, 0, 1), color=category(number), marker=MARKS[number % len(MARKS)], markersize=4.5,
            linewidth=1.4, elinewidth=0.8, label=label,
        )
    axes.set_title(named(weakness, language), loc="left", fontsize=11.5)
    axes.set_xticks(range(len(strengths)), [f"{s:g}" for s in strengths])
    axes.set_xlabel(unit(weakness, language))
    axes.set_ylim(-0.04, 1.06)
    axes.grid(axis="y")


def samples_figure(
    samples: Mapping[tuple[str, float], Image.Image], shares: Mapping[tuple[str, float], float], kind: str, language: str,
) -> dict[str, bytes]:
    """A row for each weakness, a picture for each strength: suffix -> file. Keys: weakness, strength."""
    words = WORDS[language]
    names = list(dict.fromkeys(name for name, _ in samples))
    columns = max(sum(n == name for n, _ in samples) for name in names)
    with style("qr map"):
        figure = Figure(figsize=(1.6 + 1.4 * columns, 1.0 + 1.62 * len(names)), dpi=DPI)
        grid = figure.subplots(len(names), columns, squeeze=False)
        left, top = 1.45 / figure.get_figwidth(), 1 - 1.0 / figure.get_figheight()
        figure.subplots_adjust(left=left, right=0.99, bottom=0.01, top=top, hspace=0.2, wspace=0.06)
        for row, name in zip(grid, names, strict=True):
            weakness = BY_NAME[name]
            for axes in row:
                axes.set_axis_off()
            for axes, strength in zip(row, [s for n, s in samples if n == name], strict=False):
                axes.imshow(_thumb(samples[name, strength], whole=name == SEVERAL), cmap="gray", vmin=0, vmax=255)
                share = f"{shares[name, strength]:.0%}"
                axes.set_title(f"{strength:g} ({share})", fontsize=9, pad=3)
            beside(row[0], named(weakness, language), 0, 0.5, dx=-6, dy=6, ha="right", fontsize=10.5, xycoords="axes fraction")
            beside(row[0], unit(weakness, language), 0, 0.5, dx=-6, dy=-7, ha="right", fontsize=8, color=LIGHT["soft"],
                   xycoords="axes fraction")
        height = figure.get_figheight()
        shown = KINDS[kind].zh if language == "zh-TW" else KINDS[kind].en
        figure.text(0.01, 1 - 0.28 / height, words.samples_title, fontsize=15, va="center")
        says = words.samples_says.format(kind=shown)
        figure.text(0.01, 1 - 0.58 / height, says, fontsize=9.5, color=LIGHT["soft"], va="center")
        return {".png": png(figure)}


def _thumb(picture: Image.Image, *, whole: bool) -> np.ndarray:
    """Small enough to look at; a coarse one is enlarged with its pixels to be seen."""
    if whole:
        height = round(THUMB_PX * 2 * picture.height / picture.width)
        return np.asarray(picture.resize((THUMB_PX * 2, height), Image.Resampling.BOX))
    larger = picture.width < THUMB_PX
    return np.asarray(picture.resize((THUMB_PX * 2,) * 2, Image.Resampling.NEAREST if larger else Image.Resampling.BOX))


__all__ = ["LANGUAGES", "map_figure", "samples_figure"]
