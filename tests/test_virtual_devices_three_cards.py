"""Three-card authentication: offline, telling which of the three failed and why, and nothing recorded or forwarded is taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from virtual_devices.apdu import Command
from virtual_devices.authentication import Party, padded_id, proof_message
from virtual_devices.card.areas import AREAS, Access
from virtual_devices.card.ic_card import IcCard
from virtual_devices.flow import Flow
from virtual_devices.pki import Identity, Role, Trouble, sign
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.visit import open_card, read_medical, read_public

from .chips import NAME_SAM, certify, on, say
from .desk import (
    AUTHORITY,
    CARD_NO,
    DOCTOR_ID,
    INSTITUTION,
    NOW_NS,
    SAM_ID,
    STRANGER,
    Bench,
    hpc,
    patient_card,
    sam,
    switch_on,
)
from .links import Silence


def whole(bench: Bench) -> Flow[None]:
    """All three prove themselves, and the medical areas are read."""
    yield from switch_on(bench)
    _, public = yield from read_public()
    yield from read_medical(bench.desk, bench.doctor, public)


def test_three_cards_need_no_network() -> None:
    bench = Bench()
    bench.run(whole(bench), cloud=Silence())
    assert set(bench.card.authenticator.proved) == {Party.SAM, Party.HPC}
    assert Party.CARD in bench.sam.authenticator.proved


def expired(role: Role, name: str, **more: str) -> Identity:
    return AUTHORITY.issue(role, name, days=(-700, -60), key_name="expired", **more)


def future(role: Role, name: str, **more: str) -> Identity:
    return AUTHORITY.issue(role, name, days=(60, 700), key_name="future", **more)


def forged(role: Role, name: str, **more: str) -> Identity:
    return STRANGER.issue(role, name, **more)


def with_other_key(role: Role, name: str, **more: str) -> Identity:
    """The right chain, another private key."""
    return Identity(AUTHORITY.issue(role, name, key_name="other", **more).key, AUTHORITY.issue(role, name, **more).chain)


OF = {"institution": {"organisation": INSTITUTION}}
SAM_CASES: dict[str, tuple[Identity, Trouble, str]] = {
    "expired": (expired(Role.SAM, SAM_ID, **OF["institution"]), Trouble.EXPIRED, "9061"),
    "future": (future(Role.SAM, SAM_ID, **OF["institution"]), Trouble.NOT_YET_VALID, "9062"),
    "forged": (forged(Role.SAM, SAM_ID, **OF["institution"]), Trouble.FORGED, "9013"),
    "wrong role": (AUTHORITY.issue(Role.PHYSICIAN, SAM_ID, **OF["institution"]), Trouble.WRONG_ROLE, "4032"),
    "another institution's": (AUTHORITY.issue(Role.SAM, SAM_ID, organisation="1234567890"), Trouble.WRONG_ROLE, "4032"),
    "wrong key": (with_other_key(Role.SAM, SAM_ID, **OF["institution"]), Trouble.FORGED, "9013"),
    "missing": (Identity(AUTHORITY.issue(Role.SAM, SAM_ID).key, ()), Trouble.MISSING, "4012"),
    "malformed": (Identity(AUTHORITY.issue(Role.SAM, SAM_ID).key, (b"no certificate",)), Trouble.MALFORMED, "4032"),
}
HPC_CASES: dict[str, tuple[Identity, Trouble, str]] = {
    "expired": (expired(Role.PHYSICIAN, DOCTOR_ID), Trouble.EXPIRED, "9140"),
    "future": (future(Role.PHYSICIAN, DOCTOR_ID), Trouble.NOT_YET_VALID, "9140"),
    "forged": (forged(Role.PHYSICIAN, DOCTOR_ID), Trouble.FORGED, "4034"),
    "wrong role": (AUTHORITY.issue(Role.PATIENT_CARD, DOCTOR_ID), Trouble.WRONG_ROLE, "4034"),
    "wrong key": (with_other_key(Role.PHYSICIAN, DOCTOR_ID), Trouble.FORGED, "4034"),
    "missing": (Identity(AUTHORITY.issue(Role.PHYSICIAN, DOCTOR_ID).key, ()), Trouble.MISSING, "4014"),
}
CARD_CASES: dict[str, tuple[Identity, Trouble, str]] = {
    "expired": (expired(Role.PATIENT_CARD, CARD_NO), Trouble.EXPIRED, "5003"),
    "forged": (forged(Role.PATIENT_CARD, CARD_NO), Trouble.FORGED, "4033"),
    "wrong role": (AUTHORITY.issue(Role.NURSE, CARD_NO), Trouble.WRONG_ROLE, "4033"),
    "wrong key": (with_other_key(Role.PATIENT_CARD, CARD_NO), Trouble.FORGED, "4033"),
    "another card's": (AUTHORITY.issue(Role.PATIENT_CARD, "000099999999"), Trouble.FORGED, "4033"),
}


def put(bench: Bench, party: str, identity: Identity) -> None:
    match party:
        case "sam":
            bench.sam = sam(identity)
        case "hpc":
            bench.hpc = hpc(identity)
        case _:
            bench.card = patient_card(identity=identity)


@pytest.mark.parametrize(
    ("party", "case"),
    [(p, c) for p, cases in (("sam", SAM_CASES), ("hpc", HPC_CASES), ("card", CARD_CASES)) for c in cases],
)
def test_refusal_tells_which_of_the_three_failed_and_why(party: str, case: str) -> None:
    identity, trouble, code = {"sam": SAM_CASES, "hpc": HPC_CASES, "card": CARD_CASES}[party][case]
    bench = Bench()
    put(bench, party, identity)
    with pytest.raises(Ended) as refused:
        bench.run(whole(bench))
    assert (refused.value.role, refused.value.trouble, refused.value.code) == (party, trouble, code)
    assert not refused.value.torn
    assert Party.HPC not in bench.card.authenticator.proved


@pytest.mark.parametrize(("party", "code"), [("sam", "9060"), ("hpc", "9130"), ("card", "5002")])
def test_revoked_party_is_refused(party: str, code: str) -> None:
    from cryptography.x509 import load_der_x509_certificate

    bench = Bench()
    identity = {"sam": bench.sam.image, "hpc": bench.hpc.image, "card": bench.card.image}[party].identity
    bench.desk.revoked = frozenset({load_der_x509_certificate(identity.chain[0]).serial_number})
    with pytest.raises(Ended) as refused:
        bench.run(whole(bench))
    assert (refused.value.role, refused.value.code, refused.value.trouble) == (party, code, Trouble.REVOKED)


def test_chip_without_a_clock_refuses_what_expired_before_its_last_date() -> None:
    """The desk is fooled by nothing here: it is the card itself that looks."""
    old = expired(Role.SAM, SAM_ID, organisation=INSTITUTION)
    card = on(patient_card(last_seen_ns=NOW_NS))
    assert say(card, NAME_SAM).sw == 0x9000 and say(card, certify(old)).sw == 0x9601
    unaware = on(patient_card(last_seen_ns=0))
    assert say(unaware, NAME_SAM).sw == 0x9000
    assert say(unaware, certify(old)).sw == 0x9000  # it cannot know: stated, not hidden


def certified_card() -> tuple[IcCard, Identity]:
    card, identity = on(patient_card()), AUTHORITY.issue(Role.SAM, SAM_ID, organisation=INSTITUTION)
    assert say(card, NAME_SAM).ok and say(card, certify(identity)).ok
    return card, identity


def challenge_of(card: IcCard) -> bytes:
    return say(card, Command(0, 0x84, 0, 0, le=16)).data


def prove(card: IcCard, proof: bytes) -> int:
    return say(card, Command(0, 0x82, 0, 0, proof)).sw


def test_proof_is_good_once_for_its_own_challenge() -> None:
    card, identity = certified_card()
    proof = sign(identity.key, proof_message(Party.SAM, challenge_of(card), padded_id(CARD_NO)))
    assert prove(card, proof) == 0x9000
    assert prove(card, proof) == 0x6985  # the challenge is used up
    challenge_of(card)
    assert prove(card, proof) == 0x63C2  # recorded, and played again


@pytest.mark.parametrize(
    "message",
    [
        lambda c: proof_message(Party.SAM, c, padded_id("000099999999")),  # meant for another card
        lambda c: proof_message(Party.HPC, c, padded_id(CARD_NO)),  # in another role
        lambda c: proof_message(Party.SAM, c[::-1], padded_id(CARD_NO)),  # for another challenge
        lambda c: c,  # the bare challenge
    ],
)
def test_proof_for_something_else_is_refused(message: Callable[[bytes], bytes]) -> None:
    card, identity = certified_card()
    assert prove(card, sign(identity.key, message(challenge_of(card)))) == 0x63C2


def test_altered_proof_is_refused_and_three_of_them_block() -> None:
    card, identity = certified_card()
    answers = []
    for _ in range(4):
        proof = bytearray(sign(identity.key, proof_message(Party.SAM, challenge_of(card), padded_id(CARD_NO))))
        proof[10] ^= 1
        answers.append(prove(card, bytes(proof)))
    assert answers == [0x63C2, 0x63C1, 0x63C0, 0x6983]
    good = sign(identity.key, proof_message(Party.SAM, challenge_of(card), padded_id(CARD_NO)))
    assert prove(card, good) == 0x6983


def test_challenges_never_repeat_not_even_after_power_off() -> None:
    card = patient_card()
    seen = []
    for _ in range(5):
        card.power_on()
        seen += [challenge_of(card) for _ in range(3)]
        card = IcCard.from_image(card.to_image())
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("area", AREAS, ids=lambda a: a.name)
def test_area_is_read_by_nobody_but_those_it_is_for(area: Any) -> None:
    bench = Bench()
    read = Command(0, 0xB2, 1, area.sfi << 3 | 4, le=256)

    def may() -> bool:
        return say(bench.card, read).ok

    bench.card.power_on()
    bare = may()
    bench.run(open_card(bench.desk))
    with_sam = may()
    bench.run(whole(bench))
    with_professional = may()
    bench.card.power_on()
    wanted = {Access.ALWAYS: (True, True, True), Access.PROFESSIONAL: (False, False, True)}.get(area.access, (False, True, True))
    assert (bare, with_sam, with_professional) == wanted
    assert may() == (area.access is Access.ALWAYS)  # nothing is left of it after power-off


def test_pharmacist_reads_drugs_and_no_key_orders() -> None:
    bench = Bench()
    bench.hpc = hpc(AUTHORITY.issue(Role.PHARMACIST, DOCTOR_ID), Role.PHARMACIST)
    bench.run(whole(bench))
    denied = [a.name for a in AREAS if say(bench.card, Command(0, 0xB2, 1, a.sfi << 3 | 4, le=256)).sw == 0x9700]
    assert denied == ["critical_illness", "key_order"]
