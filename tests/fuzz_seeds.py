"""Valid messages of every kind, made by our own code: what fuzzing begins with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import vhc
from virtual_devices.cose import Signature, make_sign1, signer_structure
from virtual_devices.mdoc import engagement, session
from virtual_devices.mdoc.engagement import Engagement
from virtual_devices.mdoc.mso import IssuerSigned
from virtual_devices.mdoc.request import V1_0, V1_1, DeviceRequest, DocRequest, items_request, signed_by_reader
from virtual_devices.mdoc.response import DeviceResponse, Document, mac_device, sign_device
from virtual_devices.mdoc.session import Cipher, Side, Transcript
from virtual_devices.mdoc.tagged import embed
from virtual_devices.pki import Identity, Role, sign
from virtual_devices.randomness import private_key
from virtual_devices.write_back import Batch, Kind, Receipt, Record, WriteOutcome, holder_of, signer_header

from .desk import AUTHORITY, DOCTOR_ID, INSTITUTION, NOW_NS, SAM_ID
from .wallets import ISSUER, PLACE, card_holder

DEVICE_KEY, READER_KEY = private_key("fuzz", "engagement"), private_key("fuzz", "reader")
CARD_KEY = private_key("fuzz", "device key of the card")
_SHARED = READER_KEY.exchange(ec.ECDH(), DEVICE_KEY.public_key())


def renewed(role: Role, subject: str, **more: Any) -> Identity:
    """Somebody with a reader certificate."""
    identity = AUTHORITY.issue(role, subject)
    return Identity(identity.key, AUTHORITY.renew(role, subject, identity.key.public_key(), NOW_NS, **more))


SAM = renewed(Role.SAM, SAM_ID, organisation=INSTITUTION)
HPC = renewed(Role.PHYSICIAN, DOCTOR_ID)


@dataclass(frozen=True)
class Opened:
    """A session between keys that do not change."""

    shown: Engagement
    transcript: Transcript

    def cipher(self, me: Side = Side.READER) -> Cipher:
        """The reader's end, or the device's."""
        return Cipher(_SHARED, self.transcript, me)

    def establishment(self, plain: bytes) -> bytes:
        """The first message, with this inside."""
        return session.establishment(self.transcript.reader_key_bytes, self.cipher().seal(plain))


@lru_cache
def opened(legacy: bool = False) -> Opened:
    shown = engagement.make(DEVICE_KEY.public_key(), reader_auth_all=not legacy)
    return Opened(shown, Transcript(shown.raw, session.key_bytes(READER_KEY.public_key())))


def asked(wanted: Any = vhc.CONSULTATION, version: str = V1_1, info: Any = None) -> DeviceRequest:
    """A request by SAM and physician in that session; of version "1.0" by the SAM alone."""
    transcript, items = opened().transcript, items_request(vhc.DOCTYPE, wanted, info)
    made = DeviceRequest(version, (DocRequest(items),)).with_auth(0, _auth(SAM, signed_by_reader(items, transcript)))
    for signer in (SAM, HPC) if version == V1_1 else ():
        made = made.with_auth_all(_auth(signer, made.signed_by_all(transcript)))
    return made


def _auth(identity: Identity, payload: bytes) -> Any:
    return make_sign1(identity.key, payload, {33: list(identity.chain)}, detached=True)


@lru_cache
def credential() -> IssuerSigned:
    return ISSUER.credential(card_holder(), CARD_KEY.public_key(), PLACE, NOW_NS)


def record(kind: Kind = Kind.VISIT, amends: bytes | None = None, holder: bytes | None = None) -> bytes:
    """Signed by both. ``holder``: for another card than this one's."""
    whose = holder or holder_of(CARD_KEY.public_key())
    made = Record(kind, bytes(range(16)), whose, NOW_NS, {1: "W001", 2: b"content" * 9}, amends)
    message = made.unsigned()
    for signer in (HPC, SAM):
        header = signer_header(signer.chain[0])
        value = sign(signer.key, signer_structure(b"", header, message.payload))
        message = message.with_signature(Signature(header, {}, value))
    return message.to_bytes()


def batch() -> bytes:
    return Batch(bytes(16), credential().auth_hash(), 0, (record(), record(Kind.PRESCRIPTION))).to_bytes()


def receipt() -> Receipt:
    return Receipt(bytes(16), bytes(32), WriteOutcome.STORED, 1, NOW_NS, (0, 1))


@lru_cache
def requests() -> list[bytes]:
    """Plain requests of every kind."""
    write = {vhc.WRITE_INFO: embed(batch())}
    return [
        asked().to_bytes(), asked(vhc.REGISTRATION).to_bytes(), asked(vhc.OTHER_USE, V1_0).to_bytes(),
        asked({vhc.WRITE: {vhc.RECEIPT: True}}, info=write).to_bytes(),
    ]


@lru_cache
def responses() -> list[bytes]:
    """Plain responses: signed, with a MAC, refusing."""
    transcript, values = opened().transcript, {vhc.RECORDS: {"generation": 0}, vhc.WRITE: {vhc.RECEIPT: receipt().value()}}
    issued = credential().select({vhc.BASIC: frozenset({"name", "card_no"}), vhc.MEDICAL: frozenset({"allergies"})})
    signed = sign_device(lambda m: sign(CARD_KEY, m), transcript, vhc.DOCTYPE, values)
    shared = CARD_KEY.exchange(ec.ECDH(), READER_KEY.public_key())
    errors = {vhc.BASIC: {"portrait": -2}}
    return [
        DeviceResponse((Document(vhc.DOCTYPE, issued, signed, errors),)).to_bytes(),
        DeviceResponse((Document(vhc.DOCTYPE, issued, mac_device(shared, transcript, vhc.DOCTYPE)),)).to_bytes(),
        DeviceResponse(errors={vhc.DOCTYPE: -11}).to_bytes(),
    ]
