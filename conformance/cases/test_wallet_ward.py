"""A ward's card on a guardian's phone, and a card at its end: what is shown under which authorization, and until when."""

from __future__ import annotations

from typing import Any

from conformance.case import Each, Nature, case
from conformance.kinds.wallet import CONSULTATION, REGISTRATION, Contents, WalletTester
from conformance.vectors.world import NOW_NS
from conformance.vectors.writing import Writer
from virtual_devices import authorization, vhc
from virtual_devices.authorization import EVERYTHING, Purpose, Scope
from virtual_devices.clock import NS
from virtual_devices.cose import MalformedCose, read_sign1
from virtual_devices.mdoc.request import items_request
from virtual_devices.reader.proximity import ReaderSession
from virtual_devices.wallet.consent import Use

NOT_IN_FORCE, ENDED = -4, -5
SOON_S = 100


@case("P-ERR-01", "P-ERR-02", "P-GEN-07", "P-GEN-10",
      nature=Nature.LIMIT, zh="卡片到期：時差 30 秒內仍出示，其後 -4", each=lambda: {
    "within-the-skew": Each(30), "past-it": Each(31),
})
def test_card_is_shown_until_its_end(wallet: WalletTester, after_s: int) -> None:
    """A card is shown until thirty seconds past its end, and then answered with -4."""
    wallet.made_up().fill(Contents(until_ns=NOW_NS + SOON_S * NS))
    wallet.wait(SOON_S + after_s, over=True)
    opened = wallet.meet(Use.REGISTRATION)
    answer = wallet.request(opened, wallet.asked(opened, REGISTRATION), "registration")
    if after_s > 30:
        wallet.nothing(answer, NOT_IN_FORCE)
    else:
        wallet.equal("documents in the answer", len(answer.documents), 1)


@case("P-ERR-01", "P-ERR-02", nature=Nature.INOPPORTUNE, zh="手機上沒有卡片：錯誤 -4")
def test_empty_wallet_says_so(wallet: WalletTester) -> None:
    """A wallet without a card answers with -4."""
    wallet.made_up().fill(Contents(empty=True))
    opened = wallet.meet(Use.REGISTRATION)
    wallet.nothing(wallet.request(opened, wallet.asked(opened, REGISTRATION), "registration"), NOT_IN_FORCE)


@case("P-AUT-13", "P-AUT-07", "P-ELE-07", nature=Nature.VALID, zh="代理人出示受代理人的卡：附授權與本次會話的證明")
def test_guardian_shows_the_wards_card(wallet: WalletTester) -> None:
    """A ward's card comes with the authorization and the guardian's proof for this session."""
    opened = _ward(wallet, Contents(scope=EVERYTHING))
    answer = wallet.request(opened, wallet.asked(opened, CONSULTATION, wallet.world.physician), "consultation")
    shown = wallet.shown(opened, answer)
    there = shown.get(vhc.DELEGATION, {})
    wallet.equal("elements of the delegation", set(there), {"authorization", "proof"})
    said = authorization.read(there["authorization"])[1]
    wallet.equal("the authorization that the card names", shown[vhc.BASIC].get(vhc.HELD_UNDER), said.cti)
    try:
        proof = read_sign1(there["proof"])
    except MalformedCose as e:
        wallet.expect("the proof can be read", False, "a COSE_Sign1", e.what)
        raise AssertionError("unreachable") from None
    holds = authorization.verify_proof(proof, said, opened.transcript.encoded)
    wallet.expect("the proof is of this session", holds, "signed by the guardian's key", "another signature")


@case("P-AUT-13", nature=Nature.INVALID, zh="只要求授權：不附證明", each=lambda: {
    name: Each(name) for name in ("authorization", "proof")
})
def test_part_of_the_delegation_is_shown_alone(wallet: WalletTester, name: str) -> None:
    """Who asks for one part of the delegation is not shown the other."""
    opened = _ward(wallet, Contents(scope=EVERYTHING), Use.REGISTRATION)
    items = items_request(vhc.DOCTYPE, {vhc.DELEGATION: {name: True}})
    shown = wallet.shown(opened, wallet.request(opened, wallet.asked(opened, items), "a part"))
    wallet.equal("what is shown", {space: set(names) for space, names in shown.items() if names}, {vhc.DELEGATION: {name}})


@case("P-AUT-13", "P-GEN-10", nature=Nature.TIMER, zh="授權到期後不再出示受代理人的卡：錯誤 -5", each=lambda: {
    "just-before": Each(False), "over": Each(True),
})
def test_wards_card_ends_with_the_authorization(wallet: WalletTester, over: bool) -> None:
    """A ward's card is shown as long as the authorization lasts, and then answered with -5."""
    wallet.made_up().fill(Contents(scope=EVERYTHING, ends_ns=NOW_NS + SOON_S * NS))
    wallet.wait(SOON_S, over=over)
    opened = wallet.meet(Use.REGISTRATION)
    answer = wallet.request(opened, wallet.asked(opened, REGISTRATION), "registration")
    if over:
        wallet.nothing(answer, ENDED)
    else:
        wallet.equal("documents in the answer", len(answer.documents), 1)


def _scopes() -> dict[str, Each]:
    basic, medical, write = Scope.BASIC, Scope.MEDICAL, Scope.WRITE
    return {
        "basic": Each((frozenset({basic}), Purpose.CARE, {vhc.BASIC, vhc.RECORDS, vhc.DELEGATION}),
                      "Scope basic: no medical data", "只有基本資料的授權：不出示醫療資料"),
        "medical": Each((frozenset({basic, medical, write}), Purpose.OUTPATIENT,
                         {vhc.BASIC, vhc.MEDICAL, vhc.RECORDS, vhc.DELEGATION}),
                        "Scope medical: medical data too", "含醫療資料的授權：出示醫療資料"),
        "pharmacy": Each((EVERYTHING, Purpose.PHARMACY, {vhc.BASIC, vhc.RECORDS, vhc.DELEGATION}),
                         "Purpose pharmacy: for a treatment nothing but under which authorization",
                         "領藥用途的授權：看診時不出示"),
    }


@case("P-AUT-13", nature=Nature.ATTACK, zh="授權範圍以外的資料不出示", each=_scopes)
def test_authorization_bounds_what_is_shown(wallet: WalletTester, tried: tuple[frozenset[Scope], Purpose, set[str]]) -> None:
    """Nothing beyond the authorization's scope and purpose is shown."""
    scope, purpose, spaces = tried
    opened = _ward(wallet, Contents(scope=scope, purpose=purpose))
    answer = wallet.request(opened, wallet.asked(opened, CONSULTATION, wallet.world.physician), "consultation")
    shown = _spaces(wallet.shown(opened, answer))
    told = {code for codes in answer.documents[0].errors.values() for code in codes.values() if code}
    wallet.equal("what is shown", shown, spaces)
    wallet.equal("errors for the rest", told, {ENDED})


@case("P-AUT-13", "P-WBK-01", nature=Nature.ATTACK, zh="授權不含寫入：不寫入", destructive=True)
def test_nothing_is_written_beyond_the_authorization(wallet: WalletTester) -> None:
    """To a ward's card nothing is written when the authorization does not reach to writing."""
    opened = _ward(wallet, Contents(scope=frozenset({Scope.BASIC, Scope.MEDICAL})))
    issued = wallet.shown_card(opened)
    raw = Writer(wallet.holding(issued)).visit().to_bytes()
    wallet.nothing(wallet.write(opened, raw), ENDED)


def _ward(wallet: WalletTester, contents: Contents, use: Use = Use.TREATMENT) -> ReaderSession:
    wallet.made_up().fill(contents)
    return wallet.meet(use)


def _spaces(shown: Any) -> set[str]:
    return {space for space, names in shown.items() if names}
