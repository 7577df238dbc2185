"""Records that came late (WBK-01): signed at a desk whose patient had already left, kept until the phone asks for them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LateRecords:
    """Records for one card, each an encoded COSE_Sign. ``chains``: of their signers, leaf first."""

    id: bytes
    records: tuple[bytes, ...]
    chains: tuple[tuple[bytes, ...], ...]


def late_id(records: Sequence[bytes]) -> bytes:
    """16 bytes that follow from the records, so that the same ones come once."""
    return hashlib.sha256(b"late" + b"".join(hashlib.sha256(r).digest() for r in records)).digest()[:16]
