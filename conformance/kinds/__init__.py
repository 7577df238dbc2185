"""One file a kind of device under test: what a case sees of it, how a virtual one is made, and over which channels.

A module here is named after a :class:`~conformance.case.Kind` and has ``SUITE``; :func:`suites` finds it by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from conformance.case import Case, Kind
from conformance.latency import Timing
from conformance.tester import Tester
from conformance.vectors.world import World


@dataclass(frozen=True)
class Suite:
    """How devices of one kind are tried.

    ``channels``: over which a virtual one can be. ``reference(world, channel, name)``: a virtual one, new; all of it follows from
    its name. ``tester(device, world, name)``: what a case gets. ``modules``: what the reference device is made of, as far as a
    peer can reach it; there the self-check looks for refusals. ``timing``: how long its presentations take; None: nobody asks.
    ``apart``: channels over which of a virtual one only cases run that name them, for what is otherwise the same was tried over
    the others.
    """

    kind: Kind
    channels: tuple[str, ...]
    reference: Callable[[World, str, str], Any]
    tester: Callable[[Any, World, str], Tester]
    modules: tuple[str, ...]
    timing: Timing | None = None
    apart: frozenset[str] = frozenset()

    def tries(self, case: Case, channel: str, *, real: bool = False) -> bool:
        """Whether the case makes sense over that channel. ``real``: of a device that may have no other."""
        return channel in case.channels or (not case.channels and (real or channel not in self.apart))


@cache
def suites() -> Mapping[Kind, Suite]:
    """The kinds that have one."""
    found = [import_module(f"{__name__}.{module.name}").SUITE for module in iter_modules(__path__)]
    return {suite.kind: suite for suite in found}


__all__ = ["Suite", "suites"]
