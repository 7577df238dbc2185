"""The one place that makes randomness, and it makes all of it from the seed.

Every stream is named: ``seed/replication/actor/purpose``, hashed with SHA-256. Two runs of one manifest draw the same
numbers, and adding a draw to one stream disturbs no other (common random numbers between compared scenarios).
"""

from __future__ import annotations

import hashlib
import random

from cryptography.hazmat.primitives.asymmetric import ec

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def digest(*names: object) -> bytes:
    """32 bytes that belong to this name and to no other."""
    return hashlib.sha256("/".join(str(n).replace("\\", "\\\\").replace("/", "\\/") for n in names).encode()).digest()


def stream(*names: object) -> random.Random:
    """A random stream of that name."""
    return random.Random(digest(*names))


def private_key(*names: object) -> ec.EllipticCurvePrivateKey:
    """A P-256 key of that name. 64 bytes are reduced, so the bias is below 2**-256."""
    wide = digest(*names, "key", 0) + digest(*names, "key", 1)
    return ec.derive_private_key(int.from_bytes(wide, "big") % (P256_ORDER - 1) + 1, ec.SECP256R1())


class ByteStream:
    """Bytes for challenges and serial numbers, from a named stream."""

    def __init__(self, *names: object) -> None:
        self._stream = stream(*names)

    def __call__(self, count: int) -> bytes:
        return self._stream.randbytes(count)
