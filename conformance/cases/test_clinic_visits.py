"""A clinic's visits and their records, with a line and without one; prescriptions; home visits."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from conformance.case import Each, Nature, case
from conformance.kinds.clinic import ClinicTester
from conformance.town import HOLDER
from conformance.vectors.authorizations import parents
from conformance.vectors.world import CARD_NO
from virtual_devices.clock import NS
from virtual_devices.home_package import HomePackage, HomePerson
from virtual_devices.pki import Identity, Role, hashed
from virtual_devices.prescription.document import PrescriptionClass, read_prescription
from virtual_devices.uploads.fields import Version
from virtual_devices.write_back import Kind, read_record

IDENTITY = f"{HOLDER.holder.id_no:<10}{HOLDER.holder.birth_roc}".encode()


# -- registration

@case("P-VIS-01", "P-UPL-01", "P-UPL-02", nature=Nature.VALID, zh="掛號查驗資格，看診結束即上傳")
def test_visit_is_checked_begun_and_its_record_sent_at_once(clinic: ClinicTester) -> None:
    """Eligibility is asked before the visit; its record goes as soon as the visit has ended, with what was given."""
    done = clinic.done("visit", lambda: clinic.software.visit("card"))
    asked = [r[2] for r in clinic.requests()]
    clinic.expect("eligibility first, then the upload", asked.index("begin-visit") < asked.index("upload"), "in order", asked)
    [record] = clinic.records()
    clinic.equal("format", record.version, Version.V20)
    clinic.equal("identifier, number, type", (record.get("identifier"), record.get("sequence"), record.get("visit_type")),
                 (done.identifier, done.sequence, "01"))
    clinic.equal("shelves", (clinic.software.shelves().queue, clinic.software.shelves().done), (0, 1))


@case("P-VIS-01", nature=Nature.INVALID, zh="資料中心拒絕：顯示代碼，不看診")
def test_refusal_of_the_data_centre_is_shown(clinic: ClinicTester) -> None:
    """A patient whom the data centre refuses is not registered, and the refusal is shown with its code."""
    clinic.software.tell_centre(b"")  # what is no request changes nothing
    clinic.act("another visit type", lambda: clinic.software.visit("card"))
    before = len(clinic.requests("upload"))
    clinic.software.line_is(["forged"] * 9)
    done = clinic.act("visit", lambda: clinic.software.visit("card", upload=False))
    clinic.expect("served without the data centre, by what the card carries", done.code in ("0", "5010"), "0", done)
    clinic.equal("nothing went out", len(clinic.requests("upload")), before)


@case("P-VIS-01", nature=Nature.INVALID, zh="資料中心以代碼拒絕掛號")
def test_visit_that_the_data_centre_refuses_is_none(clinic: ClinicTester) -> None:
    """A visit that the data centre refuses has its code, and no record; the next one is served."""
    clinic.software.line_is(["refuses 9060"] * 8)
    clinic.equal("refused", clinic.act("visit", lambda: clinic.software.visit("card")).code, "9060")
    shelves = clinic.software.shelves()
    clinic.equal("records", (shelves.queue, shelves.done, shelves.refused), (0, 0, 0))
    clinic.equal("nothing is sent", clinic.requests("upload"), [])
    clinic.software.line_is([])
    clinic.done("visit", lambda: clinic.software.visit("card"))


@case("P-UPL-03", "P-UPL-08", nature=Nature.INVALID, zh="上傳之回覆不成立：仍待送", each=lambda: {
    fate.replace(" ", "-"): Each((fate, code), f"The answer to the upload is {fate}.", f"回覆：{fate}") for fate, code in (
        ("refuses 9060", "9060"), ("without report", "9070"), ("odd report", "9070"), ("without opcode", "9070"),
        ("odd opcode", "9070"))})
def test_upload_is_done_by_a_report_only(clinic: ClinicTester, value: tuple[str, str]) -> None:
    """A record whose upload was refused, or answered by what is no report, is kept; it counts when there is one."""
    fate, code = value
    clinic.done("visit", lambda: clinic.software.visit("card", upload=False))
    clinic.software.line_is([fate] * 6)
    clinic.equal("code", clinic.act("upload", clinic.software.upload).code, code)
    shelves = clinic.software.shelves()
    clinic.equal("it waits", (shelves.queue, shelves.done, shelves.refused), (1, 0, 0))
    clinic.software.line_is([])
    clinic.software.later(61)
    clinic.done("upload", clinic.software.upload)
    clinic.equal("then", clinic.software.shelves().done, 1)
    clinic.equal("one file, however often", len(clinic.files()), 1)


@case("P-VIS-01", "P-UPL-02", "P-UPL-08", "P-CSW-08", nature=Nature.MEDIUM, zh="無連線：以卡片資料掛號，連線後上傳")
def test_visit_without_a_line_is_served_and_told_later(clinic: ClinicTester) -> None:
    """Without a line the card's own data decide; the record waits, and goes with the ids that it had, also after 24 hours."""
    clinic.software.line_is([], down=True)
    done = clinic.done("visit", lambda: clinic.software.visit("card"))
    clinic.equal("no identifier", done.identifier, "")
    clinic.equal("what waits", (clinic.software.shelves().queue, clinic.software.shelves().done), (1, 0))
    begun = [r[3] for r in clinic.requests("begin-visit")]
    clinic.software.line_is([])
    clinic.software.later(25 * 3600)
    clinic.done("upload", clinic.software.upload)
    clinic.equal("then", (clinic.software.shelves().queue, clinic.software.shelves().done), (0, 1))
    told = [r[3] for r in clinic.requests("visit-identifier")]
    clinic.expect("by the id that it had", bool(told) and set(told) == set(begun), "the same id", (begun, told))
    [record] = clinic.records()
    clinic.expect("with an identifier of its moment", len(record.get("identifier")) == 20)


def _troubles() -> dict[str, Each]:
    return {name: Each(role, f"Without {name.replace('-', ' ')}.", f"無法使用：{name}")
            for name, role in (("a-card", "card"), ("a-security-module", "sam"))}


@case("P-VIS-04", nature=Nature.MEDIUM, zh="卡片無法讀取：仍予看診，紀錄帶異常代碼", each=_troubles)
def test_patient_whose_card_cannot_be_read_is_treated(clinic: ClinicTester, role: str) -> None:
    """Who has no card that can be read is treated; the record carries the abnormal code of its cause in the number's place."""
    clinic.software.take_out(role)
    done = clinic.done("visit", lambda: clinic.software.visit("card", upload=False))
    clinic.expect("a situation", done.abnormal != "", "an abnormal situation", done)
    clinic.equal("its record", clinic.software.shelves().queue, 1)
    if role == "card":
        clinic.done("upload", clinic.software.upload)
        [record] = clinic.records()
        code = record.get("sequence")
        clinic.expect("an abnormal code", len(code) == 4 and not code.isdigit(), "a letter and digits", code)


@case("P-VIS-03", nature=Nature.VALID, zh="代理人出示：紀錄其授權", when="virtual_cards and guardians")
def test_guardian_who_presents_a_wards_card_is_named(clinic: ClinicTester) -> None:
    """A guardian with a ward's card: the software says by whom for whom, and names the authorization to the data centre."""
    done = clinic.act("visit", lambda: clinic.software.visit("ward", upload=False))
    clinic.equal("code", done.code, "0")
    clinic.expect("by whom for whom", "000087654321" in done.for_whom and CARD_NO in done.for_whom, "by ... for ...",
                  done.for_whom)
    clinic.equal("the authorization", [r[7].get("authorization") for r in clinic.requests("begin-visit")],
                 [parents(clinic.world).cti])


@case("P-VIS-08", nature=Nature.VALID, zh="住院、住院期間及出院：就醫類別與費用", when="hospital")
def test_stay_has_its_visit_types_and_is_settled_at_its_end(clinic: ClinicTester) -> None:
    """Admission is a visit of type 05, discharge of type DC; the fees of the stay stand in the record that settles it."""
    stay = {"inpatient": 32_000, "inpatient_copay_short": 3_200}
    for kind, fees in (("05", None), ("DC", stay)):
        clinic.act(kind, partial(clinic.software.visit, "card", kind, fees=fees))
        clinic.software.later(60)
    found = [(r.get("visit_type"), r.get("inpatient_fee")) for r in clinic.records()]
    clinic.equal("types and fees", found, [("05", ""), ("DC", "32000")])
    clinic.equal("both count", clinic.software.shelves().done, 2)


# -- uploads

@case("P-UPL-01", nature=Nature.VALID, zh="1.0 及 2.0 格式", each=lambda: {
    version: Each(version, f"Format {version}.", f"{version} 格式") for version in ("1.0", "2.0")
})
def test_record_follows_its_format(clinic: ClinicTester, version: str) -> None:
    """A record of either format can be read by its tables, in its encoding, and counts."""
    clinic.software.version(version)
    clinic.done("visit", lambda: clinic.software.visit("card"))
    [whole] = clinic.files()
    clinic.expect("its encoding", (b"Big5" if version == "1.0" else b"UTF-8") in whole[:60], version, whole[:60])
    [record] = clinic.records()
    clinic.equal("format", record.version.value, version)
    clinic.equal("it counts", clinic.software.shelves().done, 1)


@case("P-UPL-01", nature=Nature.LIMIT, zh="編碼所無之字元：不代換，擱置")
def test_character_that_the_encoding_has_not_is_never_replaced(clinic: ClinicTester) -> None:
    """A record with a character that Big5 has not is set aside for a person, and nothing goes out in its place."""
    clinic.software.version("1.0")
    clinic.act("visit", lambda: clinic.software.visit("card", diagnosis="J0\U00020bb7"))
    clinic.equal("files sent", clinic.files(), [])
    shelves = clinic.software.shelves()
    clinic.equal("set aside", (shelves.queue, shelves.refused, shelves.done), (0, 1, 0))


@case("P-UPL-03", "P-UPL-08", "P-CSW-08", nature=Nature.MEDIUM, zh="上傳中斷或回覆遺失：原樣再送", each=lambda: {
    f"{fate.replace(' ', '-')}-{number}": Each(["", "", ""][:number] + [fate] * 3, f"{fate.capitalize()} from request {number}.",
                                               f"第 {number} 則起：{fate}")
    for number in (1, 2) for fate in ("lost", "reply lost", "forged", "noise")
})
def test_upload_that_was_interrupted_is_sent_again_unchanged(clinic: ClinicTester, fates: list[str]) -> None:
    """An upload whose answer is not there, or not the data centre's, is sent again as it was until it is answered; once it is."""
    clinic.done("visit", lambda: clinic.software.visit("card", upload=False))
    clinic.requests()
    clinic.software.line_is(fates[1:])
    clinic.act("upload", clinic.software.upload)
    for _ in range(4):
        clinic.software.line_is([])
        clinic.software.later(61)
        clinic.act("upload", clinic.software.upload)
    shelves = clinic.software.shelves()
    clinic.equal("then", (shelves.queue, shelves.done, shelves.refused), (0, 1, 0))
    clinic.equal("one file, however often", len(clinic.files()), 1)
    clinic.equal("one batch", len({r[7]["batch"] for r in clinic.requests("upload")}), 1)


@case("P-UPL-04", nature=Nature.INVALID, zh="檢核不符：擱置，更正後再送", each=lambda: {
    version: Each(version, f"In format {version}.", f"{version} 格式") for version in ("1.0", "2.0")
})
def test_record_that_a_check_refused_is_set_aside_and_corrected(clinic: ClinicTester, version: str) -> None:
    """A record that a check refused is set aside with its code; corrected, it is sent again, in 1.0 as a correction."""
    clinic.software.version(version)
    clinic.act("visit", lambda: clinic.software.visit("card", upload=False))
    clinic.software.mistype()
    clinic.act("upload", clinic.software.upload)
    shelves = clinic.software.shelves()
    clinic.equal("set aside", (shelves.queue, shelves.done, shelves.refused), (0, 0, 1))
    clinic.expect("with what the check says", ":" in shelves.findings[0], "place:code", shelves.findings)
    clinic.act("upload again", clinic.software.upload)
    clinic.equal("it is not sent again by itself", len(clinic.files()), 1)
    clinic.done("corrected", lambda: clinic.software.correct(identity=True))
    shelves = clinic.software.shelves()
    clinic.equal("then", (shelves.done, shelves.refused), (1, 0))
    kinds = [r.get("data_format") for r in clinic.records()]
    clinic.equal("records", len(kinds), 2)
    clinic.equal("batches", len({r[7]["batch"] for r in clinic.requests("upload")}), 2)


# -- prescriptions

@case("P-PRX-01", nature=Nature.VALID, zh="處方箋由醫師卡及安全模組簽署", each=lambda: {
    name: Each(letter, f"Class {letter}.", f"{letter} 類處方") for name, letter in (
        ("ordinary", "A"), ("refill", "C"), ("controlled", "D"), ("controlled-refill", "F"))
})
def test_prescription_is_signed_by_physician_and_institution(clinic: ClinicTester, letter: str) -> None:
    """A prescription is a record of kind rx, signed by [HPC, SAM]; the very same is what the data centre has."""
    done = clinic.done("prescribe", lambda: clinic.software.prescribe(letter))
    record, signed = read_record(done.raw)
    clinic.equal("kind, class", (record.kind, read_prescription(record).kind), (Kind.PRESCRIPTION, PrescriptionClass(letter)))
    roles: list[str] = []
    keys = {"HPC": clinic.clinic.professional.key, "SAM": clinic.clinic.sam.key}
    for number in range(len(signed.signatures)):
        roles += [name for name, key in keys.items() if signed.verify(number, key.public_key())]
    clinic.equal("signers", roles, ["HPC", "SAM"])
    code, body = clinic.centre(clinic.pharmacy, "rx-find", {"id": record.id})
    clinic.equal("at the data centre", (code, [p["records"] for p in body["prescriptions"]]), ("0", [[done.raw]]))


@case("P-PRX-01", nature=Nature.LIMIT, zh="一般處方逾七日：拒絕開立")
def test_prescription_that_the_rules_forbid_is_not_issued(clinic: ClinicTester) -> None:
    """An ordinary prescription of eight days is refused before it is signed."""
    done = clinic.act("prescribe", lambda: clinic.software.prescribe("A", days=8))
    clinic.equal("code", done.code, "RX03")
    clinic.equal("what was sent", clinic.requests("rx-store"), [])


@case("P-PRX-01", "P-CSW-08", "P-UPL-08", nature=Nature.MEDIUM, zh="無連線開立：依院所設定留存或不開立", each=lambda: {
    "allowed": Each(True, "The institution issues without a line.", "允許離線開立"),
    "forbidden": Each(False, "The institution does not issue without a line.", "不允許離線開立"),
})
def test_prescription_without_a_line_waits_or_is_not_issued(clinic: ClinicTester, allowed: bool) -> None:
    """Without a line a prescription waits, where the institution lets it; else it is not issued, and a cancellation waits."""
    clinic.software.policy(offline=allowed)
    clinic.software.line_is([], down=True)
    done = clinic.act("prescribe", lambda: clinic.software.prescribe())
    clinic.equal("code", done.code, "0" if allowed else "4061")
    clinic.equal("what waits", clinic.software.shelves().rx_waiting, 1 if allowed else 2)
    clinic.software.line_is([])
    clinic.software.later(61)
    clinic.done("upload", clinic.software.upload)
    clinic.equal("then", clinic.software.shelves().rx_waiting, 0)
    _, body = clinic.centre(clinic.clinic, "rx-find", {})
    clinic.equal("its state", [p["state"] for p in body["prescriptions"]], ["issued" if allowed else "cancelled"])


@case("P-PRX-07", nature=Nature.VALID, zh="更正與註銷：指明前一份", each=lambda: {
    what: Each(what, f"It is {what}ed.", "註銷" if what == "cancel" else "更正") for what in ("cancel", "amend")
})
def test_correction_names_what_it_corrects(clinic: ClinicTester, what: str) -> None:
    """A cancellation or an amendment is signed and names the document by its hash."""
    first = clinic.done("prescribe", lambda: clinic.software.prescribe())
    clinic.done(what, lambda: clinic.software.change(what))
    raw = clinic.requests("rx-store")[-1][7]["record"]
    record, signed = read_record(raw)
    clinic.equal("what it names", record.amends, read_record(first.raw)[0].id)
    clinic.expect("by its hash", hashed(first.raw) in record.fields.values())
    clinic.equal("signatures", len(signed.signatures), 2)


@case("P-PRX-07", nature=Nature.INOPPORTUNE, zh="最後一次已調劑：不得更正")
def test_correction_after_the_last_issue_is_refused(clinic: ClinicTester) -> None:
    """After the last issue was dispensed neither cancellation nor amendment goes through, and the refusal is shown."""
    done = clinic.done("prescribe", lambda: clinic.software.prescribe())
    pharmacy = clinic.pen(clinic.pharmacy)
    document = read_prescription(read_record(done.raw)[0])
    given = pharmacy.sign(pharmacy.dispensing(document, done.raw, clinic.now_ns))
    clinic.equal("dispensed", clinic.leave(clinic.pharmacy, "rx-dispense", given, documents=(done.raw,)), "0")
    clinic.equal("cancel", clinic.act("cancel", lambda: clinic.software.change("cancel")).code, "D034")
    clinic.equal("amend", clinic.act("amend", lambda: clinic.software.change("amend")).code, "D016")


@case("P-PRX-06", nature=Nature.VALID, zh="疑義：醫師簽署回覆後解除")
def test_doubt_is_answered_under_the_physicians_signature(clinic: ClinicTester) -> None:
    """A pharmacist's doubt is shown; the physician's signed answer releases the prescription."""
    done = clinic.done("prescribe", lambda: clinic.software.prescribe())
    pharmacy = clinic.pen(clinic.pharmacy)
    document = read_prescription(read_record(done.raw)[0])
    asked = pharmacy.sign(pharmacy.doubt(document, done.raw, clinic.now_ns))
    clinic.equal("doubted", clinic.leave(clinic.pharmacy, "rx-query", asked, documents=(done.raw,)), "0")
    clinic.equal("doubts that are shown", clinic.done("answer", clinic.software.answer_doubts).text, "1")
    record, _ = read_record(clinic.requests("rx-answer")[-1][7]["record"])
    clinic.equal("an answer", record.kind, Kind.ANSWER)
    _, body = clinic.centre(clinic.pharmacy, "rx-find", {"id": document.id})
    clinic.equal("its state", body["prescriptions"][0]["state"], "issued")
    clinic.equal("none is left", clinic.done("answer", clinic.software.answer_doubts).text, "0")
    clinic.software.line_is([], down=True)
    clinic.equal("without a line", clinic.act("answer", clinic.software.answer_doubts).code, "4061")


# -- home visits

def _package(clinic: ClinicTester, **change: object) -> HomePackage:
    holder = HOLDER.holder
    now_ns = clinic.now_ns
    made = HomePackage(
        bytes(16), clinic.clinic.institution, clinic.clinic.professional_id, "home-care", now_ns, now_ns + 3600 * NS,
        HomePerson(CARD_NO, holder.name, holder.id_no, holder.birth_roc, holder.sex), "0", "1160101",
    )
    return replace(made, **change)  # type: ignore[arg-type]


@case("P-HOM-02", "P-HOM-03", nature=Nature.VALID, zh="居家：攜帶資料，離線辨識病人", when="home_visits")
def test_patient_is_recognised_at_home_without_a_line(clinic: ClinicTester) -> None:
    """The package is taken along under the professional's signature; at the home card and package agree, without a line."""
    clinic.done("take along", lambda: clinic.software.take_along(8))
    clinic.software.line_is([], down=True)
    clinic.done("at home", lambda: clinic.software.at_home(IDENTITY))
    wrong = IDENTITY[:-1] + b"5"
    clinic.equal("another person's card", clinic.act("at home", lambda: clinic.software.at_home(wrong)).code, "5020")
    other = clinic.act("at home", lambda: clinic.software.at_home(IDENTITY, "B123456789"))
    clinic.equal("another professional", other.code, "5152")
    done = clinic.done("visit", lambda: clinic.software.visit("card"))
    clinic.equal("the visit is recorded, and waits", (done.identifier, clinic.software.shelves().queue), ("", 1))


@case("P-HOM-02", nature=Nature.TIMER, zh="出訪資料逾時：不得再用", when="home_visits")
def test_package_is_of_no_use_after_its_time(clinic: ClinicTester) -> None:
    """A package is used until its end, and no longer; one that was never taken is none."""
    clinic.equal("none", clinic.act("at home", lambda: clinic.software.at_home(IDENTITY)).code, "9012")
    clinic.done("take along", lambda: clinic.software.take_along(8))
    clinic.software.later(8 * 3600 - 1)
    clinic.done("a second before its end", lambda: clinic.software.at_home(IDENTITY))
    clinic.software.later(1)
    clinic.equal("at its end", clinic.act("at home", lambda: clinic.software.at_home(IDENTITY)).code, "1059")
    clinic.equal("for more than a day", clinic.act("take along", lambda: clinic.software.take_along(25)).code, "9002")
    for fate, code in (("refuses 9060", "9060"), ("without package", "9002"), ("odd package", "9002")):
        clinic.software.line_is([fate] * 8)
        clinic.equal(fate, clinic.act("take along", lambda: clinic.software.take_along(8)).code, code)
    clinic.software.line_is([], down=True)
    clinic.equal("without a line", clinic.act("take along", lambda: clinic.software.take_along(8)).code, "4061")


def _packages() -> dict[str, Each]:
    return {
        "stranger": Each(("stranger", {}, "9015"), "Signed by a data centre of another root.", "他根資料中心簽署",
                         nature=Nature.ATTACK),
        "by-sam": Each(("sam", {}, "9015"), "Signed by a security module.", "安全模組簽署", nature=Nature.ATTACK),
        "altered": Each(("altered", {}, "9015"), "The last bit of the signature is turned over.", "簽章竄改",
                        nature=Nature.ATTACK),
        "noise": Each(("noise", {}, "9002"), "No message.", "非訊息"),
        "another-institution": Each(("", {"institution": "8801180014"}, "5152"), "For another institution.", "他院所",
                                    nature=Nature.ATTACK),
        "over": Each(("", {"from_ns": -7200, "until_ns": -3600}, "1059"), "Its time is over.", "逾時"),
        "not-yet": Each(("", {"from_ns": 3600, "until_ns": 7200}, "1059"), "Its time has not begun.", "尚未開始"),
    }


@case("P-HOM-02", nature=Nature.INVALID, zh="不可用之出訪資料", when="home_visits", each=_packages)
def test_package_is_not_used(clinic: ClinicTester, value: tuple[str, dict[str, object], str]) -> None:
    """A package that the data centre did not sign, is another institution's, or is not of now, is not taken."""
    how, change, code = value
    moved = {n: clinic.now_ns + int(str(v)) * NS if n.endswith("_ns") else v for n, v in change.items()}
    world = clinic.world
    by: Identity = {
        "stranger": world.stranger.issue(Role.DATA_CENTRE, "data centre"), "sam": world.authority.issue(Role.SAM, "SAM000000009"),
    }.get(how, world.centre)
    raw = _package(clinic, **moved).sign(by)
    if how == "altered":
        raw = raw[:-1] + bytes([raw[-1] ^ 1])
    if how == "noise":
        raw = b"\xff" * 20
    clinic.equal("code", clinic.act("put in bag", lambda: clinic.software.put_in_bag(raw)).code, code)
    clinic.equal("at home", clinic.act("at home", lambda: clinic.software.at_home(IDENTITY)).code, "9012")
