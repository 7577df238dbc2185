"""Certificates for those who try the service: files in PEM, made anew from the seed where they are missing.

They are of the bench's own authority, worth nothing anywhere else. Keys are readable by their owner only.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from virtual_devices.pki import Authority, Identity, Role

CLINIC, PHARMACY = "9901180014", "9902180022"
"""Invented institutions, as the bench's other examples have them."""


def own_seed(directory: Path) -> bytes:
    """The seed of the bench's own authority in this directory: made once, of the machine's randomness, for its owner only."""
    path = directory / "authority.seed"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        _put(path, os.urandom(32), 0o600)
    return path.read_bytes()


def pem(ders: Sequence[bytes]) -> bytes:
    """Certificates one after another."""
    return b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in ders)


def write(directory: Path, authority: Authority, hosts: Sequence[str]) -> dict[str, Path]:
    """``ca.pem``; certificate with chain and key of the service, a clinic, a pharmacy and an officer. Where each is."""
    directory.mkdir(parents=True, exist_ok=True)
    found = {"ca": _put(directory / "ca.pem", pem([authority.root_der]))}
    who = {
        "service": authority.issue(Role.SERVICE, "data centre", hosts=hosts),
        "clinic": authority.issue(Role.INSTITUTION, "clinic software", organisation=CLINIC),
        "pharmacy": authority.issue(Role.INSTITUTION, "pharmacy software", organisation=PHARMACY),
        "officer": authority.issue(Role.OFFICER, "officer 1"),
    }
    for name, identity in who.items():
        found |= {name: _put(directory / f"{name}.pem", pem(identity.chain)), f"{name}-key": _key(directory, name, identity)}
    return found


def _key(directory: Path, name: str, identity: Identity) -> Path:
    private = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return _put(directory / f"{name}.key", private, 0o600)


def _put(path: Path, content: bytes, mode: int = 0o644) -> Path:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
    return path


__all__ = ["CLINIC", "PHARMACY", "own_seed", "pem", "write"]
