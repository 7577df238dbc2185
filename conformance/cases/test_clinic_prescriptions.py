"""A clinic's prescriptions: signed, sent or kept, corrected, and doubts about them answered."""

from __future__ import annotations

from cryptography.x509 import load_der_x509_certificate

from conformance.case import Each, Nature, case
from conformance.kinds.clinic import ClinicTester
from virtual_devices.pki import hashed
from virtual_devices.prescription.document import PrescriptionClass
from virtual_devices.write_back import Kind


@case("P-PRX-01", nature=Nature.VALID, zh="處方箋由醫師卡及安全模組簽署", each=lambda: {
    name: Each(letter, f"Class {letter}.", f"{letter} 類處方") for name, letter in (
        ("ordinary", "A"), ("refill", "C"), ("controlled", "D"), ("controlled-refill", "F"))
})
def test_prescription_is_signed_by_physician_and_institution(clinic: ClinicTester, letter: str) -> None:
    """A prescription is a record of kind rx, signed by [HPC, SAM]; the very same is what the data centre has."""
    done = clinic.done("prescribe", lambda: clinic.software.prescribe(letter))
    record, signed = clinic.signed(done.raw)
    clinic.equal("kind, class", (record.kind, clinic.prescription(done.raw).kind), (Kind.PRESCRIPTION, PrescriptionClass(letter)))
    roles: list[str] = []
    keys = {"HPC": clinic.clinic.professional.key, "SAM": clinic.clinic.sam.key}
    for number in range(len(signed.signatures)):
        roles += [name for name, key in keys.items() if signed.verify(number, key.public_key())]
    clinic.equal("signers", roles, ["HPC", "SAM"])
    code, body = clinic.centre(clinic.pharmacy, "rx-find", {"id": record.id})
    clinic.equal("at the data centre", (code, [p["records"] for p in body["prescriptions"]]), ("0", [[done.raw]]))


@case("P-PRX-01", nature=Nature.LIMIT, zh="一般處方逾七日：拒絕開立")
def test_prescription_that_the_rules_forbid_is_not_issued(clinic: ClinicTester) -> None:
    """An ordinary prescription of eight days is refused before it is signed."""
    done = clinic.act("prescribe", lambda: clinic.software.prescribe("A", days=8))
    clinic.equal("code", done.code, "RX03")
    clinic.equal("what was sent", clinic.requests("rx-store"), [])


@case("P-PRX-01", "P-CSW-08", "P-UPL-08", nature=Nature.MEDIUM, zh="無連線開立：依院所設定留存或不開立", each=lambda: {
    "allowed": Each(True, "The institution issues without a line.", "允許離線開立"),
    "forbidden": Each(False, "The institution does not issue without a line.", "不允許離線開立"),
})
def test_prescription_without_a_line_waits_or_is_not_issued(clinic: ClinicTester, allowed: bool) -> None:
    """Without a line a prescription waits, where the institution lets it; else it is not issued, and a cancellation waits."""
    clinic.policy(offline=allowed)
    clinic.software.line_is([], down=True)
    done = clinic.act("prescribe", lambda: clinic.software.prescribe())
    clinic.equal("code", done.code, "0" if allowed else "4061")
    clinic.equal("what waits", clinic.shelves().rx_waiting, 1 if allowed else 2)
    clinic.software.line_is([])
    clinic.software.later(61)
    clinic.done("upload", clinic.software.upload)
    clinic.equal("then", clinic.shelves().rx_waiting, 0)
    _, body = clinic.centre(clinic.clinic, "rx-find", {})
    clinic.equal("its state", [p["state"] for p in body["prescriptions"]], ["issued" if allowed else "cancelled"])


@case("P-PRX-01", "P-UPL-08", nature=Nature.INVALID, zh="留存者事後遭拒：擱置並顯示", when="offline")
def test_prescription_that_is_refused_later_is_set_aside(clinic: ClinicTester) -> None:
    """A prescription that waited and is then refused by the data centre is set aside: not sent for ever, nor taken for done."""
    clinic.policy(offline=True)
    clinic.software.line_is([], down=True)
    clinic.done("prescribe", lambda: clinic.software.prescribe())
    clinic.software.later(61)
    clinic.software.line_is(["refuses RX03"])
    clinic.act("upload", clinic.software.upload)
    shelves = clinic.shelves()
    clinic.equal("set aside", (shelves.rx_waiting, shelves.rx_done, shelves.rx_refused), (0, 0, 1))
    before = len(clinic.requests("rx-store"))
    clinic.done("upload", clinic.software.upload)
    clinic.equal("not sent again", len(clinic.requests("rx-store")), before)


@case("P-UPL-08", "P-CSW-08", "P-PRX-07", nature=Nature.INOPPORTUNE, zh="先留存者先送", when="offline")
def test_what_waits_goes_before_what_is_new(clinic: ClinicTester) -> None:
    """What waited for the line goes before what is new: a change never comes before what it changes."""
    clinic.policy(offline=True)
    clinic.software.line_is([], down=True)
    first = clinic.done("prescribe", lambda: clinic.software.prescribe())
    clinic.requests()
    clinic.software.line_is([])
    clinic.software.later(61)
    second = clinic.done("prescribe", lambda: clinic.software.prescribe())
    sent = [r[7].get("record") for r in clinic.requests("rx-store")][-2:]
    clinic.equal("order", sent, [first.raw, second.raw])
    clinic.software.line_is([], down=True)
    first = clinic.done("prescribe", lambda: clinic.software.prescribe())
    clinic.requests()
    clinic.software.line_is(["lost"] * 2)
    second = clinic.done("prescribe", lambda: clinic.software.prescribe())
    clinic.expect("nothing new goes while what waits cannot", second.raw not in [
        r[7].get("record") for r in clinic.requests("rx-store")], "the first alone", "the second")
    clinic.done("upload", clinic.software.upload)
    shelves = clinic.shelves()
    clinic.equal("nothing waits", (shelves.rx_waiting, shelves.rx_done, shelves.rx_refused), (0, 3, 0))


@case("P-PRX-07", nature=Nature.VALID, zh="更正與註銷：指明前一份", each=lambda: {
    what: Each(what, f"It is {what}ed.", "註銷" if what == "cancel" else "更正") for what in ("cancel", "amend")
})
def test_correction_names_what_it_corrects(clinic: ClinicTester, what: str) -> None:
    """A cancellation or an amendment is signed and names the document by its hash."""
    first = clinic.done("prescribe", lambda: clinic.software.prescribe())
    clinic.done(what, lambda: clinic.software.change(what))
    raw = clinic.told("rx-store")
    record, signed = clinic.signed(raw)
    clinic.equal("what it names", record.amends, clinic.signed(first.raw)[0].id)
    clinic.expect("by its hash", hashed(first.raw) in record.fields.values())
    clinic.equal("signatures", len(signed.signatures), 2)


@case("P-PRX-07", nature=Nature.INOPPORTUNE, zh="最後一次已調劑：不得更正")
def test_correction_after_the_last_issue_is_refused(clinic: ClinicTester) -> None:
    """After the last issue was dispensed neither cancellation nor amendment goes through, and the refusal is shown."""
    done = clinic.done("prescribe", lambda: clinic.software.prescribe())
    pharmacy = clinic.pen(clinic.pharmacy)
    document = clinic.prescription(done.raw)
    given = pharmacy.sign(pharmacy.dispensing(document, done.raw, clinic.now_ns))
    clinic.equal("dispensed", clinic.leave(clinic.pharmacy, "rx-dispense", given, documents=(done.raw,)), "0")
    clinic.equal("cancel", clinic.act("cancel", lambda: clinic.software.change("cancel")).code, "D034")
    clinic.equal("amend", clinic.act("amend", lambda: clinic.software.change("amend")).code, "D016")


@case("P-PRX-07", nature=Nature.VALID, zh="取消註銷；未註銷者不得取消")
def test_cancellation_is_taken_back(clinic: ClinicTester) -> None:
    """A cancellation is taken back under signature, and all is as before; what is not cancelled is not restored (D038)."""
    done = clinic.done("prescribe", lambda: clinic.software.prescribe())
    clinic.equal("not cancelled", clinic.act("restore", lambda: clinic.software.change("restore")).code, "D038")
    clinic.equal("what was sent", len(clinic.requests("rx-store")), 1)
    clinic.done("cancel", lambda: clinic.software.change("cancel"))
    clinic.done("restore", lambda: clinic.software.change("restore"))
    record, signed = clinic.signed(clinic.told("rx-store"))
    clinic.equal("a restoration, signed twice", (record.kind, len(signed.signatures)), (Kind.RESTORE, 2))
    clinic.equal("its state", clinic.kept(clinic.signed(done.raw)[0].id)["state"], "issued")


@case("P-PRX-01", nature=Nature.INVALID, zh="醫師憑證已撤銷：不開立")
def test_prescription_under_a_revoked_certificate_is_none(clinic: ClinicTester) -> None:
    """What the professional signs under a certificate that is known as revoked is not believed here, and goes nowhere (1424)."""
    chain = clinic.clinic.professional.chain
    clinic.revoke([load_der_x509_certificate(chain[0]).serial_number])
    clinic.equal("code", clinic.act("prescribe", lambda: clinic.software.prescribe()).code, "1424")
    clinic.equal("what was sent", clinic.requests("rx-store"), [])
    clinic.equal("what waits", clinic.shelves().rx_waiting, 0)
    clinic.revoke([])
    clinic.done("prescribe", lambda: clinic.software.prescribe())


@case("P-PRX-06", nature=Nature.VALID, zh="疑義：醫師簽署回覆後解除")
def test_doubt_is_answered_under_the_physicians_signature(clinic: ClinicTester) -> None:
    """A pharmacist's doubt is shown; the physician's signed answer releases the prescription."""
    done = clinic.done("prescribe", lambda: clinic.software.prescribe())
    pharmacy = clinic.pen(clinic.pharmacy)
    document = clinic.prescription(done.raw)
    asked = pharmacy.sign(pharmacy.doubt(document, done.raw, clinic.now_ns))
    clinic.equal("doubted", clinic.leave(clinic.pharmacy, "rx-query", asked, documents=(done.raw,)), "0")
    clinic.equal("doubts that are shown", clinic.done("answer", clinic.software.answer_doubts).text, "1")
    record, _ = clinic.signed(clinic.told("rx-answer"))
    clinic.equal("an answer", record.kind, Kind.ANSWER)
    clinic.equal("its state", clinic.kept(document.id)["state"], "issued")
    clinic.equal("none is left", clinic.done("answer", clinic.software.answer_doubts).text, "0")
    clinic.software.line_is([], down=True)
    clinic.equal("without a line", clinic.act("answer", clinic.software.answer_doubts).code, "4061")
