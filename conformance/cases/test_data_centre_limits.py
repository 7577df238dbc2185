"""The last value that a data centre takes and the first that it does not; who is insured; cards that prove themselves; chains."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import cbor2

from conformance.case import Each, Nature, case
from conformance.kinds.data_centre import PHONE, DataCentreTester, SoftPhone
from conformance.records import Pen, signed
from conformance.town import FACTS, GUARDIAN, ID_NO
from conformance.vectors.world import CARD_NO, GUARDIAN_NO, INSTITUTION, SAM_ID
from virtual_devices import cose, pki
from virtual_devices.authentication import Party, padded_id, proof_message
from virtual_devices.authorization import Relation, Scope
from virtual_devices.clock import NS, roc_date7, roc_datetime13
from virtual_devices.cloud import emergency
from virtual_devices.cloud.service import DATA_CENTRE_ID
from virtual_devices.holder.readers import LONGEST_NS
from virtual_devices.home_package import proof_message as home_proof
from virtual_devices.pki import DAY_NS, Identity, Role
from virtual_devices.write_back import Kind, holder_of

BEGIN = {"card_no": CARD_NO, "visit_type": "01"}
REQUEST = b"conformance 0010"
NOTHING: tuple[Any, ...] = (b"", None)
"""What might stand where a phone signs over a challenge that it was never given."""


# -- insurance

@case("P-VIS-06", nature=Nature.INVALID, zh="保險不在效期：即時拒絕", each=lambda: {
    name: Each((change, visit, update), says, zh) for name, change, visit, update, says, zh in (
        ("not-insured", {"insurance": "5012"}, "5012", "9083", "Not insured.", "未在保"),
        ("suspended", {"insurance": "9084"}, "9084", "9084", "The insurance is suspended.", "停保"),
        ("card-cancelled", {"card_cancelled": True}, "5002", "9082", "The card is cancelled.", "卡片註銷"),
        ("only-elsewhere", {"only_at": "8801180014"}, "9129", "0", "Only at another institution.", "限定院所"),
        ("only-here", {"only_at": INSTITUTION}, "0", "0", "Only at this institution.", "限定本院所"))
})
def test_person_who_may_not_be_treated_on_insurance_is_refused(
    data_centre: DataCentreTester, value: tuple[Mapping[str, Any], str, str],
) -> None:
    """Whoever is not insured now, or not here, or whose card is cancelled, is refused at once with the code of it."""
    change, visit, update = value
    data_centre.equal("before", data_centre.ask("eligibility", {"card_no": CARD_NO})[0], "0")
    data_centre.officer.insure(CARD_NO, **change)
    data_centre.equal("eligibility", data_centre.ask("eligibility", {"card_no": CARD_NO})[0], visit)
    data_centre.equal("a visit", data_centre.ask("begin-visit", BEGIN)[0], visit)
    arguments = {"card_no": CARD_NO, "challenge": bytes(16), "visits_left": 0}
    data_centre.equal("an update of the card", data_centre.ask("update-card", arguments)[0], update)


@case("P-VIS-05", "P-DCM-05", nature=Nature.LIMIT, zh="虛擬卡就醫序號至 W999 為止，次年重新起算")
def test_virtual_card_has_999_numbers_a_year(data_centre: DataCentreTester) -> None:
    """The last number of a year is W999; then none is given, and another year begins with W001."""
    virtual = {**BEGIN, "carrier": "virtual-card"}
    data_centre.officer.insure(CARD_NO, virtual_year="115", virtual_visits=998)
    data_centre.equal("the last", data_centre.done("begin-visit", virtual)["sequence"], "W999")
    data_centre.equal("one more", data_centre.ask("begin-visit", virtual)[0], "5007")
    data_centre.officer.insure(CARD_NO, virtual_year="114")
    data_centre.equal("another year", data_centre.done("begin-visit", virtual)["sequence"], "W001")


@case("P-DCM-05", nature=Nature.LIMIT, zh="卡片更新：有效期較早即更新")
def test_card_whose_end_is_earlier_is_updated(data_centre: DataCentreTester) -> None:
    """A card with visits left is updated when its end is earlier than the data centre's, and not when it is the same."""
    end_ns = data_centre.now_ns + 5 * 365 * DAY_NS
    for end, code in ((roc_date7(end_ns), "9081"), (roc_date7(end_ns - DAY_NS), "0"), ("", "9081")):
        arguments = {"card_no": CARD_NO, "challenge": bytes(16), "visits_left": 6, **({"expiry_date": end} if end else {})}
        data_centre.equal(f"end {end}", data_centre.ask("update-card", arguments)[0], code)


@case("P-VIS-05", "P-DCM-03", nature=Nature.INOPPORTUNE, zh="事後索取識別碼：識別碼屬他人、已退掛")
def test_identifier_of_another_visit_is_not_given(data_centre: DataCentreTester) -> None:
    """visit-identifier under the id of another person's visit is refused, and of one that was taken back too."""
    when = roc_datetime13(data_centre.now_ns)
    begun = data_centre.done("begin-visit", BEGIN, request=REQUEST)
    other = {"id_no": GUARDIAN.holder.id_no, "visit_type": "01", "visited_at": when}
    data_centre.equal("another's", data_centre.ask("visit-identifier", other, request=REQUEST)[0], "9002")
    data_centre.done("roll-back", {"identifier": begun["identifier"]})
    mine = {**other, "id_no": ID_NO}
    data_centre.equal("taken back", data_centre.ask("visit-identifier", mine, request=REQUEST)[0], "5153")
    kind = data_centre.done("begin-visit", {**BEGIN, "visit_type": "AC"})
    data_centre.equal("a visit type without a number is not taken back", data_centre.ask(
        "roll-back", {"identifier": kind["identifier"]})[0], "5151")


# -- bounds that are still right

def _inside() -> Mapping[str, Each]:
    rows: list[tuple[str, Mapping[str, Any], str]] = [
        ("card-challenge", {"card_no": "1"}, "0"), ("card-challenge", {"card_no": "1" * 12}, "0"),
        ("eligibility", {"card_no": "9" * 64}, "9012"), ("begin-visit", {"card_no": "9" * 64, "visit_type": "01"}, "9012"),
        ("visit-identifier", {"id_no": ID_NO, "visit_type": "01", "visited_at": 0}, "0"),
        ("visit-identifier", {"id_no": ID_NO, "visit_type": "01", "visited_at": -93 * 86_400}, "0"),
        ("visit-identifier", {"id_no": ID_NO, "visit_type": "01", "visited_at": -93 * 86_400 - 1}, "9002"),
        ("visit-identifier", {"id_no": ID_NO, "visit_type": "01", "visited_at": "115023008000x"}, "9002"),
        ("begin-visit", {**BEGIN, "visited_at": "x" * 13}, "9002"), ("begin-visit", {**BEGIN, "visited_at": "1150230080000"},
                                                                     "9002"),
        ("upload", {"batch": bytes(16), "digest": bytes(32), "index": 0, "total": 4096, "part": b"p"}, "0"),
        ("upload", {"batch": bytes(16), "digest": bytes(32), "index": 0, "total": 2, "part": bytes(65_536)}, "0"),
        ("qr-scan", {"token": "VHT" + "0" * 4_293}, "1019"), ("qr-scan", {"token": "VHT" + "0" * 4_294}, "1520"),
        ("qr-scan", {"token": 7}, "1520"),
        ("late-records", {"card_no": "9" * 12, "records": [b"r"], "chains": [[b"c"]]}, "9012"),
        ("late-records", {"card_no": CARD_NO, "records": [b"r"], "chains": [["c"]]}, "9002"),
        ("late-records", {"card_no": CARD_NO, "records": [b"r"], "chains": [b"c"]}, "9002"),
        ("late-records", {"card_no": CARD_NO, "records": [bytes(65_536)], "chains": [[b"c"]]}, "9020"),
    ]
    return {f"{operation}-{number}": Each((operation, arguments, code), f"{operation} at a bound: {code}.",
                                          f"{operation} 邊界：{code}")
            for number, (operation, arguments, code) in enumerate(rows, 1)}


@case("P-DCM-05", nature=Nature.LIMIT, zh="參數之邊界值", each=_inside)
def test_argument_at_its_bound_is_judged(data_centre: DataCentreTester, value: tuple[str, Mapping[str, Any], str]) -> None:
    """The last value within a bound is taken, the first outside is not."""
    operation, arguments, code = value
    seconds = arguments.get("visited_at")
    if isinstance(seconds, int):  # from now on
        at_ns = data_centre.now_ns + (data_centre.edge_ns(seconds * NS, inside=code == "0") if seconds else 0)
        arguments = {**arguments, "visited_at": roc_datetime13(at_ns)}
    data_centre.equal("code", data_centre.ask(operation, arguments)[0], code)


@case("P-DCM-05", "P-UPL-05", nature=Nature.LIMIT, zh="整檔上傳：16 MiB、當日")
def test_file_has_sixteen_mebibytes_at_most_and_is_of_today(data_centre: DataCentreTester) -> None:
    """16 MiB are looked at, a byte more is refused; a moment of yesterday and the beginning of time are another day."""
    whole = bytes(16 << 20)
    now_ns = data_centre.now_ns
    right = {"content": whole, "digest": bytes(32), "records": 1, "sent_ns": now_ns}
    data_centre.equal("16 MiB", data_centre.ask("upload-file", right)[0], "9070")
    data_centre.equal("a byte more", data_centre.ask("upload-file", {**right, "content": whole + b"\0"})[0], "9002")
    small = {**right, "content": b"x", "digest": hashlib.sha256(b"x").digest()}
    for sent_ns in (now_ns - 23 * 3600 * NS, 0):
        data_centre.equal("another day", data_centre.ask("upload-file", {**small, "sent_ns": sent_ns})[0], "9071")


@case("P-CBR-04", "P-DCM-01", nature=Nature.INVALID, zh="內容分離之訊息")
def test_detached_request_is_no_message(data_centre: DataCentreTester) -> None:
    """A request whose payload is detached is no message, of a desk or of a phone."""
    whole = cose.decode(data_centre.message("time", {}, request=REQUEST))
    raw = cbor2.dumps(cbor2.CBORTag(18, [whole.protected, dict(whole.unprotected), None, whole.signature]))
    data_centre.equal("a desk's", data_centre.read(data_centre.send(raw), b"")[8], "9001")
    data_centre.equal("a phone's", data_centre.read(data_centre.send(raw, PHONE), b"")[8], "9001")
    for item in ([whole.protected, {}, b""], [1, {}, b"p", b"s"], [whole.protected, [], b"p", b"s"], 7):
        raw = cbor2.dumps(cbor2.CBORTag(18, item))
        data_centre.equal("three parts, or of other types", data_centre.read(data_centre.send(raw), b"")[8], "9001")


# -- physical cards

def _cards() -> Mapping[str, Each]:
    def by(card_no: str = CARD_NO, role: Role = Role.PATIENT_CARD, strange: bool = False) -> Callable[[DataCentreTester],
                                                                                                      Identity]:
        return lambda t: (t.world.stranger if strange else t.world.authority).issue(role, card_no)

    right = by()
    return {
        "stranger": Each((by(strange=True), None, None), "A card of another root.", "他根卡片", nature=Nature.ATTACK),
        "physician": Each((by(role=Role.PHYSICIAN), None, None), "A professional's card.", "醫事人員卡", nature=Nature.ATTACK),
        "another-card": Each((by("000087654321"), None, None), "Another person's card.", "他人之卡", nature=Nature.ATTACK),
        "another-challenge": Each((right, bytes(16), None), "Over another challenge.", "挑戰碼不符", nature=Nature.ATTACK),
        "another-verifier": Each((right, None, SAM_ID), "A proof for somebody else.", "為他方之證明", nature=Nature.ATTACK),
    }


@case("P-IDN-01", "P-IDN-02", nature=Nature.ATTACK, zh="三卡會話之證明不成立", each=_cards)
def test_card_that_does_not_prove_itself_opens_no_session(
    data_centre: DataCentreTester, value: tuple[Callable[[DataCentreTester], Identity], bytes | None, str | None],
) -> None:
    """card-session: a proof that is not this card's, over this challenge, for the data centre, is refused."""
    who, challenge, verifier = value
    given = data_centre.done("card-challenge", {"card_no": CARD_NO})["challenge"]
    card = who(data_centre)
    message = proof_message(Party.CARD, challenge or given, padded_id(verifier or DATA_CENTRE_ID))
    arguments = {"card_no": CARD_NO, "proof": pki.sign(card.key, message), "chain": card.chain_bytes()}
    data_centre.equal("code", data_centre.ask("card-session", arguments)[0], "9011")


@case("P-IDN-02", nature=Nature.ATTACK, zh="三卡會話之挑戰碼：一次、限該安全模組")
def test_challenge_of_a_card_is_good_once_and_at_its_desk(data_centre: DataCentreTester) -> None:
    """A challenge that was never given, was used, or was given to another desk opens no session."""
    card = data_centre.world.authority.issue(Role.PATIENT_CARD, CARD_NO)

    def session(challenge: bytes, **by: Any) -> str:
        proof = pki.sign(card.key, proof_message(Party.CARD, challenge, padded_id(DATA_CENTRE_ID)))
        arguments = {"card_no": CARD_NO, "proof": proof, "chain": card.chain_bytes()}
        return data_centre.ask("card-session", arguments, **by)[0]

    data_centre.equal("none was given", session(bytes(16)), "9011")
    data_centre.equal("over nothing", session(b""), "9011")
    given = data_centre.done("card-challenge", {"card_no": CARD_NO})["challenge"]
    data_centre.equal("at another desk", session(given, by=data_centre.pharmacy), "9011")
    data_centre.equal("right", session(given), "0")
    data_centre.equal("again", session(given), "9011")


@case("P-IDN-02", "P-IDN-01", nature=Nature.LIMIT, zh="三卡會話之代碼：他人、逾時、用過、卡片已收回")
def test_session_with_a_card_is_refused_by_its_code(data_centre: DataCentreTester) -> None:
    """A session of another person's card, one that is 600 s old, one that was used, and one of a card that is over."""
    phone = data_centre.phone()
    theirs = data_centre.card_session(GUARDIAN_NO)
    data_centre.equal("another's", phone.applies(CARD_NO, {"statement": theirs})[0], "5020")
    old = data_centre.card_session(CARD_NO)
    data_centre.later(600)
    late = phone.applies(CARD_NO, {"statement": old})[0]
    used = data_centre.card_session(CARD_NO)
    data_centre.equal("right", phone.applies(CARD_NO, {"statement": used})[0], "0")
    card = next(n for n in data_centre.officer.states(CARD_NO) if n.startswith("V"))
    again = phone.ask("recall", {"card": card, "given": {"statement": used}})[0]
    data_centre.expect("late and used have each their code", len({late, again, "0", "5020", "4029"}) == 5, "two codes", (late,
                                                                                                                         again))
    last = data_centre.card_session(CARD_NO)
    data_centre.equal("taken back", data_centre.officer.take_physical(CARD_NO), "0")
    data_centre.equal("of a card that is over", phone.ask("recall", {"card": card, "given": {"statement": last}})[0], "5002")


# -- what phones give

@case("P-IDN-01", "P-PHN-07", nature=Nature.INVALID, zh="資料不足、未知之人、型別不符")
def test_too_little_and_nobody_have_their_codes(data_centre: DataCentreTester) -> None:
    """Too little to be known by is told apart from what is not allowed; nobody is 9012; what is no text is refused."""
    phone = data_centre.phone()
    data_centre.equal("nothing", phone.applies(CARD_NO, {})[0], "1057")
    data_centre.equal("an id alone", phone.applies(CARD_NO, {"id_no": ID_NO})[0], "1057")
    data_centre.equal("no telephone", phone.ask("send-code", {"card_no": CARD_NO, "given": FACTS})[0], "1057")
    data_centre.equal("nobody", phone.applies("9" * 12, FACTS)[0], "9012")
    for name in ("id_no", "household_no", "phone_no", "one_time_code", "ticket", "birth_date"):
        data_centre.equal(f"{name} that is no text", phone.applies(CARD_NO, {**FACTS, name: 7})[0], "9002")


@case("P-PHN-13", "P-PHN-04", nature=Nature.ATTACK, zh="無挑戰碼之證明；竄改之證明")
def test_proof_without_a_challenge_or_altered_is_refused(data_centre: DataCentreTester) -> None:
    """Without a challenge neither certificate nor attestation proves anything; an altered proof does not hold."""
    phone = data_centre.phone()
    for none in NOTHING:
        given = phone.certificate("report-lost", CARD_NO, ID_NO, none)
        data_centre.equal("a certificate", phone.ask("report-lost", {"card_no": CARD_NO, "given": given})[0], "9002")
    arguments = {"card_no": CARD_NO, "given": FACTS, "attestation": phone.attestation(b"")}
    data_centre.equal("an attestation", phone.ask("apply", arguments)[0], "1024")
    right = phone.certificate("report-lost", CARD_NO, ID_NO, phone.challenge())
    raw = right["certificate"]
    spoilt = {**right, "certificate": raw[:-1] + bytes([raw[-1] ^ 1])}
    data_centre.equal("altered", phone.ask("report-lost", {"card_no": CARD_NO, "given": spoilt})[0], "9002")
    text_id = phone.message("sync", {}, REQUEST)
    payload = {**(cose.decode(text_id).payload_map() or {}), 3: "r" * 16}
    raw = data_centre.signed(cbor2.dumps(payload), Identity(phone.key, ()))
    data_centre.refused(raw, "9002", b"", PHONE)


@case("P-PHN-07", "P-PHN-13", nature=Nature.ATTACK, zh="卡片金鑰之證明：限本機本卡")
def test_proof_by_a_card_is_of_this_phones_own(data_centre: DataCentreTester) -> None:
    """A proof by the card is none without a card, on another phone, without a challenge, and when it is no message."""
    phone, other = data_centre.phone(), data_centre.phone()

    def lost(by: SoftPhone, given: Mapping[str, Any]) -> str:
        return by.ask("report-lost", {"card_no": CARD_NO, "given": given})[0]

    data_centre.equal("without a card", lost(phone, phone.own_proof("report-lost", CARD_NO, ID_NO, phone.challenge())), "9002")
    card = phone.applied(CARD_NO, ID_NO)
    phone.done("activate", {"card": card})
    data_centre.equal("no message", lost(phone, {"id_no": ID_NO, "bound_proof": b"x"}), "9002")
    for none in NOTHING:
        data_centre.equal("without a challenge", lost(phone, phone.own_proof("report-lost", CARD_NO, ID_NO, none)), "9002")
    other.device = phone.device
    stolen = other.own_proof("report-lost", CARD_NO, ID_NO, other.challenge())
    data_centre.equal("on another phone", lost(other, stolen), "9002")
    data_centre.equal("right", lost(phone, phone.own_proof("report-lost", CARD_NO, ID_NO, phone.challenge())), "0")


@case("P-PHN-06", "P-PHN-14", nature=Nature.INVALID, zh="回條格式；以被代理卡片持卡")
def test_receipts_and_holding_want_what_they_are(data_centre: DataCentreTester) -> None:
    """Receipts that are none are refused; a ward's card is no own card to hold another under."""
    phone = data_centre.phone()
    card, _ = phone.enrolled(GUARDIAN_NO, GUARDIAN.holder.id_no)
    for receipts in ([7], [[b"i"]], [[b"i", "0"]], [["i", 0]], [[b"i", 0, 0]]):
        data_centre.equal("code", phone.ask("receipts", {"card": card, "receipts": receipts})[0], "9002")
    code, cti = data_centre.officer.grant(CARD_NO, GUARDIAN_NO, Relation.FAMILY, frozenset(Scope), 30)
    data_centre.equal("granted", code, "0")
    held = phone.done("hold", {"card": card, "authorization": cti})["card"]
    data_centre.equal("under a ward's card", phone.ask("hold", {"card": held, "authorization": cti})[0], "9002")


# -- records

@case("P-LAT-01", nature=Nature.LIMIT, zh="遲到紀錄：簽署時點、憑證效期、角色、簽章數")
def test_late_record_at_its_bounds_is_judged(data_centre: DataCentreTester) -> None:
    """30 s from now is taken; a chain of more than 72 hours and a minute, one signature, and a wrong professional are not."""
    world, place = data_centre.world, data_centre.clinic
    pen = Pen(place, world, holder_of(data_centre.phone().device.public_key()))

    def left(raw: bytes, chains: list[list[bytes]]) -> str:
        return data_centre.ask("late-records", {"card_no": CARD_NO, "records": [raw], "chains": chains})[0]

    visit = pen.visit(data_centre.now_ns)
    data_centre.equal("in 30 s", left(pen.sign(replace(visit, at_ns=data_centre.now_ns + 30 * NS)), pen.chains), "0")
    for longer_ns, code in ((0, "0"), (NS, "9020")):
        hours = (LONGEST_NS + longer_ns) / 3600 / NS
        long = replace(place, professional=world.reader(Role.PHYSICIAN, place.professional_id, hours=hours))
        other = Pen(long, world, pen.holder)
        data_centre.equal(f"a chain of {hours:g} hours", left(other.sign(visit), other.chains), code)
    alone = signed(visit, place.professional, world=world)
    data_centre.equal("one signature", left(alone, pen.chains), "9020")
    rx = replace(visit, kind=Kind.PRESCRIPTION, id=bytes(16))
    by = signed(rx, data_centre.pharmacy.professional, place.sam, world=world)
    chains = [list(data_centre.pharmacy.professional.chain), list(place.sam.chain)]
    data_centre.equal("a prescription by a pharmacist", left(by, chains), "9020")


@case("P-LAT-01", nature=Nature.LIMIT, zh="遲到紀錄：一次 60 筆、每院所 16 份")
def test_late_records_are_sixty_and_sixteen_at_most(data_centre: DataCentreTester) -> None:
    """Sixty records in one request are taken; sixteen requests of an institution wait for a person, and no more."""
    pen = Pen(data_centre.clinic, data_centre.world, holder_of(data_centre.phone().device.public_key()))
    one = pen.sign(pen.visit(data_centre.now_ns))
    arguments = {"card_no": CARD_NO, "chains": pen.chains}
    data_centre.equal("sixty", data_centre.ask("late-records", {**arguments, "records": [one] * 60})[0], "0")
    for number in range(15):
        raw = pen.sign(pen.visit(data_centre.now_ns, f"visit {number}"))
        data_centre.equal(f"request {number + 2}", data_centre.ask("late-records", {**arguments, "records": [raw]})[0], "0")
    raw = pen.sign(pen.visit(data_centre.now_ns, "one more"))
    data_centre.equal("one more", data_centre.ask("late-records", {**arguments, "records": [raw]})[0], "9004")
    theirs = Pen(data_centre.pharmacy, data_centre.world, pen.holder)
    raw = theirs.sign(theirs.visit(data_centre.now_ns))
    more = {"card_no": CARD_NO, "chains": theirs.chains, "records": [raw]}
    data_centre.equal("another institution's", data_centre.ask("late-records", more, by=data_centre.pharmacy)[0], "0")


@case("P-LAT-01", nature=Nature.LIMIT, zh="遲到紀錄：總量上限 1 MiB")
def test_late_records_of_a_person_have_a_mebibyte_at_most(data_centre: DataCentreTester) -> None:
    """What waits for one person has a mebibyte at most: what goes beyond is refused."""
    pen = Pen(data_centre.clinic, data_centre.world, holder_of(data_centre.phone().device.public_key()))
    codes = []
    for number in range(3):
        fee = replace(pen.visit(data_centre.now_ns, f"long {number}"), kind=Kind.FEE, fields={1: bytes(7_500)})
        arguments = {"card_no": CARD_NO, "chains": pen.chains, "records": [pen.sign(fee)] * 55}
        codes.append(data_centre.ask("late-records", arguments)[0])
    data_centre.equal("codes", codes, ["0", "0", "9004"])


@case("P-LAT-01", nature=Nature.LIMIT, zh="遲到紀錄：恰為 1 MiB 即收，多一位元組即拒")
def test_late_records_of_exactly_a_mebibyte_are_taken(data_centre: DataCentreTester) -> None:
    """Records and certificates that wait for one person, of a mebibyte together, are taken; with a byte more they are not."""
    pen = Pen(data_centre.clinic, data_centre.world, holder_of(data_centre.phone().device.public_key()))
    certificates = sum(len(der) for chain in pen.chains for der in chain)

    def fee(name: str, length: int) -> bytes:
        return pen.sign(replace(pen.visit(data_centre.now_ns, name), kind=Kind.FEE, fields={1: bytes(length)}))

    def ask(records: list[bytes]) -> str:
        return data_centre.ask("late-records", {"card_no": CARD_NO, "chains": pen.chains, "records": records})[0]

    left = 1 << 20
    for number in range(2):
        records = [fee(f"long {number}", 7_500)] * 55
        data_centre.equal(f"request {number + 1}", ask(records), "0")
        left -= sum(map(len, records)) + certificates
    empty = len(fee("last", 7_500)) - 7_500
    number = (left - certificates) // (empty + 7_500) + 1
    each, more = divmod(left - certificates - number * empty, number)
    last = [fee("last", each)] * (number - 1)
    data_centre.equal("a byte more", ask([*last, fee("end", each + more + 1)]), "9004")
    data_centre.equal("a mebibyte", ask([*last, fee("end", each + more)]), "0")


def _rx() -> Mapping[str, Each]:
    def change(**more: Any) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        return lambda a: {**a, **{n: v(a) if callable(v) else v for n, v in more.items()}}

    leaf = bytes(4096)
    return {
        "chains-text": Each((change(chains="x"), "9002"), "Chains that are no list.", "憑證鏈型別"),
        "eight-chains": Each((change(chains=lambda a: a["chains"] * 4), "0"), "Eight chains.", "八條鏈", nature=Nature.VALID),
        "nine-chains": Each((change(chains=lambda a: [*a["chains"] * 4, [leaf]]), "9002"), "Nine chains.", "九條鏈"),
        "long-chain": Each((change(chains=lambda a: [*a["chains"], [b"c"] * 5]), "9002"), "A chain of five.", "五張憑證"),
        "four-in-a-chain": Each((change(chains=lambda a: [*a["chains"], [b"c"] * 4]), "0"), "A chain of four.", "四張憑證",
                                nature=Nature.VALID),
        "chain-of-text": Each((change(chains=lambda a: [*a["chains"], ["c"]]), "9002"), "A chain of texts.", "憑證為文字"),
        "chain-bytes": Each((change(chains=lambda a: [*a["chains"], b"c"]), "9002"), "A chain that is bytes.", "鏈為位元組"),
        "big-certificate": Each((change(chains=lambda a: [*a["chains"], [leaf + b"c"]]), "9002"), "A certificate too long.",
                                "憑證過長"),
        "certificate-at-its-bound": Each((change(chains=lambda a: [*a["chains"], [leaf]]), "0"), "One of 4096 bytes.",
                                         "憑證 4096",
                                         nature=Nature.VALID),
        "documents-text": Each((change(documents="x"), "9002"), "Documents that are no list.", "文件型別"),
        "documents-numbers": Each((change(documents=[7]), "9002"), "Documents that are numbers.", "文件為數字"),
        "sixteen-documents": Each((change(documents=[b"d"] * 16), "0"), "Sixteen documents.", "十六份", nature=Nature.VALID),
        "seventeen-documents": Each((change(documents=[b"d"] * 17), "9002"), "Seventeen documents.", "十七份"),
        "record-text": Each((change(record="r"), "9002"), "A record that is text.", "紀錄型別"),
    }


@case("P-PRX-05", "P-GEN-08", nature=Nature.LIMIT, zh="處方紀錄之參數", each=_rx)
def test_arguments_of_a_prescription_are_bounded(
    data_centre: DataCentreTester, value: tuple[Callable[[Mapping[str, Any]], dict[str, Any]], str],
) -> None:
    """Chains, certificates and documents beside a record have their bounds."""
    change, code = value
    pen = Pen(data_centre.clinic, data_centre.world)
    raw = pen.sign(pen.prescription(data_centre.now_ns).record())
    arguments = change({"record": raw, "chains": pen.chains, "documents": []})
    data_centre.equal("code", data_centre.ask("rx-store", arguments)[0], code)


@case("P-PRX-03", "P-PRX-05", nature=Nature.INOPPORTUNE, zh="紀錄種類與作業不符")
def test_record_of_another_kind_is_not_taken_by_an_operation(data_centre: DataCentreTester) -> None:
    """A prescription is not stored by rx-dispense, nor a dispensing by rx-store."""
    pen, other = Pen(data_centre.clinic, data_centre.world), Pen(data_centre.pharmacy, data_centre.world)
    document = pen.prescription(data_centre.now_ns)
    raw = pen.sign(document.record())
    chains = pen.chains + other.chains
    code = data_centre.ask("rx-dispense", {"record": raw, "chains": chains})[0]
    data_centre.equal("a prescription as a dispensing", code, "9002")
    given = other.sign(other.dispensing(document, raw, data_centre.now_ns))
    code = data_centre.ask("rx-store", {"record": given, "chains": chains}, by=data_centre.pharmacy)[0]
    data_centre.equal("a dispensing as a prescription", code, "9002")
    data_centre.equal("by another institution", data_centre.ask("rx-store", {"record": raw, "chains": chains},
                                                                by=data_centre.pharmacy)[0], "3211")


# -- home visits and emergencies

@case("P-HOM-01", nature=Nature.LIMIT, zh="出訪資料：每院所每日 60 份、未知卡號")
def test_institution_takes_sixty_packages_a_day(data_centre: DataCentreTester) -> None:
    """Sixty packages of an institution a day, and no more; a card that there is not has none."""
    physician = data_centre.clinic.professional
    until_ns = data_centre.now_ns + 3600 * NS

    def code(number: int, card_no: str = CARD_NO) -> str:
        request = number.to_bytes(16, "big")
        proof = pki.sign(physician.key, home_proof(request, card_no, "home-care", until_ns))
        arguments = {"card_no": card_no, "purpose": "home-care", "until_ns": until_ns, "hpc": cbor2.dumps(list(physician.chain)),
                     "proof": proof}
        return data_centre.ask("home-package", arguments, request=request)[0]

    data_centre.equal("nobody's", code(999, "9" * 12), "9012")
    data_centre.equal("sixty", {code(number) for number in range(1, 61)}, {"0"})
    data_centre.equal("one of them again", code(60), "0")
    data_centre.equal("one more", code(61), "9004")


@case("P-EMG-02", nature=Nature.LIMIT, zh="緊急存取之說明：400 字")
def test_account_of_an_emergency_has_400_characters(data_centre: DataCentreTester) -> None:
    """What justified an access has 1 to 400 characters."""
    physician = data_centre.clinic.professional
    proof = pki.sign(physician.key, emergency.proof_message(REQUEST, "no card", ""))
    data_centre.done("emergency-open", {"reason": "no card", "hpc": cbor2.dumps(list(physician.chain)), "proof": proof},
                     request=REQUEST)
    data_centre.done("emergency-account", {"access": REQUEST, "card_no": CARD_NO, "said": "x" * 400})
