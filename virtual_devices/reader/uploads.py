"""Uploads: a visit's record is queued when the visit ends, sent at once where there is a line, and kept until it is stored."""

from __future__ import annotations

import hashlib

from virtual_devices.cloud.core import OK, SIZE_MISMATCH, Stored, VisitRecord
from virtual_devices.cloud.service import encode_records
from virtual_devices.flow import Flow
from virtual_devices.reader.calls import CloudAnswer, call
from virtual_devices.reader.desk import Desk, Pending
from virtual_devices.reader.transmit import Ended, Handle

PART_BYTES = 4096
STEP = "upload"


def enqueue(desk: Desk, visit: str, record: VisitRecord, now_ns: int) -> Pending:
    """Put a record at the end of the institution's queue. The batch id follows from the record: sent twice, stored once."""
    batch = hashlib.sha256(b"upload" + record.key).digest()[:16]
    pending = Pending(visit, batch, record, now_ns)
    desk.institution.queue.append(pending)
    return pending


def drain(desk: Desk, sam: Handle) -> Flow[int]:
    """Send what is queued, oldest first, until the queue is empty or the line fails. Returns how many were stored.

    Only one desk of an institution drains at a time; another that tries meanwhile does nothing.
    """
    institution = desk.institution
    if institution.draining:
        return 0
    institution.draining = True
    stored = 0
    try:
        while institution.queue:
            pending = institution.queue[0]
            if not (yield from _send(desk, sam, pending)):
                for waiting in institution.queue:
                    waiting.waited = True
                break
            institution.queue.popleft()
            institution.done.append(pending)
            stored += 1
    finally:
        institution.draining = False
    return stored


def _send(desk: Desk, sam: Handle, pending: Pending) -> Flow[bool]:
    if desk.line_held_off():
        return False
    whole = encode_records([pending.record])
    digest = hashlib.sha256(whole).digest()
    parts = [whole[at : at + PART_BYTES] for at in range(0, len(whole), PART_BYTES)]
    pending.tries += 1
    if pending.first_try_ns < 0:
        pending.first_try_ns = desk.clock.now_ns()
    answer = yield from _send_parts(desk, sam, pending, digest, parts)
    if answer is not None and answer.code == SIZE_MISMATCH:  # what it had gathered was another upload's, and is dropped now
        answer = yield from _send_parts(desk, sam, pending, digest, parts)
    if answer is None:
        return False
    if answer.code != OK:
        raise Ended("the data centre refuses an upload", answer.code, "cloud")
    outcomes = answer.body.get("outcomes")
    if outcomes != [Stored.STORED.value] and outcomes != [Stored.ALREADY.value]:
        raise Ended(f"the data centre says {outcomes} of an upload", SIZE_MISMATCH, "cloud")
    pending.stored_ns = desk.clock.now_ns()
    return True


def _send_parts(desk: Desk, sam: Handle, pending: Pending, digest: bytes, parts: list[bytes]) -> Flow[CloudAnswer | None]:
    """All parts in order, up to the first that is refused. The last answer; None when the line failed."""
    answer: CloudAnswer | None = None
    for index, part in enumerate(parts):
        arguments = {"batch": pending.batch, "digest": digest, "index": index, "total": len(parts), "part": part}
        answer = yield from call(desk, sam, "upload", desk.fresh(16), arguments, STEP)
        if answer is None:
            return None
        pending.code = answer.code
        if answer.code != OK:
            break
    return answer
