"""The calls that read: the card's own records back to back, in the buffers of ``card_layout``.

Where a buffer wants diagnosis or illness codes in the default form of five characters, longer ones are packed (押碼). The marker
by which a caller asks for the ICD-10 form is not public: here a buffer that begins with ``ICD10`` (profile). The bytes before and
after each code of that form are as the card has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from virtual_devices.apdu import Command
from virtual_devices.authentication import Party
from virtual_devices.card.areas import BY_NAME
from virtual_devices.clock import parse_roc, to_datetime
from virtual_devices.flow import Flow
from virtual_devices.pki import Role
from virtual_devices.reader.authenticate import check_chain
from virtual_devices.reader.cshis import icd10
from virtual_devices.reader.cshis.prepare import Ready, need
from virtual_devices.reader.cshis.state import CardInside, ControlSoftware, FrequentVisits, Reply
from virtual_devices.reader.transmit import BAD_ARGUMENT, Ended, Handle, transmit
from virtual_devices.records import RULES

ICD10_MARKER = b"ICD10"
DATES_ONLY, READ_FAULT, CANCELLED, PHARMACIST_DENIED = "5141", "4043", "5002", "9100"
Arguments = Mapping[str, Any]


def area(handle: Handle, name: str, code: str = READ_FAULT, start: int = 1, count: int = 0) -> Flow[bytes]:
    """``count`` records of an area from number ``start`` on (all when 0). Raises Ended: the chip's reason, else ``code``."""
    where = BY_NAME[name]
    wanted = count or where.count
    if handle.extended and not count:
        command = Command(0, 0xB2, 1, where.sfi << 3 | 5, le=256)
        return need((yield from transmit(handle, command, f"read {name}")), handle.role, name, code)
    parts = []
    for number in range(start, start + wanted):
        command = Command(0, 0xB2, number, where.sfi << 3 | 4, le=where.record_bytes)
        parts.append(need((yield from transmit(handle, command, f"read {name}")), handle.role, name, code))
    return b"".join(parts)


def _plain(names: tuple[str, ...], software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """The records of these areas one after another."""
    parts = []
    for name in names:
        parts.append((yield from area(ready.card.handle, name)))
    return Reply("0", {"pBuffer": b"".join(parts)})


def register_basic(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """The registration record; the desk is warned of a holder who comes often (manual 3.3)."""
    raw = yield from area(ready.card.handle, "register")
    yield from _warn(software, ready.card, raw)
    return Reply("0", {"pBuffer": raw})


def _warn(software: ControlSoftware, card: CardInside, register: bytes) -> Flow[None]:
    """Add a warning when this year's visits are many: 30 (from 18 years on), 40 (from 65 on), 90 (red). Children, and holders
    with a critical illness mark, are exempt."""
    totals = yield from area(card.handle, "cumulative_year")
    periods = yield from area(card.handle, "critical_illness_period")
    now_ns = software.reader.now_ns()
    try:
        born_ns = parse_roc(register[42:49].decode("ascii"))
    except ValueError:
        return
    today, born = to_datetime(now_ns), to_datetime(born_ns)
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    year = b"%03d" % (today.year - 1911)
    years = (totals[start : start + 67] for start in (0, 67))
    visits = next((int(one[3:7]) for one in years if one[:3] == year and one[3:7].isdigit()), 0)
    least = RULES["warning_visit_count_65_up"] if age >= 65 else RULES["warning_visit_count_18_to_65"]
    if age >= 18 and visits >= least and not periods.strip(b" \0"):
        software.warnings.append(FrequentVisits(visits, visits >= RULES["warning_visit_count_red"]))


def _is_pharmacist(software: ControlSoftware) -> bool:
    return check_chain(software.desk, Party.HPC, software.desk.hpc_chain).role is Role.PHARMACIST


def _marked(arguments: Arguments) -> bool:
    return bytes(arguments["pBuffer"]).startswith(ICD10_MARKER)


def illness_form(raw: bytes, *, long: bool) -> bytes:
    """Critical illness marks of the card (23 bytes each) in the long form, or with codes of five characters (19)."""
    if long:
        return raw
    return b"".join(
        icd10.short_form(raw[at + 1 : at + 8]) + raw[at + 9 : at + 23] for at in range(0, len(raw), 23)
    )


def diagnosis_form(raw: bytes, *, long: bool) -> bytes:
    """Diagnoses of the card (67 bytes a visit) in the long form, or with codes of five characters (43)."""
    if long:
        return raw
    found = []
    for at in range(0, len(raw), 67):
        codes = [raw[at + 13 + 9 * n + 1 : at + 13 + 9 * n + 8] for n in range(6)]
        found.append(raw[at : at + 13] + b"".join(icd10.short_form(code) for code in codes))
    return b"".join(found)


def treatment_need_hpc(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """Critical illness and diagnoses; a pharmacist gets the first part blank."""
    long = _marked(arguments)
    if _is_pharmacist(software):
        illness = b" " * 6 * (23 if long else 19)
    else:
        illness = illness_form((yield from area(ready.card.handle, "critical_illness")), long=long)
    diagnoses = yield from area(ready.card.handle, "diagnosis")
    return Reply("0", {"pBuffer": illness + diagnosis_form(diagnoses, long=long)})


def critical_illness(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """The marks with their codes; without a professional's card the dates only, and 5141. Closed to pharmacists."""
    long = _marked(arguments)
    if (yield from _cancelled(ready.card)):
        raise Ended("the card bears the cancel mark", CANCELLED, "card")
    if ready.hpc is None:
        periods = yield from area(ready.card.handle, "critical_illness_period")
        blank = b" " * (9 if long else 5)
        dates = b"".join(blank + periods[at : at + 14] for at in range(0, len(periods), 14))
        return Reply(DATES_ONLY, {"pBuffer": dates})
    raw = yield from area(ready.card.handle, "critical_illness")
    return Reply("0", {"pBuffer": illness_form(raw, long=long)})


def critical_illness_id(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """The same after the card has matched ID number and birth date, in place of the holder's PIN (5020)."""
    identity = arguments["pPatientID"] + arguments["pPatientBirthDate"]
    command = Command(0, 0x20, 0, 0x82, identity)
    need((yield from transmit(ready.card.handle, command, "match identity")), "card", "identity", "5020")
    return (yield from critical_illness(software, ready, arguments))


def _cancelled(card: CardInside) -> Flow[bool]:
    basic = yield from area(card.handle, "basic")
    return basic[57:58] == b"2"


RX = {
    "outpatient_rx": ("pOutpatientPrescription", "5015"), "long_term_rx": ("pLongTermPrescription", "5016"),
    "key_order": ("pImportantTreatmentCode", "5017"), "allergy": ("pIrritationDrug", "5018"),
}
"""The four areas of prescriptions: the argument that takes them, and the code when they cannot be read."""


def read_prescription(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """All four; a pharmacist gets the key orders blank, and of prescriptions drugs only, which is the card's doing."""
    out: dict[str, bytes | int] = {}
    pharmacist = _is_pharmacist(software)
    for name, (argument, code) in RX.items():
        if name == "key_order" and pharmacist:
            out[argument] = b" " * BY_NAME[name].count * BY_NAME[name].record_bytes
        else:
            out[argument] = yield from area(ready.card.handle, name, code)
    return Reply("0", out)


def _some(name: str, software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """The records from one position to another."""
    argument, code = RX[name]
    start, end, asked = arguments["iStartPos"], arguments["iEndPos"], arguments["iRecCount"]
    if not 1 <= start <= end <= BY_NAME[name].count or asked < end - start + 1:
        raise Ended("positions or count that do not exist", BAD_ARGUMENT, "reader")
    raw = yield from area(ready.card.handle, name, code, start, end - start + 1)
    return Reply("0", {argument: raw, "iRecCount": end - start + 1})


def last_sequence(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """The last sequence number; of a cancelled card none (5002)."""
    if (yield from _cancelled(ready.card)):
        raise Ended("the card bears the cancel mark", CANCELLED, "card")
    return Reply("0", {"pBuffer": (yield from area(ready.card.handle, "last_seq"))})


def emergency_telephone(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """The telephone; of a cancelled card none (5002)."""
    if (yield from _cancelled(ready.card)):
        raise Ended("the card bears the cancel mark", CANCELLED, "card")
    return Reply("0", {"pBuffer": (yield from area(ready.card.handle, "emergency_tel"))})


CALLS = {
    "hisGetBasicData": partial(_plain, ("basic",)),
    "hisGetRegisterBasic": register_basic,
    "hisGetRegisterPrevent": partial(_plain, ("preventive",)),
    "hisGetRegisterPregnant": partial(_plain, ("prenatal",)),
    "hisGetTreatmentNoNeedHPC": partial(_plain, ("critical_illness_period", "visit")),
    "hisGetCumulativeData": partial(_plain, ("cumulative_year",)),
    "hisGetCumulativeFee": partial(_plain, ("cumulative_fee",)),
    "hisGetTreatmentNeedHPC": treatment_need_hpc,
    "hisReadPrescription": read_prescription,
    "hisGetInoculateData": partial(_plain, ("inoculation",)),
    "hisGetOrganDonate": partial(_plain, ("organ_donation",)),
    "hisGetEmergentTel": emergency_telephone,
    "hisGetLastSeqNum": last_sequence,
    "hisGetRegisterBasic2": partial(_plain, ("register2",)),
    "hisGetCriticalIllness": critical_illness,
    "hisGetCriticalIllnessID": critical_illness_id,
    "hisReadPrescriptMain": partial(_some, "outpatient_rx"),
    "hisReadPrescriptLongTerm": partial(_some, "long_term_rx"),
    "hisReadPrescriptHVE": partial(_some, "key_order"),
    "hisReadPrescriptAllergic": partial(_some, "allergy"),
}

__all__ = ["CALLS", "ICD10_MARKER", "area", "diagnosis_form", "illness_form"]
