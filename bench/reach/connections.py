"""Certificates of the connections between software under test and the data centre that the bench serves it.

They are of an authority of their own, whose keys follow from the seed: software that was given its files before is believed by a
data centre that is served later, and the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

from bench.clock import WallClock
from bench.datacentre import credentials
from conformance.town import PHARMACY
from conformance.vectors.world import INSTITUTION
from virtual_devices.pki import Authority

HOSTS = ("localhost", "127.0.0.1")
OF_SOFTWARE = ("ca.pem", "clinic.pem", "clinic.key", "pharmacy.pem", "pharmacy.key")


def write(directory: Path, seed: int, hosts: Sequence[str] = HOSTS) -> tuple[dict[str, Path], Authority]:
    """All of today, the data centre's too, which is met at these hosts. Where each is, and who has issued them."""
    issuer = Authority(f"connections {seed}", WallClock().now_ns())
    return credentials.write(directory, issuer, hosts, institutions=(INSTITUTION, PHARMACY)), issuer


def write_for_software(directory: Path, seed: int) -> None:
    """With what software of a clinic or a pharmacy speaks, and nothing else. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        write(Path(folder), seed)
        for name in OF_SOFTWARE:
            copyfile(Path(folder) / name, directory / name)
            (directory / name).chmod(0o600)


__all__ = ["HOSTS", "OF_SOFTWARE", "write", "write_for_software"]
