"""A card's life: every state with every event, who may, what follows, and the page made from the same table."""

from __future__ import annotations

import importlib.util
from itertools import product
from types import ModuleType

import pytest

from virtual_devices.codes import Space
from virtual_devices.lifecycle import (
    LIFE,
    NOT_ALLOWED,
    REFUSED_EVENT,
    REFUSED_IN,
    REVOKED,
    ROWS,
    STATUS,
    Carrier,
    Event,
    Party,
    Refusal,
    Row,
    State,
    Status,
    step,
)

from .places import ROOT

# Written by hand, and not from the table. Columns: issue, activate, close, present, renew, suspend, resume, report lost, replace,
# recall, expire, wipe. Letters: the state it becomes; a dot: refused.
STATES = {"A": "applied", "I": "issued", "C": "active", "S": "suspended", "L": "lost", "B": "re-bound", "R": "recalled",
          "X": "expired", "W": "wiped", "E": "ended"}
VIRTUAL = {
    "applied":   "I.E.........",
    "issued":    ".CE....L.R..",
    "active":    "...CCS.LBRX.",
    "suspended": "......CL.RX.",
    "lost":      "........B..W",
    "re-bound":  "...........W",
    "recalled":  "...........W",
    "expired":   ".......LBR.W",
    "wiped":     "............",
    "ended":     "............",
}
PHYSICAL = {
    "applied":   "I.E.........",
    "issued":    ".CE....L.R..",
    "active":    "...CC..LBRX.",
    "suspended": "............",
    "lost":      "........B..W",
    "re-bound":  "...........W",
    "recalled":  "...........W",
    "expired":   "....C..LBR.W",
    "wiped":     "............",
    "ended":     "............",
}
EVERY = list(product(Carrier, State, Event))


@pytest.mark.parametrize(("carrier", "state", "event"), EVERY, ids=lambda one: one.value)
def test_state_accepts_only_what_belongs_to_it(carrier: Carrier, state: State, event: Event) -> None:
    letter = (VIRTUAL if carrier is Carrier.VIRTUAL else PHYSICAL)[state.value][list(Event).index(event)]
    outcome = step(state, event, carrier)
    if letter == ".":
        assert isinstance(outcome, Refusal)
        assert outcome.code.code.known and outcome.code.number != "0"
        assert outcome.code == REFUSED_EVENT.get((state, event, carrier), REFUSED_IN[state, carrier])
        assert state.value in outcome.text and event.value in outcome.text
    else:
        assert isinstance(outcome, Row)
        assert outcome.to is State(STATES[letter])
        assert outcome.consequence and outcome.by


@pytest.mark.parametrize("row", LIFE, ids=lambda row: f"{row.state.value}-{row.event.value}")
def test_who_may_not_is_refused_and_who_may_is_not(row: Row) -> None:
    carrier = next(iter(row.carriers))
    for party in Party:
        outcome = step(row.state, row.event, carrier, party)
        if party in row.by:
            assert outcome is row
        else:
            assert isinstance(outcome, Refusal) and outcome.code == NOT_ALLOWED


@pytest.mark.parametrize(
    ("event", "who"),
    [(Event.ISSUE, {Party.DATA_CENTRE}), (Event.REPLACE, {Party.DATA_CENTRE}), (Event.RENEW, {Party.DATA_CENTRE}),
     (Event.EXPIRE, {Party.CLOCK}), (Event.WIPE, {Party.DEVICE, Party.DATA_CENTRE}),
     (Event.PRESENT, {Party.HOLDER, Party.GUARDIAN})],
)
def test_event_is_of_the_same_parties_in_every_state(event: Event, who: set[Party]) -> None:
    assert {row.by for row in LIFE if row.event is event} == {frozenset(who)}


def test_table_has_each_pair_once() -> None:
    assert len(ROWS) == len(LIFE)
    assert set(REFUSED_IN) == set(product(State, Carrier)) and set(STATUS) == set(State)


def test_refusals_of_their_own_stand_where_something_is_refused() -> None:
    for (state, event, carrier), code in REFUSED_EVENT.items():
        assert isinstance(step(state, event, carrier), Refusal)
        assert code != REFUSED_IN[state, carrier]


def reachable(start: State, carrier: Carrier) -> set[State]:
    found, todo = {start}, [start]
    while todo:
        here = todo.pop()
        new = {row.to for row in LIFE if row.state is here and carrier in row.carriers} - found
        found |= new
        todo += new
    return found


@pytest.mark.parametrize("carrier", Carrier)
def test_revoked_card_never_becomes_valid_again(carrier: Carrier) -> None:
    assert {State.LOST, State.REBOUND, State.RECALLED, State.WIPED, State.ENDED} == REVOKED
    for state in REVOKED:
        assert reachable(state, carrier) <= REVOKED


def test_every_state_is_reached_and_a_physical_card_is_never_suspended() -> None:
    assert reachable(State.APPLIED, Carrier.VIRTUAL) == set(State)
    assert reachable(State.APPLIED, Carrier.PHYSICAL) == set(State) - {State.SUSPENDED}


def test_only_an_active_card_is_valid_and_presented() -> None:
    assert [state for state, status in STATUS.items() if status is Status.VALID] == [State.ACTIVE]
    assert [row.state for row in LIFE if row.event is Event.PRESENT] == [State.ACTIVE]


def test_codes_that_the_manual_has_are_marked_official_only_where_it_says_so() -> None:
    official = {code.number for code in REFUSED_IN.values() if code.certainty.value == "official"}
    assert official == {"5002", "5003"}
    assert all(code.space is Space.CSHIS for code in REFUSED_IN.values() if code.number in official)


# -- the page

def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_life_cycle", ROOT / "docs" / "reference" / "make_life_cycle.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_the_one_made_from_the_table() -> None:
    kept = (ROOT / "docs" / "reference" / "life-cycle.md").read_text(encoding="utf-8")
    assert kept == maker().page()  # .venv/bin/python docs/reference/make_life_cycle.py docs/reference/life-cycle.md


def test_diagram_has_an_arrow_for_every_way_between_states() -> None:
    drawn = maker().mermaid()
    for row in LIFE:
        arrow = f"{row.state.value.replace('-', '')} --> {row.to.value.replace('-', '')}: "
        lines = [line for line in drawn.splitlines() if arrow in line]
        assert len(lines) == (row.state is not row.to)
        assert all(row.event.value in line for line in lines)
