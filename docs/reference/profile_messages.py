"""The worked examples of the profile: each a message, by name, made by the parties of ``profile_world``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from cryptography.hazmat.primitives.asymmetric import ec
from profile_world import CARD_NO, INSTITUTION, NOW_NS, PLACE, SEED, SERVICE, World, card_holder, scalar

from virtual_devices import authorization, pki
from virtual_devices.authorization import Authorization, Purpose, Relation, Scope
from virtual_devices.clock import NS
from virtual_devices.cloud.phone_messages import phone_request
from virtual_devices.cose import sign1
from virtual_devices.mdoc import ble_chunks, ble_gatt, engagement, handover, nfc_retrieval, tnep
from virtual_devices.mdoc.carriers import BleCarrier, Carrier, LeRole, NfcCarrier
from virtual_devices.mdoc.mso import StatusReference
from virtual_devices.mdoc.request import signed_by_reader
from virtual_devices.mdoc.session import TERMINATION
from virtual_devices.mdoc.tagged import dumps
from virtual_devices.mdoc.type4 import capability_container
from virtual_devices.qr import card as qr_card
from virtual_devices.qr import parts, prescription
from virtual_devices.qr.challenge import Challenge
from virtual_devices.qr.prescription import Entry, Prescription, SigningParty
from virtual_devices.qr.token import TokenOffice
from virtual_devices.randomness import ByteStream, private_key
from virtual_devices.status_list import Status
from virtual_devices.wallet.keystore import Policy
from virtual_devices.wallet.keystore import Purpose as KeyPurpose
from virtual_devices.write_back import holder_of


@dataclass(frozen=True)
class Example:
    """``raw`` in hex, or ``text`` as it is. ``rule``: the CDDL rule that it obeys; such a one is shown as diagnostics too."""

    name: str
    title: str
    raw: bytes = b""
    text: str = ""
    rule: str = ""


def examples() -> list[tuple[str, list[Example]]]:
    """By heading, in the order of the profile."""
    w = World()
    return [
        ("Keys and certificates", list(_keys(w))), ("Credential", list(_credential(w))),
        ("Engagement and handover", list(_engaged(w))),
        ("Session", list(_session(w))), ("Request and response", list(_requests(w))), ("Media", list(_media(w))),
        ("Write-back", list(_write_back(w))), ("QR codes", list(_codes(w))), ("Status list", list(_statuses(w))),
        ("Authorization of a guardian", list(_guardian(w))), ("Phone and data centre", list(_service(w))),
    ]


def _keys(w: World) -> Iterator[Example]:
    yield Example("root", "The bench's root certificate, DER", w.authority.root_der)
    yield Example("iaca", "The bench's IACA root, of document signers, DER", w.authority.iaca_der)
    for name, title, identity in (
        ("signer", "Document signer", w.issuer.signer), ("sam", "SAM: reader certificate", w.sam),
        ("hpc", "Physician: reader certificate", w.hpc), ("centre", "Data centre", w.issuer.data_centre),
    ):
        yield Example(f"{name}-leaf", f"{title}, DER", identity.chain[0])
        for der in identity.chain[1:]:
            yield Example(f"{name}-authority", f"{title}: the authority that issued it, DER", der)
    yield Example("sam-key", "SAM: private key, 32 bytes", scalar(w.sam.key))
    yield Example("hpc-key", "Physician: private key, 32 bytes", scalar(w.hpc.key))


def _credential(w: World) -> Iterator[Example]:
    assert w.issued.auth.payload is not None
    yield Example("issuer-signed", "IssuerSigned, with every element", w.issued.to_bytes(), rule="IssuerSigned")
    yield Example("mso", "MobileSecurityObjectBytes: the payload of issuerAuth", w.issued.auth.payload,
                  rule="MobileSecurityObjectBytes")
    yield Example("item", "One IssuerSignedItem (inside #6.24)", w.issued.items["tw.nhi.bench.basic.1"][0].raw,
                  rule="IssuerSignedItem")
    yield Example("issuer-auth-hash", "SHA-256 of IssuerAuth, by which a batch names the credential", w.issued.auth_hash())
    yield Example("holder", "SHA-256 of the device key as COSE_Key, by which records name the holder", holder_of(w.device_key))


def _engaged(w: World) -> Iterator[Example]:
    yield Example("engagement-qr", "DeviceEngagement for QR: version 1.1, BLE as peripheral server", w.engagement.raw,
                  rule="DeviceEngagement")
    yield Example("engagement-qr-text", "The same as the code's text", text=w.engagement.qr_text())
    key = private_key(SEED, "engagement over NFC")
    shown = engagement.make(key.public_key())
    yield Example("engagement-nfc", "DeviceEngagement for NFC: no key 2", shown.raw, rule="DeviceEngagement")
    yield Example("cc-static", "Capability container E103, static handover", capability_container(writable=False))
    yield Example("cc-negotiated", "The same, negotiated handover", capability_container(writable=True))
    carriers = [NfcCarrier(65535, 65536)]
    yield Example("hs-static", "Hs, static handover, retrieval over NFC", handover.make_select(shown.raw, carriers))
    yield Example("tnep-offer", "The tag's service parameter", handover.NegotiatedHandover(shown.raw, lambda _: None).begin())
    yield Example("tnep-select", "The reader takes the service", tnep.select_message(handover.SERVICE))
    yield Example("tnep-ok", "The tag: TNEP status 0", tnep.status_message(tnep.SUCCESS))
    offered: list[Carrier] = [BleCarrier(LeRole.CENTRAL, id=b"0"), NfcCarrier()]
    hr = handover.make_request(offered, ByteStream(SEED, "collision"))
    yield Example("hr", "Hr: the reader offers BLE as a central, and NFC", hr)
    chosen = BleCarrier(LeRole.PERIPHERAL, SERVICE, id=b"0")
    yield Example("hs-negotiated", "Hs: the wallet has chosen BLE", handover.make_select(shown.raw, [chosen]))


def _session(w: World) -> Iterator[Example]:
    yield Example("e-device-key", "EDeviceKey: private key", scalar(w.e_device))
    yield Example("e-reader-key", "EReaderKey: private key", scalar(w.e_reader))
    yield Example("transcript", "SessionTranscript, QR handover", w.transcript.encoded, rule="SessionTranscript")
    yield Example("transcript-hash", "SHA-256(SessionTranscriptBytes): the salt", w.transcript.hash)
    yield Example("shared", "ECDH secret", w.shared)
    for info in ("SKReader", "SKDevice"):
        yield Example(info.lower(), info, w.transcript.key(w.shared, info))
    yield Example("establishment", "SessionEstablishment with the first request", w.consultation.request_message,
                  rule="SessionEstablishment")
    yield Example("answer-message", "SessionData with its response", w.consultation.response_message, rule="SessionData")
    yield Example("termination", "SessionData: status 20", TERMINATION, rule="SessionData")


def _requests(w: World) -> Iterator[Example]:
    items = w.asked.documents[0].items
    yield Example("items", "ItemsRequest (inside #6.24)", items.raw, rule="ItemsRequest")
    by_one, by_all = signed_by_reader(items, w.transcript), w.asked.signed_by_all(w.transcript)
    yield Example("reader-auth-digest", "SHA-256(ReaderAuthenticationBytes)", hashlib.sha256(by_one).digest())
    yield Example("reader-auth-all-digest", "SHA-256(ReaderAuthenticationAllBytes)", hashlib.sha256(by_all).digest())
    yield Example("request", 'DeviceRequest "1.1": readerAuth by the SAM, readerAuthAll by SAM and physician',
                  w.consultation.request, rule="DeviceRequest")
    yield Example("response", "DeviceResponse: elements and generation", w.consultation.response, rule="DeviceResponse")
    yield Example("response-no-hpc", "DeviceResponse to a request for medical data without the physician", w.refusal.response,
                  rule="DeviceResponse")


def _media(w: World) -> Iterator[Example]:
    yield Example("do53", "The termination in its data object '53'", nfc_retrieval.wrap(TERMINATION))
    commands = [c.to_bytes() for c in nfc_retrieval.envelopes(TERMINATION, 8, 256)]
    for number, command in enumerate(commands, 1):
        yield Example(f"envelope-{number}", f"The same in ENVELOPE commands of 8 bytes, {number} of {len(commands)}", command)
    yield Example("ident", "Ident of this engagement, for mdoc central client mode", ble_gatt.ident(w.engagement.key_bytes))
    for number, chunk in enumerate(ble_chunks.chunks(bytes(range(30)), 23), 1):
        yield Example(f"chunk-{number}", f"Bytes 00 to 1D as BLE chunks at ATT_MTU 23, {number} of 2", chunk)


def _write_back(w: World) -> Iterator[Example]:
    yield Example("record", "A record: COSE_Sign by physician and SAM", w.record.to_bytes(), rule="SignedRecord")
    yield Example("record-payload", "Its payload", w.record.payload, rule="Record")
    yield Example("batch", "The batch (inside #6.24)", w.batch.to_bytes(), rule="Batch")
    yield Example("write-items", "ItemsRequest that carries it", w.write_asked.documents[0].items.raw, rule="ItemsRequest")
    yield Example("unasked", "DeviceResponse: the holder must be asked first (-2)", w.unasked.response, rule="DeviceResponse")
    yield Example("stored", "DeviceResponse with the receipt: stored", w.writing.response, rule="DeviceResponse")
    yield Example("already", "The same batch once more: already stored", w.written_again.response, rule="DeviceResponse")


def _codes(w: World) -> Iterator[Example]:
    fresh, qr_key = ByteStream(SEED, "codes"), private_key(SEED, "key for codes")

    def sign(message: bytes) -> bytes:
        return pki.sign(qr_key, message)

    inner = w.issuer.qr(card_holder(), w.device_key, qr_key.public_key(), PLACE, NOW_NS)
    yield Example("qr-key", "The key for codes (cnf): private key", scalar(qr_key))
    yield Example("qr-card", "The issuer's word: the inner CWT", inner, rule="CardToken")
    text = qr_card.show(inner, sign, NOW_NS, fresh)
    yield Example("qr-text", "A card's code, bound to nobody", text=text)
    yield Example("qr-wrapper", "The same unpacked", qr_card.read(text).outer.to_bytes(), rule="Wrapper")
    asked = Challenge("9901180014/counter 1", fresh(12))
    yield Example("qr-challenge", "A reader's challenge", text=asked.to_text())
    yield Example("qr-challenge-raw", "The same unpacked", dumps([asked.reader, asked.nonce]), rule="Challenge")
    yield Example("qr-bound", "The card's code for this challenge", text=qr_card.show(inner, sign, NOW_NS, fresh, asked))
    entries = (Entry("1", "AC12345100", "", "1T TID PC PO", 7, 210, "01"),)
    rx = Prescription(fresh(16), holder_of(w.device_key), NOW_NS, INSTITUTION, entries, date(2026, 3, 4))
    signed = prescription.sign(rx, *(SigningParty(one.chain[0], _signer(one.key)) for one in (w.hpc, w.sam)), certificates=False)
    code = prescription.to_text(signed)
    yield Example("qr-rx", "A prescription's code, without certificates", text=code)
    yield Example("qr-rx-raw", "The same unpacked", signed, rule="SignedRecord")
    many = replace(rx, entries=entries * 12)
    whole = prescription.to_text(
        prescription.sign(many, *(SigningParty(one.chain[0], _signer(one.key)) for one in (w.hpc, w.sam)))
    )
    pieces = parts.split(whole, fresh)
    yield Example("qr-whole", f"A prescription of 12 entries with its certificates: {len(whole)} characters in one", text=whole)
    for number, piece in enumerate(pieces, 1):
        yield Example(f"qr-part-{number}", f"The same in several codes, {number} of {len(pieces)}", text=piece)
    yield Example("qr-token", "The deployed card's token code: opaque (its form is inferred)",
                  text=TokenOffice(ByteStream(SEED, "token")).issue(CARD_NO, NOW_NS))


def _signer(key: ec.EllipticCurvePrivateKey) -> qr_card.Signer:
    return lambda message: pki.sign(key, message)


def _statuses(w: World) -> Iterator[Example]:
    other = replace(PLACE, index=4712)
    lists = w.issuer.status_lists({PLACE: Status.VALID, other: Status.SUSPENDED}, NOW_NS, 8192)
    yield Example("status-list", "A list of 8192 places: 4711 valid, 4712 suspended", lists[PLACE.uri], rule="StatusListToken")


def _guardian(w: World) -> Iterator[Example]:
    begins_ns = NOW_NS - 10 * 86_400 * NS
    made = Authorization(
        ByteStream(SEED, "cti")(16), "000087654321", CARD_NO, "王小明", w.device_key, Relation.PARENT,
        frozenset({Scope.BASIC, Scope.MEDICAL, Scope.WRITE}), Purpose.CARE, begins_ns, begins_ns, begins_ns + 365 * 86_400 * NS,
        StatusReference("https://status.bench.example/guardians/0", 99),
    )
    yield Example("authorization", "Authorization of a parent for a child", authorization.issue(made, w.issuer.data_centre),
                  rule="AuthorizationToken")
    payload = authorization.proof_payload(w.transcript.encoded, made.cti)
    yield Example("proof-payload", "What the guardian's key signs in the session above", payload, rule="ProofPayload")


def _service(w: World) -> Iterator[Example]:
    keys = w.phone.keystore
    keys.make("phone", KeyPurpose.SIGN, Policy.FREE)
    asked = phone_request(
        "challenge", ByteStream(SEED, "request id")(16), keys.public_key("phone"), lambda m: keys.sign("phone", m), {}, NOW_NS
    )
    yield Example("phone-request", "A phone asks for a challenge", asked, rule="COSE_Sign1_Tagged")
    challenge = ByteStream(SEED, "challenge")(16)
    attestation = keys.attest(w.key_name, challenge, "phone")
    yield Example("attestation", "The maker's word on a device key", attestation, rule="Attestation")
    body = dumps({1: 1, 3: ByteStream(SEED, "request id")(16), 8: "0", 9: {"challenge": challenge}, 10: "cshis"})
    centre = w.issuer.data_centre
    answer = sign1(centre.key, body, {33: list(centre.chain)})
    yield Example("phone-answer", "The data centre's answer to the request above", answer, rule="COSE_Sign1_Tagged")


__all__ = ["Example", "examples"]
