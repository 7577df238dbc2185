"""The conservation laws of a clinic are checked visit by visit: two mistakes never cancel out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from scenarios import clinic_morning
from scenarios.clinic_laws import UPLOADED, laws
from scenarios.files import load
from virtual_devices.clock import NS
from virtual_devices.trace import LedgerRow, Row, UploadRow, VisitRow
from virtual_devices.uploads.rows import KEPT, Standing

from .test_scenarios_clinic_morning import MORNING, of, played, rows_of

CARDS = "visits registered from cards = visits on those cards, each its own"
BROKEN_OFF = "visits broken off while registering = cards with one visit at most"
LEFT = "patients who came = patients who left, each once"
MADE = "visits registered = records made, one each"
STORED = UPLOADED
TOLD = "visits told to the data centre = different visits told"


class Kept:
    """The parts of one small morning when its laws are checked."""

    parts: dict[str, Any]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    found = Kept()

    def keep(visits: Any, left: Any, institution: Any, core: Any, on_card: Any) -> Any:
        found.parts = {"visits": visits, "left": left, "institution": institution, "core": core, "on_card": on_card}
        return laws(**found.parts)

    monkeypatch.setattr(clinic_morning, "laws", keep)
    bands = '[{start="09:00", end="09:30", per_hour=40}]'
    rows = rows_of(load(MORNING, {"params.arrivals.bands": bands, "fault": "[]", "params.cards.virtual_share": "0.3"}))
    assert [r for r in of(tuple(rows), LedgerRow) if not r.holds] == []
    return found


def broken(kept: Kept, **changed: Any) -> set[str]:
    return {name for name, left, right in laws(**kept.parts | changed) if left != right}


def test_every_law_holds_and_counts_something(kept: Kept) -> None:
    found = {name: left for name, left, right in laws(**kept.parts)}
    assert all(count for name, count in found.items() if name != BROKEN_OFF)
    assert broken(kept) == set()


def test_visit_missing_on_one_card_and_doubled_on_another_is_no_balance(kept: Kept) -> None:
    on_card: Callable[[Any], list[Any]] = kept.parts["on_card"]
    first, second = [v.patient for v in kept.parts["visits"] if v.patient.card is not None and v.registered is not None][:2]
    assert broken(kept, on_card=lambda p: [] if p is first else on_card(p) * 2 if p is second else on_card(p)) == {CARDS}
    assert broken(kept, on_card=lambda p: on_card(second if p is first else first if p is second else p)) == {CARDS}


def test_card_of_a_visit_broken_off_holds_it_once_at_most(kept: Kept) -> None:
    visits = kept.parts["visits"]
    victim = next(v for v in visits if v.patient.card is not None and v.registered is not None)
    own, kept_visit = kept.parts["on_card"](victim.patient), victim.registered
    victim.registered = None
    try:
        assert broken(kept) == {MADE}  # the card may hold it: the power went after the write
        assert broken(kept, on_card=lambda p: own * 2 if p is victim.patient else kept.parts["on_card"](p)) == {MADE, BROKEN_OFF}
    finally:
        victim.registered = kept_visit


def test_patient_who_leaves_twice_makes_up_for_nobody(kept: Kept) -> None:
    left = Counter(kept.parts["left"])
    one, other = list(left)[:2]
    left[one], left[other] = 0, 2
    assert broken(kept, left=left) == {LEFT}


def test_record_missing_and_record_doubled_is_no_balance(kept: Kept) -> None:
    institution = kept.parts["institution"]
    done = institution.done
    told = done[1].told
    twin = replace(
        done[1], told=replace(told, visited_ns=told.visited_ns + NS), file=done[1].file.replace(b"<M12>1", b"<M12>2"),
    )
    assert broken(kept, institution=replace(institution, done=[twin, *done[1:]])) == {MADE, STORED}
    assert broken(kept, institution=replace(institution, done=done[1:])) == {MADE, STORED}
    assert broken(kept, institution=replace(institution, done=[done[1], *done[1:]])) >= {MADE, TOLD}


def test_record_that_was_changed_on_the_way_is_not_the_same(kept: Kept) -> None:
    shelf = kept.parts["core"].books.shelf(KEPT)
    whole = next(iter(shelf))
    for changed in ({"content": whole.content.replace(b"<M12>1", b"<M12>2")}, {"standing": Standing.FAILED}):
        shelf.put(replace(whole, **changed))
        assert broken(kept) == {STORED}
    shelf.put(whole)
    shelf.put(replace(whole, visited_at="1150302000000", content=whole.content.replace(b"<M12>1", b"<M12>2")))  # nobody's
    assert broken(kept) == {STORED}


def test_record_that_counts_and_whose_visit_is_still_asked_for_breaks_the_law(kept: Kept) -> None:
    visits = kept.parts["core"].visits
    one = visits.get(kept.parts["institution"].done[0].told.identifier)
    visits.put(replace(one, stored_ns=-1))
    assert broken(kept) == {STORED}


def test_record_that_waits_may_be_stored_already(kept: Kept) -> None:
    institution = kept.parts["institution"]
    waits = replace(institution, done=institution.done[:-1], queue=type(institution.queue)(institution.done[-1:]))
    assert broken(kept, institution=waits) == set()


# --- rows as things settle


def test_upload_is_recorded_when_it_is_settled() -> None:
    rows: list[Row] = list(played("fault=[]"))
    last = max(i for i, r in enumerate(rows) if isinstance(r, VisitRow))
    before = [r for r in rows[:last] if isinstance(r, UploadRow)]
    assert len(before) > 0.9 * len(of(tuple(rows), UploadRow))
    assert len({r.visit for r in of(tuple(rows), UploadRow)}) == len(of(tuple(rows), UploadRow))


def test_queue_without_cards_has_its_law_too() -> None:
    bands = '[{start="00:00", end="00:10", per_hour=600}]'
    rows = rows_of(load(MORNING.with_name("queue_mmc.toml"), {"params.arrivals.bands": bands}))
    found = {r.law: r for r in of(tuple(rows), LedgerRow)}
    assert found[LEFT].left > 50 and all(r.holds for r in found.values())
