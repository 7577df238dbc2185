"""The professional's card: nothing leaves it before its PIN, and it proves itself to a proved SAM's reader only."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from virtual_devices import pki
from virtual_devices.apdu import Command
from virtual_devices.authentication import PROOF_LABEL, Party, proof_message
from virtual_devices.hpc.hpc import Hpc
from virtual_devices.pki import ChainVerifier, Role, Verified

from .chips import on, say, sign, verify
from .desk import AUTHORITY, DOCTOR_ID, NOW_NS, PIN, Bench, hpc, switch_on

QUESTION = b"c" * 16 + b"SAM000000001"


def at_desk() -> Hpc:
    bench = Bench()
    bench.run(switch_on(bench))
    return bench.hpc


def test_card_says_who_it_is_to_everybody() -> None:
    card = on(hpc())
    assert say(card, "00CA005A00").data == DOCTOR_ID.encode()
    assert say(card, "00CA5F2000").data.decode("big5hkscs") == "王小明"
    assert say(card, "00CA5F5000").sw == 0x6A88
    chain = say(card, Command(0, 0xCA, 0x7F, 0x21, le=65536)).data
    verdict = ChainVerifier(AUTHORITY.root_der).check_bytes(chain, {Role.PHYSICIAN}, NOW_NS)
    assert isinstance(verdict, Verified) and verdict.subject_id == DOCTOR_ID


def test_neither_proof_nor_signature_before_the_pin() -> None:
    card = on(hpc())
    assert say(card, Command(0, 0x88, 0, 0, QUESTION, le=64)).sw == 0x6982 and sign(card, b"data").sw == 0x6982


def test_proof_wants_a_proved_sam_besides_the_pin() -> None:
    card = on(hpc())
    assert verify(card, PIN) == 0x9000
    assert say(card, Command(0, 0x88, 0, 0, QUESTION, le=64)).sw == 0x6982
    card = at_desk()
    proof = say(card, Command(0, 0x88, 0, 0, QUESTION, le=64))
    assert proof.ok
    message = proof_message(Party.HPC, QUESTION[:16], QUESTION[16:])
    assert pki.verify(card.image.identity.key.public_key(), proof.data, message)


def test_all_is_forgotten_without_power() -> None:
    card = at_desk()
    card.power_on()
    assert sign(card, b"data").sw == 0x6982
    verify(card, PIN)
    assert say(card, Command(0, 0x88, 0, 0, QUESTION, le=64)).sw == 0x6982


@given(st.binary(min_size=1, max_size=900))
def test_signature_is_over_the_data_and_never_a_proof(data: bytes) -> None:
    assume(not data.startswith(PROOF_LABEL))
    card = on(hpc())
    verify(card, PIN)
    signature = sign(card, data)
    assert signature.ok and pki.verify(card.image.identity.key.public_key(), signature.data, data)
    assert sign(card, PROOF_LABEL + data).sw == 0x6A80


@pytest.mark.parametrize(
    ("raw", "sw"),
    [("002A9E9A00", 0x6700), ("002A000041", 0x6A86), ("0088000001FF40", 0x6700), ("0088010000", 0x6A86), ("002200000183", 0x6A86),
     ("002281A403830103", 0x6A88), ("002281A403830109", 0x6A88), ("002281A4028301", 0x6A80), ("002A00BE01FF", 0x6985),
     ("008200000141", 0x6985)],
)
def test_command_out_of_order_is_refused(raw: str, sw: int) -> None:
    card = on(hpc())
    verify(card, PIN)
    assert say(card, raw).sw == sw


def test_locked_card_stays_locked_in_its_cells() -> None:
    card = on(hpc())
    for _ in range(3):
        verify(card, "0000")
    again = on(Hpc(replace(card.image, cells=card.store.cells())))
    assert verify(again, PIN) == 0x6983
