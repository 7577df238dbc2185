"""Uploads as the data centre takes them in: a file is checked and kept (:class:`UploadLedger`), and each visit that it tells of
is known to have been told of, so that whoever asks for late visits hears the same whichever way records came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from virtual_devices.clock import parse_roc
from virtual_devices.cloud.books import Books
from virtual_devices.cloud.core import DataCentre, VisitRecord
from virtual_devices.cloud.counting import next_number
from virtual_devices.cloud.registers import CentreRegisters
from virtual_devices.cloud.upload_register import UploadRegister
from virtual_devices.cloud.visit_uploads import FORMAL, Sent, UploadLedger
from virtual_devices.uploads.envelope import make_opcode, sam_of_opcode
from virtual_devices.uploads.results import FileResult
from virtual_devices.uploads.rows import KEPT, UPLOADS, Kept, Standing
from virtual_devices.uploads.timeliness import Acceptance, acceptance
from virtual_devices.uploads.values import is_moment

CANCELLING = frozenset({"ZA", "ZB"})
"""Visit types of format 1.0 that tell of no visit, but cancel others."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a file. ``again``: it had come before. Its result is told from ``available_ns`` to ``until_ns``."""

    opcode: str
    result: FileResult
    again: bool
    available_ns: int
    until_ns: int


class UploadOffice:
    """Files in, results out."""

    def __init__(self, books: Books, core: DataCentre, registers: CentreRegisters) -> None:
        self._books, self._core, self._registers = books, core, registers
        self._kept, self._uploads = books.shelf(KEPT), books.shelf(UPLOADS)
        self.ledger = UploadLedger(books, UploadRegister(core, registers))

    def take(self, raw: bytes, institution: str, sam_id: str, at_ns: int, kind: str = FORMAL) -> Taken:
        """A file of an institution, sent with one of its SAMs. Whole or not at all; the same again is known by its bytes."""
        with self._books.transaction():
            opcode = make_opcode(at_ns, next_number(self._books, "uploads"), institution, sam_id)
            row = self.ledger.receive(Sent(raw, institution, sam_id, opcode, at_ns, kind))
            result = FileResult.from_json(row.result)
            if kind == FORMAL and row.opcode == opcode:
                self._tell(row.opcode, institution, {one.national_id for one in result.valid}, at_ns)
            return Taken(row.opcode, result, row.opcode != opcode, row.available_ns, row.until_ns)

    def _tell(self, opcode: str, institution: str, people: Collection[str], at_ns: int) -> None:
        for kept in self._kept.where(opcode=opcode):
            told = (kept.institution, kept.standing) == (institution, Standing.COUNTED) and kept.national_id in people
            if told and kept.visit_type not in CANCELLING and is_moment(kept.visited_at, 13):
                self._core.store(self._record(kept), at_ns)

    def _record(self, kept: Kept) -> VisitRecord:
        """What the domain is told of a record; a correction says no more of the visit than the first did."""
        key = "/".join((kept.national_id, kept.visited_at, kept.kind, kept.newborn)).encode()
        identifier = kept.identifier if self._core.visits.get(kept.identifier) is not None else ""
        digits = kept.sequence.removeprefix("W")
        return VisitRecord(
            hashlib.sha256(key).digest(), identifier, kept.card_no or self._registers.card_of(kept.national_id), kept.institution,
            kept.sequence if len(kept.sequence) == 4 and digits.isascii() and digits.isdigit() else "", kept.visited_at,
            parse_roc(kept.visited_at), b"",
        )

    def taken(self, institution: str, digest: bytes) -> Taken | None:
        """What became of the file with this SHA-256, when it came last."""
        rows = self._uploads.where(institution=institution, digest=digest, kind=FORMAL)
        row = max(rows, key=lambda one: (one.received_ns, one.opcode), default=None)
        return None if row is None else Taken(
            row.opcode, FileResult.from_json(row.result), True, row.available_ns, row.until_ns
        )

    def cards_in(self, result: FileResult) -> list[str]:
        """Card numbers of the people that a file told of, those that nobody has left out."""
        return [card_no for one in result.records if (card_no := self._registers.card_of(one.national_id))]

    def find(self, opcode: str, institution: str) -> Taken | None:
        """An upload of this institution, its time over or not."""
        row = self._uploads.get(opcode)
        if row is None or row.institution != institution or sam_of_opcode(opcode)[0] != institution:
            return None
        return Taken(row.opcode, FileResult.from_json(row.result), True, row.available_ns, row.until_ns)

    def failed(self, identifier: str, institution: str) -> str:
        """Codes by which a visit's record failed that came and did not count; empty when none did."""
        rows = self._kept.where(identifier=identifier) if identifier else []
        return ",".join(row.codes for row in rows if (row.institution, row.standing) == (institution, Standing.FAILED))

    def acceptance(self, institution: str, claimed: Iterable[str], month: str = "") -> Acceptance:
        """The institution's figures of a month (ROC YYYMM), or of all, beside the bars."""
        rows = [row for row in self._kept.where(institution=institution) if is_moment(row.visited_at, 13)]
        return acceptance(institution, rows, claimed, month)


__all__ = ["Taken", "UploadOffice"]
