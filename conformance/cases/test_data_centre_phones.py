"""What phones say to a data centre: the messages, applying, activating, changing phones, losing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cbor2

from conformance.case import Each, Nature, case
from conformance.kinds.data_centre import PHONE, DataCentreTester, SoftPhone
from conformance.town import FACTS, ID_NO, REACHED
from conformance.vectors.world import CARD_NO
from virtual_devices import cose
from virtual_devices.clock import NS
from virtual_devices.cloud.phone_messages import phone_request
from virtual_devices.mdoc.cose_key import to_cose
from virtual_devices.pki import Identity, sign

REQUEST = b"conformance 0002"


def _enrolled(data_centre: DataCentreTester) -> tuple[SoftPhone, str]:
    phone = data_centre.phone()
    return phone, phone.enrolled(CARD_NO, ID_NO)[0]


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
    code, body = phone.applies(CARD_NO, FACTS)
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
    _, body = stranger.applies(CARD_NO, FACTS)
    card = phone.applied(CARD_NO, ID_NO)
    states = data_centre.officer.states(CARD_NO)
    data_centre.equal("the stranger's, and the holder's", (states[body["card"]], states[card]), ("ended", "issued"))
    code, _ = late.applies(CARD_NO, FACTS)
    data_centre.expect("a third one is refused", code != "0", "a refusal", code)


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
