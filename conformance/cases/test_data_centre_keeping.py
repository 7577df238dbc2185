"""What a data centre keeps for others to come for: records for phones, home visits, emergencies, and the log of all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cbor2

from conformance.case import Each, Nature, case
from conformance.kinds.data_centre import DataCentreTester, SoftPhone
from conformance.prescribing import Desk
from conformance.records import Pen
from conformance.town import GUARDIAN, HOLDER, ID_NO
from conformance.vectors.world import CARD_NO, GUARDIAN_NO, INSTITUTION
from virtual_devices import pki
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
from virtual_devices.write_back import holder_of, signer_header

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
    told = phone.done("sync")["late"].get(card, [])
    data_centre.equal("how many are handed out", len(told), 1)
    late = told[0]
    data_centre.equal("records, chains, when they came", (late[1], late[2], late[3]), ([raw], chains, came_ns))
    data_centre.equal("no room for now", phone.done("receipts", {"card": card, "receipts": [[late[0], -4]]})["left"], 1)
    data_centre.equal("stored", phone.done("receipts", {"card": card, "receipts": [[late[0], 0]]})["left"], 0)
    data_centre.equal("afterwards", dict(phone.done("sync")["late"]), {})


@case("P-LAT-01", nature=Nature.ATTACK, zh="本人卡片之紀錄不交予代理人手機")
def test_records_for_the_holders_card_are_not_the_guardians(data_centre: DataCentreTester) -> None:
    """What is left for the holder's own card is not handed to a guardian who holds a card of theirs."""
    phone, card, holder = _phone(data_centre)
    guardian = data_centre.phone()
    own, _ = guardian.enrolled(GUARDIAN_NO, GUARDIAN.holder.id_no)
    code, cti = data_centre.officer.grant(CARD_NO, GUARDIAN_NO, Relation.FAMILY, frozenset({Scope.BASIC}), 30)
    data_centre.equal("granted", code, "0")
    guardian.done("hold", {"card": own, "authorization": cti})
    data_centre.equal("left", _late(data_centre, holder)[0], "0")
    data_centre.equal("what the guardian is handed", dict(guardian.done("sync")["late"]), {})
    data_centre.equal("what the holder is handed", list(phone.done("sync")["late"]), [card])


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
    data_centre.moment("until", package.until_ns, data_centre.now_ns + LONGEST_S * NS)
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
    data_centre.equal("what came after it", {e[4] for e in entries if e[2] in dict(asked[1:])}, {b""})
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
