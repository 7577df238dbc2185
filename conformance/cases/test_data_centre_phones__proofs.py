"""What a phone proves to a data centre: who its holder is, by which evidence, and which keys are bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cbor2

from conformance.case import Each, Nature, case
from conformance.kinds.data_centre import DataCentreTester, SoftPhone
from conformance.town import FACTS, ID_NO, REACHED, maker
from conformance.vectors.world import CARD_NO
from virtual_devices import cose
from virtual_devices.pki import Identity, Role
from virtual_devices.wallet.attestation import PhoneMaker, Policy, Purpose


@case("P-IDN-02", nature=Nature.INVALID, zh="一項不符即全部拒絕", each=lambda: {
    name: Each(change, clauses=("P-IDN-02", "P-IDN-01"), nature=nature) for name, change, nature in (
        ("birth-date", {"birth_date": "1958-07-05"}, Nature.INVALID), ("household", {"household_no": "F7654321"}, Nature.INVALID),
        ("id", {"id_no": "A123456780"}, Nature.INVALID), ("telephone", {"phone_no": "0912345679"}, Nature.INVALID),
        ("code", {"one_time_code": "000000"}, Nature.ATTACK))
})
def test_piece_that_is_wrong_refuses_the_whole(data_centre: DataCentreTester, value: Mapping[str, str]) -> None:
    """One piece of what is given that is wrong refuses the whole."""
    code, _ = data_centre.phone().applies(CARD_NO, {**FACTS, **value})
    data_centre.equal("code", code, "1013" if "one_time_code" in value else "5020")


@case("P-IDN-02", nature=Nature.ATTACK, zh="五次錯誤後，可猜測之方式關閉 24 小時；持有憑證者不受影響")
def test_five_wrong_answers_close_what_can_be_guessed(data_centre: DataCentreTester) -> None:
    """After five wrong answers facts are refused for 24 hours; a certificate is not."""
    phone = data_centre.phone()
    for _ in range(5):
        code, _ = phone.ask("report-lost", {"card_no": CARD_NO, "given": {**FACTS, "household_no": "F0000000"}})
        data_centre.equal("code of a wrong answer", code, "5020")
    data_centre.equal("code of a right one", phone.applies(CARD_NO, FACTS)[0], "9043")
    data_centre.later(86_400 - 1)
    data_centre.equal("a second before 24 hours are over", phone.applies(CARD_NO, FACTS)[0], "9043")
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
    code, body = phone.applies(CARD_NO, once)
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
    phone = data_centre.phone()
    card, _ = phone.enrolled(CARD_NO, ID_NO)
    data_centre.equal("reported lost", data_centre.officer.report_lost(CARD_NO, "virtual"), "0")
    phone.done("wiped", {"card": card})
    given = {"id_no": ID_NO, "ticket": data_centre.officer.ticket(CARD_NO)}
    arguments = {"card_no": CARD_NO, "given": given, "attestation": phone.attestation(phone.challenge())}
    data_centre.equal("code", phone.ask("apply", arguments)[0], "1024")


@case("P-PHN-03", nature=Nature.ATTACK, zh="臨櫃號碼只用一次，且限本人")
def test_ticket_is_good_once_and_for_one_person(data_centre: DataCentreTester) -> None:
    """A counter's ticket is good for one request, and for the person that it was given for."""
    phone, other = data_centre.phone(), data_centre.phone()
    theirs = {"id_no": ID_NO, "ticket": data_centre.officer.ticket("000087654321")}
    data_centre.expect("another person's ticket", phone.applies(CARD_NO, theirs)[0] != "0", "a refusal")
    mine = {"id_no": ID_NO, "ticket": data_centre.officer.ticket(CARD_NO)}
    data_centre.equal("first", phone.applies(CARD_NO, mine)[0], "0")
    data_centre.expect("again", other.ask("report-lost", {"card_no": CARD_NO, "given": mine})[0] != "0", "a refusal")


@case("P-PHN-13", nature=Nature.ATTACK, zh="以其他作業之卡片證明代替：拒絕")
def test_proof_by_the_card_is_for_one_operation(data_centre: DataCentreTester) -> None:
    """A proof by the card for suspending recalls nothing, and one by another key proves nothing."""
    phone = data_centre.phone()
    card, _ = phone.enrolled(CARD_NO, ID_NO)
    given = phone.own_proof("suspend", CARD_NO, ID_NO, phone.challenge())
    data_centre.equal("code", phone.ask("recall", {"card": card, "given": given})[0], "9002")
    phone.device = data_centre.world.private("another device key")
    given = phone.own_proof("recall", CARD_NO, ID_NO, phone.challenge())
    data_centre.equal("code by another key", phone.ask("recall", {"card": card, "given": given})[0], "9002")
    data_centre.equal("its state", data_centre.officer.states(CARD_NO)[card], "active")


@case("P-IDN-02", "P-IDN-01", nature=Nature.TIMER, zh="實體卡三卡會話：600 秒內一次有效")
def test_session_with_the_physical_card_counts_once(data_centre: DataCentreTester) -> None:
    """A three-card session with the physical card applies for its holder, once, and within 600 s."""
    phone = data_centre.phone()

    def session() -> bytes:
        return data_centre.card_session(CARD_NO)

    late = session()
    data_centre.later(601)
    data_centre.expect("after 600 s", phone.applies(CARD_NO, {"statement": late})[0] != "0", "a refusal")
    statement = session()
    code, body = phone.applies(CARD_NO, {"statement": statement})
    data_centre.equal("in time", code, "0")
    phone.done("activate", {"card": body["card"]})
    code, _ = phone.ask("recall", {"card": body["card"], "given": {"statement": statement}})
    data_centre.expect("a second time", code != "0", "a refusal", code)
    code, _ = phone.ask("recall", {"card": body["card"], "given": {"statement": bytes(16)}})
    data_centre.equal("one that there never was", code, "9002")
