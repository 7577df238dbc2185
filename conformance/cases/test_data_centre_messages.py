"""What desks say to a data centre: who is believed, what is no message, and that the same again is done once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cbor2

from conformance.case import Each, Nature, case
from conformance.kinds.data_centre import DataCentreTester
from conformance.town import CHILD_NO, HOLDER
from conformance.vectors.world import CARD_NO, INSTITUTION, SAM_ID
from virtual_devices import cose, pki
from virtual_devices.authentication import Party, padded_id, proof_message
from virtual_devices.certificates import READER
from virtual_devices.clock import NS
from virtual_devices.pki import DAY_NS, Identity, Role, Verified

SKEW_NS = 900 * NS
BEGIN = {"card_no": CARD_NO, "visit_type": "01"}
REQUEST = b"conformance 0001"
Signer = Callable[[DataCentreTester], Identity]


@case("P-DCM-01", "P-DCM-02", "P-DCM-05", nature=Nature.VALID, zh="安全模組與資料中心互相驗證，並告知時間")
def test_data_centre_proves_itself_to_the_sam_that_asks(data_centre: DataCentreTester) -> None:
    """verify-sam: the data centre signs the challenge for this SAM, and tells the time."""
    challenge = data_centre.fresh(16)
    body = data_centre.done("verify-sam", {"challenge": challenge})
    who = data_centre.world.root.check_bytes(body["chain"], {Role.DATA_CENTRE}, data_centre.now_ns)
    data_centre.expect("the chain is the data centre's", isinstance(who, Verified), "a chain", who)
    assert isinstance(who, Verified)
    signed = proof_message(Party.DATA_CENTRE, challenge, padded_id(SAM_ID))
    data_centre.expect("the proof is over this challenge and for this SAM", pki.verify(who.key, body["proof"], signed))
    other = proof_message(Party.DATA_CENTRE, challenge, padded_id("SAM000000009"))
    data_centre.expect("and for no other", not pki.verify(who.key, body["proof"], other))
    data_centre.moment("the time", body["time_ns"], data_centre.now_ns)


def _signers() -> Mapping[str, Each]:
    def renewed(role: Role = Role.SAM, begins_h: float = -1, hours: float = 72) -> Signer:
        def make(t: DataCentreTester) -> Identity:
            from_ns = t.now_ns + round(begins_h * 3600) * NS
            reader = t.world.reader(role, SAM_ID, organisation=INSTITUTION, from_ns=from_ns, hours=hours)
            return Identity(reader.key, reader.chain)
        return make

    def of(change: Callable[[DataCentreTester], Identity]) -> Signer:
        return change

    def stranger(t: DataCentreTester) -> Identity:
        reader = t.world.reader(Role.SAM, SAM_ID, organisation=INSTITUTION, authority=t.world.stranger)
        return Identity(reader.key, reader.chain)

    def other_purpose(t: DataCentreTester) -> Identity:
        key = t.clinic.sam.key
        leaf = t.world.leaf(READER, SAM_ID, key.public_key(), [Role.SAM.oid], [pki.DOCUMENT_SIGNING])
        return Identity(key, (leaf,))

    def five(t: DataCentreTester) -> Identity:
        chain = t.clinic.sam.chain
        return Identity(t.clinic.sam.key, chain + chain[1:] * 3)

    sam = "P-CRT-02"
    return {
        "expired": Each((renewed(begins_h=-100, hours=99), "9061"), "A SAM whose certificate is over is refused.",
                        "安全模組憑證已過期", ("P-DCM-01", "P-GEN-08")),
        "not-yet": Each((renewed(begins_h=1), "9061"), "A SAM whose certificate has not begun is refused.", "憑證尚未生效",
                        ("P-DCM-01",)),
        "stranger": Each((stranger, "9014"), "A SAM of an authority that nobody trusts is refused.",
                         "非信任機構簽發之安全模組", (sam,), Nature.ATTACK),
        "physician": Each((renewed(Role.PHYSICIAN), "9013"), "A professional's card is no SAM.", "以醫事人員憑證代替安全模組",
                          ("P-CRT-04", "P-CRT-05"), Nature.ATTACK),
        "no-chain": Each((of(lambda t: Identity(t.clinic.sam.key, ())), "9013"), "A request without a chain is refused.",
                         "未附憑證鏈", ("P-DCM-01",)),
        "root-sent-alone": Each((of(lambda t: Identity(t.world.authority.root_key, (t.world.authority.root_der,))), "9014"),
                                "The root's own certificate is nobody's.", "僅附根憑證", (sam,), Nature.ATTACK),
        "leaf-alone": Each((of(lambda t: Identity(t.clinic.sam.key, t.clinic.sam.chain[:1])), "9014"),
                           "A leaf without its authority leads to no root.", "僅附末端憑證", (sam,)),
        "too-long": Each((of(lambda t: Identity(t.clinic.sam.key, t.clinic.sam.chain * 3)), "9013"),
                         "A chain of six certificates is refused.", "憑證鏈過長", ("P-CRT-01",), Nature.LIMIT),
        "five-certificates": Each((of(five), "9013"), "A chain of five certificates is refused.", "五張憑證（上限四張）",
                                  ("P-CRT-01",), Nature.LIMIT),
        "other-purpose": Each((of(other_purpose), "9013"), "A SAM whose certificate is for signing documents is refused.",
                              "安全模組憑證之用途為簽發文件", ("P-CRT-01",), Nature.ATTACK),
        "no-certificate": Each((of(lambda t: Identity(t.clinic.sam.key, (b"x",))), "9013"), "What is no certificate is refused.",
                               "憑證無法解讀", ("P-CRT-01",)),
        "another-key": Each((of(lambda t: Identity(t.pharmacy.sam.key, t.clinic.sam.chain)), "9020"),
                            "Another key's signature under a right chain is refused.", "以他鑰簽章並附正確憑證鏈",
                            ("P-DCM-01",), Nature.ATTACK),
        "another-institution": Each((of(lambda t: Identity(t.pharmacy.sam.key, t.pharmacy.sam.chain)), "9014"),
                                    "An institution that calls itself another is refused.", "冒用他院所代碼", ("P-DCM-01",),
                                    Nature.ATTACK),
    }


@case(nature=Nature.INVALID, zh="由不該簽章者簽署之要求", each=_signers)
def test_signer_is_refused(data_centre: DataCentreTester, value: tuple[Signer, str]) -> None:
    """A request by somebody who is no SAM of this institution."""
    signer, code = value
    raw = data_centre.message("begin-visit", BEGIN, request=REQUEST, signer=signer(data_centre))
    data_centre.refused(raw, code, REQUEST)
    data_centre.expect("and no visit was begun", data_centre.done("begin-visit", BEGIN)["same_day"] is False)


def _payloads() -> Mapping[str, Each]:
    numbered = REQUEST
    return {
        "version-2": Each(({1: 2}, "9002", b""), "Another version.", "版本不同", ("P-VER-01",)),
        "no-version": Each(({1: None}, "9002", b""), "No version.", "無版本"),
        "short-id": Each(({3: b"short"}, "9002", b""), "A request id of five bytes.", "要求識別碼僅 5 位元組"),
        "text-id": Each(({3: "r" * 16}, "9002", b""), "A request id that is text.", "要求識別碼為文字"),
        "no-id": Each(({3: None}, "9002", b""), "No request id.", "無要求識別碼"),
        "operation-unknown": Each(({2: "erase"}, "9002", numbered), "An operation that there is not.", "無此作業"),
        "operation-list": Each(({2: []}, "9002", numbered), "An operation that is a list.", "作業名稱為陣列"),
        "operation-map": Each(({2: {}}, "9002", numbered), "An operation that is a map.", "作業名稱為對照表"),
        "arguments-list": Each(({7: []}, "9002", numbered), "Arguments that are a list.", "參數為陣列"),
        "no-arguments": Each(({7: None}, "9002", numbered), "No arguments.", "無參數"),
        "time-text": Each(({6: "now"}, "9002", numbered), "A time that is text.", "時間為文字"),
        "no-time": Each(({6: None}, "9002", numbered), "No time.", "無時間"),
        "huge-time": Each(({6: 10**19}, "9001", numbered), "A time hundreds of years ahead.", "時間遠在未來", ("P-DCM-04",)),
        "institution": Each(({4: "8801180014"}, "9014", numbered), "Another institution than the certificate's.",
                            "院所代碼與憑證不符"),
        "no-institution": Each(({4: None}, "9014", numbered), "No institution.", "無院所代碼"),
        "sam": Each(({5: "SAM000000009"}, "9014", numbered), "Another SAM than the certificate's.", "安全模組編號與憑證不符"),
    }


@case("P-DCM-01", "P-GEN-08", nature=Nature.INVALID, zh="要求內容不合格式", each=_payloads)
def test_payload_is_refused(data_centre: DataCentreTester, value: tuple[Mapping[int, Any], str, bytes]) -> None:
    """A signed request that is not as the profile has it."""
    change, code, echoed = value
    data_centre.refused(data_centre.message("begin-visit", BEGIN, request=REQUEST, change=change), code, echoed)
    data_centre.expect("and no visit was begun", data_centre.done("begin-visit", BEGIN)["same_day"] is False)


def _bytes() -> Mapping[str, Each]:
    def changed(change: Callable[[DataCentreTester, bytes], bytes]) -> Callable[[DataCentreTester, bytes], bytes]:
        return change

    def raw_payload(t: DataCentreTester, payload: bytes) -> bytes:
        return t.signed(payload, Identity(t.clinic.sam.key, t.clinic.sam.chain))

    def twice(t: DataCentreTester, raw: bytes) -> bytes:
        payload = cose.decode(raw).payload or b""
        return raw_payload(t, bytes([payload[0] + 1]) + payload[1:] + b"\x01\x01")

    def inside(t: DataCentreTester, raw: bytes, value: Any) -> bytes:
        payload = {**cbor2.loads(cose.decode(raw).payload or b""), 99: value}
        return raw_payload(t, cbor2.dumps(payload))

    def deep(t: DataCentreTester, raw: bytes) -> bytes:
        payload = cose.decode(raw).payload or b""
        return raw_payload(t, bytes([payload[0] + 1]) + payload[1:] + b"\x18\x63" + b"\x81" * 70 + b"\x01")

    def untagged(t: DataCentreTester, raw: bytes) -> bytes:
        return cbor2.dumps(cbor2.loads(raw).value)

    def tagged(number: int) -> Callable[[DataCentreTester, bytes], bytes]:
        return lambda _t, raw: cbor2.dumps(cbor2.CBORTag(number, cbor2.loads(raw).value))

    def headed(t: DataCentreTester, header: Mapping[int, Any]) -> bytes:
        return t.message("begin-visit", BEGIN, request=REQUEST, protected=cose.encode_protected(header))

    cbor, tags = ("P-CBR-01", "P-GEN-08"), ("P-CBR-04", "P-GEN-08")
    return {
        "nothing": Each((changed(lambda _t, _raw: b"\xf6"), "9001"), "A null in place of a message.", "內容為 null", cbor),
        "noise": Each((changed(lambda _t, _raw: b"\xff" * 50), "9001"), "Bytes that are no CBOR.", "非 CBOR 位元組", cbor),
        "cut": Each((changed(lambda _t, raw: raw[:-1]), "9001"), "The last byte is missing.", "缺最後一位元組", cbor,
                    Nature.MEDIUM),
        "byte-more": Each((changed(lambda _t, raw: raw + b"\0"), "9001"), "A byte behind the message.", "訊息後多一位元組", cbor),
        "nested": Each((changed(lambda _t, _raw: b"\x81" * 100_000), "9001"), "A hundred thousand arrays in one another.",
                       "十萬層陣列", cbor, Nature.ATTACK),
        "payload-deep": Each((deep, "9002"), "A payload nested deeper than 64.", "內容巢狀超過 64 層", cbor, Nature.LIMIT),
        "payload-twice": Each((twice, "9002"), "A key stands twice in the payload.", "內容鍵值重複", cbor),
        "payload-shared": Each((changed(lambda t, raw: inside(t, raw, cbor2.CBORTag(28, [1]))), "9002"),
                               "A tag that shares references stands in the payload.", "內容含共用參照標籤", cbor),
        "payload-bignum": Each((changed(lambda t, raw: inside(t, raw, cbor2.CBORTag(3, b"\1" * 9))), "9002"),
                               "A number without bound stands in the payload.", "內容含無界大數", cbor),
        "payload-no-map": Each((changed(lambda t, _raw: raw_payload(t, b"no map")), "9002"), "A payload that is no map.",
                               "內容非對照表", cbor),
        "untagged": Each((untagged, "9001"), "A request without tag 18.", "無標籤 18", tags),
        "mac-tag": Each((tagged(17), "9001"), "A request under the tag of a MAC.", "標籤為 COSE_Mac0", tags),
        "no-algorithm": Each((changed(lambda t, _raw: headed(t, {})), "9001"), "A protected header without an algorithm.",
                             "保護標頭無演算法", tags),
        "another-algorithm": Each((changed(lambda t, _raw: headed(t, {1: -35})), "9001"), "A header that names ES384.",
                                  "保護標頭為 ES384", ("P-CBR-04", "P-GEN-05"), Nature.ATTACK),
        "critical": Each((changed(lambda t, _raw: headed(t, {1: -7, 2: [99], 99: 1})), "9001"),
                         "A header that names something critical.", "保護標頭含 crit", tags),
    }


@case(nature=Nature.INVALID, zh="不成訊息之位元組", each=_bytes)
def test_bytes_are_refused(data_centre: DataCentreTester, value: tuple[Callable[[DataCentreTester, bytes], bytes], str]) -> None:
    """Bytes that are no message of the profile."""
    change, code = value
    raw = data_centre.message("begin-visit", BEGIN, request=REQUEST)
    answer = data_centre.send(change(data_centre, raw), step="no message")
    data_centre.equal("code", data_centre.read(answer, b"")[8], code)
    data_centre.expect("and no visit was begun", data_centre.done("begin-visit", BEGIN)["same_day"] is False)


@case("P-CBR-04", nature=Nature.ATTACK, zh="簽章長度不符：不成立")
def test_signature_of_another_length_does_not_hold(data_centre: DataCentreTester) -> None:
    """A signature of 63 bytes, or of 65, is one that does not hold."""
    whole = cose.decode(data_centre.message("begin-visit", BEGIN, request=REQUEST))
    for signature in (whole.signature[:-1], whole.signature + b"\0", whole.signature[:-1] + bytes([whole.signature[-1] ^ 1])):
        raw = cose.Sign1(whole.protected, whole.unprotected, whole.payload, signature).to_bytes()
        data_centre.refused(raw, "9020", REQUEST)


@case("P-CBR-02", "P-CBR-04", nature=Nature.VALID, zh="以其他有效編碼之要求照收")
def test_other_encodings_and_headers_are_taken(data_centre: DataCentreTester) -> None:
    """A map of indefinite length, longer integers and a protected header that no rule names do no harm."""
    raw = data_centre.message("time", {}, request=REQUEST)
    payload = cose.decode(raw).payload or b""
    data_centre.need("a map with its length in its head", payload[0] == 0xA7)
    signer = Identity(data_centre.clinic.sam.key, data_centre.clinic.sam.chain)
    for other in (b"\xbf" + payload[1:] + b"\xff", b"\xb8\x07" + payload[1:], b"\xa7\x18\x01" + payload[2:]):
        answer = data_centre.read(data_centre.send(data_centre.signed(other, signer)), REQUEST)
        data_centre.equal("code", answer[8], "0")
    header = cose.encode_protected({1: -7, 99: 1})
    answer = data_centre.read(data_centre.send(data_centre.message("time", {}, request=REQUEST, protected=header)), REQUEST)
    data_centre.equal("code", answer[8], "0")


@case("P-DCM-04", nature=Nature.TIMER, zh="要求時間與資料中心相差 15 分鐘以內照辦，超過即拒絕", each=lambda: {
    name: Each((offset, code)) for name, offset, code in (
        ("fifteen-minutes-ago", -SKEW_NS, "0"), ("a-little-earlier", -SKEW_NS - 1, "9001"),
        ("in-fifteen-minutes", SKEW_NS, "0"), ("a-little-later", SKEW_NS + 1, "9001"))
})
def test_time_of_a_request_is_near(data_centre: DataCentreTester, value: tuple[int, str]) -> None:
    """A request up to 15 minutes off is done, one further off is refused."""
    offset, code = value
    near_ns = data_centre.edge_ns(offset, inside=code == "0")
    raw = data_centre.message("time", {}, request=REQUEST, change={6: data_centre.now_ns + near_ns})
    answer = data_centre.read(data_centre.send(raw), REQUEST)
    data_centre.equal("code", answer[8], code)


@case("P-DCM-03", "P-VIS-05", nature=Nature.VALID, zh="同一識別碼重送：同一回覆，只辦一次")
def test_same_request_again_is_done_once(data_centre: DataCentreTester) -> None:
    """The same request id again finds its answer, also with a new signature and a minute later; what it did is done once."""
    first = data_centre.done("begin-visit", BEGIN, request=REQUEST)
    data_centre.later(60)
    data_centre.equal("the answer", dict(data_centre.done("begin-visit", BEGIN, request=REQUEST)), dict(first))
    other = data_centre.done("begin-visit", BEGIN)
    data_centre.expect("another request is another visit", other["identifier"] != first["identifier"], "another", other)
    data_centre.expect("and the second one of the day", other["same_day"] is True)


@case("P-DCM-03", nature=Nature.ATTACK, zh="識別碼屬於使用之院所：他院所之同一識別碼為另一要求")
def test_request_id_belongs_to_its_institution(data_centre: DataCentreTester) -> None:
    """Another institution's request of the same id is another request."""
    mine = data_centre.done("begin-visit", BEGIN, request=REQUEST)
    theirs = data_centre.done("begin-visit", {**BEGIN, "card_no": CHILD_NO}, request=REQUEST, by=data_centre.pharmacy)
    data_centre.expect("another visit", theirs["identifier"] != mine["identifier"], "another", theirs)


@case("P-DCM-03", nature=Nature.INOPPORTUNE, zh="識別碼重用於另一內容：拒絕")
def test_request_id_of_another_visit_is_refused(data_centre: DataCentreTester) -> None:
    """The id of a request that began a visit is refused with another patient."""
    data_centre.done("begin-visit", BEGIN, request=REQUEST)
    code, _ = data_centre.ask("begin-visit", {**BEGIN, "card_no": CHILD_NO}, request=REQUEST)
    data_centre.equal("code", code, "9002")


@case("P-DCM-03", nature=Nature.ATTACK, zh="錄下之要求重播：不生新事")
def test_recorded_request_does_nothing_again(data_centre: DataCentreTester) -> None:
    """The very bytes of a request again begin no second visit, and after a quarter of an hour are refused."""
    raw = data_centre.message("begin-visit", BEGIN, request=REQUEST)
    first = data_centre.read(data_centre.send(raw), REQUEST)
    again = data_centre.read(data_centre.send(raw), REQUEST)
    data_centre.equal("the answer", dict(again[9]), dict(first[9]))
    data_centre.later(901)
    data_centre.refused(raw, "9001", REQUEST)


ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "verify-sam": {"challenge": bytes(16)},
    "card-challenge": {"card_no": CARD_NO},
    "card-session": {"card_no": CARD_NO, "proof": bytes(64), "chain": b"\x80"},
    "late-records": {"card_no": CARD_NO, "records": [b"r"], "chains": [[b"c"]]},
    "begin-visit": {"card_no": CARD_NO, "visit_type": "01", "visited_at": "1150302080000", "authorization": bytes(16)},
    "begin-visit-no-card": {"id_no": HOLDER.holder.id_no},
    "visit-identifier": {"id_no": HOLDER.holder.id_no, "visit_type": "01", "visited_at": "1150302075000"},
    "roll-back": {"identifier": "0" * 20, "sequence": "0001"},
    "update-card": {"card_no": CARD_NO, "challenge": bytes(16), "visits_left": 1, "expiry_date": "1160101"},
    "sign-visit": {"card_no": CARD_NO, "visited_at": "1150302080000", "sequence": "W001", "entries": [bytes(61)]},
    "upload": {"batch": bytes(16), "digest": bytes(32), "index": 0, "total": 1, "part": b"p"},
    "upload-file": {"content": b"c", "digest": bytes(32), "records": 1, "sent_ns": 1_772_409_600 * NS},
    "eligibility": {"card_no": CARD_NO},
    "check-person": {"id_no": HOLDER.holder.id_no, "birth_date": HOLDER.holder.birth_roc},
    "home-package": {"card_no": CARD_NO, "purpose": "home-care", "until_ns": 1_772_413_200 * NS, "hpc": b"\x80", "proof": b"p"},
    "emergency-open": {"reason": "no card", "hpc": b"\x80", "proof": b"p", "id_no": ""},
    "emergency-account": {"access": bytes(16), "card_no": CARD_NO, "said": "so"},
    "qr-scan": {"token": "t"}, "reader-certificates": {"hpc": b"\x80"},
    "rx-find": {"card_no": CARD_NO}, "rx-store": {"record": b"r", "chains": []},
}
"""Operations of a desk, with arguments of the right types."""


def _spoilt() -> Mapping[str, Each]:
    return {
        f"{operation}-{name}": Each((operation, name), f"{operation}: {name} of another type is refused.",
                                    f"{operation} 之 {name} 型別不符")
        for operation, arguments in ARGUMENTS.items() for name in arguments if (operation, name) not in _OTHERWISE
    }


_OTHERWISE = {("rx-store", "record"), ("rx-store", "chains"), ("rx-find", "card_no"), ("qr-scan", "token")}
"""Arguments that are refused by codes of their own: other cases try them."""


@case("P-DCM-05", "P-GEN-08", nature=Nature.INVALID, zh="參數型別不符", each=_spoilt)
def test_argument_of_another_type_is_refused(data_centre: DataCentreTester, value: tuple[str, str]) -> None:
    """An argument of another type is refused, and nothing falls over."""
    operation, name = value
    right = ARGUMENTS[operation][name]
    wrongs: tuple[Any, ...] = (7 if not isinstance(right, int) else "7", [1], {}, 1.5, True)
    for wrong in wrongs:
        if type(wrong) is type(right):
            continue
        raw = data_centre.message(operation, {**ARGUMENTS[operation], name: wrong}, request=REQUEST)
        data_centre.refused(raw, "9002", REQUEST)


def _bounds() -> Mapping[str, Each]:
    rows: list[tuple[str, Mapping[str, Any]]] = [
        ("verify-sam", {"challenge": bytes(15)}), ("verify-sam", {"challenge": bytes(17)}),
        ("begin-visit", {"authorization": bytes(15)}), ("begin-visit", {"visited_at": "1150302"}),
        ("begin-visit", {"card_no": "9" * 65}), ("begin-visit", {"card_no": "0000\x0012345678"}),
        ("card-challenge", {"card_no": ""}), ("card-challenge", {"card_no": "9" * 13}),
        ("sign-visit", {"visited_at": ""}), ("sign-visit", {"sequence": "W0001"}), ("sign-visit", {"entries": [bytes(60)]}),
        ("update-card", {"challenge": bytes(15)}), ("upload", {"batch": bytes(15)}), ("upload", {"digest": bytes(31)}),
        ("upload", {"total": 0}), ("upload", {"total": 4097}), ("upload", {"part": bytes(65_537)}),
        ("late-records", {"records": []}), ("late-records", {"records": [b"r"] * 61}), ("late-records", {"chains": []}),
        ("late-records", {"chains": [[b"c"]] * 3}), ("late-records", {"records": [bytes(65_537)]}),
        ("visit-identifier", {"visit_type": "012"}), ("visit-identifier", {"visited_at": "1150302080001"}),
        ("visit-identifier", {"visited_at": "1141128080000"}),
        ("upload-file", {"sent_ns": -1}), ("upload-file", {"sent_ns": 1 << 62}),
        ("emergency-open", {"reason": "curious"}), ("emergency-account", {"said": ""}),
        ("emergency-account", {"said": "x" * 401}), ("home-package", {"purpose": "pleasure"}),
        ("home-package", {"until_ns": 1_772_409_600 * NS}), ("home-package", {"until_ns": 1_772_409_600 * NS + DAY_NS + 1}),
    ]
    return {f"{operation}-{number}": Each((operation, change), f"{operation} with {next(iter(change))} out of bounds is refused.",
                                          f"{operation} 之 {next(iter(change))} 超出範圍")
            for number, (operation, change) in enumerate(rows, 1)}


@case("P-DCM-05", nature=Nature.LIMIT, zh="參數超出範圍", each=_bounds)
def test_argument_out_of_bounds_is_refused(data_centre: DataCentreTester, value: tuple[str, Mapping[str, Any]]) -> None:
    """An argument out of its bounds is refused."""
    operation, change = value
    data_centre.refused(data_centre.message(operation, {**ARGUMENTS[operation], **change}, request=REQUEST), "9002", REQUEST)
