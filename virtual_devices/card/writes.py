"""What a patient card does when it is written to: the rules of manual 3.3 on the records of ``card_layout``.

One command carries one act as BER-TLV and is committed whole. The tags are the bench's profile:

    8E  16 bytes   the act's own id: the same id again changes nothing and gets the same answer
    E1  a new visit entry       81 type, 82 newborn mark, 83 re-card mark, 84 date-time, 85 institution
                                answer: 4 sequence number, 1 same-day flag, 2 visits left
    E2  diagnoses               80 identity, 84 date-time, 86 55 bytes (write_code_icd10)
    E3  fees                    80 identity, 84 date-time, 87 38 bytes (write_fee)
    E4  prescriptions           80 identity, 84 date-time, 88 61 bytes (outpatient_rx), once for each
    E5  roll-back of a visit    84 date-time of the visit, 85 institution, 89 date-time now
    E6  update by the data centre  8A 13 bytes of the insurance cell and 8 bytes of time, 8B signature, 8C chain

Status words 94nn and 95nn stand for the field's codes 50nn and 51nn. A card has no clock: the date-times are the
reader's, and the SAM that proved itself answers for them.
"""

from __future__ import annotations

from virtual_devices import tlv
from virtual_devices.apdu import SW
from virtual_devices.authentication import TROUBLE_SW, Authenticator, Party, padded_id
from virtual_devices.card.areas import AVAILABLE, BY_NAME, CANCEL, EXPIRY, NEWBORN
from virtual_devices.chip import Refusal, refuse_unless
from virtual_devices.clock import NS, parse_roc
from virtual_devices.pki import Refused
from virtual_devices.store import Store

ISSUE, DIAGNOSIS, FEE, PRESCRIPTION, ROLL_BACK, UPDATE = 0xE1, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6
(ID, IDENTITY, TYPE, NEWBORN_MARK, RECARD, DATETIME, HOSPITAL, CODES, FEES, RX, NOW, CONTENT, SIGNATURE, CHAIN) = (
    0x8E, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8B, 0x8C,
)
_LENGTHS = {
    ID: 16, IDENTITY: 17, TYPE: 2, NEWBORN_MARK: 1, RECARD: 1, DATETIME: 13, HOSPITAL: 10, CODES: 55, FEES: 38, RX: 61,
    NOW: 13, CONTENT: 21, SIGNATURE: 64,
}
COUNTED = frozenset({b"00", b"01", b"02", b"03", b"04", b"05", b"06", b"07", b"08", b"09"})
ROLL_BACK_WINDOW_S = 86_400
NEWBORN_DAYS = 60
SEQUENCE_MAX = 1500
REMEMBERED_ACTS = 8
UPDATE_LABEL = b"VHC card update 1"


def code_of_sw(sw: int) -> str | None:
    """The field's code behind a status word of this profile: 9420 is 5020, 9550 is 5150."""
    if sw == 0x9700:
        return "9100"
    if sw >> 8 in (0x94, 0x95) and (sw & 0xFF) >> 4 < 10 and sw & 0x0F < 10:
        return f"5{(sw >> 8) - 0x94}{sw & 0xFF:02X}"
    return None


class Draft:
    """Changes on top of a store: read through, committed later in one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.changes: dict[str, bytes] = {}

    def get(self, cell: str, default: bytes = b"") -> bytes:
        return self.changes[cell] if cell in self.changes else self._store.get(cell, default)

    def __setitem__(self, cell: str, value: bytes) -> None:
        self.changes[cell] = value

    def next_slot(self, area: str) -> int:
        """The slot to be overwritten next, and move on."""
        slot = (self.get(f"{area}.next") or b"\0")[0]
        self[f"{area}.next"] = bytes([(slot + 1) % BY_NAME[area].count])
        return slot


Fields = dict[int, list[bytes]]


def apply(draft: Draft, data: bytes, authenticator: Authenticator) -> bytes:
    """Put the acts of one command into the draft; returns the answer's data. Raises Refusal."""
    acts = _parse(data)
    act_id = _only(acts[0][1], ID) if acts and acts[0][0] == 0 else None
    refuse_unless(act_id is not None and len(acts) > 1, SW.WRONG_DATA)
    assert act_id is not None
    for i in range(REMEMBERED_ACTS):
        remembered = draft.get(f"act.{i}")
        if remembered[:16] == act_id:
            draft.changes.clear()
            return remembered[16:]
    answer = b""
    for tag, fields in acts[1:]:
        match tag:
            case 0xE1:
                answer += _issue(draft, fields)
            case 0xE2:
                _diagnosis(draft, fields)
            case 0xE3:
                _fee(draft, fields)
            case 0xE4:
                _prescriptions(draft, fields)
            case 0xE5:
                _roll_back(draft, fields)
            case 0xE6:
                _update(draft, fields, authenticator)
            case _:
                raise Refusal(SW.WRONG_DATA)
    slot = (draft.get("act.next") or b"\0")[0]
    draft[f"act.{slot}"] = act_id + answer
    draft["act.next"] = bytes([(slot + 1) % REMEMBERED_ACTS])
    return answer


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
    for slot in range(BY_NAME["visit"].count):
        if draft.get(f"visit.{slot}")[3:16] == when:
            return slot
    return None


def _rolled_back(draft: Draft, slot: int) -> bool:
    return draft.get(f"rolled_back.{slot}") == b"\x01"


def _issue(draft: Draft, fields: Fields) -> bytes:
    """A sequence number (就醫序號): drawn by the card, one a counted visit and year."""
    kind, when, hospital = _only(fields, TYPE), _only(fields, DATETIME), _only(fields, HOSPITAL)
    at_ns = _moment(when)
    insurance = draft.get("insurance")
    known = _find_visit(draft, when)
    if known is not None and not _rolled_back(draft, known):  # asked again after an answer was lost
        refuse_unless(draft.get(f"visit.{known}")[21:31] == hospital, 0x9407)
        return draft.get(f"visit.{known}")[17:21] + _same_day(draft, when, known) + insurance[AVAILABLE]
    refuse_unless(insurance[CANCEL] == b"1", 0x9402)
    refuse_unless(insurance[EXPIRY] >= when[:7], 0x9403)
    if _only(fields, NEWBORN_MARK) != b" ":
        _check_newborn(insurance[NEWBORN], at_ns)
    counted = kind in COUNTED
    left = int(insurance[AVAILABLE])
    refuse_unless(left > 0 or not counted, 0x9401)
    number = _next_number(draft.get("last_seq.0"), when, counted)
    same_day = _same_day(draft, when, None)
    slot = draft.next_slot("visit")
    mark = _only(fields, NEWBORN_MARK)
    draft[f"visit.{slot}"] = kind + mark + when + _only(fields, RECARD) + number + hospital + b" " * 38
    draft[f"diagnosis.{slot}"] = b" " * BY_NAME["diagnosis"].record_bytes
    draft[f"rolled_back.{slot}"] = b"\0"
    if counted:
        draft["last_seq.0"] = when[:3] + number
        insurance = insurance[:11] + b"%02d" % (left - 1) + insurance[13:]
        draft["insurance"] = insurance
        _add_to_year(draft, when[:3], {(3, 7): 1})
    return number + same_day + insurance[AVAILABLE]


def _check_newborn(newborn: bytes, at_ns: int) -> None:
    refuse_unless(newborn[:7].isdigit(), 0x9404)
    refuse_unless(at_ns - _moment(newborn[:7]) <= NEWBORN_DAYS * 86_400 * NS, 0x9404)


def _next_number(last: bytes, when: bytes, counted: bool) -> bytes:
    number = int(last[3:7]) if last[:3] == when[:3] else 0
    if not counted:  # part of a course: the number of the visit that began it
        return b"%04d" % number
    refuse_unless(number < SEQUENCE_MAX, 0x9407)
    return b"%04d" % (number + 1)


def _same_day(draft: Draft, when: bytes, but: int | None) -> bytes:
    for slot in range(BY_NAME["visit"].count):
        if slot != but and draft.get(f"visit.{slot}")[3:10] == when[:7] and not _rolled_back(draft, slot):
            return b"Y"
    return b"N"


def _add_to_year(draft: Draft, year: bytes, sums: dict[tuple[int, int], int]) -> None:
    """Add to fields of that year's running totals; a new year takes the older record's place."""
    records = [draft.get(f"cumulative_year.{i}").ljust(67) for i in (0, 1)]
    slot = next((i for i, r in enumerate(records) if r[:3] == year), None)
    if slot is None:
        slot = 0 if records[0][:3] <= records[1][:3] else 1
        records[slot] = year + b"0" * 64
    record = records[slot]
    for (start, end), amount in sums.items():
        value = min(max(int(record[start:end]) + amount, 0), 10 ** (end - start) - 1)
        record = record[:start] + b"%0*d" % (end - start, value) + record[end:]
    draft[f"cumulative_year.{slot}"] = record


def _visit_to_write(draft: Draft, fields: Fields) -> int:
    _check_identity(draft, fields)
    slot = _find_visit(draft, _only(fields, DATETIME))
    if slot is None or _rolled_back(draft, slot):
        raise Refusal(0x9422)
    return slot


def _diagnosis(draft: Draft, fields: Fields) -> None:
    slot = _visit_to_write(draft, fields)
    codes, visit = _only(fields, CODES), draft.get(f"visit.{slot}")
    draft[f"visit.{slot}"] = visit[:16] + codes[:1] + visit[17:]
    draft[f"diagnosis.{slot}"] = visit[3:16] + codes[1:]


def _fee(draft: Draft, fields: Fields) -> None:
    slot = _visit_to_write(draft, fields)
    visit, new = draft.get(f"visit.{slot}"), _only(fields, FEES)
    refuse_unless(new.replace(b" ", b"").isdigit() or not new.strip(), 0x9428)
    _book_fees(draft, visit[3:6], visit[31:69], -1)
    _book_fees(draft, visit[3:6], new, +1)
    draft[f"visit.{slot}"] = visit[:31] + new


def _book_fees(draft: Draft, year: bytes, fees: bytes, sign: int) -> None:
    """Running totals: outpatient fee, outpatient and inpatient copays, and the lifetime totals."""
    out_fee, out_copay, in_fee, short, long = (
        sign * int(fees[a:b].strip() or b"0") for a, b in ((0, 8), (8, 16), (16, 24), (24, 31), (31, 38))
    )
    _add_to_year(
        draft, year,
        {(7, 17): out_fee, (17, 27): in_fee, (27, 35): out_copay, (35, 43): short, (43, 51): long,
         (51, 59): out_copay + short + long, (59, 67): out_copay + short},
    )
    total = draft.get("cumulative_fee.0") or b"0" * 20
    draft["cumulative_fee.0"] = b"%010d%010d" % (max(int(total[:10]) + out_fee, 0), max(int(total[10:]) + in_fee, 0))


def _prescriptions(draft: Draft, fields: Fields) -> None:
    """Outpatient entries (61 bytes); type 2 is copied to the long-term area, type 5 to the key orders."""
    visit = draft.get(f"visit.{_visit_to_write(draft, fields)}")
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


def _roll_back(draft: Draft, fields: Fields) -> None:
    """退掛: takes a registration back, within 24 hours, at the same institution, once. The number is not given again."""
    when, now = _only(fields, DATETIME), _only(fields, NOW)
    slot = _find_visit(draft, when)
    if slot is None:
        raise Refusal(0x9550)
    visit = draft.get(f"visit.{slot}")
    refuse_unless(visit[:2] in COUNTED, 0x9551)
    refuse_unless(visit[21:31] == _only(fields, HOSPITAL), 0x9552)
    refuse_unless(not _rolled_back(draft, slot), 0x9553)
    refuse_unless(0 <= _moment(now) - _moment(when) <= ROLL_BACK_WINDOW_S * NS, 0x9554)
    _book_fees(draft, visit[3:6], visit[31:69], -1)
    _add_to_year(draft, visit[3:6], {(3, 7): -1})
    insurance = draft.get("insurance")
    draft["insurance"] = insurance[:11] + b"%02d" % min(int(insurance[AVAILABLE]) + 1, 99) + insurance[13:]
    draft[f"rolled_back.{slot}"] = b"\x01"


def update_message(card_no: str, challenge: bytes, content: bytes) -> bytes:
    """What the data centre signs to update a card: for this card, in answer to this challenge."""
    return UPDATE_LABEL + padded_id(card_no) + challenge + content


def _update(draft: Draft, fields: Fields, authenticator: Authenticator) -> None:
    """卡片內容更新: cancel mark, insurer, identity mark, expiry and visits left, signed by the data centre."""
    content = _only(fields, CONTENT)
    verdict = authenticator.check_signed(
        Party.DATA_CENTRE, _only(fields, CHAIN), _only(fields, SIGNATURE),
        lambda challenge, card_no: UPDATE_LABEL + card_no + challenge + content,
    )
    if isinstance(verdict, Refused):
        raise Refusal(TROUBLE_SW[verdict.trouble])
    draft["insurance"] = content[:13] + draft.get("insurance")[13:]
    for cell, value in authenticator.seen(int.from_bytes(content[13:], "big")).items():
        draft[cell] = value


__all__ = ["COUNTED", "Draft", "apply", "code_of_sw", "update_message"]
