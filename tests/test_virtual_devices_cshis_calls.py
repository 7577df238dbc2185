"""The control software's calls: every one of the manual is there, with its buffers byte for byte and each code that its page
states."""

from __future__ import annotations

import ctypes
import hashlib
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.errors import UsageError
from virtual_devices.reader.cshis import FUNCTIONS, Counter, CsHis, Function, Reply, icd10
from virtual_devices.reader.cshis.interface import CARD_STATUS
from virtual_devices.reader.cshis.pins import AGAIN, NEW
from virtual_devices.reader.cshis.software import CALLS
from virtual_devices.records import BUFFERS
from virtual_devices.tables import read_table
from virtual_devices.uploads.rows import UPLOADS

from .code_cases import NEVER, out, pharmacist, play, silent, wrong
from .control_desk import control_desk, usual
from .cshis_story import LONG, NEW_VISIT, RECORDS_INSIDE, STORY, WHO, WOMAN, desk_of, empty, with_doctor, with_visit
from .desk import INSTITUTION, NOW_NS, SAM_ID
from .places import ROOT

GOLDEN = ROOT / "tests" / "golden" / "cshis_buffers.json"


def shown(out_: Any) -> dict[str, Any]:
    return {name: value if isinstance(value, int) else value.decode("latin-1") for name, value in out_.items()}


@cache
def success(name: str) -> Reply:
    return STORY[name].play(name)


def played() -> dict[str, dict[str, Any]]:
    """What every call gives where it succeeds; bytes as text, one character a byte."""
    whole = {name: shown(success(name).out) for name in STORY}
    return whole | {f"{name} ICD-10": shown(scene.play(name).out) for name, scene in LONG.items()}


def test_calls_are_those_of_the_manual_and_three_newer_ones() -> None:
    table = read_table("control_software")
    assert len(table["function"]) == table["meta"]["functions"] == 65 and len(table["function_newer"]) == 3
    assert list(CALLS) and set(CALLS) == set(FUNCTIONS) and len(FUNCTIONS) == 68
    assert all(callable(getattr(CsHis(None, None), name)) for name in FUNCTIONS)  # type: ignore[arg-type]


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda f: f.name)
def test_sizes_of_arguments_are_those_of_the_layouts(function: Function) -> None:
    layouts = [BUFFERS[name] for name in function.buffers]
    assert all(function.name in layout.api for layout in layouts)
    for argument in function.arguments:
        for layout in (BUFFERS[name] for name in argument.layouts):
            most = layout.total * layout.repeat_max
            closing = 1 if argument.comes_in and not argument.goes_out else 0
            assert argument.size in (0, layout.total, layout.total + closing, most) or argument.size >= layout.total
    outputs = {argument.name for argument in function.arguments if argument.goes_out and argument.is_text}
    assert not layouts or outputs


def test_golden_buffers_of_every_call() -> None:
    assert played() == json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", STORY)
def test_call_succeeds_and_fills_its_layouts(name: str) -> None:
    function, scene = FUNCTIONS[name], STORY[name]
    reply = success(name)
    assert reply.code == scene.code
    for argument in function.arguments:
        filled = reply.out.get(argument.name)
        counter = function.length_of(argument)
        if not isinstance(filled, bytes):
            continue
        assert counter is None or reply.out[counter.name] == len(filled)
        layouts = [BUFFERS[one] for one in argument.layouts] or list(function.layouts)
        for layout in layouts:
            for part in layout.parts:
                whole = filled[part.offset : part.offset + part.record.length]
                assert len(whole) < part.record.length or not part.record.violations(whole) or len(layouts) > 1, layout.id


@pytest.mark.parametrize("name", FUNCTIONS)
def test_codes_that_a_page_states_come_about(name: str) -> None:
    for code in FUNCTIONS[name].codes:
        if (name, code) not in NEVER and code != "0":
            assert play(name, code).code == code, code


def test_codes_that_never_come_are_a_closed_list() -> None:
    assert len(NEVER) == 13
    assert all(code in FUNCTIONS[name].codes and reason for (name, code), reason in NEVER.items())


def test_reads_are_the_cards_own_records_back_to_back() -> None:
    desk = desk_of()
    blank = b" "
    register = desk.call("hisGetRegisterBasic").out["pBuffer"]
    basic = desk.call("hisGetBasicData").out["pBuffer"]
    assert isinstance(register, bytes) and isinstance(basic, bytes) and register[:58] == basic[:58]
    assert basic[32:42].decode() == WOMAN.id_no and basic[12:18].decode("big5hkscs") == WOMAN.name
    assert desk.call("hisGetInoculateData").out["pBuffer"] == RECORDS_INSIDE["inoculation"][0].ljust(1400, blank)
    visits = desk.call("hisGetTreatmentNoNeedHPC").out["pBuffer"]
    assert isinstance(visits, bytes) and visits[84:] == b"".join(RECORDS_INSIDE["visit"]).ljust(6 * 69, blank)
    assert visits[:14] == b"11501011190101" and not visits[14:84].strip()


def test_program_calls_with_buffers_of_its_own() -> None:
    desk = desk_of()
    buffer, length = bytearray(b"?" * 80), Counter(80)
    assert desk.cshis.hisGetBasicData(buffer, length) == 0 and length.value == 72 and buffer[72:] == b"?" * 8
    raw, count = ctypes.create_string_buffer(72), ctypes.c_int(72)
    assert desk.cshis.hisGetBasicData(raw, count) == 0 and raw.raw == bytes(buffer[:72]) and count.value == 72
    short, too_few = bytearray(71), Counter(71)
    assert desk.cshis.hisGetBasicData(short, too_few) == 6018 and short == bytes(71) and too_few.value == 71
    assert desk.cshis.hisGetCardStatus(2) == 2
    with pytest.raises(UsageError, match=r"hisGetBasicData\(pBuffer, iBufferLen\) was called with 1"):
        desk.cshis.hisGetBasicData(buffer)
    with pytest.raises(AttributeError, match="hisGetNothing"):
        desk.cshis.hisGetNothing()


def test_nothing_works_before_the_port_is_open_and_all_is_forgotten_when_it_closes() -> None:
    desk = desk_of()
    assert desk.code("hisGetBasicData") == "0" and desk.code("hisGetCardStatus", CardType=1) == "2"
    assert desk.code("csCloseCom") == "0"
    assert {desk.code(name) for name in FUNCTIONS if name.startswith("hisGet") and "ICD10" not in name} == {"9205"}
    assert desk.code("csGetVersionEx") == "3013" and desk.code("csOpenCom") == "0" and desk.code("csOpenCom") == "-1"
    assert desk.code("hisGetCardStatus", CardType=1) == "1"


def test_card_states_go_up_as_the_cards_prove_themselves() -> None:
    desk = desk_of(pin="1234")
    desk.answers["enter PIN"] = "1234"

    def states() -> str:
        return "".join(desk.code("hisGetCardStatus", CardType=kind) for kind in (1, 2, 3))

    assert states() == "111"
    assert desk.code("hisGetBasicData") == "0" and states() == "221"
    desk.answers["enter PIN"] = "246810"
    assert desk.code("hpcVerifyHPCPIN") == "0" and states() == "223"
    desk.answers["enter PIN"] = "1234"
    assert desk.code("hisReadPrescription") == "0" and states() == "243"
    assert desk.code("csUnGetSeqNumber", pUnTreatDate=b"1150302080000\0") == "5150" and states() == "253"
    assert desk.code("csSoftwareReset", Type=3) == "0" and states() == "213"
    assert desk.code("csSoftwareReset", Type=2) == "0" and states() == "211"
    assert desk.code("csSoftwareReset", Type=0) == "0" and states() == "111"
    wrong("hpc", "card")(desk), out("card")(desk)
    assert states() == "109"
    wrong("card", "sam")(desk), out("sam")(desk)
    assert desk.code("hisGetCardStatus", CardType=2) == "9" and desk.code("hisGetCardStatus", CardType=1) == "0"
    assert all(value in CARD_STATUS[kind] for kind, seen in ((1, "012"), (2, "0124593"), (3, "0139")) for value in seen)


def test_exchanged_card_is_noticed_and_nothing_of_the_former_stays() -> None:
    desk = desk_of(pin="1234")
    desk.answers["enter PIN"] = "1234"
    assert desk.code("hisGetRegisterBasic") == "0" and desk.code("hisGetCardStatus", CardType=2) == "4"
    other = desk_of(card_no="000000000077").bench.card
    desk.slots["card"].device.power_off()
    desk.slots["card"].device = other
    assert desk.code("hisGetCardStatus", CardType=2) == "1"
    number = desk.call("csGetCardNo", CardType=2).out["pBuffer"]
    assert number == b"000000000077"


def test_pharmacist_gets_drugs_only_and_blanks() -> None:
    desk = pharmacist()
    read = desk.call("hisReadPrescription").out
    drugs, orders = read["pOutpatientPrescription"], read["pImportantTreatmentCode"]
    assert isinstance(drugs, bytes) and isinstance(orders, bytes) and not orders.strip()
    assert [drugs[at + 13 : at + 14] for at in range(0, 183, 61)] == [b"1", b"2", b" "]
    first = desk.call("hisGetTreatmentNeedHPC").out["pBuffer"]
    assert isinstance(first, bytes) and not first[:114].strip() and first[114:].strip()


def test_dates_only_without_a_professional() -> None:
    reply = empty(desk_of(), "hpc").call("hisGetCriticalIllness")
    assert reply.code == "5141" and reply.out["pBuffer"] == (b"     11501011190101").ljust(114)


def test_critical_illness_after_an_identity_match_asks_no_pin() -> None:
    desk = empty(desk_of(pin="1234"), "hpc")
    desk.answers.clear()
    assert desk.code("hisGetCriticalIllness") == "5109"
    assert desk.code("hisGetCriticalIllnessID", **WHO) == "5141"
    assert desk.code("hisGetRegisterBasic") == "5109"  # and opens nothing else


def test_written_visit_is_read_again() -> None:
    desk = with_visit()
    for name in ("hisWriteTreatmentCode", "hisWriteTreatmentFee", "hisWriteMultiPrescript"):
        assert desk.code(name, **STORY[name].given) == "0"
    assert desk.code("hpcVerifyHPCPIN") == "0"
    diagnoses = desk.call("hisGetTreatmentNeedHPC").out["pBuffer"]
    assert isinstance(diagnoses, bytes) and b"1150302080000J069 I10  " in diagnoses[114:]
    visits = desk.call("hisGetTreatmentNoNeedHPC").out["pBuffer"]
    assert isinstance(visits, bytes) and b"01 115030208000010004" + INSTITUTION.encode() + b"00000450" in visits
    long_term = desk.call("hisReadPrescriptLongTerm", iStartPos=1, iEndPos=30, iRecCount=30).out["pLongTermPrescription"]
    assert isinstance(long_term, bytes) and long_term.count(b"1150302") == 1  # the entry of type 2, copied by the card


def test_sequence_number_is_signed_by_sam_and_card_over_this_visit() -> None:
    new = with_doctor().call("hisGetSeqNumber256", **NEW_VISIT).out["pBuffer"]
    assert isinstance(new, bytes) and new[:17] == b"11503020800000004" and new[17:27] == INSTITUTION.encode()
    assert new[283:295] == SAM_ID.encode() and new[295:] == b"N" and len(bytes.fromhex(new[27:283].decode())) == 128


def test_number_holds_when_the_identifier_does_not_come() -> None:
    desk = desk_of()
    assert desk.code("csVerifySAMDC") == "0"
    silent("cloud")(desk)
    reply = desk.call("hisGetSeqNumber256N1", **NEW_VISIT)
    body = reply.out["pBuffer"]
    assert reply.code == "5174" and isinstance(body, bytes) and body[13:17] == b"0004" and body[296:] == b" " * 20
    del desk.links["cloud"]
    again = desk.call("hisGetTreatNumICCard", pDateTime=body[:13] + b"\0")
    assert again.code == "0" and again.out == desk.call("hisGetTreatNumICCard", pDateTime=body[:13] + b"\0").out


def test_new_pin_serves_from_then_on() -> None:
    desk = STORY["csInputHCPIN"].desk()
    assert desk.code("csInputHCPIN") == "0" and desk.code("csISSetPIN") == "1"
    assert desk.code("csSoftwareReset", Type=3) == "0"
    desk.answers["enter PIN"] = "5678"
    assert desk.code("hisGetRegisterBasic") == "0"
    assert desk.code("csDisableHCPIN") == "0" and desk.code("csISSetPIN") == "0"
    desk.answers |= {NEW: "", AGAIN: ""}
    assert desk.code("csInputHCPIN") == "5109"


def test_newborn_entry_and_visit_of_a_child_up_to_sixty_days() -> None:
    desk = desk_of()
    for born, code in (("1150101", "0"), ("1141231", "5004")):
        given = {**STORY["hisWriteNewBorn"].given, "pNewBornDate": born.encode() + b"\0"}
        assert desk.code("hisWriteNewBorn", **given) == "0"
        desk.bench.clock.advance_to(desk.bench.clock.now_ns() + 10**9)
        assert desk.code("hisGetSeqNumber256", **{**NEW_VISIT, "cBabyTreat": b"a\0"}) == code


def test_care_entries_are_taken_back_within_a_day() -> None:
    desk = desk_of()
    for name, key, cancel in (
        ("hisWriteHealthInsurance", "pServiceItemCode", b"YB\0"), ("hisWritePredeliveryCheckup", "pCheckupCode", b"XA\0"),
    ):
        given = STORY[name].given
        before = {call: desk.call(call).out["pBuffer"] for call in ("hisGetRegisterPrevent", "hisGetRegisterPregnant")}
        assert desk.code(name, **given) == "0" and desk.code(name, **{**given, key: cancel}) == "0"
        assert {call: desk.call(call).out["pBuffer"] for call in before} == before
        assert desk.code(name, **{**given, key: cancel}) in ("5084", "5082")


@pytest.mark.parametrize(
    ("visits", "age", "warned", "red"),
    [(29, 40, False, False), (30, 40, True, False), (39, 70, False, False), (40, 70, True, False), (90, 40, True, True),
     (95, 10, False, False)],
)
def test_desk_is_warned_of_many_visits(visits: int, age: int, warned: bool, red: bool) -> None:
    from datetime import date

    from virtual_devices.card.holder import Holder
    from virtual_devices.records import RECORDS

    year = RECORDS["cumulative_year"].pack({"roc_year": "115", "visit_count": f"{visits:04d}"})
    holder = Holder("林美玲", "B234567896", date(2026 - age, 1, 1), "F")
    desk = control_desk(holder=holder, records={"cumulative_year": (year,)})
    assert desk.code("hisGetRegisterBasic") == "0"
    assert [(w.visits, w.red) for w in desk.software.warnings] == ([(visits, red)] if warned else [])


def test_reader_clock_is_set_by_the_data_centre() -> None:
    desk = desk_of()
    desk.software.reader.offset_ns = 3_600 * 10**9
    assert desk.call("csGetDateTime").out["pBuffer"] == b"1150302090000"
    assert desk.code("csVerifySAMDC") == "0" and desk.call("csGetDateTime").out["pBuffer"] == b"1150302080000"


def test_arguments_are_named_or_refused() -> None:
    desk = desk_of()
    with pytest.raises(UsageError, match="iBufferLen missing or unknown"):
        desk.run_call("hisGetBasicData", {"pBuffer": b""})
    with pytest.raises(UsageError, match="no call 'csDance'"):
        desk.run_call("csDance", {})
    assert desk.code("hisWriteNewBorn", **{**STORY["hisWriteNewBorn"].given, "pPatientID": b"A1234567890\0"}) == "6018"
    assert usual(FUNCTIONS["csOpenCom"]) == {"Comport": 0} and NOW_NS


CODE = st.from_regex(r"[A-Z][0-9][0-9AB]([0-9A-Z]([0-9A-EX]([0-9A-EX]([0-9A-Z])?)?)?)?", fullmatch=True)


@given(CODE)
def test_icd10_code_packs_into_five_characters_and_back(code: str) -> None:
    packed = icd10.pack(code)
    assert len(packed) <= 5 and icd10.unpack(packed) == code
    assert (packed[0] in icd10._signs()) == icd10.needs_packing(code)


@given(st.text(max_size=40))
def test_icd10_anything_else_is_refused_or_packs_and_unpacks_to_itself(text: str) -> None:
    for change, back in ((icd10.pack, icd10.unpack), (icd10.unpack, icd10.pack)):
        try:
            changed = change(text)
        except ValueError:
            continue
        assert back(changed) == text


def test_file_of_visits_is_checked_like_every_upload_and_known_when_it_comes_again() -> None:
    """csUploadData: the receipt says that the file has come; what became of its records the data centre knows."""
    content = (ROOT / "tests" / "golden" / "uploads" / "visit-1.0.xml").read_bytes()
    desk = desk_of()
    desk.software.files = lambda _: content
    sent = {"pUploadFileName": b"A.xml\0", "pFileSize": b"%d\0" % len(content) + bytes(6), "pNumber": b"1\0" + bytes(6)}
    assert [desk.call("csUploadData", **sent).code for _ in range(2)] == ["0", "0"]
    office = desk.bench.cloud.uploads
    taken = office.taken(INSTITUTION, hashlib.sha256(content).digest())
    assert taken is not None and [one.national_id for one in taken.result.records] == ["A123456789"]
    assert len(list(desk.bench.core.books.shelf(UPLOADS))) == 1


def test_file_that_is_no_upload_is_received_and_rejected_whole() -> None:
    desk = desk_of()
    desk.software.files = lambda _: b"<RECS/>"
    assert desk.call("csUploadData", **STORY["csUploadData"].given).code == "0"
    taken = desk.bench.cloud.uploads.taken(INSTITUTION, hashlib.sha256(b"<RECS/>").digest())
    assert taken is not None and taken.result.findings and not taken.result.valid
