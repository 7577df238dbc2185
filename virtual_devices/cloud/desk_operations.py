"""Operations of the data centre that only control software of manual 3.3 asks for: its clock, a check of insurance alone, a visit
identifier without a card, a file of visits.

    time                 {} -> time_ns                        with csVerifySAMDC, which sets the reader's clock
    eligibility          card_no -> {}                        visit types whose insurance is checked online
    begin-visit-no-card  id_no -> identifier                  hisGetTreatNumNoICCard
    visit-identifier     id_no, visit_type, visited_at -> identifier, sequence      of a visit that has taken place already
    upload-file          content, digest, records, sent_ns    csUploadData -> bytes, records, received_ns
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from virtual_devices.clock import NS, parse_roc, roc_date7
from virtual_devices.cloud.books import Kind
from virtual_devices.cloud.core import OK, SIZE_MISMATCH, UNKNOWN_CARD, DataCentre
from virtual_devices.pki import Verified
from virtual_devices.uploads.values import is_moment

SYNTAX_REJECTED, WRONG_DATE = "9002", "9071"
MAX_FILE_BYTES = 16 << 20
LOOK_BACK_NS = 93 * 86_400 * NS
"""Three months: older records are refused (check code BH)."""
Arguments = Mapping[str, Any]
Reply = tuple[str, dict[str, Any]]
Operation = Callable[[Verified, bytes, Arguments, int], Reply]


@dataclass(frozen=True, slots=True)
class VisitFile:
    """A file as an institution handed it over, for its receipt. What became of its records the upload office knows."""

    institution: str
    digest: bytes
    content: bytes
    records: int  # as the institution counts
    received_ns: int


VISIT_FILES = Kind("visit_files", VisitFile, ("institution", "digest"))


class DeskOperations:
    """``card_of``: the card number of a national ID, empty when nobody is known by it. ``take``: where a file is checked and its
    records kept, by institution, SAM and moment."""

    def __init__(self, core: DataCentre) -> None:
        self._core = core
        self.card_of: Callable[[str], str] = lambda _: ""
        self.take: Callable[[bytes, str, str, int], object] = lambda *_: None
        self.files = core.books.shelf(VISIT_FILES)

    def all(self) -> dict[str, Operation]:
        return {
            "time": self._time, "eligibility": self._eligibility, "begin-visit-no-card": self._begin_visit_no_card,
            "visit-identifier": self._visit_identifier, "upload-file": self._upload_file,
        }

    def _time(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        return OK, {"time_ns": now_ns}

    def _eligibility(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        card_no = a.get("card_no")
        if not isinstance(card_no, str):
            return SYNTAX_REJECTED, {}
        return self._core.eligibility(card_no, sam.organisation, now_ns), {}

    def _begin_visit_no_card(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        id_no = a.get("id_no")
        if not isinstance(id_no, str):
            return SYNTAX_REJECTED, {}
        card_no = self.card_of(id_no)
        if not card_no:
            return UNKNOWN_CARD, {}
        code, visit = self._core.begin_visit(request_id, card_no, sam.organisation, "", now_ns)
        return code, {} if visit is None else {"identifier": visit.identifier}

    def _visit_identifier(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        """For the moment of the visit, as far back as records of it are taken (three months). What the visit is asked for by is
        the request that would have begun it: one that did is found again, with the number that it got."""
        id_no, visit_type, visited_at = a.get("id_no"), a.get("visit_type"), a.get("visited_at")
        if not (isinstance(id_no, str) and isinstance(visit_type, str) and len(visit_type) <= 2 and isinstance(visited_at, str)):
            return SYNTAX_REJECTED, {}
        if not is_moment(visited_at, 13) or not 0 <= now_ns - parse_roc(visited_at) <= LOOK_BACK_NS:
            return SYNTAX_REJECTED, {}
        card_no = self.card_of(id_no)
        if not card_no:
            return UNKNOWN_CARD, {}
        code, visit = self._core.identify(request_id, card_no, sam.organisation, visit_type, parse_roc(visited_at))
        return code, {} if visit is None else {"identifier": visit.identifier, "sequence": visit.sequence}

    def _upload_file(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        """Kept once, whole, and checked like every upload; the receipt says that it came, not that its records count. 9070 when
        bytes are missing, 9071 when the desk's date is not today's here."""
        content, digest, records, sent_ns = (a.get(name) for name in ("content", "digest", "records", "sent_ns"))
        if not (isinstance(content, bytes) and isinstance(digest, bytes)):
            return SYNTAX_REJECTED, {}
        if type(records) is not int or type(sent_ns) is not int:  # a truth value is an int too
            return SYNTAX_REJECTED, {}
        if len(content) > MAX_FILE_BYTES or not 0 <= sent_ns < 1 << 62:
            return SYNTAX_REJECTED, {}
        if hashlib.sha256(content).digest() != digest:
            return SIZE_MISMATCH, {}
        if roc_date7(sent_ns) != roc_date7(now_ns):
            return WRONG_DATE, {}
        file = self.files.get(sam.organisation, digest)
        if file is None:
            file = VisitFile(sam.organisation, digest, content, records, now_ns)
            self.files.add(file)
            self.take(content, sam.organisation, sam.subject_id, now_ns)
        return OK, {"bytes": len(file.content), "records": file.records, "received_ns": file.received_ns}


__all__ = ["DeskOperations", "VisitFile"]
