"""Certificates for those who try the service: files in PEM, made anew from the seed where they are missing.

They are of the bench's own authority, worth nothing anywhere else. Keys are readable by their owner only.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from virtual_devices.errors import LinkError
from virtual_devices.pki import Authority, Identity, Role

CLINIC, PHARMACY = "9901180014", "9902180022"
"""Invented institutions, as the bench's other examples have them."""


def own_authority(directory: Path, now_ns: int | None = None) -> Authority:
    """The bench's own authority of this directory: made once, of the machine's randomness at ``now_ns``, for its owner only.

    Raises LinkError when there is none and ``now_ns`` was left out, or the file is not what was written.
    """
    path = directory / "authority.toml"
    if not path.exists():
        if now_ns is None:
            raise LinkError(f"{path} is missing: 'vhc-bench present http --directory {directory}' makes it")
        directory.mkdir(parents=True, exist_ok=True)
        head = "# The bench's own authority: worth nothing anywhere else."
        _put(path, f'{head}\nseed = "{os.urandom(32).hex()}"\nepoch_ns = {now_ns}\n'.encode(), 0o600)
    try:
        kept = tomllib.loads(path.read_text(encoding="utf-8"))
        return Authority(bytes.fromhex(kept["seed"]), int(kept["epoch_ns"]))
    except (ValueError, KeyError, TypeError) as e:
        raise LinkError(f"{path} is not as it was written ({e}): move it away, and a new authority is made") from None


def pem(ders: Sequence[bytes]) -> bytes:
    """Certificates one after another."""
    return b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in ders)


def write(
    directory: Path, authority: Authority, hosts: Sequence[str], *, days: tuple[int, int] = (-365, 1825),
    institutions: tuple[str, str] = (CLINIC, PHARMACY),
) -> dict[str, Path]:
    """``ca.pem``; certificate with chain and key of the service, a clinic, a pharmacy and an officer. Where each is.

    ``days``: first and last day of the service's, counted from the authority's epoch; ``institutions``: whose software the
    clinic's and the pharmacy's is."""
    directory.mkdir(parents=True, exist_ok=True)
    found = {"ca": _put(directory / "ca.pem", pem([authority.root_der]))}
    who = {
        "service": authority.issue(Role.SERVICE, "data centre", hosts=hosts, days=days),
        "clinic": authority.issue(Role.INSTITUTION, "clinic software", organisation=institutions[0]),
        "pharmacy": authority.issue(Role.INSTITUTION, "pharmacy software", organisation=institutions[1]),
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


__all__ = ["CLINIC", "PHARMACY", "own_authority", "pem", "write"]
