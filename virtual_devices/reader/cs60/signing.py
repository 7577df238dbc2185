"""What the local component signs for a cloud call: the envelope, by the SAM, with the patient's and the professional's card."""

from __future__ import annotations

from virtual_devices.apdu import Command
from virtual_devices.authentication import CERTIFICATE, padded_id
from virtual_devices.cloud.envelope import Kind, card_challenge, signature_text, statement
from virtual_devices.cloud.service import DATA_CENTRE_ID
from virtual_devices.cose import PROTECTED_ES256, sig_structure
from virtual_devices.flow import Flow
from virtual_devices.hpc.hpc import SERIAL
from virtual_devices.reader.cs60.state import LocalComponent
from virtual_devices.reader.cshis.prepare import need, pin_is_on, proved_card, proved_hpc, ready_sam
from virtual_devices.reader.transmit import Ended, Handle, get_data, transmit

STEP = "sign envelope"
PIN_NOT_VERIFIED = "1511"
READING = "01"


def sign(component: LocalComponent, kind: Kind, service_type: str) -> Flow[dict[str, str]]:
    """The envelope's fields. Raises Ended with codes of the space cshis, or 1511 of the space vhc."""
    software = component.software
    sam = yield from ready_sam(software)
    desk = software.desk
    fields = {"clientRandom": desk.fresh(16).hex(), "hospitalId": desk.institution.code, "samId": desk.sam_id}
    card = None
    if kind.patient and not component.token:
        card = yield from proved_card(software, sam)
        if service_type == READING and not card.pin and (yield from pin_is_on(card.handle)):
            raise Ended("the holder's PIN was not verified", PIN_NOT_VERIFIED, "card")
        fields |= {"hcId": card.public.card_no, "hcIdNo": card.public.identity[:10].decode("ascii", "replace").strip()}
    if kind.patient and component.token:
        fields |= {"hcId": component.card_no, "hcIdNo": component.id_no}
    hpc = (yield from proved_hpc(software, sam, card)) if kind.professional else None
    if hpc is not None:
        serial = yield from get_data(hpc.handle, SERIAL, "serial number", STEP)
        fields |= {"hpcId": serial.decode("ascii", "replace").strip(), "hpcIdNo": software.desk.hpc_id}
    signed = statement(fields, service_type, desk.clock.now_ns(), component.token if kind.patient else "")
    by_sam = yield from _signature(sam, sig_structure(PROTECTED_ES256, signed))
    patient: tuple[bytes, bytes] | str | None = component.token or None
    if card is not None:
        patient = yield from _card_proof(card.handle, signed)
    professional = (software.desk.hpc_chain, (yield from _signature(hpc.handle, signed))) if hpc is not None else None
    shown = patient if kind.patient else None
    fields["signature"] = signature_text(signed, (software.desk.sam_chain, by_sam), shown, professional)
    return fields


def _signature(handle: Handle, message: bytes) -> Flow[bytes]:
    answer = yield from transmit(handle, Command(0, 0x2A, 0x9E, 0x9A, message, le=64), STEP)
    return need(answer, handle.role, "signature", "5008")


def _card_proof(handle: Handle, signed: bytes) -> Flow[tuple[bytes, bytes]]:
    chain = yield from get_data(handle, CERTIFICATE, "card certificate", STEP)
    challenge = card_challenge(signed) + padded_id(DATA_CENTRE_ID)
    answer = yield from transmit(handle, Command(0, 0x88, 0, 0, challenge, le=64), STEP)
    return chain, need(answer, "card", "proof of the card", "4071")


__all__ = ["sign"]
