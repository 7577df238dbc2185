"""The calls of manual 3.3: lengths and codes, which card failed, what is asked of the data centre and believed of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.case import Each, Nature, case
from conformance.kinds.control_software import ControlSoftwareTester
from conformance.vectors.world import CARD_NO, INSTITUTION, SAM_ID
from virtual_devices import cose
from virtual_devices.clock import NS
from virtual_devices.pki import Refused, Role
from virtual_devices.reader.cshis import FUNCTIONS
from virtual_devices.records import BUFFERS, RECORDS

NEW_VISIT: dict[str, Any] = {"cTreatItem": b"01\0", "cBabyTreat": b" \0", "cTreatAfterCheck": b"1"}


def _fees() -> bytes:
    return RECORDS["write_fee"].pack({"outpatient_fee": "00000450", "outpatient_copay": "00000050"})


# -- buffers

_READING = ("hisGetBasicData", "hisGetRegisterBasic", "hisGetRegisterPrevent", "hisGetTreatmentNoNeedHPC", "hisGetCumulativeData",
            "hisGetCumulativeFee", "hisGetEmergentTel", "hisGetRegisterBasic2", "csGetDateTime", "csGetHospID",
            "hisGetLastSeqNum")


@case("P-CSW-01", "P-CSW-03", nature=Nature.VALID, zh="讀取函式：緩衝區長度與內容", when='"3.3" in faces',
      each=lambda: {name: Each(name, f"{name} fills its buffer.", f"{name} 填滿緩衝區") for name in _READING})
def test_reading_call_fills_its_buffer(control_software: ControlSoftwareTester, name: str) -> None:
    """A reading call fills its buffer to the length of the table and sets its counter."""
    control_software.open()
    reply = control_software.call(name)
    control_software.equal("code", reply.code, "0")
    function = FUNCTIONS[name]
    size = BUFFERS[function.buffers[0]].total
    buffer, counter = (reply.out[a.name] for a in function.arguments if a.name in reply.out and (a.is_text or "Len" in a.name))
    control_software.equal("bytes filled, and the counter", (len(bytes(buffer)), counter), (size, size))


@case("P-CSW-01", nature=Nature.LIMIT, zh="緩衝區少一位元組：6018，不寫出界", when='"3.3" in faces',
      each=lambda: {name: Each(name, f"{name} with a buffer that is a byte short is refused.", f"{name} 緩衝區過短")
                    for name in _READING})
def test_buffer_that_is_too_short_is_refused(control_software: ControlSoftwareTester, name: str) -> None:
    """A buffer that is a byte short, or whose counter says so, is refused with 6018, and nothing is put into it."""
    control_software.open()
    function = FUNCTIONS[name]
    size = BUFFERS[function.buffers[0]].total
    buffer = next(a for a in function.arguments if a.is_text and a.goes_out)
    counter = function.length_of(buffer)
    assert counter is not None
    for given in ({counter.name: size - 1}, {buffer.name: bytes(size - 1), counter.name: size - 1}, {counter.name: 0}):
        reply = control_software.call(name, **given)
        control_software.equal("code, and what was put out", (reply.code, dict(reply.out)), ("6018", {}))
    control_software.equal("the right length afterwards", control_software.code(name), "0")


@case("P-CSW-01", nature=Nature.LIMIT, zh="傳入文字過長：6018", when='"3.3" in faces')
def test_text_that_is_too_long_is_refused(control_software: ControlSoftwareTester) -> None:
    """A text that is longer than its place in the table is refused, and nothing is written."""
    control_software.open()
    raw = control_software.filled("hisGetSeqNumber256", **NEW_VISIT)
    when = control_software.moment(raw[:13], "the visit")
    right: dict[str, Any] = {"pDateTime": when, **control_software.who, "pDataWrite": _fees()}
    for name, value in (("pPatientID", b"A" * 12), ("pPatientBirthDate", b"1" * 9), ("pDateTime", b"1" * 15),
                        ("pDataWrite", _fees() + b"1")):
        control_software.equal(f"{name} too long", control_software.code("hisWriteTreatmentFee", **{**right, name: value}),
                               "6018")
    control_software.equal("right", control_software.code("hisWriteTreatmentFee", **right), "0")


@case("P-CSW-02", nature=Nature.INOPPORTUNE, zh="連接埠未開啟", when='"3.3" in faces')
def test_call_before_the_port_is_open_is_refused(control_software: ControlSoftwareTester) -> None:
    """Before csOpenCom, and after csCloseCom, a call that needs the reader is refused; the others are not."""
    control_software.equal("before", control_software.code("hisGetBasicData"), "9205")
    control_software.equal("a port that there is not", control_software.code("csOpenCom", Comport=99), "-1")
    control_software.equal("closed before it was opened", control_software.code("csCloseCom"), "-1")
    control_software.open()
    control_software.equal("opened twice", control_software.code("csOpenCom"), "-1")
    control_software.equal("open", control_software.code("hisGetBasicData"), "0")
    control_software.equal("closed", control_software.code("csCloseCom"), "0")
    control_software.equal("after", control_software.code("hisGetBasicData"), "9205")
    control_software.equal("version", control_software.code("csGetVersionEx").isdigit(), True)


# -- cards

@case("P-CSW-02", "P-DSK-02", nature=Nature.MEDIUM, zh="缺卡或錯卡：指出是哪一張", when='"3.3" in faces', each=lambda: {
    name: Each((role, call, code)) for name, role, call, code in (
        ("no-sam", "sam", "csVerifySAMDC", "4012"), ("no-card", "card", "hisGetBasicData", "4013"),
        ("no-professional", "hpc", "hpcVerifyHPCPIN", "4014"), ("no-card-for-a-visit", "card", "hisGetSeqNumber256", "4013"),
        ("wrong-card", "wrong", "hisGetBasicData", "4033"))
})
def test_card_that_is_missing_is_named(control_software: ControlSoftwareTester, value: tuple[str, str, str]) -> None:
    """No SAM, no patient card, no professional's card, and another card in the patient's slot each have their code."""
    role, call, code = value
    control_software.open()
    if role == "wrong":
        control_software.software.put_in_another()
    else:
        control_software.software.take_out(role)
    given = NEW_VISIT if call == "hisGetSeqNumber256" else {}
    control_software.equal("code", control_software.code(call, **given), code)


@case("P-CSW-02", "P-GEN-08", nature=Nature.MEDIUM, zh="作業中抽卡", when='"3.3" in faces',
      each=lambda: {str(n): Each(n, f"The card is taken away at its command {n}.", f"第 {n} 個指令時抽卡") for n in range(0, 12,
                                                                                                                   2)})
def test_card_that_is_taken_away_ends_the_call(control_software: ControlSoftwareTester, commands: int) -> None:
    """A card taken away in the middle of a call ends it with a code; put in again, the call is right."""
    control_software.open()
    control_software.software.strike("card", commands)
    code = control_software.code("hisGetRegisterBasic")
    control_software.expect("a code of the card's, or done before", code in ("0", "4013", "4043", "4000"), "4013", code)
    control_software.software.put_in({})
    control_software.equal("put in again", control_software.code("hisGetRegisterBasic"), "0")


@case("P-CSW-04", "P-CSW-02", nature=Nature.INOPPORTUNE, zh="未驗證醫事人員卡 PIN：4042；PIN 錯誤及鎖卡", when="professional")
def test_professionals_pin_comes_before_what_needs_it(control_software: ControlSoftwareTester) -> None:
    """What needs the professional's PIN is refused before it (4042); a wrong PIN and a locked one have their codes."""
    control_software.open()
    buffer = {"pBuffer": bytes(540), "iBufferLen": 540}
    control_software.equal("before the PIN", control_software.code("hisGetTreatmentNeedHPC", **buffer), "4042")
    control_software.software.type("enter PIN", "000000")
    wrong = [control_software.code("hpcVerifyHPCPIN") for _ in range(4)]
    control_software.expect("wrong, then locked", wrong[0] != "0" and wrong[-1] not in ("0", wrong[0]), "two codes", wrong)
    control_software.software.type("enter PIN", "246810")
    control_software.expect("the right one, when it is locked", control_software.code("hpcVerifyHPCPIN") != "0")


@case("P-CSW-04", "P-DSK-01", nature=Nature.VALID, zh="驗證後可讀取", when="professional")
def test_three_cards_prove_themselves_before_medical_data_are_read(control_software: ControlSoftwareTester) -> None:
    """SAM, patient card and professional's card with its PIN: then the medical data are read, and the card says how far it is."""
    control_software.open()
    control_software.equal("status before", control_software.code("hisGetCardStatus", CardType=2), "1")
    control_software.equal("register data", control_software.code("hisGetRegisterBasic"), "0")
    before = control_software.code("hisGetCardStatus", CardType=2)
    control_software.expect("the SAM and the card have proved themselves", before in ("2", "5"), "2 or 5", before)
    control_software.doctor()
    reply = control_software.call("hisGetTreatmentNeedHPC", pBuffer=bytes(540), iBufferLen=540)
    control_software.equal("medical data", reply.code, "0")


@case("P-CSW-04", "P-CSW-02", nature=Nature.MEDIUM, zh="無連線、安全模組未認證：4050 或 4061", when="data_centre")
def test_sam_that_was_not_authenticated_reads_nothing_that_needs_it(control_software: ControlSoftwareTester) -> None:
    """Without a line the SAM's authentication with the data centre fails with its code, and a read that needs it is refused."""
    control_software.software.line_is([], down=True)
    control_software.open()
    control_software.equal("csVerifySAMDC", control_software.code("csVerifySAMDC"), "4061")
    control_software.equal("a read", control_software.code("hisGetRegisterBasic"), "4050")
    control_software.equal("what needs no SAM", control_software.code("hisGetRegisterBasic2"), "0")
    control_software.software.line_is([])
    control_software.equal("with the line again", control_software.code("hisGetRegisterBasic"), "0")


@case("P-CSW-05", nature=Nature.ATTACK, zh="身分與卡片不符：5020，不寫入", when='"3.3" in faces', each=lambda: {
    name: Each(change) for name, change in (
        ("another-id", {"pPatientID": b"B234567896\0"}), ("another-birth-date", {"pPatientBirthDate": b"0470705\0"}),
        ("neither", {"pPatientID": b"\0", "pPatientBirthDate": b"\0"}))
})
def test_writing_for_another_person_is_refused(control_software: ControlSoftwareTester, change: Mapping[str, bytes]) -> None:
    """ID number and birth date that are not the inserted card's are refused (5020), and nothing is written."""
    control_software.open()
    calls: list[tuple[str, dict[str, Any]]] = [
        ("hisWriteEmergentTel", {"pEmergentTel": b"0223456789\0"}), ("hisWriteOrganDonate", {"pOrganDonate": b"B\0"}),
        ("hisWriteInoculateData", {"pItem": b"FLU\0", "pPackageNumber": b"LOT1\0"}),
    ]
    before = control_software.call("hisGetEmergentTel").out["pBuffer"]
    for name, more in calls:
        control_software.equal(name, control_software.code(name, **{**control_software.who, **change, **more}), "5020")
    control_software.equal("what is on the card", control_software.call("hisGetEmergentTel").out["pBuffer"], before)
    control_software.equal("the right person", control_software.code(
        "hisWriteEmergentTel", **control_software.who, pEmergentTel=b"0223456789\0"), "0")


@case("P-CSW-03", nature=Nature.VALID, zh="實體卡公開資料", when='"3.3" in faces')
def test_public_data_are_the_cards(control_software: ControlSoftwareTester) -> None:
    """hisGetBasicData gives card number, name, id and birth date as they are on the card."""
    control_software.open()
    raw = bytes(control_software.call("hisGetBasicData").out["pBuffer"])
    control_software.equal("card number", raw[:12], CARD_NO.encode())
    control_software.expect("name, id number and birth date", control_software.patient.id_no.encode() in raw and
                            control_software.patient.name.encode("big5") in raw and b"0470704" in raw, "the holder's", raw)


# -- the data centre

@case("P-DCM-01", "P-DCM-02", nature=Nature.VALID, zh="對資料中心之要求", when="data_centre")
def test_request_to_the_data_centre_is_signed_by_the_sam(control_software: ControlSoftwareTester) -> None:
    """Each request is a COSE_Sign1 by the SAM over the payload of the profile, about now, for its own institution."""
    control_software.open()
    control_software.equal("a visit", control_software.code("hisGetSeqNumber256N1", **NEW_VISIT), "0")
    heard = control_software.software.heard()
    control_software.expect("the SAM is verified, then the visit begun", len(heard) >= 2, "2 requests", len(heard))
    for raw in heard:
        message = cose.decode(raw)
        payload = message.payload_map() or {}
        who = control_software.world.root.check(message.chain, {Role.SAM}, control_software.software.now_ns())
        control_software.expect("the chain is the SAM's", not isinstance(who, Refused), "a SAM", who)
        assert not isinstance(who, Refused)
        control_software.expect("its signature holds", message.verify(who.key))
        control_software.equal("version, institution, SAM", (payload[1], payload[4], payload[5]), (1, INSTITUTION, SAM_ID))
        control_software.expect("a request id of 16 bytes", isinstance(payload[3], bytes) and len(payload[3]) == 16)
        off_ns = abs(payload[6] - control_software.software.now_ns())
        control_software.expect("its time is now", off_ns < 900 * NS, "900 s", off_ns)
    ids = [(cose.decode(raw).payload_map() or {})[3] for raw in heard]
    control_software.equal("ids of different requests", len(set(ids)), len(ids))


@case("P-DCM-02", "P-CSW-02", nature=Nature.ATTACK, zh="非資料中心簽署之回覆不採信", when="data_centre", each=lambda: {
    fate.replace(" ", "-").replace("'", ""): Each(fate, f"The answer is {fate}.") for fate in (
        "forged", "by a sam", "unsigned", "another's", "noise", "of version 2", "to another request", "a list",
        "a number for a code")
})
def test_answer_that_is_not_the_data_centres_is_not_believed(control_software: ControlSoftwareTester, fate: str) -> None:
    """A desk believes no answer but the data centre's, to this very request: a visit is not begun by any other."""
    control_software.open()
    control_software.equal("SAM", control_software.code("csVerifySAMDC"), "0")
    control_software.equal("a read", control_software.code("hisGetRegisterBasic"), "0")
    control_software.software.line_is([fate] * 8)
    reply = control_software.call("hisGetSeqNumber256N1", **NEW_VISIT)
    identifier = bytes(reply.out.get("pBuffer", b""))[296:].strip()
    control_software.expect("no identifier is taken from it", reply.code != "0" or not identifier, "none", (reply.code,
                                                                                                            identifier))
    control_software.software.line_is([])
    control_software.software.later(2)
    code = control_software.code("hisGetSeqNumber256N1", **NEW_VISIT)
    control_software.expect("with an honest line", code in ("0", "5010"), "0, or the second of the day", code)


@case("P-CSW-02", "P-DCM-02", "P-CSW-04", nature=Nature.INVALID, zh="安全模組認證：資料中心之回覆不成立", when="data_centre",
      each=lambda: {fate.replace(" ", "-"): Each((fate, code), f"The answer is {fate}.") for fate, code in (
          ("of version 2", "4061"), ("to another request", "4061"), ("a list", "4061"), ("a number for a code", "4061"),
          ("refuses 9060", "9060"), ("without proof", "9015"), ("odd proof", "9015"), ("without chain", "9015"),
          ("altered proof", "6005"), ("refuses 9020", "6006"), ("refuses 9014", "4051"),
          ("odd chain", "9015"))})
def test_sam_is_not_verified_by_an_answer_that_lacks_something(
    control_software: ControlSoftwareTester, value: tuple[str, str],
) -> None:
    """csVerifySAMDC: what is not the answer to this request is none (4061), a refusal has its code, what is no proof 9015."""
    fate, code = value
    control_software.open()
    control_software.software.line_is([fate] * 8)
    control_software.equal("csVerifySAMDC", control_software.code("csVerifySAMDC"), code)
    control_software.software.line_is([])
    control_software.equal("with an honest line", control_software.code("csVerifySAMDC"), "0")


@case("P-CSW-02", "P-CSW-04", nature=Nature.INVALID, zh="卡片線上認證：資料中心之回覆不成立", when="data_centre",
      each=lambda: {f"{fate.replace(' ', '-')}-{number}": Each((number, fate, code), f"Answer {number + 1} is {fate}.")
                    for number, fate, code in (
                        (0, "refuses 9060", "9060"), (1, "refuses 9060", "4071"), (2, "refuses 9060", "9060"),
                        (0, "without challenge", "4071"), (0, "odd challenge", "4071"), (0, "short challenge", "4071"))})
def test_card_is_not_proved_online_by_an_answer_that_lacks_something(
    control_software: ControlSoftwareTester, value: tuple[int, str, str],
) -> None:
    """csUpdateHCContents: without a challenge, or refused by the data centre, the card is not authenticated online (4071)."""
    number, fate, code = value
    control_software.open()
    for name in ("csVerifySAMDC", "hisGetRegisterBasic"):
        control_software.equal(name, control_software.code(name), "0")
    control_software.requests()
    control_software.software.line_is([""] * number + [fate] * 3)
    control_software.equal("csUpdateHCContents", control_software.code("csUpdateHCContents"), code)
    asked = [r[2] for r in control_software.requests()]
    control_software.equal("asked", asked, ["card-challenge", "card-session", "update-card"][: number + 1])
    control_software.software.line_is([])
    control_software.equal("with an honest line", control_software.code("csUpdateHCContents"), "0")


@case("P-DCM-03", "P-CSW-08", nature=Nature.MEDIUM, zh="回覆遺失：以同一識別碼再問", when="data_centre", each=lambda: {
    fate.replace(" ", "-"): Each(fate, f"The first try is {fate}.") for fate in ("lost", "reply lost")
})
def test_request_without_an_answer_comes_again_with_its_id(control_software: ControlSoftwareTester, fate: str) -> None:
    """A request whose answer was lost comes again with the same id, and is done once."""
    control_software.open()
    control_software.equal("SAM", control_software.code("csVerifySAMDC"), "0")
    control_software.equal("a read", control_software.code("hisGetRegisterBasic"), "0")
    control_software.requests()
    control_software.software.line_is([fate])
    reply = control_software.call("hisGetSeqNumber256N1", **NEW_VISIT)
    control_software.equal("code", reply.code, "0")
    begun = [r[3] for r in control_software.requests() if r[2] == "begin-visit"]
    control_software.equal("ids of the request's two tries", (len(begun), len(set(begun))), (2, 1))


@case("P-CSW-08", "P-CSW-02", nature=Nature.MEDIUM, zh="無連線：仍可掛號，代碼如表", when="queue")
def test_visit_without_a_line_is_registered_on_the_card(control_software: ControlSoftwareTester) -> None:
    """Without a line a visit is registered on the card, without an identifier; what needs the line says so."""
    control_software.open()
    control_software.equal("SAM", control_software.code("csVerifySAMDC"), "0")
    control_software.software.line_is([], down=True)
    reply = control_software.call("hisGetSeqNumber256", **NEW_VISIT)
    control_software.equal("code", reply.code, "0")
    control_software.expect("a number of the card's", bytes(reply.out["pBuffer"])[:17].strip() != b"")
    control_software.equal("an update", control_software.code("csUpdateHCContents"), "4061")
    control_software.equal("an upload", control_software.code(
        "csUploadData", pUploadFileName=b"A.xml\0", pFileSize=b"7\0" + bytes(6), pNumber=b"1\0" + bytes(6)) != "0", True)


@case("P-CSW-01", "P-CSW-02", nature=Nature.VALID, zh="上傳檔案之回條與代碼", when="data_centre")
def test_file_is_uploaded_and_its_receipt_filled(control_software: ControlSoftwareTester) -> None:
    """csUploadData: the receipt's 50 bytes; a file that there is not has its code."""
    control_software.open()
    control_software.software.put_file("A.xml", b"<RECS/>")
    given = {"pFileSize": b"7\0" + bytes(6), "pNumber": b"1\0" + bytes(6)}
    reply = control_software.call("csUploadData", pUploadFileName=b"A.xml\0", **given)
    control_software.equal("code", reply.code, "0")
    control_software.equal("the receipt", len(bytes(reply.out["pBuffer"])), 50)
    missing = control_software.code("csUploadData", pUploadFileName=b"B.xml\0", **given)
    control_software.expect("a file that there is not", missing in ("6014", "6015", "6016", "6017"), "a code", missing)
