"""A phone's power: one battery for several memories.

The flash with the wallet's data and the memory inside the secure element are two stores, and one act writes both. Their cut
points are counted together, in the order in which they are passed, so that a tear can be placed between the two as well.
"""

from __future__ import annotations

from collections.abc import Mapping

from virtual_devices.link import PowerCut, Work
from virtual_devices.store import Store


class Power:
    """What all the memories of one phone share."""

    def __init__(self) -> None:
        self._cut_in: int | None = None
        self.points_passed: list[str] = []
        self.watch_points = False  # tests list the cut points by one run without a cut

    def arm_cut(self, points: int | None) -> None:
        """Lose power after so many further cut points of any memory (0: at the next), or never."""
        self._cut_in = points

    @property
    def pointed(self) -> bool:
        """A cut is armed, or the points are watched."""
        return self.watch_points or self._cut_in is not None

    def point(self, name: str) -> None:
        """A cut point is passed. Raises PowerCut where one is armed."""
        if self.watch_points:
            self.points_passed.append(name)
        if self._cut_in is not None:
            if self._cut_in == 0:
                self._cut_in = None
                raise PowerCut(name)
            self._cut_in -= 1


class Memory(Store):
    """A store that draws on a shared power."""

    def __init__(self, name: str, cells: Mapping[str, bytes], work: Work, power: Power) -> None:
        super().__init__(cells, work)
        self._name = name
        self._power = power

    def arm_cut(self, points: int | None) -> None:
        self._power.arm_cut(points)

    def _pointed(self) -> bool:
        return self._power.pointed

    def _point(self, cell: str, where: str) -> None:
        self._power.point(f"{self._name}/{cell}:{where}")
