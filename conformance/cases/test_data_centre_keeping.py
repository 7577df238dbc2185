"""What a data centre keeps: prescriptions, records for phones, home visits, emergencies, and the log of all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cbor2

from conformance.case import Each, Nature, case
from conformance.kinds.data_centre import DataCentreTester, SoftPhone
from conformance.records import Pen, signed
from conformance.town import GUARDIAN, HOLDER
from conformance.vectors.world import CARD_NO, GUARDIAN_NO, INSTITUTION
from virtual_devices import cose, pki
from virtual_devices.authorization import Relation, Scope
from virtual_devices.clock import NS
from virtual_devices.cloud import emergency
from virtual_devices.cloud.audit import read_head
from virtual_devices.cose import Sign, Signature, signer_structure
from virtual_devices.errors import PeerError
from virtual_devices.home_package import LONGEST_S, read_package
from virtual_devices.home_package import proof_message as home_proof
from virtual_devices.mdoc.tagged import dumps
from virtual_devices.merkle import leaf_hash, verify_consistency, verify_inclusion
from virtual_devices.pki import Refused, Role
from virtual_devices.prescription.document import Prescription, PrescriptionClass
from virtual_devices.write_back import Record, holder_of, signer_header

ID_NO = HOLDER.holder.id_no
HOUR_NS = 3600 * NS


class Desk:
    """A clinic and a pharmacy that write prescriptions and what becomes of them."""

    def __init__(self, data_centre: DataCentreTester, holder: bytes = b"") -> None:
        self.t = data_centre
        self._holder = holder

    @property
    def clinic(self) -> Pen:
        return Pen(self.t.clinic, self.t.world, self._holder)

    @property
    def pharmacy(self) -> Pen:
        return Pen(self.t.pharmacy, self.t.world, self._holder)

    def say(
        self, operation: str, record: Record | bytes, by: Pen, documents: tuple[bytes, ...] = (),
        chains: list[list[bytes]] | None = None,
    ) -> str:
        """The code for a signed record. ``chains``: of its signers, those of now when left out."""
        raw = record if isinstance(record, bytes) else by.sign(record)
        chains = self.clinic.chains + self.pharmacy.chains if chains is None else chains
        arguments = {"record": raw, "chains": chains, "documents": list(documents)}
        return self.t.ask(operation, arguments, by=by.place)[0]

    def stored(self, document: Prescription) -> bytes:
        raw = self.clinic.sign(document.record())
        self.t.equal("stored", self.say("rx-store", raw, self.clinic), "0")
        return raw

    def prescribed(self, kind: PrescriptionClass = PrescriptionClass.ORDINARY, **more: Any) -> tuple[Prescription, bytes]:
        document = self.clinic.prescription(self.t.now_ns, kind=kind, **more)
        return document, self.stored(document)

    def give(self, of: Prescription, raw: bytes, issue: int = 1, name: str = "dispensing", operation: str = "rx-dispense") -> str:
        return self.say(operation, self.pharmacy.dispensing(of, raw, self.t.now_ns, issue, name), self.pharmacy)


# -- prescriptions

@case("P-PRX-03", "P-PRX-05", nature=Nature.VALID, zh="開立、查詢、調劑")
def test_prescription_is_stored_found_and_dispensed_once(data_centre: DataCentreTester) -> None:
    """Stored by the clinic, found by holder, number and id, dispensed once; a second dispensing is refused."""
    desk = Desk(data_centre)
    document, raw = desk.prescribed()
    data_centre.equal("stored again", desk.say("rx-store", raw, desk.clinic), "0")
    for question in ({"card_no": CARD_NO}, {"number": document.visit}, {"id": document.id}):
        found = data_centre.done("rx-find", question, by=data_centre.pharmacy)
        data_centre.equal(f"found by {next(iter(question))}", [p["records"] for p in found["prescriptions"]], [[raw]])
    data_centre.equal("dispensed", desk.give(document, raw), "0")
    data_centre.equal("the same again", desk.give(document, raw), "0")
    data_centre.equal("another of the same issue", desk.give(document, raw, name="second"), "D025")
    told = data_centre.done("rx-find", {"id": document.id})["prescriptions"][0]
    data_centre.equal("dispensed, of", (told["dispensed"], told["issues"], told["state"]), (1, 1, "completed"))


@case("P-PRX-03", "P-PRX-06", "P-PRX-07", nature=Nature.INOPPORTUNE, zh="不可調劑者之代碼", each=lambda: {
    name: Each(code, clauses=clauses) for name, code, clauses in (
        ("on-hold", "RX06", ("P-PRX-03", "P-PRX-06")), ("cancelled", "D023", ("P-PRX-03", "P-PRX-07")),
        ("amended", "RX07", ("P-PRX-03", "P-PRX-07")), ("past-its-last-day", "RX08", ("P-PRX-03",)),
        ("too-early", "RX09", ("P-PRX-03",)), ("out-of-turn", "D022", ("P-PRX-03",)), ("not-stored", "D049", ("P-PRX-03",)))
})
def test_prescription_that_is_not_to_be_dispensed_is_refused(data_centre: DataCentreTester, code: str) -> None:
    """What is on hold, cancelled, amended, over, not yet due or not there is refused with the table's code."""
    desk = Desk(data_centre)
    refill = code in ("RX09", "D022")
    document = desk.clinic.prescription(
        data_centre.now_ns, kind=PrescriptionClass.REFILL if refill else PrescriptionClass.ORDINARY)
    raw = desk.clinic.sign(document.record()) if code == "D049" else desk.stored(document)
    now_ns, issue = data_centre.now_ns, 1
    match code:
        case "RX06":
            data_centre.equal("doubt", desk.say("rx-query", desk.pharmacy.doubt(document, raw, now_ns), desk.pharmacy), "0")
        case "D023":
            data_centre.equal("cancel", desk.say("rx-store", desk.clinic.cancellation(document, now_ns), desk.clinic), "0")
        case "RX07":
            data_centre.equal("amend", desk.say("rx-store", desk.clinic.amendment(document, now_ns).record(), desk.clinic), "0")
        case "RX08":
            data_centre.later(days=4)
        case "RX09":
            data_centre.equal("first issue", desk.give(document, raw), "0")
            issue = 2
        case "D022":
            issue = 2
    data_centre.equal("code", desk.give(document, raw, issue, "refused"), code)


@case("P-PRX-05", "P-UPL-08", nature=Nature.LIMIT, zh="連續處方箋：依序、不早於到期前十日")
def test_refill_is_dispensed_in_turn_and_not_too_early(data_centre: DataCentreTester) -> None:
    """The next issue from ten days before the last supply ends, not a day earlier, and no more than there are issues."""
    desk = Desk(data_centre)
    document, raw = desk.prescribed(PrescriptionClass.REFILL)
    data_centre.equal("first", desk.give(document, raw, 1, "1"), "0")
    data_centre.later(days=17)
    data_centre.equal("second, eleven days before", desk.give(document, raw, 2, "2 early"), "RX09")
    data_centre.later(days=1)
    data_centre.equal("second, ten days before", desk.give(document, raw, 2, "2"), "0")
    data_centre.later(days=28)
    data_centre.equal("third", desk.give(document, raw, 3, "3"), "0")
    data_centre.equal("a fourth", desk.give(document, raw, 4, "4"), "D019")


@case("P-PRX-05", "P-UPL-08", nature=Nature.INOPPORTUNE, zh="離線調劑事後通報：依簽章時間計數，不漏不重")
def test_dispensings_are_counted_by_their_signed_times(data_centre: DataCentreTester) -> None:
    """Two dispensings of one issue told afterwards, the later first: both stay, and the earlier one is the issue."""
    desk = Desk(data_centre)
    document, raw = desk.prescribed(PrescriptionClass.REFILL)
    at_ns = data_centre.now_ns
    data_centre.later(days=1)
    later, earlier = (desk.pharmacy.dispensing(document, raw, at_ns + hours * HOUR_NS, 1, str(hours)) for hours in (2, 1))
    for record in (later, earlier, later):
        code = desk.say("rx-tell", record, desk.pharmacy, (raw,))
        data_centre.expect("it is taken", code in ("0", "RX09", "RX14", "D025"), "taken", code)
    told = data_centre.done("rx-find", {"id": document.id})["prescriptions"][0]
    data_centre.equal("dispensed", told["dispensed"], 2)
    data_centre.expect("the later one is named, the earlier not", {c["id"] for c in told["conflicts"]} == {later.id}, "the later",
                       told["conflicts"])


@case("P-PRX-05", nature=Nature.INOPPORTUNE, zh="先到調劑、後到處方：處方到達時計數")
def test_dispensing_waits_for_its_prescription(data_centre: DataCentreTester) -> None:
    """A dispensing told before its prescription is known waits, and is counted when that comes."""
    desk = Desk(data_centre)
    document = desk.clinic.prescription(data_centre.now_ns)
    raw = desk.clinic.sign(document.record())
    data_centre.expect("told first", desk.give(document, raw, operation="rx-tell") in ("0", "D024"))
    desk.stored(document)
    data_centre.equal("dispensed", data_centre.done("rx-find", {"id": document.id})["prescriptions"][0]["dispensed"], 1)


@case("P-PRX-06", nature=Nature.VALID, zh="疑義：暫停，醫師回覆後解除")
def test_doubt_holds_a_prescription_until_it_is_answered(data_centre: DataCentreTester) -> None:
    """A pharmacist's signed doubt holds it and is told to the clinic; the physician's signed answer releases it."""
    desk = Desk(data_centre)
    document, raw = desk.prescribed()
    asked = desk.pharmacy.doubt(document, raw, data_centre.now_ns)
    data_centre.equal("asked", desk.say("rx-query", asked, desk.pharmacy), "0")
    data_centre.equal("its state", data_centre.done("rx-find", {"id": document.id})["prescriptions"][0]["state"], "on hold")
    doubts = data_centre.done("rx-doubts")["prescriptions"]
    data_centre.equal("what the clinic is told", [p["id"] for p in doubts], [document.id])
    data_centre.equal("another institution", len(data_centre.done("rx-doubts", by=data_centre.pharmacy)["prescriptions"]), 0)
    stranger = desk.pharmacy.answer(document, raw, asked, data_centre.now_ns)
    data_centre.expect("answered by the pharmacy itself", desk.say("rx-answer", stranger, desk.pharmacy) != "0", "a refusal")
    answer = desk.clinic.answer(document, raw, asked, data_centre.now_ns)
    data_centre.equal("answered", desk.say("rx-answer", answer, desk.clinic), "0")
    data_centre.equal("dispensed", desk.give(document, raw), "0")


@case("P-PRX-07", nature=Nature.INOPPORTUNE, zh="更正須指明所更正者；最後一次已調劑者不得更正")
def test_correction_names_the_newest_and_takes_nothing_back(data_centre: DataCentreTester) -> None:
    """An amendment names what it follows; of something else, or after the last issue was dispensed, it is refused."""
    desk = Desk(data_centre)
    document, raw = desk.prescribed()
    now_ns = data_centre.now_ns
    wrong = replace(desk.clinic.amendment(document, now_ns, "wrong"), follows=bytes(32))
    data_centre.equal("of another document", desk.say("rx-store", wrong.record(), desk.clinic), "RX01")
    data_centre.equal("dispensed", desk.give(document, raw), "0")
    data_centre.equal("amended", desk.say("rx-store", desk.clinic.amendment(document, now_ns).record(), desk.clinic), "D016")
    data_centre.equal("cancelled", desk.say("rx-store", desk.clinic.cancellation(document, now_ns), desk.clinic), "D034")


@case("P-PRX-07", "P-PRX-05", nature=Nature.VALID, zh="退回之調劑不計")
def test_returned_dispensing_does_not_count(data_centre: DataCentreTester) -> None:
    """A dispensing that is taken back by the same pharmacy does not count, and the issue can be dispensed again."""
    desk = Desk(data_centre)
    document, raw = desk.prescribed()
    given = desk.pharmacy.dispensing(document, raw, data_centre.now_ns)
    data_centre.equal("dispensed", desk.say("rx-dispense", given, desk.pharmacy), "0")
    back = desk.pharmacy.returned(document, raw, given, data_centre.now_ns)
    data_centre.equal("returned", desk.say("rx-return", back, desk.pharmacy), "0")
    data_centre.equal("again", desk.give(document, raw, name="again"), "0")


@case("P-PRX-08", nature=Nature.TIMER, zh="管制藥品：24 小時內領受人簽收，否則通報並拒絕下次")
def test_recipient_of_a_controlled_drug_signs_within_a_day(data_centre: DataCentreTester) -> None:
    """Without the recipient's signature within 24 hours the next issue is refused (RX11); with it, it is not."""
    for name, signs, code in (("signed", True, "0"), ("unsigned", False, "RX11")):
        desk = Desk(data_centre)
        document, raw = desk.prescribed(PrescriptionClass.CONTROLLED_REFILL, name=name)
        given = desk.pharmacy.dispensing(document, raw, data_centre.now_ns, 1, name)
        data_centre.equal("first issue", desk.say("rx-dispense", given, desk.pharmacy), "0")
        if signs:
            received = desk.pharmacy.received(document, raw, given, data_centre.now_ns)
            data_centre.equal("the recipient signs", desk.say("rx-tell", received, desk.pharmacy), "0")
        data_centre.later(days=20)
        data_centre.equal(f"the next issue, {name}", desk.give(document, raw, 2, f"{name} 2"), code)


def _unfit() -> Mapping[str, Each]:
    def of(**more: Any) -> Any:
        return lambda d: d.clinic.sign(d.clinic.prescription(d.t.now_ns, **more).record())

    def by(*who: str) -> Any:
        def make(d: Desk) -> bytes:
            readers = {"physician": d.t.clinic.professional, "sam": d.t.clinic.sam, "pharmacist": d.t.pharmacy.professional,
                       "other sam": d.t.pharmacy.sam}
            return signed(d.clinic.prescription(d.t.now_ns).record(), *(readers[w] for w in who), world=d.t.world)
        return make

    def altered(d: Desk) -> bytes:
        raw = d.clinic.sign(d.clinic.prescription(d.t.now_ns).record())
        return raw[:-1] + bytes([raw[-1] ^ 1])

    attack = Nature.ATTACK
    return {
        "not-a-record": Each((lambda _: b"x", "9002"), "What is no record.", "非紀錄"),
        "by-pharmacist": Each((by("pharmacist", "sam"), "3212"), "Signed by a pharmacist.", "藥師簽署處方", nature=attack),
        "by-sam-alone": Each((by("sam"), "9002"), "Signed by the SAM alone.", "僅安全模組簽署", nature=attack),
        "swapped": Each((by("sam", "physician"), "3212"), "Signatures in the other order.", "簽章順序顛倒", nature=attack),
        "other-institution": Each((by("physician", "other sam"), "3211"), "Signed by another institution's SAM.",
                                  "他院所安全模組簽署", nature=attack),
        "altered": Each((altered, "3100"), "The last bit of the institution's signature is turned over.", "簽章竄改",
                        nature=attack),
        "long": Each((of(days=8), "RX03"), "An ordinary prescription of eight days.", "一般處方逾七日", nature=Nature.LIMIT),
        "two-issues": Each((of(issues=2), "D013"), "An ordinary prescription of two issues.", "一般處方兩次",
                           nature=Nature.LIMIT),
        "five-issues": Each((of(kind=PrescriptionClass.REFILL, issues=5), "D014"), "A refill of five issues.", "連續處方五次",
                            nature=Nature.LIMIT),
        "one-issue": Each((of(kind=PrescriptionClass.REFILL, issues=1), "D014"), "A refill of one issue.", "連續處方一次",
                          nature=Nature.LIMIT),
        "no-card": Each((of(card_no=""), "9012"), "Without a card number.", "無卡號"),
        "unknown-card": Each((of(card_no="9" * 12), "9012"), "For a card that there is not.", "卡號不存在"),
    }


@case("P-PRX-05", "P-PRX-07", nature=Nature.INVALID, zh="不予受理之處方箋", each=_unfit)
def test_document_is_not_taken(data_centre: DataCentreTester, value: tuple[Any, str]) -> None:
    """A document that is not signed as it should be, or that no prescription can be, is refused with its code."""
    make, code = value
    desk = Desk(data_centre)
    data_centre.equal("code", desk.say("rx-store", make(desk), desk.clinic), code)
    data_centre.equal("what is kept", data_centre.done("rx-find", {"card_no": CARD_NO})["prescriptions"], [])


@case("P-PRX-03", nature=Nature.INVALID, zh="查詢條件不成立")
def test_question_that_is_none_is_refused(data_centre: DataCentreTester) -> None:
    """rx-find by two things at once, or by something of another type, is refused."""
    for question in ({"card_no": CARD_NO, "number": "1"}, {"card_no": 7}, {"number": 7}, {"id": "text"}):
        data_centre.equal("code", data_centre.ask("rx-find", question)[0], "9002")


@case("P-PRX-09", "P-AUD-01", nature=Nature.TIMER, zh="處方保存三年（管制五年）後刪除並留證明")
def test_prescription_is_deleted_with_proof_after_its_years(data_centre: DataCentreTester) -> None:
    """Kept for 3 years, 5 of controlled drugs; then deleted in one act, with a signed statement of the hashes, and never taken
    again."""
    desk = Desk(data_centre)
    document, raw = desk.prescribed()
    controlled, _ = desk.prescribed(PrescriptionClass.CONTROLLED, name="controlled", days=7)
    chains = desk.clinic.chains
    for days, left in ((3 * 365 - 1, 2), (30, 1)):
        data_centre.later(days=days)
        statements = data_centre.officer.night()
        found = data_centre.done("rx-find", {"id": document.id})["prescriptions"]
        found += data_centre.done("rx-find", {"id": controlled.id})["prescriptions"]
        data_centre.equal(f"kept {days} days later", (len(found), len(statements)), (left, 2 - left))
    message = cose.decode(statements[0])
    who = data_centre.world.root.check(message.chain, {Role.DATA_CENTRE}, data_centre.now_ns)
    data_centre.expect("the statement is signed", not isinstance(who, Refused) and message.verify(who.key))
    data_centre.equal("what is proved", (message.payload_map() or {})[4], [[document.id, "rx", pki.hashed(raw)]])
    data_centre.equal("stored again", desk.say("rx-store", raw, desk.clinic, chains=chains), "RX02")
    data_centre.later(days=2 * 366)
    data_centre.equal("of the controlled drug after five years", len(data_centre.officer.night()), 1)


# -- records for phones

def _late(data_centre: DataCentreTester, holder: bytes, name: str = "visit") -> tuple[str, bytes, list[list[bytes]]]:
    pen = Pen(data_centre.clinic, data_centre.world, holder)
    raw = pen.sign(pen.visit(data_centre.now_ns, name))
    code, _ = data_centre.ask("late-records", {"card_no": CARD_NO, "records": [raw], "chains": pen.chains})
    return code, raw, pen.chains


def _phone(data_centre: DataCentreTester) -> tuple[SoftPhone, str, bytes]:
    phone = data_centre.phone()
    card, _ = phone.enrolled(CARD_NO, ID_NO)
    return phone, card, holder_of(phone.device.public_key())


@case("P-LAT-01", "P-PHN-11", "P-PHN-06", "P-CBR-03", nature=Nature.VALID, zh="遲到紀錄：存放、同步時交付、收回條後不再交付")
def test_records_wait_for_the_phone_and_are_handed_out(data_centre: DataCentreTester) -> None:
    """late-records are handed out by sync as they came, once however often they are left, until the phone tells of them."""
    phone, card, holder = _phone(data_centre)
    came_ns = data_centre.now_ns
    for _ in range(2):
        code, raw, chains = _late(data_centre, holder)
        data_centre.equal("left", code, "0")
    data_centre.later(3600)
    [late] = phone.done("sync")["late"][card]
    data_centre.equal("records, chains, when they came", (late[1], late[2], late[3]), ([raw], chains, came_ns))
    data_centre.equal("no room for now", phone.done("receipts", {"card": card, "receipts": [[late[0], -4]]})["left"], 1)
    data_centre.equal("stored", phone.done("receipts", {"card": card, "receipts": [[late[0], 0]]})["left"], 0)
    data_centre.equal("afterwards", dict(phone.done("sync")["late"]), {})


@case("P-LAT-01", "P-ELE-10", nature=Nature.INOPPORTUNE, zh="換機後前卡之紀錄仍交付；不屬任何卡者丟棄")
def test_records_of_a_former_card_go_to_the_one_that_took_its_place(data_centre: DataCentreTester) -> None:
    """Records for the card of before go to its successor; those for nobody's card are dropped."""
    _, _, holder = _phone(data_centre)
    data_centre.equal("for the card of now", _late(data_centre, holder)[0], "0")
    data_centre.equal("for nobody's card", _late(data_centre, bytes(32), "nobody's")[0], "0")
    new = data_centre.phone()
    given = {"id_no": ID_NO, "ticket": data_centre.officer.ticket(CARD_NO)}
    attested = new.attestation(new.challenge())
    body = new.done("rebind", {"card_no": CARD_NO, "given": given, "attestation": attested, "both": False})
    data_centre.equal("what the new phone is given", len(new.done("sync")["late"].get(body["card"], [])), 1)


def _not_late() -> Mapping[str, Each]:
    def raw(t: DataCentreTester, pen: Pen, **more: Any) -> bytes:
        return pen.sign(replace(pen.visit(t.now_ns), **more))

    def encoded(date: Any, more: Mapping[int, Any] | None = None, drop: int = 0) -> Any:
        def make(t: DataCentreTester, pen: Pen) -> tuple[list[bytes], list[list[bytes]]]:
            body = cbor2.loads(pen.visit(t.now_ns).to_bytes())
            body |= {4: date} | dict(more or {})
            body.pop(drop, None)
            message = Sign(b"", {}, dumps(body), ())
            for who in (t.clinic.professional, t.clinic.sam):
                header = signer_header(who.chain[0])
                value = t.world.es256(who.key, signer_structure(b"", header, message.payload))
                message = message.with_signature(Signature(header, {}, value))
            return [message.to_bytes()], pen.chains
        return make

    def tag(text: str) -> cbor2.CBORTag:
        return cbor2.CBORTag(0, text)

    good = tag("2026-03-02T00:00:00Z")
    return {
        "altered": Each(((lambda t, p: ([raw(t, p)[:-1] + bytes([raw(t, p)[-1] ^ 1])], p.chains)), "9020"),
                        "A signature that does not hold.", "簽章不成立", nature=Nature.ATTACK),
        "future": Each(((lambda t, p: ([raw(t, p, at_ns=t.now_ns + 31 * NS)], p.chains)), "9002"),
                       "Signed more than 30 s from now.", "簽署時間在未來", ("P-LAT-01",), Nature.LIMIT),
        "two-cards": Each(((lambda t, p: ([raw(t, p), raw(t, p, holder=bytes(32), id=bytes(16))], p.chains)), "9002"),
                          "Records of two cards.", "分屬兩張卡"),
        "sam-alone": Each(((lambda t, p: ([raw(t, p)], p.chains[1:])), "9020"), "Without the physician's chain.",
                          "無醫師憑證"),
        "another-sam": Each(((lambda t, p: ([Pen(t.pharmacy, t.world, p.holder).sign(p.visit(t.now_ns))],
                                              Pen(t.pharmacy, t.world).chains)), "9020"),
                            "Signed by another institution.", "他院所簽署", nature=Nature.ATTACK),
        "no-record": Each(((lambda _t, p: ([b"x"], p.chains)), "9002"), "What is no record.", "非紀錄"),
        "no-chain": Each(((lambda t, p: ([raw(t, p)], [[b"x"]])), "9020"), "A chain that is none.", "憑證鏈無法解讀"),
        "date-no-offset": Each((encoded(tag("2026-03-02T00:00:00")), "9002"), "A date without an offset.", "時間無時差",
                               ("P-CBR-05",)),
        "date-none": Each((encoded(tag("2026-02-30T00:00:00Z")), "9002"), "A date that there is not.", "無此日期", ("P-CBR-01",)),
        "other-offset": Each((encoded(tag("2026-03-02T08:00:00+08:00")), "0"), "A moment with another offset is taken.",
                             "其他時差之時間照收", ("P-CBR-05",), Nature.VALID),
        "unknown-key": Each((encoded(good, {99: 1}), "0"), "An unknown key of a record is overlooked.", "未知鍵忽略",
                            ("P-CBR-03",),
                            Nature.VALID),
        "no-fields": Each((encoded(good, {5: {}}), "9002"), "A record without fields.", "無欄位"),
        "no-holder": Each((encoded(good, drop=3), "9002"), "A record for nobody.", "無持卡人"),
    }


@case("P-LAT-01", nature=Nature.INVALID, zh="不予存放之遲到紀錄", each=_not_late)
def test_record_for_a_phone_is_judged_when_it_comes(data_centre: DataCentreTester, value: tuple[Any, str]) -> None:
    """Records are verified when they come: what does not hold is refused and handed to nobody."""
    make, code = value
    phone, card, holder = _phone(data_centre)
    records, chains = make(data_centre, Pen(data_centre.clinic, data_centre.world, holder))
    found, _ = data_centre.ask("late-records", {"card_no": CARD_NO, "records": records, "chains": chains})
    data_centre.equal("code", found, code)
    data_centre.equal("what is handed out", len(phone.done("sync")["late"].get(card, [])), int(code == "0"))


@case("P-PHN-10", "P-LAT-01", nature=Nature.VALID, zh="換機後取回處方與調劑紀錄")
def test_prescriptions_come_back_after_a_change_of_phones(data_centre: DataCentreTester) -> None:
    """prescriptions: what was prescribed and dispensed for this card or a former one, as it was signed, oldest first."""
    _, _, holder = _phone(data_centre)
    desk = Desk(data_centre, holder)
    document, raw = desk.prescribed()
    given = desk.pharmacy.sign(desk.pharmacy.dispensing(document, raw, data_centre.now_ns))
    data_centre.equal("dispensed", desk.say("rx-dispense", given, desk.pharmacy), "0")
    new = data_centre.phone()
    ticket = {"id_no": ID_NO, "ticket": data_centre.officer.ticket(CARD_NO)}
    attested = new.attestation(new.challenge())
    body = new.done("rebind", {"card_no": CARD_NO, "given": ticket, "attestation": attested, "both": False})
    back = new.done("prescriptions", {"card": body["card"]})["prescriptions"]
    data_centre.equal("what comes back", [records for _, records, _ in back], [[raw], [given]])


# -- home visits and emergencies

def _home(
    data_centre: DataCentreTester, hours: float = 8, request: bytes = b"conformance 0007", card_no: str = CARD_NO, **change: Any,
) -> tuple[str, Any]:
    until_ns = data_centre.now_ns + round(hours * 3600) * NS
    physician = data_centre.clinic.professional
    proof = pki.sign(change.pop("key", physician.key), home_proof(request, card_no, "home-care", until_ns))
    arguments = {"card_no": card_no, "purpose": "home-care", "until_ns": until_ns, "hpc": cbor2.dumps(list(physician.chain)),
                 "proof": proof, **change}
    return data_centre.ask("home-package", arguments, request=request)


@case("P-HOM-01", nature=Nature.VALID, zh="居家醫療出訪資料：由資料中心簽署")
def test_home_package_is_signed_for_one_visit(data_centre: DataCentreTester) -> None:
    """The package names institution, professional, purpose and time, has insurance and prescriptions, and is signed."""
    desk = Desk(data_centre)
    _, raw = desk.prescribed()
    code, body = _home(data_centre, LONGEST_S / 3600)
    data_centre.equal("code", code, "0")
    package = read_package(body["package"], data_centre.world.root, data_centre.now_ns)
    data_centre.equal("for whom", (package.institution, package.professional, package.purpose),
                      (INSTITUTION, data_centre.clinic.professional_id, "home-care"))
    data_centre.equal("of whom", (package.person.card_no, package.person.id_no), (CARD_NO, ID_NO))
    data_centre.equal("insurance, prescriptions", (package.insurance, list(package.prescriptions)), ("0", [raw]))
    data_centre.equal("until", package.until_ns, data_centre.now_ns + LONGEST_S * NS)
    try:
        read_package(body["package"], data_centre.world.stranger.verifier(), data_centre.now_ns)
    except PeerError:
        signed = True
    else:
        signed = False
    data_centre.expect("by nobody else", signed)


@case("P-HOM-01", nature=Nature.INVALID, zh="出訪資料：逾 24 小時、非本人證明、憑證不符者拒絕")
def test_home_package_is_refused(data_centre: DataCentreTester) -> None:
    """More than 24 hours, a proof by another card, somebody who is no professional, and a card that there is not."""
    data_centre.equal("more than 24 hours", _home(data_centre, LONGEST_S / 3600 + 1)[0], "9002")
    data_centre.equal("another's proof", _home(data_centre, key=data_centre.pharmacy.professional.key)[0], "9130")
    data_centre.equal("the SAM as professional", _home(data_centre, hpc=cbor2.dumps(list(data_centre.clinic.sam.chain)))[0],
                      "4034")
    data_centre.equal("before now", _home(data_centre, -1)[0], "9002")
    data_centre.equal("of nobody", _home(data_centre, card_no="9" * 12)[0], "9012")
    code, _ = _home(data_centre)
    data_centre.equal("right", code, "0")
    data_centre.equal("the id for another time", _home(data_centre, 9)[0], "9002")


def _opened(
    data_centre: DataCentreTester, reason: str = "unconscious", id_no: str = ID_NO, request: bytes = b"conformance 0008",
    key: Any = None, hpc: bytes = b"",
) -> tuple[str, Any]:
    physician = data_centre.clinic.professional
    proof = pki.sign(key or physician.key, emergency.proof_message(request, reason, id_no))
    arguments = {"reason": reason, "hpc": hpc or cbor2.dumps(list(physician.chain)), "proof": proof, "id_no": id_no}
    return data_centre.ask("emergency-open", arguments, request=request)


@case("P-EMG-01", nature=Nature.VALID, zh="緊急存取：醫事人員卡及事由，告知救命資訊")
def test_emergency_access_is_opened_by_a_professionals_card(data_centre: DataCentreTester) -> None:
    """Opened by a professional's card with a reason: allergies, critical illness and prescriptions of whoever is known."""
    desk = Desk(data_centre)
    _, raw = desk.prescribed()
    code, body = _opened(data_centre)
    data_centre.equal("code", code, "0")
    told = {"access", "card_no", "name", "allergies", "critical_illness", "prescriptions"}
    data_centre.equal("what is told", set(body), told)
    data_centre.equal("of whom", (body["card_no"], body["prescriptions"]), (CARD_NO, [raw]))
    code, body = _opened(data_centre, id_no="", request=b"conformance 0009")
    data_centre.equal("of nobody who is known", (code, set(body)), ("0", {"access"}))


@case("P-EMG-01", nature=Nature.ATTACK, zh="緊急存取：他人證明、非醫事人員、識別碼重用者拒絕")
def test_emergency_access_is_refused(data_centre: DataCentreTester) -> None:
    """A proof by another card, the SAM in place of a professional, and the id of an access with another reason."""
    data_centre.equal("another's proof", _opened(data_centre, key=data_centre.pharmacy.professional.key)[0], "9130")
    data_centre.equal("a SAM", _opened(data_centre, hpc=cbor2.dumps(list(data_centre.clinic.sam.chain)))[0], "4034")
    data_centre.equal("opened", _opened(data_centre)[0], "0")
    data_centre.equal("its id with another reason", _opened(data_centre, "dead phone")[0], "9002")


@case("P-EMG-02", nature=Nature.TIMER, zh="緊急存取：三日內說明，否則列名；持卡人可查")
def test_emergency_access_is_accounted_for_within_three_days(data_centre: DataCentreTester) -> None:
    """Within three days the institution accounts for it, or is named; the holder sees who opened it and why."""
    access, other = b"conformance 0008", b"conformance 0009"
    _opened(data_centre)
    _opened(data_centre, "no card", request=other)
    data_centre.equal("the holder's view", sorted(data_centre.officer.accesses(CARD_NO)), sorted(
        [(access, data_centre.clinic.professional_id, "unconscious"), (other, data_centre.clinic.professional_id, "no card")]))
    said = {"access": access, "card_no": CARD_NO, "said": "treated after a fall"}
    data_centre.equal("by another", data_centre.ask("emergency-account", said, by=data_centre.pharmacy)[0], "5150")
    data_centre.equal("of another person", data_centre.ask("emergency-account", {**said, "card_no": GUARDIAN_NO})[0], "5020")
    data_centre.equal("of nobody", data_centre.ask("emergency-account", {**said, "card_no": "9" * 12})[0], "9012")
    data_centre.done("emergency-account", said)
    data_centre.done("emergency-account", said)
    data_centre.equal("otherwise", data_centre.ask("emergency-account", {**said, "said": "otherwise"})[0], "9002")
    data_centre.later(days=3, seconds=-1)
    data_centre.equal("before three days are over", data_centre.officer.unaccounted(INSTITUTION), [])
    data_centre.later(seconds=1)
    data_centre.equal("then", data_centre.officer.unaccounted(INSTITUTION), [other])


# -- the log

@case("P-AUD-01", "P-AUD-03", "P-VIS-03", nature=Nature.VALID, zh="稽核紀錄：何人、為誰、何時、以何授權")
def test_every_access_has_an_entry(data_centre: DataCentreTester) -> None:
    """What was done to a person's data is in the log with its code, refusals too, and the authorization it was done under."""
    under = b"authorization 01"
    asked: list[tuple[str, Mapping[str, Any]]] = [
        ("begin-visit", {"card_no": CARD_NO, "visit_type": "01", "authorization": under}), ("eligibility", {"card_no": CARD_NO}),
        ("rx-find", {"card_no": CARD_NO}), ("update-card", {"card_no": CARD_NO, "challenge": bytes(16), "visits_left": 9}),
    ]
    codes = [data_centre.ask(operation, arguments)[0] for operation, arguments in asked]
    entries = data_centre.officer.about(CARD_NO)
    found = [(what, code) for _, _, what, code, *_ in entries if what in dict(asked)]
    data_centre.equal("what the holder sees", found, [(operation, code) for (operation, _), code in zip(asked, codes,
                                                                                                        strict=True)])
    data_centre.equal("under which authorization", [e[4] for e in entries if e[2] == "begin-visit"], [under])
    everything = b"".join(data_centre.officer.log(read_head(data_centre.officer.head(), None).size))
    for field in (CARD_NO, ID_NO, HOLDER.holder.name):
        data_centre.expect("no personal field in it", field.encode() not in everything, "pseudonyms", field)


@case("P-AUD-02", nature=Nature.VALID, zh="稽核紀錄：簽章之首、包含證明、一致性證明")
def test_log_proves_what_it_holds_and_that_it_only_grows(data_centre: DataCentreTester) -> None:
    """Each entry is proved under the signed head, and a later head continues an older one."""
    data_centre.ask("eligibility", {"card_no": CARD_NO})
    old = read_head(data_centre.officer.head(), data_centre.world.root)
    for _ in range(5):
        data_centre.ask("eligibility", {"card_no": CARD_NO})
    new = read_head(data_centre.officer.head(), data_centre.world.root)
    data_centre.expect("it has grown", new.size == old.size + 5, old.size + 5, new.size)
    for number, entry, _, _, _, size, proof in data_centre.officer.about(CARD_NO):
        data_centre.equal("under the head's size", size, new.size)
        leaf = leaf_hash(entry)
        data_centre.expect(f"entry {number} is proved", verify_inclusion(leaf, number, size, list(proof), new.root))
        spoilt = leaf_hash(entry + b"x")
        data_centre.expect("another in its place is not", not verify_inclusion(spoilt, number, size, list(proof), new.root))
    older = data_centre.officer.consistency(old.size, new.size)
    data_centre.expect("it continues the older one", verify_consistency(old.size, old.root, new.size, new.root, older))
    other = hashlib.sha256(old.root).digest()
    data_centre.expect("and no other", not verify_consistency(old.size, other, new.size, new.root, older))


@case("P-AUD-04", nature=Nature.ATTACK, zh="他院所之物與不存在者無異")
def test_institution_is_told_of_its_own_only(data_centre: DataCentreTester) -> None:
    """Another institution's access, prescriptions that were not released, and what there is not are told alike."""
    desk = Desk(data_centre)
    entry = replace(desk.clinic.prescription(data_centre.now_ns).entries[0], delivery_mark="01")
    document, _ = desk.prescribed(entries=(entry,))
    mine = data_centre.done("rx-find", {"card_no": CARD_NO})["prescriptions"]
    data_centre.equal("one's own", [p["id"] for p in mine], [document.id])
    theirs = data_centre.done("rx-find", {"card_no": CARD_NO}, by=data_centre.pharmacy)["prescriptions"]
    data_centre.equal("another's that is not released", theirs, [])
    _opened(data_centre)
    said = {"card_no": CARD_NO, "said": "x"}
    codes = [data_centre.ask("emergency-account", {"access": access, **said}, by=data_centre.pharmacy)[0]
             for access in (b"conformance 0008", b"never there at a")]
    data_centre.equal("another's access, and none", codes, ["5150", "5150"])


@case("P-VIS-03", "P-AUD-01", nature=Nature.VALID, zh="代理人出示之就醫，紀錄其授權")
def test_wards_visit_names_the_authorization(data_centre: DataCentreTester) -> None:
    """A visit begun under an authorization is in the ward's log under that authorization."""
    guardian = data_centre.phone()
    guardian.enrolled(GUARDIAN_NO, GUARDIAN.holder.id_no)
    code, cti = data_centre.officer.grant(CARD_NO, GUARDIAN_NO, Relation.FAMILY, frozenset({Scope.BASIC}), 30)
    data_centre.equal("granted", code, "0")
    data_centre.done("begin-visit", {"card_no": CARD_NO, "visit_type": "01", "carrier": "virtual-card", "authorization": cti})
    found = [entry[4] for entry in data_centre.officer.about(CARD_NO) if entry[2] == "begin-visit"]
    data_centre.equal("under which", found, [cti])
