"""Keys and certificates with which somebody's reader may ask a wallet of the bench: an institution's SAM, and a physician.

They are of the sample authority, worth nothing anywhere else, and as short-lived as reader certificates are.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.datacentre.credentials import pem
from virtual_devices.errors import UsageError
from virtual_devices.pki import Authority, Role

PARTIES = {"sam": (Role.SAM, "SAM000000001", "9901180014"), "physician": (Role.PHYSICIAN, "A123456789", "")}


def write_readers(directory: Path, authority: Authority, now_ns: int) -> dict[str, Path]:
    """``sam.pem``, ``sam.key``, ``physician.pem``, ``physician.key``: where each is. Raises UsageError."""
    found = {}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, (role, subject, organisation) in PARTIES.items():
            key = authority.issue(role, subject, organisation=organisation).key
            chain = authority.renew(role, subject, key.public_key(), now_ns, organisation=organisation)
            private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            for ending, content in (("pem", pem(chain)), ("key", private)):
                path = found[f"{name}.{ending}"] = directory / f"{name}.{ending}"
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                    file.write(content)
    except OSError as e:
        raise UsageError(f"{directory} cannot be written: {e.strerror or e}") from e
    return found


__all__ = ["PARTIES", "write_readers"]
