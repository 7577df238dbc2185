"""A sample of the soak over each channel: what ``./bench.sh soak --channel X --n 10000`` does for hours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .soak import LATE_S, Soak
from .soak_figures import Figures, Left
from .soak_ways import WAYS

SAMPLE = {"pcsc": (20, 0.15), "nfc": (6, 0.3), "ble": (6, 0.3)}
"""Presentations, few, and the share in which something goes wrong: that takes a second each time."""
SEED = 3


@pytest.mark.sample
@pytest.mark.parametrize("channel", [pytest.param(name, marks=pytest.mark.needs(*tools) if tools else [])
                                     for name, (_, tools) in WAYS.items()])
def test_nothing_is_lost_doubled_or_left_behind_when_things_go_wrong(channel: str, tmp_path: Path) -> None:
    presentations, trouble = SAMPLE[channel]
    figures = Soak(channel, SEED, trouble, tmp_path).run(presentations)
    assert figures.broken == []
    assert (figures.presentations, figures.visits) == (presentations, presentations // 2)
    assert sum(figures.troubles.values()) >= 1 and figures.latest_s <= LATE_S
    assert sum(figures.stored.values()) == figures.visits
    told = json.loads(figures.to_json())
    assert told["outcomes"] == dict(figures.outcomes) and told["broken"] == [] and told["channel"] == channel


def test_soak_sees_what_is_left_behind() -> None:
    before = Left.now()
    with Path(__file__).open() as _:
        assert Left.now().more_than(before) == ["descriptors left behind: 1"]
    assert Left.now().more_than(before) == []


def test_soak_sees_a_heap_that_grows() -> None:
    figures = Figures("x", 1, presentations=1000)
    figures.look_at_heap()
    kept = [bytes([n]) * 4096 for n in range(256) for _ in range(10)]
    figures.look_at_heap()
    figures.judge_heap()
    assert figures.heap_growth_mib > 5 and "heap grew" in figures.broken[0] and kept
