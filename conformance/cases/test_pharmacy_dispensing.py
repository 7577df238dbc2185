"""A pharmacy's dispensing: with a line and without one, doubts, recipients, records."""

from __future__ import annotations

from functools import partial

from conformance.case import Each, Nature, case
from conformance.kinds.pharmacy import PharmacyTester
from conformance.records import facts, visit_file
from conformance.town import renewed
from conformance.vectors.world import CARD_NO
from virtual_devices.clock import NS
from virtual_devices.prescription.acts import ABOUT, Dispensing, read_act
from virtual_devices.prescription.document import MalformedPrescription, PrescriptionClass
from virtual_devices.write_back import Kind as RecordKind


@case("P-PRX-02", "P-PRX-03", "P-PRX-04", nature=Nature.VALID, zh="調劑：先查詢，簽署後通報")
def test_prescription_is_asked_for_and_its_dispensing_signed(pharmacy: PharmacyTester) -> None:
    """With a line the data centre is asked first; the dispensing is signed by pharmacist and SAM and told at once."""
    document, raw = pharmacy.prescribed()
    pharmacy.found(document)
    pharmacy.requests()
    done = pharmacy.done("dispense", lambda: pharmacy.software.dispense(document.id))
    record, signed = pharmacy.signed(done.raw)
    pharmacy.equal("nobody signs for what is not controlled", done.text, "")
    pharmacy.equal("kind", record.kind, RecordKind.DISPENSE)
    keys = [who.key.public_key() for who in (pharmacy.pharmacy.professional, pharmacy.pharmacy.sam)]
    pharmacy.equal("signed by pharmacist and SAM", [
        n < len(signed.signatures) and signed.verify(n, key) for n, key in enumerate(keys)], [True, True])
    pharmacy.equal("what was told", [r[7].get("record") for r in pharmacy.requests("rx-dispense")], [done.raw])
    asked = [r[2] for r in pharmacy.requests()]
    pharmacy.expect("asked before", asked[-1:] == ["rx-dispense"] and asked.count("rx-find") >= 2, "rx-find first", asked)
    kept = pharmacy.kept(document.id)
    pharmacy.equal("at the data centre", (kept["dispensed"], kept["records"]), (1, [raw, done.raw]))


@case("P-PRX-03", nature=Nature.INOPPORTUNE, zh="不得調劑者：顯示代碼，不給藥", each=lambda: {
    name: Each(name, clauses=("P-PRX-03", *more)) for name, more in (
        ("dispensed", ()), ("on-hold", ("P-PRX-06",)), ("cancelled", ()), ("amended", ()), ("over", ()), ("not-yet-due", ()))
})
def test_prescription_that_is_not_to_be_dispensed_is_refused(pharmacy: PharmacyTester, how: str) -> None:
    """What was dispensed, is on hold, cancelled, amended, over or not yet due is refused with the table's code."""
    document, raw = pharmacy.prescribed(PrescriptionClass.REFILL if how == "not-yet-due" else PrescriptionClass.ORDINARY)
    pharmacy.found(document)
    clinic, mine, now_ns = pharmacy.pen(pharmacy.clinic), pharmacy.pen(pharmacy.pharmacy), pharmacy.now_ns
    newest = document.id
    match how:
        case "dispensed" | "not-yet-due":
            pharmacy.done("first", lambda: pharmacy.software.dispense(document.id))
        case "on-hold":
            query = mine.sign(mine.doubt(document, raw, now_ns))
            pharmacy.equal("doubt", pharmacy.leave(pharmacy.pharmacy, "rx-query", query, documents=(raw,)), "0")
        case "cancelled":
            pharmacy.equal("cancel", pharmacy.leave(pharmacy.clinic, "rx-store", clinic.sign(
                clinic.cancellation(document, now_ns))), "0")
        case "amended":
            newer = clinic.amendment(document, now_ns)
            newest = newer.id
            pharmacy.equal("amend", pharmacy.leave(pharmacy.clinic, "rx-store", clinic.sign(newer.record())), "0")
        case "over":
            pharmacy.software.later(5 * 86_400)
    done = pharmacy.act("dispense", lambda: pharmacy.software.dispense(document.id))
    expected = {"dispensed": "D019", "on-hold": "RX06", "cancelled": "D023", "amended": "0", "over": "RX08",
                "not-yet-due": "RX09"}
    pharmacy.equal("code", done.code, expected[how])
    if how == "amended":  # what is dispensed is the amendment
        pharmacy.equal("what it is about", pharmacy.signed(done.raw)[0].fields.get(ABOUT), newest)


@case("P-PRX-03", "P-PRX-04", nature=Nature.INVALID, zh="資料中心拒絕或所答不成立", each=lambda: {
    f"{fate.replace(' ', '-')}-{number}": Each((number, fate, code), f"Answer {number + 1} is {fate}.")
    for number, fate, code in (
        (0, "refuses 9060", "9060"), (0, "refuses RX06", "RX06"), (1, "refuses RX06", "RX06"), (1, "refuses 9060", "9060"),
        (0, "odd prescriptions", "0"))})
def test_refusal_of_the_data_centre_is_shown(pharmacy: PharmacyTester, value: tuple[int, str, str]) -> None:
    """What the data centre refuses is shown with its code, and nothing is given; what is no list of prescriptions is none."""
    number, fate, code = value
    document, _ = pharmacy.prescribed()
    pharmacy.found(document)
    pharmacy.requests()
    pharmacy.software.line_is([""] * number + [fate] * 8)
    done = pharmacy.act("dispense", lambda: pharmacy.software.dispense(document.id))
    pharmacy.equal("code", done.code, code)
    pharmacy.equal("asked to the end", len(pharmacy.requests("rx-dispense")), int(number == 1 or code == "0"))
    if code != "0":
        pharmacy.software.line_is([])
        pharmacy.software.later(61)
        pharmacy.equal("nothing waits", pharmacy.shelves().rx_waiting, 0)
        kept = pharmacy.kept(document.id)
        pharmacy.expect("dispensed once at most", kept["dispensed"] <= number, number, kept)


@case("P-PRX-04", "P-CSW-08", "P-UPL-08", nature=Nature.MEDIUM, zh="無連線調劑：依設定，事後通報一次", each=lambda: {
    f"{fate.replace(' ', '-')}-{'allowed' if allowed else 'forbidden'}": Each((fate, allowed))
    for fate in ("down", "reply lost") for allowed in (True, False)
})
def test_dispensing_without_an_answer_is_told_later_once(pharmacy: PharmacyTester, value: tuple[str, bool]) -> None:
    """Without an answer the institution's switch decides; what was handed over is told by its record, the rest returned."""
    fate, allowed = value
    document, _ = pharmacy.prescribed()
    pharmacy.found(document)
    pharmacy.policy(offline=allowed)
    pharmacy.software.line_is(["reply lost"] * 12 if fate == "reply lost" else [], down=fate == "down")
    done = pharmacy.act("dispense", lambda: pharmacy.software.dispense(document.id))
    pharmacy.equal("code", done.code, "0" if allowed else "4061")
    pharmacy.equal("what waits", pharmacy.shelves().rx_waiting, 1)
    pharmacy.software.line_is([])
    pharmacy.software.later(61)
    pharmacy.done("upload", pharmacy.software.upload)
    pharmacy.equal("then", pharmacy.shelves().rx_waiting, 0)
    pharmacy.equal("counted", pharmacy.kept(document.id)["dispensed"], int(allowed))


@case("P-PRX-04", "P-PRX-03", nature=Nature.VALID, zh="退回：該次可再調劑")
def test_what_did_not_leave_is_returned(pharmacy: PharmacyTester) -> None:
    """A dispensing that did not leave is taken back under signature, and the issue is free again."""
    document, _ = pharmacy.prescribed()
    pharmacy.found(document)
    pharmacy.done("dispense", lambda: pharmacy.software.dispense(document.id))
    pharmacy.done("give back", pharmacy.software.give_back)
    pharmacy.equal("counted", pharmacy.kept(document.id)["dispensed"], 0)
    pharmacy.found(document)
    pharmacy.done("again", lambda: pharmacy.software.dispense(document.id))


@case("P-PRX-06", nature=Nature.VALID, zh="疑義：簽署、暫停、撤回")
def test_doubt_is_signed_and_holds_the_prescription(pharmacy: PharmacyTester) -> None:
    """A doubt is signed and put to the data centre, needs the line, and holds the prescription until it is settled."""
    document, _ = pharmacy.prescribed()
    pharmacy.found(document)
    pharmacy.software.line_is([], down=True)
    pharmacy.equal("without a line", pharmacy.act("doubt", lambda: pharmacy.software.doubt(document.id)).code, "4061")
    pharmacy.software.line_is([])
    pharmacy.software.later(61)
    pharmacy.done("doubt", lambda: pharmacy.software.doubt(document.id))
    record, signed = pharmacy.signed(pharmacy.told("rx-query"))
    pharmacy.equal("a query, signed twice", (record.kind, len(signed.signatures)), (RecordKind.QUERY, 2))
    pharmacy.equal("held", pharmacy.act("dispense", lambda: pharmacy.software.dispense(document.id)).code, "RX06")
    pharmacy.done("settled", pharmacy.software.settle)
    pharmacy.done("dispensed", lambda: pharmacy.software.dispense(document.id))


@case("P-PRX-08", "P-PRX-01", nature=Nature.VALID, zh="管制藥品：領受人簽收後給藥", when="controlled")
def test_recipient_of_a_controlled_drug_signs(pharmacy: PharmacyTester) -> None:
    """A controlled drug waits for its recipient's signature, which is told to the data centre; what is none is refused."""
    document, _ = pharmacy.prescribed(PrescriptionClass.CONTROLLED_REFILL)
    pharmacy.found(document)
    done = pharmacy.done("dispense", lambda: pharmacy.software.dispense(document.id))
    pharmacy.equal("it waits for the recipient", done.text, "recipient")
    refused = pharmacy.act("no signature", pharmacy.software.no_paper).code
    pharmacy.expect("what is no signature", refused not in ("0", ""), "a refusal", refused)
    pharmacy.equal("nothing was told of it", list(pharmacy.requests("rx-tell")), [])
    pharmacy.done("signed", pharmacy.software.signed_on_paper)
    record, _ = pharmacy.signed(pharmacy.told("rx-tell"))
    pharmacy.equal("what was told", record.kind, RecordKind.RECEIVED)
    pharmacy.software.later(20 * 86_400)


@case("P-PRX-02", nature=Nature.ATTACK, zh="資料中心轉來之處方亦查驗簽章")
def test_prescriptions_of_the_data_centre_are_found_by_holder_and_number(pharmacy: PharmacyTester) -> None:
    """Found by card number, by number and by id; of nobody nothing; without a line it is said."""
    document, _ = pharmacy.prescribed()
    for what in ({"card_no": CARD_NO}, {"number": document.visit}, {"id": document.id}):
        found = pharmacy.act("find", partial(pharmacy.software.find, **what))
        pharmacy.equal("found", [root for root, _ in found.states], [document.id])
    pharmacy.equal("of nobody", pharmacy.act("find", lambda: pharmacy.software.find(card_no="9" * 12)).states, ())
    pharmacy.software.line_is([], down=True)
    pharmacy.equal("without a line", pharmacy.act("find", lambda: pharmacy.software.find(card_no=CARD_NO)).code, "4061")


# -- records

@case("P-UPL-01", "P-UPL-02", "P-UPL-08", nature=Nature.VALID, zh="調劑紀錄之格式與上傳", each=lambda: {
    version: Each(version, f"Format {version}.", f"{version} 格式") for version in ("1.0", "2.0")
})
def test_dispensing_is_recorded_and_uploaded(pharmacy: PharmacyTester, version: str) -> None:
    """The record of a dispensing is of type AF, in its format, and goes at once; it may wait for the prescriber's."""
    pharmacy.version(version)
    document, _ = pharmacy.prescribed()
    pharmacy.found(document)
    pharmacy.done("dispense", lambda: pharmacy.software.dispense(document.id))
    pharmacy.act("record", pharmacy.software.record)
    record = pharmacy.the_record()
    pharmacy.equal("format, type", (record.version.value, record.get("visit_type")), (version, "AF"))
    shelves = pharmacy.shelves()
    pharmacy.equal("nothing is left unsent", shelves.queue, 0)
    pharmacy.equal("it is kept", shelves.done + shelves.waiting + shelves.refused, 1)


@case("P-UPL-02", "P-UPL-03", "P-CSW-08", nature=Nature.MEDIUM, zh="無連線或回覆遺失：原樣再送", each=lambda: {
    fate.replace(" ", "-"): Each(fate, f"{fate.capitalize()}.") for fate in ("down", "reply lost", "forged")
})
def test_record_is_sent_again_unchanged_until_it_is_answered(pharmacy: PharmacyTester, fate: str) -> None:
    """A record whose upload is not answered waits and is sent again as it was."""
    pharmacy.version("1.0")
    document, _ = pharmacy.prescribed()
    pharmacy.found(document)
    pharmacy.done("dispense", lambda: pharmacy.software.dispense(document.id))
    pharmacy.software.line_is([] if fate == "down" else ["", *[fate] * 6], down=fate == "down")  # its signatures come first
    pharmacy.act("record", pharmacy.software.record)
    pharmacy.equal("it waits", pharmacy.shelves().queue, 1)
    pharmacy.software.line_is([])
    pharmacy.software.later(61)
    pharmacy.act("upload", pharmacy.software.upload)
    pharmacy.equal("then", pharmacy.shelves().queue, 0)
    pharmacy.equal("one file, however often", len(pharmacy.files()), 1)
    pharmacy.equal("one batch", len({r[7].get("batch") for r in pharmacy.requests("upload")}), 1)


@case("P-UPL-04", nature=Nature.INVALID, zh="檢核不符：擱置，更正後再送")
def test_record_that_was_set_aside_is_corrected(pharmacy: PharmacyTester) -> None:
    """A record that a check refused is set aside, and sent again as a correction when a person has mended it."""
    pharmacy.version("1.0")
    document, _ = pharmacy.prescribed()
    pharmacy.found(document)
    pharmacy.done("dispense", lambda: pharmacy.software.dispense(document.id))
    pharmacy.act("record", lambda: pharmacy.software.record(upload=False))
    pharmacy.mistype()
    pharmacy.act("upload", pharmacy.software.upload)
    shelves = pharmacy.shelves()
    pharmacy.equal("set aside", (shelves.queue, shelves.done, shelves.refused), (0, 0, 1))
    pharmacy.done("corrected", pharmacy.software.correct)
    shelves = pharmacy.shelves()
    pharmacy.equal("then", (shelves.queue, shelves.done, shelves.refused), (0, 1, 0))
    pharmacy.equal("formats of the two records", [r.get("format") for r in pharmacy.records()], ["1", "3"])


@case("P-UPL-08", "P-UPL-03", nature=Nature.INOPPORTUNE, zh="開立端紀錄未到：等候，到後計入", when='"2.0" in formats')
def test_record_waits_for_the_prescribers(pharmacy: PharmacyTester) -> None:
    """A dispensing's record whose prescriber has not told yet waits, with nobody asked to mend it, and counts when that comes."""
    pharmacy.version("2.0")
    visit, begun_ns = pharmacy.begun(pharmacy.clinic), pharmacy.now_ns // NS * NS
    pharmacy.software.later(3600)
    document, _ = pharmacy.prescribed(visit=visit)
    pharmacy.found(document)
    pharmacy.done("dispense", lambda: pharmacy.software.dispense(document.id))
    pharmacy.act("record", pharmacy.software.record)
    for _ in range(2):
        shelves = pharmacy.shelves()
        pharmacy.equal("it waits", (shelves.done, shelves.waiting, shelves.refused), (0, 1, 0))
        pharmacy.act("upload", pharmacy.software.upload)
    pharmacy.recorded(pharmacy.clinic, visit_file([facts(pharmacy.clinic, begun_ns, visit)]))
    pharmacy.done("upload", pharmacy.software.upload)
    shelves = pharmacy.shelves()
    pharmacy.equal("then", (shelves.done, shelves.waiting, shelves.refused), (1, 0, 0))


def _issue(pharmacy: PharmacyTester, raw: bytes) -> int:
    try:
        act = read_act(pharmacy.signed(raw)[0])
    except MalformedPrescription:
        return 0
    return act.issue if isinstance(act, Dispensing) else 0


@case("P-PRX-03", "P-PRX-04", nature=Nature.TIMER, zh="連續處方箋：逐次調劑，次數用盡即止")
def test_issues_of_a_refill_are_dispensed_in_turn(pharmacy: PharmacyTester) -> None:
    """Each issue of a refill is dispensed in its turn and its time (RX09 before), and after the last one nothing more (D019)."""
    document, _ = pharmacy.prescribed(PrescriptionClass.REFILL)
    pharmacy.found(document)
    for number in range(1, document.issues + 1):
        done = pharmacy.done(f"issue {number}", lambda: pharmacy.software.dispense(document.id))
        pharmacy.equal("its number", _issue(pharmacy, done.raw), number)
        again = pharmacy.act("at once", lambda: pharmacy.software.dispense(document.id)).code
        pharmacy.equal("at once", again, "RX09" if number < document.issues else "D019")
        pharmacy.software.later(19 * 86_400)
    clinic = renewed(pharmacy.clinic, pharmacy.world, pharmacy.now_ns)
    pharmacy.equal("counted", pharmacy.kept(document.id, clinic)["dispensed"], document.issues)
