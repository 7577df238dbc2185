"""NFC sensing: frames by the field's margin, taps that go wrong, and presentations block by block in virtual time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.clock import NS
from virtual_devices.randomness import stream
from virtual_devices.sensed_presentation import MAX_TAPS, PATIENCE_NS, presented
from virtual_devices.sensing import CALM, Holding, Passage, Sensing, Tap, held

strengths = st.floats(0, 1)


@pytest.mark.parametrize("holding", Holding)
def test_phone_that_is_held_well_is_done_at_the_first_tap(holding: Holding) -> None:
    assert held(holding, 0.0) == CALM
    done = presented(CALM, stream(1, "calm"))
    assert done.at_first and NS < done.device_ns < 3 * NS


@pytest.mark.parametrize("holding", Holding)
def test_bad_holding_costs_taps_and_time(holding: Holding) -> None:
    calm, bad = (
        [presented(held(holding, strength), stream(1, holding.value, n)) for n in range(8)] for strength in (0.0, 1.0)
    )
    assert sum(each.taps for each in bad) > 2 * sum(each.taps for each in calm)
    assert sum(each.device_ns for each in bad) > 2 * sum(each.device_ns for each in calm)
    assert all(1 <= each.taps <= MAX_TAPS and (each.done or each.taps == MAX_TAPS) for each in bad)


def test_same_stream_gives_the_same_presentation() -> None:
    bad = Sensing(margin_db=8.5, missed=0.3, taken_away=0.3)
    assert presented(bad, stream(7, "x")) == presented(bad, stream(7, "x"))


@given(st.floats(-40, 39), st.floats(0.1, 1), st.integers(1, 256))
def test_more_margin_loses_fewer_frames_and_longer_ones_are_lost_more(margin_db: float, more: float, length: int) -> None:
    weak, strong = Sensing(margin_db=margin_db), Sensing(margin_db=min(40.0, margin_db + more))
    assert 0 <= strong.frame_error(length) <= weak.frame_error(length) <= 1
    assert weak.frame_error(length) <= weak.frame_error(length + 1)


@given(strengths, st.sampled_from(Holding), st.binary(max_size=256))
def test_tap_that_ended_loses_everything(strength: float, holding: Holding, frame: bytes) -> None:
    tap = Tap(held(holding, strength), stream(1, strength))
    if tap.lasts_ns is not None:
        assert tap.passes(frame, tap.lasts_ns) is Passage.LOST
    if not tap.found:
        assert tap.passes(frame, 0) is Passage.LOST


def test_phone_that_the_field_never_reaches_is_given_up_after_its_taps() -> None:
    done = presented(Sensing(missed=1.0), stream(1, "missed"))
    assert (done.done, done.taps) == (False, MAX_TAPS) and done.device_ns >= MAX_TAPS * PATIENCE_NS


def test_damaged_and_lost_frames_both_occur() -> None:
    tap = Tap(Sensing(margin_db=6.0), stream(3, "both"))
    assert {tap.passes(bytes(30), 0) for _ in range(60)} == set(Passage)
