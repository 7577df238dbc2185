"""Time as integers, and the calendar of the Republic of China."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.clock import NS, VirtualClock, from_datetime, parse_roc, roc_date7, roc_datetime13, seconds, to_datetime

MOMENTS = st.integers(from_datetime(datetime(1912, 1, 2, tzinfo=UTC)), from_datetime(datetime(2900, 1, 1, tzinfo=UTC)))


@given(MOMENTS)
def test_moments_survive_the_calendar_to_the_second_and_the_day(at_ns: int) -> None:
    text = roc_datetime13(at_ns)
    assert len(text) == 13 and parse_roc(text) == at_ns // NS * NS
    assert roc_date7(at_ns) == text[:7] and 0 <= at_ns - parse_roc(text[:7]) < 86_400 * NS


@given(MOMENTS)
def test_datetimes_keep_microseconds(at_ns: int) -> None:
    assert from_datetime(to_datetime(at_ns)) == at_ns // 1000 * 1000


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 3, 2, 0, 0, tzinfo=UTC), "1150302080000"),
        (datetime(2025, 12, 31, 15, 59, 59, tzinfo=UTC), "1141231235959"),
        (datetime(2025, 12, 31, 16, 0, tzinfo=UTC), "1150101000000"),
        (datetime(2010, 12, 31, 16, 0, tzinfo=UTC), "1000101000000"),
        (datetime(2028, 2, 29, 4, 0, tzinfo=UTC), "1170229120000"), (datetime(1979, 7, 1, 4, 0, tzinfo=UTC), "0680701120000"),
    ],
)
def test_dates_are_of_taiwan_without_daylight_saving(moment: datetime, text: str) -> None:
    assert roc_datetime13(from_datetime(moment)) == text and parse_roc(text) == from_datetime(moment)


@pytest.mark.parametrize(
    "text",
    ["", "115030", "11503020", "1150230", "1151301", "1150302246000", "1150302240000", " 150302", "１１５０３０２", "115030٢",
     "-150302"],
)
def test_text_that_is_no_date_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_roc(text)


def test_virtual_clock_only_goes_forward() -> None:
    clock = VirtualClock(5)
    clock.advance_to(9)
    clock.advance_to(7)
    assert clock.now_ns() == 9 and seconds(0.25) == 250_000_000
