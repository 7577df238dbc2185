"""A home-visit day and a district's day: nothing is lost between clinic, homes, pharmacy and data centre."""

from __future__ import annotations

from functools import cache
from typing import TypeVar

import pytest

from scenarios.files import load
from scenarios.play import play
from virtual_devices.trace import LedgerRow, PrescriptionRow, Row, VisitRow

from . import golden_runs
from .places import ROOT

R = TypeVar("R", bound=Row)
SMALL = ("params.clinic.arrivals.bands=[{ start = '08:30', end = '09:30', per_hour = 8 }]",)


@cache
def played(name: str, *overrides: str) -> tuple[Row, ...]:
    rows: list[Row] = []
    wanted = dict(one.split("=", 1) for one in overrides)
    play(load(ROOT / "scenarios" / f"{name}.toml", wanted), 0, rows.append)
    return tuple(rows)


def of(rows: tuple[Row, ...], kind: type[R]) -> list[R]:
    return [row for row in rows if isinstance(row, kind)]


def events(rows: tuple[Row, ...], prescription: str) -> list[tuple[str, bool]]:
    return [(r.event, r.online) for r in of(rows, PrescriptionRow) if r.prescription == prescription]


@pytest.mark.parametrize(("name", "laws", "overrides"), [("home_visit", 6, ()), ("district", 17, SMALL)])
def test_every_law_holds(name: str, laws: int, overrides: tuple[str, ...]) -> None:
    ledger = of(played(name, *overrides), LedgerRow)
    assert len(ledger) == laws and all(row.holds for row in ledger), [row for row in ledger if not row.holds]


@pytest.mark.parametrize(("name", "overrides"), [("home_visit", ()), ("district", SMALL)])
def test_run_is_the_golden_one(name: str, overrides: tuple[str, ...]) -> None:
    assert golden_runs.summary(played(name, *overrides)) == golden_runs.expected(name)


def test_home_without_a_line_is_served_and_told_of_later() -> None:
    rows = played("home_visit", "params.round.no_network_share=1", "params.round.listed_share=1")
    assert {v.online for v in of(rows, VisitRow)} == {False}
    issued = [r.prescription for r in of(rows, PrescriptionRow) if r.event == "issued"]
    assert issued
    for one in issued:
        happened = events(rows, one)
        assert happened[0] == ("issued", False) and happened[1][0] in ("on phone", "on card") and ("stored", True) in happened


def test_policy_may_forbid_prescribing_before_the_line_is_back() -> None:
    rows = played(
        "home_visit", "params.round.no_network_share=1", "params.round.issue_offline=false", "params.round.listed_share=1",
    )
    assert {v.code for v in of(rows, VisitRow)} >= {"4061"}
    assert not [r for r in of(rows, PrescriptionRow) if r.event == "issued"]
    assert all(row.holds for row in of(rows, LedgerRow))


def test_prescription_is_corrected_within_the_day() -> None:
    rows = played("home_visit", "params.round.amended_share=1", "params.round.no_network_share=0")
    assert [r for r in of(rows, PrescriptionRow) if r.event == "amended" and r.online]


def test_what_is_on_no_list_is_prescribed_when_a_team_without_a_line_is_back() -> None:
    """HOM-06: and it waits for the phone at the data centre."""
    rows = played("home_visit", "params.round.no_network_share=1", "params.round.listed_share=0", "params.round.amended_share=0")
    places = {r.place for r in of(rows, PrescriptionRow) if r.event == "issued"}
    assert places == {"office"} and all(r.online for r in of(rows, PrescriptionRow) if r.event == "issued")
    listed = played("home_visit", "params.round.no_network_share=1", "params.round.listed_share=1")
    assert {r.place for r in of(listed, PrescriptionRow) if r.event == "issued"} == {"mobile device"}


def test_prescription_is_followed_from_a_home_without_a_line_to_the_counter_and_the_data_centre() -> None:
    rows = played("district", *SMALL, "params.home.round.no_network_share=1", "params.home.round.amended_share=0")
    at_home = {r.prescription for r in of(rows, PrescriptionRow) if r.event == "issued" and r.place == "home care mobile device"}
    whole = [one for one in at_home if {"issued", "read", "dispensed"} <= {event for event, _ in events(rows, one)}]
    assert whole
    places = [r.place.split()[0] for r in of(rows, PrescriptionRow) if r.prescription == whole[0]]
    assert places[0] == "home" and "pharmacy" in places


def test_dispensed_prescription_is_not_changed_silently() -> None:
    """Collected before the physician is back: the correction is refused, and says so."""
    rows = played(
        "district", *SMALL, "params.home.round.no_network_share=0", "params.home.round.amended_share=1",
        "params.collected_after={ median_s = 60, p95_s = 90 }", "params.home.prescribed.refill_share=0",
        "params.answers.doubtful_share=0",
    )
    refused = [r for r in of(rows, PrescriptionRow) if r.event == "not amended"]
    assert refused and all(r.code != "0" for r in refused)
    for row in refused:
        assert "dispensed" in [event for event, _ in events(rows, row.prescription)]


def test_same_seed_gives_the_same_day() -> None:
    again: list[Row] = []
    wanted = dict(one.split("=", 1) for one in SMALL)
    play(load(ROOT / "scenarios" / "district.toml", wanted), 0, again.append)
    assert tuple(again) == played("district", *SMALL)
