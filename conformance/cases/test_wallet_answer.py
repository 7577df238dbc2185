"""What a wallet's answer is made of: its document, namespaces, codes, and how it reads what is encoded otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import cbor2

from conformance.case import Each, Nature, case
from conformance.kinds.wallet import REGISTRATION, WalletTester
from conformance.vectors.world import signed
from conformance.vectors.writing import Writer
from virtual_devices import vhc
from virtual_devices.clock import to_datetime
from virtual_devices.cose import Sign1, Signature, decode_sign, signer_structure
from virtual_devices.mdoc.request import items_request
from virtual_devices.mdoc.tagged import dumps, embed
from virtual_devices.reader.proximity import ReaderSession
from virtual_devices.wallet.consent import Use
from virtual_devices.write_back import Kind, Record, WriteOutcome, signer_header

BY_ISSUER, BY_DEVICE = {vhc.BASIC, vhc.MEDICAL}, {vhc.RECORDS, vhc.DELEGATION, vhc.WRITE}


# -- the document

@case("P-DOC-01", "P-DOC-02", nature=Nature.VALID, zh="虛擬健保卡之文件類型與命名空間：何者由發行者簽署、何者由裝置簽署")
def test_document_has_its_type_and_namespaces(wallet: WalletTester) -> None:
    """The card is a document of its type; basic and medical data are the issuer's word, records and delegation the device's."""
    opened = wallet.meet()
    answer = wallet.consultation(opened)
    wallet.equal("document types", [document.doctype for document in answer.documents], [vhc.DOCTYPE])
    found = wallet.believed(opened, answer.documents[0])
    ours, own = set(found.values), {space for space, values in found.device_values.items() if values}
    wallet.equal("namespaces of the issuer", ours, BY_ISSUER)
    wallet.expect("namespaces of the device", bool(own) and own <= BY_DEVICE, BY_DEVICE, own)
    wallet.equal("what the device may sign", set(found.mso.authorised), BY_DEVICE)


@case("P-DOC-03", "P-VER-01", nature=Nature.INVALID, zh="別的主版本即別的類型：錯誤 0")
def test_another_version_is_another_type(wallet: WalletTester) -> None:
    """A document type and a namespace of another major version are not known: 0 for the one, 0 for the elements of the other."""
    opened = wallet.meet(Use.REGISTRATION)
    later, space = vhc.DOCTYPE[:-1] + "2", vhc.BASIC[:-1] + "2"
    items = items_request(later, {vhc.BASIC: {"name": False}})
    answer = wallet.request(opened, signed(items, opened.transcript, wallet.world.sam).to_bytes(), "another type")
    wallet.equal("documents in the answer", len(answer.documents), 0)
    wallet.equal("errors", dict(answer.errors), {later: 0})
    items = items_request(vhc.DOCTYPE, {vhc.BASIC: {"name": False}, space: {"name": False}})
    answer = wallet.request(opened, wallet.asked(opened, items), "another namespace")
    wallet.equal("documents in the next answer", len(answer.documents), 1)
    wallet.equal("errors of its elements", dict(answer.documents[0].errors.get(space, {})), {"name": 0})


@case("P-RSP-04", "P-ELE-07", nature=Nature.VALID, zh="要求而未出示之欄位皆有代碼")
def test_element_that_is_not_there_has_its_code(wallet: WalletTester) -> None:
    """Every element that was asked for is shown or has its code; of one's own card there is no delegation."""
    opened = wallet.meet(Use.REGISTRATION)
    answer = wallet.request(opened, wallet.asked(opened, REGISTRATION), "registration")
    wallet.equal("documents in the answer", len(answer.documents), 1)
    shown = wallet.shown(opened, answer)
    told = answer.documents[0].errors
    for space, names in vhc.REGISTRATION.items():
        there, coded = set(shown.get(space, {})), set(told.get(space, {}))
        wallet.equal(f"elements of {space}", there | coded, set(names))
        wallet.equal(f"both shown and refused of {space}", there & coded, set())
    if not shown.get(vhc.BASIC, {}).get(vhc.HELD_UNDER):
        wallet.equal("codes of the delegation", dict(told.get(vhc.DELEGATION, {})), {"authorization": 0, "proof": 0})


@case("P-ELE-06", nature=Nature.VALID, zh="尚未寫入：資料版次 0，紀錄皆為錯誤 0")
def test_wallet_without_records_says_so(wallet: WalletTester) -> None:
    """Before anything is written generation is 0, and visits, prescriptions and certificates are not there: 0."""
    wallet.empty()
    opened = wallet.meet()
    names = ("visits", "prescriptions", "certificates")
    items = items_request(vhc.DOCTYPE, {vhc.RECORDS: dict.fromkeys((*names, "generation"), False)})
    answer = wallet.request(opened, wallet.asked(opened, items, wallet.world.physician), "records")
    wallet.equal("what is shown", dict(wallet.shown(opened, answer).get(vhc.RECORDS, {})), {"generation": 0})
    codes = dict(answer.documents[0].errors.get(vhc.RECORDS, {}))
    wallet.equal("codes", codes, dict.fromkeys(names, 0))


@case("P-RSP-05", nature=Nature.VALID, zh="以裝置簽章證明，不以 MAC")
def test_device_signs_its_answer(wallet: WalletTester) -> None:
    """The device proves itself by a signature, which others can check too, detached and by ES256."""
    opened = wallet.meet()
    answer = wallet.consultation(opened)
    wallet.equal("documents in the answer", len(answer.documents), 1)
    auth = answer.documents[0].device.auth
    wallet.expect("a deviceSignature", isinstance(auth, Sign1), "a signature", "a MAC")
    assert isinstance(auth, Sign1)
    wallet.expect("its payload is detached", auth.payload is None, "none", auth.payload)


@case("P-RSP-02", "P-RSP-07", nature=Nature.VALID, zh="版次與回條並列：版次為寫入前者", destructive=True, when="write_back")
def test_generation_beside_a_receipt_is_the_one_before(wallet: WalletTester) -> None:
    """A generation that is asked for beside a batch is the one before it; the receipt has the one after."""
    opened = wallet.meet()
    raw = Writer(wallet.holding(wallet.shown_card(opened))).visit().to_bytes()
    items = items_request(vhc.DOCTYPE, {vhc.RECORDS: {"generation": False}}, {vhc.WRITE_INFO: embed(raw)})
    answer = wallet.request(opened, wallet.asked(opened, items, wallet.world.physician), "write back")
    wallet.equal("generation", wallet.shown(opened, answer).get(vhc.RECORDS, {}).get("generation"), 0)
    receipt = wallet.receipt(opened, answer)
    wallet.equal("outcome and generation in the receipt", (receipt.outcome, receipt.generation), (WriteOutcome.STORED, 1))


# -- other encodings of the same

def _indefinite(raw: bytes) -> bytes:
    """A map of fewer than 24 pairs, of indefinite length."""
    return b"\xbf" + raw[1:] + b"\xff"


def _other_request(how: str) -> Callable[[WalletTester, ReaderSession], bytes]:
    def make(wallet: WalletTester, opened: ReaderSession) -> bytes:
        if how == "inside":  # what was signed is what came
            items = replace(REGISTRATION, raw=_indefinite(REGISTRATION.raw))
            return signed(items, opened.transcript, wallet.world.sam).to_bytes()
        raw = signed(REGISTRATION, opened.transcript, wallet.world.sam).to_bytes()
        if how == "outside":
            return _indefinite(raw)
        if how == "order":
            body = cbor2.loads(raw)
            return bytes(cbor2.dumps(dict(reversed(body.items()))))
        short = b"\xd8\x18\x59" + len(REGISTRATION.raw).to_bytes(2, "big")
        return raw.replace(short, b"\xd8\x18\x5a" + len(REGISTRATION.raw).to_bytes(4, "big"), 1)
    return make


@case("P-CBR-02", nature=Nature.VALID, zh="其他合法之 CBOR 編碼：照常回覆", each=lambda: {
    "indefinite": Each("outside", "A map of indefinite length", "不定長度之映射"),
    "items-indefinite": Each("inside", "Items of indefinite length, signed as they came", "要求本身為不定長度，依原樣簽章"),
    "order": Each("order", "Keys in another order", "鍵的順序不同"),
    "longer-length": Each("longer", "A longer length of the items, signed in the shortest form", "內嵌長度較長，簽章取最短"),
})
def test_other_encoding_of_a_request_is_taken(wallet: WalletTester, how: str) -> None:
    """A request that is encoded in another valid way is answered as the usual one."""
    opened = wallet.meet(Use.REGISTRATION)
    answer = wallet.request(opened, _other_request(how)(wallet, opened), "a request encoded otherwise")
    wallet.equal("errors", dict(answer.errors), {})
    wallet.equal("documents in the answer", len(answer.documents), 1)


@case("P-CBR-03", nature=Nature.VALID, zh="未知的鍵：略過", destructive=True, when="write_back", each=lambda: {
    "batch": Each("batch", "A key of a batch that nobody knows", "批次中未知的鍵"),
    "record": Each("record", "A key of a record that nobody knows", "紀錄中未知的鍵"),
})
def test_unknown_key_is_overlooked(wallet: WalletTester, where: str) -> None:
    """A key that nobody knows is overlooked in batches and records."""
    opened = wallet.meet()
    writer = Writer(wallet.holding(wallet.shown_card(opened)))
    batch = writer.visit()
    if where == "batch":
        raw = dumps({**cbor2.loads(batch.to_bytes()), 99: b"more"})
    else:
        raw = writer.batch(_signed(writer, writer.record(Kind.VISIT, 1), lambda body: {**body, 99: b"more"})).to_bytes()
    wallet.settled(opened, raw, WriteOutcome.STORED)


def _signed(writer: Writer, record: Record, change: Callable[[dict[Any, Any]], dict[Any, Any]]) -> bytes:
    """A record with another payload, by the physician and the SAM."""
    body = cbor2.loads(record.to_bytes())
    message = replace(decode_sign(writer.sign(record)), payload=cbor2.dumps(change(body)), signatures=())
    for signer in (writer.world.physician, writer.world.sam):
        header = signer_header(signer.chain[0])
        value = writer.world.es256(signer.key, signer_structure(message.protected, header, message.payload))
        message = message.with_signature(Signature(header, {}, value))
    return message.to_bytes()


def _moments() -> Mapping[str, Each]:
    def tagged(form: Callable[[datetime], str]) -> Callable[[datetime], cbor2.CBORTag]:
        return lambda now: cbor2.CBORTag(0, form(now))

    taipei = timezone(timedelta(hours=8))
    stored, malformed = WriteOutcome.STORED, None
    return {
        "utc": Each((tagged(lambda now: f"{now:%Y-%m-%dT%H:%M:%SZ}"), stored), "A moment in UTC", "世界標準時"),
        "offset": Each((tagged(lambda now: now.astimezone(taipei).isoformat()), stored), "A moment with another offset",
                       "帶別的時差", nature=Nature.VALID),
        "no-offset": Each((tagged(lambda now: f"{now:%Y-%m-%dT%H:%M:%S}"), malformed), "A moment without an offset", "未帶時差",
                          nature=Nature.INVALID),
        "a-number": Each((lambda now: int(now.timestamp()), malformed), "A number in its place", "以數字代替",
                         nature=Nature.INVALID),
    }


@case("P-CBR-05", nature=Nature.VALID, zh="tdate 之形式", destructive=True, when="write_back", each=_moments)
def test_moment_has_an_offset(
    wallet: WalletTester, tried: tuple[Callable[[datetime], object], WriteOutcome | None],
) -> None:
    """A moment is taken with any offset, and none without."""
    form, outcome = tried
    opened = wallet.meet()
    writer = Writer(wallet.holding(wallet.shown_card(opened)))
    now = to_datetime(writer.at_ns).astimezone(UTC).replace(microsecond=0)
    raw = writer.batch(_signed(writer, writer.record(Kind.VISIT, 1), lambda body: {**body, 4: form(now)})).to_bytes()
    if outcome is None:
        wallet.nothing(wallet.write(opened, raw), -6)
    else:
        wallet.settled(opened, raw, outcome)


# -- whose record it is, and which receipts are kept

@case("P-WRT-03", nature=Nature.ATTACK, zh="紀錄寫明的卡片不是這一張：不是這位持卡人", destructive=True)
def test_record_names_the_card_that_it_is_for(wallet: WalletTester) -> None:
    """A record for another card is refused; one that names this card's key is stored."""
    opened = wallet.meet()
    writer = Writer(wallet.holding(wallet.shown_card(opened)))
    other = writer.sign(writer.record(Kind.VISIT, 1, holder=bytes(32)))
    wallet.settled(opened, writer.batch(other).to_bytes(), WriteOutcome.WRONG_HOLDER)
    wallet.settled(opened, writer.batch(writer.sign(writer.record(Kind.VISIT, 2)), number_=2).to_bytes(), WriteOutcome.STORED)


@case("P-WBK-09", nature=Nature.LIMIT, zh="保存最近 64 張回條：更早的批次因版次而拒絕", destructive=True)
def test_newest_receipts_are_kept(wallet: WalletTester) -> None:
    """The newest 64 receipts are kept; the batch before them is refused for its generation, and stands there once."""
    opened = wallet.meet()
    writer = Writer(wallet.holding(wallet.shown_card(opened)))
    fees = [writer.sign(writer.record(Kind.FEE, n)) for n in range(1, 66)]
    batches = [writer.batch(fee, number_=n + 1, generation=n).to_bytes() for n, fee in enumerate(fees)]
    for at in range(0, 65, 13):  # sixteen requests make a session
        for raw in batches[at : at + 13]:
            wallet.settled(opened, raw, WriteOutcome.STORED)
        opened = wallet.meet()
        wallet.shown_card(opened)
    wallet.settled(opened, batches[1], WriteOutcome.ALREADY)
    wallet.settled(opened, batches[0], WriteOutcome.CONFLICT)
    wallet.equal("generation", wallet.recorded(opened, "generation").get("generation"), 65)


