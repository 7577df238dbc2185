"""What a patient card takes besides visits: newborn mark, allergies, organ donation, telephone, preventive and prenatal care,
vaccinations; and the data centre's update."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from conformance.case import Each, Nature, case
from conformance.chips import USUAL, MadeUp, identity_of
from conformance.kinds.card import THIS_YEAR, WHEN, CardTester, at
from conformance.vectors.suite import flipped
from conformance.vectors.world import CARD_NO, INSTITUTION, NOW_NS, World
from virtual_devices import pki, tlv
from virtual_devices.authentication import Party
from virtual_devices.card import writes
from virtual_devices.card.entries import (
    ALLERGY,
    CLEAR_PRENATAL,
    DONATION,
    EXAM,
    MARK_BYTES,
    NEWBORN_ENTRY,
    ORGAN,
    PHONE,
    PRENATAL,
    PREVENTIVE,
    SERVICE,
    SLOT,
    TELEPHONE,
    VACCINATION,
    VACCINE,
)
from virtual_devices.card.holder import Holder
from virtual_devices.card.writes import HOSPITAL, NOW
from virtual_devices.pki import DAY_NS, Role

_Entry = tuple[int, tuple[tuple[int, bytes | str], ...]]
"""Tag and contents of an act, without the holder."""
_AREAS = ("register", "allergy", "organ_donation", "preventive", "prenatal", "emergency_tel", "inoculation")
_OTHER = "8888888888"
_HERE, _AT = (HOSPITAL, INSTITUTION), (NOW, WHEN)
_DRUG = b"%-40s" % b"PENICILLIN"


def _woman(world: World) -> Holder:
    person = world.holder
    return Holder("林小美", "A223456781", person.birth_date, "F")


def _made_up(card: CardTester, **personal: object) -> MadeUp:
    return MadeUp(personal={"holder": _woman(card.world), "available_visits": 9, **personal})


def _at_desk(card: CardTester, *, role: Role | None = Role.PHYSICIAN, **personal: object) -> None:
    card.at_desk(_made_up(card, **personal), professional=role)


def _with_visit(card: CardTester, kind: str = "AC") -> None:
    _at_desk(card)
    card.must(card.put(card.issue(kind=kind)), "visit")


@case("P-ACT-10", nature=Nature.VALID, zh="新生兒註記、過敏、器官捐贈、電話、疫苗：寫入後可讀回", destructive=True)
def test_entries_are_written_and_read(card: CardTester) -> None:
    """Newborn mark, allergies, organ donation, telephone and vaccination stand where they belong."""
    _at_desk(card)
    card.says(card.put(card.other(NEWBORN_ENTRY, (MARK_BYTES, f"{WHEN[:7]}2"))), 0x9000, "newborn mark")
    card.equal("newborn mark", card.must(card.area("register"), "register")[-8:], f"{WHEN[:7]}2".encode())
    card.says(card.put(card.other(NEWBORN_ENTRY, (MARK_BYTES, " " * 8))), 0x9000, "newborn mark cleared")
    card.equal("newborn mark", card.must(card.area("register"), "register")[-8:], b" " * 8)
    card.says(card.put(card.other(ALLERGY, *((SLOT, bytes([n]) + _DRUG) for n in (1, 2, 3)))), 0x9000, "three allergies")
    card.equal("allergies", card.records("allergy"), [_DRUG] * 3)
    card.says(card.put(card.other(ORGAN, (DONATION, "A"))), 0x9000, "organ donation")
    card.holds("organ_donation", b"A")
    card.says(card.put(card.other(TELEPHONE, (PHONE, "0287654321    "), _AT)), 0x9000, "telephone")
    card.holds("emergency_tel", b"0287654321    ")
    card.says(card.put(card.other(VACCINATION, (VACCINE, "FLU001LOT000000001"), _HERE, _AT)), 0x9000, "vaccination")
    card.holds("inoculation", f"FLU001{WHEN[:7]}{INSTITUTION}LOT000000001".encode())


def _every_entry() -> Mapping[str, _Entry]:
    return {
        "newborn": (NEWBORN_ENTRY, ((MARK_BYTES, f"{WHEN[:7]}1"),)), "allergy": (ALLERGY, ((SLOT, b"\x01" + _DRUG),)),
        "organ-donation": (ORGAN, ((DONATION, "A"),)), "preventive": (PREVENTIVE, ((SERVICE, "0121"), _HERE, _AT)),
        "telephone": (TELEPHONE, ((PHONE, "0287654321    "), _AT)), "prenatal": (PRENATAL, ((EXAM, "41"), _HERE, _AT)),
        "clear-prenatal": (CLEAR_PRENATAL, ()), "vaccination": (VACCINATION, ((VACCINE, "FLU001LOT000000001"), _HERE, _AT)),
    }


@case("P-ACT-10", nature=Nature.ATTACK, zh="寫給他人：9420", destructive=True,
      each=lambda: {name: Each(value) for name, value in _every_entry().items()})
def test_entry_of_another_person_is_refused(card: CardTester, entry: _Entry) -> None:
    """An entry that names another person is refused, the right one taken."""
    _with_visit(card)
    tag, contents = entry
    own = card.identity()
    for other in (b"Z" + own[1:], own[:10] + b"0010101"):
        card.refuses(card.other(tag, *contents, who=other), 0x9420, "another person", *_AREAS)
    card.says(card.put(card.other(tag, *contents)), 0x9000, "the right one")


@case("P-ACT-01", "P-ACT-10", nature=Nature.INVALID, zh="缺少欄位之註記：6A80", destructive=True,
      each=lambda: {name: Each(value) for name, value in _every_entry().items() if name != "clear-prenatal"})
def test_entry_without_its_fields_is_refused(card: CardTester, entry: _Entry) -> None:
    """An entry that lacks any of its fields is refused."""
    _with_visit(card)
    tag, contents = entry
    for gone in range(len(contents)):
        card.refuses(card.other(tag, *contents[:gone], *contents[gone + 1 :]), 0x6A80, f"without field {gone}", *_AREAS)
    card.refuses(tlv.encode(tag, tlv.encode_all((t, v.encode() if isinstance(v, str) else v) for t, v in contents)), 0x6A80,
                 "without the holder", *_AREAS)


@case("P-ACT-01", nature=Nature.INVALID, zh="不認識之動作：6A80", destructive=True)
def test_unknown_entry_is_refused(card: CardTester) -> None:
    """An act that there is not is refused."""
    _at_desk(card)
    card.refuses(card.other(0xEF), 0x6A80, "act EF", *_AREAS)


_DATED = ("preventive", "telephone", "prenatal", "vaccination")


@case("P-ACT-10", nature=Nature.LIMIT, zh="註銷 9402、逾期 9403；到期日當日仍可", destructive=True,
      each=lambda: {name: Each(_every_entry()[name]) for name in _DATED})
def test_entry_on_a_card_not_in_force_is_refused(card: CardTester, entry: _Entry) -> None:
    """An entry with a date-time is refused on a card cancelled or expired, not on its last day; and at no moment."""
    tag, contents = entry
    visit = (f"AC {WHEN}10000{INSTITUTION}".encode() + b" " * 38,)
    for personal, word in (({"cancelled": True}, 0x9402), ({"expiry_date": at(-86_400)[:7]}, 0x9403),
                           ({"expiry_date": at(0)[:7]}, 0x9000)):
        _at_desk(card, records={"visit": visit}, **personal)
        card.says(card.put(card.other(tag, *contents)), word, f"on a card {personal}")
    wrong = [(NOW, "1150230080000") if each[0] == NOW else each for each in contents]
    card.refuses(card.other(tag, *wrong), 0x6A80, "at no moment", *_AREAS)


@case("P-ACT-03", nature=Nature.ATTACK, zh="不得以他院名義註記：6982", destructive=True,
      each=lambda: {name: Each(_every_entry()[name]) for name in ("preventive", "prenatal", "vaccination")})
def test_entry_in_anothers_name_is_refused(card: CardTester, entry: _Entry) -> None:
    """An entry in another institution's name is refused."""
    _with_visit(card)
    tag, contents = entry
    wrong = [(HOSPITAL, _OTHER) if each[0] == HOSPITAL else each for each in contents]
    card.refuses(card.other(tag, *wrong), 0x6982, "another institution", *_AREAS)


@case("P-ACT-10", nature=Nature.INVALID, zh="新生兒註記：日期不存在 6A80、胎次非數字 9452", destructive=True)
def test_newborn_mark_that_is_none_is_refused(card: CardTester) -> None:
    """A newborn mark with no such date is refused by 6A80, with an order of birth that is no digit by 9452."""
    _at_desk(card)
    for mark, word in (("11513321", 0x6A80), (f"{WHEN[:7]}x", 0x9452), (f"{WHEN[:7]} ", 0x9452), ("       1", 0x6A80)):
        card.refuses(card.other(NEWBORN_ENTRY, (MARK_BYTES, mark)), word, f"mark {mark!r}", *_AREAS)


@case("P-ACT-10", nature=Nature.INVALID, zh="過敏藥物：須醫事人員卡，藥師不得寫（9700）", destructive=True)
def test_allergies_are_a_physicians(card: CardTester) -> None:
    """Allergies need a professional's card that is no pharmacist's."""
    allergy = (SLOT, b"\x01" + _DRUG)
    for role, word in ((None, 0x6982), (Role.PHARMACIST, 0x9700), (Role.NURSE, 0x9000)):
        _at_desk(card, role=role)
        card.says(card.put(card.other(ALLERGY, allergy)), word, "an allergy")


@case("P-ACT-10", nature=Nature.LIMIT, zh="過敏藥物：一至三筆，欄次 1 至 3", destructive=True, each=lambda: {
    "none": Each(((), 0x6A80)), "four": Each(((1, 2, 3, 3), 0x6A80)), "slot-0": Each(((0,), 0x6A80)),
    "slot-4": Each(((4,), 0x6A80)),
    "slot-1": Each(((1,), 0x9000)), "slot-3": Each(((3,), 0x9000)), "three": Each(((1, 2, 3), 0x9000)),
})
def test_allergies_have_three_places(card: CardTester, tried: tuple[tuple[int, ...], int]) -> None:
    """One to three allergies, in the places 1 to 3."""
    places, word = tried
    _at_desk(card)
    card.says(card.put(card.other(ALLERGY, *((SLOT, bytes([n]) + _DRUG) for n in places))), word, f"allergies in {places}")


# -- preventive and prenatal care

_CARE: Mapping[str, tuple[int, int, str, str, str, int, int]] = {
    "preventive": (PREVENTIVE, SERVICE, "0121", "01YA", "01--", 0x9484, 0x9468),
    "prenatal": (PRENATAL, EXAM, "41", "XA", "--", 0x9482, 0x9478),
}
"""Act, field, a service, what takes it back, what is none; the words for nothing to take back and for what is none."""
_Care = tuple[int, int, str, str, str, int, int]


def _each_care() -> Mapping[str, Each]:
    return {name: Each((name, values)) for name, values in _CARE.items()}


@case("P-ACT-11", nature=Nature.VALID, zh="預防保健、產檢：寫入與取消", destructive=True, each=_each_care)
def test_care_is_written_and_taken_back(card: CardTester, care: tuple[str, _Care]) -> None:
    """Care is written at a visit for it, and the newest entry taken back within 24 hours, and only once."""
    name, (tag, field, service, back, _, none, _) = care
    _with_visit(card)
    for number in range(2):
        card.says(card.put(card.other(tag, (field, service), _HERE, (NOW, at(number)))), 0x9000, f"entry {number}")
    card.equal("entries", [bool(one.strip()) for one in card.records(name)][:3], [True, True, False])
    card.says(card.put(card.other(tag, (field, back), _HERE, (NOW, at(86_401)))), 0x9000, "take back after 24 hours")
    card.equal("entries", [bool(one.strip()) for one in card.records(name)][:3], [True, False, False])
    card.refuses(card.other(tag, (field, back), _HERE, (NOW, at(86_401))), none, "take back the first, too late", *_AREAS)
    card.says(card.put(card.other(tag, (field, back), _HERE, (NOW, at(86_400)))), 0x9000, "take back the first, just in time")
    card.refuses(card.other(tag, (field, back), _HERE, _AT), none, "once more", *_AREAS)


@case("P-ACT-11", nature=Nature.INVALID, zh="服務代碼不成立", destructive=True, each=_each_care)
def test_care_by_a_wrong_code_is_refused(card: CardTester, care: tuple[str, _Care]) -> None:
    """A code that is none is refused by its own word."""
    _, (tag, field, _, _, wrong, _, word) = care
    _with_visit(card)
    card.refuses(card.other(tag, (field, wrong), _HERE, _AT), word, "a code that is none", *_AREAS)


@case("P-ACT-11", nature=Nature.INOPPORTUNE, zh="須有 AC 就醫（9483）及可用次數（9401）", destructive=True, each=_each_care)
def test_care_needs_its_visit(card: CardTester, care: tuple[str, _Care]) -> None:
    """Without a visit for care among those that stand nothing is written, nor without visits left."""
    _, (tag, field, service, _, _, _, _) = care
    act = ((field, service), _HERE, _AT)
    _with_visit(card, kind="01")
    card.refuses(card.other(tag, *act), 0x9483, "at another visit", *_AREAS)
    _at_desk(card, available_visits=0)
    card.must(card.put(card.issue(kind="AC")), "visit")
    card.refuses(card.other(tag, *act), 0x9401, "without visits left", *_AREAS)
    visit = (f"AC {WHEN}10000{INSTITUTION}".encode() + b" " * 38,)
    card.at_desk(replace(_made_up(card, records={"visit": visit}), cells={"rolled_back.0": b"\x01"}), professional=Role.PHYSICIAN)
    card.refuses(card.other(tag, *act), 0x9483, "at a visit taken back", *_AREAS)


@case("P-ACT-11", nature=Nature.ATTACK, zh="不得取消他院之紀錄", destructive=True, each=_each_care)
def test_care_of_another_institution_is_not_taken_back(card: CardTester, care: tuple[str, _Care]) -> None:
    """Another institution's entry is not taken back, nor one of later."""
    name, (tag, field, service, back, _, none, _) = care
    foreign = f"01{WHEN[:7]}{_OTHER}21" if name == "preventive" else f"{WHEN[:7]}{_OTHER}41"
    card.at_desk(replace(_made_up(card, records={name: (foreign.encode(),)}), cells={f"{name}_at.0": WHEN.encode()}),
                 professional=Role.PHYSICIAN)
    card.refuses(card.other(tag, (field, back), _HERE, (NOW, at(60))), none, "another institution's", *_AREAS)
    _with_visit(card)
    card.must(card.put(card.other(tag, (field, service), _HERE, (NOW, at(10)))), "an entry")
    card.refuses(card.other(tag, (field, back), _HERE, (NOW, at(9))), none, "before it was written", *_AREAS)


@case("P-ACT-11", nature=Nature.INVALID, zh="男性無產檢：9479；全部清除", destructive=True)
def test_prenatal_care_is_a_womans(card: CardTester) -> None:
    """On a man's card prenatal care is neither written nor cleared; on a woman's clearing leaves none."""
    examination = ((EXAM, "41"), _HERE, _AT)
    card.at_desk()
    card.must(card.put(card.issue(kind="AC")), "visit")
    card.refuses(card.other(PRENATAL, *examination), 0x9479, "examination")
    card.refuses(card.other(CLEAR_PRENATAL), 0x9479, "clear")
    _with_visit(card)
    card.must(card.put(card.other(PRENATAL, *examination)), "examination")
    card.says(card.put(card.other(CLEAR_PRENATAL)), 0x9000, "clear")
    card.equal("entries", b"".join(card.records("prenatal")).strip(), b"")


# -- the data centre's update

_CONTENT = f"1013{int(THIS_YEAR) + 3}123109".encode() + (NOW_NS - DAY_NS).to_bytes(8, "big")


def _update(card: CardTester, made_up: MadeUp = USUAL) -> bytes:
    """A card before a desk, and its challenge."""
    card.at_desk(made_up)
    return card.challenge()


@case("P-ACT-12", nature=Nature.VALID, zh="卡片內容更新：註銷、效期、身分、次數", destructive=True)
def test_update_is_taken(card: CardTester) -> None:
    """The data centre's update gives an expired card without visits a new date and nine visits; the newborn mark stays."""
    challenge = _update(card, MadeUp(personal={"available_visits": 0, "expiry_date": at(-86_400)[:7]}))
    centre = identity_of(card.world, Party.DATA_CENTRE)
    card.says(card.put(card.update(_CONTENT, challenge, centre)), 0x9000, "update")
    card.equal("insurance", card.must(card.area("register"), "register")[57:], _CONTENT[:13] + b" " * 8)
    card.says(card.put(card.issue()), 0x9000, "a visit after it")


@case("P-ACT-12", "P-TCA-04", nature=Nature.TIMER, zh="更新亦告知卡片日期", destructive=True)
def test_update_tells_the_date(card: CardTester) -> None:
    """After an update a certificate that had ended by its date is expired."""
    centre = identity_of(card.world, Party.DATA_CENTRE)
    content = _CONTENT[:13] + (NOW_NS + 2000 * DAY_NS).to_bytes(8, "big")
    card.must(card.put(card.update(content, _update(card), centre)), "update")
    card.must(card.name_party(Party.SAM), "name")
    card.says(card.certify(identity_of(card.world, Party.SAM).chain_bytes()), 0x9601, "a certificate that had ended by then")


def _wrong_updates() -> Mapping[str, Each]:
    words = {
        "other-card": 0x9605, "old-challenge": 0x9605, "no-challenge": 0x9605, "short-challenge": 0x9605,
        "altered-content": 0x9605,
        "altered-signature": 0x9605, "sams-signature": 0x9604, "strangers": 0x9605, "expired": 0x9601, "no-chain": 0x6A80,
        "visits-no-number": 0x6A80, "as-a-proof": 0x9605,
    }
    return {name: Each((name, word)) for name, word in words.items()}


@case("P-ACT-12", nature=Nature.ATTACK, zh="偽造、轉送、重送之更新遭拒", destructive=True, each=_wrong_updates)
def test_wrong_update_is_refused(card: CardTester, tried: tuple[str, int]) -> None:
    """An update that the data centre did not sign for this card and challenge is refused and changes nothing."""
    name, word = tried
    old = _update(card)
    acts = _wrong_update(card, name, old)
    before = card.memory()
    card.says(card.put(acts), word, name)
    card.equal("the card after it", card.memory(), before)


def _wrong_update(card: CardTester, name: str, old: bytes) -> bytes:
    centre = identity_of(card.world, Party.DATA_CENTRE)
    match name:
        case "other-card":
            return card.update(_CONTENT, old, centre, "000000000001")
        case "old-challenge":
            card.challenge()
            return card.update(_CONTENT, old, centre)
        case "no-challenge":
            card.must(card.put(card.update(_CONTENT, old, centre)), "a right one")
            return card.update(_CONTENT.replace(b"09", b"08"), old, centre)
        case "short-challenge":
            return card.update(_CONTENT, card.must("0084000008", "a challenge of 8 bytes"), centre)
        case "altered-content":
            return card.update(_CONTENT, old, centre).replace(_CONTENT, _CONTENT.replace(b"09", b"99"))
        case "altered-signature":
            good = pki.sign(centre.key, writes.update_message(CARD_NO, old, _CONTENT))
            return card.update(_CONTENT, old, centre).replace(good, flipped(good))
        case "sams-signature":
            return card.update(_CONTENT, old, identity_of(card.world, Party.SAM))
        case "strangers":
            return card.update(_CONTENT, old, card.world.stranger.issue(Role.DATA_CENTRE, "IDC"))
        case "expired":
            return card.update(_CONTENT, old, card.world.authority.issue(Role.DATA_CENTRE, "IDC", days=(-800, -366)))
        case "no-chain":
            return card.update(_CONTENT, old, replace(centre, chain=()))
        case "visits-no-number":
            return card.update(_CONTENT.replace(b"09", b"xx"), old, centre)
        case _:
            signature = card.proof(centre, Party.DATA_CENTRE, old)
            good = pki.sign(centre.key, writes.update_message(CARD_NO, old, _CONTENT))
            return card.update(_CONTENT, old, centre).replace(good, signature)
