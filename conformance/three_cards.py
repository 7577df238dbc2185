"""Three-card authentication (三卡認證) as every chip does it: what each kind's cases try, said once.

Certificates and proofs by name, each with one thing wrong; steps out of order. The tester plays the party that proves itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from conformance.case import Each, Nature
from conformance.chips import ChipTester, identity, identity_of
from conformance.vectors.suite import flipped
from conformance.vectors.world import CARD_NO, DOCTOR_ID, INSTITUTION, SAM_ID, World
from virtual_devices import pki
from virtual_devices.apdu import Command
from virtual_devices.authentication import Party, padded_id, proof_message
from virtual_devices.certificates import PARTY, READER
from virtual_devices.pki import DOCUMENT_SIGNING, READER_AUTHENTICATION, READERS, Identity, Role

BEFORE_DAYS, NEWS_DAYS = (-800, -366), (10, 20)
"""Of a certificate that ended the day before the usual ones began, and of one that begins later than now, from the epoch."""

CERTIFICATES: Mapping[str, tuple[int, str, str]] = {
    "no-cbor": (0x6A80, "bytes that are no CBOR", "不成 CBOR 之位元組"),
    "no-array": (0x6A80, "CBOR that is no array", "CBOR 而非陣列"),
    "number": (0x6A80, "CBOR that is a number", "CBOR 數字"),
    "array-of-numbers": (0x6A80, "an array of numbers", "數字之陣列"),
    "empty-array": (0x6A80, "an empty array", "空陣列"),
    "five-certificates": (0x6A80, "five certificates where four are the most", "五張憑證（上限四張）"),
    "no-certificate": (0x6A80, "an array of bytes that are no certificate", "不成憑證之位元組"),
    "other-curve": (0x6A80, "a key on P-384", "金鑰在 P-384 上"),
    "other-kind-of-key": (0x6A80, "a key of Ed25519", "Ed25519 金鑰"),
    "document-signer": (0x9605, "a document signer, for whom the chip has no root", "卡片簽發者之憑證，晶片並無其根憑證"),
    "stranger": (0x9605, "an authority that nobody trusts", "無人信任之簽發者"),
    "leaf-alone": (0x9605, "a certificate without its issuer's", "缺上層憑證"),
    "no-signing": (0x9605, "a key that may not sign", "金鑰不得簽章"),
    "two-roles": (0x9604, "two roles", "兩個角色"),
    "no-role": (0x9604, "no role", "沒有角色"),
    "other-role": (0x9604, "the role of another party", "他方之角色"),
    "expired": (0x9601, "a certificate that ended before the chip's last date", "於晶片最後所知日期前已到期"),
}
FOR_READERS: Mapping[str, tuple[int, str, str]] = {
    "no-purpose": (0x9604, "a certificate that is not for readers", "憑證沒有讀取者用途"),
    "other-purpose": (0x9604, "a certificate for signing documents", "憑證的用途是簽發卡片"),
}
"""Of a party whose certificates are a reader's (ISO/IEC 18013-5 annex B)."""


def certificates(*, readers: bool) -> Mapping[str, Each]:
    """For ``each=`` of a kind's case. ``readers``: the party's certificates are a reader's."""
    table = {**CERTIFICATES, **(FOR_READERS if readers else {})}
    return {name: Each(name, f"Refused by {word:04X}: {says}.", f"憑證遭拒（{word:04X}）：{zh}")
            for name, (word, says, zh) in table.items()}


def wrong_certificate_is_refused(chip: ChipTester, name: str) -> None:
    """The certificate is refused by its word, nobody has proved anything, and a right one is taken afterwards."""
    chip.ready()
    chip.begin(chip.takes, identity_of(chip.world, chip.takes))  # from here on the chip has seen a date
    word = {**CERTIFICATES, **FOR_READERS}[name][0]
    chip.says(chip.certify(_chain(chip.world, chip.takes, name)), word, f"certificate: {name}")
    challenge = chip.challenge()
    proof = chip.proof(identity_of(chip.world, chip.takes), chip.takes, challenge)
    chip.says(chip.authenticate(proof), 0x6985, "proof without a certificate")
    chip.says(chip.opened, 0x6982, "what the proof would open")
    chip.prove(chip.takes)
    chip.says(chip.opened, 0x9000, "what a right proof opens")


def _chain(world: World, party: Party, name: str) -> bytes:
    """The chain of that name: for the party's key, with one thing wrong."""
    usual = identity_of(world, party)
    role, subject, organisation = _who(party)
    raw: Mapping[str, Callable[[], bytes]] = {
        "no-cbor": lambda: b"\xff", "number": lambda: b"\x01", "no-array": lambda: cbor2.dumps(usual.chain[0]),
        "array-of-numbers": lambda: cbor2.dumps([1, 2]),
        "empty-array": lambda: cbor2.dumps([]), "no-certificate": lambda: cbor2.dumps([b"\x30\x00", usual.chain[1]]),
        "five-certificates": lambda: cbor2.dumps([usual.chain[0], *[usual.chain[1]] * 4]),
        "leaf-alone": lambda: cbor2.dumps([usual.chain[0]]),
        "document-signer": lambda: world.signer.chain_bytes(),
        "stranger": lambda: identity(world, role, subject, organisation, stranger=True).chain_bytes(),
        "other-role": lambda: identity(world, Role.NURSE, DOCTOR_ID).chain_bytes(),
        "expired": lambda: identity(world, role, subject, organisation, BEFORE_DAYS).chain_bytes(),
    }
    return raw[name]() if name in raw else cbor2.dumps([_leaf(world, role, subject, name)])


def _leaf(world: World, role: Role, subject: str, name: str) -> bytes:
    """A certificate as nobody should issue it, rightly signed."""
    own, reader = [role.oid], role in READERS
    profile, purposes = (READER, [READER_AUTHENTICATION]) if reader else (PARTY, [])
    key = identity(world, role, subject, INSTITUTION if role is Role.SAM else "").key.public_key()
    match name:
        case "other-curve":
            return world.leaf(profile, subject, ec.derive_private_key(1 << 200, ec.SECP384R1()).public_key(), own, purposes)
        case "other-kind-of-key":
            other = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
            return world.leaf(profile, subject, other, own, purposes)  # type: ignore[arg-type]
        case "no-signing":
            return world.leaf(replace(READER, ca=True), subject, key, own, purposes)
        case "two-roles":
            return world.leaf(profile, subject, key, [*own, Role.NURSE.oid], purposes)
        case "no-role":
            return world.leaf(profile, subject, key, [], purposes)
        case "no-purpose":
            return world.leaf(profile, subject, key, own, [])
        case _:
            return world.leaf(profile, subject, key, own, [DOCUMENT_SIGNING])


def _who(party: Party) -> tuple[Role, str, str]:
    return (Role.SAM, SAM_ID, INSTITUTION) if party is Party.SAM else (Role.PATIENT_CARD, CARD_NO, "")


def longest_chain_is_taken(chip: ChipTester) -> None:
    """Four certificates are a chain."""
    chip.ready()
    chip.must(chip.name_party(chip.takes), "name")
    leaf, issuer = identity_of(chip.world, chip.takes).chain
    chip.says(chip.certify(cbor2.dumps([leaf, issuer, issuer, issuer])), 0x9000, "a chain of four")


def date_is_learnt(chip: ChipTester) -> None:
    """A certificate that begins later is news; one that had ended by then is expired from then on, also after a reset."""
    chip.ready()
    chip.must(chip.name_party(chip.takes), "name")
    role, subject, organisation = _who(chip.takes)

    def valid(days: tuple[int, int]) -> Command:
        return chip.certify(identity(chip.world, role, subject, organisation, days).chain_bytes())

    chip.says(valid((-365, 9)), 0x9000, "a certificate until the 9th day")
    chip.says(valid(NEWS_DAYS), 0x9000, "one that begins on the 10th")
    chip.says(valid((-365, 10)), 0x9000, "one that ends on that day")
    chip.says(valid((-365, 9)), 0x9601, "the first again")
    chip.reset()
    chip.must(chip.name_party(chip.takes), "name")
    chip.says(valid((-365, 9)), 0x9601, "the first again after a reset")


# -- proofs

PROOFS: Mapping[str, tuple[Nature, str, str]] = {
    "other-key": (Nature.ATTACK, "by another key", "他人之金鑰"),
    "other-chip": (Nature.ATTACK, "for another chip", "為另一晶片而作"),
    "other-party": (Nature.ATTACK, "as another party", "以他方身分而作"),
    "old-challenge": (Nature.ATTACK, "over a challenge of before", "舊的隨機數"),
    "before-reset": (Nature.ATTACK, "that was right before a reset", "重置前之證明重送"),
    "altered": (Nature.INVALID, "with one bit changed", "有一位元被改"),
    "zeros": (Nature.INVALID, "of zeros", "全為零"),
}


def proofs() -> Mapping[str, Each]:
    return {name: Each(name, f"A proof {says} is refused by 63C2 and proves nothing.", f"身分證明遭拒：{zh}", nature=nature)
            for name, (nature, says, zh) in PROOFS.items()}


def wrong_proof_is_refused(chip: ChipTester, name: str) -> None:
    chip.ready()
    party, usual = chip.takes, identity_of(chip.world, chip.takes)
    chip.begin(party, usual)
    old = chip.challenge()
    if name == "before-reset":
        chip.ready(again=True)
        chip.begin(party, usual)
    proof = _proof(chip, name, usual, old, chip.challenge())
    chip.says(chip.authenticate(proof), 0x63C2, "the wrong proof")
    chip.says(chip.opened, 0x6982, "what it would open")


def _proof(chip: ChipTester, name: str, usual: Identity, old: bytes, challenge: bytes) -> bytes:
    party = chip.takes
    match name:
        case "other-key":
            return chip.proof(identity_of(chip.world, Party.DATA_CENTRE), party, challenge)
        case "other-chip":
            return chip.proof(usual, party, challenge, "000000000001")
        case "other-party":
            return chip.proof(usual, Party.HPC, challenge)
        case "altered":
            return flipped(chip.proof(usual, party, challenge))
        case "zeros":
            return bytes(64)
        case _:
            return chip.proof(usual, party, old)


def right_proof_opens(chip: ChipTester) -> None:
    """Named, certified, proved: what it is for opens, and closes with the power."""
    chip.ready()
    chip.says(chip.opened, 0x6982, "before the proof")
    chip.prove(chip.takes)
    chip.says(chip.opened, 0x9000, "after the proof")
    chip.ready(again=True)
    chip.says(chip.opened, 0x6982, "after power was off")


def tries_are_limited(chip: ChipTester) -> None:
    """Three wrong proofs, and no other until power-off; a right one in between starts the count anew."""
    chip.ready()
    party, usual = chip.takes, identity_of(chip.world, chip.takes)
    chip.begin(party, usual)

    def wrong(word: int) -> None:
        chip.challenge()
        chip.says(chip.authenticate(bytes(64)), word, "wrong proof")

    wrong(0x63C2)
    wrong(0x63C1)
    chip.says(chip.authenticate(chip.proof(usual, party, chip.challenge())), 0x9000, "right proof")
    for word in (0x63C2, 0x63C1, 0x63C0, 0x6983):
        wrong(word)
    chip.says(chip.authenticate(chip.proof(usual, party, chip.challenge())), 0x6983, "right proof, too late")
    chip.reset()
    chip.begin(party, usual)
    chip.says(chip.authenticate(chip.proof(usual, party, chip.challenge())), 0x9000, "right proof after power-off")


def steps_too_early_are_refused(chip: ChipTester) -> None:
    """Nothing named, nothing certified, no challenge, one of another length, one used up: 6985."""
    party, usual = chip.takes, identity_of(chip.world, chip.takes)
    chip.ready()
    chip.says(chip.certify(usual.chain_bytes()), 0x6985, "a certificate of nobody named")
    chip.challenge()
    chip.says(chip.authenticate(bytes(64)), 0x6985, "a proof of nobody named")
    chip.must(chip.name_party(party), "name")
    chip.says(chip.authenticate(chip.proof(usual, party, chip.challenge())), 0x6985, "a proof without a certificate")
    chip.must(chip.certify(usual.chain_bytes()), "certificate")
    chip.says(chip.authenticate(bytes(64)), 0x6985, "a proof without a challenge")
    short = chip.must(Command(0, 0x84, 0, 0, le=8), "a challenge of 8 bytes")
    chip.says(chip.authenticate(chip.proof(usual, party, short)), 0x6985, "a proof over a short challenge")
    long = chip.must(Command(0, 0x84, 0, 0, le=17), "a challenge of 17 bytes")
    chip.says(chip.authenticate(chip.proof(usual, party, long)), 0x6985, "a proof over a long challenge")
    proof = chip.proof(usual, party, chip.challenge())
    chip.says(chip.authenticate(bytes(64)), 0x63C2, "a wrong proof")
    chip.says(chip.authenticate(proof), 0x6985, "the right one over the challenge used up")
    chip.says(chip.opened, 0x6982, "what a proof opens")


def power_off_forgets(chip: ChipTester) -> None:
    """After power was off nobody is named, nobody is certified, and no challenge waits."""
    party, usual = chip.takes, identity_of(chip.world, chip.takes)
    chip.ready()
    chip.begin(party, usual)
    chip.ready(again=True)
    chip.says(chip.certify(usual.chain_bytes()), 0x6985, "a certificate of nobody named")
    chip.must(chip.name_party(party), "name")
    chip.says(chip.authenticate(chip.proof(usual, party, chip.challenge())), 0x6985, "a proof without a certificate")
    chip.begin(party, usual)
    old = chip.proof(usual, party, chip.challenge())
    chip.ready(again=True)
    chip.begin(party, usual)
    chip.says(chip.authenticate(old), 0x6985, "a proof over the challenge of before")
    chip.says(chip.opened, 0x6982, "what a proof opens")


def new_certificate_takes_the_proof_back(chip: ChipTester) -> None:
    """A certificate presented again asks for a new proof, and a refused one leaves nothing."""
    for again, word in (("the same", 0x9000), ("a refused", 0x9605)):
        chip.ready()
        chip.prove(chip.takes)
        name = "stranger" if word != 0x9000 else ""
        chain = _chain(chip.world, chip.takes, name) if name else identity_of(chip.world, chip.takes).chain_bytes()
        chip.says(chip.certify(chain), word, f"{again} certificate")
        chip.says(chip.opened, 0x6982, f"what was open before {again} certificate")


def malformed_steps() -> Mapping[str, Each]:
    """For ``each=``: commands with wrong parameters and data, after the party has been named."""
    table: Mapping[str, tuple[str, int]] = {
        "name-p1": ("002201A403830102", 0x6A86), "name-p2": ("002281A503830102", 0x6A86), "name-no-data": ("002281A4", 0x6A80),
        "name-two-bytes": ("002281A4028301", 0x6A80), "name-four-bytes": ("002281A40483010200", 0x6A80),
        "name-other-tag": ("002281A403840102", 0x6A80), "name-other-length": ("002281A403830202", 0x6A80),
        "name-party-0": ("002281A403830100", 0x6A88), "name-party-5": ("002281A403830105", 0x6A88),
        "certificate-p1": ("002A01BE0180", 0x6A86), "certificate-p2": ("002A00BF0180", 0x6A86),
        "proof-p1": ("0082010001FF", 0x6A86), "proof-p2": ("0082000101FF", 0x6A86),
        "proof-of-the-field": ("0082111220" + "5A" * 32 + "10", 0x6A86),
        "answer-p1": ("008801001C" + "5A" * 28, 0x6A86), "answer-p2": ("008800011C" + "5A" * 28, 0x6A86),
        "answer-to-27-bytes": ("008800001B" + "5A" * 27, 0x6700), "answer-to-29-bytes": ("008800001D" + "5A" * 29, 0x6700),
        "answer-to-nothing": ("0088000000", 0x6700),
    }
    return {name: Each(value) for name, value in table.items()}


def malformed_step_is_refused(chip: ChipTester, wrong: tuple[str, int]) -> None:
    chip.ready()
    chip.must(chip.name_party(chip.takes), "name")
    raw, word = wrong
    chip.word(chip.send(raw, "malformed step"), word, "malformed step")
    chip.prove(chip.takes)
    chip.says(chip.opened, 0x9000, "what a right proof opens afterwards")


def proof_of_another_length_is_refused(chip: ChipTester) -> None:
    """63 and 65 bytes are no proof."""
    chip.ready()
    usual = identity_of(chip.world, chip.takes)
    chip.begin(chip.takes, usual)
    for length in (63, 65, 0):
        spoilt = (chip.proof(usual, chip.takes, chip.challenge()) + b"\0")[:length]
        chip.says(chip.authenticate(spoilt), 0x6700, f"a proof of {len(spoilt)} bytes")
    chip.says(chip.opened, 0x6982, "what a proof opens")


def own_proof_is_right(chip: ChipTester, chain: bytes) -> None:
    """What the chip signs is its own proof, for the verifier and the challenge that were named. ``chain``: the chip's own."""
    key = chip.believed(chain).key
    challenge, verifier = bytes(range(16)), padded_id("VERIFIER1")
    signature = chip.says(Command(0, 0x88, 0, 0, challenge + verifier, le=64), 0x9000, "its proof")
    message = proof_message(chip.who, challenge, verifier)
    chip.expect("the proof is its own", pki.verify(key, signature, message), "a signature of its key", signature)


__all__ = [
    "CERTIFICATES", "FOR_READERS", "PROOFS", "certificates", "date_is_learnt", "longest_chain_is_taken",
    "malformed_step_is_refused", "malformed_steps", "new_certificate_takes_the_proof_back", "own_proof_is_right",
    "power_off_forgets", "proof_of_another_length_is_refused", "proofs", "right_proof_opens", "steps_too_early_are_refused",
    "tries_are_limited", "wrong_certificate_is_refused", "wrong_proof_is_refused",
]
