"""Records that a phone shows, checked: a phone's own signature says only that this phone shows them, and its holder may have
written anything there. A record counts by those who signed it.

Each is a COSE_Sign by [HPC, SAM], or by the SAM alone where no professional is needed (``write_back.py``). Its signatures name
certificates that stand beside the records, and those are judged by the moment of the record: one that has ended since was good
then. A prescription is a physician's, a dispensing a pharmacist's (``Kind.signers``). What is for another device key belongs to
another card (5020), unless the issuer says that this one took its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from virtual_devices.link import Work
from virtual_devices.mdoc.tagged import MalformedMdoc
from virtual_devices.pki import ChainVerifier, Refused, Role, Verified
from virtual_devices.reader.transmit import Ended
from virtual_devices.write_back import Kind, Record, read_record, thumbprint

ROLE = "wallet"
FORGED, WRONG_HOLDER = "1420", "5020"
"""The nearest that the field has: "the physician's signature is wrong" of the virtual card's software (inferred)."""
_SAM = frozenset({Role.SAM})


@dataclass(frozen=True, slots=True)
class SignedRecord:
    """A record and those who signed it, professional first."""

    record: Record
    signers: tuple[Verified, ...]


def check_records(
    shown: object, chains: object, holders: Collection[bytes], root: ChainVerifier, work: Work,
    revoked: Collection[int] = frozenset(),
) -> list[SignedRecord]:
    """The records in an element's value (None: it has none), by the chains in another's. ``holders``: the card that was proved
    (``write_back.holder_of``), and those whose place it took.

    Raises Ended for one that is not signed as it must be, or is another's: a phone that shows one such is not believed at all.
    """
    if shown is None:
        return []
    if not isinstance(shown, (list, tuple)):
        raise Ended("the phone's records are no list", FORGED, ROLE)
    check = _Check(_chains(chains), root, work, revoked)
    return [check.record(raw, holders) for raw in shown]


def _chains(value: object) -> dict[bytes, tuple[bytes, ...]]:
    """By the SHA-256 of the leaf itself, whatever the phone says that it is."""
    found = {}
    for chain in value.values() if isinstance(value, Mapping) else ():
        if isinstance(chain, (list, tuple)) and chain and all(isinstance(der, bytes) for der in chain):
            found[hashlib.sha256(chain[0]).digest()] = tuple(chain)
    return found


def _signers_of(kind: Kind) -> Sequence[frozenset[Role]]:
    if not kind.needs_professional:
        return (_SAM,)
    return (kind.signers, _SAM)


class _Check:
    """One element's records. A certificate is checked once for all the records in its time: there may be hundreds."""

    def __init__(
        self, chains: Mapping[bytes, tuple[bytes, ...]], root: ChainVerifier, work: Work, revoked: Collection[int],
    ) -> None:
        self._chains, self._root, self._work, self._revoked = chains, root, work, revoked
        self._known: dict[tuple[bytes, frozenset[Role]], Verified] = {}

    def record(self, raw: object, holders: Collection[bytes]) -> SignedRecord:
        try:
            record, signed = read_record(raw if isinstance(raw, bytes) else b"")
            named = [thumbprint(signature) for signature in signed.signatures]
        except MalformedMdoc as e:
            raise Ended(f"a record on the phone: {e.what}", FORGED, ROLE) from None
        if record.holder not in holders:
            raise Ended("a record on the phone is for another card", WRONG_HOLDER, ROLE)
        roles = _signers_of(record.kind)
        if len(named) != len(roles):
            raise Ended(f"a record on the phone is signed by {len(named)}, not {len(roles)}", FORGED, ROLE)
        signers = tuple(self._signer(name, roles[number], record.at_ns) for number, name in enumerate(named))
        for number, who in enumerate(signers):
            self._work.verifications += 1
            if not signed.verify(number, who.key):
                raise Ended("a record on the phone has a wrong signature", FORGED, ROLE)
        return SignedRecord(record, signers)

    def _signer(self, name: bytes, roles: frozenset[Role], at_ns: int) -> Verified:
        known = self._known.get((name, roles))
        if known is not None and known.not_before_ns <= at_ns <= known.not_after_ns:
            return known
        self._work.chains += 1
        who = self._root.check(self._chains.get(name, ()), roles, at_ns, self._revoked)
        if isinstance(who, Refused):
            raise Ended(f"a signer of a record on the phone: {who.trouble.value}", FORGED, ROLE, trouble=who.trouble)
        self._known[name, roles] = who
        return who


__all__ = ["SignedRecord", "check_records"]
