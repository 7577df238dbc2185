"""A sample of the soak over each channel: what ``./bench.sh soak --channel X --n 10000`` does for hours."""

from __future__ import annotations

import json
from collections import Counter as Count
from pathlib import Path

import pytest

from virtual_devices.errors import LinkError

from .soak import LATE_S
from .soak_figures import Figures, Left
from .soak_lanes import side_by_side
from .soak_ways import WAYS

LANES = {"pcsc": 2, "nfc": 5, "ble": 5, "qr": 2}
PRESENTATIONS, TROUBLE = 200, 0.04
SEED = 3


@pytest.mark.sample
@pytest.mark.parametrize("channel", [pytest.param(name, marks=pytest.mark.needs(*tools) if tools else [])
                                     for name, (_, tools) in WAYS.items()])
def test_nothing_is_lost_doubled_or_left_behind_when_things_go_wrong(channel: str, tmp_path: Path) -> None:
    said: list[str] = []
    figures = side_by_side(channel, SEED, TROUBLE, tmp_path, PRESENTATIONS, LANES.get(channel, 1), said.append)
    assert figures.broken == [], said
    assert (figures.presentations, figures.visits, figures.lanes) == (PRESENTATIONS, PRESENTATIONS // 2, LANES.get(channel, 1))
    assert sum(figures.troubles.values()) >= 1 and figures.latest_s <= LATE_S
    assert sum(figures.stored.values()) == figures.visits
    told = json.loads(figures.to_json())
    assert told["outcomes"] == dict(figures.outcomes) and told["broken"] == [] and told["channel"] == channel


def test_what_lanes_counted_is_one_and_the_worst_of_what_is_no_count() -> None:
    first = Figures("nfc", 3, presentations=4, outcomes=Count(replied=9), latest_s=0.1, heap_growth_mib=0.2)
    second = Figures("nfc", 4, presentations=6, outcomes=Count(replied=8, gone=1), latest_s=0.5, broken=["a visit lost"])
    one = Figures.of([first, Figures.read(second.to_json())])
    assert (one.presentations, one.lanes, one.seed, one.latest_s, one.heap_growth_mib) == (10, 2, 3, 0.5, 0.2)
    assert one.outcomes == {"replied": 17, "gone": 1} and one.broken == ["seed 4: a visit lost"]


def test_lane_that_leaves_no_figures_says_why(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match=r"seed 1 left no figures: .*invalid choice: 'smoke'"):
        side_by_side("smoke", 1, 0, tmp_path, 2, 2, [].append)


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
