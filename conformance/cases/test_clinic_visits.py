"""A clinic's visits: registration with a line and without one, by whichever card, and what stands in their records."""

from __future__ import annotations

from functools import partial

from conformance.case import Each, Nature, case
from conformance.kinds.clinic import ClinicTester
from conformance.town import HOLDER
from conformance.vectors.authorizations import parents
from conformance.vectors.world import CARD_NO
from virtual_devices.uploads.fields import Version


@case("P-VIS-01", "P-UPL-01", "P-UPL-02", nature=Nature.VALID, zh="掛號查驗資格，看診結束即上傳")
def test_visit_is_checked_begun_and_its_record_sent_at_once(clinic: ClinicTester) -> None:
    """Eligibility is asked before the visit; its record goes as soon as the visit has ended, with what was given."""
    done = clinic.done("visit", lambda: clinic.software.visit("card"))
    asked = [r[2] for r in clinic.requests()]
    first = [name for name in asked if name in ("begin-visit", "upload")][:2]
    clinic.expect("eligibility first, then the upload", first == ["begin-visit", "upload"], "in order", asked)
    record = clinic.the_record()
    clinic.equal("format", record.version, Version.V20)
    clinic.equal("identifier, number, type", (record.get("identifier"), record.get("sequence"), record.get("visit_type")),
                 (done.identifier, done.sequence, "01"))
    clinic.equal("shelves", (clinic.shelves().queue, clinic.shelves().done), (0, 1))


@case("P-VIS-01", "P-UPL-08", nature=Nature.ATTACK, zh="非資料中心簽署之回覆：視同無連線")
def test_answer_that_is_not_the_data_centres_is_none(clinic: ClinicTester) -> None:
    """A visit that somebody else than the data centre answers for is served by what the card carries, as without a line."""
    clinic.software.line_is(["forged"] * 9)
    done = clinic.done("visit", lambda: clinic.software.visit("card", upload=False))
    clinic.equal("no identifier is taken from it", done.identifier, "")
    clinic.software.line_is([])
    clinic.software.later(61)
    clinic.done("upload", clinic.software.upload)
    told = [r[3] for r in clinic.requests("visit-identifier")]
    clinic.equal("it is told with the id that it had", set(told), {r[3] for r in clinic.requests("begin-visit")})


@case("P-VIS-01", nature=Nature.INVALID, zh="資料中心以代碼拒絕掛號")
def test_visit_that_the_data_centre_refuses_is_none(clinic: ClinicTester) -> None:
    """A visit that the data centre refuses has its code, and no record; the next one is served."""
    clinic.software.line_is(["refuses 9060"] * 8)
    clinic.equal("refused", clinic.act("visit", lambda: clinic.software.visit("card")).code, "9060")
    shelves = clinic.shelves()
    clinic.equal("records", (shelves.queue, shelves.done, shelves.refused), (0, 0, 0))
    clinic.equal("nothing is sent", clinic.requests("upload"), [])
    clinic.software.line_is([])
    clinic.done("visit", lambda: clinic.software.visit("card"))


@case("P-VIS-01", "P-UPL-02", "P-UPL-08", "P-CSW-08", nature=Nature.MEDIUM, zh="無連線：以卡片資料掛號，連線後上傳")
def test_visit_without_a_line_is_served_and_told_later(clinic: ClinicTester) -> None:
    """Without a line the card's own data decide; the record waits, and goes with the ids that it had, also after 24 hours."""
    clinic.software.line_is([], down=True)
    done = clinic.done("visit", lambda: clinic.software.visit("card"))
    clinic.equal("no identifier", done.identifier, "")
    clinic.equal("what waits", (clinic.shelves().queue, clinic.shelves().done), (1, 0))
    begun = [r[3] for r in clinic.requests("begin-visit")]
    clinic.software.line_is([])
    clinic.software.later(25 * 3600)
    clinic.done("upload", clinic.software.upload)
    clinic.equal("then", (clinic.shelves().queue, clinic.shelves().done), (0, 1))
    told = [r[3] for r in clinic.requests("visit-identifier")]
    clinic.expect("by the id that it had", bool(told) and set(told) == set(begun), "the same id", (begun, told))
    record = clinic.the_record()
    clinic.expect("with an identifier of its moment", len(record.get("identifier")) == 20)


def _troubles() -> dict[str, Each]:
    return {name: Each((role, code), f"Without {name.replace('-', ' ')}.")
            for name, role, code in (("a-card", "card", "B000"), ("a-security-module", "sam", "A030"))}


@case("P-VIS-04", nature=Nature.MEDIUM, zh="卡片無法讀取：仍予看診，紀錄帶異常代碼", each=_troubles)
def test_patient_whose_card_cannot_be_read_is_treated(clinic: ClinicTester, value: tuple[str, str]) -> None:
    """Who has no card that can be read is treated; the record carries the abnormal code of its cause in the number's place."""
    role, code = value
    clinic.software.take_out(role)
    done = clinic.done("visit", lambda: clinic.software.visit("card", upload=False))
    clinic.expect("a situation", done.abnormal != "", "an abnormal situation", done)
    clinic.equal("its record", clinic.shelves().queue, 1)
    clinic.software.put_back(role)
    clinic.done("upload", clinic.software.upload)
    record = clinic.the_record()
    clinic.equal("format and code", (record.get("format"), record.get("sequence")), ("B", code))
    clinic.equal("it counts", clinic.shelves().done, 1)


@case("P-VIS-03", nature=Nature.VALID, zh="代理人出示：紀錄其授權", when="virtual_cards and guardians")
def test_guardian_who_presents_a_wards_card_is_named(clinic: ClinicTester) -> None:
    """A guardian with a ward's card: the software says by whom for whom, and names the authorization to the data centre."""
    done = clinic.act("visit", lambda: clinic.software.visit("ward", upload=False))
    clinic.equal("code", done.code, "0")
    clinic.expect("by whom for whom", "000087654321" in done.for_whom and CARD_NO in done.for_whom, "by ... for ...",
                  done.for_whom)
    clinic.equal("the authorization", [r[7].get("authorization") for r in clinic.requests("begin-visit")],
                 [parents(clinic.world).cti])


@case("P-CRT-08", "P-VIS-03", nature=Nature.INVALID, zh="讀卡憑證逾期：重新取得", when="virtual_cards and guardians",
      each=lambda: {fate.replace(" ", "-") or "fetched": Each((fate, code), f"The answer is {fate or 'right'}.")
                    for fate, code in (("", "0"), ("lost", "0"), ("refuses 9130", "9130"), ("odd sam", "9015"),
                                       ("odd hpc", "9015"))})
def test_certificates_for_virtual_cards_are_fetched(clinic: ClinicTester, value: tuple[str, str]) -> None:
    """Certificates that wallets take are fetched once a day; what is refused, or is none, serves no visit, the former ones do."""
    fate, code = value
    clinic.certificates_over()
    clinic.software.line_is([fate] * (2 if fate == "lost" else 1))
    done = clinic.act("visit", lambda: clinic.software.visit("ward", upload=False))
    clinic.equal("code", done.code, code)
    asked = [r[2] for r in clinic.requests()]
    clinic.equal("asked first", asked[:1], ["reader-certificates"])
    clinic.equal("begun", asked.count("begin-visit"), int(code == "0"))
    clinic.equal("its record", clinic.shelves().queue, int(code == "0"))


@case("P-VIS-07", "P-VIS-01", nature=Nature.VALID, zh="電話掛號：查驗身分；無連線時先收")
def test_registration_by_telephone_is_checked(clinic: ClinicTester) -> None:
    """By telephone: a wrong birth date is 5020, nobody of that ID number 9012; without a line it is said (4061), not guessed."""
    holder = HOLDER.holder
    for id_no, birth_date, code in ((holder.id_no, holder.birth_roc, "0"), (holder.id_no, "0470705", "5020"),
                                    ("Z199999999", holder.birth_roc, "9012")):
        clinic.equal(f"{id_no} {birth_date}", clinic.act(
            "by telephone", partial(clinic.software.by_telephone, id_no, birth_date)).code, code)
    clinic.software.line_is([], down=True)
    clinic.equal("without a line", clinic.act(
        "by telephone", lambda: clinic.software.by_telephone(holder.id_no, holder.birth_roc)).code, "4061")
    clinic.equal("no visit was begun", clinic.requests("begin-visit"), [])


@case("P-VIS-01", "P-UPL-08", nature=Nature.INOPPORTUNE, zh="連續就醫：各有序號與識別碼，各上傳一次")
def test_each_visit_has_its_own_number(clinic: ClinicTester) -> None:
    """Visits of a day have a number and an identifier each, with a line and without one, and each is uploaded once."""
    numbers: list[str] = []
    for down in (False, True, True, False):
        clinic.software.line_is([], down=down)
        numbers.append(clinic.act("visit", lambda: clinic.software.visit("card")).sequence)
        clinic.software.later(61)
    clinic.done("upload", clinic.software.upload)
    clinic.equal("different numbers", len(set(numbers)), 4)
    records = clinic.records()
    clinic.equal("numbers of the records", sorted(r.get("sequence") for r in records), sorted(numbers))
    identifiers = {r.get("identifier") for r in records}
    clinic.equal("identifiers", (len(identifiers), {len(one) for one in identifiers}), (4, {20}))
    shelves = clinic.shelves()
    clinic.equal("all count", (shelves.queue, shelves.done, shelves.refused), (0, 4, 0))


@case("P-VIS-08", nature=Nature.VALID, zh="住院、住院期間及出院：就醫類別與費用", when="hospital")
def test_stay_has_its_visit_types_and_is_settled_at_its_end(clinic: ClinicTester) -> None:
    """Admission is a visit of type 05, discharge of type DC; the fees of the stay stand in the record that settles it."""
    stay = {"inpatient": 32_000, "inpatient_copay_short": 3_200}
    for kind, fees in (("05", None), ("DC", stay)):
        clinic.act(kind, partial(clinic.software.visit, "card", kind, fees=fees))
        clinic.software.later(60)
    found = [(r.get("visit_type"), r.get("inpatient_fee")) for r in clinic.records()]
    clinic.equal("types and fees", found, [("05", ""), ("DC", "32000")])
    clinic.equal("both count", clinic.shelves().done, 2)
