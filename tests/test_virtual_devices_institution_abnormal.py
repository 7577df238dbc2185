"""Which abnormal sequence code a visit gets, by what went wrong at the desk."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest

from scenarios.files import load
from scenarios.play import play
from virtual_devices.faults import KINDS
from virtual_devices.institution.abnormal import (
    BY_A_PERSON,
    CAUSES,
    Trouble,
    code_for,
    obtained,
    situation_of,
    trouble_of,
    without_line,
)
from virtual_devices.link import Outcome
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.visit import register
from virtual_devices.tables import read_table
from virtual_devices.trace import LedgerRow, Row, UploadRow, VisitRow
from virtual_devices.uploads.lists import ABNORMAL_CODES, SITUATIONS

from .desk import Bench
from .links import Failing, Strike, Through
from .places import ROOT


def test_every_situation_is_chosen_by_a_cause_or_by_a_person_for_a_reason() -> None:
    chosen = {cause.situation for cause in CAUSES.values()}
    assert chosen | set(BY_A_PERSON) == set(SITUATIONS) and not chosen & set(BY_A_PERSON)
    assert all(BY_A_PERSON.values())


def a_trouble(number: int) -> Trouble:
    cause = CAUSES[number]
    code = min(cause.codes, default="4000")
    return Trouble(cause.role, code, not cause.codes, cause.home, cause.bluetooth)


@pytest.mark.parametrize("number", range(len(read_table("abnormal_causes")["cause"])))
def test_each_cause_gives_its_code(number: int) -> None:
    """No row is hidden by one before it."""
    cause = CAUSES[number]
    assert situation_of(a_trouble(number)) == cause.situation
    assert code_for(a_trouble(number)) == SITUATIONS[cause.situation].not_obtained


def test_number_that_had_been_issued_is_told_by_the_other_code() -> None:
    broken = Trouble("sam", "4000", True, issued="0007")
    assert (obtained(broken), code_for(broken)) == (True, "A031")
    assert code_for(Trouble("cloud", "9004", issued="0007")) == "E000"  # which has no such code


@pytest.mark.parametrize(
    ("role", "code"),
    [("cloud", "5012"), ("card", "5001"), ("card", "5003"), ("cloud", "9129"), ("wallet", "5109"), ("card", "5102")],
)
def test_who_is_refused_is_no_abnormal_visit(role: str, code: str) -> None:
    assert code_for(Trouble(role, code)) == ""


def test_visits_without_a_line_are_told_apart_by_where_they_are() -> None:
    assert [without_line(), without_line(home=True), without_line(home=True, bluetooth=True)] == [
        "network", "remote-home-care", "home-care-bluetooth",
    ]


def test_every_code_of_the_table_is_of_one_situation() -> None:
    codes = [code for one in SITUATIONS.values() for code in (one.not_obtained, one.obtained) if code]
    assert len(codes) == len(set(codes)) == len(ABNORMAL_CODES)


def test_sam_that_falls_silent_after_the_number_was_given_says_so() -> None:
    """Whichever of its exchanges is lost: before the card's number A030, after it A031."""
    plain = Bench()
    counted = Through(plain.links()["sam"])
    plain.run(register(plain.desk, plain.request()), sam=counted)
    found = []
    for at in range(len(counted.messages)):
        bench = Bench()
        with pytest.raises(Ended) as end:
            bench.run(register(bench.desk, bench.request()), sam=Failing(bench.links()["sam"], Strike(at, Outcome.GONE, times=9)))
        found.append(code_for(trouble_of(end.value)))
    assert found[-1] == "A031" and set(found[:-1]) == {"A030"}


SMALL = "[{start='09:00', end='09:20', per_hour=30}]"
CARDS = {f"params.cards.{name}_share": "0" for name in ("not_insured", "restricted", "cancelled", "expired", "pin")}


@cache
def played(kind: str, on: str, virtual: str = "0") -> Sequence[Row]:
    """A short morning on which nothing can be read for want of this."""
    takes = KINDS[kind].takes  # type: ignore[index]
    fault = f"id='f', kind='{kind}', on='{on}', steps={STEPS[on]}"
    fault += ", share=1" if "share" in takes else ", start='08:50', end='20:00'"
    rows: list[Row] = []
    overrides = {"params.arrivals.bands": SMALL, "fault": f"[{{{fault}}}]", "params.cards.virtual_share": virtual, **CARDS}
    play(load(ROOT / "scenarios" / "clinic_morning.toml", overrides), 0, rows.append)
    return rows


STEPS = {"card": "['read basic data', 'power on']", "sam": "['sign visit']", "wallet": "[]", "cloud": "[]"}


@pytest.mark.parametrize(
    ("kind", "on", "virtual", "code"),
    [
        ("hang", "card", "0", "A010"), ("loss_before", "card", "0", "A010"), ("outage", "card", "0", "A010"),
        ("tear", "card", "0", "B000"), ("garble", "card", "0", "B000"), ("hang", "sam", "0", "A031"),
        ("loss_before", "wallet", "1", "A000"), ("garble", "wallet", "1", "A000"),
    ],
)
def test_patient_treated_without_card_has_the_code_of_what_is_broken(kind: str, on: str, virtual: str, code: str) -> None:
    rows = played(kind, on, virtual)
    visits = [row for row in rows if isinstance(row, VisitRow)]
    assert visits and {(v.outcome, v.sequence) for v in visits} == {("served", code)}
    assert {u.outcome for u in rows if isinstance(u, UploadRow)} == {"stored"}
    assert all(law.holds for law in rows if isinstance(law, LedgerRow))


def test_clinic_may_send_them_away() -> None:
    rows: list[Row] = []
    overrides = {
        "params.arrivals.bands": SMALL, "params.without_card": "'sent away'", "params.cards.virtual_share": "0", **CARDS,
        "fault": "[{id='f', kind='hang', on='card', share=1, steps=['power on']}]",
    }
    play(load(ROOT / "scenarios" / "clinic_morning.toml", overrides), 0, rows.append)
    assert {(v.outcome, v.sequence) for v in rows if isinstance(v, VisitRow)} == {("gave-up", "")}
    assert not [row for row in rows if isinstance(row, UploadRow)]
