"""What the situations upload: every visit is a record that counts, in the format that the institution has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from scenarios.files import load
from scenarios.play import play
from virtual_devices.clock import NS
from virtual_devices.errors import UsageError
from virtual_devices.institution import uploads
from virtual_devices.trace import LedgerRow, Row, UploadRow

from .places import ROOT

BANDS = "[{start='09:00', end='09:20', per_hour=20}]"
SMALL = {
    "clinic_morning": {"params.arrivals.bands": BANDS, "fault": "[]", "params.cards.virtual_share": "0",
                       "params.cards.not_insured_share": "0"},
    "pharmacy": {"params.arrivals.bands": BANDS, "params.answers.doubtful_share": "0"},
    "home_visit": {"params.round.homes": "3", "params.cards.virtual_share": "0"},
}


def rows_of(name: str, **more: str) -> Sequence[Row]:
    rows: list[Row] = []
    play(load(ROOT / "scenarios" / f"{name}.toml", {**SMALL[name], **more}), 0, rows.append)
    return rows


@pytest.mark.parametrize("upload_format", ["1.0", "2.0"])
@pytest.mark.parametrize("name", SMALL)
def test_every_visit_is_a_record_that_counts(name: str, upload_format: str) -> None:
    rows = rows_of(name, **{"params.upload_format": f"'{upload_format}'"})
    sent = [row for row in rows if isinstance(row, UploadRow)]
    assert sent and {row.outcome for row in sent} == {"stored"}
    assert all(row.holds for row in rows if isinstance(row, LedgerRow))


@pytest.mark.parametrize("name", ["clinic_morning", "home_visit"])
def test_format_10_knows_no_virtual_cards(name: str) -> None:
    wanted = {"params.cards.virtual_share": "0.3", "params.upload_format": "'1.0'"}
    with pytest.raises(UsageError, match="knows no virtual cards"):
        load(ROOT / "scenarios" / f"{name}.toml", wanted)


def test_dispensing_waits_for_the_prescribers_record_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pharmacy whose records wait as long as a physician's has not come: they are sent again, others at once."""
    tried: list[int] = []
    first = uploads.read_report

    def waits(body: Mapping[str, Any]) -> uploads.Report | None:
        report = first(body)
        tried.append(len(tried))
        if report is not None and len(tried) in (1, 2):
            return replace(report, counts=False, codes=frozenset({"D049"}), against="M16:D049")
        return report

    monkeypatch.setattr(uploads, "read_report", waits)
    sent = [row for row in rows_of("pharmacy") if isinstance(row, UploadRow)]
    assert {row.outcome for row in sent} == {"stored"} and max(row.tries for row in sent) >= 2
    at_once = [row for row in sent if row.tries == 1]
    assert at_once and all(row.stored_ns - row.ended_ns < 60 * NS for row in at_once)


def test_record_that_a_check_refused_is_corrected_within_the_day() -> None:
    """Somebody typed a wrong birth date; the check report says so, somebody mends it, and the record counts."""
    rows = rows_of("clinic_morning", **{"params.mistyped_share": "1"})
    sent = [row for row in rows if isinstance(row, UploadRow)]
    assert sent and {row.outcome for row in sent} == {"stored"} and min(row.tries for row in sent) == 2
    assert all(row.stored_ns <= row.due_ns and row.stored_ns - row.ended_ns > 60 * NS for row in sent)
    assert all(row.holds for row in rows if isinstance(row, LedgerRow))
    again = rows_of("clinic_morning", **{"params.mistyped_share": "1", "params.upload_format": "'1.0'"})
    assert {row.outcome for row in again if isinstance(row, UploadRow)} == {"stored"}
