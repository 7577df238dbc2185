"""Where a pharmacy's prescriptions come from besides codes: a card of today, the holder's phone, the data centre."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from cryptography.x509 import load_der_x509_certificate

from conformance.case import Each, Nature, case
from conformance.kinds.pharmacy import PharmacyTester
from conformance.town import HOLDER
from virtual_devices.pki import Role
from virtual_devices.prescription.document import ENTRIES, PrescriptionClass
from virtual_devices.records import RECORDS

ENTRY = {"visit_datetime": "1150301090000", "order_type": "1", "item_code": "AC49171100", "usage": "QD", "days": "07",
         "total_quantity": "00007.0", "delivery_mark": "02"}


def _card(spoilt: bytes = b"") -> dict[str, Any]:
    """A card with one entry, in which these characters are letters."""
    raw = RECORDS["outpatient_rx"].pack(ENTRY)
    if spoilt:
        raw = raw.replace(spoilt, b"A" * len(spoilt))
    return {"holder": HOLDER.holder, "records": {"outpatient_rx": (raw,)}}


@case("P-PRX-02", nature=Nature.VALID, zh="實體卡：卡上處方，並自資料中心取得簽署者", when='"ic-card" in sources')
def test_prescription_is_taken_from_a_card_of_today(pharmacy: PharmacyTester) -> None:
    """A card of today shows its entries; what is dispensed is the signed prescription of its holder, from the data centre."""
    document, _ = pharmacy.prescribed()
    found = pharmacy.act("card", lambda: pharmacy.software.card(_card()))
    pharmacy.equal("entries and prescriptions", (found.code, found.text, [root for root, _ in found.states]), (
        "0", "1", [document.id]))
    pharmacy.done("dispense", lambda: pharmacy.software.dispense(document.id))
    pharmacy.software.line_is([], down=True)
    found = pharmacy.act("card", lambda: pharmacy.software.card(_card()))
    pharmacy.equal("without a line the entries alone", (found.code, found.text, found.states), ("0", "1", ()))


@case("P-PRX-02", nature=Nature.INVALID, zh="實體卡：處方內容不合或非本人之卡", when='"ic-card" in sources', each=lambda: {
    name: Each((change, personal, code), says) for name, change, personal, code, says in (
        ("days-of-letters", b"07", {}, "5025", "An entry whose days are no number."),
        ("total-of-letters", b"00007.0", {}, "5025", "An entry whose quantity is no number."),
        ("another-number", b"", {"card_no": "000099999999"}, "4033", "A card with another's certificate."),
        ("locked-by-its-holder", b"", {"pin": "1234"}, "5109", "A card whose holder does not enter the PIN."),
    )})
def test_card_of_today_that_is_not_in_order_is_refused(
    pharmacy: PharmacyTester, value: tuple[bytes, dict[str, str], str],
) -> None:
    """A card whose entries are none, that is not what it says, or that its holder does not open, gives no prescription."""
    spoilt, personal, code = value
    if "pin" in personal:
        pharmacy.type("enter PIN", "")
    given = {**_card(spoilt), **personal}
    pharmacy.equal("code", pharmacy.act("card", lambda: pharmacy.software.card(given)).code, code)


@case("P-PRX-02", nature=Nature.VALID, zh="持卡人手機：簽署之處方", when='"wallet" in sources')
def test_prescription_is_taken_from_the_holders_phone(pharmacy: PharmacyTester) -> None:
    """A signed prescription on the holder's phone is taken and dispensed, also without a line; an altered one is refused."""
    pen = pharmacy.pen(pharmacy.clinic)
    document = pen.prescription(pharmacy.now_ns, "rx", PrescriptionClass.ORDINARY)
    raw = pen.sign(document.record())
    altered = raw[:-1] + bytes([raw[-1] ^ 1])
    refused = pharmacy.act("altered", lambda: pharmacy.software.phone([altered], pen.chains))
    pharmacy.expect("an altered one", refused.code not in ("0", "") and not refused.states, "a refusal", refused)
    other = pharmacy.act("no certificates", lambda: pharmacy.software.phone([raw], []))
    pharmacy.expect("signed by nobody knows whom", other.code not in ("0", "") and not other.states, "a refusal", other)
    found = pharmacy.act("phone", lambda: pharmacy.software.phone([raw], pen.chains))
    pharmacy.equal("found", (found.code, [root for root, _ in found.states]), ("0", [document.id]))
    pharmacy.policy(offline=True)
    pharmacy.software.line_is([], down=True)
    pharmacy.done("dispense", lambda: pharmacy.software.dispense(document.id))
    pharmacy.equal("twice", pharmacy.act("dispense", lambda: pharmacy.software.dispense(document.id)).code, "D019")
    pharmacy.equal("what waits", pharmacy.shelves().rx_waiting, 1)
    pharmacy.software.line_is([])
    pharmacy.software.later(61)
    pharmacy.done("upload", pharmacy.software.upload)
    shelves = pharmacy.shelves()
    pharmacy.equal("told", (shelves.rx_waiting, shelves.rx_done, shelves.rx_refused), (0, 1, 0))
    _, body = pharmacy.centre(pharmacy.clinic, "rx-find", {"id": document.id})
    pharmacy.equal("with the document, which the data centre had not heard of", [
        p["dispensed"] for p in body["prescriptions"]], [1])


@case("P-PRX-02", "P-PRX-03", nature=Nature.INVALID, zh="資料中心之處方：簽署不成立者不採", each=lambda: {
    name: Each(name, says) for name, says in (
        ("altered", "Its signature is altered."), ("words", "It is a text."), ("stranger", "Nobody vouches for its physician."),
        ("no-prescription", "It is signed as it should be, and has no entries."))})
def test_prescription_that_nobody_signed_is_none(pharmacy: PharmacyTester, how: str) -> None:
    """What the data centre hands out is believed by its signers alone: another record is left out, the right one stays."""
    document, _ = pharmacy.prescribed()
    place = pharmacy.clinic
    if how == "stranger":
        world = pharmacy.world
        place = replace(place, professional=world.reader(Role.PHYSICIAN, "C123456788", authority=world.stranger))
    pen = pharmacy.pen(place)
    record = pen.prescription(pharmacy.now_ns, "other").record()
    if how == "no-prescription":
        record = replace(record, fields={name: value for name, value in record.fields.items() if name != ENTRIES})
    other = pen.sign(record)
    strange: Any = {"altered": other[:-1] + bytes([other[-1] ^ 1]), "words": "words"}.get(how, other)
    pharmacy.software.also_hands_out(strange, pen.chains)
    found = pharmacy.act("find", partial(pharmacy.software.find, id=document.id))
    pharmacy.equal("found", (found.code, [root for root, _ in found.states]), ("0", [document.id]))


@case("P-PRX-04", nature=Nature.INVALID, zh="藥師憑證已撤銷：不調劑")
def test_dispensing_under_a_revoked_certificate_is_none(pharmacy: PharmacyTester) -> None:
    """What the pharmacist signs under a certificate that is known as revoked is not believed here: nothing is given (1424)."""
    document, _ = pharmacy.prescribed()
    pharmacy.found(document)
    chain = pharmacy.pharmacy.professional.chain
    pharmacy.revoke([load_der_x509_certificate(chain[0]).serial_number])
    pharmacy.equal("code", pharmacy.act("dispense", lambda: pharmacy.software.dispense(document.id)).code, "1424")
    pharmacy.equal("told", pharmacy.requests("rx-dispense"), [])
    pharmacy.equal("what waits", pharmacy.shelves().rx_waiting, 0)
    pharmacy.revoke([])
    pharmacy.done("dispense", lambda: pharmacy.software.dispense(document.id))
