"""Draws a figure of a run as a picture of its own, for the README.

    .venv/bin/vhc-bench run scenarios/clinic_morning.toml --seed 1 --out runs/picture
    .venv/bin/python docs/images/make_picture.py runs/picture docs/images/clinic-morning.svg

The same run gives the same bytes. ``--figure`` names another file of ``reports/figures/``.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from reports.catalogue import catalogue
from reports.gallery import found
from reports.palette import LIGHT
from reports.picture import WIDE_PX, Blank, Styles, svg
from reports.run import Run

MARGIN = 24


def draw(directory: Path, name: str) -> str:
    """The figure ``name`` of the run as a whole SVG document. Raises SystemExit where there is none."""
    figure = next((f for f in found() if f.name == name), None)
    if figure is None:
        raise SystemExit(f"no figure {name!r}; there are: {', '.join(f.name for f in found())}")
    with Run(directory, catalogue("en")) as run:
        picture = figure.draw(run)
        if isinstance(picture, Blank):
            raise SystemExit(f"{directory}: {picture.why}")
        styles = Styles()
        element = svg(picture, figure.name, WIDE_PX, styles)
    colours = "".join(f"--{key}:{value};" for key, value in LIGHT.items())
    style = f"<style>svg{{{colours}background:{LIGHT['paper']}}}{styles.css()}</style>"
    head, tail = element.split(">", 1)
    head = re.sub(r'viewBox="0 0 (\d+) (\d+)"', _with_margin, head)
    if "xmlns=" not in head:
        head += ' xmlns="http://www.w3.org/2000/svg"'
    return f"{head}>{style}{tail}\n"


def _with_margin(box: re.Match[str]) -> str:
    """Room round the figure, as the report's page gives it: labels at the edge stand out a little."""
    width, height = (int(size) for size in box.groups())
    return f'viewBox="{-MARGIN} {-MARGIN} {width + 2 * MARGIN} {height + 2 * MARGIN}"'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run directory")
    parser.add_argument("to", type=Path, help="SVG file to write")
    parser.add_argument("--figure", default="day_strip")
    given = parser.parse_args()
    given.to.write_text(draw(given.run, given.figure), encoding="utf-8")


if __name__ == "__main__":
    main()
