"""Certificates as nobody should issue them, for what a holder's device says of a SAM."""

from __future__ import annotations

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import ec

from conformance.vectors.model import Reason
from conformance.vectors.world import SAM_ID, World
from virtual_devices.certificates import READER
from virtual_devices.pki import DOCUMENT_SIGNING, READER_AUTHENTICATION, Role


def sam_certificates(world: World) -> list[tuple[str, bytes, Reason, str, str]]:
    """Certificates for the SAM's key with one thing wrong each, rightly signed."""
    key, roles, purposes = world.sam.key.public_key(), [Role.SAM.oid], [READER_AUTHENTICATION]
    other_curve = ec.derive_private_key(1 << 200, ec.SECP384R1()).public_key()
    return [
        ("sam-two-roles", world.leaf(READER, SAM_ID, key, [*roles, Role.PHYSICIAN.oid], purposes), Reason.WRONG_ROLE,
         "憑證有兩個角色", "a certificate with two roles"),
        ("sam-no-role", world.leaf(READER, SAM_ID, key, [], purposes), Reason.WRONG_ROLE, "憑證沒有角色",
         "a certificate without a role"),
        ("sam-no-purpose", world.leaf(READER, SAM_ID, key, roles, []), Reason.WRONG_ROLE,
         "憑證沒有讀取者用途（extendedKeyUsage）",
         "a certificate that is not for readers (extendedKeyUsage)"),
        ("sam-other-purpose", world.leaf(READER, SAM_ID, key, roles, [DOCUMENT_SIGNING]), Reason.WRONG_ROLE,
         "憑證的用途是簽發卡片", "a certificate that is for signing documents"),
        ("sam-no-signing", world.leaf(replace(READER, ca=True), SAM_ID, key, roles, purposes), Reason.FORGED,
         "憑證的金鑰不得簽章（keyUsage）", "a certificate whose key may not sign (keyUsage)"),
        ("sam-under-iaca", world.leaf(READER, SAM_ID, key, roles, purposes, by_iaca=True), Reason.FORGED,
         "憑證由 IACA 根簽發", "a certificate by the IACA root, which vouches for document signers alone"),
        ("sam-p-384", world.leaf(READER, SAM_ID, other_curve, roles, purposes), Reason.MALFORMED, "憑證的金鑰在 P-384 上",
         "a certificate of a key on P-384"),
    ]
