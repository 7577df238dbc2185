"""What a wallet makes of the data centre's answers: refusals, parts that are missing or wrong, what it has not asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from conformance.case import Each, Nature, case
from conformance.cases.test_wallet_online import (
    CHANNEL,
    NO_ANSWER,
    disbelieves,
    grants,
    shows,
    shows_none,
    started,
)
from conformance.home_line import Payload, changed
from conformance.kinds.wallet import WalletTester
from conformance.town import CHILD, GUARDIAN, HOLDER
from conformance.vectors.world import PLACE
from virtual_devices import cose, vhc
from virtual_devices.mdoc.mso import Validity, issue, read_issuer_signed, read_mso
from virtual_devices.pki import DAY_NS
from virtual_devices.wallet.held import OWN

ABSENT = "3241"
"""The field's code for a card that is not there."""


def _body(change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Callable[[WalletTester, bytes], bytes]:
    """The data centre's answer with another body."""
    return lambda wallet, answer: changed(answer, lambda payload: {**payload, 9: change(payload[9])}, wallet.world.centre)


def _no_map(wallet: WalletTester, answer: bytes) -> bytes:
    del answer
    return cose.sign1(wallet.world.centre.key, b"\x01", {cose.X5CHAIN: list(wallet.world.centre.chain)})


def _anothers(wallet: WalletTester, answer: bytes) -> bytes:
    """A credential for the wallet's key, of another person."""
    payload: Payload = dict(cose.decode(answer).payload_map() or {})
    key = read_mso(read_issuer_signed(payload[9]["issued"]).auth.payload or b"").device_key
    now_ns = wallet.world.now_ns
    day = Validity(now_ns - DAY_NS, now_ns - DAY_NS, now_ns + DAY_NS)
    other = replace(wallet.world.holder, card_no=CHILD.card_no)
    credential = issue(
        vhc.DOCTYPE, other.elements(b"", ()), key, wallet.world.signer, day,
        wallet.world.fresh("another", wallet.name), status=PLACE, authorised=vhc.AUTHORISED,
    )
    return _body(lambda body: {**body, "issued": credential.item()})(wallet, answer)


@case("P-PHN-05", "P-PHN-12", "P-GEN-08",
      nature=Nature.INVALID, zh="回覆之內容不合規則：9015，什麼也不收", channels=CHANNEL, each=lambda: {
    "no-map": Each(_no_map, "A payload that is no map", "酬載不是對照表"),
    "code-no-text": Each(lambda w, a: changed(a, lambda p: {**p, 8: 0}, w.world.centre), "A code that is no text",
                         "代碼不是文字"),
    "no-name": Each(_body(lambda b: {**b, "card": ""}), "A card without a name", "卡片無名稱"),
    "no-credential": Each(_body(lambda b: {**b, "issued": [1]}), "What is no credential", "不是憑證"),
    "qr-no-bytes": Each(_body(lambda b: {**b, "qr": 1}), "A code's credential that is no bytes", "條碼憑證不是位元組"),
    "anothers": Each(_anothers, "Another person's credential for the right key", "別人的憑證", nature=Nature.ATTACK),
})
def test_answer_with_wrong_parts_is_not_believed(
    wallet: WalletTester, spoil: Callable[[WalletTester, bytes], bytes],
) -> None:
    """A signed answer whose parts are not what they have to be is answered with 9015; the right one is taken in after it."""
    disbelieves(wallet, spoil)


@case("P-PHN-05", "P-PHN-12", nature=Nature.INVALID, zh="資料中心拒絕：告以其代碼；下次以別的金鑰", channels=CHANNEL)
def test_refusal_is_told_by_its_code(wallet: WalletTester) -> None:
    """What the data centre refuses is told by its code, and asked for with another key the next time."""
    line = started(wallet)
    said: list[str] = []

    def fate(operation: str, answer: bytes) -> bytes:
        if operation == "apply":
            said.append(str((cose.decode(answer).payload_map() or {}).get(8)))
        return answer

    line.fate = fate
    wrong = {**line.ticket(), "ticket": "000000"}
    code, _ = wallet.made_up().online(line, "apply", card_no=HOLDER.card_no, given=wrong)
    wallet.need("the data centre refuses", said[:1] not in ([], ["0"]), said)
    wallet.equal("what is told", code, said[0])
    line.fate = lambda _, answer: answer
    line.enrol()
    first, second = (payload[7]["attestation"] for payload in line.asked if payload[2] == "apply")
    wallet.expect("another attestation", first != second, "another", "the same")
    wallet.equal("card shown", shows(wallet), HOLDER.card_no)


# -- what is not there

@case("P-PHN-12", "P-PHN-14", nature=Nature.INOPPORTUNE, zh="沒有申請、沒有卡片：3241", channels=CHANNEL, each=lambda: {
    "activate": Each(("activate", {"card": "V9"}), "A card that was not applied for", "未申請之卡片"),
    "hold": Each(("hold", {"own": "V9", "authorization": bytes(16)}), "A ward's card before one's own", "自己尚無卡片"),
    "restore": Each(("restore", {"card": "V9"}), "Prescriptions of a card that there is not", "沒有的卡片之處方箋"),
})
def test_act_without_its_card_is_refused(wallet: WalletTester, tried: tuple[str, Mapping[str, Any]]) -> None:
    """What needs a card that is not there is answered with 3241, and nothing is asked of the data centre."""
    act, given = tried
    line = started(wallet)
    line.refused(ABSENT, act, **given)
    wallet.equal("what it asked", line.operations, [])


@case("P-PHN-11", nature=Nature.INOPPORTUNE, zh="清除之後沒有錢包：3241", channels=CHANNEL)
def test_wiped_wallet_takes_nothing_in(wallet: WalletTester) -> None:
    """A phone whose wallet was erased applies for nothing until there is one again."""
    line = started(wallet)
    wallet.need("the recall", line.centre.officer.recall(line.enrol()) == "0")
    line.does("sync")
    line.refused(ABSENT, "apply", card_no=HOLDER.card_no, given=line.ticket())


# -- wards

@case("P-PHN-12", "P-PHN-14", nature=Nature.INVALID, zh="授權不合規則或不是資料中心所簽：不採信", channels=CHANNEL, each=lambda: {
    "noise": Each(b"\xff", "Noise", "雜訊"), "none": Each(None, "None", "沒有"),
    "spoilt": Each(b"", "A bit turned over", "一位元被改"),
})
def test_ward_without_a_right_authorization_is_not_taken(wallet: WalletTester, put: bytes | None) -> None:
    """A ward's card whose authorization cannot be read, or was not signed so, is not taken in."""
    line = started(wallet)
    card = line.enrol(GUARDIAN)
    grant = grants(wallet, line)[0]

    def spoilt(body: Mapping[str, Any]) -> Mapping[str, Any]:
        raw: bytes = body["authorization"]
        return {**body, "authorization": raw[:-1] + bytes((raw[-1] ^ 1,)) if put == b"" else put}

    line.fate = lambda operation, answer: _body(spoilt)(wallet, answer) if operation == "hold" else answer
    code, _ = wallet.made_up().online(line, "hold", own=card, authorization=grant)
    wallet.expect("it is refused", code != "0", "a code", code)
    wallet.made_up().choose(grant.hex())
    shows_none(wallet)


@case("P-PHN-11", nature=Nature.VALID, zh="持卡人之卡被清除：手機上之全部隨之；換機未完成者除外", channels=CHANNEL, each=lambda: {
    "moved": Each((False, True, False), "The card is on another phone", "卡片在別的手機"),
    "asked": Each((True, False, False), "Asked for again, and no other card in force", "已申請，別無有效之卡"),
    "coming": Each((True, True, True), "Asked for again, and a new card in force", "已申請，新卡有效"),
})
def test_holders_card_takes_everything_with_it(wallet: WalletTester, tried: tuple[bool, bool, bool]) -> None:
    """With the holder's own card wards' cards go too, unless a card is in force that this phone asked for and has not got."""
    asked, in_force, stays = tried
    line = started(wallet)
    card = line.enrol(GUARDIAN)
    grant = grants(wallet, line)[0]
    line.does("hold", own=card, authorization=grant)
    if asked:
        line.fate = lambda operation, answer: None if operation == "rebind" else answer
        line.refused(NO_ANSWER, "rebind", card_no=GUARDIAN.card_no, given=line.ticket(GUARDIAN))
    orders = {"erase": [card], "standing": {"V99": "0"} if in_force else {}}
    line.fate = lambda operation, answer: _body(lambda _: orders)(wallet, answer) if operation == "sync" else answer
    wallet.made_up().online(line, "sync")
    wallet.made_up().choose(OWN)
    shows_none(wallet)
    wallet.made_up().choose(grant.hex())
    if stays:
        wallet.equal("the ward's card", shows(wallet), HOLDER.card_no)
    else:
        shows_none(wallet)
