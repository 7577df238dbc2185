"""Images of phones: what a presenter takes out and puts in is the same phone; nothing else is taken for one."""

from __future__ import annotations

import cbor2
import pytest

from bench.phone_image import KeptPhone, PhoneImage
from bench.presenters.serve import Persistent
from bench.presenting import sample_card
from bench.sample_devices import WALLET, Samples
from bench.sample_phone import SamplePhone
from virtual_devices.clock import VirtualClock
from virtual_devices.errors import UsageError
from virtual_devices.wallet.faces import MessageFace
from virtual_devices.wallet.held import OWN

from .desk import NOW_NS

CLOCK = VirtualClock(NOW_NS)


@pytest.fixture(scope="module")
def kept() -> KeptPhone:
    return SamplePhone(1, NOW_NS).kept(MessageFace, CLOCK)


def test_phone_out_of_its_image_is_the_same_phone_switched_on(kept: KeptPhone) -> None:
    assert isinstance(kept, Persistent)
    kept.power_on()  # the holder agrees in advance, which a phone that was off has forgotten
    again = KeptPhone.load(kept.to_image(), MessageFace, CLOCK)
    was, now = kept.phone.cards.get(OWN), again.phone.cards.get(OWN)
    assert was is not None and now is not None
    assert (now.card_no, now.issued, again.card_no) == (was.card_no, was.issued, kept.card_no)
    keys = [phone.keystore.public_key(was.key).public_numbers() for phone in (kept.phone, again.phone)]
    assert keys[0] == keys[1] == was.mso.device_key.public_numbers()
    again.power_on()  # agrees again


def test_what_is_written_grows_the_generation_and_is_in_the_next_image(kept: KeptPhone) -> None:
    before = kept.generation
    drawn = kept.phone.keystore.random(8)
    assert kept.generation > before
    assert KeptPhone.load(kept.to_image(), MessageFace, CLOCK).phone.keystore.random(8) != drawn


def test_phone_itself_knows_no_seed(kept: KeptPhone) -> None:
    assert b"seed" in kept.to_image() and not hasattr(kept.phone, "seed")


def _without(raw: bytes, **other: object) -> bytes:
    changed: bytes = cbor2.dumps({**cbor2.loads(raw), **other})
    return changed


def test_what_is_no_phone_is_refused_and_says_what_to_do(kept: KeptPhone) -> None:
    raw, load = kept.to_image(), Samples(WALLET, 1, NOW_NS).load
    assert load(raw).generation >= 0
    wrong = [
        b"", b"\xa0", raw[:-1], sample_card(1).to_image(), _without(raw, version=2), _without(raw, seed="1"),
        _without(raw, root=b"none"), _without(raw, flash={"head": 1}), _without(raw, flash={}),
        _without(raw, keystore={"key.vault": b"\xff"}), _without(raw, pin=None),
    ]
    for each in wrong:
        with pytest.raises(UsageError, match=r"take|make"):
            load(each)
    with pytest.raises(UsageError, match="version"):
        PhoneImage.from_bytes(_without(raw, version=2))
