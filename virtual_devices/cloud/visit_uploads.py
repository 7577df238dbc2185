"""The data centre's side of uploads: a file comes, is read, checked and kept, once and whole; what became of it can be fetched.

Times are handed in. What is stored is stored in one transaction of the books; until then nothing is: an upload that is
interrupted never was, one that comes again is known by its bytes and hears the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from virtual_devices.clock import NS
from virtual_devices.cloud.books import Books
from virtual_devices.errors import UsageError
from virtual_devices.uploads.checking import check, check_file
from virtual_devices.uploads.codes import Effect
from virtual_devices.uploads.document import Finding, Record
from virtual_devices.uploads.draft import Draft, content_of
from virtual_devices.uploads.effects import fail, take
from virtual_devices.uploads.lists import DEADLINES
from virtual_devices.uploads.register import Register
from virtual_devices.uploads.results import FileResult, RecordResult, result_of
from virtual_devices.uploads.rows import ISSUES, KEPT, SENDERS, UPLOADS, Standing, Upload
from virtual_devices.uploads.rules import Context
from virtual_devices.uploads.xml_reader import Limits, read

SHELVES = (KEPT, ISSUES, SENDERS, UPLOADS)
"""The kinds of row that uploads are kept in."""
FORMAL, PRE_CHECK, TEST = "A1", "A2", "ZZ"
DAY_NS, MINUTE_NS = 86_400 * NS, 60 * NS


@dataclass(frozen=True, slots=True)
class Sent:
    """An upload as it comes. ``opcode``: the key under which its result is fetched, given by whoever takes it in."""

    raw: bytes
    institution: str
    sam_id: str
    opcode: str
    at_ns: int
    kind: str = FORMAL
    address: str = ""


class UploadLedger:
    """What the data centre keeps of uploads. ``both_formats``: the time in which either format is taken."""

    def __init__(self, books: Books, register: Register, both_formats: bool = False, limits: Limits = Limits()) -> None:
        self._books = books
        self._uploads = books.shelf(UPLOADS)
        self._register = register
        self._both_formats = both_formats
        self._limits = limits

    def receive(self, sent: Sent) -> Upload:
        """Check a file and, when it is a formal upload, keep what counts of it.

        The same bytes again, and nothing else of that institution that counted since: the first upload's row, when all of it
        counted. Otherwise what failed is looked at once more, and what counts still counts. Raises UsageError for an Opcode that
        was given before.
        """
        with self._books.transaction():
            return self._receive(sent)

    def _receive(self, sent: Sent) -> Upload:
        digest = hashlib.sha256(sent.raw).digest()
        draft = Draft(self._books)
        before = [] if sent.kind != FORMAL else self._uploads.where(institution=sent.institution, digest=digest, kind=FORMAL)
        sender = draft.senders.get(sent.institution)
        for known in before:
            result = FileResult.from_json(known.result)
            whole = bool(result.records) and len(result.valid) == len(result.records)
            if whole and sender is not None and sender.last_opcode == known.opcode:
                return known
        if self._uploads.get(sent.opcode) is not None:
            raise UsageError(f"{sent.opcode} is another upload's key already: number the uploads of one second")
        result = self._checked(sent, draft, again=bool(before))
        kept_ns, wait_ns = int(DEADLINES["errors_kept"].value) * DAY_NS, 0
        if sent.kind == PRE_CHECK:
            kept_ns, wait_ns = int(DEADLINES["precheck_kept"].value) * DAY_NS, int(DEADLINES["precheck_wait"].value) * MINUTE_NS
        row = Upload(
            sent.opcode, sent.institution, sent.sam_id, digest, sent.kind, sent.at_ns, sent.at_ns + wait_ns,
            sent.at_ns + kept_ns, result.to_json(),
        )
        if sent.kind == FORMAL and not result.returned:
            draft.commit()
        self._uploads.put(row)
        return row

    def _checked(self, sent: Sent, draft: Draft, again: bool) -> FileResult:
        reading = read(sent.raw, self._limits)
        context = Context(
            self._register, draft, sent.institution, sent.sam_id, sent.at_ns, sent.address, reading.encoding, self._both_formats,
            sent.opcode,
        )
        whole = [one for one in reading.findings if not one.record]
        if not reading.returned:
            whole += check_file(reading, context)
        records: list[RecordResult] = []
        broken: dict[int, list[Finding]] = {}
        for one in reading.findings:
            broken.setdefault(one.record, []).append(one)
        for record in reading.records:
            findings = tuple(broken.get(record.number, ()))
            sound = not findings and not any(one.effect is Effect.FILE for one in whole)
            if sound and not (again and _counts(draft, record)):
                findings = check(record, context)
                codes = ",".join(sorted({one.code for one in findings if one.effect is not Effect.NOTICE}))
                if codes:
                    fail(draft, record, context, codes)
                else:
                    take(draft, record, context)
            records.append(result_of(record, findings))
        return FileResult(reading.version, len(sent.raw), tuple(whole), tuple(records))

    def result(self, opcode: str, sam_id: str, at_ns: int) -> FileResult | None:
        """What became of an upload, for the SAM that sent it; None when there is none, not yet, or no longer."""
        row = self._uploads.get(opcode)
        if row is None or row.sam_id != sam_id or not row.available_ns <= at_ns < row.until_ns:
            return None
        return FileResult.from_json(row.result)

    def forget(self, at_ns: int) -> int:
        """Without the pre-checks whose time is over. How many there were."""
        over = self._uploads.upto("until_ns", at_ns, kind=PRE_CHECK)
        with self._books.transaction():
            for row in over:
                self._uploads.remove(row.opcode)
        return len(over)


def _counts(draft: Draft, record: Record) -> bool:
    """This very record is kept, and counts."""
    kept = draft.same(record)
    return kept is not None and kept.standing is Standing.COUNTED and kept.content == content_of(record)


__all__ = ["FORMAL", "PRE_CHECK", "SHELVES", "Sent", "TEST", "UploadLedger"]
