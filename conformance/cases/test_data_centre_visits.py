"""Visits, their records and uploads; registration without a counter; codes of today's virtual card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from conformance.case import Each, Nature, case
from conformance.kinds.data_centre import DataCentreTester
from conformance.records import facts, visit_file
from conformance.town import CHILD_NO, HOLDER, Place
from conformance.vectors.world import CARD_NO, INSTITUTION
from virtual_devices import pki
from virtual_devices.authentication import Party
from virtual_devices.card.writes import update_message
from virtual_devices.clock import NS, roc_datetime13
from virtual_devices.pki import DAY_NS, Role, Verified
from virtual_devices.sam.sam import VISIT_STATEMENT

BEGIN = {"card_no": CARD_NO, "visit_type": "01"}
VIRTUAL = {**BEGIN, "carrier": "virtual-card"}


@case("P-VIS-05", "P-DCM-05", nature=Nature.VALID, zh="一次就醫一個識別碼，虛擬卡另給就醫序號")
def test_visit_gets_one_identifier_and_a_virtual_card_its_number(data_centre: DataCentreTester) -> None:
    """begin-visit: an identifier of the moment and 7 digits; a physical card no number, a virtual one W001 and on."""
    body = data_centre.done("begin-visit", BEGIN)
    identifier = body["identifier"]
    data_centre.expect("20 digits of its moment", len(identifier) == 20 and identifier.isdigit() and
                       identifier.startswith(roc_datetime13(data_centre.now_ns)), "moment, 7 digits", identifier)
    data_centre.equal("a physical card's number", body["sequence"], "")
    for number in ("W001", "W002"):
        data_centre.equal("a virtual card's number", data_centre.done("begin-visit", VIRTUAL)["sequence"], number)
    other = data_centre.done("begin-visit", {**VIRTUAL, "card_no": CHILD_NO})
    data_centre.equal("another's number, and first of the day", (other["sequence"], other["same_day"]), ("W001", False))


@case("P-VIS-05", nature=Nature.LIMIT, zh="就醫時點：前後一小時內")
def test_visit_is_called_by_the_moment_that_the_desk_says(data_centre: DataCentreTester) -> None:
    """The desk's moment names the visit when it is within an hour; further off it is refused."""
    for seconds, code in ((-3600, "0"), (3600, "0"), (-3601, "9002"), (3601, "9002")):
        when = roc_datetime13(data_centre.now_ns + data_centre.edge_ns(seconds * NS, inside=code == "0"))
        found, body = data_centre.ask("begin-visit", {**BEGIN, "visited_at": when})
        data_centre.equal("code", found, code)
        if code == "0":
            data_centre.equal("the moment in its name", body["identifier"][:13], when)


@case("P-VIS-05", nature=Nature.TIMER, zh="退掛：24 小時內、同院所、一次")
def test_visit_is_taken_back_within_a_day_and_once(data_centre: DataCentreTester) -> None:
    """roll-back within 24 hours by the same institution, once; afterwards the visit stands."""
    begun = [data_centre.done("begin-visit", BEGIN)["identifier"] for _ in range(3)]
    back = [{"identifier": one} for one in begun]
    data_centre.equal("by another institution", data_centre.ask("roll-back", back[0], by=data_centre.pharmacy)[0], "5152")
    data_centre.done("roll-back", back[0])
    data_centre.equal("again", data_centre.ask("roll-back", back[0])[0], "5153")
    data_centre.later(days=1)
    data_centre.done("roll-back", back[1])
    data_centre.later(seconds=0.001)
    data_centre.equal("after 24 hours", data_centre.ask("roll-back", back[2])[0], "5154")
    data_centre.equal("one that there is not", data_centre.ask("roll-back", {"identifier": "0" * 20})[0], "5150")


@case("P-VIS-05", nature=Nature.INOPPORTUNE, zh="已退掛之就醫，原要求重送不再成立")
def test_visit_that_was_taken_back_is_not_begun_again_by_its_request(data_centre: DataCentreTester) -> None:
    """The request that began a visit, sent again after its roll-back, is refused."""
    number = b"conformance 0004"
    body = data_centre.done("begin-visit", BEGIN, request=number)
    data_centre.done("roll-back", {"identifier": body["identifier"]})
    data_centre.equal("code", data_centre.ask("begin-visit", BEGIN, request=number)[0], "5153")
    data_centre.equal("another is the day's first", data_centre.done("begin-visit", BEGIN)["same_day"], False)


@case("P-VIS-06", "P-DCM-05", nature=Nature.INVALID, zh="不明卡號：拒絕", each=lambda: {
    operation: Each((operation, more)) for operation, more in (
        ("begin-visit", {"visit_type": "01"}), ("eligibility", {}), ("update-card", {"challenge": bytes(16), "visits_left": 0}),
        ("sign-visit", {"visited_at": "1150302080000", "sequence": "W001", "entries": []}))
})
def test_unknown_card_is_refused(data_centre: DataCentreTester, value: tuple[str, Mapping[str, Any]]) -> None:
    """A card number that there is not is refused with 9012."""
    operation, more = value
    found, body = data_centre.ask(operation, {"card_no": "9" * 12, **more})
    data_centre.equal("code, and what is told", (found, dict(body)), ("9012", {}))


@case("P-VIS-07", nature=Nature.INVALID, zh="電話或網路掛號：核對身分")
def test_person_is_checked_by_id_and_birth_date(data_centre: DataCentreTester) -> None:
    """check-person: right facts are 0, a wrong birth date 5020, an unknown person 9012; nothing is told."""
    right = {"id_no": HOLDER.holder.id_no, "birth_date": HOLDER.holder.birth_roc}
    for change, code in (({}, "0"), ({"birth_date": "0470705"}, "5020"), ({"id_no": "Z199999999"}, "9012")):
        found, body = data_centre.ask("check-person", {**right, **change})
        data_centre.equal("code, and what is told", (found, dict(body)), (code, {}))


@case("P-DCM-05", "P-VIS-05", nature=Nature.VALID, zh="無卡就醫識別碼及事後補給識別碼")
def test_visit_without_card_or_line_gets_an_identifier(data_centre: DataCentreTester) -> None:
    """An identifier by national id, and one for a visit that has taken place, which the same request finds again."""
    data_centre.expect("without a card", len(data_centre.done("begin-visit-no-card",
                                                              {"id_no": HOLDER.holder.id_no})["identifier"])
                       == 20)
    data_centre.equal("nobody's", data_centre.ask("begin-visit-no-card", {"id_no": "Z199999999"})[0], "9012")
    when = roc_datetime13(data_centre.now_ns - 5 * 3600 * NS)
    arguments = {"id_no": HOLDER.holder.id_no, "visit_type": "01", "visited_at": when}
    first = data_centre.done("visit-identifier", arguments, request=b"conformance 0005")
    data_centre.equal("its moment", first["identifier"][:13], when)
    data_centre.equal("again", dict(data_centre.done("visit-identifier", arguments, request=b"conformance 0005")), dict(first))
    data_centre.equal("nobody's", data_centre.ask("visit-identifier", {**arguments, "id_no": "Z199999999"})[0], "9012")


@case("P-DCM-05", nature=Nature.VALID, zh="卡片更新：13 位元組內容，對卡片挑戰碼簽章")
def test_update_of_a_card_is_signed_over_its_challenge(data_centre: DataCentreTester) -> None:
    """update-card: 13 bytes with six visits, signed for this card and this challenge; none while enough are left."""
    challenge = data_centre.fresh(16)
    body = data_centre.done("update-card", {"card_no": CARD_NO, "challenge": challenge, "visits_left": 3})
    content = body["content"]
    data_centre.expect("101, status, date, 06, then the time", len(content) == 21 and content[:3] == b"101" and
                       content[11:13] == b"06", "21 bytes", content)
    data_centre.moment("the time in it", int.from_bytes(content[13:], "big"), data_centre.now_ns)
    who = data_centre.world.root.check_bytes(body["chain"], Party.DATA_CENTRE.roles, data_centre.now_ns)
    assert isinstance(who, Verified)
    signed = update_message(CARD_NO, challenge, content)
    data_centre.expect("the signature holds", pki.verify(who.key, body["signature"], signed))
    data_centre.equal("with four left", data_centre.ask("update-card", {"card_no": CARD_NO, "challenge": challenge,
                                                                        "visits_left": 4})[0], "9081")


@case("P-DCM-05", "P-DCM-02", nature=Nature.VALID, zh="虛擬卡就醫之簽章")
def test_visit_with_a_virtual_card_is_signed_by_the_data_centre(data_centre: DataCentreTester) -> None:
    """sign-visit: the data centre's signature over the visit's statement, and one of 20 bytes for each order."""
    when = roc_datetime13(data_centre.now_ns)
    entries = [b"e" * 61, b"e" * 60 + b"f", b"f" + b"e" * 60]
    arguments = {"card_no": CARD_NO, "visited_at": when, "sequence": "W001", "entries": entries}
    body = data_centre.done("sign-visit", arguments)
    challenge = data_centre.fresh(16)
    chain = data_centre.done("verify-sam", {"challenge": challenge})["chain"]
    who = data_centre.world.root.check_bytes(chain, {Role.DATA_CENTRE}, data_centre.now_ns)
    assert isinstance(who, Verified)
    statement = VISIT_STATEMENT + f"{CARD_NO}{when}W001{INSTITUTION}".encode()
    data_centre.expect("over the visit", pki.verify(who.key, bytes.fromhex(body["signature"]), statement))
    data_centre.expect("of each order, 40 characters, each its own", [len(e) for e in body["entries"]] == [40] * 3 and
                       len(set(body["entries"])) == 3)


# -- uploads

def _upload(data_centre: DataCentreTester, whole: bytes, parts: int = 1, by: Place | None = None, batch: bytes = b"b" * 16,
            order: tuple[int, ...] = ()) -> list[Mapping[str, Any]]:
    """The file in so many parts, in that order; the results."""
    size = -(-len(whole) // parts)
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    common = {"batch": batch, "digest": hashlib.sha256(whole).digest(), "total": len(pieces)}
    numbers = order or tuple(range(len(pieces)))
    return [data_centre.done("upload", {**common, "index": n, "part": pieces[n]}, by=by) for n in numbers]


def _begun(data_centre: DataCentreTester, **more: Any) -> bytes:
    """A visit begun now, and the file that tells of it."""
    identifier = data_centre.done("begin-visit", BEGIN)["identifier"]
    return visit_file([facts(data_centre.clinic, data_centre.now_ns, identifier, **more)])


def _codes(report: str) -> list[list[str]]:
    """The check codes of each record of a report."""
    return [[row[0] for row in record[5]] for record in json.loads(report)["records"]]


@case("P-UPL-05", "P-DCM-05", nature=Nature.MEDIUM, zh="分段上傳：亂序、重複皆只存一次且完整")
def test_upload_in_parts_is_stored_once_and_whole(data_centre: DataCentreTester) -> None:
    """Parts out of order and repeated become one upload; the same again is already there; what was cut short leaves nothing."""
    whole = _begun(data_centre)
    results = _upload(data_centre, whole, 3, order=(2, 0, 2, 1))
    data_centre.equal("what is told", [r["outcome"] for r in results], ["part", "part", "part", "stored"])
    data_centre.equal("check codes", _codes(results[-1]["report"]), [[]])
    again = _upload(data_centre, whole, 3)
    data_centre.equal("the same again", {r["outcome"] for r in again}, {"already"})
    data_centre.equal("by the same name", again[0]["opcode"], results[-1]["opcode"])
    other = _begun(data_centre)
    cut = {"batch": b"c" * 16, "digest": hashlib.sha256(other).digest(), "total": 2, "index": 0, "part": other[:40]}
    data_centre.equal("cut short", data_centre.done("upload", cut)["outcome"], "part")
    data_centre.later(days=1, seconds=3600)
    late = data_centre.officer.late(INSTITUTION)
    data_centre.expect("its visit has no record", len(late) == 1, "one", late)


@case("P-UPL-05", nature=Nature.ATTACK, zh="同一批號另一內容：衝突，先者為準")
def test_part_that_contradicts_is_a_conflict(data_centre: DataCentreTester) -> None:
    """A part of another file under the same batch number is a conflict (9070), and another institution's batch is another."""
    whole, other = _begun(data_centre), _begun(data_centre)
    _upload(data_centre, whole)
    arguments = {"batch": b"b" * 16, "digest": hashlib.sha256(other).digest(), "total": 1, "index": 0, "part": other}
    data_centre.equal("code", data_centre.ask("upload", arguments)[0], "9070")
    identifier = data_centre.done("begin-visit", BEGIN, by=data_centre.pharmacy)["identifier"]
    mine = visit_file([facts(data_centre.pharmacy, data_centre.now_ns, identifier)])
    theirs = _upload(data_centre, mine, by=data_centre.pharmacy)
    data_centre.equal("another institution's", theirs[-1]["outcome"], "stored")


@case("P-UPL-06", nature=Nature.INVALID, zh="紀錄有誤僅退該筆；檔案不成形則整檔退回")
def test_malformed_record_costs_itself_and_a_malformed_file_the_whole(data_centre: DataCentreTester) -> None:
    """A record with a wrong birth date is refused by itself; what is no file, and another institution's, is returned whole."""
    identifier = data_centre.done("begin-visit", BEGIN)["identifier"]
    good = facts(data_centre.clinic, data_centre.now_ns, identifier)
    again = data_centre.done("begin-visit", BEGIN)["identifier"]
    wrong = replace(facts(data_centre.clinic, data_centre.now_ns, again), birth_date=date(1930, 1, 1))
    codes = _codes(_upload(data_centre, visit_file([wrong, good]))[-1]["report"])
    data_centre.expect("a code for the first, none for the second", codes[0] != [] and codes[1] == [], "[..], []", codes)
    for number, raw in enumerate((b"x", b"<RECS>", visit_file([good])[:-9], b"")):
        if not raw:
            continue
        report = json.loads(_upload(data_centre, raw, batch=bytes([number]) * 16)[-1]["report"])
        data_centre.expect("a code for the file", report["findings"] != [], "a code", report)
    theirs = _upload(data_centre, visit_file([good]), by=data_centre.pharmacy)[-1]
    data_centre.expect("another institution's record does not count", json.loads(theirs["report"])["findings"] != []
                       or _codes(theirs["report"]) != [[]], "a code", theirs["report"])


@case("P-UPL-05", "P-UPL-06", nature=Nature.ATTACK, zh="同一次就醫之第二份紀錄：先者為準")
def test_second_record_of_a_visit_does_not_count(data_centre: DataCentreTester) -> None:
    """Another record of the same visit is refused by a check code, and the first stays."""
    identifier = data_centre.done("begin-visit", BEGIN)["identifier"]
    good = facts(data_centre.clinic, data_centre.now_ns, identifier)
    data_centre.equal("first", _codes(_upload(data_centre, visit_file([good]))[-1]["report"]), [[]])
    other = replace(good, diagnoses=("I10",))
    codes = _codes(_upload(data_centre, visit_file([other]), batch=b"d" * 16)[-1]["report"])
    data_centre.expect("second", codes != [[]], "a code", codes)


@case("P-DCM-05", "P-UPL-05", nature=Nature.INVALID, zh="整檔上傳：缺位元組 9070、非今日 9071、重送只存一次")
def test_file_is_kept_once_and_of_today(data_centre: DataCentreTester) -> None:
    """upload-file: kept once; 9070 for missing bytes, 9071 for another day."""
    whole = _begun(data_centre)
    arguments = {"content": whole, "digest": hashlib.sha256(whole).digest(), "records": 1, "sent_ns": data_centre.now_ns}
    first = data_centre.done("upload-file", arguments)
    data_centre.equal("bytes, records", (first["bytes"], first["records"]), (len(whole), 1))
    data_centre.later(60)
    again = data_centre.done("upload-file", {**arguments, "sent_ns": data_centre.now_ns})
    data_centre.equal("the same again", again["received_ns"], first["received_ns"])
    data_centre.equal("a byte missing", data_centre.ask("upload-file", {**arguments, "content": whole[:-1]})[0], "9070")
    for offset in (-DAY_NS, DAY_NS):
        wrong = {**arguments, "sent_ns": data_centre.now_ns + offset}
        data_centre.equal("another day", data_centre.ask("upload-file", wrong)[0], "9071")


@case("P-UPL-07", "P-VIS-05", nature=Nature.TIMER, zh="24 小時後仍無紀錄：列名；紀錄到達後仍列為遲到")
def test_missing_record_is_named_after_a_day(data_centre: DataCentreTester) -> None:
    """24 hours after a visit's moment a record that is missing is named; one that came in time, or was taken back, is not."""
    missing, told, back = (data_centre.done("begin-visit", BEGIN)["identifier"] for _ in range(3))
    _upload(data_centre, visit_file([facts(data_centre.clinic, data_centre.now_ns, told)]))
    data_centre.done("roll-back", {"identifier": back})
    data_centre.later(days=1)
    data_centre.equal("at 24 hours", data_centre.officer.late(INSTITUTION), [])
    data_centre.later(seconds=1)
    data_centre.equal("a second later", data_centre.officer.late(INSTITUTION), [missing])
    data_centre.equal("to another institution", data_centre.officer.late(data_centre.pharmacy.institution), [])
    when = data_centre.now_ns - DAY_NS - NS
    _upload(data_centre, visit_file([facts(data_centre.clinic, when, missing)]), batch=b"l" * 16)
    data_centre.equal("when it has come", data_centre.officer.late(INSTITUTION), [missing])


@case("P-UPL-08", "P-VIS-05", nature=Nature.INOPPORTUNE, zh="無連線時所為，事後通報即依規則結算")
def test_what_was_done_without_a_line_is_settled_when_it_is_told(data_centre: DataCentreTester) -> None:
    """The answer to a begin-visit was lost: the identifier asked for afterwards by the same request is the same visit's."""
    number = b"conformance 0006"
    when = roc_datetime13(data_centre.now_ns)
    begun = data_centre.done("begin-visit", {**VIRTUAL, "visited_at": when}, request=number)
    data_centre.later(4 * 3600)
    arguments = {"id_no": HOLDER.holder.id_no, "visit_type": "01", "visited_at": when}
    found = data_centre.done("visit-identifier", arguments, request=number)
    data_centre.equal("the visit that was begun", (found["identifier"], found["sequence"]), (begun["identifier"],
                                                                                             begun["sequence"]))
    data_centre.equal("the id with another content", data_centre.ask("begin-visit", {**VIRTUAL, "card_no": CHILD_NO},
                                                                     request=number)[0], "9002")


# -- codes of today's virtual card

@case("P-QTK-02", "P-DCM-05", nature=Nature.TIMER, zh="現行虛擬卡條碼：五分鐘、一次、限掃描之院所")
def test_code_of_today_is_good_once_and_for_five_minutes(data_centre: DataCentreTester) -> None:
    """qr-scan within five minutes and once; its session is of the institution that scanned, and bears ten verifications."""
    def code(operation: str, token: str, by: Place | None = None) -> str:
        return data_centre.ask(operation, {"token": token}, by=by)[0]

    late, token = data_centre.officer.token(CARD_NO), data_centre.officer.token(CARD_NO)
    data_centre.equal("verified before it was scanned", code("qr-verify", token), "1023")
    data_centre.later(299)
    basic = data_centre.done("qr-scan", {"token": token})["basic"]
    data_centre.expect("whose it is", len(basic) == 72 and CARD_NO.encode() in basic, "72 bytes", basic)
    data_centre.equal("again", code("qr-scan", token), "1020")
    data_centre.later(1)
    data_centre.equal("after five minutes", code("qr-scan", late), "1018")
    data_centre.equal("never issued", code("qr-scan", "VHT00"), "1019")
    data_centre.equal("of another form", code("qr-scan", "http"), "1522")
    data_centre.equal("of no form", code("qr-scan", ""), "1520")
    data_centre.equal("another institution's session", code("qr-verify", token, data_centre.pharmacy), "1022")
    for _ in range(10):
        data_centre.equal("verified", code("qr-verify", token), "0")
    data_centre.equal("an eleventh time", code("qr-verify", token), "1525")
    data_centre.later(1800)
    data_centre.equal("the session is over", code("qr-verify", token), "1021")
