"""What a security module signs, for whom, and what it refuses to sign."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.case import Each, Nature, case
from conformance.chips import identity_of
from conformance.kinds.sam import CHECKSUM_BYTES, ENTRY, MESSAGE, SamTester
from conformance.vectors.world import CARD_NO
from virtual_devices import pki
from virtual_devices.apdu import Command
from virtual_devices.authentication import PROOF_LABEL, Party
from virtual_devices.sam.sam import MESSAGES, VISIT_STATEMENT


def _signed(sam: SamTester, message: bytes, step: str) -> None:
    """It signs this, with the key of its certificate."""
    key = sam.believed(sam.chain()).key
    signature = sam.says(sam.sign(message), 0x9000, step)
    sam.expect(f"signature of {step}", pki.verify(key, signature, message), "a signature of its key", signature)


@case("P-SAM-02", nature=Nature.VALID, zh="對資料中心之訊息：無卡亦簽", destructive=True,
      each=lambda: {"signature-1": Each(MESSAGES[0]), "signature": Each(MESSAGES[1])})
def test_message_is_signed_without_a_card(sam: SamTester, label: bytes) -> None:
    """A COSE Sig_structure of either kind is signed without a card; a long one too."""
    sam.insert()
    _signed(sam, label + MESSAGE[len(MESSAGES[0]) :], "message")
    _signed(sam, label + b"x" * 3000, "long message")


@case("P-SAM-02", nature=Nature.ATTACK, zh="就醫陳述：僅為已證明身分之卡而簽", destructive=True)
def test_visit_is_stated_of_the_card_that_proved_itself(sam: SamTester) -> None:
    """A visit is stated once the card that it names has proved itself, of no other card, and not after power-off."""
    sam.insert()
    sam.says(sam.sign(sam.statement()), 0x6982, "statement without a card")
    sam.prove(Party.CARD)
    _signed(sam, sam.statement(), "statement")
    for other in ("000000000001", CARD_NO[:-1] + "9", ""):
        sam.says(sam.sign(sam.statement(other)), 0x6982, f"statement of card {other!r}")
    sam.says(sam.sign(VISIT_STATEMENT), 0x6982, "statement of nobody")
    sam.reset()
    sam.says(sam.sign(sam.statement()), 0x6982, "statement after power-off")


@case("P-SAM-02", nature=Nature.INOPPORTUNE, zh="醫事人員卡之證明不能代替健保卡", destructive=True)
def test_visit_is_not_stated_for_a_professionals_card(sam: SamTester) -> None:
    """With a professional's card alone no visit is stated."""
    sam.insert()
    sam.prove(Party.HPC, identity_of(sam.world, Party.HPC))
    sam.says(sam.sign(sam.statement()), 0x6982, "statement")


def _refused() -> Mapping[str, Each]:
    table = {
        "one-byte": b"x", "other-label": b"\x84jSignature2", "own-proof": PROOF_LABEL + b"\x02" + b"c" * 28,
        "cut-label": VISIT_STATEMENT[:-1], "nothing": b"", "label-later": b" " + MESSAGES[0], "array-of-five": b"\x85jSignature1",
        "array-of-four": b"\x84iSignature", "other-statement": b"VHC visit 2" + CARD_NO.encode(), "entry": ENTRY,
    }
    return {name: Each(data) for name, data in table.items()}


@case("P-SAM-02", nature=Nature.ATTACK, zh="其他一概不簽：6A80", destructive=True, each=_refused)
def test_nothing_else_is_signed(sam: SamTester, data: bytes) -> None:
    """Nothing else is signed, with and without a card."""
    sam.insert()
    sam.says(sam.sign(data), 0x6A80, "without a card")
    sam.prove(Party.CARD)
    sam.says(sam.sign(data), 0x6A80, "with a card")


@case("P-SAM-02", nature=Nature.VALID, zh="簽章相同訊息結果可驗證；Le 過短即告知", destructive=True)
def test_signature_has_64_bytes(sam: SamTester) -> None:
    """A signature is 64 bytes, asked for with that Le, with 00 or with none; a shorter one is told."""
    sam.insert()
    for le in (64, 256, None):
        sam.equal(f"bytes with Le {le}", len(sam.says(sam.sign(MESSAGE, le), 0x9000, "signature")), 64)
    answer = sam.send(sam.sign(MESSAGE, 32), "too short an Le")
    sam.word(answer, 0x6C40, "too short an Le")


@case("P-SAM-03", nature=Nature.VALID, zh="處方檢核碼：20 位元組，隨內容而異", destructive=True)
def test_checksum_differs_by_entry(sam: SamTester) -> None:
    """A checksum is 20 bytes, the same for the same entry, also after a reset, and another for another entry."""
    sam.insert()
    sam.says(sam.opened, 0x6982, "without a card")
    sam.prove(Party.CARD)
    first = sam.says(sam.checksum(ENTRY), 0x9000, "checksum")
    sam.equal("bytes", len(first), CHECKSUM_BYTES)
    sam.says(sam.checksum(ENTRY, 256), 0x9000, "again", first)
    for other in (b"y" + ENTRY[1:], ENTRY[:-1] + b"y", ENTRY[:-1], ENTRY + b"x"):
        sam.expect("another entry has another checksum", sam.says(sam.checksum(other), 0x9000, "another") != first, "", first)
    sam.reset()
    sam.says(sam.checksum(ENTRY), 0x6982, "after power-off")
    sam.prove(Party.CARD)
    sam.says(sam.checksum(ENTRY), 0x9000, "after power-off, the card proved", first)


@case("P-SAM-03", nature=Nature.INVALID, zh="無內容之檢核碼：6700；參數 6A86", destructive=True)
def test_checksum_of_nothing_is_refused(sam: SamTester) -> None:
    """A checksum of nothing is refused by 6700, one with other parameters by 6A86; too short an Le is told."""
    sam.insert()
    sam.prove(Party.CARD)
    sam.says(sam.checksum(b""), 0x6700, "checksum of nothing")
    for p1, p2 in ((0x8E, 0x81), (0x8F, 0x80), (0x80, 0x8E)):
        sam.says(Command(0, 0x2A, p1, p2, ENTRY), 0x6A86, f"P1 P2 {p1:02X}{p2:02X}")
    sam.word(sam.send(sam.checksum(ENTRY, 19), "too short an Le"), 0x6C14, "too short an Le")
