"""Who reads which area of a patient card: by what has proved itself, by the holder's PIN, by what stands on the card's face."""

from __future__ import annotations

from conformance.case import Nature, case
from conformance.chips import MadeUp
from conformance.kinds.card import PUBLIC, WHEN, CardTester, entry
from virtual_devices.apdu import Command
from virtual_devices.authentication import Party
from virtual_devices.card.areas import AREAS, BY_NAME, Access
from virtual_devices.pki import Role

PIN = "246810"
_LOCKED = MadeUp(personal={"pin": PIN})
_IDENTITY = 0x82


def _reads(card: CardTester, *access: Access, without: tuple[str, ...] = (), denied: tuple[str, ...] = ()) -> None:
    """Areas of these kinds are read, each record of the length of the layout; all others are refused."""
    for area in AREAS:
        answer = card.ask(card.area(area.name), area.name)
        if area.name in denied:
            card.word(answer, 0x9700, area.name)
        elif area.access in access and area.name not in without:
            card.word(answer, 0x9000, area.name)
            card.equal(f"bytes of {area.name}", len(answer.data), area.record_bytes)
        else:
            card.word(answer, 0x6982, area.name)


@case("P-ICC-11", nature=Nature.ATTACK, zh="無人證明身分：僅公開者可讀", destructive=True)
def test_nobody_reads_what_is_public_alone(card: CardTester) -> None:
    """Without a proof only what everybody may read is read."""
    card.insert()
    _reads(card, Access.ALWAYS)


@case("P-ICC-11", nature=Nature.VALID, zh="安全模組：基本、電話；未設密碼者另可讀保險資料", destructive=True)
def test_sam_reads_all_but_medical_areas(card: CardTester) -> None:
    """A SAM reads everything but the medical areas of a card whose holder has no PIN."""
    card.at_desk()
    _reads(card, Access.ALWAYS, Access.SAM, Access.HOLDER)


@case("P-ICC-11", nature=Nature.ATTACK, zh="設有密碼而未驗證：僅基本資料與電話", destructive=True)
def test_holders_pin_keeps_areas(card: CardTester) -> None:
    """With the PIN switched on and not entered, SAM and physician read basic data and telephone alone."""
    card.at_desk(_LOCKED, professional=Role.PHYSICIAN)
    _reads(card, Access.ALWAYS, Access.SAM)


@case("P-ICC-11", nature=Nature.VALID, zh="醫師卡：全部可讀", destructive=True)
def test_physician_reads_everything(card: CardTester) -> None:
    """A physician reads everything, once the PIN has been entered where there is one."""
    for made_up in (MadeUp(), _LOCKED):
        card.at_desk(made_up, professional=Role.PHYSICIAN)
        if made_up is _LOCKED:
            card.must(card.pin(PIN), "PIN")
        _reads(card, *Access)


@case("P-ICC-11", nature=Nature.VALID, zh="密碼驗證後，無醫事人員卡：不及醫療專區", destructive=True)
def test_pin_alone_opens_no_medical_area(card: CardTester) -> None:
    """The PIN entered, and no professional's card: no medical area."""
    card.at_desk(_LOCKED)
    card.must(card.pin(PIN), "PIN")
    _reads(card, Access.ALWAYS, Access.SAM, Access.HOLDER)


@case("P-ICC-12", nature=Nature.INVALID, zh="藥師卡：重大傷病與重要醫令不得讀（9700）", destructive=True)
def test_pharmacist_is_denied_two_areas(card: CardTester) -> None:
    """A pharmacist reads neither critical illness nor key orders, and everything else."""
    card.at_desk(professional=Role.PHARMACIST)
    _reads(card, *Access, denied=("critical_illness", "key_order"))


@case("P-ICC-12", nature=Nature.INVALID, zh="藥師卡：僅見藥品醫令", destructive=True)
def test_pharmacist_sees_orders_of_drugs_alone(card: CardTester) -> None:
    """Of the prescriptions a pharmacist sees order types 1, 2, A and B, a nurse all; others are blank."""
    entries = tuple(entry(WHEN, order_type, number) for number, order_type in enumerate("12345AB"))
    made_up = MadeUp(personal={"records": {"outpatient_rx": entries}})
    for role in (Role.PHARMACIST, Role.NURSE):
        card.at_desk(made_up, professional=role)
        for number, one in enumerate(entries, start=1):
            seen = role is not Role.PHARMACIST or one[13:14] in b"12AB"
            card.holds("outpatient_rx", one if seen else b" " * len(one), number)


@case("P-ICC-08", "P-ICC-11", nature=Nature.VALID, zh="核對身分證號與生日：不需密碼即可讀重大傷病", destructive=True)
def test_identity_opens_critical_illness_without_the_pin(card: CardTester) -> None:
    """ID number and birth date, compared before a proved SAM, open the critical illness marks of a card with a PIN, and nothing
    else; wrong ones close them again."""
    card.at_desk(_LOCKED, professional=Role.PHYSICIAN)
    own = card.identity()
    card.says(Command(0, 0x20, 0, _IDENTITY, own), 0x9000, "identity")
    for name in ("critical_illness", "critical_illness_period"):
        card.says(card.area(name), 0x9000, name)
    for name in ("visit", "diagnosis", "key_order"):
        card.says(card.area(name), 0x6982, name)
    for wrong in (b"Z" + own[1:], own[:-1] + b"9", own[:16], own + b"0", b""):
        card.must(Command(0, 0x20, 0, _IDENTITY, own), "identity")
        card.says(Command(0, 0x20, 0, _IDENTITY, wrong), 0x9420, f"identity of {len(wrong)} bytes")
        card.says(card.area("critical_illness"), 0x6982, "critical illness after a wrong one")
    card.reset()
    card.prove(Party.SAM)
    card.says(Command(0, 0x20, 0, _IDENTITY, own), 0x9000, "identity before a SAM alone")
    card.says(card.area("critical_illness_period"), 0x9000, "critical illness periods before a SAM alone")
    card.reset()
    card.prove(Party.SAM)
    card.says(card.area("critical_illness_period"), 0x6982, "critical illness after a reset")


@case("P-ICC-08", nature=Nature.INOPPORTUNE, zh="無安全模組之身分核對：6982", destructive=True)
def test_identity_needs_a_sam(card: CardTester) -> None:
    """Before a SAM has proved itself nobody learns whether an identity is right; and P1 is 00."""
    card.insert(_LOCKED)
    own = card.identity()
    for identity in (own, b"Z" + own[1:]):
        card.says(Command(0, 0x20, 0, _IDENTITY, identity), 0x6982, "identity")
    card.prove(Party.HPC)
    card.says(Command(0, 0x20, 0, _IDENTITY, own), 0x6982, "identity before a professional's card alone")
    card.prove(Party.SAM)
    card.says(Command(0, 0x20, 1, _IDENTITY, own), 0x6982, "identity with P1 01")
    card.says(card.area("critical_illness_period"), 0x6982, "critical illness")


@case("P-ICC-04", nature=Nature.LIMIT, zh="記錄號碼：首筆與末筆可讀，其外 6A83", destructive=True)
def test_records_end_where_the_layout_ends(card: CardTester) -> None:
    """The first and the last record of each area are read, the ones outside refused; from the last one on there is one."""
    card.at_desk(professional=Role.PHYSICIAN)
    for area in AREAS:
        for number, word in ((0, 0x6A83), (1, 0x9000), (area.count, 0x9000), (area.count + 1, 0x6A83)):
            card.says(Command(0, 0xB2, number, area.sfi << 3 | 4, le=area.record_bytes), word, f"{area.name} {number}")
        last = card.ask(card.area(area.name, area.count, all_from=True), f"{area.name} from the last on")
        card.equal(f"bytes of {area.name} from the last on", (last.sw, len(last.data)), (0x9000, area.record_bytes))


@case("P-ICC-04", nature=Nature.VALID, zh="各區內容與卡面資料一致", destructive=True)
def test_areas_agree_with_the_public_data(card: CardTester) -> None:
    """Basic data and registration begin with the public data; register2 and the illness periods are parts of others."""
    illness = tuple(b"%-9s" % f"M{n}".encode() + b"11501011191231" for n in range(3))
    card.at_desk(MadeUp(personal={"records": {"critical_illness": illness}}), professional=Role.PHYSICIAN)
    public = card.must(PUBLIC, "public data")
    public = public[:12] + public[12:32].rstrip(b"\0 ").ljust(20) + public[32:]
    for name in ("basic", "register"):
        card.equal(f"{name} begins with the public data", card.must(card.area(name), name)[: len(public)], public)
    card.holds("register2", card.must(card.area("register"), "register")[61:70])
    for number, one in enumerate(illness, start=1):
        card.holds("critical_illness", one, number)
        card.holds("critical_illness_period", one[9:], number)


@case("P-COS-05", "P-ICC-11", nature=Nature.INOPPORTUNE, zh="重置後，安全模組、醫事人員卡、密碼皆須重來", destructive=True)
def test_reset_closes_every_area(card: CardTester) -> None:
    """After a reset nothing is proved and no PIN is verified."""
    card.at_desk(_LOCKED, professional=Role.PHYSICIAN)
    card.must(card.pin(PIN), "PIN")
    card.says(card.area("diagnosis"), 0x9000, "diagnosis")
    card.reset()
    _reads(card, Access.ALWAYS)
    card.prove(Party.SAM)
    card.prove(Party.HPC)
    _reads(card, Access.ALWAYS, Access.SAM)
    card.equal("areas of the layout", len(BY_NAME), len(AREAS))
