"""LIF-05 at a pharmacy: what was prescribed for the phone that was lost, on the one that took its place."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from virtual_devices.prescription.document import Prescription, PrescriptionClass
from virtual_devices.prescription.states import State
from virtual_devices.reader.dispensing import receive
from virtual_devices.reader.transmit import Ended
from virtual_devices.wallet.held import OWN, Held
from virtual_devices.write_back import WriteOutcome

from .desk import CARD_NO, NOW_NS
from .pharmacies import Town
from .prescribed import rx
from .test_virtual_devices_reader_prescriptions import give, issued, put, shown, state
from .wallets import ISSUER, PLACE, card_holder, phone

CONTROLLED = rx("controlled", PrescriptionClass.CONTROLLED)


def another_phone(town: Town, former: Sequence[bytes]) -> list[WriteOutcome]:
    """The holder has a new phone, whose card names the former ones, and asks for what was prescribed."""
    new = phone("new")
    new.remove(OWN)
    key = new.new_key()
    issued_ = ISSUER.credential(card_holder(), new.keystore.public_key(key), PLACE, NOW_NS, former=former)
    new.install(Held(OWN, issued_, key))
    town.bench.phone = new
    entries = town.bench.cloud.of_prescriptions.for_phone(CARD_NO, {*former, town.device})
    town.domain.cards_of = lambda card_no: {*former, town.device} if card_no == CARD_NO else ()
    return [new.take_late([e.id, list(e.records), [list(c) for c in e.chains]], NOW_NS) for e in entries]


def had(*documents: Prescription) -> tuple[Town, bytes]:
    town = Town()
    for document in documents:
        issued(town, document)
    return town, town.device


def test_restored_prescription_is_dispensed_without_a_line() -> None:
    town, former = had(rx())
    assert another_phone(town, [former]) == [WriteOutcome.STORED]
    town.pharmacy.line.down = True
    [offer] = shown(town, town.pharmacy)
    given = give(town, town.pharmacy, offer)
    assert not given.online and put(town, town.pharmacy, given.filed.signed).receipt.outcome is WriteOutcome.STORED
    assert shown(town, town.other)[0].standing.dispensed == 1


def test_new_phone_signs_for_a_controlled_drug_that_was_prescribed_to_the_former() -> None:
    town, former = had(CONTROLLED)
    another_phone(town, [former])
    given = give(town, town.pharmacy, shown(town, town.pharmacy)[0])
    stored = put(town, town.pharmacy, given.filed.signed)
    desk, drawer, hpc = town.pharmacy.desk, town.pharmacy.drawer, town.pharmacy.professional
    with pytest.raises(Ended) as ended:
        town.pharmacy.run(receive(desk, drawer, given, stored.evidence, hpc))
    assert ended.value.code == "RX13"
    assert stored.former == {former} and town.pharmacy.run(receive(desk, drawer, given, stored.evidence, hpc, stored.former)).ok
    assert state(town, given.offer.root) is State.COMPLETED


def test_card_that_took_nobodys_place_has_nothing_of_others() -> None:
    """The same person's, but the issuer does not say so: a phone believes the issuer, and so does a desk."""
    town, former = had(rx())
    assert another_phone(town, []) == []
    [entry] = town.bench.cloud.of_prescriptions.for_phone(CARD_NO, {former})
    told = [entry.id, list(entry.records), [list(chain) for chain in entry.chains]]
    assert town.bench.phone.take_late(told, NOW_NS) is WriteOutcome.WRONG_HOLDER and shown(town, town.pharmacy) == []
