"""Small pictures beside each other: three in a row, or one below the other where a page is narrow."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.axes import Axes

from reports.picture import Frame

PANEL_PX, GAP_PX, TOP_PX = 132, 74, 58
LEFT_PX, RIGHT_PX = 52, 12
WIDE = 3


def heights(count: int) -> tuple[int, int]:
    """Of a figure of so many, wide and narrow, in pixels."""
    wide, narrow = (TOP_PX + rows * (PANEL_PX + GAP_PX) for rows in (-(-count // WIDE), count))
    return wide, narrow


def grid(frame: Frame, count: int) -> Iterator[Axes]:
    """The axes of each, below a key."""
    columns = 1 if frame.narrow else WIDE
    width = frame.width_px / columns
    for number in range(count):
        top = TOP_PX + number // columns * (PANEL_PX + GAP_PX)
        left = number % columns * width
        yield frame.axes(left + LEFT_PX, frame.width_px - left - width + RIGHT_PX, top, frame.height_px - top - PANEL_PX)


__all__ = ["grid", "heights"]
