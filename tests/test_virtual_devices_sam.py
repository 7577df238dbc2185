"""The security module: it signs messages to the data centre, and of a visit only what the card before it is."""

from __future__ import annotations

import pytest

from virtual_devices import pki
from virtual_devices.apdu import Command
from virtual_devices.authentication import PROOF_LABEL, Party
from virtual_devices.cose import PROTECTED_ES256, sig_structure
from virtual_devices.reader.visit import read_public
from virtual_devices.sam.sam import MESSAGES, VISIT_STATEMENT, Sam

from .chips import at_desk, on, say, sign
from .desk import CARD_NO, INSTITUTION, SAM_ID, Bench, sam


def signing(card: Sam, data: bytes) -> int:
    """The status word; what is signed is held to verify."""
    answer = sign(card, data)
    assert not answer.ok or pki.verify(card.image.identity.key.public_key(), answer.data, data)
    return answer.sw


def checksum(card: Sam, data: bytes = b"x" * 61) -> bytes | int:
    answer = say(card, Command(0, 0x2A, 0x8E, 0x80, data, le=20))
    return answer.data if answer.ok else answer.sw


def test_module_says_whose_it_is() -> None:
    card = on(sam())
    assert say(card, "00CA005A00").data == SAM_ID.encode() and say(card, "00CA5F5000").data == INSTITUTION.encode()
    assert say(card, "00CA005A04").sw == 0x6C0C and say(card, "00CA000000").sw == 0x6A88


def test_message_to_the_data_centre_is_signed_without_a_card() -> None:
    message = sig_structure(PROTECTED_ES256, b"payload")
    assert message.startswith(MESSAGES) and signing(on(sam()), message) == 0x9000


def test_visit_is_stated_of_the_card_that_proved_itself_and_of_no_other() -> None:
    statement = VISIT_STATEMENT + CARD_NO.encode() + b"1150302080000" + b"0001" + INSTITUTION.encode()
    assert signing(on(sam()), statement) == 0x6982
    bench = Bench()
    at_desk(bench)
    assert Party.CARD in bench.sam.authenticator.proved and signing(bench.sam, statement) == 0x9000
    assert signing(bench.sam, statement.replace(CARD_NO.encode(), b"000000000001")) == 0x6982
    bench.sam.power_on()
    assert signing(bench.sam, statement) == 0x6982


@pytest.mark.parametrize("data", [b"x", b"\x84jSignature2", PROOF_LABEL + b"\x02" + b"c" * 28, VISIT_STATEMENT[:-1]])
def test_nothing_else_is_signed(data: bytes) -> None:
    bench = Bench()
    at_desk(bench)
    assert signing(bench.sam, data) == 0x6A80


def test_prescription_checksum_needs_a_proved_card_and_differs_by_entry() -> None:
    assert checksum(on(sam())) == 0x6982
    bench = Bench()
    at_desk(bench)
    first = checksum(bench.sam)
    assert isinstance(first, bytes) and len(first) == 20 and checksum(bench.sam) == first
    assert checksum(bench.sam, b"y" * 61) != first and checksum(bench.sam, b"") == 0x6700


def test_module_that_was_never_asked_has_proved_nobody() -> None:
    bench = Bench()
    bench.run(read_public())
    assert not bench.sam.authenticator.proved and not bench.card.authenticator.proved
