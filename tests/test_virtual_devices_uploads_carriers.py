"""The same visit with a physical card and with a virtual one is stored alike; what is not, stands on a closed list."""

from __future__ import annotations

from functools import cache

import pytest

from virtual_devices.cloud.books import MemoryBooks
from virtual_devices.uploads.carriers import CARRIER_DIFFERENCES, compare_carriers
from virtual_devices.uploads.comparison import Compared
from virtual_devices.uploads.draft import Draft

from .carrier_visits import CASES, Stored, with_card, with_wallet


@cache
def played(name: str) -> tuple[Stored, Stored]:
    return with_card(CASES[name]), with_wallet(CASES[name])


@cache
def differences(name: str) -> tuple[Compared, ...]:
    physical, virtual = played(name)
    read = Draft(MemoryBooks()).read
    [one], [other] = physical.kept, virtual.kept
    return compare_carriers(read(one), read(other), CASES[name].when)


TOLD = [name for name, case in CASES.items() if not case.cancelled]


@pytest.mark.parametrize("name", TOLD)
def test_records_of_both_carriers_say_the_same_but_for_what_is_listed(name: str) -> None:
    unexplained = [one for one in differences(name) if not one.reason]
    assert not unexplained, unexplained


def test_every_listed_difference_occurs() -> None:
    found = {(one.name.split(" ")[-1], CASES[name].when) for name in TOLD for one in differences(name)}
    assert found == set(CARRIER_DIFFERENCES)


@pytest.mark.parametrize("name", CASES)
def test_data_centre_knows_the_same_visit(name: str) -> None:
    physical, virtual = played(name)
    if CASES[name].when == "online":
        assert physical.visits == virtual.visits and len(virtual.visits) == 1
        return
    assert [row[:4] for row in virtual.visits] == [row[:4] for row in physical.visits] or not physical.visits
    assert len(virtual.visits) == 1  # 2.0 asks for an identifier, 1.0 needs none


def test_cancelled_visit_leaves_no_record_in_either() -> None:
    physical, virtual = played("cancelled")
    assert physical.kept == virtual.kept == [] and physical.visits[0][3] is virtual.visits[0][3] is True


def test_difference_that_is_not_listed_is_found() -> None:
    physical, virtual = played("ordinary")
    read = Draft(MemoryBooks()).read
    other = played("refill")[1].kept[0]
    names = {one.name for one in compare_carriers(read(physical.kept[0]), read(other), "online") if not one.reason}
    assert "order 1 quantity" in names
    listed = compare_carriers(read(physical.kept[0]), read(virtual.kept[0]), "without a line")
    assert any(not one.reason for one in listed)  # a reason holds where it is said to, and nowhere else
