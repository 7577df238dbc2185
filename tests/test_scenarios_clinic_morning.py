"""The clinic morning as a situation: who goes where, what is read and written on the way, and what a broken line does."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import pytest

from scenarios.clinic_params import Params
from scenarios.files import Scenario, load
from scenarios.play import play
from virtual_devices.clock import from_datetime, seconds
from virtual_devices.faults import day_seconds
from virtual_devices.trace import ActRow, ExchangeRow, LedgerRow, Row, StageRow, UploadRow, VisitRow

from . import golden_runs

MORNING = Path(__file__).resolve().parent.parent / "scenarios" / "clinic_morning.toml"
BAND = '[{start="09:00", end="10:00", per_hour=40}]'
R = TypeVar("R")


def rows_of(scenario: Scenario, replication: int = 0) -> list[Row]:
    rows: list[Row] = []
    play(scenario, replication, rows.append)
    return rows


@cache
def played(*overrides: str) -> tuple[Row, ...]:
    pairs = dict(pair.split("=", 1) for pair in ("params.arrivals.bands=" + BAND, *overrides))
    return tuple(rows_of(load(MORNING, pairs)))


def of(rows: tuple[Row, ...], kind: type[R]) -> list[R]:
    return [row for row in rows if isinstance(row, kind)]


def test_patient_goes_through_the_stations_in_order() -> None:
    rows = played("fault=[]")
    journey = list(Params().journey)
    by_visit: dict[str, list[StageRow]] = defaultdict(list)
    for stage in of(rows, StageRow):
        by_visit[stage.visit].append(stage)
    visits = {v.visit: v for v in of(rows, VisitRow)}
    assert len(visits) > 20
    for name, stages in by_visit.items():
        assert [s.station for s in stages] == journey[: len(stages)]
        assert all(s.joined_ns <= s.began_ns <= s.ended_ns for s in stages)
        assert all(a.ended_ns == b.joined_ns for a, b in pairwise(stages))
        visit = visits[name]
        assert (visit.arrived_ns <= stages[0].joined_ns) and (stages[-1].ended_ns == visit.left_ns)
        assert (len(stages) == len(journey)) == (visit.outcome == "served")


def test_run_is_the_golden_one() -> None:
    assert golden_runs.summary(played("fault=[]")) == golden_runs.expected("clinic_morning")


def test_station_never_serves_more_than_its_staff() -> None:
    rows = played("fault=[]")
    for station in Params().journey:
        staff = getattr(Params().stations, station).staff
        changes = sorted(
            change for s in of(rows, StageRow) if s.station == station for change in ((s.began_ns, 1), (s.ended_ns, -1))
        )
        busy = peak = 0
        for _, step in changes:
            busy += step
            peak = max(peak, busy)
        assert 0 < peak <= staff


def test_visit_plays_every_step_on_the_card() -> None:
    rows = played("fault=[]", "params.cards.virtual_share=0.0", "params.cards.not_insured_share=0.0")
    visit = next(v for v in of(rows, VisitRow) if v.outcome == "served")
    steps = [(e.flow, e.step) for e in of(rows, ExchangeRow) if e.visit == visit.visit]
    wanted = [
        ("register", "read basic data"), ("register", "authenticate SAM"), ("register", "authenticate card"),
        ("register", "check eligibility"), ("register", "get sequence number"), ("register", "sign visit"),
        ("consult", "authenticate HPC"), ("consult", "read medical records"), ("write back", "write visit"),
        ("price", "write fees"),
    ]
    assert [step for step in dict.fromkeys(steps) if step in wanted] == wanted
    assert all(e.provenance == "modelled" for e in of(rows, ExchangeRow))


def test_broken_line_sends_nobody_away_and_is_made_up_for() -> None:
    outage = '[{id="down", kind="outage", on="cloud", start="09:10", end="09:40"}]'
    rows = played(f"fault={outage}", "params.cards.not_insured_share=0.0")
    scenario = load(MORNING)
    midnight = from_datetime(scenario.run.epoch) - seconds(8 * 3600)
    start, end = (midnight + seconds(day_seconds(t)) for t in ("09:10", "09:40"))
    visits = of(rows, VisitRow)
    offline = [v for v in visits if v.outcome == "served" and not v.online]
    assert offline
    assert all(start - seconds(300) <= v.arrived_ns <= end for v in offline)
    uploads = {u.visit: u for u in of(rows, UploadRow)}
    assert all(uploads[v.visit].outcome == "stored" for v in offline)
    waited = [u for u in uploads.values() if u.queued]
    assert waited
    assert all(u.stored_ns >= end for u in waited if u.first_try_ns < end - seconds(60))
    assert all(row.holds for row in of(rows, LedgerRow))


def test_virtual_card_is_presented_read_and_written_at_each_counter() -> None:
    rows = played("fault=[]", "params.cards.virtual_share=1.0", "params.cards.not_insured_share=0.0")
    visits = of(rows, VisitRow)
    assert {(v.carrier, v.devices, v.provenance) for v in visits} == {("virtual-card", "virtual", "modelled")}
    served = [v for v in visits if v.outcome == "served"]
    assert served and all(v.sequence.startswith("W") for v in served)
    phone = [e for e in of(rows, ExchangeRow) if e.role == "wallet"]
    assert {(e.channel, e.device) for e in phone} == {("nfc", "virtual")}
    flows = {(e.flow, e.step) for e in phone}
    assert {("register", "present virtual card"), ("consult", "present virtual card"), ("write back", "write virtual card"),
            ("price", "write virtual card")} <= flows
    acts = [a.act for a in of(rows, ActRow)]
    assert "tap again" in acts and "open the wallet" in acts and "approve on the phone" not in acts  # it was armed
    assert any(v.retries for v in served)  # phones taken away too early, and held there again


def test_phone_that_cannot_be_held_to_the_reader_gets_its_records_from_the_data_centre() -> None:
    """WBK-01: nobody's visit breaks off for a write-back, line down or not."""
    rows = played(
        "params.cards.virtual_share=1.0", "params.cards.not_insured_share=0.0", "params.field.taken_away=0.6",
        'fault=[{id="down", kind="outage", on="cloud", start="09:20", end="09:50"}]',
    )
    left = [e for e in of(rows, ExchangeRow) if e.flow == "leave"]
    assert any(e.role == "cloud" and e.status == "0" for e in left) and any(e.outcome == "request_lost" for e in left)
    gave_up = {v.visit for v in of(rows, VisitRow) if v.outcome == "gave-up"}
    assert not gave_up & {e.visit for e in left}
    assert all(row.holds for row in of(rows, LedgerRow))


@pytest.mark.parametrize(
    ("share", "codes"),
    [("not_insured_share", {"5012"}), ("restricted_share", {"9129"}), ("cancelled_share", {"5002"})],
)
def test_patient_who_may_not_be_treated_is_refused_with_the_code(share: str, codes: set[str]) -> None:
    others = [f"params.cards.{name}_share=0.0" for name in ("not_insured", "restricted", "cancelled", "expired", "virtual")]
    rows = played("fault=[]", *others, f"params.cards.{share}=1.0")
    visits = of(rows, VisitRow)
    assert {v.outcome for v in visits} == {"refused"}
    assert {v.code for v in visits} == codes
    assert not of(rows, UploadRow)


@pytest.mark.parametrize("profile", ["t1", "t1-nul", "t0", "y2025"])
def test_every_kind_of_card_is_served(profile: str) -> None:
    rows = played("fault=[]", f"params.cards.profiles={{{profile} = 1.0}}", "params.cards.virtual_share=0.0")
    assert sum(v.outcome == "served" for v in of(rows, VisitRow)) > 20
    statuses = {e.status for e in of(rows, ExchangeRow) if e.role == "card"}
    assert ("6D00" in statuses) == (profile == "y2025")
    assert any(s.startswith("61") for s in statuses) == (profile == "t0")


def test_wrong_pin_is_entered_again() -> None:
    rows = played("fault=[]", "params.cards.pin_share=1.0", "params.cards.wrong_pin_share=0.3", "params.cards.virtual_share=0.0")
    wrong = {e.visit for e in of(rows, ExchangeRow) if e.status == "63C2"}
    served = {v.visit for v in of(rows, VisitRow) if v.outcome == "served"}
    assert wrong & served and not any(v.retries for v in of(rows, VisitRow))  # the card stays in
    assert not any(e.status == "63C0" for e in of(rows, ExchangeRow))  # nobody's card is locked


def test_booked_patients_are_called_in_first() -> None:
    rows = played("fault=[]", "params.stations.consultation.staff=1", "params.cards.virtual_share=0.0")
    visits = {v.visit: v for v in of(rows, VisitRow)}
    waits: dict[str, list[int]] = defaultdict(list)
    for s in of(rows, StageRow):
        if s.station == "consultation":
            waits[visits[s.visit].booking].append(s.began_ns - s.joined_ns)
    assert sum(waits["booked"]) / len(waits["booked"]) < sum(waits["walk-in"]) / len(waits["walk-in"])


def test_another_replication_is_another_morning() -> None:
    scenario = load(MORNING, {"params.arrivals.bands": BAND})
    assert [type(r) for r in rows_of(scenario, 0)] != [type(r) for r in rows_of(scenario, 1)]


def test_common_random_numbers_keep_the_patients() -> None:
    """One more physician changes who waits, not who comes, nor what they are like."""
    few = of(played("fault=[]"), VisitRow)
    more = of(played("fault=[]", "params.stations.consultation.staff=6"), VisitRow)
    same = [(v.visit, v.arrived_ns, v.booking, v.carrier) for v in sorted(few, key=lambda v: v.visit)]
    assert same == [(v.visit, v.arrived_ns, v.booking, v.carrier) for v in sorted(more, key=lambda v: v.visit)]


def test_part_of_a_table_leaves_the_rest_as_it_was() -> None:
    """Fewer physicians are as fast as before: setting ``staff`` does not touch the service times."""
    given = load(MORNING, {"params.stations.consultation.staff": "2", "params.cards.profiles": "{t0 = 1.0}"}).params
    usual = load(MORNING).params
    assert given.stations.consultation.service == usual.stations.consultation.service
    assert given.stations.consultation.staff == 2
    assert given.cards.profiles == {"t0": 1.0}  # a mapping is given whole
    assert given.cards.pin_share == usual.cards.pin_share
