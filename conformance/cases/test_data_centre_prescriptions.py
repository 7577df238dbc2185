"""Prescriptions at a data centre: stored, found, dispensed, doubted, corrected, received, and deleted after their years."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from conformance.case import Each, Nature, case
from conformance.kinds.data_centre import DataCentreTester
from conformance.prescribing import Desk
from conformance.records import DRUG, signed
from conformance.vectors.world import CARD_NO
from virtual_devices import cose, pki
from virtual_devices.clock import NS
from virtual_devices.pki import Refused, Role
from virtual_devices.prescription.document import PrescriptionClass

HOUR_NS = 3600 * NS


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


@case("P-PRX-08", nature=Nature.TIMER, zh="管制藥品：逾 24 小時未簽收者通報")
def test_unsigned_controlled_drug_is_reported_after_a_day(data_centre: DataCentreTester) -> None:
    """24 hours after a dispensing whose recipient has not signed it is reported, and the next issue refused; not before, not
    where the recipient signed or the medicine came back, and no longer once the signature has come."""
    desk = Desk(data_centre)
    entry = replace(DRUG, order_type="2", days=4, total_tenths=40, delivery_mark="06")
    document, raw = desk.prescribed(PrescriptionClass.CONTROLLED_REFILL, days=4, entries=(entry,))  # the next is due at once
    given = {name: desk.pharmacy.dispensing(document, raw, data_centre.now_ns, 1, name) for name in ("back", "unsigned")}
    data_centre.equal("dispensed", desk.say("rx-dispense", given["back"], desk.pharmacy), "0")
    back = desk.pharmacy.returned(document, raw, given["back"], data_centre.now_ns)
    data_centre.equal("returned", desk.say("rx-return", back, desk.pharmacy), "0")
    data_centre.equal("dispensed", desk.say("rx-dispense", given["unsigned"], desk.pharmacy), "0")
    other, other_raw = desk.prescribed(PrescriptionClass.CONTROLLED, name="signed")
    signed_for = desk.pharmacy.dispensing(other, other_raw, data_centre.now_ns, 1, "signed")
    data_centre.equal("dispensed", desk.say("rx-dispense", signed_for, desk.pharmacy), "0")
    received = desk.pharmacy.received(other, other_raw, signed_for, data_centre.now_ns)
    data_centre.equal("the recipient signs", desk.say("rx-tell", received, desk.pharmacy), "0")
    pharmacy = data_centre.pharmacy.institution
    data_centre.later(86_400)
    data_centre.equal("after 24 hours", data_centre.officer.unsigned(pharmacy), [])
    data_centre.later(1)
    data_centre.equal("a second later", data_centre.officer.unsigned(pharmacy), [given["unsigned"].id])
    data_centre.equal("of the clinic", data_centre.officer.unsigned(data_centre.clinic.institution), [])
    data_centre.equal("the next issue", desk.give(document, raw, 2, "2"), "RX11")
    late = desk.pharmacy.received(document, raw, given["unsigned"], data_centre.now_ns, "late")
    data_centre.equal("the recipient signs", desk.say("rx-tell", late, desk.pharmacy), "0")
    data_centre.equal("after the signature", data_centre.officer.unsigned(pharmacy), [])
    data_centre.equal("the next issue", desk.give(document, raw, 2, "2"), "0")


@case("P-PRX-06", nature=Nature.TIMER, zh="疑義：逾 24 小時未回覆者通報")
def test_query_that_nobody_answers_is_reported_after_a_day(data_centre: DataCentreTester) -> None:
    """24 hours after a query that the clinic has not answered it is reported, not before; a late answer is taken, and ends it."""
    desk = Desk(data_centre)
    document, raw = desk.prescribed(PrescriptionClass.REFILL)
    asked = desk.pharmacy.doubt(document, raw, data_centre.now_ns)
    data_centre.equal("asked", desk.say("rx-query", asked, desk.pharmacy), "0")
    clinic = data_centre.clinic.institution
    data_centre.later(86_400)
    data_centre.equal("after 24 hours", data_centre.officer.unanswered(clinic), [])
    data_centre.later(1)
    data_centre.equal("a second later", data_centre.officer.unanswered(clinic), [asked.id])
    answer = desk.clinic.answer(document, raw, asked, data_centre.now_ns)
    data_centre.equal("answered", desk.say("rx-answer", answer, desk.clinic), "0")
    data_centre.equal("after the answer", data_centre.officer.unanswered(clinic), [])
    data_centre.equal("dispensed", desk.give(document, raw), "0")


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


def _chains() -> Mapping[str, Each]:
    def of(change: Callable[[list[list[bytes]]], Any]) -> Callable[[list[list[bytes]]], Any]:
        return change

    return {
        "map": Each(of(lambda _: {}), "A map in place of the chains.", "以對照表代替憑證鏈"),
        "chain-map": Each(of(lambda c: [dict.fromkeys(chain, 0) for chain in c]), "Maps in place of each chain.",
                          "各憑證鏈為對照表"),
        "five-certificates": Each(of(lambda c: [[chain[0], *chain[1:] * 4] for chain in c]), "Five certificates in a chain.",
                                  "一鏈五張憑證", nature=Nature.LIMIT),
        "nine-chains": Each(of(lambda c: (c * 9)[:9]), "Nine chains.", "九條憑證鏈", nature=Nature.LIMIT),
    }


@case("P-PRX-05", "P-GEN-08", nature=Nature.INVALID, zh="憑證鏈不合格式", each=_chains)
def test_chains_that_are_none_are_refused(data_centre: DataCentreTester, change: Callable[[list[list[bytes]]], Any]) -> None:
    """A prescription whose signers' chains are no lists of certificates, or too many, is not taken."""
    desk = Desk(data_centre)
    raw = desk.clinic.sign(desk.clinic.prescription(data_centre.now_ns).record())
    chains = desk.clinic.chains
    data_centre.equal("code", desk.say("rx-store", raw, desk.clinic, chains=change(chains)), "9002")
    data_centre.equal("what is kept", data_centre.done("rx-find", {"card_no": CARD_NO})["prescriptions"], [])
    data_centre.equal("with its own chains", desk.say("rx-store", raw, desk.clinic, chains=chains), "0")


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
