"""What the data centre keeps of prescriptions, as rows of its books (``books.py``)."""

from __future__ import annotations

from dataclasses import dataclass

from virtual_devices.cloud.books import Kind as RowKind
from virtual_devices.pki import Role
from virtual_devices.prescription.reckoning import Kept
from virtual_devices.prescription.signing import Filed
from virtual_devices.write_back import read_content

NEVER_NS = 1 << 62


@dataclass(frozen=True, slots=True)
class Folder:
    """One prescription, by the id of its first document. ``card_no`` is empty while only dispensings of it have come. ``number``:
    the visit's identifier. ``keep_until_ns``: the end of retention, :data:`NEVER_NS` while the prescription itself has not come.
    ``disputed``: something is against one of its dispensings; ``doubted``: a query is open; ``unsigned``: a controlled drug was
    dispensed, and its recipient has not signed yet."""

    root: bytes
    card_no: str
    institution: str
    number: str
    letter: str
    records: int
    keep_until_ns: int
    disputed: bool
    doubted: bool
    unsigned: bool = False


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One signed record. ``content``: what is signed; ``position``: its number in the folder, in the order of coming."""

    id: bytes
    root: bytes
    position: int
    content: bytes
    signed: bytes
    signer: str
    role: int
    institution: str
    received_ns: int

    def kept(self) -> Kept:
        filed = Filed(read_content(self.content), self.signed, self.signer, Role(self.role), self.institution)
        return Kept(filed, self.received_ns, self.position)


@dataclass(frozen=True, slots=True)
class ChainRow:
    """Certificates of a signer, leaf first, by the SHA-256 of the leaf: whoever is given the record can verify it."""

    leaf: bytes
    chain: bytes


@dataclass(frozen=True, slots=True)
class GoneRow:
    """What is left of a deleted record: that it was here. ``digest``: SHA-256 of it as it was signed. ``statement``: the data
    centre's signed word, the same for all records of the prescription; empty where nothing is signed."""

    id: bytes
    root: bytes
    digest: bytes
    kind: str
    letter: str
    deleted_ns: int
    statement: bytes


FOLDERS = RowKind("prescription", Folder, ("root",), (
    ("card_no",), ("institution",), ("number",), ("keep_until_ns",), ("disputed",), ("doubted",), ("unsigned",),
))
RECORDS = RowKind("prescription_record", RecordRow, ("id",), (("root",), ("institution",)))
CHAINS = RowKind("prescription_signer", ChainRow, ("leaf",))
GONE = RowKind("prescription_gone", GoneRow, ("id",), (("root",),))

__all__ = ["CHAINS", "ChainRow", "FOLDERS", "Folder", "GONE", "GoneRow", "NEVER_NS", "RECORDS", "RecordRow"]
