"""Control software that writes: visits and their numbers, roll-back, identifiers, fees, prescriptions and their signatures,
entries that are no visit, diagnosis codes, files. What is refused has its code and leaves nothing."""

from __future__ import annotations

from typing import Any

from conformance.case import Each, Nature, case
from conformance.kinds.control_software import ControlSoftwareTester
from conformance.vectors.world import INSTITUTION
from virtual_devices.clock import roc_datetime13
from virtual_devices.records import RECORDS

NEW_VISIT: dict[str, Any] = {"cTreatItem": b"01\0", "cBabyTreat": b" \0", "cTreatAfterCheck": b"1"}
FEES = RECORDS["write_fee"].pack({"outpatient_fee": "00000450", "outpatient_copay": "00000050"})
SIZE = {"pFileSize": b"7\0" + bytes(6), "pNumber": b"1\0" + bytes(6)}


def _begin(control_software: ControlSoftwareTester, name: str = "hisGetSeqNumber256") -> dict[str, Any]:
    """A visit; what a call that writes to it is given."""
    return {"pDateTime": _moment(control_software, control_software.filled(name, **NEW_VISIT)), **control_software.who}


def _moment(control_software: ControlSoftwareTester, raw: bytes) -> bytes:
    """The time of a visit, from its number."""
    return control_software.moment(raw[:13], "the visit")


def _number(control_software: ControlSoftwareTester) -> bytes:
    """The last sequence number on the card."""
    return control_software.filled("hisGetLastSeqNum")


def _entry(when: bytes, kind: str = "1") -> bytes:
    """An order of a prescription, of the visit of that time."""
    values = {"visit_datetime": when[:13].decode(), "order_type": kind, "item_code": "AC49171100", "usage": "QD", "days": "07",
              "total_quantity": "00007.0", "delivery_mark": "01"}
    return RECORDS["outpatient_rx"].pack(values)


# -- visits

@case("P-CSW-01", "P-CSW-02", nature=Nature.LIMIT, zh="緩衝區過短：拒絕前不得取號", when='"3.3" in faces', each=lambda: {
    name: Each(name, f"{name} with a buffer that is a byte short.", f"{name} 緩衝區過短")
    for name in ("hisGetSeqNumber", "hisGetSeqNumber256", "hisGetSeqNumber256N1")})
def test_number_is_not_drawn_for_a_buffer_that_is_too_short(control_software: ControlSoftwareTester, name: str) -> None:
    """A sequence number for which the room is too short is refused (6018) before it is drawn: the card has the former one."""
    control_software.open()
    given = {k: v for k, v in NEW_VISIT.items() if k != "cTreatAfterCheck" or name != "hisGetSeqNumber"}
    size = {"hisGetSeqNumber": 167, "hisGetSeqNumber256": 296, "hisGetSeqNumber256N1": 316}[name]
    before = _number(control_software)
    control_software.equal("too short", control_software.code(name, **given, iBufferLen=size - 1), "6018")
    control_software.equal("the card's number", _number(control_software), before)
    raw = control_software.filled(name, **given)
    control_software.equal("with room", (len(raw), raw[17:27]), (size, INSTITUTION.encode()))
    control_software.expect("the card's number is another", _number(control_software) != before, "a number more", before)


@case("P-CSW-02", nature=Nature.INVALID, zh="不得取號：代碼如卡片", when='"3.3" in faces', each=lambda: {
    name: Each((personal, change, code), says) for name, personal, change, code, says in (
        ("no-visits-left", {"available_visits": 0}, {}, "5001", "No visits are left on the card."),
        ("cancelled", {"cancelled": True}, {}, "5002", "The card bears the cancel mark."),
        ("over", {"expiry_date": "1100101"}, {}, "5003", "The card is past its date."),
        ("no-newborn", {}, {"cBabyTreat": b"A\0"}, "5004", "For a newborn, where the card has none."),
        ("nothing-to-take-back", {}, {"cTreatItem": b"ZA\0"}, "5081", "Cancels visits of 24 hours, where there are none."),
        ("third-mark", {}, {"cTreatAfterCheck": b"3"}, "6018", "A re-card mark that there is not."),
    )})
def test_visit_that_the_card_refuses_has_its_code(control_software: ControlSoftwareTester, value: tuple[Any, Any, str]) -> None:
    """A card that gives no number says why, and the last number on it is the former one."""
    personal, change, code = value
    control_software.open()
    control_software.software.put_in(personal)
    reply = control_software.call("hisGetSeqNumber256", **{**NEW_VISIT, **change})
    control_software.equal("code, and what was put out", (reply.code, dict(reply.out)), (code, {}))
    control_software.software.put_in({})
    control_software.equal("another card", control_software.code("hisGetSeqNumber256", **NEW_VISIT), "0")


@case("P-CSW-02", nature=Nature.VALID, zh="同日第二次就醫：5010，序號不重複", when='"3.3" in faces')
def test_second_visit_of_a_day_is_told(control_software: ControlSoftwareTester) -> None:
    """The second visit of a day comes with 5010 and a number of its own; the first number is never given again."""
    control_software.open()
    first = control_software.filled("hisGetSeqNumber256", **NEW_VISIT)
    control_software.software.later(2)
    second = control_software.filled("hisGetSeqNumber256", code="5010", **NEW_VISIT)
    control_software.equal("numbers", int(second[13:17]), int(first[13:17]) + 1)


@case("P-CSW-02", nature=Nature.MEDIUM, zh="安全模組或卡片不能取號：指明原因", when='"3.3" in faces', each=lambda: {
    name: Each((role, command, answer, code), says) for name, role, command, answer, code, says in (
        ("sam-has-no-right", "sam", b"\x2a\x9e\x9a", b"\x69\x82", "5008", "The SAM may not sign."),
        ("sam-fails", "sam", b"\x2a\x9e\x9a", b"\x6f\x00", "5008", "The SAM does not sign."),
        ("sam-answers-nothing", "sam", b"\x2a\x9e\x9a", b"\x00", "5008", "The SAM's answer is damaged."),
        ("card-has-no-right", "card", b"\x88", b"\x69\x82", "5008", "The card may not give its word."),
        ("sam-without-institution", "sam", b"\xca\x5f\x50", b"\x6a\x88", "5006", "The SAM does not say its institution."),
        ("sam-with-short-institution", "sam", b"\xca\x5f\x50", b"123456789\x90\x00", "5006",
         "The SAM's institution has nine characters."),
        ("short-number", "card", b"\xda", b"0007N5\x90\x00", "5007", "The card's number is a byte short."),
        ("number-of-letters", "card", b"\xda", b"ABCDN05\x90\x00", "5007", "The card's number is none."),
        ("card-fails", "card", b"\xda", b"\x6f\x00", "5007", "The card does not write."),
    )})
def test_visit_that_a_chip_cannot_make_has_its_code(
    control_software: ControlSoftwareTester, value: tuple[str, bytes, bytes, str],
) -> None:
    """A visit that SAM or card cannot make or sign is none, and its code says what was wanting; the next one is right."""
    role, command, answer, code = value
    control_software.open()
    control_software.equal("a read", control_software.code("hisGetRegisterBasic"), "0")
    control_software.software.answers_by(role, command, answer)
    reply = control_software.call("hisGetSeqNumber256", **NEW_VISIT)
    control_software.equal("code, and what was put out", (reply.code, dict(reply.out)), (code, {}))
    if command == b"\xca\x5f\x50":
        care = {**control_software.who, "pServiceItem": b"02\0", "pServiceItemCode": b"21\0"}
        control_software.equal("an entry", control_software.code("hisWriteHealthInsurance", **care), "5067")
    control_software.software.answers_by(role)
    control_software.software.later(2)
    again = control_software.code("hisGetSeqNumber256", **NEW_VISIT)
    control_software.expect("then", again in ("0", "5010"), "0, or the second of the day", again)


@case("P-CSW-02", nature=Nature.INVALID, zh="院所無權寫入：5009", when='"3.3" in faces')
def test_institution_without_the_right_writes_nothing(control_software: ControlSoftwareTester) -> None:
    """What an institution may not write is refused (5009): visits, care, vaccinations, allergies, organ donation."""
    control_software.open()
    control_software.doctor()
    control_software.software.without_rights()
    who = control_software.who
    drug = RECORDS["allergy_drug"].pack({"allergy_ingredient": "青黴素"})
    calls: tuple[tuple[str, dict[str, Any]], ...] = (
        ("hisGetSeqNumber256", NEW_VISIT), ("hisWriteAllergicMedicines", {**who, "pDataWrite": drug * 3 + b"\0"}),
        ("hisWriteOrganDonate", {**who, "pOrganDonate": b"B\0"}),
        ("hisWritePredeliveryCheckup", {**who, "pCheckupCode": b"42\0"}),
        ("hisWriteHealthInsurance", {**who, "pServiceItem": b"02\0", "pServiceItemCode": b"21\0"}),
        ("hisDeletePredeliveryData", who),
        ("hisWriteInoculateData", {**who, "pItem": b"FLU\0", "pPackageNumber": b"LOT1\0"}),
    )
    for name, given in calls:
        control_software.equal(name, control_software.code(name, **given), "5009")
    control_software.equal("the card's mark", control_software.filled("hisGetOrganDonate"), b" ")
    control_software.equal("a read", control_software.code("hisGetRegisterBasic"), "0")


@case("P-CSW-02", "P-DCM-02", nature=Nature.INVALID, zh="住院等類別：線上查保", when="data_centre", each=lambda: {
    kind: Each(kind, f"Visit type {kind}.", f"就醫類別 {kind}") for kind in ("05", "BA", "BF", "DC")})
def test_insurance_is_checked_online_for_some_visit_types(control_software: ControlSoftwareTester, kind: str) -> None:
    """Admission and its like are refused without a line (4061), or by the data centre's code; other types need none."""
    control_software.open()
    given = {**NEW_VISIT, "cTreatItem": kind.encode() + b"\0"}
    for name in ("csVerifySAMDC", "hisGetRegisterBasic"):
        control_software.equal(name, control_software.code(name), "0")
    control_software.software.line_is([], down=True)
    control_software.equal("without a line", control_software.code("hisGetSeqNumber256", **given), "4061")
    control_software.software.line_is(["", "", "refuses 9129"])
    control_software.equal("refused", control_software.code("hisGetSeqNumber256", **given), "9129")
    control_software.software.line_is([])
    control_software.requests()
    control_software.equal("with the line", control_software.code("hisGetSeqNumber256", **given), "0")
    control_software.equal("what was asked", [r[2] for r in control_software.requests()], ["eligibility"])


@case("P-CSW-02", nature=Nature.INOPPORTUNE, zh="退掛：線上、24 小時內、一次", when="data_centre")
def test_visit_is_taken_back_once(control_software: ControlSoftwareTester) -> None:
    """csUnGetSeqNumber takes a visit back once, with a line, and tells the data centre; each refusal has its code."""
    control_software.open()
    when = {"pUnTreatDate": _begin(control_software, "hisGetSeqNumber256N1")["pDateTime"]}
    identifier = [r[7] for r in control_software.requests() if r[2] == "begin-visit"]
    control_software.equal("one visit", len(identifier), 1)
    for text, code in ((b"1150230250000\0", "6018"), (b"\0", "6018"), (b"1090101000000\0", "5150")):
        control_software.equal("another time", control_software.code("csUnGetSeqNumber", pUnTreatDate=text), code)
    control_software.requests()
    control_software.equal("taken back", control_software.code("csUnGetSeqNumber", **when), "0")
    control_software.equal("told", [r[2] for r in control_software.requests() if r[2] == "roll-back"], ["roll-back"])
    control_software.equal("twice", control_software.code("csUnGetSeqNumber", **when), "5153")
    fees = {"pDateTime": when["pUnTreatDate"], **control_software.who, "pDataWrite": FEES}
    control_software.equal("fees of it", control_software.code("hisWriteTreatmentFee", **fees), "5022")


@case("P-CSW-02", "P-DCM-02", nature=Nature.INVALID, zh="退掛：資料中心拒絕", when="data_centre")
def test_roll_back_that_the_data_centre_refuses_is_told(control_software: ControlSoftwareTester) -> None:
    """A roll-back that the data centre does not take ends by the data centre's code."""
    control_software.open()
    when = {"pUnTreatDate": _begin(control_software, "hisGetSeqNumber256N1")["pDateTime"]}
    control_software.equal("online", control_software.code("csUpdateHCNoReset"), "0")
    control_software.software.line_is(["refuses 9060"])
    control_software.equal("refused", control_software.code("csUnGetSeqNumber", **when), "9060")


@case("P-CSW-02", nature=Nature.TIMER, zh="退掛：逾 24 小時", when="data_centre")
def test_visit_is_not_taken_back_too_late(control_software: ControlSoftwareTester) -> None:
    """After 24 hours a visit stays (5154)."""
    control_software.open()
    when = {"pUnTreatDate": _begin(control_software)["pDateTime"]}
    control_software.software.later(86_401)
    control_software.equal("a day later", control_software.code("csUnGetSeqNumber", **when), "5154")


@case("P-CSW-02", nature=Nature.INOPPORTUNE, zh="退掛：無連線、療程", when="data_centre")
def test_visit_is_not_taken_back_without_a_line_nor_of_a_course(control_software: ControlSoftwareTester) -> None:
    """Without a line nothing is taken back (4061); a visit of a course of treatment never is (5151)."""
    control_software.open()
    when = {"pUnTreatDate": _begin(control_software)["pDateTime"]}
    control_software.software.line_is([], down=True)
    control_software.equal("without a line", control_software.code("csUnGetSeqNumber", **when), "4061")
    control_software.software.line_is([])
    control_software.software.later(2)
    given = {**NEW_VISIT, "cTreatItem": b"AB\0"}
    course = _moment(control_software, control_software.filled("hisGetSeqNumber256", code="5010", **given))
    control_software.equal("taken back", control_software.code("csUnGetSeqNumber", pUnTreatDate=course), "5151")
    control_software.equal("the other one, with a line", control_software.code("csUnGetSeqNumber", **when), "0")


@case("P-CSW-02", "P-DCM-03", nature=Nature.VALID, zh="就醫識別碼：與取號時相同；無連線 5174", when="data_centre")
def test_identifier_of_a_visit_is_found_again(control_software: ControlSoftwareTester) -> None:
    """A visit's identifier is the same however often it is asked for; without a line the number holds with 5174 and a blank."""
    control_software.open()
    raw = control_software.filled("hisGetSeqNumber256N1", **NEW_VISIT)
    when, identifier = _moment(control_software, raw), raw[296:]
    control_software.expect("20 characters", len(identifier.strip()) == 20, "20 characters", identifier)
    control_software.equal("asked again", control_software.filled("hisGetTreatNumICCard", pDateTime=when), identifier)
    for text, code in ((b"1090101000000\0", "5022"), (b"\0", "6018")):
        control_software.equal("of no visit", control_software.code("hisGetTreatNumICCard", pDateTime=text), code)
    control_software.software.line_is([], down=True)
    control_software.equal("without a line", control_software.code("hisGetTreatNumICCard", pDateTime=when), "4061")
    control_software.software.later(2)
    raw = control_software.filled("hisGetSeqNumber256N1", code="5174", **NEW_VISIT)
    control_software.equal("a visit without it", (raw[13:17].isdigit(), raw[296:]), (True, b" " * 20))
    control_software.software.line_is([])
    control_software.software.later(2)
    late = control_software.filled("hisGetTreatNumICCard", pDateTime=_moment(control_software, raw))
    control_software.equal("later, of the visit's own moment", late[:13], raw[:13])


@case("P-CSW-02", nature=Nature.INVALID, zh="無卡取得就醫識別碼：限本院所", when="data_centre")
def test_identifier_without_a_card_is_the_institutions_own(control_software: ControlSoftwareTester) -> None:
    """An identifier without a card is for this institution (6018 else) and a person whom the data centre knows."""
    control_software.open()
    who = control_software.patient.id_no.encode()
    asked: dict[str, Any] = {"pPatientID": who + b"\0", "pHospID": INSTITUTION.encode()}
    other = control_software.code("hisGetTreatNumNoICCard", **{**asked, "pHospID": b"3501200000"})
    control_software.equal("another institution", other, "6018")
    control_software.equal("nobody", control_software.code("hisGetTreatNumNoICCard", **{**asked, "pPatientID": b"Z999999999\0"}),
                           "9012")
    raw = control_software.filled("hisGetTreatNumNoICCard", **asked)
    control_software.equal("the person", (raw[13:23], len(raw[23:].strip())), (INSTITUTION.encode(), 20))


# -- what is written to a visit

@case("P-CSW-02", "P-CSW-05", nature=Nature.INOPPORTUNE, zh="寫入前須有該次就醫：5022", when='"3.3" in faces')
def test_writing_without_a_visit_is_refused(control_software: ControlSoftwareTester) -> None:
    """Fees, diagnoses, prescriptions of a visit that the card does not hold are refused (5022); of one that it holds, taken."""
    control_software.open()
    now = roc_datetime13(control_software.software.now_ns()).encode() + b"\0"
    codes = RECORDS["write_code"].pack({"recard_mark": "1", "main_diagnosis": "J069"})

    def calls(when: bytes) -> tuple[tuple[str, dict[str, Any]], ...]:
        return (
            ("hisWriteTreatmentFee", {"pDataWrite": FEES}), ("hisWriteTreatmentCode", {"pDataWrite": codes + b"\0"}),
            ("hisWriteTreatmentData", {"pDataWrite": codes + FEES + b"\0"}),
            ("hisWritePrescription", {"pDataWrite": _entry(when)}),
            ("hisWriteMultiPrescript", {"pDataWrite": _entry(when), "iWriteCount": 1}),
        )

    given = {"pDateTime": now, **control_software.who}
    for name, more in calls(now):
        control_software.equal(f"{name} before", control_software.code(name, **given, **more), "5022")
    given = _begin(control_software)
    for name, more in calls(given["pDateTime"]):
        control_software.equal(name, control_software.code(name, **given, **more), "0")
    control_software.equal("fees that are none", control_software.code(
        "hisWriteTreatmentFee", **given, pDataWrite=b"A" * 38), "5028")
    late = _entry(b"1090101000000")
    control_software.equal("an order of another visit", control_software.code("hisWritePrescription", **given, pDataWrite=late),
                           "5033")
    control_software.equal("the institution's total", control_software.code("hisGetCumulativeFee"), "0")


@case("P-CSW-01", "P-CSW-02", nature=Nature.LIMIT, zh="多筆處方：筆數 1 至 60，簽章緩衝區", when='"3.3" in faces')
def test_prescriptions_are_counted_and_each_is_signed(control_software: ControlSoftwareTester) -> None:
    """1 to 60 entries, as many as are handed in, each with a signature of 40 characters; else 6018 and none is written."""
    control_software.open()
    given = _begin(control_software)
    one = _entry(given["pDateTime"])
    for count, raw in ((0, one), (61, one * 61), (2, one), (-1, one)):
        more: dict[str, Any] = {"pDataWrite": raw, "iWriteCount": count}
        control_software.equal(f"{count} of {len(raw) // 61}", control_software.code("hisWriteMultiPrescript", **given, **more),
                               "6018")
    more = {"pDataWrite": one * 3, "iWriteCount": 3, "pBuffer": bytes(120)}
    short = control_software.code("hisWriteMultiPrescriptSign", **given, **{**more, "pBuffer": bytes(119)}, iBufferLen=119)
    control_software.equal("room for less than three", short, "6018")
    control_software.doctor()
    read: dict[str, Any] = {"iStartPos": 1, "iEndPos": 60, "iRecCount": 60}
    before = control_software.filled("hisReadPrescriptMain", "pOutpatientPrescription", **read)
    control_software.equal("nothing was written", before.strip(b" \0"), b"")
    three = control_software.filled("hisWriteMultiPrescriptSign", **given, **more, iBufferLen=120)
    control_software.equal("three", len(three), 120)
    control_software.equal("one", len(control_software.filled("hisWritePrescriptionSign", **given, pDataWrite=one)), 40)
    sixty = {"pDataWrite": one * 60, "iWriteCount": 60}
    control_software.equal("sixty", control_software.code("hisWriteMultiPrescript", **given, **sixty), "0")


@case("P-CSW-01", "P-CSW-02", nature=Nature.LIMIT, zh="讀取處方：起訖位置", when='"3.3" in faces', each=lambda: {
    name: Each((name, most), f"{name}, positions 1 to {most}.", f"{name}：1 至 {most}") for name, most in (
        ("hisReadPrescriptMain", 60), ("hisReadPrescriptLongTerm", 30), ("hisReadPrescriptHVE", 10),
        ("hisReadPrescriptAllergic", 3))})
def test_positions_that_do_not_exist_are_refused(control_software: ControlSoftwareTester, value: tuple[str, int]) -> None:
    """A reading call from one position to another wants positions that exist, in order, and room for all of them (6018)."""
    name, most = value
    control_software.open()
    control_software.doctor()
    for start, end, count in ((0, 1, 2), (1, most + 1, most + 1), (2, 1, 2), (1, 2, 1), (-1, 1, 3)):
        positions = {"iStartPos": start, "iEndPos": end, "iRecCount": count}
        control_software.equal(f"{start} to {end}, {count}", control_software.code(name, **positions), "6018")
    for start, end in ((1, most), (most, most)):
        reply = control_software.call(name, iStartPos=start, iEndPos=end, iRecCount=end - start + 1)
        control_software.equal(f"{start} to {end}", (reply.code, reply.out.get("iRecCount")), ("0", end - start + 1))


@case("P-CSW-02", "P-CSW-04", nature=Nature.INVALID, zh="過敏藥物：須醫師，欄位 1 至 3", when="professional")
def test_allergies_are_a_physicians_to_write(control_software: ControlSoftwareTester) -> None:
    """Allergies are written by a physician after the PIN (4042, 9100 for a pharmacist), in slots 1 to 3; the writer is told."""
    control_software.open()
    drug = RECORDS["allergy_drug"].pack({"allergy_ingredient": "青黴素"})
    given: dict[str, Any] = {**control_software.who, "pDataWrite": drug}
    control_software.equal("before the PIN", control_software.code("hisWriteAllergicNum", **given, iNum=1), "4042")
    control_software.software.put_in_professional("a pharmacist's")
    control_software.doctor()
    control_software.equal("a pharmacist", control_software.code("hisWriteAllergicNum", **given, iNum=1), "9100")
    control_software.software.put_in_professional("right")
    control_software.doctor()
    for number, code in ((0, "6018"), (4, "6018"), (1, "0"), (3, "0")):
        control_software.equal(f"slot {number}", control_software.code("hisWriteAllergicNum", **given, iNum=number), code)
    whole = {**given, "pDataWrite": drug * 3 + b"\0"}
    reply = control_software.call("hisWriteAllergicMedicines", **whole)
    control_software.equal("all three", (reply.code, reply.out["pBufferDocID"]), ("0", b"A123456789\0"))
    read = control_software.filled("hisReadPrescriptAllergic", "pIrritationDrug", iStartPos=1, iEndPos=3, iRecCount=3)
    control_software.equal("on the card", read, drug * 3)
    control_software.software.take_out("hpc")
    control_software.equal("no card", control_software.code("hisWriteAllergicNum", **given, iNum=1), "4014")


# -- what is no visit

@case("P-CSW-02", nature=Nature.INVALID, zh="預防保健、產檢、器捐、新生兒：代碼如卡片", when='"3.3" in faces')
def test_entry_that_the_card_refuses_has_its_code(control_software: ControlSoftwareTester) -> None:
    """Care without a visit is 5083, prenatal entries of a man 5079, a newborn without order 5052, a holder who gives up 5062."""
    control_software.open()
    who = control_software.who
    care = {**who, "pServiceItem": b"02\0", "pServiceItemCode": b"21\0"}
    control_software.equal("preventive care", control_software.code("hisWriteHealthInsurance", **care), "5083")
    control_software.equal("cancelled preventive care", control_software.code("hisWriteHealthInsurance", **{
        **care, "pServiceItemCode": b"YB\0"}), "5084")
    control_software.equal("prenatal", control_software.code("hisWritePredeliveryCheckup", **who, pCheckupCode=b"42\0"), "5079")
    control_software.equal("none to clear", control_software.code("hisDeletePredeliveryData", **who), "5079")
    newborn = {**who, "pNewBornDate": b"1150220\0", "pNoOfDelivered": b"A\0"}
    control_software.equal("newborn", control_software.code("hisWriteNewBorn", **newborn), "5052")
    control_software.software.type("confirm organ donation", "no")
    control_software.equal("given up", control_software.code("hisWriteOrganDonate", **who, pOrganDonate=b"B\0"), "5062")
    control_software.equal("the mark", control_software.filled("hisGetOrganDonate"), b" ")
    control_software.software.type("confirm organ donation", "yes")
    control_software.equal("agreed", control_software.code("hisWriteOrganDonate", **who, pOrganDonate=b"B\0"), "0")
    control_software.equal("the mark", control_software.filled("hisGetOrganDonate"), b"B")


@case("P-CSW-01", "P-CSW-02", nature=Nature.LIMIT, zh="診斷碼押碼：9127", when='"3.3" in faces')
def test_diagnosis_code_is_packed_and_back(control_software: ControlSoftwareTester) -> None:
    """A diagnosis code of more than five characters is packed into five and back; what is no code, or no packed one, is 9127."""
    def one(name: str, text: bytes) -> tuple[str, bytes]:
        reply = control_software.call(name, IN=text + b"\0")
        return reply.code, bytes(reply.out.get("OUT", b"")).rstrip(b"\0")

    for code in (b"S72001A", b"E1165", b"V00001A", b"C50911"):
        packed = one("hisGetICD10EnC", code)
        control_software.equal("packed", (packed[0], len(packed[1])), ("0", 5))
        control_software.equal("and back", one("hisGetICD10DeC", packed[1]), ("0", code))
    for short in (b"J069", b"C5091"):
        control_software.equal("a short one", (one("hisGetICD10EnC", short), one("hisGetICD10DeC", short)), (
            ("0", short), ("0", short)))
    for text in (b"J0.9", b"S72001AB", b"S7 001A", b"1234567", b"S72001\xff"):
        control_software.equal("no code", one("hisGetICD10EnC", text)[0], "9127")
    for text in (b"!", b"!12345", b"E1165", b"V00001A", b"J0.9", b"-1234", b""):
        control_software.equal(f"never packed: {text!r}", one("hisGetICD10DeC", text)[0], "9127")


# -- files

@case("P-CSW-02", "P-CSW-01", nature=Nature.INVALID, zh="上傳檔案：大小、筆數、回條", when="data_centre")
def test_file_that_is_not_as_it_was_said_is_refused(control_software: ControlSoftwareTester) -> None:
    """A file whose size was not told (6018), or is another (6015), is not sent; a refusal of the data centre has its code."""
    control_software.open()
    control_software.equal("SAM", control_software.code("csVerifySAMDC"), "0")
    control_software.software.put_file("A.xml", b"<RECS/>")
    control_software.requests()
    for change, code in (({"pFileSize": b"x\0"}, "6018"), ({"pNumber": b"\0"}, "6018"), ({"pFileSize": b"8\0"}, "6015")):
        given = {"pUploadFileName": b"A.xml\0", **SIZE, **change}
        control_software.equal("code", control_software.code("csUploadData", **given), code)
    control_software.equal("nothing was sent", control_software.requests(), [])
    right: dict[str, Any] = {"pUploadFileName": b"A.xml\0", **SIZE}
    for fate, code in (("refuses 9020", "6014"), ("refuses 9060", "9060"), ("without bytes", "6015"), ("without records", "6015"),
                       ("without received_ns", "6015")):
        control_software.software.line_is([fate] * 2)
        found = control_software.code("csUploadData", **right)
        control_software.expect(fate, found == code, code, found)
        control_software.software.line_is([])
    control_software.equal("in order", control_software.code("csUploadData", **right), "0")


@case("P-CSW-02", nature=Nature.LIMIT, zh="上傳檔案：超過記憶體", when="data_centre")
def test_file_that_the_memory_does_not_hold_is_not_sent(control_software: ControlSoftwareTester) -> None:
    """A file of more than the computer's memory holds has its code (6016), and nothing of it is sent."""
    control_software.open()
    control_software.equal("SAM", control_software.code("csVerifySAMDC"), "0")
    control_software.software.put_file("B.xml", None)
    control_software.requests()
    large = {"pUploadFileName": b"B.xml\0", **SIZE}
    control_software.equal("more than the memory holds", control_software.code("csUploadData", **large), "6016")
    control_software.equal("nothing was sent", control_software.requests(), [])
