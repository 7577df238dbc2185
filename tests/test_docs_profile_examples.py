"""The profile's worked examples are believed by the code's other side, and what its clause on versions says is what happens."""

from __future__ import annotations

import re
from functools import cache

import cbor2
import pytest

from virtual_devices import authorization, vhc
from virtual_devices.apdu import Command
from virtual_devices.authorization_check import Checker, Purpose, Reason, Scope, Use
from virtual_devices.clock import NS
from virtual_devices.cose import decode
from virtual_devices.holder.readers import ReaderCheck, who_asks
from virtual_devices.holder.refusals import No
from virtual_devices.link import Work
from virtual_devices.mdoc import engagement, handover, request, response, session
from virtual_devices.mdoc.cose_key import from_cose
from virtual_devices.mdoc.mso import read_mso
from virtual_devices.mdoc.nfc_retrieval import Retrieval, unwrap
from virtual_devices.mdoc.response import Believed
from virtual_devices.mdoc.session import Cipher, Side, Transcript
from virtual_devices.mdoc.tagged import MalformedMdoc, dumps, tdate, unembed
from virtual_devices.pki import ChainVerifier
from virtual_devices.qr import prescription
from virtual_devices.qr.challenge import read_challenge
from virtual_devices.qr.check import Issuers, QrReader
from virtual_devices.qr.check import Reason as QrReason
from virtual_devices.qr.parts import Collector
from virtual_devices.status_list import Status, StatusLists, Taking
from virtual_devices.wallet.attestation import Claim, verify_attestation
from virtual_devices.write_back import WriteOutcome, holder_of, read_batch, read_receipt, read_record, receipt_is_for

from .cddl import Grammar
from .profile_pages import part, published, text_of

NOW_NS = 1_772_409_600 * NS
"""The moment of the examples."""


# -- the examples, by the code's other side

def root() -> ChainVerifier:
    return ChainVerifier(published()["root"], published()["iaca"])


def test_published_request_and_response_are_believed() -> None:
    found, work = published(), Work()
    shown = engagement.read_qr(found["engagement-qr-text"])
    assert shown.raw == found["engagement-qr"] and shown.reader_auth_all
    opened = session.read_establishment(found["establishment"])
    transcript = Transcript(shown.raw, opened.reader_key_bytes)
    assert (transcript.encoded, transcript.hash) == (found["transcript"], found["transcript-hash"])
    cipher = Cipher(found["shared"], transcript, Side.DEVICE)
    assert transcript.key(found["shared"], "SKReader") == found["skreader"] and cipher.open(opened.data) == found["request"]
    readers = who_asks(request.read(found["request"]), transcript, ReaderCheck(root(), NOW_NS), work)
    assert readers.sam is not None and readers.hpc is not None and not readers.troubles
    answer = response.read(found["response"])
    believed = response.believe(answer.documents[0], transcript, root(), NOW_NS, work)
    assert isinstance(believed, Believed) and believed.values[vhc.MEDICAL] == {"allergies": ["PENICILLIN"]}
    refused = response.read(found["response-no-hpc"])
    assert not refused.documents and refused.errors == {vhc.DOCTYPE: -21}


def test_published_batch_receipts_and_record_belong_together() -> None:
    found = published()
    batch = read_batch(found["batch"])
    assert batch.issuer_auth == found["issuer-auth-hash"] and batch.records == (found["record"],)
    assert read_record(found["record"])[0].holder == found["holder"]
    items = request.read_items_request(found["write-items"])
    assert unembed(items.info[vhc.WRITE_INFO], "") == found["batch"]
    for name, outcome in (("stored", WriteOutcome.STORED), ("already", WriteOutcome.ALREADY)):
        receipt = read_receipt(response.read(found[name]).documents[0].device.values[vhc.WRITE][vhc.RECEIPT])
        assert receipt.outcome is outcome and receipt_is_for(receipt, batch) and receipt.generation == 1
    assert response.read(found["unasked"]).errors == {vhc.DOCTYPE: int(No.CONSENT_NEEDED)}


def test_published_handovers_are_read() -> None:
    found = published()
    assert handover.read_select(found["hs-static"]).device_engagement == found["engagement-nfc"]
    negotiated = handover.read_select(found["hs-negotiated"], found["hr"])
    assert negotiated.ble_service is not None and len(handover.read_request(found["hr"])) == 2
    assert unwrap(found["do53"]) == found["termination"]
    seen: list[bytes] = []
    wallet = Retrieval(lambda message: seen.append(message) or b"")
    wallet.handle(Command.parse(bytes.fromhex("00A4040007A000000248040000")))
    for name in ("envelope-1", "envelope-2"):
        wallet.handle(Command.parse(found[name]))
    assert seen == [found["termination"]]
    chunks = [found["chunk-1"], found["chunk-2"]]
    assert [c[0] for c in chunks] == [1, 0] and b"".join(c[1:] for c in chunks) == bytes(range(30))


def test_published_codes_are_believed_and_bound_ones_by_their_reader_only() -> None:
    found, work, now_ns = published(), Work(), NOW_NS
    issuers, lists = Issuers(root(), work), StatusLists(root(), work)
    issuers.take((found["signer-leaf"],), now_ns)
    assert lists.take(found["status-list"], now_ns).outcome is Taking.ACCEPTED
    asked = read_challenge(found["qr-challenge"])
    reader = QrReader(asked.reader, issuers, lists, work)
    plain = reader.check(found["qr-text"], now_ns)
    assert plain.reason is QrReason.BELIEVED and plain.status is not None and plain.status.status is Status.VALID
    assert reader.check(found["qr-text"], now_ns).reason is QrReason.USED_BEFORE
    assert reader.check(found["qr-bound"], now_ns).reason is QrReason.OTHER_READER
    assert reader.check(found["qr-bound"], now_ns, asked).reason is QrReason.BELIEVED
    pharmacy = prescription.Checker(
        root(), (found["hpc-authority"], found["sam-authority"]), work, known=(found["hpc-leaf"], found["sam-leaf"])
    )
    assert plain.shown is not None and plain.shown.device == found["holder"]
    assert pharmacy.check(found["qr-rx"], found["holder"], now_ns).believed
    collector = Collector()
    for n in (2, 1, 3):
        collector.add(found[f"qr-part-{n}"])
    assert collector.whole is not None and pharmacy.check(collector.whole, found["holder"], now_ns).believed


def test_published_authorization_and_attestation_hold() -> None:
    found, now_ns = published(), NOW_NS
    lists = StatusLists(root(), Work())
    device_key = read_mso(found["mso"]).device_key
    use = Use("000087654321", frozenset({Scope.MEDICAL}), Purpose.CARE, device_key)
    assert Checker(root(), lists.look).check(found["authorization"], use, now_ns).reason is Reason.HOLDS
    cti = authorization.read(found["authorization"])[1].cti
    assert authorization.proof_payload(found["transcript"], cti) == found["proof-payload"]
    challenge = (decode(found["phone-answer"]).payload_map() or {})[9]["challenge"]
    asked = decode(found["phone-request"]).payload_map() or {}
    phone = holder_of(from_cose(asked[4], "the phone's key"))
    claim = verify_attestation(found["attestation"], part("profile_world").World().maker.root_der, challenge, phone, now_ns)
    assert isinstance(claim, Claim) and claim.key.public_numbers() == device_key.public_numbers()


# -- versions, as P-VER-01 says

@pytest.mark.parametrize(("version", "taken"), [("1.0", True), ("1.1", True), ("1.7", True), ("2.0", False)])
def test_engagement_of_another_major_version_is_refused(version: str, taken: bool) -> None:
    body = {**cbor2.loads(published()["engagement-nfc"]), 0: version, 99: "of a newer version"}
    if taken:
        assert engagement.read(dumps(body)).reader_auth_all
    else:
        with pytest.raises(MalformedMdoc):
            engagement.read(dumps(body))


def test_capability_that_is_not_true_counts_for_nothing() -> None:
    for capabilities in ({}, {3: False}, {3: 1}, {2: True}):
        body = {**cbor2.loads(published()["engagement-nfc"]), 6: capabilities}
        assert not engagement.read(dumps(body)).reader_auth_all


@pytest.mark.parametrize(("version", "both"), [("1.0", False), ("1.1", True), ("1.9", True)])
def test_request_of_a_newer_minor_version_is_read_as_the_newest_known(version: str, both: bool) -> None:
    whole = {**cbor2.loads(published()["request"]), "version": version}
    opened = session.read_establishment(published()["establishment"])
    transcript = Transcript(published()["engagement-qr"], opened.reader_key_bytes)
    readers = who_asks(request.read(dumps(whole)), transcript, ReaderCheck(root(), NOW_NS), Work())
    assert readers.sam is not None and (readers.hpc is not None) is both


def test_request_and_batch_of_another_major_version_are_malformed() -> None:
    with pytest.raises(MalformedMdoc):
        request.read(dumps({**cbor2.loads(published()["request"]), "version": "2.0"}))
    with pytest.raises(MalformedMdoc):
        read_batch(dumps({**cbor2.loads(published()["batch"]), 1: 2}))


def test_code_of_another_version_is_another_kind_of_code() -> None:
    reader = QrReader("any", Issuers(root(), Work()), StatusLists(root(), Work()), Work())
    verdict = reader.check("VHC2:" + published()["qr-text"][5:], NOW_NS)
    assert verdict.reason is QrReason.FOREIGN and verdict.code.number == "1522"


def test_response_without_documents_tells_the_lowest_code_of_what_was_asked() -> None:
    w = part("profile_world").World()
    asked = w.request({vhc.MEDICAL: {"allergies": False}, vhc.BASIC: {"nickname": False}}, hpc=False)
    assert response.read(w.exchange(asked).response).errors == {vhc.DOCTYPE: -21}  # and 0 for the other


# -- the structures, by their CDDL

@cache
def grammar() -> Grammar:
    return Grammar("\n".join(re.findall(r"```cddl\n(.*?)```", text_of("profile/cddl.md"), re.DOTALL)))


def ruled() -> list[tuple[str, str]]:
    """Name and rule of every example that has one."""
    return re.findall(r"^### (\S+)\n\n[^\n]*rule `(\w+)`", text_of("profile/examples.md"), re.MULTILINE)


@pytest.mark.parametrize(("name", "rule"), ruled())
def test_published_example_obeys_its_rule_and_no_unlike_one(name: str, rule: str) -> None:
    assert grammar().matches(rule, published()[name])
    others = {other for _, other in ruled()} - {rule, "COSE_Sign1_Tagged"}
    like = {other for other in others if grammar().matches(other, published()[name])}
    assert not like, "a rule that any structure obeys says nothing"


def test_rules_refuse_what_is_left_out_added_or_of_another_type() -> None:
    rules, batch = grammar(), cbor2.loads(published()["batch"])
    assert rules.matches("Batch", dumps(batch))
    for key in batch:
        assert not rules.matches("Batch", dumps({k: v for k, v in batch.items() if k != key}))
        assert not rules.matches("Batch", dumps({**batch, key: "another type"}))
    assert not rules.matches("Batch", dumps({**batch, 7: 0}))
    assert not rules.matches("Batch", dumps({**batch, 2: bytes(15)}))
    assert not rules.matches("Batch", dumps({**batch, 5: batch[5] * 61}))
    receipt = response.read(published()["stored"]).documents[0].device.values[vhc.WRITE][vhc.RECEIPT]
    assert rules.matches("Receipt", dumps({**receipt, 5: tdate(NOW_NS)}))
    assert not rules.matches("Receipt", dumps({**receipt, 3: 7, 5: tdate(NOW_NS)}))
