"""A data centre that has nothing but uploads, over books of any kind."""

from __future__ import annotations

from itertools import count

from virtual_devices.cloud.books import Books, MemoryBooks
from virtual_devices.cloud.visit_uploads import FORMAL, Sent, UploadLedger
from virtual_devices.uploads.document import Record
from virtual_devices.uploads.facts import VisitFacts
from virtual_devices.uploads.fields import Version
from virtual_devices.uploads.making import make
from virtual_devices.uploads.register import TableRegister
from virtual_devices.uploads.results import FileResult
from virtual_devices.uploads.rows import ISSUES, KEPT, IssueState, Kept, Standing
from virtual_devices.uploads.xml_writer import write

from .upload_visits import CLINIC, CLINIC_SAM, NOW_NS, PHARMACY, PHARMACY_SAM, REGISTER

SAMS = {CLINIC: CLINIC_SAM, PHARMACY: PHARMACY_SAM}


class Centre:
    """Its Opcodes are numbered."""

    def __init__(self, register: TableRegister = REGISTER, both_formats: bool = False, books: Books | None = None) -> None:
        self.books = books or MemoryBooks()
        self.ledger = UploadLedger(self.books, register, both_formats)
        self.numbers = count(1)

    def send(self, *records: Record | VisitFacts, version: Version = Version.V20, at_ns: int = NOW_NS, kind: str = FORMAL,
             sender: str = CLINIC) -> FileResult:
        made = [make(one, version) if isinstance(one, VisitFacts) else one for one in records]
        return self.raw(write(made), at_ns, kind, sender)

    def raw(self, raw: bytes, at_ns: int = NOW_NS, kind: str = FORMAL, sender: str = CLINIC) -> FileResult:
        row = self.ledger.receive(Sent(raw, sender, SAMS[sender], f"OP{next(self.numbers)}", at_ns, kind))
        return FileResult.from_json(row.result)

    def kept(self) -> list[Kept]:
        return list(self.books.shelf(KEPT))

    def counted(self) -> list[Kept]:
        return [one for one in self.kept() if one.standing is Standing.COUNTED]

    def issues(self) -> dict[int, IssueState]:
        return {one.number: one.state for one in self.books.shelf(ISSUES)}


def codes(result: FileResult) -> list[list[str]]:
    """Of each record."""
    return [[one.code for one in record.findings] for record in result.records]
