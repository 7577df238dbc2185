"""Small parts of the messages: the unit that a name tells, and the nearest word."""

from __future__ import annotations

import pytest

from scenarios.wording import nearest, unit_of


@pytest.mark.parametrize(
    ("key", "unit"),
    [
        ("service_s", "seconds"), ("p95_ms", "milliseconds"), ("share", "a share"), ("share_bad", "a share"),
        ("horizon_h", "hours"),
        ("bandwidth_kbit_s", "kbit/s"), ("doctors", ""), ("s", ""), ("arrivals_per_h", "per hour"), ("limit", ""),
        ("write_ms_per_64_bytes", "milliseconds per 64 bytes"),
    ],
)  # fmt: skip
def test_unit_is_read_off_the_name(key: str, unit: str) -> None:
    assert unit_of(key) == unit


def test_nearest_word_ignores_case_and_gives_up_on_strangers() -> None:
    assert nearest("Doctors", ["doctors", "door"]) == "doctors"
    assert nearest("xylophone", ["doctors"]) == ""
