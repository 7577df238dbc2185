"""The page of what is found afterwards names the codes that are told."""

from __future__ import annotations

import re

import pytest

from virtual_devices.prescription.codes import CODES, Why
from virtual_devices.write_back import WriteOutcome

from .places import ROOT

PAGE = (ROOT / "docs" / "reference" / "reconciliation.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("then", "codes"),
    [
        ("gave the same issue", {Why.RENUMBERED, Why.USED_UP, Why.TOO_EARLY}),
        ("amended meanwhile", {Why.OLD_VERSION, Why.GIVEN}),
        ("cancelled meanwhile", {Why.CANCELLED}), ("a doubt was open", {Why.HELD}), ("has not signed within", {Why.NO_RECIPIENT}),
        ("is not answered within", {Why.LATE_ANSWER}), ("nobody has brought yet", {Why.ORPHAN}),
    ],
)
def test_row_of_prescriptions_has_the_codes_that_are_told(then: str, codes: set[Why]) -> None:
    [row] = [line for line in PAGE.splitlines() if then in line]
    told = row.rstrip(" |").rpartition("|")[2]
    assert set(re.findall(r"(?:RX|D)\d+", told)) == {str(CODES[why]) for why in codes}


def test_row_of_phones_has_the_outcomes_that_are_told() -> None:
    [room] = [line for line in PAGE.splitlines() if "no room on the phone" in line]
    [written] = [line for line in PAGE.splitlines() if "written in between" in line]
    assert f"| {WriteOutcome.FULL.value} |" in room and f"| {WriteOutcome.CONFLICT.code} |" in written
