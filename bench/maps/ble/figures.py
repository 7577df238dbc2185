"""The map as a picture, in English and Chinese: presentations had at the first try, and how long they took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.maps.ble.table import Cell, Table
from bench.maps.ble.trials import BY_NAME
from bench.maps.drawing import DPI, LANGUAGES, png, style, svg
from reports.palette import LIGHT, category

_WORDS: Mapping[str, tuple[str, str, str, str, Mapping[str, str], Mapping[str, str]]] = {
    "en": (
        "What bad air does to presentations over Bluetooth LE",
        "Emulated air, {trials} presentations a point, bars: 95 % intervals; time: medians of connecting and of the exchange.",
        "done at the first try", "seconds",
        {"peripheral": "mdoc peripheral server mode", "central": "mdoc central client mode"},
        {"lost": "share of packets", "cut": "share of link messages", "unheard": "share of advertisements", "interval": "ms"},
    ),
    "zh-TW": (
        "無線環境不良對藍牙低功耗出示的影響",
        "模擬的無線環境，每點 {trials} 次出示，直線為 95% 信賴區間；時間為連線加上一問一答的中位數。",
        "第一次即成功", "秒",
        {"peripheral": "mdoc 周邊伺服器模式", "central": "mdoc 中央用戶端模式"},
        {"lost": "封包比例", "cut": "鏈路訊息比例", "unheard": "廣播比例", "interval": "毫秒"},
    ),
}


def map_figure(table: Table, language: str) -> dict[str, bytes]:
    """A column for each weakness: above the share, below the time. Suffix -> file."""
    title, says, first, seconds, modes, units = _WORDS[language]
    names = list(dict.fromkeys(c.weakness for c in table.cells))
    with style("ble map"):
        figure = Figure(figsize=(3.2 * len(names) + 0.6, 5.6), dpi=DPI, layout="constrained")
        grid = figure.subplots(2, len(names), squeeze=False, sharey="row", sharex="col")
        for number, name in enumerate(names):
            cells = [c for c in table.cells if c.weakness == name]
            _column(grid[0][number], grid[1][number], cells, modes)
            weakness = BY_NAME[name]
            grid[0][number].set_title(weakness.zh if language == "zh-TW" else weakness.en, loc="left", fontsize=11.5)
            grid[1][number].set_xlabel(units[name])
        grid[0][0].set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
        grid[0][0].set_ylabel(first)
        grid[1][0].set_ylabel(seconds)
        handles, labels = grid[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
        figure.suptitle(f"{title}\n\n", x=0.01, ha="left", fontsize=15)
        says = says.format(trials=max(c.trials for c in table.cells))
        figure.text(0.012, 1 - 0.5 / figure.get_figheight(), says, fontsize=9.5, color=LIGHT["soft"], va="center")
        return {".png": png(figure), ".svg": svg(figure)}  # in this order: SVG sets the resolution


def _column(above: Axes, below: Axes, cells: Sequence[Cell], modes: Mapping[str, str]) -> None:
    strengths = list(dict.fromkeys(c.strength for c in cells))
    for number, mode in enumerate(dict.fromkeys(c.mode for c in cells)):
        own = [c for c in cells if c.mode == mode]
        x = [strengths.index(c.strength) + (number - 0.5) * 0.08 for c in own]
        reach = [[c.first_try - c.first_try_low for c in own], [c.first_try_high - c.first_try for c in own]]
        look: Any = {"color": category(number), "marker": "os"[number % 2], "markersize": 4.5, "linewidth": 1.4}
        above.errorbar(x, [c.first_try for c in own], yerr=reach, elinewidth=0.8, label=modes[mode], **look)
        times = [(at, (c.connect_ms_p50 + c.exchange_ms_p50) / 1000) for at, c in zip(x, own, strict=True)
                 if c.connect_ms_p50 is not None and c.exchange_ms_p50 is not None]
        below.plot([at for at, _ in times], [taken_s for _, taken_s in times], **look)
    above.set_ylim(-0.04, 1.06)
    below.set_xticks(range(len(strengths)), [f"{s:g}" for s in strengths])
    below.set_ylim(bottom=0)
    for axes in (above, below):
        axes.grid(axis="y")


__all__ = ["LANGUAGES", "map_figure"]
