"""What a security module says of itself, how it takes commands, and which parties prove themselves to it."""

from __future__ import annotations

from conformance import command_loop, three_cards
from conformance.case import Nature, case
from conformance.chips import identity_of
from conformance.kinds.sam import MESSAGE, SIGNATURE_BYTES, SamTester
from conformance.vectors.world import INSTITUTION, SAM_ID
from virtual_devices.authentication import Party


@case("P-SAM-01", nature=Nature.VALID, zh="安全模組代號、機構代碼、憑證三者相符")
def test_module_says_whose_it_is(sam: SamTester) -> None:
    """Identifier and institution are as long as they should be, and its certificate names both."""
    sam.insert()
    own, institution = (sam.says(raw, 0x9000, raw) for raw in ("00CA005A00", "00CA5F5000"))
    sam.equal("bytes", (len(own), len(institution)), (12, 10))
    named = sam.believed(sam.chain())
    sam.equal("whom it names", (named.subject_id, named.organisation), (own.decode().strip(), institution.decode().strip()))


@case("P-SAM-01", nature=Nature.VALID, zh="代號與機構即受測者所屬", destructive=True)
def test_module_is_the_institutions(sam: SamTester) -> None:
    """The module in the slot is the one of this institution."""
    sam.insert()
    sam.says("00CA005A0C", 0x9000, "identifier", SAM_ID.encode())
    sam.says("00CA5F500A", 0x9000, "institution", INSTITUTION.encode())
    for raw, word in (("00CA005A04", 0x6C0C), ("00CA5F5004", 0x6C0A)):
        sam.word(sam.send(raw, "too short an Le"), word, "too short an Le")


@case("P-COS-04", "P-SAM-01", nature=Nature.INVALID, zh="錯誤之指令各有其狀態碼，模組照常", each=command_loop.wrong_commands)
def test_wrong_command_is_refused(sam: SamTester, wrong: tuple[str, int]) -> None:
    """A command of a wrong class, instruction, parameter or length is refused by its word, and the module goes on."""
    command_loop.refused_and_goes_on(sam, *wrong)


@case("P-COS-04", nature=Nature.INVALID, zh="不成指令之位元組：6700", each=command_loop.no_commands)
def test_what_is_no_command_is_refused(sam: SamTester, raw: str) -> None:
    """Bytes that are no command are refused by 6700, and the module goes on."""
    command_loop.refused_and_goes_on(sam, raw, 0x6700)


@case("P-COS-04", nature=Nature.LIMIT, zh="最短之指令")
def test_shortest_commands_are_commands(sam: SamTester) -> None:
    """Four bytes are a command, and seven with an extended Le alone."""
    command_loop.shortest_commands_are_commands(sam)


@case("P-COS-01", nature=Nature.INOPPORTUNE, zh="無資料可取回", each=command_loop.get_responses)
def test_get_response_without_need_is_refused(sam: SamTester, wrong: tuple[str, int]) -> None:
    """GET RESPONSE when nothing waits, with parameters or with data is refused."""
    command_loop.refused_and_goes_on(sam, *wrong)


@case("P-COS-01", nature=Nature.LIMIT, zh="Le 過短即告知")
def test_wrong_le_is_told(sam: SamTester) -> None:
    """Too short an Le is told the right one."""
    command_loop.wrong_le_is_told(sam)


@case("P-COS-01", "P-COS-05", nature=Nature.VALID, zh="憑證可分段取回")
def test_certificate_comes_in_pieces(sam: SamTester) -> None:
    """The certificate is the same in pieces; what waits is dropped by another command and by a reset."""
    command_loop.certificate_comes_in_pieces(sam)


@case("P-COS-03", nature=Nature.INOPPORTUNE, zh="串接；中斷即作廢", destructive=True)
def test_certificate_is_taken_in_links(sam: SamTester) -> None:
    """A certificate in links is taken; a broken chain is refused and forgotten."""
    command_loop.certificate_is_taken_in_links(sam)


@case("P-COS-03", nature=Nature.LIMIT, zh="串接最長 8192 位元組", destructive=True)
def test_chain_has_a_limit(sam: SamTester) -> None:
    """A chain of 8192 bytes is taken, one byte more refused."""
    command_loop.chain_has_a_limit(sam)


@case("P-COS-06", nature=Nature.LIMIT, zh="隨機數 8 至 32 位元組，且每次不同", each=command_loop.challenges)
def test_challenge_is_fresh(sam: SamTester, lengths: tuple[int, int]) -> None:
    """Challenges are as long as asked for, and never the same."""
    command_loop.challenge_is_fresh(sam, lengths)


# -- who proves themselves to it

@case("P-TCA-01", "P-TCA-02", "P-SAM-03", nature=Nature.VALID, zh="健保卡證明身分後方可計算檢核碼", destructive=True)
def test_right_proof_opens(sam: SamTester) -> None:
    """A patient card that has proved itself opens the checksum, until the power goes."""
    three_cards.right_proof_opens(sam)


@case("P-TCA-03", nature=Nature.INVALID, zh="憑證遭拒", destructive=True, each=lambda: three_cards.certificates(readers=False))
def test_wrong_certificate_is_refused(sam: SamTester, name: str) -> None:
    """A certificate with one thing wrong is refused, and told why."""
    three_cards.wrong_certificate_is_refused(sam, name)


@case("P-TCA-03", nature=Nature.LIMIT, zh="憑證鏈最長四張", destructive=True)
def test_longest_chain_is_taken(sam: SamTester) -> None:
    """A chain of four certificates is taken."""
    three_cards.longest_chain_is_taken(sam)


@case("P-TCA-04", nature=Nature.TIMER, zh="由憑證得知日期，並記住", destructive=True)
def test_date_is_learnt(sam: SamTester) -> None:
    """A module learns the date from certificates, and keeps it."""
    three_cards.date_is_learnt(sam)


@case("P-TCA-02", nature=Nature.INVALID, zh="身分證明遭拒", destructive=True, each=three_cards.proofs)
def test_wrong_proof_is_refused(sam: SamTester, name: str) -> None:
    """A proof that is not this card's for this module and challenge is refused, and proves nothing."""
    three_cards.wrong_proof_is_refused(sam, name)


@case("P-TCA-02", nature=Nature.LIMIT, zh="三次錯誤後封鎖，至斷電為止", destructive=True)
def test_tries_are_limited(sam: SamTester) -> None:
    """After three wrong proofs none is taken until power-off."""
    three_cards.tries_are_limited(sam)


@case("P-TCA-01", "P-TCA-02", nature=Nature.INOPPORTUNE, zh="步驟過早：6985", destructive=True)
def test_steps_too_early_are_refused(sam: SamTester) -> None:
    """A step before the one that it rests on is refused by 6985."""
    three_cards.steps_too_early_are_refused(sam)


@case("P-TCA-01", "P-TCA-02", nature=Nature.ATTACK, zh="斷電後：所指之一方、憑證、隨機數皆已忘記", destructive=True)
def test_power_off_forgets(sam: SamTester) -> None:
    """After power was off nobody is named or certified, and no challenge waits."""
    three_cards.power_off_forgets(sam)


@case("P-TCA-03", nature=Nature.INOPPORTUNE, zh="再次出示憑證，先前之證明即失效", destructive=True)
def test_new_certificate_takes_the_proof_back(sam: SamTester) -> None:
    """A certificate presented again takes back what the card had proved."""
    three_cards.new_certificate_takes_the_proof_back(sam)


@case("P-TCA-01", "P-TCA-05", "P-GEN-08", nature=Nature.INVALID, zh="參數或資料錯誤之步驟遭拒", destructive=True,
      each=three_cards.malformed_steps)
def test_malformed_step_is_refused(sam: SamTester, wrong: tuple[str, int]) -> None:
    """A step with wrong parameters or data is refused by its word, and the right ones go on."""
    three_cards.malformed_step_is_refused(sam, wrong)


@case("P-TCA-02", nature=Nature.LIMIT, zh="證明須為 64 位元組：6700", destructive=True)
def test_proof_of_another_length_is_refused(sam: SamTester) -> None:
    """A proof of 63 or 65 bytes is refused."""
    three_cards.proof_of_another_length_is_refused(sam)


@case("P-TCA-01", nature=Nature.INVALID, zh="不接受之一方：6A88", destructive=True)
def test_party_that_is_not_taken_is_refused(sam: SamTester) -> None:
    """Another SAM cannot prove itself to it; professional's card and data centre can be named."""
    sam.insert()
    for party, word in ((Party.SAM, 0x6A88), (Party.HPC, 0x9000), (Party.DATA_CENTRE, 0x9000)):
        sam.says(sam.name_party(party), word, f"name the {party.name}")


@case("P-TCA-02", nature=Nature.VALID, zh="醫事人員卡向安全模組證明身分", destructive=True)
def test_professional_proves_themselves(sam: SamTester) -> None:
    """A professional's card proves itself, and opens nothing that is a patient card's."""
    sam.insert()
    physician = identity_of(sam.world, Party.HPC)
    sam.begin(Party.HPC, physician)
    sam.says(sam.authenticate(sam.proof(physician, Party.HPC, sam.challenge())), 0x9000, "proof of the physician")
    sam.says(sam.opened, 0x6982, "a checksum without a patient card")


@case("P-TCA-05", nature=Nature.VALID, zh="安全模組自證身分", destructive=True)
def test_module_proves_itself(sam: SamTester) -> None:
    """The module's own proof is right for the challenge and the verifier that were named."""
    sam.insert()
    three_cards.own_proof_is_right(sam, sam.chain())


@case("P-COS-02", nature=Nature.VALID, zh="T=0：Le 不符即 6Cxx、延伸長度 6700、長回覆分段", channels=("contact-t0",))
def test_t0_carries_data_one_way(sam: SamTester) -> None:
    """Over T=0 a wrong Le is told the right one, extended length is refused, and a long answer comes in pieces."""
    command_loop.t0_carries_data_one_way(sam)


@case("P-COS-02", nature=Nature.VALID, zh="T=0：帶資料之指令，回覆以 61xx 告知", channels=("contact-t0",), destructive=True)
def test_t0_announces_an_answer(sam: SamTester) -> None:
    """Over T=0 the answer to a command with data is announced by 61xx, told its length, and fetched once."""
    sam.insert()
    command_loop.t0_announces_an_answer(sam, sam.sign(MESSAGE, None), SIGNATURE_BYTES)


@case("P-COS-06", "P-COS-07", nature=Nature.MEDIUM, zh="取隨機數時抽卡：之後之隨機數仍是新的", destructive=True)
def test_torn_challenge_is_never_given_again(sam: SamTester) -> None:
    """Torn at any point of giving a challenge, it gives no challenge that it gave before."""
    command_loop.torn_challenge_is_never_given_again(sam)
