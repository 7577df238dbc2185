"""The parties of the vectors, all from one seed: authorities, readers, a holder's device, a guardian."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import certificates, pki, vhc
from virtual_devices.certificates import Content, Issuer, Profile
from virtual_devices.clock import NS, to_datetime
from virtual_devices.cloud.issuer import CardHolder, portrait
from virtual_devices.cose import X5CHAIN, Sign1, make_sign1
from virtual_devices.mdoc.mso import IssuerSigned, StatusReference, Validity, issue, read_mso
from virtual_devices.mdoc.request import DeviceRequest, DocRequest, ItemsRequest, signed_by_reader
from virtual_devices.mdoc.session import Transcript
from virtual_devices.pki import DAY_NS, Authority, ChainVerifier, Identity, Role
from virtual_devices.randomness import ByteStream, digest, private_key

NOW_NS = 1_772_409_600 * NS
"""2026-03-02 08:00 in Taiwan."""
INSTITUTION, SAM_ID, DOCTOR_ID, PHARMACIST_ID = "9901180014", "SAM000000001", "A123456789", "B223456788"
CARD_NO, GUARDIAN_NO = "000012345678", "000087654321"
STATUS_URI = "https://status.bench.example/cards/07"
GRANTS_URI = "https://status.bench.example/authorizations/01"
PLACE, REVOKED_PLACE, SUSPENDED_PLACE, RESERVED_PLACE = (StatusReference(STATUS_URI, i) for i in (4711, 4712, 4713, 4714))
LIFE_NS = 365 * DAY_NS
UNTIL_NS = NOW_NS + LIFE_NS


@dataclass(frozen=True)
class Reader:
    """Somebody who signs requests: a key and its reader certificate with the issuer's."""

    key: ec.EllipticCurvePrivateKey
    chain: tuple[bytes, ...]

    def sign(self, message: bytes) -> Sign1:
        return make_sign1(self.key, message, {X5CHAIN: list(self.chain)}, detached=True)


@dataclass(frozen=True)
class World:
    """Everything follows from ``seed`` and the moment: the vectors' own, or that of a case on a real device. ``epoch_ns``: since
    when the authorities exist. ``trusted``: the authority of a device that others have made; ``once``: of a device that
    outlives a case: what makes ids and salts other ones each time, for it remembers them, and its clock runs; ``stored``: how
    many batches the holder's device has stored."""

    seed: int
    now_ns: int = NOW_NS
    epoch_ns: int = NOW_NS
    trusted: Authority | None = None
    once: str = ""
    stored: int = 0

    @property
    def until_ns(self) -> int:
        """The end of the holder's card."""
        return self.now_ns + LIFE_NS

    def private(self, *names: object) -> ec.EllipticCurvePrivateKey:
        return private_key(self.seed, "vectors", *names)

    def fresh(self, *names: object) -> ByteStream:
        return ByteStream(self.seed, "vectors", *filter(None, (self.once,)), *names)

    def id_of(self, number: int) -> bytes:
        """The id of a record or batch, 16 bytes: the number alone, or one that no device has seen before."""
        return (digest(self.seed, self.once)[:12] if self.once else bytes(12)) + number.to_bytes(4, "big")

    @cached_property
    def authority(self) -> Authority:
        return self.trusted or Authority(f"vectors {self.seed}", self.epoch_ns)

    @cached_property
    def stranger(self) -> Authority:
        """An authority of the same shape that nobody trusts."""
        return Authority(f"vectors {self.seed} stranger", self.epoch_ns)

    @cached_property
    def root(self) -> ChainVerifier:
        return self.authority.verifier()

    # -- who signs for the data centre

    @cached_property
    def signer(self) -> Identity:
        return self.authority.issue(Role.DOCUMENT_SIGNER, "document signer")

    @cached_property
    def centre(self) -> Identity:
        return self.authority.issue(Role.DATA_CENTRE, "data centre")

    # -- who reads

    def reader(
        self, role: Role, subject: str, *, organisation: str = "", from_ns: int | None = None, hours: float = 72,
        authority: Authority | None = None,
    ) -> Reader:
        """A reader certificate for the key of that party: the same key, whatever the certificate says."""
        key = self.private("reader", subject)
        issuer, begin_ns = authority or self.authority, self.now_ns - 3600 * NS if from_ns is None else from_ns
        return Reader(key, issuer.renew(role, subject, key.public_key(), begin_ns, organisation=organisation, hours=hours))

    @cached_property
    def sam(self) -> Reader:
        return self.reader(Role.SAM, SAM_ID, organisation=INSTITUTION)

    @cached_property
    def physician(self) -> Reader:
        return self.reader(Role.PHYSICIAN, DOCTOR_ID)

    @cached_property
    def pharmacist(self) -> Reader:
        return self.reader(Role.PHARMACIST, PHARMACIST_ID)

    @cached_property
    def other_use(self) -> Reader:
        return self.reader(Role.OTHER_USE, "HOTEL0000001")

    def leaf(
        self, profile: Profile, subject: str, key: ec.EllipticCurvePublicKey, policies: Sequence[x509.ObjectIdentifier],
        purposes: Sequence[x509.ObjectIdentifier], *, by_iaca: bool = False,
    ) -> bytes:
        """A certificate as nobody should issue it, for 72 hours, directly under one of the two roots."""
        mine = self.authority
        root_key, root = (mine.iaca_key, mine.iaca_der) if by_iaca else (mine.root_key, mine.root_der)
        window = to_datetime(self.now_ns - 3600 * NS), to_datetime(self.now_ns + 71 * 3600 * NS)
        number = int.from_bytes(self.fresh("serial", subject, *map(str, policies), by_iaca)(15), "big")
        content = Content(certificates.name(subject, INSTITUTION), key, number, window, policies, purposes)
        made = certificates.make(profile, content, Issuer(root_key, x509.load_der_x509_certificate(root)))
        return made.public_bytes(serialization.Encoding.DER)

    # -- who is read

    @cached_property
    def device(self) -> ec.EllipticCurvePrivateKey:
        return self.private("device")

    @cached_property
    def code_key(self) -> ec.EllipticCurvePrivateKey:
        """The key that wraps QR codes."""
        return self.private("code")

    @cached_property
    def guardian(self) -> ec.EllipticCurvePrivateKey:
        return self.private("guardian")

    @cached_property
    def holder(self) -> CardHolder:
        return CardHolder(
            CARD_NO, "王小明", "A123456789", date(1958, 7, 4), "M", date(2021, 1, 1), date(2027, 12, 31), portrait("M", 67),
            emergency_tel="0912345678",
            medical={"allergies": ["PENICILLIN"], "critical_illness": [], "inoculations": [], "donation_mark": "A"},
        )

    def credential(
        self, *, signer: Identity | None = None, device: ec.EllipticCurvePrivateKey | None = None, doctype: str = vhc.DOCTYPE,
        from_ns: int | None = None, until_ns: int | None = None, place: StatusReference = PLACE,
        authorised: dict[str, None] | None = None, held_under: bytes = b"", former: Sequence[bytes] = (),
    ) -> IssuerSigned:
        """The holder's credential: the same salts, whatever is changed."""
        begin_ns = self.now_ns - 30 * DAY_NS if from_ns is None else from_ns
        validity = Validity(begin_ns, begin_ns, self.until_ns if until_ns is None else until_ns)
        return issue(
            doctype, self.holder.elements(held_under, former), (device or self.device).public_key(), signer or self.signer,
            validity, self.fresh("credential"), status=place, authorised=vhc.AUTHORISED if authorised is None else authorised,
        )

    @cached_property
    def issued(self) -> IssuerSigned:
        return self.credential()

    @cached_property
    def device_key(self) -> ec.EllipticCurvePublicKey:
        """What the holder's credential is bound to."""
        return self.device.public_key()

    def showing(self, issued: IssuerSigned, stored: int = 0) -> World:
        """This world, with another credential in the hands of a holder whose device has ``stored`` so many batches. Raises
        MalformedMdoc."""
        other = replace(self, stored=stored)
        device_key = read_mso(issued.auth.payload or b"").device_key
        other.__dict__.update({**self.__dict__, "stored": stored}, issued=issued, device_key=device_key)
        return other

    def es256(self, key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
        return pki.sign(key, message)


def signed(
    items: ItemsRequest, transcript: Transcript, reader: Reader | None, everybody: tuple[Reader, ...] = (),
    version: str = "",
) -> DeviceRequest:
    """A request for one document, by a reader, and by several over all of it (version "1.1")."""
    auth = None if reader is None else reader.sign(signed_by_reader(items, transcript))
    asked = DeviceRequest(version or ("1.1" if everybody else "1.0"), (DocRequest(items, auth),))
    message = asked.signed_by_all(transcript)
    for each in everybody:
        asked = asked.with_auth_all(each.sign(message))
    return asked
