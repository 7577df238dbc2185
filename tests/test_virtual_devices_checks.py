"""Descriptions are checked field by field, with the fields at which a mistake can be mended."""

from __future__ import annotations

import math

import pytest

from virtual_devices.checks import Unfit, bounded
from virtual_devices.faults import Fault
from virtual_devices.network import BurstyLoss, Delay, IndependentLoss
from virtual_devices.reader.desk import Policy


def test_bound_that_is_broken_is_named_with_its_field() -> None:
    for wrong, says in (
        (lambda: BurstyLoss(good_s=0), "good_s must be more than 0, is 0"),
        (lambda: IndependentLoss(share=1.5), "share must be at most 1, is 1.5"),
        (lambda: Policy(cloud_tries=0), "cloud_tries must be at least 1, is 0"),
        (lambda: Delay(math.nan, 5), "median_ms must be at least 0, is nan"),
    ):
        with pytest.raises(Unfit) as caught:
            wrong()
        assert str(caught.value) == says and caught.value.fields == (says.split()[0],)


def test_fields_that_disagree_are_both_named() -> None:
    with pytest.raises(Unfit, match=r"p95_ms \(5\) must be at least median_ms \(10\)") as caught:
        Delay(10, 5)
    assert caught.value.fields == ("p95_ms", "median_ms")


def test_field_is_checked_without_those_that_are_wrong_themselves() -> None:
    Fault.check_field("share", 0.0, {})
    Fault.check_field("end", "00:10", {})
    with pytest.raises(Unfit, match="later than start"):
        Fault.check_field("end", "00:10", {"start": "00:20"})
    with pytest.raises(ValueError, match="hours 00 to 24"):
        Fault.check_field("end", "25:00", {})


def test_bound_that_nobody_knows_is_our_mistake() -> None:
    with pytest.raises(TypeError, match="above: bounds are ge, gt, le, lt"):
        bounded(1.0, above=0)
