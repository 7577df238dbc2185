"""For every check code of every format an input that brings it about: what the completeness test carries out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from virtual_devices.clock import parse_roc
from virtual_devices.cloud.books import MemoryBooks
from virtual_devices.uploads.checking import check, check_file
from virtual_devices.uploads.document import Reading, Record
from virtual_devices.uploads.draft import Draft
from virtual_devices.uploads.effects import take
from virtual_devices.uploads.fields import Version
from virtual_devices.uploads.making import make
from virtual_devices.uploads.register import (
    IdentifierService,
    ItemKind,
    PersonEntry,
    ProfessionalEntry,
    TableRegister,
    Trade,
)
from virtual_devices.uploads.rules import Context
from virtual_devices.uploads.xml_reader import read
from virtual_devices.uploads.xml_writer import write

from .upload_visits import (
    CLINIC,
    CLINIC_SAM,
    DISPENSED,
    DOCTOR,
    HOSPITAL,
    PATIENT,
    PHARMACY,
    PHARMACY_SAM,
    REFILL_RELEASED,
    REGISTER,
    VACCINATED,
    VISIT,
    VISITED_AT,
    changed,
    changed_order,
    context,
    identified,
    institution,
)

V10, V20 = Version.V10, Version.V20
Result = set[str]
OLD, NEW = make(VISIT, V10), make(VISIT, V20)
SHOT_10, SHOT_20 = make(VACCINATED, V10), make(VACCINATED, V20)
PRESCRIBED, PHARMACYS = make(REFILL_RELEASED, V20), make(DISPENSED, V20)
AT_PHARMACY = {"institution": PHARMACY, "sam_id": PHARMACY_SAM}
MISS, BEFORE_20 = "MISS0000000000000000", "SM000000000000000000"
NEWBORN = {"newborn_mark": "a", "newborn_count": "1", "newborn_birth_date": "1150201"}
ABNORMAL = {"format": "B", "sam_id": None, "card_no": None, "signature": None, "sequence": "A000"}
CASES: dict[tuple[Version, str], Callable[[], Result]] = {}


def add(version: Version, code: str, case: Callable[[], Result]) -> None:
    assert (version, code) not in CASES, f"{code} twice"
    CASES[(version, code)] = case


def found(record: Record, where: Context) -> Result:
    return {one.code for one in check(record, where)}


def field(version: Version, code: str, /, *, base: Record | None = None, register: TableRegister = REGISTER,
          sender: dict[str, str] | None = None, earlier: tuple[Record, ...] = (), now: str = "", **values: str | None) -> None:
    """Another value of header or visit."""
    record = changed(base or (OLD if version is V10 else NEW), **values)
    add(version, code, lambda: found(record, _context(register, sender, earlier, now)))


def order(version: Version, code: str, index: int = 0, /, *, base: Record | None = None, register: TableRegister = REGISTER,
          sender: dict[str, str] | None = None, earlier: tuple[Record, ...] = (), now: str = "", **values: str | None) -> None:
    """Another value of an order."""
    record = changed_order(base or (OLD if version is V10 else NEW), index, **values)
    add(version, code, lambda: found(record, _context(register, sender, earlier, now)))


def _context(register: TableRegister, sender: dict[str, str] | None, earlier: tuple[Record, ...], now: str) -> Context:
    where = context(register, **(sender or {}), **({"uploaded_ns": parse_roc(now)} if now else {}))
    return after(where, *earlier)


def after(where: Context, *earlier: Record) -> Context:
    """The same context, with these records counted before, each from its own institution."""
    draft = Draft(MemoryBooks())
    for record in earlier:
        take(draft, record, replace(where, earlier=draft, institution=record.get("institution"), opcode="before"))
    return replace(where, earlier=draft)


def lists(**names: str) -> TableRegister:
    return replace(REGISTER, lists={name: frozenset(codes.split()) for name, codes in names.items()})


def raw(version: Version, code: str, spoil: Callable[[bytes], bytes]) -> None:
    """Spoilt bytes of a good file."""
    good = write([OLD if version is V10 else NEW])

    def case() -> Result:
        spoilt = spoil(good)
        assert spoilt != good, f"{code}: nothing spoilt"
        return {one.code for one in read(spoilt).findings}

    add(version, code, case)


def whole(code: str, version: Version, register: TableRegister = REGISTER, address: str = "", used_20: bool = False) -> None:
    """Asked of a file as such."""

    def case() -> Result:
        where = after(context(register, address=address), *((NEW,) if used_20 else ()))
        reading: Reading = read(write([OLD if version is V10 else NEW]))
        return {one.code for one in check_file(reading, where)}

    add(V20, code, case)  # the table has all three under 2.0


# -- form

for version in Version:
    raw(version, "Y002", lambda good: good[: good.index(b"<MSH>")] + good[good.index(b"</MSH>") + 6:])
    raw(version, "Y003", lambda good: good.replace(b"<MB1>", b"<MB1>text"))
    raw(version, "Y005", lambda good: good.replace(b"<MB>", b"").replace(b"</MB>", b""))
    raw(version, "Y006", lambda good: good.replace(b"</REC>", b""))
    raw(version, "Y007", lambda good: good.replace(b"</RECS>", b""))
    raw(version, "Y004", lambda good: good.replace(b"<MB1>", b"<MB1><name>x</name>"))
    raw(version, "AE", lambda good: good.replace(b"<MB1>", b"<MB1><Z99>x</Z99>"))


raw(V20, "Y001", lambda good: good.replace(b"<RECS>", b"<!DOCTYPE RECS><RECS>"))
raw(V20, "Y014", lambda good: good.replace(b"<H00>", b"<H00>\xff\xff"))
raw(V20, "Y015", lambda good: good + b"<RECS></RECS>")
whole("Y000", V10, used_20=True)
whole("Y011", V20, replace(REGISTER, institutions={CLINIC: institution(CLINIC, Trade.CLINIC, addresses=frozenset({"10.0.0.1"}))}),
      "10.0.0.2")
whole("Y016", V20, replace(REGISTER, institutions={CLINIC: institution(CLINIC, Trade.CLINIC, may_use_20=False)}))
field(V10, "Y008", visit_type=None)
field(V20, "Y008", dispensing_mode=None)

# -- both formats

for version in Version:
    field(version, "01", record_kind="7")
    field(version, "02", format="9" if version is V10 else "Z")
    field(version, "04", register=replace(REGISTER, verify_visit=lambda _: False))
    field(version, "05", birth_date="0650102")
    field(version, "06", register=replace(REGISTER, sams={CLINIC_SAM: HOSPITAL}))
    field(version, "07", institution=HOSPITAL)
    field(version, "08", institution="9999999999")
    field(version, "09", register=replace(
        REGISTER, institutions={CLINIC: institution(CLINIC, Trade.CLINIC, contract_to="1141231")}))
    order(version, "10", register=replace(REGISTER, items={}))
    order(version, "11", 1, register=replace(REGISTER, items={}))
    order(version, "12", 1, order_type="4", register=replace(REGISTER, items={ItemKind.DRUG: frozenset({"AC12345100"})}))
    field(version, "13", professional_id="C123456789")
    field(version, "14", register=replace(REGISTER, professionals={DOCTOR: ProfessionalEntry(DOCTOR, contract_to="1141231")}))
    field(version, "15", register=replace(REGISTER, diagnoses={}))
    field(version, "16", register=replace(REGISTER, verify_order=lambda *_: False))
    order(version, "19", item="R001")
    order(version, "AB", days="3x")
    field(version, "AC", sam_id="SAM1")
    field(version, "AD", recard_mark="9")
    field(version, "AD01", sequence="1501")
    order(version, "AD08", item="89001C", site="UR")
    order(version, "AD09", site="16")
    field(version, "AD13", visit_type="AC", sequence="0007")
    field(version, "AD14", visit_type="CA", sequence="0007")
    field(version, "AE01", visit_type="CA", sequence="A000")
    order(version, "AH", 1, quantity="0.0")
    field(version, "AH01", outpatient_fee="0")
    field(version, "AH02", visit_type="BB", outpatient_fee=None)
    field(version, "AH03", inpatient_fee="100")
    field(version, "AH04", visit_type="BB", inpatient_fee="5000")
    field(version, "AH05", diagnosis_1=None)
    field(version, "BB", **{**NEWBORN, "newborn_count": None})
    field(version, "BC", **{**NEWBORN, "newborn_birth_date": None})
    field(version, "BD", visited_at="1150303093000")
    order(version, "BE", order_visited_at="1150302093001")
    field(version, "BH", now="1150701090000")
    field(version, "C001", earlier=(OLD if version is V10 else NEW,))
field(V10, "AD02", format="2", sequence="0007", sam_id=None, card_no=None, signature=None)
field(V20, "AD02", **{**ABNORMAL, "sequence": "0007"})
field(V10, "BF", base=SHOT_10, birth_date="1150303")
field(V20, "BF", base=SHOT_20, birth_date="1150303")
field(V10, "BG", base=SHOT_10, vaccinated_on="0640101")
field(V20, "BG", **NEWBORN | {"newborn_birth_date": "0640101"})
field(V10, "C002", format="3", earlier=(OLD,))
field(V20, "C002", earlier=(NEW,), **ABNORMAL)

# -- 1.0

field(V10, "03", version="1.1")
field(V10, "AA", professional_id=None)
field(V10, "AF", vaccine="FLU")
order(V10, "AA01", days="0")
field(V10, "AD03", visit_type="ZB", diagnosis_1="6000")
for code, exam, service in (
    ("AD04", "11", "02"), ("AD05", "21", "01"), ("AD06", "31", "01"), ("AD07", "", "01"), ("AD15", "81", "01"),
    ("AD16", "91", "01"), ("AD17", "85", "01"), ("AD18", "95", "01"),
):
    field(V10, code, service_item=service, service_exam=exam or None)
order(V10, "AD10", order_mode="05")
order(V10, "AD11", order_type="2", order_mode="01")
order(V10, "AD12", 1, order_mode="01")
order(V10, "AG", days="93")
field(V10, "BA", **NEWBORN | {"newborn_mark": "b"})
field(V10, "BI", **NEWBORN | {"newborn_birth_date": "1141231"})
field(V10, "Y009", format="3")
field(V10, "Y010", format="4", sequence="A000", sam_id=None, card_no=None, signature=None)

# -- 2.0: one field, and fields of header and visit

field(V20, "AA", record_kind=None)
field(V20, "AA01", base=changed_order(NEW, 0, order_number="000"))
field(V20, "AA02", professional_id=None)
field(V20, "AA03", sequence=None)
order(V20, "AA04", quantity="0.0")
field(V20, "AF", **ABNORMAL | {"card_no": "000012345678"})
field(V20, "AF01", bed="12-3")
add(V20, "AG", lambda: found(replace(NEW, orders=NEW.orders[:1] * 501), context()))
field(V20, "AD42", benefit_type="Q")
field(V20, "BB01", **NEWBORN | {"newborn_count": "6"})
field(V20, "BB02", **NEWBORN | {"newborn_mark": "b"})
field(V20, "BD01", recard_mark="2", actual_at="1150303093000")
field(V20, "D000", base=changed_order(NEW, 0, order_type="X"))
field(V20, "D013", count_a="2")
field(V20, "17", register=replace(REGISTER, changed=frozenset({(CLINIC, PATIENT, VISITED_AT)})))
field(V20, "20", register=replace(REGISTER, diagnoses={"J00": "F"}))
field(V20, "22", earlier=(changed(NEW, institution=HOSPITAL),))
order(V20, "23", 1, order_type="G", item="R001", register=replace(REGISTER, items={}))
DESIGNATED = replace(REGISTER, people={PATIENT: PersonEntry(PATIENT, designated=HOSPITAL)})
field(V20, "AD19", visit_type="00")
field(V20, "AD20", register=DESIGNATED)
field(V20, "AD21", register=replace(REGISTER, people={PATIENT: PersonEntry(PATIENT, designated=CLINIC)}))
order(V20, "AD22", 1, order_type="J", item="K001")
field(V20, "AD23", base=PHARMACYS, sender=AT_PHARMACY, visit_type="01")
order(V20, "AD25", 1, item="FLU1", register=lists(influenza_service="FLU1"))
order(V20, "AD26", 1, item="FLUVAC", register=lists(influenza_vaccine="FLUVAC"))
order(V20, "AD39", 1, item="ONE1", quantity="2.0", register=lists(one_a_day="ONE1"))
order(V20, "AD40", 1, item="ONE1", quantity="2.0", register=lists(quantity_one="ONE1"))
field(V20, "AD41", diagnosis_2="U071")
field(V20, "AD43", bed="12-3", visit_type="05", register=replace(
    REGISTER, institutions={CLINIC: institution(CLINIC, Trade.HOSPITAL, beds=frozenset({"12-4"}))}))
field(V20, "AD44", **ABNORMAL | {"sequence": "IC09"})
field(V20, "AD48", base=changed_order(NEW, 1, item="ViT-COVID19"), **ABNORMAL | {"sequence": "Z000"})
field(V20, "AD64", **ABNORMAL | {"sequence": "HVIT"})
field(V20, "AD66", bed="12-HB", visit_type="05")
field(V20, "AD67", **ABNORMAL | {"sequence": "MSPT"})
order(V20, "AD68", 1, item="FIVE1", quantity="6.0", register=lists(quantity_to_five="FIVE1"))
field(V20, "AD71", sequence="ICC4")
order(V20, "AD72", 1, item="U1", register=lists(benefit_1_or_u="U1"))
field(V20, "D007", base=PHARMACYS, sender=AT_PHARMACY, original_at="1150302101501")
field(V20, "D020", recard_mark="2", **ABNORMAL | {"sequence": "G000"})
field(V20, "D042", register=replace(REGISTER, people={PATIENT: PersonEntry(PATIENT, insured=False)}), **ABNORMAL)
field(V20, "D055", recard_mark="3", **NEWBORN)
field(V20, "D059", base=PRESCRIBED, recard_mark="2")
field(V20, "D060", recard_mark="2", actual_at=VISITED_AT)
field(V20, "D066", service_class="15")
field(V20, "E010", **ABNORMAL | {"sequence": "FORE"})
field(V20, "Y012", base=replace(PHARMACYS, orders=()), sender=AT_PHARMACY)
field(V20, "Y013", visit_type="AI")

# -- 2.0: orders

order(V20, "D006", 1, order_type="G", item="R001")
order(V20, "D033", 1, base=changed(NEW, visit_type="CA", sequence=None), order_type="G", item="R001")
field(V20, "D011", dispensing_mode="2")
field(V20, "D036", dispensing_mode="1")
order(V20, "D027", order_type="M", order_mode="1")
order(V20, "D028", 1, order_number="001")
order(V20, "D029", route=None)
order(V20, "D040", days="91")
order(V20, "D041", days="4")
field(V20, "D044", dispensing_mode="1", days_supplied="0")
field(V20, "D045", dispensing_mode="2", days_supplied="0")
order(V20, "D047", order_mode="1")
field(V20, "D056", dispensing_mode="C", days_supplied="0")
order(V20, "D065", base=PHARMACYS, sender=AT_PHARMACY, note="X")

# -- 2.0: refills

field(V20, "D008", base=PRESCRIBED, refill_days="83", days_supplied="28")
field(V20, "D009", base=PRESCRIBED, refill_days="7")
CONTROLLED = {"controlled_refill_days": "84", "count_f": "3", "controlled_refill_issue": "0"}
field(V20, "D010", **CONTROLLED | {"controlled_refill_days": "7"})
field(V20, "D014", base=PRESCRIBED, count_c="5")
field(V20, "D015", count_c="3")
field(V20, "D017", **CONTROLLED | {"count_f": "5"})
field(V20, "D018", count_f="3")
field(V20, "D019", base=PHARMACYS, sender=AT_PHARMACY, earlier=(PRESCRIBED,), refill_issue="4")
field(V20, "D021", refill_issue="1")
field(V20, "D022", base=PHARMACYS, sender=AT_PHARMACY, earlier=(PRESCRIBED,), refill_issue="2")
field(V20, "D024", base=PHARMACYS, sender=AT_PHARMACY)
field(V20, "D043", base=PRESCRIBED, refill_issue="1")
field(V20, "D053", base=PHARMACYS, sender=AT_PHARMACY, format="C")
field(V20, "D062", count_b="1")
field(V20, "D064", count_a=None)
VOID, DELETE, RESTORE = (changed(PRESCRIBED, format=letter) for letter in "CDE")
OTHER_DISPENSING = changed(PHARMACYS, identifier="V0000000000000000003", institution=HOSPITAL, visited_at="1150302101600")
FIRST_BY_OTHER, SECOND_BY_OTHER = OTHER_DISPENSING, changed(OTHER_DISPENSING, refill_issue="2")
field(V20, "D001", base=DELETE)
field(V20, "D016", base=PRESCRIBED, earlier=(changed(OTHER_DISPENSING, refill_issue="3"),), count_c="2")
field(V20, "D023", base=PHARMACYS, sender=AT_PHARMACY, earlier=(PRESCRIBED, VOID))
field(V20, "D025", base=PHARMACYS, sender=AT_PHARMACY, earlier=(PRESCRIBED, FIRST_BY_OTHER))
field(V20, "D034", base=VOID, earlier=(PRESCRIBED, VOID))
field(V20, "D035", base=PHARMACYS, sender=AT_PHARMACY, earlier=(PRESCRIBED, PHARMACYS, SECOND_BY_OTHER), format="D")
field(V20, "D038", base=RESTORE, earlier=(PRESCRIBED,))
field(V20, "D039", base=DELETE, earlier=(PRESCRIBED, FIRST_BY_OTHER))
field(V20, "D063", base=PHARMACYS, sender=AT_PHARMACY, earlier=(PRESCRIBED, FIRST_BY_OTHER), format="D")
PRESCRIBED_F = changed_order(changed(PRESCRIBED, refill_days=None, count_c=None, refill_issue=None, **CONTROLLED), 0,
                             prescription_class="F")
DISPENSED_F = changed(PHARMACYS, refill_issue=None, controlled_refill_issue="1")
field(V20, "D073", base=DISPENSED_F, sender=AT_PHARMACY, earlier=(PRESCRIBED_F, changed(PRESCRIBED_F, format="C")))

# -- 2.0: identifiers

OTHER = "V0000000000000000009"
field(V20, "D002", identifier=OTHER)
field(V20, "D003", identifier=OTHER, register=identified((OTHER, "C123456789", CLINIC, VISITED_AT)))
field(V20, "D004", identifier=OTHER, register=identified((OTHER, PATIENT, HOSPITAL, VISITED_AT)))
field(V20, "D005", identifier=OTHER, register=identified((OTHER, PATIENT, CLINIC, "1150302093001")))
field(V20, "D032", base=PHARMACYS, sender=AT_PHARMACY, earlier=(PRESCRIBED,), original_sequence="0008")
field(V20, "D037", base=replace(NEW, orders=()), visit_type="AI", sequence=None)
field(V20, "D046", original_sequence="FORE")
PLAIN = {"refill_issue": None}
AGAIN_AF = identified((OTHER, PATIENT, PHARMACY, "1150302101400"))
field(V20, "D049", base=PHARMACYS, sender=AT_PHARMACY, **PLAIN)
field(V20, "D050", base=PHARMACYS, sender=AT_PHARMACY, original_identifier=OTHER, register=AGAIN_AF,
      earlier=(changed(PHARMACYS, identifier=OTHER, visited_at="1150302101400"),), **PLAIN)
field(V20, "D051", base=PHARMACYS, sender=AT_PHARMACY, original_institution=PHARMACY, **PLAIN)
field(V20, "D052", base=PHARMACYS, sender=AT_PHARMACY, original_identifier=OTHER, original_institution=PHARMACY,
      register=AGAIN_AF, earlier=(changed(PHARMACYS, identifier=OTHER, visited_at="1150302101400"),), **PLAIN)
field(V20, "D054", recard_mark="4", actual_identifier=OTHER)
field(V20, "D058", institution="350120G000")
field(V20, "D067", base=PHARMACYS, sender=AT_PHARMACY, **ABNORMAL | {"sequence": "ICND"})
field(V20, "D068", identifier=BEFORE_20)


def service(kind: IdentifierService) -> TableRegister:
    return identified((OTHER, PATIENT, CLINIC, VISITED_AT), **{OTHER: kind})


field(V20, "D069", identifier=OTHER, register=service(IdentifierService.NO_CARD))
field(V20, "D070", **ABNORMAL)
field(V20, "D071", identifier=OTHER, register=service(IdentifierService.LATER))
field(V20, "D072", recard_mark="2", actual_identifier=OTHER, register=service(IdentifierService.LATER))
field(V20, "D074", base=PHARMACYS, sender=AT_PHARMACY, original_identifier=OTHER)
DAY_BEFORE = identified((OTHER, PATIENT, CLINIC, "1150301093000"))
field(V20, "D075", identifier=OTHER, register=DAY_BEFORE, **ABNORMAL | {"sequence": "G000"})
field(V20, "D076", identifier=OTHER, register=DAY_BEFORE, visit_type="AC", sequence="IC21")

# -- 2.0: allergies

order(V20, "E001", 2, allergy_drugs=None)
order(V20, "E002", 2, allergy_action="D", withdrawal_reason="1")
order(V20, "E003", 2, allergy_ingredient="X1")
order(V20, "E004", 2, allergy_symptom=None)
order(V20, "E005", 2, allergy_source="99")
order(V20, "E006", 2, allergy_action="D")
order(V20, "E007", 2, allergy_action="D", withdrawal_reason="9")
order(V20, "E008", 2, allergy_ingredient="X1", allergy_drugs=None, register=lists(gene_test_ingredient="X1"))

# -- 2.0: antivirals, tests, deliveries

VIRAL = lists(antiviral="AV1", antiviral_here_only="AV2", covid_test="CT1", test_result="TR1", delivery="DEL1")
AV = changed_order(changed(NEW, days_supplied="5"), 0, item="AV1", days="5", usage="BID")
AV_AF = changed_order(PHARMACYS, 0, item="AV1", days="5", usage="BID")
field(V20, "AD49", base=AV_AF, sender=AT_PHARMACY, register=VIRAL, **ABNORMAL | {"sequence": "TM01"})
field(V20, "AD50", base=AV, register=VIRAL, visit_type="05", **ABNORMAL)
field(V20, "AD65", base=AV, register=VIRAL, **ABNORMAL | {"sequence": "TM01"})
order(V20, "AD51", base=AV_AF, sender=AT_PHARMACY, register=VIRAL, order_type="M")
order(V20, "AD52", base=changed(AV, visit_type="05"), register=VIRAL, order_type="M")
order(V20, "AD53", base=AV, register=VIRAL, order_mode="1")
order(V20, "AD54", base=AV_AF, sender=AT_PHARMACY, register=VIRAL, order_mode="0")
order(V20, "AD55", base=AV, register=lists(antiviral="AV1", antiviral_here_only="AV1"), order_mode="1")
order(V20, "AD56", base=AV, register=VIRAL, usage="TID")
order(V20, "AD57", base=AV, register=VIRAL, days="4")
order(V20, "AD58", base=changed(AV, visit_type="05"), register=VIRAL, days="6")
field(V20, "AD61", base=AV, register=VIRAL, visit_type="AG", sequence=None)
order(V20, "AD62", base=AV, register=VIRAL, order_type="2")
field(V20, "AD63", base=AV_AF, sender=AT_PHARMACY, register=VIRAL)
RESULT = changed_order(changed(replace(NEW, orders=NEW.orders[:1]), record_kind="5", visit_type="CA", sequence=None), 0,
                       item="TR1", order_type="G")
field(V20, "AD30", base=RESULT, register=VIRAL, earlier=(changed(RESULT, visited_at="1150302091500"),))
order(V20, "AD31", base=RESULT, register=VIRAL, order_type="1")
field(V20, "AD34", base=RESULT, register=VIRAL, now="1150304000000")
field(V20, "AD35", base=changed_order(NEW, 1, item="CT1"), register=VIRAL, **ABNORMAL)
add(V20, "AD36", lambda: found(replace(RESULT, orders=RESULT.orders * 2), context(VIRAL)))
field(V20, "AD37", base=changed_order(NEW, 1, item="CT1"), register=VIRAL, **ABNORMAL | {"sequence": "CV19"})
field(V20, "AD47", base=RESULT, register=VIRAL)
field(V20, "D057", base=RESULT, register=VIRAL, record_kind="1")
order(V20, "D061", base=RESULT, register=VIRAL, item="CT1")
field(V20, "E011", base=RESULT, register=VIRAL, **ABNORMAL)
field(V20, "E012", base=RESULT, register=VIRAL, visit_type="01")
BIRTH = changed_order(NEW, 1, item="DEL1", note="1")
UNINSURED = ABNORMAL | {"sequence": "ICND"}
order(V20, "BB03", 1, base=BIRTH, register=VIRAL, note=None)
field(V20, "BB04", base=BIRTH, register=VIRAL, **UNINSURED)
order(V20, "BB05", 1, base=BIRTH, register=VIRAL, note="1A223456789")
field(V20, "BB06", base=changed_order(BIRTH, 1, note="1A223456789"), register=VIRAL, **UNINSURED)
field(V20, "BB07", register=VIRAL, **UNINSURED)
field(V20, "BB08", base=BIRTH, register=VIRAL, **UNINSURED)
field(V20, "C003", base=BIRTH, register=VIRAL, earlier=(changed(BIRTH, visited_at="1150201093000", identifier=OTHER),))
add(V20, "C004", lambda: found(replace(BIRTH, orders=(BIRTH.orders[1], BIRTH.orders[1])), context(VIRAL)))
