"""Who asks, at the limits: chains, validity, signatures and headers of readers; how many documents and readers there may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID

from conformance.case import Each, Nature, case
from conformance.kinds.wallet import CONSULTATION, REGISTRATION, WalletTester
from conformance.vectors.world import INSTITUTION, SAM_ID, Reader, World, signed
from virtual_devices import vhc
from virtual_devices.clock import NS, to_datetime
from virtual_devices.cose import ALG, CRIT, ES256, KID
from virtual_devices.mdoc.request import DeviceRequest, DocRequest, items_request, signed_by_reader
from virtual_devices.mdoc.response import ResponseStatus
from virtual_devices.mdoc.tagged import dumps
from virtual_devices.pki import Role
from virtual_devices.reader.proximity import ReaderSession
from virtual_devices.wallet.consent import Use

SHOWN, MISSING, MALFORMED, EXPIRED, EARLY, FORGED = 0, -11, -12, -13, -14, -17
NO_REQUEST = ResponseStatus.DECODING_ERROR


def _answered(wallet: WalletTester, opened: ReaderSession, raw: bytes, number: int) -> None:
    """A document for 0, else nothing but this number."""
    answer = wallet.request(opened, raw, "a request")
    if number == SHOWN:
        wallet.equal("errors", dict(answer.errors), {})
        wallet.equal("documents in the answer", len(answer.documents), 1)
    else:
        wallet.nothing(answer, number)


def _sam(world: World, from_s: int, hours: float = 72) -> Reader:
    return world.reader(Role.SAM, SAM_ID, organisation=INSTITUTION, from_ns=world.now_ns + from_s * NS, hours=hours)


def _readers() -> Mapping[str, Each]:
    def chain(count: int) -> Callable[[World], Reader]:
        return lambda world: replace(world.sam, chain=(world.sam.chain[0], *[world.sam.chain[1]] * (count - 1)))

    limit, minute_h, day_s = Nature.LIMIT, 1 / 60, 86_400
    return {
        "four-certificates": Each((chain(4), SHOWN), "A chain of four certificates", "四張憑證的鏈", nature=limit),
        "five-certificates": Each((chain(5), MALFORMED), "A chain of five certificates", "五張憑證的鏈", nature=limit),
        "longest": Each((lambda w: _sam(w, -3600, 72 + minute_h), SHOWN), "A certificate of 72 hours and a minute",
                        "效期 72 小時又一分", nature=limit),
        "too-long": Each((lambda w: _sam(w, -3600, 72 + minute_h + 1 / 3600), EXPIRED),
                         "A certificate of 72 hours, a minute and a second", "效期 72 小時一分一秒", nature=limit),
        "twice-as-long": Each((lambda w: _sam(w, -3600, 144), EXPIRED), "A certificate of six days", "效期六天"),
        "begins-in-30-s": Each((lambda w: _sam(w, 30), SHOWN), "A certificate that begins in 30 s", "30 秒後生效", nature=limit),
        "begins-in-31-s": Each((lambda w: _sam(w, 31), EARLY), "A certificate that begins in 31 s", "31 秒後生效", nature=limit),
        "ended-30-s-ago": Each((lambda w: _sam(w, -3 * day_s - 30), SHOWN), "A certificate that ended 30 s ago",
                               "30 秒前到期", nature=limit),
        "ended-31-s-ago": Each((lambda w: _sam(w, -3 * day_s - 31), EXPIRED), "A certificate that ended 31 s ago",
                               "31 秒前到期", nature=limit),
        "ended-a-day-ago": Each((lambda w: _sam(w, -4 * day_s), EXPIRED), "A certificate that ended a day ago", "一天前到期"),
        "document-signer": Each((lambda w: Reader(w.signer.key, w.signer.chain), FORGED), "A document signer's certificate",
                                "文件簽署者的憑證", nature=Nature.ATTACK),
        "other-curve": Each((_on_another_curve, MALFORMED), "A certificate with an Ed25519 key", "Ed25519 金鑰的憑證"),
    }


def _on_another_curve(world: World) -> Reader:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x01")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SAM_ID)])
    now = to_datetime(world.now_ns)
    hour = timedelta(hours=1)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - hour, now + hour).sign(key, None)
    return Reader(world.sam.key, (made.public_bytes(serialization.Encoding.DER), world.sam.chain[1]))


_TO_THE_SECOND = ("[ended-30-s-ago]", "[begins-in-31-s]")


@case("P-RDR-07", "P-RDR-10", "P-RDR-11", "P-CRT-07", "P-CRT-08", "P-GEN-07", "P-GEN-10",
      nature=Nature.INVALID, zh="讀取者憑證的界限", each=_readers)
def test_reader_certificate_has_limits(wallet: WalletTester, tried: tuple[Callable[[World], Reader], int]) -> None:
    """A SAM's certificates: the last that are taken, and the first that are not."""
    make, number = tried
    if wallet.world.once and wallet.name.endswith(_TO_THE_SECOND):
        wallet.not_applicable("it is right to the second, and the wallet's clock runs while it is asked")
    opened = wallet.meet(Use.REGISTRATION)
    asked = signed(REGISTRATION, opened.transcript, make(wallet.world)).to_bytes()
    _answered(wallet, opened, asked, number)


# -- signatures

def _signatures() -> Mapping[str, Each]:
    return {
        "padded": Each(lambda s: s[:32] + b"\0" + s[32:], "65 bytes, s with a zero before it", "65 位元組，s 前加零"),
        "padded-first": Each(lambda s: b"\0" + s, "65 bytes, r with a zero before it", "65 位元組，r 前加零"),
        "short": Each(lambda s: s[:63], "63 bytes", "63 位元組"),
        "empty": Each(lambda _: b"", "No bytes", "空的"),
        "zeros": Each(lambda _: bytes(64), "64 zeros", "64 個零"),
    }


@case("P-RDR-12", "P-GEN-05", "P-CBR-04", nature=Nature.ATTACK, zh="讀取者的簽章不是 64 位元組的 r 與 s：拒絕", each=_signatures)
def test_reader_signature_has_one_form(wallet: WalletTester, change: Callable[[bytes], bytes]) -> None:
    """A reader's signature is 64 bytes, r and s; nothing else that means the same is taken."""
    opened = wallet.meet(Use.REGISTRATION)
    asked = signed(REGISTRATION, opened.transcript, wallet.world.sam)
    auth = asked.documents[0].auth
    assert auth is not None
    _answered(wallet, opened, asked.with_auth(0, replace(auth, signature=change(auth.signature))).to_bytes(), FORGED)


@case("P-RDR-12", nature=Nature.ATTACK, zh="簽章後更改受保護標頭：拒絕")
def test_reader_header_is_signed(wallet: WalletTester) -> None:
    """A protected header that was changed after the reader signed is refused, though it can be read."""
    opened = wallet.meet(Use.REGISTRATION)
    asked = signed(REGISTRATION, opened.transcript, wallet.world.sam)
    auth = asked.documents[0].auth
    assert auth is not None
    changed = replace(auth, protected=dumps({ALG: ES256, KID: b"another"}))
    _answered(wallet, opened, asked.with_auth(0, changed).to_bytes(), FORGED)


@case("P-RDR-05", "P-RDR-02", "P-RDR-12", nature=Nature.ATTACK, zh="readerAuthAll 中安全模組的簽章不符：拒絕", each=lambda: {
    "spoilt": Each("spoilt"), "other-session": Each("other-session"),
})
def test_sam_signs_all_of_the_request(wallet: WalletTester, how: str) -> None:
    """A request over all of which the SAM's signature does not hold is refused, though its first one does."""
    before = wallet.meet(Use.TREATMENT)
    opened = wallet.meet(Use.TREATMENT)
    world = wallet.world
    asked = signed(CONSULTATION, opened.transcript, world.sam, (world.sam, world.physician))
    if how == "spoilt":
        first = replace(asked.auth_all[0], signature=bytes(64))
    else:
        first = signed(CONSULTATION, before.transcript, world.sam, (world.sam, world.physician)).auth_all[0]
    _answered(wallet, opened, replace(asked, auth_all=(first, asked.auth_all[1])).to_bytes(), FORGED)


@case("P-RDR-05", "P-RDR-02", "P-REQ-01", nature=Nature.ATTACK, zh="deviceRequestInfo 受簽章保護", each=lambda: {
    "as-signed": Each(None, nature=Nature.VALID), "another": Each(dumps({"a key of somebody else's": 2})), "left-out": Each(b""),
})
def test_request_info_is_signed(wallet: WalletTester, instead: bytes | None) -> None:
    """deviceRequestInfo is covered by the signatures over all of the request."""
    opened, world = wallet.meet(Use.TREATMENT), wallet.world
    auth = world.sam.sign(signed_by_reader(CONSULTATION, opened.transcript))
    asked = DeviceRequest("1.1", (DocRequest(CONSULTATION, auth),), info=dumps({"a key of somebody else's": 1}))
    message = asked.signed_by_all(opened.transcript)
    asked = asked.with_auth_all(world.sam.sign(message)).with_auth_all(world.physician.sign(message))
    if instead is not None:
        asked = replace(asked, info=instead or None)
    _answered(wallet, opened, asked.to_bytes(), SHOWN if instead is None else FORGED)


# -- form

def _auths() -> Mapping[str, Each]:
    def item(number: int, value: Any) -> Callable[[list[Any]], Any]:
        return lambda auth: [*auth[:number], value, *auth[number + 1 :]]

    return {
        "five-items": Each(lambda auth: [*auth, 0], "A COSE_Sign1 of five items", "COSE_Sign1 有五項"),
        "three-items": Each(lambda auth: auth[:3], "A COSE_Sign1 of three items", "COSE_Sign1 有三項"),
        "header-no-cbor": Each(item(0, b"\xff"), "A protected header that is no CBOR", "受保護標頭不是 CBOR"),
        "header-is-array": Each(item(0, dumps([ALG, ES256])), "A protected header that is an array", "受保護標頭是陣列"),
        "header-empty": Each(item(0, b""), "An empty protected header", "受保護標頭是空的"),
        "other-algorithm": Each(item(0, dumps({ALG: -8})), "Another algorithm", "別的演算法"),
        "critical": Each(item(0, dumps({ALG: ES256, CRIT: [99], 99: 0})), "A critical header", "關鍵標頭"),
        "payload-there": Each(item(2, b"\xf6"), "A payload that is not detached", "內容未分離"),
    }


@case("P-REQ-02", "P-RDR-01", "P-CBR-01", "P-CBR-04",
      nature=Nature.INVALID, zh="readerAuth 不是該有的 COSE_Sign1：狀態 11", each=_auths)
def test_reader_auth_of_another_form_is_malformed(wallet: WalletTester, change: Callable[[list[Any]], Any]) -> None:
    """A readerAuth that is no detached COSE_Sign1 with ES256 is answered with status 11."""
    opened = wallet.meet(Use.REGISTRATION)
    tree = cbor2.loads(signed(REGISTRATION, opened.transcript, wallet.world.sam).to_bytes())
    document = tree["docRequests"][0]
    document["readerAuth"] = change(document["readerAuth"])
    _is_no_request(wallet, opened, dumps(tree))


@case("P-REQ-02", "P-CBR-01", nature=Nature.INVALID, zh="itemsRequest 不是 #6.24 包裝的位元組：狀態 11", each=lambda: {
    "tag-99": Each(99, "Items inside #6.99", "要求在 #6.99 裡"), "text-inside": Each(24, "A text inside #6.24", "#6.24 裡是文字"),
})
def test_items_of_another_form_are_malformed(wallet: WalletTester, tag: int) -> None:
    """An itemsRequest that is not embedded as it should be is answered with status 11."""
    opened = wallet.meet(Use.REGISTRATION)
    tree = cbor2.loads(signed(REGISTRATION, opened.transcript, wallet.world.sam).to_bytes())
    document = tree["docRequests"][0]
    document["itemsRequest"] = cbor2.CBORTag(tag, "items" if tag == 24 else document["itemsRequest"].value)
    _is_no_request(wallet, opened, dumps(tree))


def _is_no_request(wallet: WalletTester, opened: ReaderSession, raw: bytes) -> None:
    answer = wallet.request(opened, raw, "what is no request")
    wallet.equal("status of the response", answer.status, NO_REQUEST)
    wallet.equal("documents in it", len(answer.documents), 0)


# -- how many

def _documents(wallet: WalletTester, opened: ReaderSession, others: int, sam: Reader | None) -> bytes:
    """A registration, and requests for so many documents that there are not."""
    wanted = [REGISTRATION, *(_licence(number) for number in range(others))]
    auths = [None if sam is None else sam.sign(signed_by_reader(items, opened.transcript)) for items in wanted]
    documents = tuple(DocRequest(items, auth) for items, auth in zip(wanted, auths, strict=True))
    return DeviceRequest("1.0", documents).to_bytes()


def _licence(number: int) -> Any:
    return items_request(f"org.example.licence.{number}", {"org.example": {"family_name": False}})


@case("P-REQ-04", "P-ERR-01", nature=Nature.LIMIT, zh="一次最多要求八份文件", each=lambda: {"eight": Each(7), "nine": Each(8)})
def test_documents_of_a_request_have_a_limit(wallet: WalletTester, others: int) -> None:
    """Eight documents are asked for at once, and those that there are not are answered with 0; nine are no request."""
    opened = wallet.meet(Use.REGISTRATION)
    raw = _documents(wallet, opened, others, wallet.world.sam)
    if others == 8:
        _is_no_request(wallet, opened, raw)
        return
    answer = wallet.request(opened, raw, "eight documents")
    wallet.equal("documents in the answer", len(answer.documents), 1)
    wallet.equal("errors", dict(answer.errors), {_licence(number).doctype: 0 for number in range(others)})


@case("P-RDR-12", "P-ERR-01", "P-PRV-04", "P-RSP-02", "P-RSP-03",
      nature=Nature.ATTACK, zh="未證明身分的讀取者：每份文件都是同一錯誤，不透露有無", each=lambda: {
    "with-ours": Each(True), "another-alone": Each(False),
})
def test_unproved_reader_learns_nothing(wallet: WalletTester, ours: bool) -> None:
    """A reader that proved nothing hears the same of every document that it asks for, whether there is one or not."""
    opened = wallet.meet(Use.REGISTRATION)
    if ours:
        raw = _documents(wallet, opened, 1, None)
    else:
        raw = DeviceRequest("1.0", (DocRequest(_licence(0)),)).to_bytes()
    answer = wallet.request(opened, raw, "an unsigned request")
    wallet.equal("documents in the answer", len(answer.documents), 0)
    expected = {vhc.DOCTYPE: MISSING} if ours else {}
    wallet.equal("errors", dict(answer.errors), {_licence(0).doctype: MISSING, **expected})


@case("P-ERR-01", nature=Nature.VALID, zh="沒有的文件：錯誤 0")
def test_document_that_there_is_not(wallet: WalletTester) -> None:
    """A document that there is not is answered with 0 to a SAM."""
    opened = wallet.meet(Use.REGISTRATION)
    items = _licence(0)
    answer = wallet.request(opened, signed(items, opened.transcript, wallet.world.sam).to_bytes(), "another document")
    wallet.equal("documents in the answer", len(answer.documents), 0)
    wallet.equal("errors", dict(answer.errors), {items.doctype: 0})


@case("P-RDR-06", "P-REQ-01", nature=Nature.LIMIT, zh="readerAuthAll 最多四個簽章", each=lambda: {
    "four": Each(4), "five": Each(5),
})
def test_readers_of_a_request_have_a_limit(wallet: WalletTester, count: int) -> None:
    """Four signatures over all of a request are one too many for a professional to be known; five are no request."""
    opened, world = wallet.meet(Use.TREATMENT), wallet.world
    everybody = (world.sam, world.physician, world.pharmacist, world.pharmacist, world.pharmacist)[:count]
    raw = signed(CONSULTATION, opened.transcript, world.sam, everybody).to_bytes()
    if count == 5:
        _is_no_request(wallet, opened, raw)
        return
    answer = wallet.request(opened, raw, "four signatures")
    wallet.equal("status of the response", answer.status, ResponseStatus.OK)
    wallet.expect("no medical data", vhc.MEDICAL not in wallet.shown(opened, answer), "none", "medical data")
