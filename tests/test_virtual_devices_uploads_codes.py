"""Every check code is brought about by a case, or stands on the closed list with its reason."""

from __future__ import annotations

import pytest

from virtual_devices.uploads.checking import FILE_CODES, FORM_CODES, check, rules
from virtual_devices.uploads.codes import CHECK_CODES, unproduced
from virtual_devices.uploads.document import Record
from virtual_devices.uploads.fields import Version
from virtual_devices.uploads.making import make
from virtual_devices.uploads.rules import Case

from .upload_cases import AT_PHARMACY, CASES, PHARMACYS, PRESCRIBED, SHOT_10, SHOT_20, after
from .upload_visits import REFILL_RELEASED, VISIT, context

WANTED = {(version, code.code) for code in CHECK_CODES.values() for version in code.versions}
CLOSED = {(one.version, one.code) for one in unproduced()}


def test_every_code_has_a_case_or_a_reason() -> None:
    assert CASES.keys() | CLOSED == WANTED
    assert not CASES.keys() & CLOSED
    assert all(one.reason for one in unproduced())


def test_the_table_has_all_codes_of_the_field() -> None:
    counts = {version: sum(version in code.versions for code in CHECK_CODES.values()) for version in Version}
    assert len(CHECK_CODES) == 231
    assert counts == {Version.V10: 71, Version.V20: 218}


@pytest.mark.parametrize(("version", "code"), CASES, ids=lambda value: getattr(value, "value", value))
def test_code_is_given(version: Version, code: str) -> None:
    assert code in CASES[(version, code)]()


def test_sound_records_have_no_findings() -> None:
    for version in Version:
        assert check(make(VISIT, version), context()) == ()
        assert check(make(REFILL_RELEASED, version), context()) == ()
    for shot in (SHOT_10, SHOT_20):
        assert check(shot, context()) == ()
    assert check(PHARMACYS, after(context(**AT_PHARMACY), PRESCRIBED)) == ()


def test_rules_give_codes_of_their_format_only() -> None:
    for version in Version:
        for rule in rules(version):
            assert all(version in CHECK_CODES[code].versions for code in rule.codes), rule.test.__name__
            assert rule.condition, rule.test.__name__
    given = {code for version in Version for rule in rules(version) for code in rule.codes}
    assert given | FORM_CODES.keys() | FILE_CODES.keys() == {code for _, code in CASES}


def test_rules_pass_over_an_empty_record() -> None:
    for version in Version:
        record = Record(version, {}, {"A23" if version is Version.V10 else "M07": "01"}, ({}, {}))
        case = Case(record, context())
        given = {place.code or rule.codes[0] for rule in rules(version) for place in rule.test(case)}
        assert {"AA", "Y008"} <= given
