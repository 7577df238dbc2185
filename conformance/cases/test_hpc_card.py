"""What a professional's card says of itself, how it takes commands, what it signs, and to whom it proves itself."""

from __future__ import annotations

from collections.abc import Mapping

from conformance import command_loop, three_cards
from conformance.case import Each, Nature, case
from conformance.kinds.hpc import ENGLISH_NAME, NAME, PIN, SERIAL, SIGNATURE_BYTES, HpcTester
from conformance.vectors.world import DOCTOR_ID
from virtual_devices import pki
from virtual_devices.apdu import Command
from virtual_devices.authentication import PROOF_LABEL, Party
from virtual_devices.records import BIG5


@case("P-HPC-01", nature=Nature.VALID, zh="身分證號、序號、憑證相符")
def test_card_says_whose_it_is(hpc: HpcTester) -> None:
    """National id and serial number are as long as they should be, and the certificate names that id, as a professional's."""
    hpc.insert()
    own, serial = (hpc.says(raw, 0x9000, raw) for raw in ("00CA005A00", "00CA005100"))
    hpc.equal("bytes", (len(own), len(serial)), (10, 12))
    hpc.equal("whom it names", hpc.believed(hpc.chain()).subject_id, own.decode("ascii", "replace").strip())


@case("P-HPC-01", nature=Nature.VALID, zh="姓名（Big5）、英文姓名、序號即受測者所有", destructive=True)
def test_card_is_the_professionals(hpc: HpcTester) -> None:
    """The card in the slot is the one of this professional; too short an Le is told."""
    hpc.insert()
    values = {
        "00CA005A": DOCTOR_ID.encode(), "00CA5F20": NAME.encode(BIG5), "00CA0051": SERIAL.encode(),
        "00CA5F51": ENGLISH_NAME.encode(),
    }
    for raw, value in values.items():
        hpc.says(f"{raw}00", 0x9000, raw, value)
        hpc.word(hpc.send(f"{raw}02", "too short an Le"), 0x6C00 | len(value), "too short an Le")


@case("P-COS-04", "P-HPC-01", nature=Nature.INVALID, zh="錯誤之指令各有其狀態碼，卡片照常", each=command_loop.wrong_commands)
def test_wrong_command_is_refused(hpc: HpcTester, wrong: tuple[str, int]) -> None:
    """A command of a wrong class, instruction, parameter or length is refused by its word, and the card goes on."""
    command_loop.refused_and_goes_on(hpc, *wrong)


@case("P-COS-04", nature=Nature.INVALID, zh="不成指令之位元組：6700", each=command_loop.no_commands)
def test_what_is_no_command_is_refused(hpc: HpcTester, raw: str) -> None:
    """Bytes that are no command are refused by 6700, and the card goes on."""
    command_loop.refused_and_goes_on(hpc, raw, 0x6700)


@case("P-COS-04", nature=Nature.LIMIT, zh="最短之指令")
def test_shortest_commands_are_commands(hpc: HpcTester) -> None:
    """Four bytes are a command, and seven with an extended Le alone."""
    command_loop.shortest_commands_are_commands(hpc)


@case("P-COS-01", nature=Nature.INOPPORTUNE, zh="無資料可取回", each=command_loop.get_responses)
def test_get_response_without_need_is_refused(hpc: HpcTester, wrong: tuple[str, int]) -> None:
    """GET RESPONSE when nothing waits, with parameters or with data is refused."""
    command_loop.refused_and_goes_on(hpc, *wrong)


@case("P-COS-01", nature=Nature.LIMIT, zh="Le 過短即告知")
def test_wrong_le_is_told(hpc: HpcTester) -> None:
    """Too short an Le is told the right one."""
    command_loop.wrong_le_is_told(hpc)


@case("P-COS-01", "P-COS-05", nature=Nature.VALID, zh="憑證可分段取回")
def test_certificate_comes_in_pieces(hpc: HpcTester) -> None:
    """The certificate is the same in pieces; what waits is dropped by another command and by a reset."""
    command_loop.certificate_comes_in_pieces(hpc)


@case("P-COS-03", nature=Nature.INOPPORTUNE, zh="串接；中斷即作廢", destructive=True)
def test_certificate_is_taken_in_links(hpc: HpcTester) -> None:
    """A certificate in links is taken; a broken chain is refused and forgotten."""
    command_loop.certificate_is_taken_in_links(hpc)


@case("P-COS-03", nature=Nature.LIMIT, zh="串接最長 8192 位元組", destructive=True)
def test_chain_has_a_limit(hpc: HpcTester) -> None:
    """A chain of 8192 bytes is taken, one byte more refused."""
    command_loop.chain_has_a_limit(hpc)


@case("P-COS-06", nature=Nature.LIMIT, zh="隨機數 8 至 32 位元組，且每次不同", each=command_loop.challenges)
def test_challenge_is_fresh(hpc: HpcTester, lengths: tuple[int, int]) -> None:
    """Challenges are as long as asked for, and never the same."""
    command_loop.challenge_is_fresh(hpc, lengths)


# -- the SAM proves itself to it, and it to others

@case("P-HPC-03", "P-TCA-02", nature=Nature.VALID, zh="密碼驗證且安全模組證明身分後，方證明自己", destructive=True)
def test_right_proof_opens(hpc: HpcTester) -> None:
    """It proves itself once its PIN is verified and a SAM has proved itself, until the power goes."""
    three_cards.right_proof_opens(hpc)


@case("P-HPC-03", nature=Nature.INOPPORTUNE, zh="未驗證密碼不證明自己", destructive=True)
def test_nothing_is_proved_without_the_pin(hpc: HpcTester) -> None:
    """A SAM alone has it prove nothing, nor the PIN taken back by a wrong one."""
    hpc.insert()
    hpc.prove(Party.SAM)
    hpc.says(hpc.opened, 0x6982, "its proof without the PIN")
    hpc.must(hpc.pin(PIN), "PIN")
    hpc.says(hpc.opened, 0x9000, "its proof")
    hpc.says(hpc.pin("000000"), 0x63C2, "wrong PIN")
    hpc.says(hpc.opened, 0x6982, "its proof after a wrong PIN")


@case("P-TCA-05", "P-HPC-03", nature=Nature.VALID, zh="醫事人員卡自證身分", destructive=True)
def test_card_proves_itself(hpc: HpcTester) -> None:
    """The card's own proof is right for the challenge and the verifier that were named."""
    hpc.ready()
    hpc.prove(Party.SAM)
    three_cards.own_proof_is_right(hpc, hpc.chain())


@case("P-TCA-03", nature=Nature.INVALID, zh="憑證遭拒", destructive=True, each=lambda: three_cards.certificates(readers=True))
def test_wrong_certificate_is_refused(hpc: HpcTester, name: str) -> None:
    """A certificate with one thing wrong is refused, and told why."""
    three_cards.wrong_certificate_is_refused(hpc, name)


@case("P-TCA-03", nature=Nature.LIMIT, zh="憑證鏈最長四張", destructive=True)
def test_longest_chain_is_taken(hpc: HpcTester) -> None:
    """A chain of four certificates is taken."""
    three_cards.longest_chain_is_taken(hpc)


@case("P-TCA-04", nature=Nature.TIMER, zh="由憑證得知日期，並記住", destructive=True)
def test_date_is_learnt(hpc: HpcTester) -> None:
    """A card learns the date from certificates, and keeps it."""
    three_cards.date_is_learnt(hpc)


@case("P-TCA-02", nature=Nature.INVALID, zh="身分證明遭拒", destructive=True, each=three_cards.proofs)
def test_wrong_proof_is_refused(hpc: HpcTester, name: str) -> None:
    """A proof that is not this SAM's for this card and challenge is refused, and proves nothing."""
    three_cards.wrong_proof_is_refused(hpc, name)


@case("P-TCA-02", nature=Nature.LIMIT, zh="三次錯誤後封鎖，至斷電為止", destructive=True)
def test_tries_are_limited(hpc: HpcTester) -> None:
    """After three wrong proofs none is taken until power-off."""
    three_cards.tries_are_limited(hpc)


@case("P-TCA-01", "P-TCA-02", nature=Nature.INOPPORTUNE, zh="步驟過早：6985", destructive=True)
def test_steps_too_early_are_refused(hpc: HpcTester) -> None:
    """A step before the one that it rests on is refused by 6985."""
    three_cards.steps_too_early_are_refused(hpc)


@case("P-TCA-01", "P-TCA-02", nature=Nature.ATTACK, zh="斷電後：所指之一方、憑證、隨機數皆已忘記", destructive=True)
def test_power_off_forgets(hpc: HpcTester) -> None:
    """After power was off nobody is named or certified, and no challenge waits."""
    three_cards.power_off_forgets(hpc)


@case("P-TCA-03", nature=Nature.INOPPORTUNE, zh="再次出示憑證，先前之證明即失效", destructive=True)
def test_new_certificate_takes_the_proof_back(hpc: HpcTester) -> None:
    """A certificate presented again takes back what the SAM had proved."""
    three_cards.new_certificate_takes_the_proof_back(hpc)


@case("P-TCA-01", "P-TCA-05", "P-GEN-08", nature=Nature.INVALID, zh="參數或資料錯誤之步驟遭拒", destructive=True,
      each=three_cards.malformed_steps)
def test_malformed_step_is_refused(hpc: HpcTester, wrong: tuple[str, int]) -> None:
    """A step with wrong parameters or data is refused by its word, and the right ones go on."""
    three_cards.malformed_step_is_refused(hpc, wrong)


@case("P-TCA-02", nature=Nature.LIMIT, zh="證明須為 64 位元組：6700", destructive=True)
def test_proof_of_another_length_is_refused(hpc: HpcTester) -> None:
    """A proof of 63 or 65 bytes is refused."""
    three_cards.proof_of_another_length_is_refused(hpc)


@case("P-TCA-01", nature=Nature.INVALID, zh="不接受之一方：6A88", destructive=True)
def test_party_that_is_not_taken_is_refused(hpc: HpcTester) -> None:
    """Only a SAM proves itself to it."""
    hpc.insert()
    for party in (Party.CARD, Party.HPC, Party.DATA_CENTRE):
        hpc.says(hpc.name_party(party), 0x6A88, f"name the {party.name}")
    hpc.says(hpc.name_party(Party.SAM), 0x9000, "name the SAM")


# -- what it signs

@case("P-HPC-02", nature=Nature.VALID, zh="密碼驗證後簽署處方", destructive=True)
def test_document_is_signed_after_the_pin(hpc: HpcTester) -> None:
    """Once the PIN is verified a document of any length is signed; not before, and not after power-off."""
    hpc.insert()
    hpc.says(hpc.sign(b"a prescription"), 0x6982, "before the PIN")
    hpc.must(hpc.pin(PIN), "PIN")
    key = hpc.believed(hpc.chain()).key
    for document in (b"a", b"a prescription", b"x" * 4000):
        signature = hpc.says(hpc.sign(document), 0x9000, f"{len(document)} bytes")
        right = pki.verify(key, signature, document)
        hpc.expect(f"signature over {len(document)} bytes", right, "a signature of its key", signature)
    hpc.word(hpc.send(hpc.sign(b"a", 63), "too short an Le"), 0x6C40, "too short an Le")
    hpc.reset()
    hpc.says(hpc.sign(b"a prescription"), 0x6982, "after power-off")


def _refused() -> Mapping[str, Each]:
    return {"nothing": Each((b"", 0x6700)), "own-proof": Each((PROOF_LABEL + b"\x03" + b"c" * 28, 0x6A80)),
            "label-alone": Each((PROOF_LABEL, 0x6A80)), "most-of-the-label": Each((PROOF_LABEL[:-1], 0x9000))}


@case("P-HPC-02", nature=Nature.ATTACK, zh="空白 6700；冒充身分證明 6A80", destructive=True, each=_refused)
def test_proof_is_signed_by_no_other_way(hpc: HpcTester, tried: tuple[bytes, int]) -> None:
    """Nothing is not signed, nor what begins as a proof does."""
    data, word = tried
    hpc.ready()
    hpc.says(hpc.sign(data), word, "sign")


@case("P-HPC-02", nature=Nature.INOPPORTUNE, zh="PIN 錯誤後不得簽署", destructive=True)
def test_nothing_is_signed_after_a_wrong_pin(hpc: HpcTester) -> None:
    """A wrong PIN after the right one, and nothing is signed; other parameters are refused before anything else."""
    hpc.ready()
    for p1, p2 in ((0x9E, 0x9B), (0x9F, 0x9A), (0x8E, 0x80)):
        hpc.says(Command(0, 0x2A, p1, p2, b"a prescription"), 0x6A86, f"P1 P2 {p1:02X}{p2:02X}")
    hpc.says(hpc.pin("000000"), 0x63C2, "wrong PIN")
    hpc.says(hpc.sign(b"a prescription"), 0x6982, "sign")


@case("P-COS-02", nature=Nature.VALID, zh="T=0：Le 不符即 6Cxx、延伸長度 6700、長回覆分段", channels=("contact-t0",))
def test_t0_carries_data_one_way(hpc: HpcTester) -> None:
    """Over T=0 a wrong Le is told the right one, extended length is refused, and a long answer comes in pieces."""
    command_loop.t0_carries_data_one_way(hpc)


@case("P-COS-02", nature=Nature.VALID, zh="T=0：帶資料之指令，回覆以 61xx 告知", channels=("contact-t0",), destructive=True)
def test_t0_announces_an_answer(hpc: HpcTester) -> None:
    """Over T=0 the answer to a command with data is announced by 61xx, told its length, and fetched once."""
    hpc.ready()
    command_loop.t0_announces_an_answer(hpc, hpc.sign(b"a prescription", None), SIGNATURE_BYTES)


@case("P-COS-06", "P-COS-07", nature=Nature.MEDIUM, zh="取隨機數時抽卡：之後之隨機數仍是新的", destructive=True)
def test_torn_challenge_is_never_given_again(hpc: HpcTester) -> None:
    """Torn at any point of giving a challenge, it gives no challenge that it gave before."""
    command_loop.torn_challenge_is_never_given_again(hpc)
