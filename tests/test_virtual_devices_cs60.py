"""Control software 6.0 and the virtual card's software kit: every path of the facts, with the fields of the facts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtual_devices.reader import cs60, sdk
from virtual_devices.reader.cs60 import local
from virtual_devices.records import BIG5, BUFFERS
from virtual_devices.tables import read_table

from .card_centre import CardCentre
from .code_cases import serial
from .cshis_story import WHEN, WOMAN, desk_of
from .desk import CARD_NO, INSTITUTION, PUK, SAM_ID, entry, fees

TABLE = read_table("control_software")
ROWS = {(row["method"], row["path"]): row for row in TABLE["cs60_endpoint"]}
VISIT = {"treatmentItem": "01", "babyTreatment": "", "afterCheck": "1"}
RX = {"treatmentDateTime": WHEN, "treatmentItem": "1", "treatmentItemCode": "AC00000001", "usage": "TID", "days": "07",
      "totalQuantity": "00021.0", "deliveryNotes": "01"}


def fields(row: dict[str, Any]) -> set[str]:
    """The fields that an answer has, without what stands inside lists."""
    return {name.split("[]")[0].split(".")[0] for name in row.get("response", ())} - {"envelope"}


def test_paths_are_those_of_the_facts() -> None:
    where = {side: {key for key, row in ROWS.items() if row["where"] == side} for side in ("local", "cloud")}
    assert set(local._CALLS) == set(cs60.endpoints()) == where["local"] and len(where["local"]) == 18
    assert {("POST", path) for path in CardCentre().cloud.paths} == where["cloud"] and len(where["cloud"]) == 18
    assert len(sdk.endpoints()) == 12 and {row["service_type"] for row in ROWS.values() if "service_type" in row} <= {
        row["code"] for row in TABLE["service_type"]}


def _pin_desk() -> CardCentre:
    return CardCentre(desk_of(pin="1234")).begin()


def _verified() -> CardCentre:
    centre = _pin_desk()
    assert centre.local("POST", "/api/hc/v1/Pin", pin="1234")["statusCode"] == "0"
    return centre


def _doctor() -> CardCentre:
    return CardCentre().begin(doctor=True)


def _read() -> CardCentre:
    centre = CardCentre().begin()
    centre.component.read = ("", b"")
    return centre


LOCAL: dict[tuple[str, str], tuple[Any, dict[str, str]]] = {
    ("GET", "/api/common/v1/Status"): (CardCentre, {}),
    ("POST", "/api/common/v1/Initial"): (lambda: CardCentre(), {"name": SAM_ID}),
    ("POST", "/api/common/v1/Finalize"): (_read, {}),
    ("POST", "/api/sam/v1/Verification"): (_read, {}),
    ("POST", "/api/sam/v1/Signature"): (_read, {"serviceType": "30"}),
    ("POST", "/api/hc/v1/Pin"): (_pin_desk, {"pin": "1234"}),
    ("PUT", "/api/hc/v1/Pin"): (_verified, {"newPin": "5678"}),
    ("DELETE", "/api/hc/v1/Pin"): (_verified, {}),
    ("DELETE", "/api/hc/v1/Logout"): (_verified, {}),
    ("POST", "/api/hc/v1/Signature/Hc"): (_read, {"serviceType": "03"}),
    ("POST", "/api/hc/v1/Signature/HpcHc"): (_doctor, {"serviceType": "01"}),
    ("POST", "/api/hc/v1/VirtualHc/ReadBasic"): (_read, {"token": "shown"}),
    ("POST", "/api/hc/v1/Verification/VirtualHc"): (_read, {"token": "read"}),
    ("POST", "/api/hpc/v1/Verification/Hpc"): (_read, {"pin": "246810"}),
    ("POST", "/api/hpc/v1/Signature"): (_doctor, {"serviceType": "01"}),
    ("POST", "/api/hpc/v1/Pin"): (_doctor, {"newPin": "1357"}),
    ("PUT", "/api/hpc/v1/Pin"): (_read, {"puk": PUK, "newPin": "1357"}),
    ("DELETE", "/api/hpc/v1/Logout"): (_doctor, {}),
}


@pytest.mark.parametrize("key", LOCAL, ids=" ".join)
def test_local_call_succeeds_with_the_fields_of_the_facts(key: tuple[str, str]) -> None:
    make, body = LOCAL[key]
    centre = make()
    if "token" in body:
        body = {"token": centre.token()}
        if "Verification" in key[1]:
            assert centre.local("POST", "/api/hc/v1/VirtualHc/ReadBasic", **body)["statusCode"] == "0"
    reply = centre.local(*key, **body)
    assert reply.get("statusCode", "0") == "0"
    assert fields(ROWS[key]) <= reply.keys() and set(ROWS[key].get("request", ())) == body.keys()
    if ROWS[key].get("response", ["", ""])[-1] == "envelope":
        assert set(TABLE["cs60_envelope"]["required"]) <= reply.keys()
    json.dumps(reply)


def _registered() -> CardCentre:
    centre = CardCentre().begin(virtual=True, doctor=True)
    assert centre.signed("/api/v1/SequelNumber/Next", **VISIT)["statusCode"] == "0"
    return centre


def _ready() -> CardCentre:
    return CardCentre().begin(virtual=True, doctor=True)


def _few_left() -> CardCentre:
    centre = _ready()
    insurance = centre.cards.files.cell(CARD_NO, "insurance")
    centre.cards.files.set_cell(CARD_NO, "insurance", insurance[:11] + b"01" + insurance[13:])
    return centre


AT = {"treatmentDateTime": WHEN}
CLOUD: dict[str, tuple[Any, dict[str, Any]]] = {
    **{f"/api/v1/{path}": (_ready, {}) for path in (
        "BasicData/Query", "BasicData/Register", "BasicData/Register2", "EmergentTel/Query", "CriticalIllness/Query",
        "Treatment/NoNeedHPC", "Treatment/NeedHPC", "Prescription/Query")},
    "/api/v1/HcContent/Update": (_few_left, {}),
    "/api/v1/Treatment/WriteCodeFee": (_registered, {**AT, "mainCode": "J069", "outpatientFee": "00000450", "afterCheck": "1"}),
    "/api/v1/Prescription/Write": (_registered, {**AT, "prescriptions": [RX, {**RX, "treatmentItem": "2"}]}),
    "/api/v1/SequelNumber/Next": (_ready, VISIT),
    "/api/v1/SequelNumber/Rollback": (_registered, AT),
    "/api/v1/TreatmentNumber/Card": (_registered, AT),
    "/api/v1/TreatmentNumber/NoCard": (_ready, {"patientId": WOMAN.id_no}),
    "/api/v1/TeleMedicine/RequestToken": (_ready, {"patientId": WOMAN.id_no}),
    "/api/v1/TeleMedicine/ResponseToken": (_ready, {"accessToken": "agreed"}),
    "/test/v1/ApplyVirtualHc/Apply": (_ready, {"sex": "F", "birthday": "0770229", "isForeigner": "N"}),
}


@pytest.mark.parametrize("path", CLOUD)
def test_cloud_call_succeeds_with_the_fields_of_the_facts(path: str) -> None:
    make, body = CLOUD[path]
    centre = make()
    if "accessToken" in body:
        body = {"accessToken": centre.signed("/api/v1/TeleMedicine/RequestToken", patientId=WOMAN.id_no)["accessToken"]}
        centre.cloud.answer_consent(body["accessToken"], True)
    reply = centre.signed(path, **body)
    assert reply["statusCode"] == "0", reply
    assert fields(ROWS[("POST", path)]) <= reply.keys()
    for name in ROWS[("POST", path)].get("response", ()):
        outer, _, inner = name.partition("[].")
        if inner:
            assert all(inner in item for item in reply[outer]) and reply[outer]
    json.dumps(reply)


def test_walk_in_from_the_code_to_the_signatures() -> None:
    """臨櫃流程 of the facts, one step after another."""
    centre = CardCentre().begin()
    token = centre.token()
    basic = centre.local("POST", "/api/hc/v1/VirtualHc/ReadBasic", token=token)
    assert (basic["name"], basic["idNo"], basic["cardId"]) == (WOMAN.name, WOMAN.id_no, CARD_NO)
    assert centre.local("POST", "/api/hc/v1/Verification/VirtualHc", token=token) == {"statusCode": "0"}
    begun = centre.signed("/api/v1/SequelNumber/Next", **VISIT)
    assert (begun["sequenceNumber"], begun["hospitalId"], begun["isSameDay"]) == ("W001", INSTITUTION, "N")
    when = begun["treatmentDateTime"]
    assert centre.signed("/api/v1/Treatment/WriteCodeFee", treatmentDateTime=when, mainCode="J069")["statusCode"] == "0"
    lines = [RX, {**RX, "treatmentItem": "2"}]
    written = centre.signed("/api/v1/Prescription/Write", treatmentDateTime=when, prescriptions=lines)
    assert [len(one) for one in written["hexSignatureItems"]] == [40, 40] and len(written["signatureItems"]) == 2
    identifier = centre.signed("/api/v1/TreatmentNumber/Card", treatmentDateTime=when)["treatmentNumber"]
    assert identifier == begun["treatmentNumber"] and centre.cards.core.visits.get(identifier) is not None


def test_physical_card_draws_its_own_number_and_the_virtual_one_its_own() -> None:
    centre = CardCentre().begin()
    physical = centre.signed("/api/v1/SequelNumber/Next", **VISIT)
    assert physical["sequenceNumber"] == "0004" and physical["statusCode"] == "0"
    assert centre.local("DELETE", "/api/hc/v1/Logout")["statusCode"] == "0"
    centre.later(60)
    token = centre.token()
    for path in ("VirtualHc/ReadBasic", "Verification/VirtualHc"):
        assert centre.local("POST", f"/api/hc/v1/{path}", token=token)["statusCode"] == "0"
    virtual = centre.signed("/api/v1/SequelNumber/Next", **VISIT)
    assert virtual["sequenceNumber"] == "W001" and virtual["isSameDay"] == "Y"


def test_failed_read_leaves_no_former_patient() -> None:
    centre = CardCentre().begin(virtual=True)
    assert centre.local("GET", "/api/common/v1/Status")["status"]["hc"] == {"status": "5"}
    assert centre.local("POST", "/api/hc/v1/VirtualHc/ReadBasic", token="VHT00")["statusCode"] == "1019"
    assert centre.component.token == "" and centre.component.read == ("", b"")


@pytest.mark.parametrize("field", ["clientRandom", "hospitalId", "samId", "signature", "hcId", "hcIdNo"])
def test_envelope_with_another_field_is_refused_and_not_used_up(field: str) -> None:
    centre = CardCentre().begin(virtual=True)
    body = centre.envelope()
    spoilt = body[field][:-5] + ("A" if body[field][-5] != "A" else "B") + body[field][-4:]
    assert centre.ask("/api/v1/BasicData/Query", {**body, field: spoilt})["statusCode"] in ("3100", "1704", "1502")
    assert centre.ask("/api/v1/BasicData/Query", body)["statusCode"] == "0"
    assert centre.ask("/api/v1/BasicData/Query", body)["statusCode"] == "66008"
    assert centre.ask("/api/v1/BasicData/Query", {**body, field: spoilt})["statusCode"] in ("66008", "3100", "1704")


def test_envelope_of_one_kind_or_purpose_serves_no_other() -> None:
    centre = CardCentre().begin(virtual=True, doctor=True)
    assert centre.ask("/api/v1/CriticalIllness/Query", centre.envelope("Hc"))["statusCode"] == "3100"
    assert centre.ask("/api/v1/BasicData/Query", centre.envelope("Sam"))["statusCode"] == "3100"
    assert centre.ask("/api/v1/BasicData/Query", centre.envelope("Hc", "02"))["statusCode"] == "1704"
    assert serial(centre.desk.bench.sam.authenticator._identity)


# -- the kit

KIT_AT = {"pDateTime": WHEN + " ", "pPatientID": WOMAN.id_no + " ", "pPatientBirthDate": WOMAN.birth_roc + " "}


def kit_visit() -> CardCentre:
    centre = CardCentre().scanned()
    reply = centre.kit_call("VHC/VHChisGetSeqNumber256N1", cTreatItem="01 ", cBabyTreat="  ", cTreatAfterCheck="1")
    assert reply["ERRORCODE"] == "0"
    return centre


KIT: dict[str, tuple[Any, dict[str, str]]] = {
    "QRCodeReader/uploadqrcode": (lambda: CardCentre().scanned(), {"QRCodeString": "shown"}),
    "VHC/VHCcsOpenCom": (CardCentre, {}),
    "VHC/VHCcsCloseCom": (lambda: CardCentre().scanned(), {}),
    "VHC/VHChisGetBasicData": (lambda: CardCentre().scanned(), {}),
    "VHC/VHChisGetRegisterBasic": (lambda: CardCentre().scanned(), {}),
    "VHC/VHChisGetSeqNumber256N1": (
        lambda: CardCentre().scanned(), {"cTreatItem": "01 ", "cBabyTreat": "  ", "cTreatAfterCheck": "1"}),
    "VHC/VHCcsUnGetSeqNumber": (kit_visit, {"pUnTreatDate": WHEN + " "}),
    "VHC/VHChisWriteTreatmentCode": (kit_visit, {**KIT_AT, "pDataWrite": "1" + "J069".ljust(42) + " "}),
    "VHC/VHChisWriteTreatmentFee": (kit_visit, {**KIT_AT, "pDataWrite": fees().decode()}),
    "VHC/VHChisWritePrescriptionSign": (kit_visit, {**KIT_AT, "pDataWrite": entry(WHEN).decode()}),
    "VHC/VHChisWriteMultiPrescriptSign": (kit_visit, {**KIT_AT, "pDataWrite": entry(WHEN).decode() * 2}),
    "VHC/GenCloudMedicalToken": (lambda: CardCentre().scanned(), {}),
}


@pytest.mark.parametrize("path", KIT)
def test_kit_call_succeeds_with_the_bytes_of_its_layout(path: str) -> None:
    make, body = KIT[path]
    centre, row = make(), sdk.endpoints()[path]
    reply = centre.kit_call(path, **({"QRCodeString": centre.token()} if "QRCodeString" in body else body))
    assert reply["ERRORCODE"] == "0" and set(row.get("request", ())) == body.keys()
    assert set(row.get("response", ())) <= reply.keys()
    if "pBuffer" in row.get("response", ()):
        length, layout = len(reply["pBuffer"].encode(BIG5)), BUFFERS[row["layout"]]
        assert length == layout.total * (2 if "Multi" in path else 1)


def test_kit_reads_the_bytes_that_the_physical_cards_call_reads() -> None:
    centre = CardCentre().scanned()
    for kit, name in (("VHC/VHChisGetBasicData", "hisGetBasicData"), ("VHC/VHChisGetRegisterBasic", "hisGetRegisterBasic")):
        assert centre.kit_call(kit)["pBuffer"].encode(BIG5) == centre.desk.call(name).out["pBuffer"]


def test_same_visit_through_both_semantics_gives_equal_records() -> None:
    """One visit written by csHIS on a chip, and by the kit on the data centre's file: only the drawn number differs."""
    centre = kit_visit()
    for path in ("VHC/VHChisWriteTreatmentFee", "VHC/VHChisWritePrescriptionSign"):
        assert centre.kit_call(path, **KIT[path][1])["ERRORCODE"] == "0"
    desk = centre.desk
    at = {"pDateTime": WHEN.encode(), "pPatientID": WOMAN.id_no.encode(), "pPatientBirthDate": WOMAN.birth_roc.encode()}
    assert desk.code("hisGetSeqNumber256", cTreatItem=b"01", cBabyTreat=b" ", cTreatAfterCheck=b"1") == "0"
    assert desk.code("hisWriteTreatmentFee", **at, pDataWrite=fees()) == "0"
    assert desk.code("hisWritePrescription", **at, pDataWrite=entry(WHEN)) == "0"
    on_chip, in_file = desk.bench.card.store, centre.cards.files
    visits = on_chip["visit.3"], in_file.cell(CARD_NO, "visit.3")
    assert [visit[17:21] for visit in visits] == [b"0004", b"W001"]
    assert visits[0][:17] + visits[0][21:] == visits[1][:17] + visits[1][21:]
    same = ("outpatient_rx.3", "cumulative_year.0", "cumulative_fee.0", "rolled_back.3", "same_day.3")
    assert [on_chip[cell] for cell in same] == [in_file.cell(CARD_NO, cell) for cell in same]
    left = on_chip["insurance"][11:13], in_file.cell(CARD_NO, "insurance")[11:13]
    assert left == (b"05", b"06")  # a virtual card's visits are not counted down


def test_kit_keeps_no_former_patient_when_a_scan_fails() -> None:
    centre = CardCentre().scanned()
    assert centre.kit_call("QRCodeReader/uploadqrcode", QRCodeString="VHT77")["ERRORCODE"] == "1019"
    assert centre.kit_call("VHC/VHChisGetBasicData") == {"ERRORCODE": "1023"}
    others = {**KIT["VHC/VHChisWriteTreatmentFee"][1], "pPatientID": "A123456789 "}
    assert kit_visit().kit_call("VHC/VHChisWriteTreatmentFee", **others)["ERRORCODE"] == "5020"


# -- whatever comes

JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4), max_leaves=12,
)
SOME = settings(max_examples=40)
CENTRE = CardCentre().begin(virtual=True, doctor=True)


@SOME
@given(st.sampled_from(sorted(CLOUD)), st.one_of(JSONS, st.dictionaries(
    st.sampled_from(["clientRandom", "hospitalId", "samId", "signature"]), st.text(max_size=40), min_size=4)))
def test_cloud_answers_whatever_comes(path: str, body: Any) -> None:
    assert CENTRE.ask(path, body)["statusCode"] in ("1704", "3100")


NAMES = ("treatmentItem", "babyTreatment", "afterCheck", "treatmentDateTime", "prescriptions", "mainCode", "outpatientFee", "sex",
         "birthday", "patientId", "accessToken")
BODIES = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSONS))


@SOME
@given(st.sampled_from(sorted(CLOUD)), BODIES)
def test_cloud_answers_whatever_a_signed_request_asks(path: str, body: Any) -> None:
    assert CENTRE.signed(path, **body)["statusCode"].isdigit()


@SOME
@given(st.sampled_from([key for key in LOCAL if "Finalize" not in key[1] and "PIN" not in key[1].upper()]), JSONS)
def test_local_answers_whatever_comes(key: tuple[str, str], body: Any) -> None:
    reply = CENTRE.desk.run(cs60.answer(CENTRE.component, *key, body))
    assert "status" in reply or reply["statusCode"].isdigit()


@SOME
@given(st.sampled_from(sorted(KIT)), JSONS)
def test_kit_answers_whatever_comes(path: str, body: Any) -> None:
    assert CENTRE.desk.run(sdk.answer(CENTRE.kit, path, body))["ERRORCODE"].isdigit()
