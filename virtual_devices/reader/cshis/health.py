"""The calls that write what is no visit: newborn, allergies, organ donation, preventive and prenatal care, telephone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from virtual_devices import tlv
from virtual_devices.card import entries, writes
from virtual_devices.clock import roc_datetime13
from virtual_devices.flow import Ask, Flow
from virtual_devices.reader.cshis.prepare import Ready, need
from virtual_devices.reader.cshis.sequence import NO_RIGHT, institution
from virtual_devices.reader.cshis.state import ControlSoftware, Reply, Right
from virtual_devices.reader.cshis.visits import doctor_id
from virtual_devices.reader.transmit import BAD_ARGUMENT, Ended
from virtual_devices.reader.visit import write

ABANDONED, NO_INSTITUTION = "5062", "5067"
ALLERGY_BYTES, ALLERGIES = 40, 3
CONFIRM = "confirm organ donation"
Arguments = Mapping[str, Any]
Fields = list[tuple[int, bytes]]


def _may(software: ControlSoftware, right: Right) -> None:
    if right not in software.rights:
        raise Ended(f"this institution may not write {right.value}", NO_RIGHT, "sam")


def _put(software: ControlSoftware, ready: Ready, arguments: Arguments, tag: int, fields: Fields, code: str) -> Flow[None]:
    named = (writes.IDENTITY, arguments["pPatientID"] + arguments["pPatientBirthDate"])
    act = tlv.encode(tag, tlv.encode_all([named, *fields]))
    answer = yield from write(ready.card.handle, software.desk.fresh(16), act, "write entry")
    need(answer, "card", "entry", code)


def _dated(software: ControlSoftware, ready: Ready) -> Flow[Fields]:
    """Institution by the SAM, date by the reader's clock."""
    now = roc_datetime13(software.reader.now_ns())
    return [(writes.HOSPITAL, (yield from institution(software, ready, NO_INSTITUTION))), (writes.NOW, now.encode())]


def newborn(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    mark = arguments["pNewBornDate"] + arguments["pNoOfDelivered"]
    yield from _put(software, ready, arguments, entries.NEWBORN_ENTRY, [(entries.MARK_BYTES, mark)], "5051")
    return Reply("0")


def allergies(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """All three slots at once."""
    _may(software, Right.ALLERGY)
    raw = arguments["pDataWrite"]
    slots = [(entries.SLOT, bytes([n + 1]) + raw[n * ALLERGY_BYTES : (n + 1) * ALLERGY_BYTES]) for n in range(ALLERGIES)]
    yield from _put(software, ready, arguments, entries.ALLERGY, slots, "5057")
    return Reply("0", {"pBufferDocID": doctor_id(software, ready)})


def allergy(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """One slot, 1 to 3."""
    number = arguments["iNum"]
    if not 1 <= number <= ALLERGIES:
        raise Ended(f"there is no allergy slot {number}", BAD_ARGUMENT, "reader")
    slot = [(entries.SLOT, bytes([number]) + arguments["pDataWrite"])]
    yield from _put(software, ready, arguments, entries.ALLERGY, slot, "5057")
    return Reply("0", {"pBufferDocID": doctor_id(software, ready)})


def organ_donation(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """The holder is asked on a dialogue, and may give up (5062)."""
    _may(software, Right.ORGAN_DONATION)
    answer = yield Ask("holder", CONFIRM)
    if answer == "no":
        raise Ended("the holder gave up", ABANDONED, "card")
    mark = [(entries.DONATION, arguments["pOrganDonate"])]
    yield from _put(software, ready, arguments, entries.ORGAN, mark, "5061")
    return Reply("0")


def preventive(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    _may(software, Right.PREVENTIVE)
    service = [(entries.SERVICE, arguments["pServiceItem"] + arguments["pServiceItemCode"])]
    dated = yield from _dated(software, ready)
    yield from _put(software, ready, arguments, entries.PREVENTIVE, service + dated, "5068")
    return Reply("0")


def telephone(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    number = [(entries.PHONE, arguments["pEmergentTel"]), (writes.NOW, roc_datetime13(software.reader.now_ns()).encode())]
    yield from _put(software, ready, arguments, entries.TELEPHONE, number, "5071")
    return Reply("0")


def prenatal(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    _may(software, Right.PRENATAL)
    dated = yield from _dated(software, ready)
    exam = [(entries.EXAM, arguments["pCheckupCode"])]
    yield from _put(software, ready, arguments, entries.PRENATAL, exam + dated, "5078")
    return Reply("0")


def clear_prenatal(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    _may(software, Right.PRENATAL)
    yield from _put(software, ready, arguments, entries.CLEAR_PRENATAL, [], "5087")
    return Reply("0")


def vaccination(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    _may(software, Right.VACCINATION)
    dated = yield from _dated(software, ready)
    vaccine = [(entries.VACCINE, arguments["pItem"] + arguments["pPackageNumber"])]
    yield from _put(software, ready, arguments, entries.VACCINATION, vaccine + dated, "5093")
    return Reply("0")


CALLS = {
    "hisWriteNewBorn": newborn,
    "hisWriteAllergicMedicines": allergies,
    "hisWriteAllergicNum": allergy,
    "hisWriteOrganDonate": organ_donation,
    "hisWriteHealthInsurance": preventive,
    "hisWriteEmergentTel": telephone,
    "hisWritePredeliveryCheckup": prenatal,
    "hisDeletePredeliveryData": clear_prenatal,
    "hisWriteInoculateData": vaccination,
}

__all__ = ["CALLS", "CONFIRM"]
