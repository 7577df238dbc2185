"""The recipient's signature (領受人簽章) for a controlled drug, in one of two forms. Both are the bench's profile.

    device  {1: "device", 2: SessionTranscript, 3: DeviceNameSpaces, 4: COSE_Sign1, 5: device key (COSE_Key), 6: Batch,
             ? 7: id of the authorization, when a guardian's phone took it in for a ward}
            The holder's phone or second-generation card took the dispensing in by write-back and signed the receipt, as it does
            always (ISO/IEC 18013-5 device authentication). Who was not in the session verifies it from these parts.
    written {1: "written", 2: recipient's name, 3: SHA-256 of the paper's image, ? 4: what they are to the holder}
            On paper: for a physical card of today, or for somebody who came without the holder's phone. The pharmacist's
            signature vouches for it; the paper is what proves it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cbor2

from virtual_devices import vhc
from virtual_devices.cose import MalformedCose, Sign1, read_sign1
from virtual_devices.mdoc.cose_key import from_cose
from virtual_devices.mdoc.response import DeviceSigned, authenticated_in
from virtual_devices.mdoc.tagged import MalformedMdoc, a_map, read, read_map, some_bytes
from virtual_devices.prescription.acts import Dispensing, Received
from virtual_devices.prescription.codes import Why
from virtual_devices.prescription.document import MalformedPrescription, hash_in, text_in
from virtual_devices.write_back import Batch, holder_of, read_batch, read_receipt, receipt_is_for

DEVICE, WRITTEN = "device", "written"
FORM, TRANSCRIPT, SPACES, SIGNATURE, KEY, BATCH, UNDER = range(1, 8)
NAME, PAPER, RELATION = 2, 3, 4


@dataclass(frozen=True, slots=True)
class Written:
    """A signature on paper. ``paper``: SHA-256 of its image."""

    name: str
    paper: bytes
    relation: str = ""

    def evidence(self) -> dict[int, Any]:
        more = {RELATION: self.relation} if self.relation else {}
        return {FORM: WRITTEN, NAME: self.name, PAPER: self.paper, **more}


def device_evidence(
    transcript: bytes, device: DeviceSigned, key: bytes, batch: Batch, held_under: bytes = b"",
) -> dict[int, Any]:
    """What the device signed for this batch. ``transcript``: encoded; ``key``: the device key, an encoded COSE_Key;
    ``held_under``: as the card shown says, without which a ward's records are not told from the guardian's. Raises
    MalformedPrescription when the device proved itself by a MAC, which proves nothing to others."""
    if not isinstance(device.auth, Sign1):
        raise MalformedPrescription("a receipt by MAC is no signature of the recipient")
    return {
        FORM: DEVICE, TRANSCRIPT: transcript, SPACES: device.raw, SIGNATURE: device.auth.item(), KEY: key,
        BATCH: batch.to_bytes(), **({UNDER: held_under} if held_under else {}),
    }


Succeeds = Callable[[bytes], bool]
"""Whether a card (``write_back.holder_of``) took the place of the one that the prescription names."""


def check(received: Received, dispensing: Dispensing, signed: bytes, succeeds: Succeeds = lambda _: False) -> Why:
    """Whether the evidence is the recipient's for this dispensing, which was ``signed`` so: of the card that it names, or of one
    that ``succeeds`` it. Never raises for what is in it."""
    evidence = received.evidence
    if evidence.get(FORM) == WRITTEN:
        return _written(evidence)
    if evidence.get(FORM) != DEVICE or set(evidence) - {UNDER} != set(range(FORM, BATCH + 1)):
        return Why.MALFORMED
    try:
        return Why.OK if _signed(evidence, dispensing, signed, succeeds) else Why.RECEIPT_FORGED
    except (MalformedMdoc, MalformedCose):
        return Why.MALFORMED


def _written(evidence: Mapping[int, Any]) -> Why:
    try:
        text_in(evidence, NAME, "the recipient's name")
        hash_in(evidence, PAPER, "the paper's image")
        text_in(evidence, RELATION, "the relation", optional=True)
    except MalformedPrescription:
        return Why.MALFORMED
    return Why.OK if set(evidence) <= {FORM, NAME, PAPER, RELATION} else Why.MALFORMED


def _signed(evidence: Mapping[int, Any], dispensing: Dispensing, signed: bytes, succeeds: Succeeds) -> bool:
    transcript, raw = (some_bytes(evidence[n], "the evidence") for n in (TRANSCRIPT, SPACES))
    key = from_cose(read(some_bytes(evidence[KEY], "the device key"), "the device key"), "the device key")
    signature = read_sign1(evidence[SIGNATURE])
    batch = read_batch(some_bytes(evidence[BATCH], "the batch"))
    under = some_bytes(evidence.get(UNDER, b""), "the authorization's id")
    spaces = read_map(raw, "DeviceNameSpaces")
    receipt = read_receipt(a_map(spaces.get(vhc.WRITE), "what the device signed").get(vhc.RECEIPT))
    card = holder_of(key, under)
    return (
        (card == dispensing.about.device or succeeds(card))
        and signature.verify(key, detached=authenticated_in(transcript, vhc.DOCTYPE, raw))
        and receipt.outcome.done and receipt_is_for(receipt, batch) and signed in batch.records
    )


def encoded_key(key: Mapping[int, Any]) -> bytes:
    """A COSE_Key as the evidence holds it."""
    encoded: bytes = cbor2.dumps(dict(key), canonical=True)
    return encoded


__all__ = ["DEVICE", "WRITTEN", "Written", "check", "device_evidence", "encoded_key"]
