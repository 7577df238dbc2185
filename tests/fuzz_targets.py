"""What is fuzzed: every reader of bytes that somebody else made. A target raises nothing: refusals are taken inside.

Each is fed valid messages, spoilt, and whatever an engine makes of them (``fuzz.py``). Machines with a memory are in
``fuzz_machines.py``, the cards and the data centre in ``test_virtual_devices_fuzz.py``.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import authorization, base45, cbor, cose, cwt, status_list, tlv
from virtual_devices.apdu import Command, MalformedApdu, Response
from virtual_devices.authorization_check import Checker
from virtual_devices.cloud.envelope import EnvelopeCheck, Signed
from virtual_devices.cloud.envelope import Kind as EnvelopeKind
from virtual_devices.iso_dep import Ats, Block, MalformedIsoDep
from virtual_devices.link import Work
from virtual_devices.mdoc import ble_options, engagement, handover, mso, ndef, request, response, session, tnep
from virtual_devices.mdoc.carriers import BleCarrier, LeRole, MalformedHandover, NfcCarrier
from virtual_devices.mdoc.nfc_retrieval import AID, MalformedEnvelope, envelopes, unwrap, wrap
from virtual_devices.mdoc.tagged import MalformedMdoc, dumps
from virtual_devices.mdoc.type4 import read_binary, select, select_file, update_binary
from virtual_devices.pki import Role
from virtual_devices.prescription.acts import read_act
from virtual_devices.prescription.document import MalformedPrescription, read_cancellation, read_prescription
from virtual_devices.qr import card, challenge, parts, prescription
from virtual_devices.qr.text import MalformedCode
from virtual_devices.qr.token import TokenOffice
from virtual_devices.randomness import ByteStream
from virtual_devices.records import RECORDS, UnpackError
from virtual_devices.status_list import StatusList, StatusLists, StatusVerdict
from virtual_devices.write_back import read_batch, read_content, read_receipt, read_record

from . import fuzz_seeds as seeds
from . import fuzz_uploads as uploads
from .desk import AUTHORITY, CARD_NO, NOW_NS
from .fuzz_spoil import spoil, spoil_cbor
from .handover_messages import DRAW, HR, HS, SERVICE_UUID
from .prescribed import Register, drawn, refill
from .qr_desk import CENTRE, DAY_NS, RX, Phone, prescribed, published, reader
from .test_virtual_devices_authorization import GRANTED, READ

ROOT = AUTHORITY.verifier()
Spoil = Callable[[Random, bytes], bytes]


@dataclass(frozen=True)
class Target:
    """``run`` takes an input and raises nothing. ``seeds``: valid inputs. ``most_bytes``: of an input."""

    what: str
    seeds: Callable[[], list[bytes]]
    run: Callable[[bytes], Any]
    spoil: Spoil = spoil
    most_bytes: int = 4096


def refusing(refusal: type[Exception] | tuple[type[Exception], ...], *readers: Callable[[bytes], Any]) -> Callable[[bytes], None]:
    """Each reader either reads, or refuses by the module's own error."""

    def run(raw: bytes) -> None:
        for one in readers:
            try:
                one(raw)
            except refusal:
                pass

    return run


# -- APDUs, TLV, ISO-DEP, NDEF, records

def commands() -> list[bytes]:
    plain = [
        select(AID), select_file(0xE104), read_binary(0, 15), update_binary(0, b"\x00\x05hello"),
        *envelopes(bytes(700), 255, 256), *envelopes(bytes(300), 65535, 65536), Command(0, 0x2A, 0x9E, 0x9A, bytes(40), le=64),
    ]
    return [c.to_bytes() for c in plain] + [plain[1].to_bytes(extended=True), b"\x61\x10", bytes(20) + b"\x90\x00"]


def apdu(raw: bytes) -> None:
    """What is read comes back the same when it is written and read again."""
    for kind in (Command, Response):
        try:
            found = kind.parse(raw)
        except MalformedApdu:
            continue
        assert kind.parse(found.to_bytes()) == found
        str(found)


def tlv_objects(raw: bytes) -> None:
    try:
        found = tlv.decode(raw)
    except tlv.TlvError:
        return
    assert tlv.decode(tlv.encode_all(found)) == found


def some_blocks() -> list[bytes]:
    return [bytes.fromhex(h) for h in ("02", "0A01FF", "A2", "B3", "C2", "F23B", "0578807002")]


def iso_dep(raw: bytes) -> None:
    for kind in (Block, Ats):
        try:
            found = kind.parse(raw)
        except MalformedIsoDep:
            continue
        assert kind.parse(found.to_bytes()) == found


def ndef_records(raw: bytes) -> None:
    try:
        records = ndef.decode(raw)
    except ndef.MalformedNdef:
        return
    for look in (tnep.selected_service, tnep.read_status, lambda found: tnep.offered(found, handover.SERVICE)):
        refusing(MalformedHandover, lambda _, look=look: look(records))(raw)  # type: ignore[misc]


def handovers() -> list[bytes]:
    carriers = [NfcCarrier(255, 256), BleCarrier(LeRole.PERIPHERAL, SERVICE_UUID, bytes(6))]
    return [HS, HR, handover.make_select(seeds.opened().shown.raw, carriers), handover.make_request(carriers, DRAW)]


def read_both(raw: bytes) -> None:
    half = len(raw) // 2
    handover.read_select(raw[:half], raw[half:])


LAYOUTS = tuple(RECORDS.values())


def texts(raw: bytes) -> None:
    """The first byte says which layout."""
    layout = LAYOUTS[(raw[:1] or b"\0")[0] % len(LAYOUTS)]
    refusing(UnpackError, layout.unpack, layout.texts, layout.violations)(raw[1:])


def records() -> list[bytes]:
    return [bytes((number,)) + b" " * layout.length for number, layout in enumerate(LAYOUTS)]


# -- CBOR, COSE, CWT, status lists, authorizations

def cose_messages(raw: bytes) -> None:
    key = seeds.CARD_KEY.public_key()
    for decode in (cose.decode, cose.decode_sign):
        try:
            found = decode(raw)
        except cose.MalformedCose:
            continue
        if isinstance(found, cose.Sign1):
            _ = found.chain, found.header, found.payload_map, found.verify(key), found.verify(key, detached=b"x")
        else:
            _ = [(one.chain, found.verify(number, key)) for number, one in enumerate(found.signatures)]


@lru_cache
def status_lists() -> list[bytes]:
    small = StatusList("urn:list", 64)
    small[7] = 1
    return [small.sign(CENTRE, NOW_NS, NOW_NS + DAY_NS, 60), small.compressed(), published()]


def status(raw: bytes) -> None:
    lists = StatusLists(ROOT, Work())
    lists.take(raw, NOW_NS)
    lists.look("urn:list", 7, NOW_NS)
    lists.due(NOW_NS)
    refusing(status_list.MalformedStatusList, status_list.read, status_list.inflate)(raw)
    try:
        _, token = status_list.read(raw)
    except status_list.MalformedStatusList:
        return
    for index in (0, 7, 1 << 40, -1):
        refusing(status_list.MalformedStatusList, lambda _, i=index: token.status(i))(raw)  # type: ignore[misc]


def authorizations() -> list[bytes]:
    return [authorization.issue(GRANTED, CENTRE)]


def authorized(raw: bytes) -> None:
    refusing(authorization.MalformedAuthorization, authorization.read)(raw)
    checker = Checker(ROOT, lambda *_: StatusVerdict(status_list.Status.VALID, 0))
    verdict = checker.check(raw, READ, NOW_NS)
    assert not verdict.holds or raw in authorizations() or _says_the_same(raw)


def _says_the_same(raw: bytes) -> bool:
    """A change outside what is signed: the CBOR around it."""
    return authorization.read(raw)[1] == GRANTED


# -- mdoc

def engagements() -> list[bytes]:
    shown = seeds.opened().shown.raw
    methods = [engagement.nfc_method(255, 256), ble_options.BleOptions(SERVICE_UUID, SERVICE_UUID).method()]
    return [shown, seeds.opened(legacy=True).shown.raw, engagement.make(seeds.DEVICE_KEY.public_key(), methods).raw]


def engagement_and_methods(raw: bytes) -> None:
    for made in (lambda: engagement.read(raw), lambda: engagement.read_qr(raw.decode("latin-1"))):
        try:
            found = made()
        except MalformedMdoc:
            continue
        for method in found.methods:
            refusing(ble_options.MalformedBleOptions, lambda _, m=method: ble_options.parse(m))(raw)  # type: ignore[misc]


def session_messages() -> list[bytes]:
    plain = seeds.requests()[1]
    return [
        seeds.opened().establishment(plain), session.SessionData(bytes(99)).to_bytes(), session.TERMINATION,
        session.SessionData(bytes(9), session.SessionStatus.TERMINATION).to_bytes(),
    ]


def session_text(raw: bytes) -> None:
    refusing(MalformedMdoc, session.read_establishment, session.read_data)(raw)


def responded(raw: bytes) -> None:
    try:
        answer = response.read(raw)
    except MalformedMdoc:
        return
    for document in answer.documents:
        response.believe(
            document, seeds.opened().transcript, ROOT, NOW_NS, Work(), agree=lambda k: seeds.READER_KEY.exchange(ec.ECDH(), k),
        )
        document.issued.auth_hash()


def credentials() -> list[bytes]:
    issued = seeds.credential().select({"tw.nhi.bench.basic.1": frozenset({"name", "sex"})})
    assert issued.auth.payload is not None
    return [issued.to_bytes(), issued.auth.payload]


def issuer_signed(raw: bytes) -> None:
    refusing((MalformedMdoc, cbor.MalformedCbor), lambda r: mso.read_issuer_signed(cbor.decode(r)), mso.read_mso)(raw)


def batches() -> list[bytes]:
    return [seeds.batch(), seeds.record(), seeds.record(seeds.Kind.AMEND, bytes(16)), dumps(seeds.receipt().value())]


def written(raw: bytes) -> None:
    readers = (read_batch, read_record, lambda r: read_receipt(cbor.decode(r)))
    refusing((MalformedMdoc, cbor.MalformedCbor), *readers)(raw)


def acts_on_prescriptions() -> list[bytes]:
    r, document = Register(), refill()
    head = r.store(document)
    given, asked = r.dispensing(document, given=(("AC49171100", 70),)), r.query(document)
    filed = [head, given, r.give_back(given, document), r.written(given, document), asked, r.answer(document, asked),
             r.cancellation(document, head), drawn(r.amendment(document, head).record())]
    return [one.record.to_bytes() for one in filed]


def acts(raw: bytes) -> None:
    """A record that is read is written again as it was, and the register takes or refuses it."""
    try:
        record = read_content(raw)
    except MalformedMdoc:
        return
    good = False
    for read in (read_prescription, read_act, read_cancellation):
        try:
            assert dict(read(record).record().fields) == {n: listed(value) for n, value in record.fields.items()}
            good = True
        except MalformedPrescription:
            continue
    if not good:  # the register reads it in the same way
        return
    r = Register()
    r.store(refill())
    for role in (Role.PHYSICIAN, Role.PHARMACIST):
        filed = drawn(record, "B223456789", role, str(record.fields.get(1)))
        r.domain.take(filed, NOW_NS)
        r.domain.tell(filed, [filed], NOW_NS)


def listed(value: Any) -> Any:
    """With lists where a decoder may give tuples."""
    return [listed(one) for one in value] if isinstance(value, (list, tuple)) else value


# -- QR

def qr_texts() -> list[bytes]:
    whole = prescribed()
    some = [Phone().show(), whole, *parts.split(whole, ByteStream("fuzz"), 500), challenge.new_challenge("r", DRAW).to_text()]
    return [text.encode("ascii") for text in some] + [office().issue(CARD_NO, NOW_NS).encode()]


@lru_cache
def office() -> TokenOffice:
    return TokenOffice(ByteStream("fuzz", "office"))


@lru_cache
def qr_reader() -> Any:
    return reader()


def qr_text(raw: bytes) -> None:
    text = raw.decode("latin-1")
    refusing(MalformedCode, *(lambda _, r=r: r(text) for r in  # type: ignore[misc]
                              (card.read, prescription.read, parts.read_part, challenge.read_challenge)))(raw)
    refusing(base45.MalformedBase45, lambda _: base45.decode(text))(raw)
    collector = parts.Collector()
    for one in (text, text[::-1], text):
        collector.add(one)
    qr_reader().check(text, NOW_NS)
    prescription.Checker(ROOT, (), Work()).check(text, RX.device, NOW_NS)
    office().resolve(text, "9901180014", NOW_NS - 1)


_PREFIX = 5


def spoil_qr(rng: Random, raw: bytes) -> bytes:
    """Half of the time what the text spells, not the text: Base45 has no check of its own."""
    try:
        inner = base45.decode(raw[_PREFIX:].decode("latin-1"))
    except base45.MalformedBase45:
        return spoil(rng, raw)
    if rng.random() < 0.3:
        return spoil(rng, raw)
    return raw[:_PREFIX] + base45.encode(spoil_cbor(rng, inner)).encode()


def envelope(raw: bytes) -> None:
    refusing(MalformedEnvelope, unwrap)(raw)


# -- control software 6.0

@lru_cache(maxsize=1)
def envelope_bodies() -> list[dict[str, Any]]:
    """Signed by three cards, and for a virtual card."""
    from .card_centre import CardCentre

    physical, virtual = CardCentre().begin(doctor=True), CardCentre().begin(virtual=True, doctor=True)
    return [physical.envelope("HpcHc"), virtual.envelope("Hc"), physical.envelope("Sam", "30")]


def envelope_signatures() -> list[bytes]:
    return [base64.b64decode(body["signature"]) for body in envelope_bodies()]


def signature_envelope(raw: bytes) -> None:
    """Whatever stands in the field, the check says who asks, or a code."""
    check = EnvelopeCheck(ROOT, "IDC")
    text = base64.b64encode(raw).decode("ascii")
    for body, kind in zip(envelope_bodies(), (EnvelopeKind.HPC_HC, EnvelopeKind.HC, EnvelopeKind.SAM), strict=True):
        found = check.check({**body, "signature": text}, kind, NOW_NS)
        assert isinstance(found, Signed) or found.isdigit()


TARGETS: dict[str, Target] = {
    "apdu": Target("commands and responses", commands, apdu),
    "tlv": Target("BER-TLV", lambda: [tlv.encode(0x7F49, tlv.encode(0x86, bytes(200))), wrap(bytes(300))], tlv_objects),
    "iso-dep": Target("blocks and ATS", some_blocks, iso_dep),
    "ndef": Target("NDEF records and TNEP", lambda: [*handovers(), tnep.select_message(handover.SERVICE)], ndef_records),
    "handover": Target(
        "NFC handover", handovers,
        refusing((MalformedHandover, ndef.MalformedNdef), handover.read_select, handover.read_request, read_both),
    ),
    "envelope": Target("data object 53", lambda: [wrap(bytes(n)) for n in (0, 1, 200, 300)], envelope),
    "records": Target("texts of the card's layout", records, texts),
    "cbor": Target("CBOR", lambda: [*seeds.requests(), seeds.batch()],
                   refusing(cbor.MalformedCbor, cbor.decode), spoil_cbor),
    "cose": Target("COSE_Sign1 and COSE_Sign", lambda: [*authorizations(), seeds.record(), published()], cose_messages,
                   spoil_cbor),
    "cwt": Target("claims", lambda: [*authorizations(), *status_lists()[:1]],
                  refusing(cwt.MalformedCwt, cwt.decode, cwt.read_claims), spoil_cbor),
    "status-list": Target("status lists", status_lists, status, spoil_cbor),
    "authorization": Target("guardians' authorizations", authorizations, authorized, spoil_cbor),
    "engagement": Target("engagement and its methods", engagements, engagement_and_methods, spoil_cbor),
    "session": Target("session messages, not opened", session_messages, session_text, spoil_cbor),
    "request": Target("requests, plain", seeds.requests, refusing(MalformedMdoc, request.read), spoil_cbor),
    "response": Target("responses, plain, and their belief", seeds.responses, responded, spoil_cbor, 32_768),
    "credential": Target("IssuerSigned and MSO", credentials, issuer_signed, spoil_cbor),
    "write-back": Target("batches, records, receipts", batches, written, spoil_cbor),
    "qr": Target("QR texts", qr_texts, qr_text, spoil_qr),
    "signature-envelope": Target("what software 6.0 signs", envelope_signatures, signature_envelope, spoil_cbor, 8192),
    "upload": Target("upload files, 1.0 and 2.0, their checks and what is kept", uploads.files, uploads.upload,
                     uploads.spoil_file, 32_768),
    "upload-request": Target("an upload's request", uploads.requests, uploads.request),
    "prescription": Target("prescriptions and acts on them", acts_on_prescriptions, acts, spoil_cbor),
}
"""By the name that ``./bench.sh fuzz NAME`` takes."""
