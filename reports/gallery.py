"""Finds the figure files and turns them into blocks of a page."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import reports.figures
from reports.blocks import FigureBlock
from reports.catalogue import N_
from reports.picture import NARROW_PX, WIDE_PX, Blank, Picture, Styles, svg
from reports.run import Run

FURTHER = "further"
FURTHER_TITLE = N_("Further figures")


@dataclass(frozen=True)
class FigureFile:
    """One figure file, as found."""

    name: str
    title: str
    caption: str
    units: str
    draw: Callable[[Run], Picture | Blank]
    section: str
    order: int


def found() -> list[FigureFile]:
    """All figure files, by their order and then by name. AttributeError names what a file lacks."""
    files = [_opened(info.name) for info in pkgutil.iter_modules(reports.figures.__path__) if not info.name.startswith("_")]
    return sorted(files, key=lambda f: (f.order, f.name))


def _opened(name: str) -> FigureFile:
    module = importlib.import_module(f"reports.figures.{name}")
    section, order = getattr(module, "SECTION", FURTHER), getattr(module, "ORDER", 100)
    return FigureFile(name, module.TITLE, module.CAPTION, module.UNITS, module.draw, section, order)


def hang(figure: FigureFile, run: Run, styles: Styles) -> FigureBlock:
    """The figure of this run, painted wide and narrow, or the sentence that says why there is none."""
    title, caption, units = run.say(figure.title), run.say(figure.caption), run.say(figure.units)
    picture = figure.draw(run)
    if isinstance(picture, Blank):
        return FigureBlock(figure.name, title, picture.why, "", "")
    wide, narrow = (svg(picture, figure.name, width, styles) for width in (WIDE_PX, NARROW_PX))
    return FigureBlock(figure.name, title, picture.finding, caption, run.say("{units}. ", units=units), wide, narrow)
