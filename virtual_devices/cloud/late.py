"""Records that came late (WBK-01): signed at a desk whose patient had already left, kept until the phone asks for them.

What is kept for a phone has been verified when it came: the phone judges the signers by that moment, and what cannot be taken in
would wait for nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass

from virtual_devices.clock import NS
from virtual_devices.cloud.books import Books, Kind
from virtual_devices.cose import Sign
from virtual_devices.holder.readers import LONGEST_NS, SKEW_S
from virtual_devices.mdoc.tagged import MalformedMdoc
from virtual_devices.pki import PROFESSIONALS, ChainVerifier, Refused, Role, Trouble, Verified
from virtual_devices.write_back import Record, WriteOutcome, read_record, thumbprint

MAX_WAITING, MAX_WAITING_BYTES = 16, 1 << 20
"""Of one institution for one person; of all institutions for one person."""
FOR_NOW = frozenset({WriteOutcome.FULL.value})
"""What a phone may take in at another time. Every other refusal is settled: the same records would be refused again."""


@dataclass(frozen=True, slots=True)
class LateRecords:
    """Records for one card, each an encoded COSE_Sign. ``chains``: of their signers, leaf first. ``holder``: the card that
    the records are for (``write_back.holder_of``). ``received_ns``: when they came, by which the signers are judged."""

    id: bytes
    records: tuple[bytes, ...]
    chains: tuple[tuple[bytes, ...], ...]
    holder: bytes = b""
    received_ns: int = 0
    institution: str = ""

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.records)) + sum(len(der) for chain in self.chains for der in chain)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a person's phones."""

    card_no: str
    records: tuple[LateRecords, ...]


WAITING = Kind("late_waiting", Waiting, ("card_no",))


class WaitingRecords(MutableMapping[str, list[LateRecords]]):
    """Card number -> records that came late. What is to stay must be set: a list that was taken out is a copy."""

    def __init__(self, books: Books) -> None:
        self._shelf = books.shelf(WAITING)

    def __getitem__(self, card_no: str) -> list[LateRecords]:
        found = self._shelf.get(card_no)
        if found is None:
            raise KeyError(card_no)
        return list(found.records)

    def __setitem__(self, card_no: str, records: list[LateRecords]) -> None:
        self._shelf.put(Waiting(card_no, tuple(records)))

    def __delitem__(self, card_no: str) -> None:
        self._shelf.remove(card_no)

    def __iter__(self) -> Iterator[str]:
        return iter([waiting.card_no for waiting in self._shelf])

    def __len__(self) -> int:
        return len(self._shelf)


def late_id(records: Sequence[bytes], chains: Sequence[Sequence[bytes]]) -> bytes:
    """16 bytes that follow from the records and their signers' chains, so that the same ones come once."""
    def digest(parts: Sequence[bytes]) -> bytes:
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()

    return hashlib.sha256(b"late" + digest(records) + b"".join(digest(chain) for chain in chains)).digest()[:16]


def verify_late(
    records: Sequence[bytes], chains: Sequence[Sequence[bytes]], sam: Verified, root: ChainVerifier, now_ns: int,
    revoked: frozenset[int],
) -> bytes | Trouble | None:
    """The card that all of them are for. Trouble: of a chain (FORGED: of a record's signatures). None: no
    records, of several cards, or of a moment to come."""
    signers: dict[bytes, Verified] = {}
    for chain in chains:
        who = root.check(list(chain), PROFESSIONALS | {Role.SAM}, now_ns, revoked)
        if isinstance(who, Refused):
            return who.trouble
        foreign = who.role is Role.SAM and (who.subject_id, who.organisation) != (sam.subject_id, sam.organisation)
        if foreign or who.not_after_ns - who.not_before_ns > LONGEST_NS:
            return Trouble.WRONG_ROLE
        signers[hashlib.sha256(chain[0]).digest()] = who
    try:
        parts = [read_record(raw) for raw in records]
        holders = {record.holder for record, _ in parts}
        if len(holders) != 1 or any(record.at_ns > now_ns + SKEW_S * NS for record, _ in parts):
            return None
        return holders.pop() if all(_signed(record, signed, signers) for record, signed in parts) else Trouble.FORGED
    except MalformedMdoc:
        return None


def _signed(record: Record, signed: Sign, signers: Mapping[bytes, Verified]) -> bool:
    """By a professional whose kind of record it is and by the SAM, or by the SAM alone."""
    needed = [record.kind.signers, {Role.SAM}] if record.kind.needs_professional else [{Role.SAM}]
    if len(signed.signatures) != len(needed):
        return False
    for number, (signature, roles) in enumerate(zip(signed.signatures, needed, strict=True)):
        who = signers.get(thumbprint(signature))
        if who is None or who.role not in roles or not signed.verify(number, who.key):
            return False
    return True


__all__ = ["FOR_NOW", "LateRecords", "MAX_WAITING", "MAX_WAITING_BYTES", "WaitingRecords", "late_id", "verify_late"]
