"""The card's QR code from the phone: believed by a reader, only with consent, in the holder's log, gone with a wipe."""

from __future__ import annotations

from dataclasses import replace

import pytest

from virtual_devices.clock import NS
from virtual_devices.errors import UsageError
from virtual_devices.link import Work
from virtual_devices.qr.challenge import new_challenge
from virtual_devices.qr.check import Issuers, QrReader, Reason
from virtual_devices.randomness import ByteStream
from virtual_devices.status_list import StatusLists
from virtual_devices.wallet.access_log import Deed, Language, describe
from virtual_devices.wallet.codes import CODE, ELEMENTS, NAMES
from virtual_devices.wallet.consent import SESSION_S, Use
from virtual_devices.wallet.held import OWN, Held
from virtual_devices.wallet.keystore import Denied, KeyDenied
from virtual_devices.wallet.phone import Phone
from virtual_devices.write_back import holder_of

from .desk import AUTHORITY, CARD_NO, NOW_NS
from .wallets import ISSUER, PHONE_PIN, PLACE, card_holder, phone

READER = "9901180014/counter 1"


def with_code(clock_error_s: float = 0.0) -> Phone:
    """A phone whose card has a code."""
    made = phone("shows codes", clock_error_s=clock_error_s)
    held = made.cards.get(OWN)
    assert held is not None
    key = made.keystore.public_key(made.codes.key_for(held.key))
    inner = ISSUER.qr(card_holder(), made.keystore.public_key(held.key), key, PLACE, NOW_NS)
    made.install(Held(OWN, held.issued, held.key, qr=inner))
    return made


def reader() -> QrReader:
    root = AUTHORITY.verifier()
    issuers = Issuers(root, Work())
    issuers.take(ISSUER.signer.chain, NOW_NS)
    return QrReader(READER, issuers, StatusLists(root, Work()), Work())


def agree(made: Phone, at_ns: int = NOW_NS) -> None:
    made.holder.enter_pin(PHONE_PIN, at_ns)
    assert made.arm(Use.REGISTRATION, NAMES, at_ns, write=False)


def test_code_is_believed_and_names_the_device_that_shows_it() -> None:
    made = with_code()
    agree(made)
    verdict = reader().check(made.card_qr(NOW_NS), NOW_NS)
    assert verdict.reason is Reason.BELIEVED and verdict.shown is not None and not verdict.bound
    held = made.cards.get(OWN)
    assert held is not None
    assert verdict.shown.data.card_no == CARD_NO and verdict.shown.device == holder_of(held.mso.device_key)


def test_code_answers_a_readers_question() -> None:
    made = with_code()
    agree(made)
    asked = new_challenge(READER, ByteStream("asked"))
    text = made.card_qr(NOW_NS, asked)
    assert reader().check(text, NOW_NS, asked).bound
    other = replace(asked, nonce=bytes(12))
    assert reader().check(text, NOW_NS, other).reason is Reason.OTHER_READER


def test_no_code_without_consent_and_one_after_it_was_asked_for() -> None:
    made = with_code()
    with pytest.raises(KeyDenied) as e:
        made.card_qr(NOW_NS)
    assert e.value.why is Denied.CONSENT and made.consent.asked.elements(Use.REGISTRATION) == set(ELEMENTS)
    assert not made.approve(Use.REGISTRATION, NOW_NS)  # nobody has proved to be the holder
    made.holder.enter_pin(PHONE_PIN, NOW_NS)
    assert made.approve(Use.REGISTRATION, NOW_NS)
    assert reader().check(made.card_qr(NOW_NS), NOW_NS).believed


def test_consent_to_a_part_is_not_enough() -> None:
    made = with_code()
    made.holder.enter_pin(PHONE_PIN, NOW_NS)
    assert made.arm(Use.REGISTRATION, {space: names[:-1] for space, names in NAMES.items()}, NOW_NS, write=False)
    with pytest.raises(KeyDenied):
        made.card_qr(NOW_NS)
    assert made.log.entries() == []


def test_codes_follow_one_another_under_one_consent_and_stand_once_in_the_log() -> None:
    made, scanner = with_code(), reader()
    agree(made)
    texts = [made.card_qr(NOW_NS + n * 20 * NS) for n in range(4)]
    assert len(set(texts)) == 4
    assert all(scanner.check(text, NOW_NS + n * 20 * NS).believed for n, text in enumerate(texts))
    (entry,) = made.log.entries()
    assert (entry.deed, entry.channel, entry.elements, entry.armed) == (Deed.SHOWN, "qr", ELEMENTS, True)
    assert "二維條碼" in describe(entry, Language.ZH) and "QR code" in describe(entry, Language.EN)


@pytest.mark.parametrize("ends", ["put away", "session", "time", "lock and decline", "restart"])
def test_consent_ends_with_the_row_of_codes(ends: str) -> None:
    made = with_code()
    agree(made)
    made.card_qr(NOW_NS)
    later_ns = NOW_NS + NS
    match ends:
        case "put away":
            made.end_session()
        case "session":
            made.engage()
        case "time":
            later_ns = NOW_NS + SESSION_S * NS
        case "lock and decline":
            made.consent.decline()
        case _:
            made.start(later_ns)
    with pytest.raises(KeyDenied):
        made.card_qr(later_ns)
    made.end_session()
    agree(made, later_ns)
    assert reader().check(made.card_qr(later_ns), later_ns).believed
    assert len(made.log.entries()) == 2


def test_code_carries_the_phones_own_clock() -> None:
    for error_s, reason in ((29, Reason.BELIEVED), (31, Reason.FROM_THE_FUTURE), (-91, Reason.EXPIRED)):
        made = with_code(error_s)
        agree(made)
        assert reader().check(made.card_qr(NOW_NS), NOW_NS).reason is reason


def test_card_without_a_code_says_so_and_a_wiped_phone_has_no_key() -> None:
    bare = phone("no codes")
    agree(bare)
    with pytest.raises(UsageError, match="no code"):
        bare.card_qr(NOW_NS)
    made = with_code()
    assert any(name.startswith(CODE) for name in made.keystore.names())
    made.wipe()
    assert not any(name.startswith(CODE) for name in made.keystore.names())
