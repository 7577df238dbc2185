"""Control software and its cards: the professional's and whose it is, PINs that people enter, what each may read, what a card
that is put in anew has to prove again."""

from __future__ import annotations

from typing import Any

from conformance.case import Each, Nature, case
from conformance.kinds.control_software import ControlSoftwareTester
from conformance.vectors.world import CARD_NO, SAM_ID
from virtual_devices.records import RECORDS

PIN, PUK = "246810", "13579024"
ILLNESS = {"critical_illness": (RECORDS["critical_illness_icd10"].pack({
    "illness_code_lead": b" ", "illness_code": "C50911", "illness_code_trail": b" ", "valid_from": "1140101",
    "valid_to": "1190101"}),),
    "key_order": (RECORDS["key_order"].pack({"performed_date": "1140101", "hospital_id": "9901180014",
                                             "key_order_code": "33070B"}),)}


# -- the professional's card

@case("P-CSW-02", "P-CSW-04", nature=Nature.INVALID, zh="醫事人員卡不符：指明原因", when="professional", each=lambda: {
    how.replace(" ", "-").replace("'", ""): Each((how, code), f"The professional's card is {how}.")
    for how, code in (
        ("over", "9140"), ("revoked", "9130"), ("another's", "4034"), ("a sam's", "4034"), ("a patient card", "4034"),
        ("without an id", "5056"))
})
def test_professionals_card_that_is_none_is_refused(control_software: ControlSoftwareTester, value: tuple[str, str]) -> None:
    """A professional's card whose certificate is over, revoked or not its own, or that does not say whose it is, has its code."""
    how, code = value
    control_software.open()
    control_software.software.put_in_professional(how)
    control_software.equal("hpcVerifyHPCPIN", control_software.code("hpcVerifyHPCPIN"), code)
    control_software.software.put_in_professional("right")
    if how != "revoked":
        control_software.equal("the right one", control_software.code("hpcVerifyHPCPIN"), "0")


@case("P-CSW-04", "P-CSW-02", nature=Nature.INVALID, zh="藥師不得讀取重大傷病", when="professional")
def test_pharmacist_reads_no_critical_illness(control_software: ControlSoftwareTester) -> None:
    """A pharmacist's card reads no critical illness (9100) and gets its part of other buffers blank; a physician's gets both."""
    control_software.open()
    control_software.software.put_in({"records": ILLNESS})
    whole = {"pBuffer": bytes(138), "iBufferLen": 138}
    control_software.software.put_in_professional("a pharmacist's")
    control_software.doctor()
    control_software.equal("hisGetCriticalIllness", control_software.code("hisGetCriticalIllness", **whole), "9100")
    long: dict[str, Any] = {"pBuffer": b"ICD10".ljust(540, b"\0"), "iBufferLen": 540}
    control_software.equal("its part", control_software.filled("hisGetTreatmentNeedHPC", **long)[:138].strip(), b"")
    orders = "pImportantTreatmentCode"
    control_software.equal("key orders", control_software.filled("hisReadPrescription", orders).strip(), b"")
    control_software.software.put_in_professional("right")
    control_software.doctor()
    raw = control_software.filled("hisGetTreatmentNeedHPC", **long)[:138]
    control_software.expect("the physician's", b"C50911" in raw, "C50911", raw)
    raw = control_software.filled("hisReadPrescription", orders)
    control_software.expect("key orders", b"33070B" in raw, "33070B", raw)


@case("P-CSW-01", "P-CSW-03", nature=Nature.VALID, zh="診斷碼預設五碼；以標記要求 ICD-10 格式", when="professional")
def test_diagnoses_come_in_the_form_that_is_asked_for(control_software: ControlSoftwareTester) -> None:
    """Diagnoses come with codes of five characters (372 bytes), or whole where the ICD-10 form is asked for (540 bytes)."""
    control_software.open()
    visit: dict[str, str | bytes] = {f"{name}_{part}": b" " for part in ("lead", "trail")
             for name in ("main_diagnosis", *(f"sub_diagnosis_{n}" for n in range(1, 6)))}
    coded: dict[str, str | bytes] = {
        "visit_datetime": "1140101090000", "main_diagnosis": "S72001A", "sub_diagnosis_1": "J069", "sub_diagnosis_2": "?.",
        **visit,
    }
    control_software.software.put_in({"records": {"diagnosis": (RECORDS["visit_diagnosis_icd10"].pack(coded),), **ILLNESS}})
    control_software.doctor()
    raw = control_software.filled("hisGetTreatmentNeedHPC", pBuffer=bytes(372), iBufferLen=372)
    control_software.equal("the default form", len(raw), 372)
    codes = [raw[127 + 5 * n : 132 + 5 * n] for n in range(3)]
    control_software.expect("five characters, the long one packed, what is no code blank", codes[1:] == [b"J069 ", b"     "]
                            and codes[0].strip() != b"" and codes[0] != b"S7200", "packed, J069, blank", codes)
    whole: dict[str, Any] = {"pBuffer": b"ICD10".ljust(540, b"\0"), "iBufferLen": 540}
    control_software.expect("the whole code", b"S72001A" in control_software.filled("hisGetTreatmentNeedHPC", **whole))
    control_software.equal("the whole code in the room of the default form", control_software.code(
        "hisGetTreatmentNeedHPC", pBuffer=b"ICD10".ljust(372, b"\0"), iBufferLen=372), "6018")
    control_software.equal("illness", len(control_software.filled("hisGetCriticalIllness", pBuffer=bytes(138))), 114)


@case("P-CSW-02", nature=Nature.INVALID, zh="註銷之卡：5002", when='"3.3" in faces')
def test_cancelled_card_tells_less(control_software: ControlSoftwareTester) -> None:
    """Of a card with the cancel mark no illness, last number or telephone is told (5002), and nothing is entered on it."""
    control_software.open()
    control_software.software.put_in({"cancelled": True})
    control_software.software.take_out("hpc")
    for name in ("hisGetCriticalIllness", "hisGetLastSeqNum", "hisGetEmergentTel"):
        control_software.equal(name, control_software.code(name), "5002")
    control_software.equal("hisWriteEmergentTel", control_software.code(
        "hisWriteEmergentTel", **control_software.who, pEmergentTel=b"0223456789\0"), "5002")
    control_software.equal("its basic data", control_software.code("hisGetBasicData"), "0")


@case("P-CSW-02", nature=Nature.MEDIUM, zh="卡片狀態碼：轉為代碼", when='"3.3" in faces', each=lambda: {
    word: Each((bytes.fromhex(word), code), f"The card answers {word} to a read.", f"卡片回覆 {word}") for word, code in (
        ("6982", "4029"), ("9402", "5002"), ("6F00", "4043"), ("", "4043"))
})
def test_status_word_of_a_card_becomes_its_code(control_software: ControlSoftwareTester, value: tuple[bytes, str]) -> None:
    """What the card says against a read comes as the code that stands for it: no right 4029, damaged or without sense 4043."""
    word, code = value
    control_software.open()
    control_software.equal("before", control_software.code("hisGetCumulativeData"), "0")
    control_software.software.answers_by("card", b"\xb2", word or b"\x00")
    control_software.equal("code", control_software.code("hisGetCumulativeData"), code)
    control_software.software.answers_by("card")
    control_software.equal("then", control_software.code("hisGetCumulativeData"), "0")


@case("P-CSW-02", "P-CSW-04", nature=Nature.VALID, zh="重大傷病：無醫事人員卡僅得效期（5141）", when='"3.3" in faces')
def test_critical_illness_without_a_professional_is_dates_only(control_software: ControlSoftwareTester) -> None:
    """Without a professional's card the dates alone come, with 5141; with one whose PIN was not entered it is 4042."""
    control_software.open()
    control_software.software.put_in({"records": ILLNESS})
    control_software.equal("before its PIN", control_software.code("hisGetCriticalIllness"), "4042")
    control_software.software.take_out("hpc")
    raw = control_software.filled("hisGetCriticalIllness", code="5141")
    control_software.expect("dates, and no code", b"1190101" in raw and b"C509" not in raw, "dates", raw)
    control_software.equal("in the places of the form with codes", (len(raw), raw[:5], raw[5:19]), (
        114, b" " * 5, b"11401011190101"))
    named = {**control_software.who, "pPatientBirthDate": b"0470705\0"}
    control_software.equal("another person's birth date", control_software.code("hisGetCriticalIllnessID", **named), "5020")
    control_software.equal("the holder's", control_software.code("hisGetCriticalIllnessID", **control_software.who), "5141")


@case("P-CSW-01", "P-CSW-03", nature=Nature.VALID, zh="醫事人員卡資料；緩衝區過短", when="professional")
def test_professionals_card_says_whose_it_is(control_software: ControlSoftwareTester) -> None:
    """Number, ID number and names of the professional's card come in the room that was prepared, or not at all (6018)."""
    control_software.open()
    for name, text, tag, expected in (
        ("hpcGetHPCSN", "SN", b"\x00\x51", b"HPC000000001"), ("hpcGetHPCSSN", "SSN", b"", b"A123456789"),
        ("hpcGetHPCCNAME", "CNAME", b"\x5f\x20", "王小明".encode("big5")),
        ("hisGetHPCENAME", "ENAME", b"\x5f\x51", b"WANG,HSIAO-MING"),
    ):
        counter = f"Len_{text}"
        reply = control_software.call(name)
        control_software.equal(name, (reply.code, reply.out[text], reply.out[counter]), ("0", expected, len(expected)))
        reply = control_software.call(name, **{counter: len(expected) - 1})
        control_software.equal("too short", (reply.code, dict(reply.out)), ("6018", {}))
        if tag:
            control_software.software.answers_by("hpc", b"\xca" + tag, b"\x6f\x00")
            control_software.equal("a card that does not say it", control_software.code(name), "4034")
            control_software.software.answers_by("hpc")


@case("P-CSW-02", nature=Nature.MEDIUM, zh="卡號、卡片狀態：依卡別", when='"3.3" in faces')
def test_cards_are_asked_about_by_kind(control_software: ControlSoftwareTester) -> None:
    """Number and state of each kind of card; of one that is not there or another its code and state, of no kind 6018."""
    control_software.open()
    numbers = {1: SAM_ID, 2: CARD_NO, 3: "HPC000000001"}
    for kind, number in numbers.items():
        reply = control_software.call("csGetCardNo", CardType=kind)
        control_software.equal(f"number of kind {kind}", (reply.code, reply.out.get("pBuffer")), ("0", number.encode()))
        control_software.equal(f"state of kind {kind}", control_software.code("hisGetCardStatus", CardType=kind), "1")
    for name in ("csGetCardNo", "hisGetCardStatus"):
        control_software.equal(f"{name} of kind 4", control_software.code(name, CardType=4), "6018")
    control_software.equal("presence", control_software.call("hpcGetHPCStatus", Req=1).out.get("Status"), 1)
    control_software.equal("another question", control_software.code("hpcGetHPCStatus", Req=2), "6018")
    control_software.software.put_in_another()
    control_software.equal("another card", (control_software.code("csGetCardNo", CardType=2), control_software.code(
        "hisGetCardStatus", CardType=2)), ("4033", "9"))
    for kind, role, code in ((1, "sam", "4012"), (2, "card", "4013"), (3, "hpc", "4014")):
        control_software.software.take_out(role)
        control_software.equal(f"without {role}", (control_software.code("csGetCardNo", CardType=kind), control_software.code(
            "hisGetCardStatus", CardType=kind)), (code, "0"))
    control_software.equal("not present", control_software.call("hpcGetHPCStatus", Req=1).out.get("Status"), 0)


# -- PINs

@case("P-CSW-02", nature=Nature.INVALID, zh="醫事人員卡 PIN：錯誤、取消、非數字", when="professional")
def test_professionals_pin_has_its_codes(control_software: ControlSoftwareTester) -> None:
    """A wrong PIN is 5102, an entry given up 5109, what is no PIN 5102 without a try; a locked card 4029, unlocked by its PUK."""
    control_software.open()
    software = control_software.software
    for _ in range(5):
        software.type("enter PIN", "")
        control_software.equal("given up", control_software.code("hpcVerifyHPCPIN"), "5109")
        software.type("enter PIN", "ABCDEF")
        control_software.equal("letters", control_software.code("hpcVerifyHPCPIN"), "5102")
    software.type("enter PIN", "000000")
    control_software.equal("wrong", control_software.code("hpcVerifyHPCPIN"), "5102")
    software.type("enter PIN", PIN)
    control_software.equal("not locked by one entry", control_software.code("hpcVerifyHPCPIN"), "0")
    control_software.equal("csSoftwareReset", control_software.code("csSoftwareReset", Type=2), "0")
    software.type("enter PIN", "000000")
    wrong = [control_software.code("hpcVerifyHPCPIN") for _ in range(4)]
    control_software.equal("wrong, wrong, locked", (wrong[0], wrong[-1]), ("5102", "4029"))
    software.type("enter PUK", "00000000")
    for what in ("enter new PIN", "repeat new PIN"):
        software.type(what, "135790")
    control_software.equal("a wrong PUK", control_software.code("hpcUnlockHPC"), "5122")
    software.type("enter PUK", "")
    control_software.equal("given up", control_software.code("hpcUnlockHPC"), "5109")
    software.type("enter PUK", PUK)
    control_software.equal("the PUK", control_software.code("hpcUnlockHPC"), "0")
    software.type("enter PIN", "135790")
    control_software.equal("the new PIN", control_software.code("hpcVerifyHPCPIN"), "0")


@case("P-CSW-02", nature=Nature.INVALID, zh="變更醫事人員卡 PIN：先驗舊 PIN，兩次須同", when="professional")
def test_professionals_pin_is_changed_after_the_old_one(control_software: ControlSoftwareTester) -> None:
    """A professional's PIN is changed after the old one only (5105); two entries that differ are 5107, of three digits 5108."""
    control_software.open()
    software = control_software.software

    def change(first: str, again: str) -> str:
        software.type("enter new PIN", first)
        software.type("repeat new PIN", again)
        return control_software.code("hpcInputHPCPIN")

    control_software.equal("before the old one", change("135790", "135790"), "5105")
    control_software.doctor()
    for what, first, again, code in (("differ", "135790", "135791", "5107"), ("three digits", "123", "123", "5108"),
                                     ("seven digits", "1234567", "1234567", "5108"), ("letters", "12AB", "12AB", "5108"),
                                     ("given up", "", "135790", "5109"), ("given up at the second", "135790", "", "5109"),
                                     ("right", "135790", "135790", "0")):
        control_software.equal(what, change(first, again), code)
    control_software.equal("csSoftwareReset", control_software.code("csSoftwareReset", Type=2), "0")
    control_software.equal("the old PIN", control_software.code("hpcVerifyHPCPIN"), "5102")
    software.type("enter PIN", "135790")
    control_software.equal("the new PIN", control_software.code("hpcVerifyHPCPIN"), "0")


@case("P-CSW-02", "P-CSW-03", nature=Nature.INVALID, zh="持卡人 PIN：讀取前驗證", when='"3.3" in faces')
def test_holders_pin_is_asked_before_what_it_protects(control_software: ControlSoftwareTester) -> None:
    """Where the holder has switched the PIN on: given up 5109, wrong 5102, right once for all calls; not asked of others."""
    control_software.open()
    software = control_software.software
    control_software.equal("csISSetPIN", control_software.code("csISSetPIN"), "0")
    software.put_in({"pin": "1234"})
    control_software.equal("csISSetPIN", control_software.code("csISSetPIN"), "1")
    for text, code in (("", "5109"), ("9999", "5102"), ("1234", "0")):
        software.type("enter PIN", text)
        control_software.equal(f"hisGetRegisterBasic, {text or 'given up'}", control_software.code("hisGetRegisterBasic"), code)
    software.type("enter PIN", "")
    control_software.equal("not asked again", control_software.code("hisGetCumulativeData"), "0")
    control_software.equal("what it does not protect", control_software.code("hisGetBasicData"), "0")
    software.put_in({"pin": "1234"})
    control_software.equal("put in again, it is asked again", control_software.code("hisGetRegisterBasic"), "5109")


@case("P-CSW-02", nature=Nature.INOPPORTUNE, zh="持卡人 PIN 之設定與停用：醫事人員卡須取出（5110）", when='"3.3" in faces')
def test_holders_pin_is_set_without_the_professionals_card(control_software: ControlSoftwareTester) -> None:
    """The holder's PIN is entered, set, switched off with nothing in the professional's slot (5110), after the old one (5105)."""
    control_software.open()
    software = control_software.software
    calls = ("csVerifyHCPIN", "csInputHCPIN", "csDisableHCPIN")
    for how in ("right", "a patient card"):
        software.put_in_professional(how)
        for name in calls:
            control_software.equal(f"{name} with {how}", control_software.code(name), "5110")
    software.take_out("hpc")
    software.put_in({"pin": "1234"})
    for name in calls[1:]:
        control_software.equal(f"{name} before the old PIN", control_software.code(name), "5105")
    software.type("enter PIN", "1234")
    control_software.equal("csVerifyHCPIN", control_software.code("csVerifyHCPIN"), "0")
    for what in ("enter new PIN", "repeat new PIN"):
        software.type(what, "5678")
    control_software.equal("csInputHCPIN", control_software.code("csInputHCPIN"), "0")
    control_software.equal("csDisableHCPIN", control_software.code("csDisableHCPIN"), "0")
    control_software.equal("csISSetPIN", control_software.code("csISSetPIN"), "0")


# -- a card that is put in anew

@case("P-CSW-02", "P-CSW-04", nature=Nature.ATTACK, zh="卡號與憑證不符之卡：4033", when='"3.3" in faces')
def test_card_with_anothers_certificate_is_refused(control_software: ControlSoftwareTester) -> None:
    """A card whose number is not that of its certificate is no patient card (4033), also while one was in before."""
    control_software.open()
    control_software.equal("the right one", control_software.code("hisGetRegisterBasic"), "0")
    control_software.software.put_in({"card_no": "000099999999"})
    for name in ("hisGetBasicData", "hisGetRegisterBasic"):
        control_software.equal(name, control_software.code(name), "4033")
    control_software.software.put_in({})
    control_software.equal("the right one again", control_software.code("hisGetRegisterBasic"), "0")


@case("P-CSW-04", nature=Nature.INOPPORTUNE, zh="重置後須重新認證", when="professional", each=lambda: {
    name: Each(kind, f"Reset of {says}.") for name, kind, says in (
        ("reader", 0, "the reader"), ("sam", 1, "the SAM"), ("professional", 2, "the professional's card"),
        ("port", -1, "the port, closed and opened"))
})
def test_what_was_proved_ends_with_a_reset(control_software: ControlSoftwareTester, kind: int) -> None:
    """After a reset of reader, SAM or professional's card, or of the port, the PIN comes again before medical data (4042)."""
    control_software.open()
    control_software.doctor()
    buffer = {"pBuffer": bytes(540), "iBufferLen": 540}
    control_software.equal("with the PIN", control_software.code("hisGetTreatmentNeedHPC", **buffer), "0")
    if kind < 0:
        control_software.equal("csCloseCom", control_software.code("csCloseCom"), "0")
        control_software.open()
    else:
        control_software.equal("csSoftwareReset", control_software.code("csSoftwareReset", Type=kind), "0")
    control_software.equal("after it", control_software.code("hisGetTreatmentNeedHPC", **buffer), "4042")
    control_software.doctor()
    control_software.equal("with the PIN again", control_software.code("hisGetTreatmentNeedHPC", **buffer), "0")
    control_software.equal("what there is not", control_software.code("csSoftwareReset", Type=4), "6018")


@case("P-CSW-04", "P-CSW-02", nature=Nature.INVALID, zh="讀取時安全模組認證不成立：4050", when="data_centre", each=lambda: {
    fate.replace(" ", "-"): Each(fate, f"The answer to the SAM is {fate}.")
    for fate in ("refuses 9060", "without proof", "odd chain")
})
def test_read_with_a_sam_that_is_refused_is_none(control_software: ControlSoftwareTester, fate: str) -> None:
    """A read before which the SAM's authentication with the data centre comes to nothing is 4050, whatever the reason was."""
    control_software.open()
    control_software.software.line_is([fate] * 8)
    control_software.equal("a read", control_software.code("hisGetRegisterBasic"), "4050")
    control_software.equal("the state of the SAM", control_software.code("hisGetCardStatus", CardType=1), "1")
    control_software.software.line_is([])
    control_software.equal("with an honest line", control_software.code("hisGetRegisterBasic"), "0")
    control_software.equal("the state of the SAM", control_software.code("hisGetCardStatus", CardType=1), "2")
