"""The data centre's messages: signed requests of an institution for itself, signed answers, and nothing that topples it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtual_devices import cose, pki
from virtual_devices.authentication import Party, padded_id, proof_message
from virtual_devices.clock import NS, roc_datetime13
from virtual_devices.cloud.service import CLOCK_SKEW_S, MAX_PART_BYTES, DataCentreDevice
from virtual_devices.pki import DAY_NS, ChainVerifier, Identity, Role, Verified
from virtual_devices.sam.sam import VISIT_STATEMENT
from virtual_devices.uploads.results import FileResult
from virtual_devices.uploads.rows import KEPT, Standing

from .desk import AUTHORITY, CARD_NO, HOLDER, INSTITUTION, NOW_NS, SAM_ID, STRANGER, Bench, issued
from .told import a_file, a_visit

SAM = AUTHORITY.issue(Role.SAM, SAM_ID, organisation=INSTITUTION)
OTHER = AUTHORITY.issue(Role.SAM, "SAM000000002", organisation="8801180014")
BEGIN = {"card_no": CARD_NO, "visit_type": "01"}


def request(operation: Any = "begin-visit", arguments: Any = BEGIN, *, sam: Identity = SAM, **more: Any) -> bytes:
    fields = {"1": 1, "2": operation, "3": b"r" * 16, "4": INSTITUTION, "5": SAM_ID, "6": NOW_NS, "7": arguments, **more}
    payload = cbor2.dumps({int(key.lstrip("_")): value for key, value in fields.items()})
    return cose.sign1(sam.key, payload, {cose.X5CHAIN: list(sam.chain)})


def ask(device: DataCentreDevice, raw: bytes, now_ns: int = NOW_NS) -> tuple[str, dict[str, Any]]:
    """Code and body of an answer that the data centre has signed for this request, or for none it could read."""
    answer = cose.decode(device.handle(raw, now_ns))
    centre = ChainVerifier(AUTHORITY.root_der).check(answer.chain, {Role.DATA_CENTRE}, now_ns)
    assert isinstance(centre, Verified) and answer.verify(centre.key)
    payload = cose.decode_map(answer.payload)
    assert payload is not None and payload[1] == 1 and payload[3] in (b"r" * 16, b"")
    return payload[8], dict(payload[9])


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_visit_is_begun_once_however_often_it_is_asked_for(bench: Bench) -> None:
    first = ask(bench.cloud, request())
    assert first[0] == "0" and len(first[1]["identifier"]) == 20
    assert ask(bench.cloud, request(), NOW_NS + CLOCK_SKEW_S * NS) == first and len(bench.core.visits) == 1


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "9001"), (b"\xff" * 50, "9001"), (b"\x81" * 100_000, "9001"), (request() + b"\0", "9001"),
        (cose.sign1(SAM.key, b"no map"), "9002"), (cose.sign1(SAM.key, b"\x81" * 100_000), "9002"), (request(_1=2), "9002"),
        (request(_3=b"short"), "9002"), (request(_3="r" * 16), "9002"), (request([]), "9002"), (request("erase"), "9002"),
        (request({}), "9002"), (request(7), "9002"), (request(arguments=[]), "9002"), (request(arguments={}), "9002"),
        (request(_6="now"), "9002"), (request(_6=None), "9002"), (request(_4="8801180014"), "9014"),
        (request(_5="SAM000000002"), "9014"),
        (request(_6=NOW_NS - CLOCK_SKEW_S * NS - 1), "9001"), (request(_6=NOW_NS + CLOCK_SKEW_S * NS + 1), "9001"),
        (request(_6=10**19), "9001"), (request(sam=OTHER), "9014"),
        (request(sam=STRANGER.issue(Role.SAM, SAM_ID, organisation=INSTITUTION)), "9014"),
        (request(sam=AUTHORITY.issue(Role.PHYSICIAN, SAM_ID, organisation=INSTITUTION)), "9013"),
        (request(sam=AUTHORITY.issue(Role.SAM, SAM_ID, organisation=INSTITUTION, days=(-9, -1))), "9061"),
        (request(sam=AUTHORITY.issue(Role.SAM, SAM_ID, organisation=INSTITUTION, days=(1, 9))), "9061"),
        (request(sam=Identity(OTHER.key, SAM.chain)), "9020"), (request(sam=Identity(SAM.key, ())), "9013"),
        (request(sam=Identity(SAM.key, SAM.chain * 50)), "9013"), (request(sam=Identity(SAM.key, (b"x",))), "9013"),
    ],
)
def test_request_that_is_not_in_order_changes_nothing(bench: Bench, raw: bytes, code: str) -> None:
    assert ask(bench.cloud, raw) == (code, {}) and not bench.core.visits


def test_revoked_sam_is_suspended(bench: Bench) -> None:
    verdict = ChainVerifier(AUTHORITY.root_der).check(SAM.chain, {Role.SAM}, NOW_NS)
    assert isinstance(verdict, Verified)
    identity = AUTHORITY.issue(Role.DATA_CENTRE, "IDC")
    device = DataCentreDevice(bench.core, identity, AUTHORITY.root_der, {verdict.serial})
    assert ask(device, request())[0] == "9060"


@settings(max_examples=150)
@given(st.data())
def test_altered_request_is_refused(data: st.DataObject) -> None:
    """Any bit of what is signed, of the signature, and of the chain."""
    bench, raw = Bench(), bytearray(request())
    whole = cose.decode(bytes(raw))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        read = cose.decode(bytes(raw))
    except cose.MalformedCose:
        same = False
    else:  # the alteration may be in how the message is written, or in what nobody reads
        same = all(getattr(read, part) == getattr(whole, part) for part in ("protected", "payload", "signature", "chain"))
    answer = cose.decode_map(cose.decode(bench.cloud.handle(bytes(raw), NOW_NS)).payload)  # the id may be what was altered
    assert answer is not None
    code = answer[8]
    assert (code == "0") == same
    assert len(bench.core.visits) == (code == "0")


PLAIN = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=20) | st.binary(max_size=40) | st.floats()
VALUES = PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(st.text(max_size=6), PLAIN, max_size=3)
NAMES = (
    "card_no", "visit_type", "carrier", "identifier", "sequence", "challenge", "visits_left", "expiry_date", "batch", "digest",
    "part", "index", "total",
)
GOOD = {
    "card_no": st.just(CARD_NO), "batch": st.just(b"b" * 16), "digest": st.just(b"d" * 32), "challenge": st.just(b"c" * 16),
    "index": st.integers(-1, 3), "total": st.integers(0, 3), "part": st.binary(max_size=30), "visits_left": st.integers(-1, 9),
}


@settings(max_examples=300)
@given(st.sampled_from(["verify-sam", "begin-visit", "roll-back", "update-card", "upload"]), st.data())
def test_signed_nonsense_is_answered_too(operation: str, data: st.DataObject) -> None:
    """A SAM may sign anything: the data centre answers in its own words and stores nothing that is no record."""
    bench = Bench()
    arguments = {name: data.draw(GOOD.get(name, VALUES) | VALUES) for name in NAMES if data.draw(st.integers(0, 9))}
    code, _ = ask(bench.cloud, request(operation, arguments))
    assert code.isdigit() and not bench.core.records


def upload(device: DataCentreDevice, whole: bytes, batch: bytes = b"b" * 16, sam: Identity = SAM, size: int = 64) -> list[Any]:
    """All parts in order; the answers."""
    parts = [whole[at : at + size] for at in range(0, len(whole), size)]
    who = {} if sam is SAM else {"_4": "8801180014", "_5": "SAM000000002"}
    common = {"batch": batch, "digest": hashlib.sha256(whole).digest(), "total": len(parts)}
    said = [{**common, "index": index, "part": part} for index, part in enumerate(parts)]
    return [ask(device, request("upload", arguments, sam=sam, **who)) for arguments in said]


def counts(body: dict[str, Any]) -> list[bool]:
    """Of each record of a file, whether it counts, as the check report says."""
    return [one.accepted for one in FileResult.from_json(body["report"]).records]


def test_upload_is_checked_and_kept_whole_and_hears_the_same_again(bench: Bench) -> None:
    whole = a_file(a_visit(), a_visit(1))
    *first, last = upload(bench.cloud, whole)
    assert {body["outcome"] for _, body in first} == {"part"} and counts(last[1]) == [True, True]
    assert [r.standing for r in bench.core.books.shelf(KEPT)] == [Standing.COUNTED] * 2
    assert [r.sequence for r in bench.core.records] == ["0002", "0001"]  # and the domain knows of both
    again = upload(bench.cloud, whole)
    assert {(body["outcome"], body["opcode"]) for _, body in again} == {("already", last[1]["opcode"])}
    assert len(bench.core.records) == 2
    assert upload(bench.cloud, a_file(a_visit(2)))[0] == ("9070", {"outcome": "conflict"})
    other = upload(bench.cloud, a_file(a_visit(orders=0)), b"o" * 16)  # the same visit told otherwise: the first stays
    assert counts(other[-1][1]) == [False] and len(bench.core.records) == 2


def test_record_that_fails_a_check_is_told_and_is_no_visit(bench: Bench) -> None:
    wrong = replace(a_visit(), birth_date=date(1930, 1, 1))
    [(code, body)] = upload(bench.cloud, a_file(wrong, a_visit(1)), size=60_000)
    assert code == "0" and counts(body) == [False, True] and len(bench.core.records) == 1
    assert {one.code for one in FileResult.from_json(body["report"]).records[0].findings} == {"05"}


@pytest.mark.parametrize("whole", [b"x", b"<RECS>", cbor2.dumps([]), b"\x81" * 5000])
def test_file_that_is_none_is_returned_with_its_codes(bench: Bench, whole: bytes) -> None:
    [(code, body)] = upload(bench.cloud, whole, size=60_000)
    assert code == "0" and FileResult.from_json(body["report"]).returned and not bench.core.records


def test_file_of_another_institution_is_returned(bench: Bench) -> None:
    """Of whoever uploads it: an institution acts for itself."""
    [(code, body)] = upload(bench.cloud, a_file(a_visit()), sam=OTHER, size=60_000)
    assert code == "0" and FileResult.from_json(body["report"]).returned and not bench.core.records


@pytest.mark.parametrize(
    "wrong", [{"visited_at": "1150302"}, {"visited_at": roc_datetime13(NOW_NS - DAY_NS)}, {"visited_at": 7}],
)
def test_moment_of_a_visit_is_one_and_near(bench: Bench, wrong: dict[str, Any]) -> None:
    assert ask(bench.cloud, request(arguments={**BEGIN, **wrong}))[0] == "9002" and not bench.core.visits


def test_visit_is_called_by_the_moment_that_the_desk_says(bench: Bench) -> None:
    when = roc_datetime13(NOW_NS - 60 * NS)
    assert ask(bench.cloud, request(arguments={**BEGIN, "visited_at": when}))[1]["identifier"].startswith(when)


def test_identifier_of_a_visit_without_a_line_is_for_its_moment(bench: Bench) -> None:
    when = roc_datetime13(NOW_NS - 5 * 3600 * NS)
    arguments = {"id_no": HOLDER.id_no, "visit_type": "01", "visited_at": when}
    code, body = ask(bench.cloud, request("visit-identifier", arguments))
    assert code == "0" and body["identifier"].startswith(when) and body["sequence"] == ""
    assert ask(bench.cloud, request("visit-identifier", arguments))[1] == body and len(bench.core.visits) == 1
    for wrong, why in (
        ({"id_no": "Z199999999"}, "9012"), ({"visited_at": roc_datetime13(NOW_NS + 60 * NS)}, "9002"),
        ({"visit_type": 1}, "9002"), ({"visited_at": roc_datetime13(NOW_NS - 100 * DAY_NS)}, "9002"),
        ({"visited_at": "x"}, "9002"),
    ):
        assert ask(bench.cloud, request("visit-identifier", {**arguments, **wrong}))[0] == why


def test_signatures_of_a_virtual_visit_are_the_data_centres(bench: Bench) -> None:
    arguments = {"card_no": CARD_NO, "visited_at": roc_datetime13(NOW_NS), "sequence": "W001", "entries": [b"e" * 61, b"f" * 61]}
    code, body = ask(bench.cloud, request("sign-visit", arguments))
    assert code == "0" and len(body["signature"]) == 128 and [len(one) for one in body["entries"]] == [40, 40]
    statement = f"{CARD_NO}{arguments['visited_at']}W001{INSTITUTION}".encode()
    key = issued(Role.DATA_CENTRE, "IDC").key.public_key()
    assert pki.verify(key, bytes.fromhex(body["signature"]), VISIT_STATEMENT + statement)
    for wrong in ({"entries": [b"e"]}, {"visited_at": ""}, {"sequence": "W0001"}, {"entries": ["e" * 61]}):
        assert ask(bench.cloud, request("sign-visit", {**arguments, **wrong}))[0] == "9002"
    assert ask(bench.cloud, request("sign-visit", {**arguments, "card_no": "9" * 12}))[0] == "9012"


@pytest.mark.parametrize(
    "wrong",
    [{"batch": b"b"}, {"digest": b"d"}, {"total": 0}, {"total": 4097}, {"total": True}, {"part": b"x" * (MAX_PART_BYTES + 1)}],
)
def test_part_out_of_bounds_is_refused(bench: Bench, wrong: dict[str, Any]) -> None:
    arguments = {"batch": b"b" * 16, "digest": b"d" * 32, "index": 0, "total": 1, "part": b"p", **wrong}
    assert ask(bench.cloud, request("upload", arguments))[0] == "9002"


def test_institution_cannot_disturb_anothers_upload(bench: Bench) -> None:
    mine = a_file(a_visit())
    half = {"batch": b"b" * 16, "digest": hashlib.sha256(mine).digest(), "total": 2}
    assert ask(bench.cloud, request("upload", {**half, "index": 0, "part": mine[:50]}))[1]["outcome"] == "part"
    assert upload(bench.cloud, mine, sam=OTHER, size=60_000)[-1][1]["outcome"] == "stored"  # returned, and theirs
    assert counts(ask(bench.cloud, request("upload", {**half, "index": 1, "part": mine[50:]}))[1]) == [True]


def test_data_centre_proves_itself_to_the_asking_sam_only(bench: Bench) -> None:
    code, body = ask(bench.cloud, request("verify-sam", {"challenge": b"c" * 16}))
    centre = ChainVerifier(AUTHORITY.root_der).check_bytes(body["chain"], {Role.DATA_CENTRE}, NOW_NS)
    assert code == "0" and isinstance(centre, Verified)
    message = proof_message(Party.DATA_CENTRE, b"c" * 16, padded_id(SAM_ID))
    assert pki.verify(centre.key, body["proof"], message)
    assert ask(bench.cloud, request("verify-sam", {"challenge": b"short"}))[0] == "9002"
