"""A chip's memory when power goes: commits torn at a point, recovered, and torn in recovery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest

from virtual_devices.link import PowerCut, Work
from virtual_devices.store import JOURNAL, Store


def meant(store: Store) -> dict[str, bytes]:
    """The cells, without the journal."""
    return {name: value for name, value in store.cells().items() if name != JOURNAL}


def points(old: Mapping[str, bytes], changes: Mapping[str, bytes]) -> int:
    """How many cut points that commit has."""
    store = Store(old, Work())
    store.watch_points = True
    store.commit(changes)
    return len(store.points_passed)


def torn_commit(old: Mapping[str, bytes], changes: Mapping[str, bytes], point: int) -> Store:
    """A store as it lies when power went at that point of that commit."""
    store = Store(old, Work())
    store.arm_cut(point)
    with pytest.raises(PowerCut):
        store.commit(changes)
    return store


def settled(store: Store, *cuts: int | None) -> dict[str, bytes]:
    """The cells after as many recoveries as are cut, each of the store as it was saved, and one that is not."""
    for cut in cuts:
        store = Store(store.cells(), Work())
        store.arm_cut(cut)
        with suppress(PowerCut):
            store.recover()
    store = Store(store.cells(), Work())
    store.recover()
    assert not store.get(JOURNAL)
    return meant(store)


def pulled(chip: Any, point: int, act: Callable[[], Any]) -> Any:
    """What the act gave, or None when power went before its end, ``point`` cut points on. The chip has power again."""
    chip.arm_cut(point)
    try:
        return act()
    except PowerCut:
        return None
    finally:
        chip.arm_cut(None)
        chip.power_on()
