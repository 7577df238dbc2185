"""Latency verdicts in the page of a conformance report: a table of the limits, and of each the samples and the test's path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

from reports.blocks import Block, Cell, Column, FigureBlock, Section, Table, data, number
from reports.catalogue import N_, Catalogue
from reports.formats import digits, duration
from reports.palette import LIGHT
from reports.picture import NARROW_PX, WIDE_PX, Frame, Picture, Styles, svg
from reports.segments import NAMES
from reports.terms import term, word
from virtual_devices.segments import Segment

Limit = Mapping[str, Any]
_SILENT_NS = 2**53 - 1  # a presentation in which the device did not answer at all
_FINDINGS = {
    "pass": N_("After {n} presentations it is sure enough: the limit is kept."),
    "fail": N_("After {n} presentations it is sure enough: the limit is not kept."),
    "inconclusive": N_("{n} presentations decide nothing; about {more} more are needed."),
    "error": N_("The bench or its surroundings failed after {n} presentations."),
    "not-applicable": N_("Nothing was timed."),
}


def section(limits: Sequence[Limit], verdict: Any, words: Catalogue, styles: Styles) -> Section:
    """``verdict(key, words)``: the cell of a verdict."""
    rows: list[list[Cell]] = []
    for each in limits:
        observed = _observed(each["samples_ns"], each["percentile"])
        rows.append([
            verdict(each["verdict"], words), data(each["case"], "name"), data(each["device"]), data(term(words, each["channel"])),
            number(words.say("{value} ms", value=digits(each["limit_ms"]))), number(_time(observed, words)),
            number(f"{len(each['samples_ns']):,}"), number(f"{each['slower']:,}"),
            number(f"{each['more']:,}" if each["more"] else "–"), word(words, each["certainty"]),
        ])
    columns = (
        *(Column(words.say(name)) for name in (N_("Verdict"), N_("Limit"), N_("Device"), N_("Channel"))),
        *(Column(words.say(name), True) for name in (
            N_("At most"), N_("Measured at that percentile"), N_("Presentations"), N_("Slower"), N_("Still needed"))),
        Column(words.say(N_("Certainty"))),
    )
    blocks: list[Block] = [Table(words.say("Limits of latency"), columns, rows, words.say(
        "p95: of a hundred presentations, ninety-five take no longer. A sequential test stops as soon as it is sure."))]
    blocks += [_figure(number_, each, words, styles) for number_, each in enumerate(limits) if each["samples_ns"]]
    failed = sum(each["verdict"] == "fail" for each in limits)
    finding = (words.say_n("{n} limit is not kept.", "{n} limits are not kept.", failed) if failed
               else words.say("{passed} of {n} limits are kept.", n=len(limits),
                              passed=sum(each["verdict"] == "pass" for each in limits)))
    return Section("latency", words.say("How long it takes"), finding, blocks, "bad" if failed else "")


def purpose(each: Limit, words: Catalogue) -> str:
    """What a limit promises, in a sentence."""
    return words.say("{segment}: of a hundred presentations {percentile} take no longer than {time}.",
                     segment=_segment(each, words), percentile=f"{each['percentile']:g}",
                     time=words.say("{value} ms", value=digits(each["limit_ms"])))


def _segment(each: Limit, words: Catalogue) -> str:
    name = NAMES[Segment(each["segment"])]
    return words.say(name)


def _observed(samples: Sequence[int], percentile: float) -> int | None:
    """The sample below or at which so many in a hundred are; None without any."""
    if not samples:
        return None
    return sorted(samples)[max(0, -(-len(samples) * percentile // 100).__int__() - 1)]


def _time(ns: int | None, words: Catalogue) -> str:
    if ns is None:
        return "–"
    return words.say("no answer") if ns >= _SILENT_NS else duration(words, ns)


def _figure(number_: int, each: Limit, words: Catalogue, styles: Styles) -> FigureBlock:
    name = f"latency-{number_}"
    title = words.say("{segment}, over {channel}, on {device}", segment=_segment(each, words),
                      channel=term(words, each["channel"]), device=each["device"])
    told = _FINDINGS[each["verdict"]]
    finding = words.say(told, n=f"{len(each['samples_ns']):,}", more=f"{each['more']:,}")
    caption = words.say(
        "Above: each presentation, and the limit. Below: how many were slower; below the lower line the limit is kept, above the "
        "upper one it is not. Risks: {alpha} % that a device better than {high} in a hundred fails, {beta} % that one worse than "
        "{low} in a hundred passes. At most {most} presentations.",
        alpha=digits(each["alpha"] * 100), beta=digits(each["beta"] * 100), low=f"{each['zone'][0]:g}",
        high=f"{each['zone'][1]:g}", most=f"{each['most']:,}",
    )
    alt = words.say("Times of presentations and the path of the sequential test. {finding}", finding=finding)
    picture = Picture(finding, alt, partial(_paint, each, words), 380, 400)
    wide, narrow = (svg(picture, name, width, styles) for width in (WIDE_PX, NARROW_PX))
    return FigureBlock(name, title, finding, caption, words.say("{units}. ", units=words.say("Time, and number slower")), wide,
                       narrow)


def _paint(each: Limit, words: Catalogue, frame: Frame) -> None:
    above, below = frame.axes(64, 16, 26, 206), frame.axes(64, 16, frame.height_px - 160, 40)
    n = len(each["samples_ns"])
    right = max(10.0, n * 1.08)
    for axes in (above, below):
        axes.set_xlim(0, right)
        axes.grid(axis="y")
    _times(above, each, words)
    above.set_xticklabels([])
    _path(below, each, words, right)
    below.set_xlabel(words.say("Presentations"))


def _times(axes: Any, each: Limit, words: Catalogue) -> None:
    limit = each["limit_ms"]
    answered = [(i, ns / 1e6) for i, ns in enumerate(each["samples_ns"], 1) if ns < _SILENT_NS]
    silent = [i for i, ns in enumerate(each["samples_ns"], 1) if ns >= _SILENT_NS]
    top = max([limit * 1.25, *(ms * 1.1 for _, ms in answered)])
    axes.set_ylim(0, top)
    for style, slower in (({"marker": "o", "color": LIGHT["blue"]}, False), ({"marker": "X", "color": LIGHT["red"]}, True)):
        mine = [(i, ms) for i, ms in answered if (ms > limit) is slower]
        axes.plot([i for i, _ in mine], [ms for _, ms in mine], linestyle="none", markersize=4.5, **style)
    axes.plot(silent, [top * 0.97] * len(silent), linestyle="none", marker="^", markersize=6, color=LIGHT["red"])
    axes.axhline(limit, color=LIGHT["ink"], linewidth=1.2, linestyle=(0, (5, 3)))
    told = words.say("limit {time}", time=words.say("{value} ms", value=digits(limit)))
    axes.annotate(told, (1, limit), (-2, 3), xycoords=axes.get_yaxis_transform(), textcoords="offset points", ha="right",
                  va="bottom", fontsize=11.5)
    axes.set_title(words.say("Milliseconds"), loc="left", fontsize=11.5, color=LIGHT["soft"])


def _path(axes: Any, each: Limit, words: Catalogue, right: float) -> None:
    keeps, breaks, slope = each["lines"]
    counts = list(accumulate((int(ns > each["limit_ms"] * 1e6) for ns in each["samples_ns"]), initial=0))
    top = max(breaks + slope * right, counts[-1] * 1.05, 3.0)
    ends = [0.0, right]
    axes.fill_between(ends, [keeps + slope * x for x in ends], -1, color=LIGHT["green-pale"])
    axes.fill_between(ends, [breaks + slope * x for x in ends], top + 1, color=LIGHT["red-pale"])
    axes.plot(ends, [keeps + slope * x for x in ends], color=LIGHT["green"], linewidth=1.2)
    axes.plot(ends, [breaks + slope * x for x in ends], color=LIGHT["red"], linewidth=1.2)
    axes.step(range(len(counts)), counts, where="post", color=LIGHT["ink"], linewidth=1.8)
    axes.plot([len(counts) - 1], [counts[-1]], marker="o", markersize=6, color=LIGHT["ink"])
    axes.set_ylim(-0.5, top)
    axes.yaxis.get_major_locator().set_params(integer=True, nbins=4)
    axes.text(0.01, 0.93, words.say("not kept"), transform=axes.transAxes, ha="left", va="top", fontsize=11.5, color=LIGHT["red"])
    axes.text(0.99, 0.07, words.say("kept"), transform=axes.transAxes, ha="right", va="bottom", fontsize=11.5,
              color=LIGHT["green"])
    axes.set_title(words.say("Slower than the limit"), loc="left", fontsize=11.5, color=LIGHT["soft"])


__all__ = ["purpose", "section"]
