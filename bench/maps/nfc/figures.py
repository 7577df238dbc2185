"""The map as a picture, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.maps.drawing import LANGUAGES, png, style, svg
from bench.maps.nfc.table import Line
from bench.maps.nfc.trials import MEASURED, MODELLED
from reports.palette import LIGHT, category
from virtual_devices.sensing import Holding

HOLDINGS: Mapping[Holding, tuple[str, str]] = {
    Holding.WEAK_FIELD: ("held too far away", "感應距離過遠"),
    Holding.CASE: ("a case, or metal between", "隔著手機殼或金屬"),
    Holding.WRONG_PLACE: ("antenna beside the reader's", "感應位置不對"),
    Holding.TAKEN_AWAY: ("taken away too early", "太早移開"),
    Holding.TWO_CARDS: ("another card in the field", "感應區有另一張卡"),
}
_TITLE = ("What bad holding costs over NFC", "NFC 感應不良的代價")
_SAYS = (
    "Left scale: share of presentations done at the first tap, with 95 % intervals. Numbers: taps that one presentation took.",
    "左軸：一次感應即完成的比例與 95% 信賴區間。數字：每次出示平均感應次數。",
)
_HOW = {MODELLED: ("modelled", "模擬"), MEASURED: ("measured (nfcpy over UDP)", "實測（nfcpy UDP）")}
_AXIS = ("strength", "程度")


def map_figure(lines: Sequence[Line], language: str) -> dict[str, bytes]:
    """A panel for each way of holding: suffix -> file."""
    at = LANGUAGES.index(language)
    names = list(dict.fromkeys(each.holding for each in lines))
    with style("nfc map"):
        figure = Figure(figsize=(11, 1.4 + 2.7 * -(-len(names) // 3)), dpi=110, layout="constrained")
        grid = figure.subplots(-(-len(names) // 3), 3, squeeze=False, sharey=True)
        for axes in list(grid.flat)[len(names) :]:
            axes.set_visible(False)
        for axes, name in zip(grid.flat, names, strict=False):
            _panel(axes, [each for each in lines if each.holding == name], at)
        for row in grid:
            row[0].set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
        figure.suptitle(f"{_TITLE[at]}\n\n", x=0.01, ha="left", fontsize=15)
        figure.text(0.012, 1 - 0.5 / figure.get_figheight(), _SAYS[at], fontsize=9.5, color=LIGHT["soft"], va="center")
        return {".png": png(figure), ".svg": svg(figure)}  # in this order: SVG sets the resolution


def _panel(axes: Axes, lines: Sequence[Line], at: int) -> None:
    for number, how in enumerate(dict.fromkeys(each.how for each in lines)):
        own = [each for each in lines if each.how == how]
        share = [1 - each.failed for each in own]
        reach = [
            [max(0.0, each.failed_high - each.failed) for each in own], [max(0.0, each.failed - each.failed_low) for each in own],
        ]
        axes.errorbar(
            [each.strength for each in own], share, yerr=reach, color=category(number), marker="os"[number], markersize=4.5,
            linewidth=1.4, elinewidth=0.8, label=_HOW[how][at],
        )
        for each, y in zip(own, share, strict=True):
            if how == MODELLED:
                taps = each.taps / each.presentations
                axes.annotate(f"{taps:.1f}", (each.strength, y), (4, 4), textcoords="offset points", fontsize=8)
    axes.set_title(HOLDINGS[Holding(lines[0].holding)][at], loc="left", fontsize=11.5)
    axes.set_xlabel(_AXIS[at])
    axes.set_ylim(-0.04, 1.12)
    axes.grid(axis="y")


__all__ = ["HOLDINGS", "LANGUAGES", "map_figure"]
