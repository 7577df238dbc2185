"""A wallet and its data centre, which the bench is: enrolment, change of phones, erasure, wards; a line that fails or lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conformance.case import Each, Nature, case
from conformance.home_line import HomeLine, Payload, changed
from conformance.kinds.wallet import REGISTRATION, Contents, WalletTester
from conformance.records import Pen
from conformance.town import CHILD, GUARDIAN, HOLDER, clinic
from conformance.vectors.world import World
from virtual_devices import cose, vhc
from virtual_devices.authorization import EVERYTHING as WHOLE
from virtual_devices.authorization import Relation
from virtual_devices.cloud.guardians import Ground
from virtual_devices.cloud.late import LateRecords
from virtual_devices.cloud.restoring import Restoring
from virtual_devices.pki import Role
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.held import OWN
from virtual_devices.write_back import WriteOutcome, holder_of

CHANNEL = ("ble",)
"""What is said to the data centre is the same however the wallet is presented."""
NO_CARD, NO_ANSWER, NOT_BELIEVED = -4, "4061", "9015"


def started(wallet: WalletTester) -> HomeLine:
    """An empty wallet, and its line."""
    wallet.made_up("fill", "online").fill(Contents(empty=True))
    return HomeLine(wallet)


def shows(wallet: WalletTester) -> str:
    """The number of the card that it shows; empty when there is none."""
    opened = wallet.meet(Use.REGISTRATION)
    answer = wallet.request(opened, wallet.asked(opened, REGISTRATION), "registration")
    return str(wallet.shown(opened, answer).get(vhc.BASIC, {}).get("card_no", ""))


def shows_none(wallet: WalletTester) -> None:
    opened = wallet.meet(None)  # of one that was wiped nobody can agree to anything
    wallet.nothing(wallet.request(opened, wallet.asked(opened, REGISTRATION), "registration"), NO_CARD)


def disbelieves(wallet: WalletTester, spoil: Callable[[WalletTester, bytes], bytes]) -> None:
    """That an answer to the activation, spoilt so, is answered with 9015, and that the right one is taken in after it."""
    line = started(wallet)
    card = line.does("apply", card_no=HOLDER.card_no, given=line.ticket())
    line.fate = lambda operation, answer: spoil(wallet, answer) if operation == "activate" else answer
    line.refused(NOT_BELIEVED, "activate", card=card)
    shows_none(wallet)
    line.fate = lambda _, answer: answer
    line.does("activate", card=card)
    wallet.equal("card shown", shows(wallet), HOLDER.card_no)


# -- enrolment

@case("P-PHN-01", "P-PHN-09", nature=Nature.VALID, zh="註冊：申請、啟用；請求由手機自有金鑰簽署", channels=CHANNEL)
def test_enrolment_brings_the_card(wallet: WalletTester) -> None:
    """The wallet asks for a challenge, applies and activates, signed by one key of its own; then it shows the card."""
    line = started(wallet)
    line.enrol()
    wallet.equal("what it asked", line.operations, ["challenge", "apply", "challenge", "activate"])
    wallet.equal("keys that signed", len({str(payload[4]) for payload in line.asked}), 1)
    wallet.equal("ids of its requests", len({payload[3] for payload in line.asked}), 4)
    wallet.equal("card shown", shows(wallet), HOLDER.card_no)


@case("P-PHN-09", nature=Nature.INOPPORTUNE, zh="未啟用前沒有卡片", channels=CHANNEL)
def test_card_is_not_shown_before_it_is_activated(wallet: WalletTester) -> None:
    """A card that was applied for and not activated is not there."""
    line = started(wallet)
    card = line.does("apply", card_no=HOLDER.card_no, given=line.ticket())
    shows_none(wallet)
    line.does("activate", card=card)
    wallet.equal("card shown", shows(wallet), HOLDER.card_no)


@case("P-PHN-03", "P-PHN-05", "P-PHN-12",
      nature=Nature.MEDIUM, zh="沒有回覆：以同一編號再問，只做一次；重新開機後亦然", channels=CHANNEL,
      each=lambda: {f"{act}{'-restarted' if again else ''}": Each((act, again)) for act in ("apply", "activate")
                    for again in (False, True)})
def test_request_without_an_answer_is_sent_again_under_its_id(wallet: WalletTester, tried: tuple[str, bool]) -> None:
    """Without an answer within 15 s it says 4061; asked again, the request has the id and the key of then, and is done once."""
    lost, restarted = tried
    line = started(wallet)
    given: dict[str, Any] = {"card_no": HOLDER.card_no, "given": line.ticket()}
    if lost == "activate":
        given = {"card": line.does("apply", **given)}
    line.fate = lambda operation, answer: None if operation == lost else answer
    line.refused(NO_ANSWER, lost, **given)
    wallet.expect("it waits 15 s at most", line.waits_s[-1] <= 15, 15, line.waits_s[-1])
    if restarted:
        wallet.made_up().restart()
    line.fate = lambda _, answer: answer
    found = line.does(lost, **given)
    first, second = (payload for payload in line.asked if payload[2] == lost)
    wallet.equal("id of the request again", second[3], first[3])
    cards = [name for name in line.centre.officer.states(HOLDER.card_no) if name.startswith("V")]
    wallet.equal("virtual cards at the data centre", len(cards), 1)
    if lost == "apply":
        line.does("activate", card=found)
    wallet.equal("card shown", shows(wallet), HOLDER.card_no)


def _signed_by(make: Callable[[World], Any], change: Callable[[Payload], Payload] = lambda payload: payload) -> Any:
    return lambda wallet, answer: changed(answer, change, make(wallet.world))


def _spoilt(wallet: WalletTester, answer: bytes) -> bytes:
    return answer[:-1] + bytes([answer[-1] ^ 1])


@case("P-PHN-05", "P-GEN-08",
      nature=Nature.ATTACK, zh="不是資料中心所簽、或不是這一問之回覆：9015，不採信", channels=CHANNEL, each=lambda: {
    "noise": Each(lambda *_: b"\xff", "Noise", "雜訊"),
    "spoilt": Each(_spoilt, "A signature with a bit turned over", "簽章有一位元被改"),
    "stranger": Each(_signed_by(lambda w: w.stranger.issue(Role.DATA_CENTRE, "data centre")), "Another authority's data centre",
                     "別的根憑證"),
    "signer": Each(_signed_by(lambda w: w.signer), "A document signer in its place", "由文件簽署者代簽"),
    "version": Each(_signed_by(lambda w: w.centre, lambda p: {**p, 1: 2}), "Another version", "別的版本"),
    "request": Each(_signed_by(lambda w: w.centre, lambda p: {**p, 3: bytes(16)}), "The answer to another request",
                    "別的請求之回覆"),
})
def test_answer_that_is_not_the_data_centres_is_not_believed(
    wallet: WalletTester, spoil: Callable[[WalletTester, bytes], bytes],
) -> None:
    """An answer that the data centre did not sign, or that is to something else, is answered with 9015, and nothing is taken."""
    disbelieves(wallet, spoil)


# -- what it takes in

@case("P-PHN-12", nature=Nature.ATTACK, zh="憑證不屬於所申請之金鑰：不採信", channels=CHANNEL)
def test_credential_for_another_key_is_not_taken(wallet: WalletTester) -> None:
    """A credential that is bound to another key than the wallet's is not taken in, though its issuer signed it."""
    line = started(wallet)
    card = line.does("apply", card_no=HOLDER.card_no, given=line.ticket())
    other = wallet.world.credential(device=wallet.world.private("somebody else")).item()

    def swapped(payload: Payload) -> Payload:
        return {**payload, 9: {**payload[9], "issued": other}}

    line.fate = lambda operation, answer: (
        changed(answer, swapped, wallet.world.centre) if operation == "activate" else answer
    )
    line.refused(NOT_BELIEVED, "activate", card=card)
    shows_none(wallet)


@case("P-PHN-12", nature=Nature.ATTACK, zh="別人的卡不得取代持卡人之卡", channels=CHANNEL)
def test_another_persons_card_takes_nobodys_place(wallet: WalletTester) -> None:
    """A wallet that has one person's card does not apply for another's in its place."""
    line = started(wallet)
    line.enrol()
    code, _ = wallet.made_up().online(line, "apply", card_no=GUARDIAN.card_no, given=line.ticket(GUARDIAN))
    wallet.expect("it is refused", code != "0", "a code", code)
    wallet.equal("card shown", shows(wallet), HOLDER.card_no)


# -- change of phones

@case("P-PHN-10", nature=Nature.VALID, zh="換機：新手機取得卡片，處方箋依原簽章復原；已有者不動", channels=CHANNEL)
def test_prescriptions_come_back_to_a_new_phone(wallet: WalletTester) -> None:
    """A phone in place of another has the card at once, and what was prescribed as it was signed; again changes nothing."""
    line = started(wallet)
    before = line.enrol()
    wallet.made_up().fill(Contents(empty=True))  # another phone
    card = line.does("rebind", card_no=HOLDER.card_no, given=line.ticket())
    wallet.expect("another card", card != before, "another", card)
    wallet.equal("card shown", shows(wallet), HOLDER.card_no)
    entry = _prescribed(wallet, line)
    line.centre.centre.office.restoring = Restoring(line.centre.centre.ledger, lambda *_: True, lambda *_: [entry])
    for _ in range(2):
        line.does("restore", card=card)
        shown = wallet.recorded(wallet.meet(), "prescriptions").get("prescriptions", ())
        wallet.equal("prescriptions", list(shown), list(entry.records))


def _prescribed(wallet: WalletTester, line: HomeLine) -> LateRecords:
    """A prescription for the card that the wallet shows, as the data centre keeps it."""
    opened = wallet.meet()
    holding = wallet.holding(wallet.shown_card(opened))
    pen = Pen(clinic(wallet.world), wallet.world, holder_of(holding.device_key))
    now_ns = wallet.clock.now_ns()
    raw = pen.sign(pen.prescription(now_ns).record())
    chains = tuple(tuple(chain) for chain in pen.chains)
    return LateRecords(line.centre.centre.fresh(16), (raw,), chains, pen.holder, now_ns)


# -- afterwards

@case("P-PHN-11", nature=Nature.VALID, zh="同步：應清除者先清除，再回報", channels=CHANNEL)
def test_card_to_be_erased_is_erased_and_told(wallet: WalletTester) -> None:
    """A card that the data centre recalls is off the phone when it next asks, and then it says so; not before."""
    line = started(wallet)
    card = line.enrol()
    wallet.equal("the recall", line.centre.officer.recall(card), "0")
    line.fate = lambda operation, answer: None if operation == "wiped" else answer
    line.refused(NO_ANSWER, "sync")
    wallet.equal("what it said last", line.operations[-2:], ["sync", "wiped"])
    wallet.equal("the card that it names", line.asked[-1][7].get("card"), card)
    shows_none(wallet)


@case("P-PHN-11", nature=Nature.VALID, zh="同步：收下逾時紀錄並回報", channels=CHANNEL)
def test_late_records_are_taken_in_and_told(wallet: WalletTester) -> None:
    """Records that came late are in the wallet after it has asked, and what became of each is told."""
    line = started(wallet)
    card = line.enrol()
    entry = _prescribed(wallet, line)
    line.fate = lambda operation, answer: (
        changed(answer, _late(card, entry), wallet.world.centre) if operation == "sync" else answer
    )
    wallet.made_up().online(line, "sync")  # of receipts for what it never gave the data centre may say what it likes
    told: Mapping[str, Any] = next((payload[7] for payload in line.asked if payload[2] == "receipts"), {})
    wallet.equal("receipts", (told.get("card"), told.get("receipts")), (card, [[entry.id, WriteOutcome.STORED.value]]))
    shown = wallet.recorded(wallet.meet(), "prescriptions").get("prescriptions", ())
    wallet.equal("prescriptions", list(shown), list(entry.records))


def _late(card: str, entry: LateRecords) -> Callable[[Payload], Payload]:
    brought = [entry.id, list(entry.records), [list(chain) for chain in entry.chains], entry.received_ns]
    return lambda payload: {**payload, 9: {**payload[9], "late": {card: [brought]}}}


# -- wards

def grants(wallet: WalletTester, line: HomeLine) -> list[bytes]:
    """Authorizations of two wards, of whom one is the guardian's child."""
    officer, guardian = line.centre.officer, GUARDIAN.card_no
    given = [officer.grant(HOLDER.card_no, guardian, Relation.FAMILY, WHOLE, 30),
             officer.grant(CHILD.card_no, guardian, Relation.PARENT, WHOLE, 30, Ground.PARENT)]
    wallet.need("the authorizations are given", {code for code, _ in given} == {"0"}, given)
    return [grant for _, grant in given]


@case("P-PHN-14", "P-AUT-09", nature=Nature.VALID, zh="代理人取得數位受代理人之卡；再問即再給", channels=CHANNEL)
def test_guardian_holds_several_wards(wallet: WalletTester) -> None:
    """A guardian's wallet takes a card for each authorization, bound to its own key; asked again, it is given again."""
    line = started(wallet)
    card = line.enrol(GUARDIAN)
    seen = [shows(wallet)]
    for grant in grants(wallet, line):
        line.does("hold", own=card, authorization=grant)
        line.does("hold", own=card, authorization=grant)
        wallet.made_up().choose(grant.hex())
        seen.append(shows(wallet))
    wallet.equal("cards shown", seen, [GUARDIAN.card_no, HOLDER.card_no, CHILD.card_no])
    wallet.made_up().choose(OWN)
    wallet.equal("the guardian's own again", shows(wallet), GUARDIAN.card_no)


@case("P-PHN-12", "P-PHN-14", nature=Nature.ATTACK, zh="給的是別的授權：不採信", channels=CHANNEL)
def test_ward_under_another_authorization_is_not_taken(wallet: WalletTester) -> None:
    """A ward's card under another authorization than was asked for is not taken in."""
    line = started(wallet)
    card = line.enrol(GUARDIAN)
    given = grants(wallet, line)
    seen: dict[int, Any] = {}

    def fate(operation: str, answer: bytes) -> bytes | None:
        if operation != "hold":
            return answer
        if not seen:
            seen.update(_body(answer))
            return answer
        return changed(answer, lambda payload: {**payload, 9: seen[9]}, wallet.world.centre)

    line.fate = fate
    line.does("hold", own=card, authorization=given[0])
    line.refused(NOT_BELIEVED, "hold", own=card, authorization=given[1])
    wallet.made_up().choose(given[1].hex())
    shows_none(wallet)


def _body(answer: bytes) -> Payload:
    return dict(cose.decode(answer).payload_map() or {})
