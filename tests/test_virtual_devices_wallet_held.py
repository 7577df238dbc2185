"""Cards in the vault: whose they are, by which key, and what goes with them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from virtual_devices import vhc
from virtual_devices.cose import Sign1
from virtual_devices.errors import UsageError
from virtual_devices.mdoc.mso import IssuerSigned
from virtual_devices.mdoc.tagged import MalformedMdoc
from virtual_devices.wallet.codes import NAMES
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.held import OWN, Folder, Held
from virtual_devices.wallet.keystore import KeyDenied
from virtual_devices.wallet.phone_home import PhoneHome
from virtual_devices.wallet.vault import VaultRefused
from virtual_devices.write_back import Kind, Record, holder_of

from .card_office import ANNA, BO
from .desk import NOW_NS
from .enrolment import Town
from .test_virtual_devices_holder_writing import HPC, SAM, signed
from .wallets import PHONE_PIN


def test_card_of_another_person_takes_no_taken_name() -> None:
    town = Town()
    (anna, _), (bo, _) = town.enrolled(ANNA, "anna"), town.enrolled(BO, "bo")
    before, other = anna.phone.cards.get(OWN), bo.phone.cards.get(OWN)
    assert before is not None and other is not None
    Folder(anna.phone.vault, OWN).commit({"record.1": b"Anna's"})
    with pytest.raises(UsageError, match="another person"):
        anna.phone.install(other)
    assert anna.phone.cards.get(OWN) == before and anna.phone.vault.get("own/record.1") == b"Anna's"
    anna.phone.install(replace(other, name="other"))  # under a name of its own it may


def test_card_with_another_key_drops_the_records_of_the_former_one_and_only_those() -> None:
    town = Town()
    of, _ = town.enrolled(ANNA, "anna")
    held = of.phone.cards.get(OWN)
    assert held is not None and held.card_no == ANNA.card_no
    Folder(of.phone.vault, OWN).commit({"record.1": b"first"})
    Folder(of.phone.vault, "ward").commit({"record.1": b"ward's"})
    of.phone.cards.put(replace(held, qr=None))  # renewed, by the same key
    assert of.phone.vault.get("own/record.1") == b"first"
    of.phone.cards.put(replace(held, key=of.phone.new_key()), {"more": b"1"})
    assert of.phone.vault.get("own/record.1") is None and of.phone.vault.get("ward/record.1") == b"ward's"
    assert of.phone.vault.get("more") == b"1"


def test_record_that_names_another_key_is_shown_to_nobody() -> None:
    of, _ = Town().enrolled(ANNA, "anna")
    held = of.phone.cards.get(OWN)
    assert held is not None
    mine, other = (
        signed(Record(Kind.VISIT, number, whose, NOW_NS, {1: b"visit"}), HPC, SAM)
        for number, whose in ((b"1" * 16, holder_of(held.mso.device_key)), (b"2" * 16, b"o" * 32))
    )
    Folder(of.phone.vault, OWN).commit({"record.00000001": mine, "record.00000002": other})
    names = {vhc.RECORDS: frozenset({"visits"})}
    home: Any = PhoneHome(of.phone, OWN)
    assert home.device_values(names, None, 50_000) == {vhc.RECORDS: {"visits": [mine]}}


def test_credential_without_its_payload_is_no_card() -> None:
    with pytest.raises(MalformedMdoc):
        Held(OWN, IssuerSigned({vhc.BASIC: ()}, Sign1(b"\xa1\x01\x26", {}, None, b"")), "device.own.1")


def test_start_that_is_refused_has_ended_every_consent_before() -> None:
    """The data were altered under a phone with a code on its screen: its keys do not go on working for want of a wallet."""
    of, _ = Town().enrolled(ANNA, "anna")
    made = of.phone
    made.holder.enter_pin(PHONE_PIN, NOW_NS)
    assert made.arm(Use.REGISTRATION, NAMES, NOW_NS, write=False) and made.card_qr(NOW_NS)
    held = made.cards.get(OWN)
    assert held is not None and made.keystore.sign(held.key, b"text")
    made.vault._store.commit({"head": b"altered"})
    with pytest.raises(VaultRefused):
        made.start(NOW_NS)
    with pytest.raises(KeyDenied):
        made.keystore.sign(held.key, b"text")
    assert held.key in made.keystore.names()  # what is needed cannot be said: nothing is deleted


def test_card_is_found_by_its_name_at_the_data_centre() -> None:
    town = Town()
    of, _ = town.enrolled(ANNA, "anna")
    held = of.phone.cards.get(OWN)
    assert held is not None
    of.phone.cards.put(replace(held, card="V0000000001"))
    assert of.phone.cards.find("V0000000001") == of.phone.cards.get(OWN) and of.phone.cards.find("V2") is None
