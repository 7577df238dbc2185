"""Moments and days as tagged items: what is written is read again, of whatever year."""

from __future__ import annotations

from datetime import UTC, date, datetime

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from virtual_devices.clock import NS, from_datetime
from virtual_devices.mdoc.tagged import MalformedMdoc, dumps, full_date, read, read_tdate, tdate

MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59))  # noqa: DTZ001  (UTC is added below)


@given(MOMENTS)
@example(datetime(26, 3, 2))  # noqa: DTZ001
def test_moment_comes_back_to_the_second(moment: datetime) -> None:
    at_ns = from_datetime(moment.replace(tzinfo=UTC))
    raw = dumps(tdate(at_ns))
    assert read_tdate(read(raw, "a moment"), "a moment") == at_ns // NS * NS
    assert raw == b"\xc0\x74" + f"{moment.year:04d}".encode() + raw[6:]


@given(st.dates())
@example(date(26, 3, 2))
def test_day_comes_back(day: date) -> None:
    assert read(dumps(full_date(day)), "a day") == day


@pytest.mark.parametrize("value", [0, "2026-03-02T00:00:00Z", None, date(2026, 3, 2), [], {}])
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(MalformedMdoc):
        read_tdate(value, "a moment")
    with pytest.raises(MalformedMdoc):
        read_tdate(read(cbor2.dumps(cbor2.CBORTag(0, "26-03-02T00:00:00Z")), "a moment"), "a moment")
