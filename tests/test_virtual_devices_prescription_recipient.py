"""The recipient's signature by device: the holder's own, and a guardian's for a ward, from parts that anybody can verify."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from virtual_devices import vhc
from virtual_devices.mdoc.cose_key import to_cose
from virtual_devices.mdoc.response import mac_device, sign_device
from virtual_devices.pki import sign
from virtual_devices.prescription.acts import Dispensing, Received
from virtual_devices.prescription.codes import Why
from virtual_devices.prescription.document import MalformedPrescription
from virtual_devices.prescription.recipient import SIGNATURE, UNDER, check, device_evidence, encoded_key
from virtual_devices.write_back import Batch, Receipt, WriteOutcome, holder_of

from . import fuzz_seeds as seeds
from .desk import NOW_NS
from .prescribed import PHARMACIST, PHARMACY, PHARMACY_SAM, about, number, rx
from .test_virtual_devices_holder_writing import signed

CTI = b"authorization 01"
KEY = seeds.CARD_KEY


def taken_in(held_under: bytes, mac: bool = False) -> tuple[Received, Dispensing, bytes]:
    """A dispensing, written to a phone whose card is held so, and what the phone signed of it."""
    document = replace(rx(), device=holder_of(KEY.public_key(), held_under))
    dispensing = Dispensing(number("first"), about(document), PHARMACY, NOW_NS, 1)
    raw = signed(dispensing.record(), PHARMACIST, PHARMACY_SAM)
    batch = Batch(bytes(16), seeds.credential().auth_hash(), 0, (raw,))
    receipt = Receipt(batch.id, batch_digest(batch), WriteOutcome.STORED, 1, NOW_NS)
    transcript, values = seeds.opened().transcript, {vhc.WRITE: {vhc.RECEIPT: receipt.value()}}
    if mac:
        device = mac_device(bytes(32), transcript, vhc.DOCTYPE, values)
    else:
        device = sign_device(lambda message: sign(KEY, message), transcript, vhc.DOCTYPE, values)
    evidence = device_evidence(transcript.encoded, device, encoded_key(to_cose(KEY.public_key())), batch, held_under)
    return Received(number("got"), dispensing.about, PHARMACY, NOW_NS, dispensing.id, evidence), dispensing, raw


def batch_digest(batch: Batch) -> bytes:
    return hashlib.sha256(batch.to_bytes()).digest()


@pytest.mark.parametrize("held_under", [b"", CTI])
def test_phone_that_took_the_medicine_in_signs_for_the_card_that_it_was_for(held_under: bytes) -> None:
    received, dispensing, raw = taken_in(held_under)
    assert check(received, dispensing, raw) is Why.OK
    others: list[Any] = [b"", CTI, b"authorization 02"]
    for other in others:
        if other != held_under:
            assert check(replace(received, evidence={**received.evidence, UNDER: other}), dispensing, raw) is Why.RECEIPT_FORGED
    assert check(replace(received, evidence={**received.evidence, UNDER: 7}), dispensing, raw) is Why.MALFORMED
    assert check(received, dispensing, raw[:-1]) is Why.RECEIPT_FORGED
    less = {name: value for name, value in received.evidence.items() if name != SIGNATURE}
    assert check(replace(received, evidence=less), dispensing, raw) is Why.MALFORMED


def test_receipt_by_mac_is_no_signature() -> None:
    with pytest.raises(MalformedPrescription):
        taken_in(b"", mac=True)
