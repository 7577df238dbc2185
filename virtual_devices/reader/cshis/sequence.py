"""Sequence numbers (就醫序號) and visit identifiers (就醫識別碼): issued, found again, taken back.

The card draws the number, the SAM signs the visit. The old form's 128 bytes are the SAM's signature as hexadecimal text, the new
form's 256 characters that and the card's own over the same visit (profile: the field's algorithm is not public). The data centre
is asked about insurance for visit types 05, BA to BF and DC only; the newest call also fetches the identifier, and where that
fails the number holds all the same (5174).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from virtual_devices import tlv
from virtual_devices.apdu import Command
from virtual_devices.authentication import CHALLENGE_BYTES, padded_id
from virtual_devices.card import writes
from virtual_devices.clock import parse_roc, roc_datetime13
from virtual_devices.flow import Flow
from virtual_devices.reader.cshis.prepare import Ready, answered, card_online, need, online
from virtual_devices.reader.cshis.reads import area
from virtual_devices.reader.cshis.state import CardInside, ControlSoftware, Reply, Right
from virtual_devices.reader.transmit import BAD_ARGUMENT, Ended, transmit
from virtual_devices.reader.visit import write
from virtual_devices.sam.sam import VISIT_STATEMENT

ONLINE_TYPES = frozenset({"05", "BA", "BB", "BC", "BD", "BE", "BF", "DC"})
"""Visit types whose insurance is checked online (manual 3.3)."""
NO_RIGHT, NOT_WRITTEN, SAM_CANNOT_SIGN, NO_INSTITUTION = "5009", "5007", "5008", "5006"
SECOND_DEPARTMENT, NO_IDENTIFIER, NO_SUCH_VISIT, UPDATE_FAILED = "5010", "5174", "5022", "5130"
STEP = "get sequence number"
Arguments = Mapping[str, Any]


def institution(software: ControlSoftware, ready: Ready, code: str = NO_INSTITUTION) -> Flow[bytes]:
    """The institution's code, 10 bytes, as the SAM says it. Raises Ended with ``code``."""
    try:
        read = need((yield from transmit(ready.sam, Command(0, 0xCA, 0x5F, 0x50, le=256), "institution code")), "sam", "it", code)
    except Ended as e:
        raise Ended("the SAM does not say its institution", code, "sam") from e
    if len(read) != 10:
        raise Ended("the SAM's institution code is none", code, "sam")
    return read


def _text(arguments: Arguments, name: str) -> str:
    return str(arguments[name].decode("ascii", "replace"))


def _issue(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[tuple[str, bytes, bytes]]:
    """Date-time, institution and what the card answers: 4 sequence number, 1 same-day flag, 2 visits left."""
    kind, mark = _text(arguments, "cTreatItem"), _text(arguments, "cBabyTreat")
    recard = _text(arguments, "cTreatAfterCheck") if "cTreatAfterCheck" in arguments else "1"
    if recard not in ("1", "2"):
        raise Ended("the re-card mark is 1 or 2", BAD_ARGUMENT, "reader")
    if Right.VISIT not in software.rights:
        raise Ended("this institution may not write visits", NO_RIGHT, "sam")
    when = roc_datetime13(software.reader.now_ns())
    hospital = yield from institution(software, ready)
    if kind in ONLINE_TYPES:
        yield from card_online(software, ready.sam, ready.card)
        who: dict[str, object] = {"card_no": ready.card.public.card_no}
        yield from online(software, ready.sam, "eligibility", software.desk.fresh(16), who, "check insurance")
    fields = {
        writes.TYPE: kind.encode(), writes.NEWBORN_MARK: mark.encode(), writes.RECARD: recard.encode(),
        writes.DATETIME: when.encode(), writes.HOSPITAL: hospital,
    }
    act = tlv.encode(writes.ISSUE, tlv.encode_all(fields.items()))
    answer = yield from write(ready.card.handle, software.desk.fresh(16), act, STEP)
    issued = need(answer, "card", "sequence number", NOT_WRITTEN)
    if len(issued) != 7 or not issued[:4].isdigit():
        raise Ended("the card's sequence number is none", NOT_WRITTEN, "card")
    return when, hospital, issued


def _signed(software: ControlSoftware, ready: Ready, when: str, issued: bytes, hospital: bytes) -> Flow[tuple[bytes, bytes]]:
    """The SAM's signature over the visit, and the card's. Raises Ended 5008."""
    statement = VISIT_STATEMENT + ready.card.public.raw[:12] + when.encode() + issued[:4] + hospital
    try:
        raw = yield from transmit(ready.sam, Command(0, 0x2A, 0x9E, 0x9A, statement, le=64), "sign visit")
        by_sam = need(raw, "sam", "statement of the visit", SAM_CANNOT_SIGN)
        challenge = hashlib.sha256(statement).digest()[:CHALLENGE_BYTES] + padded_id(software.desk.sam_id)
        raw = yield from transmit(ready.card.handle, Command(0, 0x88, 0, 0, challenge, le=64), "sign visit")
        by_card = need(raw, "card", "the card's word for the visit", SAM_CANNOT_SIGN)
    except Ended as e:
        if e.role == "sam" or e.code == "4029":
            raise Ended("the visit could not be signed", SAM_CANNOT_SIGN, e.role) from e
        raise
    return by_sam, by_card


def old_form(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """hisGetSeqNumber: 167 bytes."""
    when, hospital, issued = yield from _issue(software, ready, arguments)
    by_sam, _ = yield from _signed(software, ready, when, issued, hospital)
    body = when.encode() + issued[:4] + hospital + by_sam.hex().encode() + padded_id(software.desk.sam_id)
    return Reply(_notice(issued), {"pBuffer": body})


def _notice(issued: bytes) -> str:
    return SECOND_DEPARTMENT if issued[4:5] == b"Y" else "0"


def _new_body(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[tuple[str, bytes, bytes]]:
    when, hospital, issued = yield from _issue(software, ready, arguments)
    by_sam, by_card = yield from _signed(software, ready, when, issued, hospital)
    signature = (by_sam + by_card).hex().encode()
    body = when.encode() + issued[:4] + hospital + signature + padded_id(software.desk.sam_id) + issued[4:5]
    return when, issued, body


def new_form(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """hisGetSeqNumber256: 296 bytes."""
    _, issued, body = yield from _new_body(software, ready, arguments)
    return Reply(_notice(issued), {"pBuffer": body})


def with_identifier(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """hisGetSeqNumber256N1: 316 bytes. 5174, and a blank identifier, when the data centre gives none."""
    when, issued, body = yield from _new_body(software, ready, arguments)
    try:
        identifier = yield from identifier_of(software, ready, when, _text(arguments, "cTreatItem"))
    except Ended:
        return Reply(NO_IDENTIFIER, {"pBuffer": body + b" " * 20})
    return Reply(_notice(issued), {"pBuffer": body + identifier.encode("ascii").ljust(20)})


def identifier_of(software: ControlSoftware, ready: Ready, when: str, visit_type: str) -> Flow[str]:
    """The identifier of a visit that begins; asked again, the same. Raises Ended: 4061, or the data centre's code."""
    arguments: dict[str, object] = {"card_no": ready.card.public.card_no, "visit_type": visit_type, "visited_at": when}
    return (yield from _identified(software, ready, when, "begin-visit", arguments))


def _identified(
    software: ControlSoftware, ready: Ready, when: str, operation: str, arguments: dict[str, object],
) -> Flow[str]:
    """A visit of a card at a moment is always asked for by the same request."""
    card_no = ready.card.public.card_no
    request_id = hashlib.sha256(f"visit {card_no} {when} {software.desk.institution.code}".encode()).digest()[:16]
    body = yield from online(software, ready.sam, operation, request_id, arguments, "get visit identifier")
    identifier = str(body.get("identifier", ""))
    software.begun[software.key(when)] = identifier
    return identifier


def identifier_with_card(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """hisGetTreatNumICCard: for a visit that stands on the card (5022), whenever it was; it may have begun without a line."""
    when = _text(arguments, "pDateTime")
    if not when.strip():
        raise Ended("no date and time", BAD_ARGUMENT, "reader")
    visit = yield from _visit(ready.card, when.encode())
    asked: dict[str, object] = {
        "id_no": ready.card.public.identity[:10].decode("ascii", "replace").strip(),
        "visit_type": visit[:2].decode("ascii", "replace"), "visited_at": when,
    }
    identifier = yield from _identified(software, ready, when, "visit-identifier", asked)
    return Reply("0", {"pBuffer": identifier.encode("ascii").ljust(20)})


def _visit(card: CardInside, when: bytes) -> Flow[bytes]:
    raw = yield from area(card.handle, "visit")
    found = next((raw[at : at + 69] for at in range(0, len(raw), 69) if raw[at + 3 : at + 16] == when), None)
    if found is None:
        raise Ended("the card has no visit of that time", NO_SUCH_VISIT, "card")
    return found


def identifier_without_card(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """hisGetTreatNumNoICCard: by the patient's national ID. An institution asks for itself only (6018)."""
    hospital = yield from institution(software, ready)
    asked = arguments["pHospID"].ljust(10)[:10]
    if asked != hospital:
        raise Ended("that is another institution's code", BAD_ARGUMENT, "sam")
    now_ns = software.reader.now_ns()
    request: dict[str, object] = {"id_no": _text(arguments, "pPatientID")}
    body = yield from online(
        software, ready.sam, "begin-visit-no-card", software.desk.fresh(16), request, "get visit identifier",
    )
    identifier = str(body.get("identifier", "")).encode("ascii", "replace")
    return Reply("0", {"pBuffer": roc_datetime13(now_ns).encode() + hospital + identifier.ljust(20)})


def take_back(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """csUnGetSeqNumber (退掛): online; on the card within 24 hours, at the same institution, once; then at the data centre."""
    when = _text(arguments, "pUnTreatDate")
    try:
        parse_roc(when)
    except ValueError:
        raise Ended("that is no date and time", BAD_ARGUMENT, "reader") from None
    yield from card_online(software, ready.sam, ready.card)
    now = roc_datetime13(software.reader.now_ns())
    fields = {
        writes.DATETIME: when.encode(), writes.HOSPITAL: software.desk.institution.code.encode().ljust(10),
        writes.NOW: now.encode(),
    }
    act = tlv.encode(writes.ROLL_BACK, tlv.encode_all(fields.items()))
    answer = yield from write(ready.card.handle, software.desk.fresh(16), act, "cancel visit")
    need(answer, "card", "roll-back", UPDATE_FAILED)
    identifier = software.begun.get(software.key(when))
    if identifier:
        told: dict[str, object] = {"identifier": identifier}
        code, _ = yield from answered(software, ready.sam, "roll-back", told, "cancel visit")
        if code not in ("0", "5153"):
            raise Ended("the data centre does not take the roll-back", code, "cloud")
    return Reply("0")


CALLS = {
    "hisGetSeqNumber": old_form,
    "hisGetSeqNumber256": new_form,
    "hisGetSeqNumber256N1": with_identifier,
    "hisGetTreatNumICCard": identifier_with_card,
    "hisGetTreatNumNoICCard": identifier_without_card,
    "csUnGetSeqNumber": take_back,
}

__all__ = ["CALLS", "ONLINE_TYPES", "identifier_of", "institution"]
