"""A prescription (處方箋) as a QR code (profile): the very record that is written back, signed by physician and institution.

    "VHP1:" Base45(zlib(record))
    record     = COSE_Sign (tag 98) over Record {1: "rx", 2: id, 3: SHA-256(device key), 4: tdate, 5: fields},
                 deterministic encoding, unprotected {}, signatures [physician's HPC, institution's SAM]
    signature  : protected {1: -7, 34 (x5t): [-16, SHA-256 of the certificate]}, unprotected {? 33 (x5chain): certificate}
    fields     : the document's (``virtual_devices/prescription/document.py``)

Issuing authorities are left out: the reader has them. A reader that also has the signers' certificates needs none in the code.
A signer's certificate must have been good on the day of signing, for it may live no longer than some days. Who has it
signed can still date it back: only the written-back record, which the data centre keeps, tells.

The code can be copied. It names the holder's device key, and is good together with a proof of that key only; that it was
dispensed before, the data centre knows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from virtual_devices.clock import NS, TAIWAN, to_datetime
from virtual_devices.codes import Space
from virtual_devices.cose import X5CHAIN, Sign, Signature, signer_structure
from virtual_devices.errors import UsageError
from virtual_devices.lifecycle import OK, FieldCode
from virtual_devices.link import Work
from virtual_devices.mdoc.tagged import MalformedMdoc
from virtual_devices.pki import ChainVerifier, Refused, Role, Trouble, Verified
from virtual_devices.prescription.document import MAX_ENTRIES, Entry, MalformedPrescription, Prescription, read_prescription
from virtual_devices.qr.card import Signer
from virtual_devices.qr.text import PRESCRIPTION, MalformedCode, pack, unpack
from virtual_devices.write_back import ID_BYTES, Kind, read_record, signer_header, thumbprint

CLOCK_SKEW_S = 30


@dataclass(frozen=True, slots=True)
class SigningParty:
    """Somebody who signs: the certificate (DER) and the key behind it."""

    certificate: bytes
    sign: Signer


# -- making

def sign(prescription: Prescription, physician: SigningParty, institution: SigningParty, *, certificates: bool = True) -> bytes:
    """The signed record. ``certificates``: whether it carries those of its signers."""
    if not 1 <= len(prescription.entries) <= MAX_ENTRIES or len(prescription.id) != ID_BYTES:
        raise UsageError(f"a prescription has 1 to {MAX_ENTRIES} entries and an id of {ID_BYTES} bytes")
    signed = prescription.record().unsigned()
    for party in (physician, institution):
        header = signer_header(party.certificate)
        value = party.sign(signer_structure(signed.protected, header, signed.payload))
        signed = signed.with_signature(Signature(header, {X5CHAIN: party.certificate} if certificates else {}, value))
    return signed.to_bytes()


def to_text(record: bytes) -> str:
    return pack(PRESCRIPTION, record)


# -- reading

def read(text: str) -> tuple[Prescription, Sign]:
    """A prescription's code taken apart; nothing is verified. Raises MalformedCode."""
    raw = unpack(PRESCRIPTION, text)
    try:
        record, signed = read_record(raw)
        for signature in signed.signatures:
            thumbprint(signature)
    except MalformedMdoc as e:
        raise MalformedCode(e.what) from None
    if signed.to_bytes() != raw or len(signed.signatures) != 2:
        raise MalformedCode("not deterministically encoded, or not signed by two")
    if any(set(s.unprotected) - {X5CHAIN} or len(s.chain) != len(s.unprotected) for s in signed.signatures):
        raise MalformedCode("a signature carries more than one certificate")
    if record.kind is not Kind.PRESCRIPTION:
        raise MalformedCode(f"a record of kind {record.kind.value}")
    try:
        return read_prescription(record), signed
    except MalformedPrescription as e:
        raise MalformedCode(e.what) from None


# -- checking

class Reason(Enum):
    BELIEVED = "believed"
    FOREIGN = "another kind of code"
    MALFORMED = "not a prescription of the profile"
    WRONG_HOLDER = "for another card"
    NO_CERTIFICATE = "a signer's certificate is neither in the code nor here"
    PHYSICIAN_FORGED = "not what the physician signed"
    PHYSICIAN_UNTRUSTED = "the physician's certificate leads to no root here"
    PHYSICIAN_INVALID = "the physician's certificate was not good on that day"
    PHYSICIAN_REVOKED = "the physician's certificate was revoked"
    NO_PHYSICIAN = "signed by somebody who is no physician"
    INSTITUTION_FORGED = "not what the institution signed"
    INSTITUTION_UNTRUSTED = "the institution's certificate is not good"
    INSTITUTION_REVOKED = "the institution's certificate was revoked"
    OTHER_INSTITUTION = "signed by another institution than it names"
    FROM_THE_FUTURE = "signed later than now"
    EXPIRED = "past its last day"


def _vhc(number: str) -> FieldCode:
    return FieldCode(number, Space.VHC)


CODES: Mapping[Reason, FieldCode] = {
    Reason.BELIEVED: OK,
    Reason.FOREIGN: _vhc("1522"),
    Reason.MALFORMED: _vhc("1520"),
    Reason.WRONG_HOLDER: FieldCode("5020"),
    Reason.NO_CERTIFICATE: _vhc("1423"),
    Reason.PHYSICIAN_FORGED: _vhc("1420"),
    Reason.PHYSICIAN_UNTRUSTED: _vhc("1423"),
    Reason.PHYSICIAN_INVALID: _vhc("1422"),
    Reason.PHYSICIAN_REVOKED: _vhc("1424"),
    Reason.NO_PHYSICIAN: _vhc("3212"),
    Reason.INSTITUTION_FORGED: _vhc("3100"),
    Reason.INSTITUTION_UNTRUSTED: _vhc("1301"),
    Reason.INSTITUTION_REVOKED: _vhc("1304"),
    Reason.OTHER_INSTITUTION: _vhc("3211"),
    Reason.FROM_THE_FUTURE: _vhc("1421"),
    Reason.EXPIRED: _vhc("1421"),
}
"""The field knows no prescription in a code; what it says of the same troubles elsewhere is nearest."""
_PHYSICIAN = {
    Trouble.MISSING: Reason.NO_CERTIFICATE, Trouble.EXPIRED: Reason.PHYSICIAN_INVALID, Trouble.WRONG_ROLE: Reason.NO_PHYSICIAN,
    Trouble.NOT_YET_VALID: Reason.PHYSICIAN_INVALID, Trouble.REVOKED: Reason.PHYSICIAN_REVOKED,
}
_INSTITUTION = {Trouble.MISSING: Reason.NO_CERTIFICATE, Trouble.REVOKED: Reason.INSTITUTION_REVOKED}


@dataclass(frozen=True, slots=True)
class Verdict:
    """``physician``: who prescribed, once that is proved."""

    reason: Reason
    text: str = ""
    prescription: Prescription | None = None
    physician: Verified | None = None

    @property
    def believed(self) -> bool:
        return self.reason is Reason.BELIEVED

    @property
    def code(self) -> FieldCode:
        return CODES[self.reason]


class Checker:
    """A pharmacy's check, offline. ``authorities``: certificates of those who issue to professionals and institutions;
    ``known``: certificates of signers that codes need not carry; ``revoked``: serial numbers."""

    def __init__(
        self, root: ChainVerifier, authorities: Sequence[bytes], work: Work, *, known: Collection[bytes] = (),
        revoked: Collection[int] = frozenset(),
    ) -> None:
        self._root = root
        self._authorities = tuple(authorities)
        self._work = work
        self._known = {hashlib.sha256(der).digest(): der for der in known}
        self._revoked = revoked

    def check(self, text: str, device: bytes, now_ns: int) -> Verdict:
        """``device``: SHA-256 of the device key that the holder has proved (``Shown.device``, or that of the session).

        Never raises for what is in the text.
        """
        try:
            rx, signed = read(text)
        except MalformedCode as e:
            return Verdict(Reason.FOREIGN if e.foreign else Reason.MALFORMED, e.what)
        physician = self._signer(signed, 0, Role.PHYSICIAN, rx)
        if isinstance(physician, Refused):
            return Verdict(_PHYSICIAN.get(physician.trouble, Reason.PHYSICIAN_UNTRUSTED), physician.text, rx)
        institution = self._signer(signed, 1, Role.SAM, rx)
        if isinstance(institution, Refused):
            return Verdict(_INSTITUTION.get(institution.trouble, Reason.INSTITUTION_UNTRUSTED), institution.text, rx)
        reason = self._signatures(signed, physician, institution)
        if reason is None and institution.organisation != rx.institution:
            reason = Reason.OTHER_INSTITUTION
        return Verdict(reason or _for_whom_and_when(rx, device, now_ns), "", rx, None if reason else physician)

    def _signer(self, signed: Sign, number: int, role: Role, rx: Prescription) -> Verified | Refused:
        """Whose certificate the signature names, as it stood on the day of signing."""
        signature = signed.signatures[number]
        named = thumbprint(signature)
        candidates = [*signature.chain, *([self._known[named]] if named in self._known else [])]
        found = [der for der in candidates if hashlib.sha256(der).digest() == named]
        if not found:
            return Refused(Trouble.MISSING)
        self._work.chains += 1
        return self._root.check((found[0], *self._authorities), {role}, rx.issued_ns, self._revoked)

    def _signatures(self, signed: Sign, physician: Verified, institution: Verified) -> Reason | None:
        self._work.verifications += 1
        if not signed.verify(0, physician.key):
            return Reason.PHYSICIAN_FORGED
        self._work.verifications += 1
        return None if signed.verify(1, institution.key) else Reason.INSTITUTION_FORGED


def _for_whom_and_when(rx: Prescription, device: bytes, now_ns: int) -> Reason:
    if rx.device != device:
        return Reason.WRONG_HOLDER
    if rx.issued_ns > now_ns + CLOCK_SKEW_S * NS:
        return Reason.FROM_THE_FUTURE
    return Reason.EXPIRED if to_datetime(now_ns).astimezone(TAIWAN).date() > rx.last_day else Reason.BELIEVED


__all__ = [
    "CODES", "Checker", "Entry", "MAX_ENTRIES", "Prescription", "Reason", "SigningParty", "Verdict", "read", "sign", "to_text",
]
