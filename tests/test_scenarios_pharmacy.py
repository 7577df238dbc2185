"""One pharmacy day: prescriptions go their way, online and offline, and nothing is lost or given twice."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TypeVar

from scenarios.files import load
from scenarios.play import play
from virtual_devices.trace import LedgerRow, PrescriptionRow, Row, UploadRow, VisitRow

from . import golden_runs
from .places import ROOT

R = TypeVar("R", bound=Row)
BRIEF = ("params.arrivals.bands=[{ start = '09:00', end = '09:40', per_hour = 24 }]",)
OUTAGE = "fault=[{ id = 'down', kind = 'outage', on = 'cloud', start = '09:00', end = '09:30' }]"


@cache
def played(*overrides: str) -> tuple[Row, ...]:
    rows: list[Row] = []
    wanted = dict(one.split("=", 1) for one in (*BRIEF, *overrides))
    play(load(ROOT / "scenarios" / "pharmacy.toml", wanted), 0, rows.append)
    return tuple(rows)


def of(rows: tuple[Row, ...], kind: type[R]) -> list[R]:
    return [row for row in rows if isinstance(row, kind)]


def events(rows: tuple[Row, ...]) -> Counter[str]:
    return Counter(row.event for row in of(rows, PrescriptionRow))


def test_everybody_gets_what_was_prescribed_and_every_law_holds() -> None:
    rows = played("fault=[]")
    visits = of(rows, VisitRow)
    assert len(visits) > 8 and {v.outcome for v in visits} == {"served"}
    assert events(rows)["dispensed"] == len(visits) == len(of(rows, UploadRow))
    assert all(row.holds for row in of(rows, LedgerRow)) and len(of(rows, LedgerRow)) == 6
    assert golden_runs.summary(rows) == golden_runs.expected("pharmacy")


def test_phone_carries_the_dispensing_and_a_card_does_not() -> None:
    rows = played("fault=[]")
    phones = [v.visit for v in of(rows, VisitRow) if v.carrier == "virtual-card"]
    assert phones and {r.visit for r in of(rows, PrescriptionRow) if r.event == "on phone"} == set(phones)


def test_phone_is_served_without_a_line_and_a_card_is_not() -> None:
    """What a first-generation card shows is signed by nobody: the document is at the data centre."""
    rows = played(OUTAGE, "params.prescribed.refill_share=0", "params.answers.doubtful_share=0")
    during = [v for v in of(rows, VisitRow) if not v.online]
    served = {v.carrier for v in during if v.outcome == "served"}
    assert served == {"virtual-card"} and {v.code for v in during if v.carrier == "ic-card"} == {"4061"}
    told = {r.prescription for r in of(rows, PrescriptionRow) if r.event == "told" and r.code == "0"}
    offline = {r.prescription for r in of(rows, PrescriptionRow) if r.event == "dispensed" and not r.online}
    assert offline and told == offline
    assert all(row.holds for row in of(rows, LedgerRow))


def test_policy_may_forbid_dispensing_without_a_line() -> None:
    rows = played(OUTAGE, "params.issue_offline=false")
    assert not [r for r in of(rows, PrescriptionRow) if r.event == "dispensed" and not r.online]
    assert "4061" in {v.code for v in of(rows, VisitRow)} and all(row.holds for row in of(rows, LedgerRow))


def test_controlled_drug_is_signed_for_before_it_leaves() -> None:
    rows = played("fault=[]", "params.prescribed.controlled_share=1", "params.prescribed.refill_share=0")
    happened = events(rows)
    assert happened["received"] == happened["dispensed"] > 8


def test_doubt_is_asked_and_answered_before_anything_is_dispensed() -> None:
    rows = played("fault=[]", "params.answers.doubtful_share=1")
    for visit in of(rows, VisitRow):
        mine = [r.event for r in of(rows, PrescriptionRow) if r.visit == visit.visit]
        assert mine[:4] == ["read", "doubted", "answered", "dispensed"]


def test_same_seed_gives_the_same_rows() -> None:
    again: list[Row] = []
    wanted = dict(one.split("=", 1) for one in (*BRIEF, "fault=[]"))
    play(load(ROOT / "scenarios" / "pharmacy.toml", wanted), 0, again.append)
    assert tuple(again) == played("fault=[]")
