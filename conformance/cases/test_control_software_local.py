"""The JSON faces of control software: the software kit of the virtual card (2.x), the local component of 6.0."""

from __future__ import annotations

from typing import Any

from conformance.case import Each, Nature, case
from conformance.kinds.control_software import ControlSoftwareTester
from conformance.vectors.world import CARD_NO, INSTITUTION, SAM_ID

PIN, PUK = "246810", "13579024"
VISIT = {"cTreatItem": "01", "cBabyTreat": " ", "cTreatAfterCheck": "1"}
INITIAL, STATUS = "/api/common/v1/Initial", "/api/common/v1/Status"


# -- the kit

@case("P-CSW-06", "P-QTK-02", "P-CSW-03", nature=Nature.INOPPORTUNE, zh="虛擬健保卡控制軟體：條碼不存在、重複",
      when='"2.x" in faces')
def test_kit_tells_what_became_of_a_code(control_software: ControlSoftwareTester) -> None:
    """The kit: not open, no code, unknown, used; a good code's basic data arrive in the same 72 bytes."""
    token = control_software.software.token(CARD_NO)

    def scan(text: str) -> str:
        return control_software.kit("QRCodeReader/uploadqrcode", {"QRCodeString": text})["ERRORCODE"]

    def basic() -> dict[str, str]:
        return control_software.kit("VHC/VHChisGetBasicData", {})

    control_software.equal("not open", scan(token), "1000")
    control_software.equal("open", control_software.kit("VHC/VHCcsOpenCom", {})["ERRORCODE"], "0")
    control_software.equal("opened twice", control_software.kit("VHC/VHCcsOpenCom", {})["ERRORCODE"], "1001")
    control_software.equal("before a code", basic()["ERRORCODE"], "1023")
    control_software.equal("what was asked for it", [r for r in control_software.requests() if r[2] == "vhc-call"], [])
    control_software.equal("never issued", scan("VHT00"), "1019")
    control_software.equal("another form", scan("http"), "1522")
    control_software.equal("good", scan(token), "0")
    found = basic()
    control_software.equal("basic data", (found["ERRORCODE"], len(found["pBuffer"].encode("big5"))), ("0", 72))
    control_software.expect("the card's", CARD_NO in found["pBuffer"], CARD_NO, found["pBuffer"])
    control_software.equal("used before", scan(token), "1020")
    control_software.equal("whatever comes, the former patient is gone", basic()["ERRORCODE"], "1023")


@case("P-CSW-06", "P-QTK-02", nature=Nature.TIMER, zh="虛擬健保卡控制軟體：條碼過期", when='"2.x" in faces')
def test_kit_takes_no_code_that_is_out_of_date(control_software: ControlSoftwareTester) -> None:
    """A code of five minutes ago, never used, is out of date (1018); a new one is good."""
    late, scan = control_software.software.token(CARD_NO), "QRCodeReader/uploadqrcode"
    control_software.kit("VHC/VHCcsOpenCom", {})
    control_software.software.later(300)
    control_software.equal("out of date", control_software.kit(scan, {"QRCodeString": late})["ERRORCODE"], "1018")
    token = control_software.software.token(CARD_NO)
    control_software.equal("a new one", control_software.kit(scan, {"QRCodeString": token})["ERRORCODE"], "0")


@case("P-CSW-06", "P-GEN-08", nature=Nature.INVALID, zh="控制軟體 2.x：非請求之內容", when='"2.x" in faces')
def test_kit_refuses_what_is_no_request(control_software: ControlSoftwareTester) -> None:
    """Text that is no request, a path that there is not and a field of another type have their codes, and end nothing."""
    control_software.kit("VHC/VHCcsOpenCom", {})
    bodies: tuple[object, ...] = (None, [], 7, "text", {}, {"QRCodeString": 7}, {"QRCodeString": "x" * 8193})
    for body in bodies:
        control_software.equal("code", control_software.kit("QRCodeReader/uploadqrcode", body)["ERRORCODE"], "1704")
    control_software.equal("a path", control_software.kit("VHC/nothing", {})["ERRORCODE"], "1701")
    longest = control_software.kit("QRCodeReader/uploadqrcode", {"QRCodeString": "x" * 8192})
    control_software.expect("the longest text is asked about", longest["ERRORCODE"] != "1704", "another code", longest)
    token = control_software.software.token(CARD_NO)
    good = control_software.kit("QRCodeReader/uploadqrcode", {"QRCodeString": token})
    control_software.equal("a right one afterwards", good["ERRORCODE"], "0")


@case("P-CSW-06", "P-CSW-03", nature=Nature.VALID, zh="控制軟體 2.x：就醫、退掛、寫入", when='"2.x" in faces')
def test_kit_serves_a_visit_of_a_virtual_card(control_software: ControlSoftwareTester) -> None:
    """With a code: registration data, a number with its identifier in the buffers of 3.3, its roll-back once; closed, no more."""
    def kit(path: str, **body: str) -> dict[str, str]:
        return control_software.kit(path, body)

    kit("VHC/VHCcsOpenCom")
    token = control_software.software.token(CARD_NO)
    control_software.equal("scan", kit("QRCodeReader/uploadqrcode", QRCodeString=token)["ERRORCODE"], "0")
    found = kit("VHC/VHChisGetRegisterBasic")
    control_software.equal("registration data", (found["ERRORCODE"], len(found.get("pBuffer", "").encode("big5"))), ("0", 78))
    found = kit("VHC/VHChisGetSeqNumber256N1", **VISIT)
    raw = found.get("pBuffer", "")
    control_software.equal("a number", (found["ERRORCODE"], len(raw), raw[17:27]), ("0", 316, INSTITUTION))
    when = control_software.moment(raw[:13], "the visit")[:13].decode()
    control_software.expect("signed by SAM and data centre", len(raw[27:283].strip()) == 256 and raw[283:295] == SAM_ID)
    control_software.equal("its roll-back", kit("VHC/VHCcsUnGetSeqNumber", pUnTreatDate=when)["ERRORCODE"], "0")
    control_software.expect("once", kit("VHC/VHCcsUnGetSeqNumber", pUnTreatDate=when)["ERRORCODE"] != "0")
    control_software.equal("closed", kit("VHC/VHCcsCloseCom")["ERRORCODE"], "0")
    control_software.equal("after it", kit("VHC/VHChisGetBasicData")["ERRORCODE"], "1000")
    control_software.equal("closed twice", kit("VHC/VHCcsCloseCom")["ERRORCODE"], "1000")
    kit("VHC/VHCcsOpenCom")
    control_software.equal("opened again, the code is gone", kit("VHC/VHChisGetBasicData")["ERRORCODE"], "1023")


@case("P-CSW-06", "P-CSW-02", nature=Nature.MEDIUM, zh="控制軟體 2.x：缺安全模組、無連線、資料中心拒絕", when='"2.x" in faces')
def test_kit_says_what_is_wanting(control_software: ControlSoftwareTester) -> None:
    """Without a line the kit says 1700 or 1301, without a SAM 1300; what the data centre refuses has its code; text beyond Big5
    1704."""
    def basic() -> str:
        return control_software.kit("VHC/VHChisGetBasicData", {})["ERRORCODE"]

    control_software.kit("VHC/VHCcsOpenCom", {})
    control_software.software.line_is([], down=True)
    token = {"QRCodeString": control_software.software.token(CARD_NO)}
    scan = "QRCodeReader/uploadqrcode"
    control_software.equal("the SAM is not verified", control_software.kit(scan, token)["ERRORCODE"], "1301")
    control_software.software.line_is([])
    control_software.equal("scan", control_software.kit(scan, token)["ERRORCODE"], "0")
    control_software.software.line_is([], down=True)
    control_software.equal("without a line", basic(), "1700")
    control_software.software.line_is(["refuses 3203"])
    control_software.equal("refused", basic(), "3203")
    control_software.software.line_is([])
    strange = {"pDateTime": "\U00020bb7", "pPatientID": "A", "pPatientBirthDate": "1", "pDataWrite": "x"}
    control_software.equal("what Big5 has not", control_software.kit("VHC/VHChisWriteTreatmentFee", strange)["ERRORCODE"], "1704")
    control_software.equal("in order", basic(), "0")
    control_software.software.take_out("sam")
    control_software.equal("without a SAM", basic(), "1300")


# -- 6.0

@case("P-CSW-07", "P-GEN-08", nature=Nature.INVALID, zh="6.0：未啟始、重複啟始、非請求之內容", when='"6.0" in faces')
def test_local_component_of_6_0_answers_everything(control_software: ControlSoftwareTester) -> None:
    """Before Initial 1000, twice 1001, an unknown path 1701, what is no request 1704; the status tells of three cards."""
    control_software.equal("a path that there is not", control_software.local("/api/nothing")["statusCode"], "1701")
    found = control_software.local("/api/common/v1/Status", method="GET")
    control_software.equal("before", found["status"]["initialized"], False)
    control_software.equal("initial", control_software.local("/api/common/v1/Initial")["statusCode"], "0")
    control_software.equal("again", control_software.local("/api/common/v1/Initial")["statusCode"], "1001")
    bodies: tuple[object, ...] = ([], "text", 7, {"token": 7}, {"x": "y" * 8193})
    for body in bodies:
        control_software.equal("no request", control_software.local("/api/common/v1/Initial", body)["statusCode"], "1704")
    longest = control_software.local("/api/common/v1/Initial", {"x": "y" * 8192})
    control_software.equal("the longest text", longest["statusCode"], "1001")
    found = control_software.local("/api/common/v1/Status", method="GET")["status"]
    control_software.equal("after", (found["initialized"], set(found)), (True, {"initialized", "sam", "hc", "hpc"}))


def _begin(control_software: ControlSoftwareTester, **body: str) -> None:
    control_software.equal("initial", control_software.local(INITIAL, body)["statusCode"], "0")


@case("P-CSW-07", nature=Nature.INVALID, zh="6.0 啟始：裝置不存在、安全模組不符", when='"6.0" in faces')
def test_initial_names_a_device_that_is_there(control_software: ControlSoftwareTester) -> None:
    """Initial with a port or SAM that there is not is refused (1002, 1011), and nothing starts; finalized, all is 1000."""
    for name, code in (("COM9", "1002"), ("COM0", "1002"), ("COM", "1002"), ("COMX", "1002"), ("SAM000000009", "1011")):
        control_software.equal(name, control_software.local(INITIAL, {"name": name})["statusCode"], code)
        verification = control_software.local("/api/sam/v1/Verification")["statusCode"]
        control_software.equal("nothing is started", verification, "1000")
    for name in (SAM_ID, "COM1", ""):
        _begin(control_software, **({"name": name} if name else {}))
        control_software.equal("verification", control_software.local("/api/sam/v1/Verification")["statusCode"], "0")
        control_software.equal("finalize", control_software.local("/api/common/v1/Finalize")["statusCode"], "0")
        control_software.equal("after it", control_software.local("/api/sam/v1/Verification")["statusCode"], "1000")
    control_software.software.take_out("sam")
    control_software.equal("no SAM", control_software.local(INITIAL, {"name": SAM_ID})["statusCode"], "1011")


@case("P-CSW-07", "P-CSW-04", nature=Nature.INVALID, zh="6.0 簽章：服務類別、缺卡、未驗", when='"6.0" in faces', each=lambda: {
    name: Each((path, role, code), f"Signature of {name}.") for name, path, role, code in (
        ("sam", "/api/sam/v1/Signature", "sam", "1300"), ("patient-card", "/api/hc/v1/Signature/Hc", "card", "4013"),
        ("professional", "/api/hpc/v1/Signature", "hpc", "1102"), ("three-cards", "/api/hc/v1/Signature/HpcHc", "hpc", "1102"))})
def test_signature_is_made_by_the_cards_there(control_software: ControlSoftwareTester, value: tuple[str, str, str]) -> None:
    """An envelope is signed for a service type of two digits (else 1704), after the professional's PIN (1402), with its cards."""
    path, role, code = value
    _begin(control_software)
    for wrong in ({}, {"serviceType": ""}, {"serviceType": "1"}, {"serviceType": "AB"}, {"serviceType": "011"},
                  {"serviceType": "\u0661\u0661"}):
        control_software.equal("no service type", control_software.local(path, wrong)["statusCode"], "1704")
    asked = {"serviceType": "02"}
    if role == "hpc":
        control_software.equal("before the PIN", control_software.local(path, asked)["statusCode"], "1402")
        verified = control_software.local("/api/hpc/v1/Verification/Hpc", {"pin": PIN})
        control_software.equal("PIN", verified["statusCode"], "0")
    found = control_software.local(path, asked)
    signed = (found["statusCode"], found.get("hospitalId"), found.get("samId"))
    control_software.equal("signed", signed, ("0", INSTITUTION, SAM_ID))
    again = control_software.local(path, asked)
    control_software.expect("another random of the client's", found.get("clientRandom") != again.get("clientRandom"))
    control_software.equal("whose card", (found.get("hcId"), found.get("hpcIdNo")), (
        CARD_NO if "/hc/" in path else None, "A123456789" if role == "hpc" else None))
    chips = [("sam", b"\x2a\x9e\x9a", "3500")] + [("card", b"\x88", "1502")] * ("Signature/Hc" in path)
    for chip, command, told in chips:
        control_software.software.answers_by(chip, command, b"\x6f\x00")
        control_software.equal(f"the {chip} does not sign", control_software.local(path, asked)["statusCode"], told)
        control_software.software.answers_by(chip)
    control_software.software.take_out(role)
    control_software.equal("without it", control_software.local(path, asked)["statusCode"], code)


@case("P-CSW-07", nature=Nature.INVALID, zh="6.0 持卡人 PIN", when='"6.0" in faces')
def test_holders_pin_of_6_0_has_its_codes(control_software: ControlSoftwareTester) -> None:
    """The holder's PIN: not switched on 1510, wrong 1514, verified already 1513, before a change 1511, no digits 1704."""
    path = "/api/hc/v1/Pin"

    def ask(method: str, **body: str) -> str:
        return str(control_software.local(path, body, method)["statusCode"])

    _begin(control_software)
    control_software.equal("not switched on", ask("POST", pin="1234"), "1510")
    control_software.software.put_in({"pin": "1234"})
    for pin in ("", "123", "1234567", "12AB", "\u0661\u0661\u0661\u0661"):
        control_software.equal("no PIN", ask("POST", pin=pin), "1704")
    control_software.equal("set before it", ask("PUT", newPin="5678"), "1511")
    control_software.equal("off before it", ask("DELETE"), "1511")
    reading = control_software.local("/api/hc/v1/Signature/Hc", {"serviceType": "01"})
    control_software.equal("a reading signature before it", reading["statusCode"], "1511")
    control_software.equal("wrong", ask("POST", pin="9999"), "1514")
    control_software.equal("right", ask("POST", pin="1234"), "0")
    control_software.equal("again", ask("POST", pin="1234"), "1513")
    control_software.equal("no digits", ask("PUT", newPin="12"), "1704")
    control_software.equal("set", ask("PUT", newPin="5678"), "0")
    control_software.equal("logout", control_software.local("/api/hc/v1/Logout", method="DELETE")["statusCode"], "0")
    control_software.equal("the old one", ask("POST", pin="1234"), "1514")
    control_software.equal("the new one", ask("POST", pin="5678"), "0")
    control_software.equal("off", ask("DELETE"), "0")
    control_software.equal("logout", control_software.local("/api/hc/v1/Logout", method="DELETE")["statusCode"], "0")
    control_software.equal("not switched on", ask("POST", pin="5678"), "1510")
    control_software.software.take_out("card")
    control_software.equal("no card", ask("POST", pin="1234"), "1102")


@case("P-CSW-07", "P-CSW-04", nature=Nature.INVALID, zh="6.0 醫事人員卡 PIN", when='"6.0" in faces and professional')
def test_professionals_pin_of_6_0_has_its_codes(control_software: ControlSoftwareTester) -> None:
    """The professional's PIN: wrong 1410, changed after it only (1402), unlocked by the PUK; after a logout it comes anew."""
    _begin(control_software)
    verify, path = "/api/hpc/v1/Verification/Hpc", "/api/hpc/v1/Pin"

    def ask(where: str, method: str = "POST", **body: str) -> str:
        return str(control_software.local(where, body, method)["statusCode"])

    for pin in ("", "123", "12345678", "12AB"):
        control_software.equal("no PIN", ask(verify, pin=pin), "1704")
    control_software.equal("changed before it", ask(path, newPin="135790"), "1402")
    control_software.equal("wrong", ask(verify, pin="000000"), "1410")
    control_software.equal("right", ask(verify, pin=PIN), "0")
    control_software.equal("changed", ask(path, newPin="135790"), "0")
    control_software.equal("logout", ask("/api/hpc/v1/Logout", "DELETE"), "0")
    control_software.equal("signature after it", ask("/api/hpc/v1/Signature", serviceType="02"), "1402")
    locked = [ask(verify, pin="000000") for _ in range(4)]
    control_software.equal("locked", (set(locked), ask(verify, pin="135790")), ({"1410"}, "1410"))
    for puk, code in (("", "1704"), ("123456789", "1704"), ("\u0661", "1704"), ("00000000", "1410"), (PUK, "0")):
        control_software.equal(f"PUK {puk}", ask(path, "PUT", puk=puk, newPin="246246"), code)
    control_software.equal("the new one", ask(verify, pin="246246"), "0")
    for how, code in (("over", "1422"), ("another's", "1103")):
        control_software.software.put_in_professional(how)
        control_software.equal(how, ask(verify, pin=PIN), code)


@case("P-CSW-07", "P-CSW-04", nature=Nature.INVALID, zh="6.0 醫事人員卡憑證已廢止", when='"6.0" in faces and professional')
def test_revoked_professional_of_6_0_is_refused(control_software: ControlSoftwareTester) -> None:
    """A professional's card whose certificate is revoked is refused (1424), and its PIN opens nothing."""
    _begin(control_software)
    control_software.software.put_in_professional("revoked")
    verified = control_software.local("/api/hpc/v1/Verification/Hpc", {"pin": PIN})
    control_software.equal("revoked", verified["statusCode"], "1424")
    signed = control_software.local("/api/hpc/v1/Signature", {"serviceType": "02"})
    control_software.expect("nothing is signed", signed["statusCode"] != "0", "a refusal", signed["statusCode"])


@case("P-CSW-07", "P-CSW-03", "P-QTK-02", nature=Nature.INOPPORTUNE, zh="6.0 虛擬卡：先讀取再驗證",
      when='"6.0" in faces and virtual_cards')
def test_virtual_card_of_6_0_is_read_and_then_verified(control_software: ControlSoftwareTester) -> None:
    """A virtual card's code is read, then verified; not with a physical card in use (1527); one not read is 3241, used 1020."""
    read, verify = "/api/hc/v1/VirtualHc/ReadBasic", "/api/hc/v1/Verification/VirtualHc"

    def ask(path: str, token: str) -> dict[str, Any]:
        return control_software.local(path, {"token": token})

    _begin(control_software)
    token, other = (control_software.software.token(CARD_NO) for _ in range(2))
    control_software.equal("no token", ask(read, "")["statusCode"], "1704")
    control_software.equal("verified before it was read", ask(verify, token)["statusCode"], "3241")
    physical = control_software.local("/api/hc/v1/Signature/Hc", {"serviceType": "02"})
    control_software.equal("the physical card in use", physical["statusCode"], "0")
    control_software.equal("with a physical card", ask(read, token)["statusCode"], "1527")
    control_software.equal("logout", control_software.local("/api/hc/v1/Logout", method="DELETE")["statusCode"], "0")
    found = ask(read, token)
    control_software.equal("read", (found["statusCode"], found.get("cardId"), found.get("name"), found.get("birthday")), (
        "0", CARD_NO, control_software.patient.name, "0470704"))
    control_software.equal("another token", ask(verify, other)["statusCode"], "3241")
    control_software.equal("verified", ask(verify, token)["statusCode"], "0")
    found = control_software.local(STATUS, method="GET")["status"]
    control_software.equal("its state", found["hc"]["status"], "5")
    found = control_software.local("/api/hc/v1/Signature/Hc", {"serviceType": "02"})
    control_software.equal("signed for", (found["statusCode"], found.get("hcId")), ("0", CARD_NO))
    for method, body in (("POST", {"pin": "1234"}), ("PUT", {"newPin": "1234"}), ("DELETE", {})):
        control_software.equal("its PIN", control_software.local("/api/hc/v1/Pin", body, method)["statusCode"], "1526")
    control_software.equal("used before", ask(read, token)["statusCode"], "1020")
    control_software.equal("whatever came, it is gone", ask(verify, token)["statusCode"], "3241")
    for fate, code in (("refuses 3203", "3203"), ("says 3203", "3203"), ("without basic", "1005"), ("odd basic", "1005"),
                       ("short basic", "1005")):
        control_software.software.line_is([fate])
        control_software.equal(fate, ask(read, other)["statusCode"], code)
        other = control_software.software.token(CARD_NO)
    control_software.equal("read", ask(read, other)["statusCode"], "0")
    control_software.software.line_is(["refuses 1021"])
    control_software.equal("refused", ask(verify, other)["statusCode"], "1021")
    control_software.software.line_is([], down=True)
    control_software.equal("without a line", ask(verify, other)["statusCode"], "1700")
    control_software.software.line_is([])
    other = control_software.software.token(CARD_NO)
    control_software.equal("read", ask(read, other)["statusCode"], "0")
    control_software.equal("verified", ask(verify, other)["statusCode"], "0")
    control_software.equal("logout", control_software.local("/api/hc/v1/Logout", method="DELETE")["statusCode"], "0")
    found = control_software.local(STATUS, method="GET")["status"]
    control_software.expect("its session is over", found["hc"]["status"] != "5", "another state", found)
    control_software.equal("and what was read", ask(verify, other)["statusCode"], "3241")


@case("P-CSW-07", "P-QTK-02", nature=Nature.TIMER, zh="6.0 虛擬卡：條碼過期", when='"6.0" in faces and virtual_cards')
def test_virtual_card_of_6_0_is_not_read_out_of_date(control_software: ControlSoftwareTester) -> None:
    """A code of more than five minutes ago, never used, is out of date (1018); a new one is good."""
    read, late = "/api/hc/v1/VirtualHc/ReadBasic", control_software.software.token(CARD_NO)
    _begin(control_software)
    control_software.software.later(301)
    control_software.equal("out of date", control_software.local(read, {"token": late})["statusCode"], "1018")
    token = control_software.software.token(CARD_NO)
    control_software.equal("a new one", control_software.local(read, {"token": token})["statusCode"], "0")


@case("P-CSW-07", "P-CSW-02", nature=Nature.MEDIUM, zh="6.0 安全模組驗證", when='"6.0" in faces')
def test_sam_of_6_0_is_verified_with_the_data_centre(control_software: ControlSoftwareTester) -> None:
    """The SAM's verification: no line 1700, refused 1303, a proof that is none 1301, no SAM 1300; then it is done."""
    _begin(control_software)
    path = "/api/sam/v1/Verification"
    for fate, code in (("refuses 9060", "1303"), ("without proof", "1301"), ("altered proof", "1301")):
        control_software.software.line_is([fate])
        control_software.equal(fate, control_software.local(path)["statusCode"], code)
    control_software.software.line_is([], down=True)
    control_software.equal("without a line", control_software.local(path)["statusCode"], "1700")
    control_software.software.line_is([])
    control_software.equal("verified", control_software.local(path)["statusCode"], "0")
    status = control_software.local(STATUS, method="GET")["status"]
    control_software.equal("its state", status["sam"]["status"], "2")
    control_software.software.take_out("sam")
    control_software.equal("without it", control_software.local(path)["statusCode"], "1300")
    status = control_software.local(STATUS, method="GET")["status"]
    control_software.equal("its state", status["sam"]["status"], "0")
