"""Nothing is lost, doubled, or dispensed beyond its count: a sample of random histories."""

from __future__ import annotations

import pytest

from .prescription_histories import play


@pytest.mark.sample
def test_nothing_is_lost_doubled_or_dispensed_beyond_its_count() -> None:
    play(30)
