"""How each return code of the control software comes about: one case for every code that a function's page states, and for the
rest of the space. A case plays a call and gives the code that came; the tests compare, and hold the list to be whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from virtual_devices.clock import NS, roc_date7
from virtual_devices.cloud.core import Insurance
from virtual_devices.link import Attempt, Outcome
from virtual_devices.pki import DAY_NS, Role
from virtual_devices.reader.cshis import FUNCTIONS, Reply
from virtual_devices.reader.cshis.health import CONFIRM
from virtual_devices.reader.cshis.interface import Need
from virtual_devices.reader.cshis.pins import AGAIN, NEW, PUK
from virtual_devices.records import RECORDS

from . import desk as desks
from .control_desk import ControlDesk
from .cshis_story import (
    NEW_VISIT,
    OLD_VISIT,
    RECORDS_INSIDE,
    STORY,
    VISITS,
    WHEN,
    WHO,
    WOMAN,
    Scene,
    desk_of,
    with_doctor,
    with_visit,
)
from .desk import AUTHORITY, DOCTOR_ID, NOW_NS, SAM_ID
from .links import Silence, Through

Prepare = Callable[[ControlDesk], None]


class Says(Through):
    """A chip that answers commands which begin so with a status word of its own."""

    def __init__(self, inner: Any, sw: int, *begins: bytes) -> None:
        super().__init__(inner)
        self._sw, self._begins = sw.to_bytes(2, "big"), begins

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if message.startswith(self._begins):
            return Attempt(Outcome.REPLIED, 0, self._sw)
        return super().attempt(message, timeout_s)


class Writes(Through):
    """A card that fails where it is written to."""

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if message.startswith(b"\x80\xda"):
            return Attempt(Outcome.REPLIED, 0, b"\x65\x81")
        return super().attempt(message, timeout_s)


def says(role: str, sw: int, *begins: str) -> Prepare:
    def prepare(desk: ControlDesk) -> None:
        desk.links[role] = Says(desk.slots[role], sw, *(bytes.fromhex(begin) for begin in begins))

    return prepare


def out(role: str) -> Prepare:
    def prepare(desk: ControlDesk) -> None:
        desk.slots[role].device = None

    return prepare


def silent(role: str) -> Prepare:
    def prepare(desk: ControlDesk) -> None:
        desk.links[role] = Silence()

    return prepare


def wrong(role: str, other: str) -> Prepare:
    """Another kind of chip in the slot."""

    def prepare(desk: ControlDesk) -> None:
        desk.slots[role].device = desk.slots[other].device

    return prepare


def ready_then(*more: Prepare) -> Prepare:
    """The SAM authenticated first, then something goes wrong."""

    def prepare(desk: ControlDesk) -> None:
        assert desk.code("csVerifySAMDC") == "0"
        for one in more:
            one(desk)

    return prepare


def reader(**values: bool) -> Prepare:
    def prepare(desk: ControlDesk) -> None:
        for name, value in values.items():
            setattr(desk.software.reader, name, value)

    return prepare


def no_right(desk: ControlDesk) -> None:
    desk.software.rights = frozenset()


def no_clock(desk: ControlDesk) -> None:
    desk.software.reader.clock_works = False


def refuses_card(desk: ControlDesk) -> None:
    """The data centre has the card's certificate on its list."""
    desk.bench.cloud._revoked = frozenset({serial(desk.bench.card.authenticator._identity)})


def serial(identity: Any) -> int:
    from cryptography import x509

    return x509.load_der_x509_certificate(identity.chain[0]).serial_number


def people(**answers: str) -> Prepare:
    said = {"pin": "enter PIN", "new": NEW, "again": AGAIN, "puk": PUK, "confirm": CONFIRM}

    def prepare(desk: ControlDesk) -> None:
        desk.answers |= {said[name]: answer for name, answer in answers.items()}

    return prepare


def pharmacist() -> ControlDesk:
    desk = desk_of()
    desk.slots["hpc"].device = desks.hpc(AUTHORITY.issue(Role.PHARMACIST, DOCTOR_ID))
    assert desk.code("hpcVerifyHPCPIN") == "0"
    return desk


def hpc_with(**more: Any) -> ControlDesk:
    desk = desk_of()
    desk.slots["hpc"].device = desks.hpc(AUTHORITY.issue(Role.PHYSICIAN, DOCTOR_ID, **more))
    return desk


def revoked_hpc() -> ControlDesk:
    desk = desk_of()
    desk.bench.desk.revoked = frozenset({serial(desk.bench.hpc.authenticator._identity)})
    return desk


def insured(**values: Any) -> ControlDesk:
    desk = desk_of()
    change_person(desk, **values)
    return desk


def change_person(desk: ControlDesk, **values: Any) -> None:
    """Other facts about the card's holder at the data centre."""
    people = desk.bench.core.people
    person = people.get(desk.bench.card.card_no)
    assert person is not None
    people.put(replace(person, **values))


def both(*prepares: Prepare) -> Prepare:
    def prepare(desk: ControlDesk) -> None:
        for one in prepares:
            one(desk)

    return prepare


EXPIRED = {"expiry_date": roc_date7(NOW_NS - DAY_NS)}
SITUATIONS: dict[str, Prepare] = {
    "4012": out("sam"), "4013": out("card"), "4014": out("hpc"),
    "4032": wrong("sam", "card"), "4033": wrong("card", "hpc"), "4034": wrong("hpc", "card"),
    "4050": silent("cloud"), "4061": ready_then(silent("cloud")), "4071": refuses_card,
    "4029": says("card", 0x6982, "00B2", "80DA", "0020", "0026", "0024"),
    "5005": no_clock, "5006": ready_then(says("sam", 0x6A88, "00CA5F50")), "5067": ready_then(says("sam", 0x6A88, "00CA5F50")),
    "5008": ready_then(says("sam", 0x6F00, "002A9E9A")), "5009": no_right,
    "5015": says("card", 0x6F00, "00B2016D", "00B2016C"), "5016": says("card", 0x6F00, "00B20175", "00B20174"),
    "5017": says("card", 0x6F00, "00B2017D", "00B2017C"), "5018": says("card", 0x6F00, "00B20185", "00B20184"),
    **dict.fromkeys(("5007", "5023", "5028", "5033", "5051", "5057", "5061", "5068", "5071", "5078", "5087", "5093"),
                    lambda desk: desk.links.update(card=Writes(desk.slots["card"]))),
    "5102": people(pin="999999"), "5109": people(pin=""),
}
"""What goes wrong for any call."""


def _hpc_silent(name: str) -> bool:
    return FUNCTIONS[name].hc.value in ("none", "if_asked") and name.startswith(("hpc", "hisGetHPC"))


def _with_pin(name: str) -> ControlDesk:
    """The scene's desk, its card's holder with a PIN."""
    doctor = STORY[name].desk is with_doctor
    return with_doctor(pin="1234") if doctor else desk_of(pin="1234")


OTHER = {"pPatientID": b"A123456789\0"}
ROLL = {"pUnTreatDate": WHEN.encode() + b"\0"}


def _another_time(name: str) -> Scene:
    return Scene(STORY[name].desk, {**STORY[name].given, "pDateTime": b"1150302080001\0"})


def _implausible(code: str) -> Callable[[], ControlDesk]:
    """A visit of a year whose totals, or counters, could not be right."""
    year = {"roc_year": "115", "visit_count": "0003", **dict.fromkeys((
        "outpatient_fee_total", "inpatient_fee_total", "outpatient_copay_total", "inpatient_copay_short_total",
        "inpatient_copay_long_total", "all_copay_total", "outpatient_and_short_copay_total"), "00000900")}
    year |= dict.fromkeys(("outpatient_fee_total", "inpatient_fee_total"), "0000000900")
    fees = {"outpatient_fee": "00000450", "outpatient_copay": "00000050", "inpatient_fee": "00000100",
            "inpatient_copay_short": "0000010", "inpatient_copay_long": "0000010"}
    spoilt = {
        "5166": ("visit_count", "0000"), "5167": ("outpatient_copay_total", "00000049"),
        "5168": ("inpatient_copay_short_total", "00000009"), "5169": ("inpatient_copay_long_total", "00000009"),
        "5170": ("all_copay_total", "00000069"), "5171": ("outpatient_and_short_copay_total", "00000059"),
        "5172": ("outpatient_fee_total", "0000000449"), "5173": ("inpatient_fee_total", "0000000099"),
    }
    totals = {"outpatient_fee_grand_total": "0000000900", "inpatient_fee_grand_total": "0000000900"}
    if code == "5163":
        totals["inpatient_fee_grand_total"] = "0000000099"
    if code == "5164":
        totals["outpatient_fee_grand_total"] = "0000000449"
    if code in spoilt:
        name, value = spoilt[code]
        year[name] = value

    def make() -> ControlDesk:
        visit = RECORDS["visit_register"].pack({**VISITS[0], **fees, "visit_datetime": "1150302070000"})
        years = RECORDS["cumulative_year"].pack({"roc_year": b"?!x"} if code == "5165" else year)
        inside = {
            **RECORDS_INSIDE, "visit": (visit,), "cumulative_year": (years,),
            "cumulative_fee": (RECORDS["cumulative_fee"].pack(totals),),
        }
        last = {"5161": "1140001", "5162": "1150000"}.get(code, "1150001")
        desk = desk_of(records=inside, last_sequence=last)
        if code == "5160":
            card = desk.bench.card
            insurance = card.store["insurance"]
            card.store.commit({"insurance": insurance[:11] + b"?0" + insurance[13:]})
        return desk

    return make


def _rolled_back() -> ControlDesk:
    desk = with_visit()
    assert desk.code("csUnGetSeqNumber", **ROLL) == "0"
    return desk


def _later(desk: ControlDesk) -> ControlDesk:
    desk.bench.clock.advance_to(NOW_NS + 86_401 * NS)
    return desk


def _letters() -> ControlDesk:
    desk = desk_of()
    assert desk.code("hisGetSeqNumber256", **{**NEW_VISIT, "cTreatItem": b"AC\0"}) == "0"
    return desk


def _locked_hpc() -> ControlDesk:
    desk = desk_of()
    desk.answers |= {PUK: "99999999", NEW: "1357", AGAIN: "1357"}
    return desk


def _pin_set() -> ControlDesk:
    desk = desk_of(pin="1234")
    desk.slots["hpc"].device = None
    return desk


def _file(text: bytes | Exception) -> Callable[[], ControlDesk]:
    def make() -> ControlDesk:
        desk = desk_of()

        def read(path: str) -> bytes:
            if isinstance(text, Exception):
                raise text
            return text

        desk.software.files = read
        return desk

    return make


def _changed_cloud(code: str, operation: str) -> Callable[[], ControlDesk]:
    """The data centre answers one operation with a code of its own."""

    def make() -> ControlDesk:
        desk = STORY["csUploadData"].desk()
        desk.bench.cloud._operations[operation] = lambda *_: (code, {})
        return desk

    return make


def _set() -> ControlDesk:
    return STORY["csInputHCPIN"].desk()


def _prepared(desk: ControlDesk, *prepares: Prepare) -> ControlDesk:
    both(*prepares)(desk)
    return desk


def _care(kind: bytes, name: str, records: dict[str, tuple[bytes, ...]]) -> Scene:
    arguments = {"hisWriteHealthInsurance": {"pServiceItem": b"02\0", "pServiceItemCode": kind},
                 "hisWritePredeliveryCheckup": {"pCheckupCode": kind}}
    return Scene(lambda: desk_of(records=records), {**WHO, **arguments[name]})


_NO_CARE = {**RECORDS_INSIDE, "visit": RECORDS_INSIDE["visit"][:1]}
MAN = {"holder": desks.make_holder(desks.stream("tests", "holder"), desks.date(2026, 3, 2))}
HIS = {"pPatientID": MAN["holder"].id_no.encode() + b"\0", "pPatientBirthDate": MAN["holder"].birth_roc.encode() + b"\0"}
ONLINE = {"cTreatItem": b"05\0"}


def _seq(name: str) -> dict[str, Any]:
    return OLD_VISIT if name == "hisGetSeqNumber" else NEW_VISIT


def special(name: str, code: str) -> Scene | None:
    """The scene of a code that comes about in its own way; None when :data:`SITUATIONS` has it."""
    given = STORY[name].given
    if code in ("5001", "5002", "5003"):
        card: dict[str, Any] = {"5001": {"available_visits": 0}, "5002": {"cancelled": True}, "5003": EXPIRED}[code]
        return Scene(lambda: with_doctor(**card) if STORY[name].desk is with_doctor else desk_of(**card), given)
    if code == "5020":
        return Scene(STORY[name].desk, {**given, **OTHER})
    if code == "5022":
        return _another_time(name)
    if code.startswith("51") and "5160" <= code <= "5173":
        return Scene(_implausible(code), {"pUnTreatDate": b"1150302070000\0"})
    if code == "4050" and STORY[name].desk not in (desk_of,):
        return Scene(lambda: _prepared(_with_pin(name) if "PIN" in name else desk_of(), silent("cloud")), given)
    if code == "4033" and FUNCTIONS[name].hpc is Need.ABSENT:
        return Scene(lambda: _prepared(STORY[name].desk(), wrong("card", "sam")), {})
    if code in ("4061", "4071") and name.startswith("hisGetSeqNumber"):
        return Scene(lambda: _prepared(desk_of(), SITUATIONS[code]), {**given, **ONLINE})
    if code == "4042":
        return Scene(desk_of, given)
    if code in ("5102", "5109") and FUNCTIONS[name].hc.value == "pin_if_set":
        return Scene(lambda: _prepared(_with_pin(name), SITUATIONS[code]), given)
    if code == "9100":
        return Scene(pharmacist, given)
    return _SPECIAL.get((name, code)) or _BY_CODE.get(code, lambda _: None)(name)


_BY_CODE: dict[str, Callable[[str], Scene | None]] = {
    "5004": lambda name: Scene(
        lambda: _prepared(desk_of(), lambda desk: _newborn(desk)), {**_seq(name), "cBabyTreat": b"A\0"}
    ),
    "5010": lambda name: Scene(with_visit_before, _seq(name)),
    "5012": lambda name: Scene(lambda: insured(insurance=Insurance.NOT_INSURED), {**_seq(name), **ONLINE}),
    "9129": lambda name: Scene(lambda: insured(only_at="8801180014"), {**_seq(name), **ONLINE}),
    "5081": lambda name: Scene(lambda: desk_of(records={}), {**_seq(name), "cTreatItem": b"ZA\0"}),
    "5083": lambda name: _care(b"21\0" if name == "hisWriteHealthInsurance" else b"42\0", name, _NO_CARE),
    "5084": lambda name: _care(b"YB\0", name, RECORDS_INSIDE),
    "5082": lambda name: _care(b"XA\0", name, RECORDS_INSIDE),
    "5079": lambda name: Scene(lambda: desk_of(**MAN), {**STORY[name].given, **HIS}),
    "5056": lambda name: Scene(lambda: _prepared(desk_of(), says("hpc", 0x9000, "00CA005A")), STORY[name].given),
    "5105": lambda name: Scene(desk_of if name.startswith("hpc") else _pin_set, {}),
    "5107": lambda name: Scene(lambda: _prepared(STORY[name].desk(), people(again="1111")), {}),
    "5108": lambda name: Scene(lambda: _prepared(STORY[name].desk(), people(new="12", again="12")), {}),
    "5110": lambda _: Scene(lambda: desk_of(pin="1234"), {}),
    "5141": lambda name: Scene(lambda: _prepared(desk_of(), out("hpc")), STORY[name].given),
    "9127": lambda _: Scene(desk_of, {"IN": b"?\0"}),
    "6018": lambda name: Scene(STORY[name].desk, {**STORY[name].given, **_too_small(name)}),
    "5130": lambda name: Scene(lambda: _prepared(STORY[name].desk(), says("card", 0x6581, "80DA")), STORY[name].given),
}


def with_visit_before() -> ControlDesk:
    desk = with_visit()
    desk.bench.clock.advance_to(NOW_NS + 60 * NS)
    return desk


def _newborn(desk: ControlDesk) -> None:
    given = {**WHO, "pNewBornDate": b"1141201\0", "pNoOfDelivered": b"1\0"}
    assert desk.code("hisWriteNewBorn", **given) == "0"


def _too_small(name: str) -> dict[str, Any]:
    """An argument that does not fit: a buffer too small, a position or a count that does not exist."""
    function = FUNCTIONS[name]
    counters = [counter for argument in function.arguments if (counter := function.length_of(argument)) is not None]
    if counters:
        return {counters[0].name: 1}
    names = {argument.name for argument in function.arguments}
    wrong_values = {"iWriteCount": 61, "iNum": 4, "pDataWrite": b"x\0"}
    return {key: value for key, value in wrong_values.items() if key in names}


def _card_asked(kind: int) -> dict[str, Any]:
    return {"CardType": kind}


_SPECIAL: dict[tuple[str, str], Scene] = {
    ("csOpenCom", "-1"): Scene(STORY["csOpenCom"].desk, {"Comport": 7}),
    ("csCloseCom", "-1"): Scene(STORY["csOpenCom"].desk, {}),
    ("csGetDateTime", "4000"): Scene(lambda: _prepared(desk_of(), reader(answers=False)), {}),
    ("csGetCardNo", "4000"): Scene(lambda: _prepared(desk_of(), silent("card")), _card_asked(2)),
    ("csGetCardNo", "4012"): Scene(lambda: _prepared(desk_of(), out("sam")), _card_asked(1)),
    ("csGetCardNo", "4032"): Scene(lambda: _prepared(desk_of(), wrong("sam", "card")), _card_asked(1)),
    ("csGetCardNo", "4014"): Scene(lambda: _prepared(desk_of(), out("hpc")), _card_asked(3)),
    ("csGetCardNo", "4034"): Scene(lambda: _prepared(desk_of(), wrong("hpc", "card")), _card_asked(3)),
    ("hisWriteNewBorn", "5052"): Scene(desk_of, {**WHO, "pNewBornDate": b"1150220\0", "pNoOfDelivered": b"\0"}),
    ("hisWriteOrganDonate", "5062"): Scene(lambda: _prepared(desk_of(), people(confirm="no")),
                                           STORY["hisWriteOrganDonate"].given),
    ("csVerifyHCPIN", "5109"): Scene(lambda: _prepared(_pin_set(), people(pin="")), {}),
    ("csVerifyHCPIN", "5102"): Scene(lambda: _prepared(_pin_set(), people(pin="9999")), {}),
    ("csInputHCPIN", "5109"): Scene(lambda: _prepared(_set(), people(new="")), {}),
    ("hpcInputHPCPIN", "5109"): Scene(lambda: _prepared(STORY["hpcInputHPCPIN"].desk(), people(new="")), {}),
    ("hpcUnlockHPC", "5109"): Scene(lambda: _prepared(_locked_hpc(), people(puk="")), {}),
    ("hpcUnlockHPC", "5122"): Scene(_locked_hpc, {}),
    ("csDisableHCPIN", "5111"): Scene(lambda: _prepared(_set(), says("card", 0x6581, "0026")), {}),
    ("hpcVerifyHPCPIN", "9130"): Scene(revoked_hpc, {}),
    ("hpcVerifyHPCPIN", "9140"): Scene(lambda: hpc_with(days=(-800, -1)), {}),
    ("csUnGetSeqNumber", "5150"): Scene(desk_of, ROLL),
    ("csUnGetSeqNumber", "5151"): Scene(_letters, ROLL),
    ("csUnGetSeqNumber", "5152"): Scene(lambda: desk_of(records={"visit": (
        RECORDS["visit_register"].pack({**VISITS[0], "hospital_id": "8801180014", "visit_datetime": WHEN}),)}), ROLL),
    ("csUnGetSeqNumber", "5153"): Scene(_rolled_back, ROLL),
    ("csUnGetSeqNumber", "5154"): Scene(lambda: _later(with_visit()), ROLL),
    ("csGetHospID", "5006"): Scene(lambda: _prepared(desk_of(), says("sam", 0x6A88, "00CA5F50")), {}),
    ("csVerifySAMDC", "4061"): Scene(lambda: _prepared(desk_of(), silent("cloud")), {}),
    ("csVerifySAMDC", "4051"): Scene(_changed_cloud("9014", "verify-sam"), {}),
    ("csVerifySAMDC", "6005"): Scene(lambda: _prepared(desk_of(), says("sam", 0x63C2, "0082")), {}),
    ("csVerifySAMDC", "6006"): Scene(_changed_cloud("9020", "verify-sam"), {}),
    ("csVerifySAMDC", "6007"): Scene(lambda: _prepared(desk_of(), says("sam", 0x6F00, "002A9E9A", "012A9E9A")), {}),
    ("csVerifySAMDC", "6008"): Scene(
        lambda: _prepared(desk_of(), reader(clock_can_be_set=False)), {}),
    ("csUploadData", "6008"): Scene(
        lambda: _prepared(STORY["csUploadData"].desk(), ready_then(reader(clock_can_be_set=False))),
        STORY["csUploadData"].given),
    ("csUploadData", "6014"): Scene(_changed_cloud("9020", "upload-file"), STORY["csUploadData"].given),
    ("csUploadData", "6015"): Scene(_file(b"shorter"[:3]), STORY["csUploadData"].given),
    ("csUploadData", "6016"): Scene(_file(MemoryError()), STORY["csUploadData"].given),
    ("csUploadData", "6017"): Scene(_file(FileNotFoundError(2, "No such file")), STORY["csUploadData"].given),
}


def play(name: str, code: str) -> Reply:
    """The call of that name where its page's code comes about."""
    if code == "0":
        return STORY[name].play(name)
    if name == "hisGetCardStatus" and code == "4000":
        desk = _prepared(desk_of(), silent("card"))
        return desk.call(name, CardType=2)
    scene = special(name, code)
    if scene is not None:
        return scene.play(name)
    desk = STORY[name].desk()
    if code == "4000":
        (silent("hpc") if _hpc_silent(name) else silent("sam") if FUNCTIONS[name].hc.value == "none" else silent("card"))(desk)
    elif code == "4029" and name.startswith("hpc"):
        says("hpc", 0x6982, "0020", "002C", "0024", "0022")(desk)
    else:
        SITUATIONS[code](desk)
    return desk.call(name, **STORY[name].given)


_OWN = {"hisReadPrescriptMain": "5015", "hisReadPrescriptLongTerm": "5016", "hisReadPrescriptHVE": "5017",
        "hisReadPrescriptAllergic": "5018"}
NEVER: dict[tuple[str, str], str] = {
    **{(name, code): "the call reads one area, and only that one can fail"
       for name, own in _OWN.items() for code in _OWN.values() if code != own},
    ("hpcGetHPCStatus", "4014"): "an empty slot is what the call is asked for: Status is 0, and the code 0",
}
"""What a page states and this software cannot give, with the reason. Closed: the tests hold it to be short."""
__all__ = ["NEVER", "SAM_ID", "WOMAN", "play"]
