"""The holder's consent, as a reader can tell: what is not given stays inside, what is given is for one session and a while."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.case import Each, Nature, case
from conformance.kinds.wallet import CONSULTATION, EVERYTHING, REGISTRATION, WalletTester
from conformance.vectors.world import Reader, World, signed
from virtual_devices import vhc
from virtual_devices.mdoc.request import ItemsRequest, items_request
from virtual_devices.mdoc.response import DeviceResponse
from virtual_devices.reader.proximity import ReaderSession
from virtual_devices.wallet.consent import ARMED_S, SESSION_S, Use
from virtual_devices.wallet.holder import PROOF_S

DECLINED, NEEDED, OTHERS_NEEDED, NO_PROFESSIONAL = -1, -2, -3, -21
NAME, BIRTH = (items_request(vhc.DOCTYPE, {vhc.BASIC: {name: False}}) for name in ("name", "birth_date"))
_BEFORE_AND_AFTER: Mapping[str, Each] = {
    "just-before": Each(False, nature=Nature.TIMER), "over": Each(True, nature=Nature.TIMER),
}


def _ask(
    wallet: WalletTester, opened: ReaderSession, items: ItemsRequest = REGISTRATION, hpc: Reader | None = None,
) -> DeviceResponse:
    return wallet.request(opened, wallet.asked(opened, items, hpc), "a request")


def _is_shown(
    wallet: WalletTester, opened: ReaderSession, items: ItemsRequest = REGISTRATION, hpc: Reader | None = None,
) -> None:
    wallet.equal("documents in the answer", len(_ask(wallet, opened, items, hpc).documents), 1)


def _is_not(
    wallet: WalletTester, opened: ReaderSession, number: int, items: ItemsRequest = REGISTRATION, hpc: Reader | None = None,
) -> None:
    wallet.nothing(_ask(wallet, opened, items, hpc), number)


def _professional(world: World, use: Use) -> Reader | None:
    return {Use.TREATMENT: world.physician, Use.DISPENSING: world.pharmacist}.get(use)


@case("P-CON-01", "P-CON-06", nature=Nature.INOPPORTUNE, zh="未經同意的要求：回覆 -2，持卡人同意後再送才出示", each=lambda: {
    use.value: Each(use) for use in (Use.REGISTRATION, Use.TREATMENT, Use.DISPENSING)
})
def test_request_waits_for_the_holder(wallet: WalletTester, use: Use) -> None:
    """A request that nobody has agreed to is answered with -2; when the holder has agreed, the same request is answered."""
    opened, hpc = wallet.meet(None), _professional(wallet.world, use)
    items = REGISTRATION if hpc is None else CONSULTATION
    _is_not(wallet, opened, NEEDED, items, hpc)
    wallet.holder.approve(use)
    _is_shown(wallet, opened, items, hpc)


@case("P-CON-07", nature=Nature.INOPPORTUNE, zh="持卡人拒絕後，同一會話一律回覆 -1，不再詢問")
def test_declined_session_may_not_ask_again(wallet: WalletTester) -> None:
    """After the holder has said no, the session is answered with -1, and the holder is not asked again."""
    opened = wallet.meet(None)
    _is_not(wallet, opened, NEEDED)
    wallet.holder.refuse()
    _is_not(wallet, opened, DECLINED)
    wallet.holder.approve(Use.REGISTRATION)
    _is_not(wallet, opened, DECLINED)


@case("P-CON-01", nature=Nature.INOPPORTUNE, zh="持卡人收回同意：其後不再出示")
def test_consent_is_taken_back(wallet: WalletTester) -> None:
    """A holder who takes the consent back is not shown from then on."""
    opened = wallet.meet(Use.REGISTRATION)
    _is_shown(wallet, opened)
    wallet.holder.refuse()
    _is_not(wallet, opened, DECLINED)


@case("P-CON-01", "P-CON-03", nature=Nature.ATTACK, zh="未輸入密碼即按同意：不出示")
def test_consent_without_a_proof_is_none(wallet: WalletTester) -> None:
    """Whoever agrees on the screen without PIN or biometric has agreed to nothing."""
    opened = wallet.meet(None)
    _is_not(wallet, opened, NEEDED)
    wallet.holder.approve(Use.REGISTRATION, proved=False)
    _is_not(wallet, opened, NEEDED)


@case("P-CON-03", "P-CON-05", nature=Nature.ATTACK, zh="未輸入密碼即預先同意：不出示")
def test_arming_without_a_proof_is_none(wallet: WalletTester) -> None:
    """Arming without PIN or biometric arms nothing."""
    wallet.holder.agree(Use.REGISTRATION, EVERYTHING, proved=False)
    _is_not(wallet, wallet.meet(None), NEEDED)


@case("P-CON-05", nature=Nature.TIMER, zh="預先同意 60 秒內有效", each=lambda: _BEFORE_AND_AFTER)
def test_armed_consent_is_good_for_a_minute(wallet: WalletTester, over: bool) -> None:
    """What was armed is shown for sixty seconds, and no longer."""
    wallet.holder.agree(Use.REGISTRATION, EVERYTHING)
    wallet.wait(ARMED_S, over=over)
    opened = wallet.meet(None)
    if over:
        _is_not(wallet, opened, NEEDED)
    else:
        _is_shown(wallet, opened)


@case("P-CON-03", nature=Nature.TIMER, zh="驗證後 60 秒內可同意一次", each=lambda: _BEFORE_AND_AFTER)
def test_proof_is_good_for_a_minute(wallet: WalletTester, over: bool) -> None:
    """A PIN proves who agrees within sixty seconds, and no longer."""
    wallet.may_wait(PROOF_S)
    opened = wallet.meet(None)
    _is_not(wallet, opened, NEEDED)
    wallet.holder.prove()
    wallet.wait(PROOF_S, over=over)
    wallet.holder.approve(Use.REGISTRATION, proved=False)
    if over:
        _is_not(wallet, opened, NEEDED)
    else:
        _is_shown(wallet, opened)


@case("P-CON-03", nature=Nature.ATTACK, zh="一次驗證只能同意一次")
def test_proof_is_used_once(wallet: WalletTester) -> None:
    """One PIN is good for one consent: what is asked for next takes another."""
    opened = wallet.meet(None)
    _is_not(wallet, opened, NEEDED, NAME)
    wallet.holder.approve(Use.REGISTRATION)
    _is_shown(wallet, opened, NAME)
    _is_not(wallet, opened, NEEDED, BIRTH)
    wallet.holder.approve(Use.REGISTRATION, proved=False)
    _is_not(wallet, opened, NEEDED, BIRTH)
    wallet.holder.approve(Use.REGISTRATION)
    _is_shown(wallet, opened, BIRTH)


@case("P-CON-08", nature=Nature.TIMER, zh="同意自第一個要求起最長 900 秒", each=lambda: _BEFORE_AND_AFTER)
def test_consent_ends_after_a_quarter_of_an_hour(wallet: WalletTester, over: bool) -> None:
    """A consent is over 900 seconds after the session's first request, whatever is armed meanwhile."""
    wallet.may_wait(SESSION_S / 2)
    wallet.holder.agree(Use.REGISTRATION, EVERYTHING)
    wallet.wait(30, over=True)
    opened = wallet.meet(None)
    _is_shown(wallet, opened)
    wallet.rest(SESSION_S / 2)
    wallet.holder.agree(Use.REGISTRATION, EVERYTHING)
    wallet.wait(SESSION_S / 2, over=over)
    if over:
        _is_not(wallet, opened, DECLINED)
    else:
        _is_shown(wallet, opened)


@case("P-CON-08", nature=Nature.ATTACK, zh="同意只及於一次會話")
def test_consent_is_for_one_session(wallet: WalletTester) -> None:
    """What was agreed to in one session is asked for anew in the next."""
    _is_shown(wallet, wallet.meet(Use.REGISTRATION))
    _is_not(wallet, wallet.meet(None), NEEDED)


@case("P-CON-05", nature=Nature.ATTACK, zh="所問與預先同意無關：預先同意作廢，改問持卡人")
def test_request_for_another_use_uses_the_arming_up(wallet: WalletTester) -> None:
    """A first request for another use than what is armed is answered with -2, and nothing of what was armed is shown after it."""
    opened = wallet.meet(Use.REGISTRATION)
    _is_not(wallet, opened, NEEDED, CONSULTATION, wallet.world.physician)
    answer = _ask(wallet, opened)
    wallet.equal("documents in the next answer", len(answer.documents), 0)


@case("P-CON-02", "P-CON-06", nature=Nature.VALID, zh="只預先同意一部分：只出示該部分，其餘經詢問後才出示")
def test_part_that_was_armed_is_shown_alone(wallet: WalletTester) -> None:
    """Of what is asked, the armed part is shown and nothing else; the rest when the holder has agreed to it too."""
    some = {vhc.BASIC: ["name", "birth_date"]}
    opened = wallet.meet(Use.REGISTRATION, some, write=False)
    answer = _ask(wallet, opened)
    shown = {name for names in wallet.shown(opened, answer).values() for name in names}
    wallet.equal("elements shown", shown, {"name", "birth_date"})
    told = {number for numbers in answer.documents[0].errors.values() for number in numbers.values()}
    wallet.expect("errors for the rest", bool(told) and told <= {DECLINED, NEEDED, 0}, "-1 or -2", told)
    _ask(wallet, opened)
    wallet.holder.approve(Use.REGISTRATION)
    shown = {name for names in wallet.shown(opened, _ask(wallet, opened)).values() for name in names}
    wallet.expect("the rest is shown too", shown > {"name", "birth_date"}, "more", shown)


@case("P-CON-05", nature=Nature.INOPPORTUNE, zh="什麼都不選的預先同意：先前的預先同意仍在")
def test_nothing_chosen_arms_nothing(wallet: WalletTester) -> None:
    """A holder who chooses nothing arms nothing, and what was armed before is still there."""
    wallet.holder.agree(Use.REGISTRATION, EVERYTHING)
    wallet.holder.agree(Use.REGISTRATION, {}, write=False)
    _is_shown(wallet, wallet.meet(None))


@case("P-CON-01", nature=Nature.INOPPORTUNE, zh="沒有詢問時按同意或拒絕：不改變任何事")
def test_answer_to_no_question_changes_nothing(wallet: WalletTester) -> None:
    """A holder who says yes or no when nothing is asked changes nothing."""
    wallet.holder.refuse()
    opened = wallet.meet(None)
    _is_not(wallet, opened, NEEDED)
    wallet.holder.approve(Use.REGISTRATION)
    _is_shown(wallet, opened)
    wallet.holder.approve(Use.REGISTRATION)
    _is_shown(wallet, opened)


@case("P-CON-02", "P-CON-07", nature=Nature.VALID, zh="持卡人什麼都不勾：視為拒絕")
def test_nothing_ticked_is_a_refusal(wallet: WalletTester) -> None:
    """A holder who gives nothing of what is asked has said no: the session is answered with -1."""
    opened = wallet.meet(None)
    _is_not(wallet, opened, NEEDED, NAME)
    wallet.holder.approve(Use.NON_MEDICAL)  # of what a registration asks, nothing is for that
    _is_not(wallet, opened, DECLINED, BIRTH)


@case("P-CON-02", "P-ERR-01", nature=Nature.INVALID, zh="只問不存在的欄位：錯誤 0，預先同意仍在")
def test_unknown_element_is_not_put_before_the_holder(wallet: WalletTester) -> None:
    """A request for an element that there is not is answered with 0, and costs nothing of what was armed."""
    opened = wallet.meet(Use.REGISTRATION)
    _is_not(wallet, opened, 0, items_request(vhc.DOCTYPE, {vhc.BASIC: {"shoe_size": False}}))
    _is_shown(wallet, opened)


@case("P-ERR-01", "P-RSP-04", nature=Nature.INVALID, zh="部分欄位不存在：錯誤 0，其餘照常")
def test_unknown_element_beside_known_ones(wallet: WalletTester) -> None:
    """An element that there is not is answered with 0 beside those that are shown."""
    opened = wallet.meet(Use.REGISTRATION)
    answer = _ask(wallet, opened, items_request(vhc.DOCTYPE, {vhc.BASIC: {"name": False, "shoe_size": False}}))
    wallet.equal("documents in the answer", len(answer.documents), 1)
    told = {space: dict(codes) for space, codes in answer.documents[0].errors.items()}
    wallet.equal("errors", told, {vhc.BASIC: {"shoe_size": 0}})


@case("P-ELE-01", "P-RSP-01", "P-RSP-03", nature=Nature.ATTACK, zh="安全模組單獨要求醫療資料：錯誤 -21，不附文件")
def test_medical_data_alone_are_not_for_a_sam(wallet: WalletTester) -> None:
    """A SAM that asks for nothing but medical data gets no document: its issuer's signature alone would tell the card."""
    opened = wallet.meet(Use.TREATMENT)
    items = items_request(vhc.DOCTYPE, {vhc.MEDICAL: {"allergies": False}})
    _is_not(wallet, opened, NO_PROFESSIONAL, items)


@case("P-ERR-01", "P-RSP-03", "P-CON-06", nature=Nature.INOPPORTUNE, zh="部分待持卡人同意、部分無權：錯誤 -2")
def test_what_the_holder_can_give_is_told_first(wallet: WalletTester) -> None:
    """Where nothing is shown because one part waits for the holder and another for a professional, the answer is -2."""
    opened = wallet.meet(None)
    items = items_request(vhc.DOCTYPE, {vhc.BASIC: {"name": False}, vhc.MEDICAL: {"allergies": False}})
    _is_not(wallet, opened, NEEDED, items)


@case("P-ELE-01", "P-ERR-01", nature=Nature.ATTACK, zh="非醫療用途的讀取者要求卡號：錯誤 -3")
def test_reader_outside_care_may_not_have_the_card_number(wallet: WalletTester) -> None:
    """A reader outside medical care that asks for nothing but the card number is answered with -3."""
    opened = wallet.meet(Use.NON_MEDICAL)
    items = items_request(vhc.DOCTYPE, {vhc.BASIC: {"card_no": False}})
    asked = signed(items, opened.transcript, wallet.world.other_use).to_bytes()
    wallet.nothing(wallet.request(opened, asked, "the card number"), OTHERS_NEEDED)
