"""A new visit on a patient card: which numbers it gives, when it gives none, and that the same act is done once."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.case import Each, Nature, case
from conformance.chips import MadeUp
from conformance.kinds.card import LAST_YEAR, THIS_YEAR, WHEN, CardTester, at
from conformance.vectors.world import NOW_NS
from virtual_devices import tlv
from virtual_devices.apdu import Command
from virtual_devices.card import writes
from virtual_devices.clock import roc_datetime13
from virtual_devices.pki import DAY_NS
from virtual_devices.records import RECORDS

_OTHER = "8888888888"
_ACT_ID = b"i" * 16


def _personal(**personal: object) -> MadeUp:
    return MadeUp(personal=personal)


@case("P-ACT-04", "P-ACT-05", nature=Nature.VALID, zh="就醫序號逐一遞增，可用次數遞減", destructive=True)
def test_numbers_go_up_and_visits_left_down(card: CardTester) -> None:
    """Each visit gets the next number, the same-day flag and the visits left; the visit, the last number and the year's count say
    so; without visits left there is none, but for a visit that is not counted."""
    card.at_desk(_personal(last_sequence=f"{THIS_YEAR}0041", available_visits=2))
    for number, flag, left in ((42, b"N", 1), (43, b"Y", 0)):
        card.says(card.put(card.issue(at(number))), 0x9000, f"visit {number}", b"%04d%s%02d" % (number, flag, left))
    card.refuses(card.issue(at(99)), 0x9401, "a visit too many")
    card.says(card.put(card.issue(at(100), kind="AC")), 0x9000, "one that is not counted", b"0043Y00")
    card.holds("last_seq", f"{THIS_YEAR}0043".encode())
    year = RECORDS["cumulative_year"].texts(card.records("cumulative_year")[0])
    card.equal("visits of the year", (year["roc_year"], int(year["visit_count"])), (THIS_YEAR, 2))
    visit = RECORDS["visit_register"].texts(card.records("visit")[0])
    card.equal("the first visit", (visit["visit_seq_no"], visit["visit_datetime"]), ("0042", at(42)))


@case("P-ACT-05", nature=Nature.LIMIT, zh="序號逐年自 0001 起；去年補登接續去年", destructive=True)
def test_numbering_begins_anew_each_year(card: CardTester) -> None:
    """Each year begins at 0001; late visits of the year before go on where it stopped; of the year before that there are none."""
    card.at_desk(_personal(last_sequence=f"{LAST_YEAR}0877", available_visits=9))
    for when, number in ((at(0), 1), (f"{LAST_YEAR}1231235959", 878), (f"{LAST_YEAR}1230120000", 879), (at(9), 2)):
        answer = card.says(card.put(card.issue(when)), 0x9000, f"visit at {when}")
        card.equal(f"number at {when}", answer[:4], b"%04d" % number)
    card.holds("last_seq", f"{THIS_YEAR}0002".encode())
    card.refuses(card.issue(f"{int(LAST_YEAR) - 1}1231235959"), 0x9407, "a visit two years ago")


@case("P-ACT-05", nature=Nature.LIMIT, zh="序號上限 1500", destructive=True)
def test_numbers_end_at_their_limit(card: CardTester) -> None:
    """The number 1500 is given, no other after it."""
    card.at_desk(_personal(last_sequence=f"{THIS_YEAR}{writes.SEQUENCE_MAX - 1:04d}"))
    card.equal("number", card.says(card.put(card.issue(at(0))), 0x9000, "the last")[:4], b"%04d" % writes.SEQUENCE_MAX)
    card.refuses(card.issue(at(1)), 0x9407, "one beyond")
    card.equal("number", card.says(card.put(card.issue(at(2), kind="AC")), 0x9000, "not counted")[:4],
               b"%04d" % writes.SEQUENCE_MAX)


_STATES: Mapping[str, tuple[MadeUp, int]] = {
    "cancelled": (_personal(cancelled=True), 0x9402), "expired-yesterday": (_personal(expiry_date=at(-86_400)[:7]), 0x9403),
    "expires-today": (_personal(expiry_date=at(0)[:7]), 0x9000), "no-visits": (_personal(available_visits=0), 0x9401),
    "one-visit": (_personal(available_visits=1), 0x9000),
}


@case("P-ACT-04", "P-LIF-01", nature=Nature.LIMIT, zh="註銷、逾期、無可用次數之卡不給序號", destructive=True,
      each=lambda: {name: Each(state) for name, state in _STATES.items()})
def test_card_that_may_not_be_used_gives_no_number(card: CardTester, state: tuple[MadeUp, int]) -> None:
    """A card cancelled, expired or without visits left gives no number; on its last day and with its last visit it does."""
    made_up, word = state
    card.at_desk(made_up)
    if word == 0x9000:
        card.says(card.put(card.issue()), word, "visit")
    else:
        card.refuses(card.issue(), word, "visit")


@case("P-ACT-04", nature=Nature.LIMIT, zh="新生兒依附：出生 60 日內", destructive=True,
      each=lambda: {f"day-{days}": Each((days, word)) for days, word in ((-1, 0x9404), (0, 0x9000), (60, 0x9000), (61, 0x9404))})
def test_newborn_uses_a_parents_card_for_sixty_days(card: CardTester, days: tuple[int, int]) -> None:
    """A newborn's visit is taken from the birth date on the card to the sixtieth day after, and the parent's always."""
    old, word = days
    born = roc_datetime13(NOW_NS - old * DAY_NS)[:7]
    card.at_desk()
    card.must(card.put(card.other(0xE7, (0x8F, born + "1"))), "newborn mark")
    card.says(card.put(card.issue(mark="A")), word, "the newborn's visit")
    card.says(card.put(card.issue(at(1))), 0x9000, "the parent's visit")


@case("P-ACT-04", nature=Nature.INOPPORTUNE, zh="卡上無新生兒註記：9404", destructive=True)
def test_newborn_without_a_birth_date_is_refused(card: CardTester) -> None:
    """Without a birth date on the card no newborn is registered."""
    card.at_desk()
    for mark in ("A", "a"):
        card.refuses(card.issue(mark=mark), 0x9404, "the newborn's visit")


@case("P-ACT-04", nature=Nature.LIMIT, zh="取消就醫：24 小時內須有本院之就醫", destructive=True, each=lambda: {
    "none": Each((None, "ZA", 0x9481)), "24-hours": Each((86_400, "ZA", 0x9000)),
    "24-hours-and-1-s": Each((86_401, "ZA", 0x9481)),
    "same-second": Each((1, "ZB", 0x9000)), "later": Each((-1, "ZB", 0x9481)), "other-type": Each((86_401, "AC", 0x9000)),
})
def test_cancelling_needs_a_visit_of_that_day(card: CardTester, tried: tuple[int | None, str, int]) -> None:
    """A visit type that cancels needs a visit of this institution within 24 hours before."""
    after, kind, word = tried
    card.at_desk()
    if after is not None:
        card.must(card.put(card.issue()), "visit")
    card.says(card.put(card.issue(at(after or 0), kind=kind)), word, f"visit type {kind}")


@case("P-ACT-04", nature=Nature.INOPPORTUNE, zh="取消就醫：他院或已退掛者不算", destructive=True)
def test_cancelling_finds_no_other_visit(card: CardTester) -> None:
    """Neither another institution's visit nor one that was taken back is there to be cancelled."""
    foreign = b"01 " + WHEN.encode() + b"1" + b"0001" + _OTHER.encode() + b" " * 38
    card.at_desk(_personal(records={"visit": (foreign,)}))
    card.says(card.put(card.issue(at(60), kind="ZA")), 0x9481, "another institution's")
    card.at_desk()
    card.must(card.put(card.issue()), "visit")
    card.must(card.put(card.roll_back()), "take back")
    card.says(card.put(card.issue(at(60), kind="ZA")), 0x9481, "one taken back")


@case("P-ACT-04", nature=Nature.VALID, zh="同一時間再次取號：同一就醫；類別不同則 9407", destructive=True)
def test_same_moment_is_the_same_visit(card: CardTester) -> None:
    """Asked again for a visit of the same moment, under another id, the card tells the same number and takes nothing; another
    type, mark or institution at that moment is refused."""
    card.at_desk(_personal(available_visits=2))
    first = card.says(card.put(card.issue()), 0x9000, "visit")
    card.equal("same-day flag of a later one", card.says(card.put(card.issue(at(60))), 0x9000, "later")[4:5], b"Y")
    again = card.says(card.put(card.issue()), 0x9000, "the first again")
    card.equal("number, flag and visits left", again, first[:5] + b"00")
    card.refuses(card.issue(kind="02"), 0x9407, "another type")
    foreign = b"01 " + WHEN.encode() + b"1" + b"0001" + _OTHER.encode() + b" " * 38
    card.at_desk(_personal(records={"visit": (foreign,)}))
    card.refuses(card.issue(), 0x9407, "another institution's moment")


@case("P-ACT-04", nature=Nature.VALID, zh="同日就醫註記：退掛者與他日者不算", destructive=True)
def test_same_day_flag(card: CardTester) -> None:
    """The same-day flag is Y after a visit of that day that stands, and N after one taken back or of another day."""
    card.at_desk(_personal(available_visits=9))
    for when, flag in ((at(-86_400), b"N"), (at(0), b"N")):
        card.equal(f"flag at {when}", card.says(card.put(card.issue(when)), 0x9000, "visit")[4:5], flag)
    card.must(card.put(card.roll_back(at(0), at(60))), "take back")
    for when, flag in ((at(120), b"N"), (at(180), b"Y")):
        card.equal(f"flag at {when}", card.says(card.put(card.issue(when)), 0x9000, "visit")[4:5], flag)


@case("P-ACT-04", nature=Nature.LIMIT, zh="卡片存六次就醫：第七次取代最早者", destructive=True)
def test_seventh_visit_takes_the_firsts_place(card: CardTester) -> None:
    """The card holds six visits; the seventh takes the first one's place."""
    card.at_desk(_personal(available_visits=9))
    for number in range(7):
        card.must(card.put(card.issue(at(number))), f"visit {number}")
    held = sorted(RECORDS["visit_register"].texts(one)["visit_seq_no"] for one in card.records("visit"))
    card.equal("numbers on the card", held, [f"{n:04d}" for n in range(2, 8)])
    card.refuses(card.fee(at(0)), 0x9422, "fees of the first")


@case("P-ACT-01", nature=Nature.INOPPORTUNE, zh="無安全模組不得寫入：6982", destructive=True)
def test_nothing_is_written_without_a_sam(card: CardTester) -> None:
    """Without a proved SAM nothing is written."""
    card.insert()
    command = card.put(card.issue())
    card.says(command, 0x6982, "visit")
    card.says(Command(0x80, 0xDA, 1, 0, b"\xff"), 0x6982, "what could not be written anyway")
    card.prove(card.takes)
    card.equal("visits", card.records("visit")[0].strip(), b"")
    card.reset()
    card.says(command, 0x6982, "visit after a reset")


@case("P-ACT-03", nature=Nature.ATTACK, zh="不得以他院名義寫入：6982", destructive=True)
def test_other_institutions_name_is_refused(card: CardTester) -> None:
    """A SAM registers and takes back in its own institution's name only."""
    card.at_desk()
    card.refuses(card.issue(hospital=_OTHER), 0x6982, "visit")
    card.must(card.put(card.issue()), "visit")
    card.refuses(card.roll_back(hospital=_OTHER), 0x6982, "take back")


@case("P-ACT-02", nature=Nature.ATTACK, zh="同一動作重送：回覆相同，卡片不變", destructive=True)
def test_act_again_changes_nothing(card: CardTester) -> None:
    """The same act under the same id gets the same answer and changes nothing, also after a reset; another act under that id is
    refused; an id is remembered for eight acts."""
    card.at_desk(_personal(available_visits=12))
    act_id = card.act_id("the one")
    command = card.put(card.issue(), act_id)
    first = card.says(command, 0x9000, "visit")
    before = card.memory()
    card.says(command, 0x9000, "again", first)
    card.reset()
    card.prove(card.takes)
    card.says(command, 0x9000, "again after a reset", first)
    card.equal("the card after it", card.memory(), before)
    card.says(card.put(card.issue(at(1)), act_id), 0x6A80, "another act under the id")
    for number in range(1, 8):
        card.must(card.put(card.issue(at(number))), f"visit {number}")
    card.says(card.put(card.issue(at(1)), act_id), 0x6A80, "another act under the id, seven acts later")
    card.must(card.put(card.issue(at(8))), "visit 8")
    card.says(card.put(card.issue(at(9)), act_id), 0x9000, "another act under the id, forgotten by now")


@case("P-ACT-02", nature=Nature.LIMIT, zh="卡片記得最近八個動作", destructive=True)
def test_each_of_eight_acts_is_remembered(card: CardTester) -> None:
    """Each of the last eight acts gets its own answer when it comes again, and changes nothing."""
    card.at_desk(_personal(available_visits=12))
    acts = [card.put(card.issue(at(number)), card.act_id(f"act {number}")) for number in range(7)]
    acts.append(card.put(card.roll_back(at(6), at(7)), card.act_id("the eighth")))  # which cannot be done twice
    answers = [card.must(act, f"act {number}") for number, act in enumerate(acts)]
    before = card.memory()
    for number, (act, answer) in enumerate(zip(acts, answers, strict=True)):
        card.says(act, 0x9000, f"act {number} again", answer)
    card.equal("the card after them", card.memory(), before)


@case("P-ACT-02", nature=Nature.VALID, zh="重送時僅時刻不同：視為同一動作", destructive=True)
def test_act_again_at_another_moment_is_the_same(card: CardTester) -> None:
    """The moment at which an act is said may differ when it is said again."""
    card.at_desk()
    card.must(card.put(card.issue()), "visit")
    act_id = card.act_id("back")
    for now in (at(5), at(9)):
        card.says(card.put(card.roll_back(now=now), act_id), 0x9000, f"take back at {now}")
    card.says(card.put(card.roll_back(at(1), at(9)), act_id), 0x6A80, "another visit taken back under the id")


_HEAD = tlv.encode(writes.ID, _ACT_ID)


def _malformed() -> Mapping[str, Each]:
    issue = CardTester.issue

    def visit(**changed: str) -> bytes:
        return issue(None, **changed)  # type: ignore[arg-type]

    def without(tag: int, twice: bool = False) -> bytes:
        ((outer, value),) = tlv.decode(visit())
        fields = tlv.decode(value)
        kept = [f for f in fields if f[0] != tag] if not twice else [*fields, *(f for f in fields if f[0] == tag)]
        return tlv.encode(outer, tlv.encode_all(kept))

    table = {
        "nothing": b"", "id-alone": _HEAD, "no-id": visit(), "id-of-15": tlv.encode(writes.ID, b"i" * 15) + visit(),
        "id-of-17": tlv.encode(writes.ID, b"i" * 17) + visit(), "id-twice": _HEAD * 2 + visit(), "no-tlv": b"\xff" * 40,
        "empty-act": _HEAD + tlv.encode(0xE9, b""), "cut-short": _HEAD + visit()[:-1], "indefinite": _HEAD + b"\xe1\x80\x00\x00",
        "overlong-length": _HEAD + b"\xe1\x81" + visit()[1:], "unknown-act": _HEAD + tlv.encode(0xE0, b""),
        "unknown-field": _HEAD + tlv.encode(0xE1, b"\x5f\x20\x01x"),
        "short-field": _HEAD + tlv.encode(0xE1, b"\x84\x01\x31"), "no-tlv-within": _HEAD + tlv.encode(0xE1, b"\xff\xff"),
        "no-such-month": _HEAD + visit(when="1151332000000"), "letters-in-the-date": _HEAD + visit(when="11503020800xx"),
        "type-with-a-space": _HEAD + visit(kind="0 "), "type-of-signs": _HEAD + visit(kind="--"),
        "recard-letter": _HEAD + visit(recard="x"),
        "mark-digit": _HEAD + visit(mark="1"), "signs-as-a-mark": _HEAD + visit(mark="-"),
        **{f"without-{tag:02x}": _HEAD + without(tag) for tag in range(0x81, 0x86)},
        **{f"twice-{tag:02x}": _HEAD + without(tag, twice=True) for tag in range(0x81, 0x86)},
    }
    return {name: Each(data) for name, data in table.items()}


@case("P-ACT-01", nature=Nature.INVALID, zh="格式錯誤之寫入：6A80，卡片不變", destructive=True, each=_malformed)
def test_malformed_act_is_refused(card: CardTester, data: bytes) -> None:
    """An act that is malformed, lacks a field or has one twice is refused and changes nothing, and the next one is taken."""
    card.at_desk()
    before = card.memory()
    card.says(Command(0x80, 0xDA, 1, 0, data, le=256), 0x6A80, "malformed act")
    card.equal("the card after it", card.memory(), before)
    card.says(card.put(card.issue()), 0x9000, "a right one")


@case("P-ICC-09", "P-COS-04", nature=Nature.INVALID, zh="寫入指令之類別或參數錯誤", destructive=True)
def test_wrong_write_command_is_refused(card: CardTester) -> None:
    """A write of class 00 is refused by 6E00, one with other parameters by 6A86, and nothing is written."""
    card.at_desk()
    data = card.put(card.issue()).data
    for cla, p1, p2, word in ((0x00, 1, 0, 0x6E00), (0x80, 0, 0, 0x6A86), (0x80, 1, 1, 0x6A86), (0x80, 2, 0, 0x6A86)):
        card.says(Command(cla, 0xDA, p1, p2, data), word, f"write {cla:02X} {p1:02X}{p2:02X}")
    card.equal("visits", card.records("visit")[0].strip(), b"")


@case("P-ACT-01", "P-COS-03", nature=Nature.INOPPORTUNE, zh="以串接寫入；中斷之串接不寫入", destructive=True)
def test_act_comes_in_links(card: CardTester) -> None:
    """An act in links is written; one whose chain was broken is not."""
    card.at_desk()
    data = card.put(card.issue()).data
    card.word(card.send(Command(0x90, 0xDA, 1, 0, data[:20]), "first link"), 0x9000, "first link")
    card.word(card.send("0084000008", "another command"), 0x6883, "another command")
    card.word(card.send(Command(0x80, 0xDA, 1, 0, data[20:]), "last link"), 0x6A80, "last link of a broken chain")
    card.equal("visits", card.records("visit")[0].strip(), b"")
    card.word(card.send(Command(0x90, 0xDA, 1, 0, data[:20]), "first link"), 0x9000, "first link")
    card.says(Command(0x80, 0xDA, 1, 0, data[20:], le=256), 0x9000, "last link")


@case("P-ACT-01", nature=Nature.INVALID, zh="多個動作一併寫入：其一遭拒即全不寫入", destructive=True)
def test_several_acts_are_written_whole_or_not(card: CardTester) -> None:
    """Of several acts in one command all are written or, when the last is refused, none."""
    card.at_desk()
    card.refuses(card.issue() + card.fee(at(9)), 0x9422, "a visit and another's fees")
    card.says(card.put(card.issue() + card.fee()), 0x9000, "a visit and its fees")
    card.equal("fee of the visit", RECORDS["visit_register"].texts(card.records("visit")[0])["outpatient_fee"], "00000450")
