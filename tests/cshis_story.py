"""One success of every call of the control software, on a card with something in every area: what golden buffers pin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from virtual_devices.card.holder import Holder
from virtual_devices.clock import NS, roc_datetime13
from virtual_devices.reader.cshis import FUNCTIONS, Reply
from virtual_devices.reader.cshis.pins import AGAIN, NEW, PUK
from virtual_devices.records import RECORDS

from .control_desk import LONG_FORM, ControlDesk, control_desk
from .desk import INSTITUTION, NOW_NS, codes, entry, fees
from .desk import PUK as THE_PUK

WHEN = roc_datetime13(NOW_NS)
WOMAN = Holder("林美玲", "B234567896", date(1988, 2, 29), "F")
ID, BORN = WOMAN.id_no.encode() + b"\0", WOMAN.birth_roc.encode() + b"\0"
DAY = "1150101"
VISITS = [
    {"visit_type": kind, "visit_datetime": f"11501{day:02d}090000", "recard_mark": "1", "visit_seq_no": f"{day:04d}",
     "hospital_id": INSTITUTION, "outpatient_fee": "00000450"}
    for day, kind in enumerate(("01", "AC", "02"), 1)
]
DIAGNOSES = [{"visit_datetime": visit["visit_datetime"], "main_diagnosis": code, **{
    f"{name}_{part}": b" " for name in ("main_diagnosis", *(f"sub_diagnosis_{n}" for n in range(1, 6)))
    for part in ("lead", "trail")}} for visit, code in zip(VISITS, ("J069", "S72001A", "E1165"), strict=True)]
YEAR = {"roc_year": "115", "visit_count": "0003", "outpatient_fee_total": "0000001350"}
RECORDS_INSIDE: dict[str, tuple[bytes, ...]] = {
    "visit": tuple(RECORDS["visit_register"].pack(visit) for visit in VISITS),
    "diagnosis": tuple(RECORDS["visit_diagnosis_icd10"].pack(diagnosis) for diagnosis in DIAGNOSES),
    "cumulative_year": (RECORDS["cumulative_year"].pack(YEAR),),
    "cumulative_fee": (RECORDS["cumulative_fee"].pack({"outpatient_fee_grand_total": "0000009999"}),),
    "preventive": (RECORDS["preventive"].pack({"service_item_mark": "02", "exam_date": DAY, "hospital_id": INSTITUTION}),),
    "prenatal": (RECORDS["prenatal"].pack({"exam_date": DAY, "hospital_id": INSTITUTION, "exam_item_code": "41"}),),
    "critical_illness": (RECORDS["critical_illness_icd10"].pack(
        {"illness_code_lead": b" ", "illness_code": "C50911", "illness_code_trail": b" ", "valid_from": DAY,
         "valid_to": "1190101"}
    ),),
    "outpatient_rx": tuple(entry("1150101090000", kind, n) for n, kind in enumerate("125", 1)),
    "long_term_rx": (RECORDS["long_term_rx"].pack({"prescribed_date": DAY, "drug_code": "AC00000002", "days": "28"}),),
    "key_order": (RECORDS["key_order"].pack({"performed_date": DAY, "hospital_id": INSTITUTION, "key_order_code": "33070B"}),),
    "allergy": (RECORDS["allergy_drug"].pack({"allergy_ingredient": "盤尼西林"}),),
    "inoculation": (RECORDS["inoculation"].pack({"vaccine_type": "FLU", "inoculation_date": DAY, "hospital_id": INSTITUTION}),),
    "organ_donation": (b"A",),
}
DIAGNOSES_31 = RECORDS["write_code"].pack({"recard_mark": "1", "main_diagnosis": "J069", "sub_diagnosis_1": "I10"})


def desk_of(**more: Any) -> ControlDesk:
    """A desk before a woman's card that holds something of everything."""
    data = {"holder": WOMAN, "records": RECORDS_INSIDE, "emergency_tel": "0912000000", "last_sequence": "1150003"}
    desk = control_desk(**{**data, **more})
    desk.bench.cloud.desk.card_of = lambda id_no: desk.bench.card.card_no if id_no == WOMAN.id_no else ""
    return desk


def with_doctor(**more: Any) -> ControlDesk:
    desk = desk_of(**more)
    assert desk.code("hpcVerifyHPCPIN") == "0"
    return desk


def with_visit(**more: Any) -> ControlDesk:
    desk = desk_of(**more)
    assert desk.code("hisGetSeqNumber256", **NEW_VISIT) == "0"
    return desk


def empty(desk: ControlDesk, role: str) -> ControlDesk:
    desk.slots[role].device = None
    return desk


NEW_VISIT = {"cTreatItem": b"01\0", "cBabyTreat": b" \0", "cTreatAfterCheck": b"1"}
OLD_VISIT = {"cTreatItem": b"01\0", "cBabyTreat": b" \0"}
WHO = {"pPatientID": ID, "pPatientBirthDate": BORN}
AT = {"pDateTime": WHEN.encode() + b"\0", **WHO}
RX1 = entry(WHEN)
RX3 = b"".join(entry(WHEN, kind, n) for n, kind in enumerate("125", 1))
ALLERGIES = b"".join(RECORDS["allergy_drug"].pack({"allergy_ingredient": text}) for text in ("青黴素", "Aspirin", ""))


@dataclass(frozen=True)
class Scene:
    """How a call succeeds: the desk made ready, the arguments, what it then returns."""

    desk: Callable[[], ControlDesk]
    given: dict[str, Any]
    code: str = "0"

    def play(self, name: str) -> Reply:
        return self.desk().call(name, **self.given)


def _plain(**given: Any) -> Scene:
    return Scene(desk_of, given)


def _doctor(**given: Any) -> Scene:
    return Scene(with_doctor, given)


def _visit(**given: Any) -> Scene:
    return Scene(with_visit, {**AT, **given})


def _no_hpc() -> ControlDesk:
    return empty(desk_of(pin="1234"), "hpc")


def _pin_verified() -> ControlDesk:
    desk = _no_hpc()
    desk.answers |= {"enter PIN": "1234", NEW: "5678", AGAIN: "5678"}
    assert desk.code("csVerifyHCPIN") == "0"
    return desk


def _can_verify() -> ControlDesk:
    desk = _no_hpc()
    desk.answers["enter PIN"] = "1234"
    return desk


def _new_hpc_pin() -> ControlDesk:
    desk = with_doctor()
    desk.answers |= {NEW: "1357", AGAIN: "1357"}
    return desk


def _puk() -> ControlDesk:
    desk = desk_of()
    desk.answers |= {PUK: THE_PUK, NEW: "1357", AGAIN: "1357"}
    return desk


def _with_file() -> ControlDesk:
    desk = desk_of()
    desk.software.files = lambda path: b"<RECS/>" if path == "A.xml" else b""
    return desk


def _to_update() -> ControlDesk:
    return desk_of(available_visits=1)


def _to_take_back() -> ControlDesk:
    desk = desk_of()
    assert desk.code("hisGetSeqNumber256N1", **NEW_VISIT) == "0"
    desk.bench.clock.advance_to(NOW_NS + 600 * NS)
    return desk


def _unopened() -> ControlDesk:
    desk = desk_of()
    assert desk.code("csCloseCom") == "0"
    return desk


SOME = {"iStartPos": 1, "iEndPos": 2, "iRecCount": 2}
STORY: dict[str, Scene] = {
    **{name: _plain() for name in (
        "hisGetBasicData", "hisGetRegisterBasic", "hisGetRegisterPrevent", "hisGetRegisterPregnant", "hisGetTreatmentNoNeedHPC",
        "hisGetCumulativeData", "hisGetCumulativeFee", "hisGetInoculateData", "hisGetOrganDonate", "hisGetEmergentTel",
        "hisGetLastSeqNum", "hisGetRegisterBasic2", "csGetDateTime", "csISSetPIN", "csGetHospID", "csVerifySAMDC",
        "hpcGetHPCSN", "hpcGetHPCSSN", "hpcGetHPCCNAME", "hisGetHPCENAME", "hpcVerifyHPCPIN", "csCloseCom")},
    "csOpenCom": Scene(_unopened, {"Comport": 0}),
    "csGetVersionEx": Scene(desk_of, {}, "3013"),
    "hisGetCardStatus": Scene(desk_of, {"CardType": 2}, "1"),
    "csGetCardNo": _plain(CardType=2),
    "csSoftwareReset": _plain(Type=3),
    "hpcGetHPCStatus": _plain(Req=1),
    "hisGetTreatmentNeedHPC": _doctor(),
    "hisReadPrescription": _doctor(),
    "hisGetCriticalIllness": _doctor(),
    "hisGetCriticalIllnessID": _doctor(**WHO),
    "hisReadPrescriptMain": _doctor(**SOME),
    "hisReadPrescriptLongTerm": _doctor(**SOME),
    "hisReadPrescriptHVE": _doctor(**SOME),
    "hisReadPrescriptAllergic": _doctor(**SOME),
    "hisGetSeqNumber": _plain(**OLD_VISIT),
    "hisGetSeqNumber256": _plain(**NEW_VISIT),
    "hisGetSeqNumber256N1": _plain(**NEW_VISIT),
    "hisGetTreatNumICCard": _plain(pDateTime=b"1150103090000\0"),
    "hisGetTreatNumNoICCard": Scene(desk_of, {"pPatientID": ID, "pHospID": INSTITUTION.encode()}),
    "csUnGetSeqNumber": Scene(_to_take_back, {"pUnTreatDate": WHEN.encode() + b"\0"}),
    "hisWriteTreatmentCode": _visit(pDataWrite=DIAGNOSES_31 + b"\0"),
    "hisWriteTreatmentFee": _visit(pDataWrite=fees()),
    "hisWriteTreatmentData": _visit(pDataWrite=codes() + fees() + b"\0"),
    "hisWritePrescription": _visit(pDataWrite=RX1),
    "hisWriteMultiPrescript": _visit(pDataWrite=RX3, iWriteCount=3),
    "hisWritePrescriptionSign": _visit(pDataWrite=RX1),
    "hisWriteMultiPrescriptSign": _visit(pDataWrite=RX3, iWriteCount=3, pBuffer=bytes(120), iBufferLen=120),
    "hisWriteNewBorn": _plain(**WHO, pNewBornDate=b"1150220\0", pNoOfDelivered=b"1\0"),
    "hisWriteAllergicMedicines": _doctor(**WHO, pDataWrite=ALLERGIES + b"\0"),
    "hisWriteAllergicNum": _doctor(**WHO, pDataWrite=ALLERGIES[:40], iNum=2),
    "hisWriteOrganDonate": _plain(**WHO, pOrganDonate=b"B\0"),
    "hisWriteHealthInsurance": _plain(**WHO, pServiceItem=b"02\0", pServiceItemCode=b"21\0"),
    "hisWriteEmergentTel": _plain(**WHO, pEmergentTel=b"0223456789\0"),
    "hisWritePredeliveryCheckup": _plain(**WHO, pCheckupCode=b"42\0"),
    "hisDeletePredeliveryData": _plain(**WHO),
    "hisWriteInoculateData": _plain(**WHO, pItem=b"FLU\0", pPackageNumber=b"LOT1\0"),
    "csVerifyHCPIN": Scene(_can_verify, {}),
    "csInputHCPIN": Scene(_pin_verified, {}),
    "csDisableHCPIN": Scene(_pin_verified, {}),
    "csUpdateHCContents": Scene(_to_update, {}),
    "csUpdateHCNoReset": Scene(_to_update, {}),
    "hpcInputHPCPIN": Scene(_new_hpc_pin, {}),
    "hpcUnlockHPC": Scene(_puk, {}),
    "csUploadData": Scene(_with_file, {
        "pUploadFileName": b"A.xml\0", "pFileSize": b"7\0" + bytes(6), "pNumber": b"1\0" + bytes(6)}),
    "hisGetICD10EnC": _plain(IN=b"S72001A\0"),
    "hisGetICD10DeC": _plain(IN=b"J069\0"),
}
LONG: dict[str, Scene] = {
    "hisGetTreatmentNeedHPC": _doctor(pBuffer=LONG_FORM, iBufferLen=540),
    "hisGetCriticalIllness": _doctor(pBuffer=LONG_FORM[:138], iBufferLen=138),
    "hisGetCriticalIllnessID": _doctor(**WHO, pBuffer=LONG_FORM[:138], iBufferLen=138),
}
"""The same calls when the ICD-10 form is asked for."""
assert STORY.keys() == FUNCTIONS.keys()
