"""Who signed a prescription or an act on it: the professional and the institution, each by a chain to the root, as they stood at
the moment of signing. The same judgement at the pharmacy's counter and at the data centre.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from virtual_devices.cose import Sign, Signature
from virtual_devices.link import Work
from virtual_devices.mdoc.tagged import MalformedMdoc
from virtual_devices.pki import ChainVerifier, Refused, Role, Trouble, Verified
from virtual_devices.prescription.codes import Why
from virtual_devices.prescription.document import INSTITUTION
from virtual_devices.write_back import Kind, Record, read_record, thumbprint

Chains = Mapping[bytes, tuple[bytes, ...]]
"""Certificates, leaf first, by the SHA-256 of the leaf."""
_SAM = frozenset({Role.SAM})
_TROUBLE = {
    Trouble.REVOKED: Why.SIGNER_REVOKED, Trouble.EXPIRED: Why.SIGNER_INVALID, Trouble.NOT_YET_VALID: Why.SIGNER_INVALID,
    Trouble.WRONG_ROLE: Why.WRONG_SIGNER,
}


@dataclass(frozen=True, slots=True)
class Filed:
    """A record with who is answerable for it: what is kept, and what the domain counts by. ``signed``: as it was signed, or in a
    drawn world, where nothing is signed, the record itself. ``signer``: the professional's id; ``role``: of what card."""

    record: Record
    signed: bytes
    signer: str
    role: Role
    institution: str

    @classmethod
    def drawn(cls, record: Record, signer: str, role: Role, institution: str) -> Filed:
        """As a drawn world files it: by these, and signed by nobody."""
        return cls(record, record.to_bytes(), signer, role, institution)

    @property
    def digest(self) -> bytes:
        """SHA-256 of it as it was signed: what follows it names it by this."""
        return hashlib.sha256(self.signed).digest()


def by_leaf(chains: Collection[Collection[bytes]]) -> dict[bytes, tuple[bytes, ...]]:
    """Chains by the SHA-256 of their leaf."""
    return {hashlib.sha256(leaf).digest(): tuple(chain) for chain in chains for leaf in list(chain)[:1]}


def verify_signed(
    raw: bytes, chains: Chains, root: ChainVerifier, work: Work, revoked: Collection[int] = frozenset(),
) -> Filed | Why:
    """The record with its signers, or why it is not believed. Never raises for what is in it."""
    try:
        record, signed = read_record(raw)
        names = [thumbprint(signature) for signature in signed.signatures]
    except MalformedMdoc:
        return Why.MALFORMED
    if not record.kind.needs_professional or record.kind is Kind.VISIT or len(names) != 2:
        return Why.MALFORMED
    found: list[Verified] = []
    for number, roles in enumerate((record.kind.signers, _SAM)):
        who = _signer(signed, number, chains.get(names[number], ()), roles, record, root, work, revoked)
        if isinstance(who, Why):
            return who
        found.append(who)
    professional, sam = found
    if record.fields.get(INSTITUTION) != sam.organisation:
        return Why.OTHER_INSTITUTION
    return Filed(record, _bare(signed), professional.subject_id, professional.role, sam.organisation)


def _bare(signed: Sign) -> bytes:
    """Without certificates in headers that nobody signed (a QR code may carry them): one record has one hash."""
    return Sign(
        signed.protected, {}, signed.payload, tuple(Signature(s.protected, {}, s.signature) for s in signed.signatures),
    ).to_bytes()


def _signer(
    signed: Sign, number: int, chain: tuple[bytes, ...], roles: frozenset[Role], record: Record, root: ChainVerifier, work: Work,
    revoked: Collection[int],
) -> Verified | Why:
    if not chain:
        return Why.NO_CERTIFICATE
    work.chains += 1
    who = root.check(chain, roles, record.at_ns, revoked)
    if isinstance(who, Refused):
        return _TROUBLE.get(who.trouble, Why.NO_CERTIFICATE)
    work.verifications += 1
    if not signed.verify(number, who.key):
        return Why.INSTITUTION_FORGED if roles == _SAM else Why.PHYSICIAN_FORGED
    return who


__all__ = ["Chains", "Filed", "by_leaf", "verify_signed"]
