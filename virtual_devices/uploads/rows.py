"""What is kept of uploads: the rows, and the questions that checks ask about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from virtual_devices.clock import parse_roc
from virtual_devices.cloud.books import Kind
from virtual_devices.uploads.deadline import due_ns
from virtual_devices.uploads.document import Record


class Standing(Enum):
    """How a record stands."""

    COUNTED = "counted"
    FAILED = "failed"  # it failed a check: another with the same key may take its place
    DELETED = "deleted"  # taken back by the institution that sent it


class IssueState(Enum):
    """How one issue (聯) of a chronic refill prescription stands; an issue without row is open."""

    DISPENSED = "dispensed"
    VOIDED = "voided"


@dataclass(frozen=True, slots=True)
class Kept:
    """One record. Key: who sent it, of whom, of which moment, and of which kind; ``newborn`` tells twins on one card apart.

    ``opcode``: the upload it came in last; ``content``: the record as XML; ``codes``: what it failed by; ``corrected``: it took
    the place of one that had failed; ``taken_back``: what of it was cancelled afterwards, a word each (prenatal, preventive 01
    ...).
    """

    institution: str
    national_id: str
    visited_at: str  # ROC YYYMMDDHHMMSS
    kind: str
    newborn: str
    identifier: str
    visit_type: str
    professional_id: str
    version: str
    format: str
    sequence: str
    card_no: str
    standing: Standing
    received_ns: int
    opcode: str
    content: bytes
    codes: str = ""
    corrected: bool = False
    taken_back: str = ""

    @property
    def due_ns(self) -> int:
        return due_ns(parse_roc(self.visited_at))


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue of a refill prescription. ``identifier``: of the visit that prescribed; ``drug_class``: C, or F (controlled)."""

    identifier: str
    drug_class: str
    number: int
    state: IssueState
    institution: str
    by_identifier: str  # of the visit that dispensed or voided it


@dataclass(frozen=True, slots=True)
class Sender:
    """An institution that has sent something that counts. ``began_20_ns``: since when in format 2.0, -1 for not; ``last_opcode``:
    of its last such upload."""

    institution: str
    began_20_ns: int
    last_opcode: str


@dataclass(frozen=True, slots=True)
class Upload:
    """One file that came. ``available_ns``, ``until_ns``: when its result can be fetched; ``result``: as JSON."""

    opcode: str
    institution: str
    sam_id: str
    digest: bytes  # SHA-256 of the file
    kind: str  # A1 formal, A2 pre-check
    received_ns: int
    available_ns: int
    until_ns: int
    result: str


KEPT = Kind(
    "upload_records", Kept, ("institution", "national_id", "visited_at", "kind", "newborn"),
    (("identifier",), ("national_id", "visited_at"), ("opcode",), ("institution",)),
)
ISSUES = Kind("refill_issues", Issue, ("identifier", "drug_class", "number"), (("identifier", "drug_class"), ("by_identifier",)))
SENDERS = Kind("upload_senders", Sender, ("institution",))
UPLOADS = Kind("upload_files", Upload, ("opcode",), (("institution", "digest", "kind"), ("kind", "until_ns")))

class Earlier(Protocol):
    """What came before the record that is being checked, the ones before it in its file included."""

    def same(self, record: Record) -> Kept | None:
        """The record with this one's key."""
        ...

    def by_identifier(self, identifier: str) -> Sequence[Kept]:
        """Records of that visit identifier that count."""
        ...

    def of_person(self, national_id: str, since: str, until: str = "") -> Sequence[Kept]:
        """Records of a person that count, of the moments from ``since`` to ``until`` (ROC, whole or their beginning: a day, an
        hour), both with all of them; ``until`` is ``since`` when left out."""
        ...

    def issue(self, identifier: str, drug_class: str, number: int) -> Issue | None: ...

    def issues(self, identifier: str, drug_class: str) -> Sequence[Issue]: ...

    def used_20(self, institution: str) -> bool:
        """Whether an institution has sent a record of format 2.0 that counts."""
        ...

    def read(self, kept: Kept) -> Record:
        """A kept record with all its fields."""
        ...


__all__ = [
    "Earlier", "ISSUES", "Issue", "IssueState", "KEPT", "Kept", "SENDERS", "Sender", "Standing", "UPLOADS", "Upload",
]
