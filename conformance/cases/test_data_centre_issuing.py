"""What a data centre issues and publishes: credentials, codes, certificates, status lists."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID

from conformance.case import Each, Nature, case
from conformance.issued import credential_of, lists_of, status_of
from conformance.kinds.data_centre import DataCentreTester, SoftPhone
from conformance.town import HOLDER, ID_NO
from conformance.vectors.world import CARD_NO, INSTITUTION, SAM_ID, World
from virtual_devices import cwt, vhc
from virtual_devices.clock import NS, from_datetime
from virtual_devices.cose import CRIT, X5CHAIN, read_sign1
from virtual_devices.holder.readers import LONGEST_NS
from virtual_devices.mdoc.mso import IssuerSigned, Mso
from virtual_devices.mdoc.tagged import dumps
from virtual_devices.pki import DAY_NS, Role, Verified
from virtual_devices.qr import card as qr_card
from virtual_devices.status_list import Status, StatusToken
from virtual_devices.write_back import holder_of


def _enrolled(data_centre: DataCentreTester) -> tuple[SoftPhone, str, Mapping[str, Any]]:
    phone = data_centre.phone()
    card, body = phone.enrolled(CARD_NO, ID_NO)
    return phone, card, body


@case("P-MSO-01", "P-MSO-02", "P-MSO-05", "P-CBR-04", "P-GEN-05", nature=Nature.VALID, zh="發行者簽章之結構與金鑰綁定")
def test_credential_is_signed_for_the_devices_key(data_centre: DataCentreTester) -> None:
    """issuerAuth is an untagged COSE_Sign1 with the document signer alone, over an MSO for the device key on P-256."""
    phone, _, body = _enrolled(data_centre)
    _, found = credential_of(data_centre, body)
    auth = dumps(body["issued"]["issuerAuth"])
    data_centre.equal("an array of four without a tag", auth[0], 0x84)
    message = read_sign1(body["issued"]["issuerAuth"])
    data_centre.equal("certificates in header 33", type(message.unprotected[X5CHAIN]), bytes)
    data_centre.expect("no critical header", CRIT not in message.header)
    data_centre.equal("the device's key", found.device_key.public_numbers(), phone.device.public_key().public_numbers())
    data_centre.equal("what the device may sign", dict(found.authorised), dict.fromkeys((vhc.RECORDS, vhc.DELEGATION, vhc.WRITE)))


@case("P-DOC-01", "P-DOC-02", "P-ELE-01", "P-ELE-03", "P-ELE-04", "P-ELE-05", nature=Nature.VALID,
      zh="文件類型與發行者簽署之資料項")
def test_credential_has_the_elements_of_the_table(data_centre: DataCentreTester) -> None:
    """The document type, the namespaces of the issuer, and each element of the type that the table gives it."""
    _, _, body = _enrolled(data_centre)
    issued, found = credential_of(data_centre, body)
    values = issued.values()
    data_centre.equal("document type", found.doctype, "tw.nhi.bench.vhc.1")
    data_centre.equal("namespaces", set(values), {vhc.BASIC, vhc.MEDICAL})
    wanted = {e.name for e in vhc.ELEMENTS if e.space == vhc.BASIC and e.name != vhc.FORMER}
    data_centre.equal("elements of basic", set(values[vhc.BASIC]), wanted)
    for name in ("birth_date", "issue_date", "expiry_date"):
        item = next(i for i in issued.items[vhc.BASIC] if i.identifier == name)
        data_centre.expect(f"{name} is a full-date", b"\xd9\x03\xec\x6a" in item.raw, "tag 1004 round 10 characters", item.raw)
    basic = values[vhc.BASIC]
    data_centre.expect("the photograph is a JPEG", basic["portrait"][:2] == b"\xff\xd8", "FF D8", basic["portrait"][:2])
    data_centre.equal("whose card it is", (basic["card_no"], basic["id_no"], basic["sex"]), (CARD_NO, ID_NO, "M"))
    data_centre.equal("birth date", str(basic["birth_date"]), HOLDER.holder.birth_date.isoformat())
    data_centre.equal("held under", basic[vhc.HELD_UNDER], b"")
    kinds = {"allergies": list, "critical_illness": list}
    data_centre.expect("medical elements are lists", all(isinstance(values[vhc.MEDICAL][n], k) for n, k in kinds.items()))


@case("P-MSO-03", "P-MSO-04", "P-CBR-02", nature=Nature.VALID, zh="摘要、亂數與順序")
def test_digests_hide_what_is_kept_back(data_centre: DataCentreTester) -> None:
    """SHA-256 over the embedded item, 32 bytes of random, digest ids 0 to n-1 in a random order, another one each time."""
    _, _, body = _enrolled(data_centre)
    issued, found = credential_of(data_centre, body)
    data_centre.equal("algorithm", found.digest_algorithm, "SHA-256")
    orders = []
    for space, items in issued.items.items():
        data_centre.equal(f"{space}: digest ids", sorted(i.digest_id for i in items), list(range(len(items))))
        data_centre.equal(f"{space}: digests", dict(found.digests[space]),
                          {i.digest_id: hashlib.sha256(i.embedded).digest() for i in items})
        salts = [cbor2.loads(i.raw)["random"] for i in items]
        data_centre.expect(f"{space}: salts of 32 bytes, none twice", {len(s) for s in salts} == {32} and
                           len(set(salts)) == len(salts))
        orders.append([i.digest_id for i in sorted(items, key=lambda i: i.identifier)])
    again, _ = _renewed(data_centre)
    others = [[i.digest_id for i in sorted(items, key=lambda i: i.identifier)] for items in again.items.values()]
    data_centre.expect("another credential has another order", others != orders)


def _renewed(data_centre: DataCentreTester) -> tuple[IssuerSigned, Mso]:
    """The credential of the same person's next phone."""
    phone = data_centre.phone()
    given = {"id_no": ID_NO, "ticket": data_centre.officer.ticket(CARD_NO)}
    attested = phone.attestation(phone.challenge())
    body = phone.done("rebind", {"card_no": CARD_NO, "given": given, "attestation": attested, "both": False})
    return credential_of(data_centre, body)


@case("P-MSO-06", "P-MSO-07", "P-CBR-05", nature=Nature.LIMIT, zh="憑證效期：365 日、卡片或簽署者到期，取其先")
def test_credential_lives_a_year_at_most(data_centre: DataCentreTester) -> None:
    """Signed and valid from the second of issue, until 365 days later or the end of its signer; status in a list."""
    data_centre.later(seconds=0.5)
    _, _, body = _enrolled(data_centre)
    issued, found = credential_of(data_centre, body)
    at_ns = data_centre.now_ns // NS * NS
    data_centre.equal("signed and valid from", (found.signed_ns, found.valid_from_ns), (at_ns, at_ns))
    signer = x509.load_der_x509_certificate(issued.auth.chain[0])
    end_ns = min(at_ns + 365 * DAY_NS, from_datetime(signer.not_valid_after_utc))
    data_centre.equal("valid until", found.valid_until_ns, end_ns)
    data_centre.expect("dates are text to the second", b"\xc0\x74" in (issued.auth.payload or b""), "tag 0, 20 characters")
    data_centre.expect("a place in a status list", found.status is not None, "status_list", found.status)


@case("P-ELE-10", nature=Nature.VALID, zh="前卡識別碼：首張卡無，其後新者在前")
def test_former_cards_are_named_newest_first(data_centre: DataCentreTester) -> None:
    """A first card has no `former`; after changes of phones it names the cards whose place it took, the newest first."""
    first, _, body = _enrolled(data_centre)
    data_centre.expect("none on a first card", vhc.FORMER not in credential_of(data_centre, body)[0].values()[vhc.BASIC])
    keys = [holder_of(first.device.public_key())]
    for number in range(9):
        issued, found = _renewed(data_centre)
        data_centre.equal(f"after {number + 1} changes", list(issued.values()[vhc.BASIC][vhc.FORMER]), keys[:8])
        keys.insert(0, holder_of(found.device_key))


@case("P-CRT-01", "P-CRT-02", "P-CRT-03", "P-CRT-04", "P-CRT-05", "P-GEN-05", nature=Nature.VALID, zh="文件簽署者憑證之內容")
def test_document_signers_certificate_is_as_the_table_has_it(data_centre: DataCentreTester) -> None:
    """The document signer's certificate: version 3, P-256, its extensions, one role, its key usage, its life."""
    _, _, body = _enrolled(data_centre)
    issued, _ = credential_of(data_centre, body)
    leaf = x509.load_der_x509_certificate(issued.auth.chain[0])
    iaca = x509.load_der_x509_certificate(data_centre.world.authority.iaca_der)
    leaf.verify_directly_issued_by(iaca)
    data_centre.equal("version", leaf.version, x509.Version.v3)
    key = leaf.public_key()
    data_centre.expect("on P-256", isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1))
    data_centre.equal("signed with", leaf.signature_algorithm_oid.dotted_string, "1.2.840.10045.4.3.2")
    data_centre.expect("a serial number of 63 to 127 bits", leaf.serial_number.bit_length() <= 127, "127 bits",
                       leaf.serial_number)
    extensions = {e.oid: e for e in leaf.extensions}
    usage = extensions[ExtensionOID.KEY_USAGE]
    data_centre.expect("keyUsage critical, digitalSignature alone", usage.critical and usage.value.digital_signature and
                       not (usage.value.key_cert_sign or usage.value.key_agreement))
    purposes = extensions[ExtensionOID.EXTENDED_KEY_USAGE]
    data_centre.equal("extendedKeyUsage critical", (purposes.critical, [p.dotted_string for p in purposes.value]),
                      (True, ["1.0.18013.5.1.2"]))
    wanted = {ExtensionOID.SUBJECT_KEY_IDENTIFIER, ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.ISSUER_ALTERNATIVE_NAME,
              ExtensionOID.CRL_DISTRIBUTION_POINTS, ExtensionOID.CERTIFICATE_POLICIES}
    data_centre.expect("the other extensions of B.1.4", wanted <= set(extensions), wanted, set(extensions))
    roles = [p.policy_identifier.dotted_string for p in extensions[ExtensionOID.CERTIFICATE_POLICIES].value]
    data_centre.equal("one role", roles, ["2.25.187204171391049372418462718463528671829.7"])
    data_centre.equal("country", leaf.subject.get_attributes_for_oid(NameOID.COUNTRY_NAME)[0].value, "TW")
    data_centre.equal("no organisation", leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME), [])
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    data_centre.expect("457 days at most", life.days <= 457, "457", life.days)


@case("P-QRC-01", "P-QRC-02", "P-CBR-03", nature=Nature.VALID, zh="條碼內層：發行者簽章、聲明與卡片資料")
def test_code_has_the_issuers_inner_part(data_centre: DataCentreTester) -> None:
    """The inner part of the code: the signer named by its kid, no certificate, the claims, the key for codes, no photograph."""
    phone, _, body = _enrolled(data_centre)
    issued, found = credential_of(data_centre, body)
    token = cwt.decode(body["qr"])
    header = token.message.header
    data_centre.equal("protected header", dict(header), {1: -7, 4: hashlib.sha256(issued.auth.chain[0]).digest()[:8]})
    data_centre.equal("unprotected header", dict(token.message.unprotected), {})
    signer = x509.load_der_x509_certificate(issued.auth.chain[0]).public_key()
    assert isinstance(signer, ec.EllipticCurvePublicKey)
    data_centre.expect("the document signer's signature", token.message.verify(signer))
    claims = token.claims
    data_centre.equal("iss", claims.issuer, "tw.nhi.bench")
    data_centre.equal("cti", len(claims.token_id or b""), 8)
    data_centre.expect("iat, nbf and exp", None not in (claims.issued_ns, claims.not_before_ns, claims.expires_ns))
    assert claims.key is not None and found.status is not None
    data_centre.equal("the key for codes", claims.key.public_numbers(), phone.code_key.public_key().public_numbers())
    data_centre.equal("its place in the status list", claims.status, found.status)
    data = claims.values[qr_card.DATA]
    data_centre.equal("whom records are for", data[9], holder_of(phone.device.public_key()))
    data_centre.expect("nothing but data 1 to 9", set(data) == set(range(1, 10)), "1 to 9", sorted(data))


# -- status lists

@case("P-STA-01", "P-STA-02", "P-STA-03", "P-STA-05", "P-DCM-05", nature=Nature.VALID, zh="狀態清單：格式、大小、簽章與效期")
def test_status_lists_are_published_whole(data_centre: DataCentreTester) -> None:
    """All lists at once: tag 18, type, address, 2 bits a place, 1048576 places, a day of life and an hour until the next."""
    _, _, body = _enrolled(data_centre)
    _, found = credential_of(data_centre, body)
    lists = lists_of(data_centre)
    assert found.status is not None
    data_centre.expect("the card's list is among them", found.status.uri in lists, found.status.uri, sorted(lists))
    for uri, (token, message) in lists.items():
        data_centre.equal(f"{uri}: type", message.header.get(16), "application/statuslist+cwt")
        data_centre.equal(f"{uri}: bits, bytes", (token.bits, len(token.packed)), (2, 1_048_576 // 4))
        now_ns = data_centre.now_ns // NS * NS
        data_centre.equal(f"{uri}: iat, exp, ttl", (token.issued_ns, token.expires_ns, token.ttl_s),
                          (now_ns, now_ns + 86_400 * NS, 3600))


@case("P-LIF-02", "P-MSO-07", "P-PHN-09", nature=Nature.VALID, zh="卡片狀態於清單中之值", each=lambda: {
    name: Each((act, status)) for name, act, status in (
        ("issued", "", Status.SUSPENDED), ("active", "activate", Status.VALID), ("suspended", "suspend", Status.SUSPENDED),
        ("resumed", "resume", Status.VALID), ("recalled", "recall", Status.INVALID), ("lost", "lost", Status.INVALID))
})
def test_status_list_says_how_a_card_stands(data_centre: DataCentreTester, value: tuple[str, Status]) -> None:
    """The list says 2 of a card not yet activated or suspended, 0 of one in force, 1 of one that is over."""
    act, status = value
    phone = data_centre.phone()
    card = phone.applied(CARD_NO, ID_NO)
    if not act:
        before = [index for token, _ in lists_of(data_centre).values() for index in _set(token)]
        data_centre.expect("one place more is suspended", any(v == Status.SUSPENDED.value for _, v in before), "2", before)
        return
    _, found = credential_of(data_centre, phone.done("activate", {"card": card}))
    if act in ("suspend", "resume"):
        data_centre.equal("suspend", data_centre.officer.suspend(card), "0")
    if act in ("resume", "recall"):
        data_centre.equal(act, getattr(data_centre.officer, act)(card), "0")
    if act == "lost":
        data_centre.equal("lost", data_centre.officer.report_lost(CARD_NO, "virtual"), "0")
    data_centre.equal("status", status_of(data_centre, found.status), status)


def _set(token: StatusToken) -> list[tuple[int, int]]:
    """Places that are not 0."""
    some = [(4 * at + n, byte >> 2 * n & 3) for at, byte in enumerate(token.packed) if byte for n in range(4)]
    return [(place, value) for place, value in some if value]


@case("P-LIF-03", "P-LIF-02", nature=Nature.VALID, zh="換機後清單：舊卡失效、新卡有效")
def test_status_list_follows_a_change_of_phones(data_centre: DataCentreTester) -> None:
    """After a change of phones the old place says 1, the new one 0."""
    _, _, body = _enrolled(data_centre)
    _, old = credential_of(data_centre, body)
    _, new = _renewed(data_centre)
    data_centre.equal("old and new", (status_of(data_centre, old.status), status_of(data_centre, new.status)),
                      (Status.INVALID, Status.VALID))


# -- reader certificates

@case("P-CRT-08", "P-RDR-10", "P-CRT-01", "P-CRT-03", "P-CRT-05", "P-DCM-05", nature=Nature.LIMIT,
      zh="讀取者憑證：同一金鑰，至多 72 小時")
def test_reader_certificates_live_three_days_at_most(data_centre: DataCentreTester) -> None:
    """For the keys of this SAM and this professional, 72 hours and a minute at most, with a reader's key usage."""
    physician = data_centre.clinic.professional
    body = data_centre.done("reader-certificates", {"hpc": cbor2.dumps(list(physician.chain))})
    for name, key, roles in (("sam", data_centre.clinic.sam.key, {Role.SAM}), ("hpc", physician.key, {Role.PHYSICIAN})):
        who = data_centre.world.root.check([bytes(c) for c in body[name]], roles, data_centre.now_ns)
        data_centre.expect(f"{name}: a chain of its role", isinstance(who, Verified), "a chain", who)
        assert isinstance(who, Verified)
        data_centre.equal(f"{name}: for its own key", who.key.public_numbers(), key.public_key().public_numbers())
        life_ns = who.not_after_ns - who.not_before_ns
        data_centre.expect(f"{name}: 72 hours at most", life_ns <= LONGEST_NS, LONGEST_NS, life_ns)
        data_centre.equal(f"{name}: it begins 900 s before now", who.not_before_ns, (data_centre.now_ns - 900 * NS) // NS * NS)
        leaf = x509.load_der_x509_certificate(body[name][0])
        purposes = [p.dotted_string for p in leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value]
        data_centre.equal(f"{name}: extendedKeyUsage", purposes, ["1.0.18013.5.1.6", "1.0.23220.4.1.6"])
        organisation = [a.value for a in leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
        data_centre.equal(f"{name}: organisation", organisation, [INSTITUTION] if name == "sam" else [])
        common = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        data_centre.equal(f"{name}: name", common, SAM_ID if name == "sam" else data_centre.clinic.professional_id)


def _professionals() -> Mapping[str, Each]:
    def of(role: Role, begins_h: float = -1, hours: float = 72, strange: bool = False) -> Any:
        def make(world: World, now_ns: int) -> bytes:
            other = world.stranger if strange else None
            from_ns = now_ns + round(begins_h * 3600) * NS
            return cbor2.dumps(list(world.reader(role, "A123456789", from_ns=from_ns, hours=hours, authority=other).chain))
        return make

    return {
        "expired": Each((of(Role.PHYSICIAN, -100, 99), "9140"), "A professional whose certificate is over.", "醫事人員憑證過期"),
        "not-yet": Each((of(Role.PHYSICIAN, 1), "9140"), "A professional whose certificate has not begun.",
                        "醫事人員憑證尚未生效"),
        "stranger": Each((of(Role.PHYSICIAN, strange=True), "9130"), "A professional of an unknown authority.", "非信任機構",
                         nature=Nature.ATTACK),
        "other-use": Each((of(Role.OTHER_USE), "4034"), "A reader outside medical care.", "非醫療用途讀取者",
                          nature=Nature.ATTACK),
    }


@case("P-RDR-10", nature=Nature.INVALID, zh="不發讀取者憑證之醫事人員", each=_professionals)
def test_reader_certificate_is_not_given(data_centre: DataCentreTester, value: tuple[Any, str]) -> None:
    """A professional whose card is not good gets no reader certificate."""
    make, code = value
    found, body = data_centre.ask("reader-certificates", {"hpc": make(data_centre.world, data_centre.now_ns)})
    data_centre.equal("code, and what is given", (found, dict(body)), (code, {}))


@case("P-PHN-01", "P-PHN-02", "P-DOC-01", nature=Nature.VALID, zh="手機以其金鑰為人所識")
def test_phone_is_known_by_its_key(data_centre: DataCentreTester) -> None:
    """A phone sees its own cards only; another one, with a key of its own, is told of none."""
    phone, card, _ = _enrolled(data_centre)
    data_centre.equal("its own", set(phone.done("sync")["standing"]), {card})
    other = data_centre.phone()
    told = other.done("sync")
    data_centre.equal("another's", (dict(told["standing"]), list(told["erase"]), list(told["authorizations"])), ({}, [], []))
