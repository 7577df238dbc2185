"""Codes of the virtual card's software and of control software 6.0: how each comes about."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cbor2
import pytest

from virtual_devices import pki
from virtual_devices.cloud.core import Insurance
from virtual_devices.pki import Role
from virtual_devices.records import RECORDS

from . import desk as desks
from .card_centre import CardCentre
from .code_cases import out, says, serial, silent, wrong
from .cshis_story import VISITS, WHEN, WOMAN, desk_of
from .desk import AUTHORITY, CARD_NO, DOCTOR_ID, INSTITUTION, SAM_ID, STRANGER
from .links import Changed

NEXT = "/api/v1/SequelNumber/Next"
VISIT = {"treatmentItem": "01", "babyTreatment": "", "afterCheck": "1"}
WRITE, ROLL_BACK = "/api/v1/Treatment/WriteCodeFee", "/api/v1/SequelNumber/Rollback"
PIN, STATUS = "/api/hc/v1/Pin", "statusCode"
Case = Callable[[CardCentre], str]


def local(method: str, path: str, *prepares: Any, begin: dict[str, bool] | None = None, **body: str) -> Case:
    """A local call, after something has gone wrong."""

    def play(centre: CardCentre) -> str:
        centre.begin(**(begin or {}))
        for prepare in prepares:
            prepare(centre.desk)
        return str(centre.local(method, path, **body)[STATUS])

    return play


def cloud(path: str, *prepares: Callable[[CardCentre], None], virtual: bool = True, doctor: bool = False, **body: Any) -> Case:
    def play(centre: CardCentre) -> str:
        centre.begin(virtual=virtual, doctor=doctor)
        for prepare in prepares:
            prepare(centre)
        return str(centre.signed(path, **body)[STATUS])

    return play


def forged(kind: str, part: int, value: Any = None, index: int = 1, path: str = "/api/v1/BasicData/Query") -> Case:
    """An envelope in which one party's chain (0) or signature (1) was exchanged, or the whole part."""

    def play(centre: CardCentre) -> str:
        centre.begin(doctor=True)
        body = centre.envelope(kind)
        parts = cbor2.loads(base64.b64decode(body["signature"]))
        if callable(value):
            parts[part] = value(parts[0])
        else:
            raw = parts[part][index]
            parts[part][index] = raw[:-1] + bytes([raw[-1] ^ 1])
        body["signature"] = base64.b64encode(cbor2.dumps(parts)).decode()
        return str(centre.ask(path, body)[STATUS])

    return play


def by(identity: pki.Identity) -> Callable[[bytes], list[bytes]]:
    return lambda signed: [identity.chain_bytes(), pki.sign(identity.key, signed)]


def person(**values: Any) -> Callable[[CardCentre], None]:
    def prepare(centre: CardCentre) -> None:
        known = centre.cards.core.people.get(CARD_NO)
        assert known is not None
        centre.cards.core.people.put(replace(known, **values))

    return prepare


def cell(name: str, value: bytes) -> Callable[[CardCentre], None]:
    return lambda centre: centre.cards.files.set_cell(CARD_NO, name, value)


def insurance(at: int, value: bytes) -> Callable[[CardCentre], None]:
    def prepare(centre: CardCentre) -> None:
        old = centre.cards.files.cell(CARD_NO, "insurance")
        centre.cards.files.set_cell(CARD_NO, "insurance", old[:at] + value + old[at + len(value) :])

    return prepare


def visit(**values: str) -> Callable[[CardCentre], None]:
    return cell("visit.0", RECORDS["visit_register"].pack({**VISITS[0], "visit_datetime": WHEN, **values}))


def registered(centre: CardCentre) -> None:
    assert centre.signed(NEXT, **VISIT)[STATUS] == "0"


def later(seconds: float) -> Callable[[CardCentre], None]:
    return lambda centre: centre.later(seconds)


def written(centre: CardCentre) -> None:
    registered(centre)
    assert centre.signed(WRITE, treatmentDateTime=WHEN, mainCode="J069")[STATUS] == "0"


def asked_twice(path: str, **body: Any) -> Callable[[CardCentre], None]:
    def prepare(centre: CardCentre) -> None:
        assert centre.signed(path, **body)[STATUS] == "0"

    return prepare


def consent(agreed: bool | None, wait_s: float = 0) -> Case:
    def play(centre: CardCentre) -> str:
        centre.begin()
        access = centre.signed("/api/v1/TeleMedicine/RequestToken", patientId=WOMAN.id_no)["accessToken"]
        if agreed is not None:
            assert centre.cloud.answer_consent(access, agreed)
        centre.later(wait_s)
        return str(centre.signed("/api/v1/TeleMedicine/ResponseToken", accessToken=access)[STATUS])

    return play


def scan(centre: CardCentre, token: str) -> str:
    return str(centre.local("POST", "/api/hc/v1/VirtualHc/ReadBasic", token=token)[STATUS])


def scanned(text: str = "", after_s: float = 0, twice: bool = False) -> Case:
    def play(centre: CardCentre) -> str:
        centre.begin()
        token = text or centre.token()
        centre.later(after_s)
        if twice:
            assert scan(centre, token) == "0"
        return scan(centre, token)

    return play


def other_place(centre: CardCentre) -> str:
    centre.begin(virtual=True)
    centre.cards.tokens._tokens[centre.component.token].institution = "8801180014"
    return str(centre.signed(NEXT, **VISIT)[STATUS])


def too_often(centre: CardCentre) -> str:
    centre.begin(virtual=True)
    while (code := centre.local("POST", "/api/hc/v1/Verification/VirtualHc", token=centre.component.token)[STATUS]) == "0":
        pass
    return str(code)


def altered(centre: CardCentre) -> str:
    body = centre.begin().envelope("Sam", "03")
    return str(centre.ask("/api/v1/TreatmentNumber/NoCard", {**body, "hospitalId": "8801180014"})[STATUS])


def replayed(centre: CardCentre) -> str:
    body = {**centre.begin(virtual=True).envelope("Hc", "03"), **VISIT}
    assert centre.ask(NEXT, body)[STATUS] == "0"
    return str(centre.ask(NEXT, {**body, "treatmentItem": "02"})[STATUS])


def old(centre: CardCentre) -> str:
    body = centre.begin(virtual=True).envelope()
    centre.later(3_601)
    return str(centre.ask("/api/v1/BasicData/Query", body)[STATUS])


def sam_revoked(centre: CardCentre) -> str:
    body = centre.begin().envelope("Sam", "03")
    centre.envelopes.revoked = frozenset({serial(centre.desk.bench.sam.authenticator._identity)})
    return str(centre.ask("/api/v1/TreatmentNumber/NoCard", body)[STATUS])


def sam_suspended(centre: CardCentre) -> str:
    centre.desk.bench.cloud._revoked = frozenset({serial(centre.desk.bench.sam.authenticator._identity)})
    return local("POST", "/api/sam/v1/Verification")(centre)


def sam_expired(centre: CardCentre) -> str:
    centre.desk.slots["sam"].device = desks.sam(AUTHORITY.issue(Role.SAM, SAM_ID, organisation=INSTITUTION, days=(-800, -1)))
    return local("POST", "/api/sam/v1/Verification")(centre)


def hpc_of(role: Role) -> Callable[[CardCentre], None]:
    """Another professional, whose PIN is verified."""

    def prepare(centre: CardCentre) -> None:
        centre.desk.slots["hpc"].device = desks.hpc(AUTHORITY.issue(role, DOCTOR_ID))
        assert centre.local("POST", "/api/hpc/v1/Verification/Hpc", pin="246810")[STATUS] == "0"

    return prepare


def expired_hpc(desk: Any) -> None:
    desk.slots["hpc"].device = desks.hpc(AUTHORITY.issue(Role.PHYSICIAN, DOCTOR_ID, days=(-800, -1)))


def revoke_hpc(desk: Any) -> None:
    desk.bench.desk.revoked = frozenset({serial(desk.bench.hpc.authenticator._identity)})


def no_basic(centre: CardCentre) -> str:
    centre.desk.bench.cloud.offer({"qr-scan": lambda *_: ("0", {})})
    return scanned()(centre)


def short_public_data(desk: Any) -> None:
    desk.links["card"] = Changed(desk.slots["card"], lambda _, reply: reply[5:], bytes.fromhex("00CA1100"))


def with_pin(*calls: tuple[str, str, dict[str, str]]) -> Case:
    """A holder's card with a PIN; the code of the last of these local calls."""

    def play(centre: CardCentre) -> str:
        card = desk_of(pin="1234").bench.card
        centre.desk.slots["card"].device = card
        centre.begin()
        codes = [centre.local(method, path, **body)[STATUS] for method, path, body in calls]
        return str(codes[-1])

    return play


def not_disabled(centre: CardCentre) -> str:
    centre.begin()
    says("card", 0x6581, "0026")(centre.desk)
    return str(centre.local("DELETE", PIN)[STATUS])


def physical_in_use(centre: CardCentre) -> str:
    centre.begin().envelope("Hc")
    return scan(centre, centre.token())


def token_unread(centre: CardCentre) -> str:
    return str(centre.begin().local("POST", "/api/hc/v1/Verification/VirtualHc", token="VHT00")[STATUS])


def kit_without_scan(centre: CardCentre) -> str:
    assert centre.kit_call("VHC/VHCcsOpenCom")["ERRORCODE"] == "0"
    return str(centre.kit_call("VHC/VHChisGetBasicData")["ERRORCODE"])


def totals(**values: str) -> bytes:
    return RECORDS["cumulative_year"].pack({"roc_year": "115", "visit_count": "0003", **values})


SIGN, HC_SIGN = "/api/sam/v1/Signature", "/api/hc/v1/Signature/Hc"
OWN = {"virtual": False}
CANCEL = {"treatmentDateTime": WHEN}
CASES: dict[str, Case] = {
    "1000": lambda centre: str(centre.local("POST", "/api/sam/v1/Verification")[STATUS]),
    "1001": lambda centre: str(centre.begin().local("POST", "/api/common/v1/Initial")[STATUS]),
    "1002": lambda centre: str(_closed(centre).local("POST", "/api/common/v1/Initial", name="COM9")[STATUS]),
    "1005": no_basic,
    "1006": cloud(WRITE, registered, cell("cumulative_fee.0", b"9" * 20), treatmentDateTime=WHEN, outpatientFee="00000450"),
    "1007": cloud(NEXT, person(virtual_visits=999, virtual_year="115"), **VISIT),
    "1011": lambda centre: str(centre.local("POST", "/api/common/v1/Initial", name="SAM999999999")[STATUS]),
    "1018": scanned(after_s=300),
    "1019": scanned("VHT0123"),
    "1020": scanned(twice=True),
    "1021": cloud(NEXT, later(1800), **VISIT),
    "1022": other_place,
    "1023": kit_without_scan,
    "1102": local("POST", "/api/hpc/v1/Verification/Hpc", out("hpc"), pin="246810"),
    "1103": local("POST", "/api/hpc/v1/Verification/Hpc", wrong("hpc", "card"), pin="246810"),
    "1202": local("POST", HC_SIGN, silent("card"), serviceType="01"),
    "1300": local("POST", "/api/sam/v1/Verification", out("sam")),
    "1301": local("POST", SIGN, silent("cloud"), serviceType="01"),
    "1302": sam_expired,
    "1303": sam_suspended,
    "1304": sam_revoked,
    "1400": local("POST", "/api/hpc/v1/Verification/Hpc", says("hpc", 0x9000, "00CA005A"), pin="246810"),
    "1402": local("POST", "/api/hc/v1/Signature/HpcHc", serviceType="01"),
    "1403": forged("HpcHc", 4, by(AUTHORITY.issue(Role.DATA_CENTRE, "IDC")), path="/api/v1/CriticalIllness/Query"),
    "1410": local("POST", "/api/hpc/v1/Verification/Hpc", pin="999999"),
    "1420": forged("HpcHc", 4, path="/api/v1/CriticalIllness/Query"),
    "1421": old,
    "1422": local("POST", "/api/hpc/v1/Verification/Hpc", expired_hpc, pin="246810"),
    "1423": forged("HpcHc", 4, by(STRANGER.issue(Role.PHYSICIAN, DOCTOR_ID)), path="/api/v1/CriticalIllness/Query"),
    "1424": local("POST", "/api/hpc/v1/Verification/Hpc", revoke_hpc, pin="246810"),
    "1500": local("POST", HC_SIGN, short_public_data, serviceType="01"),
    "1502": forged("Hc", 3),
    "1510": local("POST", PIN, pin="1234"),
    "1511": with_pin(("POST", HC_SIGN, {"serviceType": "01"})),
    "1512": not_disabled,
    "1513": with_pin(("POST", PIN, {"pin": "1234"}), ("POST", PIN, {"pin": "1234"})),
    "1514": with_pin(("POST", PIN, {"pin": "4321"})),
    "1520": scanned("VHT" + "0" * 5000),
    "1522": scanned("VHC1:ABC"),
    "1525": too_often,
    "1526": local("POST", PIN, begin={"virtual": True}, pin="1234"),
    "1527": physical_in_use,
    "1700": local("POST", "/api/sam/v1/Verification", silent("cloud")),
    "1701": lambda centre: str(centre.ask("/api/v1/Dance", {})[STATUS]),
    "1704": lambda centre: str(centre.ask(NEXT, {"clientRandom": "1"})[STATUS]),
    "1705": cloud(NEXT, treatmentItem="1"),
    "1706": cloud(ROLL_BACK, treatmentDateTime="yesterday"),
    "3100": altered,
    "3201": cloud(NEXT, insurance(4, b"1140101"), **OWN, **VISIT),
    "3203": cloud(NEXT, person(card_cancelled=True), **VISIT),
    "3205": cloud(NEXT, person(only_at="8801180014"), **VISIT),
    "3206": cloud(NEXT, **{**VISIT, "babyTreatment": "A"}),
    "3207": cloud(NEXT, insurance(13, b"11412011"), **{**VISIT, "babyTreatment": "A"}),
    "3208": cloud(WRITE, treatmentDateTime=WHEN, mainCode="J069"),
    "3209": cloud(WRITE, written, treatmentDateTime=WHEN, mainCode="J069"),
    "3210": cloud(WRITE, registered, treatmentDateTime=WHEN, mainCode="J06.9"),
    "3211": cloud(ROLL_BACK, visit(hospital_id="8801180014"), **CANCEL),
    "3212": cloud("/api/v1/CriticalIllness/Query", hpc_of(Role.PHARMACIST)),
    "3213": cloud(NEXT, insurance(11, b"00"), **OWN, **VISIT),
    "3218": cloud(ROLL_BACK, visit(visit_datetime="1150228080000"), treatmentDateTime="1150228080000"),
    "3219": cloud(ROLL_BACK, visit(visit_type="AC"), **CANCEL),
    "3220": cloud(ROLL_BACK, registered, asked_twice(ROLL_BACK, **CANCEL), **CANCEL),
    "3221": cloud(ROLL_BACK, visit(), insurance(11, b"?0"), **CANCEL),
    "3222": cloud(ROLL_BACK, visit(), cell("last_seq.0", b"1150000"), **CANCEL),
    "3223": cloud(ROLL_BACK, visit(), cell("last_seq.0", b"1140001"), **CANCEL),
    "3225": cloud(ROLL_BACK, visit(outpatient_fee=""), cell("cumulative_year.0", b"?" * 67), **CANCEL),
    "3226": cloud(ROLL_BACK, visit(outpatient_fee=""), cell("cumulative_year.0", totals(visit_count="0000")), **CANCEL),
    "3227": cloud("/api/v1/Prescription/Write", registered, **CANCEL, prescriptions=[{"treatmentDateTime": "1150101090000"}]),
    "3228": cloud(NEXT, person(insurance=Insurance.NOT_INSURED), **VISIT),
    "3229": cloud(NEXT, person(insurance=Insurance.SUSPENDED), **VISIT),
    "3230": cloud(NEXT, person(insurance=Insurance.ENDED), **VISIT),
    "3231": cloud(NEXT, person(insurance=Insurance.LIVE_ENDED), **VISIT),
    "3232": cloud(NEXT, person(insurance=Insurance.LIVE_IDENTITY_DIFFERS), **VISIT),
    "3233": cloud(NEXT, person(insurance=Insurance.BOTH_IN_ARREARS), **VISIT),
    "3234": cloud(NEXT, person(insurance=Insurance.FALSE_STATEMENT), **VISIT),
    "3235": cloud(NEXT, person(insurance=Insurance.OTHER_REASON), **VISIT),
    "3237": cloud("/api/v1/TeleMedicine/ResponseToken", accessToken="none"),
    "3238": consent(True, 300),
    "3239": consent(None),
    "3240": consent(False),
    "3241": token_unread,
    "3242": cloud(NEXT, registered, **{**VISIT, "treatmentItem": "02"}),
    "3243": cloud("/api/v1/Prescription/Query", hpc_of(Role.NURSE)),
    "3244": cloud("/api/v1/Treatment/NoNeedHPC", asked_twice("/api/v1/Treatment/NoNeedHPC")),
    "3400": cloud("/api/v1/HcContent/Update"),
    "3401": cloud(ROLL_BACK, visit(inpatient_fee="00000100"), **CANCEL),
    "3402": cloud("/api/v1/TreatmentNumber/NoCard", patientId="Z000000000"),
    "3500": local("POST", SIGN, says("sam", 0x6F00, "002A9E9A"), begin={"doctor": True}, serviceType="01"),
    "66008": replayed,
}


def _closed(centre: CardCentre) -> CardCentre:
    centre.desk.software.port = None
    return centre


@pytest.mark.parametrize("code", CASES)
def test_code_comes_about(code: str) -> None:
    assert CASES[code](CardCentre()) == code


def test_no_card_and_no_token_is_the_old_code() -> None:
    centre = CardCentre().begin()
    out("card")(centre.desk)
    assert centre.local("POST", HC_SIGN, serviceType="03")[STATUS] == "4013"
