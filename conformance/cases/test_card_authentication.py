"""SAM and professional's card prove themselves to a patient card, rightly, wrongly and out of order; and it proves itself."""

from __future__ import annotations

from conformance import three_cards
from conformance.case import Nature, case
from conformance.chips import identity, identity_of
from conformance.kinds.card import CardTester
from conformance.vectors.world import INSTITUTION, SAM_ID
from virtual_devices.apdu import Command
from virtual_devices.authentication import Party
from virtual_devices.pki import Role


@case("P-TCA-01", "P-TCA-02", "P-ICC-11", nature=Nature.VALID, zh="安全模組證明其身分後方可讀取", destructive=True)
def test_right_proof_opens(card: CardTester) -> None:
    """A SAM that has proved itself may read, until the power goes."""
    three_cards.right_proof_opens(card)


@case("P-TCA-03", nature=Nature.INVALID, zh="憑證遭拒", destructive=True, each=lambda: three_cards.certificates(readers=True))
def test_wrong_certificate_is_refused(card: CardTester, name: str) -> None:
    """A certificate with one thing wrong is refused, and told why."""
    three_cards.wrong_certificate_is_refused(card, name)


@case("P-TCA-03", nature=Nature.LIMIT, zh="憑證鏈最長四張", destructive=True)
def test_longest_chain_is_taken(card: CardTester) -> None:
    """A chain of four certificates is taken."""
    three_cards.longest_chain_is_taken(card)


@case("P-TCA-04", nature=Nature.TIMER, zh="晶片由憑證得知日期，並記住", destructive=True)
def test_date_is_learnt(card: CardTester) -> None:
    """A card learns the date from certificates: a later one is news, one that had ended by then is expired, after a reset too."""
    three_cards.date_is_learnt(card)


@case("P-TCA-04", nature=Nature.LIMIT, zh="憑證於晶片所知日期前一日到期：9601", destructive=True)
def test_certificate_that_had_ended_is_refused_at_once(card: CardTester) -> None:
    """A certificate that had ended by the card's own last date is expired from the first."""
    card.insert()
    card.must(card.name_party(Party.SAM), "name")
    for days, word in (((-400, -41), 0x9601), ((-400, -39), 0x9000)):
        chain = identity(card.world, Role.SAM, SAM_ID, INSTITUTION, days).chain_bytes()
        card.says(card.certify(chain), word, f"a certificate until day {days[1]}")


@case("P-TCA-02", nature=Nature.INVALID, zh="身分證明遭拒", destructive=True, each=three_cards.proofs)
def test_wrong_proof_is_refused(card: CardTester, name: str) -> None:
    """A proof that is not this SAM's for this card and challenge is refused, and proves nothing."""
    three_cards.wrong_proof_is_refused(card, name)


@case("P-TCA-02", nature=Nature.LIMIT, zh="三次錯誤後封鎖，至斷電為止", destructive=True)
def test_tries_are_limited(card: CardTester) -> None:
    """After three wrong proofs none is taken until power-off; a right one in between starts the count anew."""
    three_cards.tries_are_limited(card)


@case("P-TCA-01", "P-TCA-02", nature=Nature.INOPPORTUNE, zh="步驟過早：6985", destructive=True)
def test_steps_too_early_are_refused(card: CardTester) -> None:
    """A step before the one that it rests on is refused by 6985."""
    three_cards.steps_too_early_are_refused(card)


@case("P-TCA-01", "P-TCA-02", nature=Nature.ATTACK, zh="斷電後：所指之一方、憑證、隨機數皆已忘記", destructive=True)
def test_power_off_forgets(card: CardTester) -> None:
    """After power was off nobody is named or certified, and no challenge waits."""
    three_cards.power_off_forgets(card)


@case("P-TCA-03", nature=Nature.INOPPORTUNE, zh="再次出示憑證，先前之證明即失效", destructive=True)
def test_new_certificate_takes_the_proof_back(card: CardTester) -> None:
    """A certificate presented again takes back what the party had proved."""
    three_cards.new_certificate_takes_the_proof_back(card)


@case("P-TCA-01", "P-TCA-05", "P-GEN-08", nature=Nature.INVALID, zh="參數或資料錯誤之步驟遭拒", destructive=True,
      each=three_cards.malformed_steps)
def test_malformed_step_is_refused(card: CardTester, wrong: tuple[str, int]) -> None:
    """A step with wrong parameters or data is refused by its word, and the right ones go on."""
    three_cards.malformed_step_is_refused(card, wrong)


@case("P-TCA-02", nature=Nature.LIMIT, zh="證明須為 64 位元組：6700", destructive=True)
def test_proof_of_another_length_is_refused(card: CardTester) -> None:
    """A proof of 63 or 65 bytes is refused by 6700."""
    three_cards.proof_of_another_length_is_refused(card)


@case("P-TCA-01", nature=Nature.INVALID, zh="不接受之一方：6A88", destructive=True)
def test_party_that_is_not_taken_is_refused(card: CardTester) -> None:
    """Another patient card cannot prove itself to a card; the data centre can be named."""
    card.insert()
    card.says(card.name_party(Party.CARD), 0x6A88, "name a card")
    card.says(card.name_party(Party.DATA_CENTRE), 0x9000, "name the data centre")
    card.says("002281B603830102", 0x9000, "name the SAM for signatures")


@case("P-TCA-05", nature=Nature.VALID, zh="卡片自證身分", destructive=True)
def test_card_proves_itself(card: CardTester) -> None:
    """The card's own proof is right for the challenge and the verifier that were named."""
    card.insert()
    three_cards.own_proof_is_right(card, card.must(Command(0, 0xCA, 0x7F, 0x21, le=256), "certificate"))


@case("P-ICC-11", "P-TCA-01", nature=Nature.INOPPORTUNE, zh="醫事人員卡已證明而安全模組未證明：不得讀取", destructive=True)
def test_professional_without_a_sam_reads_nothing(card: CardTester) -> None:
    """A professional's card alone opens neither basic data nor a medical area, nor a write."""
    card.insert()
    card.prove(Party.HPC, identity_of(card.world, Party.HPC))
    for name in ("basic", "visit", "diagnosis"):
        card.says(card.area(name), 0x6982, name)
    card.says(card.put(card.issue()), 0x6982, "a visit")
