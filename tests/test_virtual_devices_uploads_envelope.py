"""The HTTP upload's request and answer: both directions, and each refusal with its code."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtual_devices.clock import NS
from virtual_devices.codes import Space, lookup
from virtual_devices.uploads.envelope import (
    REQUEST_FIELDS,
    Operation,
    Protocol,
    Refused,
    SamStanding,
    UploadRequest,
    check_request,
    is_opcode,
    make_answer,
    make_opcode,
    make_request,
    read_request,
    receipt,
    sam_of_opcode,
)

from .upload_visits import CLINIC, CLINIC_SAM, NOW_NS, PHARMACY

FILE = b"<?xml"
GOOD = make_request(Operation.FORMAL, CLINIC_SAM, CLINIC, "random", "signature", NOW_NS + 123_000_000, FILE)
READ = UploadRequest(Protocol.V2000, Operation.FORMAL, CLINIC_SAM, CLINIC, "random", "signature", NOW_NS + 123_000_000, FILE)
STANDING = SamStanding(CLINIC)


def test_request_is_read_back() -> None:
    assert tuple(GOOD) == REQUEST_FIELDS
    assert read_request(GOOD) == READ
    assert read_request(GOOD, Protocol.V1000) == replace(READ, protocol=Protocol.V1000)


def test_field_names_come_in_any_case() -> None:
    assert read_request({name.replace("SamId", "Samid"): value for name, value in GOOD.items()}) == READ


@given(st.sampled_from(Operation), st.binary(max_size=2000), st.integers(NOW_NS // 10**6, NOW_NS // 10**6 + 10**9))
@settings(max_examples=50, deadline=None)
def test_any_file_and_moment_travel_whole(operation: Operation, file: bytes, moment_ms: int) -> None:
    made = make_request(operation, CLINIC_SAM, CLINIC, "r", "s", moment_ms * 10**6, file)
    found = read_request(made)
    if file:
        assert isinstance(found, UploadRequest)
        assert (found.operation, found.file, found.uploaded_ns) == (operation, file, moment_ms * 10**6)
    else:
        assert isinstance(found, Refused)


@pytest.mark.parametrize(("field", "value", "code"), [
    ("sType", "A3", "5003"), ("sType", None, "5003"), ("sSamId", "SAM", "5004"), ("sHospId", "35", "9005"),
    ("sPatData", "?", "9999"), ("sPatData", "é", "9999"), ("sUploadDT", "20260302", "9999"),
    ("sUploadDT", "20261302180000000", "9999"),
    ("sUploadDT", "19000302180000000", "9999"), ("sSignature", "", "9999"), ("sClientRandom", 7, "9999"),
])
def test_what_cannot_be_read_is_refused_with_a_code(field: str, value: object, code: str) -> None:
    found = read_request({**GOOD, field: value})
    assert isinstance(found, Refused)
    assert (found.code, found.field) == (code, field)
    assert lookup(code, Space.UPLOAD).known


@given(st.dictionaries(st.text(max_size=20) | st.sampled_from(REQUEST_FIELDS), st.none() | st.integers() | st.text(max_size=40)))
@settings(max_examples=100, deadline=None)
def test_any_fields_are_read_or_refused(fields: dict[str, object]) -> None:
    for given_fields in (fields, {**GOOD, **fields}):
        assert isinstance(read_request(given_fields), UploadRequest | Refused)


@pytest.mark.parametrize(("sam", "known", "after_s", "holds", "code"), [
    (STANDING, True, 0, True, ""), (STANDING, True, 3600, True, ""), (STANDING, True, -3600, True, ""),
    (STANDING, True, 3601, True, "8203"), (STANDING, True, -3601, True, "8203"), (STANDING, False, 0, True, "9005"),
    (None, True, 0, True, "5004"), (SamStanding(PHARMACY), True, 0, True, "5004"),
    (SamStanding(CLINIC, True), True, 0, True, "8205"), (STANDING, True, 0, False, "9002"),
])
def test_request_is_taken_or_refused_with_its_code(
    sam: SamStanding | None, known: bool, after_s: int, holds: bool, code: str,
) -> None:
    refused = check_request(READ, sam, known, READ.uploaded_ns + after_s * NS, lambda _: holds)
    assert (refused.code if refused else "") == code


def test_opcode_names_moment_institution_and_sam() -> None:
    opcode = make_opcode(NOW_NS, 7, CLINIC, CLINIC_SAM)
    assert opcode == f"20260302180000000007{CLINIC}{CLINIC_SAM}"
    assert len(opcode) == 42
    assert sam_of_opcode(opcode) == (CLINIC, CLINIC_SAM)
    assert is_opcode(opcode + " more")
    assert not is_opcode(opcode[:-1])
    assert len({make_opcode(NOW_NS, number, CLINIC, CLINIC_SAM) for number in range(1000)}) == 1000
    with pytest.raises(ValueError, match="10 and 12"):
        make_opcode(NOW_NS, 1, "35", CLINIC_SAM)
    with pytest.raises(ValueError, match="20 digits"):
        sam_of_opcode("x" * 42)


def test_answers_have_the_fields_of_the_field() -> None:
    assert make_answer("0000", "x") == {"RtnCode": "0000", "Opcode": "x"}
    told = receipt(READ, 3, NOW_NS)
    assert told["bytes"] == len(FILE)
    assert told["uploaded_at"] == "1150302180000"
