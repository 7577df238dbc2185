"""When a record is due, and an institution's figures beside the bars."""

from __future__ import annotations

from virtual_devices.clock import NS, parse_roc
from virtual_devices.cloud.visits import Visit, VisitRecord
from virtual_devices.reader.desk import Pending
from virtual_devices.uploads.deadline import due_ns
from virtual_devices.uploads.lists import DEADLINES
from virtual_devices.uploads.rows import Kept, Standing
from virtual_devices.uploads.timeliness import Acceptance, acceptance

from .upload_visits import CLINIC, PATIENT, PHARMACY, VISIT, VISITED_AT

VISITED_NS = parse_roc(VISITED_AT)
DUE_NS = VISITED_NS + 86_400 * NS


def kept(identifier: str, received_ns: int, standing: Standing = Standing.COUNTED, place: str = CLINIC) -> Kept:
    return Kept(place, PATIENT, VISITED_AT, "1", "", identifier, "01", "", "2.0", "A", "", "", standing, received_ns, "OP", b"")


def test_one_rule_says_when_a_record_is_due() -> None:
    """Of the record as it is kept, of the visit that the data centre knows, of what waits at the institution."""
    known = Visit("a", "000000000001", CLINIC, b"r", "01", VISITED_NS, ended_ns=VISITED_NS + 3600 * NS)
    told = VisitRecord(b"k", "a", "000000000001", CLINIC, "0001", VISITED_AT, VISITED_NS + 3600 * NS, b"")
    waits = Pending("v", b"b", VISIT, b"r", VISITED_NS + 3600 * NS, VISITED_NS)
    assert {kept("a", 0).due_ns, known.due_ns, told.due_ns, waits.due_ns, due_ns(VISITED_NS)} == {DUE_NS}


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
