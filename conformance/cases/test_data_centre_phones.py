"""What phones say to a data centre: applying, activating, changing phones, losing; who they are, and which keys are bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cbor2

from conformance.case import Each, Nature, case
from conformance.kinds.data_centre import PHONE, DataCentreTester, SoftPhone
from conformance.town import HOLDER, maker
from conformance.vectors.world import CARD_NO
from virtual_devices import cose
from virtual_devices.clock import NS
from virtual_devices.cloud.phone_messages import phone_request
from virtual_devices.mdoc.cose_key import to_cose
from virtual_devices.pki import Identity, Role, sign
from virtual_devices.wallet.attestation import PhoneMaker, Policy, Purpose

ID_NO = HOLDER.holder.id_no
FACTS = {"id_no": ID_NO, "birth_date": HOLDER.holder.birth_date.isoformat(), "household_no": HOLDER.household_no}
REACHED = {**FACTS, "phone_no": HOLDER.phone_no}
REQUEST = b"conformance 0002"


def _enrolled(data_centre: DataCentreTester) -> tuple[SoftPhone, str]:
    phone = data_centre.phone()
    return phone, phone.enrolled(CARD_NO, ID_NO)[0]


def _applied(phone: SoftPhone, given: Mapping[str, Any], **more: Any) -> tuple[str, Mapping[str, Any]]:
    arguments = {"card_no": CARD_NO, "given": given, "attestation": phone.attestation(phone.challenge()), **more}
    return phone.ask("apply", arguments)


# -- messages

def _messages() -> Mapping[str, Each]:
    Make = Callable[[SoftPhone], tuple[bytes, bytes]]

    def of(operation: Any = "sync", arguments: Any = None, **change: Any) -> Make:
        def make(phone: SoftPhone) -> tuple[bytes, bytes]:
            body: dict[int, Any] = {
                1: 1, 2: operation, 3: REQUEST, 4: to_cose(phone.key.public_key()), 6: phone.tester.now_ns,
                7: {} if arguments is None else arguments,
            }
            body |= {int(key[1:]): value for key, value in change.items()}
            payload = cbor2.dumps(body, canonical=True)
            return phone.tester.signed(payload, Identity(phone.key, ())), REQUEST
        return make

    def forged(phone: SoftPhone) -> tuple[bytes, bytes]:
        other = phone.tester.world.private("another phone")
        raw = phone_request("sync", REQUEST, phone.key.public_key(), lambda m: sign(other, m), {}, phone.tester.now_ns)
        return raw, REQUEST

    form = ("P-PHN-01", "P-PHN-04")
    return {
        "no-message": Each((lambda _: (b"\xff", b""), "9001"), "What is no message.", "非訊息", form),
        "empty-signature": Each((lambda p: (cose.sign1(p.key, b"\xf6"), b""), "9002"), "A payload that is no map.",
                                "內容非對照表", form),
        "version-2": Each((lambda p: (of(_1=2)(p)[0], b""), "9002"), "Another version.", "版本不同", ("P-VER-01", "P-PHN-04")),
        "short-id": Each((lambda p: (of(_3=b"short")(p)[0], b""), "9002"), "A request id of five bytes.", "識別碼過短", form),
        "no-key": Each((of(_4={}), "9002"), "A key that is none.", "金鑰無法解讀", form),
        "forged": Each((forged, "9020"), "Another phone's signature.", "他機簽章", form, Nature.ATTACK),
        "unknown-operation": Each((of("erase"), "9002"), "An operation that there is not.", "無此作業", form),
        "operation-list": Each((of([]), "9002"), "An operation that is a list.", "作業名稱為陣列", form),
        "arguments-list": Each((of(arguments=[]), "9002"), "Arguments that are a list.", "參數為陣列", form),
        "time-text": Each((of(_6="now"), "9002"), "A time that is text.", "時間為文字", form),
    }


@case(nature=Nature.INVALID, zh="不合格式之手機要求", each=_messages)
def test_message_is_refused(data_centre: DataCentreTester, value: tuple[Callable[[SoftPhone], tuple[bytes, bytes]], str]) -> None:
    """A phone's message that is not as the profile has it."""
    make, code = value
    raw, echoed = make(data_centre.phone())
    data_centre.refused(raw, code, echoed, PHONE)


@case("P-PHN-04", nature=Nature.TIMER, zh="手機時間相差 900 秒以內照辦，超過即拒絕")
def test_time_of_a_phone_is_near(data_centre: DataCentreTester) -> None:
    """A phone's clock may be 900 s off, both ways, and no more."""
    phone = data_centre.phone()
    for offset, code in ((-900 * NS, "0"), (900 * NS, "0"), (-900 * NS - 1, "9001"), (900 * NS + 1, "9001")):
        raw = phone_request(
            "sync", REQUEST, phone.key.public_key(), lambda m: sign(phone.key, m), {},
            data_centre.now_ns + data_centre.edge_ns(offset, inside=code == "0"),
        )
        answer = data_centre.read(data_centre.send(raw, PHONE), REQUEST)
        data_centre.equal("code", answer[8], code)
        data_centre.equal("space of the code", answer[10], "cshis")


def _operations() -> Mapping[str, Each]:
    given = {"given": FACTS}
    rows: Mapping[str, tuple[Mapping[str, Any], tuple[str, ...]]] = {
        "send-code": ({"card_no": CARD_NO, **given}, ("card_no", "given")),
        "apply": ({"card_no": CARD_NO, **given, "attestation": b"a"}, ("card_no", "attestation")),
        "activate": ({"card": "V0000000001"}, ("card",)),
        "rebind": ({"card_no": CARD_NO, **given, "attestation": b"a", "both": False}, ("card_no", "attestation")),
        "report-lost": ({"card_no": CARD_NO, **given}, ("card_no", "given")),
        "suspend": ({"card": "V0000000001"}, ("card",)), "wiped": ({"card": "V0000000001"}, ("card",)),
        "hold": ({"card": "V0000000001", "authorization": bytes(16)}, ("card", "authorization")),
        "receipts": ({"card": "V0000000001", "receipts": []}, ("card", "receipts")),
        "prescriptions": ({"card": "V0000000001"}, ("card",)),
    }
    return {f"{name}-{argument}": Each((name, arguments, argument), f"{name}: {argument} of another type is refused.",
                                       f"{name} 之 {argument} 型別不符")
            for name, (arguments, wrong) in rows.items() for argument in wrong}


@case("P-PHN-06", "P-PHN-04", nature=Nature.INVALID, zh="參數型別不符", each=_operations)
def test_argument_of_another_type_is_refused(
    data_centre: DataCentreTester, value: tuple[str, Mapping[str, Any], str],
) -> None:
    """An argument of another type, or a card that is not on this phone, is refused."""
    operation, arguments, name = value
    phone = data_centre.phone()
    for wrong in (7, True, [1], None):
        raw = phone.message(operation, {**arguments, name: wrong}, REQUEST)
        data_centre.refused(raw, "9002", REQUEST, PHONE)


@case("P-PHN-07", nature=Nature.LIMIT, zh="識別資料各項最長 40 字")
def test_given_text_has_forty_characters_at_most(data_centre: DataCentreTester) -> None:
    """Texts of what is given have 40 characters at most, and a birth date is one."""
    phone = data_centre.phone()
    for name in ("id_no", "household_no", "phone_no", "one_time_code", "ticket"):
        code, _ = phone.ask("report-lost", {"card_no": CARD_NO, "given": {name: "x" * 41}})
        data_centre.equal("code", code, "9002")
    code, _ = phone.ask("report-lost", {"card_no": CARD_NO, "given": {**FACTS, "birth_date": "4 July"}})
    data_centre.equal("code for a birth date that is none", code, "9002")
    code, _ = phone.ask("report-lost", {"card_no": CARD_NO, "given": {"id_no": "x" * 40}})
    data_centre.equal("40 characters are judged", code, "5020")


# -- enrolment

@case("P-PHN-09", "P-IDN-01", "P-PHN-06", nature=Nature.VALID, zh="申辦：臨櫃號碼申請、啟用、取得憑證")
def test_card_is_applied_for_and_activated(data_centre: DataCentreTester) -> None:
    """apply and activate by a counter's ticket: the card is issued, then active, and its credential is there."""
    phone = data_centre.phone()
    card = phone.applied(CARD_NO, ID_NO)
    data_centre.equal("its state", data_centre.officer.states(CARD_NO)[card], "issued")
    data_centre.expect("the phone hears that it is not in force", phone.done("sync")["standing"][card] != "0")
    body = phone.done("activate", {"card": card})
    data_centre.equal("what is given", (body["card"], body["qr"]), (card, None))
    data_centre.equal("its state", data_centre.officer.states(CARD_NO)[card], "active")
    data_centre.equal("how it stands", dict(phone.done("sync")["standing"]), {card: "0"})


@case("P-PHN-09", "P-IDN-01", nature=Nature.VALID, zh="僅憑基本資料申請者，啟用須更佳之證明")
def test_application_by_facts_is_activated_by_a_better_proof(data_centre: DataCentreTester) -> None:
    """Facts alone may apply and not activate; a citizen certificate may."""
    phone = data_centre.phone()
    code, body = _applied(phone, FACTS)
    data_centre.equal("code of the application", code, "0")
    code, _ = phone.ask("activate", {"card": body["card"]})
    data_centre.expect("activation by nothing more", code != "0", "a refusal", code)
    code, _ = phone.ask("activate", {"card": body["card"], "given": FACTS})
    data_centre.equal("code of activation by facts", code, "4029")
    given = phone.certificate("activate", CARD_NO, ID_NO, phone.challenge())
    phone.done("activate", {"card": body["card"], "given": given})


@case("P-PHN-09", nature=Nature.TIMER, zh="30 日未啟用之卡終止")
def test_card_that_is_never_activated_ends(data_centre: DataCentreTester) -> None:
    """A card that was not activated within 30 days ends."""
    phone = data_centre.phone()
    card = phone.applied(CARD_NO, ID_NO)
    data_centre.later(days=30, seconds=-1)
    data_centre.equal("its state a second before", data_centre.officer.states(CARD_NO)[card], "issued")
    data_centre.later(seconds=1)
    data_centre.equal("its state then", data_centre.officer.states(CARD_NO)[card], "ended")
    data_centre.expect("it is activated no more", phone.ask("activate", {"card": card})[0] != "0")


@case("P-LIF-06", nature=Nature.ATTACK, zh="僅憑基本資料而未啟用之申請，讓位於可啟用之申請")
def test_application_by_facts_gives_way_to_a_proof(data_centre: DataCentreTester) -> None:
    """Who knows a birthday keeps nobody out; an application by a proof refuses another one."""
    stranger, phone, late = data_centre.phone(), data_centre.phone(), data_centre.phone()
    _, body = _applied(stranger, FACTS)
    card = phone.applied(CARD_NO, ID_NO)
    states = data_centre.officer.states(CARD_NO)
    data_centre.equal("the stranger's, and the holder's", (states[body["card"]], states[card]), ("ended", "issued"))
    code, _ = _applied(late, FACTS)
    data_centre.expect("a third one is refused", code != "0", "a refusal", code)


@case("P-IDN-02", nature=Nature.INVALID, zh="一項不符即全部拒絕", each=lambda: {
    name: Each(change, clauses=("P-IDN-02", "P-IDN-01"), nature=nature) for name, change, nature in (
        ("birth-date", {"birth_date": "1958-07-05"}, Nature.INVALID), ("household", {"household_no": "F7654321"}, Nature.INVALID),
        ("id", {"id_no": "A123456780"}, Nature.INVALID), ("telephone", {"phone_no": "0912345679"}, Nature.INVALID),
        ("code", {"one_time_code": "000000"}, Nature.ATTACK))
})
def test_piece_that_is_wrong_refuses_the_whole(data_centre: DataCentreTester, value: Mapping[str, str]) -> None:
    """One piece of what is given that is wrong refuses the whole."""
    code, _ = _applied(data_centre.phone(), {**FACTS, **value})
    data_centre.equal("code", code, "1013" if "one_time_code" in value else "5020")


@case("P-IDN-02", nature=Nature.ATTACK, zh="五次錯誤後，可猜測之方式關閉 24 小時；持有憑證者不受影響")
def test_five_wrong_answers_close_what_can_be_guessed(data_centre: DataCentreTester) -> None:
    """After five wrong answers facts are refused for 24 hours; a certificate is not."""
    phone = data_centre.phone()
    for _ in range(5):
        code, _ = phone.ask("report-lost", {"card_no": CARD_NO, "given": {**FACTS, "household_no": "F0000000"}})
        data_centre.equal("code of a wrong answer", code, "5020")
    data_centre.equal("code of a right one", _applied(phone, FACTS)[0], "9043")
    data_centre.later(86_400 - 1)
    data_centre.equal("a second before 24 hours are over", _applied(phone, FACTS)[0], "9043")
    given = phone.certificate("apply", CARD_NO, ID_NO, challenge := phone.challenge())
    code, _ = phone.ask("apply", {"card_no": CARD_NO, "given": given, "attestation": phone.attestation(challenge)})
    data_centre.equal("code with a certificate", code, "0")


@case("P-IDN-02", "P-IDN-01", "P-PHN-06", nature=Nature.TIMER, zh="一次性驗證碼：6 位數、300 秒、三次")
def test_one_time_code_lives_five_minutes_and_bears_three_tries(data_centre: DataCentreTester) -> None:
    """A one-time code has six digits, is good for less than 300 s and bears three tries."""
    phone = data_centre.phone()

    def sent() -> str:
        phone.done("send-code", {"card_no": CARD_NO, "given": REACHED})
        return data_centre.officer.telephone(CARD_NO)

    def reported(code: str) -> str:
        return phone.ask("report-lost", {"card_no": CARD_NO, "given": {**REACHED, "one_time_code": code}})[0]

    code = sent()
    data_centre.expect("six digits", len(code) == 6 and code.isdigit(), "6 digits", code)
    data_centre.later(300)
    data_centre.equal("after 300 s", reported(code), "1013")
    code = sent()
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    for _ in range(3):
        data_centre.equal("a wrong one", reported(wrong), "1013")
    data_centre.equal("the right one at the fourth try", reported(code), "1013")


@case("P-IDN-01", "P-PHN-07", nature=Nature.VALID, zh="電話驗證可申請並啟用")
def test_reached_by_telephone_applies_and_activates(data_centre: DataCentreTester) -> None:
    """Reached at the telephone on file: apply, and activate with nothing more."""
    phone = data_centre.phone()
    phone.done("send-code", {"card_no": CARD_NO, "given": REACHED})
    data_centre.later(299)
    once = {**REACHED, "one_time_code": data_centre.officer.telephone(CARD_NO)}
    code, body = _applied(phone, once)
    data_centre.equal("code of the application", code, "0")
    phone.done("activate", {"card": body["card"]})
    data_centre.equal("the same code for another act", phone.ask("report-lost", {"card_no": CARD_NO, "given": once})[0], "1013")


@case("P-IDN-01", nature=Nature.INVALID, zh="未知電話號碼者不發驗證碼")
def test_code_is_sent_to_nobody_who_does_not_know_the_telephone(data_centre: DataCentreTester) -> None:
    """Without the telephone number on file no code is sent."""
    code, _ = data_centre.phone().ask("send-code", {"card_no": CARD_NO, "given": FACTS})
    data_centre.expect("it is refused", code != "0", "a refusal", code)
    data_centre.equal("what came on the telephone", data_centre.officer.telephone(CARD_NO), "")


def _certificates() -> Mapping[str, Each]:
    Make = Callable[[SoftPhone, bytes], Mapping[str, Any]]

    def by(role: Role, name: str = ID_NO) -> Make:
        return lambda p, c: p.certificate("apply", CARD_NO, ID_NO, c, p.tester.world.authority.issue(role, name))

    def strange(p: SoftPhone, c: bytes) -> Mapping[str, Any]:
        return p.certificate("apply", CARD_NO, ID_NO, c, p.tester.world.stranger.issue(Role.CITIZEN, ID_NO))

    return {
        "another-operation": Each((lambda p, c: p.certificate("rebind", CARD_NO, ID_NO, c), "9002"),
                                  "Signed for another operation.", "為其他作業簽章", nature=Nature.ATTACK),
        "another-person": Each((lambda p, c: p.certificate("apply", "000087654321", ID_NO, c), "9002"),
                               "Signed for another person.", "為他人簽章", nature=Nature.ATTACK),
        "another-challenge": Each((lambda p, _: p.certificate("apply", CARD_NO, ID_NO, bytes(16)), "9002"),
                                  "Signed over another challenge.", "挑戰碼不符", nature=Nature.ATTACK),
        "another-role": Each((by(Role.PHYSICIAN), "9002"), "A physician's card is no citizen certificate.",
                             "醫事人員卡非自然人憑證", ("P-CRT-04", "P-PHN-07")),
        "another-citizen": Each((by(Role.CITIZEN, "B123456780"), "5020"), "Another citizen's certificate.", "他人自然人憑證",
                                ("P-IDN-02",), Nature.ATTACK),
        "stranger": Each((strange, "9002"), "A certificate of an authority that nobody trusts.", "非信任機構之憑證",
                         ("P-CRT-02",)),
        "no-message": Each((lambda _p, _c: {"id_no": ID_NO, "certificate": b"x"}, "9002"), "A certificate's proof that is none.",
                           "證明無法解讀"),
    }


@case("P-PHN-13", "P-PHN-07", nature=Nature.INVALID, zh="自然人憑證之證明不成立", each=_certificates)
def test_certificate_that_proves_nothing_is_refused(
    data_centre: DataCentreTester, value: tuple[Callable[[SoftPhone, bytes], Mapping[str, Any]], str],
) -> None:
    """A proof by a citizen certificate that is not for this operation, person and challenge."""
    make, code = value
    phone = data_centre.phone()
    challenge = phone.challenge()
    arguments = {"card_no": CARD_NO, "given": make(phone, challenge), "attestation": phone.attestation(challenge)}
    data_centre.equal("code", phone.ask("apply", arguments)[0], code)


@case("P-PHN-06", nature=Nature.TIMER, zh="挑戰碼：滿 600 秒即失效", each=lambda: {
    "599": Each((599, "0")), "600": Each((600, "1024")), "601": Each((601, "1024")),
})
def test_challenge_ends_with_its_six_hundredth_second(data_centre: DataCentreTester, tried: tuple[int, str]) -> None:
    """A challenge is good until 600 s are over, and another one is given from then on."""
    seconds, code = tried
    phone = data_centre.phone()
    challenge = phone.challenge()
    data_centre.later(seconds)
    data_centre.equal("the same as before", phone.challenge() == challenge, code == "0")
    arguments = {"card_no": CARD_NO, "given": FACTS, "attestation": phone.attestation(challenge)}
    data_centre.equal("code", phone.ask("apply", arguments)[0], code)


@case("P-PHN-13", "P-PHN-06", nature=Nature.TIMER, zh="挑戰碼：同一把至用盡或 600 秒為止，用過即失效")
def test_challenge_is_good_once_and_for_ten_minutes(data_centre: DataCentreTester) -> None:
    """The challenge stays the same until it is used up, whatever becomes of the request, or 600 s are over."""
    phone = data_centre.phone()
    first = phone.challenge()
    data_centre.equal("asked for again", phone.challenge(), first)
    wrong = {"card_no": CARD_NO, "given": {**FACTS, "household_no": "F0000000"}, "attestation": phone.attestation(first)}
    data_centre.equal("a request that is refused", phone.ask("apply", wrong)[0], "5020")
    second = phone.challenge()
    data_centre.expect("it is another then", second != first)
    data_centre.equal("the first one is used up", phone.ask("apply", {**wrong, "given": FACTS})[0], "1024")
    third = phone.challenge()
    data_centre.later(599)
    data_centre.equal("before ten minutes are over", phone.challenge(), third)
    data_centre.later(2)
    arguments = {"card_no": CARD_NO, "given": FACTS, "attestation": phone.attestation(third)}
    data_centre.equal("after ten minutes", phone.ask("apply", arguments)[0], "1024")
    data_centre.expect("and another is given", phone.challenge() != third)


@case("P-PHN-13", "P-PHN-02", nature=Nature.ATTACK, zh="挑戰碼屬於該手機")
def test_challenge_is_of_one_phone(data_centre: DataCentreTester) -> None:
    """Another phone's challenge proves nothing."""
    mine, other = data_centre.phone(), data_centre.phone()
    theirs, _ = other.challenge(), mine.challenge()
    code, _ = mine.ask("apply", {"card_no": CARD_NO, "given": FACTS, "attestation": mine.attestation(theirs)})
    data_centre.equal("code", code, "1024")


def _doubts() -> Mapping[str, Each]:
    Make = Callable[[SoftPhone, bytes], bytes]

    def claimed(**change: Any) -> Make:
        return lambda p, c: p.attestation(c, **change)

    def by(name: str, days: tuple[int, int] = (-365, 3650), known: bool = True) -> Make:
        def make(p: SoftPhone, c: bytes) -> bytes:
            world = p.tester.world
            of = maker(world) if known else PhoneMaker(name, world.epoch_ns)
            return p.attestation(c, by=of.batch(1, days))
        return make

    def altered(p: SoftPhone, c: bytes) -> bytes:
        raw = p.attestation(c)
        return raw[:-1] + bytes([raw[-1] ^ 1])

    return {
        "malformed": Each(lambda _p, _c: b"x", "Malformed.", "無法解讀"),
        "another-maker": Each(by("somebody", known=False), "Not by the phone maker.", "非手機製造商", nature=Nature.ATTACK),
        "altered": Each(altered, "The signature is not the batch's.", "簽章不符", nature=Nature.ATTACK),
        "batch-over": Each(by("", (-20, -1)), "The batch certificate is over.", "批次憑證過期"),
        "batch-not-yet": Each(by("", (1, 20)), "The batch certificate has not begun.", "批次憑證尚未生效"),
        "no-chain": Each(lambda p, c: p.attestation(c, by=Identity(p.batch.key, ())), "Without the batch certificate.",
                         "無批次憑證"),
        "another-challenge": Each(lambda p, _: p.attestation(bytes(16)), "Another challenge.", "挑戰碼不符",
                                  nature=Nature.ATTACK),
        "another-phone": Each(claimed(phone=bytes(32)), "A key in another phone.", "金鑰在他機", nature=Nature.ATTACK),
        "software": Each(claimed(hardware=False), "A key in software.", "軟體金鑰"),
        "agreement": Each(claimed(purpose=Purpose.AGREE), "A key for agreement.", "金鑰協議用途"),
        "unknown-purpose": Each(claimed(purpose=99), "For a purpose that nobody knows.", "未知用途"),
        "no-claim": Each(lambda p, _: cose.sign1(p.batch.key, cbor2.dumps({1: 1}), {cose.X5CHAIN: list(p.batch.chain)}),
                         "A signed statement that is about no key.", "未述及金鑰"),
        "free": Each(claimed(policy=Policy.FREE), "A key that works without the holder.", "無須持卡人同意之金鑰"),
    }


@case("P-ATT-02", nature=Nature.INVALID, zh="不可信之金鑰證明：1024", each=_doubts)
def test_attestation_is_not_believed(data_centre: DataCentreTester, make: Callable[[SoftPhone, bytes], bytes]) -> None:
    """A key whose attestation does not hold gets no card."""
    phone = data_centre.phone()
    given = {"id_no": ID_NO, "ticket": data_centre.officer.ticket(CARD_NO)}
    arguments = {"card_no": CARD_NO, "given": given, "attestation": make(phone, phone.challenge())}
    code, _ = phone.ask("apply", arguments)
    data_centre.equal("code", code, "1024")
    data_centre.expect("no virtual card was made", all(n.startswith("P") for n in data_centre.officer.states(CARD_NO)))


@case("P-ATT-03", nature=Nature.ATTACK, zh="曾有卡片之金鑰不再綁定")
def test_key_that_has_had_a_card_is_refused(data_centre: DataCentreTester) -> None:
    """The key of a card that was lost gets no other card."""
    phone, card = _enrolled(data_centre)
    data_centre.equal("reported lost", data_centre.officer.report_lost(CARD_NO, "virtual"), "0")
    phone.done("wiped", {"card": card})
    given = {"id_no": ID_NO, "ticket": data_centre.officer.ticket(CARD_NO)}
    arguments = {"card_no": CARD_NO, "given": given, "attestation": phone.attestation(phone.challenge())}
    data_centre.equal("code", phone.ask("apply", arguments)[0], "1024")


@case("P-PHN-03", nature=Nature.INOPPORTUNE, zh="同一識別碼只辦一次；換內容則拒絕")
def test_request_is_done_once(data_centre: DataCentreTester) -> None:
    """The same request again, with a new attestation and no ticket left, gets the same card; with another key it is refused."""
    phone = data_centre.phone()
    card = phone.applied(CARD_NO, ID_NO, request=REQUEST)
    given = {"id_no": ID_NO}
    arguments = {"card_no": CARD_NO, "given": given, "attestation": phone.attestation(phone.challenge())}
    data_centre.equal("the card", phone.done("apply", arguments, request=REQUEST)["card"], card)
    another = phone.attestation(phone.challenge(), key=data_centre.world.private("another device key"))
    data_centre.equal("with another key", phone.ask("apply", {**arguments, "attestation": another}, request=REQUEST)[0], "9002")
    data_centre.equal("cards made", sum(n.startswith("V") for n in data_centre.officer.states(CARD_NO)), 1)


@case("P-PHN-03", nature=Nature.ATTACK, zh="臨櫃號碼只用一次，且限本人")
def test_ticket_is_good_once_and_for_one_person(data_centre: DataCentreTester) -> None:
    """A counter's ticket is good for one request, and for the person that it was given for."""
    phone, other = data_centre.phone(), data_centre.phone()
    theirs = {"id_no": ID_NO, "ticket": data_centre.officer.ticket("000087654321")}
    data_centre.expect("another person's ticket", _applied(phone, theirs)[0] != "0", "a refusal")
    mine = {"id_no": ID_NO, "ticket": data_centre.officer.ticket(CARD_NO)}
    data_centre.equal("first", _applied(phone, mine)[0], "0")
    data_centre.expect("again", other.ask("report-lost", {"card_no": CARD_NO, "given": mine})[0] != "0", "a refusal")


# -- the life of a card

@case("P-PHN-10", "P-LIF-03", "P-IDN-01", nature=Nature.VALID, zh="換機：新卡生效、舊卡失效為同一動作，舊機須清除")
def test_change_of_phones_makes_one_valid_and_the_other_invalid(data_centre: DataCentreTester) -> None:
    """rebind by a citizen certificate: the new card is active, the old one re-bound, and the old phone is told to erase it."""
    old, card = _enrolled(data_centre)
    new = data_centre.phone()
    challenge = new.challenge()
    given = new.certificate("rebind", CARD_NO, ID_NO, challenge)
    arguments = {"card_no": CARD_NO, "given": given, "attestation": new.attestation(challenge), "both": False}
    body = new.done("rebind", arguments)
    states = data_centre.officer.states(CARD_NO)
    data_centre.equal("the old one's state and the new one's", (states[card], states[body["card"]]), ("re-bound", "active"))
    data_centre.expect("a credential comes with it", body["issued"] is not None)
    data_centre.equal("what the old phone erases", list(old.done("sync")["erase"]), [card])
    data_centre.equal("what the new phone erases", list(new.done("sync")["erase"]), [])


@case("P-PHN-10", "P-IDN-01", nature=Nature.INVALID, zh="僅憑基本資料或電話不得換機")
def test_facts_and_telephone_do_not_change_phones(data_centre: DataCentreTester) -> None:
    """Facts, and a code on the telephone, do not entitle to a change of phones."""
    _enrolled(data_centre)
    new = data_centre.phone()
    new.done("send-code", {"card_no": CARD_NO, "given": REACHED})
    for given in (FACTS, {**REACHED, "one_time_code": data_centre.officer.telephone(CARD_NO)}):
        arguments = {"card_no": CARD_NO, "given": given, "attestation": new.attestation(new.challenge()), "both": False}
        data_centre.equal("code", new.ask("rebind", arguments)[0], "4029")


@case("P-PHN-10", "P-PHN-07", "P-PHN-13", nature=Nature.VALID, zh="以本機卡片金鑰證明後停用、恢復、收回")
def test_own_phone_proves_itself_by_its_card(data_centre: DataCentreTester) -> None:
    """suspend, resume and recall by the device key of the card on the phone; another phone has no such card."""
    phone, card = _enrolled(data_centre)
    for operation, state in (("suspend", "suspended"), ("resume", "active"), ("recall", "recalled")):
        given = phone.own_proof(operation, CARD_NO, ID_NO, phone.challenge())
        phone.done(operation, {"card": card, "given": given})
        data_centre.equal(f"state after {operation}", data_centre.officer.states(CARD_NO)[card], state)
    other = data_centre.phone()
    data_centre.equal("of another phone", other.ask("suspend", {"card": card, "given": FACTS})[0], "9002")


@case("P-PHN-13", nature=Nature.ATTACK, zh="以其他作業之卡片證明代替：拒絕")
def test_proof_by_the_card_is_for_one_operation(data_centre: DataCentreTester) -> None:
    """A proof by the card for suspending recalls nothing, and one by another key proves nothing."""
    phone, card = _enrolled(data_centre)
    given = phone.own_proof("suspend", CARD_NO, ID_NO, phone.challenge())
    data_centre.equal("code", phone.ask("recall", {"card": card, "given": given})[0], "9002")
    phone.device = data_centre.world.private("another device key")
    given = phone.own_proof("recall", CARD_NO, ID_NO, phone.challenge())
    data_centre.equal("code by another key", phone.ask("recall", {"card": card, "given": given})[0], "9002")
    data_centre.equal("its state", data_centre.officer.states(CARD_NO)[card], "active")


@case("P-PHN-11", "P-PHN-02", "P-LIF-02", nature=Nature.VALID, zh="掛失：即時失效，手機同步時須清除，回報後不再被認識")
def test_lost_card_is_erased_and_forgotten(data_centre: DataCentreTester) -> None:
    """A card reported lost: the phone hears what to erase and that it is out of force, and after `wiped` nothing more."""
    phone, card = _enrolled(data_centre)
    data_centre.equal("reported", data_centre.officer.report_lost(CARD_NO, "virtual"), "0")
    told = phone.done("sync")
    data_centre.equal("what is erased", list(told["erase"]), [card])
    data_centre.expect("it is not in force", told["standing"].get(card) != "0")
    phone.done("wiped", {"card": card})
    data_centre.equal("its state", data_centre.officer.states(CARD_NO)[card], "wiped")
    data_centre.equal("what is erased afterwards", list(phone.done("sync")["erase"]), [])


@case("P-LIF-01", nature=Nature.INOPPORTUNE, zh="狀態不容許之動作：依生命週期表之代碼拒絕", each=lambda: {
    name: Each((before, act, code)) for name, before, act, code in (
        ("resume-an-active-card", "", "resume", "9092"), ("suspend-a-suspended-card", "suspend", "suspend", "9011"),
        ("suspend-a-recalled-card", "recall", "suspend", "3203"), ("resume-a-recalled-card", "recall", "resume", "3203"),
        ("recall-a-recalled-card", "recall", "recall", "3203"))
})
def test_act_that_the_state_does_not_allow_is_refused(data_centre: DataCentreTester, value: tuple[str, str, str]) -> None:
    """What the life of a card does not allow in its state is refused by the code of the table, and changes nothing."""
    before, act, code = value
    _, card = _enrolled(data_centre)
    if before:
        data_centre.equal("before", getattr(data_centre.officer, before)(card), "0")
    state = data_centre.officer.states(CARD_NO)[card]
    data_centre.equal("code", getattr(data_centre.officer, act)(card), code)
    data_centre.equal("state", data_centre.officer.states(CARD_NO)[card], state)


@case("P-LIF-01", "P-IDN-01", nature=Nature.ATTACK, zh="資料中心停用者，持卡人不得恢復")
def test_holder_does_not_resume_what_the_data_centre_suspended(data_centre: DataCentreTester) -> None:
    """A card that the data centre has suspended is resumed by the data centre only, and no other is given by phone meanwhile."""
    phone, card = _enrolled(data_centre)
    data_centre.equal("suspended", data_centre.officer.suspend(card), "0")
    given = phone.own_proof("resume", CARD_NO, ID_NO, phone.challenge())
    data_centre.equal("by its holder", phone.ask("resume", {"card": card, "given": given})[0], "4029")
    data_centre.equal("by the data centre", data_centre.officer.resume(card), "0")


@case("P-PHN-03", nature=Nature.INOPPORTUNE, zh="憑證只發給當下有效之卡")
def test_credential_is_signed_for_a_card_in_force_only(data_centre: DataCentreTester) -> None:
    """An activation asked for again after the card was recalled is answered, and no credential with it."""
    phone = data_centre.phone()
    card = phone.applied(CARD_NO, ID_NO)
    phone.done("activate", {"card": card}, request=REQUEST)
    data_centre.expect("again it is there", "issued" in phone.done("activate", {"card": card}, request=REQUEST))
    data_centre.equal("recalled", data_centre.officer.recall(card), "0")
    code, body = phone.ask("activate", {"card": card}, request=REQUEST)
    data_centre.expect("a refusal without a credential", code != "0" and "issued" not in body, "a refusal", code)


@case("P-IDN-02", "P-IDN-01", nature=Nature.TIMER, zh="實體卡三卡會話：600 秒內一次有效")
def test_session_with_the_physical_card_counts_once(data_centre: DataCentreTester) -> None:
    """A three-card session with the physical card applies for its holder, once, and within 600 s."""
    phone = data_centre.phone()

    def session() -> bytes:
        return data_centre.card_session(CARD_NO)

    late = session()
    data_centre.later(601)
    data_centre.expect("after 600 s", _applied(phone, {"statement": late})[0] != "0", "a refusal")
    statement = session()
    code, body = _applied(phone, {"statement": statement})
    data_centre.equal("in time", code, "0")
    phone.done("activate", {"card": body["card"]})
    code, _ = phone.ask("recall", {"card": body["card"], "given": {"statement": statement}})
    data_centre.expect("a second time", code != "0", "a refusal", code)
    code, _ = phone.ask("recall", {"card": body["card"], "given": {"statement": bytes(16)}})
    data_centre.equal("one that there never was", code, "9002")
