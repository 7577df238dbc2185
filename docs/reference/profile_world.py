"""The parties of the profile's worked examples, and what they say to each other: everything follows from one seed and one moment.

The parties are the bench's own devices. Nothing here is anybody's real key, card or person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import vhc
from virtual_devices.clock import NS
from virtual_devices.cloud.issuer import CardHolder, CardIssuer
from virtual_devices.cloud.places import Place
from virtual_devices.cose import X5CHAIN, Sign, Sign1, Signature, make_sign1, signer_structure
from virtual_devices.mdoc import response, session
from virtual_devices.mdoc.ble_options import BleOptions
from virtual_devices.mdoc.request import V1_1, DeviceRequest, DocRequest, items_request, signed_by_reader
from virtual_devices.mdoc.session import Cipher, SessionData, Side, Transcript
from virtual_devices.mdoc.tagged import embed
from virtual_devices.pki import Authority, Identity, Role, sign
from virtual_devices.randomness import ByteStream, private_key
from virtual_devices.wallet.attestation import PhoneMaker
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.held import OWN, Held
from virtual_devices.wallet.phone import Phone
from virtual_devices.write_back import Batch, Kind, Record, holder_of, signer_header

SEED = "profile"
NOW_NS = 1_772_409_600 * NS
"""2026-03-02T00:00:00Z, 08:00 in Taiwan."""
INSTITUTION, SAM_ID, DOCTOR_ID, CARD_NO = "9901180014", "SAM000000001", "A223456781", "000012345678"
PORTRAIT = bytes.fromhex("FFD8FFD9")
"""Stands for a JPEG: an empty one keeps the examples short."""
PLACE = Place("https://status.bench.example/0", 4711)
SERVICE = UUID("45efef74-2b2c-4837-a9a3-b0e1d05a6917")
WANTED = {
    vhc.BASIC: {"name": False, "card_no": True, vhc.HELD_UNDER: True}, vhc.MEDICAL: {"allergies": False},
    vhc.RECORDS: {"generation": False},
}
"""What the physician of the examples asks for: less than a real one, to keep them short."""
WRITE = {vhc.WRITE: {vhc.RECEIPT: True}}


def card_holder() -> CardHolder:
    return CardHolder(
        CARD_NO, "王小明", "A123456789", date(1980, 1, 2), "M", date(2025, 1, 1), date(2030, 12, 31), PORTRAIT,
        emergency_tel="0912345678",
        medical={"critical_illness": [], "allergies": ["PENICILLIN"], "inoculations": [], "donation_mark": "A"},
    )


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, plain and as they travel."""

    request: bytes
    request_message: bytes
    response: bytes
    response_message: bytes


class World:
    """One phone, one desk, one physician, one data centre."""

    def __init__(self) -> None:
        self.authority = Authority(SEED, NOW_NS)
        self.issuer = CardIssuer(self.authority, SEED)
        self.maker = PhoneMaker(SEED, NOW_NS)
        self.fresh = ByteStream(SEED, "examples")
        self.sam, self.hpc = self._reader(Role.SAM, SAM_ID, INSTITUTION), self._reader(Role.PHYSICIAN, DOCTOR_ID)
        self.phone = Phone(SEED, "phone", self.authority.root_der, maker=self.maker.batch(1))
        self.phone.start(NOW_NS)
        self.phone.format()
        self.phone.holder.set_pin("2580", NOW_NS)
        self.key_name = self.phone.new_key()
        self.device_key = self.phone.keystore.public_key(self.key_name)
        self.issued = self.issuer.credential(card_holder(), self.device_key, PLACE, NOW_NS)
        self.phone.install(Held(OWN, self.issued, self.key_name))
        self._present()

    def _reader(self, role: Role, subject: str, organisation: str = "") -> Identity:
        key = self.authority.issue(role, subject, organisation=organisation).key
        return Identity(key, self.authority.renew(role, subject, key.public_key(), NOW_NS - 900 * NS, organisation=organisation))

    def _present(self) -> None:
        """A whole session: a consultation, and a batch written back."""
        self.phone.holder.enter_pin("2580", NOW_NS)
        self.phone.arm(Use.TREATMENT, WANTED, NOW_NS, write=False)
        method = BleOptions(peripheral_server=SERVICE).method()
        self.e_device, self.engagement = self.phone.new_engagement([method])
        self.holder = self.phone.engaged(self.engagement, self.e_device)
        self.e_reader = private_key(SEED, "reader's ephemeral key")
        self.transcript = Transcript(self.engagement.raw, session.key_bytes(self.e_reader.public_key()))
        self.shared = session.agree(self.e_reader, self.e_device.public_key())
        self.cipher = Cipher(self.shared, self.transcript, Side.READER)
        self.asked = self.request(WANTED)
        self.consultation = self.exchange(self.asked, first=True)
        self.record = self._record()
        self.batch = Batch(self.fresh(16), self.issued.auth_hash(), 0, (self.record.to_bytes(),))
        self.write_asked = self.request(WRITE, {vhc.WRITE_INFO: embed(self.batch.to_bytes())})
        self.unasked = self.exchange(self.write_asked)  # the holder has not been asked to accept it
        self.phone.holder.enter_pin("2580", NOW_NS)
        self.phone.approve(Use.TREATMENT, NOW_NS)
        self.writing = self.exchange(self.write_asked)
        self.written_again = self.exchange(self.write_asked)
        self.asked_without = self.request({vhc.MEDICAL: {"allergies": False}}, hpc=False)
        self.refusal = self.exchange(self.asked_without)

    def request(
        self, wanted: Mapping[str, Mapping[str, bool]], info: Mapping[str, Any] | None = None, *, hpc: bool = True,
    ) -> DeviceRequest:
        """A request of version "1.1", signed by the SAM, and by both over all of it."""
        items = items_request(vhc.DOCTYPE, wanted, info)
        asked = DeviceRequest(V1_1, (DocRequest(items),)).with_auth(
            0, _detached(self.sam, signed_by_reader(items, self.transcript))
        )
        everything = asked.signed_by_all(self.transcript)
        for signer in (self.sam, self.hpc) if hpc else ():
            asked = asked.with_auth_all(_detached(signer, everything))
        return asked

    def exchange(self, asked: DeviceRequest, *, first: bool = False) -> Exchange:
        plain = asked.to_bytes()
        sealed = self.cipher.seal(plain)
        opening = session.establishment(self.transcript.reader_key_bytes, sealed)
        message = opening if first else SessionData(sealed).to_bytes()
        answer = self.holder.handle(message, NOW_NS)
        data = session.read_data(answer).data
        assert data is not None
        return Exchange(plain, message, self.cipher.open(data), answer)

    def _record(self) -> Sign:
        """A visit, signed by physician and institution."""
        fields = {1: INSTITUTION, 2: "J069"}
        message = Record(Kind.VISIT, self.fresh(16), holder_of(self.device_key), NOW_NS, fields).unsigned()
        for signer in (self.hpc, self.sam):
            header = signer_header(signer.chain[0])
            signature = sign(signer.key, signer_structure(message.protected, header, message.payload))
            message = message.with_signature(Signature(header, {}, signature))
        return message

    @cached_property
    def answer(self) -> response.DeviceResponse:
        return response.read(self.consultation.response)


def _detached(signer: Identity, payload: bytes) -> Sign1:
    return make_sign1(signer.key, payload, {X5CHAIN: list(signer.chain)}, detached=True)


def scalar(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key's number, 32 bytes."""
    return key.private_numbers().private_value.to_bytes(32, "big")
