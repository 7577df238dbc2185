"""Late and missing visits by name, and an institution's figures beside the bars."""

from __future__ import annotations

from dataclasses import replace

from virtual_devices.clock import NS, parse_roc
from virtual_devices.uploads.lists import DEADLINES
from virtual_devices.uploads.rows import Kept, Standing
from virtual_devices.uploads.timeliness import Acceptance, KnownVisit, LateRecord, acceptance, late

from .upload_visits import CLINIC, PATIENT, PHARMACY, VISITED_AT

VISITED_NS = parse_roc(VISITED_AT)
DUE_NS = VISITED_NS + 86_400 * NS


def kept(identifier: str, received_ns: int, standing: Standing = Standing.COUNTED, place: str = CLINIC) -> Kept:
    return Kept(place, PATIENT, VISITED_AT, "1", "", identifier, "01", "", "2.0", "A", "", "", standing, received_ns, "OP", b"")


def test_record_is_late_after_24_hours() -> None:
    rows = [kept("a", DUE_NS), kept("b", DUE_NS + 1)]
    assert late(rows, (), DUE_NS + 5) == [LateRecord("b", CLINIC, PATIENT, DUE_NS, DUE_NS + 1)]


def test_visit_without_record_is_missing_after_24_hours() -> None:
    known = [KnownVisit(name, CLINIC, PATIENT, VISITED_NS, VISITED_NS) for name in "abcd"]
    rows = [kept("a", VISITED_NS), kept("b", VISITED_NS, Standing.FAILED), kept("c", VISITED_NS, Standing.DELETED)]
    assert late(rows, known, DUE_NS) == []
    found = late(rows, known, DUE_NS + 1)
    assert [(one.identifier, one.missing, one.failed) for one in found] == [("b", True, True), ("d", True, False)]


def test_record_without_identifier_is_of_the_visit_that_began_then() -> None:
    known = [KnownVisit(f"{s}", CLINIC, PATIENT, VISITED_NS + s * NS, VISITED_NS) for s in (-601, -600, 600, 601)]
    assert [one.identifier for one in late([kept("", VISITED_NS)], known, DUE_NS + 1)] == ["-601", "601"]
    assert [one.failed for one in late([kept("", VISITED_NS, Standing.FAILED)], known[1:2], DUE_NS + 1)] == [True]
    nowhen = replace(kept("", VISITED_NS, Standing.FAILED), visited_at="yesterday")
    assert [one.failed for one in late([nowhen], known[1:2], DUE_NS + 1)] == [False]


def test_record_of_another_institution_does_not_count() -> None:
    known = [KnownVisit("a", CLINIC, PATIENT, VISITED_NS, VISITED_NS)]
    assert [one.missing for one in late([kept("a", VISITED_NS, place=PHARMACY)], known, DUE_NS + 1)] == [True]


def test_figures_stand_beside_the_bars() -> None:
    rows = [kept(f"{number}", DUE_NS + (number >= 9)) for number in range(10)] + [kept("f", 0, Standing.FAILED)]
    figures = acceptance(CLINIC, rows, [*"012345678", "none"], "11503")
    assert figures == Acceptance(CLINIC, 10, 9, 1, 10, 9)
    assert (figures.timely_enough, figures.matched_enough) == (True, True)
    assert figures.error_band == 1
    worse = acceptance(CLINIC, [*rows[:9], kept("x", DUE_NS + 1), kept("y", DUE_NS + 1)], [*"01234", "none"])
    assert (worse.timely_enough, worse.matched_enough) == (False, False)


def test_month_and_institution_bound_the_figures() -> None:
    rows = [kept("a", VISITED_NS), kept("b", VISITED_NS, place=PHARMACY)]
    assert acceptance(CLINIC, rows, ()).records == 1
    nothing = acceptance(CLINIC, rows, (), "11502")
    assert (nothing.records, nothing.timely_share, nothing.matched_share, nothing.error_share) == (0, 1.0, 1.0, 0.0)


def test_bars_are_figures_of_the_table() -> None:
    assert (DEADLINES["bar_timely"].value, DEADLINES["bar_matched"].value) == (0.9, 0.9)
    assert (DEADLINES["upload_24h"].value, DEADLINES["precheck_kept"].value, DEADLINES["precheck_wait"].value) == (24, 2, 30)
    bands = [Acceptance(CLINIC, 100 - share, 0, share, 0, 0).error_band for share in (0, 2, 3, 10, 20, 40, 60)]
    assert bands == [0, 0, 1, 2, 3, 4, 5]
