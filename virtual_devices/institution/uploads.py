"""Uploads of visit records (健保卡資料上傳): a visit's facts are queued when it ends, made a file of the institution's format,
sent at once where there is a line, and kept until the check report says that they count.

    pending = enqueue(desk, visit, told, request_id, ended_ns, now_ns)
    yield from drain(desk, sam)                       again and again, while anything waits
    correct(desk, pending, told, now_ns)              what a check refused, mended: within 24 hours, the sooner the better

What the report says decides: a record that counts is done; one that waits for another institution's record (a prescriber's, by
its code) is sent again later; any other that failed is set aside for a person to look at, who corrects it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from virtual_devices.clock import roc_datetime13
from virtual_devices.cloud.core import OK, SIZE_MISMATCH
from virtual_devices.flow import Flow
from virtual_devices.institution.signing import missing, sign_at_centre
from virtual_devices.reader.calls import CloudAnswer, call
from virtual_devices.reader.desk import Desk, Institution, Pending
from virtual_devices.reader.transmit import Ended, Handle
from virtual_devices.uploads.codes import Effect
from virtual_devices.uploads.facts import Action, VisitFacts
from virtual_devices.uploads.fields import Version
from virtual_devices.uploads.making import Unmakeable, make
from virtual_devices.uploads.results import FileResult
from virtual_devices.uploads.xml_writer import Unwritable, write

PART_BYTES = 4096
STEP = "upload"
OTHERS_MISSING = frozenset({"D024", "D049", "D051"})
"""Check codes that another record mends by coming: that of the visit that prescribed (public)."""


class Fate(Enum):
    """What became of a record that was sent."""

    COUNTS = "counts"
    WAITS = "waits"  # for another institution's record
    FAILED = "failed"  # for a person to look at


@dataclass(frozen=True, slots=True)
class Report:
    """What the check report says of a file. ``against``: fields and codes, joined as error details are told."""

    opcode: str
    counts: bool
    codes: frozenset[str]
    against: str


def enqueue(desk: Desk, visit: str, told: VisitFacts, request_id: bytes, ended_ns: int, now_ns: int) -> Pending:
    """Put a visit at the end of the institution's queue. ``request_id``: of the request that began it. Its batch follows from
    that: sent twice, stored once."""
    batch = hashlib.sha256(b"upload" + request_id).digest()[:16]
    pending = Pending(visit, batch, told, request_id, ended_ns, now_ns)
    desk.institution.queue.append(pending)
    return pending


def correct(desk: Desk, pending: Pending, told: VisitFacts, now_ns: int) -> Pending:
    """What was set aside, mended: it takes its place in the queue again, in 1.0 as a correction (補正) of what failed."""
    institution = desk.institution
    institution.refused.remove(pending)
    action = Action.CORRECT if institution.version is Version.V10 and pending.opcode else Action.TELL
    pending.told, pending.file, pending.queued_ns = replace(told, action=action), b"", now_ns
    pending.round += 1
    institution.queue.append(pending)
    return pending


def drain(desk: Desk, sam: Handle, *, again: bool = True) -> Flow[int]:
    """Send what is queued, oldest first, until the queue is empty or the line fails. Returns how many count now. ``again``: also
    what waits for another institution's record.

    Only one desk of an institution drains at a time; another that tries meanwhile does nothing. Raises Ended when the data centre
    refuses a request altogether: what it was stays the first of the queue.
    """
    institution = desk.institution
    if institution.draining:
        return 0
    institution.draining = True
    if again:
        institution.queue.extend(institution.waiting)
        institution.waiting.clear()
    counted = 0
    try:
        while institution.queue:
            pending = institution.queue[0]
            fate = yield from _send(desk, sam, pending)
            if fate is None:
                for waiting in institution.queue:
                    waiting.waited = True
                break
            institution.queue.popleft()
            _shelf(institution, fate).append(pending)
            counted += fate is Fate.COUNTS
    finally:
        institution.draining = False
    return counted


def _shelf(institution: Institution, fate: Fate) -> list[Pending]:
    return {Fate.COUNTS: institution.done, Fate.WAITS: institution.waiting, Fate.FAILED: institution.refused}[fate]


def _send(desk: Desk, sam: Handle, pending: Pending) -> Flow[Fate | None]:
    """None when the line failed."""
    if desk.line_held_off():
        return None  # no try: the line is left alone
    pending.tries += 1
    if pending.first_try_ns < 0:
        pending.first_try_ns = desk.clock.now_ns()
    if not pending.file:
        if not (yield from _complete(desk, sam, pending)):
            return None
        try:
            pending.file = write([make(pending.told, desk.institution.version)], desk.institution.encoding)
        except (Unmakeable, Unwritable) as why:
            pending.findings = str(why)
            return Fate.FAILED
    answer = yield from _send_file(desk, sam, pending)
    if answer is None:
        return None
    if answer.code != OK:
        raise Ended("the data centre refuses an upload", answer.code, "cloud")
    report = read_report(answer.body)
    if report is None:
        raise Ended("the data centre's check report of an upload is none", SIZE_MISMATCH, "cloud")
    pending.opcode, pending.findings = report.opcode, report.against
    if report.counts:
        pending.stored_ns = desk.clock.now_ns()
        return Fate.COUNTS
    pending.round += 1
    return Fate.WAITS if report.codes <= OTHERS_MISSING else Fate.FAILED


def read_report(body: Mapping[str, Any]) -> Report | None:
    """The report on a file of one record; None when it is none. Raises nothing."""
    opcode, text = body.get("opcode"), body.get("report")
    if not isinstance(opcode, str) or not isinstance(text, str):
        return None
    try:
        result = FileResult.from_json(text)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    every = (*result.findings, *(one for record in result.records for one in record.findings))
    codes = frozenset(one.code for one in every if one.effect is not Effect.NOTICE)
    against = ";".join(f"{one.place}:{one.code}" for one in every if one.effect is not Effect.NOTICE)
    return Report(opcode, len(result.valid) == len(result.records) == 1, codes, against)


# -- what is not known before there is a line

def _complete(desk: Desk, sam: Handle, pending: Pending) -> Flow[bool]:
    """Identifier and signatures, as far as the record wants them. False when the line failed. Raises Ended."""
    told = pending.told
    if not told.identifier and desk.institution.version is Version.V20:
        arguments = {
            "id_no": told.national_id, "visit_type": "" if told.abnormal else told.visit_type,
            "visited_at": roc_datetime13(told.visited_ns),
        }
        answer = yield from call(desk, sam, "visit-identifier", pending.request_id, arguments, "get visit identifier")
        if answer is None:
            return False
        if answer.code != OK:
            raise Ended("the data centre gives no visit identifier", answer.code, "cloud")
        told = _identified(told, str(answer.body.get("identifier", "")), str(answer.body.get("sequence", "")))
        pending.told = told
    if missing(told):
        signed = yield from sign_at_centre(desk, sam, told)
        if signed is None:
            return False
        pending.told = signed
    return True


def _identified(told: VisitFacts, identifier: str, sequence: str) -> VisitFacts:
    """A number that had been given all the same, in an answer that was lost, makes the visit an ordinary one."""
    if sequence and told.abnormal and told.card_no:
        return replace(told, identifier=identifier, sequence=sequence, situation="", obtained=False)
    return replace(told, identifier=identifier)


# -- the file

def _send_file(desk: Desk, sam: Handle, pending: Pending) -> Flow[CloudAnswer | None]:
    """All parts. The last answer; None when the line failed."""
    answer = yield from _send_parts(desk, sam, pending)
    if answer is not None and answer.code == SIZE_MISMATCH:  # what it had gathered was another upload's, and is dropped now
        answer = yield from _send_parts(desk, sam, pending)
    return answer


def _send_parts(desk: Desk, sam: Handle, pending: Pending) -> Flow[CloudAnswer | None]:
    """All parts in order, up to the first that is refused. A file that is looked at once more after a report is a new batch."""
    whole = pending.file
    batch = pending.batch
    if pending.round:
        batch = hashlib.sha256(batch + pending.round.to_bytes(4, "big")).digest()[:16]
    parts = [whole[at : at + PART_BYTES] for at in range(0, len(whole), PART_BYTES)]
    digest = hashlib.sha256(whole).digest()
    answer: CloudAnswer | None = None
    for index, part in enumerate(parts):
        arguments = {"batch": batch, "digest": digest, "index": index, "total": len(parts), "part": part}
        answer = yield from call(desk, sam, "upload", desk.fresh(16), arguments, STEP)
        if answer is None:
            return None
        pending.code = answer.code
        if answer.code != OK:
            break
    return answer


__all__ = [
    "OTHERS_MISSING", "PART_BYTES", "Report", "correct", "drain", "enqueue", "read_report",
]
