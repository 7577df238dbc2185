"""The return codes: complete, apart by space, representable when unknown, and cheap to import."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.codes import CODES, Certainty, Origin, Space, code_of_sw, lookup
from virtual_devices.errors import UsageError
from virtual_devices.tables import read_table


def test_codes_are_as_many_as_the_table_says() -> None:
    assert len(CODES) == read_table("return_codes")["meta"]["total"] == 371
    per_space = {space: sum(where is space for where, _ in CODES) for space in Space}
    assert per_space == {Space.CSHIS: 187, Space.VHC: 174, Space.UPLOAD: 10}


def test_codes_are_official_where_the_manual_has_them() -> None:
    official = [code for code in CODES.values() if code.certainty is Certainty.OFFICIAL]
    assert len(official) == 156
    assert {code.space for code in official} == {Space.CSHIS}
    assert all(code.source and (code.reserved or code.stated_by >= 0) for code in official)
    assert all(code.stated_by == -1 for code in CODES.values() if code.certainty is not Certainty.OFFICIAL)


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: f"{code.space.value}:{code.code}")
def test_code_is_found_again_and_speaks(code: object) -> None:
    found = lookup(code.code, code.space)  # type: ignore[attr-defined]
    assert found is code
    assert found.known
    assert found.zh and found.en and found.when and found.source
    assert found.origin is not Origin.UNKNOWN
    assert str(found) == f"{found.code} {found.en} ({found.zh})"
    assert int(found.code) >= -1


def test_str_of_a_code_has_number_english_and_official_words() -> None:
    assert str(lookup("4061")) == "4061 network down (網路不通)"


@pytest.mark.parametrize(("sw", "code"), [(0x9401, "5001"), (0x9420, "5020"), (0x9550, "5150"), (0x9700, "9100")])
def test_status_word_of_the_profile_stands_for_a_known_code(sw: int, code: str) -> None:
    assert code_of_sw(sw) == code and lookup(code).known


@pytest.mark.parametrize("sw", [0x9000, 0x6985, 0x63C2, 0x940A, 0x94A0, 0x9601, 0x9701, 0x0094, 0])
def test_other_status_words_stand_for_no_code(sw: int) -> None:
    assert code_of_sw(sw) is None


def test_lookup_takes_numbers_as_calls_return_them() -> None:
    assert lookup(0) == lookup("0")
    assert lookup(-1).zh == "連結埠開啟或關閉失敗"
    assert lookup(4061, "cshis") == lookup("4061", Space.CSHIS)


@pytest.mark.parametrize(
    ("code", "one", "other"),
    [
        ("-1", Space.CSHIS, Space.VHC),
        ("5003", Space.CSHIS, Space.UPLOAD),
        ("5004", Space.CSHIS, Space.UPLOAD),
        ("9002", Space.CSHIS, Space.UPLOAD),
        ("9005", Space.CSHIS, Space.UPLOAD),
        ("9999", Space.CSHIS, Space.UPLOAD),
    ],
)
def test_same_number_in_two_spaces_stays_apart(code: str, one: Space, other: Space) -> None:
    assert lookup(code, one).known and lookup(code, other).known
    assert lookup(code, one).zh != lookup(code, other).zh
    assert lookup(code, one) != lookup(code, other)


@given(st.one_of(st.text(max_size=8), st.integers()), st.sampled_from(Space))
def test_lookup_never_raises_for_a_code(code: str | int, space: Space) -> None:
    found = lookup(code, space)
    assert (found.code, found.space) == (str(code), space)
    assert found.known == ((space, str(code)) in CODES)
    assert str(found).startswith(str(code))


def test_unknown_code_says_so() -> None:
    unknown = lookup("4062")
    assert not unknown.known
    assert unknown.origin is Origin.UNKNOWN
    assert str(unknown) == "4062 unknown code"


def test_leading_zeros_count() -> None:
    assert lookup("0000", Space.UPLOAD).zh == "正確有效"
    assert not lookup("0", Space.UPLOAD).known


def test_unknown_space_is_the_callers_slip() -> None:
    with pytest.raises(UsageError, match="cshis, vhc, upload-api"):
        lookup("0", "cshs")


def test_disagreements_reach_their_codes() -> None:
    marked = {(code.space.value, code.code) for code in CODES.values() if code.disagreement}
    rows = read_table("return_codes")["disagreement"]
    assert marked == {(row["space"], code) for row in rows for code in row["codes"]}
    assert "one month" in lookup("5004").disagreement
    assert lookup("5004", Space.UPLOAD).disagreement == ""


def test_reserved_codes_are_those_that_the_manual_keeps_free() -> None:
    assert {code.code for code in CODES.values() if code.reserved} == {str(n) for n in range(9101, 9129) if n != 9127}


def test_import_of_codes_reads_no_table() -> None:
    script = "import sys, virtual_devices.codes; print('tomllib' in sys.modules, 'importlib.resources' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
