"""The calls that write a visit: diagnoses, fees, prescriptions and their signatures. Each is one act on the card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from virtual_devices import tlv
from virtual_devices.apdu import Command
from virtual_devices.card import writes
from virtual_devices.flow import Flow
from virtual_devices.reader.cshis import icd10
from virtual_devices.reader.cshis.prepare import Ready, need
from virtual_devices.reader.cshis.sequence import SAM_CANNOT_SIGN
from virtual_devices.reader.cshis.state import ControlSoftware, Reply
from virtual_devices.reader.transmit import BAD_ARGUMENT, Ended, transmit
from virtual_devices.reader.visit import write

CODES_NOT_WRITTEN, FEES_NOT_WRITTEN, RX_NOT_WRITTEN = "5023", "5028", "5033"
RX_BYTES, RX_MAX, SIGNATURE_CHARACTERS = 61, 60, 40
LONG_CODES, FEE_BYTES = 55, 38
Arguments = Mapping[str, Any]


def doctor_id(software: ControlSoftware, ready: Ready) -> bytes:
    """What a write tells of the professional: the national ID and a NUL; a lone NUL without a card."""
    return b"\0" if ready.hpc is None else software.desk.hpc_id.encode("ascii", "replace").ljust(10)[:10] + b"\0"


def _named(arguments: Arguments) -> list[tuple[int, bytes]]:
    identity = arguments["pPatientID"] + arguments["pPatientBirthDate"]
    return [(writes.IDENTITY, identity), (writes.DATETIME, arguments["pDateTime"])]


def _long_codes(raw: bytes) -> bytes:
    """Re-card mark and six codes, in the 55 bytes that the card keeps."""
    if len(raw) == LONG_CODES:
        return raw
    codes = (raw[1 + 5 * n : 6 + 5 * n] for n in range(6))
    return raw[:1] + b"".join(b" " + icd10.long_form(code) + b" " for code in codes)


def _write(software: ControlSoftware, ready: Ready, acts: bytes, what: str, code: str) -> Flow[None]:
    answer = yield from write(ready.card.handle, software.desk.fresh(16), acts, f"write {what}")
    need(answer, "card", what, code)


def _diagnosis(arguments: Arguments, codes: bytes) -> bytes:
    return tlv.encode(writes.DIAGNOSIS, tlv.encode_all([*_named(arguments), (writes.CODES, _long_codes(codes))]))


def _fee(arguments: Arguments, fees: bytes) -> bytes:
    return tlv.encode(writes.FEE, tlv.encode_all([*_named(arguments), (writes.FEES, fees)]))


def write_code(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """hisWriteTreatmentCode: re-card mark and six diagnoses."""
    yield from _write(software, ready, _diagnosis(arguments, arguments["pDataWrite"]), "diagnoses", CODES_NOT_WRITTEN)
    return Reply("0", {"pBufferDocID": doctor_id(software, ready)})


def write_fee(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """hisWriteTreatmentFee: the five fees of the visit."""
    yield from _write(software, ready, _fee(arguments, arguments["pDataWrite"]), "fees", FEES_NOT_WRITTEN)
    return Reply("0")


def write_data(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """hisWriteTreatmentData: both in one act."""
    raw = arguments["pDataWrite"]
    acts = _diagnosis(arguments, raw[:-FEE_BYTES]) + _fee(arguments, raw[-FEE_BYTES:])
    yield from _write(software, ready, acts, "diagnoses and fees", CODES_NOT_WRITTEN)
    return Reply("0", {"pBufferDocID": doctor_id(software, ready)})


def _entries(arguments: Arguments) -> list[bytes]:
    """The prescription entries handed in; as many as the count says. Raises Ended 6018."""
    raw = arguments["pDataWrite"]
    count = arguments.get("iWriteCount", 1)
    if not 1 <= count <= RX_MAX or len(raw) < count * RX_BYTES:
        raise Ended("the count is not that of the entries", BAD_ARGUMENT, "reader")
    return [raw[at : at + RX_BYTES] for at in range(0, count * RX_BYTES, RX_BYTES)]


def _write_entries(software: ControlSoftware, ready: Ready, arguments: Arguments, entries: list[bytes]) -> Flow[None]:
    fields = [*_named(arguments), *((writes.RX, entry) for entry in entries)]
    acts = tlv.encode(writes.PRESCRIPTION, tlv.encode_all(fields))
    yield from _write(software, ready, acts, "prescriptions", RX_NOT_WRITTEN)


def write_prescriptions(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """hisWritePrescription and hisWriteMultiPrescript."""
    yield from _write_entries(software, ready, arguments, _entries(arguments))
    return Reply("0")


def write_and_sign(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """hisWritePrescriptionSign and hisWriteMultiPrescriptSign: 40 characters for each entry, in the order of the entries. Too
    small a buffer is refused (6018) before anything is written."""
    entries = _entries(arguments)
    if arguments["iBufferLen"] < SIGNATURE_CHARACTERS * len(entries):
        raise Ended("the buffer is too small for all signatures", BAD_ARGUMENT, "reader")
    yield from _write_entries(software, ready, arguments, entries)
    signatures = []
    for entry in entries:
        raw = yield from transmit(ready.sam, Command(0, 0x2A, 0x8E, 0x80, entry, le=20), "sign prescriptions")
        signatures.append(need(raw, "sam", "prescription signature", SAM_CANNOT_SIGN).hex().encode("ascii"))
    return Reply("0", {"pBuffer": b"".join(signatures)})


CALLS = {
    "hisWriteTreatmentCode": write_code,
    "hisWriteTreatmentFee": write_fee,
    "hisWriteTreatmentData": write_data,
    "hisWritePrescription": write_prescriptions,
    "hisWriteMultiPrescript": write_prescriptions,
    "hisWritePrescriptionSign": write_and_sign,
    "hisWriteMultiPrescriptSign": write_and_sign,
}

__all__ = ["CALLS", "doctor_id"]
