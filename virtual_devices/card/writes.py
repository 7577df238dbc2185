"""What a patient card does when it is written to: the rules of manual 3.3 on the records of ``card_layout``.

One command carries one act as BER-TLV and is committed whole. The tags are the bench's profile:

    8E  16 bytes   the act's own id: the same act again changes nothing and gets the same answer (89 and 8B may differ: the
                   time went on); another act under an id already used is refused
    E1  a new visit entry       81 type, 82 newborn mark, 83 re-card mark, 84 date-time, 85 institution
                                answer: 4 sequence number, 1 same-day flag, 2 visits left
    E2  diagnoses               80 identity, 84 date-time, 86 55 bytes (write_code_icd10)
    E3  fees                    80 identity, 84 date-time, 87 38 bytes (write_fee)
    E4  prescriptions           80 identity, 84 date-time, 88 61 bytes (outpatient_rx), once for each
    E5  roll-back of a visit    84 date-time of the visit, 85 institution, 89 date-time now
    E6  update by the data centre  8A 13 bytes of the insurance cell and 8 bytes of time, 8B signature, 8C chain
    E7 to EE                    what is no visit: ``entries.py``

Status words 94nn and 95nn stand for the field's codes 50nn and 51nn (``codes.code_of_sw``). A card has no clock: the
date-times are the reader's, and the SAM that proved itself answers for them. It writes for its own institution and to its
own visits only.
"""

from __future__ import annotations

import hashlib

from virtual_devices import tlv
from virtual_devices.apdu import SW
from virtual_devices.authentication import TROUBLE_SW, Authenticator, Party, padded_id
from virtual_devices.card import entries
from virtual_devices.card.areas import AVAILABLE, BY_NAME, CANCEL, EXPIRY, NEWBORN
from virtual_devices.card.draft import VISIT_COUNT, Draft, add_to_year, book_fees, is_fees, number
from virtual_devices.card.plausible import refuse_implausible
from virtual_devices.chip import Refusal, refuse_unless
from virtual_devices.clock import NS, parse_roc
from virtual_devices.pki import DAY_NS, Refused

ISSUE, DIAGNOSIS, FEE, PRESCRIPTION, ROLL_BACK, UPDATE = 0xE1, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6
(ID, IDENTITY, TYPE, NEWBORN_MARK, RECARD, DATETIME, HOSPITAL, CODES, FEES, RX, NOW, CONTENT, SIGNATURE, CHAIN) = (
    0x8E, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8B, 0x8C,
)
_LENGTHS = {
    ID: 16, IDENTITY: 17, TYPE: 2, NEWBORN_MARK: 1, RECARD: 1, DATETIME: 13, HOSPITAL: 10, CODES: 55, FEES: 38, RX: 61,
    NOW: 13, CONTENT: 21, SIGNATURE: 64, **entries.LENGTHS,
}
CANCELLING = frozenset({b"ZA", b"ZB"})
"""Visit types that take back all, or some, visits of this institution within 24 hours (取消24小時內)."""
COUNTED = frozenset({b"00", b"01", b"02", b"03", b"04", b"05", b"06", b"07", b"08", b"09"})
ROLL_BACK_WINDOW_S = 86_400
NEWBORN_DAYS = 60
SEQUENCE_MAX = 1500
REMEMBERED_ACTS = 8
_FINGERPRINT_BYTES = 8
UPDATE_LABEL = b"VHC card update 1"


Fields = dict[int, list[bytes]]


def apply(draft: Draft, data: bytes, authenticator: Authenticator) -> bytes:
    """Put the acts of one command into the draft; returns the answer's data. Raises Refusal."""
    acts = _parse(data)
    act_id = _only(acts[0][1], ID) if acts and acts[0][0] == 0 else None
    refuse_unless(act_id is not None and len(acts) > 1, SW.WRONG_DATA)
    assert act_id is not None
    mark = _fingerprint(acts)
    for i in range(REMEMBERED_ACTS):
        remembered = draft.get(f"act.{i}")
        if remembered[:16] == act_id:
            refuse_unless(remembered[16:24] == mark, SW.WRONG_DATA)
            return remembered[24:]
    own = _institution(authenticator)
    answer = b""
    for tag, fields in acts[1:]:
        if tag == UPDATE:
            _update(draft, fields, authenticator)
        elif tag >= entries.NEWBORN_ENTRY:
            entries.apply_entry(tag, draft, fields, own, authenticator, _only)
        else:
            answer += visit_act(draft, tag, fields, own)
    slot = (draft.get("act.next") or b"\0")[0] % REMEMBERED_ACTS
    draft[f"act.{slot}"] = act_id + mark + answer
    draft["act.next"] = bytes([(slot + 1) % REMEMBERED_ACTS])
    return answer


def visit_act(draft: Draft, tag: int, fields: Fields, own: bytes, sequence: bytes = b"") -> bytes:
    """One of the acts E1 to E5, for the institution ``own`` (10 bytes). Raises Refusal.

    ``sequence``: a number that somebody else has drawn, as the data centre does for a virtual card.
    """
    match tag:
        case 0xE1:
            return _issue(draft, fields, own, sequence)
        case 0xE2:
            _diagnosis(draft, fields, own)
        case 0xE3:
            _fee(draft, fields, own)
        case 0xE4:
            _prescriptions(draft, fields, own)
        case 0xE5:
            _roll_back(draft, fields, own)
        case _:
            raise Refusal(SW.WRONG_DATA)
    return b""


def _fingerprint(acts: list[tuple[int, Fields]]) -> bytes:
    """What an act says, but for the moment at which it is said."""
    said = hashlib.sha256()
    for tag, fields in acts:
        said.update(bytes([tag & 0xFF, len(fields) & 0xFF]))
        for inner, values in fields.items():
            if inner not in (NOW, SIGNATURE):
                said.update(tlv.encode_all((inner, value) for value in values))
    return said.digest()[:_FINGERPRINT_BYTES]


def _institution(authenticator: Authenticator) -> bytes:
    """The code of the institution whose SAM has proved itself, as it stands in records."""
    sam = authenticator.proved.get(Party.SAM)
    refuse_unless(sam is not None, SW.SECURITY_STATUS_NOT_SATISFIED)
    assert sam is not None
    return sam.organisation.encode("ascii", "replace")[:10].ljust(10)


def _parse(data: bytes) -> list[tuple[int, Fields]]:
    """(tag, fields) of each act; the command's own fields come first, under tag 0."""
    try:
        outer = tlv.decode(data)
        head: Fields = {}
        acts: list[tuple[int, Fields]] = [(0, head)]
        for tag, value in outer:
            if tag == ID:
                _take(head, tag, value)
                continue
            fields: Fields = {}
            for inner, content in tlv.decode(value):
                _take(fields, inner, content)
            acts.append((tag, fields))
    except tlv.TlvError:
        raise Refusal(SW.WRONG_DATA) from None
    return acts


def _take(fields: Fields, tag: int, value: bytes) -> None:
    refuse_unless(tag == CHAIN or _LENGTHS.get(tag) == len(value), SW.WRONG_DATA)
    fields.setdefault(tag, []).append(value)


def _only(fields: Fields, tag: int) -> bytes:
    values = fields.get(tag, [])
    refuse_unless(len(values) == 1, SW.WRONG_DATA)
    return values[0]


def _moment(text: bytes) -> int:
    try:
        return parse_roc(text.decode("ascii"))
    except ValueError:
        raise Refusal(SW.WRONG_DATA) from None


def _check_identity(draft: Draft, fields: Fields) -> None:
    refuse_unless(_only(fields, IDENTITY) == draft.get("public")[32:49], 0x9420)


def _find_visit(draft: Draft, when: bytes) -> int | None:
    """The visit of that date-time; one that stands goes before one that was rolled back."""
    found = [slot for slot in range(BY_NAME["visit"].count) if draft.get(f"visit.{slot}")[3:16] == when]
    standing = [slot for slot in found if not _rolled_back(draft, slot)]
    return next(iter(standing or found), None)


def _rolled_back(draft: Draft, slot: int) -> bool:
    return draft.get(f"rolled_back.{slot}") == b"\x01"


def _issue(draft: Draft, fields: Fields, own: bytes, drawn: bytes) -> bytes:
    """A sequence number (就醫序號): drawn by the card, one a counted visit and year, unless it was drawn elsewhere."""
    kind, when, mark, recard = (_only(fields, tag) for tag in (TYPE, DATETIME, NEWBORN_MARK, RECARD))
    refuse_unless(kind.isalnum() and (mark == b" " or mark.isalpha()) and (recard == b" " or recard.isdigit()), SW.WRONG_DATA)
    refuse_unless(_only(fields, HOSPITAL) == own, SW.SECURITY_STATUS_NOT_SATISFIED)
    at_ns = _moment(when)
    insurance = draft.get("insurance")
    known = _find_visit(draft, when)
    if known is not None and not _rolled_back(draft, known):  # asked again after an answer was lost
        visit = draft.get(f"visit.{known}")
        refuse_unless(visit[:3] == kind + mark and visit[21:31] == own, 0x9407)
        return visit[17:21] + (draft.get(f"same_day.{known}") or b"N") + insurance[AVAILABLE]
    refuse_unless(insurance[CANCEL] == b"1", 0x9402)
    refuse_unless(insurance[EXPIRY] >= when[:7], 0x9403)
    if mark != b" ":
        _check_newborn(insurance[NEWBORN], at_ns)
    refuse_unless(kind not in CANCELLING or _visit_within_a_day(draft, own, at_ns), 0x9481)
    counted = kind in COUNTED
    left = number(insurance[AVAILABLE])
    refuse_unless(left > 0 or not counted or bool(drawn), 0x9401)
    sequence = drawn or _next_number(draft, when[:3], counted)
    same_day = _same_day(draft, when)
    slot = draft.next_slot("visit")
    draft[f"visit.{slot}"] = kind + mark + when + recard + sequence + own + b" " * 38
    draft[f"diagnosis.{slot}"] = b" " * BY_NAME["diagnosis"].record_bytes
    draft[f"rolled_back.{slot}"] = b"\0"
    draft[f"same_day.{slot}"] = same_day
    if counted and not drawn:
        insurance = insurance[:11] + b"%02d" % (left - 1) + insurance[13:]
        draft["insurance"] = insurance
    if counted:
        add_to_year(draft, when[:3], {VISIT_COUNT: 1})
    return sequence + same_day + insurance[AVAILABLE]


def _visit_within_a_day(draft: Draft, own: bytes, at_ns: int) -> bool:
    """A visit of this institution, not older than 24 hours, stands on the card."""
    for slot in range(BY_NAME["visit"].count):
        visit = draft.get(f"visit.{slot}")
        if visit[21:31] == own and not _rolled_back(draft, slot) and 0 <= at_ns - _moment(visit[3:16]) <= ROLL_BACK_WINDOW_S * NS:
            return True
    return False


def _check_newborn(newborn: bytes, at_ns: int) -> None:
    """A parent's card serves a child up to 60 days old, counted in days."""
    refuse_unless(newborn[:7].isdigit(), 0x9404)
    refuse_unless(0 <= (at_ns - _moment(newborn[:7])) // DAY_NS <= NEWBORN_DAYS, 0x9404)


def _next_number(draft: Draft, year: bytes, counted: bool) -> bytes:
    """The number of a visit in that year. Each year begins at 0001; a visit of the year before, registered late, goes on
    where that year stopped, and the current year's numbering stays as it is."""
    last, before = draft.get("last_seq.0"), draft.get("last_seq.before")
    cell, known = "last_seq.0", last
    if last[:3].isdigit() and year < last[:3]:
        refuse_unless(year >= before[:3], 0x9407)
        cell, known = "last_seq.before", before
    value = number(known[3:7]) if known[:3] == year else 0
    if not counted:  # part of a course: the number of the visit that began it
        return b"%04d" % min(value, SEQUENCE_MAX)
    refuse_unless(value < SEQUENCE_MAX, 0x9407)
    if cell == "last_seq.0" and last[:3].isdigit() and last[:3] < year:
        draft["last_seq.before"] = last
    draft[cell] = year + b"%04d" % (value + 1)
    return b"%04d" % (value + 1)


def _same_day(draft: Draft, when: bytes) -> bytes:
    """Y when the card holds another visit of that day, which was not rolled back."""
    for slot in range(BY_NAME["visit"].count):
        if draft.get(f"visit.{slot}")[3:10] == when[:7] and not _rolled_back(draft, slot):
            return b"Y"
    return b"N"


def _visit_to_write(draft: Draft, fields: Fields, own: bytes) -> int:
    _check_identity(draft, fields)
    slot = _find_visit(draft, _only(fields, DATETIME))
    if slot is None or _rolled_back(draft, slot) or draft.get(f"visit.{slot}")[21:31] != own:
        raise Refusal(0x9422)
    return slot


def _diagnosis(draft: Draft, fields: Fields, own: bytes) -> None:
    slot = _visit_to_write(draft, fields, own)
    codes, visit = _only(fields, CODES), draft.get(f"visit.{slot}")
    draft[f"visit.{slot}"] = visit[:16] + codes[:1] + visit[17:]
    draft[f"diagnosis.{slot}"] = visit[3:16] + codes[1:]


def _fee(draft: Draft, fields: Fields, own: bytes) -> None:
    slot = _visit_to_write(draft, fields, own)
    visit, new = draft.get(f"visit.{slot}"), _only(fields, FEES)
    refuse_unless(is_fees(new), 0x9428)
    book_fees(draft, visit[3:6], visit[31:69], new)
    draft[f"visit.{slot}"] = visit[:31] + new


def _prescriptions(draft: Draft, fields: Fields, own: bytes) -> None:
    """Outpatient entries (61 bytes); type 2 is copied to the long-term area, type 5 to the key orders."""
    visit = draft.get(f"visit.{_visit_to_write(draft, fields, own)}")
    entries = fields.get(RX, [])
    refuse_unless(1 <= len(entries) <= BY_NAME["outpatient_rx"].count, SW.WRONG_DATA)
    for entry in entries:
        refuse_unless(entry[:13] == visit[3:16], 0x9433)
        draft[f"outpatient_rx.{draft.next_slot('outpatient_rx')}"] = entry
        match entry[13:14]:
            case b"2":
                copied = entry[:7] + entry[14:24] + entry[32:59]
                draft[f"long_term_rx.{draft.next_slot('long_term_rx')}"] = copied
            case b"5":
                copied = entry[:7] + visit[21:31] + entry[14:20] + entry[26:32] + entry[52:59]
                draft[f"key_order.{draft.next_slot('key_order')}"] = copied


def _roll_back(draft: Draft, fields: Fields, own: bytes) -> None:
    """退掛: takes a registration back, within 24 hours, at the same institution, once. The number is not given again."""
    when, now = _only(fields, DATETIME), _only(fields, NOW)
    refuse_unless(_only(fields, HOSPITAL) == own, SW.SECURITY_STATUS_NOT_SATISFIED)
    slot = _find_visit(draft, when)
    if slot is None:
        raise Refusal(0x9550)
    visit = draft.get(f"visit.{slot}")
    refuse_unless(visit[:2] in COUNTED, 0x9551)
    refuse_unless(visit[21:31] == own, 0x9552)
    refuse_unless(not _rolled_back(draft, slot), 0x9553)
    refuse_unless(0 <= _moment(now) - _moment(when) <= ROLL_BACK_WINDOW_S * NS, 0x9554)
    own_number = visit[17:21].isdigit()
    if own_number:
        refuse_implausible(draft, visit)
    book_fees(draft, visit[3:6], visit[31:69], b"")
    add_to_year(draft, visit[3:6], {VISIT_COUNT: -1})
    if own_number:
        insurance = draft.get("insurance")
        draft["insurance"] = insurance[:11] + b"%02d" % min(number(insurance[AVAILABLE]) + 1, 99) + insurance[13:]
    draft[f"rolled_back.{slot}"] = b"\x01"


def update_message(card_no: str, challenge: bytes, content: bytes) -> bytes:
    """What the data centre signs to update a card: for this card, in answer to this challenge."""
    return UPDATE_LABEL + padded_id(card_no) + challenge + content


def _update(draft: Draft, fields: Fields, authenticator: Authenticator) -> None:
    """卡片內容更新: cancel mark, insurer, identity mark, expiry and visits left, signed by the data centre."""
    content = _only(fields, CONTENT)
    refuse_unless(content[AVAILABLE].isdigit(), SW.WRONG_DATA)
    verdict = authenticator.check_signed(
        Party.DATA_CENTRE, _only(fields, CHAIN), _only(fields, SIGNATURE),
        lambda challenge, card_no: UPDATE_LABEL + card_no + challenge + content,
    )
    if isinstance(verdict, Refused):
        raise Refusal(TROUBLE_SW[verdict.trouble])
    draft["insurance"] = content[:13] + draft.get("insurance")[13:]
    for cell, value in authenticator.seen(int.from_bytes(content[13:], "big")).items():
        draft[cell] = value


__all__ = ["COUNTED", "Draft", "apply", "update_message", "visit_act"]
